//! What tells HyperSpy's zspy from other archives and folders.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::{open, zip};

/// Far above what HyperSpy's metadata need.
pub(super) const MAX_METADATA: u64 = 1 << 24;

/// Whether a zip archive or a folder says so.
pub(super) fn is_zspy(path: &Path) -> bool {
    let root = root(path).and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    root.is_some_and(|root| root["file_format"] == "ZSpy")
}

/// The attributes of the root; those of a folder must be a regular file, no link.
fn root(path: &Path) -> Option<Vec<u8>> {
    const NAME: &str = ".zattrs";
    let mut text = Vec::new();
    if path.is_dir() {
        let file = path.join(NAME);
        std::fs::symlink_metadata(&file).ok().filter(std::fs::Metadata::is_file)?;
        open(&file).ok()?.take(MAX_METADATA).read_to_end(&mut text).ok()?;
    } else {
        let mut archive = zip::open(path).ok()?;
        archive.by_name(NAME).ok()?.take(MAX_METADATA).read_to_end(&mut text).ok()?;
    }
    Some(text)
}
