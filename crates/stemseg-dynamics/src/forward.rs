//! Forward simulation of an equation from the first frame of a film.
//!
//! Derivatives are differences of fourth order, those by which the boundary is carried of third
//! order against the wind; time goes on by Runge and Kutta's rule of fourth order.

use ndarray::{Array2, Array3, Axis};
use rayon::prelude::*;

use crate::term::{Factor, Jet, Term};

/// Steps within a frame at most; an equation that needs more is not simulated.
const MOST_STEPS: f64 = 400.0;
/// Pixels times steps times terms at most: some seconds.
const MOST_WORK: f64 = 6e7;
/// A value beyond which the solution has blown up.
const BLOWN_UP: f64 = 10.0;

/// Why an equation was not simulated.
pub(crate) enum Refused {
    /// Too many steps.
    Work,
    /// The solution leaves all bounds in this frame.
    Unbounded(usize),
}

/// The film `[frames, rows, columns]` that the terms with these coefficients (px and frames) make
/// of `first`.
pub(crate) fn simulate(
    first: &Array2<f64>,
    frames: usize,
    terms: &[(Term, f64)],
) -> Result<Array3<f32>, Refused> {
    let steps = steps(terms);
    let work = steps * frames as f64 * first.len() as f64 * (1 + terms.len()) as f64;
    if !(steps <= MOST_STEPS && work <= MOST_WORK) {
        return Err(Refused::Work);
    }
    let (rows, cols) = first.dim();
    let mut film = Array3::zeros((frames, rows, cols));
    let mut now = first.clone();
    let step = 1.0 / steps;
    for (number, mut frame) in film.axis_iter_mut(Axis(0)).enumerate() {
        frame.zip_mut_with(&now, |out: &mut f32, value| *out = *value as f32);
        for _ in 0..steps as usize {
            let a = rate(&now, terms);
            let b = rate(&(&now + &(&a * (0.5 * step))), terms);
            let c = rate(&(&now + &(&b * (0.5 * step))), terms);
            let d = rate(&(&now + &(&c * step)), terms);
            now.scaled_add(step / 6.0, &a);
            now.scaled_add(step / 3.0, &b);
            now.scaled_add(step / 3.0, &c);
            now.scaled_add(step / 6.0, &d);
        }
        // Written so that NaN fails.
        if !now.iter().all(|value| value.abs() < BLOWN_UP) {
            return Err(Refused::Unbounded(number));
        }
    }
    Ok(film)
}

/// Steps a frame for which the rule is stable: 2.7 over the largest rate of waves of second
/// derivatives (16/3 for each axis), 1.7 over that of first ones (1.4).
fn steps(terms: &[(Term, f64)]) -> f64 {
    let rate = |&(term, coefficient): &(Term, f64)| {
        let own = match term.factor {
            Factor::XX | Factor::YY => 16.0 / 3.0 / 2.7,
            Factor::XY | Factor::Curvature => 2.0 * 16.0 / 3.0 / 2.7,
            Factor::X | Factor::Y | Factor::Slope | Factor::SquareX | Factor::SquareY => 1.5,
            Factor::One => 0.5,
        };
        coefficient.abs() * own
    };
    terms.iter().map(rate).sum::<f64>().ceil().max(1.0)
}

/// Rate of change of each pixel.
fn rate(now: &Array2<f64>, terms: &[(Term, f64)]) -> Array2<f64> {
    let (rows, cols) = now.dim();
    let mut out = Array2::zeros((rows, cols));
    let lines = out.axis_iter_mut(Axis(0)).into_par_iter().with_min_len(16).enumerate();
    lines.for_each(|(row, mut line)| {
        for (col, out) in line.iter_mut().enumerate() {
            *out = terms.iter().map(|&(term, c)| c * at(now, row, col, term, c)).sum();
        }
    });
    out
}

/// Value of `term` at a pixel; `coefficient` tells where the wind comes from.
fn at(now: &Array2<f64>, row: usize, col: usize, term: Term, coefficient: f64) -> f64 {
    let (rows, cols) = now.dim();
    let value = now[(row, col)];
    if term.factor == Factor::One {
        return value.powi(i32::from(term.power));
    }
    // Beyond a border lies the mirror image, so that nothing flows over it.
    let near = |at: usize, by: isize, length: usize| match at.checked_add_signed(by) {
        None => (-1 - (at as isize + by)) as usize,
        Some(at) => at.min(2 * length - 1 - at),
    };
    let x = |by: isize| now[(row, near(col, by, cols))];
    let y = |by: isize| now[(near(row, by, rows), col)];
    let power = value.powi(i32::from(term.power));
    let first = |f: &dyn Fn(isize) -> f64| (8.0 * (f(1) - f(-1)) - (f(2) - f(-2))) / 12.0;
    let second =
        |f: &dyn Fn(isize) -> f64| (16.0 * (f(1) + f(-1)) - (f(2) + f(-2)) - 30.0 * value) / 12.0;
    // Phi_t = c Phi_x carries to the left for c above 0: the wind comes from the right.
    let windward = |f: &dyn Fn(isize) -> f64| match coefficient * power > 0.0 {
        true => (-2.0 * f(-1) - 3.0 * value + 6.0 * f(1) - f(2)) / 6.0,
        false => (2.0 * f(1) + 3.0 * value - 6.0 * f(-1) + f(-2)) / 6.0,
    };
    match term.factor {
        Factor::X => power * windward(&x),
        Factor::Y => power * windward(&y),
        Factor::XX => power * second(&x),
        Factor::YY => power * second(&y),
        _ => {
            let corner =
                |down: isize, right: isize| now[(near(row, down, rows), near(col, right, cols))];
            let mixed = 0.25 * (corner(1, 1) + corner(-1, -1) - corner(1, -1) - corner(-1, 1));
            let jet = Jet {
                value,
                x: first(&x),
                y: first(&y),
                xx: second(&x),
                xy: mixed,
                yy: second(&y),
            };
            term.at(&jet)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phase_field::{Equation, Settings, simulate as phase_field};

    fn check(equation: Equation, terms: &[(&str, f64)], within: f32) {
        let settings = Settings::new(equation);
        let film = phase_field(&settings).unwrap();
        let terms: Vec<(Term, f64)> = terms.iter().map(|(t, c)| (t.parse().unwrap(), *c)).collect();
        // Not from a sharp step, which no differences follow.
        let from = settings.frames / 10;
        let first = film.index_axis(Axis(0), from).mapv(f64::from);
        let Ok(got) = simulate(&first, settings.frames - from, &terms) else {
            panic!("not simulated")
        };
        let right = film.slice(ndarray::s![from.., .., ..]);
        let worst = (&got - &right).iter().fold(0.0_f32, |worst, d| worst.max(d.abs()));
        assert!(worst < within, "{equation:?}: {worst}");
    }

    #[test]
    fn films_are_as_other_methods_make_them() {
        let wave = [("Phi_xx", 0.2), ("Phi^3", -0.02), ("Phi^2", 0.038), ("Phi", -0.018)];
        check(Equation::TravellingWave { diffusivity: 10.0, threshold: 0.9 }, &wave, 2e-3);
        let allen =
            [("Phi_xx", 1.5), ("Phi_yy", 1.5), ("Phi^3", -0.24), ("Phi^2", 0.36), ("Phi", -0.12)];
        check(Equation::AllenCahn { diffusivity: 1.5, rate: 0.12 }, &allen, 2e-3);
        check(Equation::Curvature { mobility: 1.0 }, &[("kappa |grad Phi|", 1.0)], 0.02);
    }

    #[test]
    fn a_boundary_is_carried_where_it_should_be() {
        // Rows leave at one border and do not come in at the other: away from both.
        let settings = Settings::new(Equation::Advection { x: 1.5, y: 0.0 });
        let film = phase_field(&settings).unwrap();
        let first = film.index_axis(Axis(0), 0).mapv(f64::from);
        let terms = [("Phi_x".parse().unwrap(), -1.5)];
        let Ok(got) = simulate(&first, 40, &terms) else { panic!("not simulated") };
        let worst = (&got - &film).iter().fold(0.0_f32, |worst, d| worst.max(d.abs()));
        assert!(worst < 0.02, "{worst}");
    }

    #[test]
    fn what_blows_up_or_takes_too_long_is_refused() {
        let first = Array2::from_elem((16, 16), 0.5);
        let grows = [("Phi".parse().unwrap(), 1.0)];
        assert!(matches!(simulate(&first, 50, &grows), Err(Refused::Unbounded(_))));
        let stiff = [("Phi_xx".parse().unwrap(), 1e6)];
        assert!(matches!(simulate(&first, 50, &stiff), Err(Refused::Work)));
    }
}
