//! Pooling by a power mean: weighted sums of the eighth powers of projections along the
//! rows of a site's window, then down; see `descriptor/harmonic/power_mean.rs`.
//!
//! A task goes down the inner rows of its tile. Those of a row are computed and raised to
//! their power once, summed along the windows of all sites of the tile, and forgotten; the
//! sums are kept for as many rows as a window has. So nothing goes through memory but pixels
//! and scores. Where inner sites divide the distance of sites, all windows along a row are
//! alike, and those of sixteen neighbouring sites are summed side by side: every inner site
//! whole distances further stands next to it.

use std::ops::Range;
use std::sync::Arc;

use multiversion::multiversion;
use ndarray::{ArrayView2, s};

use super::buffer_pool::BufferPool;
use super::harmonic::{self, At, Coefficients};
use super::inner_sites::{InnerMaps, Phased};
use super::tile_kernel::{Describe, Kernel, Setup};
use super::vector::{LANES, Vector, fma, vector};
use crate::descriptor::harmonic::Family;
use crate::descriptor::harmonic::power_mean::{SCALE, weights};
use crate::plan::Plan;
use crate::sites::{Band, SiteGrid, Tile};

/// Vectors whose sums are made at once, so that they do not wait for each other.
const AT_ONCE: usize = 4;

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

/// Windows of the sites of a tile along one axis.
#[derive(Debug)]
struct Windows {
    /// Inner sites that are in any of them.
    all: Range<usize>,
    /// Of each site the first inner site and the weights from there on.
    sites: Vec<(usize, Vec<f32>)>,
}

impl Windows {
    /// Of sites at `places`, px, that pool the inner sites `range` tells, which lie at
    /// `inner`, px.
    fn new(
        places: impl Iterator<Item = usize>,
        range: impl Fn(usize) -> Range<usize>,
        inner: impl Fn(usize) -> usize,
        weights: &[f64],
    ) -> Self {
        let site = |place: usize| {
            let range = range(place);
            let weight = |i: usize| weights[inner(i).abs_diff(place)] as f32;
            (range.start, range.map(weight).collect::<Vec<_>>())
        };
        let sites: Vec<_> = places.map(site).collect();
        let first = sites.first().map_or(0, |site| site.0);
        let end = sites.last().map_or(0, |site| site.0 + site.1.len());
        Self { all: first..end, sites }
    }
}

/// How the inner sites of a row are stored: by what remains of the distance of sites, so that the
/// windows of neighbouring sites stand next to each other.
#[derive(Debug)]
struct Layout {
    /// Inner sites from one site to the next, where windows are alike; else 1.
    fold: usize,
    /// The inner site that stands first, which may lie before the image's.
    first: isize,
    /// Values of one remainder.
    line: usize,
    /// Places of the inner sites of a window, relative to the site's number, and their weights,
    /// where windows are alike.
    taps: Vec<(usize, f32)>,
}

impl Layout {
    /// Of the windows `cols` of the sites of a tile, whose first one lies at `place`, px.
    fn new(kernel: &PowerMeans<'_>, cols: &Windows, place: usize) -> Self {
        let (inner, grid) = (&kernel.family.inner, kernel.plan.sites().grid());
        let step = inner.grid.stride;
        if !grid.stride.is_multiple_of(step) {
            let line = cols.all.len().next_multiple_of(LANES) + LANES;
            return Self { fold: 1, first: cols.all.start as isize, line, taps: Vec::new() };
        }
        let fold = grid.stride / step;
        // Inner sites before and after the image's are in the windows, but do not count.
        let from = place as isize - inner.grid.margin.cols as isize;
        let half = inner.window.cols as isize;
        let first = (from - half).div_euclid(step as isize)
            + isize::from((from - half).rem_euclid(step as isize) > 0);
        let last = (from + half).div_euclid(step as isize);
        let count = (last - first + 1) as usize;
        let line = (cols.sites.len() + count.div_ceil(fold)).next_multiple_of(LANES) + LANES;
        let tap = |t: usize| {
            let distance = (first + t as isize) * step as isize - from;
            (t % fold * line + t / fold, kernel.weights[distance.unsigned_abs()] as f32)
        };
        Self { fold, first, line, taps: (0..count).map(tap).collect() }
    }

    fn pitch(&self) -> usize {
        self.fold * self.line
    }

    /// The inner sites of each remainder that are among `all`: where they are stored, by their
    /// numbers.
    fn stored(&self, remainder: usize, all: &Range<usize>) -> Range<usize> {
        let from = |end: usize| {
            let before = end as isize - self.first - remainder as isize;
            before.max(0).unsigned_abs().div_ceil(self.fold)
        };
        from(all.start)..from(all.end)
    }
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

/// How sums along windows are stored.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// Rows.
    ring: usize,
    channels: usize,
    /// Sites of a row in whole vectors.
    line: usize,
}

/// Copies the pixels that the inner sites of a tile see; of each remainder, where the pixels
/// about its first stored inner site stand.
fn take_pixels(
    kernel: &PowerMeans<'_>,
    layout: &Layout,
    (rows, cols): (&Windows, &Windows),
    pixels: &mut Phased,
) -> Vec<Vec<usize>> {
    let grid = &kernel.family.inner.grid;
    let (radius, coefficients) = (kernel.family.radius, &kernel.coefficients);
    let left = grid.col(cols.all.start) - radius;
    let right = grid.col(cols.all.end.max(1) - 1) + radius + 1;
    let image = kernel.image.slice_move(s![.., left..right]);
    pixels.take(image, coefficients.pixels(grid, rows.all.clone()), layout.fold * grid.stride);
    let place = |remainder: usize| {
        let stored = layout.stored(remainder, &cols.all);
        let inner = layout.first + (remainder + stored.start * layout.fold) as isize;
        match stored.is_empty() {
            true => Vec::new(),
            false => coefficients.places(pixels, grid.col(inner.unsigned_abs()) - left),
        }
    };
    (0..layout.fold).map(place).collect()
}

/// Sums of one row of inner sites along the windows of all sites, from value `at` of the ring on.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512dq+avx512bw",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn along(
    kernel: &PowerMeans<'_>,
    layout: &Layout,
    cols: &Windows,
    row: (usize, &[Vec<usize>]),
    scratch: &mut Scratch,
    at: usize,
    line: usize,
) {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq+avx512bw" => along_row::<true>(kernel, layout, cols, row, scratch, at, line),
        "x86_64+avx2+fma" => along_row::<true>(kernel, layout, cols, row, scratch, at, line),
        "aarch64+neon" => along_row::<true>(kernel, layout, cols, row, scratch, at, line),
        _ => along_row::<false>(kernel, layout, cols, row, scratch, at, line),
    }
}

#[inline(always)]
fn along_row<const FUSED: bool>(
    kernel: &PowerMeans<'_>,
    layout: &Layout,
    cols: &Windows,
    (row, places): (usize, &[Vec<usize>]),
    scratch: &mut Scratch,
    at: usize,
    line: usize,
) {
    let pitch = layout.pitch();
    let Scratch { pixels, harmonic, parts, powers, counts, sums } = scratch;
    let inner = &kernel.family.inner.grid;
    for (remainder, places) in places.iter().enumerate() {
        let stored = layout.stored(remainder, &cols.all);
        let from = remainder * layout.line + stored.start;
        for first in (0..stored.len()).step_by(LANES) {
            let place = At { row: inner.row(row), places, first };
            let out = &mut parts[from + first..];
            kernel.coefficients.group::<FUSED>(pixels, place, harmonic, out, pitch);
        }
    }
    let sums = &mut sums[at..];
    let (positive, negative) = powers.split_at_mut(pitch);
    let mut channels = 0;
    for projection in &kernel.projections {
        let (own, opposite) = projection.channels;
        raise::<FUSED>(projection, parts, counts, positive, negative);
        in_windows::<FUSED>(positive, layout, cols, &mut sums[own * line..][..line]);
        channels += 1;
        if let Some(opposite) = opposite {
            in_windows::<FUSED>(negative, layout, cols, &mut sums[opposite * line..][..line]);
            channels += 1;
        }
    }
    in_windows::<FUSED>(counts, layout, cols, &mut sums[channels * line..][..line]);
}

/// The eighth powers of a projection's values: of those above 0, and of those below.
#[inline(always)]
fn raise<const FUSED: bool>(
    projection: &Projection,
    parts: &[f32],
    counts: &[f32],
    positive: &mut [f32],
    negative: &mut [f32],
) {
    let pitch = counts.len();
    let Projection { re, im, cos, sin, .. } = *projection;
    for at in (0..pitch).step_by(LANES) {
        let (re, count) = (vector(parts, re * pitch + at), vector(counts, at));
        let mut projected: Vector = [0.0; LANES];
        match im {
            None => {
                for lane in 0..LANES {
                    projected[lane] = cos * re[lane] * count[lane];
                }
            }
            Some(im) => {
                let im = vector(parts, im * pitch + at);
                for lane in 0..LANES {
                    let turned = fma::<FUSED>(cos, re[lane], -(sin * im[lane]));
                    projected[lane] = turned * count[lane];
                }
            }
        }
        let [mut above, mut below] = [[0.0; LANES]; 2];
        for lane in 0..LANES {
            let square = projected[lane] * projected[lane];
            let fourth = square * square;
            let power = fourth * fourth;
            above[lane] = if projected[lane] > 0.0 { power } else { 0.0 };
            below[lane] = if projected[lane] < 0.0 { power } else { 0.0 };
        }
        positive[at..at + LANES].copy_from_slice(&above);
        negative[at..at + LANES].copy_from_slice(&below);
    }
}

/// Weighted sums of `values` in the windows of all sites. (No closure, which would not be compiled
/// for the caller's instruction set.)
#[inline(always)]
fn in_windows<const FUSED: bool>(values: &[f32], layout: &Layout, cols: &Windows, to: &mut [f32]) {
    match layout.taps.is_empty() {
        true => window_by_window(values, cols, to),
        false => side_by_side::<FUSED>(values, &layout.taps, to),
    }
}

/// Weighted sums of `values` in the windows of neighbouring sites, all alike.
#[inline(always)]
fn side_by_side<const FUSED: bool>(values: &[f32], taps: &[(usize, f32)], to: &mut [f32]) {
    let mut chunks = to.chunks_exact_mut(AT_ONCE * LANES);
    let mut from = 0;
    for to in &mut chunks {
        let mut sums = [[0.0; LANES]; AT_ONCE];
        for &(place, weight) in taps {
            for (i, sum) in sums.iter_mut().enumerate() {
                let values = vector(values, place + from + i * LANES);
                for lane in 0..LANES {
                    sum[lane] = fma::<FUSED>(weight, values[lane], sum[lane]);
                }
            }
        }
        for (to, sum) in to.chunks_exact_mut(LANES).zip(&sums) {
            to.copy_from_slice(sum);
        }
        from += AT_ONCE * LANES;
    }
    for to in chunks.into_remainder().chunks_exact_mut(LANES) {
        let mut sum = [0.0; LANES];
        for &(place, weight) in taps {
            let values = vector(values, place + from);
            for lane in 0..LANES {
                sum[lane] = fma::<FUSED>(weight, values[lane], sum[lane]);
            }
        }
        to.copy_from_slice(&sum);
        from += LANES;
    }
}

/// The same of windows that differ.
#[inline(always)]
fn window_by_window(values: &[f32], cols: &Windows, to: &mut [f32]) {
    for ((first, weights), to) in cols.sites.iter().zip(to) {
        let values = values[first - cols.all.start..].iter().zip(weights);
        *to = values.map(|(v, weight)| v * weight).sum();
    }
}

/// Power means of a row of sites from the sums along its window's rows.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512dq+avx512bw",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn down(
    sums: &[f32],
    shape: Shape,
    window: (usize, &[f32]),
    sites: usize,
    out: &mut [f32],
    pitch: usize,
) {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq+avx512bw" => down_rows::<true>(sums, shape, window, sites, out, pitch),
        "x86_64+avx2+fma" => down_rows::<true>(sums, shape, window, sites, out, pitch),
        "aarch64+neon" => down_rows::<true>(sums, shape, window, sites, out, pitch),
        _ => down_rows::<false>(sums, shape, window, sites, out, pitch),
    }
}

#[inline(always)]
fn down_rows<const FUSED: bool>(
    sums: &[f32],
    Shape { ring, channels, line }: Shape,
    (first, weights): (usize, &[f32]),
    sites: usize,
    out: &mut [f32],
    pitch: usize,
) {
    let row = (channels + 1) * line;
    let at = |channel: usize| channel * line;
    let mut from = 0;
    while from < line {
        // The last vectors may be met twice.
        let own = from.min(line.saturating_sub(AT_ONCE * LANES));
        let count = sum_down::<FUSED>(sums, (ring, row), (first, weights), at(channels) + own);
        let mut inverse = count;
        for inverse in inverse.as_flattened_mut() {
            *inverse = if *inverse > 0.0 { 1.0 / *inverse } else { 0.0 };
        }
        let width = (AT_ONCE * LANES).min(sites - own);
        for channel in 0..channels {
            let mut means =
                sum_down::<FUSED>(sums, (ring, row), (first, weights), at(channel) + own);
            for (mean, inverse) in means.as_flattened_mut().iter_mut().zip(inverse.as_flattened()) {
                *mean = (*mean * inverse).sqrt().sqrt().sqrt() * (1.0 / SCALE);
            }
            out[channel * pitch + own..][..width].copy_from_slice(&means.as_flattened()[..width]);
        }
        from += AT_ONCE * LANES;
    }
}

/// Weighted sums of what stands from `at` on in the `weights.len()` rows of the ring from row
/// `first` on.
#[inline(always)]
fn sum_down<const FUSED: bool>(
    sums: &[f32],
    (ring, row): (usize, usize),
    (first, weights): (usize, &[f32]),
    at: usize,
) -> [Vector; AT_ONCE] {
    let mut sum = [[0.0; LANES]; AT_ONCE];
    let mut slot = first % ring;
    for &weight in weights {
        for (i, sum) in sum.iter_mut().enumerate() {
            let values = vector(sums, slot * row + at + i * LANES);
            for lane in 0..LANES {
                sum[lane] = fma::<FUSED>(weight, values[lane], sum[lane]);
            }
        }
        slot = if slot + 1 == ring { 0 } else { slot + 1 };
    }
    sum
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
