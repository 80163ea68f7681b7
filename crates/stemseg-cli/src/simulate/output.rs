//! What `stemseg simulate` writes and says.

use std::path::Path;

use image::DynamicImage;
use ndarray::ArrayView2;
use serde_json::{Map, Value, json};
use stemseg::{Error, Progress, Result};
use stemseg_files::write::{
    LabelType, ResultFolder, write_counts_tiff, write_labels_tiff, write_map_tiff, write_npy,
};
use stemseg_report::colours::colour;
use stemseg_report::overlay::{OverlayOptions, overlay, picture};
use stemseg_report::visible;
use stemseg_simulate::{Scene, Settings, Simulated};

use super::args::{Args, Format};
use crate::progress::Bar;

/// A simulated micrograph with all that was asked for.
pub(super) struct Output<'a> {
    pub(super) args: &'a Args,
    pub(super) scene: Scene,
    pub(super) settings: Settings,
    pub(super) simulated: Simulated,
}

impl Output<'_> {
    /// Names of what a result will hold.
    pub(super) fn planned(args: &Args) -> Vec<String> {
        let image = Self::image_name(args);
        let all = [image, "labels.npy", "labels.tif", "image.png", "overlay.png", "summary.json"];
        all.map(str::to_owned).into()
    }

    /// Writes all files into `folder` but its summary.json; gives what goes into that.
    pub(super) fn write(&self, folder: &ResultFolder, bar: &Bar) -> Result<Map<String, Value>> {
        bar.stage("write");
        let (image, labels) = (self.simulated.image.view(), self.simulated.labels.view());
        let size = Some(self.args.pixel_size);
        self.write_image(image, &folder.path(Self::image_name(self.args)))?;
        bar.check()?;
        write_npy(&folder.path("labels.npy"), labels.mapv(|label| label as u8).view())?;
        let kind = LabelType::of(&labels);
        write_labels_tiff(&folder.path("labels.tif"), &labels, kind, colour, size)?;
        bar.check()?;
        let options = OverlayOptions { pixel_size: size, ..Default::default() };
        for (name, drawing) in [
            ("image.png", DynamicImage::ImageLuma8(picture(image, size)?)),
            ("overlay.png", DynamicImage::ImageRgb8(overlay(image, &labels, &options)?)),
        ] {
            let path = folder.path(name);
            drawing
                .save(&path)
                .map_err(|e| Error::Io { path, source: std::io::Error::other(e) })?;
        }
        bar.check()?;
        let Value::Object(summary) = self.summary() else { unreachable!("it has names") };
        Ok(summary)
    }

    fn image_name(args: &Args) -> &'static str {
        match args.format {
            Format::Npy => "image.npy",
            Format::Tiff => "image.tif",
        }
    }

    /// Whether all pixels are counts that fit u16.
    fn is_u16(&self) -> bool {
        let fits = |&v: &f32| v <= f32::from(u16::MAX);
        self.settings.dose.is_some() && self.simulated.image.iter().all(fits)
    }

    fn write_image(&self, image: ArrayView2<'_, f32>, path: &Path) -> Result<()> {
        let size = Some(self.args.pixel_size);
        let counts = self.is_u16().then(|| image.mapv(|count| count as u16));
        match (counts, self.args.format) {
            (Some(counts), Format::Npy) => write_npy(path, counts.view()),
            (Some(counts), Format::Tiff) => write_counts_tiff(path, &counts.view(), size),
            (None, Format::Npy) => write_npy(path, image),
            (None, Format::Tiff) => write_map_tiff(path, &image, size),
        }
    }

    /// No times in it: the same arguments give the same bytes.
    fn summary(&self) -> Value {
        let Simulated { image, phases, cell, .. } = &self.simulated;
        let counts = self.counts();
        let labels = phases.iter().zip(counts).enumerate().map(|(i, (phase, pixels))| {
            json!({
                "label": i + 1,
                "name": phase.name,
                "plane_group": phase.group,
                "lattice_px": phase.lattice,
                "pixels": pixels,
                "fraction": pixels as f64 / image.len() as f64,
            })
        });
        json!({
            "stemseg_version": env!("CARGO_PKG_VERSION"),
            "scene": self.scene,
            "parameters": Settings { cell: Some(*cell), ..self.settings.clone() },
            "image": {
                "file": Self::image_name(self.args),
                "shape": image.dim(),
                "dtype": if self.is_u16() { "uint16" } else { "float32" },
                "pixel_size_nm": self.args.pixel_size,
            },
            "labels": labels.collect::<Vec<_>>(),
        })
    }

    /// Pixels of each phase.
    fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.simulated.phases.len()];
        self.simulated.labels.iter().for_each(|&label| counts[usize::from(label) - 1] += 1);
        counts
    }

    /// The result in a few lines, for people.
    pub(super) fn in_words(&self, place: &Path) -> String {
        let total = self.simulated.labels.len() as f64;
        let line = |(i, (phase, pixels)): (usize, (&stemseg_simulate::Phase, u64))| {
            format!("{:3}  {:5.1} %  {}", i + 1, 100.0 * pixels as f64 / total, phase.name)
        };
        let phases = self.simulated.phases.iter().zip(self.counts()).enumerate().map(line);
        phases.chain([visible::path(place)]).collect::<Vec<_>>().join("\n")
    }
}
