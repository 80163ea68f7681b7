//! How long the boundaries between labels are.

use maud::{Markup, html};

use super::parts::{bar, chip, section as section_of};
use crate::number::significant;
use crate::summary::Summary;

/// Pairs of labels in the table, at most: the longest boundaries.
const MOST_ROWS: usize = 20;

/// All boundaries together: in px, and in nm where the file is calibrated.
pub(super) fn total(summary: &Summary) -> (f64, Option<f64>) {
    let px = summary.boundaries.iter().map(|b| b.length_px).sum();
    let nm: f64 = summary.boundaries.iter().filter_map(|b| b.length_nm).sum();
    (px, summary.input.pixel_size_nm.map(|_| nm))
}

/// The section; nothing where there is no boundary.
pub(super) fn section(summary: &Summary) -> Markup {
    let all = &summary.boundaries;
    let Some(longest) = all.first() else { return html! {} };
    let calibrated = summary.input.pixel_size_nm.is_some();
    let (px, nm) = total(summary);
    let body = html! {
        div.scroll {
            table.narrow {
                thead {
                    tr {
                        th scope="col" { "Between" }
                        th scope="col" {}
                        th.number scope="col" { "Length / px" }
                        @if calibrated { th.number scope="col" { "Length / nm" } }
                    }
                }
                tbody {
                    @for boundary in all.iter().take(MOST_ROWS) {
                        tr {
                            th scope="row" { (chip(boundary.labels[0])) " – " (chip(boundary.labels[1])) }
                            td.wide { (bar(boundary.length_px / longest.length_px)) }
                            td.number { (significant(boundary.length_px, 3)) }
                            @if let Some(nm) = boundary.length_nm {
                                td.number { (significant(nm, 3)) }
                            }
                        }
                    }
                    @if all.len() > MOST_ROWS {
                        tr.muted { td colspan=(if calibrated { 4 } else { 3 }) { "and " (all.len() - MOST_ROWS) " shorter ones" } }
                    }
                    tr.total {
                        th scope="row" { "together" }
                        td {}
                        td.number { (significant(px, 3)) }
                        @if let Some(nm) = nm { td.number { (significant(nm, 3)) } }
                    }
                }
            }
        }
        p.note {
            "Lengths follow from how often lines through the sites cross a boundary (Cauchy-Crofton): right to about 2 % for "
            "smooth boundaries, and without the staircase of the pixels. Labels that are extended to the "
            "edge of the image do not count."
        }
    };
    section_of("boundaries", "Boundaries", &body)
}
