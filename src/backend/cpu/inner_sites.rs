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
#[derive(Debug, Default)]
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
        let mut phased = Self::default();
        phased.resize(image.ncols(), rows.clone(), stride);
        let (pitch, line) = (phased.pitch, phased.line);
        phased.values.par_chunks_mut(line).zip(rows).for_each(|(to, row)| {
            copy(pixels_of(&image, row), stride, pitch, to);
        });
        phased
    }

    /// Takes the pixel `rows` of `image` in place of what is there, by one thread.
    pub(super) fn take(&mut self, image: ArrayView2<'_, f32>, rows: Range<usize>, stride: usize) {
        self.resize(image.ncols(), rows.clone(), stride);
        for (to, row) in self.values.chunks_mut(self.line).zip(rows) {
            copy(pixels_of(&image, row), stride, self.pitch, to);
        }
    }

    /// Makes room for `rows` of `cols` pixels.
    fn resize(&mut self, cols: usize, rows: Range<usize>, stride: usize) {
        let pitch = cols.div_ceil(stride) + LANES;
        // An odd number of cache lines, so that rows do not share few cache sets.
        let line = ((stride.min(cols) * pitch).div_ceil(LANES) | 1) * LANES;
        self.values.resize(rows.len() * line, 0.0);
        (self.stride, self.first, self.pitch, self.line) = (stride, rows.start, pitch, line);
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

fn pixels_of<'a>(image: &'a ArrayView2<'_, f32>, row: usize) -> &'a [f32] {
    image.row(row).to_slice().expect("rows of images are contiguous")
}

/// Copies a row of `pixels` by stride phase, `pitch` values each, with zeros after them.
fn copy(pixels: &[f32], stride: usize, pitch: usize, to: &mut [f32]) {
    for (phase, to) in to.chunks_exact_mut(pitch).take(stride.min(pixels.len())).enumerate() {
        let from = pixels[phase..].iter().step_by(stride);
        let (own, beyond) = to.split_at_mut(from.len());
        own.iter_mut().zip(from).for_each(|(to, &v)| *to = v);
        beyond.fill(0.0);
    }
}

/// Mean and `1 / sqrt(n var)` from sums over `n` pixels; 0 for the latter where
/// they are flat, in an image of variance 1.
pub(super) fn mean_and_inverse(sum: f64, squares: f64, n: f64) -> (f64, f64) {
    let mean = sum / n;
    let variance = squares / n - mean * mean;
    // Either way, so that several are worked out side by side.
    let inverse = 1.0 / (variance * n).sqrt();
    (mean, if variance < FLAT_SHARE { 0.0 } else { inverse })
}
