//! The 17 plane groups: their general positions, as the International Tables for Crystallography,
//! volume A, have them, and how their axes may lie in a lattice.

use crate::cell::{Cell, LatticeType};

/// A plane group.
#[derive(Debug)]
pub(super) struct Group {
    /// Short Hermann-Mauguin symbol.
    pub(super) symbol: &'static str,
    axes: Axes,
    /// Coordinates of its general positions; those that centring makes of them are left out.
    positions: &'static str,
}

/// The axes that a group's positions refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axes {
    Any,
    /// A rectangle that is the cell.
    Rectangle,
    /// A rectangle with one more lattice point in its middle.
    Centred,
    Square,
    Hexagonal,
}

const fn group(symbol: &'static str, axes: Axes, positions: &'static str) -> Group {
    Group { symbol, axes, positions }
}

/// All of them, by their numbers.
pub(super) const GROUPS: [Group; 17] = [
    group("p1", Axes::Any, "x,y"),
    group("p2", Axes::Any, "x,y; -x,-y"),
    group("pm", Axes::Rectangle, "x,y; -x,y"),
    group("pg", Axes::Rectangle, "x,y; -x,y+1/2"),
    group("cm", Axes::Centred, "x,y; -x,y"),
    group("p2mm", Axes::Rectangle, "x,y; -x,-y; -x,y; x,-y"),
    group("p2mg", Axes::Rectangle, "x,y; -x,-y; -x+1/2,y; x+1/2,-y"),
    group("p2gg", Axes::Rectangle, "x,y; -x,-y; -x+1/2,y+1/2; x+1/2,-y+1/2"),
    group("c2mm", Axes::Centred, "x,y; -x,-y; -x,y; x,-y"),
    group("p4", Axes::Square, "x,y; -x,-y; -y,x; y,-x"),
    group("p4mm", Axes::Square, "x,y; -x,-y; -y,x; y,-x; -x,y; x,-y; y,x; -y,-x"),
    group(
        "p4gm",
        Axes::Square,
        "x,y; -x,-y; -y,x; y,-x; -x+1/2,y+1/2; x+1/2,-y+1/2; y+1/2,x+1/2; -y+1/2,-x+1/2",
    ),
    group("p3", Axes::Hexagonal, "x,y; -y,x-y; -x+y,-x"),
    group("p3m1", Axes::Hexagonal, "x,y; -y,x-y; -x+y,-x; -y,-x; -x+y,y; x,x-y"),
    group("p31m", Axes::Hexagonal, "x,y; -y,x-y; -x+y,-x; y,x; x-y,-y; -x,-x+y"),
    group("p6", Axes::Hexagonal, "x,y; -y,x-y; -x+y,-x; -x,-y; y,-x+y; x-y,x"),
    group(
        "p6mm",
        Axes::Hexagonal,
        "x,y; -y,x-y; -x+y,-x; -x,-y; y,-x+y; x-y,x; -y,-x; -x+y,y; x,x-y; y,x; x-y,-y; -x,-x+y",
    ),
];

/// A symmetry operation: a place `u`, in terms of a lattice's `a` and `b`, goes to `turn u + by`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Operation {
    pub(super) turn: [[i32; 2]; 2],
    /// In halves of `a` and `b`.
    pub(super) halves: [i32; 2],
}

/// Two vectors as whole numbers of `a` and `b`, a row each.
type Setting = [[i32; 2]; 2];

impl Group {
    /// Its operations in terms of the `a` and `b` of `cell`, once for each way in which its axes may
    /// lie there; none where the lattice does not have this symmetry.
    pub(super) fn settings(&self, cell: &Cell) -> Vec<Vec<Operation>> {
        let (first, all) = settings(self.axes, cell);
        let operations = self.operations();
        let by = |setting: &Setting| -> Vec<Operation> {
            operations.iter().map(|operation| operation.by(*setting)).collect()
        };
        // Those that make the same of either axis do not ask which is the first.
        let alike = self.positions.split(';').count() != 2 && self.symbol != "p2mg";
        first.iter().map(by).chain(all.iter().filter(|_| !alike).map(by)).collect()
    }

    /// In terms of its own axes.
    fn operations(&self) -> Vec<Operation> {
        self.positions.split(';').map(Operation::read).collect()
    }
}

/// How axes may lie in the lattice of `cell`, and the same with the two axes exchanged.
fn settings(axes: Axes, cell: &Cell) -> (Vec<Setting>, Vec<Setting>) {
    const OWN: Setting = [[1, 0], [0, 1]];
    let rectangles: Vec<Setting> = match (axes, cell.lattice_type) {
        (Axes::Any, _)
        | (Axes::Square, LatticeType::Square)
        | (Axes::Hexagonal, LatticeType::Hexagonal) => return (vec![OWN], Vec::new()),
        (Axes::Rectangle, LatticeType::Rectangular | LatticeType::Square) => vec![OWN],
        (Axes::Centred, LatticeType::CentredRectangular) => cell
            .rectangle()
            .map(|sides| sides.map(|side| side.map(|x| x as i32)))
            .into_iter()
            .collect(),
        (Axes::Centred, LatticeType::Square) => vec![[[1, 1], [-1, 1]]],
        (Axes::Centred, LatticeType::Hexagonal) => {
            vec![[[1, 0], [1, 2]], [[0, 1], [-2, -1]], [[-1, -1], [1, -1]]]
        }
        _ => Vec::new(),
    };
    let exchanged = rectangles.iter().map(|[a, b]| [*b, *a]).collect();
    (rectangles, exchanged)
}

impl Operation {
    /// Of coordinates such as `-x+y,y+1/2`.
    fn read(position: &str) -> Self {
        let mut this = Self { turn: [[0; 2]; 2], halves: [0; 2] };
        for (axis, coordinate) in position.trim().split(',').enumerate() {
            this.halves[axis] = i32::from(coordinate.ends_with("+1/2"));
            let mut sign = 1;
            for letter in coordinate.trim_end_matches("+1/2").chars() {
                match letter {
                    '-' => sign = -1,
                    '+' => sign = 1,
                    'x' => this.turn[axis][0] = sign,
                    _ => this.turn[axis][1] = sign,
                }
            }
        }
        this
    }

    /// In terms of `a` and `b`, where this is it in terms of the two vectors of `setting`.
    fn by(&self, [a, b]: Setting) -> Self {
        // Places go by the transpose of what makes vectors.
        let area = a[0] * b[1] - a[1] * b[0];
        let back = [[b[1], -b[0]], [-a[1], a[0]]];
        let forth = [[a[0], b[0]], [a[1], b[1]]];
        let turn = product(forth, product(self.turn, back)).map(|row| row.map(|x| x / area));
        let [h, k] = self.halves;
        Self { turn, halves: forth.map(|row| row[0] * h + row[1] * k) }
    }
}

fn product(a: [[i32; 2]; 2], b: [[i32; 2]; 2]) -> [[i32; 2]; 2] {
    a.map(|row| [0, 1].map(|j| row[0] * b[0][j] + row[1] * b[1][j]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read() {
        let [plain, glide] = ["x-y,x", "-x+1/2,y+1/2"].map(Operation::read);
        assert_eq!(plain, Operation { turn: [[1, -1], [1, 0]], halves: [0, 0] });
        assert_eq!(glide, Operation { turn: [[-1, 0], [0, 1]], halves: [1, 1] });
    }

    #[test]
    fn positions_are_those_that_crystals_are_drawn_with() {
        for (own, drawn) in GROUPS.iter().zip(&stemseg_simulate::PLANE_GROUPS) {
            assert_eq!(own.symbol, drawn.symbol);
            let operations = own.operations();
            assert_eq!(operations.len(), drawn.general.len());
            for (own, drawn) in operations.iter().zip(drawn.general) {
                let (x, y) = (0.3, 0.19);
                let at = |i: usize| {
                    let [a, b] = own.turn[i].map(f64::from);
                    a * x + b * y + 0.5 * f64::from(own.halves[i])
                };
                let expected = drawn(x, y);
                assert!((at(0) - expected.0).abs() + (at(1) - expected.1).abs() < 1e-12);
            }
        }
    }

    /// The product of two operations of a group is one of it, but for whole vectors: in the group's own
    /// axes, and in any others.
    #[test]
    fn operations_are_groups() {
        const SETTINGS: [Setting; 4] =
            [[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[1, 1], [-1, 1]], [[1, 0], [1, 2]]];
        for group in &GROUPS {
            for setting in SETTINGS {
                // Vectors between those of a centred rectangle are whole ones of the lattice.
                let centred = setting[0][0] * setting[1][1] - setting[0][1] * setting[1][0] == 2;
                if centred != (group.axes == Axes::Centred) {
                    continue;
                }
                let all: Vec<Operation> =
                    group.operations().iter().map(|own| own.by(setting)).collect();
                for one in &all {
                    for other in &all {
                        let turn = product(one.turn, other.turn);
                        let moved =
                            one.turn.map(|row| row[0] * other.halves[0] + row[1] * other.halves[1]);
                        let halves = [0, 1].map(|i| (moved[i] + one.halves[i]).rem_euclid(2));
                        let same = |o: &Operation| {
                            o.turn == turn && o.halves.map(|half| half.rem_euclid(2)) == halves
                        };
                        assert!(all.iter().any(same), "{} {setting:?}", group.symbol);
                    }
                }
            }
        }
    }
}
