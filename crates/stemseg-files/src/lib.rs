//! Files in and out: [`read`] turns a file into pixels, [`mod@write`] a label map
//! into files.
//!
//! Cargo features, all on by default, bring formats with dependencies of their own:
//! `vendor` reads files of instruments (DM3, DM4, ser, emi, EMD, MRC), `hspy` reads and
//! writes HyperSpy's hspy, `zarr` reads zspy and writes OME-Zarr. TIFF, npy, npz, PNG and
//! JPEG need none. A format that is left out is refused with the name of its feature.

mod features;
pub mod read;
pub mod write;

pub use features::Feature;
