//! What the frames of a film know of each other, as functions on arrays: the drift of the
//! specimen ([`register`]), averages along time ([`smooth`]), boundaries and how fast they move
//! ([`boundary`], [`kinetics`]), domains and what becomes of them ([`domains`]).
//!
//! All lengths are in px and all times in frames; label maps are `[rows, cols]`, 0 where a pixel
//! has no label. Results do not depend on the number of threads.

mod blur;
pub mod boundary;
pub mod domains;
mod fourier;
pub mod kinetics;
pub mod register;
pub mod smooth;
