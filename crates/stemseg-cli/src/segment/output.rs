//! What `stemseg segment` writes and says.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use serde_json::{Map, Value, json};
use stemseg::backend::DeviceInfo;
use stemseg::image::micrograph::PixelSize;
use stemseg::lattice::Repetition;
use stemseg::model::Model;
use stemseg::pipeline::{Patterns, Segmentation};
use stemseg::threads::{Beside, beside};
use stemseg::{Error, Plan, Progress, Result};
use stemseg_files::write::{ResultFolder, sync_file, write_npy};
use stemseg_report::overlay::overlay;
use stemseg_report::summary::{LabelArea, Summary, ms};
use stemseg_report::visible;

use super::args::{Args, Save};
use super::formats::{Labelled, Write};
use super::report::Report;
use crate::input::Read;
use crate::progress::Bar;

/// Everything that the result says beside what was found.
pub(super) struct Output<'a> {
    pub(super) args: &'a Args,
    pub(super) input: Read,
    pub(super) repetition: Repetition,
    pub(super) device: DeviceInfo,
    /// When the command began, and how long reading took.
    pub(super) started: Instant,
    pub(super) read: Duration,
}

impl Output<'_> {
    /// Writes all files into `folder` but its summary.json; gives what goes into that.
    pub(super) fn write(
        &self,
        found: &Segmentation,
        folder: &ResultFolder,
        bar: &Bar,
    ) -> Result<Map<String, Value>> {
        let several = found.results.len() > 1;
        if self.args.saves(Save::Features) {
            let count = found.plan.sites().grid().count;
            let shape = (count.rows, count.cols, found.features.ncols());
            let features =
                found.features.to_shape(shape).expect("one row of features for each site");
            write_npy(&folder.path("features.npy"), features.view())?;
        }
        let mut begun = Instant::now();
        let report = self.args.report.wanted().then(|| Report::new(self, found, folder));
        let (mut summaries, mut pages) = (Vec::new(), Vec::new());
        for (index, result) in found.results.iter().enumerate() {
            bar.check()?;
            let sub = several.then(|| format!("k{}/", result.clustering.centroids.nrows()));
            let place = |name: &str| folder.path(format!("{}{name}", sub.as_deref().unwrap_or("")));
            let mut summary = self.summary(found, index);
            // Threads of their own: one of rayon's that waited for files would be missing
            // where their rows are made.
            let (written, pictures) = std::thread::scope(|scope| {
                let written = beside(scope, || self.write_maps(found, result, &summary, &place));
                let pictures = report.as_ref().map(|report| report.draw(index, &place)).transpose();
                (written.join(), pictures)
            });
            written?;
            summary.timings_ms.read = ms(self.read);
            summary.timings_ms.write = ms(begun.elapsed());
            summary.timings_ms.total = ms(self.started.elapsed());
            let mut value = as_map(&summary);
            if let Some((report, pictures)) = report.as_ref().zip(pictures?) {
                pages.push(report.page(index, summary, pictures, &place)?);
            }
            if let Some(sub) = &sub {
                value.insert("files".into(), folder.files(sub)?.into());
                write_json(&place("summary.json"), &value)?;
            }
            summaries.push(value);
            begun = Instant::now();
        }
        if !several {
            return Ok(summaries.remove(0));
        }
        if let Some(report) = &report {
            report.index(&pages)?;
        }
        // Each number of clusters has its own; this one leads to them.
        let version = env!("CARGO_PKG_VERSION");
        let whole = json!({ "stemseg_version": version, "files": [], "results": summaries });
        Ok(as_map(&whole))
    }

    fn summary(&self, found: &Segmentation, index: usize) -> Summary {
        let patterns = &found.results[index];
        let (input, remarks) = (self.input.summary.clone(), self.input.remarks.clone());
        let mut summary = Summary::new(input, &self.device, found, patterns, remarks);
        summary.lattice = Some(self.repetition);
        summary.label_type = self.args.formats.label_type(patterns.map.largest());
        summary.overlay = (&self.args.report.overlay(summary.input.pixel_size_nm)).into();
        summary
    }

    fn write_maps(
        &self,
        found: &Segmentation,
        patterns: &Patterns,
        summary: &Summary,
        place: &(dyn Fn(&str) -> std::path::PathBuf + Sync),
    ) -> Result<()> {
        let map = &patterns.map;
        let size = self.input.summary.pixel_size_nm;
        if self.args.saves(Save::Descriptors) || self.args.saves(Save::Features) {
            write_npy(&place("site_labels.npy"), map.sites.view())?;
        }
        let model = Model::new(found, patterns, size);
        write_json(&place("model.json"), &json!(model))?;
        let overlay_to: Write<'_> = Box::new(|path| {
            let options = self.args.report.overlay(size);
            write_png(path, &overlay(self.input.micrograph.pixels(), map, &options)?)
        });
        let stem = stem(&self.input.summary.path);
        let (input, kind) = (&self.input, summary.label_type);
        let labelled = Labelled { stem: &stem, input, patterns, kind, summary };
        let mut files = vec![("overlay.png".to_owned(), overlay_to)];
        files.extend(self.args.formats.files(&labelled));
        let files = files.into_iter().map(|(name, write)| (place(&name), write));
        in_parallel(&files.collect::<Vec<_>>())
    }

    /// The result in one line for each number of clusters.
    pub(super) fn in_a_line(&self, found: &Segmentation, place: &Path) -> String {
        let size = self.input.summary.pixel_size_nm;
        let line = |patterns| {
            format!("{}  {}", visible::path(place), areas_in_words(patterns, &found.plan, size))
        };
        found.results.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The result in a few lines, for people.
    pub(super) fn in_words(&self, found: &Segmentation, place: &Path) -> String {
        let plan = &found.plan;
        let mut lines = vec![format!(
            "{} sites x {} channels on {} in {:.2} s",
            plan.sites().active_count(),
            plan.channels(),
            self.device.name,
            self.started.elapsed().as_secs_f64()
        )];
        for patterns in &found.results {
            lines.push(areas_in_words(patterns, plan, self.input.summary.pixel_size_nm));
        }
        lines.push(visible::path(place));
        lines.join("\n")
    }
}

/// Shares of the image, the largest labels first, with areas where pixels have a size.
fn areas_in_words(patterns: &Patterns, plan: &Plan, pixel: Option<PixelSize>) -> String {
    const MOST: usize = 16;
    let share = |name: &str, fraction: f64| format!("{name}: {:.1} %", 100.0 * fraction);
    let Patterns { clustering, map, memberships, .. } = patterns;
    let area = |label: &LabelArea| {
        let size = label.calibrated().map_or(String::new(), |area| format!(" ({})", area.plain()));
        share(&label.area.label.to_string(), label.area.fraction) + &size
    };
    let labels = LabelArea::all(patterns, plan, pixel);
    let mut areas: Vec<String> = labels.iter().take(MOST).map(area).collect();
    if map.areas.len() > MOST {
        areas.push(format!("and {} more", map.areas.len() - MOST));
    }
    let labelled: f64 = map.areas.iter().map(|a| a.fraction).sum();
    if labelled < 1.0 - 1e-9 {
        areas.push(share("none", 1.0 - labelled));
    }
    let sure =
        memberships.iter().map(|&m| f64::from(m)).sum::<f64>() / memberships.len().max(1) as f64;
    format!("k = {}  {}   (confidence {sure:.2})", clustering.centroids.nrows(), areas.join("   "))
}

/// Names of the files of one number of clusters, and of those that all share, but for
/// `summary.json`.
pub(super) fn names(args: &Args, image: &Path, several: bool) -> (Vec<String>, Vec<String>) {
    let mut names = args.formats.names(&stem(image));
    names.extend(["overlay.png", "model.json"].map(str::to_owned));
    if args.report.wanted() {
        names.extend(["report.html", "features.png"].map(str::to_owned));
    }
    if args.saves(Save::Descriptors) || args.saves(Save::Features) {
        names.push("site_labels.npy".to_owned());
    }
    let saved = [
        (Save::Descriptors, "descriptors.npy"),
        (Save::Features, "features.npy"),
        (Save::Maps, "maps/maps.json"),
    ];
    let saved = saved.into_iter().filter(|(what, _)| args.saves(*what));
    let mut shared: Vec<String> = saved.map(|(_, name)| name.to_owned()).collect();
    shared.extend(several.then(|| "summary.json".to_owned()));
    (names, shared)
}

/// Names of what a result will hold, as far as they are known before; `several` numbers of
/// clusters have folders of their own.
pub(super) fn planned(args: &Args, image: &Path, several: bool) -> Vec<String> {
    let (mut own, shared) = names(args, image, several);
    // Of a single pattern there are none.
    own.extend(args.report.wanted().then(|| "channels.png".to_owned()));
    let clusters = args.clusters().unwrap_or_default();
    let all = match several {
        true => clusters.iter().map(|k| format!("k{k}")).collect(),
        false => own,
    };
    let page = args.report.wanted().then(|| "report.html".to_owned());
    all.into_iter().chain(shared).chain(page).chain(["summary.json".to_owned()]).collect()
}

/// Name of the image without its ending.
fn stem(image: &Path) -> String {
    image.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Writes each file in a thread of its own, for compressing takes most of the
/// time, and waits there until the disk has it.
fn in_parallel(files: &[(PathBuf, Write<'_>)]) -> Result<()> {
    let write = |path: &Path, write: &Write<'_>| {
        write(path)?;
        // What is in folders is synced when all is put in place.
        if path.is_dir() { Ok(()) } else { sync_file(path) }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            files.iter().map(|(path, work)| beside(scope, move || write(path, work))).collect();
        threads.into_iter().try_for_each(Beside::join)
    })
}

/// Writes a picture fast: the choice of a filter for each line takes longer than
/// it saves on noisy images.
fn write_png(path: &Path, picture: &image::RgbImage) -> Result<()> {
    // By way of memory: encoders hide what kind of error a writer met, such as a full disk.
    let mut bytes = Vec::new();
    let png = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Sub);
    picture.write_with_encoder(png).map_err(|e| Error::io(path)(std::io::Error::other(e)))?;
    std::fs::write(path, bytes).map_err(Error::io(path))
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).expect("all keys are strings");
    std::fs::write(path, text + "\n").map_err(Error::io(path))
}

/// A value with names as a JSON object.
fn as_map(value: &impl serde::Serialize) -> Map<String, Value> {
    let value = serde_json::to_value(value).expect("all keys are strings");
    let Value::Object(map) = value else { unreachable!("a value with names") };
    map
}
