//! Which terms explain the left side, and with which coefficients.

mod search;
mod select;

use rayon::prelude::*;
use stemseg_numerics::linear::{Cholesky, Mat};

use crate::random::Random;
use crate::term::Term;
use crate::weak::{Moments, Samples};

pub(crate) use self::search::levels;
pub(crate) use self::select::{Choice, EXPLAINED, Fit, choose};

/// Share of a column that columns before it must leave unexplained.
const DISTINCT: f64 = 1e-9;
/// Resamplings of the blocks.
const RESAMPLINGS: usize = 200;

/// Sums over blocks, each column scaled to a mean square of 1.
pub(crate) struct Problem {
    pub(crate) terms: Vec<Term>,
    /// What scaled coefficients are divided by.
    scale: Vec<f64>,
    blocks: Vec<Moments>,
    total: Moments,
    /// All blocks but one.
    others: Vec<Moments>,
}

/// Means and standard deviations over resampled blocks.
pub(crate) struct Spread {
    /// Of the coefficients.
    pub(crate) deviations: Vec<f64>,
    /// Share of resamplings in which the best equation of the same size has the term.
    pub(crate) kept: Vec<f64>,
}

impl Problem {
    pub(crate) fn new(samples: &Samples) -> Self {
        Self::of(&samples.terms, &samples.moments)
    }

    /// From the sums of `terms` over each block.
    pub(crate) fn of(terms: &[Term], moments: &[Moments]) -> Self {
        let mut total = Moments::zero(terms.len());
        moments.iter().for_each(|block| total.add(block, 1.0));
        let count = total.count.max(1) as f64;
        let scale: Vec<f64> = (0..terms.len())
            .map(|a| (total.right[(a, a)] / count).sqrt())
            .map(|scale| if scale > 0.0 { scale } else { 1.0 })
            .collect();
        let scaled = |moments: &Moments| {
            let mut out = moments.clone();
            for (a, x) in scale.iter().enumerate() {
                out.mixed[a] /= x;
                for (b, y) in scale.iter().enumerate() {
                    out.right[(b, a)] /= x * y;
                    out.right_noise[(b, a)] /= x * y;
                }
            }
            out
        };
        let blocks: Vec<Moments> = moments.iter().map(scaled).collect();
        let total = scaled(&total);
        let others = blocks
            .iter()
            .map(|block| {
                let mut others = total.clone();
                others.add(block, -1.0);
                others
            })
            .collect();
        Self { terms: terms.to_vec(), scale, blocks, total, others }
    }

    /// Sum of squares of the left side: the error of the equation that nothing changes.
    pub(crate) fn zero(&self) -> f64 {
        self.total.left
    }

    /// The share of noise in [`Problem::zero`].
    pub(crate) fn zero_noise(&self) -> f64 {
        self.total.left_noise
    }

    /// Errors of an equation with the terms `set` in each block, its coefficients from the
    /// others; none where terms cannot be told apart.
    pub(crate) fn held_out(&self, set: &[usize]) -> Option<Vec<f64>> {
        let pairs = self.blocks.iter().zip(&self.others);
        pairs.map(|(block, others)| Some(error(block, set, &fit(others, set)?))).collect()
    }

    /// How uncertain the coefficients of an equation with the terms `set` are: variances by the
    /// jackknife (fits without one block) times the squares of the terms, relative to the square
    /// of the left side.
    pub(crate) fn uncertainty(&self, set: &[usize]) -> Option<f64> {
        let all = without_noise(&self.total, set)?;
        let mut sum = 0.0;
        for others in &self.others {
            let without = without_noise(others, set)?;
            let squares = all.iter().zip(&without).map(|(a, b)| (a - b).powi(2));
            sum += squares.zip(set).map(|(d, &a)| d * self.total.right[(a, a)]).sum::<f64>();
        }
        let count = self.others.len() as f64;
        Some(sum * (count - 1.0) / count / self.zero())
    }

    /// Sum of the relative variances of the coefficients of the terms `set`, by the jackknife; none
    /// where noise is more than a fifth of what tells them apart.
    pub(crate) fn relative_variance(&self, set: &[usize]) -> Option<f64> {
        let all = clean(&self.total, set, 0.8)?;
        let mut sum = 0.0;
        for others in &self.others {
            let without = clean(others, set, 0.5)?;
            sum += all.iter().zip(&without).map(|(a, b)| (b / a - 1.0).powi(2)).sum::<f64>();
        }
        let count = self.others.len() as f64;
        Some(sum * (count - 1.0) / count)
    }

    /// What noise alone makes of the error of an equation.
    fn floor(&self, set: &[usize], scaled: &[f64]) -> f64 {
        self.total.left_noise + quadratic(&self.total.right_noise, set, scaled)
    }

    /// Coefficients of the terms `set`, corrected for the noise of the terms themselves.
    pub(crate) fn coefficients(&self, set: &[usize]) -> Option<Vec<f64>> {
        let scaled = corrected(&self.total, set)?;
        Some(set.iter().zip(scaled).map(|(&a, value)| value / self.scale[a]).collect())
    }

    /// How coefficients and choice vary where blocks are drawn anew, with replacement. `rivals` are
    /// sets of the same size.
    pub(crate) fn spread(&self, set: &[usize], rivals: &[Vec<usize>], seed: u64) -> Spread {
        let one = |number: usize| {
            let mut random = Random::new(seed, number as u64);
            let mut times = vec![0.0; self.blocks.len()];
            (0..self.blocks.len()).for_each(|_| times[random.below(self.blocks.len())] += 1.0);
            let mut drawn = Moments::zero(self.terms.len());
            for (block, &times) in self.blocks.iter().zip(&times).filter(|(_, t)| **t > 0.0) {
                drawn.add(block, times);
            }
            let best = rivals
                .iter()
                .filter_map(|rival| Some((explained(&drawn, rival)?, rival)))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .map(|(_, rival)| rival.clone());
            (corrected(&drawn, set), best)
        };
        let drawn: Vec<_> = (0..RESAMPLINGS).into_par_iter().map(one).collect();
        let fits: Vec<&Vec<f64>> = drawn.iter().filter_map(|(fit, _)| fit.as_ref()).collect();
        let count = fits.len().max(1) as f64;
        let deviation = |at: usize| {
            let mean = fits.iter().map(|fit| fit[at]).sum::<f64>() / count;
            let square = fits.iter().map(|fit| (fit[at] - mean).powi(2)).sum::<f64>();
            (square / (count - 1.0).max(1.0)).sqrt()
        };
        let has = |term: &usize| {
            drawn.iter().filter(|(_, best)| best.as_ref().is_some_and(|b| b.contains(term))).count()
        };
        Spread {
            deviations: set
                .iter()
                .enumerate()
                .map(|(i, &a)| deviation(i) / self.scale[a])
                .collect(),
            kept: set.iter().map(|term| has(term) as f64 / RESAMPLINGS as f64).collect(),
        }
    }
}

fn part(of: &Mat<f64>, set: &[usize]) -> Mat<f64> {
    Mat::from_fn(set.len(), set.len(), |a, b| of[(set[a], set[b])])
}

/// A decomposition whose pivots say that the columns can be told apart.
fn decomposed(matrix: &Mat<f64>) -> Option<Cholesky> {
    let factors = Cholesky::new(matrix)?;
    let distinct = |i: usize| {
        let pivot = factors.pivot(i).powi(2);
        // Written so that NaN fails.
        pivot > DISTINCT * matrix[(i, i)] && pivot.is_finite()
    };
    (0..matrix.nrows()).all(distinct).then_some(factors)
}

fn solved(factors: &Cholesky, moments: &Moments, set: &[usize]) -> Vec<f64> {
    let right: Vec<f64> = set.iter().map(|&a| moments.mixed[a]).collect();
    factors.solve(&right)
}

/// Least squares on the terms `set`.
fn fit(moments: &Moments, set: &[usize]) -> Option<Vec<f64>> {
    Some(solved(&decomposed(&part(&moments.right, set))?, moments, set))
}

/// What least squares on the terms `set` explain of the left side.
fn explained(moments: &Moments, set: &[usize]) -> Option<f64> {
    let scaled = fit(moments, set)?;
    Some(set.iter().zip(scaled).map(|(&a, value)| value * moments.mixed[a]).sum())
}

/// Least squares without the share of noise in the terms, which makes coefficients too small;
/// none where that leaves less than the share `least` of what tells the terms apart.
fn clean(moments: &Moments, set: &[usize], least: f64) -> Option<Vec<f64>> {
    let plain = part(&moments.right, set);
    let with = decomposed(&plain)?;
    let without = decomposed(&(&plain - &part(&moments.right_noise, set)))?;
    let kept = |i: usize| (without.pivot(i) / with.pivot(i)).powi(2) > least;
    (0..set.len()).all(kept).then(|| solved(&without, moments, set))
}

/// The same where noise is not most of it.
fn without_noise(moments: &Moments, set: &[usize]) -> Option<Vec<f64>> {
    clean(moments, set, 0.3)
}

/// The same, or plain least squares where that cannot be.
fn corrected(moments: &Moments, set: &[usize]) -> Option<Vec<f64>> {
    without_noise(moments, set).or_else(|| fit(moments, set))
}

/// Sum of squares of left side minus terms.
fn error(moments: &Moments, set: &[usize], scaled: &[f64]) -> f64 {
    let mixed: f64 = set.iter().zip(scaled).map(|(&a, value)| value * moments.mixed[a]).sum();
    moments.left - 2.0 * mixed + quadratic(&moments.right, set, scaled)
}

fn quadratic(of: &Mat<f64>, set: &[usize], scaled: &[f64]) -> f64 {
    let row = |(&a, &x): (&usize, &f64)| -> f64 {
        x * set.iter().zip(scaled).map(|(&b, y)| of[(a, b)] * y).sum::<f64>()
    };
    set.iter().zip(scaled).map(row).sum()
}
