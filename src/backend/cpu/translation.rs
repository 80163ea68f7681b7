//! Local correlation map; twin of `shaders/translation.wgsl`.
//!
//! One task takes one tile of sites. Pixels are cut into blocks of one stride,
//! so that a patch is `whole` blocks and the first `rest` pixels of the next, on
//! either axis, and columns are stored by stride phase, so that neighbouring
//! sites read neighbouring values and every loop is a loop over sites:
//!
//! 1. the products of a block are summed in registers, for a few translations
//!    of equal rows at once: over all of it, over its first `rest` rows, over its
//!    first `rest` columns, and over the corner of both;
//! 2. running sums over `whole` blocks, plus the first rows of the next, give the
//!    sums over the patch's rows for each block of columns;
//! 3. blocks are summed to windows by doubling (1, 2, 4, ... blocks), which does
//!    not drift, plus the first columns of the next;
//! 4. the sum is normalised with the norm maps.
//!
//! Each product is formed once, and serves `t` and `-t` where the stride divides
//! `t`; the cost does not depend on the patch size.

mod bands;
mod passes;
mod sums;

use std::ops::Range;
use std::sync::Arc;

use multiversion::multiversion;
use ndarray::{ArrayView2, s};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::buffer_pool::{BufferPool, BufferPools};
use crate::descriptor::translation::{Balance, Family, Norms};
use crate::sites::{Extent, SiteGrid, Tile};
use passes::{GROUP, Pass, passes};
use sums::{LANES, Region, Sum, Sums};

/// Scores of one family of one image, tile by tile.
pub(super) struct Kernel<'a> {
    image: ArrayView2<'a, f32>,
    family: &'a Family,
    grid: &'a SiteGrid,
    groups: Vec<Vec<Pass>>,
    narrow: Arc<BufferPool<Buffers<f32>>>,
    wide: Arc<BufferPool<Buffers<f64>>>,
}

/// Buffers of one task, grown once and used again.
#[derive(Debug, Default)]
struct Buffers<F> {
    region: Region<F>,
    sums: Sums<F>,
    scores: Vec<f32>,
}

/// Norm maps with the place of a tile's first site in them.
struct Placed<'a, F> {
    norms: &'a Norms<F>,
    first: Extent,
}

/// A pass with the scores that it fills, `[sites of the tile]` each.
struct Filling<'s> {
    pass: Pass,
    own: &'s mut [f32],
    mirror: Option<&'s mut [f32]>,
}

impl<'a> Kernel<'a> {
    /// It has the first site at its family's own margin: sites that keep a larger one are
    /// those of the image without its edges.
    pub(super) fn new(
        image: ArrayView2<'a, f32>,
        family: &'a Family,
        grid: &'a SiteGrid,
        pools: &BufferPools,
    ) -> Self {
        let (own, shared) = (family.patch + family.window, grid.margin);
        let image = image.slice_move(s![shared.rows - own.rows.., shared.cols - own.cols..]);
        let groups = passes(&family.translations, grid.stride);
        Self { image, family, grid, groups, narrow: pools.of(), wide: pools.of() }
    }

    /// Writes the scores of `tile` into `scores`, one channel each `pitch` values,
    /// the sites of a channel row by row.
    pub(super) fn scores(
        &self,
        (tile, balance): &(Tile, Balance),
        norms: &Norms,
        scores: &mut [f32],
        pitch: usize,
    ) {
        let mut channels: Vec<Option<&mut [f32]>> =
            scores.chunks_mut(pitch).map(|c| Some(&mut c[..tile.count.area()])).collect();
        let mut take = |channel: usize| channels[channel].take().expect("one pass fills a channel");
        let mut filling = |&pass: &Pass| Filling {
            pass,
            own: take(pass.channel),
            mirror: pass.mirror.map(|m| take(m.channel)),
        };
        let work: Vec<Vec<Filling<'_>>> =
            self.groups.iter().map(|group| group.iter().map(&mut filling).collect()).collect();
        // What no pass fills is the identity.
        channels.into_iter().flatten().for_each(|channel| channel.fill(1.0));
        let job = Job { kernel: self, tile, centre: balance.centre };
        match balance.ill_conditioned() {
            true => job.run_wide(work),
            false => job.run_narrow(norms, work),
        }
    }
}

/// One tile.
struct Job<'a, 'i> {
    kernel: &'a Kernel<'i>,
    tile: &'a Tile,
    centre: f32,
}

impl Job<'_, '_> {
    /// Scores with sums in f32.
    fn run_narrow(&self, norms: &Norms, work: Vec<Vec<Filling<'_>>>) {
        let placed = Placed { norms, first: self.tile.first };
        let pool = &self.kernel.narrow;
        pool.with(|buffers| {
            copy_region_f32(self, &mut buffers.region);
            let region = &buffers.region;
            work.into_par_iter().for_each(|mut group| {
                pool.with(|Buffers { sums, scores, .. }| {
                    self.run(&placed, region, sums, scores, &mut group);
                });
            });
        });
    }

    /// Scores with sums and norms in f64.
    fn run_wide(&self, work: Vec<Vec<Filling<'_>>>) {
        let Kernel { image, family, grid, wide: pool, .. } = self.kernel;
        let (margin, stride, count) = (family.margin(), grid.stride, self.tile.count);
        let (rows, cols) = self.reach();
        let grid = SiteGrid { margin, stride, count };
        let norms = Norms::<f64>::new(image.slice(s![rows, cols]), family, &grid, 0..count.rows);
        let placed = Placed { norms: &norms, first: Extent::default() };
        pool.with(|buffers| {
            self.copy_region(&mut buffers.region);
            let region = &buffers.region;
            work.into_par_iter().for_each(|mut group| {
                pool.with(|Buffers { sums, scores, .. }| {
                    self.run(&placed, region, sums, scores, &mut group);
                });
            });
        });
    }

    /// Scores of a group.
    fn run<F: Sum>(
        &self,
        norms: &Placed<'_, F>,
        region: &Region<F>,
        sums: &mut Sums<F>,
        row: &mut Vec<f32>,
        group: &mut [Filling<'_>],
    ) {
        Arch::new().dispatch(Scoring { job: self, norms, region, sums, row, group });
    }

    /// Pixel rows and columns of the tile's patches and all their translations.
    fn reach(&self) -> (Range<usize>, Range<usize>) {
        let Kernel { family, grid, .. } = self.kernel;
        let (first, count, margin) = (self.tile.first, self.tile.count, family.margin());
        let along = |first: usize, count: usize, margin: usize| {
            first * grid.stride..(first + count - 1) * grid.stride + 2 * margin + 1
        };
        (along(first.rows, count.rows, margin.rows), along(first.cols, count.cols, margin.cols))
    }

    /// Blocks along a row for sites `cols` wide.
    fn blocks(&self, cols: usize) -> usize {
        let whole = self.kernel.family.patch.full().cols / self.kernel.grid.stride;
        (cols + whole).next_multiple_of(LANES)
    }

    /// Blocks of zeros on the left of the region.
    fn pad(&self) -> usize {
        self.kernel.family.window.cols.div_ceil(self.kernel.grid.stride)
    }

    /// Copies the pixels of the tile's patches and all their translations by
    /// stride phase; rows beyond the last patch and columns beyond are 0.
    #[inline(always)]
    fn copy_region<F: Sum>(&self, region: &mut Region<F>) {
        let Kernel { image, family, grid, groups, .. } = self.kernel;
        let stride = grid.stride;
        let beside = groups.iter().map(|g| left(g.iter()) + right(g.iter())).max().unwrap_or(0);
        // A translation starts up to two windows into the region, and before it
        // for sites next to the tile that others of its group need.
        let reach = (2 * family.window.cols).div_ceil(stride) + 1 + self.pad();
        let blocks = self.blocks(self.tile.count.cols + beside);
        region.pitch = (blocks + reach).next_multiple_of(LANES);
        // An odd number of cache lines, so that rows do not share few cache sets.
        region.line = ((stride * region.pitch / LANES) | 1) * LANES;
        let (rows, cols) = self.reach();
        region.values.clear();
        // The last block of the last site row may be computed beyond its patch.
        region.values.resize((rows.len() + stride) * region.line, F::zero());
        let pixels = image.slice(s![rows, cols]);
        let centre = F::from_f32(self.centre);
        for (line, pixels) in region.values.chunks_exact_mut(region.line).zip(pixels.rows()) {
            let pixels = pixels.to_slice().expect("rows of images are contiguous");
            let line = Phased { values: line, pitch: region.pitch, pad: self.pad() };
            match stride {
                1 => line.fill::<1>(pixels, centre),
                2 => line.fill::<2>(pixels, centre),
                3 => line.fill::<3>(pixels, centre),
                4 => line.fill::<4>(pixels, centre),
                5 => line.fill::<5>(pixels, centre),
                6 => line.fill::<6>(pixels, centre),
                8 => line.fill::<8>(pixels, centre),
                _ => line.fill_any(pixels, centre, stride),
            }
        }
    }

    /// Pearson scores of a row of sites from its sums of products: row `i` of
    /// those of the pass, which begin above the tile and to its left.
    #[inline(always)]
    fn normalise<F: Sum>(
        &self,
        i: usize,
        pass: &Pass,
        Placed { norms, first }: &Placed<'_, F>,
        total: &[F],
        scores: &mut [f32],
    ) {
        let before = |first: usize, more: usize| first as isize - more as isize;
        let here = norms.index(before(first.rows + i, pass.up()), before(first.cols, pass.left()));
        let there = here.wrapping_add_signed(norms.shift(&pass.t));
        let cols = scores.len();
        let n = F::from_f32(self.kernel.family.patch.full().area() as f32);
        let centre = F::from_f32(self.centre);
        let means = norms.mean[here..here + cols].iter().zip(&norms.mean[there..there + cols]);
        let inverses =
            norms.inverse[here..here + cols].iter().zip(&norms.inverse[there..there + cols]);
        for (((score, &sum), (&ma, &mb)), (&ra, &rb)) in
            scores.iter_mut().zip(total).zip(means).zip(inverses)
        {
            let rho = (sum - n * (ma - centre) * (mb - centre)) * (ra * rb);
            *score = rho.into_f32().clamp(-1.0, 1.0);
        }
    }

    /// Puts the scores of a row (see [`normalise`](Self::normalise)) where they
    /// belong: to the sites for `t`, to the sites displaced by `t` for `-t`.
    #[inline(always)]
    fn store(&self, i: usize, filling: &mut Filling<'_>, row: &[f32]) {
        let (Extent { rows, cols }, pass) = (self.tile.count, &filling.pass);
        let put = |scores: &mut [f32], i: usize, from: usize| {
            scores[i * cols..(i + 1) * cols].copy_from_slice(&row[from..from + cols]);
        };
        if i >= pass.up() {
            put(filling.own, i - pass.up(), pass.left());
        }
        if let Some(mirror) = &mut filling.mirror
            && i < rows
        {
            put(mirror, i, pass.right());
        }
    }
}

/// A group of passes over one tile, for each instruction set; everything it calls
/// is inlined into it, so that it takes on the same.
struct Scoring<'s, 'j, 'i, 'f, F> {
    job: &'s Job<'j, 'i>,
    norms: &'s Placed<'s, F>,
    region: &'s Region<F>,
    sums: &'s mut Sums<F>,
    row: &'s mut Vec<f32>,
    group: &'s mut [Filling<'f>],
}

impl<F: Sum> WithSimd for Scoring<'_, '_, '_, '_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.group.len() {
            1 => self.score::<S, 1>(simd),
            2 => self.score::<S, 2>(simd),
            _ => self.score::<S, GROUP>(simd),
        }
    }
}

impl<F: Sum> Scoring<'_, '_, '_, '_, F> {
    /// Scores of a group of `T` passes.
    #[inline(always)]
    fn score<S: Simd, const T: usize>(self, simd: S) {
        let Self { job, norms, region, sums, row, group } = self;
        let Kernel { family, grid, .. } = job.kernel;
        let (stride, window, count) = (grid.stride, family.window, job.tile.count);
        let shared = group[0].pass;
        let left = left(group.iter().map(|g| &g.pass));
        let cols = left + count.cols + right(group.iter().map(|g| &g.pass));
        let origin = (job.pad() - left) * stride + window.cols;
        let shifts = std::array::from_fn::<_, T, _>(|t| group[t].pass.t.cols as isize);
        sums.reset(stride, family.patch.full(), job.blocks(cols));
        sums.place(region, origin, &shifts);
        let whole = family.patch.full().rows / stride;
        for block in 0..count.rows + shared.up() + whole {
            let here = window.rows + block * stride - shared.up() * stride;
            let there = here.wrapping_add_signed(shared.t.rows as isize);
            sums.push::<S, T>(simd, block, region, (here * region.line, there * region.line));
            let Some(i) = block.checked_sub(whole) else { continue };
            for (t, filling) in group.iter_mut().enumerate() {
                // Those of its columns that this pass needs.
                let pass = filling.pass;
                let first = left - pass.left();
                row.resize(count.cols + pass.left() + pass.right(), 0.0);
                job.normalise(i, &pass, norms, &sums.windows(t)[first..], row);
                job.store(i, filling, row);
            }
        }
    }
}

/// A row of a region, `[stride phase][pitch]`, with `pad` blocks before the first.
struct Phased<'a, F> {
    values: &'a mut [F],
    pitch: usize,
    pad: usize,
}

impl<F: Sum> Phased<'_, F> {
    /// Puts a row of pixels in its place for a stride known to the compiler,
    /// which then moves whole vectors.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "phase is an index of each block of pixels")]
    fn fill<const STRIDE: usize>(self, pixels: &[f32], centre: F) {
        let (blocks, _) = pixels.as_chunks::<STRIDE>();
        let (vectors, _) = blocks.as_chunks::<LANES>();
        for (i, vector) in vectors.iter().enumerate() {
            for phase in 0..STRIDE {
                let at = phase * self.pitch + self.pad + i * LANES;
                let to: &mut [F; LANES] =
                    self.values[at..].first_chunk_mut().expect("rows end with whole vectors");
                *to = std::array::from_fn(|lane| F::from_f32(vector[lane][phase]) - centre);
            }
        }
        let done = vectors.len() * LANES;
        let rest = Phased { pad: self.pad + done, ..self };
        rest.fill_any(&pixels[done * STRIDE..], centre, STRIDE);
    }

    /// The same for any stride.
    fn fill_any(self, pixels: &[f32], centre: F, stride: usize) {
        for phase in 0..stride.min(pixels.len()) {
            let line = &mut self.values[phase * self.pitch + self.pad..];
            let pixels = pixels[phase..].iter().step_by(stride);
            line.iter_mut().zip(pixels).for_each(|(to, &v)| *to = F::from_f32(v) - centre);
        }
    }
}

fn left<'p>(group: impl Iterator<Item = &'p Pass>) -> usize {
    group.map(Pass::left).max().unwrap_or(0)
}

fn right<'p>(group: impl Iterator<Item = &'p Pass>) -> usize {
    group.map(Pass::right).max().unwrap_or(0)
}

/// [`Job::copy_region`] compiled for each instruction set.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw", "x86_64+avx2", "aarch64+neon"))]
fn copy_region_f32(job: &Job<'_, '_>, region: &mut Region<f32>) {
    job.copy_region(region);
}
