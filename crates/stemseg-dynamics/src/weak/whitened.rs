//! Samples without the correlations that overlapping bumps give their noise.
//!
//! Noise that is independent from frame to frame and pixel to pixel is correlated between samples
//! as their bumps overlap, along each axis by itself: by the autocorrelation of the bump's factor
//! (in time, of its derivative, which the left side is taken with). Multiplied by the inverse root
//! of that, samples become independent, and least squares efficient (generalised least squares).

use ndarray::Array2;
use rayon::prelude::*;
use stemseg_numerics::linear::{Mat, eigen, product};

use super::samples::{Moments, Samples};
use super::{Averages, middles};
use crate::bump::{bump, dot};
use crate::term::{Factor, Term};

/// What is added to each correlation matrix of unit diagonal, so that what bumps hardly see is
/// not blown up.
const RIDGE: f64 = 0.1;
/// Places along an axis at most.
const MOST: usize = 600;

/// Sums over the blocks of `samples` of the terms `terms` of independent samples; none where
/// values are absent or the places are too many.
pub(crate) fn whitened(
    averages: &Averages,
    time: usize,
    terms: &[Term],
    samples: &Samples,
    drift: [f64; 2],
) -> Option<Vec<Moments>> {
    if averages.present.iter().any(Option::is_some) {
        return None;
    }
    let frames = averages.frames.len();
    let starts = middles(frames, time, (time / 4).max(1));
    let [still, moving, _] = bump(time);
    let [space, ..] = bump(averages.space);
    let in_time = root(&starts, &moving)?;
    let roots = [root(&averages.rows, &space)?, root(&averages.cols, &space)?];
    let kernels = [&still, &moving].map(|kernel| kernels(&in_time, &starts, kernel, frames));
    let numbers: Option<Vec<usize>> = terms.iter().map(|&term| averages.channel(term)).collect();
    let left = Left { averages, drift };
    let values = left.values(&numbers?, &roots);
    let blocks = samples.block.iter().max().map_or(0, |last| last + 1);
    let place = |at: [usize; 3]| -> Option<(usize, usize)> {
        let middle = starts.binary_search(&at[0]).ok()?;
        let row = averages.rows.binary_search(&at[1]).ok()?;
        let col = averages.cols.binary_search(&at[2]).ok()?;
        Some((middle, row * averages.cols.len() + col))
    };
    let own = |block: usize| -> Vec<(usize, usize)> {
        let all = samples.at.iter().zip(&samples.block);
        all.filter(|(_, b)| **b == block).filter_map(|(at, _)| place(*at)).collect()
    };
    let sums = Sums { averages, kernels: &kernels, values: &values, terms: terms.len() };
    Some((0..blocks).into_par_iter().map(|block| sums.of(&own(block))).collect())
}

/// The inverse root of the correlations between places along one axis.
fn root(places: &[usize], kernel: &[f64]) -> Option<Array2<f64>> {
    let count = places.len();
    if count > MOST {
        return None;
    }
    let own = dot(kernel, kernel);
    let correlation = |a: usize, b: usize| {
        let lag = places[a].abs_diff(places[b]);
        match lag < kernel.len() {
            true => dot(&kernel[lag..], &kernel[..kernel.len() - lag]) / own,
            false => 0.0,
        }
    };
    let matrix = Mat::from_fn(count, count, correlation);
    let (vectors, values) = eigen(&matrix)?;
    let scaled =
        Mat::from_fn(count, count, |i, k| vectors[(i, k)] / (values[k].max(0.0) + RIDGE).sqrt());
    let root = product(scaled.as_ref(), vectors.transpose());
    Some(Array2::from_shape_fn((count, count), |(i, j)| root[(i, j)]))
}

/// What each sample in time takes of each frame: `[middle][frame]`.
fn kernels(root: &Array2<f64>, starts: &[usize], kernel: &[f64], frames: usize) -> Array2<f64> {
    let half = kernel.len() / 2;
    let mut plain = Array2::zeros((starts.len(), frames));
    for (i, &middle) in starts.iter().enumerate() {
        for (k, &weight) in kernel.iter().enumerate() {
            plain[(i, middle + k - half)] = weight;
        }
    }
    root.dot(&plain)
}

struct Left<'a> {
    averages: &'a Averages,
    drift: [f64; 2],
}

impl Left<'_> {
    /// Averages of each frame, independent in space: what the left side is the rate of, what a
    /// drift adds to it, then the terms. `[frame][channel][place]`.
    fn values(&self, numbers: &[usize], roots: &[Array2<f64>; 2]) -> Vec<Vec<Vec<f64>>> {
        let averages = self.averages;
        let (rows, cols) = (averages.rows.len(), averages.cols.len());
        let image = |frame: usize, channel: usize| {
            Array2::from_shape_fn((rows, cols), |(r, c)| averages.at(frame, channel, r * cols + c))
        };
        let turned = |image: Array2<f64>| -> Vec<f64> {
            roots[0].dot(&image).dot(&roots[1].t()).iter().copied().collect()
        };
        let carried = |frame: usize| {
            let mut sum = Array2::zeros((rows, cols));
            for (factor, velocity) in [Factor::X, Factor::Y].into_iter().zip(self.drift) {
                if let Some(channel) = averages.channel(Term::new(0, factor))
                    && velocity != 0.0
                {
                    sum.scaled_add(velocity, &image(frame, channel));
                }
            }
            sum
        };
        (0..averages.frames.len())
            .into_par_iter()
            .map(|frame| {
                let left = [turned(image(frame, 0)), turned(carried(frame))];
                left.into_iter().chain(numbers.iter().map(|&n| turned(image(frame, n)))).collect()
            })
            .collect()
    }
}

struct Sums<'a> {
    averages: &'a Averages,
    /// In time: of the terms, and of the left side.
    kernels: &'a [Array2<f64>; 2],
    values: &'a [Vec<Vec<f64>>],
    terms: usize,
}

impl Sums<'_> {
    /// Over samples at some middles and places.
    fn of(&self, samples: &[(usize, usize)]) -> Moments {
        let [still, moving] = self.kernels;
        let (frames, places) = (self.values.len(), self.averages.places());
        let mut moments = Moments::zero(self.terms);
        // How often noise of each frame enters: with the terms, the left side, and both.
        let mut weights = vec![[0.0; 3]; frames * places];
        let mut row = vec![0.0; self.terms];
        for &(middle, place) in samples {
            row.fill(0.0);
            let mut left = 0.0;
            for (frame, values) in self.values.iter().enumerate() {
                let (a, b) = (still[(middle, frame)], moving[(middle, frame)]);
                left += b * values[0][place] + a * values[1][place];
                row.iter_mut().zip(&values[2..]).for_each(|(sum, v)| *sum += a * v[place]);
                let weight = &mut weights[frame * places + place];
                weight[0] += a * a;
                weight[1] += b * b;
                weight[2] += a * b;
            }
            moments.left += left * left;
            moments.count += 1;
            for (a, x) in row.iter().enumerate() {
                moments.mixed[a] += x * left;
                for (b, y) in row.iter().enumerate() {
                    moments.right[(b, a)] += x * y;
                }
            }
        }
        self.noise(&weights, &mut moments);
        moments
    }

    /// Adds the shares of noise; that of terms with the left side is taken off.
    fn noise(&self, weights: &[[f64; 3]], moments: &mut Moments) {
        let differences = &self.averages.differences;
        let (frames, places) = (self.values.len(), self.averages.places());
        let mut of = vec![0.0; self.terms + 2];
        for frame in 0..frames {
            let first = differences.first(frame, frames);
            for place in 0..places {
                let [right, left, both] = weights[frame * places + place];
                if right == 0.0 {
                    continue;
                }
                for (channel, of) in of.iter_mut().enumerate() {
                    let all = differences.weights.iter().enumerate();
                    *of = all.map(|(i, w)| w * self.values[first + i][channel][place]).sum();
                }
                moments.left_noise += left * of[0] * of[0];
                for (a, x) in of[2..].iter().enumerate() {
                    moments.mixed[a] -= both * of[0] * x;
                    for (b, y) in of[2..].iter().enumerate() {
                        moments.right_noise[(b, a)] += right * x * y;
                    }
                }
            }
        }
    }
}
