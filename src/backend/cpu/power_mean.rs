//! Pooling by a power mean: weighted sums of the eighth powers of projections, down the
//! columns of a site's window, then along the rows; see
//! `descriptor/harmonic/power_mean.rs`.

use std::sync::Arc;

use multiversion::multiversion;

use super::buffer_pool::BufferPool;
use super::inner_sites::InnerMaps;
use super::tile_kernel::{Describe, Kernel, Setup};
use crate::descriptor::harmonic::Family;
use crate::descriptor::harmonic::power_mean::{SCALE, weights};
use crate::descriptor::inner_sites::InnerSites;
use crate::plan::Plan;
use crate::sites::{Band, SiteGrid, Tile};

/// The kernel of a family that keeps power means.
pub(super) struct PowerMeans<'a> {
    family: &'a Family,
    plan: &'a Plan,
    /// Which of the sources has the harmonics.
    source: usize,
    /// Of each harmonic, its real part and its imaginary one, if it has any.
    parts: Vec<(usize, Option<usize>)>,
    /// Weights by distance, px.
    weights: Vec<f64>,
    buffers: Arc<BufferPool<Scratch>>,
}

/// The kernel with the harmonics of a band.
struct Pooled<'a> {
    means: Arc<PowerMeans<'a>>,
    maps: Arc<InnerMaps>,
}

impl<'a> PowerMeans<'a> {
    /// Of the harmonics of `source`, with weights of `width` px.
    pub(super) fn new(setup: &Setup<'a>, family: &'a Family, width: f64, source: usize) -> Self {
        let (plan, buffers) = (setup.plan, setup.pools.of());
        let (parts, weights) = (family.parts(), weights(&family.inner, width));
        Self { family, plan, source, parts, weights, buffers }
    }
}

impl<'a> Kernel<'a> for PowerMeans<'a> {
    fn band(self: Arc<Self>, _: &Band, maps: &[Arc<InnerMaps>]) -> Box<dyn Describe + 'a> {
        let maps = Arc::clone(&maps[self.source]);
        Box::new(Pooled { means: self, maps })
    }
}

impl Describe for Pooled<'_> {
    fn scores(&self, _index: usize, tile: &Tile, out: &mut [f32], pitch: usize) {
        let Self { means, maps } = self;
        means.buffers.with(|scratch| pool(means, maps, tile, scratch, out, pitch));
    }
}

/// Buffers of one task.
#[derive(Debug, Default)]
struct Scratch {
    /// Eighth powers of projections, `[inner row][column]`.
    powers: Vec<f32>,
    /// Their sums down a window.
    sums: Vec<f32>,
    /// Inner sites that count, `[inner row][column]`.
    counts: Vec<f32>,
    /// 1 by the sum of weights, by site; 0 where there is none.
    inverse: Vec<f32>,
}

/// Windows of neighbouring sites along one axis.
struct Windows {
    /// First inner index of the tile, and how many there are.
    first: usize,
    count: usize,
    /// Of each site, the first index from the tile's on, and the weights from there on.
    sites: Vec<(usize, Vec<f32>)>,
}

impl Windows {
    /// Of sites at `places`, px, that pool the inner sites `range` tells, which lie at
    /// `inner`, px.
    fn new(
        places: impl Iterator<Item = usize>,
        range: impl Fn(usize) -> std::ops::Range<usize>,
        inner: impl Fn(usize) -> usize,
        weights: &[f64],
    ) -> Self {
        let site = |place: usize| {
            let range = range(place);
            let weight = |i: usize| weights[inner(i).abs_diff(place)] as f32;
            (range.start, range.map(weight).collect::<Vec<_>>())
        };
        let mut sites: Vec<_> = places.map(site).collect();
        let first = sites.first().map_or(0, |site| site.0);
        let end = sites.last().map_or(0, |site| site.0 + site.1.len());
        sites.iter_mut().for_each(|site| site.0 -= first);
        Self { first, count: end - first, sites }
    }
}

/// Writes the power means of the sites of `tile`, one channel each `pitch` values.
fn pool(
    kernel: &PowerMeans<'_>,
    maps: &InnerMaps,
    tile: &Tile,
    scratch: &mut Scratch,
    out: &mut [f32],
    pitch: usize,
) {
    let (family, sites) = (kernel.family, kernel.plan.sites());
    let (rows, cols) = windows(&family.inner, sites.grid(), tile, &kernel.weights);
    let all = [&rows, &cols].map(|windows| windows.first..windows.first + windows.count);
    let [inner_rows, inner_cols] = all;
    let mask = sites.mask().map(|mask| mask.view());
    scratch.counts = family.counts(mask, inner_rows, inner_cols);
    let sites = tile.count.area();
    let mut inverse = std::mem::take(&mut scratch.inverse);
    inverse.resize(inverse.len().max(sites), 0.0);
    scratch.sums.resize(scratch.sums.len().max(cols.count), 0.0);
    sum(&scratch.counts, &rows, &cols, &mut scratch.sums, &mut inverse[..sites]);
    inverse[..sites].iter_mut().for_each(|n| *n = if *n > 0.0 { 1.0 / *n } else { 0.0 });
    let orders = family.orders.iter();
    let orders = orders.flat_map(|&order| std::iter::repeat_n(order, family.rings));
    let mut channels = out.chunks_mut(pitch);
    for (order, &(re, im)) in orders.zip(&kernel.parts) {
        for phase in family.phases(order) {
            let Some(channel) = channels.next() else { break };
            let parts = |i: usize| {
                let part = |c| &maps.row(rows.first + i, c)[cols.first..cols.first + cols.count];
                (part(re), im.map(part))
            };
            let lines: Vec<_> = (0..rows.count).map(parts).collect();
            let phase = phase.map(|v| SCALE * v as f32);
            let windows = (&rows, &cols);
            means(&lines, phase, windows, scratch, &inverse[..sites], &mut channel[..sites]);
        }
    }
    scratch.inverse = inverse;
}

fn windows(
    inner: &InnerSites,
    grid: &SiteGrid,
    tile: &Tile,
    weights: &[f64],
) -> (Windows, Windows) {
    let site_rows = (0..tile.count.rows).map(|i| grid.row(tile.first.rows + i));
    let site_cols = (0..tile.count.cols).map(|j| grid.col(tile.first.cols + j));
    let rows = Windows::new(site_rows, |at| inner.rows(at), |i| inner.grid.row(i), weights);
    let cols = Windows::new(site_cols, |at| inner.cols(at), |j| inner.grid.col(j), weights);
    (rows, cols)
}

/// Power means of one phase.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma", "aarch64+neon"))]
fn means(
    lines: &[(&[f32], Option<&[f32]>)],
    [cos, sin]: [f32; 2],
    (rows, cols): (&Windows, &Windows),
    scratch: &mut Scratch,
    inverse: &[f32],
    out: &mut [f32],
) {
    let width = cols.count;
    let Scratch { powers, sums, counts, .. } = scratch;
    powers.resize(powers.len().max(lines.len() * width), 0.0);
    let planes = powers.chunks_exact_mut(width).zip(counts.chunks_exact(width));
    for (line, (to, counts)) in lines.iter().zip(planes) {
        match line {
            (re, Some(im)) => {
                for (((to, re), im), count) in to.iter_mut().zip(*re).zip(*im).zip(counts) {
                    *to = eighth_power(cos * re - sin * im) * count;
                }
            }
            (re, None) => {
                for ((to, re), count) in to.iter_mut().zip(*re).zip(counts) {
                    *to = eighth_power(cos * re) * count;
                }
            }
        }
    }
    sum(powers, rows, cols, sums, out);
    for (out, inverse) in out.iter_mut().zip(inverse) {
        *out = (*out * inverse).sqrt().sqrt().sqrt() * (1.0 / SCALE);
    }
}

/// Weighted sums of `values` `[inner row][column]` in the windows of all sites.
#[inline(always)]
fn sum(values: &[f32], rows: &Windows, cols: &Windows, sums: &mut [f32], out: &mut [f32]) {
    let width = cols.count;
    let sums = &mut sums[..width];
    for ((start, weights), out) in rows.sites.iter().zip(out.chunks_exact_mut(cols.sites.len())) {
        sums.fill(0.0);
        for (line, &weight) in values[start * width..].chunks_exact(width).zip(weights) {
            sums.iter_mut().zip(line).for_each(|(sum, v)| *sum += weight * v);
        }
        for ((start, weights), out) in cols.sites.iter().zip(out) {
            *out = sums[*start..].iter().zip(weights).map(|(v, weight)| v * weight).sum();
        }
    }
}

/// The eighth power of what is above 0.
#[inline(always)]
fn eighth_power(value: f32) -> f32 {
    let value = if value > 0.0 { value } else { 0.0 };
    let square = value * value;
    let fourth = square * square;
    fourth * fourth
}
