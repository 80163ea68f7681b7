//! Other ways: derivatives of the smoothed film itself, pixel by pixel.

use rayon::prelude::*;
use stemseg_numerics::linear::{Mat, least_squares};

use crate::bump::{savitzky_golay, smoothing_spline};
use crate::film::Film;
use crate::term::{Jet, Term};
use crate::weak::Scale;

/// Samples at most.
const MOST: usize = 1500;
/// Widest window in space, px to either side.
const WIDEST: usize = 16;

/// How a film is smoothed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Polynomials fitted to what is near, of second degree in time and of fourth in space.
    SavitzkyGolay,
    /// Cubic smoothing splines.
    Splines,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::SavitzkyGolay, Self::Splines];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SavitzkyGolay => "Savitzky-Golay",
            Self::Splines => "smoothing splines",
        }
    }

    /// Weights of value, first and second derivative in time and in space, for windows of these half
    /// widths.
    fn kernels(self, Scale { time, space }: Scale) -> [[Vec<f64>; 3]; 2] {
        match self {
            Self::SavitzkyGolay => [savitzky_golay(time, 2), savitzky_golay(space, 4)],
            Self::Splines => [time, space].map(|half| smoothing_spline(half, half as f64 / REACH)),
        }
    }
}

/// Half widths of the windows over the lengths that splines smooth over: beyond, their weights are
/// lost.
const REACH: f64 = 4.0;

/// Half widths of windows that are tried, for a film that shows most under bumps of `scale`: noise in
/// its derivatives makes coefficients too small where they are narrow, and wide ones blur boundaries.
fn windows(film: &Film, scale: Scale) -> Vec<Scale> {
    let [frames, rows, cols] = film.dim();
    let side = if film.is_line() { cols } else { rows.min(cols) };
    let widest = (side / 8).clamp(2, WIDEST);
    let longest = ((frames - 1) / 4).max(1);
    let mut all: Vec<Scale> = Vec::new();
    for space in [scale.space / 2, scale.space, 2 * scale.space] {
        for time in [scale.time / 2, scale.time] {
            let window = Scale { time: time.clamp(1, longest), space: space.clamp(2, widest) };
            if !all.contains(&window) {
                all.push(window);
            }
        }
    }
    all
}

/// Coefficients of `terms`, in px and frames, by least squares on derivatives of the smoothed film at
/// the places `at`, under the windows that leave the least of the rate unexplained; none where the
/// terms cannot be told apart.
pub(crate) fn fit(
    film: &Film,
    way: Way,
    (at, scale): (&[[usize; 3]], Scale),
    terms: &[Term],
    drift: [f64; 2],
) -> Option<Vec<f64>> {
    let fits = windows(film, scale)
        .into_iter()
        .filter_map(|window| smoothed(film, way.kernels(window), at, terms, drift));
    fits.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, all)| all)
}

/// The share of the rate that a fit under these kernels leaves unexplained, and its coefficients.
fn smoothed(
    film: &Film,
    [time, space]: [[Vec<f64>; 3]; 2],
    at: &[[usize; 3]],
    terms: &[Term],
    drift: [f64; 2],
) -> Option<(f64, Vec<f64>)> {
    let chosen: Vec<[usize; 3]> =
        at.iter().step_by(at.len().div_ceil(MOST).max(1)).copied().collect();
    let rows: Vec<(f64, Jet)> =
        chosen.par_iter().map(|&place| jet(film, place, &time, &space)).collect();
    if rows.len() < 2 * terms.len() {
        return None;
    }
    let right = Mat::from_fn(rows.len(), terms.len(), |i, j| terms[j].at(&rows[i].1));
    let left = |(rate, jet): &(f64, Jet)| rate + drift[0] * jet.x + drift[1] * jet.y;
    let left: Vec<f64> = rows.iter().map(left).collect();
    let all = least_squares(&right, &left);
    let rest = (0..left.len()).map(|i| {
        let found: f64 = all.iter().enumerate().map(|(j, c)| c * right[(i, j)]).sum();
        (left[i] - found).powi(2)
    });
    let unexplained = rest.sum::<f64>() / left.iter().map(|rate| rate * rate).sum::<f64>();
    // Written so that NaN fails.
    (unexplained >= 0.0 && all.iter().all(|value| value.is_finite())).then_some((unexplained, all))
}

/// `Phi_t` and the derivatives in space at one place.
fn jet(
    film: &Film,
    [frame, row, col]: [usize; 3],
    time: &[Vec<f64>; 3],
    space: &[Vec<f64>; 3],
) -> (f64, Jet) {
    let [_, rows, cols] = film.dim();
    let (half_time, half) = (time[0].len() / 2, space[0].len() / 2);
    let half_rows = if film.is_line() { 0 } else { half };
    let near = |at: usize, i: usize, half: usize, length: usize| {
        (at + i).saturating_sub(half).min(length - 1)
    };
    let mut rate = 0.0;
    let mut jet = Jet::default();
    let weights = time[0].iter().zip(&time[1]).enumerate();
    for (t, (&still, &moving)) in weights {
        let frame = film.frame(near(frame, t, half_time, film.dim()[0]));
        // Sums along the row, of order 0, 1 and 2, summed down the column by order 0, 1 and 2.
        let mut sums = [[0.0; 3]; 3];
        for r in 0..=2 * half_rows {
            let line = frame.row(near(row, r, half_rows, rows));
            let mut along = [0.0; 3];
            for c in 0..space[0].len() {
                let value = f64::from(line[near(col, c, half, cols)]);
                (0..3).for_each(|order| along[order] += space[order][c] * value);
            }
            for (down, sums) in sums.iter_mut().enumerate() {
                let weight = match film.is_line() {
                    true => f64::from(u8::from(down == 0)),
                    false => space[down][r],
                };
                (0..3).for_each(|order| sums[order] += weight * along[order]);
            }
        }
        rate += moving * sums[0][0];
        jet.value += still * sums[0][0];
        jet.x += still * sums[0][1];
        jet.xx += still * sums[0][2];
        jet.y += still * sums[1][0];
        jet.xy += still * sums[1][1];
        jet.yy += still * sums[2][0];
    }
    (rate, jet)
}
