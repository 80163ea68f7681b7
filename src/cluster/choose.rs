//! How many patterns an image has.
//!
//! It has one more than there are cuts that part crystals: see [`split`](crate::cluster::split).
//! What was found for each number, and what the next cut would have been, is kept to be told.

use serde::Serialize;

use crate::cluster::split::{CLEAR, Split};

/// The number of patterns, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Choice {
    /// The number that was chosen.
    pub clusters: usize,
    /// What decided it.
    pub decided_by: Criterion,
    /// The cuts that were made: the first makes two patterns of one, and so on.
    pub splits: Vec<Split>,
    /// The clearest cut that was not made; nothing where none is possible.
    pub next: Option<Split>,
    /// Strength of a cut from which on it is made.
    pub limit: f64,
    /// Why, in words.
    pub reason: String,
}

/// What decided the number of patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// There are too few sites to tell patterns apart: one pattern.
    Sites,
    /// Whether a cut goes through a step between two levels.
    Levels,
    /// No more were to be looked for.
    Most,
}

/// A number, and the limit that it is held against.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// What it is of: a number of patterns.
    pub of: String,
    /// The number.
    pub value: f64,
    /// The limit.
    pub limit: f64,
    /// Whether it speaks for the number of patterns that was chosen.
    pub decides: bool,
}

impl Choice {
    /// What these `splits` and the `next` one lead to, where at most this number of patterns was
    /// looked for: 0 where there were too few sites for two.
    pub fn new(splits: Vec<Split>, next: Option<Split>, most: usize) -> Self {
        let clusters = splits.len() + 1;
        let further = next.filter(|next| next.strength >= CLEAR);
        let decided_by = match (further, most) {
            (_, 0) => Criterion::Sites,
            (Some(_), _) => Criterion::Most,
            (None, _) => Criterion::Levels,
        };
        let mut this =
            Self { clusters, decided_by, splits, next, limit: CLEAR, reason: String::new() };
        this.reason = this.words();
        this
    }

    /// Strength of the cut that makes each number of patterns, the next one's last.
    pub fn measures(&self) -> Vec<Measure> {
        let all = self.splits.iter().chain(&self.next).zip(2..);
        let measure = |(split, number): (&Split, usize)| Measure {
            of: number.to_string(),
            value: split.strength,
            limit: self.limit,
            decides: number <= self.clusters,
        };
        all.map(measure).collect()
    }

    fn words(&self) -> String {
        let Self { clusters, splits, next, limit, .. } = self;
        let number = format!("{clusters} pattern{}", if *clusters == 1 { "" } else { "s" });
        let weakest = splits.iter().map(|split| split.strength).fold(f64::INFINITY, f64::min);
        let reached = match splits.is_empty() {
            true => String::new(),
            false => format!(
                "each has a boundary at which a feature steps from one level to another (clarity \
                 {weakest:.1} and more; {limit:.2} is enough)"
            ),
        };
        let further = match next {
            Some(next) => format!("the clearest boundary of one more has {:.1}", next.strength),
            None => "no region can be parted further".to_owned(),
        };
        match (self.decided_by, splits.is_empty()) {
            (Criterion::Sites, _) => format!("{number}: the image has too few sites for more"),
            (Criterion::Most, true) => {
                format!("{number}: no more were to be looked for, but {further}")
            }
            (Criterion::Most, false) => {
                format!("{number}: {reached}; no more were to be looked for, but {further}")
            }
            (Criterion::Levels, false) => format!("{number}: {reached}; {further}"),
            (Criterion::Levels, true) => match next {
                Some(next) => format!(
                    "{number}: nothing steps from one level to another; the clearest boundary has a clarity \
                     of {:.1}, and {limit:.2} would be enough for two",
                    next.strength
                ),
                None => format!("{number}: nothing varies over the image that could part it"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::levels::{Levels, Strips};

    fn split(strength: f64) -> Split {
        let levels = Levels { separation: strength, step: 1.0, depth: 1.0, trend: 0.0 };
        Split::new(levels, 1.0, Strips::Doubted)
    }

    #[test]
    fn one_pattern_more_than_clear_cuts() {
        let two = Choice::new(vec![split(9.0)], Some(split(1.2)), 8);
        assert_eq!((two.clusters, two.decided_by), (2, Criterion::Levels));
        assert!(
            two.reason.contains("9.0 and more") && two.reason.contains("1.2"),
            "{}",
            two.reason
        );
        let one = Choice::new(vec![], Some(split(1.2)), 8);
        assert_eq!(one.clusters, 1);
        assert!(one.reason.starts_with("1 pattern: nothing steps"), "{}", one.reason);
        assert_eq!(Choice::new(vec![], None, 8).decided_by, Criterion::Levels);
        assert_eq!(Choice::new(vec![], None, 0).decided_by, Criterion::Sites);
        let limited = Choice::new(vec![], Some(split(8.0)), 1);
        assert_eq!(limited.decided_by, Criterion::Most);
        assert!(limited.reason.contains("no more were to be looked for"), "{}", limited.reason);
        let most = Choice::new(vec![split(9.0)], Some(split(8.0)), 2);
        assert_eq!((most.clusters, most.decided_by), (2, Criterion::Most));
        // The cuts that were made reach the limit, the next does not.
        let measures = two.measures();
        assert_eq!(measures.len(), 2);
        assert!(measures.iter().all(|m| m.decides == (m.value >= m.limit)), "{measures:?}");
    }
}
