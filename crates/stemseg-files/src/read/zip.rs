//! Zip archives, which hold arrays of numpy and of zarr.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use ::zip::ZipArchive;
use ::zip::result::ZipError;

use super::{damaged, failed, in_one_sentence};
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
    match error {
        ZipError::UnsupportedArchive(what) => other_kind(path, what),
        error => member_failed(path, error.into()),
    }
}

/// The error for a member that could not be read; only then it is seen how it is packed.
pub(super) fn member_failed(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::Unsupported => other_kind(path, &error.to_string()),
        io::ErrorKind::InvalidInput | io::ErrorKind::NotFound => damaged(path, error),
        _ => failed(path, error),
    }
}

fn other_kind(path: &Path, what: &str) -> Error {
    let reason = format!(
        "is a zip archive of a kind that is not read ({}); pack it with deflate and without a \
         password, as numpy.savez_compressed does, or unpack it",
        in_one_sentence(what)
    );
    Error::unreadable(path, reason)
}
