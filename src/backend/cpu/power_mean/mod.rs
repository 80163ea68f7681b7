//! Pooling by a power mean: weighted sums of the eighth powers of projections along the
//! rows of a site's window, then down; see `descriptor/harmonic/power_mean.rs`.
//!
//! A task goes down the inner rows of its tile. Those of a row are computed and raised to
//! their power once, summed along the windows of all sites of the tile, and forgotten; the
//! sums are kept for as many rows as a window has. So nothing goes through memory but pixels
//! and scores. Where inner sites divide the distance of sites, all windows along a row are
//! alike, and those of sixteen neighbouring sites are summed side by side: every inner site
//! whole distances further stands next to it.

mod sums;
mod windows;

use std::sync::Arc;

use ndarray::ArrayView2;

use super::buffer_pool::BufferPool;
use super::harmonic::{self, Coefficients};
use super::inner_sites::{InnerMaps, Phased};
use super::tile_kernel::{Describe, Kernel, Setup};
use super::vector::LANES;
use crate::descriptor::harmonic::Family;
use crate::descriptor::harmonic::power_mean::{SCALE, weights};
use crate::plan::Plan;
use crate::sites::{Band, SiteGrid, Tile};
use sums::{AT_ONCE, Shape, along, down};
use windows::{Layout, Windows, take_pixels};

/// The kernel of a family that keeps power means.
pub(super) struct PowerMeans<'a> {
    family: &'a Family,
    plan: &'a Plan,
    image: ArrayView2<'a, f32>,
    coefficients: Coefficients,
    /// What channels are made of, in their order.
    projections: Vec<Projection>,
    /// Weights by distance, px.
    weights: Vec<f64>,
    buffers: Arc<BufferPool<Scratch>>,
}

/// One phase of a harmonic: `cos re - sin im`.
#[derive(Debug, Clone, Copy)]
struct Projection {
    re: usize,
    im: Option<usize>,
    cos: f32,
    sin: f32,
    /// The channel of its positive values, and that of its negative ones, if there is one.
    channels: (usize, Option<usize>),
}

impl<'a> PowerMeans<'a> {
    /// With weights of `width` px.
    pub(super) fn new(setup: &Setup<'a>, family: &'a Family, width: f64) -> Self {
        Self {
            family,
            plan: setup.plan,
            image: setup.image,
            coefficients: Coefficients::new(family),
            projections: projections(family),
            weights: weights(&family.inner, width),
            buffers: setup.pools.of(),
        }
    }
}

/// All phases of all harmonics: opposite ones have the two signs of the same projection.
fn projections(family: &Family) -> Vec<Projection> {
    let orders = family.orders.iter();
    let orders = orders.flat_map(|&order| std::iter::repeat_n(order, family.rings));
    let mut all = Vec::new();
    let mut first = 0;
    for (order, (re, im)) in orders.zip(family.parts()) {
        let phases = family.phases(order);
        let half = phases.len() / 2;
        let opposite = phases.len().is_multiple_of(2);
        let own = if opposite { &phases[..half] } else { &phases[..] };
        for (i, &[cos, sin]) in own.iter().enumerate() {
            let (cos, sin) = (SCALE * cos as f32, SCALE * sin as f32);
            let channels = (first + i, opposite.then_some(first + half + i));
            all.push(Projection { re, im, cos, sin, channels });
        }
        first += phases.len();
    }
    all
}

impl<'a> Kernel<'a> for PowerMeans<'a> {
    fn band(self: Arc<Self>, _: &Band, _: &[Arc<InnerMaps>]) -> Box<dyn Describe + 'a> {
        Box::new(self)
    }
}

impl Describe for PowerMeans<'_> {
    fn scores(&self, _index: usize, tile: &Tile, out: &mut [f32], pitch: usize) {
        self.buffers.with(|scratch| pool(self, tile, scratch, out, pitch));
    }
}

/// Buffers of one task.
#[derive(Debug, Default)]
struct Scratch {
    pixels: Phased,
    harmonic: harmonic::Scratch,
    /// Of a row of inner sites, `[part][pitch]`.
    parts: Vec<f32>,
    /// Eighth powers of a projection's positive and negative values, `[2][pitch]`.
    powers: Vec<f32>,
    /// 1 for the inner sites of a row that count, else 0, `[pitch]`.
    counts: Vec<f32>,
    /// Sums along windows, `[row of the ring][channel, and the counts][site col]`.
    sums: Vec<f32>,
}

/// Writes the power means of the sites of `tile`, one channel each `pitch` values.
fn pool(
    kernel: &PowerMeans<'_>,
    tile: &Tile,
    scratch: &mut Scratch,
    out: &mut [f32],
    pitch: usize,
) {
    let (inner, grid) = (&kernel.family.inner, kernel.plan.sites().grid());
    let site_rows = (0..tile.count.rows).map(|i| grid.row(tile.first.rows + i));
    let site_cols = (0..tile.count.cols).map(|j| grid.col(tile.first.cols + j));
    let weights = &kernel.weights;
    let rows = Windows::new(site_rows, |at| inner.rows(at), |i| inner.grid.row(i), weights);
    let cols = Windows::new(site_cols, |at| inner.cols(at), |j| inner.grid.col(j), weights);
    let layout = Layout::new(kernel, &cols, grid.col(tile.first.cols));
    let places = take_pixels(kernel, &layout, (&rows, &cols), &mut scratch.pixels);
    let ring = rows.sites.iter().map(|site| site.1.len()).max().unwrap_or(0);
    let shape = Shape {
        ring,
        channels: kernel.projections.iter().map(|p| 1 + usize::from(p.channels.1.is_some())).sum(),
        line: tile.count.cols.next_multiple_of(LANES),
    };
    scratch.parts.clear();
    scratch.parts.resize(kernel.coefficients.channels * layout.pitch(), 0.0);
    scratch.powers.resize(2 * layout.pitch(), 0.0);
    scratch.sums.resize(ring * (shape.channels + 1) * shape.line + AT_ONCE * LANES, 0.0);
    let mask = kernel.plan.sites().mask().map(|mask| mask.view());
    let mut done = 0;
    for row in rows.all.clone() {
        let counts = kernel.family.counts(mask, row..row + 1, cols.all.clone());
        scratch.counts.clear();
        scratch.counts.resize(layout.pitch(), 0.0);
        for (inner, count) in cols.all.clone().zip(counts) {
            let at = (inner as isize - layout.first) as usize;
            scratch.counts[at % layout.fold * layout.line + at / layout.fold] = count;
        }
        let at = row % ring * (shape.channels + 1) * shape.line;
        along(kernel, &layout, &cols, (row, &places), scratch, at, shape.line);
        while let Some((first, weights)) = rows.sites.get(done)
            && first + weights.len() <= row + 1
        {
            let out = &mut out[done * tile.count.cols..];
            down(&scratch.sums, shape, (*first, weights), tile.count.cols, out, pitch);
            done += 1;
        }
    }
}

/// Bytes of the buffers of a task.
pub(super) fn bytes(family: &Family, plan: &Plan) -> u64 {
    let (inner, tile): (_, _) = (&family.inner, plan.sites().tile());
    let SiteGrid { stride, .. } = *plan.sites().grid();
    let seen = |sites: usize, half: usize| sites * stride + 2 * (half + family.radius + stride);
    let rows = seen(tile.rows, inner.window.rows);
    let cols = seen(tile.cols, inner.window.cols) + LANES * (stride + 1);
    let ring = 2 * inner.window.rows / inner.grid.stride + 1;
    let channels = family.orders.len() * family.rings * family.angles.max(2) + 1;
    let sums = ring * channels * tile.cols.next_multiple_of(LANES);
    let parts = (family.part_count() + 3) * (cols / inner.grid.stride + stride * LANES);
    (size_of::<f32>() * (rows * cols + sums + parts)) as u64
}
