//! [`Again`]: the image of an earlier result once more, some of whose pixels are marked, or some of whose
//! patterns are one.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use stemseg::backend::Backend;
use stemseg::image::micrograph::{Micrograph, NonFinite, Outliers, PixelSize};
use stemseg::lattice::Repetition;
use stemseg::pipeline::{self, Also, Segmentation};
use stemseg::plan::{Mark, Relabelling, automatic};
use stemseg::remarks::{Remarks, warnings};
use stemseg::{Error, Model, Params, Plan, Progress, Result};
use stemseg_files::read::Frame;
use stemseg_report::summary::ModelFile;

use crate::input::region::Slice;
use crate::method::{Method, Prepared};
use crate::{Input, Mask, Request, read};

/// An earlier result, made again with a change.
#[derive(Debug, Clone)]
pub struct Again {
    params: Params,
    /// What labelled it, where that was a model.
    model: Option<(Model, ModelFile)>,
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

impl Again {
    /// The result in `place`, its folder or its `summary.json`, under these `marks` in place of those
    /// that it had.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Unreadable`] for what is no result of [`run`](crate::run()) with one
    /// number of patterns, or where its image is gone or another; [`Error::Parameter`] for patterns
    /// that are those of a model, or have other labels than they were found with.
    pub fn refined(place: &Path, marks: Vec<Mark>) -> Result<Self> {
        let Earlier { again, by, .. } = Earlier::load(place, "refined")?;
        let refused = |reason: &str| Err(Error::unreadable(place, reason));
        if by.is_some() {
            return refused(
                "its patterns are those of a model; refine the result that the model was fitted to",
            );
        }
        if !again.params.relabel.is_none() {
            return refused(
                "its patterns were merged or numbered anew; refine the result before that, and merge \
                 those of the refined one",
            );
        }
        Ok(Self { params: Params { marks, ..again.params }, ..again })
    }

    /// The same with the labels that `relabel` gives, which speaks of those that it has.
    ///
    /// # Errors
    /// As [`refined`](Self::refined), and as [`Relabelling::labels`].
    pub fn relabelled(place: &Path, relabel: &Relabelling) -> Result<Self> {
        let Earlier { mut again, by, folder } = Earlier::load(place, "relabelled")?;
        let model = Model::load(folder.join("model.json"))?;
        match by {
            Some(file) => again.model = Some((model.relabelled(relabel)?, file)),
            // Of what was found before it had other labels.
            None => {
                let found = model.patterns.len();
                again.params.relabel = again.params.relabel.then(relabel, found)?;
            }
        }
        Ok(again)
    }

    /// Says in `request` which image it is, how it is read, and where the new result goes unless
    /// that is said: next to the result, as NAME.refined.stemseg or NAME.relabelled.stemseg, or with a
    /// number where that is changed again.
    pub fn choose(&self, request: &mut Request) {
        request.images = vec![self.image.clone()];
        request.input = self.input.clone();
        request.output.place.get_or_insert_with(|| self.place.clone());
    }
}

/// What is there of an earlier result.
struct Earlier {
    again: Again,
    /// What labelled it, where that was a model.
    by: Option<ModelFile>,
    folder: PathBuf,
}

impl Earlier {
    /// The result in `place`, of which something `changed` is to be made.
    fn load(place: &Path, changed: &str) -> Result<Self> {
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
        let other = |_| refused("another version of stemseg wrote it; segment the image anew");
        let params: Params =
            serde_json::from_value(summary["parameters"].clone()).map_err(other)?;
        if params.clusters.len() != 1 {
            return Err(refused(
                "it holds results for several numbers of patterns; segment the image with one",
            ));
        }
        let recorded: Recorded = serde_json::from_value(summary["input"].clone()).map_err(other)?;
        let by: Option<ModelFile> =
            serde_json::from_value(summary["model"].clone()).map_err(other)?;
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
        let place = next_to(folder, changed);
        let again = Again { params, model: None, image, input, place };
        Ok(Self { again, by, folder: folder.to_path_buf() })
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

/// The place of what is made of the result in `folder`, something `changed`.
fn next_to(folder: &Path, changed: &str) -> PathBuf {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = whole.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".stemseg").unwrap_or(&name);
    whole.with_file_name(format!("{}.stemseg", next_name(name, changed)))
}

/// The name of what is made of the result of this `name`: NAME.refined, and of that NAME.refined-2,
/// so that none is written over.
fn next_name(name: &str, changed: &str) -> String {
    match name.rsplit_once(&format!(".{changed}")) {
        Some((first, "")) => format!("{first}.{changed}-2"),
        Some((first, number)) => match number.strip_prefix('-').map(str::parse::<u32>) {
            Some(Ok(number)) => format!("{first}.{changed}-{}", number.saturating_add(1)),
            _ => format!("{name}.{changed}"),
        },
        None => format!("{name}.{changed}"),
    }
}

impl Method for Again {
    fn families(&self) -> Vec<&str> {
        self.params.families.iter().map(|family| family.name()).collect()
    }

    fn clusters(&self) -> Vec<usize> {
        self.params.clusters.clone()
    }

    fn model(&self) -> Option<ModelFile> {
        self.model.as_ref().map(|(_, file)| file.clone())
    }

    fn prepare(&self, micrograph: &Micrograph) -> Result<Prepared> {
        let repetition = Repetition::new(automatic::period(micrograph), None);
        let mut remarks = Remarks::default();
        remarks.warnings.extend(warnings::image::image(&repetition, micrograph.pixel_size()));
        let plan = Plan::new(self.params.clone(), micrograph)?;
        Ok(Prepared { plan, remarks, repetition })
    }

    fn segment(
        &self,
        micrograph: &Micrograph,
        plan: Plan,
        backend: &dyn Backend,
        progress: &dyn Progress,
        also: Also<'_>,
    ) -> Result<Segmentation> {
        match &self.model {
            Some((model, _)) => model.predict_on(micrograph, plan, backend, progress, also),
            None => pipeline::segment(micrograph, plan, backend, progress, also),
        }
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
            ("grain.relabelled.stemseg", "grain.relabelled.refined.stemseg"),
        ] {
            assert_eq!(next_to(&Path::new("/x").join(from), "refined"), Path::new("/x").join(to));
        }
    }
}
