//! Peak-to-peak family: the largest pixel of the patch minus the smallest, in units of the image's
//! standard deviation.
//!
//! It is there to show, and to prove in every test, what a family consists of (the recipe in
//! CONTRIBUTING.md); the feature `toy-family` builds it, which only tests have.

use ndarray::{Array2, ArrayView2, s};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rounding::{EPS, Rounding, Subject};
use super::traits::{Choose, Common, Measure};
use crate::Result;
use crate::sites::{Band, Extent, SiteGrid};

/// What a user chooses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Params {
    /// Half size of the patch, px.
    pub patch: Extent,
}

impl Default for Params {
    fn default() -> Self {
        Self { patch: Extent::square(20) }
    }
}

impl Params {
    /// Makes the family.
    ///
    /// # Errors
    /// None.
    pub fn plan(&self, _shape: Extent) -> Result<Family> {
        Ok(Family { patch: self.patch })
    }
}

impl Choose for Params {
    fn margin_of(&self) -> &'static str {
        "patch"
    }

    fn advice(&self, shape: Extent, enough: &dyn Fn(Extent) -> bool) -> String {
        super::checks::smaller_half("patch", self.patch, shape, enough)
    }

    fn common(&mut self) -> Common<'_> {
        Common { patch: Some(&mut self.patch), ..Default::default() }
    }
}

/// The family ready to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Half size of the patch, px.
    pub patch: Extent,
}

impl Measure for Family {
    fn margin(&self) -> Extent {
        self.patch
    }

    fn channels(&self) -> usize {
        1
    }

    fn channel_names(&self) -> Vec<String> {
        vec!["peak to peak".into()]
    }

    fn tile_size(&self, _stride: usize) -> Extent {
        super::inner_sites::TILE
    }

    fn by_definition(
        &self,
        image: ArrayView2<'_, f64>,
        grid: &SiteGrid,
        _mask: Option<ArrayView2<'_, bool>>,
    ) -> Array2<f64> {
        let (deviation, full) = (image.std(0.0), self.patch.full());
        Array2::from_shape_fn((grid.len(), 1), |(site, _)| {
            let row = grid.row(site / grid.count.cols) - self.patch.rows;
            let col = grid.col(site % grid.count.cols) - self.patch.cols;
            let patch = image.slice(s![row..row + full.rows, col..col + full.cols]);
            let largest = patch.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let smallest = patch.iter().copied().fold(f64::INFINITY, f64::min);
            (largest - smallest) / deviation
        })
    }

    /// The difference of two pixels rounds once; either pixel was rounded before, by at most
    /// as much as the largest of the image.
    fn rounding(&self, subject: Subject<'_>, _band: &Band) -> Rounding<'_> {
        let largest = subject.image.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        let pixels = 2.0 * EPS * f64::from(largest);
        let reason = format!("2 eps x largest pixel {largest:.1}, and eps x range");
        Rounding::new(reason, move |_, values, out| {
            out[0] = 2.0 * (pixels + EPS * f64::from(values[0]));
        })
    }
}
