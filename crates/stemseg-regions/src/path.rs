//! Lines of points, smoothed by quadratic curves that are fitted piece by piece.

use crate::Point;

/// Fewest points that a piece is fitted to, where a line has as many.
const FEWEST: usize = 5;
/// Share of a closed line that a piece reaches to either side, at most.
const MOST_OF_CLOSED: f64 = 1.0 / 6.0;

/// Points in their order along a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    /// Rows and columns, px.
    pub(crate) points: Vec<Point>,
    /// The way to each from the first, px.
    pub(crate) way: Vec<f64>,
    /// The whole way: back to the first point where the line is closed.
    pub(crate) length: f64,
    closed: bool,
}

/// The middle of a quadratic curve near one place of a path: where it is, and its derivative by the
/// way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Piece {
    pub(crate) at: Point,
    pub(crate) along: Point,
}

impl Path {
    pub(crate) fn new(points: Vec<Point>, closed: bool) -> Self {
        let mut way = Vec::with_capacity(points.len());
        let mut so_far = 0.0;
        for (i, point) in points.iter().enumerate() {
            so_far += i.checked_sub(1).map_or(0.0, |before| distance(points[before], *point));
            way.push(so_far);
        }
        let back = match (closed, points.first(), points.last()) {
            (true, Some(&first), Some(&last)) => distance(last, first),
            _ => 0.0,
        };
        Self { length: so_far + back, points, way, closed }
    }

    /// The same path, each point where the piece about it is.
    pub(crate) fn smoothed(&self, half: f64) -> Self {
        let points = self.pieces(half, 1).map(|(_, piece)| piece.at).collect();
        Self::new(points, self.closed)
    }

    /// Pieces about each `step`th point, with the numbers of these: the weighted least squares of the
    /// points up to `half` px away along the line, by Cleveland's tricube (Robust locally weighted
    /// regression and smoothing scatterplots, J. Am. Stat. Assoc. 74, 1979). Quadratic ones leave
    /// circles their radius, and ends where they are, as averages would not.
    pub(crate) fn pieces(
        &self,
        half: f64,
        step: usize,
    ) -> impl Iterator<Item = (usize, Piece)> + '_ {
        // Once around at most.
        let half = if self.closed { half.min(MOST_OF_CLOSED * self.length) } else { half };
        let (mut first, mut end) = (0_isize, 0_isize);
        (0..self.points.len()).step_by(step).map(move |i| {
            let at = self.way[i];
            while self.has(end) && self.way_to(end) <= at + half {
                end += 1;
            }
            // A closed line's first window begins before its first point.
            while self.has(first - 1) && self.way_to(first - 1) >= at - half {
                first -= 1;
            }
            while self.way_to(first) < at - half {
                first += 1;
            }
            (i, self.piece(i, (first, end), half))
        })
    }

    fn count(&self) -> isize {
        self.points.len() as isize
    }

    /// Whether there is a point of this number, up to once around a closed line.
    fn has(&self, number: isize) -> bool {
        match self.closed {
            true => (-self.count()..2 * self.count()).contains(&number),
            false => (0..self.count()).contains(&number),
        }
    }

    fn way_to(&self, number: isize) -> f64 {
        let rounds = number.div_euclid(self.count()) as f64;
        self.way[number.rem_euclid(self.count()) as usize] + rounds * self.length
    }

    fn piece(&self, i: usize, (mut first, mut end): (isize, isize), half: f64) -> Piece {
        let (at, mut half) = (self.way[i], half);
        // As many points on both sides as there are, where they are few within reach.
        while end - first < FEWEST as isize && (self.has(first - 1) || self.has(end)) {
            first -= isize::from(self.has(first - 1));
            end += isize::from(self.has(end));
            half = half.max(1.5 * (self.way_to(end - 1) - at).max(at - self.way_to(first)));
        }
        let origin = self.points[i];
        if end - first < FEWEST as isize || end - first > self.count() {
            return self.raw(i);
        }
        let mut sums = [0.0; 5];
        let mut values = [[0.0; 2]; 3];
        for number in first..end {
            let point = self.points[number.rem_euclid(self.count()) as usize];
            let u = (self.way_to(number) - at) / half;
            let weight = (1.0 - u.abs().powi(3)).max(0.0).powi(3);
            let powers = [1.0, u, u * u, u * u * u, u * u * u * u].map(|power| weight * power);
            sums.iter_mut().zip(powers).for_each(|(sum, power)| *sum += power);
            for (value, power) in values.iter_mut().zip(powers) {
                value[0] += power * (point[0] - origin[0]);
                value[1] += power * (point[1] - origin[1]);
            }
        }
        solved(sums, values).map_or_else(
            || self.raw(i),
            |[at, along]| Piece {
                at: [origin[0] + at[0], origin[1] + at[1]],
                along: along.map(|x| x / half),
            },
        )
    }

    /// The point itself, and the way between its neighbours.
    fn raw(&self, i: usize) -> Piece {
        let number = i as isize;
        let [before, behind] = [number - 1, number + 1].map(|other| match self.has(other) {
            true => other,
            false => number,
        });
        let way = (self.way_to(behind) - self.way_to(before)).max(f64::MIN_POSITIVE);
        let [a, b] = [before, behind].map(|n| self.points[n.rem_euclid(self.count()) as usize]);
        let along = [(b[0] - a[0]) / way, (b[1] - a[1]) / way];
        Piece { at: self.points[i], along }
    }
}

/// The first two coefficients of two quadratics, from the weighted sums of powers, and of values times
/// powers.
fn solved(s: [f64; 5], values: [[f64; 2]; 3]) -> Option<[Point; 2]> {
    // The adjugate of the symmetric matrix of the sums.
    let [a, b, c] =
        [s[2] * s[4] - s[3] * s[3], s[2] * s[3] - s[1] * s[4], s[1] * s[3] - s[2] * s[2]];
    let [d, e] = [s[0] * s[4] - s[2] * s[2], s[1] * s[2] - s[0] * s[3]];
    let determinant = s[0] * a + s[1] * b + s[2] * c;
    let by = |row: [f64; 3]| {
        [0, 1].map(|axis| {
            row.iter().zip(values).map(|(x, value)| x * value[axis]).sum::<f64>() / determinant
        })
    };
    let solution = [[a, b, c], [b, d, e]].map(by);
    let right = determinant > 1e-9 * s[0] * s[2] * s[4];
    (right && solution.iter().flatten().all(|x| x.is_finite())).then_some(solution)
}

pub(crate) fn distance(a: Point, b: Point) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

pub(crate) fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1]]
}

pub(crate) fn dot(a: Point, b: Point) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

/// A vector of length 1 along `v`; none where it has no length.
pub(crate) fn unit(v: Point) -> Option<Point> {
    let length = v[0].hypot(v[1]);
    (length > 0.0).then(|| v.map(|x| x / length))
}

/// Angle counter-clockwise from the right as displayed, whose rows go down, radians.
pub(crate) fn angle(v: Point) -> f64 {
    (-v[0]).atan2(v[1])
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn circle(radius: f64, count: usize) -> Vec<Point> {
        let at = |i: usize| (i as f64 * TAU / count as f64).sin_cos();
        (0..count).map(at).map(|(sin, cos)| [50.0 - radius * sin, 60.0 + radius * cos]).collect()
    }

    #[test]
    fn circles_keep_their_radius_also_across_their_ends() {
        let path = Path::new(circle(20.0, 130), true);
        assert!((path.length - TAU * 20.0).abs() < 0.05);
        for point in path.smoothed(12.0).points {
            assert!((distance(point, [50.0, 60.0]) - 20.0).abs() < 0.01, "{point:?}");
        }
        for (i, piece) in path.pieces(8.0, 7) {
            let expected = i as f64 * TAU / 130.0 + TAU / 4.0;
            let away = (angle(piece.along) - expected).rem_euclid(TAU);
            assert!(away.min(TAU - away) < 0.01, "{i}");
        }
    }

    #[test]
    fn closed_lines_are_smoothed_alike_wherever_they_begin() {
        let mut points = circle(20.0, 130);
        for (i, point) in points.iter_mut().enumerate() {
            point[0] += f64::from(i as u32 * 7919 % 13) / 20.0;
        }
        let expected = Path::new(points.clone(), true).smoothed(9.0).points;
        points.rotate_left(50);
        let mut found = Path::new(points, true).smoothed(9.0).points;
        found.rotate_right(50);
        for (one, other) in expected.iter().zip(&found) {
            assert!(distance(*one, *other) < 1e-9, "{one:?} {other:?}");
        }
    }

    #[test]
    fn open_lines_keep_their_ends_and_parabolas_their_shape() {
        let at = |i: usize| [0.01 * (i as f64).powi(2), i as f64];
        let path = Path::new((0..30).map(at).collect(), false);
        for (point, smooth) in path.points.iter().zip(path.smoothed(8.0).points) {
            assert!(distance(*point, smooth) < 0.01, "{point:?} {smooth:?}");
        }
    }

    #[test]
    fn noise_becomes_less() {
        let at = |i: usize| [0.3 * f64::from(i as u32 * 7919 % 13) / 6.0 - 0.3, i as f64];
        let path = Path::new((0..200).map(at).collect(), false);
        let rms = |points: &[Point]| {
            (points.iter().map(|p| p[0] * p[0]).sum::<f64>() / points.len() as f64).sqrt()
        };
        assert!(rms(&path.smoothed(10.0).points) < 0.3 * rms(&path.points));
    }

    #[test]
    fn lines_of_few_points_stay_as_they_are() {
        for count in 1..4 {
            let points: Vec<Point> = (0..count).map(|i| [f64::from(i), 0.5]).collect();
            for closed in [false, true] {
                let path = Path::new(points.clone(), closed);
                for (point, (_, piece)) in points.iter().zip(path.pieces(4.0, 1)) {
                    assert!(piece.at.iter().all(|x| x.is_finite()));
                    assert!(distance(piece.at, *point) < 1.0);
                }
            }
        }
    }
}
