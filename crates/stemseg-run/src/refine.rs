//! [`Refined`]: the image of an earlier result once more, some of whose pixels are marked.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use stemseg::image::micrograph::{Micrograph, NonFinite, Outliers, PixelSize};
use stemseg::lattice::Repetition;
use stemseg::pipeline::{self, NextMark, Segmentation};
use stemseg::plan::{Mark, automatic};
use stemseg::remarks::{Remarks, warnings};
use stemseg::wording::Text;
use stemseg::{Error, Params, Plan, Result};
use stemseg_files::read::Frame;

use crate::input::region::Slice;
use crate::method::{Method, Prepared};
use crate::{Input, Mask, Request, read};

/// The parameters of an earlier result, with marks in place of those that it had.
#[derive(Debug, Clone)]
pub struct Refined {
    params: Params,
    image: PathBuf,
    input: Input,
    place: PathBuf,
}

/// What a result says of the image that it is of.
#[derive(Deserialize)]
struct Recorded {
    path: PathBuf,
    image: Option<usize>,
    frame: Option<Frame>,
    roi: Option<[usize; 4]>,
    mask: Option<PathBuf>,
    mask_inverted: bool,
    non_finite: Rule<NonFinite>,
    outliers: Rule<Outliers>,
    pixel_size_nm: Option<PixelSize>,
    sha256: String,
}

#[derive(Deserialize)]
struct Rule<T> {
    rule: T,
}

impl Refined {
    /// The result in `place`, its folder or its `summary.json`, under these `marks`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Unreadable`] for what is no result of [`run`](crate::run()) with one
    /// number of patterns, or where its image is gone or another.
    pub fn load(place: &Path, marks: Vec<Mark>) -> Result<Self> {
        if !place.exists() {
            return Err(Error::unreadable(place, "there is no such result"));
        }
        let file = if place.is_dir() { place.join("summary.json") } else { place.to_path_buf() };
        let refused = |reason: &str| Error::unreadable(place, reason);
        let text = std::fs::read(&file).map_err(Error::io(&file))?;
        let summary: Value = serde_json::from_slice(&text).unwrap_or_default();
        if summary.get("stemseg_version").is_none() || summary.get("input").is_none() {
            return Err(refused("it is no result of a segmentation"));
        }
        if !summary.get("model").is_none_or(Value::is_null) {
            return Err(refused(
                "its patterns are those of a model; refine the result that the model was fitted to",
            ));
        }
        let params: Params = serde_json::from_value(summary["parameters"].clone())
            .map_err(|_| refused("another version of stemseg wrote it; segment the image anew"))?;
        if params.clusters.len() != 1 {
            return Err(refused(
                "it holds results for several numbers of patterns; segment the image with one",
            ));
        }
        let recorded: Recorded = serde_json::from_value(summary["input"].clone())
            .map_err(|_| refused("another version of stemseg wrote it; segment the image anew"))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let near = |path: &Path| found(path, folder);
        let image = near(&recorded.path);
        let mask = recorded.mask.as_deref().map(near);
        let input = recorded.input(mask);
        let sha256 = read(&image, &input)?.sha256()?;
        if sha256 != recorded.sha256 {
            return Err(Error::unreadable(
                &image,
                format!("it is not the image any more that {} is of", place.display()),
            ));
        }
        let params = Params { marks, ..params };
        Ok(Self { params, image, input, place: refined(folder) })
    }

    /// Says in `request` which image it is, how it is read, and where the new result goes unless
    /// that is said: next to the result, as NAME.refined.stemseg, or with a number where that is refined again.
    pub fn choose(&self, request: &mut Request) {
        request.images = vec![self.image.clone()];
        request.input = self.input.clone();
        request.output.place.get_or_insert_with(|| self.place.clone());
    }
}

impl Recorded {
    fn input(&self, mask: Option<PathBuf>) -> Input {
        let region = |[top, bottom, left, right]: [usize; 4]| {
            [Slice::from(top..bottom), Slice::from(left..right)]
        };
        Input {
            image: self.image,
            frame: self.frame,
            pixel_size: self.pixel_size_nm,
            region: self.roi.map(region),
            mask: mask.map(|file| Mask { file, inverted: self.mask_inverted }),
            non_finite: self.non_finite.rule,
            outliers: self.outliers.rule,
        }
    }
}

/// A file as a result in `folder` names it, from wherever that was made: where it says, or next to
/// the folder.
fn found(path: &Path, folder: &Path) -> PathBuf {
    let beside = || {
        let next_to = folder.parent()?.join(path.file_name()?);
        next_to.exists().then_some(next_to)
    };
    if path.exists() { path.to_path_buf() } else { beside().unwrap_or_else(|| path.to_path_buf()) }
}

/// Where one more mark says most, after there were some.
pub(crate) fn next_mark(found: &Segmentation) -> Option<Text> {
    let [patterns] = &found.results[..] else { return None };
    if found.plan.params().marks.is_empty() {
        return None;
    }
    let NextMark { row, col, labels: [own, other] } = pipeline::next_mark(patterns, &found.plan)?;
    Some(Text::from(format!(
        "one more mark says most at {row},{col}, which has label {own} and may have {other}"
    )))
}

/// The place of what is made of the result in `folder`.
fn refined(folder: &Path) -> PathBuf {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = whole.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".stemseg").unwrap_or(&name);
    whole.with_file_name(format!("{}.stemseg", next_name(name)))
}

/// The name of what is made of the result of this `name`: NAME.refined, and of that NAME.refined-2,
/// so that none is written over.
fn next_name(name: &str) -> String {
    match name.rsplit_once(".refined") {
        Some((first, "")) => format!("{first}.refined-2"),
        Some((first, number)) => match number.strip_prefix('-').map(str::parse::<u32>) {
            Some(Ok(number)) => format!("{first}.refined-{}", number.saturating_add(1)),
            _ => format!("{name}.refined"),
        },
        None => format!("{name}.refined"),
    }
}

impl Method for Refined {
    fn families(&self) -> Vec<&str> {
        self.params.families.iter().map(|family| family.name()).collect()
    }

    fn clusters(&self) -> Vec<usize> {
        self.params.clusters.clone()
    }

    fn prepare(&self, micrograph: &Micrograph) -> Result<Prepared> {
        let repetition = Repetition::new(automatic::period(micrograph), None);
        let mut remarks = Remarks::default();
        remarks.warnings.extend(warnings::image::image(&repetition, micrograph.pixel_size()));
        let plan = Plan::new(self.params.clone(), micrograph)?;
        Ok(Prepared { plan, remarks, repetition })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refined_again_gets_a_number() {
        for (from, to) in [
            ("grain.stemseg", "grain.refined.stemseg"),
            ("grain.refined.stemseg", "grain.refined-2.stemseg"),
            ("grain.refined-9.stemseg", "grain.refined-10.stemseg"),
            ("grain.refined-ground.stemseg", "grain.refined-ground.refined.stemseg"),
            ("better", "better.refined.stemseg"),
        ] {
            assert_eq!(refined(&Path::new("/x").join(from)), Path::new("/x").join(to));
        }
    }
}
