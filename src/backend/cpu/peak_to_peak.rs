//! Largest pixel minus smallest of patches; see `descriptor/peak_to_peak.rs`, twin of
//! `shaders/peak_to_peak.wgsl`.

use std::sync::Arc;

use ndarray::{ArrayView2, s};

use super::inner_sites::InnerMaps;
use super::tile_kernel::{CpuFamily, Describe, Kernel, Setup};
use crate::descriptor::peak_to_peak::Family;
use crate::sites::{Band, SiteGrid, Tile};

/// The kernel of one family of one image.
struct Patches<'a> {
    image: ArrayView2<'a, f32>,
    family: &'a Family,
    grid: &'a SiteGrid,
}

impl CpuFamily for Family {
    fn kernel<'a>(&'a self, setup: &mut Setup<'a>) -> Arc<dyn Kernel<'a> + 'a> {
        let grid = setup.plan.sites().grid();
        Arc::new(Patches { image: setup.image, family: self, grid })
    }
}

impl<'a> Kernel<'a> for Patches<'a> {
    fn band(self: Arc<Self>, _: &Band, _: &[Arc<InnerMaps>]) -> Box<dyn Describe + 'a> {
        Box::new(self)
    }
}

impl Describe for Patches<'_> {
    fn scores(&self, _index: usize, tile: &Tile, out: &mut [f32], _pitch: usize) {
        let (half, full) = (self.family.patch, self.family.patch.full());
        for (site, out) in out.iter_mut().take(tile.count.area()).enumerate() {
            let (i, j) = (site / tile.count.cols, site % tile.count.cols);
            let row = self.grid.row(tile.first.rows + i) - half.rows;
            let col = self.grid.col(tile.first.cols + j) - half.cols;
            let patch = self.image.slice(s![row..row + full.rows, col..col + full.cols]);
            let ends = |(low, high): (f32, f32), &v: &f32| (low.min(v), high.max(v));
            let (low, high) = patch.iter().fold((f32::INFINITY, f32::NEG_INFINITY), ends);
            *out = high - low;
        }
    }
}
