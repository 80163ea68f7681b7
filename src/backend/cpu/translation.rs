//! Local correlation map; twin of `shaders/translation.wgsl`.
//!
//! One task takes one tile of sites. Pixels are cut into blocks of one stride,
//! so that a patch is `whole` blocks and the first `rest` pixels of the next, on
//! either axis, and columns are stored by stride phase, so that neighbouring
//! sites read neighbouring values and every loop is a loop over sites:
//!
//! 1. products are summed over the rows of a block, for each column;
//! 2. a running sum over `whole` blocks, plus the first `rest` rows of the next,
//!    gives the sum over the patch's rows for each column;
//! 3. columns are summed to blocks, and blocks to windows by doubling
//!    (1, 2, 4, ... blocks), which does not drift;
//! 4. the sum is normalised with the norm maps.
//!
//! Each product is formed once; the cost does not depend on the patch size.

mod sums;

use std::ops::Range;

use multiversion::multiversion;
use ndarray::{Array2, ArrayView2, ArrayViewMut3, Axis, s};
use rayon::prelude::*;

use crate::descriptor::translation::{Family, Maps, Norms, Tile, Translation};
use crate::sites::{Band, Extent, SiteGrid};
use sums::{Cut, LANES, Layout, RowSums, Sum, Sums, position, sum_windows};

/// Fills `out` `[band rows, site cols, D]` for the sites of `band`.
pub(super) fn describe(
    image: ArrayView2<'_, f32>,
    family: &Family,
    grid: &SiteGrid,
    band: &Band,
    out: ArrayViewMut3<'_, f32>,
) {
    let maps = Maps::new(image, family, grid, band.rows.clone());
    let pieces = split(out, &maps.tiles);
    let job = Job { image, family, norms: &maps.norms, grid };
    maps.tiles.par_iter().zip(pieces).for_each_init(Scratch::default, |scratch, (tile, piece)| {
        transpose(job.scores(tile, scratch), tile.count.area(), piece);
    });
}

/// Writes `scores` `[D][sites]` into `piece` `[site rows, site cols, D]`.
fn transpose(scores: &[f32], sites: usize, mut piece: ArrayViewMut3<'_, f32>) {
    for (site, mut channels) in piece.lanes_mut(Axis(2)).into_iter().enumerate() {
        let of_site = scores[site..].iter().step_by(sites);
        channels.iter_mut().zip(of_site).for_each(|(channel, &score)| *channel = score);
    }
}

/// Descriptors of one tile in f64 sums, `[D, sites of the tile]`: what a GPU
/// backend puts in place of its own where f32 is not enough.
pub(crate) fn repair(
    image: ArrayView2<'_, f32>,
    family: &Family,
    norms: &Norms,
    grid: &SiteGrid,
    tile: &Tile,
) -> Array2<f32> {
    let job = Job { image, family, norms, grid };
    let mut scratch = Scratch::default();
    let scores = job.scores(tile, &mut scratch).to_vec();
    Array2::from_shape_vec((family.translations.len(), tile.count.area()), scores)
        .expect("one score per translation and site")
}

/// Cuts `out` into the views of `tiles`, which come row by row of tiles.
fn split<'a>(out: ArrayViewMut3<'a, f32>, tiles: &[Tile]) -> Vec<ArrayViewMut3<'a, f32>> {
    let mut pieces = Vec::with_capacity(tiles.len());
    let mut below = out;
    for row in tiles.chunk_by(|a, b| a.first.rows == b.first.rows) {
        let (mut right, rest) = below.split_at(Axis(0), row[0].count.rows);
        below = rest;
        for tile in row {
            let (piece, rest) = right.split_at(Axis(1), tile.count.cols);
            pieces.push(piece);
            right = rest;
        }
    }
    pieces
}

/// Buffers of one thread, grown once and used again.
#[derive(Default)]
struct Scratch {
    narrow: Sums<f32>,
    wide: Sums<f64>,
    scores: Vec<f32>,
}

struct Job<'a> {
    image: ArrayView2<'a, f32>,
    family: &'a Family,
    norms: &'a Norms,
    grid: &'a SiteGrid,
}

impl Job<'_> {
    /// Scores of `tile`, `[D][sites of the tile]`.
    fn scores<'s>(&self, tile: &Tile, scratch: &'s mut Scratch) -> &'s [f32] {
        scratch.scores.resize(self.family.translations.len() * tile.count.area(), 0.0);
        if tile.ill_conditioned() {
            let (rows, cols) = self.reach(tile);
            let first = Extent { rows: rows.start, cols: cols.start };
            let part = self.image.slice(s![rows, cols]);
            let patches = part.nrows() + 1 - self.family.patch.full().rows;
            let norms = Norms::<f64>::new(part, self.family.patch, self.grid.stride, 0..patches);
            self.score_tile(tile, &norms, first, &mut scratch.wide, &mut scratch.scores);
        } else {
            score_tile_f32(self, tile, &mut scratch.narrow, &mut scratch.scores);
        }
        &scratch.scores
    }

    /// Pixel rows and columns of the tile's patches and all their translations.
    fn reach(&self, tile: &Tile) -> (Range<usize>, Range<usize>) {
        let (margin, grid) = (self.family.margin(), self.grid);
        let along = |first: usize, count: usize, margin: usize| {
            first - margin..first + (count - 1) * grid.stride + margin + 1
        };
        (
            along(grid.row(tile.first.rows), tile.count.rows, margin.rows),
            along(grid.col(tile.first.cols), tile.count.cols, margin.cols),
        )
    }

    fn layout(&self, tile: &Tile) -> Layout {
        let (full, stride) = (self.family.patch.full(), self.grid.stride);
        let cut = |length: usize| Cut { whole: length / stride, rest: length % stride };
        let cols = cut(full.cols);
        let blocks = (tile.count.cols + cols.whole).next_multiple_of(LANES);
        // A translation starts up to two windows into the region.
        let pitch = blocks + (2 * self.family.window.cols).div_ceil(stride) + 1;
        Layout { rows: cut(full.rows), cols, blocks, pitch, line: pitch * stride }
    }

    /// Scores of `tile` with `norms` that begin at pixel `origin`.
    #[inline(always)]
    fn score_tile<F: Sum>(
        &self,
        tile: &Tile,
        norms: &Norms<F>,
        origin: Extent,
        sums: &mut Sums<F>,
        scores: &mut [f32],
    ) {
        let layout = self.layout(tile);
        self.copy_region(tile, &layout, &mut sums.region);
        sums.resize(&layout, self.grid.stride);
        for (t, scores) in self.family.translations.iter().zip(scores.chunks_mut(tile.count.area()))
        {
            if t.rows == 0 && t.cols == 0 {
                scores.fill(1.0);
                continue;
            }
            sums.running.fill(F::zero());
            let Cut { whole, .. } = layout.rows;
            for block in 0..tile.count.rows + whole {
                self.sum_block(block, t, &layout, sums);
                if block >= whole {
                    let i = block - whole;
                    let scores = &mut scores[i * tile.count.cols..(i + 1) * tile.count.cols];
                    sum_windows(&layout, self.grid.stride, sums);
                    self.normalise(tile, i, t, (norms, origin), &sums.total, scores);
                }
                sums.slide(block, whole);
            }
        }
    }

    /// Copies the tile's patches and all their translations by stride phase; rows
    /// beyond the last patch and columns beyond the image are 0.
    #[inline(always)]
    fn copy_region<F: Sum>(&self, tile: &Tile, layout: &Layout, region: &mut Vec<F>) {
        let (rows, cols) = self.reach(tile);
        let stride = self.grid.stride;
        let centre = F::from_f32(tile.centre);
        region.clear();
        // The last block of the last site row may be computed beyond its patch.
        region.resize((rows.len() + stride) * layout.line, F::zero());
        let pixels = self.image.slice(s![rows, cols]);
        for (line, pixels) in region.chunks_exact_mut(layout.line).zip(pixels.rows()) {
            let mut pixels = pixels.iter();
            for block in 0..layout.pitch {
                for (phase, &v) in pixels.by_ref().take(stride).enumerate() {
                    line[phase * layout.pitch + block] = F::from_f32(v) - centre;
                }
            }
        }
    }

    /// Sums of products over the rows of `block`: all of them, and the first.
    #[inline(always)]
    fn sum_block<F: Sum>(
        &self,
        block: usize,
        t: &Translation,
        layout: &Layout,
        sums: &mut Sums<F>,
    ) {
        let Sums { region, partial, newest, .. } = sums;
        let (stride, window) = (self.grid.stride, self.family.window);
        let shift_cols = (window.cols as i64 + i64::from(t.cols)) as usize;
        let first = window.rows + block * stride;
        let rest = layout.rows.rest;
        let rows = if layout.rows.whole == 0 { rest } else { stride };
        for phase in 0..stride {
            let here = first * layout.line + position(window.cols + phase, stride, layout.pitch);
            let there = first.wrapping_add_signed(t.rows as isize) * layout.line
                + position(shift_cols + phase, stride, layout.pitch);
            let (a, b) = (&region[here..], &region[there..]);
            let to = phase * layout.blocks..(phase + 1) * layout.blocks;
            let (partial, newest) = (&mut partial[to.clone()], &mut newest[to]);
            let rows = RowSums { rest, rows, line: layout.line };
            // As many vectors at once as registers hold, and then the others.
            let mut done = 0;
            while layout.blocks - done >= 4 * LANES {
                rows.sum::<F, 4>(a, b, done, partial, newest);
                done += 4 * LANES;
            }
            while layout.blocks - done >= 2 * LANES {
                rows.sum::<F, 2>(a, b, done, partial, newest);
                done += 2 * LANES;
            }
            while done < layout.blocks {
                rows.sum::<F, 1>(a, b, done, partial, newest);
                done += LANES;
            }
        }
    }

    /// Pearson scores of site row `i` of the tile from its sums of products.
    #[inline(always)]
    fn normalise<F: Sum>(
        &self,
        tile: &Tile,
        i: usize,
        t: &Translation,
        (norms, origin): (&Norms<F>, Extent),
        total: &[F],
        scores: &mut [f32],
    ) {
        let cols = tile.count.cols;
        let row = self.grid.row(tile.first.rows + i) - origin.rows;
        let col = self.grid.col(tile.first.cols) - origin.cols;
        let at = norms.index(row, col);
        let shifted = norms.index(
            row.wrapping_add_signed(t.rows as isize),
            col.wrapping_add_signed(t.cols as isize),
        );
        let n = F::from_f32(self.family.patch.full().area() as f32);
        let centre = F::from_f32(tile.centre);
        let (here, there) = (at..at + cols, shifted..shifted + cols);
        let means = norms.mean[here.clone()].iter().zip(&norms.mean[there.clone()]);
        let inverses = norms.inverse[here].iter().zip(&norms.inverse[there]);
        for (((score, &sum), (&ma, &mb)), (&ra, &rb)) in
            scores.iter_mut().zip(total).zip(means).zip(inverses)
        {
            let rho = (sum - n * (ma - centre) * (mb - centre)) * ra * rb;
            *score = rho.into_f32().clamp(-1.0, 1.0);
        }
    }
}

/// The kernel compiled for each instruction set; everything it calls is inlined
/// into it, so that it takes on the same.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512dq+avx512bw",
    "x86_64+avx2",
    "aarch64+neon"
))]
fn score_tile_f32(job: &Job<'_>, tile: &Tile, sums: &mut Sums<f32>, scores: &mut [f32]) {
    job.score_tile(tile, job.norms, Extent::default(), sums, scores);
}
