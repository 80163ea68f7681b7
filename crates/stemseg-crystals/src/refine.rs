//! Two waves that span a reciprocal lattice, to a small part of a pixel of its spectrum.
//!
//! A crystal with the waves `g_j = h_j a* + k_j b*` and any amplitudes `c_j` fits the weighted
//! pixels best where the power `P = sum |F(g_j)|^2` is largest, `F(g) = sum w f exp(-2 pi i g x)`:
//! the amplitudes are `F / sum w`. With `D = sum w f x exp(-2 pi i g x)` and places `x` from the
//! middle of the weights,
//!
//! `dP/dg = 4 pi Im(conj(F) D)`,  `-d2P/dg2 = 8 pi^2 |F|^2 M`,  `M = sum w x x' / sum w`,
//!
//! which are the gradient and the curvature of Gauss and Newton. Side lobes of one reflection at
//! another are taken off by a last step of least squares on what all of them leave of the pixels.
//! Errors come from that too: each band of scan rows changes the gradient by `4 pi Im(conj(c) D_band)`, and the
//! squares of these changes, which are as independent as the scan rows' displacements and counts
//! are, are their covariance (Huber, The behavior of maximum likelihood estimates under nonstandard
//! conditions, 1967).

use std::f64::consts::{PI, TAU};

use stemseg_numerics::fourier::Complex64;
use stemseg_numerics::linear::{Mat, solve};

use crate::plane::{Vector, combined};
use crate::sums::Sums;
use crate::window::{Piece, ROWS};

/// Steps of Gauss and Newton, at most.
const STEPS: usize = 40;
/// Change of a phase across a block of pixels, cycles, from which on its sums are made anew.
const TURN: f64 = 1e-2;
/// Most bands of scan rows that tell the error.
const BANDS: usize = 24;
/// Changes of a wave, in periods across the piece, that are none.
const STILL: f64 = 1e-6;
/// Largest step, in periods across the piece.
const LARGEST: f64 = 0.25;

/// Sums that are made anew, at most.
const ROUNDS: usize = 4;

/// Orders of a wave.
pub(crate) type Order = [f64; 2];

/// The waves that fit a piece of a region best.
#[derive(Debug, Clone)]
pub(crate) struct Climbed {
    /// Two that span the reciprocal lattice, cycles per px.
    pub(crate) basis: [Vector; 2],
    /// Half amplitudes of all.
    pub(crate) halves: Vec<Complex64>,
}

/// How well they are known.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// The spanning waves by least squares.
    pub(crate) basis: [Vector; 2],
    /// Covariance of the rows and columns of the spanning waves: `a*` first.
    pub(crate) covariance: [[f64; 4]; 4],
    /// Variance of a pixel that is no part of the crystal.
    pub(crate) noise: f64,
}

/// The lattice near `basis` that fits `piece` best by its waves of these `orders`, and the waves'
/// half amplitudes; nothing where they do not lead anywhere.
pub(crate) fn refined(piece: &Piece<'_>, basis: [Vector; 2], orders: &[Order]) -> Option<Climbed> {
    let mut basis = basis;
    for round in 1..=ROUNDS {
        let sums = Sums::new(piece, &waves(basis, orders), None);
        let moved = climbed(piece, &sums, orders)?;
        for (wave, by) in basis.iter_mut().zip(moved) {
            wave.iter_mut().zip(by).for_each(|(x, by)| *x += by);
        }
        // Blocks are as long along the columns as twice their rows.
        let furthest = orders.iter().map(|&order| combined(moved, order));
        let turn = furthest.map(|by| (by[0].abs() + 2.0 * by[1].abs()) * ROWS as f64);
        if turn.fold(0.0, f64::max) < TURN || round == ROUNDS {
            let all = sums.moved(&waves(moved, orders));
            let halves = all.into_iter().map(|(sum, _)| sum / piece.sum).collect();
            return Some(Climbed { basis, halves });
        }
    }
    None
}

pub(crate) fn waves(basis: [Vector; 2], orders: &[Order]) -> Vec<Vector> {
    orders.iter().map(|&order| combined(basis, order)).collect()
}

/// By how much the spanning waves change to where the power is largest.
fn climbed(piece: &Piece<'_>, sums: &Sums, orders: &[Order]) -> Option<[Vector; 2]> {
    let mut moved = [[0.0; 2]; 2];
    for _ in 0..STEPS {
        let all = sums.moved(&waves(moved, orders));
        let mut gradient = [0.0; 4];
        let mut powers = Vec::with_capacity(all.len());
        for ((sum, places), &order) in all.iter().zip(orders) {
            powers.push(sum.norm_sqr());
            add(&mut gradient, order, places.map(|place| 2.0 * TAU * (sum.conj() * place).im));
        }
        let bend = curvature(piece, orders, &powers);
        let step = solve(&bend, Mat::from_fn(4, 1, |i, _| gradient[i]).as_ref());
        let step: [f64; 4] = std::array::from_fn(|i| step[(i, 0)]);
        if step.iter().any(|x| !x.is_finite()) {
            return None;
        }
        let far = piece.periods([step[0], step[1]]).max(piece.periods([step[2], step[3]]));
        let share = (LARGEST / far).min(1.0);
        for (i, x) in step.iter().enumerate() {
            moved[i / 2][i % 2] += share * x;
        }
        if far < STILL {
            break;
        }
    }
    Some(moved)
}

/// Adds what a wave of this order adds to a gradient.
fn add(gradient: &mut [f64; 4], order: Order, by: Vector) {
    for (i, to) in gradient.iter_mut().enumerate() {
        *to += order[i / 2] * by[i % 2];
    }
}

/// `sum 8 pi^2 |F|^2 (h h') M`.
fn curvature(piece: &Piece<'_>, orders: &[Order], powers: &[f64]) -> Mat<f64> {
    let [rr, rc, cc] = piece.moments;
    let moments = [[rr, rc], [rc, cc]];
    Mat::from_fn(4, 4, |i, j| {
        let pairs = orders.iter().zip(powers);
        let sum: f64 = pairs.map(|(order, power)| power * order[i / 2] * order[j / 2]).sum();
        8.0 * PI * PI * sum * moments[i % 2][j % 2]
    })
}

impl Known {
    /// Of the waves of these orders that fit `piece`, by what they leave of it.
    pub(crate) fn new(piece: &Piece<'_>, found: &Climbed, orders: &[Order]) -> Option<Self> {
        let halves = &found.halves;
        let left = Sums::new(piece, &waves(found.basis, orders), Some(halves));
        let noise = left.squares / piece.sum;
        let powers: Vec<f64> = halves.iter().map(|c| c.norm_sqr() * piece.sum).collect();
        let bend = curvature(piece, orders, &powers);
        let identity = Mat::from_fn(4, 4, |i, j| if i == j { 1.0 } else { 0.0 });
        let inverse = solve(&bend, identity.as_ref());
        let (total, changes) = changes(piece, &left, orders, halves);
        // What side lobes of one wave did to another is in what is left.
        let step = &inverse * Mat::from_fn(4, 1, |i, _| total[i]);
        let basis =
            [0, 1].map(|k| [0, 1].map(|axis| found.basis[k][axis] + step[(2 * k + axis, 0)]));
        let of_bands = &inverse * changes * &inverse;
        // Independent pixels make at least this: bands that happen to agree say too little.
        let of_pixels = &inverse * (noise * piece.squares / piece.sum);
        let times = (0..4).map(|i| of_pixels[(i, i)] / of_bands[(i, i)]).fold(1.0, f64::max);
        let covariance = std::array::from_fn(|i| std::array::from_fn(|j| times * of_bands[(i, j)]));
        let known = covariance.iter().flatten().all(|x: &f64| x.is_finite());
        known.then_some(Self { basis, covariance, noise })
    }
}

/// Sums over bands of scan rows of the changes of the gradient, and of their products.
fn changes(
    piece: &Piece<'_>,
    rest: &Sums,
    orders: &[Order],
    halves: &[Complex64],
) -> ([f64; 4], Mat<f64>) {
    let [top, _, bottom, _] = piece.place;
    let blocks = (bottom - top).div_ceil(ROWS);
    let rows = ROWS * blocks.div_ceil(BANDS);
    let mut bands = vec![[0.0; 4]; (bottom - top).div_ceil(rows)];
    let (mut weights, mut total) = (vec![0.0; bands.len()], [0.0; 4]);
    for block in &rest.blocks {
        let at = (block.row - top) / rows;
        let band = &mut bands[at];
        weights[at] += block.weight;
        for ((&order, half), sum) in orders.iter().zip(halves).zip(&block.sums) {
            let turn = 2.0 * TAU * (half.conj() * sum).im;
            add(band, order, block.place.map(|x| turn * x));
            add(&mut total, order, block.place.map(|x| turn * x));
        }
    }
    // The lattice has taken four numbers of as many bands as weigh alike.
    let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
    let count = weights.iter().sum::<f64>().powi(2) / squares;
    let left = (count - 4.0).max(2.0);
    // Few bands tell their own spread badly: two errors are to hold 19 cases of 20 all the same, as
    // Student's t has it (about).
    let free = count / left * (1.0 + 2.4 / left);
    let product = |i: usize, j: usize| -> f64 { bands.iter().map(|band| band[i] * band[j]).sum() };
    (total, Mat::from_fn(4, 4, |i, j| free * product(i, j)))
}
