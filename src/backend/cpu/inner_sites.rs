//! Scores at the inner sites of a band, and what their kernels share.
//!
//! Rows of inner sites are computed in parallel, each by itself, so that scores
//! do not depend on bands and threads. Neighbouring sites stand side by side in
//! vectors: pixels are copied by stride phase first, so that the pixels of
//! neighbouring sites are neighbours too.

use std::ops::Range;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::vector::LANES;
use crate::descriptor::FLAT_SHARE;
use crate::descriptor::inner_sites::InnerSites;

/// Scores of some rows of inner sites, not pooled.
pub(super) struct InnerMaps {
    /// The first row that is there.
    first: usize,
    channels: usize,
    /// Values from one channel of a row to the next.
    pitch: usize,
    /// `[inner row][channel][pitch]`.
    values: Vec<f32>,
}

impl InnerMaps {
    /// Computes `rows` of `inner` in parallel: `fill` writes the channels of a row,
    /// `[channels][pitch]`, with buffers that a thread uses again.
    pub(super) fn new<S: Default + Send>(
        inner: &InnerSites,
        rows: Range<usize>,
        channels: usize,
        fill: impl Fn(usize, &mut S, &mut [f32]) + Sync,
    ) -> Self {
        let pitch = pitch(inner);
        let mut values = vec![0.0; rows.len() * channels * pitch];
        values
            .par_chunks_mut((channels * pitch).max(1))
            .enumerate()
            .for_each_init(S::default, |scratch, (i, row)| fill(rows.start + i, scratch, row));
        Self { first: rows.start, channels, pitch, values }
    }

    /// The scores of `channel` along inner row `row`; those of the inner sites, then
    /// whatever fills whole vectors.
    pub(super) fn row(&self, row: usize, channel: usize) -> &[f32] {
        let at = ((row - self.first) * self.channels + channel) * self.pitch;
        &self.values[at..at + self.pitch]
    }

    /// Bytes of the scores.
    pub(super) fn bytes(&self) -> u64 {
        size_of_val(&self.values[..]) as u64
    }
}

/// Values of a row of inner sites in whole vectors.
pub(super) fn pitch(inner: &InnerSites) -> usize {
    inner.grid.count.cols.next_multiple_of(LANES)
}

/// Rows of an image with the columns by stride phase: column `b stride + phase` is
/// value `b` of its phase, so that a pixel's neighbours one stride apart are
/// neighbours in memory.
#[derive(Default)]
pub(super) struct Phased {
    values: Vec<f32>,
    stride: usize,
    /// First pixel row.
    first: usize,
    /// Values from one phase to the next.
    pitch: usize,
    /// Values from one row to the next, a whole number of vectors.
    pub(super) line: usize,
}

impl Phased {
    /// The pixel `rows` of `image`, with zeros beyond the last column.
    pub(super) fn new(image: ArrayView2<'_, f32>, rows: Range<usize>, stride: usize) -> Self {
        let pitch = image.ncols().div_ceil(stride) + LANES;
        // An odd number of cache lines, so that rows do not share few cache sets.
        let phases = stride.min(image.ncols());
        let line = ((phases * pitch).div_ceil(LANES) | 1) * LANES;
        let mut values = vec![0.0; rows.len() * line];
        values.par_chunks_mut(line).enumerate().for_each(|(i, to)| {
            let row = image.row(rows.start + i);
            let pixels = row.to_slice().expect("rows of images are contiguous");
            for (phase, to) in to.chunks_exact_mut(pitch).take(phases).enumerate() {
                let from = pixels.get(phase..).unwrap_or_default().iter().step_by(stride);
                to.iter_mut().zip(from).for_each(|(to, &v)| *to = v);
            }
        });
        Self { values, stride, first: rows.start, pitch, line }
    }

    /// Bytes of the pixels.
    pub(super) fn bytes(&self) -> u64 {
        size_of_val(&self.values[..]) as u64
    }

    /// A row of pixels.
    pub(super) fn row(&self, row: usize) -> &[f32] {
        let at = (row - self.first) * self.line;
        &self.values[at..at + self.line]
    }

    /// Where column `col` stands in a row; column `col + i stride` stands `i` after it.
    pub(super) fn at(&self, col: usize) -> usize {
        col % self.stride * self.pitch + col / self.stride
    }
}

/// Mean and `1 / sqrt(n var)` from sums over `n` pixels; 0 for the latter where
/// they are flat, in an image of variance 1.
pub(super) fn mean_and_inverse(sum: f64, squares: f64, n: f64) -> (f64, f64) {
    let mean = sum / n;
    let variance = squares / n - mean * mean;
    match variance < FLAT_SHARE {
        true => (mean, 0.0),
        false => (mean, 1.0 / (variance * n).sqrt()),
    }
}
