//! What each label covers, and how sure it is.

use maud::{Markup, html};

use super::Content;
use super::parts::{bar, chip, section as section_of};
use crate::number::{count, percent, significant};
use crate::summary::LabelArea;

/// Rows of the table, at most: beyond that, summary.json has them all.
const MOST_ROWS: usize = 100;

pub(super) fn section(content: Content<'_>) -> Markup {
    let summary = content.summary;
    let labels = &summary.labels;
    let largest = labels.iter().map(|l| l.area.fraction).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let calibrated = summary.input.pixel_size_nm.is_some();
    let rest = 1.0 - labels.iter().map(|l| l.area.fraction).sum::<f64>();
    let body = html! {
        div.beside {
            div.scroll {
                table {
                    thead {
                        tr {
                            th scope="col" { "Label" }
                            th scope="col" colspan="2" { "Share of the image" }
                            th.number.extra[calibrated] scope="col" { "Pixels" }
                            @if calibrated { th.number scope="col" { "Area" } }
                            th.number scope="col" { "Confidence" }
                        }
                    }
                    tbody {
                        @for label in labels.iter().take(MOST_ROWS) {
                            (row(label, largest, calibrated))
                        }
                        @if rest > 1e-9 {
                            tr.muted {
                                th scope="row" { "none" }
                                td {}
                                td.number { (percent(rest)) }
                                td.extra[calibrated] {}
                                @if calibrated { td {} }
                                td {}
                            }
                        }
                    }
                }
                @if labels.len() > MOST_ROWS {
                    p.note { "The other " (labels.len() - MOST_ROWS) " labels are in summary.json." }
                }
                p.note {
                    "Confidence, from 0 to 1, says how clearly sites belong to their pattern and not to another. It is "
                    (significant(summary.confidence.mean, 3)) " on average, and above 0.9 on "
                    (percent(summary.confidence.fraction_above_0_9))
                    " of the labelled area. It does not tell whether the number of patterns is right."
                }
            }
            (content.pictures.confidence.figure())
        }
    };
    section_of("labels", "Patterns", &body)
}

fn row(label: &LabelArea, largest: f64, calibrated: bool) -> Markup {
    html! {
        tr {
            th scope="row" { (chip(label.area.label)) }
            td.wide { (bar(label.area.fraction / largest)) }
            td.number { (percent(label.area.fraction)) }
            td.number.extra[calibrated] { (count(label.area.pixels)) }
            @if calibrated {
                td.number { @if let Some(area) = label.calibrated() { (area.typeset()) } }
            }
            td.number { (significant(label.confidence, 3)) }
        }
    }
}
