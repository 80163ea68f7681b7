//! From a film to its equation.

use crate::film::Film;
use crate::regression::{Choice, Problem, choose, levels};
use crate::term::{Factor, Term, library};
use crate::weak::{Averages, Differences, Samples, Scale};
use crate::{Error, Result};

/// Most terms of an equation.
const MOST_TERMS: usize = 8;

/// A film under the bumps that suit it.
pub(crate) struct Looked {
    pub(crate) scale: Scale,
    pub(crate) samples: Samples,
    pub(crate) problem: Problem,
}

/// Terms whose fit chooses the widths of the bumps: all that need no smoothing.
fn core(terms: &[Term]) -> Vec<Term> {
    let plain =
        |term: &&Term| term.factor == Factor::One || (term.power == 0 && term.complexity() == 2);
    terms.iter().filter(plain).copied().collect()
}

/// Half widths in px that are tried.
fn spaces(film: &Film) -> Vec<usize> {
    let [_, rows, cols] = film.dim();
    let side = if film.is_line() { cols } else { rows.min(cols) };
    let all = [4, 8, 16, 32, 64];
    let most = side / 6;
    let mut spaces: Vec<usize> = all.into_iter().filter(|&half| half <= most).collect();
    if spaces.is_empty() {
        spaces.push(most.max(2));
    }
    spaces
}

/// Half widths in frames that are tried.
fn times(film: &Film) -> Vec<usize> {
    let frames = film.dim()[0];
    let share = |parts: f64| (frames as f64 / parts).round() as usize;
    let mut times: Vec<usize> = [20.0, 10.0, 5.0, 3.5].into_iter().map(share).collect();
    times.iter_mut().for_each(|half| *half = (*half).clamp(2, (frames - 1) / 2));
    times.dedup();
    times
}

/// The widths of the bumps that determine coefficients best: the error in held-out blocks, of
/// an equation of all plain terms, times the volume of a bump, which is inverse to the number of
/// independent samples.
pub(crate) fn looked(
    film: &Film,
    terms: &[Term],
    drift: [f64; 2],
    check: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Looked>> {
    let differences = Differences::of(film);
    let core = core(terms);
    let mut best: Option<(f64, Scale)> = None;
    for space in spaces(film) {
        let averages = Averages::new(film, space, &core, differences.clone(), check)?;
        if averages.places() == 0 {
            continue;
        }
        for time in times(film) {
            let samples = Samples::new(&averages, time, &core, drift);
            if samples.left.len() <= 2 * core.len() {
                continue;
            }
            let problem = Problem::new(&samples);
            let all: Vec<usize> = independent_terms(&problem);
            let Some(blocks) = problem.held_out(&all) else { continue };
            let volume = (space as f64).powi(if film.is_line() { 1 } else { 2 }) * time as f64;
            let error = blocks.iter().sum::<f64>() / problem.zero().max(f64::MIN_POSITIVE);
            let score = error.max(1e-6) * volume;
            if std::env::var_os("DYN_DEBUG").is_some() {
                eprintln!(
                    "time {time} space {space} n {} error {error:.3e} noise {:.3e} score {score:.3e}",
                    samples.left.len(),
                    problem.zero_noise() / problem.zero()
                );
            }
            if best.is_none_or(|(known, _)| score < known) {
                best = Some((score, Scale { time, space }));
            }
        }
    }
    let Some((_, scale)) = best else { return Ok(None) };
    let averages = Averages::new(film, scale.space, terms, differences, check)?;
    let samples = Samples::new(&averages, scale.time, terms, drift);
    if samples.left.len() <= terms.len() {
        return Err(Error::parameter(
            "terms",
            terms.len(),
            format!(
                "the film gives {} samples where something changes; give fewer `terms`, or a longer film",
                samples.left.len()
            ),
        ));
    }
    let problem = Problem::new(&samples);
    Ok(Some(Looked { scale, samples, problem }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phase_field::{Equation, Noise, Settings, simulate};

    fn show(name: &str, film: &Film) {
        let start = std::time::Instant::now();
        let terms = library(!film.is_line(), true);
        let looked = looked(film, &terms, [0.0; 2], &|| false).unwrap().unwrap();
        let t1 = start.elapsed();
        let levels = levels(&looked.problem, MOST_TERMS);
        let t2 = start.elapsed();
        let Choice { front, chosen } =
            choose(&looked.problem, &levels, looked.samples.independent).unwrap();
        eprintln!(
            "\n{name}: {:?} n {} indep {:.0} zero noise {:.3e} looked {t1:?} levels {t2:?} all {:?}",
            looked.scale,
            looked.samples.left.len(),
            looked.samples.independent,
            looked.problem.zero_noise() / looked.problem.zero(),
            start.elapsed()
        );
        for (i, fit) in front.iter().enumerate() {
            let c = looked.problem.coefficients(&fit.set).unwrap();
            let words: Vec<String> = fit
                .set
                .iter()
                .zip(&c)
                .map(|(&t, c)| format!("{c:.4} {}", looked.problem.terms[t]))
                .collect();
            eprintln!(
                "{} {} err {:.3e} floor {:.3e} bic {:.0}  {}",
                if i == chosen { "*" } else { " " },
                fit.set.len(),
                fit.error,
                fit.floor,
                fit.information,
                words.join(" + ")
            );
        }
        let set = &front[chosen].set;
        let spread = looked.problem.spread(set, &levels[set.len() - 1], 0);
        eprintln!("  std {:?} kept {:?}  {:?}", spread.deviations, spread.kept, start.elapsed());
    }

    #[test]
    fn experiments() {
        let wave = Settings::new(Equation::TravellingWave { diffusivity: 10.0, threshold: 0.9 });
        let white = |deviation| Noise::White { deviation };
        let soft = Noise::Soft { deviation: 1.0, radius: 3.0 };
        let ac = Settings {
            size: [96, 96],
            ..Settings::new(Equation::AllenCahn { diffusivity: 1.5, rate: 0.12 })
        };
        let diff =
            Settings { size: [96, 96], ..Settings::new(Equation::Diffusion { diffusivity: 1.5 }) };
        let adv =
            Settings { size: [128, 160], ..Settings::new(Equation::Advection { x: 1.5, y: 0.7 }) };
        let still =
            Settings { size: [128, 160], ..Settings::new(Equation::Advection { x: 0.0, y: 0.0 }) };
        let cases = [
            ("wave", wave),
            ("wave 0.02", Settings { noise: white(0.02), ..wave }),
            ("wave 0.05", Settings { noise: white(0.05), ..wave }),
            ("steady", Settings { begin: 80.0, ..wave }),
            ("steady 0.05", Settings { begin: 80.0, noise: white(0.05), ..wave }),
            ("ac", ac),
            ("ac 0.03", Settings { noise: white(0.03), ..ac }),
            ("diff", diff),
            ("diff 0.03", Settings { noise: white(0.03), ..diff }),
            ("adv", adv),
            ("adv soft", Settings { noise: soft, ..adv }),
            ("still soft", Settings { noise: soft, ..still }),
            ("still white", Settings { noise: white(0.05), ..still }),
        ];
        let only = std::env::var("DYN_ONLY").unwrap_or_default();
        for (name, settings) in cases.into_iter().filter(|(name, _)| name.contains(&only)) {
            let film = Film::new(simulate(&settings).unwrap(), None).unwrap();
            show(name, &film);
        }
    }
}
