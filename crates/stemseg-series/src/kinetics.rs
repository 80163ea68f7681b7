//! Areas, boundaries and how fast these move, frame by frame.
//!
//! Where labels swap sides, area is swept: with the length `L` of a boundary and the area `A` that
//! one side wins of the other from a frame to the next, `dA/dt = integral of v_n dL`, so that the
//! mean normal velocity is `A / L`, whatever the shape of the boundary, and labels that are off by
//! the same in both frames take nothing from it.

use std::collections::BTreeMap;

use ndarray::ArrayView2;
use serde::Serialize;

use crate::boundary::Element;

/// Labels on the two sides of a boundary, the lower first.
pub type Pair = (u16, u16);

/// A boundary in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Boundary {
    /// The labels on its sides.
    pub pair: Pair,
    /// Its length, px.
    pub length: f64,
    /// Mean row and column of its pieces, px.
    pub position: [f64; 2],
    /// Mean direction from the lower label to the higher, rows and columns; shorter than 1 where
    /// the boundary turns, 0 around a closed one.
    pub normal: [f64; 2],
}

/// How fast a boundary moves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Velocity {
    /// The labels on its sides.
    pub pair: Pair,
    /// Mean velocity along the normal, px a frame; above 0 where the lower label grows.
    pub mean: f64,
    /// Its standard error, from how much pieces of the boundary differ; nothing for a single piece.
    pub error: Option<f64>,
}

/// Area that the lower label won, px^2, and mean length of the boundary, px, by row and column of
/// the square.
pub type Squares = BTreeMap<(usize, usize), (f64, f64)>;

/// What was swept by, and how long was, the boundary in each square of the image.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Swept {
    /// Side of a square, px.
    pub side: usize,
    /// The squares of each boundary.
    pub squares: BTreeMap<Pair, Squares>,
}

/// Pixels of labels 0 to `most` in `labels` `[rows, cols]`, `[most + 1]`.
pub fn areas(labels: ArrayView2<'_, u16>, most: u16) -> Vec<u64> {
    let mut areas = vec![0; usize::from(most) + 1];
    for &label in labels {
        if let Some(area) = areas.get_mut(usize::from(label)) {
            *area += 1;
        }
    }
    areas
}

/// The boundaries that `elements` make up, by their labels.
pub fn boundaries(elements: &[Element]) -> Vec<Boundary> {
    let mut all = BTreeMap::<Pair, Boundary>::new();
    for element in elements {
        let pair = element.pair;
        let none = Boundary { pair, length: 0.0, position: [0.0; 2], normal: [0.0; 2] };
        let boundary = all.entry(pair).or_insert(none);
        boundary.length += element.length;
        for axis in 0..2 {
            boundary.position[axis] += element.length * element.at[axis];
            boundary.normal[axis] += element.length * element.normal[axis];
        }
    }
    let mean = |mut boundary: Boundary| {
        let length = boundary.length.max(f64::MIN_POSITIVE);
        boundary.position = boundary.position.map(|sum| sum / length);
        boundary.normal = boundary.normal.map(|sum| sum / length);
        boundary
    };
    all.into_values().map(mean).collect()
}

impl Swept {
    /// Nothing yet, in squares of `side` px.
    pub fn none(side: usize) -> Self {
        Self { side, squares: BTreeMap::new() }
    }

    /// Adds what was swept in `frames` frames; lengths count as often, so that areas over lengths
    /// are velocities in px a frame.
    pub fn merge(&mut self, other: &Self, frames: f64) {
        for (&pair, squares) in &other.squares {
            let own = self.squares.entry(pair).or_default();
            for (&at, &(area, length)) in squares {
                let square = own.entry(at).or_default();
                square.0 += area;
                square.1 += frames * length;
            }
        }
    }

    /// Between the label maps `before` and `after`, `[rows, cols]`, with the elements of their
    /// boundaries, in squares of `side` px. What either of them does not see does not count.
    ///
    /// # Panics
    /// For maps of different shapes, and a side of 0.
    pub fn new(
        (before, earlier): (ArrayView2<'_, u16>, &[Element]),
        (after, later): (ArrayView2<'_, u16>, &[Element]),
        side: usize,
    ) -> Self {
        assert_eq!(before.dim(), after.dim(), "maps of one film");
        let mut squares = BTreeMap::<Pair, Squares>::new();
        for (r, (a, b)) in before.outer_iter().zip(after.outer_iter()).enumerate() {
            for (c, (&a, &b)) in a.iter().zip(b).enumerate() {
                if a == b || a == 0 || b == 0 {
                    continue;
                }
                let pair = (a.min(b), a.max(b));
                let square =
                    squares.entry(pair).or_default().entry((r / side, c / side)).or_default();
                square.0 += if b < a { 1.0 } else { -1.0 };
            }
        }
        let seen =
            |map: &ArrayView2<'_, u16>, at: [f64; 2]| map[(at[0] as usize, at[1] as usize)] != 0;
        let half = earlier.iter().map(|e| (e, &after)).chain(later.iter().map(|e| (e, &before)));
        for (element, other) in half {
            if seen(other, element.at) {
                let at = (element.at[0] as usize / side, element.at[1] as usize / side);
                let square = squares.entry(element.pair).or_default().entry(at).or_default();
                square.1 += 0.5 * element.length;
            }
        }
        Self { side, squares }
    }

    /// How fast each boundary moved, px a frame.
    ///
    /// The velocity is a ratio of sums over squares; its error is that of such a ratio (Cochran,
    /// Sampling Techniques, 1977, section 6.4): `sqrt(n / (n - 1) sum (a_i - v l_i)^2) / sum l_i`.
    pub fn velocities(&self) -> Vec<Velocity> {
        let of = |(&pair, squares): (&Pair, &Squares)| {
            let sum = |of: &dyn Fn(&(f64, f64)) -> f64| squares.values().map(of).sum::<f64>();
            let (area, length) = (sum(&|square| square.0), sum(&|square| square.1));
            if length <= 0.0 {
                return None;
            }
            let mean = area / length;
            let n = squares.len() as f64;
            let residuals = sum(&|square| (square.0 - mean * square.1).powi(2));
            let error = (n / (n - 1.0) * residuals).sqrt() / length;
            Some(Velocity { pair, mean, error: (n > 1.0).then_some(error) })
        };
        self.squares.iter().filter_map(of).collect()
    }
}

/// How far each of `values` scatters about a straight line through those within `reach` of it, as a
/// standard deviation; nothing where fewer than four are there.
pub fn scatter(values: &[Option<f64>], reach: usize) -> Vec<Option<f64>> {
    let about = |centre: usize| {
        values[centre]?;
        let first = centre.saturating_sub(reach);
        let end = (centre + reach + 1).min(values.len());
        let near = (first..end).filter_map(|at| Some((at as f64 - centre as f64, values[at]?)));
        let near: Vec<(f64, f64)> = near.collect();
        line(&near).map(|line| line.deviation)
    };
    (0..values.len()).map(about).collect()
}

/// A straight line through points.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Line {
    /// Its slope.
    pub slope: f64,
    /// The standard error of that.
    pub slope_error: f64,
    /// How far the points scatter about it.
    pub deviation: f64,
}

/// The line of least squares through `points`; nothing for fewer than four, and for those that
/// stand above each other.
pub fn line(points: &[(f64, f64)]) -> Option<Line> {
    let n = points.len() as f64;
    if points.len() < 4 {
        return None;
    }
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let (xx, xy) = points
        .iter()
        .fold((0.0, 0.0), |(xx, xy), p| (xx + (p.0 - x).powi(2), xy + (p.0 - x) * (p.1 - y)));
    if xx <= 0.0 {
        return None;
    }
    let slope = xy / xx;
    let residuals: f64 = points.iter().map(|p| (p.1 - y - slope * (p.0 - x)).powi(2)).sum();
    let deviation = (residuals / (n - 2.0)).sqrt();
    Some(Line { slope, slope_error: deviation / xx.sqrt(), deviation })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::elements;
    use ndarray::Array2;

    fn slanted(front: f64) -> Array2<u16> {
        Array2::from_shape_fn((120, 150), |(r, c)| 1 + u16::from(c as f64 + 0.5 * r as f64 > front))
    }

    fn swept(before: &Array2<u16>, after: &Array2<u16>) -> Swept {
        let (a, b) = (elements(before.view()), elements(after.view()));
        Swept::new((before.view(), &a), (after.view(), &b), 20)
    }

    #[test]
    fn a_slanted_boundary_moves_along_its_normal() {
        // By 3 px along the columns, which is 3 cos(26.57 deg) along the normal.
        let (before, after) = (slanted(90.0), slanted(93.0));
        let [velocity] = swept(&before, &after).velocities()[..] else { panic!("one boundary") };
        let expected = 3.0 / 1.25_f64.sqrt();
        assert!((velocity.mean / expected - 1.0).abs() < 0.02, "{velocity:?}");
        assert!(velocity.error.is_some_and(|error| error < 0.5), "{velocity:?}");
        let [back] = swept(&after, &before).velocities()[..] else { panic!("one boundary") };
        assert!((back.mean + velocity.mean).abs() < 1e-9);
    }

    #[test]
    fn a_circle_that_shrinks_and_what_is_not_seen() {
        // Not around a pixel's middle, where rows of pixels come and go together.
        let disc = |radius: f64| {
            Array2::from_shape_fn((120, 120), |(r, c)| {
                1 + u16::from((r as f64 - 60.21).hypot(c as f64 - 59.63) < radius)
            })
        };
        let (before, after) = (disc(40.0), disc(38.5));
        let [velocity] = swept(&before, &after).velocities()[..] else { panic!("one boundary") };
        assert!((velocity.mean - 1.5).abs() < 0.05, "{velocity:?}");
        // The same with its right half hidden in one frame.
        let mut hidden = after.clone();
        hidden.slice_mut(ndarray::s![.., 60..]).fill(0);
        let [half] = swept(&before, &hidden).velocities()[..] else { panic!("one boundary") };
        assert!((half.mean - 1.5).abs() < 0.1, "{half:?}");
        let [boundary] = boundaries(&elements(before.view()))[..] else { panic!("one boundary") };
        assert!((boundary.length / (80.0 * std::f64::consts::PI) - 1.0).abs() < 0.02);
        assert!((boundary.position[0] - 60.21).abs() < 0.1 && boundary.normal[0].abs() < 0.02);
    }

    #[test]
    fn areas_count_labels_and_a_boundary_lies_in_its_middle() {
        let labels = slanted(90.0);
        let areas = areas(labels.view(), 2);
        assert_eq!(areas.iter().sum::<u64>(), 120 * 150);
        assert_eq!(areas[0], 0);
        let [boundary] = boundaries(&elements(labels.view()))[..] else { panic!("one boundary") };
        assert_eq!(boundary.pair, (1, 2));
        assert!((boundary.position[0] - 59.5).abs() < 0.5);
        assert!((boundary.position[1] - (90.5 - 29.75)).abs() < 0.5, "{boundary:?}");
        assert!((boundary.normal[1] - 0.894).abs() < 0.01, "{boundary:?}");
    }

    #[test]
    fn errors_are_those_of_scatter() {
        let values: Vec<Option<f64>> = (0..20)
            .map(|t| Some(3.0 * f64::from(t) + if t % 2 == 0 { 0.5 } else { -0.5 }))
            .collect();
        let found = scatter(&values, 4)[10].unwrap();
        assert!((0.45..0.7).contains(&found), "{found}");
        assert_eq!(scatter(&values[..3], 4), [None; 3]);
        let points: Vec<(f64, f64)> = (0..10).map(|t| (f64::from(t), 2.0 * f64::from(t))).collect();
        let exact = line(&points).unwrap();
        assert!((exact.slope - 2.0).abs() < 1e-12 && exact.slope_error < 1e-9);
        assert_eq!(line(&[(1.0, 0.0), (1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
    }
}
