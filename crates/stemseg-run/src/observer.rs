//! [`Observer`]: who is told what a run does.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use stemseg::backend::DeviceInfo;
use stemseg::image::micrograph::PixelSize;
use stemseg::pipeline::Segmentation;
use stemseg::remarks::Warning;
use stemseg::wording::Text;
use stemseg::{Error, Progress, Result, Silent};

use crate::Image;

/// Is told what a run does, from several threads, and asked whether to go on (see
/// [`Progress::check`]). What it leaves out is not shown.
pub trait Observer: Progress {
    /// A run over `count` images begins, of which one that fails does not stop the others.
    fn images(&self, _count: usize) {}

    /// Something that one should know, about an image or the run as a whole.
    fn note(&self, _image: Option<&Path>, _note: &Text) {}

    /// Why a result may be wrong.
    fn warning(&self, _image: Option<&Path>, _warning: &Warning) {}

    /// What was decided and why.
    fn detail(&self, _detail: &str) {}

    /// Work on `image` begins, or ends: memory that runs out in between may be its fault.
    fn at_work(&self, _image: &Path, _begins: bool) {}

    /// The result of an image is in its place.
    ///
    /// # Errors
    /// Where it could not be told; the image then counts as failed.
    fn finished(&self, _result: &Finished<'_>) -> Result<()> {
        Ok(())
    }

    /// An image failed.
    fn failed(&self, _image: &Image, _error: &Error) {}
}

impl Observer for Silent {}

/// A result that is in its place.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished<'a> {
    /// The image.
    pub image: &'a Image,
    /// The result folder.
    pub place: &'a Path,
    /// Its summary.json.
    pub summary: &'a Value,
    /// What was computed; none where an earlier result was kept.
    pub segmented: Option<&'a Segmented>,
}

/// What was computed for an image.
#[derive(Debug)]
#[non_exhaustive]
pub struct Segmented {
    /// What was found.
    pub found: Segmentation,
    /// What computed it.
    pub device: DeviceInfo,
    /// Size of a pixel, where it is known.
    pub pixel_size: Option<PixelSize>,
    /// How long all of it took, without waiting for other images.
    pub took: Duration,
}

impl Segmented {
    pub(crate) fn new(
        found: Segmentation,
        device: DeviceInfo,
        pixel_size: Option<PixelSize>,
        took: Duration,
    ) -> Self {
        Self { found, device, pixel_size, took }
    }
}

/// Tells an observer that an image is at work as long as this lives.
pub(crate) struct AtWork<'a> {
    observer: &'a dyn Observer,
    image: &'a Path,
}

impl<'a> AtWork<'a> {
    pub(crate) fn new(observer: &'a dyn Observer, image: &'a Path) -> Self {
        observer.at_work(image, true);
        Self { observer, image }
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.observer.at_work(self.image, false);
    }
}
