//! What was found, in numbers and words.

use ndarray::{Array2, Array3};
use serde::Serialize;

use crate::front::Front;
use crate::term::{Factor, Term};
use crate::weak::Scale;

/// What the film says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// An equation of the library explains how it changes.
    Equation,
    /// It changes no more than noise does.
    NothingMoves,
    /// It changes, and no equation of the library explains how.
    NoEquation,
}

/// A term of the equation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coefficient {
    /// The term.
    pub term: Term,
    /// Its coefficient.
    pub coefficient: f64,
    /// Standard deviation of the coefficient, from resampled blocks of space and time.
    pub std: f64,
    /// Share of resamplings in which the best equation of this size has the term.
    pub kept: f64,
}

/// Units other than px and frames.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Units {
    /// Distance of two columns.
    pub x: f64,
    /// Distance of two rows.
    pub y: f64,
    /// Time between two frames.
    pub t: f64,
    /// Names of the units of length and time, such as `nm, s`.
    pub name: String,
    /// Whether the answer is given in these first, not in px and frames.
    pub first: bool,
}

impl Units {
    /// What a coefficient in px and frames is multiplied by.
    fn factor(&self, term: Term) -> f64 {
        let [x, y] = term.orders();
        self.x.powi(i32::from(x)) * self.y.powi(i32::from(y)) / self.t
    }
}

/// The equation in one set of units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    /// Units of length and time.
    pub units: String,
    /// `Phi_t = ...`.
    pub equation: String,
    /// The same in LaTeX.
    pub latex: String,
    /// Its terms.
    pub terms: Vec<Coefficient>,
}

impl Written {
    /// The equation in px and frames; those that move the boundary come first.
    pub(crate) fn new(mut terms: Vec<Coefficient>) -> Self {
        let rank = |c: &Coefficient| match c.term.factor {
            Factor::One => (1, Factor::One, -i16::from(c.term.power)),
            factor => (0, factor, i16::from(c.term.power)),
        };
        terms.sort_by_key(rank);
        Self::of("px, frames".into(), terms)
    }

    fn of(units: String, terms: Vec<Coefficient>) -> Self {
        let sum = |spell: &dyn Fn(Term) -> String, times: &str| -> String {
            let mut words = String::new();
            for (i, c) in terms.iter().enumerate() {
                let sign = match (i, c.coefficient < 0.0) {
                    (0, true) => "-",
                    (0, false) => "",
                    (_, true) => " - ",
                    (_, false) => " + ",
                };
                let size = number(c.coefficient.abs(), c.std);
                words += sign;
                words += &match c.term == Term::new(0, Factor::One) {
                    true => size,
                    false => format!("{size}{times}{}", spell(c.term)),
                };
            }
            if words.is_empty() { "0".into() } else { words }
        };
        let equation = format!("Phi_t = {}", sum(&|term| term.to_string(), " "));
        let latex = format!(r"\Phi_{{t}} = {}", sum(&Term::latex, r"\,"));
        Self { units, equation, latex, terms }
    }

    /// The same in other units.
    pub(crate) fn in_units(&self, units: &Units) -> Self {
        let terms = self.terms.iter().map(|c| {
            let factor = units.factor(c.term);
            Coefficient { coefficient: c.coefficient * factor, std: c.std * factor, ..c.clone() }
        });
        Self::of(units.name.clone(), terms.collect())
    }
}

/// `value` with the digits that its deviation leaves, at least three.
pub(crate) fn number(value: f64, deviation: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let order = value.abs().log10().floor() as i32;
    let sure = match deviation > 0.0 {
        true => order - deviation.log10().floor() as i32 + 2,
        false => 6,
    };
    let digits = sure.clamp(3, 6);
    let places = digits - 1 - order;
    match (-6..=6).contains(&order) {
        true => format!("{value:.*}", places.max(0) as usize),
        false => format!("{value:.*e}", (digits - 1) as usize),
    }
}

/// An equation on the Pareto front of error against number of terms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// How many terms it has.
    pub size: usize,
    /// The equation, in the units of the answer.
    pub equation: String,
    /// Root mean square error of `Phi_t` in held-out blocks, 1 / frame.
    pub error: f64,
    /// What noise alone makes of it, 1 / frame.
    pub noise_error: f64,
    /// Bayesian information score; the less the better.
    pub information: f64,
    /// Whether it is the one that is recommended.
    pub recommended: bool,
}

/// The same terms fitted to derivatives of the smoothed film, a second way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SecondWay {
    /// How the film was smoothed.
    pub name: &'static str,
    /// Coefficients in the order of the answer's terms and in its units.
    pub coefficients: Vec<f64>,
    /// Whether all are within a tenth of the largest of their kind, or four standard deviations.
    pub agrees: bool,
}

/// How well the simulated film follows the measured one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forward {
    /// Root mean square difference in each frame.
    pub error: Vec<f64>,
    /// That of a film in which nothing moves.
    pub still: Vec<f64>,
    /// The boundary in the simulated film.
    pub front: Option<Front>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// What the film says.
    pub verdict: Verdict,
    /// The recommended equation; `Phi_t = 0` where nothing moves.
    #[serde(flatten)]
    pub written: Written,
    /// The same in other units, where these are known.
    pub other_units: Option<Written>,
    /// Root mean square error of `Phi_t` in held-out blocks, 1 / frame.
    pub error: f64,
    /// That of the equation `Phi_t = 0`: root mean square of `Phi_t`, 1 / frame.
    pub zero_model_error: f64,
    /// What noise alone makes of the zero model's error, 1 / frame.
    pub zero_model_noise: f64,
    /// Why this equation.
    pub reasons: Vec<String>,
    /// What a user should know.
    pub notes: Vec<String>,
    /// Best equations of 1, 2, ... terms.
    pub pareto: Vec<Candidate>,
    /// Half widths of the bumps.
    pub bumps: Scale,
    /// Samples where something changes.
    pub samples: usize,
    /// Terms that were tried.
    pub library: Vec<Term>,
    /// Given drift, px a frame along x and y.
    pub drift: [f64; 2],
    /// The same by other derivatives.
    pub second_ways: Vec<SecondWay>,
    /// The boundary, followed from frame to frame.
    pub front: Option<Front>,
    /// The equation, simulated from the first frame.
    pub forward: Option<Forward>,
}

/// The answer with its films and maps.
#[derive(Debug, Clone)]
pub struct Found {
    /// Numbers and words.
    pub answer: Answer,
    /// The simulated film `[frames, rows, columns]`.
    pub simulated: Option<Array3<f32>>,
    /// Root mean square error of `Phi_t`, 1 / frame, where samples are: rows and columns of the
    /// image, over all times; of a line, times and columns. NaN where nothing changes.
    pub residuals: Array2<f32>,
}

impl Answer {
    /// The answer in some lines.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        match self.verdict {
            Verdict::Equation => {
                lines.push(format!("{}   ({})", self.written.equation, self.written.units))
            }
            Verdict::NothingMoves => lines.push("nothing moves: Phi_t = 0".into()),
            Verdict::NoEquation => {
                lines.push("no equation of this library explains the film".into());
                lines.push(format!(
                    "the nearest: {}   ({})",
                    self.written.equation, self.written.units
                ));
            }
        }
        if let Some(other) = &self.other_units {
            lines.push(format!("{}   ({})", other.equation, other.units));
        }
        lines.push(String::new());
        for c in &self.written.terms {
            lines.push(format!(
                "  {:<16} {:>12} +- {:<10} kept in {:.0} % of the resamplings",
                c.term.to_string(),
                number(c.coefficient, c.std),
                number(c.std, c.std),
                100.0 * c.kept
            ));
        }
        let listed = |title: &str, all: &[String], lines: &mut Vec<String>| {
            if !all.is_empty() {
                lines.push(format!("{title}:"));
                lines.extend(all.iter().map(|line| format!("  {line}")));
            }
        };
        listed("why", &self.reasons, &mut lines);
        listed("notes", &self.notes, &mut lines);
        if !self.pareto.is_empty() {
            lines.push("best equations of each size (error, share of it that noise makes):".into());
        }
        for c in &self.pareto {
            let share = (c.noise_error / c.error).powi(2).min(1.0);
            lines.push(format!(
                "{} {}  {:<10} {:>4.0} %  {}",
                if c.recommended { "*" } else { " " },
                c.size,
                number(c.error, 0.01 * c.error),
                100.0 * share,
                c.equation
            ));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coefficient(term: &str, coefficient: f64, std: f64) -> Coefficient {
        Coefficient { term: term.parse().unwrap(), coefficient, std, kept: 1.0 }
    }

    #[test]
    fn equations_are_written_with_the_digits_that_are_sure() {
        let terms = vec![
            coefficient("Phi", -0.018012, 0.0001),
            coefficient("Phi^3", -0.02, 0.0004),
            coefficient("Phi_xx", 0.20031, 0.003),
        ];
        let written = Written::new(terms);
        assert_eq!(written.equation, "Phi_t = 0.2003 Phi_xx - 0.02000 Phi^3 - 0.01801 Phi");
        assert_eq!(
            written.latex,
            r"\Phi_{t} = 0.2003\,\Phi_{xx} - 0.02000\,\Phi^{3} - 0.01801\,\Phi"
        );
        let units = Units { x: 1.0, y: 1.0, t: 0.02, name: "dx, dt".into(), first: true };
        let other = written.in_units(&units);
        assert_eq!(other.equation, "Phi_t = 10.02 Phi_xx - 1.000 Phi^3 - 0.9006 Phi");
    }

    #[test]
    fn nothing_is_zero() {
        assert_eq!(Written::new(Vec::new()).equation, "Phi_t = 0");
        assert_eq!(number(0.0, 0.0), "0");
        assert_eq!(number(1.5e-9, 1e-10), "1.50e-9");
    }
}
