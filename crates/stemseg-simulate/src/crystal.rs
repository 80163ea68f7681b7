//! Crystals: a lattice with a motif of atom columns, laid over the image.

use super::lattice::{Basis, Vector, vector};
use stemseg::sites::Extent;

/// An atom column, seen from above.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Column {
    pub(super) at: Vector,
    /// Height of its peak, relative to that of the brightest kind.
    pub(super) weight: f64,
}

/// A crystal without bounds.
#[derive(Debug, Clone)]
pub(super) struct Crystal {
    /// Primitive cell.
    pub(super) lattice: Basis,
    /// The columns of one cell, from its origin.
    pub(super) columns: Vec<Column>,
    /// Where the origin of a cell lies in the image.
    pub(super) origin: Vector,
}

impl Crystal {
    /// A crystal with columns at these fractions of its cell.
    pub(super) fn new(lattice: Basis, motif: &[(f64, f64, f64)]) -> Self {
        let column = |&(u, v, weight): &(f64, f64, f64)| Column { at: lattice.at(u, v), weight };
        Self { lattice, columns: motif.iter().map(column).collect(), origin: vector(0.0, 0.0) }
    }

    pub(super) fn at(mut self, origin: Vector) -> Self {
        self.origin = origin;
        self
    }

    /// Turned about its origin.
    pub(super) fn turned(&self, degrees: f64) -> Self {
        let turned = |place: Vector| place.turned(degrees);
        Self { lattice: self.lattice.turned(degrees), ..self.mapped(turned) }
    }

    /// The same lattice with `map` applied to the columns of its cell.
    pub(super) fn mapped(&self, map: impl Fn(Vector) -> Vector) -> Self {
        let column = |c: &Column| Column { at: map(c.at), weight: c.weight };
        Self { columns: self.columns.iter().map(column).collect(), ..*self }
    }

    /// All weights times `factor`.
    pub(super) fn brightened(mut self, factor: f64) -> Self {
        self.columns.iter_mut().for_each(|column| column.weight *= factor);
        self
    }

    /// Weight of the brightest column.
    pub(super) fn brightest(&self) -> f64 {
        self.columns.iter().map(|column| column.weight).fold(0.0, f64::max)
    }

    /// Weight per px^2, to which the mean of the image is proportional.
    pub(super) fn density(&self) -> f64 {
        self.columns.iter().map(|column| column.weight).sum::<f64>() / self.lattice.area()
    }

    /// All columns in an image of `size` and up to `margin` px around it.
    pub(super) fn over(&self, size: Extent, margin: f64) -> impl Iterator<Item = Column> {
        let (width, height) = (size.cols as f64, size.rows as f64);
        let corners = [
            vector(-margin, -margin),
            vector(width + margin, -margin),
            vector(-margin, height + margin),
            vector(width + margin, height + margin),
        ]
        .map(|corner| self.lattice.fractions(corner - self.origin));
        let cells = |of: fn(&(f64, f64)) -> f64| {
            let low = corners.iter().map(of).fold(f64::INFINITY, f64::min);
            let high = corners.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
            // Two more on each side: a column may lie outside its cell.
            low.floor() as i64 - 2..high.ceil() as i64 + 3
        };
        let (rows, columns) = (cells(|c| c.1), cells(|c| c.0));
        let cell = move |j: i64| columns.clone().map(move |i| self.lattice.at(i as f64, j as f64));
        let fill = move |cell: Vector| {
            self.columns.iter().map(move |c| Column { at: self.origin + cell + c.at, ..*c })
        };
        let within = move |v: f64, end: f64| v > -margin && v < end + margin;
        rows.flat_map(cell)
            .flat_map(fill)
            .filter(move |c| within(c.at.x, width) && within(c.at.y, height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_crystal_fills_the_image_and_its_margin() {
        let lattice = Basis::new(vector(10.0, 0.0), vector(-3.0, 8.0));
        let crystal = Crystal::new(lattice, &[(0.0, 0.0, 1.0), (1.4, -0.3, 0.5)]);
        let size = Extent { rows: 90, cols: 210 };
        for degrees in [0.0, 33.0, 121.0] {
            let columns: Vec<Column> = crystal.turned(degrees).over(size, 15.0).collect();
            let expected = 120.0 * 240.0 * 2.0 / 80.0;
            let count = columns.len() as f64;
            assert!(
                (count - expected).abs() < 0.04 * expected,
                "{count} for {expected} at {degrees}"
            );
            assert!(columns.iter().all(|c| c.at.x > -15.0 && c.at.y < 105.0));
        }
    }
}
