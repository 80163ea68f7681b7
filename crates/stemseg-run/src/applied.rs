//! [`Applied`]: images labelled by a model, to which nothing is fitted.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use stemseg::backend::Backend;
use stemseg::image::micrograph::Micrograph;
use stemseg::model::Scale;
use stemseg::pipeline::{Also, Segmentation};
use stemseg::remarks::{Remarks, warnings};
use stemseg::wording::Text;
use stemseg::{Error, Model, Plan, Progress, Result};
use stemseg_report::summary::ModelFile;

use crate::method::{Method, Prepared};

/// A model that labels images: patterns have its numbers, names and colours in all of them.
#[derive(Debug, Clone)]
pub struct Applied {
    model: Model,
    source: ModelFile,
    /// Whether that is a file that was read.
    is_read: bool,
    scale: Scale,
}

impl Applied {
    /// The model in `place`: a `model.json`, or a result of which one is a part, as a folder or
    /// as its `summary.json`.
    ///
    /// # Errors
    /// As [`Model::load`]; [`Error::Unreadable`] for a result of several numbers of patterns,
    /// and one without a model.
    pub fn load(place: &Path, scale: Scale) -> Result<Self> {
        let path = file(place)?;
        let model = Model::load(&path)?;
        let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { model, source: ModelFile { path, sha256 }, is_read: true, scale })
    }

    /// This model, which results call `name`.
    pub fn of(model: Model, name: &Path, scale: Scale) -> Self {
        let digest = Sha256::digest(model.to_json());
        let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let source = ModelFile { path: name.to_path_buf(), sha256 };
        Self { model, source, is_read: false, scale }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }
}

/// The model's file in `place`.
fn file(place: &Path) -> Result<PathBuf> {
    if !place.exists() {
        return Err(Error::unreadable(place, "there is no such model or result"));
    }
    let folder = match place.is_dir() {
        true => place,
        false => {
            let text = std::fs::read(place).map_err(Error::io(place))?;
            let summary: Value = serde_json::from_slice(&text).unwrap_or_default();
            if summary.get("stemseg_version").is_none() || summary.get("format").is_some() {
                // A model, or what is not a file of stemseg's: loading it says what is wrong.
                return Ok(place.to_owned());
            }
            place.parent().unwrap_or(Path::new(""))
        }
    };
    let model = folder.join("model.json");
    if model.is_file() {
        return Ok(model);
    }
    let inside =
        std::fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let inside = inside.map_err(Error::io(folder))?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut several: Vec<PathBuf> =
        inside.filter(|path| path.join("model.json").is_file()).collect();
    several.sort();
    let reason = match several.first() {
        Some(one) => format!(
            "it holds results for several numbers of patterns; give the model of one, such as {}",
            one.join("model.json").display()
        ),
        None => "it holds no model.json".into(),
    };
    Err(Error::unreadable(place, reason))
}

impl Method for Applied {
    fn families(&self) -> Vec<&str> {
        self.model.parameters.families.iter().map(|family| family.name()).collect()
    }

    fn clusters(&self) -> Vec<usize> {
        vec![self.model.clusters()]
    }

    fn files(&self) -> Vec<&Path> {
        self.is_read.then_some(&*self.source.path).into_iter().collect()
    }

    fn model(&self) -> Option<ModelFile> {
        Some(self.source.clone())
    }

    fn prepare(&self, micrograph: &Micrograph) -> Result<Prepared> {
        let (plan, repetition) =
            self.model.plan(micrograph, self.scale).map_err(|error| self.named(error))?;
        let mut remarks = Remarks::default();
        remarks.note(Text::literal(self.in_words(&plan)));
        remarks.warnings.extend(warnings::image::image(&repetition, micrograph.pixel_size()));
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
        self.model.predict_on(micrograph, plan, backend, progress, also)
    }
}

impl Applied {
    /// What is said of an image that it labels.
    fn in_words(&self, plan: &Plan) -> String {
        let (k, path) = (self.model.clusters(), self.source.path.display());
        let patterns = if k == 1 { "pattern" } else { "patterns" };
        let resampled = match (plan.params().sampling, self.model.parameters.sampling) {
            (Some(own), Some(fitted)) => format!(
                "; crystals are taken to repeat every {:.1} px ({:.1} px where it was fitted)",
                own.period, fitted.period
            ),
            _ => String::new(),
        };
        format!("labelled by the {k} {patterns} of {path}{resampled}")
    }

    /// An error about the model, with its file.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::Parameter { name: "model", reason, .. } => {
                Error::parameter("model", self.source.path.display(), reason)
            }
            other => other,
        }
    }
}
