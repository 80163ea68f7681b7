//! Gaussians along both axes, over the pixels that there are: what lies beyond the border
//! has no weight.

use std::ops::Range;

use multiversion::multiversion;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

/// Reach of a Gaussian in standard deviations.
const REACH: f64 = 3.5;
/// Least standard deviation, px: a narrower Gaussian that falls between pixels would meet none.
const LEAST_SIGMA: f64 = 0.35;

/// How far away pixels lie that count under a Gaussian of `sigma` px, at most.
pub(crate) fn reach(sigma: f64) -> usize {
    (REACH * sigma.max(LEAST_SIGMA)) as usize
}

/// `image` under a Gaussian of `sigma` px, over the pixels that there are.
pub(crate) fn smoothed(image: ArrayView2<'_, f32>, sigma: f64) -> Array2<f32> {
    let along = |size: usize| Weights::means(size, size, 1.0, sigma);
    weighted(image, &along(image.nrows()), &along(image.ncols()))
}

/// The pixels where `mask` is false, and 1 there; 0 elsewhere, whatever is there.
pub(crate) fn counted(
    image: ArrayView2<'_, f32>,
    mask: ArrayView2<'_, bool>,
) -> (Array2<f32>, Array2<f32>) {
    let mut values = image.to_owned();
    values.zip_mut_with(&mask, |v, &out| *v = if out { 0.0 } else { *v });
    (values, mask.mapv(|out| if out { 0.0 } else { 1.0 }))
}

/// [`smoothed`] over the pixels where `mask` is false; 0 where there are none.
pub(crate) fn smoothed_but(
    image: ArrayView2<'_, f32>,
    mask: Option<ArrayView2<'_, bool>>,
    sigma: f64,
) -> Array2<f32> {
    let Some(mask) = mask else { return smoothed(image, sigma) };
    let (values, counts) = counted(image, mask);
    let mut sums = smoothed(values.view(), sigma);
    let weights = smoothed(counts.view(), sigma);
    sums.zip_mut_with(&weights, |sum, &weight| {
        *sum = if weight > 0.0 { *sum / weight } else { 0.0 }
    });
    sums
}

/// Weights of the pixels along one axis that make each of those that come of them.
pub(crate) struct Weights {
    /// First pixel and weights, by the pixel that comes of them.
    taps: Vec<(usize, Vec<f32>)>,
}

impl Weights {
    /// Weighted means: from `from` pixels to `to`, `scale` times as dense, under a Gaussian
    /// of `sigma` of the former.
    pub(crate) fn means(from: usize, to: usize, scale: f64, sigma: f64) -> Self {
        Self::new(from, to, scale, sigma, true)
    }

    /// Weighted sums of `size` pixels about each of them; the largest weight is 1.
    pub(crate) fn sums(size: usize, sigma: f64) -> Self {
        Self::new(size, size, 1.0, sigma, false)
    }

    fn new(from: usize, to: usize, scale: f64, sigma: f64, normalised: bool) -> Self {
        let sigma = sigma.max(LEAST_SIGMA);
        let tap = |x: usize| {
            let centre = x as f64 / scale;
            let first = (centre - REACH * sigma).ceil().max(0.0) as usize;
            let last = ((centre + REACH * sigma).floor() as usize).min(from - 1);
            let weight = |i: usize| (-((i as f64 - centre) / sigma).powi(2) / 2.0).exp();
            let weights: Vec<f64> = (first..=last).map(weight).collect();
            let total = if normalised { weights.iter().sum::<f64>() } else { 1.0 };
            (first, weights.into_iter().map(|w| (w / total) as f32).collect())
        };
        Self { taps: (0..to).map(tap).collect() }
    }

    /// The pixels that `x` comes of.
    fn range(&self, x: usize) -> Range<usize> {
        let (first, weights) = &self.taps[x];
        *first..first + weights.len()
    }
}

/// `image` under weights down its columns, then along its rows.
pub(crate) fn weighted(image: ArrayView2<'_, f32>, down: &Weights, along: &Weights) -> Array2<f32> {
    let shape = (down.taps.len(), along.taps.len());
    let cols = image.ncols();
    let mut to = Array2::zeros(shape);
    if to.is_empty() {
        return to;
    }
    let blocks =
        to.as_slice_mut().expect("a fresh array is contiguous").par_chunks_mut(LANES * shape.1);
    blocks.enumerate().for_each_init(
        || (vec![0.0; cols], vec![[0.0; LANES]; cols]),
        |(line, lines), (block, to)| {
            let rows = to.len() / shape.1;
            for lane in 0..rows {
                let row = block * LANES + lane;
                line.fill(0.0);
                for (from, &weight) in down.range(row).zip(&down.taps[row].1) {
                    match image.row(from).to_slice() {
                        Some(values) => add(line, values, weight),
                        None => add(line, &image.row(from).to_vec(), weight),
                    }
                }
                lines.iter_mut().zip(&*line).for_each(|(to, &v)| to[lane] = v);
            }
            sum_along(lines, &along.taps, to);
        },
    );
    to
}

/// Rows that are summed along side by side.
const LANES: usize = 16;

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn add(line: &mut [f32], values: &[f32], weight: f32) {
    line.iter_mut().zip(values).for_each(|(sum, v)| *sum += weight * v);
}

/// Weighted sums along `lines` `[cols][row]`, into `to` `[rows, taps]`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn sum_along(lines: &[[f32; LANES]], taps: &[(usize, Vec<f32>)], to: &mut [f32]) {
    for (c, (first, weights)) in taps.iter().enumerate() {
        let mut sums = [0.0; LANES];
        for (values, weight) in lines[*first..].iter().zip(weights) {
            for lane in 0..LANES {
                sums[lane] += weight * values[lane];
            }
        }
        for (to, sum) in to[c..].iter_mut().step_by(taps.len()).zip(sums) {
            *to = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_by_definition() {
        let image = Array2::from_shape_fn((9, 14), |(r, c)| ((5 * r + 3 * c) % 11) as f32);
        let (scale, sigma) = (1.5, 0.8);
        let found = weighted(
            image.view(),
            &Weights::means(9, 13, scale, sigma),
            &Weights::means(14, 20, scale, sigma),
        );
        for ((r, c), &value) in found.indexed_iter() {
            let (mut sum, mut weights) = (0.0, 0.0);
            for ((i, j), &v) in image.indexed_iter() {
                let away = |x: usize, i: usize| (i as f64 - x as f64 / scale) / sigma;
                let (down, along) = (away(r, i), away(c, j));
                if down.abs() <= REACH && along.abs() <= REACH {
                    let weight = (-(down * down + along * along) / 2.0).exp();
                    sum += weight * f64::from(v);
                    weights += weight;
                }
            }
            assert!((f64::from(value) - sum / weights).abs() < 1e-5, "{r} {c}");
        }
        let even = smoothed(Array2::from_elem((7, 5), 3.0).view(), 2.0);
        assert!(even.iter().all(|v| (v - 3.0).abs() < 1e-6), "borders leave no trace");
    }
}
