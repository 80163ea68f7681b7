//! The strain of one region, part by part.

use std::f64::consts::{PI, TAU};

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};
use rayon::prelude::*;
use stemseg_numerics::fourier::Complex64;
use stemseg_regions::{Region, Regions};

use super::rows::Shifts;
use super::sums::Sums;
use super::{RegionStrain, Strain};
use crate::Lattice;
use crate::plane::{Vector, combined, length, reciprocal};
use crate::refine::Order;
use crate::window::{Distances, Piece, Rim, Scene};

/// Standard deviation of the Gaussian, in the longest distance of lattice rows: neighbouring
/// reflections have less than 1e-9 of their power left.
const SIGMA: f64 = 1.25;
/// How far it reaches, standard deviations.
const REACH: f64 = 4.0;
/// Places where strain is computed, in a standard deviation: it is smooth between them.
const STEPS: f64 = 4.0;
/// Side of a part that is computed at once, px, and more where the Gaussian is wide.
const TILE: usize = 768;
/// Largest standard error of what is told.
const LARGEST_ERROR: f64 = 0.05;
/// How strain is computed in a region.
pub(super) struct Field<'a> {
    pub(super) lattice: &'a Lattice,
    /// Orders of the waves, and these, cycles per px.
    pub(super) orders: &'a [Order],
    pub(super) waves: Vec<Vector>,
    /// Standard deviation of the Gaussian, px, and its values, slopes and bends from the middle's
    /// far left to its far right.
    pub(super) sigma: f64,
    pub(super) kernel: [Vec<f64>; 3],
    /// Every how many px there is a place.
    pub(super) step: usize,
    rim: Rim,
}

/// What pixels have, and what the crystal has of it, whose difference is noise.
#[derive(Default)]
struct Power {
    /// Sums of weights, and of these times the squares of pixels.
    pixels: [f64; 2],
    /// Number of places, and the sum of the variances that the waves make there.
    waves: [f64; 2],
    /// Number of parts, and the sum of the variances of the displacements of their rows.
    shifts: [f64; 2],
}

impl Power {
    fn add(&mut self, other: &Self) {
        for axis in 0..2 {
            self.pixels[axis] += other.pixels[axis];
            self.waves[axis] += other.waves[axis];
            self.shifts[axis] += other.shifts[axis];
        }
    }

    /// Variance of a pixel that is no part of the crystal. The waves are those of each place, so
    /// that strain is no noise.
    fn noise(&self) -> f64 {
        let pixels = self.pixels[1] / self.pixels[0].max(f64::MIN_POSITIVE);
        (pixels - self.waves[1] / self.waves[0].max(1.0)).max(1e-12 * pixels)
    }
}

impl<'a> Field<'a> {
    pub(super) fn new(lattice: &'a Lattice) -> Self {
        let basis = reciprocal(lattice.cell.vectors_px);
        let period = basis.iter().map(|&wave| 1.0 / length(wave)).fold(0.0, f64::max);
        let sigma = SIGMA * period;
        Self {
            lattice,
            orders: &lattice.waves,
            waves: lattice.waves.iter().map(|&order| combined(basis, order)).collect(),
            sigma,
            kernel: kernel(sigma),
            step: (sigma / STEPS).floor().max(1.0) as usize,
            // Labels are right to a part of a period, and what rises in less than two would spread one
            // reflection to the next.
            rim: Rim { begins: (0.25 * period).clamp(1.0, 6.0), rises: 2.0 * period },
        }
    }

    pub(super) fn region(
        &self,
        image: ArrayView2<'_, f32>,
        regions: &Regions,
        region: &Region,
        (vectors, reference): ([Vector; 2], u32),
    ) -> RegionStrain {
        let [top, left, bottom, right] = region.bbox_px;
        let count = |first: usize, end: usize| (end - first).div_ceil(self.step);
        let mut places = Array2::from_elem((count(top, bottom), count(left, right)), None);
        let margin = (REACH * self.sigma + self.rim.begins + self.rim.rises).ceil() as usize;
        let side = TILE.max(2 * margin) / self.step;
        let mut power = Power::default();
        let tiles = places.axis_chunks_iter_mut(Axis(0), side).enumerate();
        for (r, mut band) in tiles {
            for (c, mut part) in band.axis_chunks_iter_mut(Axis(1), side).enumerate() {
                let first = [top + r * side * self.step, left + c * side * self.step];
                let end = [0, 1].map(|axis| first[axis] + part.shape()[axis] * self.step);
                let place = [
                    first[0].saturating_sub(margin).max(top),
                    first[1].saturating_sub(margin).max(left),
                    (end[0] + margin).min(bottom),
                    (end[1] + margin).min(right),
                ];
                let numbers = regions.numbers_in(place);
                let distances = Distances::new(&numbers);
                let inside = image.slice(s![place[0]..place[2], place[1]..place[3]]);
                let scene = Scene { image: inside, numbers: &numbers, distances: &distances };
                let all = [0, 0, place[2] - place[0], place[3] - place[1]];
                if let Some(piece) = Piece::new(scene, region.region, all, self.rim) {
                    let first = [first[0] - place[0], first[1] - place[1]];
                    let corner = [place[0], place[1]];
                    power.add(&self.part(&piece, first, corner, vectors, part.view_mut()));
                }
            }
        }
        let (noise, of_rows) = (power.noise().sqrt(), self.error_of_rows(&power));
        places.iter_mut().for_each(|place| {
            *place = place
                .map(|known| Strain { error: (noise * known.error).hypot(of_rows), ..known })
                .filter(|known| known.error < LARGEST_ERROR);
        });
        let first = [top, left];
        let (sigma_px, step) = (self.sigma, self.step);
        RegionStrain { region: region.region, reference, sigma_px, first, step, places }
    }

    /// Standard error of a component of the displacement gradient by what is left of displaced rows:
    /// their mean under the Gaussian, whose slope down the rows has `1 / (4 sqrt(pi) sigma^3)` of
    /// their variance; the mean over all four components, of which one has it.
    fn error_of_rows(&self, power: &Power) -> f64 {
        let variance = power.shifts[1] / power.shifts[0].max(1.0);
        let [down, along] = self.lattice.cell.pixel;
        let slope = variance / (4.0 * PI.sqrt() * self.sigma.powi(3)) * (along / down).powi(2);
        (slope / 4.0).sqrt()
    }

    /// Turn of a wave of this component at a row or column, against it.
    pub(super) fn turn(&self, wave: f64, at: usize) -> Complex64 {
        Complex64::cis(-TAU * (wave * at as f64).fract())
    }

    /// Turns of the waves at columns from `left` on, `[waves, columns]`.
    pub(super) fn turns(&self, width: usize, left: usize) -> Array2<Complex64> {
        let at = |(j, c): (usize, usize)| self.turn(self.waves[j][1], left + c);
        Array2::from_shape_fn((self.waves.len(), width), at)
    }

    /// The strain at the places of `to`, the first of which is this pixel of the piece, whose own
    /// first is `corner`; errors are those of a noise of 1.
    fn part(
        &self,
        piece: &Piece<'_>,
        first: [usize; 2],
        corner: [usize; 2],
        vectors: [Vector; 2],
        mut to: ArrayViewMut2<'_, Option<Strain>>,
    ) -> Power {
        let shifts = Shifts::new(self, piece, corner);
        let along = self.along(piece, (first[1], to.ncols()), corner, Some(&shifts.rows));
        let lines = to.outer_iter_mut().into_par_iter().enumerate();
        let lines = lines.map(|(r, mut to)| {
            let mut power = [0.0; 2];
            let line = Sums::line(self, &along, first[0] + r * self.step);
            for (to, sums) in to.iter_mut().zip(line) {
                let Some(local) = sums.local(self) else { continue };
                *to = local.strain(self, vectors);
                power = [power[0] + 1.0, power[1] + sums.variance()];
            }
            power
        });
        // Added up row by row, however many threads there are.
        let lines: Vec<[f64; 2]> = lines.collect();
        let sum = |k: usize| lines.iter().map(|line| line[k]).sum();
        Power { pixels: along.squares, waves: [sum(0), sum(1)], shifts: [1.0, shifts.variance] }
    }
}

/// Values of the Gaussian, its slope and its bend.
fn kernel(sigma: f64) -> [Vec<f64>; 3] {
    let reach = (REACH * sigma).ceil() as i64;
    let square = sigma * sigma;
    let of = |d: i64| {
        let d = d as f64;
        let value = (-0.5 * d * d / square).exp();
        [value, d / square * value, (d * d / square - 1.0) / square * value]
    };
    let all: Vec<[f64; 3]> = (-reach..=reach).map(of).collect();
    [0, 1, 2].map(|k| all.iter().map(|values| values[k]).collect())
}
