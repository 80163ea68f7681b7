//! What is wrong with a file, in words, and checks before anything is read of it.

use std::fs::File;
use std::io;
use std::path::Path;

use stemseg::{Error, Result, memory};

/// Opens a regular file. Pipes and devices are refused: to open one may wait for
/// ever, and its bytes can be read only once.
pub(super) fn open(path: &Path) -> Result<File> {
    let metadata = std::fs::metadata(path).map_err(Error::io(path))?;
    if !metadata.is_file() {
        let reason = "is not a regular file; save the image to a file first";
        return Err(Error::unreadable(path, reason));
    }
    File::open(path).map_err(Error::io(path))
}

pub(super) fn file_size(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(Error::io(path))?.len())
}

/// The error for a read that failed: a file that ends early is named as such.
pub(super) fn failed(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::unreadable(path, "ends too early: it is truncated, so copy or export it again")
        }
        io::ErrorKind::InvalidData | io::ErrorKind::Other => damaged(path, error),
        _ => Error::io(path)(error),
    }
}

/// The error for content that contradicts itself.
pub(super) fn damaged(path: &Path, what: impl std::fmt::Display) -> Error {
    let what = in_one_sentence(&what.to_string());
    Error::unreadable(path, format!("is damaged ({what}); copy or export it again"))
}

/// What a crate says, as a part of a sentence.
pub(super) fn in_one_sentence(said: &str) -> String {
    const LONGEST: usize = 200;
    let said = said.replace(['\n', '\r'], " ").replace(". ", "; ");
    match said.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &said[..end]),
        None => said,
    }
}

/// Refuses a file whose header declares more bytes (`None` beyond 2^64) than the
/// `available` ones can hold, or whose chosen image needs more memory than there
/// is. To be called before anything is allocated by what a header says.
pub(super) fn check_size(
    path: &Path,
    declared: Option<u64>,
    available: u64,
    image: u64,
) -> Result<()> {
    if declared.is_none_or(|bytes| bytes > available) {
        let bytes = declared.map_or("more than 2^64".into(), |bytes| bytes.to_string());
        let reason = format!(
            "declares {bytes} bytes of pixels but is too short to hold them: \
             it is truncated or damaged, so copy or export it again"
        );
        return Err(Error::unreadable(path, reason));
    }
    if !memory::is_there(image) {
        let gib = image as f64 / f64::from(1 << 30);
        let reason =
            format!("needs {gib:.1} GiB of memory, more than there is; crop or bin it first");
        return Err(Error::unreadable(path, reason));
    }
    Ok(())
}
