//! Autocorrelation of a window by fast Fourier transform.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};

use super::Vector;

/// Least share of a window's weight that has to be there.
const LEAST_PART: f64 = 0.5;
/// Least share of the pairs of pixels at a lag that have to be there for it to have a value.
const LEAST_OVERLAP: f64 = 0.1;

/// Autocorrelation maps of windows of one size.
pub(super) struct Autocorrelation {
    /// Hann window along one axis.
    taper: Vec<f64>,
    /// Side of the transform: lags up to `reach` do not wrap around.
    size: usize,
    transforms: Transforms,
    /// Largest lag on either axis, px.
    pub(super) reach: usize,
    /// The taper's own autocorrelation `[2 reach + 1, 2 reach + 1]`.
    overlap: Array2<f64>,
}

/// Transforms of one line of a field, and back.
struct Transforms {
    row: Arc<dyn RealToComplex<f64>>,
    col: Arc<dyn Fft<f64>>,
    col_back: Arc<dyn Fft<f64>>,
    row_back: Arc<dyn ComplexToReal<f64>>,
}

/// One window's autocorrelation: 1 at no lag.
pub(super) struct Map {
    /// `[2 reach + 1, 2 reach + 1]`, no lag in the middle.
    pub(super) values: Array2<f64>,
    /// Sum of squares of the window about its mean.
    pub(super) energy: f64,
}

impl Map {
    /// Its value at a `lag` between pixels; nothing beyond its reach.
    pub(super) fn at(&self, lag: Vector) -> Option<f64> {
        let reach = (self.values.nrows() / 2) as f64;
        let [row, col] = lag.map(|x| x + reach);
        let inside = |x: f64| (0.0..2.0 * reach).contains(&x);
        if !inside(row) || !inside(col) {
            return None;
        }
        let (r, c) = (row as usize, col as usize);
        let (down, along) = (row - r as f64, col - c as f64);
        let line = |r: usize| {
            let (left, right) = (self.values[(r, c)], self.values[(r, c + 1)]);
            left + along * (right - left)
        };
        Some(line(r) + down * (line(r + 1) - line(r)))
    }
}

impl Autocorrelation {
    pub(super) fn new(side: usize) -> Self {
        let angle = |i: usize| std::f64::consts::PI * (i as f64 + 0.5) / side as f64;
        let taper: Vec<f64> = (0..side).map(|i| angle(i).sin().powi(2)).collect();
        let reach = side / 2 - 2;
        let size = fast_size(side + reach);
        let overlap = Array2::zeros((0, 0));
        let mut this = Self { taper, size, transforms: Transforms::new(size), reach, overlap };
        let ones = Array2::from_shape_fn((side, side), |(r, c)| this.taper[r] * this.taper[c]);
        this.overlap = this.raw(&ones);
        this
    }

    /// That of `window`, divided by the taper's own.
    pub(super) fn of(&self, window: ArrayView2<'_, f64>) -> Map {
        let side = self.taper.len();
        let weight = |(r, c): (usize, usize)| self.taper[r] * self.taper[c];
        let total = self.taper.iter().sum::<f64>().powi(2);
        let mean = window.indexed_iter().map(|(at, v)| weight(at) * v).sum::<f64>() / total;
        let tapered = Array2::from_shape_fn((side, side), |at| weight(at) * (window[at] - mean));
        let mut values = self.raw(&tapered);
        let energy = values[(self.reach, self.reach)];
        let scale =
            if energy > 0.0 { self.overlap[(self.reach, self.reach)] / energy } else { 0.0 };
        values.zip_mut_with(&self.overlap, |v, overlap| *v *= scale / overlap);
        Map { values, energy }
    }

    /// That of the part of `window` where `out` is false, over the pairs of pixels that
    /// there are; nothing where they are less than half of its weight.
    pub(super) fn of_part(
        &self,
        window: ArrayView2<'_, f64>,
        out: ArrayView2<'_, bool>,
    ) -> Option<Map> {
        let side = self.taper.len();
        let weights = Array2::from_shape_fn((side, side), |at| match out[at] {
            true => 0.0,
            false => self.taper[at.0] * self.taper[at.1],
        });
        let total = weights.sum();
        if total < LEAST_PART * self.taper.iter().sum::<f64>().powi(2) {
            return None;
        }
        let mean = weights.iter().zip(window).map(|(w, v)| w * v).sum::<f64>() / total;
        let tapered = Array2::from_shape_fn((side, side), |at| weights[at] * (window[at] - mean));
        let (mut values, overlap) = (self.raw(&tapered), self.raw(&weights));
        let middle = (self.reach, self.reach);
        let scale = match values[middle] {
            energy if energy > 0.0 => overlap[middle] / energy,
            _ => 0.0,
        };
        // As much as the whole window would have.
        let energy = values[middle] * self.overlap[middle] / overlap[middle];
        ndarray::Zip::from(&mut values).and(&overlap).and(&self.overlap).for_each(|v, &o, &all| {
            *v *= if o > LEAST_OVERLAP * all { scale / o } else { 0.0 };
        });
        Some(Map { values, energy })
    }

    /// Sums of products of pixels by lag, times the size of the field.
    fn raw(&self, window: &Array2<f64>) -> Array2<f64> {
        let (n, half) = (self.size, self.size / 2 + 1);
        let Transforms { row, col, col_back, row_back } = &self.transforms;
        // Columns of the spectrum lie along lines; rows that are all zeros stay so.
        let mut spectrum = vec![Complex::default(); half * n];
        let (mut pixels, mut line) = (row.make_input_vec(), row.make_output_vec());
        for (r, values) in window.outer_iter().enumerate() {
            pixels.fill(0.0);
            pixels.iter_mut().zip(values).for_each(|(to, &v)| *to = v);
            row.process(&mut pixels, &mut line).expect("lines are as long as planned");
            line.iter().enumerate().for_each(|(c, &v)| spectrum[c * n + r] = v);
        }
        for line in spectrum.chunks_exact_mut(n) {
            col.process(line);
            line.iter_mut().for_each(|v| *v = Complex::new(v.norm_sqr(), 0.0));
            col_back.process(line);
        }
        let side = 2 * self.reach + 1;
        let lag = |i: usize| (i + n - self.reach) % n;
        let mut products = Array2::zeros((side, side));
        for (r, mut to) in products.outer_iter_mut().enumerate() {
            line.iter_mut().enumerate().for_each(|(c, v)| *v = spectrum[c * n + lag(r)]);
            // The map is even, so these are real except for rounding.
            line[0].im = 0.0;
            if n % 2 == 0 {
                line[half - 1].im = 0.0;
            }
            row_back.process(&mut line, &mut pixels).expect("lines are as long as planned");
            to.iter_mut().enumerate().for_each(|(c, to)| *to = pixels[lag(c)]);
        }
        products
    }
}

impl Transforms {
    fn new(size: usize) -> Self {
        let (mut real, mut complex) = (RealFftPlanner::new(), FftPlanner::new());
        Self {
            row: real.plan_fft_forward(size),
            col: complex.plan_fft_forward(size),
            col_back: complex.plan_fft_inverse(size),
            row_back: real.plan_fft_inverse(size),
        }
    }
}

/// The least size from `least` on with no prime factor above 3.
fn fast_size(least: usize) -> usize {
    let without = |mut size: usize, factor: usize| {
        while size.is_multiple_of(factor) {
            size /= factor;
        }
        size
    };
    (least.max(1)..).find(|&size| without(without(size, 2), 3) == 1).expect("powers of two go on")
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
            // Neither way scales by the size of the field.
            let found = raw[at] / (transform.size * transform.size) as f64;
            assert!((found - sum).abs() < 1e-6, "{dr} {dc}: {found} {sum}");
        }
    }
}
