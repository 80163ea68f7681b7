//! What `stemseg segment` says on the terminal.

use std::path::Path;

use serde_json::Value;
use stemseg::image::micrograph::PixelSize;
use stemseg::pipeline::{Patterns, Segmentation};
use stemseg::remarks::Warning;
use stemseg::wording::Text;
use stemseg::{Error, Progress, Result};
use stemseg_report::summary::LabelArea;
use stemseg_report::{visible, with_error};
use stemseg_run::{Finished, Image, Observer, Segmented};

use crate::args::TalkArgs;
use crate::out_of_memory::at_work;
use crate::progress::Bar;
use crate::{spelling, to_stdout, visible_lines};

/// Says what a run does.
pub(crate) struct Terminal<'a> {
    pub(crate) bar: &'a Bar,
    pub(crate) talk: &'a TalkArgs,
}

impl Progress for Terminal<'_> {
    fn stage(&self, name: &str) {
        self.bar.stage(name);
    }

    fn step(&self, done: u64, total: u64) -> Result<()> {
        self.bar.step(done, total)
    }

    fn check(&self) -> Result<()> {
        self.bar.check()
    }
}

impl Observer for Terminal<'_> {
    fn images(&self, count: usize) {
        self.bar.count(count as u64);
    }

    fn note(&self, image: Option<&Path>, note: &Text) {
        self.bar.about(image).note(note);
    }

    fn warning(&self, image: Option<&Path>, warning: &Warning) {
        self.bar.about(image).warning(warning);
    }

    fn detail(&self, detail: &str) {
        self.bar.detail(detail);
    }

    fn at_work(&self, image: &Path, begins: bool) {
        at_work(image, begins);
    }

    fn finished(&self, result: &Finished<'_>) -> Result<()> {
        let batch = self.bar.counts();
        let say = || match (self.talk.json, self.talk.quiet) {
            (true, _) if batch => to_stdout(&result.summary.to_string()),
            (true, _) => to_stdout(&format!("{:#}", result.summary)),
            (false, true) => Ok(()),
            (false, false) => to_stdout(&visible_lines(&words(result, batch))),
        };
        self.bar.aside(say)?;
        self.bar.image_done();
        Ok(())
    }

    /// Of several images each is named at once; what is wrong with the only one is said at the
    /// end.
    fn failed(&self, image: &Image, error: &Error) {
        if self.bar.counts() {
            self.bar.warn(&named(image, error));
        }
        self.bar.image_done();
    }
}

/// An error with the name of the image, which some have in them.
fn named(image: &Image, error: &Error) -> String {
    let (file, error) = (image.file.display().to_string(), spelling::error(error));
    if error.contains(&file) { error } else { format!("{file}: {error}") }
}

/// A result for people.
fn words(result: &Finished<'_>, batch: bool) -> String {
    match (result.segmented, batch) {
        (None, _) => format!("{}  kept", visible::path(result.place)),
        (Some(segmented), true) => in_a_line(segmented, result.place),
        (Some(segmented), false) => in_a_few_lines(segmented, result),
    }
}

/// The result in one line for each number of clusters.
fn in_a_line(segmented: &Segmented, place: &Path) -> String {
    let Segmented { found, pixel_size, .. } = segmented;
    let line = |patterns| {
        format!("{}  {}", visible::path(place), areas_in_words(patterns, found, *pixel_size))
    };
    found.results.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The result in a few lines.
fn in_a_few_lines(segmented: &Segmented, result: &Finished<'_>) -> String {
    let Segmented { found, device, pixel_size, took, .. } = segmented;
    let plan = &found.plan;
    let mut lines = vec![format!(
        "{} sites x {} channels on {} in {:.2} s",
        plan.sites().active_count(),
        plan.channels(),
        device.name,
        took.as_secs_f64()
    )];
    for patterns in &found.results {
        lines.push(areas_in_words(patterns, found, *pixel_size));
    }
    lines.extend(lattices_in_words(result.summary));
    lines.extend(
        result.summary["calibration"]["says"].as_str().map(|says| format!("calibration  {says}")),
    );
    lines.push(visible::path(result.place));
    lines.join("\n")
}

/// A line for each lattice of a result for one number of patterns.
fn lattices_in_words(summary: &Value) -> Vec<String> {
    const MOST: usize = 8;
    let all = summary["lattices"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |lattice: &Value| {
        let number = |name: &str| lattice[name].as_f64();
        let measured = |name: &str| Some((number(name)?, number(&format!("{name}_error"))?));
        let length = |name: &str| {
            let nm = measured(&format!("{name}_nm")).map(|of| (of, "nm"));
            let ((value, error), unit) = nm.or(Some((measured(&format!("{name}_px"))?, "px")))?;
            Some(format!("{name} = {} {unit}", with_error(value, error)))
        };
        let angle = |name: &str| {
            let (value, error) = measured(name)?;
            Some(format!("{} deg", with_error(value, error)))
        };
        let (a, b) = (length("a")?, length("b")?);
        let (gamma, turned) = (angle("gamma_deg")?, angle("orientation_deg")?);
        let (label, kind) = (&lattice["label"], lattice["lattice_type"].as_str()?);
        let cell = format!("{a}, {b}, gamma = {gamma}, turned by {turned}");
        Some(format!("lattice {label}  {kind}: {cell}{}", plane_groups_in_words(lattice)))
    };
    all.iter().filter_map(line).take(MOST).collect()
}

/// The plane group of a lattice, or those that it may have, after a comma.
fn plane_groups_in_words(lattice: &Value) -> String {
    const MOST: usize = 3;
    let all = lattice["plane_groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    let symbols: Vec<&str> = match lattice["plane_group"].as_str() {
        Some(symbol) => vec![symbol],
        None => all.iter().filter_map(|group| group["symbol"].as_str()).take(MOST).collect(),
    };
    if symbols.is_empty() { String::new() } else { format!(", {}", symbols.join(" or ")) }
}

/// Shares of the image, the largest labels first, with areas where pixels have a size.
fn areas_in_words(patterns: &Patterns, found: &Segmentation, pixel: Option<PixelSize>) -> String {
    const MOST: usize = 16;
    let share = |name: &str, fraction: f64| format!("{name}: {:.1} %", 100.0 * fraction);
    let Patterns { clustering, map, memberships, .. } = patterns;
    let area = |label: &LabelArea| {
        let size = label.calibrated().map_or(String::new(), |area| format!(" ({})", area.plain()));
        let name = label
            .name
            .as_ref()
            .map_or(String::new(), |name| format!(" ({})", visible::visible(name)));
        share(&format!("{}{name}", label.area.label), label.area.fraction) + &size
    };
    let labels = LabelArea::all(patterns, found, pixel);
    let mut areas: Vec<String> = labels.iter().take(MOST).map(area).collect();
    if map.areas.len() > MOST {
        areas.push(format!("and {} more", map.areas.len() - MOST));
    }
    let labelled: f64 = map.areas.iter().map(|a| a.fraction).sum();
    if labelled < 1.0 - 1e-9 {
        areas.push(share("unlabelled", 1.0 - labelled));
    }
    let sure =
        memberships.iter().map(|&m| f64::from(m)).sum::<f64>() / memberships.len().max(1) as f64;
    format!("k = {}  {}   (confidence {sure:.2})", clustering.centroids.nrows(), areas.join("   "))
}
