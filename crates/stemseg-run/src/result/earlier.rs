//! Results that are there already: are they what a run would make again?

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stemseg_report::summary::{Input, ModelFile};

/// The result in a folder.
#[derive(Debug)]
pub(crate) struct Earlier {
    folder: PathBuf,
    summary: Value,
}

/// What a run is about to make.
pub(crate) struct Wanted<'a> {
    /// The image; its path does not matter.
    pub(crate) input: &'a Input,
    /// The parameters, with all numbers of clusters.
    pub(crate) params: Value,
    /// The model that labels it, where nothing is fitted; its path does not matter.
    pub(crate) model: Option<ModelFile>,
    /// What regions that are kept have at least, px.
    pub(crate) least_region: Option<f64>,
    /// The lattice that is known, where there is one.
    pub(crate) known_lattice: Option<Value>,
    /// The pixel that names what strain is relative to, where strain is written.
    pub(crate) strain_reference: Option<Value>,
    /// Type of the labels for each number of clusters.
    pub(crate) label_types: Vec<Value>,
    /// How the overlay is drawn.
    pub(crate) overlay: Value,
    /// Files of each number of clusters.
    pub(crate) files: Vec<String>,
    /// Files of all numbers of clusters together.
    pub(crate) shared: Vec<String>,
}

impl Earlier {
    /// The result of `segment` in `folder`, if it holds one.
    pub(crate) fn load(folder: &Path) -> Option<Self> {
        let text = std::fs::read(folder.join("summary.json")).ok()?;
        let summary: Value = serde_json::from_slice(&text).ok()?;
        let made = summary.get("stemseg_version").is_some();
        let segmented = summary.get("kmeans").is_some() || summary.get("results").is_some();
        (made && segmented).then(|| Self { folder: folder.to_path_buf(), summary })
    }

    /// Whether it was made from `file`, as far as its path says.
    pub(crate) fn is_of(&self, file: &Path) -> bool {
        let parts = self.parts();
        let given = parts.first().and_then(|(_, part)| part["input"]["path"].as_str());
        given.is_some_and(|given| {
            let real = |path: &Path| path.canonicalize().ok();
            given == file.display().to_string()
                || real(file).is_some_and(|file| real(Path::new(given)) == Some(file))
        })
    }

    /// Its summary.json.
    pub(crate) fn summary(&self) -> &Value {
        &self.summary
    }

    /// The summary of this number of clusters, with the folder it lies in.
    pub(crate) fn part(&self, number: u64) -> Option<(PathBuf, &Value)> {
        self.parts().into_iter().find(|(_, part)| clusters(part).as_u64() == Some(number))
    }

    /// The summaries of the numbers of clusters, each with the folder it lies in.
    fn parts(&self) -> Vec<(PathBuf, &Value)> {
        match self.summary.get("results").and_then(Value::as_array) {
            None => vec![(self.folder.clone(), &self.summary)],
            Some(results) => {
                let folder = |part: &Value| self.folder.join(format!("k{}", clusters(part)));
                results.iter().map(|part| (folder(part), part)).collect()
            }
        }
    }

    /// The first thing in which it differs from what is wanted, in words.
    pub(crate) fn difference(&self, wanted: &Wanted<'_>) -> Option<String> {
        let version = json!(env!("CARGO_PKG_VERSION"));
        let version = differ("stemseg", self.summary.get("stemseg_version"), Some(&version));
        let parts = self.parts();
        let ks: Value = parts.iter().map(|(_, part)| clusters(part).clone()).collect();
        let of_parts = || {
            let mut parts = parts.iter().zip(&wanted.label_types);
            parts.find_map(|((folder, part), kind)| differs(folder, part, kind, wanted))
        };
        version
            .or_else(|| match wanted.params.get("clusters") {
                // A number that was chosen would be chosen again.
                Some(none) if *none == json!([]) => match self.summary.get("choice") {
                    Some(choice) if !choice.is_null() => None,
                    _ => differ("k", Some(&ks), Some(&json!("auto"))),
                },
                clusters => differ("k", Some(&ks), clusters),
            })
            .or_else(of_parts)
            .or_else(|| missing(&self.folder, &wanted.shared))
    }
}

/// The number of clusters of a summary.
fn clusters(summary: &Value) -> &Value {
    &summary["kmeans"]["clusters"]
}

fn differs(folder: &Path, part: &Value, kind: &Value, wanted: &Wanted<'_>) -> Option<String> {
    let (there, here) = (&part["input"], json!(wanted.input));
    let of = differ("sha256_of", there.get("sha256_of"), here.get("sha256_of"));
    if of.is_some() {
        return of;
    }
    if there["sha256"] != here["sha256"] {
        return Some("the image had another content".into());
    }
    const OF_INPUT: [&str; 10] = [
        "dtype",
        "shape",
        "image",
        "frame",
        "roi",
        "mask_sha256",
        "mask_inverted",
        "non_finite",
        "outliers",
        "pixel_size_nm",
    ];
    let input = OF_INPUT.into_iter().find_map(|key| differ(key, there.get(key), here.get(key)));
    let parameters = || {
        let (there, here) = (part["parameters"].as_object()?, wanted.params.as_object()?);
        let keys = here.keys().chain(there.keys()).filter(|key| *key != "clusters");
        keys.into_iter().find_map(|key| differ(key, there.get(key), here.get(key)))
    };
    let model = || {
        let there = part.get("model").and_then(|model| model.get("sha256"));
        let here = wanted.model.as_ref().map(|model| json!(model.sha256));
        differ("model", there, here.as_ref())
    };
    let least_region = || {
        let there = part.get("least_region_px").filter(|value| !value.is_null());
        let here = wanted.least_region.map(|pixels| json!(pixels));
        differ("least-region", there, here.as_ref())
    };
    let strain = || {
        let there = part.get("strain").map(|strain| &strain["reference_pixel"]);
        // Whether it is there at all, its file tells.
        let (there, here) = there.zip(wanted.strain_reference.as_ref())?;
        differ("strain-reference", Some(there), Some(here))
    };
    let known_lattice = || {
        let there = part.get("calibration").map(|calibration| &calibration["known"]);
        differ("known-lattice", there, wanted.known_lattice.as_ref())
    };
    input
        .or_else(model)
        .or_else(known_lattice)
        .or_else(strain)
        .or_else(least_region)
        .or_else(parameters)
        .or_else(|| differ("labels", part.get("label_type"), Some(kind)))
        .or_else(|| differ("overlay", part.get("overlay"), Some(&wanted.overlay)))
        .or_else(|| missing(folder, &wanted.files))
        .or_else(|| missing(folder, &channels(part, wanted)))
}

/// The maps of channels, which a report has unless there is a single pattern.
fn channels(part: &Value, wanted: &Wanted<'_>) -> Vec<String> {
    const MAPS: &str = "channels.png";
    let made = part["files"].as_array().is_some_and(|files| files.iter().any(|f| f == MAPS));
    let reported = wanted.files.iter().any(|name| name == "report.html");
    (made && reported).then(|| MAPS.to_owned()).into_iter().collect()
}

/// Whether two values differ, in words; numbers as they are after they went through a file.
fn differ(name: &str, there: Option<&Value>, here: Option<&Value>) -> Option<String> {
    let word = |value: Option<&Value>| value.map_or("not given".into(), Value::to_string);
    let (there, here) = (word(there), word(here));
    (there != here).then(|| format!("{name} was {there}, and is {here} now"))
}

fn missing(folder: &Path, files: &[String]) -> Option<String> {
    let missing = files.iter().find(|name| !folder.join(name).exists())?;
    Some(format!("{missing} is missing"))
}
