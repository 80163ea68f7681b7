//! How well segmentations agree with the truth, over a folder of images that
//! have one.

mod samples;

use std::time::Instant;

use serde::Serialize;

use stemseg::backend::{Backend, DeviceInfo};
use stemseg::image::micrograph::Micrograph;
use stemseg::plan::{Params, Plan};
use stemseg::progress::{Progress, Unseen};
use stemseg::{Error, Result, pipeline};
use stemseg_simulate::metrics::{self, Scores};

pub use samples::{Sample, samples};

/// Parameters for an image and a number of patterns.
pub type ParamsFor<'a> = dyn Fn(&Micrograph, Option<usize>) -> Result<Option<Params>> + 'a;

/// How the images are segmented and judged.
pub struct Settings<'a> {
    /// The parameters for an image with this number of true labels; for none, where the number of
    /// patterns is chosen: nothing where the method does not.
    pub params: &'a ParamsFor<'a>,
    /// What is compared.
    pub metrics: metrics::Options,
}

/// What came of all images.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of stemseg.
    pub stemseg_version: &'static str,
    /// What computed.
    pub device: DeviceInfo,
    /// What was compared.
    pub metrics: metrics::Options,
    /// One for each image, in the order of their names.
    pub rows: Vec<Row>,
    /// Means over the images.
    pub mean: Scores,
    /// The least of all, of displacements and of what has no data the largest.
    pub worst: Scores,
    /// Share of the images whose true number of labels is chosen; nothing where the method does
    /// not.
    pub right_number: Option<f64>,
}

/// One image.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Its [name](Sample::name).
    pub name: String,
    /// Number of true labels, which was the number of clusters, unless that is 1: then it was
    /// chosen, where the method does so.
    pub clusters: usize,
    /// The number that is chosen where none is given; nothing where the method does not.
    pub chosen: Option<usize>,
    /// How well they were found.
    #[serde(flatten)]
    pub scores: Scores,
    /// Time of the segmentation, without reading, ms.
    pub segment_ms: f64,
    /// Number of channels of a site.
    pub channels: usize,
    /// What it was segmented with.
    pub parameters: Params,
}

/// Segments `samples` on `backend` into as many patterns as there are true labels,
/// and compares.
///
/// # Errors
/// [`Error::Parameter`] for no samples; what reading, a segmentation and
/// [`metrics::score`] report, with the image's path; [`Error::Interrupted`].
pub fn run(
    samples: &[Sample],
    backend: &dyn Backend,
    settings: &Settings<'_>,
    progress: &dyn Progress,
) -> Result<Report> {
    if samples.is_empty() {
        return Err(Error::parameter("accuracy", "no images", "give at least one"));
    }
    progress.stage("accuracy");
    let row = |(done, sample): (usize, &Sample)| {
        progress.step(done as u64, samples.len() as u64)?;
        judge(sample, backend, settings, progress).map_err(|e| named(sample, e))
    };
    let rows = samples.iter().enumerate().map(row).collect::<Result<Vec<_>>>()?;
    Ok(Report {
        stemseg_version: env!("CARGO_PKG_VERSION"),
        device: backend.device().clone(),
        metrics: settings.metrics,
        mean: mean(&rows),
        worst: worst(&rows),
        right_number: right_number(&rows),
        rows,
    })
}

fn judge(
    sample: &Sample,
    backend: &dyn Backend,
    settings: &Settings<'_>,
    progress: &dyn Progress,
) -> Result<Row> {
    let (micrograph, truth) = sample.read()?;
    let segment = |clusters: Option<usize>| {
        let begun = Instant::now();
        let Some(params) = (settings.params)(&micrograph, clusters)? else { return Ok(None) };
        let plan = Plan::new(params, &micrograph)?;
        let progress = &Unseen(progress);
        let found = pipeline::segment(&micrograph, plan, backend, progress, Default::default())?;
        Ok(Some((found, begun.elapsed().as_secs_f64() * 1e3)))
    };
    let chosen = segment(None)?;
    let number = chosen.as_ref().map(|(found, _)| found.results[0].map.areas.len());
    // Of one crystal it says nothing that one pattern was found where one was asked for.
    let found = match chosen {
        Some(found) if truth.clusters == 1 || number == Some(truth.clusters) => Some(found),
        _ => segment(Some(truth.clusters))?,
    };
    let (found, segment_ms) = found.expect("a number was given");
    let labels = found.results[0].map.pixels();
    Ok(Row {
        name: sample.name.clone(),
        clusters: truth.clusters,
        chosen: number,
        scores: metrics::score(truth.labels.view(), labels.view(), &settings.metrics)?,
        segment_ms,
        channels: found.plan.channels(),
        parameters: found.plan.params().clone(),
    })
}

/// Names the image in an error that does not name a file.
fn named(sample: &Sample, error: Error) -> Error {
    match error {
        Error::Image(reason) | Error::TooSmall(reason) => Error::unreadable(&sample.image, reason),
        other => other,
    }
}

fn mean(rows: &[Row]) -> Scores {
    over(rows, mean_of, mean_of)
}

fn mean_of(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn worst(rows: &[Row]) -> Scores {
    let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    over(rows, least, most)
}

/// Scores made of those of all rows: `of` makes those that are better the higher
/// they are, `of_displacement` the displacements of the rows that have one.
fn over(
    rows: &[Row],
    of: impl Fn(&[f64]) -> f64,
    of_displacement: impl Fn(&[f64]) -> f64,
) -> Scores {
    let all =
        |get: fn(&Scores) -> f64| of(&rows.iter().map(|r| get(&r.scores)).collect::<Vec<_>>());
    let displacements: Vec<f64> =
        rows.iter().filter_map(|row| row.scores.boundary_displacement).collect();
    let labelled: Vec<f64> =
        rows.iter().filter_map(|row| row.scores.labelled_without_data).collect();
    let ious: Vec<f64> = rows.iter().flat_map(|row| row.scores.ious.iter().copied()).collect();
    Scores {
        adjusted_rand_index: all(|s| s.adjusted_rand_index),
        mean_iou: all(|s| s.mean_iou),
        ious: vec![of(&ious)],
        boundary_f1: all(|s| s.boundary_f1),
        boundary_displacement: (!displacements.is_empty()).then(|| of_displacement(&displacements)),
        labelled_without_data: (!labelled.is_empty()).then(|| of_displacement(&labelled)),
    }
}

fn right_number(rows: &[Row]) -> Option<f64> {
    let right = rows.iter().map(|row| Some(f64::from(u8::from(row.chosen? == row.clusters))));
    let right = right.collect::<Option<Vec<_>>>()?;
    Some(mean_of(&right))
}
