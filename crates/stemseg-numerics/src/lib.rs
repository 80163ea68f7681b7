//! Fourier transforms and decompositions of matrices, for the number types that stemseg has.
//!
//! rustfft and faer are generic: whoever names a type compiles their kernels for it, which were a
//! fifth of the code of each crate and of its tests. What is called here is compiled once.

pub mod fourier;
pub mod linear;
