//! Strain and rotation inside regions, from the phases of their reflections.
//!
//! What is left of the pixels `f` of a region after its wave `g` is taken off turns slowly: where
//! the crystal is strained, `z = f exp(-2 pi i g x)` has the phase `2 pi (g' - g) x` of the wave `g'`
//! that is there. Averaged under a Gaussian, `A = G * z` (`*` is convolution), the local wave is
//! `g' = g + J^-1 Im(conj(A) grad A) / (2 pi |A|^2)` (geometric phase analysis: Hytch, Snoeck and
//! Kilaas, Quantitative measurement of displacement and strain fields from HREM micrographs,
//! Ultramicroscopy 74, 131, 1998). No pixel of another region counts. So the middle of what counts
//! lies further inside than the Gaussian's near where a region ends, and moves less than that does:
//! `J = 1 + sigma^2 grad grad log m` with the sum of the weights `m = G * w` (exact for weights that
//! are Gaussian themselves).
//!
//! All strong waves of the crystal count, `g_j = h_j a* + k_j b*`, by their powers `|A_j|^2`: least
//! squares of `g'_j` give the local `a*` and `b*`, whose direct vectors are `F` times those of the
//! reference. `F = R U`: the rotation `R`, and the strain `U - 1` in the reference's coordinates,
//! whole, not in the limit of small ones.

use std::f64::consts::{PI, TAU};

use ndarray::{Array2, Array3, ArrayView2, ArrayViewMut2, Axis, Zip, s};
use rayon::prelude::*;
use stemseg::image::rows::Rows;
use stemseg_numerics::fourier::Complex64;
use stemseg_regions::{Region, Regions};

use crate::plane::{Vector, area, combined, coordinates, length, minus, reciprocal, scaled};
use crate::refine::Order;
use crate::window::{Distances, Piece, Rim, Scene};
use crate::{Crystals, Lattice};

/// Standard deviation of the Gaussian, in the longest distance of lattice rows: neighbouring
/// reflections have less than 1e-9 of their power left.
const SIGMA: f64 = 1.25;
/// How far it reaches, standard deviations.
const REACH: f64 = 4.0;
/// Places where strain is computed, in a standard deviation: it is smooth between them.
const STEPS: f64 = 4.0;
/// Side of a part that is computed at once, px, and more where the Gaussian is wide.
const TILE: usize = 768;
/// Least share of the Gaussian that lies in the region, and least eigenvalue of `J`.
const LEAST_SHARE: f64 = 0.2;
const LEAST_BEND: f64 = 0.3;
/// Largest standard error of what is told.
const LARGEST_ERROR: f64 = 0.05;
/// How far a lattice may be from the reference's to be compared with it, relative.
const ALIKE: f64 = 0.15;

/// Strain and rotation at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strain {
    /// Relative change of lengths along the columns' direction (to the right), along the rows'
    /// direction, and the shear of the two with upwards, as displayed.
    pub exx: f64,
    /// See [`exx`](Self::exx).
    pub eyy: f64,
    /// See [`exx`](Self::exx): half the change of the angle between the two, radians.
    pub exy: f64,
    /// Rotation counter-clockwise, as displayed, degrees.
    pub rotation_deg: f64,
    /// Standard error of a strain, and of the rotation in radians, by the noise of the pixels.
    pub error: f64,
}

/// The names of the maps, in the order of [`Strain::values`].
pub const MAPS: [&str; 5] = ["exx", "eyy", "exy", "rotation_deg", "error"];

impl Strain {
    /// The values in the order of [`MAPS`].
    pub fn values(&self) -> [f64; 5] {
        [self.exx, self.eyy, self.exy, self.rotation_deg, self.error]
    }
}

/// What strain is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reference {
    /// The mean lattice of each region.
    #[default]
    Own,
    /// The mean lattice of the region of this number, for regions of the same pattern that have
    /// nearly the same; their own for others.
    Region(u32),
}

/// The strain of one region.
///
/// Near where it ends, a place tells the strain of the middle of what counts, up to 0.8 standard
/// deviations of the Gaussian further inside.
#[derive(Debug, Clone)]
pub struct RegionStrain {
    /// Its number.
    pub region: u32,
    /// Number of the region that it is relative to.
    pub reference: u32,
    /// Standard deviation of the Gaussian that it is averaged under, px.
    pub sigma_px: f64,
    /// First row and column of the places, and every how many px these are.
    first: [usize; 2],
    step: usize,
    places: Array2<Option<Strain>>,
}

impl RegionStrain {
    /// Every how many px it is known, along both axes.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Strain at all places where it is known.
    pub fn all(&self) -> impl Iterator<Item = &Strain> {
        self.places.iter().flatten()
    }

    /// Values in the order of [`MAPS`] at a pixel, between the places around; nothing where too
    /// little is known.
    fn at(&self, row: usize, col: usize) -> Option<[f64; 5]> {
        let (rows, cols) = self.places.dim();
        let place =
            [(row, self.first[0], rows), (col, self.first[1], cols)].map(|(at, first, n)| {
                let at = (at as f64 - first as f64) / self.step as f64;
                let below = at.floor().clamp(0.0, (n - 1) as f64);
                (below as usize, at - below)
            });
        let (mut sums, mut weight) = ([0.0; 5], 0.0);
        for (dr, dc) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let own = [(0, dr), (1, dc)].map(|(axis, step): (usize, usize)| {
                let (below, part) = place[axis];
                (below + step, if step == 0 { 1.0 - part } else { part })
            });
            let [(r, of_row), (c, of_col)] = own;
            if let Some(Some(known)) = self.places.get((r, c)) {
                let share = of_row * of_col;
                weight += share;
                sums.iter_mut().zip(known.values()).for_each(|(sum, v)| *sum += share * v);
            }
        }
        (weight > 0.25).then(|| sums.map(|sum| sum / weight))
    }
}

/// The strain of all regions that have a lattice.
#[derive(Debug, Clone)]
pub struct StrainMaps<'a> {
    regions: &'a Regions,
    /// By region, in their order: nothing of those that have no lattice.
    pub of_regions: Vec<Option<RegionStrain>>,
}

impl<'a> StrainMaps<'a> {
    /// Of the `regions` of `image` `[rows, cols]`, which have these `crystals`.
    ///
    /// # Panics
    /// Where these are not the regions, or the crystals, of the image.
    pub fn new(
        image: ArrayView2<'_, f32>,
        regions: &'a Regions,
        crystals: &Crystals,
        reference: Reference,
    ) -> Self {
        assert_eq!(image.dim(), regions.shape(), "regions of this image");
        let reference = match reference {
            Reference::Own => None,
            Reference::Region(number) => {
                regions.all().iter().zip(&crystals.regions).find_map(|(region, found)| {
                    (region.region == number).then_some((region, found.as_ref().ok()?))
                })
            }
        };
        let of = |(region, found): (&Region, &Result<Lattice, _>)| {
            let lattice = found.as_ref().ok()?;
            let near = |(other, known): (&Region, &Lattice)| {
                let alike = (other.label == region.label).then(|| alike(lattice, known))??;
                Some((alike, other.region))
            };
            let own = (lattice.cell.vectors_px, region.region);
            let (vectors, by) = reference.and_then(near).unwrap_or(own);
            Some(Field::new(lattice).region(image, regions, region, (vectors, by)))
        };
        let of_regions = regions.all().iter().zip(&crystals.regions).map(of).collect();
        Self { regions, of_regions }
    }

    /// One of the [`MAPS`]: NaN where nothing is known.
    ///
    /// # Panics
    /// Where there is no map of that number.
    pub fn map(&self, map: usize) -> StrainMap<'_> {
        assert!(map < MAPS.len(), "map {map}");
        StrainMap { maps: self, map }
    }
}

/// One of the maps, `[rows, cols]`, row by row.
#[derive(Debug, Clone, Copy)]
pub struct StrainMap<'a> {
    maps: &'a StrainMaps<'a>,
    map: usize,
}

impl Rows<f32> for StrainMap<'_> {
    fn shape(&self) -> (usize, usize) {
        self.maps.regions.shape()
    }

    fn fill(&self, row: usize, to: &mut [f32]) {
        let numbers = self.maps.regions.numbers_in([row, 0, row + 1, to.len()]);
        for (col, (to, number)) in to.iter_mut().zip(&numbers).enumerate() {
            let own = number.checked_sub(1).map(|region| &self.maps.of_regions[region as usize]);
            let known = own.and_then(|own| own.as_ref()?.at(row, col));
            *to = known.map_or(f32::NAN, |values| values[self.map] as f32);
        }
    }
}

/// The vectors of `known` that are next to those of `lattice`, where the two are nearly the same.
fn alike(lattice: &Lattice, known: &Lattice) -> Option<[Vector; 2]> {
    let other = known.cell.vectors_px;
    let whole = lattice.cell.vectors_px.map(|v| coordinates(other, v).map(f64::round));
    let vectors = whole.map(|whole| combined(other, whole));
    let near = lattice.cell.vectors_px.iter().zip(&vectors);
    let near = near.map(|(&own, &other)| length(minus(own, other)) / length(own));
    (area(whole[0], whole[1]).abs() == 1.0 && near.fold(0.0, f64::max) < ALIKE).then_some(vectors)
}

/// How strain is computed in a region.
struct Field<'a> {
    lattice: &'a Lattice,
    orders: &'a [Order],
    waves: Vec<Vector>,
    sigma: f64,
    step: usize,
    rim: Rim,
}

/// Sums under the Gaussian along the columns: `[rows, places, ...]`.
struct Along {
    /// Of each wave, and of its slope.
    waves: Array3<Complex64>,
    /// Of the weights, their slope and their bend.
    weights: Array3<f64>,
    /// Sums of the weights, and of these times the squares of the pixels.
    squares: [f64; 2],
}

/// What pixels have, and what the crystal has of it, whose difference is noise.
#[derive(Default)]
struct Power {
    /// Sums of weights, and of these times the squares of pixels.
    pixels: [f64; 2],
    /// Number of places, and the sum of the variances that the waves make there.
    waves: [f64; 2],
}

impl Power {
    fn add(&mut self, other: &Self) {
        for axis in 0..2 {
            self.pixels[axis] += other.pixels[axis];
            self.waves[axis] += other.waves[axis];
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
    fn new(lattice: &'a Lattice) -> Self {
        let basis = reciprocal(lattice.cell.vectors_px);
        let period = basis.iter().map(|&wave| 1.0 / length(wave)).fold(0.0, f64::max);
        let sigma = SIGMA * period;
        Self {
            lattice,
            orders: &lattice.waves,
            waves: lattice.waves.iter().map(|&order| combined(basis, order)).collect(),
            sigma,
            step: (sigma / STEPS).floor().max(1.0) as usize,
            // Labels are right to a part of a period, and a hard end would spread reflections.
            rim: Rim { begins: (0.25 * period).clamp(1.0, 6.0), rises: period },
        }
    }

    fn region(
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
        let noise = power.noise().sqrt();
        places.iter_mut().for_each(|place| {
            *place = place
                .map(|known| Strain { error: noise * known.error, ..known })
                .filter(|known| known.error < LARGEST_ERROR);
        });
        let first = [top, left];
        let (sigma_px, step) = (self.sigma, self.step);
        RegionStrain { region: region.region, reference, sigma_px, first, step, places }
    }

    /// Weights of pixels from `place` on, of the Gaussian, its slope and its bend.
    fn kernel(&self) -> Vec<[f64; 3]> {
        let reach = (REACH * self.sigma).ceil() as i64;
        let square = self.sigma * self.sigma;
        let of = |d: i64| {
            let d = d as f64;
            let value = (-0.5 * d * d / square).exp();
            [value, d / square * value, (d * d / square - 1.0) / square * value]
        };
        (-reach..=reach).map(of).collect()
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
        let kernel = self.kernel();
        let along = self.along(piece, (first[1], to.ncols()), corner, &kernel);
        let reach = (kernel.len() / 2) as i64;
        let height = along.weights.len_of(Axis(0)) as i64;
        let lines = to.outer_iter_mut().into_par_iter().enumerate();
        let lines = lines.map(|(r, mut to)| {
            let mut power = [0.0; 2];
            let centre = (first[0] + r * self.step) as i64;
            let rows = (centre - reach).max(0)..(centre + reach + 1).min(height);
            for (c, to) in to.iter_mut().enumerate() {
                let mut sums = Sums::new(self.waves.len());
                for row in rows.clone() {
                    let down = kernel[(row - centre + reach) as usize];
                    sums.add(&along, (row as usize, c), down);
                }
                let Some(local) = sums.local(self) else { continue };
                *to = local.strain(self, vectors);
                power = [power[0] + 1.0, power[1] + sums.variance()];
            }
            power
        });
        // Added up row by row, however many threads there are.
        let lines: Vec<[f64; 2]> = lines.collect();
        let sum = |k: usize| lines.iter().map(|line| line[k]).sum();
        Power { pixels: along.squares, waves: [sum(0), sum(1)] }
    }

    /// Sums along the columns of each row of `piece`, at `count` places from column `first` on.
    fn along(
        &self,
        piece: &Piece<'_>,
        (first, count): (usize, usize),
        corner: [usize; 2],
        kernel: &[[f64; 3]],
    ) -> Along {
        let [top, _, bottom, _] = piece.place;
        let (height, width, n) = (bottom - top, piece.width(), self.waves.len());
        let mut waves = Array3::zeros((height, count, 2 * n));
        let mut weights = Array3::zeros((height, count, 3));
        let mut squares = Array2::zeros((height, 2));
        // Turns from a column to the next, the same in all rows.
        let turns = Array2::from_shape_fn((n, width), |(j, c)| {
            Complex64::cis(-TAU * (self.waves[j][1] * (corner[1] + c) as f64).fract())
        });
        let reach = (kernel.len() / 2) as i64;
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
            let mut turned = vec![Complex64::default(); width];
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
                for (kernel, weight) in kernel[from..].iter().zip(&own[columns]) {
                    (0..3).for_each(|k| weights[(place, k)] += kernel[k] * weight);
                }
            }
            for (j, wave) in self.waves.iter().enumerate() {
                let down = Complex64::cis(-TAU * (wave[0] * (corner[0] + row) as f64).fract());
                for ((to, &value), turn) in turned.iter_mut().zip(&values).zip(turns.row(j)) {
                    *to = turn * (down * value);
                }
                for place in 0..count {
                    let (columns, from) = range(place);
                    let mut sums = [Complex64::default(); 2];
                    for (kernel, value) in kernel[from..].iter().zip(&turned[columns]) {
                        sums[0] += value * kernel[0];
                        sums[1] += value * kernel[1];
                    }
                    (waves[(place, 2 * j)], waves[(place, 2 * j + 1)]) = (sums[0], sums[1]);
                }
            }
        });
        let squares = squares.sum_axis(Axis(0));
        Along { waves, weights, squares: [squares[0], squares[1]] }
    }
}

/// Sums under the Gaussian at one place.
struct Sums {
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

    fn add(&mut self, along: &Along, (row, place): (usize, usize), down: [f64; 3]) {
        let weights = along.weights.slice(s![row, place, ..]);
        let [value, slope, bend] = [weights[0], weights[1], weights[2]];
        if value == 0.0 {
            return;
        }
        self.weight += down[0] * value;
        self.slopes[0] += down[1] * value;
        self.slopes[1] += down[0] * slope;
        self.bends[0] += down[2] * value;
        self.bends[1] += down[1] * slope;
        self.bends[2] += down[0] * bend;
        let waves = along.waves.slice(s![row, place, ..]);
        for (j, to) in self.waves.iter_mut().enumerate() {
            to[0] += waves[2 * j] * down[0];
            to[1] += waves[2 * j] * down[1];
            to[2] += waves[2 * j + 1] * down[0];
        }
    }

    /// Variance of pixels that the waves make.
    fn variance(&self) -> f64 {
        let powers: f64 = self.waves.iter().map(|[sum, ..]| sum.norm_sqr()).sum();
        2.0 * powers / (self.weight * self.weight)
    }

    /// The local waves; nothing where too little of the region is there to tell.
    fn local(&self, field: &Field<'_>) -> Option<Local> {
        let square = field.sigma * field.sigma;
        let share = self.weight / (TAU * square);
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
struct Local {
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
    fn strain(&self, field: &Field<'_>, vectors: [Vector; 2]) -> Option<Strain> {
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
            for j in 0..2 {
                let bend = self.inverse[j][0].hypot(self.inverse[j][1]);
                sum += slope * of_waves * (bend / pixel[j]).powi(2);
            }
        }
        (sum / 4.0).sqrt()
    }
}
