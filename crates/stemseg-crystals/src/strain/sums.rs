//! Sums under the Gaussian, and what is known of the waves from them.

use std::f64::consts::{PI, TAU};

use ndarray::{Array2, Array3, Axis, Zip};
use stemseg_numerics::fourier::Complex64;

use super::Strain;
use super::field::Field;
use crate::plane::{Vector, reciprocal, scaled};
use crate::sums::product;
use crate::window::Piece;

/// Least share of the Gaussian that lies in the region, and least eigenvalue of `J`.
const LEAST_SHARE: f64 = 0.2;
const LEAST_BEND: f64 = 0.3;

/// Sums under the Gaussian along the columns: `[rows, places, ...]`.
pub(super) struct Along {
    /// Of each wave, and of its slope.
    waves: Array3<Complex64>,
    /// Of the weights, their slope and their bend.
    weights: Array3<f64>,
    /// Sums of the weights, and of these times the squares of the pixels.
    pub(super) squares: [f64; 2],
}

impl Field<'_> {
    /// Sums along the columns of each row of `piece`, at `count` places from column `first` on; the
    /// piece's first pixel is `corner` in the image, and rows lie so far to the right of where they
    /// belong, where that is known.
    pub(super) fn along(
        &self,
        piece: &Piece<'_>,
        (first, count): (usize, usize),
        corner: [usize; 2],
        shifts: Option<&[f64]>,
    ) -> Along {
        let kernel = &self.kernel;
        let [top, _, bottom, _] = piece.place;
        let (height, width, n) = (bottom - top, piece.width(), self.waves.len());
        let mut waves = Array3::zeros((height, count, 2 * n));
        let mut weights = Array3::zeros((height, count, 3));
        let mut squares = Array2::zeros((height, 2));
        let turns = self.turns(width, corner[1]);
        let reach = (kernel[0].len() / 2) as i64;
        let rows = Zip::indexed(waves.outer_iter_mut()).and(weights.outer_iter_mut());
        rows.and(squares.outer_iter_mut()).par_for_each(|row, mut waves, mut weights, mut sums| {
            let (mut own, mut values) = (vec![0.0; width], vec![0.0; width]);
            piece.row(row, &mut own, &mut values);
            if own.iter().all(|weight| *weight == 0.0) {
                return;
            }
            for (weight, value) in own.iter().zip(&values).filter(|(weight, _)| **weight > 0.0) {
                sums[0] += weight;
                sums[1] += value * value / weight;
            }
            let mut turned = [vec![0.0; width], vec![0.0; width]];
            let range = |place: usize| {
                let centre = (first + place * self.step) as i64;
                let columns = (centre - reach).max(0)..(centre + reach + 1).min(width as i64);
                (
                    columns.start as usize..columns.end as usize,
                    (columns.start - centre + reach) as usize,
                )
            };
            for place in 0..count {
                let (columns, from) = range(place);
                for (k, kernel) in kernel.iter().enumerate() {
                    weights[(place, k)] =
                        product(&kernel[from..][..columns.len()], &own[columns.clone()]);
                }
            }
            for (j, wave) in self.waves.iter().enumerate() {
                let shift = shifts.map_or(0.0, |shifts| shifts[row]);
                let down =
                    self.turn(wave[0], corner[0] + row) * Complex64::cis(TAU * wave[1] * shift);
                let [re, im] = &mut turned;
                let to = re.iter_mut().zip(im).zip(&values).zip(turns.row(j));
                for (((re, im), &value), turn) in to {
                    let own = turn * down * value;
                    (*re, *im) = (own.re, own.im);
                }
                for place in 0..count {
                    let (columns, from) = range(place);
                    for (k, kernel) in kernel[..2].iter().enumerate() {
                        let kernel = &kernel[from..][..columns.len()];
                        let [re, im] =
                            turned.each_ref().map(|part| product(kernel, &part[columns.clone()]));
                        waves[(place, 2 * j + k)] = Complex64::new(re, im);
                    }
                }
            }
        });
        let squares = squares.sum_axis(Axis(0));
        Along { waves, weights, squares: [squares[0], squares[1]] }
    }
}

/// Sums under the Gaussian at one place.
pub(super) struct Sums {
    /// Of each wave: `A`, and its slopes along rows and columns.
    waves: Vec<[Complex64; 3]>,
    /// `m`; its slopes; its bends: rows, rows and columns, columns.
    weight: f64,
    slopes: [f64; 2],
    bends: [f64; 3],
}

impl Sums {
    fn new(waves: usize) -> Self {
        let waves = vec![[Complex64::default(); 3]; waves];
        Self { waves, weight: 0.0, slopes: [0.0; 2], bends: [0.0; 3] }
    }

    /// At all places of those along a row of a piece.
    pub(super) fn line(field: &Field<'_>, along: &Along, row: usize) -> Vec<Self> {
        let mut line: Vec<Self> =
            (0..along.weights.dim().1).map(|_| Self::new(field.waves.len())).collect();
        let reach = field.kernel[0].len() / 2;
        let rows = row.saturating_sub(reach)..(row + reach + 1).min(along.weights.dim().0);
        // Row by row, as they lie in memory.
        for other in rows {
            let down = [0, 1, 2].map(|k| field.kernel[k][other + reach - row]);
            let weights = along.weights.index_axis(Axis(0), other);
            let waves = along.waves.index_axis(Axis(0), other);
            let places = weights.outer_iter().zip(waves.outer_iter());
            for (sums, (weights, waves)) in line.iter_mut().zip(places) {
                let of_place = "a place's values lie side by side";
                sums.add(
                    weights.to_slice().expect(of_place),
                    waves.to_slice().expect(of_place),
                    down,
                );
            }
        }
        line
    }

    fn add(&mut self, weights: &[f64], waves: &[Complex64], down: [f64; 3]) {
        let &[value, slope, bend] = weights else { unreachable!("three sums of weights") };
        if value == 0.0 {
            return;
        }
        self.weight += down[0] * value;
        self.slopes[0] += down[1] * value;
        self.slopes[1] += down[0] * slope;
        self.bends[0] += down[2] * value;
        self.bends[1] += down[1] * slope;
        self.bends[2] += down[0] * bend;
        for (to, wave) in self.waves.iter_mut().zip(waves.chunks_exact(2)) {
            to[0] += wave[0] * down[0];
            to[1] += wave[0] * down[1];
            to[2] += wave[1] * down[0];
        }
    }

    /// Share of the Gaussian that lies in the region.
    pub(super) fn share(&self, field: &Field<'_>) -> f64 {
        self.weight / (TAU * field.sigma * field.sigma)
    }

    /// Half amplitudes of the waves.
    pub(super) fn halves(&self) -> impl Iterator<Item = Complex64> + '_ {
        self.waves.iter().map(|[sum, ..]| sum / self.weight)
    }

    /// Variance of pixels that the waves make.
    pub(super) fn variance(&self) -> f64 {
        2.0 * self.halves().map(|half| half.norm_sqr()).sum::<f64>()
    }

    /// The local waves; nothing where too little of the region is there to tell.
    pub(super) fn local(&self, field: &Field<'_>) -> Option<Local> {
        let (square, share) = (field.sigma * field.sigma, self.share(field));
        if share < LEAST_SHARE {
            return None;
        }
        let of = |bend: f64, i: usize, j: usize| {
            let slopes = self.slopes[i] * self.slopes[j] / self.weight;
            square * (bend - slopes) / self.weight
        };
        let [rr, rc, cc] = self.bends;
        let j = [1.0 + of(rr, 0, 0), of(rc, 0, 1), 1.0 + of(cc, 1, 1)];
        let (half, apart) = (0.5 * (j[0] + j[2]), (0.5 * (j[0] - j[2])).hypot(j[1]));
        if half - apart < LEAST_BEND {
            return None;
        }
        let whole = j[0] * j[2] - j[1] * j[1];
        let inverse = [[j[2] / whole, -j[1] / whole], [-j[1] / whole, j[0] / whole]];
        let (mut normal, mut right) = ([0.0; 3], [[0.0; 2]; 2]);
        for (&[h, k], [sum, down, along]) in field.orders.iter().zip(&self.waves) {
            // Weights are powers, by which each slope of a phase would be divided.
            let slope = [(sum.conj() * down).im / TAU, (sum.conj() * along).im / TAU];
            let power = sum.norm_sqr();
            normal[0] += power * h * h;
            normal[1] += power * h * k;
            normal[2] += power * k * k;
            for axis in 0..2 {
                right[0][axis] += h * slope[axis];
                right[1][axis] += k * slope[axis];
            }
        }
        let whole = normal[0] * normal[2] - normal[1] * normal[1];
        if whole.is_nan() || whole <= 1e-12 * (normal[0] * normal[2]) {
            return None;
        }
        let covariance = [normal[2] / whole, -normal[1] / whole, normal[0] / whole];
        let changed = |by: [f64; 2]| {
            let moved = [0, 1].map(|axis| by[0] * right[0][axis] + by[1] * right[1][axis]);
            [0, 1].map(|axis| inverse[axis][0] * moved[0] + inverse[axis][1] * moved[1])
        };
        let changes =
            [changed([covariance[0], covariance[1]]), changed([covariance[1], covariance[2]])];
        Some(Local { changes, covariance, inverse, share })
    }
}

/// What is known of the waves at one place.
pub(super) struct Local {
    /// By how much `a*` and `b*` differ from the region's, cycles per px.
    changes: [Vector; 2],
    /// Inverse of the sums of powers: `a*` with itself, with `b*`, `b*` with itself.
    covariance: [f64; 3],
    /// Inverse of `J`.
    inverse: [[f64; 2]; 2],
    /// Share of the Gaussian that lies in the region.
    share: f64,
}

impl Local {
    /// Against the direct `vectors` of the reference; the error is that of a noise of 1.
    pub(super) fn strain(&self, field: &Field<'_>, vectors: [Vector; 2]) -> Option<Strain> {
        let cell = &field.lattice.cell;
        let own = reciprocal(cell.vectors_px);
        let local = [0, 1].map(|k| [0, 1].map(|axis| own[k][axis] + self.changes[k][axis]));
        // To the right and up.
        let upright = |v: Vector| {
            let [down, along] = scaled(v, cell.pixel);
            [along, -down]
        };
        let now = reciprocal(local).map(upright);
        let before = reciprocal(vectors.map(upright));
        // F maps the reference's vectors to the local ones.
        let f = |i: usize, j: usize| now[0][i] * before[0][j] + now[1][i] * before[1][j];
        let turn = (f(1, 0) - f(0, 1)).atan2(f(0, 0) + f(1, 1));
        let (sin, cos) = turn.sin_cos();
        let u = |i: usize, j: usize| match i {
            0 => cos * f(0, j) + sin * f(1, j),
            _ => cos * f(1, j) - sin * f(0, j),
        };
        let error = self.error(field);
        let known = Strain {
            exx: u(0, 0) - 1.0,
            eyy: u(1, 1) - 1.0,
            exy: 0.5 * (u(0, 1) + u(1, 0)),
            rotation_deg: turn.to_degrees(),
            error,
        };
        known.values().iter().all(|v| v.is_finite()).then_some(known)
    }

    /// Standard error of a component of the displacement gradient, the mean over all four, for a
    /// noise of 1.
    fn error(&self, field: &Field<'_>) -> f64 {
        // The slope of a sum has the variance of noise under the Gaussian's slope: half of it in the
        // imaginary part.
        let slope = PI / 4.0 * self.share / (TAU * TAU);
        let [aa, ab, bb] = self.covariance;
        let pixel = field.lattice.cell.pixel;
        let vectors = field.lattice.cell.vectors_px;
        let mut sum = 0.0;
        for i in 0..2 {
            let [a, b] = vectors.map(|v| v[i] * pixel[i]);
            let of_waves = a * a * aa + 2.0 * a * b * ab + b * b * bb;
            for (inverse, size) in self.inverse.iter().zip(pixel) {
                let bend = inverse[0].hypot(inverse[1]);
                sum += slope * of_waves * (bend / size).powi(2);
            }
        }
        (sum / 4.0).sqrt()
    }
}
