//! The page over all images of a run: a card for each line of its table, written one at a time,
//! so that memory does not grow with the number of images.

use std::io::{self, Write};

use maud::{Markup, html};

use super::document;
use super::parts::{self, chip, foreign};
use crate::number::{percent, significant};
use crate::thumbnail::Thumbnail;

/// Says of a page that it is one over the images of a run, which the next run may replace.
const MARK: &str = "stemseg, images of a run";

/// Bytes from the beginning of a page within which its mark is.
pub const HEAD: usize = 1024;

/// Labels with their share on a card; more are in the bar alone.
const MOST_CHIPS: usize = 6;

/// What the page is about.
pub struct ContactSheet<'a> {
    /// Name of the folder that the results are in.
    pub name: &'a str,
    /// Cards that there will be.
    pub cards: usize,
    /// What became of the images, and how many of them.
    pub counts: &'a [(&'a str, usize)],
    /// The table, as the page links to it.
    pub table: &'a str,
}

/// An image with its result for one number of patterns, or without any.
pub struct Card {
    /// Name of the image's file.
    pub name: String,
    /// The folder that it lies in; empty for none.
    pub folder: String,
    /// What became of it: `done`, `kept`, `failed` or `not done`.
    pub status: String,
    /// What went wrong, or why there is no newer result; empty for nothing.
    pub message: String,
    /// Number of patterns, and where it comes from, as `3 (chosen)`; empty without a result.
    pub patterns: String,
    /// Shares of labels 1, 2 and on, 0 to 1.
    pub areas: Vec<f64>,
    /// Mean confidence, 0 to 1.
    pub confidence: Option<f64>,
    /// Rows and columns, px.
    pub shape: Option<(usize, usize)>,
    /// Codes and texts of the warnings.
    pub warnings: Vec<[String; 2]>,
    /// The overlay.
    pub picture: Option<Thumbnail>,
    /// The report, as the page links to it.
    pub page: Option<String>,
}

/// Whether a file that begins like this is a page over the images of a run.
pub fn is_contact_sheet(head: &[u8]) -> bool {
    let mark = meta().into_string();
    let head = &head[..head.len().min(HEAD)];
    head.windows(mark.len()).any(|part| part == mark.as_bytes())
}

fn meta() -> Markup {
    html! { meta name="generator" content=(MARK); }
}

/// Writes the page, with the cards in their order.
///
/// # Errors
/// Those of `to` and of `cards`.
pub fn contact_sheet(
    to: &mut dyn Write,
    about: &ContactSheet<'_>,
    cards: impl Iterator<Item = Card>,
) -> io::Result<()> {
    let what = match about.cards {
        1 => "1 result".to_owned(),
        count => format!("{count} results"),
    };
    let heading = document::Heading { name: about.name, what: &what };
    let [before, after] = document::halves(&heading, &meta());
    to.write_all(before.as_bytes())?;
    to.write_all(top(about).into_string().as_bytes())?;
    to.write_all(b"<div class=\"cards images\">")?;
    for one in cards {
        to.write_all(card(&one).into_string().as_bytes())?;
    }
    to.write_all(b"</div>")?;
    to.write_all(after.as_bytes())
}

/// What there is, and the choice of what is shown; styles alone act on it.
fn top(about: &ContactSheet<'_>) -> Markup {
    html! {
        dl.facts {
            @for (name, count) in about.counts.iter().filter(|(_, count)| *count > 0) {
                div { dt { (name) } dd { (count) } }
            }
        }
        div.above {
            fieldset.choice {
                legend.hidden { "Which images are shown" }
                @for (id, name) in [("all", "All"), ("noted", "Failed or with warnings")] {
                    label {
                        input type="radio" name="shown" id=(format!("shown-{id}")) checked[id == "all"];
                        span { (name) }
                    }
                }
            }
            a href=(about.table) { "all numbers as a table" }
        }
    }
}

fn card(card: &Card) -> Markup {
    let failed = ["failed", "not done"].contains(&card.status.as_str());
    let noted = failed || !card.warnings.is_empty();
    let mut facts = Vec::new();
    if !card.patterns.is_empty() {
        facts.push(("patterns", card.patterns.clone()));
    }
    facts.extend(card.confidence.map(|value| ("confidence", significant(value, 3))));
    facts.extend(card.shape.map(|(rows, cols)| ("image", format!("{rows} × {cols} px"))));
    let facts: Vec<_> = facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    html! {
        article.card.noted[noted] {
            (picture(card))
            h2 { (foreign(&card.name)) }
            @if !card.folder.is_empty() { p.where { (foreign(&card.folder)) } }
            @if card.status != "done" {
                p.state.failed[failed] { (card.status) }
            }
            @if !card.message.is_empty() { p.message { (foreign(&card.message)) } }
            @if !card.areas.is_empty() {
                (parts::areas(labels(card)))
                p.shares {
                    @for (label, share) in labels(card).take(MOST_CHIPS) {
                        span { (chip(label)) " " (percent(share)) }
                    }
                    @if card.areas.len() > MOST_CHIPS {
                        span { "and " (card.areas.len() - MOST_CHIPS) " more" }
                    }
                }
            }
            @if !facts.is_empty() { (parts::list(&facts)) }
            @if !card.warnings.is_empty() { (warnings(&card.warnings)) }
        }
    }
}

/// The shares by label.
fn labels(card: &Card) -> impl Iterator<Item = (u16, f64)> {
    (1..).zip(card.areas.iter().copied())
}

/// The overlay, which leads to the report where there is one.
fn picture(card: &Card) -> Markup {
    let image = html! {
        @match &card.picture {
            Some(Thumbnail { shape: (rows, cols), uri }) => {
                img src=(uri) width=(cols) height=(rows) alt=(format!("labels of {}", card.name));
            },
            None => { span { "no picture" } },
        }
    };
    html! {
        @match &card.page {
            Some(page) => { a.small href=(page) title="the report of this image" { (image) } },
            None => { div.small { (image) } },
        }
    }
}

/// Codes at once, sentences when they are asked for.
fn warnings(warnings: &[[String; 2]]) -> Markup {
    let codes: Vec<&str> = warnings.iter().map(|[code, _]| &**code).collect();
    html! {
        details.warned {
            summary { "Warning: " (codes.join(", ")) }
            @for [_, text] in warnings.iter().filter(|[_, text]| !text.is_empty()) {
                p { (foreign(text)) }
            }
        }
    }
}
