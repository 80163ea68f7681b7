//! An image and its labels as OME-Zarr: OME-NGFF 0.4 on Zarr version 2, with
//! pyramids, strip by strip.
//!
//! Version 0.4 because every reader knows it: released Fiji (n5-ij, MoBIE,
//! Bio-Formats) opens no Zarr version 3, which 0.5 stands on, while ome-zarr-py and
//! napari-ome-zarr read both. All of it is written here, JSON and packed bytes: a crate for
//! Zarr brings a hundred others, and of its version 2 little more is needed than a folder
//! for each array. In the tests `ome_zarr_metadata` checks the attributes.

mod film;
mod pyramid;
mod restored;

use std::path::Path;
use std::{fs, io};

use serde_json::{Map, Value, json};

pub use self::film::write_ome_zarr_film;
use self::pyramid::{Cell, Pyramid, largest_share, mean};
use self::restored::{Restored, StoredAs};
use super::content::OmeZarr;
use super::label_type::{Label, LabelType, Labels, most_of};
use stemseg::image::micrograph::PixelSize;
use stemseg::image::rows::Rows;
use stemseg::{Error, Result};

/// Version of OME-NGFF.
const VERSION: &str = "0.4";

/// Name of the label image below `labels`.
const LABELS: &str = "segmentation";

/// Writes the folder `path`: the image, and below `labels/segmentation` its labels.
///
/// # Errors
/// [`Error::Io`] with the path, [`Error::Parameter`] for labels that do not fit.
pub fn write_ome_zarr(path: &Path, content: &OmeZarr<'_>) -> Result<()> {
    content.kind.check(most_of(content.labels))?;
    let place = Place { path, pixel_size: content.micrograph.pixel_size(), time: None };
    Writer { place, content }.write().map_err(Error::io(path))
}

struct Writer<'a> {
    place: Place<'a>,
    content: &'a OmeZarr<'a>,
}

impl Writer<'_> {
    fn write(&self) -> io::Result<()> {
        let micrograph = self.content.micrograph;
        let restored = Restored(micrograph);
        match StoredAs::of(micrograph, self.content.dtype) {
            StoredAs::U8 => self.image::<u8>(&restored)?,
            StoredAs::I8 => self.image::<i8>(&restored)?,
            StoredAs::U16 => self.image::<u16>(&restored)?,
            StoredAs::I16 => self.image::<i16>(&restored)?,
            StoredAs::U32 => self.image::<u32>(&restored)?,
            StoredAs::I32 => self.image::<i32>(&restored)?,
            StoredAs::F32 => self.image::<f32>(&restored)?,
        }
        match self.content.kind {
            LabelType::U8 => self.labels::<u8>(),
            LabelType::U16 => self.labels::<u16>(),
            LabelType::U32 => self.labels::<u32>(),
        }
    }

    fn image<T: Cell>(&self, image: &dyn Rows<T>) -> io::Result<()> {
        let levels = self.pyramid("", image, mean)?;
        self.place.describe_image(self.content.name, levels)
    }

    fn labels<T: Cell + Label>(&self) -> io::Result<()> {
        let labels = Labels(self.content.labels);
        let levels = self.pyramid::<T>(&below_labels(), &labels, largest_share)?;
        self.place.describe_labels(levels, self.content.palette, &self.content.properties)
    }

    /// Writes the arrays `below/0`, `below/1` and on; gives their number.
    fn pyramid<T: Cell>(
        &self,
        below: &str,
        image: &dyn Rows<T>,
        reduce: fn(&[T]) -> T,
    ) -> io::Result<usize> {
        let mut pyramid = Pyramid::new(&self.place.path.join(below), image.shape(), reduce);
        pyramid.fill(image)?;
        Ok(pyramid.levels())
    }
}

/// Where the labels lie.
fn below_labels() -> String {
    format!("labels/{LABELS}")
}

/// The folder, and what its axes mean.
struct Place<'a> {
    path: &'a Path,
    pixel_size: Option<PixelSize>,
    /// Of a film, the time between frames, s, where it is known.
    time: Option<Option<f64>>,
}

impl Place<'_> {
    /// Says what the arrays `0`, `1` and on are: the image.
    fn describe_image(&self, name: &str, levels: usize) -> io::Result<()> {
        let multiscales = self.multiscales(name, levels, "mean of 2 x 2 pixels");
        self.group("", json!({ "multiscales": [multiscales] }))?;
        self.group("labels", json!({ "labels": [LABELS] }))
    }

    /// Says what the arrays of the labels are, and what there is to know of labels 1, 2 and on.
    fn describe_labels(
        &self,
        levels: usize,
        palette: &(dyn Fn(usize) -> [u8; 3] + Sync),
        properties: &[Map<String, Value>],
    ) -> io::Result<()> {
        let multiscales = self.multiscales(LABELS, levels, "most frequent of 2 x 2 pixels");
        // Of 0, which is not a label, viewers know that it is transparent.
        let colour = |label: usize| {
            let [red, green, blue] = palette(label);
            json!({ "label-value": label, "rgba": [red, green, blue, 255] })
        };
        let property = |(label, values): (usize, &Map<String, Value>)| {
            let mut property = Map::from_iter([("label-value".to_owned(), label.into())]);
            property.extend(values.clone());
            property
        };
        let image_label = json!({
            "version": VERSION,
            "colors": (1..=properties.len()).map(colour).collect::<Vec<_>>(),
            "properties": (1..).zip(properties).map(property).collect::<Vec<_>>(),
            "source": { "image": "../../" },
        });
        let attributes = json!({ "multiscales": [multiscales], "image-label": image_label });
        self.group(&below_labels(), attributes)
    }

    /// Which arrays there are, and where their pixels lie.
    fn multiscales(&self, name: &str, levels: usize, method: &str) -> Value {
        let size = self.pixel_size;
        let PixelSize { rows, cols } = size.unwrap_or(PixelSize { rows: 1.0, cols: 1.0 });
        let axis = |name: &str| match size {
            Some(_) => json!({ "name": name, "type": "space", "unit": "nanometer" }),
            None => json!({ "name": name, "type": "space" }),
        };
        let time = self.time.map(|interval| match interval {
            Some(_) => json!({ "name": "t", "type": "time", "unit": "second" }),
            None => json!({ "name": "t", "type": "time" }),
        });
        let along = |of_time: f64, of_space: [f64; 2]| -> Vec<f64> {
            self.time.map(|_| of_time).into_iter().chain(of_space).collect()
        };
        let interval = self.time.flatten().unwrap_or(1.0);
        let dataset = |level: usize| {
            let factor = (1_u64 << level) as f64;
            // The centre of the first block of pixels.
            let shift = (factor - 1.0) / 2.0;
            let scale = along(interval, [rows * factor, cols * factor]);
            let mut transforms = vec![json!({ "type": "scale", "scale": scale })];
            if level > 0 {
                let translation = along(0.0, [rows * shift, cols * shift]);
                transforms.push(json!({ "type": "translation", "translation": translation }));
            }
            json!({ "path": level.to_string(), "coordinateTransformations": transforms })
        };
        json!({
            "version": VERSION,
            "name": name,
            "axes": time.into_iter().chain([axis("y"), axis("x")]).collect::<Vec<_>>(),
            "datasets": (0..levels).map(dataset).collect::<Vec<_>>(),
            "type": "reduce",
            "metadata": { "description": method },
        })
    }

    /// Makes the folder `below` a group with these attributes.
    fn group(&self, below: &str, attributes: Value) -> io::Result<()> {
        let folder = self.path.join(below);
        fs::create_dir_all(&folder)?;
        write_json(&folder.join(".zgroup"), &json!({ "zarr_format": 2 }))?;
        write_json(&folder.join(".zattrs"), &attributes)
    }
}

fn write_json(path: &Path, value: &Value) -> io::Result<()> {
    fs::write(path, format!("{value:#}"))
}

#[cfg(test)]
#[path = "ome_zarr_tests.rs"]
mod tests;
