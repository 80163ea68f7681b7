//! The way of the data, on one screen: [`segment`].

use std::time::{Duration, Instant};

use ndarray::{ArcArray2, Array1, Array2, ArrayView2, s};
use rayon::prelude::*;

use crate::Result;
use crate::backend::{Backend, Describe};
use crate::cluster::choose::{self, Choice};
use crate::cluster::confidence::{self, ClassSums};
use crate::cluster::continuum;
use crate::cluster::gap::Gaps;
use crate::cluster::kmeans::{self, Clustering, Options, Pairs};
use crate::image::micrograph::Micrograph;
use crate::labels::label_map::{LabelMap, Numbering};
use crate::labels::regions;
use crate::lattice::Repetition;
use crate::maps::channels::{ChannelMap, Described};
use crate::plan::automatic;
use crate::plan::{Labels, Plan, Reduce};
use crate::progress::{Progress, Unseen};
use crate::reduce::pca::Pca;
use crate::reduce::reduce;
use crate::remarks::Warning;
use crate::remarks::warnings;
use crate::sites::Band;

/// What came of one image.
#[derive(Debug)]
pub struct Segmentation {
    /// What was computed, and where.
    pub plan: Plan,
    /// Features of all sites, `[sites, q]`, sites row by row.
    pub features: Array2<f32>,
    /// What describes the map from descriptors to features.
    pub pca: Pca,
    /// One for each number of clusters asked for.
    pub results: Vec<Patterns>,
    /// Why so many clusters, where their number was chosen.
    pub choice: Option<Choice>,
    /// For each result maps of the channels that tell its patterns apart best, where they
    /// were wanted.
    pub channel_maps: Vec<Vec<ChannelMap>>,
    /// How long each stage took.
    pub timings: Timings,
}

/// The patterns found for one number of clusters.
#[derive(Debug, Clone, PartialEq)]
pub struct Patterns {
    /// Clusters of the active sites.
    pub clustering: Clustering,
    /// Labels of sites and pixels.
    pub map: LabelMap,
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
}

/// Wall-clock time of the stages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the image in memory to the last descriptor or covariance sum.
    pub describe: Duration,
    /// Eigenvectors and projection.
    pub pca: Duration,
    /// Choosing the number of clusters.
    pub choose: Duration,
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

/// What is wanted beside the patterns.
#[derive(Default)]
pub struct Also<'a> {
    /// Takes the descriptors of all sites.
    pub descriptors: Option<DescriptorSink<'a>>,
    /// Maps of the channels that tell patterns apart best.
    pub channel_maps: bool,
    /// How the image repeats, where it was looked for: where it does not, nothing is sure,
    /// and strips are told by it.
    pub repetition: Option<Repetition>,
}

/// Segments `micrograph`, for which `plan` was made, on `backend`.
///
/// # Errors
/// What [`Micrograph::standardised`], the backend and k-means
/// report, and [`Error::Interrupted`](crate::Error::Interrupted).
pub fn segment(
    micrograph: &Micrograph,
    plan: Plan,
    backend: &dyn Backend,
    progress: &dyn Progress,
    mut also: Also<'_>,
) -> Result<Segmentation> {
    let bands = bands(&plan, backend)?;
    let mut clock = Clock::start();
    let mut timings = Timings::default();

    progress.stage("describe");
    let image = plan.image(micrograph)?;
    let mut session = backend.upload(image.view(), &plan)?;
    let summed = summed(&plan, &bands);
    for (done, band) in summed.iter().enumerate() {
        progress.step(done as u64, summed.len() as u64)?;
        session.accumulate(band)?;
    }
    let moments = session.moments()?;
    timings.describe = clock.lap();

    progress.stage("pca");
    let (pca, features) = reduce(&moments, &plan, &mut *session, &bands, progress)?;
    timings.pca = clock.lap();

    if let Some(sink) = &mut also.descriptors {
        progress.stage("save");
        let mut buffer = Array2::zeros((0, plan.channels()));
        for band in &bands {
            progress.check()?;
            sink(band, described(&mut *session, band, &mut buffer)?)?;
        }
        clock.lap();
    }
    let points = plan.sites().keep_active(&features);
    // Factors vary little from site to site anyway: there the least inertia is right.
    let pairs = match plan.params().reduce {
        Reduce::Pca => Pairs::of(plan.sites()),
        Reduce::Maf => Pairs::default(),
    };
    let (mut numbers, mut choice) = (plan.params().clusters.clone(), None);
    if numbers.is_empty() {
        progress.stage("choose");
        let values = &pca.report.explained_variance;
        let brightness = continuum::brightness(micrograph, &plan);
        let chosen = choose::choose(
            points.view(),
            values,
            brightness.as_ref(),
            plan.sites(),
            plan.params().seed,
            &Unseen(progress),
        )?;
        numbers.push(chosen.clusters);
        choice = Some(chosen);
        timings.choose = clock.lap();
    }
    let nothing_repeats = also.repetition.is_some_and(|repeats| repeats.period_px.is_none());
    let mut results = Vec::with_capacity(numbers.len());
    for clusters in numbers {
        progress.stage("cluster");
        let options = Options { clusters, starts: plan.params().starts, seed: plan.params().seed };
        let points = points.slice(s![.., ..plan.features_for(clusters, pca.features())]);
        let points = points.as_standard_layout();
        let clustering = kmeans::cluster(points.view(), &pairs, options, backend, progress)?;
        let within_variance = confidence::within_variance(points.view(), &clustering);
        timings.cluster += clock.lap();
        let found = Found { points: points.view(), clustering: &clustering, plan: &plan };
        let certain = if nothing_repeats { CERTAIN_WITHOUT_LATTICE } else { 1.0 };
        let absent = micrograph.absent();
        let (map, memberships, gaps) = found.label(&within_variance, certain, absent);
        let warnings =
            warnings::patterns::patterns(&map, plan.spacing(), &gaps, also.repetition.as_ref());
        timings.upsample += clock.lap();
        results.push(Patterns {
            clustering,
            map,
            within_variance,
            memberships,
            separability: Array1::default(0),
            gaps,
            warnings,
        });
    }

    progress.stage("separability");
    // Low bands: their descriptors stay in the cache until they are summed.
    let sample = plan.sites().sample_bands(SAMPLE);
    separate(&mut results, &plan, &mut *session, &sample, progress)?;
    timings.separability = clock.lap();
    let mut channel_maps = Vec::new();
    if also.channel_maps {
        progress.stage("maps");
        let described = Described { micrograph, image: image.view(), plan: &plan, session };
        channel_maps = described.channel_maps(&results, backend, progress)?;
        timings.maps = clock.lap();
    } else {
        drop(session);
    }
    // What was done, for those who do it again.
    let numbers = results.iter().map(|r| r.clustering.centroids.nrows()).collect();
    let plan = plan.with_clusters(numbers);
    Ok(Segmentation { plan, features, pca, results, choice, channel_maps, timings })
}

/// The bands that mean and covariance are taken from: all; but where factors are made of
/// the components anyway, a sample of single rows of tiles if there are many.
fn summed(plan: &Plan, bands: &[Band]) -> Vec<Band> {
    match plan.params().reduce {
        Reduce::Maf if plan.sites().grid().len() > MOST_SUMMED => {
            plan.sites().sample_bands(MOST_SUMMED)
        }
        _ => bands.to_vec(),
    }
}

/// Sites whose covariance has forty good directions, about.
const MOST_SUMMED: usize = 16_000;

/// Share of a membership that is one in any of the patterns, where nothing in the image
/// repeats: that there is no pattern is as likely.
const CERTAIN_WITHOUT_LATTICE: f64 = 0.5;

/// Clusters of the active sites, and what they are clusters of.
struct Found<'a> {
    points: ArrayView2<'a, f32>,
    clustering: &'a Clustering,
    plan: &'a Plan,
}

impl Found<'_> {
    /// The labels of pixels, how sure the active sites are of theirs, and how far the
    /// patterns lie apart, by label. `certain` is the share of a membership that is one in
    /// any of them.
    fn label(
        &self,
        within_variance: &Array1<f64>,
        certain: f64,
        absent: Option<&ArcArray2<bool>>,
    ) -> (LabelMap, Vec<f32>, Gaps) {
        let Self { points, clustering, plan } = *self;
        let clusters = clustering.centroids.nrows();
        let numbering = Numbering::Order(plan.params().order);
        let canvas = plan.canvas(&numbering, absent);
        let (map, memberships, gaps) = match plan.params().labels {
            Labels::Nearest => {
                let map = LabelMap::new(&clustering.labels, clusters, canvas);
                let count = plan.sites().grid().count;
                let patterns =
                    Array2::from_shape_fn((count.rows, count.cols), |at| map.cluster_at(at));
                let gaps = Gaps::new(points, &patterns, clusters, plan.sites());
                let mixing = gaps.mixing(certain);
                let memberships =
                    confidence::memberships(points, clustering, within_variance, &mixing);
                (map, memberships, gaps)
            }
            Labels::Interpolated { smooth, least_confidence } => {
                let variance = within_variance.mean().unwrap_or_default();
                let scores = regions::scores(points, &clustering.centroids, variance);
                let smoothing = automatic::smoothing(smooth, plan.sites().grid().stride);
                let limits = (smoothing, least_confidence);
                let mut gaps = None;
                let mixing = |patterns: &Array2<Option<usize>>| {
                    let found = Gaps::new(points, patterns, clusters, plan.sites());
                    gaps.insert(found).mixing(certain)
                };
                let map = LabelMap::of_scores(scores.view(), limits, canvas, mixing);
                let memberships = map.memberships().unwrap_or_default();
                (map, memberships, gaps.expect("the map asked for them"))
            }
        };
        let gaps = gaps.reordered(&map.order());
        (map, memberships, gaps)
    }
}

/// Descriptors of `band`, in `buffer`, which is made larger where need be.
pub(crate) fn described<'b>(
    session: &mut dyn Describe,
    band: &Band,
    buffer: &'b mut Array2<f32>,
) -> Result<ArrayView2<'b, f32>> {
    if buffer.nrows() < band.len() {
        *buffer = Array2::zeros((band.len(), buffer.ncols()));
    }
    let mut part = buffer.slice_mut(s![..band.len(), ..]);
    session.describe(band, part.view_mut())?;
    Ok(buffer.slice(s![..band.len(), ..]))
}

/// Sites from which separability is taken, about, where there are more: enough for
/// a ratio of sums of squares good to a few percent.
const SAMPLE: usize = 20_000;

/// Sites whose sums one task makes; fixed, so that sums do not depend on threads.
const SITES_PER_TASK: usize = 1024;

/// Fills in the separability of the channels, from the sites of `bands`.
fn separate(
    results: &mut [Patterns],
    plan: &Plan,
    session: &mut dyn Describe,
    bands: &[Band],
    progress: &dyn Progress,
) -> Result<()> {
    let zero = |p: &Patterns| ClassSums::zero(p.clustering.centroids.nrows(), plan.channels());
    let mut sums: Vec<ClassSums> = results.iter().map(zero).collect();
    let mut buffer = Array2::zeros((0, plan.channels()));
    for band in bands {
        progress.check()?;
        let descriptors = described(session, band, &mut buffer)?;
        for (patterns, sums) in results.iter().zip(&mut sums) {
            let parts: Vec<ClassSums> = (0..band.len())
                .into_par_iter()
                .step_by(SITES_PER_TASK)
                .map(|first| {
                    let mut part = zero(patterns);
                    for site in first..band.len().min(first + SITES_PER_TASK) {
                        let at = (band.rows.start + site / band.cols, site % band.cols);
                        if let Some(cluster) = patterns.map.cluster_at(at) {
                            part.add(cluster, descriptors.row(site));
                        }
                    }
                    part
                })
                .collect();
            parts.iter().for_each(|part| sums.merge(part));
        }
    }
    for (patterns, sums) in results.iter_mut().zip(&sums) {
        patterns.separability = sums.separability();
    }
    Ok(())
}

/// The bands in which `backend` describes the sites of `plan`.
///
/// # Errors
/// As [`Backend::band_rows`].
pub fn bands(plan: &Plan, backend: &dyn Backend) -> Result<Vec<Band>> {
    Ok(plan.sites().bands(backend.band_rows(plan, BAND_BYTES.min(plan.budget() / 4))?))
}

/// Most memory that one band is worked on in, bytes: a step of progress.
pub const BAND_BYTES: u64 = 256 << 20;

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
