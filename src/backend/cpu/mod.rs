//! The CPU backend: every core through rayon, SIMD by run-time dispatch.
//!
//! A task describes a tile of sites in buffers of its own, which stay in the cache, and
//! sums or projects them at once. Translations are never stored: to compute them again
//! costs less than to fetch them from memory. Tiles of other families are kept while
//! they fit the budget.

mod assign;
mod buffer_pool;
mod covariance_only;
mod families;
mod inner_sites;
mod kept_tiles;
mod maximum;
mod moments;
mod polar;
mod power_mean;
mod project;
mod rank_pooling;
mod session;
mod table_memory;
mod tile_kernel;
mod vector;

use ndarray::{Array2, ArrayView2};

use super::{Assign, Backend, Describe, DeviceInfo};
use crate::Result;
use crate::descriptor::translation::{Balance, Family, Norms};
use crate::descriptor::{declare_modules, families};
use crate::plan::Plan;
use crate::sites::{SiteGrid, Tile};

use buffer_pool::BufferPools;
pub use covariance_only::CovarianceOnly;

families!(declare_modules);

/// Bytes of the tables, except for norm maps, of the lowest band of `plan` there can be.
pub(crate) fn least_tables(plan: &Plan) -> u64 {
    families::bytes_of_tables(plan, plan.sites().tile().rows.min(plan.sites().grid().count.rows))
}

/// Bytes of the buffers of a task that works on a tile of `plan`, about, in addition to
/// its scores and pixels.
pub(crate) fn task(plan: &Plan) -> u64 {
    families::bytes_of_task(plan)
}

/// Multiply-adds of one band, about: a moment's work, so that progress shows and
/// Ctrl-C is heard.
const WORK_PER_BAND: u64 = 1 << 33;

/// This machine's processor.
#[derive(Debug)]
pub struct Cpu {
    device: DeviceInfo,
    buffers: BufferPools,
}

impl Cpu {
    /// The processor with rayon's global thread pool.
    pub fn new() -> Self {
        let device = DeviceInfo {
            kind: "cpu".into(),
            name: format!("{} CPU", std::env::consts::ARCH),
            backend: format!("rayon, {} threads", rayon::current_num_threads()),
        };
        Self { device, buffers: Default::default() }
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for Cpu {
    fn device(&self) -> &DeviceInfo {
        &self.device
    }

    fn band_rows(&self, plan: &Plan, budget: u64) -> Result<usize> {
        let by_memory = families::rows_within(plan, budget);
        // Multiply-adds of a score and of its products with the other channels.
        let channels = plan.channels() as u64;
        let work = plan.sites().grid().count.cols as u64 * channels * (64 + channels)
            + families::work_per_site_row(plan);
        Ok(by_memory.min(WORK_PER_BAND / work).max(1) as usize)
    }

    fn upload<'a>(
        &'a self,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> Result<Box<dyn Describe + 'a>> {
        Ok(Box::new(session::Session::new(image, plan, &self.buffers)))
    }

    fn assigner<'a>(&'a self, points: ArrayView2<'a, f32>) -> Result<Box<dyn Assign + 'a>> {
        Ok(Box::new(assign::Points::new(points)))
    }
}

/// Descriptors of one tile in f64 sums, `[D, sites of the tile]`: what a GPU
/// backend puts in place of its own where f32 is not enough.
pub(crate) fn repair(
    image: ArrayView2<'_, f32>,
    family: &Family,
    norms: &Norms,
    grid: &SiteGrid,
    tile: &(Tile, Balance),
) -> Array2<f32> {
    let mut scores = Array2::zeros((family.translations.len(), tile.0.count.area()));
    let kernel = translation::Kernel::new(image, family, grid, &Default::default());
    let values = scores.as_slice_mut().expect("a fresh array is contiguous");
    kernel.scores(tile, norms, values, tile.0.count.area());
    scores
}
