//! What is tried with hostile bytes. Each target panics where stemseg does not hold what
//! it promises; it is shared with cargo-fuzz's targets in `fuzz/`.

use std::path::Path;

use stemseg::model::Model;
use stemseg::{Error, Silent};
use stemseg_files::read::{Frame, ImageFile, recognised};

/// Reads all that an image file holds: first, last and mean frame of every image, and
/// the statistics.
pub(crate) fn image(path: &Path) {
    let outcome = || -> Result<(), Error> {
        recognised(path)?;
        let mut file = ImageFile::open(path)?;
        for image in 0..file.entries().len().min(20) {
            let entry = file.entries()[image].clone();
            let frames = entry.frames().unwrap_or(1);
            for frame in [0, frames.saturating_sub(1)] {
                match file.load(image, frame) {
                    Ok((pixels, _)) => {
                        let (rows, cols) = pixels.shape();
                        let start = usize::from(entry.frames().is_some());
                        assert_eq!([rows, cols], entry.shape[start..start + 2], "{entry:?}");
                    }
                    Err(error) => check(path, &error),
                }
            }
            if (2..4).contains(&frames) {
                file.statistics(image, &Silent).map(drop)?;
            }
        }
        drop(file);
        stemseg_files::read::read_frame(path, None, Some(Frame::Mean)).map(drop)
    };
    if let Err(error) = outcome() {
        check(path, &error);
    }
}

/// Reads a model.
pub(crate) fn model(path: &Path) {
    if let Err(error) = Model::load(path) {
        check(path, &error);
    }
}

/// An error names the file in one sentence.
fn check(path: &Path, error: &Error) {
    let said = error.to_string();
    assert!(said.contains(&path.display().to_string()), "names no file: {said}");
    assert!(!said.contains(['\n', '\r']) && !said.contains(". "), "no one sentence: {said}");
    assert!(said.len() < 1500, "{} bytes: {said:.200}", said.len());
}
