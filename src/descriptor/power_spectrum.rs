//! Power-spectrum family: the squared Fourier amplitudes of the window.
//!
//! With `w = sqrt(outer(h, h))` for the symmetric Hann window `h` (0 at both ends)
//! and `m` the mean of the window's pixels, in the file's units:
//!
//! `ln(|F[w (I - m)]|^2 + 1)`, or `|F[w (I - m)]|^2`
//!
//! (pySTEM's power spectra, so that results can be compared.) Half of a real
//! window's spectrum repeats the other: `F(-k)` is the conjugate of `F(k)`.

use ndarray::{Array2, ArrayView2, s};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::MOST_CHANNELS;
use super::inner_sites::{InnerSites, Norms};
use super::rounding::{self, EPS, Rounding, Subject};
use super::traits::{Choose, Common, Measure};
use crate::sites::{Band, Extent, SiteGrid, Sites};
use crate::{Error, Result};

/// Which frequencies are channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spectrum {
    /// Each pair of opposite frequencies once.
    #[default]
    Half,
    /// All, in the order of the FFT.
    Full,
}

/// What is done to the squared amplitudes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// `ln(. + 1)`.
    #[default]
    Log,
    /// Nothing.
    Linear,
}

/// What a user chooses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Params {
    /// Half size of the window, px.
    pub window: Extent,
    /// Which frequencies are channels.
    pub spectrum: Spectrum,
    /// What is done to the squared amplitudes.
    pub scale: Scale,
}

impl Default for Params {
    fn default() -> Self {
        let (spectrum, scale) = Default::default();
        Self { window: Extent::square(20), spectrum, scale }
    }
}

impl Choose for Params {
    fn margin_of(&self) -> &'static str {
        "window"
    }

    fn advice(&self, shape: Extent, enough: &dyn Fn(Extent) -> bool) -> String {
        super::checks::smaller_half("window", self.window, shape, enough)
    }

    fn common(&mut self) -> Common<'_> {
        Common { window: Some(&mut self.window), ..Default::default() }
    }
}

impl Params {
    /// Checks the parameters against an image of `shape` px.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the parameter and its limit.
    pub fn plan(&self, shape: Extent) -> Result<Family> {
        if self.window.rows.min(self.window.cols) == 0 {
            let reason = "a spectrum needs at least 1 px on each side";
            return Err(Error::parameter("window", self.window, reason));
        }
        let Params { window, spectrum, scale } = *self;
        let full = window.full();
        // A window beyond the image is refused with the margin.
        let fits = full.rows <= shape.rows && full.cols <= shape.cols;
        let frequencies = if fits { frequencies(full, spectrum) } else { Vec::new() };
        if frequencies.len() > MOST_CHANNELS {
            let reason = format!(
                "that makes {} frequencies, but at most {MOST_CHANNELS} are possible; give a smaller one",
                frequencies.len()
            );
            return Err(Error::parameter("window", self.window, reason));
        }
        Ok(Family { window, scale, frequencies })
    }
}

/// Rows and columns of the spectrum, in its order.
fn frequencies(full: Extent, spectrum: Spectrum) -> Vec<[usize; 2]> {
    let all = (0..full.rows).flat_map(|row| (0..full.cols).map(move |col| [row, col]));
    let [half_rows, half_cols] = [full.rows / 2, full.cols / 2];
    let keep = |&[row, col]: &[usize; 2]| match spectrum {
        Spectrum::Full => true,
        Spectrum::Half => col <= half_cols && (col > 0 || row <= half_rows),
    };
    all.filter(keep).collect()
}

/// The family ready to compute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Half size of the window, px.
    pub window: Extent,
    /// What is done to the squared amplitudes.
    pub scale: Scale,
    /// Row and column of each channel in the spectrum.
    pub frequencies: Vec<[usize; 2]>,
}

impl Family {
    /// Square roots of a symmetric Hann window of `length` samples.
    pub fn taper(length: usize) -> Vec<f64> {
        let angle = |i: usize| std::f64::consts::PI * i as f64 / (length - 1) as f64;
        // sqrt(1/2 - cos(2 x) / 2)
        (0..length).map(|i| angle(i).sin().abs()).collect()
    }

    /// The spectrum of `window`, in its order.
    fn spectrum(&self, window: ArrayView2<'_, f64>) -> Vec<f64> {
        let (rows, cols) = window.dim();
        let mean = window.sum() / window.len() as f64;
        let (down, along) = (Self::taper(rows), Self::taper(cols));
        let tapered = Array2::from_shape_fn((rows, cols), |(r, c)| {
            (window[(r, c)] - mean) * down[r] * along[c]
        });
        // First along the rows, then down the columns.
        let half = Array2::from_shape_fn((rows, cols), |(r, k)| {
            (0..cols).fold((0.0, 0.0), |(re, im), c| {
                let (sin, cos) = turn(k, c, cols);
                (re + tapered[(r, c)] * cos, im - tapered[(r, c)] * sin)
            })
        });
        let power = |&[k, col]: &[usize; 2]| {
            let (re, im) = (0..rows).fold((0.0, 0.0), |(re, im), r| {
                let (sin, cos) = turn(k, r, rows);
                let (a, b) = half[(r, col)];
                (re + a * cos + b * sin, im + b * cos - a * sin)
            });
            let power: f64 = re * re + im * im;
            match self.scale {
                Scale::Log => power.ln_1p(),
                Scale::Linear => power,
            }
        };
        self.frequencies.iter().map(power).collect()
    }
}

impl Measure for Family {
    fn margin(&self) -> Extent {
        self.window
    }

    fn channels(&self) -> usize {
        self.frequencies.len()
    }

    fn channel_names(&self) -> Vec<String> {
        let full = self.window.full();
        let signed =
            |k: usize, n: usize| if k <= n / 2 { k as isize } else { k as isize - n as isize };
        let name = |&[row, col]: &[usize; 2]| {
            format!("power ({}, {})", signed(row, full.rows), signed(col, full.cols))
        };
        self.frequencies.iter().map(name).collect()
    }

    /// One site is a few hundred channels: few sites.
    fn tile_size(&self, _stride: usize) -> Extent {
        Extent { rows: 4, cols: 64 }
    }

    fn by_definition(
        &self,
        image: ArrayView2<'_, f64>,
        grid: &SiteGrid,
        _mask: Option<ArrayView2<'_, bool>>,
    ) -> Array2<f64> {
        let full = self.window.full();
        let mut all = Array2::zeros((grid.len(), self.frequencies.len()));
        for (site, mut out) in all.rows_mut().into_iter().enumerate() {
            let row = grid.row(site / grid.count.cols) - self.window.rows;
            let col = grid.col(site % grid.count.cols) - self.window.cols;
            let window = image.slice(s![row..row + full.rows, col..col + full.cols]);
            out.iter_mut().zip(self.spectrum(window)).for_each(|(to, v)| *to = v);
        }
        all
    }

    /// Rounding moves amplitudes, and values by what follows from that whatever their
    /// size. An amplitude is a sum over half a line, then over half the lines, with four
    /// more operations a pixel; the terms' sizes come to at most `sqrt(n)` times the norm
    /// of the tapered window, which the site's own powers tell (Parseval). Pixels less
    /// the centre are rounded before the mean is taken off, each for itself. What the
    /// mean is off, a sum over lines and then over these, leaks into a frequency as the
    /// tapers have it.
    fn rounding(&self, subject: Subject<'_>, band: &Band) -> Rounding<'_> {
        let Subject { image, sites, deviation } = subject;
        let (full, half) = (self.window.full(), self.window + Extent::square(1));
        let n = full.area() as f64;
        let of_norm = rounding::sum(half.rows) + rounding::sum(half.cols) + 4.0 * EPS;
        let of_mean = rounding::sum(full.rows) + rounding::sum(full.cols) + 2.0 * EPS;
        let (range, unit) = (rounding::range(image, sites, band), deviation);
        let (means, (leaks, tapers)) = (self.means(image, sites, band), self.leaks());
        let reason = format!(
            "amplitudes within 2 eps (sqrt({n} px) (sqrt({}) + sqrt({}) + 4) norm of the tapered \
             window + 8 (mean - centre) norm of the tapers + (sqrt({}) + sqrt({}) + 2) (range + \
             mean) tapers there)",
            half.rows, half.cols, full.rows, full.cols
        );
        Rounding::new(reason, move |site, values, out| {
            let [mean, offset] = means[site];
            let norm = (self.energy(values) / n).sqrt();
            let all = of_norm * n.sqrt() * norm + 8.0 * EPS * offset.abs() * tapers * unit;
            let of_mean = of_mean * (range + mean.abs()) * unit;
            for ((out, &value), leak) in out.iter_mut().zip(values).zip(&leaks) {
                *out = self.spread(value.into(), 2.0 * (all + of_mean * leak));
            }
        })
    }
}

/// What the bound between two backends is made of.
impl Family {
    /// Mean of the window of each site of `band`, and that less its centre.
    fn means(&self, image: ArrayView2<'_, f32>, sites: &Sites, band: &Band) -> Vec<[f64; 2]> {
        let inner = InnerSites { grid: *sites.grid(), window: Extent::default() };
        let reach = vec![self.window.cols; self.window.rows + 1];
        let offsets = Norms::new(image, &inner, band.rows.clone(), &reach).offset;
        let mean = |(site, offset): (usize, f32)| {
            let (row, col) = (band.rows.start + site / band.cols, site % band.cols);
            let centre = image[(sites.grid().row(row), sites.grid().col(col))];
            [f64::from(centre) + f64::from(offset), offset.into()]
        };
        offsets.into_iter().enumerate().map(mean).collect()
    }

    /// Spectrum of the tapers at each channel, and their norm.
    fn leaks(&self) -> (Vec<f64>, f64) {
        let axis = |half: usize| {
            let n = 2 * half + 1;
            let taper = Self::taper(n);
            let at = |k: usize| -> f64 {
                let term = |(i, v): (usize, &f64)| v * turn(k, i + n - half, n).1;
                taper.iter().enumerate().map(term).sum()
            };
            let spectrum: Vec<f64> = (0..n).map(at).collect();
            (spectrum, taper.iter().map(|v| v * v).sum::<f64>().sqrt())
        };
        let ((rows, down), (cols, along)) = (axis(self.window.rows), axis(self.window.cols));
        let leak = |&[row, col]: &[usize; 2]| (rows[row] * cols[col]).abs();
        (self.frequencies.iter().map(leak).collect(), down * along)
    }

    /// Sum of the powers of all frequencies of a site, those that are not channels too.
    fn energy(&self, values: &[f32]) -> f64 {
        let all = self.frequencies.len() == self.window.full().area();
        let times = |at: &[usize; 2]| if all || *at == [0, 0] { 1.0 } else { 2.0 };
        let powers = self.frequencies.iter().zip(values);
        powers.map(|(at, &v)| times(at) * self.power(v.into())).sum()
    }

    /// The squared amplitude that `value` stands for.
    fn power(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Log => value.exp_m1(),
            Scale::Linear => value,
        }
    }

    /// How far `value` moves where its amplitude does so by `loss`, with what both
    /// backends round by afterwards.
    fn spread(&self, value: f64, loss: f64) -> f64 {
        let power = self.power(value).max(0.0);
        let high = (power.sqrt() + loss).powi(2);
        let low = (power.sqrt() - loss).max(0.0).powi(2);
        match self.scale {
            Scale::Linear => high - power + 8.0 * EPS * high,
            // Squares, their sum and 1 + p; logarithms by 2^-21 or 3 last places.
            Scale::Log => {
                let farther = (high.ln_1p() - value).max(value - low.ln_1p());
                farther + 2.0 * EPS * (5.0 + 8.0 + 6.0 * value)
            }
        }
    }
}

/// Sine and cosine of `k i / n` turns, exact whatever their number.
pub(crate) fn turn(k: usize, i: usize, n: usize) -> (f64, f64) {
    (std::f64::consts::TAU * ((k * i) % n) as f64 / n as f64).sin_cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_spectrum_holds_each_pair_once() {
        for full in [Extent { rows: 5, cols: 7 }, Extent::square(3)] {
            let half = frequencies(full, Spectrum::Half);
            let all = frequencies(full, Spectrum::Full);
            assert_eq!((half.len(), all.len()), (full.area().div_ceil(2), full.area()));
            for [row, col] in all {
                let opposite = [(full.rows - row) % full.rows, (full.cols - col) % full.cols];
                assert!(
                    half.contains(&[row, col]) != half.contains(&opposite) || opposite == [0, 0]
                );
            }
        }
    }
}
