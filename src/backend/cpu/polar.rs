//! Scores of rotations and reflections at inner sites; see
//! `descriptor/polar.rs`.
//!
//! One task takes one row of inner sites. Splines are prefiltered down the
//! columns once for the whole row of squares, since all have the same rows; then
//! sixteen squares side by side take off their means, prefilter along their rows
//! and are sampled. The columns are filtered in f64, before the means
//! are known, so that nothing is lost where a mean is large.

mod correlate;
mod spline_square;

use std::ops::Range;

use multiversion::multiversion;
use ndarray::ArrayView2;

use super::inner_sites::{InnerMaps, Phased};
use super::tile_kernel::{Score, Setup};
use super::vector::{LANES, Line};
use crate::descriptor::Family;
use crate::descriptor::inner_sites::InnerSites;
use crate::descriptor::polar::{Polar, PolarScores, SharedScores};
use crate::sites::{Band, SiteGrid};
use correlate::Correlations;
pub(super) use spline_square::{Squares, Strip, Taps};

/// Scores of the families that share the same samples.
struct Kernel<'a> {
    image: ArrayView2<'a, f32>,
    grid: &'a SiteGrid,
    polar: Polar,
    inner: InnerSites,
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

/// The source of the scores of the family whose kernel is being made, and its channels
/// there; families with the same samples share one.
pub(super) fn source(setup: &mut Setup<'_>) -> (usize, Range<usize>) {
    let own = setup.family;
    if !setup.shared.iter().any(|(of, ..)| *of == own)
        && let Some(all) =
            SharedScores::with(setup.plan.families().iter().map(Family::polar_scores), own)
    {
        let source = setup.source(Kernel::new(setup, &all.of));
        setup.shared.extend(all.channels.into_iter().map(|(of, range)| (of, source, range)));
    }
    let found = setup.shared.iter().find(|(of, ..)| *of == own);
    let (_, source, channels) = found.expect("only families with polar scores ask for a source");
    (*source, channels.clone())
}

impl Score for Kernel<'_> {
    fn maps(&self, band: &Band) -> InnerMaps {
        self.rows(self.inner.rows_of(band, self.grid))
    }
}

impl<'a> Kernel<'a> {
    fn new(setup: &Setup<'a>, of: &PolarScores<'_>) -> Self {
        let (polar, inner) = (*of.polar, *of.inner);
        let (image, grid) = (setup.image, setup.plan.sites().grid());
        let (taps, correlations) = (Taps::new(&polar, [0.0; 2]), Correlations::new(&of.scores));
        Self { image, grid, polar, inner, taps, correlations }
    }

    /// Scores of all channels for `rows` of inner sites.
    fn rows(&self, rows: Range<usize>) -> InnerMaps {
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
