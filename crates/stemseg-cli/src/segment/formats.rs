//! In which formats label maps are written.

use std::path::Path;

use clap::ValueEnum;
use serde_json::{Map, Value, json};
use stemseg::Result;
use stemseg::pipeline::Patterns;
use stemseg_files::write::{
    LabelType, OmeZarr, Signal, write_hspy, write_labels_npy, write_labels_tiff, write_map_tiff,
    write_ome_zarr,
};
use stemseg_report::colours::colour;
use stemseg_report::summary::{LabelArea, Summary};

use crate::input::Read;

/// Which formats, and which integers.
#[derive(clap::Args)]
#[command(next_help_heading = "Output")]
pub(super) struct FormatArgs {
    /// Formats of the label map: tiff (labels.tif for Fiji and HyperSpy, with confidence.tif),
    /// npy (labels.npy), ome-zarr (NAME.ome.zarr for napari and Fiji, with the image),
    /// hspy (labels.hspy for HyperSpy).
    #[arg(
        long = "format",
        value_name = "FORMATS",
        value_delimiter = ',',
        value_enum,
        default_value = "tiff,npy"
    )]
    formats: Vec<Format>,

    /// Integers of stored labels; auto is u8, and u16 above 254 labels.
    #[arg(long, value_name = "TYPE", value_enum, default_value = "auto")]
    labels: LabelsArg,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Tiff,
    Npy,
    OmeZarr,
    Hspy,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LabelsArg {
    Auto,
    U8,
    U16,
    U32,
}

/// A label map, and what there is to say of it.
pub(super) struct Labelled<'a> {
    /// Name of the image without its ending.
    pub(super) stem: &'a str,
    pub(super) input: &'a Read,
    pub(super) patterns: &'a Patterns,
    pub(super) kind: LabelType,
    pub(super) summary: &'a Summary,
}

/// Writes the file or folder at a path.
pub(super) type Write<'a> = Box<dyn Fn(&Path) -> Result<()> + Sync + 'a>;

impl FormatArgs {
    /// Checks the integers against the numbers of clusters.
    ///
    /// # Errors
    /// As [`LabelType::check`].
    pub(super) fn check(&self, clusters: &[usize]) -> Result<()> {
        let most = clusters.iter().copied().max().unwrap_or(0);
        let most = u16::try_from(most).unwrap_or(u16::MAX);
        self.label_type(most).check(most)
    }

    /// The integers in which labels up to `most` are stored.
    pub(super) fn label_type(&self, most: u16) -> LabelType {
        match self.labels {
            LabelsArg::Auto => LabelType::least(most),
            LabelsArg::U8 => LabelType::U8,
            LabelsArg::U16 => LabelType::U16,
            LabelsArg::U32 => LabelType::U32,
        }
    }

    /// Names of what is written for the image `stem`.
    pub(super) fn names(&self, stem: &str) -> Vec<String> {
        let all = [
            (Format::Tiff, "labels.tif".to_owned()),
            (Format::Tiff, "confidence.tif".to_owned()),
            (Format::Npy, "labels.npy".to_owned()),
            (Format::OmeZarr, format!("{stem}.ome.zarr")),
            (Format::Hspy, "labels.hspy".to_owned()),
        ];
        let wanted = |(format, name)| self.formats.contains(&format).then_some(name);
        all.into_iter().filter_map(wanted).collect()
    }

    /// What is written, each by its own work.
    pub(super) fn files<'a>(&self, result: &'a Labelled<'a>) -> Vec<(String, Write<'a>)> {
        let work = |name: String| {
            let write: Write<'a> = match name.as_str() {
                "labels.tif" => Box::new(|path| result.tiff(path)),
                "confidence.tif" => Box::new(|path| result.confidence(path)),
                "labels.npy" => {
                    Box::new(|path| write_labels_npy(path, &result.patterns.map, result.kind))
                }
                "labels.hspy" => Box::new(|path| result.hspy(path)),
                _ => Box::new(|path| result.ome_zarr(path)),
            };
            (name, write)
        };
        self.names(result.stem).into_iter().map(work).collect()
    }
}

impl Labelled<'_> {
    fn tiff(&self, path: &Path) -> Result<()> {
        let size = self.input.summary.pixel_size_nm;
        write_labels_tiff(path, &self.patterns.map, self.kind, colour, size)
    }

    fn confidence(&self, path: &Path) -> Result<()> {
        let Patterns { map, memberships, .. } = self.patterns;
        write_map_tiff(path, &map.confidence(memberships), self.input.summary.pixel_size_nm)
    }

    fn hspy(&self, path: &Path) -> Result<()> {
        let original = self.input.summary.path.file_name().unwrap_or_default().to_string_lossy();
        let mut parameters = json!(self.summary);
        // Not known before everything is written.
        for key in ["timings_ms", "files"] {
            parameters.as_object_mut().map(|all| all.shift_remove(key));
        }
        let signal = Signal {
            title: &format!("{} labels", self.stem),
            original: &original,
            pixel_size: self.input.summary.pixel_size_nm,
            parameters: &parameters,
        };
        write_hspy(path, &self.patterns.map, self.kind, &signal)
    }

    fn ome_zarr(&self, path: &Path) -> Result<()> {
        let content = OmeZarr {
            name: self.stem,
            micrograph: &self.input.micrograph,
            dtype: self.input.dtype,
            labels: &self.patterns.map,
            kind: self.kind,
            palette: &colour,
            properties: self.summary.labels.iter().map(properties).collect(),
        };
        write_ome_zarr(path, &content)
    }
}

/// What a viewer shows of a label.
fn properties(label: &LabelArea) -> Map<String, Value> {
    let mut all = Map::new();
    all.insert("area (pixels)".into(), label.area.pixels.into());
    all.insert("area (percent)".into(), json!(100.0 * label.area.fraction));
    if let Some(nm2) = label.area_nm2 {
        all.insert("area (nm^2)".into(), json!(nm2));
    }
    all.insert("confidence".into(), json!(label.confidence));
    all
}
