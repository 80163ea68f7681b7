//! [`Reflections`]: the amplitudes of a region at the waves of its lattice, and how well they are known.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use stemseg_numerics::fourier::Complex64;

use super::{Turn, Wave, transposed};
use crate::indexing::orders;
use crate::plane::{Vector, combined, coordinates, length, minus};
use crate::sums::Sums;
use crate::window::Piece;

/// Most reflections, opposite ones counted once.
const MOST: usize = 64;
/// By what share amplitudes differ that are equal in the crystal: of a tilt of a few mrad, of an
/// astigmatic probe. With less, images of perovskites and of silicon that are good to the eye would be
/// said to have no symmetry at all.
const UNEQUAL: f64 = 0.2;
/// What scan rows may be displaced by, px, as far as amplitudes are concerned: those of waves along the rows
/// lose by it.
const DISPLACED: f64 = 0.7;

/// Amplitudes of waves, opposite ones once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reflections(Vec<([i32; 2], Reflection)>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Reflection {
    amplitude: Complex64,
    /// Mean square of its error.
    error: f64,
}

/// Power of reflections that are there, in terms of their errors' squares.
const BEYOND_ERROR: f64 = 9.0;

impl Reflections {
    /// Of `piece` at the waves of the reciprocal `basis`, as far as `reach` cycles per px.
    pub(crate) fn new(piece: &Piece<'_>, basis: [Vector; 2], reach: f64) -> Self {
        let mut own = orders(basis, [0.0; 2]);
        let far = |order: &[f64; 2]| length(combined(basis, *order));
        own.retain(|order| *order != [0.0; 2] && far(order) <= 1.01 * reach);
        own.sort_by(|one, other| far(one).total_cmp(&far(other)));
        own.truncate(MOST);
        let crystal = own.iter().map(|&order| combined(basis, order));
        // Displaced scan rows smear reflections along the columns: that is where the noise of each is.
        let smeared: Vec<[Vector; 2]> = crystal.clone().map(|wave| between(wave, basis)).collect();
        let waves: Vec<Vector> = crystal.clone().chain(smeared.into_iter().flatten()).collect();
        let sums = Sums::new(piece, &waves, None).moved(&vec![[0.0; 2]; waves.len()]);
        let amplitudes: Vec<Complex64> = sums.into_iter().map(|(sum, _)| sum / piece.sum).collect();
        let (amplitudes, rest) = amplitudes.split_at(own.len());
        let noise = |pair: &[Complex64]| pair.iter().map(Complex64::norm_sqr).sum::<f64>() / 2.0;
        let noise: Vec<f64> = rest.chunks_exact(2).map(noise).collect();
        // Two values say little of a mean: what all have in common counts as well.
        let mean = noise.iter().sum::<f64>() / noise.len().max(1) as f64;
        let all = own.iter().zip(crystal).zip(amplitudes.iter().zip(noise));
        let all = all.map(|((order, wave), (&amplitude, noise))| {
            let lost = 1.0 - (-0.5 * (TAU * DISPLACED * wave[1]).powi(2)).exp();
            let unequal = UNEQUAL * UNEQUAL + lost * lost;
            let error = 0.5 * (mean + noise) + unequal * amplitude.norm_sqr();
            (order.map(|x| x as i32), Reflection { amplitude, error })
        });
        Self(all.collect())
    }

    /// Those that all `turns` lead to others, each in terms of its error, which is the mean of those that
    /// the turns make equal. Where none of these stands out of its error they are left out: they would
    /// speak for any symmetry.
    pub(super) fn closed(&self, turns: impl Iterator<Item = Turn> + Clone) -> Closed {
        let known: BTreeMap<_, _> = self.0.iter().copied().collect();
        let scaled = |&(order, reflection): &([i32; 2], Reflection)| {
            let (mut error, mut power, mut count) = (0.0, 0.0, 0.0);
            for turn in turns.clone() {
                let [h, k] = transposed(turn, order);
                let equal = known.get(&[h, k]).or_else(|| known.get(&[-h, -k]))?;
                error += equal.error;
                power += equal.amplitude.norm_sqr();
                count += 1.0;
            }
            let there = power > BEYOND_ERROR * error;
            there.then(|| (order, reflection.amplitude / (error / count).sqrt()))
        };
        Closed::new(self.0.iter().filter_map(scaled).collect())
    }
}

/// Two waves above and below `wave`, as far from the reflections of `basis` as can be.
fn between(wave: Vector, basis: [Vector; 2]) -> [Vector; 2] {
    const STEPS: [f64; 4] = [0.35, 0.5, 0.65, 0.8];
    let short = length(basis[0]).min(length(basis[1]));
    let away = |wave: &Vector| {
        let nearest = combined(basis, coordinates(basis, *wave).map(f64::round));
        length(minus(*wave, nearest))
    };
    [1.0, -1.0].map(|side| {
        let waves = STEPS.map(|step| [wave[0] + side * step * short, wave[1]]);
        waves.into_iter().max_by(|a, b| away(a).total_cmp(&away(b))).expect("there are some")
    })
}

/// Reflections that can be asked for by their orders.
pub(super) struct Closed {
    half: Vec<Wave>,
    places: BTreeMap<[i32; 2], usize>,
}

impl Closed {
    fn new(half: Vec<Wave>) -> Self {
        let places = half.iter().enumerate().map(|(i, (order, _))| (*order, i)).collect();
        Self { half, places }
    }

    pub(super) fn half(&self) -> &[Wave] {
        &self.half
    }

    /// The amplitude of an order: that of its opposite is its conjugate.
    pub(super) fn at(&self, [h, k]: [i32; 2]) -> Option<Complex64> {
        let of = |order: [i32; 2]| Some(self.half[*self.places.get(&order)?].1);
        of([h, k]).or_else(|| Some(of([-h, -k])?.conj()))
    }
}
