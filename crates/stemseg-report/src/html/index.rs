//! The page above the pages of several numbers of clusters.

use maud::{Markup, html};

use super::{Micrograph, Pictures, boundaries, document, file_name, parts};
use crate::number::significant;
use crate::summary::Summary;

/// One result that the index leads to.
pub struct Entry<'a> {
    /// Its numbers.
    pub summary: &'a Summary,
    /// Its pictures.
    pub pictures: &'a Pictures,
    /// Its page, as the index links to it.
    pub page: String,
}

/// The page that leads to those of `entries`, as HTML.
///
/// # Panics
/// If there is no entry.
pub fn index(micrograph: &Micrograph, entries: &[Entry<'_>]) -> String {
    let name = file_name(entries.first().expect("an index leads somewhere").summary);
    let numbers: Vec<String> =
        entries.iter().map(|entry| entry.summary.kmeans.clusters.to_string()).collect();
    let heading =
        document::Heading { name: &name, what: &format!("{} patterns", numbers.join(", ")) };
    let body = html! {
        // The micrograph once, under the labels of each.
        style { (maud::PreEscaped(format!(".card .stage{{background-image:url({})}}", micrograph.grey))) }
        section id="results" aria-label="Results" {
            div.cards { @for entry in entries { (card(entry, micrograph.shape)) } }
            p.note {
                "The same features, clustered into different numbers of patterns. Inertia falls with every further "
                "pattern. A number after which it hardly falls, and at which confidence is high, is worth a look."
            }
        }
    };
    document::document(&heading, &body).into_string()
}

fn card(entry: &Entry<'_>, (rows, cols): (usize, usize)) -> Markup {
    let summary = entry.summary;
    let clusters = summary.kmeans.clusters;
    let shares = summary.labels.iter().map(|label| (label.area.label, label.area.fraction));
    let (px, nm) = boundaries::total(summary);
    let length = nm.map_or_else(
        || format!("{} px", significant(px, 3)),
        |nm| format!("{} nm", significant(nm, 3)),
    );
    let facts = [
        ("inertia", significant(summary.kmeans.inertia, 4)),
        ("confidence", significant(summary.confidence.mean, 3)),
        ("boundaries", length),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    html! {
        a.card href=(entry.page) {
            div.stage style=(format!("--ratio:{cols}/{rows}")) {
                img.tint src=(entry.pictures.tint) alt=(format!("labels of {clusters} patterns"));
                img.lines src=(entry.pictures.lines) alt="";
            }
            h2 { "k = " (clusters) }
            (parts::areas(shares))
            (parts::list(&facts))
        }
    }
}
