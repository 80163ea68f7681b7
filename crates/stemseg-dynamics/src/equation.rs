//! From a film to its equation.

mod words;

use ndarray::Array2;

use crate::answer::{
    Answer, Candidate, Coefficient, Forward, Found, SecondWay, Units, Verdict, Written,
};
use crate::film::Film;
use crate::find::{Looked, looked, refined};
use crate::forward::{self, Refused};
use crate::front;
use crate::regression::{Choice, Fit, Problem, choose, levels};
use crate::strong::{self, Way};
use crate::term::{Factor, Term, library};
use crate::{Error, Result};

/// Most terms of an equation.
const MOST_TERMS: usize = 8;
/// Zero model's error over that of noise below which nothing needs to move.
const STILL: f64 = 2.0;
/// Relative error of Phi_t below which a film without noise does not change.
const UNCHANGED: f64 = 1e-10;
/// Half width, px, of what a film is smoothed under for a first look at its boundary.
const SMOOTHING: usize = 3;
/// Share of what noise does not explain that an equation may leave, and still explain the film.
const ENOUGH: f64 = 0.5;

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Terms that are tried instead of the [library].
    pub terms: Option<Vec<Term>>,
    /// Terms that are tried as well.
    pub more_terms: Vec<Term>,
    /// A known velocity of the whole film, px a frame along x and y: `Phi_t + drift . grad Phi` is
    /// explained.
    pub drift: [f64; 2],
    /// Units, where they are known.
    pub units: Option<Units>,
    /// Seed of the resampling.
    pub seed: u64,
}

impl Options {
    /// The terms that are tried on `film`.
    fn library(&self, film: &Film, notes: &mut Vec<String>) -> Result<Vec<Term>> {
        let line = film.is_line();
        let square = self.units.as_ref().is_none_or(|units| (units.x / units.y - 1.0).abs() < 1e-6);
        let mut terms = match &self.terms {
            Some(terms) => terms.clone(),
            None => library(!line, square),
        };
        terms.extend(&self.more_terms);
        if let Some(term) = terms.iter().find(|term| line && term.needs_rows()) {
            return Err(Error::parameter("terms", term, "the film has a single row; leave it out"));
        }
        if let Some(term) = terms.iter().find(|term| !square && term.needs_square_pixels()) {
            return Err(Error::parameter("terms", term, "it needs square pixels; leave it out"));
        }
        if !square && self.terms.is_none() {
            notes.push("pixels are not square: |grad Phi| is not tried".into());
        }
        terms.sort_unstable();
        terms.dedup();
        match terms.is_empty() {
            true => Err(Error::parameter("terms", "none", "give at least one term")),
            false => Ok(terms),
        }
    }
}

/// The equation of motion of `film`. `stop` is asked from time to time whether to stop.
///
/// # Errors
/// [`Error::Parameter`] for terms that the film cannot have and for more terms than samples,
/// [`Error::Film`] where no window of the film is without absent values, [`Error::Interrupted`].
pub fn find(film: &Film, options: &Options, stop: &(dyn Fn() -> bool + Sync)) -> Result<Found> {
    let mut notes = film.notes().to_vec();
    let terms = options.library(film, &mut notes)?;
    let level = front::level(film);
    let follow = |smoothing: usize| {
        front::follow(film.dim()[0], |frame| film.frame(frame), level, smoothing)
    };
    let pace = follow(SMOOTHING).map_or(0.0, |front| front.speed.abs());
    let seen = looked(film, &terms, (options.drift, pace), stop)?;
    let Some(seen) = seen else {
        return Ok(still(film, options, notes, terms));
    };
    let smoothing = (seen.scale.space / 4).max(1);
    let measured = follow(smoothing);
    let (zero, noise) = (seen.problem.zero(), seen.problem.zero_noise());
    let levels = levels(&seen.problem, MOST_TERMS);
    let choice = choose(&seen.problem, &levels, seen.samples.independent);
    let changes = zero > UNCHANGED * seen.samples.activity * seen.samples.left.len() as f64;
    let Some(choice) = choice.filter(|_| changes) else {
        return Ok(still(film, options, notes, terms));
    };
    let fit = &choice.front[choice.chosen];
    let verdict = verdict(fit, &seen, noise / zero);
    let better = match verdict {
        Verdict::NothingMoves => None,
        _ => refined(film, &seen, &fit.set, options.drift, stop)?,
    };
    let mut answer = written(options, &seen, &choice, &levels, verdict, better.as_ref());
    answer.notes.splice(0..0, notes);
    answer.front = measured;
    if stop() {
        return Err(Error::Interrupted);
    }
    let set: Vec<(Term, f64)> = match verdict {
        Verdict::Equation => best_coefficients(&seen, fit, better.as_ref()),
        _ => Vec::new(),
    };
    let mut simulated = None;
    if verdict == Verdict::Equation {
        second_ways(film, options, &seen, &mut answer, &set);
        match run(film, &set, smoothing, level, options.drift) {
            Ok((film, forward)) => {
                answer.forward = Some(forward);
                simulated = Some(film);
            }
            Err(why) => answer.notes.push(why),
        }
        words::remarks(film, &seen, &mut answer, &set);
    }
    let residuals = residuals(film, &seen, &set);
    Ok(Found { answer, simulated, residuals })
}

/// The answer for a film in which nothing is to be seen that moves.
fn still(film: &Film, options: &Options, notes: Vec<String>, library: Vec<Term>) -> Found {
    let answer = Answer {
        verdict: Verdict::NothingMoves,
        written: Written::new(Vec::new()),
        other_units: None,
        error: 0.0,
        zero_model_error: 0.0,
        zero_model_noise: 0.0,
        reasons: vec!["no value of the film changes".into()],
        notes,
        pareto: Vec::new(),
        bumps: crate::Scale { time: 0, space: 0 },
        samples: 0,
        library,
        drift: options.drift,
        second_ways: Vec::new(),
        front: None,
        forward: None,
    };
    let [_, rows, cols] = film.dim();
    Found {
        answer,
        simulated: None,
        residuals: Array2::from_elem((rows.min(1), cols.min(1)), f32::NAN),
    }
}

/// What the best equation's error says.
fn verdict(fit: &Fit, seen: &Looked, noise: f64) -> Verdict {
    let better = seen.problem.surely_better(&fit.blocks);
    let unexplained = (fit.error - fit.floor).max(0.0) / (1.0 - noise).max(f64::MIN_POSITIVE);
    match () {
        () if noise * STILL > 1.0 && !(better && fit.error < 0.9) => Verdict::NothingMoves,
        () if fit.error > 0.95 && noise > 0.2 => Verdict::NothingMoves,
        () if !better || unexplained > ENOUGH => Verdict::NoEquation,
        () => Verdict::Equation,
    }
}

fn coefficients(seen: &Looked, fit: &Fit) -> Vec<(Term, f64)> {
    let values = seen.problem.coefficients(&fit.set).unwrap_or_default();
    fit.set.iter().zip(values).map(|(&term, value)| (seen.problem.terms[term], value)).collect()
}

/// Those of independent samples, where these are better.
fn best_coefficients(seen: &Looked, fit: &Fit, better: Option<&Problem>) -> Vec<(Term, f64)> {
    let mut all = coefficients(seen, fit);
    let numbers: Vec<usize> = (0..all.len()).collect();
    if let Some(values) = better.and_then(|problem| problem.coefficients(&numbers)) {
        all.iter_mut().zip(values).for_each(|((_, coefficient), value)| *coefficient = value);
    }
    all
}

/// The answer's numbers, without what follows from them.
fn written(
    options: &Options,
    seen: &Looked,
    choice: &Choice,
    levels: &[Vec<Vec<usize>>],
    verdict: Verdict,
    better: Option<&Problem>,
) -> Answer {
    let fit = &choice.front[choice.chosen];
    let rms =
        |share: f64| (share.max(0.0) * seen.problem.zero() / seen.samples.left.len() as f64).sqrt();
    let first = |written: &Written| match &options.units {
        Some(units) if units.first => written.in_units(units),
        _ => written.clone(),
    };
    let equation = |fit: &Fit, sure: bool| {
        let values = match sure {
            true => best_coefficients(seen, fit, better),
            false => coefficients(seen, fit),
        };
        let spread = sure.then(|| {
            let rivals = levels.iter().find(|level| level[0].len() == fit.set.len());
            let rivals = rivals.map_or(&[][..], |level| &level[..]);
            let mut spread = seen.problem.spread(&fit.set, rivals, options.seed);
            if let Some(problem) = better {
                let numbers: Vec<usize> = (0..fit.set.len()).collect();
                spread.deviations = problem.spread(&numbers, &[], options.seed).deviations;
            }
            spread
        });
        let terms = values.iter().enumerate().map(|(i, &(term, coefficient))| Coefficient {
            term,
            coefficient,
            std: spread.as_ref().map_or(0.01 * coefficient.abs(), |s| s.deviations[i]),
            kept: spread.as_ref().map_or(1.0, |s| s.kept[i]),
        });
        Written::new(terms.collect())
    };
    let in_px = match verdict {
        Verdict::NothingMoves => Written::new(Vec::new()),
        _ => equation(fit, true),
    };
    let other_units = options.units.as_ref().filter(|_| verdict != Verdict::NothingMoves);
    let pareto = choice.front.iter().enumerate().map(|(i, fit)| Candidate {
        size: fit.set.len(),
        equation: first(&equation(fit, false)).equation,
        error: rms(fit.error),
        noise_error: rms(fit.floor),
        information: fit.information,
        recommended: verdict == Verdict::Equation && i == choice.chosen,
    });
    let noise = seen.problem.zero_noise() / seen.problem.zero();
    Answer {
        verdict,
        written: first(&in_px),
        other_units: other_units
            .map(|units| if units.first { in_px.clone() } else { in_px.in_units(units) }),
        error: rms(if verdict == Verdict::NothingMoves { 1.0 } else { fit.error }),
        zero_model_error: rms(1.0),
        zero_model_noise: rms(noise),
        reasons: words::reasons(choice, verdict, noise),
        notes: Vec::new(),
        pareto: pareto.collect(),
        bumps: seen.scale,
        samples: seen.samples.left.len(),
        library: seen.problem.terms.clone(),
        drift: options.drift,
        second_ways: Vec::new(),
        front: None,
        forward: None,
    }
}

/// The same terms fitted to derivatives of the smoothed film, which must agree.
fn second_ways(
    film: &Film,
    options: &Options,
    seen: &Looked,
    answer: &mut Answer,
    set: &[(Term, f64)],
) {
    let terms: Vec<Term> = set.iter().map(|&(term, _)| term).collect();
    for way in Way::ALL {
        let at = (&*seen.samples.at, seen.scale);
        let Some(fitted) = strong::fit(film, way, at, &terms, options.drift) else { continue };
        let pair = |(&term, coefficient): (&Term, f64)| Coefficient {
            term,
            coefficient,
            std: 0.0,
            kept: 1.0,
        };
        let other = Written::new(terms.iter().zip(fitted).map(pair).collect());
        let other = match &options.units {
            Some(units) if units.first => other.in_units(units),
            _ => other,
        };
        let agrees = answer.written.terms.iter().zip(&other.terms).all(|(a, b)| {
            (a.coefficient - b.coefficient).abs() <= (0.1 * a.coefficient.abs()).max(4.0 * a.std)
        });
        if !agrees {
            answer.notes.push(format!(
                "derivatives of the smoothed film ({}) give {}: not the same within a tenth",
                way.name(),
                other.equation
            ));
        }
        let coefficients = other.terms.iter().map(|c| c.coefficient).collect();
        answer.second_ways.push(SecondWay { name: way.name(), coefficients, agrees });
    }
}

/// The equation simulated from the first frame, next to the film.
fn run(
    film: &Film,
    set: &[(Term, f64)],
    smoothing: usize,
    level: f64,
    drift: [f64; 2],
) -> Result<(ndarray::Array3<f32>, Forward), String> {
    let [frames, rows, cols] = film.dim();
    let noisy = crate::weak::Differences::of(film).variance > 1e-6;
    let first =
        front::smoothed(film.frame(0), if noisy || film.was_labels() { smoothing } else { 0 });
    let mut all = set.to_vec();
    for (factor, velocity) in [Factor::X, Factor::Y].into_iter().zip(drift) {
        if velocity != 0.0 && !(film.is_line() && factor == Factor::Y) {
            all.push((Term::new(0, factor), -velocity));
        }
    }
    let simulated = forward::simulate(&first, frames, &all).map_err(|why| match why {
        Refused::Work => "the equation is not simulated: it would take too many steps".to_owned(),
        Refused::Unbounded(frame) => {
            format!(
                "simulated from the first frame the equation leaves all bounds in frame {frame}"
            )
        }
    })?;
    let rms = |frame: usize, other: ndarray::ArrayView2<'_, f32>| {
        let sum: f64 =
            film.frame(frame).iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        (sum / (rows * cols) as f64).sqrt()
    };
    let frame = |t: usize| simulated.index_axis(ndarray::Axis(0), t);
    let forward = Forward {
        error: (0..frames).map(|t| rms(t, frame(t))).collect(),
        still: (0..frames).map(|t| rms(t, film.frame(0))).collect(),
        front: front::follow(frames, frame, level, smoothing),
    };
    Ok((simulated, forward))
}

/// Root mean square of what the equation leaves, place by place.
fn residuals(film: &Film, seen: &Looked, set: &[(Term, f64)]) -> Array2<f32> {
    let samples = &seen.samples;
    let numbers: Vec<(usize, f64)> = set
        .iter()
        .filter_map(|&(term, c)| Some((samples.terms.iter().position(|t| *t == term)?, c)))
        .collect();
    let axes = if film.is_line() { [0, 2] } else { [1, 2] };
    let known = axes.map(|axis| {
        let mut all: Vec<usize> = samples.at.iter().map(|at| at[axis]).collect();
        all.sort_unstable();
        all.dedup();
        all
    });
    let size = (known[0].len(), known[1].len());
    let (mut sums, mut counts) = (Array2::<f64>::zeros(size), Array2::<f64>::zeros(size));
    for (i, at) in samples.at.iter().enumerate() {
        let row = &samples.right[i * samples.terms.len()..(i + 1) * samples.terms.len()];
        let right: f64 = numbers.iter().map(|&(number, c)| c * row[number]).sum();
        let place = [0, 1].map(|k| known[k].binary_search(&at[axes[k]]).unwrap_or(0));
        sums[place] += (samples.left[i] - right).powi(2);
        counts[place] += 1.0;
    }
    ndarray::Zip::from(&sums).and(&counts).map_collect(|sum, count| (sum / count).sqrt() as f32)
}
