//! What a family gives the CPU: scores of inner sites, which families may share, and
//! descriptors of tiles.

use std::ops::Range;
use std::sync::Arc;

use ndarray::ArrayView2;

use super::buffer_pool::BufferPools;
use super::inner_sites::InnerMaps;
use super::table_memory::TableMemory;
use crate::plan::Plan;
use crate::sites::{Band, Tile};

/// Makes the scores of the inner sites that a band pools.
pub(super) trait Score: Sync {
    /// The scores.
    fn maps(&self, band: &Band) -> InnerMaps;
}

/// The kernel of one family of one image.
pub(super) trait Kernel<'a>: Send + Sync {
    /// What describes the tiles of `band`, of which `maps` has the scores of each source.
    fn band(self: Arc<Self>, band: &Band, maps: &[Arc<InnerMaps>]) -> Box<dyn Describe + 'a>;
}

/// Describes the tiles of one band for one family.
pub(super) trait Describe: Send + Sync {
    /// Bytes of tables that it has for itself.
    fn bytes(&self) -> u64 {
        0
    }

    /// Writes the scores of `tile`, number `index` of its band, into `out`, one channel
    /// each `pitch` values, the sites of a channel row by row.
    fn scores(&self, index: usize, tile: &Tile, out: &mut [f32], pitch: usize);
}

impl<T: Describe + ?Sized> Describe for Arc<T> {
    fn bytes(&self) -> u64 {
        (**self).bytes()
    }

    fn scores(&self, index: usize, tile: &Tile, out: &mut [f32], pitch: usize) {
        (**self).scores(index, tile, out, pitch);
    }
}

/// What a kernel is made from, and where it puts the sources of its scores.
pub(super) struct Setup<'a> {
    pub(super) image: ArrayView2<'a, f32>,
    pub(super) plan: &'a Plan,
    pub(super) pools: &'a BufferPools,
    /// Number of the family whose kernel is being made.
    pub(super) family: usize,
    pub(super) sources: Vec<Box<dyn Score + 'a>>,
    /// Families whose scores are in a source that they share: family, source, channels.
    pub(super) shared: Vec<(usize, usize, Range<usize>)>,
}

impl<'a> Setup<'a> {
    /// Adds a source, and says which it is.
    pub(super) fn source(&mut self, source: impl Score + 'a) -> usize {
        self.sources.push(Box::new(source));
        self.sources.len() - 1
    }
}

/// A family on the CPU. What it needs by default is nothing.
pub(super) trait CpuFamily {
    /// Its kernel for an image.
    fn kernel<'a>(&'a self, setup: &mut Setup<'a>) -> Arc<dyn Kernel<'a> + 'a>;

    /// What the tables of a band of `rows` site rows of `plan` need, except for norm maps.
    fn tables(&self, _plan: &Plan, _rows: usize) -> TableMemory {
        TableMemory::default()
    }

    /// Values of norm maps for a pixel, at most.
    fn norms(&self) -> usize {
        0
    }

    /// Bytes of the buffers of a task that works on a tile of `plan`, about, in addition to
    /// its scores and pixels.
    fn task_bytes(&self, _plan: &Plan) -> u64 {
        0
    }

    /// Multiply-adds of the tables for one row of sites of `plan`, or of what there is
    /// instead, about.
    fn work_per_site_row(&self, _plan: &Plan) -> usize {
        0
    }

    /// Whether descriptors cost more to compute again than to fetch from memory.
    fn worth_keeping(&self) -> bool {
        true
    }
}
