//! Norm maps: mean and inverse norm of the patches that sites and their
//! translations use, in f64.

use std::ops::Range;

use multiversion::multiversion;
use ndarray::ArrayView2;
use num_traits::Float;
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

/// Which places in addition to the sites are needed.
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

impl<F: Precision> Norms<F> {
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
    fn fill_block<F: Precision>(
        &self,
        block: usize,
        sums: &mut BoxSums<'_, F>,
        mean: &mut [F],
        inverse: &mut [F],
    ) {
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
    fn gather<F: Precision>(&self, row: &[F], to: &mut [F]) {
        let stride = self.grid.stride;
        let start = self.phases.reach.cols * stride + self.family.patch.cols;
        for (to, phase) in to.chunks_mut(self.pitch).zip(&self.phases.cols) {
            // Left columns of the patches: `first + block * stride`.
            let first = self.grid.margin.cols + phase;
            let outside = start.saturating_sub(first).div_ceil(stride);
            let Some(to) = to.get_mut(outside..) else { continue };
            let left = first + outside * stride - start;
            let from = row.get(left..).unwrap_or_default().iter().step_by(stride);
            to.iter_mut().zip(from).for_each(|(to, &v)| *to = v);
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
struct BoxSums<'a, F> {
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
    /// Per patch of the row: sums of pixels and of squares.
    sums: [Vec<f64>; 2],
    mean: Vec<F>,
    inverse: Vec<F>,
}

impl<'a, F: Precision> BoxSums<'a, F> {
    fn new(image: ArrayView2<'a, f32>, full: Extent) -> Self {
        let cols = || vec![0.0; image.ncols()];
        let patches = image.ncols() + 1 - full.cols;
        Self {
            image,
            full,
            top: None,
            sum: cols(),
            squares: cols(),
            doubled: cols(),
            spare: cols(),
            sums: [vec![0.0; patches], vec![0.0; patches]],
            mean: vec![F::zero(); patches],
            inverse: vec![F::zero(); patches],
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
        let Self { sum, squares, doubled, spare, sums: [pixels, powers], .. } = self;
        windows(sum, self.full.cols, doubled, spare, pixels);
        windows(squares, self.full.cols, doubled, spare, powers);
        let n = self.full.area() as f64;
        F::normalise(&self.sums, n, &mut self.mean, &mut self.inverse);
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

/// As many columns at once that their sums stay in registers.
const LANES: usize = 16;

/// Rows as whole vectors and what is left.
fn in_vectors<'r>(rows: &[&'r [f32]]) -> Vec<(&'r [[f32; LANES]], &'r [f32])> {
    rows.iter().map(|row| row.as_chunks()).collect()
}

/// Adds the rows of `new`, and their squares, and takes off those of `old`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2", "aarch64+neon"))]
fn add_rows(new: &[&[f32]], old: &[&[f32]], sum: &mut [f64], squares: &mut [f64]) {
    let (new, old) = (in_vectors(new), in_vectors(old));
    let (sums, sum_rest) = sum.as_chunks_mut::<LANES>();
    let (powers, power_rest) = squares.as_chunks_mut::<LANES>();
    for (i, (sum, squares)) in sums.iter_mut().zip(powers).enumerate() {
        let (mut s, mut q) = (*sum, *squares);
        new.iter().for_each(|(row, _)| add_signed(&row[i], 1.0, &mut s, &mut q));
        old.iter().for_each(|(row, _)| add_signed(&row[i], -1.0, &mut s, &mut q));
        (*sum, *squares) = (s, q);
    }
    new.iter().for_each(|(_, rest)| add_signed(rest, 1.0, sum_rest, power_rest));
    old.iter().for_each(|(_, rest)| add_signed(rest, -1.0, sum_rest, power_rest));
}

#[inline(always)]
fn add_signed(values: &[f32], sign: f64, sum: &mut [f64], squares: &mut [f64]) {
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

/// A precision of norm maps; their sums are in f64.
pub(crate) trait Precision: Float + Send + Sync + 'static {
    /// From sums of pixels and squares to mean and inverse norm, 0 where flat.
    fn normalise(sums: &[Vec<f64>; 2], n: f64, mean: &mut [Self], inverse: &mut [Self]);
}

impl Precision for f64 {
    fn normalise(sums: &[Vec<f64>; 2], n: f64, mean: &mut [f64], inverse: &mut [f64]) {
        let sums = sums[0].iter().zip(&sums[1]);
        for ((mean, inverse), (&sum, &squares)) in mean.iter_mut().zip(inverse).zip(sums) {
            *mean = sum / n;
            let variance = squares / n - *mean * *mean;
            let flat = variance < FLAT_SHARE;
            *inverse = if flat { 0.0 } else { 1.0 / (variance * n).sqrt() };
        }
    }
}

impl Precision for f32 {
    fn normalise(sums: &[Vec<f64>; 2], n: f64, mean: &mut [f32], inverse: &mut [f32]) {
        normalise_f32(sums, n, mean, inverse);
    }
}

/// Only differences need f64; roots and quotients in f32 are several times faster.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2", "aarch64+neon"))]
fn normalise_f32(sums: &[Vec<f64>; 2], n: f64, mean: &mut [f32], inverse: &mut [f32]) {
    let (per_pixel, flat) = (1.0 / n, FLAT_SHARE * n);
    let sums = sums[0].iter().zip(&sums[1]);
    for ((mean, inverse), (&sum, &squares)) in mean.iter_mut().zip(inverse).zip(sums) {
        let average = sum * per_pixel;
        let spread = squares - sum * average;
        *mean = average as f32;
        let norm = 1.0 / (spread.max(flat) as f32).sqrt();
        *inverse = if spread < flat { 0.0 } else { norm };
    }
}
