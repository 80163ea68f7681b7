//! Cells of pairs: weight, means of both pixels, and sums of the products of what these are
//! off their means.

use super::pixels::Pixels;
use super::{Kernel, VALUES, means};
use crate::backend::cpu::vector::{LANES, Vector, fma, vector};

/// The pairs of one translation.
#[derive(Debug)]
pub(super) struct Pairs {
    /// Rows and columns to each side.
    half: [i32; 2],
    /// Where the pairs about a cell's pixels of one row stand in a row of pixels, for the first cell:
    /// those of a cell further along are as many values further.
    places: Vec<[usize; 2]>,
}

impl Pairs {
    pub(super) fn new(kernel: &Kernel<'_>, pixels: &Pixels, half: [i32; 2]) -> Self {
        let left = kernel.lead.cols - kernel.cell.len() / 2;
        let place = |j: usize| {
            let sides = [-half[1], half[1]];
            sides.map(|c| pixels.at((left + j).wrapping_add_signed(c as isize)))
        };
        Self { half, places: (0..kernel.cell.len()).map(place).collect() }
    }

    /// Where the first and the last pair of a row stand, one where they are the same, and those in
    /// between.
    #[inline(always)]
    fn ends(&self) -> ([&[[usize; 2]]; 2], &[[usize; 2]]) {
        let (first, rest) = self.places.split_at(1);
        match rest.split_last_chunk::<1>() {
            Some((between, last)) => ([first, last], between),
            None => ([first, &[]], &[]),
        }
    }

    /// Where the rows of both pixels begin, of row `i` of the cells of `row` from `first` on.
    #[inline(always)]
    fn rows(
        &self,
        kernel: &Kernel<'_>,
        pixels: &Pixels,
        (row, first): (usize, usize),
        i: usize,
    ) -> [usize; 2] {
        let top = row * kernel.grid.stride + kernel.lead.rows - kernel.cell.len() / 2 + i;
        [-self.half[0], self.half[0]]
            .map(|r| top.wrapping_add_signed(r as isize) * pixels.line() + first)
    }

    /// Whether all pixels of sixteen cells of `row` from `first` on count.
    #[inline(always)]
    pub(super) fn whole(
        &self,
        kernel: &Kernel<'_>,
        pixels: &Pixels,
        (row, first): (usize, usize),
    ) -> bool {
        let seen = |cells: (usize, usize), lead: usize, half: i32| {
            let (half, cell) = (half.unsigned_abs() as usize, kernel.cell.len() / 2);
            let [first, last] = [cells.0, cells.1].map(|cell| cell * kernel.grid.stride + lead);
            first - half - cell..last + half + cell + 1
        };
        pixels.whole(
            seen((row, row), kernel.lead.rows, self.half[0]),
            seen((first, first + LANES - 1), kernel.lead.cols, self.half[1]),
        )
    }
}

impl Kernel<'_> {
    /// Sixteen cells of cell row `row` from column `first` on, of `pairs` of which some pixels do
    /// not count.
    #[inline(always)]
    pub(super) fn cell<const FUSED: bool>(
        &self,
        pixels: &Pixels,
        pairs: &Pairs,
        (row, first): (usize, usize),
    ) -> [Vector; VALUES] {
        let [mut n, mut a, mut b] = [[0.0; LANES]; 3];
        for i in 0..self.cell.len() {
            let [above, below] = pairs.rows(self, pixels, (row, first), i);
            for (j, &[left, right]) in pairs.places.iter().enumerate() {
                let weight = self.cell[i] * self.cell[j];
                let weight = pixels.weight(weight, above + left, below + right);
                let own = vector(&pixels.values, above + left);
                let other = vector(&pixels.values, below + right);
                for lane in 0..LANES {
                    n[lane] += weight[lane];
                    a[lane] = fma::<FUSED>(weight[lane], own[lane], a[lane]);
                    b[lane] = fma::<FUSED>(weight[lane], other[lane], b[lane]);
                }
            }
        }
        let (a, b) = (means(&a, &n), means(&b, &n));
        let [mut aa, mut ab, mut bb] = [[0.0; LANES]; 3];
        for i in 0..self.cell.len() {
            let [above, below] = pairs.rows(self, pixels, (row, first), i);
            for (j, &[left, right]) in pairs.places.iter().enumerate() {
                let weight = self.cell[i] * self.cell[j];
                let weight = pixels.weight(weight, above + left, below + right);
                let own = vector(&pixels.values, above + left);
                let other = vector(&pixels.values, below + right);
                for lane in 0..LANES {
                    let (own, other) = (own[lane] - a[lane], other[lane] - b[lane]);
                    let weighted = [weight[lane] * own, weight[lane] * other];
                    aa[lane] = fma::<FUSED>(weighted[0], own, aa[lane]);
                    ab[lane] = fma::<FUSED>(weighted[0], other, ab[lane]);
                    bb[lane] = fma::<FUSED>(weighted[1], other, bb[lane]);
                }
            }
        }
        [n, a, b, aa, ab, bb]
    }

    /// The same where all pixels count: their means are known, and most weights are 1.
    #[inline(always)]
    pub(super) fn whole_cell<const FUSED: bool>(
        &self,
        pixels: &Pixels,
        pairs: &Pairs,
        (row, first): (usize, usize),
    ) -> [Vector; VALUES] {
        let side = self.cell.len();
        let [above, below] = pairs.rows(self, pixels, (row, first), side / 2);
        let [left, right] = pairs.places[side / 2];
        let a = *vector(&pixels.means, above + left);
        let b = *vector(&pixels.means, below + right);
        let (ends, between) = pairs.ends();
        let [mut aa, mut ab, mut bb] = [[0.0; LANES]; 3];
        for i in 0..side {
            let [above, below] = pairs.rows(self, pixels, (row, first), i);
            let [mut row_aa, mut row_ab, mut row_bb] = [[0.0; LANES]; 3];
            // The ends of a row have the same weight, those in between 1.
            for &[left, right] in ends.into_iter().flatten() {
                let own = vector(&pixels.values, above + left);
                let other = vector(&pixels.values, below + right);
                for lane in 0..LANES {
                    let (own, other) = (own[lane] - a[lane], other[lane] - b[lane]);
                    row_aa[lane] = fma::<FUSED>(own, own, row_aa[lane]);
                    row_ab[lane] = fma::<FUSED>(own, other, row_ab[lane]);
                    row_bb[lane] = fma::<FUSED>(other, other, row_bb[lane]);
                }
            }
            for lane in 0..LANES {
                row_aa[lane] *= self.cell[0];
                row_ab[lane] *= self.cell[0];
                row_bb[lane] *= self.cell[0];
            }
            for &[left, right] in between {
                let own = vector(&pixels.values, above + left);
                let other = vector(&pixels.values, below + right);
                for lane in 0..LANES {
                    let (own, other) = (own[lane] - a[lane], other[lane] - b[lane]);
                    row_aa[lane] = fma::<FUSED>(own, own, row_aa[lane]);
                    row_ab[lane] = fma::<FUSED>(own, other, row_ab[lane]);
                    row_bb[lane] = fma::<FUSED>(other, other, row_bb[lane]);
                }
            }
            for lane in 0..LANES {
                aa[lane] = fma::<FUSED>(self.cell[i], row_aa[lane], aa[lane]);
                ab[lane] = fma::<FUSED>(self.cell[i], row_ab[lane], ab[lane]);
                bb[lane] = fma::<FUSED>(self.cell[i], row_bb[lane], bb[lane]);
            }
        }
        let weight: f32 = self.cell.iter().sum();
        [[weight * weight; LANES], a, b, aa, ab, bb]
    }
}
