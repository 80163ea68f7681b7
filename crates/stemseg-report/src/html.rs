//! `report.html`: what came of one image, on one page that needs no other file.
//!
//! [`Micrograph`] and [`Pictures`] take the time (encoding); [`page`] and [`index()`]
//! only put them together with the numbers of a [`Summary`]. One file per section.

mod boundaries;
mod channels;
mod choice;
mod contact_sheet;
mod document;
mod dynamics;
mod features;
mod figures;
mod film;
mod index;
mod labels;
mod lattices;
mod methods;
mod parts;
mod picture;
mod pictures;
mod plot;
mod run;
mod strain;

use std::path::Path;

use maud::html;

use super::summary::Summary;
use crate::visible;
use stemseg::pipeline::{Patterns, Segmentation};

pub use contact_sheet::{Card, ContactSheet, HEAD, contact_sheet, is_contact_sheet};
pub use dynamics::{DynamicsContent, dynamics_page};
pub use figures::{FIGURES, Figure, figures};
pub use film::{Curve, FilmPage, Picture, Plot, film};
pub use index::{Entry, index};
pub use pictures::{Micrograph, Pictures};

/// What a page tells of.
#[derive(Clone, Copy)]
pub struct Content<'a> {
    /// The numbers.
    pub summary: &'a Summary,
    /// What was found, and which of its results this is.
    pub found: &'a Segmentation,
    /// The result.
    pub patterns: &'a Patterns,
    /// The micrograph.
    pub micrograph: &'a Micrograph,
    /// The result's pictures.
    pub pictures: &'a Pictures,
    /// The words of the command line that made it; none where it was no command.
    pub command: &'a [String],
}

impl Content<'_> {
    /// Name of the image's file.
    fn name(&self) -> String {
        file_name(self.summary)
    }
}

/// The page, as HTML.
pub fn page(content: Content<'_>) -> String {
    let clusters = content.summary.kmeans.clusters;
    let heading = document::Heading {
        name: &content.name(),
        what: &format!("{clusters} {}", if clusters == 1 { "pattern" } else { "patterns" }),
    };
    let body = html! {
        (run::facts(content))
        (run::warnings(content.summary))
        (run::notes(content.summary))
        (picture::section(content))
        (labels::section(content))
        @if let Some(choice) = choice::section(content) { (choice) }
        (lattices::section(content.summary))
        (strain::section(content))
        (boundaries::section(content.summary))
        (features::section(content))
        (channels::section(content))
        (methods::section(content))
        (run::section(content))
    };
    document::document(&heading, &body).into_string()
}

/// Name of the image's file, as it may be shown.
fn file_name(summary: &Summary) -> String {
    let path = &summary.input.path;
    visible::path(Path::new(path.file_name().unwrap_or(path.as_os_str())))
}

#[cfg(test)]
#[path = "html/choice_tests.rs"]
mod choice_tests;
#[cfg(test)]
#[path = "html/contact_sheet_tests.rs"]
mod contact_sheet_tests;
#[cfg(test)]
#[path = "html/figures_tests.rs"]
mod figures_tests;
#[cfg(test)]
#[path = "html/tests.rs"]
mod tests;
