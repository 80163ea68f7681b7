//! Vectors in the image plane, and the five kinds of plane lattice.

use std::ops::{Add, Mul, Sub};

use libm::{cos, sin, sqrt};
use serde::Serialize;

/// A position or displacement in px: `x` along the columns, `y` along the rows
/// (downwards).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Vector {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// Short for a [`Vector`].
pub(super) const fn vector(x: f64, y: f64) -> Vector {
    Vector { x, y }
}

impl Vector {
    pub(super) fn dot(self, other: Self) -> f64 {
        self.x * other.x + self.y * other.y
    }

    pub(super) fn cross(self, other: Self) -> f64 {
        self.x * other.y - self.y * other.x
    }

    pub(super) fn length(self) -> f64 {
        sqrt(self.dot(self))
    }

    /// Turned about the origin, from `x` towards `y`.
    pub(super) fn turned(self, degrees: f64) -> Self {
        let angle = degrees.to_radians();
        let (sine, cosine) = (sin(angle), cos(angle));
        vector(cosine * self.x - sine * self.y, sine * self.x + cosine * self.y)
    }
}

impl Add for Vector {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        vector(self.x + other.x, self.y + other.y)
    }
}

impl Sub for Vector {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        vector(self.x - other.x, self.y - other.y)
    }
}

impl Mul<f64> for Vector {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        vector(self.x * factor, self.y * factor)
    }
}

/// The two edges of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Basis {
    pub(super) a: Vector,
    pub(super) b: Vector,
}

impl Basis {
    pub(super) const fn new(a: Vector, b: Vector) -> Self {
        Self { a, b }
    }

    /// The place with the fractional coordinates `u`, `v`.
    pub(super) fn at(&self, u: f64, v: f64) -> Vector {
        self.a * u + self.b * v
    }

    /// Fractional coordinates of a place.
    pub(super) fn fractions(&self, place: Vector) -> (f64, f64) {
        let area = self.a.cross(self.b);
        (place.cross(self.b) / area, self.a.cross(place) / area)
    }

    pub(super) fn area(&self) -> f64 {
        self.a.cross(self.b).abs()
    }

    pub(super) fn turned(&self, degrees: f64) -> Self {
        Self { a: self.a.turned(degrees), b: self.b.turned(degrees) }
    }

    /// `place` moved by whole cells into the one at the origin.
    pub(super) fn reduced(&self, place: Vector) -> Vector {
        let (u, v) = self.fractions(place);
        // Rounding to 1e-9 of a cell first, so that what should be 0 is not 1.
        let inside = |w: f64| w - (w + 1e-9).floor();
        self.at(inside(u), inside(v))
    }

    /// Length of the shortest of the vectors that lead from `place` to a point
    /// of the lattice. For cells about as wide as high.
    pub(super) fn distance(&self, place: Vector) -> f64 {
        let place = self.reduced(place);
        let near = |i: i32| (-1..=2).map(move |j| self.at(f64::from(i), f64::from(j)));
        (-1..=2).flat_map(near).map(|point| (place - point).length()).fold(f64::INFINITY, f64::min)
    }
}

/// The five plane lattices, by what their cell may look like. Each kind is a
/// special case of those that have less symmetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lattice {
    /// Any cell.
    Oblique,
    /// A primitive cell with a right angle.
    Rectangular,
    /// A centred cell with a right angle (the primitive one is a rhombus).
    CentredRectangular,
    /// Equal edges at a right angle.
    Square,
    /// Equal edges at 120 degrees.
    Hexagonal,
}

impl Lattice {
    /// The most general lattice that is a case of both.
    pub(super) fn common(self, other: Self) -> Option<Self> {
        use Lattice::{CentredRectangular, Hexagonal, Oblique, Square};
        match (self, other) {
            (one, two) if one == two => Some(one),
            (Oblique, special) | (special, Oblique) => Some(special),
            (CentredRectangular, Hexagonal) | (Hexagonal, CentredRectangular) => Some(Hexagonal),
            (Hexagonal, _) | (_, Hexagonal) => None,
            // A square, or one turned by 45 degrees about a centred square.
            _ => Some(Square),
        }
    }

    /// The conventional cell of a group that asks for `wanted`, on this lattice
    /// with the parameter `a` px. `wanted` must be a case of this kind.
    pub(super) fn cell(self, wanted: Self, a: f64) -> Basis {
        use Lattice::{CentredRectangular, Hexagonal, Oblique, Rectangular, Square};
        let upright =
            |width: f64, height: f64| Basis::new(vector(width * a, 0.0), vector(0.0, height * a));
        match (self, wanted) {
            (CentredRectangular, CentredRectangular) => upright(1.42, 1.12),
            (Square, CentredRectangular) => Basis::new(vector(a, -a), vector(a, a)),
            (Hexagonal, CentredRectangular) => upright(1.0, sqrt(3.0)),
            (Oblique, _) => Basis::new(vector(a, 0.0), vector(0.0, 0.9 * a).turned(14.0)),
            (Rectangular, _) => upright(1.0, 0.82),
            (Square, _) => upright(1.0, 1.0),
            (Hexagonal, _) => Basis::new(vector(a, 0.0), vector(a, 0.0).turned(120.0)),
            (CentredRectangular, _) => {
                let centred = self.cell(CentredRectangular, a);
                Basis::new(centred.at(0.5, 0.5), centred.at(-0.5, 0.5))
            }
        }
    }

    /// The primitive cell with the parameter `a` px.
    pub(super) fn primitive(self, a: f64) -> Basis {
        self.cell(Self::Oblique, a)
    }
}

impl std::fmt::Display for Lattice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Oblique => "oblique",
            Self::Rectangular => "rectangular",
            Self::CentredRectangular => "centred rectangular",
            Self::Square => "square",
            Self::Hexagonal => "hexagonal",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Lattice::{CentredRectangular, Hexagonal, Oblique, Rectangular, Square};

    const ALL: [Lattice; 5] = [Oblique, Rectangular, CentredRectangular, Square, Hexagonal];

    #[test]
    fn fractions_undo_at() {
        let basis = Basis::new(vector(20.0, 3.0), vector(-7.0, 15.0));
        let (u, v) = basis.fractions(basis.at(0.3, -1.7));
        assert!((u - 0.3).abs() < 1e-12 && (v + 1.7).abs() < 1e-12);
        assert!((basis.distance(basis.at(3.02, -5.0)) - 0.02 * basis.a.length()).abs() < 1e-9);
    }

    #[test]
    fn a_common_lattice_holds_the_cells_of_both() {
        assert_eq!(Square.common(Hexagonal), None);
        assert_eq!(Rectangular.common(Hexagonal), None);
        assert_eq!(Rectangular.common(CentredRectangular), Some(Square));
        assert_eq!(CentredRectangular.common(Hexagonal), Some(Hexagonal));
        for (one, two) in ALL.into_iter().flat_map(|one| ALL.map(|two| (one, two))) {
            assert_eq!(one.common(two), two.common(one));
            let Some(common) = one.common(two) else { continue };
            let lattice = common.primitive(10.0);
            for wanted in [one, two] {
                let cell = common.cell(wanted, 10.0);
                let centre = (wanted == CentredRectangular).then(|| cell.at(0.5, 0.5));
                let points = 1.0 + f64::from(u8::from(centre.is_some()));
                assert!(
                    (cell.area() / lattice.area() - points).abs() < 1e-9,
                    "{wanted} on {common}"
                );
                for edge in [Some(cell.a), Some(cell.b), centre].into_iter().flatten() {
                    assert!(lattice.distance(edge) < 1e-9, "{wanted} on {common}");
                }
                if wanted != Oblique {
                    let right = cell.a.dot(cell.b).abs() < 1e-9;
                    assert_eq!(right, wanted != Hexagonal, "{wanted} on {common}");
                }
            }
        }
    }
}
