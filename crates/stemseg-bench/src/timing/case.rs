//! The stages of one image, ready to be timed again and again.

use std::time::Duration;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use super::Stage;
use super::task::{Room, Run, Task, timed};
use super::work::Work;
use stemseg::backend::cpu::{CovarianceOnly, Cpu};
use stemseg::backend::{Assign, Backend, Describe, DeviceInfo};
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::image::rows;
use stemseg::labels::label_map::{LabelMap, Numbering};
use stemseg::pipeline::frames::Frames;
use stemseg::plan::{Params, Plan};
use stemseg::progress::{Progress, Unseen};
use stemseg::reduce::pca::{Moments, Pca};
use stemseg::sites::Band;
use stemseg::{Model, Result, pipeline};

/// What computes the stages that no backend has for its own.
fn host() -> DeviceInfo {
    DeviceInfo { kind: "host".into(), name: "host".into(), ..Cpu::new().device().clone() }
}

/// Whether `backend` keeps the descriptors of `plan` for the next stage.
fn keeps(backend: &dyn Backend, plan: &Plan) -> bool {
    let bytes = size_of::<f32>() * plan.sites().grid().len() * plan.channels();
    backend.device().kind != "cpu" && bytes as u64 <= plan.budget()
}

/// One image, with what each stage needs of those before it.
pub(super) struct Case<'a> {
    pixels: ArrayView2<'a, f32>,
    micrograph: Micrograph,
    /// The image as it is described.
    described: Array2<f32>,
    plan: Plan,
    moments: Moments,
    pca: Pca,
    /// Features of the sites.
    points: Array2<f32>,
    centroids: Array2<f32>,
    /// Cluster of each site.
    labels: Vec<u32>,
}

impl<'a> Case<'a> {
    /// Runs the stages once on the processor.
    pub(super) fn new(
        pixels: &'a Array2<f32>,
        params: &Params,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let micrograph = Micrograph::new(pixels.view(), None, NonFinite::Fail)?;
        let plan = Plan::new(params.clone(), &micrograph)?;
        let described = plan.image(&micrograph)?.into_owned();
        let cpu = Cpu::new();
        let bands = pipeline::bands(&plan, &cpu)?;
        let mut session = cpu.upload(described.view(), &plan)?;
        let moments = accumulate(&mut *session, &bands, progress)?;
        let pca = Pca::of_blocks(&moments, plan.components(), &plan.blocks())?;
        let points = project(&mut *session, &bands, &pca, progress)?;
        drop(session);
        let centroids = spread(&points, plan.params().clusters[0]);
        let mut labels = vec![0; points.nrows()];
        let mut assigner = cpu.assigner(points.view())?;
        assigner.step(centroids.view())?;
        assigner.labels(&mut labels, &mut vec![0.0; points.nrows()])?;
        drop(assigner);
        let pixels = pixels.view();
        Ok(Self { pixels, micrograph, described, plan, moments, pca, points, centroids, labels })
    }

    /// The stages that all backends share.
    pub(super) fn on_host<'c>(&'c self) -> Vec<Task<'c>> {
        let task = |stage, run: Box<Run<'c>>| self.task(stage, host(), false, run);
        vec![
            task(
                Stage::Standardise,
                Box::new(|_| timed(|| Micrograph::new(self.pixels, None, NonFinite::Fail))),
            ),
            task(Stage::Pca, Box::new(|_| timed(|| self.pca()))),
            task(
                Stage::LabelMap,
                Box::new(|_| {
                    timed(|| {
                        let numbering = Numbering::Order(self.plan.params().order);
                        let canvas = self.plan.canvas(&numbering, None);
                        Ok(LabelMap::new(&self.labels, self.clusters(), canvas))
                    })
                }),
            ),
        ]
    }

    /// The stages of `backend`.
    pub(super) fn on<'c>(&'c self, backend: &'c dyn Backend) -> Vec<Task<'c>> {
        let kept = keeps(backend, &self.plan);
        let task = |stage, run: Box<Run<'c>>| self.task(stage, backend.device().clone(), kept, run);
        let mut tasks = vec![
            task(Stage::Upload, Box::new(|_| timed(|| self.upload(backend)))),
            task(Stage::Descriptors, Box::new(|room| self.describe(backend, room))),
            task(Stage::Accumulate, Box::new(|room| self.accumulate(backend, room))),
            task(Stage::Project, Box::new(|room| self.project(backend, room))),
            task(Stage::Segment, Box::new(|room| self.segment(backend, room))),
            task(Stage::Frame, self.labelling(backend)),
        ];
        if backend.device().kind == "cpu" {
            let mut alone = CovarianceOnly::new(&self.plan);
            let mut sums = move || {
                alone.run();
                Ok(())
            };
            tasks.push(task(Stage::Covariance, Box::new(move |_| timed(&mut sums))));
        } else if kept {
            tasks.push(task(Stage::Covariance, Box::new(|room| self.covariance(backend, room))));
        }
        let points = self.points.view();
        let work = Work::of_k_means(points.nrows(), points.ncols(), self.clusters());
        let run = assigning(backend, points, self.centroids.view());
        tasks.push(Task { work, ..task(Stage::KMeans, run) });
        tasks.sort_by_key(|task| task.stage as usize);
        tasks
    }

    fn pca(&self) -> Result<Pca> {
        Pca::of_blocks(&self.moments, self.plan.components(), &self.plan.blocks())
    }

    fn clusters(&self) -> usize {
        self.centroids.nrows()
    }

    fn task<'c>(
        &'c self,
        stage: Stage,
        device: DeviceInfo,
        kept: bool,
        run: impl FnMut(&mut Room<'_>) -> Result<Duration> + 'c,
    ) -> Task<'c> {
        Task {
            stage,
            size: Some(self.pixels.dim().into()),
            device,
            sites: self.plan.sites().grid().len(),
            channels: self.plan.channels(),
            work: Work::of(stage, &self.plan, self.pca.features(), kept),
            run: Box::new(run),
            backend: None,
            device_work: None,
        }
    }

    fn upload<'c>(&'c self, backend: &'c dyn Backend) -> Result<Box<dyn Describe + 'c>> {
        backend.upload(self.described.view(), &self.plan)
    }

    fn describe(&self, backend: &dyn Backend, room: &mut Room<'_>) -> Result<Duration> {
        let bands = pipeline::bands(&self.plan, backend)?;
        let shape = (self.plan.sites().grid().len(), self.plan.channels());
        let values = shape.0 * shape.1;
        room.descriptors.resize(room.descriptors.len().max(values), 0.0);
        let mut out = ArrayViewMut2::from_shape(shape, &mut room.descriptors[..values])
            .expect("as many values as were made room for");
        // Uploaded afresh: norm maps belong to the stage.
        let mut session = self.upload(backend)?;
        let all = || {
            for band in &bands {
                room.progress.check()?;
                session.describe(band, out.slice_mut(s![band.sites(), ..]))?;
            }
            Ok(())
        };
        timed(all)
    }

    fn accumulate(&self, backend: &dyn Backend, room: &mut Room<'_>) -> Result<Duration> {
        let bands = pipeline::bands(&self.plan, backend)?;
        let mut session = self.upload(backend)?;
        timed(|| accumulate(&mut *session, &bands, room.progress))
    }

    /// The sums over descriptors that the device has kept.
    fn covariance(&self, backend: &dyn Backend, room: &mut Room<'_>) -> Result<Duration> {
        let bands = pipeline::bands(&self.plan, backend)?;
        let mut session = self.upload(backend)?;
        accumulate(&mut *session, &bands, room.progress)?;
        timed(|| accumulate(&mut *session, &bands, room.progress))
    }

    /// The features, with what was kept of the stage before.
    fn project(&self, backend: &dyn Backend, room: &mut Room<'_>) -> Result<Duration> {
        let bands = pipeline::bands(&self.plan, backend)?;
        let mut session = self.upload(backend)?;
        accumulate(&mut *session, &bands, room.progress)?;
        timed(|| project(&mut *session, &bands, &self.pca, room.progress))
    }

    fn segment(&self, backend: &dyn Backend, room: &mut Room<'_>) -> Result<Duration> {
        let plan = self.plan.clone();
        let progress = Unseen(room.progress);
        let all =
            || pipeline::segment(&self.micrograph, plan, backend, &progress, Default::default());
        timed(all)
    }
}

impl Case<'_> {
    /// Labels the image as a frame of a film; the model is fitted to it the first time.
    fn labelling<'c>(&'c self, backend: &'c dyn Backend) -> Box<Run<'c>> {
        let mut frames: Option<Frames> = None;
        Box::new(move |room| {
            let progress = &Unseen(room.progress);
            let frames = match &mut frames {
                Some(there) => there,
                none => none.insert(self.frames(backend, progress)?),
            };
            timed(|| {
                let plan = frames.plan(&self.micrograph)?;
                let sites = frames.memberships(&self.micrograph, &plan, backend, progress)?;
                let map = frames.map(sites.maps, None);
                let labels: Array2<u16> = rows::collect(&map);
                Ok((labels, rows::collect(&map.confidence())))
            })
        })
    }

    fn frames(&self, backend: &dyn Backend, progress: &dyn Progress) -> Result<Frames> {
        let plan = self.plan.clone();
        let also = Default::default();
        let found = pipeline::segment(&self.micrograph, plan, backend, progress, also)?;
        let model = Model::new(&found, &found.results[0], None);
        Frames::new(&model, self.pixels.dim())
    }
}

/// Sums of all `bands`.
fn accumulate(
    session: &mut dyn Describe,
    bands: &[Band],
    progress: &dyn Progress,
) -> Result<Moments> {
    for band in bands {
        progress.check()?;
        session.accumulate(band)?;
    }
    session.moments()
}

/// Features of all `bands`.
fn project(
    session: &mut dyn Describe,
    bands: &[Band],
    pca: &Pca,
    progress: &dyn Progress,
) -> Result<Array2<f32>> {
    for band in bands {
        progress.check()?;
        session.project(band, pca)?;
    }
    session.features()
}

/// Assigns `points` to `centroids`; the points are uploaded once.
fn assigning<'c>(
    backend: &'c dyn Backend,
    points: ArrayView2<'c, f32>,
    centroids: ArrayView2<'c, f32>,
) -> Box<Run<'c>> {
    let mut assigner: Option<Box<dyn Assign + 'c>> = None;
    Box::new(move |_| {
        let assigner = match &mut assigner {
            Some(there) => there,
            none => none.insert(backend.assigner(points)?),
        };
        timed(|| assigner.step(centroids))
    })
}

/// `count` of the `points`, evenly spread.
fn spread(points: &Array2<f32>, count: usize) -> Array2<f32> {
    let rows: Vec<usize> = (0..count).map(|i| i * points.nrows() / count).collect();
    points.select(ndarray::Axis(0), &rows)
}

/// A million points in 8 blobs of 5 features: k-means alone, whatever the image.
pub(super) struct Cloud {
    points: Array2<f32>,
    centroids: Array2<f32>,
}

impl Cloud {
    const POINTS: usize = 1_000_000;
    const FEATURES: usize = 5;
    const CLUSTERS: usize = 8;

    pub(super) fn new() -> Self {
        // Blobs at corners of a cube, wide enough to overlap.
        let value = |(i, feature): (usize, usize)| {
            let number = (i * Self::FEATURES + feature) as u64;
            let scattered = number.wrapping_mul(2_654_435_761) >> 7 & 0xffff;
            let corner = ((i % Self::CLUSTERS) >> (feature % 3)) & 1;
            corner as f32 + scattered as f32 / 32_768.0
        };
        let points = Array2::from_shape_fn((Self::POINTS, Self::FEATURES), value);
        let centroids = points.slice(s![..Self::CLUSTERS, ..]).to_owned();
        Self { points, centroids }
    }

    /// One assignment of them on `backend`.
    pub(super) fn on<'c>(&'c self, backend: &'c dyn Backend) -> Task<'c> {
        Task {
            stage: Stage::KMeansMillion,
            size: None,
            device: backend.device().clone(),
            sites: Self::POINTS,
            channels: Self::FEATURES,
            work: Work::of_k_means(Self::POINTS, Self::FEATURES, Self::CLUSTERS),
            run: assigning(backend, self.points.view(), self.centroids.view()),
            backend: None,
            device_work: None,
        }
    }
}
