//! Kernels that take weak derivatives, and kernels that smooth.

use stemseg_numerics::linear::{Mat, product, solve};

/// Power p of the bump `(1 - s^2)^p`; its first p - 1 derivatives vanish at its ends, so that sums
/// stand for integrals.
const POWER: i32 = 6;
/// Degree up to which weak derivatives of polynomials are exact.
const DEGREE: usize = 6;

/// Weights on `2 half + 1` samples in a row: `[w, w1, w2]`. `w` is the bump, of sum 1. The others
/// are its derivatives with the sign of the integration by parts, so that `sum w1 f = sum w f'`
/// and `sum w2 f = sum w f''` for any f: up to [`DEGREE`] exactly, beyond as well as sums stand for
/// integrals.
pub(crate) fn bump(half: usize) -> [Vec<f64>; 3] {
    if half == 0 {
        return [vec![1.0], vec![0.0], vec![0.0]];
    }
    let width = half as f64 + 1.0;
    let places: Vec<f64> = (0..=2 * half).map(|i| (i as f64 - half as f64) / width).collect();
    let raw = |s: f64| (1.0 - s * s).powi(POWER);
    let total: f64 = places.iter().map(|&s| raw(s)).sum();
    let weights: Vec<f64> = places.iter().map(|&s| raw(s) / total).collect();
    let p = f64::from(POWER);
    let first = |s: f64| 2.0 * p * s * (1.0 - s * s).powi(POWER - 1) / width / total;
    let second = |s: f64| {
        let inside = 1.0 - s * s;
        let bent = 4.0 * p * (p - 1.0) * s * s - 2.0 * p * inside;
        bent * inside.powi(POWER - 2) / (width * width) / total
    };
    let exact = |order: usize, kernel: &dyn Fn(f64) -> f64| {
        let kernel = places.iter().map(|&s| kernel(s)).collect();
        corrected(kernel, &weights, &places, order, width)
    };
    [weights.clone(), exact(1, &first), exact(2, &second)]
}

/// `kernel` plus the bump times a polynomial that makes derivatives of order `order` exact for
/// powers of the places.
fn corrected(
    mut kernel: Vec<f64>,
    weights: &[f64],
    places: &[f64],
    order: usize,
    width: f64,
) -> Vec<f64> {
    let count = DEGREE.min(places.len() - 1) + 1;
    let sum = |of: &[f64], power: usize| -> f64 {
        of.iter().zip(places).map(|(k, s)| k * s.powi(power as i32)).sum()
    };
    let moments = Mat::from_fn(count, count, |a, b| sum(weights, a + b));
    let lacking = Mat::from_fn(count, 1, |n, _| {
        let falling: f64 = (0..order).map(|i| n as f64 - i as f64).product();
        let right = match n.checked_sub(order) {
            Some(rest) => falling * sum(weights, rest) / width.powi(order as i32),
            None => 0.0,
        };
        right - sum(&kernel, n)
    });
    let factors = solve(&moments, lacking.as_ref());
    for ((value, weight), s) in kernel.iter_mut().zip(weights).zip(places) {
        let polynomial: f64 = (0..count).map(|n| factors[(n, 0)] * s.powi(n as i32)).sum();
        *value += weight * polynomial;
    }
    kernel
}

/// Weights that fit a polynomial of `degree` to `2 half + 1` samples in a row by least squares
/// and give its value, first and second derivative in the middle: Savitzky and Golay, Anal. Chem.
/// 36 (1964) 1627.
pub(crate) fn savitzky_golay(half: usize, degree: usize) -> [Vec<f64>; 3] {
    let (length, count) = (2 * half + 1, degree.min(2 * half) + 1);
    let scale = half.max(1) as f64;
    let powers =
        Mat::from_fn(length, count, |i, n| ((i as f64 - half as f64) / scale).powi(n as i32));
    let normal = product(powers.transpose(), powers.as_ref());
    let fit = solve(&normal, powers.transpose());
    let row = |order: usize, factor: f64| {
        let get = |i| if order < count { factor * fit[(order, i)] } else { 0.0 };
        (0..length).map(get).collect()
    };
    [row(0, 1.0), row(1, 1.0 / scale), row(2, 2.0 / (scale * scale))]
}

/// Weights by which the cubic smoothing spline through `2 half + 1` samples in a row gives its value,
/// first and second derivative in the middle, where it smooths over `length` samples: that which
/// makes `sum of squares of residuals + length^4 integral of squares of second derivatives` least
/// (Reinsch, Numer. Math. 10 (1967) 177).
pub(crate) fn smoothing_spline(half: usize, length: f64) -> [Vec<f64>; 3] {
    let (count, inner) = (2 * half + 1, 2 * half - 1);
    // Second derivatives c at the inner samples and values g obey R c = Q' g, and the spline is the
    // solution of (1 + length^4 Q R^-1 Q') g = y.
    let second = Mat::from_fn(inner, count, |i, j| match j.checked_sub(i) {
        Some(0 | 2) => 1.0,
        Some(1) => -2.0,
        _ => 0.0,
    });
    let between = Mat::from_fn(inner, inner, |i, j| match i.abs_diff(j) {
        0 => 2.0 / 3.0,
        1 => 1.0 / 6.0,
        _ => 0.0,
    });
    let curvatures = solve(&between, second.as_ref());
    let roughness = product(second.transpose(), curvatures.as_ref());
    let penalty = length.powi(4);
    let unit = |i: usize, j: usize| f64::from(u8::from(i == j));
    let system = Mat::from_fn(count, count, |i, j| unit(i, j) + penalty * roughness[(i, j)]);
    let identity = Mat::from_fn(count, count, unit);
    let values = solve(&system, identity.as_ref());
    let curvatures = product(curvatures.as_ref(), values.as_ref());
    // Beyond the inner samples the spline is straight.
    let curvature = |at: usize, j: usize| match at {
        0 => 0.0,
        at if at > inner => 0.0,
        at => curvatures[(at - 1, j)],
    };
    let slope = |j: usize| {
        let bend = 2.0 * curvature(half, j) + curvature(half + 1, j);
        values[(half + 1, j)] - values[(half, j)] - bend / 6.0
    };
    [
        (0..count).map(|j| values[(half, j)]).collect(),
        (0..count).map(slope).collect(),
        (0..count).map(|j| curvature(half, j)).collect(),
    ]
}

/// The sum of products, in an order that depends on the length alone.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (mut left, mut right) = (a.chunks_exact(8), b.chunks_exact(8));
    for (a, b) in left.by_ref().zip(right.by_ref()) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(kernel: &[f64], f: impl Fn(f64) -> f64, centre: f64) -> f64 {
        let half = (kernel.len() / 2) as f64;
        kernel.iter().enumerate().map(|(i, k)| k * f(centre + i as f64 - half)).sum()
    }

    #[test]
    fn weak_derivatives_of_polynomials_are_exact() {
        for half in [3, 4, 7, 16, 50] {
            let [w, w1, w2] = bump(half);
            assert!((w.iter().sum::<f64>() - 1.0).abs() < 1e-14);
            let h = half as f64;
            for n in 0..=DEGREE as i32 {
                let d = f64::from(n);
                let f = |x: f64| (x / h).powi(n);
                let f1 = |x: f64| if n < 1 { 0.0 } else { d * (x / h).powi(n - 1) / h };
                let f2 = |x: f64| match n < 2 {
                    true => 0.0,
                    false => d * (d - 1.0) * (x / h).powi(n - 2) / (h * h),
                };
                for centre in [0.0, 0.4 * h] {
                    let first = apply(&w1, f, centre) - apply(&w, f1, centre);
                    let second = apply(&w2, f, centre) - apply(&w, f2, centre);
                    assert!(first.abs() < 1e-9 / h, "half {half}, degree {n}: {first}");
                    assert!(second.abs() < 1e-9 / (h * h), "half {half}, degree {n}: {second}");
                }
            }
        }
    }

    #[test]
    fn weak_derivatives_of_a_sine_are_exact_to_the_sampling() {
        for half in [8, 16, 40] {
            let [w, w1, w2] = bump(half);
            let k = 2.0 / half as f64;
            let (f, f1) = (|x: f64| (k * x).sin(), |x: f64| k * (k * x).cos());
            let first = apply(&w1, f, 1.3) / apply(&w, f1, 1.3) - 1.0;
            let second = apply(&w2, f, 1.3) / (-k * k * apply(&w, f, 1.3)) - 1.0;
            assert!(first.abs() < 1e-8 && second.abs() < 1e-6, "{half}: {first}, {second}");
        }
    }

    #[test]
    fn splines_smooth_and_keep_what_is_slow() {
        for (half, length) in [(1, 0.2), (2, 0.4), (8, 1.4), (16, 3.0)] {
            let [value, first, second] = smoothing_spline(half, length);
            let line = |x: f64| 2.0 + 0.5 * x;
            for (kernel, right) in [(&value, 2.0), (&first, 0.5), (&second, 0.0)] {
                assert!((apply(kernel, line, 0.0) - right).abs() < 1e-10, "{half}: {right}");
            }
        }
        // In the middle of many samples, a wave of wave number k is damped by 1 / (1 + (k length)^4)
        // and keeps its derivatives (Silverman, Ann. Statist. 12 (1984) 898).
        let (length, k) = (3.0, 0.15);
        let [value, first, second] = smoothing_spline(40, length);
        let damped = 1.0 / (1.0_f64 + (k * length).powi(4));
        let (sine, cosine) = (|x: f64| (k * x).sin(), |x: f64| (k * x).cos());
        for (kernel, f, right) in [
            (&value, &cosine as &dyn Fn(f64) -> f64, damped),
            (&first, &sine, k * damped),
            (&second, &cosine, -k * k * damped),
        ] {
            let found = apply(kernel, f, 0.0);
            // But for what is lost between samples.
            assert!((found / right - 1.0).abs() < 4e-3, "{found} {right}");
        }
    }

    #[test]
    fn savitzky_and_golay_fit_what_they_should() {
        let [value, first, second] = savitzky_golay(4, 4);
        let f = |x: f64| 1.0 + x - 0.5 * x * x + 0.1 * x.powi(3) - 0.01 * x.powi(4);
        for (kernel, right) in [(value, 1.0), (first, 1.0), (second, -1.0)] {
            assert!((apply(&kernel, f, 0.0) - right).abs() < 1e-12, "{right}");
        }
        // Five points, parabola: the weights of the paper.
        let [value, ..] = savitzky_golay(2, 2);
        let right = [-3.0, 12.0, 17.0, 12.0, -3.0].map(|k| k / 35.0);
        assert!(value.iter().zip(right).all(|(a, b)| (a - b).abs() < 1e-14), "{value:?}");
    }
}
