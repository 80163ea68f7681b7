//! Plans of fast Fourier transforms of lines. None of them scales: there and back multiplies by the
//! length.

use std::sync::Arc;

use realfft::RealFftPlanner;
use rustfft::FftPlanner;

pub use realfft::{ComplexToReal, RealToComplex};
pub use rustfft::Fft;
pub use rustfft::num_complex::{Complex32, Complex64};

/// The forward transform of `length` values.
pub fn forward(length: usize) -> Arc<dyn Fft<f64>> {
    FftPlanner::new().plan_fft_forward(length)
}

/// The transform back of `length` values.
pub fn back(length: usize) -> Arc<dyn Fft<f64>> {
    FftPlanner::new().plan_fft_inverse(length)
}

/// The forward transform of `length` values in single precision.
pub fn forward_single(length: usize) -> Arc<dyn Fft<f32>> {
    FftPlanner::new().plan_fft_forward(length)
}

/// The forward transform of `length` real values, to `length / 2 + 1` waves.
pub fn forward_real(length: usize) -> Arc<dyn RealToComplex<f64>> {
    RealFftPlanner::new().plan_fft_forward(length)
}

/// The transform of `length / 2 + 1` waves back to `length` real values.
pub fn back_real(length: usize) -> Arc<dyn ComplexToReal<f64>> {
    RealFftPlanner::new().plan_fft_inverse(length)
}
