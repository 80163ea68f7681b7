//! Norm maps: mean and inverse norm of the patches that sites and their
//! translations use, in f64.

use std::ops::Range;

use multiversion::multiversion;
use ndarray::ArrayView2;
use num_traits::{AsPrimitive, Float};
use rayon::prelude::*;

use super::{FLAT_SHARE, Family, Translation};
use crate::sites::{Extent, SiteGrid};

/// Mean and inverse norm of the patches of some rows of sites, and of the same
/// displaced by any translation.
///
/// A row or column is `block` strides and a `phase` from the first site's. Only
/// phases that some translation has are stored (that of the sites first), as
/// `[row block][row phase][col phase][col block]`: the sites of a row, and the
/// sites displaced by any translation, read neighbouring values, and the place
/// of a displaced site is that of the site plus [`shift`](Norms::shift).
#[derive(Debug)]
pub(crate) struct Norms<F = f32> {
    /// Row blocks before the first that is stored, counted from `-reach.rows`.
    before: usize,
    phases: Phases,
    /// Col blocks that are stored.
    pub(crate) pitch: usize,
    /// Patch mean, in the image's standard deviations.
    pub(crate) mean: Vec<F>,
    /// `1 / sqrt(n var)`; 0 marks a flat patch.
    pub(crate) inverse: Vec<F>,
}

/// Which places beside the sites are needed.
#[derive(Debug, Clone)]
struct Phases {
    stride: usize,
    /// Blocks that translations lead away from a site.
    reach: Extent,
    rows: Vec<usize>,
    cols: Vec<usize>,
}

impl Phases {
    fn new(family: &Family, stride: usize) -> Self {
        let of = |along: fn(&Translation) -> i32| {
            let own = family.translations.iter().map(|t| along(t).rem_euclid(stride as i32));
            let mut all: Vec<usize> = own.map(|phase| phase as usize).chain([0]).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let Extent { rows, cols } = family.window;
        let reach = Extent { rows: rows.div_ceil(stride), cols: cols.div_ceil(stride) };
        Self { stride, reach, rows: of(|t| t.rows), cols: of(|t| t.cols) }
    }

    /// Block and place in `stored` of a displacement.
    fn split(&self, displacement: i32, stored: &[usize]) -> (isize, usize) {
        let stride = self.stride as i32;
        let phase = displacement.rem_euclid(stride) as usize;
        let slot = stored.binary_search(&phase).expect("the phases are those of the translations");
        (displacement.div_euclid(stride) as isize, slot)
    }
}

impl<F: Float + Send + 'static> Norms<F>
where
    f64: AsPrimitive<F>,
{
    /// Norm maps of `image` `[rows, cols]` (mean 0, variance 1) for the sites of
    /// `rows`.
    pub(crate) fn new(
        image: ArrayView2<'_, f32>,
        family: &Family,
        grid: &SiteGrid,
        rows: Range<usize>,
    ) -> Self {
        let phases = Phases::new(family, grid.stride);
        let full = family.patch.full();
        // Row blocks that one task sums. Running sums start afresh at its
        // multiples, whatever the threads and the rows asked for.
        let strip = 64.max(2 * full.rows).div_ceil(grid.stride);
        let before = rows.start - rows.start % strip;
        let pitch = grid.count.cols + 2 * phases.reach.cols;
        let line = phases.rows.len() * phases.cols.len() * pitch;
        let blocks = rows.end + 2 * phases.reach.rows - before;
        let mut mean = vec![F::zero(); blocks * line];
        let mut inverse = mean.clone();
        mean.par_chunks_mut(strip * line)
            .zip(inverse.par_chunks_mut(strip * line))
            .enumerate()
            .for_each(|(i, (mean, inverse))| {
                let first = before + i * strip;
                let mut sums = BoxSums::new(image, full);
                let lines = mean.chunks_mut(line).zip(inverse.chunks_mut(line));
                for (block, (mean, inverse)) in lines.enumerate() {
                    let places = Places { family, grid, phases: &phases, pitch };
                    places.fill_block(first + block, &mut sums, mean, inverse);
                }
            });
        Self { before, phases, pitch, mean, inverse }
    }
}

/// Where the values of a block stand.
struct Places<'a> {
    family: &'a Family,
    grid: &'a SiteGrid,
    phases: &'a Phases,
    pitch: usize,
}

impl Places<'_> {
    /// Fills row block `block` (counted from `-reach`); patches that leave the
    /// image stay 0, since no site uses them.
    fn fill_block<F: Float + 'static>(
        &self,
        block: usize,
        sums: &mut BoxSums<'_>,
        mean: &mut [F],
        inverse: &mut [F],
    ) where
        f64: AsPrimitive<F>,
    {
        let Extent { rows: reach, .. } = self.phases.reach;
        let line = self.phases.cols.len() * self.pitch;
        for (slot, phase) in self.phases.rows.iter().enumerate() {
            let row = self.grid.row(block) + phase;
            let top = row.checked_sub(reach * self.grid.stride + self.family.patch.rows);
            let Some(top) = top.filter(|top| sums.move_to(*top)) else { continue };
            debug_assert_eq!(sums.top, Some(top));
            let to = slot * line..(slot + 1) * line;
            self.gather(&sums.mean, &mut mean[to.clone()]);
            self.gather(&sums.inverse, &mut inverse[to]);
        }
    }

    /// Picks the patches of all column phases from those of a whole row.
    fn gather<F: Float + 'static>(&self, row: &[f64], to: &mut [F])
    where
        f64: AsPrimitive<F>,
    {
        let stride = self.grid.stride;
        let start = self.phases.reach.cols * stride + self.family.patch.cols;
        for (to, phase) in to.chunks_mut(self.pitch).zip(&self.phases.cols) {
            // Left columns of the patches: `first + block * stride`.
            let first = self.grid.margin.cols + phase;
            let outside = start.saturating_sub(first).div_ceil(stride);
            let Some(to) = to.get_mut(outside..) else { continue };
            let left = first + outside * stride - start;
            let from = row.get(left..).unwrap_or_default().iter().step_by(stride);
            to.iter_mut().zip(from).for_each(|(to, v)| *to = v.as_());
        }
    }
}

impl<F> Norms<F> {
    /// Most values of each map for `rows` rows of sites, wherever they begin.
    pub(crate) fn most_values(family: &Family, grid: &SiteGrid, rows: usize) -> usize {
        let phases = Phases::new(family, grid.stride);
        let pitch = grid.count.cols + 2 * phases.reach.cols;
        phases.rows.len() * phases.cols.len() * pitch * (rows + 2 * phases.reach.rows)
    }

    /// Values per row block.
    pub(crate) fn line(&self) -> usize {
        self.phases.rows.len() * self.phases.cols.len() * self.pitch
    }

    /// Where the value of the site at row `i` and column `j` of the grid stands;
    /// those of the next columns follow. Sites may lie beyond the grid as far as
    /// translations lead.
    pub(crate) fn index(&self, i: isize, j: isize) -> usize {
        let reach = self.phases.reach;
        let row = i + reach.rows as isize - self.before as isize;
        (row * self.line() as isize + j + reach.cols as isize) as usize
    }

    /// How far the value of a site displaced by `t` stands from the site's.
    pub(crate) fn shift(&self, t: &Translation) -> isize {
        let phases = &self.phases;
        let (row, row_slot) = phases.split(t.rows, &phases.rows);
        let (col, col_slot) = phases.split(t.cols, &phases.cols);
        let slot = row_slot * phases.cols.len() + col_slot;
        row * self.line() as isize + (slot * self.pitch) as isize + col
    }

    /// All values that the sites of `rows` and `cols` may need, one slice per row
    /// block and pair of phases, as places in `mean` and `inverse`.
    pub(crate) fn around(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> impl Iterator<Item = Range<usize>> + '_ {
        let Extent { rows: up, cols: left } = self.phases.reach;
        let first =
            self.index(rows.start as isize - up as isize, cols.start as isize - left as isize);
        let count = cols.len() + 2 * left;
        (0..rows.len() + 2 * up).flat_map(move |block| {
            (0..self.line() / self.pitch).map(move |slot| {
                let at = first + block * self.line() + slot * self.pitch;
                at..at + count
            })
        })
    }
}

/// Mean and inverse norm of the patches of one pixel row after the other, from
/// running sums of pixels and squares over the patch's rows.
struct BoxSums<'a> {
    image: ArrayView2<'a, f32>,
    full: Extent,
    /// Top row of the patches that `mean` and `inverse` are of.
    top: Option<usize>,
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
    fn new(image: ArrayView2<'a, f32>, full: Extent) -> Self {
        let cols = || vec![0.0; image.ncols()];
        let patches = || vec![0.0; image.ncols() + 1 - full.cols];
        Self {
            image,
            full,
            top: None,
            sum: cols(),
            squares: cols(),
            doubled: cols(),
            spare: cols(),
            mean: patches(),
            inverse: patches(),
        }
    }

    /// Moves down to the patches whose top row is `top`; false where they leave
    /// the image.
    fn move_to(&mut self, top: usize) -> bool {
        let height = self.full.rows;
        if top + height > self.image.nrows() {
            return false;
        }
        match self.top {
            Some(before) if top - before < height => {
                self.add(before + height..top + height, before..top);
            }
            _ => {
                self.sum.fill(0.0);
                self.squares.fill(0.0);
                self.add(top..top + height, 0..0);
            }
        }
        self.top = Some(top);
        let Self { sum, squares, doubled, spare, mean, inverse, .. } = self;
        windows(sum, self.full.cols, doubled, spare, mean);
        windows(squares, self.full.cols, doubled, spare, inverse);
        normalise(mean, inverse, self.full.area() as f64);
        true
    }

    /// Adds the rows of `new` and takes off those of `old`.
    fn add(&mut self, new: Range<usize>, old: Range<usize>) {
        let image = self.image;
        let row = |row: usize| image.row(row).to_slice().expect("rows of images are contiguous");
        let lines = |rows: Range<usize>| rows.map(row).collect::<Vec<_>>();
        let (new, old) = (lines(new), lines(old));
        add_rows(&new, &old, &mut self.sum, &mut self.squares);
    }
}

/// Adds the rows of `new`, and their squares, and takes off those of `old`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2", "aarch64+neon"))]
fn add_rows(new: &[&[f32]], old: &[&[f32]], sum: &mut [f64], squares: &mut [f64]) {
    // So many columns at once that their sums stay in registers.
    const LANES: usize = 16;
    let chunks = sum.chunks_mut(LANES).zip(squares.chunks_mut(LANES));
    for (i, (sum, squares)) in chunks.enumerate() {
        let mut sums = [[0.0; LANES]; 2];
        sums[0][..sum.len()].copy_from_slice(sum);
        sums[1][..sum.len()].copy_from_slice(squares);
        let mut add = |row: &[f32], sign: f64| {
            let row = &row[i * LANES..];
            match row.first_chunk::<LANES>() {
                Some(values) => add_signed(values, sign, &mut sums),
                None => add_signed(row, sign, &mut sums),
            }
        };
        new.iter().for_each(|row| add(row, 1.0));
        old.iter().for_each(|row| add(row, -1.0));
        sum.copy_from_slice(&sums[0][..sum.len()]);
        squares.copy_from_slice(&sums[1][..squares.len()]);
    }
}

#[inline(always)]
fn add_signed<const N: usize>(values: &[f32], sign: f64, sums: &mut [[f64; N]; 2]) {
    let [sum, squares] = sums;
    for ((&v, sum), squares) in values.iter().zip(sum).zip(squares) {
        let wide = f64::from(v);
        *sum += sign * wide;
        *squares += sign * wide * wide;
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
