//! Host tables of an image, shared by all backends: norm maps in f64, tiles of
//! sites with their constants.

use std::ops::Range;

use multiversion::multiversion;
use ndarray::ArrayView2;
use num_traits::{AsPrimitive, Float};
use rayon::prelude::*;

use super::{FLAT_SHARE, Family};
use crate::sites::{Extent, SiteGrid, blocks};

/// Largest `|mu - c| max(|mu - c|, |mu|) / var` of patches that f32 is trusted
/// with: the first factor is what sums of products lose, the second what the
/// stored mean does. Keeps scores within 1e-5 of f64 (`tests/suite/precision.rs`).
pub(crate) const F32_CONDITION: f32 = 40.0;

/// A block of sites that is summed together, in site indices.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tile {
    /// First site row and column.
    pub(crate) first: Extent,
    /// Number of site rows and columns.
    pub(crate) count: Extent,
    /// Constant taken off every pixel before it is summed, in the image's
    /// standard deviations.
    pub(crate) centre: f32,
    /// Largest `|mu - c| max(|mu - c|, |mu|) / var` of its patches: how many
    /// times more digits than a balanced patch's f32 sums lose.
    pub(crate) condition: f32,
}

impl Tile {
    /// Whether f32 sums would lose too many digits here.
    pub(crate) fn ill_conditioned(&self) -> bool {
        self.condition > F32_CONDITION
    }
}

/// What both backends need of an image besides its pixels.
#[derive(Debug)]
pub(crate) struct Maps {
    pub(crate) norms: Norms,
    /// Tiles row by row; all tiles of a row of tiles share their site rows.
    pub(crate) tiles: Vec<Tile>,
}

impl Maps {
    /// Norm maps and tiles for the sites of `rows` (whole tiles) in `image`
    /// `[rows, cols]` (mean 0, variance 1).
    pub(crate) fn new(
        image: ArrayView2<'_, f32>,
        family: &Family,
        grid: &SiteGrid,
        rows: Range<usize>,
    ) -> Self {
        let margin = family.margin();
        let patches = grid.row(rows.start) - margin.rows
            ..grid.row(rows.end - 1) + family.window.rows - family.patch.rows + 1;
        let norms = Norms::new(image, family.patch, grid.stride, patches);
        let size = family.tile_size(grid.stride);
        let corners: Vec<_> = blocks(rows, size.rows)
            .flat_map(|r| blocks(0..grid.count.cols, size.cols).map(move |c| (r.clone(), c)))
            .collect();
        let tiles = corners
            .into_par_iter()
            .map(|(rows, cols)| {
                let first = Extent { rows: rows.start, cols: cols.start };
                let count = Extent { rows: rows.len(), cols: cols.len() };
                norms.tile(first, count, family, grid)
            })
            .collect();
        Self { norms, tiles }
    }
}

/// Mean and inverse norm of the patch around every pixel of some rows that can
/// hold one.
///
/// Stored by stride phase, `[pixel row][col mod stride][col / stride]`, so that
/// the sites of a row, and the sites displaced by any translation, read
/// neighbouring values.
#[derive(Debug)]
pub(crate) struct Norms<F = f32> {
    patch: Extent,
    stride: usize,
    /// First patch row: the map begins with patches whose top row this is.
    pub(crate) first_row: usize,
    /// Number of `col / stride` values, padded.
    pub(crate) pitch: usize,
    /// Number of patches in a row.
    cols: usize,
    /// Patch mean, in the image's standard deviations.
    pub(crate) mean: Vec<F>,
    /// `1 / sqrt(n var)`; 0 marks a flat patch.
    pub(crate) inverse: Vec<F>,
}

impl<F: Float + Send + 'static> Norms<F>
where
    f64: AsPrimitive<F>,
{
    /// Norm maps of `image` `[rows, cols]` (mean 0, variance 1) for patches whose
    /// top row is in `rows`.
    pub(crate) fn new(
        image: ArrayView2<'_, f32>,
        patch: Extent,
        stride: usize,
        rows: Range<usize>,
    ) -> Self {
        let full = patch.full();
        // Rows that one task sums. Running sums start afresh at its multiples,
        // whatever the threads and the rows asked for.
        let strip = 64.max(2 * full.rows);
        let first_row = rows.start - rows.start % strip;
        let cols = image.ncols() + 1 - full.cols;
        let pitch = cols.div_ceil(stride);
        let line = pitch * stride;
        let mut mean = vec![F::zero(); (rows.end - first_row) * line];
        let mut inverse = mean.clone();
        mean.par_chunks_mut(strip * line)
            .zip(inverse.par_chunks_mut(strip * line))
            .enumerate()
            .for_each(|(i, (mean, inverse))| {
                let mut sums = BoxSums::new(image, full, first_row + i * strip);
                for (mean, inverse) in mean.chunks_mut(line).zip(inverse.chunks_mut(line)) {
                    sums.next_row();
                    gather(&sums.mean, stride, pitch, mean);
                    gather(&sums.inverse, stride, pitch, inverse);
                }
            });
        Self { patch, stride, first_row, pitch, cols, mean, inverse }
    }
}

impl<F> Norms<F> {
    /// Values per pixel row.
    pub(crate) fn line(&self) -> usize {
        self.pitch * self.stride
    }

    /// Where the values of the patch centred on pixel (`row`, `col`) stand; those
    /// of `col + stride`, `col + 2 stride`, ... follow.
    pub(crate) fn index(&self, row: usize, col: usize) -> usize {
        let (row, col) = (row - self.patch.rows, col - self.patch.cols);
        (row - self.first_row) * self.line() + col % self.stride * self.pitch + col / self.stride
    }
}

impl Norms {
    /// The tile with its constant and condition. The constant is the mean of
    /// its patches' means; the condition looks at every patch that a site or a
    /// translated site may use.
    fn tile(&self, first: Extent, count: Extent, family: &Family, grid: &SiteGrid) -> Tile {
        let mut sum = 0.0;
        for i in first.rows..first.rows + count.rows {
            let at = self.index(grid.row(i), grid.col(first.cols));
            sum += self.mean[at..at + count.cols].iter().map(|&m| f64::from(m)).sum::<f64>();
        }
        let centre = (sum / count.area() as f64) as f32;
        let reach = |from: usize, count: usize, half: usize| {
            from - half..from + (count - 1) * grid.stride + half + 1
        };
        let top = grid.row(first.rows) - self.patch.rows - self.first_row;
        let left = grid.col(first.cols) - self.patch.cols;
        let rows = reach(top, count.rows, family.window.rows);
        let cols = reach(left, count.cols, family.window.cols);
        let cols = cols.start..cols.end.min(self.cols);
        let [offset, mean] = rows
            .map(|row| self.worst_conditions(row, cols.clone(), centre))
            .fold([0.0; 2], |a, b| [a[0].max(b[0]), a[1].max(b[1])]);
        let n = family.patch.full().area() as f32;
        Tile { first, count, centre, condition: offset * offset.max(mean) * n }
    }

    /// Largest `|mu - centre| / sqrt(n var)` and `|mu| / sqrt(n var)` over columns
    /// of one row. Whole phases are read: a few columns more do no harm.
    fn worst_conditions(&self, row: usize, cols: Range<usize>, centre: f32) -> [f32; 2] {
        let (from, to) = (cols.start / self.stride, cols.end.div_ceil(self.stride));
        let mut worst = [0.0_f32; 2];
        for phase in 0..self.stride {
            let at = row * self.line() + phase * self.pitch;
            let pairs = self.mean[at + from..at + to].iter().zip(&self.inverse[at + from..at + to]);
            for (&m, &r) in pairs {
                worst[0] = worst[0].max((m - centre).abs() * r);
                worst[1] = worst[1].max(m.abs() * r);
            }
        }
        worst
    }
}

/// Puts `values` of one row in the order of stride phases: `[phase][pitch]`.
fn gather<F: Float + 'static>(values: &[f64], stride: usize, pitch: usize, to: &mut [F])
where
    f64: AsPrimitive<F>,
{
    for (block, values) in values.chunks(stride).enumerate() {
        for (phase, &v) in values.iter().enumerate() {
            to[phase * pitch + block] = v.as_();
        }
    }
}

/// Mean and inverse norm of the patches of one pixel row after the other, from
/// running sums of pixels and squares over the patch's rows.
struct BoxSums<'a> {
    image: ArrayView2<'a, f32>,
    full: Extent,
    next: usize,
    fresh: bool,
    /// Per column, over the patch's rows.
    sum: Vec<f64>,
    squares: Vec<f64>,
    /// Sums over 1, 2, 4, ... columns and the next of them.
    doubled: Vec<f64>,
    spare: Vec<f64>,
    /// Per patch of the row: sums at first, results at last.
    mean: Vec<f64>,
    inverse: Vec<f64>,
}

impl<'a> BoxSums<'a> {
    fn new(image: ArrayView2<'a, f32>, full: Extent, first: usize) -> Self {
        let cols = || vec![0.0; image.ncols()];
        let patches = || vec![0.0; image.ncols() + 1 - full.cols];
        Self {
            image,
            full,
            next: first,
            fresh: true,
            sum: cols(),
            squares: cols(),
            doubled: cols(),
            spare: cols(),
            mean: patches(),
            inverse: patches(),
        }
    }

    /// Moves on to the patches whose first row is `next`.
    fn next_row(&mut self) {
        let last = self.next + self.full.rows - 1;
        if std::mem::take(&mut self.fresh) {
            (self.next..=last).for_each(|row| self.add(row, 1.0));
        } else {
            self.add(last, 1.0);
            self.add(self.next - 1, -1.0);
        }
        self.next += 1;
        let Self { sum, squares, doubled, spare, mean, inverse, .. } = self;
        windows(sum, self.full.cols, doubled, spare, mean);
        windows(squares, self.full.cols, doubled, spare, inverse);
        normalise(mean, inverse, self.full.area() as f64);
    }

    fn add(&mut self, row: usize, sign: f64) {
        for ((&v, sum), squares) in
            self.image.row(row).iter().zip(&mut self.sum).zip(&mut self.squares)
        {
            let v = f64::from(v);
            *sum += sign * v;
            *squares += sign * v * v;
        }
    }
}

/// Sums of `values` over windows of `length`, by doubling.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2", "aarch64+neon"))]
fn windows(
    values: &[f64],
    length: usize,
    doubled: &mut Vec<f64>,
    spare: &mut Vec<f64>,
    out: &mut [f64],
) {
    doubled.copy_from_slice(values);
    out.fill(0.0);
    let (mut span, mut offset) = (1, 0);
    while span <= length {
        if length & span != 0 {
            out.iter_mut().zip(&doubled[offset..]).for_each(|(sum, part)| *sum += part);
            offset += span;
        }
        for ((next, a), b) in spare.iter_mut().zip(doubled.iter()).zip(&doubled[span..]) {
            *next = a + b;
        }
        std::mem::swap(doubled, spare);
        span *= 2;
    }
}

/// From sums of pixels and squares to mean and inverse norm, 0 where flat.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2", "aarch64+neon"))]
fn normalise(mean: &mut [f64], inverse: &mut [f64], n: f64) {
    for (mean, inverse) in mean.iter_mut().zip(inverse) {
        *mean /= n;
        let variance = *inverse / n - *mean * *mean;
        let norm = 1.0 / (variance.max(FLAT_SHARE) * n).sqrt();
        *inverse = if variance < FLAT_SHARE { 0.0 } else { norm };
    }
}
