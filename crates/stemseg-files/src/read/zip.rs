//! Zip archives, which hold arrays of numpy and of zarr.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use ::zip::ZipArchive;
use ::zip::result::ZipError;

use super::{damaged, failed};
use stemseg::{Error, Result};

/// An open archive.
pub(super) type Archive = ZipArchive<BufReader<File>>;

/// Reads the list of members.
pub(super) fn open(path: &Path) -> Result<Archive> {
    let file = BufReader::new(super::open(path)?);
    ZipArchive::new(file).map_err(|error| unreadable(path, error))
}

/// The crate's error as this library's: what is packed in another way is not damage.
pub(super) fn unreadable(path: &Path, error: ZipError) -> Error {
    let other = |what: &str| {
        let reason = format!(
            "is a zip archive of a kind that is not read ({what}); pack it with deflate and \
             without a password, as numpy.savez_compressed does, or unpack it"
        );
        Error::unreadable(path, reason)
    };
    match error {
        ZipError::Io(error) => failed(path, error),
        ZipError::UnsupportedArchive(what) => other(what),
        ZipError::CompressionMethodNotSupported(number) => other(&format!("method {number}")),
        error => damaged(path, error),
    }
}
