//! What decides the number of patterns: one criterion, whose measures stand against limits.

use serde::Serialize;

use super::Candidate;
use crate::cluster::continuum::{Evidence, Measure, Slope};

/// A single crystal's first factor varies less than this, in units of what sites a period
/// apart differ by; or less than this relative to the noise that regularises it.
const SINGLE: f64 = 7.0;
const REGULARISED: f64 = 5.2;
/// The variation of a further factor, relative to the noise that regularises it, from which
/// on it stands for one pattern more.
const FURTHER: f64 = 7.0;

/// The least number of clusters whose score is this share of the largest is taken.
const NEARLY: f64 = 0.92;

/// What decided the number of patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// There are too few sites to tell patterns apart: one pattern.
    Sites,
    /// Hardly anything varies over the image: one pattern.
    Variation,
    /// What varies most changes steadily from place to place: one pattern.
    Slope,
    /// What varies most follows a slow change of brightness: one pattern.
    Brightness,
    /// How clearly the clusters are told apart: the fewest that are nearly the clearest.
    Separation,
    /// How many independent features vary over the image: one pattern more than these.
    Factors,
}

/// What the decision is made from.
pub(super) struct Grounds<'a> {
    pub(super) candidates: &'a [Candidate],
    pub(super) variation: f64,
    pub(super) factors: &'a [f64],
    pub(super) continuum: &'a Evidence,
}

/// The number of patterns, what decided it, and why in words.
pub(super) type Decision = (usize, Criterion, String);

impl Grounds<'_> {
    /// The decision.
    pub(super) fn decide(&self) -> Decision {
        match (self.clusters(), self.continuum.slope()) {
            ((2.., ..), Some(slope)) => slowly(slope),
            (decided, _) => decided,
        }
    }

    /// The decision where nothing speaks for a crystal that changes slowly.
    fn clusters(&self) -> Decision {
        let Self { candidates, variation, factors, .. } = *self;
        let first = factors.first().copied().unwrap_or(0.0);
        if variation < SINGLE || first < REGULARISED {
            let reason = format!(
                "1 pattern: what varies most over the image varies {variation:.1} times as much as between \
                 sites a period apart, and {first:.1} times as much relative to the usual noise; in a single \
                 crystal the former is less than {SINGLE}, or the latter less than {REGULARISED}"
            );
            return (1, Criterion::Variation, reason);
        }
        if candidates.is_empty() {
            let reason = "1 pattern: the image has too few sites for more".to_owned();
            return (1, Criterion::Sites, reason);
        }
        let nearly = nearly(candidates);
        let apart = candidates.iter().find(|c| c.score() >= nearly);
        let separation = apart.map_or(0.0, |c| c.separation);
        let apart = apart.map_or(2, |c| c.clusters);
        let further = factors.iter().filter(|&&value| value >= FURTHER).count();
        let clusters = apart.max(further + 1).min(candidates.len() + 1);
        if further + 1 > apart {
            let reason = format!(
                "{clusters} patterns: {further} independent features vary over the image at least {FURTHER} \
                 times as much as from site to site"
            );
            return (clusters, Criterion::Factors, reason);
        }
        let reason = format!(
            "{clusters} patterns: with this number, clusters are told apart best, or nearly so: the cores of \
             the nearest two are {separation:.1} times their spread apart"
        );
        (clusters, Criterion::Separation, reason)
    }

    /// The numbers that `criterion` looks at when it decides for `clusters`.
    pub(super) fn measures(&self, criterion: Criterion, clusters: usize) -> Vec<Measure> {
        let below = |of: &str, value: f64, limit: f64| Measure {
            of: of.to_owned(),
            value,
            limit,
            decides: value < limit,
        };
        match criterion {
            Criterion::Sites => Vec::new(),
            Criterion::Variation => vec![
                below("relative to sites a period apart", self.variation, SINGLE),
                below(
                    "relative to the usual noise",
                    self.factors.first().copied().unwrap_or(0.0),
                    REGULARISED,
                ),
            ],
            Criterion::Slope => self.continuum.measures(Slope::Place),
            Criterion::Brightness => self.continuum.measures(Slope::Brightness),
            Criterion::Separation => {
                let limit = nearly(self.candidates);
                let measure = |c: &Candidate| Measure {
                    of: c.clusters.to_string(),
                    value: c.score(),
                    limit,
                    decides: c.clusters == clusters,
                };
                self.candidates.iter().map(measure).collect()
            }
            Criterion::Factors => {
                let measure = |(i, &value): (usize, &f64)| Measure {
                    of: (i + 1).to_string(),
                    value,
                    limit: FURTHER,
                    decides: value >= FURTHER,
                };
                self.factors.iter().enumerate().map(measure).collect()
            }
        }
    }
}

/// The score from which on a number of clusters is nearly as clear as the clearest.
fn nearly(candidates: &[Candidate]) -> f64 {
    NEARLY * candidates.iter().map(Candidate::score).fold(0.0, f64::max)
}

/// Why an image that could be cut shows a single crystal.
fn slowly(slope: Slope) -> Decision {
    let (criterion, reason) = match slope {
        Slope::Place => (
            Criterion::Slope,
            "1 pattern: what varies most changes steadily over the image, as in a crystal that is bent, \
             strained or drifts; nothing steps from one level to another",
        ),
        Slope::Brightness => (
            Criterion::Brightness,
            "1 pattern: what varies most follows a slow change of brightness, as from contamination or \
             thickness; nothing steps from one level to another",
        ),
    };
    (1, criterion, reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::continuum::Levels;

    fn candidate(clusters: usize, separation: f64) -> Candidate {
        Candidate { clusters, separation, silhouette: 0.5, stability: 1.0 }
    }

    fn decide(candidates: &[Candidate], variation: f64, factors: &[f64]) -> Decision {
        let continuum = &Evidence::default();
        Grounds { candidates, variation, factors, continuum }.decide()
    }

    #[test]
    fn the_fewest_clusters_that_lie_far_apart_are_taken() {
        let candidates = [(2, 11.0), (3, 19.5), (4, 20.0), (5, 3.0)];
        let candidates = candidates.map(|(k, separation)| candidate(k, separation));
        assert_eq!(decide(&candidates, 40.0, &[30.0, 2.0]).0, 3);
        assert_eq!(decide(&candidates, 6.5, &[30.0, 4.0]).0, 1, "nothing varies");
        assert_eq!(decide(&candidates, 40.0, &[5.0, 4.0]).0, 1, "nothing varies by much");
        assert_eq!(decide(&candidates, 40.0, &[30.0, 20.0, 9.0, 2.0]).0, 4, "three features vary");
        assert_eq!(decide(&candidates, 40.0, &[30.0; 8]).0, 5, "no more than were tried");
        // Sites that lie between clusters count against them.
        let mut spread = candidates.clone();
        spread[1].silhouette = 0.4;
        assert_eq!(decide(&spread, 40.0, &[30.0, 2.0]).0, 4);
    }

    #[test]
    fn the_measures_of_the_criterion_lead_to_the_number_that_was_chosen() {
        let candidates = [(2, 30.0), (3, 31.0), (4, 32.0)].map(|(k, s)| candidate(k, s));
        let ramp = Levels { separation: 4.0, step: 0.2, depth: 0.9 };
        let slope = Evidence { levels: vec![Some(ramp)], follows_brightness: 0.0 };
        let soft = Levels { step: 0.5, ..ramp };
        let bright = Evidence { levels: vec![Some(soft)], follows_brightness: 0.7 };
        let none = Evidence::default();
        type Case<'a> = (&'a [Candidate], f64, &'a [f64], &'a Evidence, usize, Criterion);
        let cases: [Case<'_>; 6] = [
            (&candidates, 40.0, &[30.0, 2.0], &none, 2, Criterion::Separation),
            (&candidates, 40.0, &[30.0, 9.0, 2.0], &none, 3, Criterion::Factors),
            (&candidates, 6.0, &[30.0, 9.0], &none, 1, Criterion::Variation),
            (&candidates, 40.0, &[30.0, 9.0], &slope, 1, Criterion::Slope),
            (&candidates, 40.0, &[30.0, 9.0], &bright, 1, Criterion::Brightness),
            (&[], 40.0, &[30.0, 9.0], &none, 1, Criterion::Sites),
        ];
        for (candidates, variation, factors, continuum, clusters, by) in cases {
            let grounds = Grounds { candidates, variation, factors, continuum };
            let (decided, criterion, reason) = grounds.decide();
            assert_eq!((decided, criterion), (clusters, by), "{reason}");
            let measures = grounds.measures(criterion, clusters);
            let decides: Vec<&Measure> = measures.iter().filter(|m| m.decides).collect();
            match criterion {
                // The chosen number reaches the line, and no lower one does.
                Criterion::Separation => {
                    let first = measures.iter().find(|m| m.value >= m.limit).unwrap();
                    assert_eq!((decides, &*first.of), (vec![first], &*clusters.to_string()));
                }
                Criterion::Factors => assert_eq!(decides.len(), clusters - 1),
                Criterion::Variation => assert!(!decides.is_empty(), "{measures:?}"),
                Criterion::Slope | Criterion::Brightness => {
                    assert_eq!(decides.len(), 2, "{measures:?}");
                }
                Criterion::Sites => assert_eq!(measures, []),
            }
        }
    }
}
