//! How far a scan is distorted, by crystals of one symmetry that are turned against each other.
//!
//! In a square or hexagonal lattice with vectors `a` and `b`, `|a| = |b|`, and `a b` is 0 or half of
//! `|a|^2`. A scan that stretches or shears the image makes of each vector `v` another, so that instead
//! `a M a = b M b`, and so on, with `M = ((1 + e, s), (s, 1 - e))` up to its scale. Each crystal gives two
//! linear equations for `e` and `s`. A strain of the specimen turns with its crystals; what crystals of
//! different orientation have in common is of the scan.

use serde::{Deserialize, Serialize};

use crate::Crystals;
use crate::cell::{Cell, Measured};
use crate::plane::{Vector, angle, scaled};

/// How far a lattice may be from a square or a hexagonal one to be taken for one, relative.
const MOST: f64 = 0.06;
/// By how many degrees crystals have to be turned against each other, of the 30 or 45 that they can be
/// at most.
const TURNED_DEG: f64 = 12.0;
/// How far crystals may differ in what they say of the scan, relative to that, beyond this many errors:
/// a scan that bends stretches the places of the crystals differently.
const ALIKE: f64 = 0.35;
const ERRORS: f64 = 3.0;
/// Distortions that are told, relative.
const TOLD: f64 = 0.01;

/// How a scan distorts the image, as crystals in it say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScanDistortion {
    /// How much longer the scan makes one direction than the one across it, relative, and the standard
    /// error.
    pub stretch: f64,
    /// See [`stretch`](Self::stretch).
    pub stretch_error: f64,
    /// The longer direction, counter-clockwise from the right, 0 to 180 degrees.
    pub direction_deg: f64,
    /// The labels of the crystals that say so.
    pub labels: Vec<u16>,
    /// What makes of columns and rows (to the right, up) of the image places without the distortion, in
    /// terms of the width of a pixel: `x = col + a01 up`, `y = a11 up`.
    pub affine: [[f64; 2]; 2],
}

/// What one crystal says: `e` and `s`, and the error of either.
#[derive(Debug, Clone, Copy)]
struct Told {
    label: u16,
    e: Measured,
    s: Measured,
    /// Angle after which the crystal is the same, and how it is turned, degrees.
    turn: f64,
    orientation: f64,
}

impl ScanDistortion {
    /// Of the scan of these crystals; nothing where they do not say that it is distorted, or not enough
    /// of them say the same.
    pub fn new(crystals: &Crystals) -> Option<Self> {
        let cells = crystals
            .patterns
            .iter()
            .filter_map(|pattern| Some((pattern.label, &pattern.found.as_ref().ok()?.cell)));
        let all: Vec<Told> = cells.filter_map(|(label, cell)| Told::new(label, cell)).collect();
        // From what is most exact on, all that agree with it.
        let error = |told: &Told| told.e.error.hypot(told.s.error);
        let first = all.iter().filter(|one| all.iter().any(|other| one.turned(other)));
        let first = first.min_by(|a, b| error(a).total_cmp(&error(b)))?;
        let agree: Vec<&Told> = all.iter().filter(|one| first.agrees(one)).collect();
        let turned = agree.iter().any(|one| agree.iter().any(|other| one.turned(other)));
        // Another crystal that says otherwise makes it a strain.
        if !turned || 2 * agree.len() <= all.len() {
            return None;
        }
        let (e, s) = (mean(&agree, |told| told.e), mean(&agree, |told| told.s));
        let size = e.value.hypot(s.value);
        let stretch = ((1.0 + size) / (1.0 - size)).sqrt() - 1.0;
        // What the crystals differ by counts, too.
        let spread = agree
            .iter()
            .map(|told| (told.e.value - e.value).powi(2) + (told.s.value - s.value).powi(2));
        let spread = (spread.sum::<f64>() / (agree.len() * agree.len()) as f64).sqrt();
        let stretch_error = e.error.hypot(s.error).max(spread);
        if stretch < TOLD || stretch < ERRORS * stretch_error {
            return None;
        }
        let pixel =
            crystals.patterns.iter().find_map(|p| p.found.as_ref().ok()).map(|c| c.cell.pixel)?;
        Some(Self {
            stretch,
            stretch_error,
            direction_deg: direction(e.value, s.value),
            labels: agree.iter().map(|told| told.label).collect(),
            affine: affine(e.value, s.value, pixel),
        })
    }
}

impl Told {
    fn new(label: u16, cell: &Cell) -> Option<Self> {
        let pixel = cell.pixel;
        let kinds = [(0.0, 90.0), (-0.5, 60.0)];
        let of = |(share, turn): (f64, f64)| {
            let [e, s] = [0, 1].map(|which| {
                cell.reciprocal()
                    .measured(|[a, b]| metric(scaled(a, pixel), scaled(b, pixel), share)[which])
            });
            let orientation = angle(scaled(cell.vectors_px[0], pixel)).rem_euclid(turn);
            Self { label, e, s, turn, orientation }
        };
        let size = |told: &Self| told.e.value.hypot(told.s.value);
        let nearest = kinds.map(of).into_iter().min_by(|a, b| size(a).total_cmp(&size(b)))?;
        (size(&nearest) < MOST).then_some(nearest)
    }

    /// Whether the two are the same lattice, turned far enough against each other.
    fn turned(&self, other: &Self) -> bool {
        let away = (self.orientation - other.orientation).rem_euclid(self.turn);
        self.turn == other.turn && away.min(self.turn - away) >= TURNED_DEG
    }

    fn agrees(&self, other: &Self) -> bool {
        let away = (self.e.value - other.e.value).hypot(self.s.value - other.s.value);
        let errors = [self, other].map(|told| told.e.error.hypot(told.s.error));
        let size = self.e.value.hypot(self.s.value);
        away <= (ERRORS * errors[0].hypot(errors[1])).max(ALIKE * size)
    }
}

/// `e` and `s` by which `a M a = b M b` and `a M b = share a M a`, of vectors as rows and columns;
/// infinite where there are none.
fn metric(a: Vector, b: Vector, share: f64) -> [f64; 2] {
    // Of u M v: what stands without e and s, with e, and with s.
    let product = |u: Vector, v: Vector| {
        [u[0] * v[0] + u[1] * v[1], u[0] * v[0] - u[1] * v[1], u[0] * v[1] + u[1] * v[0]]
    };
    let (aa, bb, ab) = (product(a, a), product(b, b), product(a, b));
    let equal: [f64; 3] = std::array::from_fn(|i| aa[i] - bb[i]);
    let angle: [f64; 3] = std::array::from_fn(|i| ab[i] - share * aa[i]);
    let whole = equal[1] * angle[2] - equal[2] * angle[1];
    if whole == 0.0 {
        return [f64::INFINITY; 2];
    }
    let e = (equal[2] * angle[0] - equal[0] * angle[2]) / whole;
    let s = (equal[0] * angle[1] - equal[1] * angle[0]) / whole;
    [e, s]
}

/// Weighted with the errors.
fn mean(all: &[&Told], of: impl Fn(&Told) -> Measured) -> Measured {
    let weight = |told: &Told| 1.0 / of(told).error.powi(2).max(1e-12);
    let whole: f64 = all.iter().map(|told| weight(told)).sum();
    let value = all.iter().map(|told| weight(told) * of(told).value).sum::<f64>() / whole;
    Measured { value, error: whole.recip().sqrt() }
}

/// The direction in which the image is longer than the specimen: that of the smaller eigenvalue of `M`.
fn direction(e: f64, s: f64) -> f64 {
    // As rows and columns, the larger lies at half the angle of (e, s).
    let half = 0.5 * s.atan2(e) + std::f64::consts::FRAC_PI_2;
    angle([half.cos(), half.sin()]).rem_euclid(180.0)
}

/// From columns and rows, upwards, of pixels of this size: the upper triangle whose square is `M`.
fn affine(e: f64, s: f64, pixel: Vector) -> [[f64; 2]; 2] {
    // To the right and up, in terms of the width of a pixel.
    let tall = pixel[0] / pixel[1];
    let (xx, xy, yy) = (1.0 - e, -s * tall, (1.0 + e) * tall * tall);
    let along = xy / xx;
    [[1.0, along], [0.0, (yy / xx - along * along).sqrt()]]
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use stemseg::image::micrograph::PixelSize;
    use stemseg_regions::Regions;

    use super::*;
    use crate::plane::{combined, length};

    type Matrix = [[f64; 2]; 2];

    const NONE: Matrix = [[1.0, 0.0], [0.0, 1.0]];

    /// Up to a half, without a period.
    fn noise(pixel: u64) -> f64 {
        let mixed = (pixel + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 40) as f64 / (1_u64 << 25) as f64
    }

    /// Three crystals from the left to the right with waves in these directions, degrees, of which each
    /// is `strained` along its own, in an image that a `scan` makes of the specimen (columns and rows
    /// upwards).
    fn crystals(turns: [f64; 3], fold: usize, strained: f64, scan: Matrix) -> Crystals {
        let (rows, cols) = (240, 540);
        let det = scan[0][0] * scan[1][1] - scan[0][1] * scan[1][0];
        let image = Array2::from_shape_fn((rows, cols), |(r, c)| {
            let [u, v] = [c as f64, -(r as f64)];
            let x = (scan[1][1] * u - scan[0][1] * v) / det;
            let y = (scan[0][0] * v - scan[1][0] * u) / det;
            let turn = turns[c / 180].to_radians();
            // In the crystal's own axes, longer along the first.
            let own = [
                (x * turn.cos() + y * turn.sin()) / (1.0 + strained),
                y * turn.cos() - x * turn.sin(),
            ];
            let wave = |k: usize| {
                let along = std::f64::consts::PI * k as f64 / fold as f64;
                let phase = own[0] * along.cos() + own[1] * along.sin();
                (phase * std::f64::consts::TAU / 8.3).cos()
            };
            ((0..fold).map(wave).sum::<f64>() + noise((r * cols + c) as u64)) as f32
        });
        let labels = Array2::from_shape_fn((rows, cols), |(_, c)| (c / 180) as u16 + 1);
        Crystals::new(image.view(), &Regions::new(&labels.view(), None, None), None)
    }

    /// What stretches by `1 + stretch` along a direction, degrees, and not across it.
    fn stretch(stretch: f64, degrees: f64) -> Matrix {
        let (sin, cos) = degrees.to_radians().sin_cos();
        [
            [1.0 + stretch * cos * cos, stretch * sin * cos],
            [stretch * sin * cos, 1.0 + stretch * sin * sin],
        ]
    }

    #[test]
    fn a_scan_that_stretches_is_told_by_crystals_that_are_turned() {
        for fold in [2, 3] {
            for degrees in [0.0, 35.0, 90.0, 160.0] {
                let crystals = crystals([5.0, 25.0, 41.0], fold, 0.0, stretch(0.024, degrees));
                let found = ScanDistortion::new(&crystals).unwrap();
                assert!((found.stretch - 0.024).abs() < 0.002, "{fold} {degrees}: {found:?}");
                let away = (found.direction_deg - degrees).rem_euclid(180.0);
                assert!(away.min(180.0 - away) < 3.0, "{fold} {degrees}: {found:?}");
                assert!(found.stretch_error < 0.002 && found.labels == [1, 2, 3], "{found:?}");
                // What puts it right makes lattices square, or hexagonal.
                for pattern in &crystals.patterns {
                    let vectors = pattern.found.as_ref().unwrap().cell.vectors_px;
                    let [a, b] = vectors.map(|[down, right]| {
                        let [[one, along], [_, up]] = found.affine;
                        [one * right - along * down, -up * down]
                    });
                    let sides = [a, b, combined([a, b], [1.0, 1.0])].map(length);
                    let longest = if fold == 2 { 2.0_f64.sqrt() } else { 1.0 };
                    assert!((sides[1] / sides[0] - 1.0).abs() < 0.003, "{sides:?}");
                    assert!((sides[2] / sides[0] / longest - 1.0).abs() < 0.003, "{sides:?}");
                }
            }
        }
    }

    #[test]
    fn strained_crystals_and_a_scan_that_is_right_are_left_alone() {
        for fold in [2, 3] {
            let of =
                |turns, strained, scan| ScanDistortion::new(&crystals(turns, fold, strained, scan));
            assert_eq!(of([5.0, 25.0, 41.0], 0.0, NONE), None);
            assert_eq!(of([5.0, 25.0, 41.0], 0.0, stretch(0.005, 35.0)), None);
            // Along different directions of the image.
            assert_eq!(of([5.0, 65.0, 125.0].map(|turn| turn * 0.9), 0.024, NONE), None);
            assert_eq!(of([5.0, 20.0, 20.0], 0.024, NONE), None);
            // Of one orientation nobody knows which it is.
            assert_eq!(of([5.0, 5.0, 8.0], 0.0, stretch(0.024, 35.0)), None);
        }
    }

    #[test]
    fn pixels_that_are_no_squares_are_no_distortion_where_the_file_says_so() {
        let tall = [[1.0, 0.0], [0.0, 1.0 / 1.03]];
        let (rows, cols) = (240, 540);
        let plain = crystals([5.0, 25.0, 41.0], 3, 0.0, tall);
        let found = ScanDistortion::new(&plain).unwrap();
        assert!((found.stretch - 0.03).abs() < 0.003, "{found:?}");
        let level = (found.direction_deg + 90.0).rem_euclid(180.0) - 90.0;
        assert!(level.abs() < 1.0, "{found:?}");
        assert!((found.affine[1][1] - 1.03).abs() < 0.003, "{found:?}");
        let labels = Array2::from_shape_fn((rows, cols), |(_, c)| (c / 180) as u16 + 1);
        let size = Some(PixelSize { rows: 0.0103, cols: 0.01 });
        let regions = Regions::new(&labels.view(), None, size);
        let image = Array2::from_shape_fn((rows, cols), |(r, c)| {
            let [x, y] = [c as f64, r as f64 * 1.03];
            let turn = [5.0, 25.0, 41.0][c / 180] * std::f64::consts::PI / 180.0;
            let wave = |k: f64| {
                let along = turn + std::f64::consts::FRAC_PI_3 * k;
                ((x * along.cos() - y * along.sin()) * std::f64::consts::TAU / 8.3).cos()
            };
            (wave(0.0) + wave(1.0) + wave(2.0)) as f32
        });
        assert_eq!(ScanDistortion::new(&Crystals::new(image.view(), &regions, size)), None);
    }
}
