//! Why this number of patterns, where their number was chosen.

use maud::{Markup, html};
use plotters::prelude::*;

use super::Content;
use super::parts::section as section_of;
use super::plot::{ACCENT, Axis, Drawing, INK, MUTED, plot};
use crate::number::significant;
use stemseg::cluster::choose::{Choice, Measure};
use stemseg::cluster::split::Split;

/// What the bars are, and what follows from the line.
const CAPTION: &str = "How clear the boundary is that makes each number of patterns of one fewer: how far two \
                       levels of a feature lie apart, how sharply it steps from one to the other, and how deep \
                       both regions are. Boundaries that reach the line are drawn.";

/// Nothing where the number was given.
pub(super) fn section(content: Content<'_>) -> Option<Markup> {
    Some(of(content.found.choice.as_ref()?))
}

/// The section on this choice.
pub(super) fn of(choice: &Choice) -> Markup {
    let measures = choice.measures();
    let body = html! {
        p { (choice.reason) "." }
        @if !measures.is_empty() {
            div.beside {
                figure {
                    (bars(choice, &measures))
                    figcaption { (CAPTION) }
                }
                (table(choice))
            }
        }
    };
    section_of("choice", "Number of patterns", &body)
}

/// The measures, with the limit as a line; in colour those of boundaries that are drawn.
pub(super) fn bars(choice: &Choice, measures: &[Measure]) -> Drawing {
    let limit = choice.limit;
    let largest = measures.iter().map(|m| m.value).fold(1.1 * limit, f64::max);
    let at = |i: usize| 2.0 + i as f64;
    let whole = |number: &f64| match number.fract().abs() < 1e-6 {
        true => format!("{number:.0}"),
        false => String::new(),
    };
    let value = |value: &f64| significant(*value, 2);
    let range = 1.4..at(measures.len() - 1) + 0.6;
    let x = Axis {
        range: range.clone(),
        title: "number of patterns",
        labels: measures.len(),
        format: &whole,
    };
    let y = Axis { range: 0.0..1.06 * largest, title: "clarity", labels: 6, format: &value };
    let words = format!("What decided for {} patterns; the line is the limit", choice.clusters);
    plot(&words, x, y, |chart| {
        let bar = |(i, measure): (usize, &Measure)| {
            let colour = if measure.decides { ACCENT.filled() } else { MUTED.filled() };
            Rectangle::new([(at(i) - 0.36, 0.0), (at(i) + 0.36, measure.value)], colour)
        };
        chart.draw_series(measures.iter().enumerate().map(bar))?;
        let line = vec![(range.start, limit), (range.end, limit)];
        chart.draw_series([PathElement::new(line, INK.stroke_width(4))])?;
        Ok(())
    })
}

fn table(choice: &Choice) -> Markup {
    let rows = choice.splits.iter().chain(&choice.next).zip(2..);
    let rows: Vec<(&Split, i32)> = rows.collect();
    html! {
        table {
            thead { tr {
                th scope="col" { "patterns" }
                th.number scope="col" { "distance of levels" }
                th.number scope="col" { "step" }
                th.number scope="col" { "depth" }
                th.number scope="col" { "clarity" }
            } }
            tbody {
                @for (split, number) in &rows {
                    tr {
                        th scope="row" { (number) }
                        td.number { (format!("{:.1}", split.levels.separation)) }
                        td.number { (format!("{:.2}", split.levels.step)) }
                        td.number { (format!("{:.2}", split.levels.depth)) }
                        td.number { (format!("{:.1}", split.strength)) }
                    }
                }
            }
        }
    }
}
