//! The equation of motion of a segmented film: arrays in, equation out.

mod bump;
mod error;
mod film;
mod find;
pub mod phase_field;
mod random;
mod regression;
pub mod term;
mod weak;

pub use self::error::{Error, Result};
pub use self::film::Film;
pub use self::weak::Scale;

/// Frames that a film must have.
pub const LEAST_FRAMES: usize = 5;
