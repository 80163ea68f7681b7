//! What the report draws of a choice is what decided it.

use stemseg::cluster::choose::{Candidate, Choice, Criterion};
use stemseg::cluster::continuum::{Evidence, Levels};

use super::choice::of;
use super::tests::between;

/// A choice by `criterion`, with the numbers that lead to it.
fn choice(decided_by: Criterion) -> Choice {
    let levels = |step| vec![Some(Levels { separation: 4.0, step, depth: 0.9 })];
    let (clusters, variation, continuum) = match decided_by {
        Criterion::Sites => (1, 40.0, Evidence::default()),
        Criterion::Variation => (1, 6.0, Evidence::default()),
        Criterion::Slope => (1, 40.0, Evidence { levels: levels(0.2), follows_brightness: 0.0 }),
        Criterion::Brightness => {
            (1, 40.0, Evidence { levels: levels(0.5), follows_brightness: 0.7 })
        }
        Criterion::Separation => (2, 40.0, Evidence::default()),
        Criterion::Factors => (4, 40.0, Evidence::default()),
    };
    // Of the numbers that are nearly as clear as the clearest, 2 has the lowest separation.
    let candidate = |(clusters, separation, silhouette)| Candidate {
        clusters,
        separation,
        silhouette,
        stability: 1.0,
    };
    let candidates = [(2, 20.0, 0.9), (3, 24.0, 0.76), (4, 30.0, 0.5)].map(candidate).to_vec();
    let factors = vec![30.0, if decided_by == Criterion::Variation { 4.0 } else { 9.0 }, 8.0, 2.0];
    let candidates = if decided_by == Criterion::Sites { Vec::new() } else { candidates };
    let reason = "a reason".into();
    Choice { clusters, decided_by, candidates, variation, factors, continuum, reason }
}

#[test]
fn the_bars_are_of_the_criterion_that_decided() {
    for (criterion, words) in [
        (Criterion::Separation, "separation times their silhouette. The line is at 92"),
        (Criterion::Factors, "one pattern more than there are features above the line"),
        (Criterion::Variation, "below it is enough for a single crystal"),
        (Criterion::Slope, "changes from place to place"),
        (Criterion::Brightness, "a slow change of brightness"),
    ] {
        let choice = choice(criterion);
        let section = of(&choice).into_string();
        assert!(section.contains("a reason.") && section.contains(words), "{section}");
        let plot = between(&section, "<svg ", "</svg>")[0];
        let line = between(plot, "<polyline ", "/>")
            .into_iter()
            .find(|line| line.contains("stroke=\"#010101\" stroke-width=\"4\""));
        let points = between(line.expect("the line of the limit"), "points=\"", "\"")[0];
        let limit: f64 =
            points.split([',', ' ']).nth(1).and_then(|y| y.parse().ok()).expect("a height");
        let bars = between(plot, "<rect ", "/>");
        let measures = choice.measures();
        assert_eq!(bars.len(), measures.len(), "{criterion:?}");
        for (bar, measure) in bars.iter().zip(&measures) {
            let top: f64 = between(bar, "y=\"", "\"")[0].parse().expect("a number");
            let reaches = measure.value >= measure.limit;
            assert_eq!(
                top <= limit,
                reaches,
                "{criterion:?}: {measure:?} at {top}, line at {limit}"
            );
            assert_eq!(bar.contains("#040404"), measure.decides, "{criterion:?}: {measure:?}");
        }
        // Whoever sees the plot sees the number.
        let coloured = measures.iter().filter(|m| m.decides).count();
        match criterion {
            Criterion::Factors => assert_eq!(coloured + 1, choice.clusters),
            Criterion::Separation => assert_eq!(coloured, 1),
            _ => assert!(coloured > 0),
        }
    }
}

#[test]
fn few_sites_have_a_reason_and_nothing_to_draw() {
    let section = of(&choice(Criterion::Sites)).into_string();
    assert!(section.contains("a reason.") && !section.contains("<svg"), "{section}");
}
