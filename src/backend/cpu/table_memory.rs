//! What the tables of a band need of the memory.

use super::inner_sites as inner_maps;
use super::vector::LANES;
use crate::descriptor::inner_sites::InnerSites;
use crate::descriptor::polar::Polar;
use crate::plan::Plan;

/// Values of f32 for the tables of a band.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TableMemory {
    /// Those that stay.
    pub(super) stay: usize,
    /// Pixels that are copied while it is made.
    pub(super) meanwhile: usize,
}

impl TableMemory {
    /// Of `channels` scores at the inner sites that `rows` site rows of `plan` pool.
    pub(super) fn maps(plan: &Plan, rows: usize, inner: &InnerSites, channels: usize) -> Self {
        let stride = plan.sites().grid().stride;
        let scores = inner.most_rows(rows, stride) * channels * inner_maps::pitch(inner);
        let copied = pixels(plan, extent(rows, stride, inner.margin().rows), inner.grid.stride);
        Self { stay: scores, meanwhile: copied }
    }

    /// Of the pixels that `rows` site rows of `plan` see, by the stride of the sites.
    pub(super) fn pixels(plan: &Plan, rows: usize) -> Self {
        let stride = plan.sites().grid().stride;
        let seen = extent(rows, stride, plan.sites().reach().rows);
        Self { stay: pixels(plan, seen, stride), meanwhile: 0 }
    }
}

/// Pixel rows of `rows` site rows, and of how far windows and surroundings reach.
fn extent(rows: usize, stride: usize, margin: usize) -> usize {
    rows.saturating_sub(1) * stride + 2 * margin + 1
}

/// Values of a copy of `rows` rows of pixels by stride phase.
fn pixels(plan: &Plan, rows: usize, stride: usize) -> usize {
    let shape = plan.sites().shape();
    rows.min(shape.rows) * (shape.cols.div_ceil(stride) + 2 * LANES) * stride
}

/// Inner sites that a row of sites of `plan` adds.
pub(super) fn inner_sites(plan: &Plan, inner: &InnerSites) -> usize {
    plan.sites().grid().stride.div_ceil(inner.grid.stride) * inner.grid.count.cols
}

/// Multiply-adds to sample the squares of a row of sites and to compare the samples: a
/// sample has 20, and about 10 products.
pub(super) fn squares(plan: &Plan, inner: &InnerSites, polar: &Polar) -> usize {
    inner_sites(plan, inner) * polar.len() * 30
}
