//! In which formats label maps are written.

use std::path::Path;

use serde_json::{Map, Value, json};
use stemseg::Result;
use stemseg::pipeline::Patterns;
use stemseg_files::Feature;
use stemseg_files::write::{
    LabelType, Line, Lines, OmeZarr, OutlinedRegion, Outlines, Signal, write_geojson, write_hspy,
    write_labels_npy, write_labels_tiff, write_lines_geojson, write_lines_svg, write_map_tiff,
    write_ome_zarr, write_rois, write_svg,
};
use stemseg_regions::lines::{BoundaryLine, BoundaryLines};
use stemseg_regions::outline::Outline;
use stemseg_regions::{Region, Regions};
use stemseg_report::colours::colour;
use stemseg_report::summary::{LabelArea, Summary};

use crate::Read;

/// A format of label maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// `labels.tif` for Fiji and HyperSpy, with `confidence.tif`.
    Tiff,
    /// `labels.npy`.
    Npy,
    /// `NAME.ome.zarr` for napari and Fiji, with the image.
    OmeZarr,
    /// `labels.hspy` for HyperSpy.
    Hspy,
    /// `rois.zip` for Fiji's ROI Manager: the outline of each region.
    Roi,
    /// `regions.geojson` for QuPath, QGIS and Python: the same; and `boundaries.geojson`, the lines
    /// along which regions meet, at sub-pixel.
    GeoJson,
    /// `regions.svg` and `boundaries.svg` for figures: the same.
    Svg,
}

/// A label map, and what there is to say of it.
pub(super) struct Labelled<'a> {
    /// Name of the image without its ending.
    pub(super) stem: &'a str,
    pub(super) input: &'a Read,
    pub(super) patterns: &'a Patterns,
    pub(super) kind: LabelType,
    pub(super) summary: &'a Summary,
    pub(super) regions: &'a Regions,
    pub(super) lines: &'a BoundaryLines,
}

/// Writes the file or folder at a path.
pub(super) type Write<'a> = Box<dyn Fn(&Path) -> Result<()> + Sync + 'a>;

/// A file or folder of a label map.
#[derive(Debug, Clone, Copy)]
enum File {
    LabelsTiff,
    ConfidenceTiff,
    LabelsNpy,
    OmeZarr,
    LabelsHspy,
    Rois,
    GeoJson,
    LinesGeoJson,
    Svg,
    LinesSvg,
}

impl Format {
    /// What is written of an image, in the order in which all formats are.
    const ALL: [Self; 7] =
        [Self::Tiff, Self::Npy, Self::OmeZarr, Self::Hspy, Self::Roi, Self::GeoJson, Self::Svg];

    /// Refuses a format whose feature this build leaves out.
    ///
    /// # Errors
    /// As [`Feature::check_written`].
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Tiff | Self::Npy | Self::Roi | Self::GeoJson | Self::Svg => Ok(()),
            Self::OmeZarr => Feature::Zarr.check_written(),
            Self::Hspy => Feature::Hspy.check_written(),
        }
    }

    fn files(self) -> &'static [File] {
        match self {
            Self::Tiff => &[File::LabelsTiff, File::ConfidenceTiff],
            Self::Npy => &[File::LabelsNpy],
            Self::OmeZarr => &[File::OmeZarr],
            Self::Hspy => &[File::LabelsHspy],
            Self::Roi => &[File::Rois],
            Self::GeoJson => &[File::GeoJson, File::LinesGeoJson],
            Self::Svg => &[File::Svg, File::LinesSvg],
        }
    }
}

impl File {
    /// Its name, for the image `stem`.
    fn name(self, stem: &str) -> String {
        match self {
            Self::LabelsTiff => "labels.tif".into(),
            Self::ConfidenceTiff => "confidence.tif".into(),
            Self::LabelsNpy => "labels.npy".into(),
            Self::OmeZarr => format!("{stem}.ome.zarr"),
            Self::LabelsHspy => "labels.hspy".into(),
            Self::Rois => "rois.zip".into(),
            Self::GeoJson => "regions.geojson".into(),
            Self::LinesGeoJson => "boundaries.geojson".into(),
            Self::Svg => "regions.svg".into(),
            Self::LinesSvg => "boundaries.svg".into(),
        }
    }
}

/// The files of `formats`.
fn files_of(formats: &[Format]) -> impl Iterator<Item = File> {
    let wanted = Format::ALL.into_iter().filter(|format| formats.contains(format));
    wanted.flat_map(Format::files).copied()
}

/// Names of what is written for the image `stem` in `formats`.
pub(super) fn names_of_labels(formats: &[Format], stem: &str) -> Vec<String> {
    files_of(formats).map(|file| file.name(stem)).collect()
}

impl Labelled<'_> {
    /// What is written in `formats`, each by its own work.
    pub(super) fn files(&self, formats: &[Format]) -> Vec<(String, Write<'_>)> {
        let work = |file: File| {
            let write: Write<'_> = match file {
                File::LabelsTiff => Box::new(|path| self.tiff(path)),
                File::ConfidenceTiff => Box::new(|path| self.confidence(path)),
                File::LabelsNpy => {
                    Box::new(|path| write_labels_npy(path, &self.patterns.map, self.kind))
                }
                File::OmeZarr => Box::new(|path| self.ome_zarr(path)),
                File::LabelsHspy => Box::new(|path| self.hspy(path)),
                File::Rois => Box::new(|path| write_rois(path, &self.outlines())),
                File::GeoJson => Box::new(|path| write_geojson(path, &self.outlines())),
                File::LinesGeoJson => Box::new(|path| write_lines_geojson(path, &self.lines())),
                File::Svg => Box::new(|path| write_svg(path, &self.outlines())),
                File::LinesSvg => Box::new(|path| write_lines_svg(path, &self.lines())),
            };
            (file.name(self.stem), write)
        };
        files_of(formats).map(work).collect()
    }

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

    fn outlines(&self) -> Outlines<'_> {
        let outlines = self.regions.outlines().into_iter();
        let region = |(outline, region): (Outline, &Region)| OutlinedRegion {
            region: region.region,
            label: region.label,
            name: self.summary.labels[usize::from(region.label) - 1].name.clone(),
            colour: colour(region.label.into()),
            area_px: region.area_px,
            confidence: region.confidence,
            rings: outline.rings,
        };
        Outlines {
            name: self.stem,
            shape: self.regions.shape(),
            pixel_size: self.input.summary.pixel_size_nm,
            regions: outlines.zip(self.regions.all()).map(region).collect(),
        }
    }

    fn lines(&self) -> Lines<'_> {
        let name = |label: u16| self.summary.labels[usize::from(label) - 1].name.clone();
        let line = |line: &BoundaryLine| Line {
            line: line.line,
            labels: line.labels,
            names: line.labels.map(name),
            regions: line.regions,
            closed: line.closed,
            points: line.points.clone(),
            length_px: line.px.length,
            length_nm: line.nm.map(|nm| nm.length),
            normal_deg: line.normal_deg,
        };
        Lines {
            name: self.stem,
            shape: self.regions.shape(),
            pixel_size: self.input.summary.pixel_size_nm,
            lines: self.lines.lines.iter().map(line).collect(),
        }
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
