//! Cubic B-splines: values between the pixels of a square.
//!
//! Coefficients are those of Unser, Aldroubi & Eden (*IEEE Trans. Signal Process.*
//! 41, 1993): a recursion forwards, another backwards, with the signal mirrored
//! about its first and last sample.

use ndarray::{Array2, ArrayView2, ArrayViewMut1, Axis};

/// The pole of the cubic B-spline, `sqrt(3) - 2`.
pub const POLE: f64 = -0.267_949_192_431_122_7;

/// What a coefficient is multiplied by along each axis: `(1 - z)(1 - 1/z)`.
pub const GAIN: f64 = 6.0;

/// Weights with which the samples of a mirrored signal of `length` begin the
/// forward recursion.
pub fn start_weights(length: usize) -> Vec<f64> {
    let n = length as i32;
    if n == 1 {
        return vec![1.0 / (1.0 - POLE)];
    }
    let period = 2 * n - 2;
    let scale = 1.0 / (1.0 - POLE.powi(period));
    let weight = |k: i32| match k == 0 || k == n - 1 {
        true => POLE.powi(k),
        false => POLE.powi(k) + POLE.powi(period - k),
    };
    (0..n).map(|k| weight(k) * scale).collect()
}

/// Weight of the last two values with which the backward recursion begins.
pub const fn end_weight() -> f64 {
    POLE / (POLE * POLE - 1.0)
}

/// Weights of the coefficients at -1, 0, 1, 2 for a value `fraction` (0 to 1)
/// beyond 0.
pub fn weights(fraction: f64) -> [f64; 4] {
    let t = fraction;
    let u = 1.0 - t;
    [
        u * u * u / 6.0,
        2.0 / 3.0 - t * t * (2.0 - t) / 2.0,
        2.0 / 3.0 - u * u * (2.0 - u) / 2.0,
        t * t * t / 6.0,
    ]
}

/// The index that a mirrored signal of `length` has at `i`.
pub fn mirrored(i: isize, length: usize) -> usize {
    if length == 1 {
        return 0;
    }
    let period = 2 * length as isize - 2;
    let i = i.rem_euclid(period);
    i.min(period - i) as usize
}

/// Coefficients of `values` `[rows, cols]`.
pub fn coefficients(values: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut all = values.to_owned();
    for axis in [Axis(0), Axis(1)] {
        let start = start_weights(all.len_of(axis));
        all.lanes_mut(axis).into_iter().for_each(|line| filter(line, &start));
    }
    all
}

fn filter(mut line: ArrayViewMut1<'_, f64>, start: &[f64]) {
    let n = line.len();
    if n == 1 {
        return;
    }
    line[0] = line.iter().zip(start).map(|(v, w)| v * w).sum();
    for k in 1..n {
        line[k] += POLE * line[k - 1];
    }
    line[n - 1] = end_weight() * (line[n - 1] + POLE * line[n - 2]);
    for k in (0..n - 1).rev() {
        line[k] = POLE * (line[k + 1] - line[k]);
    }
    line.mapv_inplace(|v| GAIN * v);
}

/// The value at `(row, col)` of the spline with `coefficients`, mirrored beyond
/// its edges.
pub fn value(coefficients: ArrayView2<'_, f64>, row: f64, col: f64) -> f64 {
    let (rows, cols) = coefficients.dim();
    let taps = |at: f64| (at.floor() as isize - 1, weights(at - at.floor()));
    let ((top, down), (left, right)) = (taps(row), taps(col));
    let mut sum = 0.0;
    for (i, wr) in down.into_iter().enumerate() {
        for (j, wc) in right.into_iter().enumerate() {
            let at = (mirrored(top + i as isize, rows), mirrored(left + j as isize, cols));
            sum += wr * wc * coefficients[at];
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spline_goes_through_its_samples() {
        for shape in [(9, 7), (3, 3), (2, 5), (1, 4), (41, 41)] {
            let values = Array2::from_shape_fn(shape, |(r, c)| ((r * 7 + c * 3) % 11) as f64);
            let coefficients = coefficients(values.view());
            for ((r, c), v) in values.indexed_iter() {
                let found = value(coefficients.view(), r as f64, c as f64);
                assert!((found - v).abs() < 1e-12, "{shape:?} at {r}, {c}: {found}, {v}");
            }
        }
    }

    #[test]
    fn polynomials_of_third_degree_come_back() {
        let cubic = |x: f64| 0.3 + x * (1.0 + x * (0.2 - 0.01 * x));
        let values = Array2::from_shape_fn((61, 3), |(r, _)| cubic(r as f64 - 30.0));
        let coefficients = coefficients(values.view());
        let found = value(coefficients.view(), 30.37, 1.6);
        assert!((found - cubic(0.37)).abs() < 1e-9, "{found}");
    }
}
