//! Convex hulls, and how wide they are.

/// A point, rows and columns in any length.
pub(crate) type Point = [f64; 2];

/// The corners of the convex hull of `points`, turning one way (Andrew, Another efficient
/// algorithm for convex hulls in two dimensions, Information Processing Letters 9, 1979).
pub(crate) fn convex_hull(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    points.dedup();
    if points.len() < 3 {
        return points;
    }
    let half = |points: &mut dyn Iterator<Item = Point>| {
        let mut hull: Vec<Point> = Vec::new();
        for point in points {
            while let [.., a, b] = hull[..]
                && turn(a, b, point) <= 0.0
            {
                hull.pop();
            }
            hull.push(point);
        }
        // The other half begins with it.
        hull.pop();
        hull
    };
    let mut hull = half(&mut points.iter().copied());
    hull.extend(half(&mut points.iter().rev().copied()));
    hull
}

/// Twice the area of a triangle, positive where it turns as hulls do.
fn turn(a: Point, b: Point, c: Point) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// Area of a polygon.
pub(crate) fn area(corners: &[Point]) -> f64 {
    let Some(&first) = corners.first() else { return 0.0 };
    let triangles = corners.windows(2).map(|pair| turn(first, pair[0], pair[1]));
    triangles.sum::<f64>().abs() / 2.0
}

/// The largest and the smallest distance of two parallel lines between which a hull lies: its
/// Feret diameters.
pub(crate) fn feret(hull: &[Point]) -> [f64; 2] {
    let distance = |a: Point, b: Point| (a[0] - b[0]).hypot(a[1] - b[1]);
    let all = hull.iter().enumerate();
    let pairs = all.flat_map(|(i, &a)| hull[..i].iter().map(move |&b| distance(a, b)));
    let largest = pairs.fold(0.0, f64::max);
    // The smallest is that across one of the sides.
    let sides = (0..hull.len()).map(|i| (hull[i], hull[(i + 1) % hull.len()]));
    let across = |(a, b): (Point, Point)| {
        let side = distance(a, b);
        let height = hull.iter().map(|&c| turn(a, b, c) / side).fold(0.0, f64::max);
        if side > 0.0 { height } else { f64::INFINITY }
    };
    [largest, sides.map(across).fold(f64::INFINITY, f64::min)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_is_its_own_hull() {
        let inside = [[1.0, 1.0], [2.0, 0.5], [0.0, 1.0]];
        let corners = [[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [0.0, 4.0]];
        let hull = convex_hull(corners.into_iter().chain(inside).collect());
        assert_eq!(hull.len(), 4);
        assert_eq!(area(&hull), 12.0);
        assert_eq!(feret(&hull), [5.0, 3.0]);
    }

    #[test]
    fn an_equilateral_triangle_is_as_wide_as_it_is_high() {
        let height = 0.75_f64.sqrt();
        let hull = convex_hull(vec![[0.0, 0.0], [0.0, 1.0], [height, 0.5], [0.1, 0.5]]);
        let [largest, smallest] = feret(&hull);
        assert!((largest - 1.0).abs() < 1e-12 && (smallest - height).abs() < 1e-12);
    }
}
