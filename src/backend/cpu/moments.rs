//! Sums for mean and covariance; twin of `shaders/moments.wgsl`.
//!
//! Products of channels are dot products over the sites of a tile, in blocks of
//! channels that fill the registers: `2 B` loads for `B^2` multiply-adds. They
//! are summed in f32 over [`PIECE`] sites and in f64 over pieces.

use multiversion::multiversion;
use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::session::Scores;
use crate::pca::{Moments, PIECE};

/// Above so many channels, the blocks of one tile are spread over threads too.
const MANY_CHANNELS: usize = 256;

/// Moments of the tile's sites, of which `count` take part; the others are 0.
pub(super) fn of_tile(scores: &Scores<'_>, count: u64) -> Moments {
    let channels = scores.values.len() / scores.pitch;
    let mut products = Array2::zeros((channels, channels));
    let out = products.as_slice_mut().expect("a fresh array is contiguous");
    match channels > MANY_CHANNELS {
        false => rows_of_products(scores.values, scores.pitch, 0, out),
        true => {
            // A multiple of every block size below.
            let rows = 60;
            out.par_chunks_mut(rows * channels).enumerate().for_each(|(i, out)| {
                rows_of_products(scores.values, scores.pitch, i * rows, out);
            });
        }
    }
    let mut sums = Array1::zeros(channels);
    for (sum, channel) in sums.iter_mut().zip(scores.values.chunks_exact(scores.pitch)) {
        *sum = total(channel);
    }
    Moments { count, sum: sums, products }
}

/// Fills `out`, rows `first` and on of the products `[D][D]`, up to the diagonal.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
fn rows_of_products(values: &[f32], pitch: usize, first: usize, out: &mut [f64]) {
    // As many accumulators as the instruction set has registers for.
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq" => fill::<16, 5, true>(values, pitch, first, out),
        "x86_64+avx2+fma" => fill::<8, 3, true>(values, pitch, first, out),
        "aarch64+neon" => fill::<4, 4, true>(values, pitch, first, out),
        _ => fill::<4, 3, false>(values, pitch, first, out),
    }
}

#[inline(always)]
fn fill<const L: usize, const B: usize, const FUSED: bool>(
    values: &[f32],
    pitch: usize,
    first: usize,
    out: &mut [f64],
) {
    let channels = values.len() / pitch;
    let rows = out.len() / channels;
    let size = |at: usize, end: usize| if end - at >= B { B } else { 1 };
    let mut i = 0;
    while i < rows {
        let height = size(i, rows);
        let mut j = 0;
        while j < first + i + height {
            let width = size(j, channels);
            let mut put = |a: usize, b: usize, v: f64| out[(i + a) * channels + j + b] = v;
            let at = (first + i, j);
            match (height == B, width == B) {
                (true, true) => block::<L, B, B, FUSED>(values, pitch, at, &mut put),
                (true, false) => block::<L, B, 1, FUSED>(values, pitch, at, &mut put),
                (false, true) => block::<L, 1, B, FUSED>(values, pitch, at, &mut put),
                (false, false) => block::<L, 1, 1, FUSED>(values, pitch, at, &mut put),
            }
            j += width;
        }
        i += height;
    }
}

/// Products of channels `i..i + I` with `j..j + J`.
#[inline(always)]
fn block<const L: usize, const I: usize, const J: usize, const FUSED: bool>(
    values: &[f32],
    pitch: usize,
    (i, j): (usize, usize),
    put: &mut impl FnMut(usize, usize, f64),
) {
    let channel = |c: usize| &values[c * pitch..(c + 1) * pitch];
    let mut sums = [[0.0_f64; J]; I];
    for piece in (0..pitch).step_by(PIECE) {
        let range = piece..pitch.min(piece + PIECE);
        let x: [&[[f32; L]]; I] =
            std::array::from_fn(|a| channel(i + a)[range.clone()].as_chunks().0);
        let y: [&[[f32; L]]; J] =
            std::array::from_fn(|b| channel(j + b)[range.clone()].as_chunks().0);
        let mut partial = [[[0.0_f32; L]; J]; I];
        for s in 0..x[0].len() {
            for a in 0..I {
                for b in 0..J {
                    for lane in 0..L {
                        let (x, y) = (x[a][s][lane], y[b][s][lane]);
                        let sum = &mut partial[a][b][lane];
                        *sum = if FUSED { x.mul_add(y, *sum) } else { x * y + *sum };
                    }
                }
            }
        }
        for a in 0..I {
            for b in 0..J {
                sums[a][b] += f64::from(partial[a][b].iter().sum::<f32>());
            }
        }
    }
    for (a, sums) in sums.iter().enumerate() {
        sums.iter().enumerate().for_each(|(b, &sum)| put(a, b, sum));
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
