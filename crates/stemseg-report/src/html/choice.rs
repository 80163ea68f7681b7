//! Why this number of patterns, where their number was chosen.

use maud::{Markup, html};
use plotters::prelude::*;

use super::Content;
use super::parts::section as section_of;
use super::plot::{ACCENT, Axis, INK, MUTED, plot};
use crate::number::significant;
use stemseg::cluster::choose::{Choice, Criterion, Measure};

/// Nothing where the number was given.
pub(super) fn section(content: Content<'_>) -> Option<Markup> {
    Some(of(content.found.choice.as_ref()?))
}

/// The section on this choice.
pub(super) fn of(choice: &Choice) -> Markup {
    let measures = choice.measures();
    let body = html! {
        p { (choice.reason) "." }
        @if !(measures.is_empty() && choice.candidates.is_empty()) {
            div.beside {
                @if !measures.is_empty() {
                    figure {
                        (bars(choice, &measures))
                        figcaption { (caption(choice.decided_by, &measures)) }
                        @if worded(choice.decided_by) { (values(&measures)) }
                    }
                }
                @if !choice.candidates.is_empty() { (table(choice)) }
            }
        }
    };
    section_of("choice", "Number of patterns", &body)
}

/// Whether the measures are of different things, each with a limit of its own.
fn worded(criterion: Criterion) -> bool {
    matches!(criterion, Criterion::Variation | Criterion::Slope | Criterion::Brightness)
}

/// What the bars are, and what follows from the line.
fn caption(criterion: Criterion, measures: &[Measure]) -> String {
    let text = match criterion {
        Criterion::Sites => "",
        Criterion::Separation => {
            let highest = measures.iter().map(|m| m.value).fold(0.0, f64::max);
            let share = measures.first().map_or(0.0, |m| m.limit / highest);
            return format!(
                "How clearly clusters are told apart: their separation times their silhouette. The line is at {} \
                 of the highest; the smallest number that reaches it is taken.",
                format_args!("{:.0} %", 100.0 * share)
            );
        }
        Criterion::Factors => {
            "How much each independent feature varies over the image, relative to neighbouring sites. There is \
             one pattern more than there are features above the line."
        }
        Criterion::Variation => {
            "What varies most over the image, relative to the least that two crystals give (the line). One value \
             below it is enough for a single crystal."
        }
        Criterion::Slope => {
            "Two crystals would show a step between two levels. Both values are below the least that they would \
             give (the line), so this is one crystal that changes from place to place."
        }
        Criterion::Brightness => {
            "Two crystals would show a step between two levels (the first value is below the line), and would not \
             follow a slow change of brightness (the second is above it)."
        }
    };
    text.to_owned()
}

/// The measures of the criterion that decided, with the limit as a line; in colour those that
/// speak for the number that was chosen.
fn bars(choice: &Choice, measures: &[Measure]) -> Markup {
    // Different things are drawn relative to their limits.
    let worded = worded(choice.decided_by);
    let height = |m: &Measure| if worded { m.value / m.limit } else { m.value };
    let limit = measures.first().map_or(1.0, |m| if worded { 1.0 } else { m.limit });
    let largest = measures.iter().map(height).fold(1.1 * limit, f64::max);
    let first = if choice.decided_by == Criterion::Separation { 2.0 } else { 1.0 };
    let at = |i: usize| first + i as f64;
    let last = at(measures.len() - 1);
    let whole = |number: &f64| match number.fract().abs() < 1e-6 {
        true => format!("{number:.0}"),
        false => String::new(),
    };
    let value = |value: &f64| significant(*value, 2);
    let (x, y) = match choice.decided_by {
        Criterion::Separation => ("number of patterns", "separation x silhouette"),
        Criterion::Factors => ("feature", "variation"),
        _ => ("value", "relative to its limit"),
    };
    let range = first - 0.6..last + 0.6;
    let x = Axis { range: range.clone(), title: x, labels: measures.len(), format: &whole };
    let y = Axis { range: 0.0..1.06 * largest, title: y, labels: 6, format: &value };
    let words = format!("What decided for {} patterns; the line is the limit", choice.clusters);
    plot(&words, x, y, |chart| {
        let bar = |(i, measure): (usize, &Measure)| {
            let colour = if measure.decides { ACCENT.filled() } else { MUTED.filled() };
            Rectangle::new([(at(i) - 0.36, 0.0), (at(i) + 0.36, height(measure))], colour)
        };
        chart.draw_series(measures.iter().enumerate().map(bar))?;
        let line = vec![(range.start, limit), (range.end, limit)];
        chart.draw_series([PathElement::new(line, INK.stroke_width(4))])?;
        Ok(())
    })
}

/// The measures in words, numbered like the bars.
fn values(measures: &[Measure]) -> Markup {
    html! {
        ol.note {
            @for measure in measures {
                li {
                    (measure.of) ": " (significant(measure.value, 2)) "; limit "
                    (significant(measure.limit, 2))
                }
            }
        }
    }
}

fn table(choice: &Choice) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "patterns" }
                th.number scope="col" { "separation" }
                th.number scope="col" { "silhouette" }
                th.number scope="col" { "product" }
                th.number scope="col" { "stability" }
            } }
            tbody {
                @for candidate in &choice.candidates {
                    tr {
                        th scope="row" { (candidate.clusters) }
                        td.number { (format!("{:.1}", candidate.separation)) }
                        td.number { (format!("{:.2}", candidate.silhouette)) }
                        td.number { (format!("{:.1}", candidate.score())) }
                        td.number { (format!("{:.2}", candidate.stability)) }
                    }
                }
            }
        }
    }
}
