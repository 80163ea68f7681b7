//! Where patterns touch: the direction of their boundary, and what it is in terms of both crystals.
//!
//! A boundary in a label map is a staircase. Lines through the middles of its stairs are fitted by
//! total least squares: through all of them where regions meet along one straight line, tile by tile
//! otherwise.

use std::collections::BTreeMap;

use ndarray::Array2;
use rayon::prelude::*;
use serde::Serialize;
use stemseg_regions::Regions;

use crate::cell::Cell;
use crate::plane::{Vector, angle, length};
use crate::relation::{Relation, miller};

/// Side of a tile, px.
const TILE: usize = 32;
/// Fewest stairs that make a line.
const FEWEST: f64 = 8.0;
/// Variance across a line relative to that along it, up to which it is straight: all of a boundary,
/// and a tile.
const STRAIGHT: f64 = 0.001;
const STRAIGHT_TILE: f64 = 0.05;
/// How much of a boundary must go along one direction for that to be said of all of it.
const DIRECTED: f64 = 0.5;

/// What the boundary of two patterns is like.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Interface {
    /// Angle of its mean normal, counter-clockwise from the right, 0 to 180 degrees, in terms of nm
    /// where pixels have a size; nothing where it goes in all directions.
    pub normal_deg: Option<f64>,
    /// How much of it goes along one direction: 1 for a straight line, 0 for a circle.
    pub straightness: Option<f64>,
    /// Indices of the planes of the first and the second crystal along it, the larger 1 or -1.
    pub planes: Option<[[f64; 2]; 2]>,
    /// How the crystals are related, where both have a lattice.
    #[serde(flatten)]
    pub relation: Option<Relation>,
}

/// Sums over stairs: their number, rows, columns, and products.
type Moments = [f64; 6];

/// Pieces of lines: `sum length n n'` of their normals, as rows with rows, rows with columns, columns
/// with columns.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Directions([f64; 3]);

impl Directions {
    fn add(&mut self, [rr, rc, cc]: [f64; 3]) {
        self.0 = [self.0[0] + rr, self.0[1] + rc, self.0[2] + cc];
    }

    /// The mean normal, and how much goes along it.
    fn main(&self) -> Option<(Vector, f64)> {
        let [rr, rc, cc] = self.0;
        let whole = rr + cc;
        if whole <= 0.0 {
            return None;
        }
        let spread = ((rr - cc) / 2.0).hypot(rc);
        let turn = 0.5 * (2.0 * rc).atan2(rr - cc);
        Some(([turn.cos(), turn.sin()], 2.0 * spread / whole))
    }
}

/// The directions of the boundaries between labels, the lower first, in pixels of this size.
pub(crate) fn directions(regions: &Regions, pixel: Vector) -> BTreeMap<[u16; 2], Directions> {
    let (rows, cols) = regions.shape();
    let of_rows = |first: usize| {
        // With the row below.
        let numbers = regions.numbers_in([first, 0, (first + TILE + 1).min(rows), cols]);
        stairs(&numbers, first, pixel)
    };
    let firsts: Vec<usize> = (0..rows).step_by(TILE).collect();
    let tiles: Vec<BTreeMap<([u32; 2], usize), Moments>> =
        firsts.into_par_iter().map(of_rows).collect();
    let mut pairs: BTreeMap<[u32; 2], Vec<Moments>> = BTreeMap::new();
    for ((pair, _), moments) in tiles.into_iter().flatten() {
        pairs.entry(pair).or_default().push(moments);
    }
    let label = |number: u32| regions.all()[number as usize - 1].label;
    let mut all: BTreeMap<[u16; 2], Directions> = BTreeMap::new();
    for ([a, b], tiles) in pairs {
        let (a, b) = (label(a), label(b));
        if a == b {
            continue;
        }
        let to = all.entry([a.min(b), a.max(b)]).or_default();
        let mut whole = [0.0; 6];
        for tile in &tiles {
            whole.iter_mut().zip(tile).for_each(|(sum, own)| *sum += own);
        }
        match line(&whole, STRAIGHT) {
            Some(line) => to.add(line),
            None => tiles.iter().filter_map(|t| line(t, STRAIGHT_TILE)).for_each(|t| to.add(t)),
        }
    }
    all
}

/// The stairs between regions in the tiles that begin at row `first` of the image, whose `numbers`
/// these are with those of the row below, by the numbers of the regions and the tile.
fn stairs(
    numbers: &Array2<u32>,
    first: usize,
    pixel: Vector,
) -> BTreeMap<([u32; 2], usize), Moments> {
    let (rows, cols) = numbers.dim();
    let mut found: BTreeMap<([u32; 2], usize), Moments> = BTreeMap::new();
    let mut note = |a: u32, b: u32, tile: usize, [y, x]: Vector| {
        if a != b && a != 0 && b != 0 {
            let sums = found.entry(([a.min(b), a.max(b)], tile)).or_insert([0.0; 6]);
            let own = [1.0, y, x, y * y, y * x, x * x];
            sums.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
        }
    };
    for r in 0..TILE.min(rows) {
        for c in 0..cols {
            let own = numbers[(r, c)];
            let (y, x) = ((first + r) as f64, c as f64);
            if c + 1 < cols {
                let at = [y * pixel[0], (x + 0.5) * pixel[1]];
                note(own, numbers[(r, c + 1)], c / TILE, at);
            }
            if r + 1 < rows {
                let at = [(y + 0.5) * pixel[0], x * pixel[1]];
                note(own, numbers[(r + 1, c)], c / TILE, at);
            }
        }
    }
    found
}

/// Products of the normal of the line through stairs, times its length; nothing where they are few,
/// or are spread across it by more than this share.
fn line(moments: &Moments, straight: f64) -> Option<[f64; 3]> {
    let [n, y, x, yy, yx, xx] = *moments;
    if n < FEWEST {
        return None;
    }
    let [rr, rc, cc] = [yy - y * y / n, yx - y * x / n, xx - x * x / n].map(|sum| sum / n);
    let (mean, spread) = ((rr + cc) / 2.0, ((rr - cc) / 2.0).hypot(rc));
    if mean - spread > straight * (mean + spread) {
        return None;
    }
    let along = 0.5 * (2.0 * rc).atan2(rr - cc);
    let normal = [-along.sin(), along.cos()];
    let length = (12.0 * (mean + spread)).sqrt();
    Some([normal[0] * normal[0], normal[0] * normal[1], normal[1] * normal[1]].map(|p| p * length))
}

impl Interface {
    /// Of a boundary with these directions between crystals of these cells.
    pub(crate) fn new(directions: Directions, cells: [Option<&Cell>; 2]) -> Self {
        let main = directions.main();
        let normal = main.filter(|(_, share)| *share >= DIRECTED).map(|(normal, _)| normal);
        let both = cells[0].zip(cells[1]);
        let planes = normal.zip(both).map(|(n, (one, other))| [miller(one, n), miller(other, n)]);
        Self {
            normal_deg: normal.filter(|n| length(*n) > 0.0).map(|n| angle(n).rem_euclid(180.0)),
            straightness: main.map(|(_, share)| share),
            planes,
            relation: both.map(|(one, other)| Relation::new(one, other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(labels: &Array2<u16>, pixel: Vector) -> (Option<f64>, f64) {
        let regions = Regions::new(&labels.view(), None, None);
        let all = directions(&regions, pixel);
        let found = Interface::new(all[&[1, 2]], [None, None]);
        (found.normal_deg, found.straightness.unwrap())
    }

    #[test]
    fn normals_of_straight_boundaries_are_right_to_a_degree() {
        for degrees in (0..180).step_by(7) {
            let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
            // Up is to lower rows.
            let half = |r: usize, c: usize| (80.3 - r as f64) * sin + (c as f64 - 99.6) * cos > 0.2;
            let labels = Array2::from_shape_fn((160, 200), |(r, c)| 1 + u16::from(half(r, c)));
            let (found, straight) = normal(&labels, [1.0; 2]);
            let away = (found.unwrap() - f64::from(degrees)).rem_euclid(180.0);
            assert!(away.min(180.0 - away) < 0.3, "{degrees}: {found:?}");
            assert!(straight > 0.99);
            // Two parallel ones.
            let band = |r: usize, c: usize| {
                ((80.3 - r as f64) * sin + (c as f64 - 99.6) * cos).abs() < 20.0
            };
            let labels = Array2::from_shape_fn((160, 200), |(r, c)| 1 + u16::from(band(r, c)));
            let (found, _) = normal(&labels, [1.0; 2]);
            let away = (found.unwrap() - f64::from(degrees)).rem_euclid(180.0);
            assert!(away.min(180.0 - away) < 1.0, "{degrees}: {found:?}");
        }
    }

    #[test]
    fn pixels_that_are_no_squares_turn_normals_as_they_do_the_specimen() {
        let labels =
            Array2::from_shape_fn((200, 200), |(r, c)| 1 + u16::from(c as f64 > r as f64 + 0.3));
        // Down the boundary 2 nm to the right for each 1 nm: its normal goes up twice as much.
        let (found, _) = normal(&labels, [1.0, 2.0]);
        assert!((found.unwrap() - 2.0_f64.atan().to_degrees()).abs() < 0.2, "{found:?}");
    }

    #[test]
    fn circles_have_no_normal() {
        let labels = Array2::from_shape_fn((200, 200), |(r, c)| {
            1 + u16::from((r as f64 - 100.2).hypot(c as f64 - 98.7) < 70.0)
        });
        let (found, straight) = normal(&labels, [1.0; 2]);
        assert!(found.is_none() && straight < 0.1, "{straight}");
    }
}
