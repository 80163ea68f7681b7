//! A film under bumps of the widths that suit it.

use crate::film::Film;
use crate::regression::Problem;
use crate::term::{Factor, Term};
use crate::weak::{Averages, Differences, Samples, Scale, whitened};
use crate::{Error, Result};

/// Relative variance below which narrower bumps are kept.
const CERTAIN: f64 = 1e-7;

/// Score of widths at which no coefficients can be told, over the volume of a bump.
const UNCERTAIN: f64 = 1e12;

/// Times what a boundary moves by in a frame that bumps reach to either side. Across narrower ones it
/// leaps: their averages over time are then those of a few frames, which depend on where these
/// happen to show it. (The middle of a bump is a Gaussian of a third of its half width, nearly;
/// that of one frame's way in time is told from a leap to 1e-4.)
const PACE: f64 = 3.0;

/// A film under the bumps that suit it.
pub(crate) struct Looked {
    pub(crate) scale: Scale,
    /// How far the boundary moves, px a frame.
    pub(crate) pace: f64,
    pub(crate) samples: Samples,
    pub(crate) problem: Problem,
}

/// Terms whose fit chooses the widths of the bumps: all that need no smoothing.
fn core(terms: &[Term]) -> Vec<Term> {
    let plain =
        |term: &&Term| term.factor == Factor::One || (term.power == 0 && term.complexity() == 2);
    terms.iter().filter(plain).copied().collect()
}

/// Half widths in px that are tried, where the boundary moves by `pace` px a frame.
fn spaces(film: &Film, pace: f64) -> Vec<usize> {
    let [_, rows, cols] = film.dim();
    let side = if film.is_line() { cols } else { rows.min(cols) };
    let all = [4, 8, 16, 32, 64];
    let most = side / 6;
    let mut spaces: Vec<usize> = all.into_iter().filter(|&half| half <= most).collect();
    if spaces.is_empty() {
        spaces.push(most.max(2));
    }
    // The last of them at least.
    let slow = spaces.iter().filter(|&&half| (half as f64) < PACE * pace).count();
    spaces.drain(..slow.min(spaces.len() - 1));
    spaces
}

/// Half widths in frames that are tried.
fn times(film: &Film) -> Vec<usize> {
    let frames = film.dim()[0];
    let share = |parts: f64| (frames as f64 / parts).round() as usize;
    let mut times: Vec<usize> = [20.0, 10.0, 7.0, 5.0].into_iter().map(share).collect();
    times.iter_mut().for_each(|half| *half = (*half).clamp(2, (frames - 1) / 2));
    times.dedup();
    times
}

/// The film under bumps of the widths that determine an equation of all plain terms best, by
/// fits that leave out one block of space and time after the other; `drift` as in
/// [`Options`](crate::Options), `pace` in px a frame.
pub(crate) fn looked(
    film: &Film,
    terms: &[Term],
    (drift, pace): ([f64; 2], f64),
    check: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Looked>> {
    let differences = Differences { pace, ..Differences::of(film) };
    let core = core(terms);
    let mut best: Option<(f64, Scale)> = None;
    // Most samples at any width, and whether any bump lies where all values are.
    let (mut most, mut whole) = (0, false);
    for space in spaces(film, pace) {
        let averages = Averages::new(film, space, &core, differences.clone(), check)?;
        if averages.places() == 0 {
            continue;
        }
        for time in times(film) {
            let samples = Samples::new(&averages, time, &core, drift);
            most = most.max(samples.left.len());
            whole |= samples.looked > 0;
            if samples.left.len() <= 2 * core.len() {
                continue;
            }
            let problem = Problem::new(&samples);
            let all: Vec<usize> = independent_terms(&problem);
            // Where noise is all that is seen, the widest bumps see most of what else there is.
            let hopeless = UNCERTAIN / (1.0 + (space * space * time) as f64);
            let score = problem.uncertainty(&all).unwrap_or(hopeless).max(CERTAIN);
            if best.is_none_or(|(known, _)| score < known) {
                best = Some((score, Scale { time, space }));
            }
        }
    }
    let Some((_, scale)) = best else {
        return match (whole, most) {
            (false, _) => Err(Error::Film(
                "no part of the film is without absent values for long enough; fill them, or cut them off".into(),
            )),
            (true, 0) => Ok(None),
            (true, most) => Err(few(terms, most)),
        };
    };
    let averages = Averages::new(film, scale.space, terms, differences, check)?;
    let samples = Samples::new(&averages, scale.time, terms, drift);
    if samples.left.len() <= terms.len() {
        return Err(few(terms, samples.left.len()));
    }
    let problem = Problem::new(&samples);
    Ok(Some(Looked { scale, pace, samples, problem }))
}

/// More terms than samples.
fn few(terms: &[Term], samples: usize) -> Error {
    let reason = format!(
        "the film gives {samples} samples where something changes; give fewer `terms`, or a longer film"
    );
    Error::parameter("terms", terms.len(), reason)
}

/// Terms none of which is a combination of those before it.
fn independent_terms(problem: &Problem) -> Vec<usize> {
    let mut set = Vec::new();
    for term in 0..problem.terms.len() {
        set.push(term);
        if problem.held_out(&set).is_none() {
            set.pop();
        }
    }
    set
}

/// The same terms with samples whose noise is independent, where that determines their
/// coefficients better: a problem of these terms alone.
pub(crate) fn refined(
    film: &Film,
    looked: &Looked,
    set: &[usize],
    drift: [f64; 2],
    check: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Problem>> {
    let terms: Vec<Term> = set.iter().map(|&term| looked.problem.terms[term]).collect();
    let all: Vec<usize> = (0..terms.len()).collect();
    let mut least = looked.problem.relative_variance(set).unwrap_or(f64::INFINITY);
    let mut best = None;
    let Scale { time, space } = looked.scale;
    let [_, rows, cols] = film.dim();
    let side = if film.is_line() { cols } else { rows.min(cols) };
    let differences = Differences { pace: looked.pace, ..Differences::of(film) };
    for space in [space, space + space / 2, 2 * space] {
        if space > side / 6 {
            continue;
        }
        let averages = Averages::new(film, space, &terms, differences.clone(), check)?;
        let samples = Samples::new(&averages, time, &terms, drift);
        let Some(moments) = whitened(&averages, time, &terms, &samples, drift) else { break };
        let problem = Problem::of(&terms, &moments);
        if let Some(variance) = problem.relative_variance(&all)
            && variance < least
        {
            least = variance;
            best = Some(problem);
        }
    }
    Ok(best)
}
