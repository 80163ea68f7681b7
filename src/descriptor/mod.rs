//! Descriptor families: what is measured at a site.
//!
//! One file per family holds its parameters, channels, margin, host tables,
//! formula and f64 definition; its kernels are `backend/cpu/NAME.rs` and
//! `shaders/NAME.wgsl` with the launcher `backend/gpu/NAME.rs`. `list.rs` has a line for
//! each, from which all else follows; CONTRIBUTING.md has the recipe for another. What
//! several families share has files of its own: [`inner_sites`] and their pooling,
//! [`polar`] sampling, cubic [`spline`]s, `rounding`.

mod family;
pub mod inner_sites;
mod list;
pub mod polar;
pub(crate) mod rounding;
pub mod spline;
mod traits;

use ndarray::ArrayView2;

use crate::sites::{Extent, Sites};
use crate::{Error, Result};
pub use family::{Family, FamilyParams};
pub(crate) use list::{declare_modules, each, families};
pub use traits::Common;
pub use translation::Translation;

families!(declare_modules pub);

/// A patch whose variance is below this share of the image's is flat: it
/// correlates with nothing (score 0) but itself.
pub const FLAT_SHARE: f64 = 0.004;

/// Most channels of a family: the covariance has their square of elements (128 MiB).
pub(crate) const MOST_CHANNELS: usize = 4096;

/// Most scores of one tile: what a task keeps in memory, 48 MiB.
pub(crate) const TILE_SCORES: usize = 12 << 20;

/// What sites describe.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The image, `[rows, cols]`, at mean 0 and variance 1.
    pub(crate) image: ArrayView2<'a, f32>,
    /// Its sites.
    pub(crate) sites: &'a Sites,
    /// Its standard deviation in the file's units.
    pub(crate) deviation: f64,
}

/// Checks that a parameter is at least `least`.
fn at_least(name: &'static str, value: usize, least: usize) -> Result<()> {
    match value >= least {
        true => Ok(()),
        false => Err(Error::parameter(name, value, format!("give at least {least}"))),
    }
}

/// A half size that would fit an image of `shape` px and leaves enough sites.
fn smaller_half(
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
        Some(half) => format!("this would fit: --{name} {}", half.short()),
        None => format!("no {name} leaves enough sites in it"),
    }
}
