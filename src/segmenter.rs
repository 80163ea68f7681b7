//! [`Segmenter`]: the whole method, with what a user may choose of it.

use std::borrow::Cow;
use std::sync::OnceLock;

use ndarray::{ArrayBase, Data, Ix2};

use crate::backend::{self, Backend, Check};
use crate::image::micrograph::{Micrograph, Pixel, Screening};
use crate::lattice::Repetition;
use crate::model::Model;
use crate::pipeline::many::Planned;
use crate::pipeline::many::steps::Kind;
use crate::pipeline::{self, Also, Segmentation};
use crate::plan::{Labels, Mark, Params, Plan, Relabelling, automatic};
use crate::progress::{Progress, Silent};
use crate::{Error, Result};

/// Segments images, or learns what labels others: options with defaults, all checked where
/// they meet an image.
///
/// ```
/// # let image = ndarray::Array2::from_shape_fn((160, 200), |(row, col)| {
/// #     let along = if col < 120 { row } else { row + col };
/// #     let noise = ((row * 7919 + col * 104_729) % 1009) as f32 / 5000.0;
/// #     (along as f32 * std::f32::consts::TAU / 8.0).cos()
/// #         + (col as f32 * std::f32::consts::TAU / 8.0).cos() + noise
/// # });
/// use stemseg::Segmenter;
/// use stemseg::backend::DeviceChoice;
///
/// let segmenter = Segmenter::auto().clusters(2).seed(7).device(DeviceChoice::Cpu);
/// let segmentation = segmenter.segment(&image)?;
/// assert_eq!(segmentation.labels()[(80, 20)], 1);
/// assert!(segmentation.confidence()[(80, 20)] > 0.9);
///
/// let error = Segmenter::auto().restarts(0).segment(&image).unwrap_err();
/// assert!(error.to_string().starts_with("restarts = 0"));
/// # Ok::<(), stemseg::Error>(())
/// ```
#[derive(Default)]
pub struct Segmenter {
    method: Method,
    clusters: Vec<usize>,
    most_clusters: Option<usize>,
    boundary_phases: Option<bool>,
    marks: Vec<Mark>,
    relabel: Relabelling,
    period: Option<f64>,
    smooth: Option<f64>,
    min_confidence: Option<f64>,
    restarts: Option<usize>,
    seed: Option<u64>,
    memory: Option<u64>,
    device: backend::DeviceChoice,
    check: Check,
    backend: OnceLock<Box<dyn Backend>>,
}

/// Where the other parameters come from.
#[derive(Debug, Clone, Default)]
enum Method {
    /// From the image: see [`automatic`].
    #[default]
    Auto,
    /// Given.
    Given(Box<Params>),
}

/// What can be segmented: a [`Micrograph`], or an array `[rows, cols]` of any type of
/// [`Pixel`], of which pixels without data are left out (NaN, constant borders, hot pixels;
/// see [`Screening`]).
pub trait Image {
    /// The image as a micrograph.
    ///
    /// # Errors
    /// As [`Micrograph::screened`].
    fn micrograph(&self) -> Result<Cow<'_, Micrograph>>;
}

impl Image for Micrograph {
    fn micrograph(&self) -> Result<Cow<'_, Micrograph>> {
        Ok(Cow::Borrowed(self))
    }
}

impl<T: Pixel, S: Data<Elem = T>> Image for ArrayBase<S, Ix2> {
    fn micrograph(&self) -> Result<Cow<'_, Micrograph>> {
        Ok(Cow::Owned(Micrograph::screened(self.view(), Screening::default())?))
    }
}

impl Segmenter {
    /// The default method: all sizes follow from the lattices in the image, and so does the
    /// number of patterns unless it is given.
    pub fn auto() -> Self {
        Self::default()
    }

    /// The method of pySTEM's paper: local correlation maps of the image as it is, principal
    /// components, k-means, labels of the nearest sites. Two patterns unless another
    /// number is given.
    pub fn pystem() -> Self {
        Self::with(Params::default())
    }

    /// The method with these parameters.
    pub fn with(params: Params) -> Self {
        Self { method: Method::Given(Box::new(params)), ..Self::default() }
    }

    /// This number of patterns.
    #[must_use]
    pub fn clusters(self, clusters: usize) -> Self {
        Self { clusters: vec![clusters], ..self }
    }

    /// No more than this number of patterns where their number is chosen, 8 by default.
    #[must_use]
    pub fn at_most(self, clusters: usize) -> Self {
        Self { most_clusters: Some(clusters), ..self }
    }

    /// Whether layers a few atoms thick along boundaries are patterns of their own as soon as they differ
    /// enough; they are doubted by default.
    #[must_use]
    pub fn boundary_phases(self, kept: bool) -> Self {
        Self { boundary_phases: Some(kept), ..self }
    }

    /// The pixel at `row` and `col` has this label, as numbers stand without marks; the next number after
    /// those makes a new pattern. May be called again, for a single image.
    #[must_use]
    pub fn mark(mut self, (row, col): (usize, usize), label: u16) -> Self {
        self.marks.push(Mark { row, col, label });
        self
    }

    /// The patterns of these labels are one, as numbers stand without this. What is left is numbered
    /// anew in the order of the smallest labels. May be called again.
    #[must_use]
    pub fn merge(mut self, labels: impl IntoIterator<Item = u16>) -> Self {
        self.relabel.merge.push(labels.into_iter().collect());
        self
    }

    /// Period of the crystals, px of the image, instead of what its lattices say. Only
    /// [`auto`](Self::auto) resamples by it.
    #[must_use]
    pub fn period(self, period: f64) -> Self {
        Self { period: Some(period), ..self }
    }

    /// How much regions are smoothed, as a multiple of what suits most, 1 by default; 0 keeps
    /// every sliver.
    #[must_use]
    pub fn smooth(self, smooth: f64) -> Self {
        Self { smooth: Some(smooth), ..self }
    }

    /// Pixels whose confidence is below this stay unlabelled, 0 to 1; 0 by default.
    #[must_use]
    pub fn min_confidence(self, share: f64) -> Self {
        Self { min_confidence: Some(share), ..self }
    }

    /// Restarts of k-means, of which one is kept; 10 by default.
    #[must_use]
    pub fn restarts(self, restarts: usize) -> Self {
        Self { restarts: Some(restarts), ..self }
    }

    /// Seed of every random choice; 0 by default.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Memory for all that a run holds, bytes; by default what images need and a quarter of
    /// what is free, at most 2 GiB. The result does not depend on it.
    #[must_use]
    pub fn memory(self, bytes: u64) -> Self {
        Self { memory: Some(bytes), ..self }
    }

    /// What computes; a real GPU where there is one by default, else the CPU.
    #[must_use]
    pub fn device(self, device: backend::DeviceChoice) -> Self {
        Self { device, backend: OnceLock::new(), ..self }
    }

    /// How much of a GPU's work is computed once more on the CPU.
    #[must_use]
    pub fn check(self, check: Check) -> Self {
        Self { check, backend: OnceLock::new(), ..self }
    }

    /// Labels the pixels of `image`.
    ///
    /// # Errors
    /// [`Error::Parameter`] with the name of an option that cannot be; as
    /// [`pipeline::segment`].
    pub fn segment<I: Image + ?Sized>(&self, image: &I) -> Result<Segmentation> {
        self.run(&*image.micrograph()?, &Silent)
    }

    /// Learns the patterns of `image`, to find them in others.
    ///
    /// # Errors
    /// As [`segment`](Self::segment).
    pub fn fit<I: Image + ?Sized>(&self, image: &I) -> Result<Model> {
        let micrograph = image.micrograph()?;
        let found = self.run(&micrograph, &Silent)?;
        Ok(Model::new(&found, &found.results[0], micrograph.pixel_size()))
    }

    /// Learns the patterns of several images of one kind together: from sums over all of them
    /// (see [`pipeline::many`]). Without a [number](Self::clusters) there are as many as the
    /// image that shows most has by itself.
    ///
    /// # Errors
    /// As [`segment`](Self::segment); [`Error::Parameter`] where there is no image.
    pub fn fit_many<I: Image>(&self, images: &[I]) -> Result<Model> {
        self.fit_many_watched(images, &Silent)
    }

    /// The same, where `progress` is told how far it is and says whether to go on.
    ///
    /// # Errors
    /// As [`fit_many`](Self::fit_many); [`Error::Interrupted`].
    pub fn fit_many_watched<I: Image>(
        &self,
        images: &[I],
        progress: &dyn Progress,
    ) -> Result<Model> {
        let micrographs = images.iter().map(|image| image.micrograph());
        let micrographs = micrographs.collect::<Result<Vec<_>>>()?;
        let Some((first, others)) = micrographs.split_first() else {
            return Err(Error::parameter("images", 0, "give at least one"));
        };
        let kind = self.kind(&**first)?;
        let mut planned = vec![self.planned(kind.first(first))?];
        for micrograph in others {
            planned.push(self.planned(kind.other(micrograph))?);
        }
        let backend = self.backend(&planned[0].plan)?;
        pipeline::many::fit(&planned, backend, progress)
    }

    /// The layer below: what several images that are fitted to together have in common, by the
    /// `first` of them. See [`pipeline::many::steps`].
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn kind<I: Image + ?Sized>(&self, first: &I) -> Result<Kind> {
        let first = first.micrograph()?;
        let (plan, repetition) = self.plan(&first)?;
        Ok(Kind::new(&first, &plan, repetition))
    }

    fn planned<'a>(&self, planned: Result<Planned<'a>>) -> Result<Planned<'a>> {
        let Planned { micrograph, plan, repetition } = planned?;
        Ok(Planned { micrograph, plan: self.within(plan)?, repetition })
    }

    /// The layer below: what is computed for `micrograph`, and how the image repeats.
    ///
    /// # Errors
    /// [`Error::Parameter`] with the name of an option that cannot be; as [`Plan::new`].
    pub fn plan(&self, micrograph: &Micrograph) -> Result<(Plan, Repetition)> {
        let found = automatic::period(micrograph);
        let mut params = match &self.method {
            Method::Given(params) => (**params).clone(),
            Method::Auto => {
                automatic::params(automatic::sampling_for(self.period, found), Vec::new())
            }
        };
        self.change(&mut params)?;
        let plan = Plan::new(params, micrograph)?;
        Ok((self.within(plan)?, Repetition::new(found, self.period)))
    }

    /// The plan within the memory that there may be.
    fn within(&self, plan: Plan) -> Result<Plan> {
        let usual = || plan.usual_memory(crate::memory::available(), 0);
        let bytes = self.memory.map_or_else(usual, Ok)?;
        plan.within(bytes, 0)
    }

    /// Puts what was chosen in place of the defaults.
    fn change(&self, params: &mut Params) -> Result<()> {
        if !self.clusters.is_empty() {
            params.clusters = self.clusters.clone();
        }
        params.most_clusters = self.most_clusters.unwrap_or(params.most_clusters);
        params.boundary_phases = self.boundary_phases.unwrap_or(params.boundary_phases);
        if !self.marks.is_empty() {
            params.marks = self.marks.clone();
        }
        if !self.relabel.is_none() {
            params.relabel = self.relabel.clone();
        }
        params.restarts = self.restarts.unwrap_or(params.restarts);
        params.seed = self.seed.unwrap_or(params.seed);
        if self.period.is_some() && matches!(self.method, Method::Given(_)) {
            let reason =
                "only the automatic method resamples by it; give a sampling among the parameters";
            return Err(Error::parameter("period", "given", reason));
        }
        if self.smooth.is_some() || self.min_confidence.is_some() {
            let (usual, least) = match params.labels {
                Labels::Nearest => (0.0, 0.0),
                Labels::Interpolated { smooth, least_confidence } => (smooth, least_confidence),
            };
            params.labels = Labels::Interpolated {
                smooth: self.smooth.unwrap_or(usual),
                least_confidence: self.min_confidence.unwrap_or(least),
            };
        }
        Ok(())
    }

    /// The device, opened once.
    fn backend(&self, plan: &Plan) -> Result<&dyn Backend> {
        if let Some(backend) = self.backend.get() {
            return Ok(&**backend);
        }
        let families: Vec<&str> = plan.families().iter().map(|family| family.name()).collect();
        let (backend, _) = backend::open(&self.device, self.check, &families)?;
        Ok(&**self.backend.get_or_init(|| backend))
    }

    fn run(&self, micrograph: &Micrograph, progress: &dyn Progress) -> Result<Segmentation> {
        let (plan, repetition) = self.plan(micrograph)?;
        let also = Also { repetition: Some(repetition), ..Also::default() };
        pipeline::segment(micrograph, plan.clone(), self.backend(&plan)?, progress, also)
    }
}
