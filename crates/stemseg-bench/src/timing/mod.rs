//! How fast this machine is: every stage of a segmentation, timed.
//!
//! All stages of all images and devices take turns, round after round, so that
//! whatever else the machine does strikes them alike. A round that is not
//! counted goes first: buffers are there and caches warm in the others. Each
//! row tells the median over the rounds, the least, and the mean absolute
//! deviation from the median, and sets them against what the processor and its
//! memory can do (see [`Limits`]).

mod case;
mod limits;
mod stage;
mod statistics;
mod task;
mod work;

use std::time::{Duration, Instant};

use ndarray::Array2;
use serde::Serialize;

use stemseg::backend::{Backend, DeviceInfo, DeviceWork};
use stemseg::plan::Params;
use stemseg::progress::Progress;
use stemseg::{Error, Result};

use case::{Case, Cloud};
pub use limits::Limits;
pub use stage::Stage;
use task::{Room, Task};

/// Time that the rounds may take together, unless their number is given.
const PATIENCE: Duration = Duration::from_secs(15);
/// Fewest and most rounds within that time.
const ROUNDS: (usize, usize) = (3, 30);

/// What is to be timed.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Parameters of the segmentation; the first number of clusters counts.
    pub params: Params,
    /// The stages.
    pub stages: Vec<Stage>,
    /// How often each is timed; without it as often as fits about 15 s.
    pub repeats: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { params: Params::default(), stages: Stage::ALL.into(), repeats: None }
    }
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of stemseg that was timed.
    pub stemseg_version: &'static str,
    /// What it ran on.
    pub machine: Machine,
    /// What the processor and its memory can do.
    pub limits: Limits,
    /// Parameters of the segmentation.
    pub parameters: Params,
    /// How often each stage was timed.
    pub repeats: usize,
    /// One stage of one image on one device each.
    pub rows: Vec<Row>,
}

/// The machine, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Name of the processor, or its architecture.
    pub processor: String,
    /// Operating system.
    pub system: &'static str,
    /// Threads that compute.
    pub threads: usize,
}

/// One stage of one image on one device.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The stage.
    pub stage: Stage,
    /// Rows and columns of the image, px; the stage on points of its own has none.
    pub size: Option<[usize; 2]>,
    /// What computes; stages that all backends share run on the `host`.
    pub device: DeviceInfo,
    /// Number of sites, or points.
    pub sites: usize,
    /// Channels of a site, or features of a point.
    pub channels: usize,
    /// Median over the repeats, ms.
    pub median_ms: f64,
    /// The least, ms.
    pub min_ms: f64,
    /// Mean absolute deviation from the median, ms.
    pub deviation_ms: f64,
    /// Pixels of the image per time, 1e6 per s.
    pub megapixels_per_s: Option<f64>,
    /// Sites or points per time, 1e6 per s.
    pub megasites_per_s: f64,
    /// Frames of a film per time, 1 per s, of the stage that is one.
    pub frames_per_s: Option<f64>,
    /// Counted operations per time, 1e9 per s; see [`Stage::counted`].
    pub gflops: Option<f64>,
    /// Bytes that must come and go at least, 1e9 per s.
    pub gigabytes_per_s: Option<f64>,
    /// `gflops` as a share of [`Limits::gflops`], on the processor.
    pub share_of_peak: Option<f64>,
    /// What a graphics device was asked to do in one run of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_work: Option<DeviceWork>,
    /// `gigabytes_per_s` as a share of [`Limits::copy_gigabytes_per_s`], on the
    /// processor.
    pub share_of_copy: Option<f64>,
}

/// Times the stages of segmenting each of `images` `[rows, cols]` on each of
/// `backends`.
///
/// # Errors
/// [`Error::Parameter`] for no repeats; what a segmentation reports;
/// [`Error::Interrupted`].
pub fn run(
    images: &[Array2<f32>],
    backends: &[Box<dyn Backend>],
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Report> {
    if settings.repeats == Some(0) {
        return Err(Error::parameter("repeats", 0, "it must be at least 1"));
    }
    progress.stage("prepare");
    let case = |image| Case::new(image, &settings.params, progress);
    let cases = images.iter().map(case).collect::<Result<Vec<_>>>()?;
    let cloud = Cloud::new();
    progress.stage("limits");
    let limits = Limits::measure(progress)?;

    let mut tasks: Vec<Task<'_>> = Vec::new();
    for case in &cases {
        tasks.extend(case.on_host());
        for backend in backends {
            tasks.extend(case.on(&**backend).into_iter().map(|task| task.counted(&**backend)));
        }
    }
    tasks.extend(backends.iter().map(|backend| cloud.on(&**backend).counted(&**backend)));
    tasks.retain(|task| settings.stages.contains(&task.stage));

    let (repeats, times) = time(&mut tasks, settings.repeats, progress)?;
    let row = |(task, times): (&Task<'_>, &Vec<Duration>)| task.row(times, &limits);
    Ok(Report {
        stemseg_version: env!("CARGO_PKG_VERSION"),
        machine: Machine::here(),
        limits,
        parameters: settings.params.clone(),
        repeats,
        rows: tasks.iter().zip(&times).map(row).collect(),
    })
}

/// Number of rounds, and the times of each task.
fn time(
    tasks: &mut [Task<'_>],
    repeats: Option<usize>,
    progress: &dyn Progress,
) -> Result<(usize, Vec<Vec<Duration>>)> {
    let mut room = Room::new(progress);
    let mut round = |done: usize, total: usize| {
        let number = tasks.len();
        let step = |(i, task): (usize, &mut Task<'_>)| {
            progress.step((done * number + i) as u64, (total * number) as u64)?;
            task.run(&mut room)
        };
        tasks.iter_mut().enumerate().map(step).collect::<Result<Vec<Duration>>>()
    };
    progress.stage("warm up");
    let begun = Instant::now();
    let mut times: Vec<Vec<Duration>> = round(0, 1)?.iter().map(|_| Vec::new()).collect();
    let fitting = PATIENCE.as_secs_f64() / begun.elapsed().as_secs_f64().max(1e-6);
    let repeats = repeats.unwrap_or((fitting as usize).clamp(ROUNDS.0, ROUNDS.1));
    progress.stage("time");
    for done in 0..repeats {
        times.iter_mut().zip(round(done, repeats)?).for_each(|(times, time)| times.push(time));
    }
    Ok((repeats, times))
}

impl Machine {
    fn here() -> Self {
        Self {
            processor: processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            system: std::env::consts::OS,
            threads: rayon::current_num_threads(),
        }
    }
}

/// The processor's name, where the system tells it in a file.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}
