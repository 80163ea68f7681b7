//! Something that is timed, and what its times come to.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::statistics::Statistics;
use super::work::Work;
use super::{Limits, Row, Stage};
use stemseg::Result;
use stemseg::backend::{Backend, DeviceInfo, DeviceWork};
use stemseg::progress::Progress;

/// What the tasks share: one task at a time runs in it.
pub(super) struct Room<'p> {
    pub(super) progress: &'p dyn Progress,
    /// Descriptors, as many as the largest task needs.
    pub(super) descriptors: Vec<f32>,
}

impl<'p> Room<'p> {
    pub(super) fn new(progress: &'p dyn Progress) -> Self {
        Self { progress, descriptors: Vec::new() }
    }
}

/// Something that is timed.
pub(super) struct Task<'a> {
    pub(super) stage: Stage,
    pub(super) size: Option<[usize; 2]>,
    pub(super) device: DeviceInfo,
    pub(super) sites: usize,
    pub(super) channels: usize,
    pub(super) work: Work,
    pub(super) run: Box<Run<'a>>,
    /// Whose work is counted, and what it was asked to do in one run.
    pub(super) backend: Option<&'a dyn Backend>,
    pub(super) device_work: Option<DeviceWork>,
}

/// Does it once, and tells how long the stage took.
pub(super) type Run<'a> = dyn FnMut(&mut Room<'_>) -> Result<Duration> + 'a;

impl<'a> Task<'a> {
    /// The same, and what `backend` is asked to do is counted.
    pub(super) fn counted(self, backend: &'a dyn Backend) -> Self {
        Self { backend: Some(backend), ..self }
    }

    /// Does it once; the time is that of the stage alone.
    pub(super) fn run(&mut self, room: &mut Room<'_>) -> Result<Duration> {
        let work = |task: &Self| task.backend.and_then(Backend::work);
        let before = work(self);
        let time = (self.run)(room)?;
        self.device_work = work(self).zip(before).map(|(after, before)| after.since(before));
        Ok(time)
    }

    /// What `times` come to.
    pub(super) fn row(&self, times: &[Duration], limits: &Limits) -> Row {
        let Statistics { median, min, deviation } = Statistics::of(times);
        let per_second = |amount: f64| amount / (median * 1e-3).max(1e-12);
        let counted = |amount: f64| (amount > 0.0).then(|| per_second(amount) / 1e9);
        let (gflops, bytes) = (counted(self.work.flops), counted(self.work.bytes));
        let here = |rate: f64, limit: f64| (!self.is_elsewhere()).then_some(rate / limit);
        Row {
            stage: self.stage,
            size: self.size,
            device: self.device.clone(),
            sites: self.sites,
            channels: self.channels,
            median_ms: median,
            min_ms: min,
            deviation_ms: deviation,
            megapixels_per_s: self.size.map(|[rows, cols]| per_second((rows * cols) as f64) / 1e6),
            megasites_per_s: per_second(self.sites as f64) / 1e6,
            frames_per_s: (self.stage == Stage::Frame).then(|| per_second(1.0)),
            gflops,
            gigabytes_per_s: bytes,
            share_of_peak: gflops.and_then(|rate| here(rate, limits.gflops)),
            device_work: self.device_work,
            share_of_copy: bytes.and_then(|rate| here(rate, limits.copy_gigabytes_per_s)),
        }
    }

    /// Whether the limits of the processor are not its own.
    fn is_elsewhere(&self) -> bool {
        !matches!(self.device.kind.as_str(), "cpu" | "host")
    }
}

/// How long `stage` takes, without what it takes to drop its result.
pub(super) fn timed<T>(stage: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let begun = Instant::now();
    let made = stage()?;
    let time = begun.elapsed();
    black_box(made);
    Ok(time)
}
