//! Intensity family: mean and standard deviation of the patch, in units of the
//! image's standard deviation and about its mean. It tells vacuum, amorphous matter
//! and crystals apart, which correlations do not see.

use ndarray::{Array2, ArrayView2, s};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Choose, Measure};
use crate::Result;
use crate::sites::{Extent, SiteGrid};

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
    fn family(&self, _shape: Extent) -> Result<super::Family> {
        Ok(super::Family::Intensity(Family { patch: self.patch }))
    }

    fn margin_of(&self) -> &'static str {
        "patch"
    }

    fn advice(&self, shape: Extent, enough: &dyn Fn(Extent) -> bool) -> String {
        super::smaller_half("patch", self.patch, shape, enough)
    }
}

/// The family ready to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Half size of the patch, px.
    pub patch: Extent,
}

impl Measure for Family {
    fn name(&self) -> &'static str {
        "intensity"
    }

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
        super::inner::TILE
    }

    fn by_definition(&self, image: ArrayView2<'_, f64>, grid: &SiteGrid) -> Array2<f64> {
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
}
