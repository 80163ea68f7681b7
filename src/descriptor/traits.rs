//! What the file of a family says of it: of its parameters, and of the family ready to
//! compute.

use ndarray::{Array2, ArrayView2};

use super::polar::PolarScores;
use super::rounding::{Rounding, Subject};
use super::translation::Translation;
use crate::Result;
use crate::sites::{Band, Extent, SiteGrid};

/// Parameters that several families have; `None` is what a family does not have.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Common<'a> {
    /// Half size of the patch, px.
    pub patch: Option<&'a mut Extent>,
    /// Half size of the window, px.
    pub window: Option<&'a mut Extent>,
    /// Radius of what is compared or measured around an inner site, px.
    pub radius: Option<&'a mut usize>,
    /// Distance of neighbouring inner sites, px.
    pub inner_stride: Option<&'a mut usize>,
    /// How many of the largest scores in a window are kept.
    pub pool_top: Option<&'a mut usize>,
    /// Number of axes, evenly spread over half a turn.
    pub axes: Option<&'a mut usize>,
}

/// Half size of patches and windows of a self-test, px.
pub(super) const SMALL_WINDOW: Extent = Extent { rows: 6, cols: 5 };

/// What the parameters of any family can do; `plan`, which makes the family of them, is a
/// function of their own.
pub(super) trait Choose: Clone {
    /// The parameters that the margin is made of.
    fn margin_of(&self) -> &'static str;

    /// See [`FamilyParams::smaller`](super::FamilyParams::smaller).
    fn advice(&self, shape: Extent, enough: &dyn Fn(Extent) -> bool) -> String;

    /// See [`FamilyParams::common`](super::FamilyParams::common).
    fn common(&mut self) -> Common<'_>;

    /// Parameters for an image of some 50 px, once for each kernel that the family may
    /// run: what a self-test computes.
    fn small(&self) -> Vec<Self> {
        let mut own = self.clone();
        let Common { patch, window, radius, inner_stride, pool_top, axes } = own.common();
        [patch, window].into_iter().flatten().for_each(|size| *size = SMALL_WINDOW);
        for (to, small) in [(radius, 6), (inner_stride, 4), (pool_top, 2), (axes, 3)] {
            to.into_iter().for_each(|to| *to = small);
        }
        vec![own]
    }

    /// Parameters that have to span a period of the crystal, with their half sizes in px.
    fn spans(&self) -> Vec<(&'static str, usize)> {
        Vec::new()
    }

    /// The family at its inner sites, not pooled, and their distance in px; nothing for a
    /// family whose scores have no centres or axes.
    fn unpooled(&self) -> Option<(Self, usize)> {
        None
    }
}

/// What any family tells of itself.
pub(super) trait Measure {
    /// See [`Family::margin`](super::Family::margin).
    fn margin(&self) -> Extent;

    /// See [`Family::reach`](super::Family::reach).
    fn reach(&self, _stride: usize) -> Extent {
        self.margin()
    }

    /// See [`Family::channel_names`](super::Family::channel_names).
    fn channel_names(&self) -> Vec<String>;

    /// See [`Family::channels`](super::Family::channels).
    fn channels(&self) -> usize;

    /// See [`Family::tile_size`](super::Family::tile_size).
    fn tile_size(&self, stride: usize) -> Extent;

    /// See [`Family::check`](super::Family::check).
    fn check(&self, _grid: &SiteGrid) -> Result<()> {
        Ok(())
    }

    /// See [`Family::by_definition`](super::Family::by_definition).
    fn by_definition(
        &self,
        image: ArrayView2<'_, f64>,
        grid: &SiteGrid,
        mask: Option<ArrayView2<'_, bool>>,
    ) -> Array2<f64>;

    /// See [`Family::rounding`](super::Family::rounding).
    fn rounding(&self, subject: Subject<'_>, band: &Band) -> Rounding<'_>;

    /// See [`Family::translations`](super::Family::translations).
    fn translations(&self) -> Vec<Option<Translation>> {
        vec![None; self.channels()]
    }

    /// See [`Family::operations`](super::Family::operations).
    fn operations(&self, _sites: &SiteGrid) -> Option<f64> {
        None
    }

    /// See [`Family::polar_scores`](super::Family::polar_scores).
    fn polar_scores(&self) -> Option<PolarScores<'_>> {
        None
    }

    /// See [`Family::orders`](super::Family::orders).
    fn orders(&self) -> &[usize] {
        &[]
    }

    /// See [`Family::symmetry`](super::Family::symmetry).
    fn symmetry(&self, _scores: &[f32], best: usize) -> f32 {
        best as f32
    }
}
