//! Files in and out: [`read`] turns a file into pixels, [`mod@write`] a label map
//! into files.

pub mod read;
pub mod write;
