//! The kernels of all families of a plan, and what they need together.

use std::sync::Arc;

use ndarray::ArrayView2;

use super::buffer_pool::BufferPools;
use super::tile_kernel::{CpuFamily, Describe, Kernel, Score, Setup};
use crate::descriptor::{Family, each, families};
use crate::plan::Plan;
use crate::sites::Band;

/// What `family` is on the CPU.
pub(super) fn on_cpu(family: &Family) -> &dyn CpuFamily {
    families!(each family, Family, own => own)
}

/// The kernels of the families of a plan in their order, and the sources of their scores.
pub(super) struct Families<'a> {
    sources: Vec<Box<dyn Score + 'a>>,
    kernels: Vec<Arc<dyn Kernel<'a> + 'a>>,
}

impl<'a> Families<'a> {
    /// Of `plan`, for `image`.
    pub(super) fn new(image: ArrayView2<'a, f32>, plan: &'a Plan, pools: &'a BufferPools) -> Self {
        let (sources, shared) = Default::default();
        let mut setup = Setup { image, plan, pools, family: 0, sources, shared };
        let mut kernel = |(i, family): (usize, &'a Family)| {
            setup.family = i;
            on_cpu(family).kernel(&mut setup)
        };
        let kernels = plan.families().iter().enumerate().map(&mut kernel).collect();
        Self { sources: setup.sources, kernels }
    }

    /// What describes the tiles of `band`, family by family, and the bytes of its tables.
    pub(super) fn band(&self, band: &Band) -> (Vec<Box<dyn Describe + 'a>>, u64) {
        let maps: Vec<_> = self.sources.iter().map(|source| Arc::new(source.maps(band))).collect();
        let of_maps: u64 = maps.iter().map(|maps| maps.bytes()).sum();
        let all: Vec<_> =
            self.kernels.iter().map(|kernel| Arc::clone(kernel).band(band, &maps)).collect();
        let bytes = of_maps + all.iter().map(|own| own.bytes()).sum::<u64>();
        (all, bytes)
    }
}

/// Most bytes of the tables of a band of `rows` site rows that are not norm maps,
/// with the pixels that are copied for one of them while it is made.
pub(super) fn bytes_of_tables(plan: &Plan, rows: usize) -> u64 {
    let all = || plan.families().iter().map(|family| on_cpu(family).tables(plan, rows));
    let stay: usize = all().map(|memory| memory.stay).sum();
    let meanwhile = all().map(|memory| memory.meanwhile).max().unwrap_or(0);
    (size_of::<f32>() * (stay + meanwhile)) as u64
}

/// Bytes of the buffers of a task, about, in addition to its scores and the pixels of its
/// tile.
pub(super) fn bytes_of_task(plan: &Plan) -> u64 {
    plan.families().iter().map(|family| on_cpu(family).task_bytes(plan)).sum()
}

/// Most site rows whose tables are within `budget` bytes, about.
pub(super) fn rows_within(plan: &Plan, budget: u64) -> u64 {
    let per_pixel: usize = plan.families().iter().map(|family| on_cpu(family).norms()).sum();
    let row = plan.sites().grid().stride * plan.sites().shape().cols;
    let norms = row * size_of::<f32>() * per_pixel;
    let fits = |rows: usize| (rows * norms) as u64 + bytes_of_tables(plan, rows) <= budget;
    let (mut fitting, mut beyond) = (0, plan.sites().grid().count.rows + 1);
    while beyond - fitting > 1 {
        let middle = fitting.midpoint(beyond);
        if fits(middle) { fitting = middle } else { beyond = middle }
    }
    fitting as u64
}

/// Multiply-adds of the tables for one row of sites, and of spectra, about.
pub(super) fn work_per_site_row(plan: &Plan) -> u64 {
    let work = |family| on_cpu(family).work_per_site_row(plan) as u64;
    plan.families().iter().map(work).sum()
}

/// Whether descriptors of `plan` cost more to compute again than to fetch from memory.
pub(super) fn worth_keeping(plan: &Plan) -> bool {
    plan.families().iter().any(|family| on_cpu(family).worth_keeping())
}
