//! How much a lattice's cell holds, from the autocorrelation over one of them.
//!
//! Over a lattice vector `t` the autocorrelation of a crystal is `sum p_g cos(g t)`, with
//! the powers `p_g` of pairs of Bragg reflections: a Fourier series over the cell. Of them
//! `(sum p_g)^2 / sum p_g^2` carry the contrast, whatever the magnification.

use std::f64::consts::TAU;

use super::autocorrelation::Map;
use super::{Vector, combined};

/// Places along one axis of the cell.
const PLACES: usize = 16;
/// Highest order of a reflection along one axis of the reciprocal lattice.
const ORDERS: isize = 4;
/// Most that a power is multiplied with for what the smoothing of the image took from it.
const MOST: f64 = 8.0;

/// How many pairs of reflections carry the contrast of the lattice that `vectors` span;
/// nothing where the `map` of autocorrelation does not have it. The image was smoothed with
/// a standard deviation of `smoothing`; all lengths are steps of lag.
pub(super) fn reflections(map: &Map, vectors: [Vector; 2], smoothing: f64) -> Option<f64> {
    let folded = folded(map, vectors)?;
    let [a, b] = reciprocal(vectors);
    let waves: [f64; PLACES] = std::array::from_fn(|i| (TAU * i as f64 / PLACES as f64).cos());
    let (mut sum, mut squares) = (0.0, 0.0);
    for h in 0..=ORDERS {
        for k in -ORDERS..=ORDERS {
            if h == 0 && k <= 0 {
                continue;
            }
            let g = combined([a, b], [h as f64, k as f64]).map(|x| TAU * x);
            let smoothed = (-smoothing * smoothing * (g[0] * g[0] + g[1] * g[1])).exp();
            let power = power(&folded, &waves, h, k).max(0.0) / smoothed.max(1.0 / MOST);
            sum += power;
            squares += power * power;
        }
    }
    (squares > 0.0).then(|| sum * sum / squares)
}

/// Vectors with a product of 1 with one of `vectors` and of 0 with the other, 1/px.
fn reciprocal([a, b]: [Vector; 2]) -> [Vector; 2] {
    let area = a[0] * b[1] - a[1] * b[0];
    [[b[1] / area, -b[0] / area], [-a[1] / area, a[0] / area]]
}

/// The coefficient of `cos(TAU (h u + k v))` in `folded`; `waves` are the cosines of one turn.
fn power(folded: &[f64], waves: &[f64; PLACES], h: isize, k: isize) -> f64 {
    let side = PLACES as isize;
    let wave = |at: usize| {
        let (i, j) = (at as isize / side, at as isize % side);
        waves[(h * i + k * j).rem_euclid(side) as usize]
    };
    let sum: f64 = folded.iter().enumerate().map(|(at, v)| v * wave(at)).sum();
    2.0 * sum / folded.len() as f64
}

/// Mean autocorrelation by place in the cell, `[PLACES, PLACES]`, over the cells about the
/// one at no lag, which noise has its share of; nothing where a place lies in none.
fn folded(map: &Map, vectors: [Vector; 2]) -> Option<Vec<f64>> {
    let mut sums = vec![(0.0, 0.0); PLACES * PLACES];
    let side = PLACES as isize;
    let half = side / 2;
    for i in -3 * half..3 * half {
        for j in -3 * half..3 * half {
            if (-half..half).contains(&i) && (-half..half).contains(&j) {
                continue;
            }
            let lag = combined(vectors, [i, j].map(|x| x as f64 / side as f64));
            let Some(value) = map.at(lag) else { continue };
            let place = &mut sums[(i.rem_euclid(side) * side + j.rem_euclid(side)) as usize];
            *place = (place.0 + value, place.1 + 1.0);
        }
    }
    sums.into_iter().map(|(sum, count)| (count > 0.0).then(|| sum / count)).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    const SMOOTHING: f64 = 1.2;

    /// Autocorrelation of a smoothed image with pairs of reflections of these powers at
    /// `(h, k)` of a square cell of 12 px.
    fn map(reflections: &[([f64; 2], f64)]) -> Map {
        let reach = 40;
        let values = Array2::from_shape_fn((2 * reach + 1, 2 * reach + 1), |(r, c)| {
            let lag = [r, c].map(|x| x as f64 - reach as f64);
            let wave = |&([h, k], p): &([f64; 2], f64)| {
                let smoothed = (-(TAU * SMOOTHING / 12.0).powi(2) * (h * h + k * k)).exp();
                p * smoothed * (TAU * (h * lag[0] + k * lag[1]) / 12.0).cos()
            };
            reflections.iter().map(wave).sum()
        });
        Map { values, energy: 1.0 }
    }

    #[test]
    fn reflections_are_counted_by_what_they_carry() {
        let vectors = [[12.0, 0.0], [0.0, 12.0]];
        let of =
            |reflections: &[_]| super::reflections(&map(reflections), vectors, SMOOTHING).unwrap();
        let (a, b, ab) = ([1.0, 0.0], [0.0, 1.0], [1.0, 1.0]);
        let close = |found: f64, expected: f64| {
            // Straight lines between lags make weak reflections of higher orders.
            assert!((found / expected - 1.0).abs() < 0.1, "{found} instead of {expected}");
        };
        close(of(&[(a, 0.4), (b, 0.4)]), 2.0);
        close(of(&[(a, 0.4), (b, 0.4), (ab, 0.4)]), 3.0);
        // What smoothing took from the outer ones is given back.
        let (aa, bb) = ([2.0, 0.0], [0.0, 2.0]);
        close(of(&[(a, 0.4), (b, 0.4), (aa, 0.4), (bb, 0.4)]), 4.0);
        // Strong ones count for more: (1 + 0.5)^2 / (1 + 0.25).
        close(of(&[(a, 0.6), (b, 0.3)]), 1.8);
        // Whatever vectors span the lattice.
        let skew = {
            super::reflections(&map(&[(a, 0.4), (b, 0.4)]), [[12.0, 0.0], [12.0, 12.0]], SMOOTHING)
        };
        close(skew.unwrap(), 2.0);
    }

    #[test]
    fn a_lattice_that_the_map_does_not_hold_has_none() {
        let map = map(&[([1.0, 0.0], 1.0)]);
        assert_eq!(reflections(&map, [[90.0, 0.0], [0.0, 90.0]], SMOOTHING), None);
    }
}
