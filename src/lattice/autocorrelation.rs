//! Autocorrelation of a window by fast Fourier transform.

use ndarray::{Array2, ArrayView2};

/// Autocorrelation maps of windows of one size.
pub(super) struct Autocorrelation {
    /// Hann window along one axis.
    taper: Vec<f64>,
    /// Side of the transform, a power of two: lags up to `reach` do not wrap around.
    size: usize,
    /// Largest lag on either axis, px.
    pub(super) reach: usize,
    /// The taper's own autocorrelation `[2 reach + 1, 2 reach + 1]`.
    overlap: Array2<f64>,
}

/// One window's autocorrelation: 1 at no lag.
pub(super) struct Map {
    /// `[2 reach + 1, 2 reach + 1]`, no lag in the middle.
    pub(super) values: Array2<f64>,
    /// Sum of squares of the window about its mean.
    pub(super) energy: f64,
}

impl Autocorrelation {
    pub(super) fn new(side: usize) -> Self {
        let angle = |i: usize| std::f64::consts::PI * (i as f64 + 0.5) / side as f64;
        let taper: Vec<f64> = (0..side).map(|i| angle(i).sin().powi(2)).collect();
        let reach = side / 2 - 2;
        let size = (side + reach).next_power_of_two();
        let overlap = Array2::zeros((0, 0));
        let mut this = Self { taper, size, reach, overlap };
        let ones = Array2::from_shape_fn((side, side), |(r, c)| this.taper[r] * this.taper[c]);
        this.overlap = this.raw(&ones);
        this
    }

    /// That of `window`, divided by the taper's own.
    pub(super) fn of(&self, window: ArrayView2<'_, f64>) -> Map {
        let side = self.taper.len();
        let weight = |(r, c): (usize, usize)| self.taper[r] * self.taper[c];
        let total: f64 = (0..side).flat_map(|r| (0..side).map(move |c| (r, c))).map(weight).sum();
        let mean = window.indexed_iter().map(|(at, v)| weight(at) * v).sum::<f64>() / total;
        let tapered = Array2::from_shape_fn((side, side), |at| weight(at) * (window[at] - mean));
        let mut values = self.raw(&tapered);
        let energy = values[(self.reach, self.reach)];
        let scale =
            if energy > 0.0 { self.overlap[(self.reach, self.reach)] / energy } else { 0.0 };
        values.zip_mut_with(&self.overlap, |v, overlap| *v *= scale / overlap);
        Map { values, energy }
    }

    fn raw(&self, window: &Array2<f64>) -> Array2<f64> {
        let n = self.size;
        let mut field = vec![[0.0; 2]; n * n];
        for ((r, c), &v) in window.indexed_iter() {
            field[r * n + c] = [v, 0.0];
        }
        transform(&mut field, n);
        field.iter_mut().for_each(|v| *v = [v[0] * v[0] + v[1] * v[1], 0.0]);
        // The spectrum is even, so forwards is as good as backwards.
        transform(&mut field, n);
        let side = 2 * self.reach + 1;
        let lag = |i: usize| (i + n - self.reach) % n;
        Array2::from_shape_fn((side, side), |(r, c)| field[lag(r) * n + lag(c)][0])
    }
}

/// Fourier transform of a square field `[n, n]`, n a power of two: rows, a
/// transposition, rows, which leaves it transposed.
fn transform(field: &mut [[f64; 2]], n: usize) {
    let turns: Vec<[f64; 2]> = (0..n / 2)
        .map(|k| {
            let (sin, cos) = (std::f64::consts::TAU * k as f64 / n as f64).sin_cos();
            [cos, -sin]
        })
        .collect();
    for _ in 0..2 {
        field.chunks_exact_mut(n).for_each(|line| transform_line(line, &turns));
        for r in 0..n {
            for c in 0..r {
                field.swap(r * n + c, c * n + r);
            }
        }
    }
}

/// Cooley and Tukey's, in place.
fn transform_line(line: &mut [[f64; 2]], turns: &[[f64; 2]]) {
    let n = line.len();
    let bits = n.ilog2();
    for i in 0..n {
        let j = i.reverse_bits() >> (usize::BITS - bits);
        if i < j {
            line.swap(i, j);
        }
    }
    let mut half = 1;
    while half < n {
        for block in line.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            let turns = turns.iter().step_by(n / (2 * half));
            for ((a, b), t) in low.iter_mut().zip(high).zip(turns) {
                let turned = [b[0] * t[0] - b[1] * t[1], b[0] * t[1] + b[1] * t[0]];
                *b = [a[0] - turned[0], a[1] - turned[1]];
                *a = [a[0] + turned[0], a[1] + turned[1]];
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_sum_of_products() {
        let transform = Autocorrelation::new(32);
        let window = Array2::from_shape_fn((32, 32), |(r, c)| ((r * 7 + c * c) % 13) as f64);
        let raw = transform.raw(&window);
        for [dr, dc] in [[0, 0], [3, 5], [14, 0], [-2, 9]] {
            let mut sum = 0.0;
            for ((r, c), v) in window.indexed_iter() {
                let at = (r.wrapping_add_signed(dr), c.wrapping_add_signed(dc));
                sum += window.get(at).map_or(0.0, |w| v * w);
            }
            let at = (14_usize.wrapping_add_signed(dr), 14_usize.wrapping_add_signed(dc));
            // Forwards twice scales by the size of the field.
            let found = raw[at] / (transform.size * transform.size) as f64;
            assert!((found - sum).abs() < 1e-6, "{dr} {dc}: {found} {sum}");
        }
    }
}
