//! The files of a result.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use serde_json::{Map, Value, json};
use stemseg::backend::DeviceInfo;
use stemseg::lattice::Repetition;
use stemseg::model::Model;
use stemseg::pipeline::{Patterns, Segmentation};
use stemseg::threads::{Beside, beside};
use stemseg::{Error, Progress, Result};
use stemseg_crystals::Crystals;
use stemseg_files::write::{ResultFolder, sync_file, write_npy};
use stemseg_regions::Regions;
use stemseg_regions::grains::Grains;
use stemseg_regions::lines::BoundaryLines;
use stemseg_report::overlay::overlay;
use stemseg_report::summary::{Calibrated, ModelFile, Strained, Summary, ms};

use super::formats::{Labelled, Write};
use super::names::stem;
use super::pages::{Page, Pages};
use super::{Output, Save};
use crate::Read;
use crate::area::{Area, least_region_px};

/// A result in the making: everything that it says in addition to what was found.
pub(crate) struct Writing<'a> {
    pub(crate) options: &'a Output,
    pub(crate) input: &'a Read,
    pub(crate) repetition: Repetition,
    /// What labelled the image, where nothing was fitted.
    pub(crate) model: Option<ModelFile>,
    /// What regions that were kept have at least.
    pub(crate) least_region: Option<Area>,
    pub(crate) device: DeviceInfo,
    /// When work on the image began, and how long reading took.
    pub(crate) started: Instant,
    pub(crate) read: Duration,
}

/// What is said of a result.
pub(crate) struct Told {
    pub(crate) summary: Summary,
    regions: Regions,
    lines: BoundaryLines,
    /// Where lattices were looked for.
    crystals: Option<Crystals>,
}

impl Writing<'_> {
    /// Writes all files into `folder` but its summary.json; gives what goes into that.
    pub(crate) fn write(
        &self,
        found: &Segmentation,
        folder: &ResultFolder,
        progress: &dyn Progress,
    ) -> Result<Map<String, Value>> {
        let several = found.results.len() > 1;
        if self.options.saves(Save::Features) {
            let count = found.plan.sites().grid().count;
            let shape = (count.rows, count.cols, found.features.ncols());
            let features =
                found.features.to_shape(shape).expect("one row of features for each site");
            write_npy(&folder.path("features.npy"), features.view())?;
        }
        let mut begun = Instant::now();
        let report = self.options.report.then(|| Pages::new(self, found, folder));
        let (mut summaries, mut pages) = (Vec::new(), Vec::new());
        for (index, result) in found.results.iter().enumerate() {
            progress.check()?;
            let sub = several.then(|| format!("k{}/", result.clustering.centroids.nrows()));
            let place = |name: &str| folder.path(format!("{}{name}", sub.as_deref().unwrap_or("")));
            let (mut value, page) = std::thread::scope(|scope| {
                // Compressing the picture takes longest, on one thread: it begins first.
                let picture = beside(scope, || self.write_picture(result, &place("overlay.png")));
                self.write_result((found, index), report.as_ref(), &place, (begun, picture))
            })?;
            pages.extend(page);
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

    /// Writes the files of one number of clusters but its overlay.png and summary.json; gives what goes into
    /// the latter, and the page if there is one.
    fn write_result(
        &self,
        (found, index): (&Segmentation, usize),
        report: Option<&Pages<'_>>,
        place: &(dyn Fn(&str) -> PathBuf + Sync),
        (begun, picture): (Instant, Beside<'_, Result<()>>),
    ) -> Result<(Map<String, Value>, Option<Page>)> {
        let result = &found.results[index];
        let Told { mut summary, regions, lines, crystals } = self.tell(found, index);
        let calibrated = summary.input.pixel_size_nm.is_some();
        super::regions::write(&place("regions.csv"), &regions, calibrated)?;
        super::boundaries::write(&place("boundaries.csv"), &lines, crystals.as_ref(), calibrated)?;
        super::boundaries::write_triple_points(&place("triple_points.csv"), &lines)?;
        if let Some(crystals) = &crystals {
            super::lattices::write(&place("lattices.csv"), &regions, crystals, calibrated)?;
        }
        let strain = crystals.as_ref().filter(|_| self.options.saves(Save::Strain));
        let strain = strain.map(|crystals| {
            let (pixels, at) = (self.input.micrograph.pixels(), self.options.strain_reference);
            super::strain::maps(pixels, &regions, crystals, at)
        });
        let mut strained = Vec::new();
        if let Some((maps, reference)) = strain.transpose()? {
            super::strain::write(&place("strain.tif"), &maps, summary.input.pixel_size_nm)?;
            summary.strain =
                Some(Strained::new(&regions, &maps, reference, self.options.strain_reference));
            strained = stemseg_report::strain::maps(&maps);
        }
        // Threads of their own: one of rayon's that waited for files would be missing
        // where their rows are made.
        let (written, pictures) = std::thread::scope(|scope| {
            let written = beside(scope, || {
                self.write_maps(found, result, (&summary, &regions, &lines), place)
            });
            let pictures = report.map(|report| report.draw(index, place)).transpose();
            let pictures = pictures.map(|drawn| drawn.map(|drawn| drawn.with_strain(&strained)));
            (written.join(), pictures)
        });
        written.and(picture.join())?;
        if self.options.saves(Save::Figures) {
            super::figures::write(&place(super::figures::FOLDER), (found, result), &strained)?;
        }
        summary.timings_ms.read = ms(self.read);
        summary.timings_ms.write = ms(begun.elapsed()) - summary.timings_ms.lattices;
        summary.timings_ms.total = ms(self.started.elapsed());
        let value = as_map(&summary);
        let page = match report.zip(pictures?) {
            Some((report, pictures)) => Some(report.page(index, summary, pictures, place)?),
            None => None,
        };
        Ok((value, page))
    }

    /// Writes the picture of the image with its labels in colour.
    fn write_picture(&self, Patterns { map, .. }: &Patterns, path: &Path) -> Result<()> {
        let options = self.options.overlay_options(self.input.summary.pixel_size_nm);
        write_png(path, &overlay(self.input.micrograph.pixels(), map, &options)?)?;
        sync_file(path)
    }

    /// What summary.json says of a result, except for the list of files, and what its tables do.
    pub(crate) fn tell(&self, found: &Segmentation, index: usize) -> Told {
        let mut summary = self.summary(found, index);
        let begun = Instant::now();
        let regions = regions(&found.results[index], self.input);
        let size = self.input.summary.pixel_size_nm;
        summary.regions = Grains::all(&regions);
        let lines = BoundaryLines::new(&regions, &found.plan, &found.results[index], size);
        summary.boundary_lines = Some((&lines).into());
        let pixels = self.input.micrograph.pixels();
        let crystals = self.options.lattices.then(|| Crystals::new(pixels, &regions, size));
        crystals.iter().for_each(|crystals| summary.tell(crystals));
        let known = crystals.as_ref().zip(self.options.known_lattice);
        summary.calibration = known.map(|(crystals, known)| Calibrated::new(crystals, known, size));
        summary.timings_ms.lattices = ms(begun.elapsed());
        Told { summary, regions, lines, crystals }
    }

    fn summary(&self, found: &Segmentation, index: usize) -> Summary {
        let patterns = &found.results[index];
        let (input, remarks) = (self.input.summary.clone(), self.input.remarks.clone());
        let mut summary = Summary::new(input, &self.device, found, patterns, remarks);
        summary.lattice = Some(self.repetition);
        summary.model = self.model.clone();
        summary.least_region_px = least_region_px(self.least_region, summary.input.pixel_size_nm);
        summary.label_type = self.options.label_type_for(patterns.map.largest());
        summary.overlay = (&self.options.overlay_options(summary.input.pixel_size_nm)).into();
        summary
    }

    fn write_maps(
        &self,
        found: &Segmentation,
        patterns: &Patterns,
        (summary, regions, lines): (&Summary, &Regions, &BoundaryLines),
        place: &(dyn Fn(&str) -> PathBuf + Sync),
    ) -> Result<()> {
        let map = &patterns.map;
        let size = self.input.summary.pixel_size_nm;
        if self.options.saves(Save::Descriptors) || self.options.saves(Save::Features) {
            write_npy(&place("site_labels.npy"), map.sites.view())?;
        }
        let model = Model::new(found, patterns, size);
        write_json(&place("model.json"), &json!(model))?;
        let stem = stem(&self.input.summary.path);
        let (input, kind) = (self.input, summary.label_type);
        let labelled = Labelled { stem: &stem, input, patterns, kind, summary, regions, lines };
        let files = labelled.files(&self.options.formats).into_iter();
        let files = files.map(|(name, write)| (place(&name), write));
        in_parallel(&files.collect::<Vec<_>>())
    }
}

/// The connected regions of a result, with their confidence.
pub(crate) fn regions(Patterns { map, memberships, .. }: &Patterns, input: &Read) -> Regions {
    Regions::new(map, Some(&map.confidence(memberships)), input.summary.pixel_size_nm)
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
