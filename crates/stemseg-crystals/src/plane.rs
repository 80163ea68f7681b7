//! Vectors of the image plane, as rows and columns, and pairs of them that span lattices.

/// Rows and columns: px, or cycles per px of a wave.
pub type Vector = [f64; 2];

pub(crate) fn length(v: Vector) -> f64 {
    v[0].hypot(v[1])
}

pub(crate) fn minus(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1]]
}

pub(crate) fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

/// Area that two vectors span, positive where the second lies counter-clockwise of the first as
/// displayed: rows go down.
pub(crate) fn area(a: Vector, b: Vector) -> f64 {
    a[0] * b[1] - a[1] * b[0]
}

/// `i a + j b`.
pub(crate) fn combined([a, b]: [Vector; 2], [i, j]: [f64; 2]) -> Vector {
    [i * a[0] + j * b[0], i * a[1] + j * b[1]]
}

/// `v` in the terms of two vectors; not finite where they are parallel.
pub(crate) fn coordinates([a, b]: [Vector; 2], v: Vector) -> [f64; 2] {
    let whole = area(a, b);
    [area(v, b) / whole, area(a, v) / whole]
}

/// Vectors with a product of 1 with one of `vectors` and of 0 with the other.
pub(crate) fn reciprocal([a, b]: [Vector; 2]) -> [Vector; 2] {
    let whole = area(a, b);
    [[b[1] / whole, -b[0] / whole], [-a[1] / whole, a[0] / whole]]
}

/// `v` with rows and columns of these sizes.
pub(crate) fn scaled(v: Vector, size: Vector) -> Vector {
    [v[0] * size[0], v[1] * size[1]]
}

/// Angle counter-clockwise from the direction of the columns to the right, as displayed, degrees.
pub(crate) fn angle(v: Vector) -> f64 {
    (-v[0]).atan2(v[1]).to_degrees()
}

/// Whole numbers `[[i, j], [k, l]]` of the two shortest vectors `i a + j b` and `k a + l b` that
/// span the same lattice (Lagrange and Gauss), the shorter first.
pub(crate) fn reduction(vectors: [Vector; 2]) -> [[f64; 2]; 2] {
    let mut whole = [[1.0, 0.0], [0.0, 1.0]];
    let at = |whole: [f64; 2]| combined(vectors, whole);
    for _ in 0..64 {
        if length(at(whole[1])) < length(at(whole[0])) {
            whole.swap(0, 1);
        }
        let (a, b) = (at(whole[0]), at(whole[1]));
        let times = (dot(a, b) / dot(a, a)).round();
        if times == 0.0 || !times.is_finite() {
            break;
        }
        whole[1] = minus(whole[1], whole[0].map(|x| times * x));
    }
    whole
}

/// The two shortest vectors that span the same lattice, the shorter first.
pub(crate) fn reduced(vectors: [Vector; 2]) -> [Vector; 2] {
    reduction(vectors).map(|whole| combined(vectors, whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reciprocal_of_the_reciprocal_is_the_lattice() {
        let vectors = [[3.0, 11.0], [-9.0, 2.0]];
        let twice = reciprocal(reciprocal(vectors));
        for (one, other) in vectors.iter().flatten().zip(twice.iter().flatten()) {
            assert!((one - other).abs() < 1e-12);
        }
        let [u, v] = reciprocal(vectors);
        assert!((dot(u, vectors[0]) - 1.0).abs() < 1e-12 && dot(v, vectors[0]).abs() < 1e-12);
    }

    #[test]
    fn angles_go_up_from_the_right() {
        assert_eq!(angle([0.0, 2.0]), 0.0);
        assert_eq!(angle([-3.0, 0.0]), 90.0);
        assert!(area([0.0, 2.0], [-3.0, 0.0]) > 0.0);
    }

    #[test]
    fn the_shortest_vectors_are_found_whatever_spans_the_lattice() {
        let vectors = [[10.0, 1.0], [-2.0, 12.0]];
        let other = [combined(vectors, [3.0, 1.0]), combined(vectors, [2.0, 1.0])];
        let [a, b] = reduced(other);
        assert!((length(a) - length(vectors[0])).abs() < 1e-9);
        assert!((length(b) - length(vectors[1])).abs() < 1e-9);
    }
}
