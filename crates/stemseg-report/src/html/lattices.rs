//! The unit cell of each pattern.

use maud::{Markup, html};
use stemseg_crystals::{CellNumbers, Common, PlaneGroupNumbers};

use super::parts::{chip, section as section_of};
use crate::embed::opaque;
use crate::number::with_error;
use crate::summary::{LabelLattice, Summary};

/// Side of a picture, px, and how many of the longer vectors of a cell it shows.
const SIDE: usize = 96;
const CELLS: f64 = 2.5;
/// Rows of the table, at most.
const MOST_ROWS: usize = 100;

/// The section; nothing where lattices were not looked for.
pub(super) fn section(summary: &Summary) -> Markup {
    let Some(lattices) = &summary.lattices else { return html! {} };
    let unit = if summary.input.pixel_size_nm.is_some() { "nm" } else { "px" };
    let body = html! {
        div.scroll {
            table.narrow {
                thead {
                    tr {
                        th scope="col" { "Label" }
                        th scope="col" { "Lattice" }
                        th.number scope="col" { "a / " (unit) }
                        th.number scope="col" { "b / " (unit) }
                        th.number scope="col" { "γ" }
                        th.number scope="col" { "Turned by" }
                        th.number scope="col" { "Columns" }
                        th scope="col" { "Plane group" }
                        th scope="col" { "Averaged" }
                    }
                }
                tbody { @for lattice in lattices.iter().take(MOST_ROWS) { (row(lattice)) } }
            }
            @if lattices.len() > MOST_ROWS {
                p.note { "The other " (lattices.len() - MOST_ROWS) " labels are in summary.json." }
            }
        }
        p.note {
            "Reduced primitive cells, with standard errors of their last digits in brackets. These follow from what the "
            "crystal leaves of the scan rows; how far the whole scan is stretched or sheared they do not say. Angles go "
            "counter-clockwise from the right, to the vector a. lattices.csv has the cell of each region. The plane group is the one that the amplitudes and phases of "
            "the reflections speak for, next to others with what each weighs where they leave a doubt."
        }
        @if let Some(calibration) = &summary.calibration {
            p { "Calibration: " (calibration.says) "." }
        }
    };
    section_of("lattices", "Lattices", &body)
}

fn row(lattice: &LabelLattice) -> Markup {
    html! {
        tr {
            th scope="row" { (chip(lattice.label)) }
            @match (&lattice.numbers.cell, &lattice.numbers.reason) {
                (Some(cell), _) => {
                    (numbers(cell))
                    td {
                        @if let Some(common) = &lattice.common {
                            img src=(averaged(common)) width=(SIDE) height=(SIDE) alt="averaged unit cells";
                        }
                    }
                }
                (None, reason) => { td colspan="8" { (reason.as_deref().unwrap_or_default()) } }
            }
        }
    }
}

/// Some unit cells as the image shows them, each the average over a region.
fn averaged(Common { cell, average, .. }: &Common) -> String {
    let [a, b] = cell.vectors_px;
    let length = |v: [f64; 2]| v[0].hypot(v[1]);
    let step = CELLS * length(a).max(length(b)) / SIDE as f64;
    let whole = a[0] * b[1] - a[1] * b[0];
    let low = average.values.fold(f64::INFINITY, |low, &v| low.min(v));
    let high = average.values.fold(f64::NEG_INFINITY, |high, &v| high.max(v));
    let grey = |at: usize| {
        let [y, x] = [at / SIDE, at % SIDE].map(|i| (i as f64 - SIDE as f64 / 2.0) * step);
        let multiples = [(y * b[1] - x * b[0]) / whole, (a[0] * x - a[1] * y) / whole];
        let share = (average.at(multiples) - low) / (high - low).max(f64::MIN_POSITIVE);
        (255.0 * share.clamp(0.0, 1.0)).round() as u8
    };
    let palette: Vec<[u8; 3]> = (0..=255).map(|grey| [grey; 3]).collect();
    opaque(SIDE, &(0..SIDE * SIDE).map(grey).collect::<Vec<_>>(), &palette)
}

fn numbers(cell: &CellNumbers) -> Markup {
    let length = |nm: Option<f64>, nm_error: Option<f64>, px: f64, px_error: f64| {
        with_error(nm.unwrap_or(px), nm_error.unwrap_or(px_error))
    };
    html! {
        td { (cell.lattice_type) }
        td.number { (length(cell.a_nm, cell.a_nm_error, cell.a_px, cell.a_px_error)) }
        td.number { (length(cell.b_nm, cell.b_nm_error, cell.b_px, cell.b_px_error)) }
        td.number { (with_error(cell.gamma_deg, cell.gamma_deg_error)) "°" }
        td.number { (with_error(cell.orientation_deg, cell.orientation_deg_error)) "°" }
        td.number { @if let Some(columns) = cell.columns { (columns) } }
        td { (plane_groups(cell)) }
    }
}

/// The likeliest plane groups, with how likely each is where that is not settled.
fn plane_groups(cell: &CellNumbers) -> String {
    const MOST: usize = 3;
    if let Some(symbol) = cell.plane_group {
        return symbol.to_owned();
    }
    let percent =
        |group: &PlaneGroupNumbers| format!("{} ({:.0} %)", group.symbol, 100.0 * group.weight);
    let all: Vec<String> = cell.plane_groups.iter().take(MOST).map(percent).collect();
    all.join(" or ")
}
