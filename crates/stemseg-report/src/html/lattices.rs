//! The unit cell of each pattern.

use maud::{Markup, html};
use stemseg_crystals::CellNumbers;

use super::parts::{chip, section as section_of};
use crate::number::with_error;
use crate::summary::{LabelLattice, Summary};

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
            "counter-clockwise from the right, to the vector a. lattices.csv has the cell of each region."
        }
    };
    section_of("lattices", "Lattices", &body)
}

fn row(lattice: &LabelLattice) -> Markup {
    html! {
        tr {
            th scope="row" { (chip(lattice.label)) }
            @match (&lattice.numbers.cell, &lattice.numbers.reason) {
                (Some(cell), _) => { (numbers(cell)) }
                (None, reason) => { td colspan="6" { (reason.as_deref().unwrap_or_default()) } }
            }
        }
    }
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
    }
}
