//! [`Method`]: how an image becomes a segmentation.

use std::path::Path;

use stemseg::backend::Backend;
use stemseg::image::micrograph::Micrograph;
use stemseg::lattice::Repetition;
use stemseg::pipeline::{self, Also, Segmentation};
use stemseg::plan::automatic;
use stemseg::remarks::{Remarks, warnings};
use stemseg::{Plan, Progress, Result};
use stemseg_report::summary::ModelFile;

use crate::settings::{Chosen, Settings};

/// How an image becomes a segmentation: by [`Settings`], which find patterns in it, or in
/// another way, such as by a model that is there already.
pub trait Method: Sync {
    /// Names of the families whose kernels run.
    fn families(&self) -> Vec<&str>;

    /// The numbers of patterns, each of which gives a label map; none where each image says.
    fn clusters(&self) -> Vec<usize>;

    /// Files that it reads.
    fn files(&self) -> Vec<&Path> {
        Vec::new()
    }

    /// The model that it labels images by, where it fits nothing.
    fn model(&self) -> Option<ModelFile> {
        None
    }

    /// Checks what can be checked without an image.
    ///
    /// # Errors
    /// [`Error::Parameter`](stemseg::Error::Parameter), or what is wrong with one of its files.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The plan for `micrograph`, whatever memory there is, and what is to be said about it.
    ///
    /// # Errors
    /// [`Error::Parameter`](stemseg::Error::Parameter) for what does not suit the image; as
    /// [`Plan::new`].
    fn prepare(&self, micrograph: &Micrograph) -> Result<Prepared>;

    /// Segments `micrograph`, for which `plan` was made, on `backend`: it finds patterns in it, unless
    /// a method knows others.
    ///
    /// # Errors
    /// As [`pipeline::segment`].
    fn segment(
        &self,
        micrograph: &Micrograph,
        plan: Plan,
        backend: &dyn Backend,
        progress: &dyn Progress,
        also: Also<'_>,
    ) -> Result<Segmentation> {
        pipeline::segment(micrograph, plan, backend, progress, also)
    }
}

/// What a method does with one image.
#[derive(Debug)]
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// What is to be said about it.
    pub remarks: Remarks,
    /// How the image repeats.
    pub repetition: Repetition,
}

impl Method for Settings {
    fn families(&self) -> Vec<&str> {
        self.names()
    }

    fn clusters(&self) -> Vec<usize> {
        self.clusters.clone()
    }

    fn files(&self) -> Vec<&Path> {
        self.descriptor.translations.as_deref().into_iter().collect()
    }

    fn check(&self) -> Result<()> {
        Settings::check(self)
    }

    fn prepare(&self, micrograph: &Micrograph) -> Result<Prepared> {
        let Chosen { params, mut remarks, repetition } = self.choose(micrograph)?;
        let look = || Repetition::new(automatic::period(micrograph), None);
        let repetition = repetition.unwrap_or_else(look);
        remarks.warnings.extend(warnings::image::image(&repetition, micrograph.pixel_size()));
        remarks.warnings.extend(warnings::image::settings(&repetition, &params));
        let sampling = params.sampling;
        let plan = Plan::new(params, micrograph)
            .map_err(|error| self.of_the_image(error, micrograph, sampling))?;
        Ok(Prepared { plan, remarks, repetition })
    }
}
