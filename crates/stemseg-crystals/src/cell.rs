//! From reciprocal vectors to the unit cell: reduced, with errors, and of which lattice type.

use serde::Serialize;
use stemseg::image::micrograph::PixelSize;

use crate::plane::{Vector, angle, area, combined, dot, length, reciprocal, reduction, scaled};

/// How far scans that nobody corrected stretch and shear crystals, relative: drift of one row in a
/// hundred. Lattices that are symmetric within it, or within their errors, count as that.
pub const DISTORTION: f64 = 0.01;
/// Standard errors within which a symmetry holds.
const WITHIN: f64 = 2.5;

/// The types of plane lattices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatticeType {
    /// Any two vectors.
    Oblique,
    /// Vectors at a right angle.
    Rectangular,
    /// A rectangle with one more lattice point in its middle; its primitive cell is reported.
    CentredRectangular,
    /// Equal vectors at a right angle.
    Square,
    /// Equal vectors at 120 degrees.
    Hexagonal,
}

impl LatticeType {
    /// Angle of the smallest rotation that leaves the lattice as it is, degrees.
    pub fn turn_deg(self) -> f64 {
        match self {
            Self::Hexagonal => 60.0,
            Self::Square => 90.0,
            _ => 180.0,
        }
    }

    /// Its name in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Oblique => "oblique",
            Self::Rectangular => "rectangular",
            Self::CentredRectangular => "centred rectangular",
            Self::Square => "square",
            Self::Hexagonal => "hexagonal",
        }
    }
}

/// A value with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The value.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// The reduced primitive cell of a lattice.
///
/// `a` is not longer than `b`, within the errors, and no lattice vectors that span the lattice are
/// shorter. `gamma` is 90 to 120 degrees; `b` lies counter-clockwise of `a`, as displayed, unless an
/// oblique lattice is of the other hand. Where pixels have a size, all this holds in nm: they need
/// not be square.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Cell {
    /// `a` and `b`, each as rows (down) and columns (to the right), px.
    pub vectors_px: [Vector; 2],
    /// Their lengths, px.
    pub lengths_px: [Measured; 2],
    /// Their lengths, nm.
    pub lengths_nm: Option<[Measured; 2]>,
    /// Angle from `a` to `b`, degrees.
    pub gamma_deg: Measured,
    /// Angle of `a`, counter-clockwise from the direction of the columns to the right, as displayed:
    /// from 0 to below [`LatticeType::turn_deg`], since lattice vectors that far apart are the same.
    pub orientation_deg: Measured,
    /// The type of the lattice, within errors and [`DISTORTION`].
    pub lattice_type: LatticeType,
    /// How far the lattice is from an exact one of that type, relative: the largest difference of
    /// lengths, or of an angle in radians.
    pub departure: f64,
    /// Covariance of the rows and columns of the reciprocal vectors of `a` and `b`, (cycles/px)^2.
    pub(crate) covariance: [[f64; 4]; 4],
    pub(crate) pixel: Vector,
}

/// Reciprocal vectors with the covariance of their rows and columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reciprocal {
    pub(crate) basis: [Vector; 2],
    pub(crate) covariance: [[f64; 4]; 4],
}

impl Reciprocal {
    /// The same lattice by the direct vectors that these whole numbers make of its own.
    pub(crate) fn by(self, whole: [[f64; 2]; 2]) -> Self {
        // Direct vectors become W v, reciprocal ones the inverse of the transpose.
        let inverse = reciprocal(whole);
        let turn = |i: usize, j: usize| if i % 2 == j % 2 { inverse[i / 2][j / 2] } else { 0.0 };
        let covariance = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                let mut sum = 0.0;
                for k in 0..4 {
                    for l in 0..4 {
                        sum += turn(i, k) * self.covariance[k][l] * turn(j, l);
                    }
                }
                sum
            })
        });
        Self { basis: inverse.map(|row| combined(self.basis, row)), covariance }
    }

    /// A value of the direct vectors, with its error: by differences.
    pub(crate) fn measured(&self, of: impl Fn([Vector; 2]) -> f64) -> Measured {
        let value = of(reciprocal(self.basis));
        let step = 1e-6 * length(self.basis[0]).min(length(self.basis[1]));
        let slope: [f64; 4] = std::array::from_fn(|i| {
            let at = |by: f64| {
                let mut basis = self.basis;
                basis[i / 2][i % 2] += by;
                of(reciprocal(basis))
            };
            (at(step) - at(-step)) / (2.0 * step)
        });
        let mut variance = 0.0;
        for (i, a) in slope.iter().enumerate() {
            for (j, b) in slope.iter().enumerate() {
                variance += a * self.covariance[i][j] * b;
            }
        }
        Measured { value, error: variance.max(0.0).sqrt() }
    }
}

impl Cell {
    pub(crate) fn new(found: Reciprocal, pixel_size: Option<PixelSize>) -> Self {
        let pixel = pixel_size.map_or([1.0; 2], |size| [size.rows, size.cols]);
        let direct = reciprocal(found.basis).map(|v| scaled(v, pixel));
        let found = obtuse(found.by(reduction(direct)), pixel);
        let (lattice_type, departure) = classified(&found, pixel);
        let found =
            found.by(chosen(reciprocal(found.basis).map(|v| scaled(v, pixel)), lattice_type));
        let in_nm = |v: Vector| scaled(v, pixel);
        let turn = lattice_type.turn_deg();
        let mut orientation = found.measured(|[a, _]| unwrapped(angle(in_nm(a)), turn));
        orientation.value = orientation.value.rem_euclid(turn);
        let lengths = |size: Vector| {
            [0, 1].map(|i| found.measured(|vectors| length(scaled(vectors[i], size))))
        };
        Self {
            vectors_px: reciprocal(found.basis),
            lengths_px: lengths([1.0; 2]),
            lengths_nm: pixel_size.map(|_| lengths(pixel)),
            gamma_deg: found.measured(|[a, b]| between(in_nm(a), in_nm(b))),
            orientation_deg: orientation,
            lattice_type,
            departure,
            covariance: found.covariance,
            pixel,
        }
    }

    /// Reciprocal vectors with their covariance.
    pub(crate) fn reciprocal(&self) -> Reciprocal {
        Reciprocal { basis: reciprocal(self.vectors_px), covariance: self.covariance }
    }

    /// `a` and `b` in nm where pixels have a size, else in px.
    pub(crate) fn physical(&self) -> [Vector; 2] {
        self.vectors_px.map(|v| scaled(v, self.pixel))
    }

    /// Area of the cell, px^2.
    pub fn area_px(&self) -> f64 {
        area(self.vectors_px[0], self.vectors_px[1]).abs()
    }

    /// The sides of the rectangle of a centred lattice, the shorter first, each as rows and columns,
    /// px.
    pub fn conventional_px(&self) -> Option<[Vector; 2]> {
        Some(self.rectangle()?.map(|whole| combined(self.vectors_px, whole)))
    }

    /// The same as whole numbers of `a` and `b`.
    pub(crate) fn rectangle(&self) -> Option<[[f64; 2]; 2]> {
        if self.lattice_type != LatticeType::CentredRectangular {
            return None;
        }
        let [a, b] = self.physical();
        let rhombic = (length(b) / length(a) - 1.0).abs();
        let other = (2.0 * dot(a, b) / dot(a, a) + 1.0).abs();
        let mut whole =
            if rhombic <= other { [[1.0, 1.0], [1.0, -1.0]] } else { [[1.0, 0.0], [1.0, 2.0]] };
        let side = |whole: [f64; 2]| length(combined(self.physical(), whole));
        if side(whole[1]) < side(whole[0]) {
            whole.swap(0, 1);
        }
        Some(whole)
    }
}

/// Angle near 0 to `turn` without a jump at its ends.
fn unwrapped(degrees: f64, turn: f64) -> f64 {
    let within = degrees.rem_euclid(360.0);
    if within > 360.0 - turn / 2.0 { within - 360.0 } else { within }
}

/// Angle between two vectors, degrees.
pub(crate) fn between(a: Vector, b: Vector) -> f64 {
    area(a, b).abs().atan2(dot(a, b)).to_degrees()
}

/// With vectors at 90 degrees or more.
fn obtuse(found: Reciprocal, pixel: Vector) -> Reciprocal {
    let [a, b] = reciprocal(found.basis).map(|v| scaled(v, pixel));
    let sign = if dot(a, b) > 0.0 { -1.0 } else { 1.0 };
    found.by([[1.0, 0.0], [0.0, sign]])
}

/// The type of a reduced lattice with an obtuse angle, and how far it is from that.
fn classified(found: &Reciprocal, pixel: Vector) -> (LatticeType, f64) {
    let of = |value: &dyn Fn(Vector, Vector) -> f64| {
        let Measured { value, error } =
            found.measured(|[a, b]| value(scaled(a, pixel), scaled(b, pixel)));
        (value.abs(), value.abs() <= (WITHIN * error).hypot(DISTORTION))
    };
    let gamma = |a: Vector, b: Vector| between(a, b).to_radians();
    let equal = of(&|a, b| (length(b) / length(a)).ln());
    let right = of(&|a, b| gamma(a, b) - std::f64::consts::FRAC_PI_2);
    let sixty = of(&|a, b| gamma(a, b) - std::f64::consts::TAU / 3.0);
    // The second vector ends above the middle of the first.
    let middle = of(&|a, b| (0.5 * dot(a, a) + dot(a, b)) / (length(a) * length(b)));
    if equal.1 && sixty.1 {
        (LatticeType::Hexagonal, equal.0.max(sixty.0))
    } else if equal.1 && right.1 {
        (LatticeType::Square, equal.0.max(right.0))
    } else if right.1 {
        (LatticeType::Rectangular, right.0)
    } else if equal.1 || middle.1 {
        (LatticeType::CentredRectangular, if equal.1 { equal.0 } else { middle.0 })
    } else {
        (LatticeType::Oblique, 0.0)
    }
}

/// Whole numbers of the vectors that stand for a lattice of this type, from its reduced ones with an
/// obtuse angle: of all that are as good, the first counter-clockwise from the right.
fn chosen([a, b]: [Vector; 2], lattice_type: LatticeType) -> [[f64; 2]; 2] {
    const SHORT: [[f64; 2]; 3] = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
    let turn = lattice_type.turn_deg();
    let equal = (length(b) / length(a) - 1.0).abs() < 2.0 * DISTORTION;
    let any = match lattice_type {
        LatticeType::Square => 2,
        LatticeType::Hexagonal => 3,
        LatticeType::CentredRectangular if equal => 2,
        _ => 1,
    };
    let signs = |v: [f64; 2]| [v, v.map(|x| -x)];
    let at = |whole: [f64; 2]| combined([a, b], whole);
    let firsts = SHORT[..any].iter().flat_map(|&v| signs(v));
    let seconds: Vec<[f64; 2]> = SHORT.iter().flat_map(|&v| signs(v)).collect();
    let handed = lattice_type != LatticeType::Oblique;
    let expected = match lattice_type {
        LatticeType::Square | LatticeType::Rectangular => 90.0,
        LatticeType::Hexagonal => 120.0,
        _ => between(a, b),
    };
    let mut best = (f64::INFINITY, [[1.0, 0.0], [0.0, 1.0]]);
    for first in firsts {
        let u = at(first);
        let up = angle(u).rem_euclid(360.0);
        // A little below none is none: rounding must not lead half a turn away.
        let up = if up > 360.0 - 1e-9 { 0.0 } else { up };
        for &second in &seconds {
            let v = at(second);
            let unit = area(first, second).abs() == 1.0;
            if !unit || (handed && area(u, v) < 0.0) {
                continue;
            }
            let away =
                (between(u, v) - expected).abs() + 100.0 * (length(v) / length(b) - 1.0).abs();
            let outside = if up < turn { 0.0 } else { 1e3 };
            if outside + away < best.0 - 1e-9 {
                best = (outside + away, [first, second]);
            }
        }
    }
    best.1
}
