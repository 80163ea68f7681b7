//! Scores of glides at inner sites; see `descriptor/glide.rs`.
//!
//! One task takes one row of inner sites: it samples their own squares once and
//! keeps the samples, then those half a period away, glide by glide.

use std::ops::Range;
use std::sync::Arc;

use multiversion::multiversion;
use ndarray::ArrayView2;

use super::inner_sites::{InnerMaps, Phased};
use super::polar::{Squares, Strip, Taps};
use super::rank_pooling::Ranked;
use super::table_memory::{self, TableMemory};
use super::tile_kernel::{self, CpuFamily, Score, Setup};
use super::vector::{LANES, Line, Vector, fma, lanes};
use crate::descriptor::glide::Family;
use crate::plan::Plan;
use crate::sites::{Band, SiteGrid};

/// Glide scores of one family of one image.
struct Kernel<'a> {
    image: ArrayView2<'a, f32>,
    family: &'a Family,
    grid: &'a SiteGrid,
    /// Of the inner sites' own squares.
    taps: Taps,
    moves: Vec<Move>,
}

/// One direction of a glide.
struct Move {
    /// Its channel.
    channel: usize,
    /// Whole pixels, rows and columns.
    pixels: [isize; 2],
    /// Sample `j` changes places with this minus `j`.
    turn: usize,
    /// Of the squares there.
    taps: Taps,
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    strip: Strip,
    squares: Squares,
    /// Samples of all squares of the row, `[group][ring][angle]`.
    here: Vec<Line>,
    /// Their norms, 0 where flat.
    norms: Vec<Vector>,
    there: Vec<Line>,
}

impl CpuFamily for Family {
    fn kernel<'a>(&'a self, setup: &mut Setup<'a>) -> Arc<dyn tile_kernel::Kernel<'a> + 'a> {
        let source = setup.source(Kernel::new(setup, self));
        Ranked::kernel(setup, &self.inner, (source, 0..self.glides.len()), self.pool_top)
    }

    fn tables(&self, plan: &Plan, rows: usize) -> TableMemory {
        TableMemory::maps(plan, rows, &self.inner, self.glides.len())
    }

    fn work_per_site_row(&self, plan: &Plan) -> usize {
        table_memory::squares(plan, &self.inner, &self.polar) * (1 + 2 * self.glides.len())
    }
}

impl Score for Kernel<'_> {
    fn maps(&self, band: &Band) -> InnerMaps {
        self.rows(self.family.inner.rows_of(band, self.grid))
    }
}

impl<'a> Kernel<'a> {
    fn new(setup: &Setup<'a>, family: &'a Family) -> Self {
        let both = |(channel, glide): (usize, &crate::descriptor::glide::Glide)| {
            let turn = family.turn(glide);
            [true, false].map(|forwards| {
                let (pixels, rest) = glide.split(forwards);
                Move { channel, pixels, turn, taps: Taps::new(&family.polar, rest) }
            })
        };
        let moves = family.glides.iter().enumerate().flat_map(both).collect();
        let (image, grid) = (setup.image, setup.plan.sites().grid());
        Self { image, family, grid, taps: Taps::new(&family.polar, [0.0; 2]), moves }
    }

    /// Scores of all channels for `rows` of inner sites.
    fn rows(&self, rows: Range<usize>) -> InnerMaps {
        let grid = &self.family.inner.grid;
        let top = grid.row(rows.start) - grid.margin.rows;
        let bottom = grid.row(rows.end.max(1) - 1) + grid.margin.rows + 1;
        let image = Phased::new(self.image, top..bottom, grid.stride);
        let (inner, channels) = (&self.family.inner, self.family.glides.len());
        InnerMaps::new(inner, rows, channels, |row, scratch: &mut Scratch, out| {
            self.row(&image, grid.row(row) - self.family.polar.radius, scratch, out);
        })
    }

    /// Scores of the row of inner sites whose squares begin at pixel row `top`.
    fn row(&self, image: &Phased, top: usize, scratch: &mut Scratch, out: &mut [f32]) {
        let polar = &self.family.polar;
        let pitch = out.len() / self.family.glides.len();
        let groups = pitch / LANES;
        scratch.here.resize(groups * polar.len(), Line::default());
        scratch.there.resize(polar.len(), Line::default());
        scratch.norms.resize(groups, [0.0; LANES]);
        scratch.strip.fill(image, top, polar.side());
        (0..groups).for_each(|group| sample_own(self, image, group, scratch));
        out.fill(f32::NEG_INFINITY);
        for step in &self.moves {
            let top = top.wrapping_add_signed(step.pixels[0]);
            scratch.strip.fill(image, top, polar.side());
            for group in 0..groups {
                let out = &mut out[step.channel * pitch + group * LANES..][..LANES];
                score(self, image, step, group, scratch, out);
            }
        }
    }

    /// Left column of the first square of a group, `shift` columns further.
    fn left(&self, group: usize, shift: isize) -> usize {
        let col = self.family.inner.grid.col(group * LANES) - self.family.polar.radius;
        col.wrapping_add_signed(shift)
    }

    #[inline(always)]
    fn own<const FUSED: bool>(&self, image: &Phased, group: usize, scratch: &mut Scratch) {
        let polar = &self.family.polar;
        let left = self.left(group, 0);
        let alive = scratch.squares.load::<FUSED>(&scratch.strip, image, left, polar.side());
        let here = &mut scratch.here[group * polar.len()..(group + 1) * polar.len()];
        scratch.squares.sample::<FUSED>(&self.taps, here);
        scratch.norms[group] = norm::<FUSED>(here, &alive);
    }

    #[inline(always)]
    fn compare<const FUSED: bool>(
        &self,
        image: &Phased,
        step: &Move,
        group: usize,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let polar = &self.family.polar;
        let Scratch { strip, squares, here, norms, there } = scratch;
        let left = self.left(group, step.pixels[1]);
        let alive = squares.load::<FUSED>(strip, image, left, polar.side());
        squares.sample::<FUSED>(&step.taps, there);
        let norm = norm::<FUSED>(there, &alive);
        let here = &here[group * polar.len()..(group + 1) * polar.len()];
        let mut total = [0.0; LANES];
        let rings = here.chunks_exact(polar.angles).zip(there.chunks_exact(polar.angles));
        for (here, there) in rings {
            let mut sum = [0.0; LANES];
            let (first, rest) = there.split_at(step.turn + 1);
            let mirrored = first.iter().rev().chain(rest.iter().rev());
            for (a, b) in here.iter().zip(mirrored) {
                sum = lanes(|i| fma::<FUSED>(a[i], b[i], sum[i]));
            }
            total = lanes(|i| total[i] + sum[i]);
        }
        for (lane, out) in out.iter_mut().enumerate() {
            let norms = (norms[group][lane] * norm[lane]).sqrt();
            let score = if norms > 0.0 { (total[lane] / norms).clamp(-1.0, 1.0) } else { 0.0 };
            *out = out.max(score);
        }
    }
}

/// Sum of squares, 0 where a square is not `alive`.
#[inline(always)]
fn norm<const FUSED: bool>(samples: &[Line], alive: &Vector) -> Vector {
    let mut total = [0.0; LANES];
    for part in samples.chunks(64) {
        let mut sum = [0.0; LANES];
        for v in part {
            sum = lanes(|i| fma::<FUSED>(v[i], v[i], sum[i]));
        }
        total = lanes(|i| total[i] + sum[i]);
    }
    lanes(|i| total[i] * alive[i])
}

/// [`Kernel::own`] compiled for each instruction set.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512dq+avx512bw",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn sample_own(kernel: &Kernel<'_>, image: &Phased, group: usize, scratch: &mut Scratch) {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq+avx512bw" => kernel.own::<true>(image, group, scratch),
        "x86_64+avx2+fma" => kernel.own::<true>(image, group, scratch),
        "aarch64+neon" => kernel.own::<true>(image, group, scratch),
        _ => kernel.own::<false>(image, group, scratch),
    }
}

/// [`Kernel::compare`] compiled for each instruction set.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512dq+avx512bw",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn score(
    kernel: &Kernel<'_>,
    image: &Phased,
    step: &Move,
    group: usize,
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq+avx512bw" => kernel.compare::<true>(image, step, group, scratch, out),
        "x86_64+avx2+fma" => kernel.compare::<true>(image, step, group, scratch, out),
        "aarch64+neon" => kernel.compare::<true>(image, step, group, scratch, out),
        _ => kernel.compare::<false>(image, step, group, scratch, out),
    }
}
