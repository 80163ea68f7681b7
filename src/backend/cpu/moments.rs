//! Sums for mean and covariance; twin of `shaders/moments.wgsl`.
//!
//! Products of channels are dot products over the sites of a tile, in blocks of
//! channels that fill the registers: `2 B` loads for `B^2` multiply-adds. They
//! are summed in f32 over [`PIECE`] sites and in f64 over pieces.

use ndarray::{Array1, Array2};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::session::Scores;
use crate::reduce::pca::{Moments, PIECE};

/// Rows of products that are one task: a multiple of every block size.
const ROWS: usize = 30;

/// Moments of the tile's sites, of which `count` take part; the others are 0.
pub(super) fn of_tile(scores: &Scores<'_>, count: u64) -> Moments {
    let channels = scores.values.len() / scores.pitch;
    let mut products = Array2::zeros((channels, channels));
    let arch = Arch::new();
    let out = products.as_slice_mut().expect("a fresh array is contiguous");
    out.par_chunks_mut(ROWS * channels).enumerate().for_each(|(i, out)| {
        let first = i * ROWS;
        arch.dispatch(Rows { values: scores.values, pitch: scores.pitch, first, out });
    });
    let mut sums = Array1::zeros(channels);
    for (sum, channel) in sums.iter_mut().zip(scores.values.chunks_exact(scores.pitch)) {
        *sum = total(channel);
    }
    Moments { count, sum: sums, products }
}

/// Fills `out`, rows `first` and on of the products `[D][D]`, up to the diagonal.
struct Rows<'a> {
    values: &'a [f32],
    pitch: usize,
    first: usize,
    out: &'a mut [f64],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many accumulators as there are registers for.
        match S::REGISTER_COUNT >= 32 {
            true => self.fill::<S, 5>(simd),
            false => self.fill::<S, 3>(simd),
        }
    }
}

impl Rows<'_> {
    #[inline(always)]
    fn fill<S: Simd, const B: usize>(self, simd: S) {
        let Self { values, pitch, first, out } = self;
        let channels = values.len() / pitch;
        let rows = out.len() / channels;
        let size = |at: usize, end: usize| if end - at >= B { B } else { 1 };
        let mut i = 0;
        while i < rows {
            let height = size(i, rows);
            let mut j = 0;
            while j < first + i + height {
                let width = size(j, channels);
                let at = (first + i, j);
                let out = &mut out[i * channels + j..];
                match (height == B, width == B) {
                    (true, true) => block::<S, B, B>(simd, values, pitch, at, out),
                    (true, false) => block::<S, B, 1>(simd, values, pitch, at, out),
                    (false, true) => block::<S, 1, B>(simd, values, pitch, at, out),
                    (false, false) => block::<S, 1, 1>(simd, values, pitch, at, out),
                }
                j += width;
            }
            i += height;
        }
    }
}

/// Products of channels `i..i + I` with `j..j + J`, into rows of `out` that are
/// as far apart as there are channels.
#[inline(always)]
fn block<S: Simd, const I: usize, const J: usize>(
    simd: S,
    values: &[f32],
    pitch: usize,
    (i, j): (usize, usize),
    out: &mut [f64],
) {
    let channel = |c: usize| S::as_simd_f32s(&values[c * pitch..(c + 1) * pitch]).0;
    let x: [&[S::f32s]; I] = std::array::from_fn(|a| channel(i + a));
    let y: [&[S::f32s]; J] = std::array::from_fn(|b| channel(j + b));
    let vectors = pitch / S::F32_LANES;
    let piece = PIECE / S::F32_LANES;
    let mut sums = [[0.0_f64; J]; I];
    for first in (0..vectors).step_by(piece) {
        let last = vectors.min(first + piece);
        let x = x.map(|x| &x[first..last]);
        let y = y.map(|y| &y[first..last]);
        let mut partial = [[simd.splat_f32s(0.0); J]; I];
        for s in 0..last - first {
            let y: [S::f32s; J] = std::array::from_fn(|b| y[b][s]);
            for a in 0..I {
                let x = x[a][s];
                for b in 0..J {
                    partial[a][b] = simd.mul_add_e_f32s(x, y[b], partial[a][b]);
                }
            }
        }
        for a in 0..I {
            for b in 0..J {
                sums[a][b] += f64::from(simd.reduce_sum_f32s(partial[a][b]));
            }
        }
    }
    let channels = values.len() / pitch;
    for (a, sums) in sums.iter().enumerate() {
        out[a * channels..a * channels + J].copy_from_slice(sums);
    }
}

/// Sum of a channel, in pieces like the products.
fn total(channel: &[f32]) -> f64 {
    let piece = |piece: &[f32]| {
        let mut lanes = [0.0_f32; 16];
        for values in piece.as_chunks::<16>().0 {
            lanes.iter_mut().zip(values).for_each(|(sum, v)| *sum += v);
        }
        f64::from(lanes.iter().sum::<f32>())
    };
    channel.chunks(PIECE).map(piece).sum()
}
