//! One image on its way to being described: its pixels and what is known about them, which of
//! them have no data, what a pixel measures, and the image resampled to one period.

pub mod calibration;
pub(crate) mod gaussian;
pub mod micrograph;
pub mod rows;
pub mod sampling;
mod screening;
