//! Pooling of a plain maximum: the largest projection of complex coefficients on
//! each phase in a site's window, first down the columns, then along the rows.

use std::ops::Range;
use std::sync::Arc;

use multiversion::multiversion;

use super::buffer_pool::BufferPool;
use super::inner_sites::InnerMaps;
use super::tile_kernel::{Describe, Kernel, Setup};
use crate::descriptor::harmonic::Family;
use crate::sites::{Band, SiteGrid, Tile};

/// The kernel of a family that keeps the largest.
pub(super) struct Maxima<'a> {
    family: &'a Family,
    grid: &'a SiteGrid,
    /// Which of the sources has the harmonics.
    source: usize,
    /// Of each harmonic, its real part and its imaginary one, if it has any.
    parts: Vec<(usize, Option<usize>)>,
    buffers: Arc<BufferPool<Scratch>>,
}

/// The kernel with the harmonics of a band.
struct Pooled<'a> {
    maxima: Arc<Maxima<'a>>,
    maps: Arc<InnerMaps>,
}

impl<'a> Maxima<'a> {
    /// Of the harmonics of `source`.
    pub(super) fn new(setup: &Setup<'a>, family: &'a Family, source: usize) -> Self {
        let (grid, buffers) = (setup.plan.sites().grid(), setup.pools.of());
        Self { family, grid, source, parts: family.parts(), buffers }
    }
}

impl<'a> Kernel<'a> for Maxima<'a> {
    fn band(self: Arc<Self>, _: &Band, maps: &[Arc<InnerMaps>]) -> Box<dyn Describe + 'a> {
        let maps = Arc::clone(&maps[self.source]);
        Box::new(Pooled { maxima: self, maps })
    }
}

impl Describe for Pooled<'_> {
    fn scores(&self, _index: usize, tile: &Tile, out: &mut [f32], pitch: usize) {
        let Self { maxima, maps } = self;
        maxima.buffers.with(|scratch| pool(maxima, maps, tile, scratch, out, pitch));
    }
}

/// Buffers of one task.
#[derive(Debug, Default)]
struct Scratch {
    /// Largest values over 1, 2, 4, ... rows, `[inner row][column]`.
    rows: Vec<Vec<f32>>,
    /// The same over columns.
    cols: Vec<Vec<f32>>,
}

/// Windows of neighbouring sites along one axis.
struct Windows {
    /// First inner index of the tile.
    first: usize,
    /// Inner indices of the tile.
    count: usize,
    /// Of each site, from the tile's first inner index on.
    sites: Vec<Range<usize>>,
    /// The longest power of two that fits every window, and which it is.
    span: usize,
    levels: usize,
}

impl Windows {
    fn new(sites: Vec<Range<usize>>) -> Self {
        let first = sites.first().map_or(0, |s| s.start);
        let end = sites.last().map_or(0, |s| s.end);
        let shortest = sites.iter().map(|s| s.len()).min().unwrap_or(1).max(1);
        let levels = shortest.ilog2() as usize;
        let sites = sites.into_iter().map(|s| s.start - first..s.end - first).collect();
        Self { first, count: end - first, sites, span: 1 << levels, levels }
    }
}

/// Writes the maxima of the sites of `tile`, one channel each `pitch` values.
fn pool(
    kernel: &Maxima<'_>,
    maps: &InnerMaps,
    tile: &Tile,
    scratch: &mut Scratch,
    out: &mut [f32],
    pitch: usize,
) {
    let (inner, grid) = (&kernel.family.inner, kernel.grid);
    let site_row = |i: usize| inner.rows(grid.row(tile.first.rows + i));
    let site_col = |j: usize| inner.cols(grid.col(tile.first.cols + j));
    let rows = Windows::new((0..tile.count.rows).map(site_row).collect());
    let cols = Windows::new((0..tile.count.cols).map(site_col).collect());
    let orders = kernel.family.orders.iter();
    let orders = orders.flat_map(|&order| std::iter::repeat_n(order, kernel.family.rings));
    let mut channels = out.chunks_mut(pitch);
    for (order, &(re, im)) in orders.zip(&kernel.parts) {
        for phase in kernel.family.phases(order) {
            let Some(channel) = channels.next() else { return };
            let parts = |i: usize| {
                let part = |c| &maps.row(rows.first + i, c)[cols.first..cols.first + cols.count];
                (part(re), im.map(part))
            };
            let lines: Vec<_> = (0..rows.count).map(parts).collect();
            largest(&lines, phase.map(|v| v as f32), &rows, &cols, scratch, channel);
        }
    }
}

/// Maxima of one phase. Windows overlap themselves: a window is the larger of two
/// spans, one from its start, one to its end.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma", "aarch64+neon"))]
fn largest(
    lines: &[(&[f32], Option<&[f32]>)],
    [cos, sin]: [f32; 2],
    rows: &Windows,
    cols: &Windows,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let width = cols.count;
    let Scratch { rows: planes, cols: spans } = scratch;
    planes.resize_with(planes.len().max(rows.levels + 1), Vec::new);
    spans.resize_with(spans.len().max(cols.levels + 1), Vec::new);
    planes.iter_mut().for_each(|p| p.resize(p.len().max(rows.count * width), 0.0));
    spans.iter_mut().for_each(|s| s.resize(s.len().max(width), 0.0));
    for (line, to) in lines.iter().zip(planes[0].chunks_exact_mut(width)) {
        match line {
            (re, Some(im)) => {
                for ((to, re), im) in to.iter_mut().zip(*re).zip(*im) {
                    *to = cos * re - sin * im;
                }
            }
            (re, None) => to.iter_mut().zip(*re).for_each(|(to, re)| *to = cos * re),
        }
    }
    for level in 0..rows.levels {
        let (below, above) = planes.split_at_mut(level + 1);
        // Values that a span counts lie this far below.
        let shift = width << level;
        let size = rows.count * width - (2 * shift - width);
        let from = &below[level];
        larger(&from[..size], &from[shift..shift + size], &mut above[0][..size]);
    }
    for (window, out) in rows.sites.iter().zip(out.chunks_mut(cols.sites.len())) {
        let plane = &planes[rows.levels];
        let (start, end) = (window.start * width, (window.end - rows.span) * width);
        larger(&plane[start..start + width], &plane[end..end + width], &mut spans[0][..width]);
        for level in 0..cols.levels {
            let (below, above) = spans.split_at_mut(level + 1);
            let shift = 1 << level;
            let size = width - (2 * shift - 1);
            let from = &below[level];
            larger(&from[..size], &from[shift..shift + size], &mut above[0][..size]);
        }
        let span = &spans[cols.levels];
        for (window, out) in cols.sites.iter().zip(out) {
            *out = span[window.start].max(span[window.end - cols.span]);
        }
    }
}

#[inline(always)]
fn larger(a: &[f32], b: &[f32], out: &mut [f32]) {
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out = if a > b { a } else { b };
    }
}
