//! How alike two crystals of one lattice are, at the best of all shifts.
//!
//! Their images are periodic, so the normalised cross-correlation over all
//! shifts comes from the structure factors: exactly, and without an image.

use libm::{cos, exp, sin, sqrt};
use std::f64::consts::{PI, TAU};

use super::crystal::Crystal;
use super::lattice::{Basis, vector};

/// Structure factors from -`ORDERS` to `ORDERS` in both indices. Beyond, a
/// column a twentieth of the cell wide has none above 0.3 %.
const ORDERS: i64 = 10;
/// Number of indices along an axis.
const SIDE: usize = 2 * ORDERS as usize + 1;
/// Shifts that are tried along each axis of the cell.
const SHIFTS: usize = 64;

/// Structure factors of a crystal whose columns are Gaussians, real and
/// imaginary parts; without the mean.
pub(super) struct Spectrum {
    lattice: Basis,
    factors: Vec<[f64; 2]>,
    power: f64,
}

impl Spectrum {
    /// For columns of standard deviation `width` px.
    pub(super) fn new(crystal: &Crystal, width: f64) -> Self {
        let lattice = crystal.lattice;
        let places: Vec<(f64, f64, f64)> = crystal
            .columns
            .iter()
            .map(|column| {
                let (u, v) = lattice.fractions(column.at);
                (u, v, column.weight)
            })
            .collect();
        let factor = |(h, k): (f64, f64)| {
            let fade = exp(-2.0 * PI * PI * width * width * squared_frequency(&lattice, h, k));
            places.iter().fold([0.0; 2], |[re, im], &(u, v, weight)| {
                let phase = -TAU * (h * u + k * v);
                [re + fade * weight * cos(phase), im + fade * weight * sin(phase)]
            })
        };
        let mut factors: Vec<[f64; 2]> = indices().map(factor).collect();
        factors[SIDE * SIDE / 2] = [0.0; 2];
        let power = factors.iter().map(|[re, im]| re * re + im * im).sum();
        Self { lattice, factors, power }
    }

    /// The best normalised cross-correlation with `other` over all shifts.
    pub(super) fn best_match(&self, other: &Self) -> f64 {
        self.correlations(other).into_iter().fold(f64::NEG_INFINITY, f64::max)
    }

    /// The best correlation with itself over all shifts that are farther than
    /// `distance` px from a translation of the lattice.
    pub(super) fn best_other_translation(&self, distance: f64) -> f64 {
        let step = 1.0 / SHIFTS as f64;
        let place =
            |at: usize| self.lattice.at((at / SHIFTS) as f64 * step, (at % SHIFTS) as f64 * step);
        let scores = self.correlations(self).into_iter().enumerate();
        scores
            .filter(|&(at, _)| self.lattice.distance(place(at)) > distance)
            .map(|(_, score)| score)
            .fold(f64::NEG_INFINITY, f64::max)
    }

    /// Correlation at each shift of a grid over the cell, along its second edge
    /// first.
    fn correlations(&self, other: &Self) -> Vec<f64> {
        let waves: Vec<[f64; 2]> = (0..SHIFTS)
            .map(|n| TAU * n as f64 / SHIFTS as f64)
            .map(|phase| [cos(phase), sin(phase)])
            .collect();
        let wave = |order: usize, shift: usize| {
            let cycles = (order as i64 - ORDERS) * shift as i64;
            waves[cycles.rem_euclid(SHIFTS as i64) as usize]
        };
        let products: Vec<[f64; 2]> = self
            .factors
            .iter()
            .zip(&other.factors)
            .map(|(one, two)| times(*one, [two[0], -two[1]]))
            .collect();
        // One axis after the other.
        let along_second: Vec<[f64; 2]> = products
            .chunks(SIDE)
            .flat_map(|row| (0..SHIFTS).map(|shift| sum(row, |k| wave(k, shift))))
            .collect();
        let norm = sqrt(self.power * other.power);
        let mut scores = Vec::with_capacity(SHIFTS * SHIFTS);
        for first in 0..SHIFTS {
            for second in 0..SHIFTS {
                let real = |h: usize| times(along_second[h * SHIFTS + second], wave(h, first))[0];
                scores.push((0..SIDE).map(real).sum::<f64>() / norm);
            }
        }
        scores
    }
}

fn indices() -> impl Iterator<Item = (f64, f64)> {
    let all = -ORDERS..=ORDERS;
    all.clone().flat_map(move |h| all.clone().map(move |k| (h as f64, k as f64)))
}

/// Square of the spatial frequency of a reflection, 1/px^2.
fn squared_frequency(lattice: &Basis, h: f64, k: f64) -> f64 {
    let (a, b, area) = (lattice.a, lattice.b, lattice.area());
    let frequency = vector(h * b.y - k * a.y, k * a.x - h * b.x);
    frequency.dot(frequency) / (area * area)
}

fn times(one: [f64; 2], two: [f64; 2]) -> [f64; 2] {
    [one[0] * two[0] - one[1] * two[1], one[0] * two[1] + one[1] * two[0]]
}

fn sum(row: &[[f64; 2]], wave: impl Fn(usize) -> [f64; 2]) -> [f64; 2] {
    row.iter().enumerate().fold([0.0; 2], |[re, im], (k, &value)| {
        let term = times(value, wave(k));
        [re + term[0], im + term[1]]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lattice() -> Basis {
        Basis::new(vector(30.0, 0.0), vector(-11.0, 26.0))
    }

    /// The same from the sums over pairs of Gaussian columns at one shift.
    fn in_space(one: &Crystal, two: &Crystal, width: f64, shift: (f64, f64)) -> f64 {
        let overlap = |one: &Crystal, two: &Crystal, shift: (f64, f64)| {
            let mut sum = 0.0;
            for (p, q) in one.columns.iter().flat_map(|p| two.columns.iter().map(move |q| (p, q))) {
                for (i, j) in (-3..=3).flat_map(|i| (-3..=3).map(move |j| (i, j))) {
                    let cell = one.lattice.at(f64::from(i) + shift.0, f64::from(j) + shift.1);
                    let d = p.at - q.at - cell;
                    sum += p.weight * q.weight * exp(-d.dot(d) / (4.0 * width * width));
                }
            }
            let mean = one.density() * two.density() * one.lattice.area();
            sum / (4.0 * PI * width * width) - mean
        };
        overlap(one, two, shift)
            / sqrt(overlap(one, one, (0.0, 0.0)) * overlap(two, two, (0.0, 0.0)))
    }

    #[test]
    fn correlations_are_those_of_the_gaussians() {
        let one = Crystal::new(lattice(), &[(0.1, 0.2, 1.0), (0.5, 0.9, 0.4)]);
        let two = Crystal::new(lattice(), &[(0.3, 0.1, 0.7), (0.8, 0.4, 0.6), (0.1, 0.7, 0.3)]);
        let scores = Spectrum::new(&one, 2.0).correlations(&Spectrum::new(&two, 2.0));
        for (first, second) in [(0, 0), (5, 61), (33, 20)] {
            let shift = (first as f64 / SHIFTS as f64, second as f64 / SHIFTS as f64);
            let (got, expected) =
                (scores[first * SHIFTS + second], in_space(&one, &two, 2.0, shift));
            assert!((got - expected).abs() < 1e-4, "{got} for {expected} at {shift:?}");
        }
    }

    #[test]
    fn a_shifted_crystal_is_the_same_one() {
        let one = Crystal::new(lattice(), &[(0.1, 0.2, 1.0), (0.5, 0.9, 0.4)]);
        let shifted = one.mapped(|place| place + lattice().at(0.375, 0.125));
        let best = Spectrum::new(&one, 2.0).best_match(&Spectrum::new(&shifted, 2.0));
        assert!((best - 1.0).abs() < 1e-9, "{best}");
    }

    #[test]
    fn a_pseudo_translation_is_found() {
        let double = Crystal::new(lattice(), &[(0.0, 0.0, 1.0), (0.5, 0.0, 0.9)]);
        let single = Crystal::new(lattice(), &[(0.0, 0.0, 1.0), (0.5, 0.2, 0.2)]);
        assert!(Spectrum::new(&double, 2.0).best_other_translation(5.0) > 0.9);
        assert!(Spectrum::new(&single, 2.0).best_other_translation(5.0) < 0.5);
    }
}
