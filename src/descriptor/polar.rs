//! Polar samples of the square around an inner site.
//!
//! The `(2R + 1)^2` pixels around the site, their mean taken off, are
//! interpolated by cubic B-splines of that square alone (mirrored at its edges)
//! on rings `r_k = 1 + k (R - 1) / n_r` at angles `2 pi j / n_t`, measured so that
//! `row = r sin(angle)` and `col = r cos(angle)`. Samples of ring `k` are
//! multiplied by `r_k`, so that each stands for as much of the square.

mod loss;

use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};
use serde::Serialize;

use super::checks::FLAT_SHARE;
use super::inner_sites::InnerSites;
use super::spline;
use crate::{Error, Result};
pub(super) use loss::Shift;

/// Fewest angles of a ring.
const LEAST_ANGLES: usize = 60;

/// Most angles of a ring.
const MOST_ANGLES: usize = 2520;

/// Where a square is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Polar {
    /// Half size of the square, R, px.
    pub radius: usize,
    /// Number of rings, `n_r`.
    pub rings: usize,
    /// Samples of a ring, `n_t`.
    pub angles: usize,
}

/// The 4 x 4 coefficients that a sample is made of, and their weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tap {
    /// Row of the first, in the square with one mirrored coefficient all around.
    pub row: usize,
    /// Column of the first.
    pub col: usize,
    /// How far the sample lies beyond the second row and column, 0 to 1 px.
    pub fractions: [f64; 2],
    /// Weights of the rows, the ring's included.
    pub rows: [f64; 4],
    /// Weights of the columns.
    pub cols: [f64; 4],
}

/// A product of a ring of samples with itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    /// Rolled by this many samples.
    Roll(usize),
    /// With sample `j` in the place of these minus `j`.
    Turn(usize),
}

/// Products with their weights: over the norm of the samples a score of an inner site.
pub(crate) type Score = Vec<(Product, f64)>;

/// Scores of one family, which are made of the samples alone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PolarScores<'a> {
    pub(crate) polar: &'a Polar,
    pub(crate) inner: &'a InnerSites,
    pub(crate) scores: Vec<Score>,
}

/// Scores of all families with the same samples: these are taken once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SharedScores<'a> {
    pub(crate) of: PolarScores<'a>,
    /// Numbers of the families, and which of the scores are theirs.
    pub(crate) channels: Vec<(usize, Range<usize>)>,
}

impl<'a> SharedScores<'a> {
    /// Of those of `all` families that have the samples of number `own`; nothing where that
    /// has none.
    pub(crate) fn with(
        all: impl Iterator<Item = Option<PolarScores<'a>>>,
        own: usize,
    ) -> Option<Self> {
        let all: Vec<_> = all.collect();
        let (polar, inner) = all.get(own)?.as_ref().map(|of| (of.polar, of.inner))?;
        let (mut scores, mut channels) = (Vec::new(), Vec::new());
        for (i, theirs) in all.into_iter().enumerate() {
            if let Some(theirs) = theirs.filter(|of| (of.polar, of.inner) == (polar, inner)) {
                let first = scores.len();
                scores.extend(theirs.scores);
                channels.push((i, first..scores.len()));
            }
        }
        Some(Self { of: PolarScores { polar, inner, scores }, channels })
    }

    /// Whether family `own` is the first of them.
    pub(crate) fn begin_with(&self, own: usize) -> bool {
        self.channels.first().is_some_and(|(first, _)| *first == own)
    }
}

impl Polar {
    /// Rings of `radius` with enough angles that each of `divisors` divides them.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a radius below 2 px, no ring, and divisors without
    /// a small common multiple; `name` says whose.
    pub fn new(
        radius: usize,
        rings: usize,
        name: &'static str,
        divisors: &[usize],
    ) -> Result<Self> {
        super::checks::at_least("radius", radius, 2)?;
        super::checks::at_least("rings", rings, 1)?;
        let common = divisors.iter().try_fold(1_usize, |a, &b| {
            (a / gcd(a, b)).checked_mul(b).filter(|&common| common <= MOST_ANGLES)
        });
        let Some(common) = common else {
            let list: Vec<String> = divisors.iter().map(usize::to_string).collect();
            let reason = format!("rings would need more than {MOST_ANGLES} angles; give fewer");
            return Err(Error::parameter(name, list.join(","), reason));
        };
        Ok(Self { radius, rings, angles: common * LEAST_ANGLES.div_ceil(common) })
    }

    /// Samples of a square, rings x angles.
    pub const fn len(&self) -> usize {
        self.rings * self.angles
    }

    /// Never: there is a ring, and it has angles.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Full size of the square, px.
    pub const fn side(&self) -> usize {
        2 * self.radius + 1
    }

    /// Radius of ring `k`, px.
    pub fn ring(&self, k: usize) -> f64 {
        1.0 + k as f64 * (self.radius as f64 - 1.0) / self.rings as f64
    }

    /// Row and column of sample `j` of ring `k` from the centre, px.
    pub fn offset(&self, k: usize, j: usize) -> [f64; 2] {
        let (sin, cos) = (std::f64::consts::TAU * j as f64 / self.angles as f64).sin_cos();
        [sin, cos].map(|part| part * self.ring(k))
    }

    /// The taps of all samples, ring by ring, of rings whose centre is displaced
    /// by `shift` (rows and columns, at most half a pixel each).
    pub fn taps(&self, shift: [f64; 2]) -> Vec<Tap> {
        let places = (0..self.rings).flat_map(|k| (0..self.angles).map(move |j| (k, j)));
        places.map(|(k, j)| self.tap(k, j, shift)).collect()
    }

    fn tap(&self, k: usize, j: usize, shift: [f64; 2]) -> Tap {
        let offset = self.offset(k, j);
        let place = [0, 1].map(|axis| {
            // Counted from the row of mirrored coefficients; rounding must not lead
            // a sample on the last row beyond it.
            let at = self.radius as f64 + offset[axis] + shift[axis];
            let first = at.floor().clamp(0.0, (self.side() - 2) as f64);
            (first as usize, at - first)
        });
        let [(row, down), (col, right)] = place;
        let (rows, cols) = (spline::weights(down), spline::weights(right));
        let rows = rows.map(|w| w * self.ring(k));
        Tap { row, col, fractions: [down, right], rows, cols }
    }

    /// Weighted samples `[rings, angles]` of the square around `(row, col)` by the
    /// definition, the rings' centre displaced by `shift`; nothing where the
    /// square is flat for an image of `variance`.
    pub fn samples(
        &self,
        image: ArrayView2<'_, f64>,
        (row, col): (usize, usize),
        shift: [f64; 2],
        variance: f64,
    ) -> Option<Array2<f64>> {
        let (top, left, side) = (row - self.radius, col - self.radius, self.side());
        let square = image.slice(s![top..top + side, left..left + side]);
        if square.var(0.0) < FLAT_SHARE * variance {
            return None;
        }
        let mean = square.sum() / square.len() as f64;
        let coefficients = spline::coefficients((&square - mean).view());
        Some(Array2::from_shape_fn((self.rings, self.angles), |(k, j)| {
            let [down, right] = self.offset(k, j);
            let centre = self.radius as f64;
            let (at_row, at_col) = (centre + down + shift[0], centre + right + shift[1]);
            self.ring(k) * spline::value(coefficients.view(), at_row, at_col)
        }))
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_are_a_multiple_of_every_divisor() {
        let angles = |divisors: &[usize]| Polar::new(20, 20, "folds", divisors).unwrap().angles;
        assert_eq!(angles(&[2, 3, 4, 6]), 60);
        assert_eq!(angles(&[20]), 60);
        assert_eq!(angles(&[7]), 63);
        assert_eq!(angles(&[5, 7, 8]), 280);
        assert!(Polar::new(20, 20, "folds", &[11, 13, 17, 19]).is_err());
    }

    #[test]
    fn taps_give_what_the_definition_gives() {
        for (radius, shift) in [(2, [0.0; 2]), (5, [0.5, -0.5]), (9, [-0.31, 0.17])] {
            let polar = Polar { radius, rings: 4, angles: 12 };
            let side = polar.side();
            let image = Array2::from_shape_fn((side, side), |(r, c)| ((r * 5 + c * c) % 7) as f64);
            let variance = image.var(0.0);
            let expected = polar.samples(image.view(), (radius, radius), shift, variance).unwrap();
            let mean = image.sum() / image.len() as f64;
            let coefficients = spline::coefficients((&image - mean).view());
            let padded = Array2::from_shape_fn((side + 2, side + 2), |(r, c)| {
                let at = |i: usize| spline::mirrored(i as isize - 1, side);
                coefficients[(at(r), at(c))]
            });
            for (tap, expected) in polar.taps(shift).iter().zip(&expected) {
                let mut sum = 0.0;
                for (i, wr) in tap.rows.iter().enumerate() {
                    for (j, wc) in tap.cols.iter().enumerate() {
                        sum += wr * wc * padded[(tap.row + i, tap.col + j)];
                    }
                }
                assert!((sum - expected).abs() < 1e-10, "{sum} {expected}");
            }
        }
    }
}
