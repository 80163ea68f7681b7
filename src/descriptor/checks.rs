//! What families may have, and what they say where a parameter cannot be.

use crate::sites::Extent;
use crate::{Error, Result};

/// A patch whose variance is below this share of the image's is flat: it
/// correlates with nothing (score 0) but itself.
pub const FLAT_SHARE: f64 = 0.004;

/// Most channels of a family: the covariance has their square of elements (128 MiB).
pub(crate) const MOST_CHANNELS: usize = 4096;

/// Most scores of one tile: what a task keeps in memory, 48 MiB.
pub(crate) const TILE_SCORES: usize = 12 << 20;

/// Checks that a parameter is at least `least`.
pub(super) fn at_least(name: &'static str, value: usize, least: usize) -> Result<()> {
    match value >= least {
        true => Ok(()),
        false => Err(Error::parameter(name, value, format!("give at least {least}"))),
    }
}

/// A half size that would fit an image of `shape` px and leaves enough sites.
pub(super) fn smaller_half(
    name: &str,
    half: Extent,
    shape: Extent,
    enough: &dyn Fn(Extent) -> bool,
) -> String {
    let room = |size: usize, less: usize| (size.saturating_sub(1) / 2).saturating_sub(less);
    let fit = |less: usize| Extent {
        rows: half.rows.min(room(shape.rows, less)),
        cols: half.cols.min(room(shape.cols, less)),
    };
    let least = room(shape.rows.min(shape.cols), 0);
    match (0..least).map(fit).find(|&half| enough(half)) {
        Some(half) => format!("this would fit: `{name} = {}`", half.short()),
        None => format!("no {name} leaves enough sites in it"),
    }
}
