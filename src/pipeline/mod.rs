//! The way of the data, on one screen: [`segment`] describes the sites ([`Describing`]), fits
//! patterns to them ([`fit`]) and labels the pixels (`label`); `predict` labels those of an
//! image to which nothing is fitted.

mod describe;
pub mod fit;
pub mod frames;
pub(crate) mod label;
pub mod many;
mod marked;
mod merged;
mod refined;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ndarray::{Array1, Array2, ArrayView2, s};

use crate::Result;
use crate::backend::{Backend, DeviceWork};
use crate::cluster::choose::Choice;
use crate::cluster::gap::Gaps;
use crate::cluster::kmeans::{self, Clustering};
use crate::image::micrograph::Micrograph;
use crate::image::rows;
use crate::labels::label_map::{LabelMap, Numbering};
use crate::lattice::Repetition;
use crate::maps::channels::{self, ChannelMap};
use crate::model::Model;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::reduce::pca::Pca;
use crate::remarks::{Warning, warnings};
use crate::sites::Band;
use describe::SAMPLE;
use fit::{Evidence, Fitted, Found};
use label::{Apart, Clusters, Labelled};
use marked::Marked;
pub use marked::{NextMark, next_mark};
pub(crate) use merged::Parts;
use merged::Where;

pub use describe::{BAND_BYTES, Describing, bands};
pub(crate) use describe::{MOST_KEPT, summed};

/// What came of one image.
#[derive(Debug)]
#[non_exhaustive]
pub struct Segmentation {
    /// What was computed, and where.
    pub plan: Plan,
    /// Features of all sites, `[sites, q]`, sites row by row.
    pub features: Array2<f32>,
    /// What describes the map from descriptors to features.
    pub pca: Pca,
    /// One for each number of clusters asked for.
    pub results: Vec<Patterns>,
    /// Why this number of clusters, where their number was chosen.
    pub choice: Option<Choice>,
    /// For each result maps of the channels that tell its patterns apart best, where they
    /// were wanted.
    pub channel_maps: Vec<Vec<ChannelMap>>,
    /// How the image repeats, where it was looked for.
    pub repetition: Option<Repetition>,
    /// What it was labelled by, where nothing was fitted.
    pub model: Option<Box<Model>>,
    /// How long each stage took.
    pub timings: Timings,
    /// What a graphics device was asked to do, where one computed.
    pub device_work: Option<DeviceWork>,
    /// What patterns were found in, where that was to be kept.
    pub(crate) evidence: Option<Arc<Evidence>>,
}

impl Segmentation {
    /// Label of each pixel under the first number of clusters, `[rows, cols]`: 1 the largest
    /// pattern, 0 what has none.
    pub fn labels(&self) -> Array2<u16> {
        self.results[0].map.pixels()
    }

    /// How sure each pixel is of that label, `[rows, cols]`, 0 to 1.
    pub fn confidence(&self) -> Array2<f32> {
        let Patterns { map, memberships, .. } = &self.results[0];
        rows::collect(&map.confidence(memberships))
    }
}

/// The patterns found for one number of clusters.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Patterns {
    /// Clusters of the active sites.
    pub clustering: Clustering,
    /// Labels of sites and pixels.
    pub map: LabelMap,
    /// Which of the image's features tell them apart: those that centroids have.
    pub columns: Range<usize>,
    /// Variance of each feature about the centroids, pooled, `[q]`.
    pub within_variance: Array1<f64>,
    /// Membership of each active site in its cluster, `[active sites]`, 0 to 1.
    pub memberships: Vec<f32>,
    /// Fisher separability of each channel, `[D]`.
    pub separability: Array1<f64>,
    /// How far each two patterns lie apart, by their labels.
    pub gaps: Gaps,
    /// Why the labels may be wrong.
    pub warnings: Vec<Warning>,
    /// What they were before some became one, or they were numbered anew.
    pub(crate) parts: Option<Parts>,
}

/// Wall-clock time of the stages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// From the image in memory to the last descriptor or covariance sum.
    pub describe: Duration,
    /// Projection, and what tells patterns apart.
    pub pca: Duration,
    /// All runs of k-means.
    pub cluster: Duration,
    /// Site labels to pixel labels.
    pub upsample: Duration,
    /// Separability of the channels.
    pub separability: Duration,
    /// Maps of the channels.
    pub maps: Duration,
}

/// Takes descriptors `[sites, D]` band by band, for those who want them.
pub type DescriptorSink<'a> = &'a mut dyn FnMut(&Band, ArrayView2<'_, f32>) -> Result<()>;

/// What is wanted in addition to the patterns.
#[derive(Default)]
pub struct Also<'a> {
    /// Takes the descriptors of all sites.
    pub descriptors: Option<DescriptorSink<'a>>,
    /// Maps of the channels that tell patterns apart best.
    pub channel_maps: bool,
    /// How the image repeats, where it was looked for: where it does not, nothing is sure,
    /// and strips are told by it.
    pub repetition: Option<Repetition>,
    /// That [`Segmentation::refine`] has what it needs, where that is little enough to be kept.
    pub refinable: bool,
}

/// Segments `micrograph`, for which `plan` was made, on `backend`.
///
/// # Errors
/// What [`Plan::image`], the backend and k-means report, and
/// [`Error::Interrupted`](crate::Error::Interrupted).
pub fn segment(
    micrograph: &Micrograph,
    plan: Plan,
    backend: &dyn Backend,
    progress: &dyn Progress,
    mut also: Also<'_>,
) -> Result<Segmentation> {
    let (mut clock, before) = (Clock::start(), backend.work());
    let mut timings = Timings::default();

    progress.stage("describe");
    let image = plan.image(micrograph)?;
    let mut sites = Describing::new(image.view(), &plan, backend)?;
    let moments = sites.moments(progress)?;
    timings.describe = clock.lap();

    progress.stage("pca");
    let Fitted { found, mut features, evidence } =
        fit::fitted(&moments, &mut sites, also.refinable, progress)?;
    // Only marks need what patterns were found in again.
    let evidence = evidence.filter(|_| also.refinable || !plan.params().marks.is_empty());
    timings.pca = clock.lap();

    let points = plan.sites().keep_active(&features);
    let Found { numbers, choice, mut pca, .. } = found;
    let mut results = Vec::with_capacity(numbers.len());
    for number in &numbers {
        progress.stage("cluster");
        let points = points.slice(s![.., number.columns.clone()]);
        let points = points.as_standard_layout();
        let (clustering, within_variance) =
            fit::clusters(points.view(), number, &plan, backend, progress)?;
        timings.cluster += clock.lap();
        let clusters = Clusters {
            points: points.view(),
            clustering: &clustering,
            within_variance: &within_variance,
            numbering: &Numbering::Order(plan.params().order),
            gaps: Apart::Measured(number.clarities.as_ref()),
            held: &[],
            pattern_of: None,
        };
        let repetition = also.repetition.as_ref();
        let labelled = clusters.label(&plan, micrograph.absent(), repetition);
        let columns = number.columns.clone();
        results.push(labelled.patterns(clustering, within_variance, columns, &plan, repetition));
        timings.upsample += clock.lap();
    }
    let mut held = Vec::new();
    if let (Some(evidence), [before], false) =
        (&evidence, &results[..], plan.params().marks.is_empty())
    {
        progress.stage("marks");
        let marked = Marked::new(evidence, before, &mut sites, progress)?;
        results = vec![marked.patterns(&plan, micrograph, backend, also.repetition.as_ref())?];
        (features, pca, held) = (marked.features, marked.found.pca, marked.held);
        timings.cluster += clock.lap();
    }
    if let ([before], false) = (&results[..], plan.params().relabel.is_none()) {
        let points = plan.sites().keep_active(&features);
        let points = points.slice(s![.., before.columns.clone()]);
        let (absent, repetition) = (micrograph.absent(), also.repetition.as_ref());
        let place = Where { plan: &plan, absent, repetition };
        let points = points.as_standard_layout();
        results = vec![merged::relabelled(before, points.view(), &held, place)?];
        timings.upsample += clock.lap();
    }
    let channel_maps =
        finish(sites, &mut results, micrograph, backend, progress, (&mut also, &mut timings))?;
    let evidence = refined::kept(evidence, plan.params(), plan.sites().grid().len());
    // What was done, for those who do it again.
    let plan = plan.with_clusters(numbers.iter().map(|number| number.clusters).collect());
    Ok(Segmentation {
        plan,
        features,
        pca,
        results,
        choice,
        channel_maps,
        repetition: also.repetition,
        model: None,
        timings,
        device_work: work_since(before, backend),
        evidence,
    })
}

/// What `backend` was asked to do since it had done what it had `before`.
fn work_since(before: Option<DeviceWork>, backend: &dyn Backend) -> Option<DeviceWork> {
    Some(backend.work()?.since(before?))
}

/// What labels an image without looking at others: see [`Model`].
pub(crate) struct Known<'a> {
    /// The map from descriptors to features.
    pub(crate) pca: Pca,
    /// Centres of the patterns, or of their parts, `[parts, q]`, and the label of each.
    pub(crate) centroids: Array2<f64>,
    pub(crate) labels: Vec<u16>,
    /// Variance of each feature about them, pooled, `[q]`.
    pub(crate) within_variance: Array1<f64>,
    /// How far they lie apart.
    pub(crate) gaps: &'a Gaps,
}

/// Labels `micrograph`, for which `plan` was made, by what is `known`.
///
/// # Errors
/// As [`segment`].
pub(crate) fn predict(
    micrograph: &Micrograph,
    plan: Plan,
    known: Known<'_>,
    backend: &dyn Backend,
    progress: &dyn Progress,
    mut also: Also<'_>,
) -> Result<Segmentation> {
    let (mut clock, before) = (Clock::start(), backend.work());
    let mut timings = Timings::default();

    progress.stage("describe");
    let image = plan.image(micrograph)?;
    let mut sites = Describing::new(image.view(), &plan, backend)?;
    let Known { pca, centroids, labels, within_variance, gaps } = known;
    let features = sites.features(&pca, progress)?;
    timings.describe = clock.lap();

    progress.stage("cluster");
    let points = plan.sites().keep_active(&features);
    let numbering = Numbering::Given(labels.clone());
    let clustering = kmeans::assign(points.view(), centroids, backend)?;
    timings.cluster = clock.lap();
    let found = Clusters {
        points: points.view(),
        clustering: &clustering,
        within_variance: &within_variance,
        numbering: &numbering,
        gaps: Apart::Known(gaps),
        held: &[],
        pattern_of: None,
    };
    let (columns, repetition) = (0..points.ncols(), also.repetition.as_ref());
    let place = Where { plan: &plan, absent: micrograph.absent(), repetition };
    let several = (1..).zip(&labels).any(|(number, label)| number != *label);
    let mut results = vec![match several {
        true => merged::patterns(found, (&labels, gaps), columns, place),
        false => {
            let labelled = found.label(&plan, micrograph.absent(), repetition);
            labelled.patterns(clustering, within_variance, columns, &plan, repetition)
        }
    }];
    timings.upsample = clock.lap();
    let channel_maps =
        finish(sites, &mut results, micrograph, backend, progress, (&mut also, &mut timings))?;
    Ok(Segmentation {
        plan,
        features,
        pca,
        results,
        choice: None,
        channel_maps,
        repetition: also.repetition,
        model: None,
        timings,
        device_work: work_since(before, backend),
        evidence: None,
    })
}

impl Labelled {
    /// The patterns, except for their separability.
    fn patterns(
        self,
        clustering: Clustering,
        within_variance: Array1<f64>,
        columns: Range<usize>,
        plan: &Plan,
        repetition: Option<&Repetition>,
    ) -> Patterns {
        let Self { map, memberships, gaps } = self;
        let warnings = warnings::patterns::patterns(&map, plan.spacing(), &gaps, repetition);
        let separability = Array1::default(0);
        Patterns {
            clustering,
            map,
            columns,
            within_variance,
            memberships,
            separability,
            gaps,
            warnings,
            parts: None,
        }
    }
}

/// What is told of the channels, and what else is wanted: the last of the device.
fn finish(
    mut sites: Describing<'_>,
    results: &mut [Patterns],
    micrograph: &Micrograph,
    backend: &dyn Backend,
    progress: &dyn Progress,
    (also, timings): (&mut Also<'_>, &mut Timings),
) -> Result<Vec<Vec<ChannelMap>>> {
    let mut clock = Clock::start();
    if let Some(sink) = &mut also.descriptors {
        progress.stage("save");
        sites.all(progress, sink)?;
        clock.lap();
    }
    progress.stage("separability");
    label::separate(results, &mut sites, SAMPLE, progress)?;
    timings.separability = clock.lap();
    if !also.channel_maps {
        return Ok(Vec::new());
    }
    progress.stage("maps");
    let maps = channels::channel_maps(sites, micrograph, results, backend, progress)?;
    timings.maps = clock.lap();
    Ok(maps)
}

/// Time since the last lap.
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        std::mem::replace(&mut self.0, now).elapsed()
    }
}
