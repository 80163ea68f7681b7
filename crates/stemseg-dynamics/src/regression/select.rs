//! Which of the best subsets is the equation.

use rayon::prelude::*;

use super::search::Level;
use super::{Problem, fit};
use crate::term::{Factor, Term};

/// Share of the left side that may stay unexplained in an equation that explains the film: 1 % of
/// its root mean square.
pub(crate) const EXPLAINED: f64 = 1e-4;
/// Factor by which one more term must lower what noise does not explain of the error.
const GAIN: f64 = 2.0;
/// Standard errors, over blocks, by which a difference of errors must be sure.
const SURE: f64 = 2.0;
/// Equations of one size whose errors differ by less than this share, and by less than is sure,
/// are told apart by their simplicity.
const EQUAL: f64 = 0.25;

/// Share of the mean square of the left side that the motion of a boundary which is carried along may
/// leave unexplained.
const CARRIED: f64 = 0.05;
/// Factor by which another equation must lower what that motion leaves. A boundary that keeps its
/// shape makes all terms functions of its gradient. Where it moves unevenly, a film that was averaged
/// along time shows it the wider, the faster it moved: other terms then explain part of its speed,
/// by large coefficients that nearly cancel.
const MORE: f64 = 10.0;

/// An equation with its errors, relative to the zero model's.
#[derive(Debug, Clone)]
pub(crate) struct Fit {
    /// Numbers of its terms.
    pub(crate) set: Vec<usize>,
    /// Error in blocks that were held out.
    pub(crate) error: f64,
    /// What noise alone makes of the error.
    pub(crate) floor: f64,
    /// Errors block by block.
    pub(crate) blocks: Vec<f64>,
    /// Bayesian information score: the less the better.
    pub(crate) information: f64,
}

impl Fit {
    /// The error that noise does not explain, no less than what can be told.
    fn excess(&self) -> f64 {
        (self.error - self.floor).max(0.1 * self.floor).max(EXPLAINED)
    }
}

/// The Pareto front with the choice on it.
pub(crate) struct Choice {
    /// The best equation of 1, 2, ... terms.
    pub(crate) front: Vec<Fit>,
    /// The number of the chosen one in `front`.
    pub(crate) chosen: usize,
    /// Where it is that of a boundary that is carried along, the larger one that would have been
    /// chosen: its size, and the share that it leaves of what that motion does not explain.
    pub(crate) instead_of: Option<(usize, f64)>,
}

/// The best equation of each size, and among them the one to which no term can be added that
/// halves what is left unexplained.
pub(crate) fn choose(problem: &Problem, levels: &[Level], independent: f64) -> Option<Choice> {
    let front: Vec<Fit> =
        levels.iter().filter_map(|level| simplest(problem, level, independent)).collect();
    if front.is_empty() {
        return None;
    }
    let mut chosen = 0;
    loop {
        let gain = |larger: usize| {
            let terms = (larger - chosen) as f64;
            (front[chosen].excess() / front[larger].excess()).log2() / terms
        };
        let better = (chosen + 1..front.len())
            .filter(|&larger| gain(larger) > GAIN.log2() && surely(&front[chosen], &front[larger]))
            .max_by(|&a, &b| gain(a).total_cmp(&gain(b)));
        match better {
            Some(larger) => chosen = larger,
            None => break,
        }
    }
    let mut choice = Choice { front, chosen, instead_of: None };
    if let Some(carried) = carried(problem, independent) {
        let own = &choice.front[choice.chosen];
        if own.set.len() > carried.set.len() && carried.excess() < MORE * own.excess() {
            let size = carried.set.len();
            choice.instead_of = Some((own.set.len(), own.excess() / carried.excess()));
            choice.chosen = choice.front.iter().position(|fit| fit.set.len() == size)?;
            choice.front[choice.chosen] = carried;
        }
    }
    Some(choice)
}

/// The equation of a boundary that is carried along, by gradients alone, if that is what the film
/// mostly shows: along the second axis too where that halves what is left.
fn carried(problem: &Problem, independent: f64) -> Option<Fit> {
    let number = |factor| problem.terms.iter().position(|term| *term == Term::new(0, factor));
    let gradients: Vec<usize> = [Factor::X, Factor::Y].into_iter().filter_map(number).collect();
    let one = gradients.iter().filter_map(|&term| fitted(problem, &[term], independent));
    let one = one.min_by(|a, b| a.error.total_cmp(&b.error))?;
    let both = (gradients.len() > 1).then(|| fitted(problem, &gradients, independent)).flatten();
    let both = both.filter(|both| GAIN * both.excess() < one.excess() && surely(&one, both));
    Some(both.unwrap_or(one)).filter(|fit| fit.error < CARRIED)
}

/// Mean over blocks of how much smaller the errors of the `better` are, over its standard error.
/// Differences are relative to the sum of the two, so that no block outweighs the others.
fn sureness(worse: &[f64], better: &[f64]) -> f64 {
    let count = worse.len() as f64;
    let relative = |(a, b): (&f64, &f64)| match a.abs() + b.abs() {
        0.0 => 0.0,
        sum => (a - b) / sum,
    };
    let differences: Vec<f64> = worse.iter().zip(better).map(relative).collect();
    let mean = differences.iter().sum::<f64>() / count;
    let square = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>();
    let error = (square / (count - 1.0).max(1.0) / count).sqrt();
    match mean {
        0.0 => 0.0,
        mean => mean / error.max(f64::MIN_POSITIVE),
    }
}

fn surely(worse: &Fit, better: &Fit) -> bool {
    sureness(&worse.blocks, &better.blocks) > SURE
}

impl Problem {
    /// Whether errors of blocks are surely below those of the zero model.
    pub(crate) fn surely_better(&self, blocks: &[f64]) -> bool {
        let zeros: Vec<f64> = self.blocks.iter().map(|block| block.left).collect();
        sureness(&zeros, blocks) > SURE
    }
}

/// Of the equations of one size whose errors are the same within what is sure, the simplest.
fn simplest(problem: &Problem, level: &Level, independent: f64) -> Option<Fit> {
    let fits: Vec<Fit> =
        level.par_iter().filter_map(|set| fitted(problem, set, independent)).collect();
    let best = fits.iter().min_by(|a, b| a.error.total_cmp(&b.error))?;
    let equal = |fit: &&Fit| {
        fit.error <= (1.0 + EQUAL) * best.error + 0.1 * EXPLAINED && !surely(fit, best)
    };
    let complexity =
        |fit: &Fit| -> u32 { fit.set.iter().map(|&term| problem.terms[term].complexity()).sum() };
    fits.iter()
        .filter(equal)
        .min_by(|a, b| complexity(a).cmp(&complexity(b)).then_with(|| a.error.total_cmp(&b.error)))
        .cloned()
}

fn fitted(problem: &Problem, set: &[usize], independent: f64) -> Option<Fit> {
    let zero = problem.zero();
    let blocks = problem.held_out(set)?;
    let scaled = fit(&problem.total, set)?;
    let left = super::error(&problem.total, set, &scaled).max(0.0) / zero;
    let count = independent.max(2.0);
    Some(Fit {
        set: set.to_vec(),
        error: blocks.iter().sum::<f64>() / zero,
        floor: problem.floor(set, &scaled) / zero,
        blocks,
        information: count * left.max(1e-16).ln() + set.len() as f64 * count.ln(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sureness_is_that_of_paired_differences() {
        assert_eq!(sureness(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
        // Differences 1/2, 1/3, 1/6: mean 1/3, standard error 1 / (6 sqrt(3)).
        let got = sureness(&[3.0, 20.0, 7.0], &[1.0, 10.0, 5.0]);
        assert!((got - 2.0 * 3.0_f64.sqrt()).abs() < 1e-12, "{got}");
    }
}
