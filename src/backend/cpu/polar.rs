//! Scores of rotations and reflections at inner sites; see
//! `descriptor/polar.rs`.
//!
//! One task takes one row of inner sites. Splines are prefiltered down the
//! columns once for the whole row of squares, since all have the same rows; then
//! sixteen squares side by side take off their means, prefilter along their rows
//! and are sampled. The columns are filtered in f64, before the means
//! are known, so that nothing is lost where a mean is large.

mod correlate;
mod square;

use std::ops::Range;

use multiversion::multiversion;
use ndarray::ArrayView2;

use super::inner::{InnerMaps, Phased};
use super::vector::{LANES, Line};
use crate::descriptor::inner::Inner;
use crate::descriptor::polar::Polar;
use correlate::Correlations;
pub(super) use square::{Squares, Strip, Taps};

/// What one family wants of the samples.
pub(super) enum Wanted<'a> {
    Rotation(&'a crate::descriptor::rotation::Family),
    Reflection(&'a crate::descriptor::reflection::Family),
}

/// Scores of the families that share the same samples.
pub(super) struct Kernel<'a> {
    image: ArrayView2<'a, f32>,
    polar: Polar,
    pub(super) inner: Inner,
    taps: Taps,
    correlations: Correlations,
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    strip: Strip,
    squares: Squares,
    /// `[ring][angle]`.
    samples: Vec<Line>,
    sums: Vec<Line>,
}

impl<'a> Kernel<'a> {
    pub(super) fn new(image: ArrayView2<'a, f32>, polar: Polar, inner: Inner) -> Self {
        let taps = Taps::new(&polar, [0.0; 2]);
        Self { image, polar, inner, taps, correlations: Correlations::new() }
    }

    /// Whether samples on `polar` at the sites of `inner` are what it makes.
    pub(super) fn samples(&self, polar: &Polar, inner: &Inner) -> bool {
        self.polar == *polar && self.inner == *inner
    }

    /// Adds the scores that a family wants, and gives their channels in the maps.
    pub(super) fn add(&mut self, wanted: &Wanted<'_>) -> Range<usize> {
        let first = self.correlations.channels();
        match wanted {
            Wanted::Rotation(family) => family
                .folds
                .iter()
                .for_each(|&fold| self.correlations.add_rotation(&family.rolls(fold))),
            Wanted::Reflection(family) => (0..family.axes)
                .for_each(|axis| self.correlations.add_reflection(family.turn(axis))),
        }
        first..self.correlations.channels()
    }

    /// Scores of all channels for `rows` of inner sites.
    pub(super) fn maps(&self, rows: Range<usize>) -> InnerMaps {
        let grid = &self.inner.grid;
        let top = grid.row(rows.start) - self.polar.radius;
        let bottom = grid.row(rows.end.max(1) - 1) + self.polar.radius + 1;
        let image = Phased::new(self.image, top..bottom, grid.stride);
        let channels = self.correlations.channels();
        InnerMaps::new(&self.inner, rows, channels, |row, scratch: &mut Scratch, out| {
            self.row(&image, row, scratch, out);
        })
    }

    /// Scores of one row of inner sites, `[channels][pitch]`.
    fn row(&self, image: &Phased, row: usize, scratch: &mut Scratch, out: &mut [f32]) {
        let grid = &self.inner.grid;
        let top = grid.row(row) - self.polar.radius;
        scratch.strip.fill(image, top, self.polar.side());
        let pitch = out.len() / self.correlations.channels();
        for first in (0..grid.count.cols).step_by(LANES) {
            group(self, image, first, scratch, &mut out[first..], pitch);
        }
    }

    /// Scores of sixteen inner sites from `first` on.
    #[inline(always)]
    fn score<const FUSED: bool>(
        &self,
        image: &Phased,
        first: usize,
        scratch: &mut Scratch,
        out: &mut [f32],
        pitch: usize,
    ) {
        let grid = &self.inner.grid;
        let Scratch { strip, squares, samples, sums } = scratch;
        let left = grid.col(first) - self.polar.radius;
        let alive = squares.load::<FUSED>(strip, image, left, self.polar.side());
        samples.resize(self.polar.len(), Line::default());
        squares.sample::<FUSED>(&self.taps, samples);
        sums.clear();
        sums.resize(self.correlations.sums(), Line::default());
        for ring in samples.chunks_exact(self.polar.angles) {
            self.correlations.add_ring::<FUSED>(ring, sums);
        }
        self.correlations.finish(sums, &alive, out, pitch);
    }
}

/// [`Kernel::score`] compiled for each instruction set; everything it calls is
/// inlined into it, so that it takes on the same.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512dq+avx512bw",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn group(
    kernel: &Kernel<'_>,
    image: &Phased,
    first: usize,
    scratch: &mut Scratch,
    out: &mut [f32],
    pitch: usize,
) {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq+avx512bw" => kernel.score::<true>(image, first, scratch, out, pitch),
        "x86_64+avx2+fma" => kernel.score::<true>(image, first, scratch, out, pitch),
        "aarch64+neon" => kernel.score::<true>(image, first, scratch, out, pitch),
        _ => kernel.score::<false>(image, first, scratch, out, pitch),
    }
}
