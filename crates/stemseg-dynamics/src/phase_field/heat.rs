//! Diffusion over a time, exactly: each wave of an image decays by itself.

use std::sync::Arc;

use ndarray::{Array2, Axis};
use rayon::prelude::*;
use stemseg_numerics::fourier::{ComplexToReal, RealToComplex, back_real, forward_real};

/// Diffuses along one axis. The image is continued by its mirror image, so that nothing flows
/// over its borders.
struct Line {
    length: usize,
    forth: Arc<dyn RealToComplex<f64>>,
    back: Arc<dyn ComplexToReal<f64>>,
    /// Factor of each wave of the doubled line, over its length.
    decay: Vec<f64>,
}

impl Line {
    /// `spread` is the diffusivity times the time, px^2.
    fn new(length: usize, spread: f64) -> Self {
        let double = 2 * length;
        let wave = |j: usize| std::f64::consts::PI * j as f64 / length as f64;
        let decay =
            (0..=length).map(|j| libm::exp(-spread * wave(j).powi(2)) / double as f64).collect();
        Self { length, forth: forward_real(double), back: back_real(double), decay }
    }

    fn diffuse(&self, line: &mut [f64]) {
        let mut double: Vec<f64> = line.iter().chain(line.iter().rev()).copied().collect();
        let mut waves = self.forth.make_output_vec();
        // Lengths are those of the plan, and the first and last wave stay real.
        if self.forth.process(&mut double, &mut waves).is_err() {
            return;
        }
        waves.iter_mut().zip(&self.decay).for_each(|(wave, decay)| *wave *= *decay);
        if self.back.process(&mut waves, &mut double).is_ok() {
            line.copy_from_slice(&double[..self.length]);
        }
    }
}

/// Diffuses images of one size over one time.
pub(super) struct Heat {
    along: Line,
    down: Option<Line>,
}

impl Heat {
    /// For images of `[rows, columns]`; a single row diffuses along itself. `spread` is the
    /// diffusivity times the time, px^2.
    pub(super) fn new([rows, cols]: [usize; 2], spread: f64) -> Self {
        let down = (rows > 1).then(|| Line::new(rows, spread));
        Self { along: Line::new(cols, spread), down }
    }

    /// `image` after that time.
    pub(super) fn diffuse(&self, image: &mut Array2<f64>) {
        lines(image, &self.along);
        if let Some(down) = &self.down {
            let mut turned = image.t().as_standard_layout().into_owned();
            lines(&mut turned, down);
            *image = turned.t().as_standard_layout().into_owned();
        }
    }
}

fn lines(image: &mut Array2<f64>, line: &Line) {
    image.axis_iter_mut(Axis(0)).into_par_iter().for_each(|mut row| {
        if let Some(row) = row.as_slice_mut() {
            line.diffuse(row);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_wave_decays_as_it_must() {
        let (rows, cols, spread) = (24, 40, 3.0);
        let wave = |n: usize, of: usize| std::f64::consts::PI * n as f64 / of as f64;
        let (p, q) = (wave(3, rows), wave(5, cols));
        let image = |scale: f64| {
            Array2::from_shape_fn((rows, cols), |(r, c)| {
                0.5 + scale * (p * (r as f64 + 0.5)).cos() * (q * (c as f64 + 0.5)).cos()
            })
        };
        let mut got = image(0.3);
        Heat::new([rows, cols], spread).diffuse(&mut got);
        let right = image(0.3 * (-spread * (p * p + q * q)).exp());
        let worst = (&got - &right).iter().fold(0.0_f64, |worst, d| worst.max(d.abs()));
        assert!(worst < 1e-14, "{worst}");
    }

    #[test]
    fn nothing_is_lost() {
        let mut image = Array2::from_shape_fn((1, 50), |(_, c)| f64::from(u8::from(c < 13)));
        Heat::new([1, 50], 40.0).diffuse(&mut image);
        assert!((image.sum() - 13.0).abs() < 1e-12, "{}", image.sum());
        assert!(image.iter().all(|v| (0.0..=1.0).contains(v)));
    }
}
