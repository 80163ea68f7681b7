//! What the report draws of a choice is what decided it.

use stemseg::cluster::choose::{Choice, Criterion};
use stemseg::cluster::levels::{Levels, Strips};
use stemseg::cluster::split::Split;

use super::choice::of;
use super::tests::between;

fn split(strength: f64) -> Split {
    let levels = Levels { separation: strength, step: 1.0, depth: 1.0, trend: 0.2 };
    Split::new(levels, 1.0, Strips::Doubted)
}

#[test]
fn the_bars_are_of_the_boundaries_that_decided() {
    for (made, next) in [(&[9.0, 4.0][..], Some(1.3)), (&[], Some(0.8)), (&[5.5], None)] {
        let splits = made.iter().map(|&strength| split(strength)).collect();
        let choice = Choice::new(splits, next.map(split), 8);
        let section = of(&choice).into_string();
        assert!(section.contains(&choice.reason) && section.contains("How clear"), "{section}");
        let plot = between(&section, "<svg ", "</svg>")[0];
        let line = between(plot, "<polyline ", "/>")
            .into_iter()
            .find(|line| line.contains("stroke=\"#010101\" stroke-width=\"4\""));
        let points = between(line.expect("the line of the limit"), "points=\"", "\"")[0];
        let limit: f64 =
            points.split([',', ' ']).nth(1).and_then(|y| y.parse().ok()).expect("a height");
        let bars = between(plot, "<rect ", "/>");
        let measures = choice.measures();
        assert_eq!(bars.len(), measures.len());
        for (bar, measure) in bars.iter().zip(&measures) {
            let top: f64 = between(bar, "y=\"", "\"")[0].parse().expect("a number");
            let reaches = measure.value >= measure.limit;
            assert_eq!(top <= limit, reaches, "{measure:?} at {top}, line at {limit}");
            assert_eq!(bar.contains("#040404"), measure.decides, "{measure:?}");
        }
        // Whoever sees the plot sees the number.
        let coloured = measures.iter().filter(|m| m.decides).count();
        assert_eq!(coloured + 1, choice.clusters);
    }
}

#[test]
fn few_sites_have_a_reason_and_nothing_to_draw() {
    let choice = Choice::new(Vec::new(), None, 0);
    assert_eq!(choice.decided_by, Criterion::Sites);
    let section = of(&choice).into_string();
    assert!(section.contains(&choice.reason) && !section.contains("<svg"), "{section}");
}
