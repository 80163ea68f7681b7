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

mod passes;
mod sums;

use multiversion::multiversion;
use ndarray::{ArrayView2, s};

use crate::descriptor::translation::{Balance, Family, Norms};
use crate::sites::{Extent, SiteGrid, Tile};
use passes::{GROUP, Pass, passes};
use sums::{Cut, LANES, Region, Sum, Sums};

/// Scores of one family of one image, tile by tile.
pub(super) struct Kernel<'a> {
    image: ArrayView2<'a, f32>,
    family: &'a Family,
    grid: &'a SiteGrid,
    groups: Vec<Vec<Pass>>,
}

/// Buffers of one thread, grown once and used again.
#[derive(Default)]
pub(super) struct Scratch {
    narrow: Buffers<f32>,
    wide: Buffers<f64>,
}

#[derive(Default)]
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

impl<'a> Kernel<'a> {
    pub(super) fn new(image: ArrayView2<'a, f32>, family: &'a Family, grid: &'a SiteGrid) -> Self {
        let groups = passes(&family.translations, grid.stride);
        Self { image, family, grid, groups }
    }

    /// Writes the scores of `tile` into `scores`, one channel each `pitch` values,
    /// the sites of a channel row by row.
    pub(super) fn scores(
        &self,
        (tile, balance): &(Tile, Balance),
        norms: &Norms,
        scratch: &mut Scratch,
        scores: &mut [f32],
        pitch: usize,
    ) {
        let identity = |t: &crate::descriptor::Translation| t.rows == 0 && t.cols == 0;
        for (t, channel) in self.family.translations.iter().zip(scores.chunks_mut(pitch)) {
            if identity(t) {
                channel[..tile.count.area()].fill(1.0);
            }
        }
        let job = Job { kernel: self, tile, centre: balance.centre, pitch };
        if balance.ill_conditioned() {
            let (first, count) = (tile.first, tile.count);
            let (margin, stride) = (self.family.margin(), self.grid.stride);
            let (top, left) = (first.rows * stride, first.cols * stride);
            let part = self.image.slice(s![
                top..top + (count.rows - 1) * stride + 2 * margin.rows + 1,
                left..left + (count.cols - 1) * stride + 2 * margin.cols + 1
            ]);
            let grid = SiteGrid { margin, stride, count };
            let norms = Norms::<f64>::new(part, self.family, &grid, 0..count.rows);
            let placed = Placed { norms: &norms, first: Extent::default() };
            job.run::<f64, false>(&placed, &mut scratch.wide, scores);
        } else {
            let placed = Placed { norms, first: tile.first };
            run_f32(&job, &placed, &mut scratch.narrow, scores);
        }
    }
}

/// One tile.
struct Job<'a, 'i> {
    kernel: &'a Kernel<'i>,
    tile: &'a Tile,
    centre: f32,
    pitch: usize,
}

impl Job<'_, '_> {
    /// Scores with sums of type `F`.
    #[inline(always)]
    fn run<F: Sum, const FUSED: bool>(
        &self,
        norms: &Placed<'_, F>,
        buffers: &mut Buffers<F>,
        scores: &mut [f32],
    ) {
        let Kernel { family, grid, groups, .. } = self.kernel;
        let (stride, full) = (grid.stride, family.patch.full());
        buffers.sums.stride = stride;
        buffers.sums.rows = Some(Cut::new(full.rows, stride));
        buffers.sums.cols = Some(Cut::new(full.cols, stride));
        self.copy_region(&mut buffers.region);
        for group in groups {
            match group.len() {
                1 => self.score::<F, 1, FUSED>(group, norms, buffers, scores),
                2 => self.score::<F, 2, FUSED>(group, norms, buffers, scores),
                _ => self.score::<F, GROUP, FUSED>(group, norms, buffers, scores),
            }
        }
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
        let Kernel { image, family, grid, groups } = self.kernel;
        let (stride, margin, window) = (grid.stride, family.margin(), family.window);
        let (first, count) = (self.tile.first, self.tile.count);
        let beside = groups.iter().map(|g| left(g) + right(g)).max().unwrap_or(0);
        // A translation starts up to two windows into the region, and before it
        // for sites beside the tile that others of its group need.
        let reach = (2 * window.cols).div_ceil(stride) + 1 + self.pad();
        region.pitch = (self.blocks(count.cols + beside) + reach).next_multiple_of(LANES);
        // An odd number of cache lines, so that rows do not share few cache sets.
        region.line = ((stride * region.pitch / LANES) | 1) * LANES;
        let rows = (count.rows - 1) * stride + 2 * margin.rows + 1;
        region.values.clear();
        // The last block of the last site row may be computed beyond its patch.
        region.values.resize((rows + stride) * region.line, F::zero());
        let width = (count.cols - 1) * stride + 2 * margin.cols + 1;
        let (top, left) = (first.rows * stride, first.cols * stride);
        let pixels = image.slice(s![top..top + rows, left..left + width]);
        let centre = F::from_f32(self.centre);
        for (line, pixels) in region.values.chunks_exact_mut(region.line).zip(pixels.rows()) {
            let pixels = pixels.to_slice().expect("rows of images are contiguous");
            for (phase, line) in line.chunks_mut(region.pitch).take(stride).enumerate() {
                let pixels = pixels[phase.min(pixels.len())..].iter().step_by(stride);
                let line = line[self.pad()..].iter_mut().zip(pixels);
                line.for_each(|(to, &v)| *to = F::from_f32(v) - centre);
            }
        }
    }

    /// Scores of a group of `T` passes.
    #[inline(always)]
    fn score<F: Sum, const T: usize, const FUSED: bool>(
        &self,
        group: &[Pass],
        norms: &Placed<'_, F>,
        buffers: &mut Buffers<F>,
        scores: &mut [f32],
    ) {
        let Kernel { family, grid, .. } = self.kernel;
        let Buffers { region, sums, scores: row } = buffers;
        let (stride, window, count) = (grid.stride, family.window, self.tile.count);
        let (up, left) = (group[0].up(), left(group));
        let cols = left + count.cols + right(group);
        let origin = (self.pad() - left) * stride + window.cols;
        let offset = |col: usize| col % stride * region.pitch + col / stride;
        sums.here = (0..stride).map(|phase| offset(origin + phase)).collect();
        for (there, pass) in sums.there.iter_mut().zip(group) {
            let origin = origin.wrapping_add_signed(pass.t.cols as isize);
            *there = (0..stride).map(|phase| offset(origin + phase)).collect();
        }
        sums.reset(self.blocks(cols));
        let whole = family.patch.full().rows / stride;
        for block in 0..count.rows + up + whole {
            let here = window.rows + block * stride - up * stride;
            let there = here.wrapping_add_signed(group[0].t.rows as isize);
            sums.push::<T, FUSED>(block, region, (here * region.line, there * region.line));
            let Some(i) = block.checked_sub(whole) else { continue };
            for (t, pass) in group.iter().enumerate() {
                // Those of its columns that this pass needs.
                let first = left - pass.left();
                row.resize(count.cols + pass.left() + pass.right(), 0.0);
                self.normalise(i, pass, norms, &sums.windows(t)[first..], row);
                self.store(i, pass, row, scores);
            }
        }
    }

    /// Pearson scores of a row of sites from its sums of products: row `i` of
    /// those of the pass, which begin above and beside the tile.
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
    fn store(&self, i: usize, pass: &Pass, row: &[f32], scores: &mut [f32]) {
        let Extent { rows, cols } = self.tile.count;
        let mut put = |channel: usize, i: usize, from: usize| {
            let to = channel * self.pitch + i * cols;
            scores[to..to + cols].copy_from_slice(&row[from..from + cols]);
        };
        if i >= pass.up() {
            put(pass.channel, i - pass.up(), pass.left());
        }
        if let Some(mirror) = pass.mirror
            && i < rows
        {
            put(mirror.channel, i, pass.right());
        }
    }
}

fn left(group: &[Pass]) -> usize {
    group.iter().map(Pass::left).max().unwrap_or(0)
}

fn right(group: &[Pass]) -> usize {
    group.iter().map(Pass::right).max().unwrap_or(0)
}

/// The kernel compiled for each instruction set; everything it calls is inlined
/// into it, so that it takes on the same.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512dq+avx512bw",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn run_f32(
    job: &Job<'_, '_>,
    norms: &Placed<'_, f32>,
    buffers: &mut Buffers<f32>,
    scores: &mut [f32],
) {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq+avx512bw" => job.run::<f32, true>(norms, buffers, scores),
        "x86_64+avx2+fma" => job.run::<f32, true>(norms, buffers, scores),
        "aarch64+neon" => job.run::<f32, true>(norms, buffers, scores),
        _ => job.run::<f32, false>(norms, buffers, scores),
    }
}
