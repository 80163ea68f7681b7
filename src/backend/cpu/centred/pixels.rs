//! The pixels of a tile and around it, and their means over cells.

use std::ops::Range;

use multiversion::multiversion;
use ndarray::ArrayView2;

use crate::backend::cpu::vector::{LANES, Vector, fma, vector};

/// The pixels of a tile and around it, columns by stride phase, 0 where there is none.
#[derive(Debug, Default)]
pub(super) struct Pixels {
    pub(super) values: Vec<f32>,
    /// 1 where there is a pixel that counts, else 0; nothing where all do.
    counts: Vec<f32>,
    /// Means over the cells about the pixels, where these are there as a whole.
    pub(super) means: Vec<f32>,
    /// Weighted sums of some rows along their cells.
    along: Vec<f32>,
    /// Values of a phase.
    pitch: usize,
    stride: usize,
    /// Rows and columns that are in the image.
    there: (Range<usize>, Range<usize>),
    /// Whether some of these do not count.
    masked: bool,
}

/// Where pixels are copied from.
pub(super) struct Source<'a> {
    pub(super) image: ArrayView2<'a, f32>,
    pub(super) mask: Option<ArrayView2<'a, bool>>,
    /// Row and column of the first pixel; before the image's where they are negative.
    pub(super) first: [isize; 2],
}

impl Pixels {
    /// Where column `col` stands in a row; the next of its phase stands after it.
    #[inline(always)]
    pub(super) fn at(&self, col: usize) -> usize {
        col % self.stride * self.pitch + col / self.stride
    }

    #[inline(always)]
    pub(super) fn line(&self) -> usize {
        self.stride * self.pitch
    }

    /// The weight of sixteen pairs of the pixels at `own` and `other` and at those after them.
    #[inline(always)]
    pub(super) fn weight(&self, weight: f32, own: usize, other: usize) -> Vector {
        let (own, other) = (vector(&self.counts, own), vector(&self.counts, other));
        let mut weights = [0.0; LANES];
        for lane in 0..LANES {
            weights[lane] = weight * own[lane] * other[lane];
        }
        weights
    }

    /// Whether all pixels of these rows and columns count.
    #[inline(always)]
    pub(super) fn whole(&self, rows: Range<usize>, cols: Range<usize>) -> bool {
        let (there_rows, there_cols) = &self.there;
        !self.masked
            && there_rows.start <= rows.start
            && rows.end <= there_rows.end
            && there_cols.start <= cols.start
            && cols.end <= there_cols.end
    }

    /// Copies `rows` rows of `stride` phases, `pitch` pixels each, in place of what is there.
    pub(super) fn take(&mut self, source: &Source<'_>, rows: usize, pitch: usize, stride: usize) {
        (self.pitch, self.stride) = (pitch, stride);
        let line = self.line();
        let [top, left] = source.first;
        let there = |first: isize, count: usize, size: usize| {
            let inside = |at: isize| (at - first).clamp(0, count as isize) as usize;
            inside(0)..inside(size as isize)
        };
        let (image_rows, image_cols) = source.image.dim();
        self.there = (there(top, rows, image_rows), there(left, line, image_cols));
        self.masked = source.mask.is_some();
        let whole = self.whole(0..rows, 0..line);
        self.values.clear();
        self.values.resize(rows * line, 0.0);
        self.counts.clear();
        self.counts.resize(if whole { 0 } else { rows * line }, 0.0);
        let (there_rows, there_cols) = self.there.clone();
        let from = (left + there_cols.start as isize) as usize;
        for row in there_rows {
            let own = source.image.row((top + row as isize) as usize);
            let own = own.to_slice().expect("rows of images are contiguous");
            let own = &own[from..from + there_cols.len()];
            let to = &mut self.values[row * line..][..line];
            spread(own, there_cols.start, stride, pitch, |at, &pixel| to[at] = pixel);
            if whole {
                continue;
            }
            let to = &mut self.counts[row * line..][..line];
            let Some(mask) = &source.mask else {
                spread(own, there_cols.start, stride, pitch, |at, _| to[at] = 1.0);
                continue;
            };
            let mask = mask.row((top + row as isize) as usize);
            let mask = mask.to_slice().expect("rows of masks are contiguous");
            let mask = &mask[from..from + there_cols.len()];
            let count = |at: usize, &masked: &bool| to[at] = if masked { 0.0 } else { 1.0 };
            spread(mask, there_cols.start, stride, pitch, count);
            // Whatever stands there does not count.
            let values = &mut self.values[row * line..][..line];
            values
                .iter_mut()
                .zip(to.iter())
                .filter(|(_, count)| **count == 0.0)
                .for_each(|(value, _)| *value = 0.0);
        }
    }

    /// Fills in the means over cells whose pixels have the weights `cell` along each axis.
    pub(super) fn average(&mut self, cell: &[f32]) {
        if self.masked {
            return;
        }
        self.means.resize(self.values.len(), 0.0);
        self.along.resize(cell.len() * self.line(), 0.0);
        average(self, cell);
    }

    #[inline(always)]
    fn means<const FUSED: bool>(&mut self, cell: &[f32]) {
        let (line, half) = (self.line(), cell.len() / 2);
        let weight: f32 = cell.iter().sum();
        let scale = 1.0 / (weight * weight);
        let rows = self.values.len() / line;
        for row in 0..rows {
            self.sums_along::<FUSED>(cell, row);
            let Some(centre) = (row + 1).checked_sub(cell.len()).map(|first| first + half) else {
                continue;
            };
            for at in (0..line).step_by(LANES) {
                // The last vector overlaps the one before.
                let at = at.min(line - LANES);
                let mut sum = [0.0; LANES];
                for (i, &weight) in cell.iter().enumerate() {
                    let from = (centre - half + i) % cell.len() * line + at;
                    let values = vector(&self.along, from);
                    for lane in 0..LANES {
                        sum[lane] = fma::<FUSED>(weight, values[lane], sum[lane]);
                    }
                }
                let means = &mut self.means[centre * line + at..][..LANES];
                means.iter_mut().zip(sum).for_each(|(mean, sum)| *mean = sum * scale);
            }
        }
    }

    /// Weighted sums of `row` along the cells of its pixels, as far as these reach.
    #[inline(always)]
    fn sums_along<const FUSED: bool>(&mut self, cell: &[f32], row: usize) {
        let (line, half, pitch) = (self.line(), cell.len() / 2, self.pitch);
        let values = &self.values[row * line..][..line];
        let to = &mut self.along[row % cell.len() * line..][..line];
        for phase in 0..self.stride {
            // Of each pixel of a cell its phase, and how many strides before or after it stands.
            let place = |j: usize| {
                let col = phase + j + self.stride - half;
                (col % self.stride * pitch, (col / self.stride) as isize - 1)
            };
            // The first and the last may have cells that reach beyond the row.
            let mut first = 1;
            while first + LANES < pitch {
                let mut sum = [0.0; LANES];
                for (j, &weight) in cell.iter().enumerate() {
                    let (phase, shift) = place(j);
                    let values = vector(values, (phase + first).wrapping_add_signed(shift));
                    for lane in 0..LANES {
                        sum[lane] = fma::<FUSED>(weight, values[lane], sum[lane]);
                    }
                }
                to[phase * pitch + first..][..LANES].copy_from_slice(&sum);
                first += LANES;
            }
            for at in std::iter::once(0).chain(first..pitch) {
                let mut sum = 0.0;
                for (j, &weight) in cell.iter().enumerate() {
                    let (phase, shift) = place(j);
                    if let Some(at) = at.checked_add_signed(shift).filter(|&at| at < pitch) {
                        sum = fma::<FUSED>(weight, values[phase + at], sum);
                    }
                }
                to[phase * pitch + at] = sum;
            }
        }
    }
}

/// Calls `put` with each of `values` and where it stands in a row by stride phase, the first of
/// which stands in column `first`.
#[inline(always)]
fn spread<T>(
    values: &[T],
    first: usize,
    stride: usize,
    pitch: usize,
    mut put: impl FnMut(usize, &T),
) {
    for (offset, from) in (first..first + stride.min(values.len())).enumerate() {
        let at = from % stride * pitch + from / stride;
        values[offset..].iter().step_by(stride).enumerate().for_each(|(i, v)| put(at + i, v));
    }
}

/// [`Pixels::means`] compiled for each instruction set.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512dq+avx512bw",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn average(pixels: &mut Pixels, cell: &[f32]) {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq+avx512bw" => pixels.means::<true>(cell),
        "x86_64+avx2+fma" => pixels.means::<true>(cell),
        "aarch64+neon" => pixels.means::<true>(cell),
        _ => pixels.means::<false>(cell),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn means_are_those_of_the_cells() {
        let image = Array2::from_shape_fn((40, 50), |(r, c)| ((7 * r + 3 * c) % 11) as f32);
        for stride in [2, 3, 8] {
            let mut cell = vec![1.0; 2 * (stride / 2) + 1];
            if stride % 2 == 0 {
                (cell[0], cell[stride]) = (0.5, 0.5);
            }
            let source = Source { image: image.view(), mask: None, first: [-3, 2] };
            let (rows, pitch) = (30, 24 / stride + 20);
            let mut pixels = Pixels::default();
            pixels.take(&source, rows, pitch, stride);
            pixels.average(&cell);
            let half = stride / 2;
            let mut looked_at = 0;
            for (row, col) in (0..rows).flat_map(|r| (0..pitch * stride).map(move |c| (r, c))) {
                let (rows, cols) = (row.checked_sub(half), col.checked_sub(half));
                let (Some(top), Some(left)) = (rows, cols) else { continue };
                let full = top..top + cell.len();
                if !pixels.whole(full.clone(), left..left + cell.len()) {
                    continue;
                }
                let all = full.flat_map(|r| (left..left + cell.len()).map(move |c| (r, c)));
                let weighted =
                    all.map(|(r, c)| cell[r - top] * cell[c - left] * image[(r - 3, c + 2)]);
                let mean = weighted.sum::<f32>() / (stride * stride) as f32;
                let found = pixels.means[row * pixels.line() + pixels.at(col)];
                assert!((found - mean).abs() < 1e-5, "{stride} {row} {col}: {found} {mean}");
                looked_at += 1;
            }
            assert!(looked_at > 500, "{stride}: {looked_at}");
        }
    }
}
