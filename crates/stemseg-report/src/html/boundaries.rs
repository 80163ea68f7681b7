//! How long the boundaries between labels are.

use maud::{Markup, html};
use stemseg_crystals::Interface;
use stemseg_regions::junctions::TriplePoint;

use super::parts::{bar, chip, section as section_of};
use crate::number::{significant, with_error};
use crate::summary::{LabelBoundary, LinesFound, Summary};

/// Pairs of labels in the table, at most: the longest boundaries.
const MOST_ROWS: usize = 20;
/// Triple points in theirs, at most.
const MOST_POINTS: usize = 10;

/// All boundaries together: in px, and in nm where the file is calibrated.
pub(super) fn total(summary: &Summary) -> (f64, Option<f64>) {
    let px = summary.boundaries.iter().map(|b| b.boundary.length_px).sum();
    let nm: f64 = summary.boundaries.iter().filter_map(|b| b.boundary.length_nm).sum();
    (px, summary.input.pixel_size_nm.map(|_| nm))
}

/// The section; nothing where there is no boundary.
pub(super) fn section(summary: &Summary) -> Markup {
    let all = &summary.boundaries;
    let Some(longest) = all.first().map(|longest| longest.boundary) else { return html! {} };
    let related = all.iter().any(|b| b.interface.is_some());
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
                        @if related {
                            th.number scope="col" { "Misorientation" }
                            th.number scope="col" { "Σ" }
                            th.number scope="col" { "Normal" }
                        }
                    }
                }
                tbody {
                    @for LabelBoundary { boundary, interface } in all.iter().take(MOST_ROWS) {
                        tr {
                            th scope="row" { (chip(boundary.labels[0])) " – " (chip(boundary.labels[1])) }
                            td.wide { (bar(boundary.length_px / longest.length_px)) }
                            td.number { (significant(boundary.length_px, 3)) }
                            @if let Some(nm) = boundary.length_nm {
                                td.number { (significant(nm, 3)) }
                            }
                            @if related { (relation(interface.as_ref())) }
                        }
                    }
                    @if all.len() > MOST_ROWS {
                        tr.muted { td colspan=(3 + usize::from(calibrated) + if related { 3 } else { 0 }) { "and " (all.len() - MOST_ROWS) " shorter ones" } }
                    }
                    tr.total {
                        th scope="row" { "together" }
                        td {}
                        td.number { (significant(px, 3)) }
                        @if let Some(nm) = nm { td.number { (significant(nm, 3)) } }
                        @if related { td colspan="3" {} }
                    }
                }
            }
        }
        p.note {
            "Lengths follow from how often lines through the sites cross a boundary (Cauchy-Crofton): right to about 2 % for "
            "smooth boundaries, and without the staircase of the pixels. Labels that are extended to the "
            "edge of the image do not count."
            @if related {
                " A misorientation is the smallest turn between two lattices by the symmetry of either; Σ is the number of "
                "lattice points to one in common, within Brandon's limit; angles go counter-clockwise from the right."
            }
        }
        @if let Some(lines) = &summary.boundary_lines { (meetings(lines)) }
    };
    section_of("boundaries", "Boundaries", &body)
}

/// How many lines there are, and at which angles they meet.
fn meetings(LinesFound { lines, points, .. }: &LinesFound) -> Markup {
    // Those whose angles are known say more.
    let known = |point: &&TriplePoint| point.sectors.iter().all(|own| own.angle_deg.is_some());
    let shown: Vec<&TriplePoint> = points.iter().filter(known).take(MOST_POINTS).collect();
    let words = |count: usize, one: &str, many: &str| {
        format!("{count} {}", if count == 1 { one } else { many })
    };
    html! {
        p {
            "Regions meet along " (words(*lines, "line", "lines")) ", and lines in "
            (words(points.len(), "triple point", "triple points"))
            ": " code { "boundaries.csv" } " and " code { "triple_points.csv" } " have them all."
        }
        @if !shown.is_empty() {
            div.scroll {
                table.narrow {
                    thead {
                        tr {
                            th.number scope="col" { "Triple point at row, column / px" }
                            th scope="col" { "Dihedral angles" }
                        }
                    }
                    tbody {
                        @for point in &shown {
                            tr {
                                td.number { (format!("{:.1}, {:.1}", point.at_px[0], point.at_px[1])) }
                                td {
                                    @for sector in &point.sectors {
                                        (chip(sector.label)) " "
                                        (with_error(sector.angle_deg.unwrap_or(0.0), sector.angle_deg_error.unwrap_or(0.0))) "°  "
                                    }
                                }
                            }
                        }
                        @if points.len() > shown.len() {
                            tr.muted { td colspan="2" { "and " (points.len() - shown.len()) " more" } }
                        }
                    }
                }
            }
        }
    }
}

/// What is known of the crystals on both sides.
fn relation(interface: Option<&Interface>) -> Markup {
    let relation = interface.and_then(|interface| interface.relation.as_ref());
    let normal = interface.and_then(|interface| interface.normal_deg);
    html! {
        td.number {
            @if let Some(relation) = relation {
                (with_error(relation.misorientation_deg, relation.misorientation_deg_error)) "°"
            }
        }
        td.number { @if let Some(sigma) = relation.and_then(|relation| relation.sigma) { (sigma) } }
        td.number { @if let Some(normal) = normal { (format!("{normal:.1}°")) } }
    }
}
