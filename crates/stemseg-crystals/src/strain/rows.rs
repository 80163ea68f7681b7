//! How far scan rows are displaced along themselves.
//!
//! A probe that trembles moves whole rows, by a part of a pixel and each for itself. All waves of a
//! row turn with it, so their powers spread along the rows' direction of reciprocal space: that of
//! one reaches another that lies next to it, which looks like strain. A row `f(x) = m(x - s)` tells
//! its `s` against what the crystal is like around it, `m`, by least squares; what changes slowly
//! from row to row is in `m` itself, so that strain is not taken for a displacement.

use std::f64::consts::TAU;

use ndarray::{Array2, Array3};
use rayon::prelude::*;
use stemseg_numerics::fourier::Complex64;

use super::field::Field;
use super::sums::Sums;
use crate::window::Piece;

/// Least share of the Gaussian in which amplitudes are known.
const LEAST_SHARE: f64 = 0.05;

/// Displacements of rows.
pub(super) struct Shifts {
    /// Of each row of a piece, to the right, px: those that are known, as far as they are.
    pub(super) rows: Vec<f64>,
    /// Their variance.
    pub(super) variance: f64,
}

/// A displacement by least squares: its value and the sum of squares that it is known by, with what
/// is left of the row and the sum of the weights.
#[derive(Clone, Copy, Default)]
struct Fit {
    shift: f64,
    squares: f64,
    left: f64,
    weight: f64,
}

impl Shifts {
    /// Of the rows of `piece`, whose first pixel is `corner` in the image.
    pub(super) fn new(field: &Field<'_>, piece: &Piece<'_>, corner: [usize; 2]) -> Self {
        let [top, _, bottom, _] = piece.place;
        let amplitudes = amplitudes(field, piece, corner);
        let turns = field.turns(piece.width(), corner[1]);
        let fits: Vec<Fit> = (0..bottom - top)
            .into_par_iter()
            .map(|row| fit(field, piece, (row, corner), &amplitudes, &turns))
            .collect();
        let sum = |of: &dyn Fn(&Fit) -> f64| fits.iter().map(of).sum::<f64>();
        let noise = sum(&|fit| fit.left) / sum(&|fit| fit.weight).max(f64::MIN_POSITIVE);
        // What of the shifts is not their own error.
        let known = || fits.iter().filter(|fit| fit.squares > 0.0);
        let count = known().count().max(1) as f64;
        let own = known().map(|fit| fit.shift * fit.shift - noise / fit.squares).sum::<f64>();
        let variance = (own / count).max(0.0);
        let rows = fits.iter().map(|fit| match fit.squares > 0.0 && variance > 0.0 {
            // The most probable one (Wiener).
            true => fit.shift * variance / (variance + noise / fit.squares),
            false => 0.0,
        });
        Self { rows: rows.collect(), variance }
    }
}

/// Half amplitudes of the waves at places all over a piece, `[places down, places along, waves]`; 0
/// where they are not known.
fn amplitudes(field: &Field<'_>, piece: &Piece<'_>, corner: [usize; 2]) -> Array3<Complex64> {
    let [top, _, bottom, _] = piece.place;
    let count = [bottom - top, piece.width()].map(|pixels| pixels.div_ceil(field.step));
    let along = field.along(piece, (0, count[1]), corner, None);
    let mut all = Array3::zeros((count[0], count[1], field.waves.len()));
    all.outer_iter_mut().into_par_iter().enumerate().for_each(|(r, mut line)| {
        let sums = Sums::line(field, &along, r * field.step);
        for (mut to, sums) in line.outer_iter_mut().zip(sums) {
            if sums.share(field) >= LEAST_SHARE {
                to.iter_mut().zip(sums.halves()).for_each(|(to, half)| *to = half);
            }
        }
    });
    all
}

/// The displacement of one row.
fn fit(
    field: &Field<'_>,
    piece: &Piece<'_>,
    (row, corner): (usize, [usize; 2]),
    amplitudes: &Array3<Complex64>,
    turns: &Array2<Complex64>,
) -> Fit {
    let width = piece.width();
    let (mut weights, mut values) = (vec![0.0; width], vec![0.0; width]);
    piece.row(row, &mut weights, &mut values);
    let (mut model, mut slope) = (vec![0.0; width], vec![0.0; width]);
    let places =
        amplitudes.index_axis(ndarray::Axis(0), (row / field.step).min(amplitudes.dim().0 - 1));
    let last = places.nrows() - 1;
    for (j, wave) in field.waves.iter().enumerate() {
        let down = field.turn(wave[0], corner[0] + row);
        let own = places.column(j);
        for col in 0..width {
            let (before, part) = (col / field.step, (col % field.step) as f64 / field.step as f64);
            let half = own[before] * (1.0 - part) + own[(before + 1).min(last)] * part;
            // Turns go against the wave.
            let value = half * (down * turns[(j, col)]).conj();
            model[col] += 2.0 * value.re;
            slope[col] -= 2.0 * TAU * wave[1] * value.im;
        }
    }
    let (mut product, mut fit) = (0.0, Fit::default());
    for col in (0..width).filter(|&col| weights[col] > 0.0) {
        let rest = values[col] / weights[col] - model[col];
        product -= weights[col] * rest * slope[col];
        fit.squares += weights[col] * slope[col] * slope[col];
        fit.left += weights[col] * rest * rest;
        fit.weight += weights[col];
    }
    if fit.squares > 0.0 {
        fit.shift = product / fit.squares;
        fit.left -= product * fit.shift;
    }
    fit
}
