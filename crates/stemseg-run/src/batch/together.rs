//! One set of patterns for all images of a request.

use std::path::PathBuf;

use stemseg::model::Scale;
use stemseg::wording::Text;
use stemseg::{Error, Result};

use super::images::{Images, Search};
use super::outcomes::Outcomes;
use super::run_by;
use crate::applied::Applied;
use crate::fit::fit;
use crate::input::read::{Read, read_within};
use crate::observer::Observer;
use crate::request::Request;

/// Which images of a request the patterns of all are fitted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Together {
    /// The first of them.
    First,
    /// All of them, which are in memory at a time while it is fitted.
    All,
}

/// As [`run`](super::run()), but with one model for all images: a label means the same in all of
/// them, and a column of the table the same in all its lines.
///
/// # Errors
/// As [`run`](super::run()); for several numbers of patterns, and for an image that is to be fitted
/// to and cannot be read.
pub fn run_together(
    request: &Request,
    together: Together,
    observer: &dyn Observer,
) -> Result<Outcomes> {
    request.check(&request.settings)?;
    if request.settings.clusters.len() > 1 {
        let numbers: Vec<String> = request.settings.clusters.iter().map(usize::to_string).collect();
        let reason = "images that share a model have one number of patterns; give one, or auto";
        return Err(Error::parameter("clusters", numbers.join(","), reason));
    }
    observer.stage("read");
    let besides = request.besides(&request.settings);
    let search = Search {
        given: &request.images,
        recursive: request.recursive,
        out: request.output.place.as_deref(),
        besides: &besides,
    };
    let files: Vec<PathBuf> =
        Images::find(&search)?.images.into_iter().map(|image| image.file).collect();
    let fitted = match together {
        Together::First => &files[..1],
        Together::All => &files[..],
    };
    let read = |file: &PathBuf| -> Result<Read> {
        observer.check()?;
        read_within(request.memory, file, &request.input)
    };
    let images = fitted.iter().map(read).collect::<Result<Vec<Read>>>()?;
    let model = fit(&images, request, observer)?;
    drop(images);
    let name = match fitted {
        [one] => one.clone(),
        several => format!("{} images", several.len()).into(),
    };
    let note = format!("{} patterns, fitted to {}", model.clusters(), name.display());
    observer.note(None, &Text::literal(&note));
    run_by(request, &Applied::of(model, &name, Scale::Auto), observer)
}
