//! Local correlation map; twin of `shaders/translation.wgsl`.
//!
//! One task takes one tile of sites. For each translation it keeps, for every
//! column, the running sum of products over the patch's rows; each site row
//! adds the rows that come in and takes off those that leave. Windows along the
//! row are then summed by doubling (1, 2, 4, ... columns), which does not drift
//! and vectorises. The cost does not depend on the patch size.

use std::ops::Range;

use multiversion::multiversion;
use ndarray::{Array2, ArrayView2, ArrayViewMut3, Axis, s};
use num_traits::Float;
use rayon::prelude::*;

use crate::descriptor::translation::{Family, Maps, Norms, Tile, Translation};
use crate::sites::{Band, Extent, SiteGrid};

/// Fills `out` `[band rows, site cols, D]` for the sites of `band`.
pub(super) fn describe(
    image: ArrayView2<'_, f32>,
    family: &Family,
    maps: &Maps,
    grid: &SiteGrid,
    band: &Band,
    out: ArrayViewMut3<'_, f32>,
) {
    let tiles: Vec<&Tile> = maps.tiles_in(band.rows.clone()).collect();
    let pieces = split(out, &tiles);
    let job = Job { image, family, norms: &maps.norms, grid };
    tiles.into_par_iter().zip(pieces).for_each_init(
        Scratch::default,
        |scratch, (tile, mut piece)| {
            let scores = job.scores(tile, scratch);
            let sites = tile.count.area();
            for (site, mut channels) in piece.lanes_mut(Axis(2)).into_iter().enumerate() {
                for (t, channel) in channels.iter_mut().enumerate() {
                    *channel = scores[t * sites + site];
                }
            }
        },
    );
}

/// Descriptors of one tile in f64 sums, `[D, sites of the tile]`: what a GPU
/// backend puts in place of its own where f32 is not enough.
pub(crate) fn repair(
    image: ArrayView2<'_, f32>,
    family: &Family,
    maps: &Maps,
    grid: &SiteGrid,
    tile: &Tile,
) -> Array2<f32> {
    let job = Job { image, family, norms: &maps.norms, grid };
    let mut scratch = Scratch::default();
    let scores = job.scores(tile, &mut scratch).to_vec();
    Array2::from_shape_vec((family.translations.len(), tile.count.area()), scores)
        .expect("one score per translation and site")
}

/// Cuts `out` into the views of `tiles`, which come row by row of tiles.
fn split<'a>(out: ArrayViewMut3<'a, f32>, tiles: &[&Tile]) -> Vec<ArrayViewMut3<'a, f32>> {
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

/// Buffers for sums of one precision.
#[derive(Default)]
struct Sums<F> {
    /// The tile's pixels minus its constant, row by row.
    region: Vec<F>,
    /// Running sum of products per column.
    columns: Vec<F>,
    /// Sums over 1, 2, 4, ... columns and the next of them.
    doubled: Vec<F>,
    spare: Vec<F>,
    /// Sums over the whole patch.
    total: Vec<F>,
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
            let norms = Norms::<f64>::new(
                self.image.slice(s![rows, cols]),
                self.family.patch,
                self.grid.stride,
            );
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
        let full = self.family.patch.full();
        let span = (tile.count.cols - 1) * self.grid.stride + full.cols;
        let width = self.copy_region(tile, &mut sums.region);
        for buffer in [&mut sums.columns, &mut sums.doubled, &mut sums.spare, &mut sums.total] {
            buffer.resize(span, F::zero());
        }
        for (t, scores) in self.family.translations.iter().zip(scores.chunks_mut(tile.count.area()))
        {
            if t.rows == 0 && t.cols == 0 {
                scores.fill(1.0);
                continue;
            }
            for (i, scores) in scores.chunks_mut(tile.count.cols).enumerate() {
                self.slide_down(i, t, width, sums);
                sum_windows(sums, full.cols);
                self.normalise(tile, i, t, (norms, origin), &sums.total, scores);
            }
        }
    }

    /// Copies the tile's patches and all their translations; gives the row length.
    #[inline(always)]
    fn copy_region<F: Sum>(&self, tile: &Tile, region: &mut Vec<F>) -> usize {
        let (rows, cols) = self.reach(tile);
        let width = cols.len();
        let pixels = self.image.slice(s![rows, cols]);
        let centre = F::from_f32(tile.centre);
        region.clear();
        for row in pixels.rows() {
            region.extend(row.iter().map(|&v| F::from_f32(v) - centre));
        }
        width
    }

    /// Moves the column sums of products to site row `i` of the tile.
    #[inline(always)]
    fn slide_down<F: Sum>(&self, i: usize, t: &Translation, width: usize, sums: &mut Sums<F>) {
        let Sums { region, columns, .. } = sums;
        let (stride, height) = (self.grid.stride, self.family.patch.full().rows);
        let window = self.family.window;
        let length = columns.len();
        let lines = |row: usize| {
            let at = (window.rows + row) * width + window.cols;
            let shifted =
                at.wrapping_add_signed(t.rows as isize * width as isize + t.cols as isize);
            (&region[at..at + length], &region[shifted..shifted + length])
        };
        let top = i * stride;
        if i == 0 || stride >= height {
            columns.fill(F::zero());
            for row in top..top + height {
                let (a, b) = lines(row);
                for ((sum, &a), &b) in columns.iter_mut().zip(a).zip(b) {
                    *sum = *sum + a * b;
                }
            }
        } else {
            for row in top - stride..top {
                let ((a, b), (c, d)) = (lines(row + height), lines(row));
                for ((((sum, &a), &b), &c), &d) in columns.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    *sum = *sum + (a * b - c * d);
                }
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
        let sums = total.iter().step_by(self.grid.stride);
        for (((score, &sum), (&ma, &mb)), (&ra, &rb)) in
            scores.iter_mut().zip(sums).zip(means).zip(inverses)
        {
            let rho = (sum - n * (ma - centre) * (mb - centre)) * ra * rb;
            *score = rho.into_f32().clamp(-1.0, 1.0);
        }
    }
}

/// Sums over windows of `length` columns, by doubling.
#[inline(always)]
fn sum_windows<F: Sum>(sums: &mut Sums<F>, length: usize) {
    let Sums { columns, doubled, spare, total, .. } = sums;
    let count = columns.len() + 1 - length;
    doubled.copy_from_slice(columns);
    total[..count].fill(F::zero());
    let (mut span, mut offset) = (1, 0);
    loop {
        if length & span != 0 {
            for (sum, &part) in total[..count].iter_mut().zip(&doubled[offset..]) {
                *sum = *sum + part;
            }
            offset += span;
        }
        if 2 * span > length {
            return;
        }
        for ((next, &a), &b) in spare.iter_mut().zip(doubled.iter()).zip(&doubled[span..]) {
            *next = a + b;
        }
        std::mem::swap(doubled, spare);
        span *= 2;
    }
}

/// A precision for sums.
trait Sum: Float + Send + Sync {
    fn from_f32(v: f32) -> Self;
    fn into_f32(self) -> f32;
}

impl Sum for f32 {
    fn from_f32(v: f32) -> Self {
        v
    }

    fn into_f32(self) -> f32 {
        self
    }
}

impl Sum for f64 {
    fn from_f32(v: f32) -> Self {
        v.into()
    }

    fn into_f32(self) -> f32 {
        self as f32
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
