//! The size of pixels, and how far the scan is distorted, by a crystal whose lattice is known.

use serde::Serialize;

use crate::cell::{Cell, Measured};
use crate::plane::{Vector, area, combined, dot, length, reciprocal, reduction};
use crate::{Crystals, Pattern};

/// Largest distortion of a scan by which a lattice is still the known one, relative.
const MOST: f64 = 0.1;
/// How far the mean size of a pixel may be from that in the file, relative.
const FAR: f64 = 0.3;
/// Distortions that are as good as each other, relative.
const ALIKE: f64 = 0.005;

/// A lattice as tables have it: two vectors that span it, and the angle between them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KnownLattice {
    /// Length of the first, nm.
    pub a_nm: f64,
    /// Length of the second, nm.
    pub b_nm: f64,
    /// Angle between them, degrees.
    pub gamma_deg: f64,
}

/// What the known lattice says of the scan.
///
/// Steps along a row are `width` long, and those from row to row `height` across that, with
/// `height tan(skew)` along it. Of one lattice no more can be told: how the specimen is turned, and
/// how the scan is, are one number.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Calibration {
    /// The label whose lattice it is.
    pub label: u16,
    /// Width and height of a pixel, nm.
    pub width_nm: Measured,
    /// See [`width_nm`](Self::width_nm).
    pub height_nm: Measured,
    /// By how much the rows' direction is more than a right angle counter-clockwise of the columns',
    /// degrees.
    pub skew_deg: Measured,
    /// How much longer the scan makes one direction than another, relative: with pixels of the size
    /// in the file, or square ones.
    pub distortion: f64,
    /// What makes of columns and rows (to the right, up) of the image places in nm without the
    /// distortion, the rows' direction to the right: `x = a00 col + a01 up`, `y = a11 up`.
    pub affine_nm: [[f64; 2]; 2],
}

impl Calibration {
    /// By the pattern of `crystals` whose lattice is nearest to the `known` one; nothing where none is
    /// near. Pixels have the size `pixel` in the file, rows and columns, nm, where it says so.
    pub fn new(crystals: &Crystals, known: &KnownLattice, pixel: Option<Vector>) -> Option<Self> {
        let cells = crystals.patterns.iter().filter_map(|pattern| {
            let Pattern { label, found } = pattern;
            Some((*label, &found.as_ref().ok()?.cell))
        });
        let near = |(label, cell)| {
            let fit = Fit::new(cell, known, pixel.unwrap_or([1.0; 2]))?;
            let right = pixel.is_none() || (fit.size.ln().abs() < (1.0 + FAR).ln());
            (right && fit.distortion < MOST).then_some((label, cell, fit))
        };
        let all: Vec<_> = cells.filter_map(near).collect();
        let least = all.iter().map(|(_, _, fit)| fit.distortion).fold(f64::INFINITY, f64::min);
        let (label, cell, fit) =
            all.into_iter().find(|(_, _, fit)| fit.distortion <= least + ALIKE)?;
        let of = |value: fn(Steps) -> f64| {
            cell.reciprocal().measured(|vectors| value(Steps::new(vectors, fit.vectors)))
        };
        let (width_nm, height_nm) = (of(|steps| steps.width), of(|steps| steps.height));
        let skew_deg = of(|steps| (steps.along / steps.height).atan().to_degrees());
        let along = height_nm.value * skew_deg.value.to_radians().tan();
        Some(Self {
            label,
            width_nm,
            height_nm,
            skew_deg,
            distortion: fit.distortion,
            affine_nm: [[width_nm.value, along], [0.0, height_nm.value]],
        })
    }
}

/// Steps from a pixel to the next: along a row, and up, as it lies across and along the row's.
#[derive(Clone, Copy)]
struct Steps {
    width: f64,
    along: f64,
    height: f64,
}

impl Steps {
    /// Where direct vectors, px, are the `known` ones, nm.
    fn new(px: [Vector; 2], known: [Vector; 2]) -> Self {
        let turned = reciprocal(px.map(upright));
        // Where a step along each axis leads: T = known px^-1.
        let step = |axis: usize| -> Vector {
            [0, 1].map(|to| known[0][to] * turned[0][axis] + known[1][to] * turned[1][axis])
        };
        let (right, up) = (step(0), step(1));
        let width = length(right);
        Self { width, along: dot(right, up) / width, height: area(right, up) / width }
    }

    /// The largest stretch by the least, less 1, of pixels of this size; and the mean size in it.
    fn distortion(self, [row, col]: Vector) -> (f64, f64) {
        let [a, b, d] = [self.width / col, self.along / row, self.height / row];
        // Singular values of [[a, b], [0, d]].
        let (sum, product) = (a * a + b * b + d * d, (a * d).abs());
        let root = (sum * sum - 4.0 * product * product).max(0.0).sqrt();
        (((sum + root) / (sum - root).max(f64::MIN_POSITIVE)).sqrt() - 1.0, product.sqrt())
    }
}

/// The known vectors that those of a cell are, the nearest that there are.
struct Fit {
    vectors: [Vector; 2],
    distortion: f64,
    /// Mean size of a pixel, in that of the file.
    size: f64,
}

impl Fit {
    fn new(cell: &Cell, known: &KnownLattice, pixel: Vector) -> Option<Self> {
        let (sin, cos) = known.gamma_deg.to_radians().sin_cos();
        // To the right and up.
        let given = [[known.a_nm, 0.0], [known.b_nm * cos, known.b_nm * sin]];
        let whole = reduction(given);
        let short = whole.map(|whole| combined(given, whole));
        // The mirror image is as good: what is seen may be the other side.
        let sides = [short, short.map(|[x, y]| [-x, y])];
        let mut best: Option<Self> = None;
        for side in sides {
            for (first, second) in spanning() {
                let vectors = [combined(side, first), combined(side, second)];
                let steps = Steps::new(cell.vectors_px, vectors);
                let (distortion, size) = steps.distortion(pixel);
                let better = best.as_ref().is_none_or(|best| distortion < best.distortion - 1e-9);
                if steps.height > 0.0 && distortion.is_finite() && better {
                    best = Some(Self { vectors, distortion, size });
                }
            }
        }
        best
    }
}

/// Pairs of short vectors that span the whole numbers.
fn spanning() -> impl Iterator<Item = ([f64; 2], [f64; 2])> {
    let all = || (-1..=1).flat_map(|i| (-1..=1).map(move |j| [f64::from(i), f64::from(j)]));
    let pairs = all().flat_map(move |one| all().map(move |other| (one, other)));
    pairs.filter(|(one, other)| area(*one, *other).abs() == 1.0)
}

/// A vector as it lies to the right and up.
fn upright([down, along]: Vector) -> Vector {
    [along, -down]
}
