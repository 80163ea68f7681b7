//! The equation of motion of a segmented film: arrays in, equation out.

mod error;
pub mod phase_field;
mod random;
pub mod term;

pub use self::error::{Error, Result};

/// Frames that a film must have.
pub const LEAST_FRAMES: usize = 5;
