//! [`Request`]: what is wanted of a run.

use std::path::{Path, PathBuf};

use stemseg::Result;
use stemseg::backend::{Check, DeviceChoice};

use crate::area::Area;
use crate::method::Method;
use crate::{Input, Output, Settings};

/// What is wanted of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request {
    /// Images, folders of them, and file name patterns (`day*/**/*.tif`). With several images,
    /// one that fails does not stop the others.
    pub images: Vec<PathBuf>,
    /// Whether images in the folders within a folder are taken as well; results keep the
    /// sub-folders. No by default.
    pub recursive: bool,
    /// How an image is read.
    pub input: Input,
    /// How images are segmented.
    pub settings: Settings,
    /// Regions that are smaller go to the neighbour with which they share the longest boundary;
    /// none do by default.
    pub least_region: Option<Area>,
    /// What is written, and where.
    pub output: Output,
    /// What computes: a real GPU, else the CPU, by default.
    pub device: DeviceChoice,
    /// How much of a GPU's work is computed once more on the CPU: a sample by default.
    pub check: Check,
    /// Memory for everything that the run holds, bytes; by default what images need, and a
    /// quarter of what the machine has to spare, at most 2 GiB.
    pub memory: Option<u64>,
    /// How many images are computed at a time, 1 by default; they share the memory. While one
    /// is computed, another is read and a third written.
    pub jobs: usize,
    /// Whether results are kept that are there and are what this run would make. No by default.
    pub resume: bool,
    /// Place of the table of all images; by default `summary.csv` in the folder that
    /// [`Output::place`] names for the results of several images. The page that shows them all,
    /// `index.html`, is always there. One that ends in `.parquet` is Parquet, which takes the feature
    /// `parquet` of this crate.
    pub table: Option<PathBuf>,
}

impl Request {
    /// A request for `images`, with defaults for everything else.
    pub fn new(images: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self {
            images: images.into_iter().map(Into::into).collect(),
            recursive: false,
            input: Input::default(),
            settings: Settings::default(),
            least_region: None,
            output: Output::default(),
            device: DeviceChoice::Auto,
            check: Check::On,
            memory: None,
            jobs: 1,
            resume: false,
            table: None,
        }
    }

    /// Checks what can be checked without an image, where they are segmented by `method`.
    ///
    /// # Errors
    /// As [`Method::check`] and [`Output::check`].
    pub fn check(&self, method: &dyn Method) -> Result<()> {
        method.check()?;
        self.output.check(&method.families(), &method.clusters())
    }

    /// The files that are read in addition to the images.
    pub(crate) fn besides<'a>(&'a self, method: &'a dyn Method) -> Vec<&'a Path> {
        let mask = self.input.mask.as_ref().map(|mask| &*mask.file);
        mask.into_iter().chain(method.files()).collect()
    }

    /// The place for the table of all images, if there is to be one; `batch` where there are
    /// several.
    pub(crate) fn place_of_table(&self, batch: bool) -> Option<PathBuf> {
        let within =
            || self.output.place.as_ref().filter(|_| batch).map(|out| out.join("summary.csv"));
        self.table.clone().or_else(within)
    }

    /// The memory that was given to each of `jobs` jobs.
    pub(crate) fn memory_of_each(&self, jobs: usize) -> Option<u64> {
        self.memory.map(|bytes| bytes / jobs as u64)
    }
}
