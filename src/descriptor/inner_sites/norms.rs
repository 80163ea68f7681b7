//! Mean and norm of the surroundings of inner sites, in f64: made on the host for
//! devices that have no f64, so that they agree with the CPU on what is flat.

use std::ops::Range;

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::InnerSites;
use crate::descriptor::checks::FLAT_SHARE;

/// Means and inverse norms of rows of inner sites, `[inner row][inner col]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Norms {
    /// Mean of the surroundings minus the inner site's own pixel: small where the
    /// mean is large relative to the contrast, so that f32 holds all of it that counts.
    pub(crate) offset: Vec<f32>,
    /// `1 / sqrt(n var)`, 0 where they are flat in an image of variance 1.
    pub(crate) inverse: Vec<f32>,
}

impl Norms {
    /// Of `rows` of `inner`, in `image` `[rows, cols]` of variance 1. Surroundings have
    /// the columns within `reach[r]` px of their centre in the rows `r` px from it.
    pub(crate) fn new(
        image: ArrayView2<'_, f32>,
        inner: &InnerSites,
        rows: Range<usize>,
        reach: &[usize],
    ) -> Self {
        let n = pixels(reach) as f64;
        let all = each(image, inner, rows, reach, |_, own, [mean, variance]| {
            let inverse = if variance < FLAT_SHARE { 0.0 } else { 1.0 / (variance * n).sqrt() };
            ((mean - f64::from(own)) as f32, inverse as f32)
        });
        let (offset, inverse) = all.into_iter().unzip();
        Self { offset, inverse }
    }
}

/// Pixels of the surroundings.
fn pixels(reach: &[usize]) -> usize {
    2 * reach.iter().map(|r| 2 * r + 1).sum::<usize>() - (2 * reach[0] + 1)
}

/// What `of` says of each inner site of `rows`, row by row: given its pixel's place, the pixel, and
/// mean and variance of the surroundings.
pub(crate) fn each<T: Send>(
    image: ArrayView2<'_, f32>,
    inner: &InnerSites,
    rows: Range<usize>,
    reach: &[usize],
    of: impl Fn((usize, usize), f32, [f64; 2]) -> T + Sync,
) -> Vec<T> {
    let (grid, n) = (&inner.grid, pixels(reach) as f64);
    let row = |row: usize| {
        let site = |(j, (sum, squares)): (usize, (f64, f64))| {
            let mean = sum / n;
            let place = (grid.row(row), grid.col(j));
            of(place, image[place], [mean, squares / n - mean * mean])
        };
        sums(image, inner, row, reach).into_iter().enumerate().map(site).collect::<Vec<_>>()
    };
    let all: Vec<Vec<T>> = rows.into_par_iter().map(row).collect();
    all.into_iter().flatten().collect()
}

/// Sums of pixels and of their squares around each inner site of `row`.
fn sums(
    image: ArrayView2<'_, f32>,
    inner: &InnerSites,
    row: usize,
    reach: &[usize],
) -> Vec<(f64, f64)> {
    let (grid, width) = (&inner.grid, image.ncols());
    let centre = grid.row(row);
    let mut sums = vec![(0.0, 0.0); grid.count.cols];
    let (mut columns, mut prefix) = (Vec::new(), Vec::new());
    // Rows of equal width are added first: a square has one prefix sum.
    let mut first = 0;
    for group in reach.chunk_by(|a, b| a == b) {
        columns.clear();
        columns.resize(width, (0.0_f64, 0.0_f64));
        for r in first..first + group.len() {
            for at in [centre - r, centre + r].iter().take(if r == 0 { 1 } else { 2 }) {
                for (to, &v) in columns.iter_mut().zip(image.row(*at)) {
                    let v = f64::from(v);
                    *to = (to.0 + v, to.1 + v * v);
                }
            }
        }
        first += group.len();
        prefix.clear();
        prefix.push((0.0, 0.0));
        prefix.extend(columns.iter().scan((0.0, 0.0), |sum, v| {
            *sum = (sum.0 + v.0, sum.1 + v.1);
            Some(*sum)
        }));
        for (j, sum) in sums.iter_mut().enumerate() {
            let (left, right) = (grid.col(j) - group[0], grid.col(j) + group[0] + 1);
            sum.0 += prefix[right].0 - prefix[left].0;
            sum.1 += prefix[right].1 - prefix[left].1;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::sites::Extent;

    #[test]
    fn sums_are_those_of_the_surroundings() {
        let image = Array2::from_shape_fn((30, 26), |(r, c)| ((r * 7 + c * 13) % 11) as f32 - 4.0);
        let extent = Extent { rows: 30, cols: 26 };
        let inner = InnerSites::new(extent, Extent::square(4), 3, Extent::square(5));
        for reach in [vec![4; 5], vec![4, 3, 3, 2, 0], vec![1]] {
            let norms = Norms::new(image.view(), &inner, 1..4, &reach);
            for (k, (offset, inverse)) in norms.offset.iter().zip(&norms.inverse).enumerate() {
                let row = inner.grid.row(1 + k / inner.grid.count.cols);
                let col = inner.grid.col(k % inner.grid.count.cols);
                let inside = |r: usize, c: usize| {
                    reach.get(r.abs_diff(row)).is_some_and(|&w| c.abs_diff(col) <= w)
                };
                let values: Vec<f64> = image
                    .indexed_iter()
                    .filter(|((r, c), _)| inside(*r, *c))
                    .map(|(_, &v)| f64::from(v))
                    .collect();
                let n = values.len() as f64;
                let mean = values.iter().sum::<f64>() / n;
                let norm = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>().sqrt();
                let expected = mean - f64::from(image[(row, col)]);
                assert!((f64::from(*offset) - expected).abs() < 1e-6);
                assert!((f64::from(*inverse) * norm - 1.0).abs() < 1e-6);
            }
        }
    }
}
