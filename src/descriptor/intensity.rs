//! Intensity family: mean and standard deviation of the patch, in units of the
//! image's standard deviation and about its mean. It tells vacuum, amorphous matter
//! and crystals apart, which correlations do not see.

use ndarray::{Array2, ArrayView2, s};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rounding::{self, EPS, Rounding, Subject};
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

impl Params {
    /// Makes the family.
    ///
    /// # Errors
    /// None.
    pub fn plan(&self, _shape: Extent) -> Result<Family> {
        Ok(Family { patch: self.patch })
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
        2
    }

    fn channel_names(&self) -> Vec<String> {
        vec!["intensity mean".into(), "intensity deviation".into()]
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
        let (mean, deviation) = (image.sum() / image.len() as f64, image.std(0.0));
        let full = self.patch.full();
        Array2::from_shape_fn((grid.len(), 2), |(site, channel)| {
            let row = grid.row(site / grid.count.cols) - self.patch.rows;
            let col = grid.col(site % grid.count.cols) - self.patch.cols;
            let patch = image.slice(s![row..row + full.rows, col..col + full.cols]);
            match channel {
                0 => (patch.sum() / patch.len() as f64 - mean) / deviation,
                _ => patch.std(0.0) / deviation,
            }
        })
    }

    /// Sums over the columns, then over the rows of columns, of pixels about one of
    /// them: each is at most the band's range R. The deviation is a root of squares
    /// about such a mean, which takes over the mean's error, and as long sums.
    fn rounding(&self, subject: Subject<'_>, band: &Band) -> Rounding<'_> {
        let Subject { image, sites, .. } = subject;
        let Extent { rows, cols } = self.patch.full();
        let (sums, range) =
            (rounding::sum(rows) + rounding::sum(cols), rounding::range(image, sites, band));
        let mean = (sums + 2.0 * EPS) * range;
        let reason = format!(
            "2 eps (sqrt({rows} rows) + sqrt({cols} columns) + 2) x range {range:.1}, and 2 eps              (2 mean, or (sqrt({rows}) + sqrt({cols}) + 4) deviation)"
        );
        Rounding::new(reason, move |_, values, out| {
            let [value, deviation] = [0, 1].map(|channel| f64::from(values[channel]).abs());
            out[0] = 2.0 * (mean + 2.0 * EPS * value);
            out[1] = 2.0 * (mean + (sums + 4.0 * EPS) * deviation);
        })
    }
}
