//! What is averaged in one frame: powers of `Phi`, and terms that no integration by parts frees
//! of derivatives, from a smoothed film.

use ndarray::ArrayView2;

use super::Differences;
use crate::bump::savitzky_golay;
use crate::film::Film;
use crate::term::{Factor, Jet, Term};

/// Share of the half width of smoothing in space that a boundary may move by in a frame and still
/// be smoothed in time.
const SLOW: f64 = 0.125;

/// How the film is smoothed for terms that need its derivatives themselves.
pub(super) struct Smoothing {
    /// Half width in px.
    pub(super) space: usize,
    along: [Vec<f64>; 3],
    time: Vec<f64>,
    line: bool,
}

impl Smoothing {
    /// Much narrower than a bump of half width `space`. Where motion is fast, by the order of the
    /// `differences` that tell noise from it or by how far a boundary moves, it is not smoothed
    /// in time: gradients of the mean of three frames depend on how far apart these show the
    /// boundary, so that their squares would explain why it is not always as fast.
    pub(super) fn new(space: usize, differences: &Differences, line: bool) -> Self {
        let half = (space / 3).max(2);
        let slow = differences.order > 2 && differences.pace < SLOW * half as f64;
        let time = if slow { 1 } else { 0 };
        Self {
            space: half,
            along: savitzky_golay(half, 4),
            time: savitzky_golay(time, 0)[0].clone(),
            line,
        }
    }
}

/// The images of one frame that are averaged.
pub(super) struct Fields {
    pub(super) cols: usize,
    /// `Phi^p` for p = 1 to the highest that is needed, without the share of noise.
    powers: Vec<Vec<f64>>,
    /// Terms by values of the smoothed film.
    pointwise: Vec<(Term, Vec<f64>)>,
}

/// How a term is averaged: from which power of `Phi`, divided by what, with which derivatives by
/// row and column on the bump. `None` where it has to be computed pixel by pixel.
fn by_parts(term: Term) -> Option<(u8, f64, [usize; 2])> {
    let next = term.power + 1;
    match (term.power, term.factor) {
        (power, Factor::One) => Some((power, 1.0, [0, 0])),
        (_, Factor::X) => Some((next, 1.0 / f64::from(next), [0, 1])),
        (_, Factor::Y) => Some((next, 1.0 / f64::from(next), [1, 0])),
        (0, Factor::XX) => Some((1, 1.0, [0, 2])),
        (0, Factor::XY) => Some((1, 1.0, [1, 1])),
        (0, Factor::YY) => Some((1, 1.0, [2, 0])),
        _ => None,
    }
}

impl Fields {
    pub(super) fn new(
        film: &Film,
        frame: usize,
        channels: &[Term],
        smoothing: &Smoothing,
        differences: &Differences,
    ) -> Self {
        let most = channels.iter().filter_map(|&term| by_parts(term)).map(|(power, ..)| power);
        let most = most.max().unwrap_or(1).max(1);
        let image: Vec<f64> = film.frame(frame).iter().map(|&value| f64::from(value)).collect();
        let noise = match most {
            1 => None,
            _ => differences.noise(film, frame),
        };
        let mut powers: Vec<Vec<f64>> =
            (2..=most).map(|power| unbiased(&image, noise.as_deref(), power)).collect();
        let wanted: Vec<Term> =
            channels.iter().copied().filter(|&term| by_parts(term).is_none()).collect();
        let cols = film.dim()[2];
        let pointwise = match wanted.is_empty() {
            true => Vec::new(),
            false => pointwise(film, frame, &wanted, smoothing),
        };
        powers.insert(0, image);
        Self { cols, powers, pointwise }
    }

    /// Number of the image that `term` is averaged from, and orders of the bump's derivatives by
    /// row and column; none for the constant.
    pub(super) fn of(&self, term: Term) -> Option<(usize, [usize; 2])> {
        match by_parts(term) {
            Some((0, ..)) => None,
            Some((power, _, orders)) => Some((usize::from(power) - 1, orders)),
            None => {
                let at = self.pointwise.iter().position(|(known, _)| *known == term)?;
                Some((self.powers.len() + at, [0, 0]))
            }
        }
    }

    pub(super) fn scale(&self, term: Term) -> f64 {
        by_parts(term).map_or(1.0, |(_, scale, _)| scale)
    }

    pub(super) fn image(&self, number: usize) -> &[f64] {
        match self.powers.get(number) {
            Some(image) => image,
            None => &self.pointwise[number - self.powers.len()].1,
        }
    }
}

/// Powers whose mean is that of the film without noise: Hermite polynomials, with the square of
/// a difference in time for the variance of the noise (its fourth and sixth power have the means
/// 3 and 15 times the variance's square and cube).
fn unbiased(image: &[f64], noise: Option<&[f64]>, power: u8) -> Vec<f64> {
    let Some(noise) = noise else {
        return image.iter().map(|value| value.powi(i32::from(power))).collect();
    };
    let one = |(&u, &s): (&f64, &f64)| {
        let square = u * u;
        match power {
            2 => square - s,
            3 => u * (square - 3.0 * s),
            4 => square * (square - 6.0 * s) + s * s,
            5 => u * (square * (square - 10.0 * s) + 5.0 * s * s),
            _ => square * (square * (square - 15.0 * s) + 15.0 * s * s) - s * s * s,
        }
    };
    image.iter().zip(noise).map(one).collect()
}

/// Values of `terms` in `frame` of the smoothed film.
fn pointwise(
    film: &Film,
    frame: usize,
    terms: &[Term],
    smoothing: &Smoothing,
) -> Vec<(Term, Vec<f64>)> {
    let jets = jets(film, frame, smoothing);
    terms.iter().map(|&term| (term, jets.iter().map(|jet| term.at(jet)).collect())).collect()
}

/// Value and derivatives of the smoothed film at each pixel, rows and columns in px.
fn jets(film: &Film, frame: usize, smoothing: &Smoothing) -> Vec<Jet> {
    let [frames, rows, cols] = film.dim();
    let half = smoothing.time.len() / 2;
    let mut image = vec![0.0; rows * cols];
    for (i, weight) in smoothing.time.iter().enumerate() {
        let from = (frame + i).saturating_sub(half).min(frames - 1);
        image.iter_mut().zip(film.frame(from)).for_each(|(sum, &v)| *sum += weight * f64::from(v));
    }
    let along = [0, 1, 2].map(|order| rows_by(&image, cols, &smoothing.along[order]));
    let down = |order_down: usize, order_along: usize| match smoothing.line {
        true => along[order_along].clone(),
        false => columns_by(&along[order_along], cols, &smoothing.along[order_down]),
    };
    let (value, x, xx) = (down(0, 0), down(0, 1), down(0, 2));
    let mut jets: Vec<Jet> = (0..rows * cols)
        .map(|i| Jet { value: value[i], x: x[i], xx: xx[i], ..Jet::default() })
        .collect();
    if !smoothing.line {
        let (y, xy, yy) = (down(1, 0), down(1, 1), down(2, 0));
        for (i, jet) in jets.iter_mut().enumerate() {
            (jet.y, jet.xy, jet.yy) = (y[i], xy[i], yy[i]);
        }
    }
    jets
}

/// Correlates rows with `kernel`; the image goes on with its border.
pub(crate) fn rows_by(image: &[f64], cols: usize, kernel: &[f64]) -> Vec<f64> {
    let half = kernel.len() / 2;
    let mut longer = vec![0.0; cols + 2 * half];
    let row = |row: &[f64]| -> Vec<f64> {
        longer[..half].fill(row[0]);
        longer[half..half + cols].copy_from_slice(row);
        longer[half + cols..].fill(row[cols - 1]);
        let mut out = vec![0.0; cols];
        for (i, weight) in kernel.iter().enumerate() {
            out.iter_mut().zip(&longer[i..]).for_each(|(out, value)| *out += weight * value);
        }
        out
    };
    image.chunks_exact(cols).flat_map(row).collect()
}

/// Correlates columns with `kernel`; the image goes on with its border.
pub(crate) fn columns_by(image: &[f64], cols: usize, kernel: &[f64]) -> Vec<f64> {
    let rows = image.len() / cols;
    let half = kernel.len() / 2;
    let mut out = vec![0.0; image.len()];
    for (row, out) in out.chunks_exact_mut(cols).enumerate() {
        for (i, weight) in kernel.iter().enumerate() {
            let from = (row + i).saturating_sub(half).min(rows - 1);
            let line = &image[from * cols..(from + 1) * cols];
            out.iter_mut().zip(line).for_each(|(out, value)| *out += weight * value);
        }
    }
    out
}

/// Whether no pixel within `half` of each place is absent, from sums over rectangles.
pub(super) fn present(
    absent: &ArrayView2<'_, bool>,
    at_rows: &[usize],
    at_cols: &[usize],
    half_rows: usize,
    half_cols: usize,
) -> Vec<bool> {
    let (rows, cols) = absent.dim();
    let mut sums = vec![0_u32; (rows + 1) * (cols + 1)];
    for row in 0..rows {
        let mut line = 0;
        for col in 0..cols {
            line += u32::from(absent[(row, col)]);
            sums[(row + 1) * (cols + 1) + col + 1] = sums[row * (cols + 1) + col + 1] + line;
        }
    }
    let range = |at: usize, half: usize, length: usize| {
        (at.saturating_sub(half), (at + half + 1).min(length))
    };
    let sum = |row: usize, col: usize| sums[row * (cols + 1) + col];
    let one = |row: usize, col: usize| {
        let ((top, bottom), (left, right)) =
            (range(row, half_rows, rows), range(col, half_cols, cols));
        sum(bottom, right) + sum(top, left) == sum(bottom, left) + sum(top, right)
    };
    at_rows.iter().flat_map(|&row| at_cols.iter().map(move |&col| one(row, col))).collect()
}
