//! Autocorrelation of a window by fast Fourier transform.

use std::f64::consts::TAU;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use stemseg_numerics::fourier::{self, Complex64, ComplexToReal, Fft, RealToComplex};

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
    /// Of a map.
    of_maps: Transforms,
    /// Waves at the lags, where there are more of them than pixels.
    between: Option<Between>,
    /// Largest lag on either axis, in steps.
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
    /// `[2 reach + 1, 2 reach + 1]`, in steps of lag, no lag in the middle.
    pub(super) values: Array2<f64>,
    /// Sum of squares of the window about its mean.
    pub(super) energy: f64,
}

impl Map {
    /// Its value at a `lag` between steps; nothing beyond its reach.
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
    /// Of windows of `side` px, at up to `reach` lags along an axis, of which a pixel has
    /// `steps`; lags reach less than half of a window.
    pub(super) fn new(side: usize, steps: usize, reach: usize) -> Self {
        let taper = hann(side);
        let reach = reach.min((side / 2 - 2) * steps);
        let size = fast_size(side + reach.div_ceil(steps));
        let overlap = Array2::zeros((0, 0));
        let between = (steps > 1).then(|| Between::new(size, steps, reach));
        let transforms = Transforms::new(size);
        let of_maps = Transforms::new(fast_size(2 * reach + 1));
        let mut this = Self { taper, size, transforms, of_maps, between, reach, overlap };
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
        let powers = self.transforms.powers(window);
        match &self.between {
            Some(between) => between.sums(&powers),
            None => self.back(powers),
        }
    }

    /// Powers of the waves in a window that has this `map`, `[n / 2 + 1, n]`, where `n` is at
    /// least the side of the map and the steps of lag of one period: along lines those with as many
    /// periods down the columns. A Hann window keeps them apart.
    pub(super) fn spectrum(&self, map: &Map) -> Array2<f64> {
        let taper = hann(map.values.nrows());
        let tapered = Array2::from_shape_fn(map.values.dim(), |(r, c)| {
            taper[r] * taper[c] * map.values[(r, c)]
        });
        self.of_maps.powers(&tapered).mapv(f64::sqrt)
    }

    /// What has these `powers`, at whole pixels.
    fn back(&self, powers: Array2<f64>) -> Array2<f64> {
        let (n, half) = (self.size, self.size / 2 + 1);
        let Transforms { col_back, row_back, .. } = &self.transforms;
        let mut spectrum: Vec<Complex64> =
            powers.iter().map(|&power| Complex64::new(power, 0.0)).collect();
        spectrum.chunks_exact_mut(n).for_each(|line| col_back.process(line));
        let (mut line, mut pixels) = (row_back.make_input_vec(), row_back.make_output_vec());
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

/// The sums of waves at lags between pixels: what a field of finer pixels would have.
struct Between {
    /// Cosine and sine of waves along the columns, lags along lines: `[reach + 1, size]`.
    down: [Array2<f64>; 2],
    /// The same along the rows, `[size / 2 + 1, 2 reach + 1]`; waves that stand for two
    /// count twice.
    along: [Array2<f64>; 2],
}

impl Between {
    fn new(size: usize, steps: usize, reach: usize) -> Self {
        let turn = |wave: f64, lag: f64| TAU * wave * lag / (steps * size) as f64;
        // Waves from the middle of the spectrum on have negative frequencies.
        let signed = |wave: usize| match 2 * wave > size {
            true => wave as f64 - size as f64,
            false => wave as f64,
        };
        let down = |of: fn(f64) -> f64| {
            Array2::from_shape_fn((reach + 1, size), |(lag, wave)| {
                of(turn(signed(wave), lag as f64))
            })
        };
        let along = |of: fn(f64) -> f64| {
            Array2::from_shape_fn((size / 2 + 1, 2 * reach + 1), |(wave, lag)| {
                let twice = if wave == 0 || 2 * wave == size { 1.0 } else { 2.0 };
                twice * of(turn(wave as f64, lag as f64 - reach as f64))
            })
        };
        Self { down: [down(f64::cos), down(f64::sin)], along: [along(f64::cos), along(f64::sin)] }
    }

    /// What has these `powers`, at all lags.
    fn sums(&self, powers: &Array2<f64>) -> Array2<f64> {
        let [cos, sin] = &self.along;
        let [down_cos, down_sin] = self.down.each_ref().map(|waves| waves.dot(&powers.t()));
        let below = down_cos.dot(cos) - down_sin.dot(sin);
        // The map is even: what lies above is what lies below, turned round.
        let (reach, side) = (below.nrows() - 1, below.ncols());
        Array2::from_shape_fn((side, side), |(r, c)| match r.checked_sub(reach) {
            Some(lag) => below[(lag, c)],
            None => below[(reach - r, side - 1 - c)],
        })
    }
}

impl Transforms {
    fn new(size: usize) -> Self {
        Self {
            row: fourier::forward_real(size),
            col: fourier::forward(size),
            col_back: fourier::back(size),
            row_back: fourier::back_real(size),
        }
    }

    /// Power spectrum `[size / 2 + 1, size]`: columns of the field's spectrum along lines.
    fn powers(&self, window: &Array2<f64>) -> Array2<f64> {
        let Self { row, col, .. } = self;
        let n = col.len();
        let half = n / 2 + 1;
        // Rows that are all zeros stay so.
        let mut spectrum = vec![Complex64::default(); half * n];
        let (mut pixels, mut line) = (row.make_input_vec(), row.make_output_vec());
        for (r, values) in window.outer_iter().enumerate() {
            pixels.fill(0.0);
            pixels.iter_mut().zip(values).for_each(|(to, &v)| *to = v);
            row.process(&mut pixels, &mut line).expect("lines are as long as planned");
            line.iter().enumerate().for_each(|(c, &v)| spectrum[c * n + r] = v);
        }
        spectrum.chunks_exact_mut(n).for_each(|line| col.process(line));
        let powers = spectrum.iter().map(Complex64::norm_sqr).collect();
        Array2::from_shape_vec((half, n), powers).expect("one for each wave")
    }
}

/// A Hann window of this many values.
fn hann(side: usize) -> Vec<f64> {
    let angle = |i: usize| std::f64::consts::PI * (i as f64 + 0.5) / side as f64;
    (0..side).map(|i| angle(i).sin().powi(2)).collect()
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
        let transform = Autocorrelation::new(32, 1, 14);
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

    #[test]
    fn between_pixels_it_is_that_of_the_waves() {
        let window = |side: usize| {
            Array2::from_shape_fn((side, side), |(r, c)| (1.9 * r as f64 + 0.4 * c as f64).cos())
        };
        let [whole, finer] = [1, 4].map(|steps| Autocorrelation::new(48, steps, 10 * steps));
        let [whole, finer] = [whole.of(window(48).view()), finer.of(window(48).view())];
        for r in 0..=20 {
            for c in 0..=20 {
                let (one, other) = (whole.values[(r, c)], finer.values[(4 * r, 4 * c)]);
                assert!((one - other).abs() < 1e-9, "{r} {c}: {one} {other}");
            }
        }
        // Half a pixel further the wave has gone on.
        for [r, c] in [[0.5, 0.0], [1.25, -0.75], [-2.0, 3.5]] {
            let found = finer.at([4.0 * r, 4.0 * c]).unwrap();
            let expected = (1.9 * r + 0.4 * c).cos();
            assert!((found - expected).abs() < 0.02, "{r} {c}: {found} {expected}");
        }
    }
}
