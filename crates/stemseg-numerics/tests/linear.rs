//! Tests of the module `linear`: not within it, so that it is compiled once.

use stemseg_numerics::linear::*;

fn matrix() -> Mat<f64> {
    Mat::from_fn(5, 5, |i, j| ((i * j + 2 * (i + j)) % 7) as f64 + if i == j { 20.0 } else { 0.0 })
}

#[test]
fn eigenvectors_solve_their_equation() {
    let (vectors, values) = eigen(&matrix()).unwrap();
    assert!(values.windows(2).all(|pair| pair[0] >= pair[1]));
    let images = product(matrix().as_ref(), vectors.as_ref());
    let diagonal = between(&matrix(), &vectors);
    for j in 0..5 {
        for i in 0..5 {
            assert!((images[(i, j)] - values[j] * vectors[(i, j)]).abs() < 1e-12);
            let expected = if i == j { values[j] } else { 0.0 };
            assert!((diagonal[(i, j)] - expected).abs() < 1e-12);
        }
    }
}

#[test]
fn three_ways_to_solve_agree() {
    let right = [1.0, -2.0, 0.5, 3.0, 7.0];
    let column = Mat::from_fn(5, 1, |i, _| right[i]);
    let by_factors = solve(&matrix(), column.as_ref());
    let cholesky = Cholesky::new(&matrix()).unwrap();
    let ways = [cholesky.solve(&right), least_squares(&matrix(), &right)];
    for way in ways {
        assert!((0..5).all(|i| (way[i] - by_factors[(i, 0)]).abs() < 1e-12), "{way:?}");
    }
    assert!((cholesky.pivot(0) - 20_f64.sqrt()).abs() < 1e-12);
    assert!(Cholesky::new(&Mat::from_fn(2, 2, |_, _| 1.0)).is_none_or(|c| c.pivot(1) < 1e-6));
}
