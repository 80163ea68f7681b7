//! What the tests of stemseg share: where data lies, the devices that trials run on, folders
//! with images, small files of every format.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "tests fail by panicking, and their parts explain themselves"
)]

pub mod data;
pub mod devices;
pub mod files;
pub mod needs;
pub mod npy;
pub mod place;
pub mod wrong;

use std::path::{Path, PathBuf};

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
