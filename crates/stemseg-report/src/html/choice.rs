//! Why so many patterns, where their number was chosen.

use maud::{Markup, html};
use plotters::prelude::*;

use super::Content;
use super::parts::section as section_of;
use super::plot::{ACCENT, Axis, MUTED, plot};
use stemseg::cluster::choose::{Candidate, Choice};

/// Nothing where the number was given.
pub(super) fn section(content: Content<'_>) -> Option<Markup> {
    let choice = content.found.choice.as_ref()?;
    let body = html! {
        p { (choice.reason) "." }
        @if !choice.candidates.is_empty() {
            div.beside {
                figure {
                    (separations(choice))
                    figcaption {
                        "How far the insides of the nearest two clusters lie apart, in their own spread. \
                         Clusters that share a crystal lie close."
                    }
                }
                (table(choice))
            }
        }
    };
    Some(section_of("choice", "Number of patterns", &body))
}

fn separations(choice: &Choice) -> Markup {
    let candidates = &choice.candidates;
    let largest = candidates.iter().map(|c| c.separation).fold(1.0, f64::max);
    let last = candidates.last().map_or(2, |c| c.clusters) as f64;
    let whole = |number: &f64| match number.fract().abs() < 1e-6 {
        true => format!("{number:.0}"),
        false => String::new(),
    };
    let value = |value: &f64| format!("{value:.0}");
    let x = Axis {
        range: 1.4..last + 0.6,
        title: "number of patterns",
        labels: candidates.len(),
        format: &whole,
    };
    let y = Axis { range: 0.0..1.06 * largest, title: "separation", labels: 6, format: &value };
    let words = format!("Separation of 2 to {last} clusters; {} were chosen", choice.clusters);
    plot(&words, x, y, |chart| {
        let bar = |candidate: &Candidate| {
            let at = candidate.clusters as f64;
            let chosen = candidate.clusters == choice.clusters;
            let colour = if chosen { ACCENT.filled() } else { MUTED.filled() };
            Rectangle::new([(at - 0.36, 0.0), (at + 0.36, candidate.separation)], colour)
        };
        chart.draw_series(candidates.iter().map(bar))?;
        Ok(())
    })
}

fn table(choice: &Choice) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "patterns" }
                th.number scope="col" { "separation" }
                th.number scope="col" { "silhouette" }
                th.number scope="col" { "stability" }
            } }
            tbody {
                @for candidate in &choice.candidates {
                    tr {
                        th scope="row" { (candidate.clusters) }
                        td.number { (format!("{:.1}", candidate.separation)) }
                        td.number { (format!("{:.2}", candidate.silhouette)) }
                        td.number { (format!("{:.2}", candidate.stability)) }
                    }
                }
            }
        }
    }
}
