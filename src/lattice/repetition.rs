//! What is known of how an image repeats: found, given, or nothing.

use serde::{Deserialize, Serialize};

use super::Period;

/// How an image repeats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Repetition {
    /// Period of the crystals, px of the image: the one that was given, else the one that
    /// was found; nothing where there is neither.
    pub period_px: Option<f64>,
    /// Where that comes from.
    pub period_source: Source,
    /// The period that was found, px of the image, whatever was given.
    pub found_px: Option<f64>,
    /// Share of the windows all over the image that have a lattice, 0 to 1.
    pub share: f64,
}

/// Where a period comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// From the lattices in the image.
    Found,
    /// From whoever asked for the segmentation.
    Given,
    /// From nowhere: nothing repeats, and none was given.
    None,
}

impl Repetition {
    /// Of an image in which this was `found`, and for which that period was `given`, px.
    pub fn new(found: Option<Period>, given: Option<f64>) -> Self {
        let found_px = found.map(|period| period.length);
        let period_source = match (given, found_px) {
            (Some(_), _) => Source::Given,
            (None, Some(_)) => Source::Found,
            (None, None) => Source::None,
        };
        let share = found.map_or(0.0, |period| period.share.min(1.0));
        Self { period_px: given.or(found_px), period_source, found_px, share }
    }
}
