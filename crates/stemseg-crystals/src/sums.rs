//! Sums of waves over the blocks of a piece: `sum w(x) f(x) exp(-2 pi i g (x - centre))`.
//!
//! From them the sums for waves that differ a little follow without the pixels, since a block is
//! much smaller than a period of the difference.

use std::f64::consts::TAU;

use ndarray::Array2;
use rayon::prelude::*;
use stemseg_numerics::fourier::Complex64;

use crate::plane::Vector;
use crate::window::{Piece, ROWS};

/// Columns of a block.
const COLUMNS: usize = 32;

/// A block of a piece.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Middle of its weight, from the piece's, px.
    pub(crate) place: Vector,
    /// Sum of its weights.
    pub(crate) weight: f64,
    /// Its first row in the image.
    pub(crate) row: usize,
    /// Sum of each wave.
    pub(crate) sums: Vec<Complex64>,
}

/// Sums over all blocks of a piece that have weights, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Sums {
    pub(crate) blocks: Vec<Block>,
    /// Sum of the weights times the squares of what was summed.
    pub(crate) squares: f64,
}

/// What a crystal has: waves from the middle of the piece, cycles per px, and half the amplitude
/// and the phase of each.
pub(crate) type Model<'a> = &'a [Complex64];

impl Sums {
    /// Of the pixels of `piece` and these `waves`; of what the `model` leaves of them, where there
    /// is one.
    pub(crate) fn new(piece: &Piece<'_>, waves: &[Vector], model: Option<Model<'_>>) -> Self {
        let tables = Tables::new(piece, waves);
        let [top, _, bottom, _] = piece.place;
        let starts: Vec<usize> = (top..bottom).step_by(ROWS).collect();
        let of_band = |start: usize| tables.band(piece, start..(start + ROWS).min(bottom), model);
        let bands: Vec<(Vec<Block>, f64)> = starts.into_par_iter().map(of_band).collect();
        let squares = bands.iter().map(|(_, squares)| squares).sum();
        Self { blocks: bands.into_iter().flat_map(|(blocks, _)| blocks).collect(), squares }
    }

    /// Sums over the piece of waves that are `moved` by so much, and the sums of those times the
    /// place, rows and columns.
    pub(crate) fn moved(&self, moved: &[Vector]) -> Vec<(Complex64, [Complex64; 2])> {
        let mut all = vec![(Complex64::default(), [Complex64::default(); 2]); moved.len()];
        for block in &self.blocks {
            for ((sum, &value), by) in all.iter_mut().zip(&block.sums).zip(moved) {
                let phase = -TAU * (by[0] * block.place[0] + by[1] * block.place[1]);
                let value = value * Complex64::cis(phase);
                sum.0 += value;
                sum.1[0] += value * block.place[0];
                sum.1[1] += value * block.place[1];
            }
        }
        all
    }
}

/// Sum of the products, in a fixed order that may be taken several at a time.
pub(crate) fn product(a: &[f64], b: &[f64]) -> f64 {
    const ABREAST: usize = 8;
    let mut sums = [0.0; ABREAST];
    let (a_parts, b_parts) = (a.chunks_exact(ABREAST), b.chunks_exact(ABREAST));
    let rest = a_parts.remainder().iter().zip(b_parts.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a_parts.zip(b_parts) {
        for i in 0..ABREAST {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Waves along the columns, `[waves, columns]` each.
struct Tables<'a> {
    waves: &'a [Vector],
    cos: Array2<f64>,
    sin: Array2<f64>,
}

impl<'a> Tables<'a> {
    fn new(piece: &Piece<'_>, waves: &'a [Vector]) -> Self {
        let left = piece.place[1] as f64 - piece.centre[1];
        let phase = |(j, c): (usize, usize)| TAU * waves[j][1] * (left + c as f64);
        let shape = (waves.len(), piece.width());
        let cos = Array2::from_shape_fn(shape, |at| phase(at).cos());
        let sin = Array2::from_shape_fn(shape, |at| phase(at).sin());
        Self { waves, cos, sin }
    }

    /// The blocks of some rows.
    fn band(
        &self,
        piece: &Piece<'_>,
        rows: std::ops::Range<usize>,
        model: Option<Model<'_>>,
    ) -> (Vec<Block>, f64) {
        let width = piece.width();
        let (mut weights, mut values) = (vec![0.0; width], vec![0.0; width]);
        let count = width.div_ceil(COLUMNS);
        let mut sums = vec![Complex64::default(); count * self.waves.len()];
        let mut places = vec![[0.0; 3]; count];
        let mut squares = 0.0;
        let start = rows.start;
        for row in rows {
            piece.row(row, &mut weights, &mut values);
            let y = row as f64 - piece.centre[0];
            let turns: Vec<Complex64> =
                self.waves.iter().map(|wave| Complex64::cis(-TAU * wave[0] * y)).collect();
            if let Some(model) = model {
                self.subtract(model, &turns, &weights, &mut values);
            }
            for (at, place) in places.iter_mut().enumerate() {
                let block = at * COLUMNS..((at + 1) * COLUMNS).min(width);
                let own: f64 = weights[block.clone()].iter().sum();
                if own == 0.0 {
                    continue;
                }
                let along = block.clone().map(|c| weights[c] * c as f64).sum::<f64>();
                *place = [place[0] + own, place[1] + own * y, place[2] + along];
                let pairs = weights[block.clone()].iter().zip(&values[block.clone()]);
                squares += pairs.filter(|(w, _)| **w > 0.0).map(|(w, v)| v * v / w).sum::<f64>();
                for (j, turn) in turns.iter().enumerate() {
                    let (cos, sin) = (self.row(&self.cos, j), self.row(&self.sin, j));
                    let of = |table: &[f64]| product(&values[block.clone()], &table[block.clone()]);
                    sums[at * turns.len() + j] += turn * Complex64::new(of(cos), -of(sin));
                }
            }
        }
        let left = piece.place[1] as f64 - piece.centre[1];
        let blocks = places.into_iter().enumerate().filter(|(_, [own, ..])| *own > 0.0);
        let blocks = blocks.map(|(at, [own, down, along])| Block {
            place: [down / own, along / own + left],
            weight: own,
            row: start,
            sums: sums[at * self.waves.len()..(at + 1) * self.waves.len()].to_vec(),
        });
        (blocks.collect(), squares)
    }

    fn row<'t>(&self, table: &'t Array2<f64>, wave: usize) -> &'t [f64] {
        let width = table.ncols();
        &table.as_slice().expect("a fresh array is contiguous")[wave * width..(wave + 1) * width]
    }

    /// Takes the crystal off the weighted values of a row, whose waves begin with these conjugate
    /// `turns`.
    fn subtract(&self, model: Model<'_>, turns: &[Complex64], weights: &[f64], values: &mut [f64]) {
        let mut crystal = vec![0.0; values.len()];
        for (j, (half, turn)) in model.iter().zip(turns).enumerate() {
            let amplitude = 2.0 * half * turn.conj();
            let (cos, sin) = (self.row(&self.cos, j), self.row(&self.sin, j));
            for ((crystal, cos), sin) in crystal.iter_mut().zip(cos).zip(sin) {
                *crystal += amplitude.re * cos - amplitude.im * sin;
            }
        }
        for ((value, weight), crystal) in values.iter_mut().zip(weights).zip(crystal) {
            *value -= weight * crystal;
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use stemseg_regions::Regions;

    use super::*;
    use crate::window::{Distances, Rim, Scene};

    /// The definition, pixel by pixel.
    fn by_definition(piece: &Piece<'_>, wave: Vector) -> Complex64 {
        let [top, left, bottom, _] = piece.place;
        let (mut weights, mut values) = (vec![0.0; piece.width()], vec![0.0; piece.width()]);
        let mut sum = Complex64::default();
        for row in top..bottom {
            piece.row(row, &mut weights, &mut values);
            for (c, value) in values.iter().enumerate() {
                let at = [row as f64 - piece.centre[0], (left + c) as f64 - piece.centre[1]];
                sum += *value * Complex64::cis(-TAU * (wave[0] * at[0] + wave[1] * at[1]));
            }
        }
        sum
    }

    #[test]
    fn sums_of_blocks_are_those_of_the_pixels() {
        let image = Array2::from_shape_fn((90, 130), |(r, c)| {
            let (r, c) = (r as f32, c as f32);
            (0.7 * r + 0.2 * c).sin() + 0.4 * (0.5 * c - 0.3 * r).cos() + 0.01 * r
        });
        let labels = Array2::from_shape_fn((90, 130), |(r, c)| u16::from(r + c > 40));
        let regions = Regions::new(&labels.view(), None, None);
        let numbers = regions.numbers();
        let distances = Distances::new(&numbers);
        let scene = Scene { image: image.view(), numbers: &numbers, distances: &distances };
        let rim = Rim { begins: 2.0, rises: 9.0 };
        let region = &regions.all()[0];
        let piece = Piece::new(scene, region.region, region.bbox_px, rim).unwrap();
        let waves = [[0.7 / TAU, 0.2 / TAU], [-0.3 / TAU, 0.5 / TAU], [0.1, 0.02]];
        let sums = Sums::new(&piece, &waves, None);
        // Moved by less than a thousandth of a period across a block.
        for by in [[0.0; 2], [2e-5, -1e-5]] {
            for (wave, (sum, _)) in waves.iter().zip(sums.moved(&[by; 3])) {
                let expected = by_definition(&piece, [wave[0] + by[0], wave[1] + by[1]]);
                let bound = if by == [0.0; 2] { 1e-9 } else { 1e-5 } * piece.sum;
                assert!((sum - expected).norm() < bound, "{sum} instead of {expected}");
            }
        }
        // What the right model leaves is next to nothing at its own waves.
        let halves: Vec<Complex64> =
            sums.moved(&[[0.0; 2]; 3]).iter().map(|(sum, _)| sum / piece.sum).collect();
        let left = Sums::new(&piece, &waves, Some(&halves));
        assert!(left.squares < 0.02 * sums.squares, "{} of {}", left.squares, sums.squares);
    }
}
