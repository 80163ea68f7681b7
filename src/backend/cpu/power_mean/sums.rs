//! Sums of eighth powers: along the windows of a row of inner sites, then down its rows.

use multiversion::multiversion;

use super::super::harmonic::At;
use super::super::vector::{LANES, Vector, fma, vector};
use super::windows::{Layout, Windows};
use super::{PowerMeans, Projection, Scratch};
use crate::descriptor::harmonic::power_mean::SCALE;

/// Vectors whose sums are made at once, so that they do not wait for each other.
pub(super) const AT_ONCE: usize = 4;

/// How sums along windows are stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Rows.
    pub(super) ring: usize,
    pub(super) channels: usize,
    /// Sites of a row in whole vectors.
    pub(super) line: usize,
}

/// Sums of one row of inner sites along the windows of all sites, from value `at` of the ring on.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512dq+avx512bw",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub(super) fn along(
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
pub(super) fn down(
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
