//! What the report draws of a choice is what decided it.

use stemseg::cluster::choose::{Candidate, Choice, Criterion};
use stemseg::cluster::continuum::{Evidence, Levels};

use super::choice::of;
use super::tests::between;

/// A choice by `criterion`, with the numbers that lead to it.
fn choice(criterion: Criterion) -> Choice {
    let levels = |step| vec![Some(Levels { separation: 4.0, step, depth: 0.9 })];
    let continuum = match criterion {
        Criterion::Slope => Evidence { levels: levels(0.2), follows_brightness: 0.0 },
        Criterion::Brightness => Evidence { levels: levels(0.5), follows_brightness: 0.7 },
        _ => Evidence::default(),
    };
    // Of the numbers that are nearly as clear as the clearest, 2 has the lowest separation.
    let candidates = [(2, 20.0, 0.9), (3, 24.0, 0.76), (4, 30.0, 0.5)];
    let candidates = candidates.map(|(k, apart, inside)| Candidate::new(k, apart, inside, 1.0));
    let candidates = if criterion == Criterion::Sites { vec![] } else { candidates.to_vec() };
    let factors = match criterion {
        Criterion::Factors => vec![30.0, 9.0, 8.0, 2.0],
        _ => vec![30.0, 2.0],
    };
    let variation = if criterion == Criterion::Variation { 6.0 } else { 40.0 };
    let choice = Choice::new(candidates, variation, factors, continuum);
    assert_eq!(choice.decided_by, criterion, "{}", choice.reason);
    choice
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
        assert!(section.contains(&choice.reason) && section.contains(words), "{section}");
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
    let choice = choice(Criterion::Sites);
    let section = of(&choice).into_string();
    assert!(section.contains(&choice.reason) && !section.contains("<svg"), "{section}");
}
