//! How strained the regions are inside.

use maud::{Markup, html};

use super::Content;
use super::parts::{chip, section as section_of};
use crate::number::significant;
use crate::summary::LabelStrain;

/// Rows of the table, at most.
const MOST_ROWS: usize = 100;

/// The section; nothing where strain was not asked for.
pub(super) fn section(content: Content<'_>) -> Markup {
    let Some(strain) = &content.summary.strain else { return html! {} };
    let reference = match strain.reference_region {
        None => "the mean lattice of each region".to_owned(),
        Some(region) => format!(
            "the mean lattice of region {region} for regions of its pattern with nearly the same lattice, and their \
             own for others"
        ),
    };
    if strain.labels.is_empty() {
        return section_of("strain", "Strain", &html! { p { "No region has a lattice." } });
    }
    let body = html! {
        div.maps { @for map in &content.pictures.strain { (map.figure()) } }
        div.scroll {
            table.narrow {
                thead {
                    tr {
                        th scope="col" { "Label" }
                        @for name in ["exx", "eyy", "exy"] { th.number scope="col" { (name) " / %" } }
                        th.number scope="col" { "Rotation" }
                        th.number scope="col" { "Error / %" }
                    }
                }
                tbody { @for label in strain.labels.iter().take(MOST_ROWS) { (row(label)) } }
            }
        }
        p.note {
            "Mean ± standard deviation over each pattern, and the standard error of one place by the noise of the pixels. "
            "x goes to the right, y upwards; rotations go counter-clockwise. Relative to " (reference) ". No pixel "
            "counts in another region than its own. How far the scan itself is distorted is in it. strain.tif has all values."
        }
    };
    section_of("strain", "Strain", &body)
}

fn row(label: &LabelStrain) -> Markup {
    let both = |k: usize, times: f64| {
        let [mean, deviation] = [label.mean[k], label.deviation[k]].map(|v| v * times);
        // To the digit that the deviation has.
        let digits = (1.0 - deviation.max(1e-6).log10().floor()).clamp(0.0, 6.0) as usize;
        format!("{mean:.digits$} ± {deviation:.digits$}").replace('-', "−")
    };
    html! {
        tr {
            th scope="row" { (chip(label.label)) }
            @for k in 0..3 { td.number { (both(k, 100.0)) } }
            td.number { (both(3, 1.0)) "°" }
            td.number { (significant(100.0 * label.error, 2)) }
        }
    }
}
