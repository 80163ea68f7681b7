//! The 17 plane groups: general positions as in the International Tables for
//! Crystallography, volume A, in their order and notation.

use super::lattice::Lattice::{CentredRectangular, Hexagonal, Oblique, Rectangular, Square};
use super::lattice::{Basis, Lattice, Vector};
use stemseg::{Error, Result};

/// One of the 17 plane groups.
#[derive(Debug)]
pub struct PlaneGroup {
    /// Number in the International Tables.
    pub number: u8,
    /// Short Hermann-Mauguin symbol.
    pub symbol: &'static str,
    /// What other texts call it, where that differs.
    pub alias: &'static str,
    /// The lattice it needs.
    pub lattice: Lattice,
    /// The general positions, as fractions of the conventional cell; a centred
    /// cell has them again at (1/2, 1/2).
    pub general: &'static [Operation],
}

/// Where a symmetry operation takes the point `x`, `y`: an affine map.
pub type Operation = fn(f64, f64) -> (f64, f64);

/// The half in the coordinates.
const H: f64 = 0.5;

macro_rules! group {
    ($number:literal $symbol:literal $alias:literal $lattice:ident, $x:ident $y:ident: $($at:expr),+) => {
        PlaneGroup {
            number: $number,
            symbol: $symbol,
            alias: $alias,
            lattice: $lattice,
            general: &[$(|$x: f64, $y: f64| $at),+],
        }
    };
}

/// All of them, by number.
pub static PLANE_GROUPS: [PlaneGroup; 17] = [
    group!(1 "p1" "p1" Oblique, x y:
        (x, y)),
    group!(2 "p2" "p2" Oblique, x y:
        (x, y), (-x, -y)),
    group!(3 "pm" "p1m1" Rectangular, x y:
        (x, y), (-x, y)),
    group!(4 "pg" "p1g1" Rectangular, x y:
        (x, y), (-x, y + H)),
    group!(5 "cm" "c1m1" CentredRectangular, x y:
        (x, y), (-x, y)),
    group!(6 "p2mm" "pmm" Rectangular, x y:
        (x, y), (-x, -y), (-x, y), (x, -y)),
    group!(7 "p2mg" "pmg" Rectangular, x y:
        (x, y), (-x, -y), (-x + H, y), (x + H, -y)),
    group!(8 "p2gg" "pgg" Rectangular, x y:
        (x, y), (-x, -y), (-x + H, y + H), (x + H, -y + H)),
    group!(9 "c2mm" "cmm" CentredRectangular, x y:
        (x, y), (-x, -y), (-x, y), (x, -y)),
    group!(10 "p4" "p4" Square, x y:
        (x, y), (-x, -y), (-y, x), (y, -x)),
    group!(11 "p4mm" "p4m" Square, x y:
        (x, y), (-x, -y), (-y, x), (y, -x),
        (-x, y), (x, -y), (y, x), (-y, -x)),
    group!(12 "p4gm" "p4g" Square, x y:
        (x, y), (-x, -y), (-y, x), (y, -x),
        (-x + H, y + H), (x + H, -y + H), (y + H, x + H), (-y + H, -x + H)),
    group!(13 "p3" "p3" Hexagonal, x y:
        (x, y), (-y, x - y), (-x + y, -x)),
    group!(14 "p3m1" "p3m1" Hexagonal, x y:
        (x, y), (-y, x - y), (-x + y, -x),
        (-y, -x), (-x + y, y), (x, x - y)),
    group!(15 "p31m" "p31m" Hexagonal, x y:
        (x, y), (-y, x - y), (-x + y, -x),
        (y, x), (x - y, -y), (-x, -x + y)),
    group!(16 "p6" "p6" Hexagonal, x y:
        (x, y), (-y, x - y), (-x + y, -x),
        (-x, -y), (y, -x + y), (x - y, x)),
    group!(17 "p6mm" "p6m" Hexagonal, x y:
        (x, y), (-y, x - y), (-x + y, -x),
        (-x, -y), (y, -x + y), (x - y, x),
        (-y, -x), (-x + y, y), (x, x - y),
        (y, x), (x - y, -y), (-x, -x + y)),
];

impl PlaneGroup {
    /// The group of this symbol (`p4mm`, or `p4m` as some write).
    ///
    /// # Errors
    /// [`Error::Parameter`] that lists the symbols.
    pub fn of(symbol: &str) -> Result<&'static Self> {
        let named = |group: &&Self| group.symbol == symbol || group.alias == symbol;
        PLANE_GROUPS.iter().find(named).ok_or_else(|| {
            let all: Vec<&str> = PLANE_GROUPS.iter().map(|group| group.symbol).collect();
            Error::parameter(
                "group",
                symbol,
                format!("no such plane group; there are {}", all.join(", ")),
            )
        })
    }

    /// Number of general positions in a primitive cell: the order of the point
    /// group.
    pub fn order(&self) -> usize {
        self.general.len()
    }

    /// All positions in the conventional cell that the symmetry makes of `x`, `y`.
    pub fn orbit(&self, x: f64, y: f64) -> Vec<(f64, f64)> {
        let centring: &[f64] = if self.lattice == CentredRectangular { &[0.0, H] } else { &[0.0] };
        let moved = |by: &f64| {
            let by = *by;
            self.general.iter().map(move |operation| {
                let (x, y) = operation(x, y);
                (x + by, y + by)
            })
        };
        centring.iter().flat_map(moved).collect()
    }

    /// The rotations and reflections of the group's operations without their
    /// translations, for a conventional `cell`.
    pub(super) fn linear_parts(&self, cell: Basis) -> Vec<impl Fn(Vector) -> Vector> {
        let part = |&operation: &Operation| {
            move |place: Vector| {
                let ((u, v), (x0, y0)) = (cell.fractions(place), operation(0.0, 0.0));
                let (x, y) = operation(u, v);
                cell.at(x - x0, y - y0)
            }
        };
        self.general.iter().map(part).collect()
    }
}

impl PartialEq for PlaneGroup {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl serde::Serialize for PlaneGroup {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Orders of the point groups, and general positions in the conventional
    /// cell, from the International Tables.
    const ORDERS: [usize; 17] = [1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 8, 8, 3, 6, 6, 6, 12];
    const MULTIPLICITIES: [usize; 17] = [1, 2, 2, 2, 4, 4, 4, 4, 8, 4, 8, 8, 3, 6, 6, 6, 12];

    /// Apart by no more than whole cells.
    fn same(one: (f64, f64), other: (f64, f64)) -> bool {
        let whole = |d: f64| (d - d.round()).abs() < 1e-9;
        whole(one.0 - other.0) && whole(one.1 - other.1)
    }

    #[test]
    fn orders_and_multiplicities_are_those_of_the_tables() {
        for (i, group) in PLANE_GROUPS.iter().enumerate() {
            assert_eq!(usize::from(group.number), i + 1);
            assert_eq!(group.order(), ORDERS[i], "{}", group.symbol);
            let orbit = group.orbit(0.123, 0.271);
            assert_eq!(orbit.len(), MULTIPLICITIES[i], "{}", group.symbol);
            for (k, &one) in orbit.iter().enumerate() {
                assert!(
                    !orbit[..k].iter().any(|&other| same(one, other)),
                    "{}: {one:?}",
                    group.symbol
                );
            }
        }
    }

    #[test]
    fn every_group_is_closed() {
        for group in &PLANE_GROUPS {
            let start = (0.123, 0.271);
            let orbit = group.orbit(start.0, start.1);
            for &(x, y) in &orbit {
                for again in group.orbit(x, y) {
                    let known = orbit.iter().any(|&point| same(point, again));
                    assert!(known, "{} takes {x}, {y} out of the orbit to {again:?}", group.symbol);
                }
            }
        }
    }

    #[test]
    fn operations_are_affine_and_keep_lengths() {
        for group in &PLANE_GROUPS {
            let cell = group.lattice.cell(group.lattice, 10.0);
            for (operation, part) in group.general.iter().zip(group.linear_parts(cell)) {
                let place = Vector { x: 3.7, y: -8.1 };
                assert!((part(place).length() - place.length()).abs() < 1e-9, "{}", group.symbol);
                let ((u, v), (x0, y0)) = (cell.fractions(place), operation(0.0, 0.0));
                let (x, y) = operation(2.0 * u, 2.0 * v);
                let doubled = part(place) * 2.0 - cell.at(x - x0, y - y0);
                assert!(doubled.length() < 1e-9, "{}", group.symbol);
            }
        }
    }

    #[test]
    fn symbols_and_aliases_are_known() {
        assert_eq!(PlaneGroup::of("p4g").unwrap().number, 12);
        assert_eq!(PlaneGroup::of("c2mm").unwrap().number, 9);
        let message = PlaneGroup::of("p5").unwrap_err().to_string();
        assert!(message.contains("p5") && message.contains("p31m"), "{message}");
    }
}
