//! The symmetries of simulated plane groups, found in the pixels alone.

use ndarray::Array2;
use rayon::prelude::*;
use stemseg_simulate::{Boundary, Lattice, PLANE_GROUPS, PlaneGroup, Settings};

use crate::{ideal, run};

type Point = [f64; 2];

/// Orders of the rotations, then what lies along the lines of the first and of
/// the second kind (see [`lines`]): m a mirror, g a glide. From the diagrams of
/// the International Tables.
const EXPECTED: [(&str, &[u32], &str, &str); 17] = [
    ("p1", &[], "", ""),
    ("p2", &[2], "", ""),
    ("pm", &[], "", "m"),
    ("pg", &[], "", "g"),
    ("cm", &[], "", "mg"),
    ("p2mm", &[2], "m", "m"),
    ("p2mg", &[2], "g", "m"),
    ("p2gg", &[2], "g", "g"),
    ("c2mm", &[2], "mg", "mg"),
    ("p4", &[2, 4], "", ""),
    ("p4mm", &[2, 4], "m", "mg"),
    ("p4gm", &[2, 4], "g", "mg"),
    ("p3", &[3], "", ""),
    ("p3m1", &[3], "", "mg"),
    ("p31m", &[3], "mg", ""),
    ("p6", &[2, 3, 6], "", ""),
    ("p6mm", &[2, 3, 6], "mg", "mg"),
];

fn plus(a: Point, b: Point, factor: f64) -> Point {
    [a[0] + factor * b[0], a[1] + factor * b[1]]
}

/// Shortest lattice vectors along the two kinds of lines that may be mirrors:
/// the edges of the conventional cell; in a square lattice edges, then diagonals;
/// in a hexagonal one short, then long vectors.
fn lines(lattice: Lattice, [a, b]: [Point; 2]) -> [Vec<Point>; 2] {
    match lattice {
        Lattice::Oblique => [vec![], vec![]],
        Lattice::Rectangular => [vec![a], vec![b]],
        Lattice::CentredRectangular => [vec![plus(a, b, -1.0)], vec![plus(a, b, 1.0)]],
        Lattice::Square => [vec![a, b], vec![plus(a, b, 1.0), plus(a, b, -1.0)]],
        Lattice::Hexagonal => {
            [vec![a, b, plus(a, b, 1.0)], vec![plus(a, b, -1.0), plus(a, b, 2.0), plus(b, a, 2.0)]]
        }
    }
}

/// An image, compared with itself after a symmetry operation.
struct Picture {
    image: Array2<f32>,
    centre: f64,
    /// Offsets from the centre at which it is compared, and the values there.
    probes: Vec<(Point, f64)>,
}

impl Picture {
    fn new(image: Array2<f32>) -> Self {
        let centre = image.nrows() as f64 / 2.0;
        let mut picture = Self { image, centre, probes: Vec::new() };
        let steps = || (-21..=21).map(|i| 3.0 * f64::from(i));
        let disc =
            steps().flat_map(|r| steps().map(move |c| [r, c])).filter(|p| p[0].hypot(p[1]) < 63.0);
        picture.probes = disc.map(|offset| (offset, picture.value(offset))).collect();
        picture
    }

    /// The image between its pixels (Catmull and Rom's cubics).
    fn value(&self, offset: Point) -> f64 {
        let weights = |t: f64| {
            [
                ((2.0 - t) * t - 1.0) * t / 2.0,
                ((3.0 * t - 5.0) * t * t + 2.0) / 2.0,
                ((4.0 - 3.0 * t) * t + 1.0) * t / 2.0,
                (t - 1.0) * t * t / 2.0,
            ]
        };
        let place = offset.map(|v| v + self.centre);
        let [first_row, first_col] = place.map(|v| v.floor() as usize - 1);
        let [rows, cols] = place.map(|v| weights(v.fract()));
        let mut sum = 0.0;
        for (i, row) in rows.iter().enumerate() {
            for (j, col) in cols.iter().enumerate() {
                sum += row * col * f64::from(self.image[(first_row + i, first_col + j)]);
            }
        }
        sum
    }

    /// Pearson correlation with the image after `linear` and `shift`.
    fn score(&self, linear: [Point; 2], shift: Point) -> f64 {
        let moved = |[r, c]: Point| {
            [
                linear[0][0] * r + linear[0][1] * c + shift[0],
                linear[1][0] * r + linear[1][1] * c + shift[1],
            ]
        };
        let pairs = self.probes.iter().map(|&(offset, value)| (value, self.value(moved(offset))));
        let (mut n, mut sums, mut products) = (0.0, [0.0; 2], [0.0; 3]);
        for (x, y) in pairs {
            n += 1.0;
            sums = [sums[0] + x, sums[1] + y];
            products = [products[0] + x * x, products[1] + x * y, products[2] + y * y];
        }
        let covariance = |p: f64, a: f64, b: f64| p - a * b / n;
        covariance(products[1], sums[0], sums[1])
            / (covariance(products[0], sums[0], sums[0])
                * covariance(products[2], sums[1], sums[1]))
            .sqrt()
    }

    /// The best score over `starts`, each then improved along `directions`.
    fn best(&self, linear: [Point; 2], starts: &[Point], directions: &[Point]) -> f64 {
        let mut scored: Vec<(f64, Point)> =
            starts.iter().map(|&shift| (self.score(linear, shift), shift)).collect();
        scored.sort_by(|one, two| two.0.total_cmp(&one.0));
        scored.truncate(4);
        for (score, shift) in &mut scored {
            for step in [1.0, 0.5, 0.25, 0.12, 0.06] {
                for direction in directions.iter().cycle().take(3 * directions.len()) {
                    for factor in [step, -step] {
                        let next = plus(*shift, *direction, factor);
                        let better = self.score(linear, next);
                        if better > *score {
                            (*score, *shift) = (better, next);
                        }
                    }
                }
            }
        }
        scored.iter().map(|scored| scored.0).fold(f64::NEG_INFINITY, f64::max)
    }

    /// The best score of `linear` with any translation.
    fn best_of_all(&self, linear: [Point; 2], [a, b]: [Point; 2]) -> f64 {
        let cells = || (0..24).map(|i| f64::from(i) / 24.0);
        let starts: Vec<Point> =
            cells().flat_map(|u| cells().map(move |v| plus(a.map(|x| x * u), b, v))).collect();
        self.best(linear, &starts, &[[1.0, 0.0], [0.0, 1.0]])
    }

    /// The best rotation by the `fold`-th of a turn, about any centre.
    fn rotation(&self, fold: u32, lattice: [Point; 2]) -> f64 {
        let (sin, cos) = (std::f64::consts::TAU / f64::from(fold)).sin_cos();
        self.best_of_all([[cos, -sin], [sin, cos]], lattice)
    }

    /// The best reflection in any line along the lattice vector `line`, with a
    /// glide by a `share` of it.
    fn reflection(&self, line: Point, share: f64, [a, b]: [Point; 2]) -> f64 {
        let length = line[0].hypot(line[1]);
        let along = line.map(|v| v / length);
        let across = [-along[1], along[0]];
        let repeat = 2.0 * (a[0] * b[1] - a[1] * b[0]).abs() / length;
        let half = (repeat / 2.0).ceil() as i32;
        let starts: Vec<Point> = (-half..=half)
            .map(|i| plus(along.map(|v| v * share * length), across, f64::from(i)))
            .collect();
        self.best(mirror(along), &starts, &[across])
    }
}

fn mirror([r, c]: Point) -> [Point; 2] {
    [[2.0 * r * r - 1.0, 2.0 * r * c], [2.0 * r * c, 2.0 * c * c - 1.0]]
}

fn check(symbol: &str, what: &str, score: f64, expected: bool) {
    match expected {
        true => assert!(score > 0.99, "{symbol} has no {what}: {score:.4}"),
        false => assert!(score < 0.9, "{symbol} has {what}: {score:.4}"),
    }
}

fn check_group(group: &PlaneGroup, seed: u64) {
    let (symbol, folds, first, second) = EXPECTED[usize::from(group.number) - 1];
    assert_eq!(group.symbol, symbol);
    let settings = Settings { cell: Some(48.0), seed, ..ideal(300) };
    let simulated = run(&["plane-group", symbol], &settings);
    let lattice = simulated.phases[0].lattice.unwrap();
    let picture = Picture::new(simulated.image);
    for fold in [2, 3, 4, 6] {
        let score = picture.rotation(fold, lattice);
        check(symbol, &format!("rotation {fold}"), score, folds.contains(&fold));
    }
    for (lines, expected) in lines(group.lattice, lattice).iter().zip([first, second]) {
        for &line in lines {
            let [mirror, glide] = [0.0, 0.5].map(|share| picture.reflection(line, share, lattice));
            check(symbol, &format!("mirror along {line:.1?}"), mirror, expected.contains('m'));
            check(symbol, &format!("glide along {line:.1?}"), glide, expected.contains('g'));
        }
    }
    if group.lattice == Lattice::Oblique {
        for angle in (0..12).map(|i| f64::from(i) * std::f64::consts::PI / 12.0) {
            let (sin, cos) = angle.sin_cos();
            let score = picture.best_of_all(mirror([sin, cos]), lattice);
            check(symbol, &format!("a reflection at {angle}"), score, false);
        }
    }
}

#[test]
fn crystals_have_the_symmetries_of_their_group_and_no_others() {
    PLANE_GROUPS.par_iter().for_each(|group| check_group(group, 1));
}

#[test]
fn pairs_differ_at_every_shift() {
    // Two motifs of p6mm or p4mm often look alike; the others seldom.
    let groups =
        [["p6mm", "p6mm"], ["p4mm", "p4mm"], ["p6mm", "p6"], ["cm", "p31m"], ["p1", "p4gm"]];
    for (groups, seed) in groups.into_iter().flat_map(|pair| [0, 1, 2].map(|seed| (pair, seed))) {
        let settings =
            Settings { cell: Some(48.0), boundary: Boundary::Straight, seed, ..ideal(640) };
        let simulated = run(&["plane-groups", groups[0], groups[1]], &settings);
        let lattice = simulated.phases[0].lattice.unwrap();
        assert_eq!(simulated.phases[1].lattice, Some(lattice), "{groups:?}");
        // The same disc to the right and, by a shift, to the left of the boundary.
        let left = Picture::new(simulated.image.slice(ndarray::s![200..400, 0..200]).to_owned());
        let mut right =
            Picture::new(simulated.image.slice(ndarray::s![150..450, 340..640]).to_owned());
        assert!(simulated.labels.slice(ndarray::s![200..400, 0..200]).iter().all(|&l| l == 1));
        assert!(simulated.labels.slice(ndarray::s![150..450, 400..]).iter().all(|&l| l == 2));
        right.probes = left.probes;
        let score = right.best_of_all([[1.0, 0.0], [0.0, 1.0]], lattice);
        assert!(score < 0.68, "{groups:?}: {score}");
        assert!(score > -0.1, "{groups:?}: {score}");
    }
}
