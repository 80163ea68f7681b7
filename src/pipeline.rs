//! The way of the data, on one screen: [`segment`].

use std::time::{Duration, Instant};

use ndarray::{Array2, ArrayView2, s};

use crate::Result;
use crate::backend::Backend;
use crate::kmeans::{self, Clustering, Options};
use crate::label_map::LabelMap;
use crate::micrograph::Micrograph;
use crate::pca::{Explained, Moments, Pca};
use crate::plan::{Params, Plan};
use crate::progress::Progress;
use crate::sites::Band;

/// What came of one image.
#[derive(Debug)]
pub struct Segmentation {
    /// What was computed, and where.
    pub plan: Plan,
    /// Features of all sites, `[sites, q]`, sites row by row.
    pub features: Array2<f32>,
    /// What PCA kept.
    pub explained: Explained,
    /// One clustering and label map for each number of clusters asked for.
    pub results: Vec<(Clustering, LabelMap)>,
    /// How long each stage took.
    pub timings: Timings,
}

/// Wall-clock time of the stages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the image in memory to the last descriptor or covariance sum.
    pub describe: Duration,
    /// Eigenvectors and projection.
    pub pca: Duration,
    /// All runs of k-means.
    pub cluster: Duration,
    /// Site labels to pixel labels.
    pub upsample: Duration,
}

/// Takes descriptors `[sites, D]` band by band, for those who want them.
pub type DescriptorSink<'a> = &'a mut dyn FnMut(&Band, ArrayView2<'_, f32>) -> Result<()>;

/// Segments `micrograph` on `backend`.
///
/// # Errors
/// What [`Plan::new`], [`Micrograph::standardised`], the backend and k-means
/// report, and [`Error::Interrupted`](crate::Error::Interrupted).
pub fn segment(
    micrograph: &Micrograph,
    params: Params,
    backend: &dyn Backend,
    progress: &dyn Progress,
    mut sink: Option<DescriptorSink<'_>>,
) -> Result<Segmentation> {
    let plan = Plan::new(params, micrograph.shape(), micrograph.mask())?;
    let bands = plan.bands(backend.band_rows(&plan, BAND_BYTES)?);
    let mut clock = Clock::start();
    let mut timings = Timings::default();

    progress.stage("describe");
    let image = micrograph.standardised()?;
    let mut session = backend.upload(image.view(), &plan)?;
    let mut moments = Moments::zero(plan.channels());
    for (done, band) in bands.iter().enumerate() {
        progress.step(done as u64, bands.len() as u64)?;
        moments.add(&session.accumulate(band)?);
    }
    timings.describe = clock.lap();

    progress.stage("pca");
    let pca = Pca::new(&moments, plan.params.components)?;
    let mut features = Array2::zeros((plan.grid.len(), pca.features()));
    for (done, band) in bands.iter().enumerate() {
        progress.step(done as u64, bands.len() as u64)?;
        features.slice_mut(s![band.sites(), ..]).assign(&session.project(band, &pca)?);
    }
    timings.pca = clock.lap();

    if let Some(sink) = &mut sink {
        progress.stage("save");
        for band in &bands {
            progress.check()?;
            sink(band, session.describe(band)?.view())?;
        }
        clock.lap();
    }
    drop(session);

    let points = plan.keep_active(&features);
    let mut results = Vec::with_capacity(plan.params.clusters.len());
    for &clusters in &plan.params.clusters {
        progress.stage("cluster");
        let options = Options { clusters, starts: plan.params.starts, seed: plan.params.seed };
        let clustering = kmeans::cluster(points.view(), options, backend, progress)?;
        timings.cluster += clock.lap();
        let map = LabelMap::new(&clustering.labels, clusters, &plan, micrograph.mask());
        timings.upsample += clock.lap();
        results.push((clustering, map));
    }
    Ok(Segmentation { plan, features, explained: pca.report, results, timings })
}

/// Descriptors of one band, bytes: a step of progress and a dispatch or two.
const BAND_BYTES: u64 = 256 << 20;

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
