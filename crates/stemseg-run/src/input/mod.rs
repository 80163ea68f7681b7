//! [`Input`]: how an image is read.

pub(crate) mod array;
pub(crate) mod no_data;
pub(crate) mod read;
pub(crate) mod region;
pub(crate) mod translations;

use std::ops::Range;
use std::path::PathBuf;

use stemseg::Result;
use stemseg::image::micrograph::{NonFinite, Outliers, PixelSize};
use stemseg_files::read::Frame;

use self::region::Region;

/// How an image is read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Input {
    /// Which image of a file that holds several, from 0; by default the most likely one.
    pub image: Option<usize>,
    /// Which frame of a stack; by default the first.
    pub frame: Option<Frame>,
    /// Size of a pixel, for or instead of what the file says.
    pub pixel_size: Option<PixelSize>,
    /// The part of the image that is taken; all of it by default.
    pub region: Option<Region>,
    /// Pixels that do not count.
    pub mask: Option<Mask>,
    /// What is done with NaN and infinite pixels; they are left out by default.
    pub non_finite: NonFinite,
    /// What is done with pixels whose values are not data; by default they are found
    /// and count in no sum.
    pub outliers: Outliers,
}

/// Rows and columns of an image.
pub(crate) type Part = (Range<usize>, Range<usize>);

impl Input {
    /// The rows and columns that are taken of an image of this shape; nothing where that is all of it.
    ///
    /// # Errors
    /// [`Error::Parameter`](stemseg::Error::Parameter) where they lie beyond the image.
    pub(crate) fn part_of(&self, (rows, cols): (usize, usize)) -> Result<Option<Part>> {
        let part = |[r, c]: Region| Ok((r.of("rows", rows)?, c.of("columns", cols)?));
        self.region.map(part).transpose()
    }
}

/// An image of the same size that says which pixels do not count.
#[derive(Debug, Clone)]
pub struct Mask {
    /// The file.
    pub file: PathBuf,
    /// Whether its non-zero pixels are those that do count, instead of those that do not.
    pub inverted: bool,
}
