//! Velox's EMD, in HDF5.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hdf5_pure::{File, Group};
use openreadout_em::EmdReader;
use serde_json::Value;

use super::arrays::{Array, check_sizes};
use super::vendor::{self, text};
use super::{Entry, Format, Image, Images, MAX_COMPRESSION, hdf5};
use crate::Result;
use crate::calibration::{Calibration, seconds};

/// Every image is an entry, spectra and spectrum images too, to be refused.
pub(super) struct Velox;

impl Format for Velox {
    fn name(&self) -> &'static str {
        "Velox EMD"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        hdf5::is_hdf5(head)
    }

    fn claims(&self, path: &Path) -> bool {
        let kinds = ["Data/Image", "Data/SpectrumStream", "Data/Spectrum"];
        hdf5::open(path).is_ok_and(|file| kinds.iter().any(|kind| file.group(kind).is_ok()))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let file = hdf5::open(path)?;
        check_sizes(path, &file)?;
        let (titles, metadata) = (titles(&file), OnceCell::new());
        let ids = RefCell::<Vec<String>>::default();
        let images = vendor::open(path, &EmdReader, MAX_COMPRESSION, |dataset, info, entry| {
            let id = text(info, "/velox_id").unwrap_or_default();
            ids.borrow_mut().push(id.to_owned());
            let all = metadata.get_or_init(|| dataset.vendor_metadata().unwrap_or_default());
            let own = all.get("Data/Image").and_then(|images| images.get(id));
            let entry = complete(own.unwrap_or(&Value::Null), entry);
            match titles.get(id) {
                Some(title) => Entry { name: title.clone(), ..entry },
                None => entry,
            }
        })?;
        let groups: HashMap<String, Group> = match file.group("Data/Image") {
            Ok(all) => all.iter_groups().map_err(|e| hdf5::unreadable(path, e))?.collect(),
            Err(_) => HashMap::new(),
        };
        let array = |(id, entry): (&String, &Entry)| {
            let array = Array::open(path, groups.get(id)?, "Data").ok()?;
            let same = array.element.dtype == entry.dtype && array.shape.len() <= 3;
            (array.refusal().is_none() && same).then(|| array.interleaved())
        };
        let arrays = ids.borrow().iter().zip(images.entries()).map(array).collect();
        Ok(Box::new(VeloxImages { path: path.into(), images, arrays }))
    }
}

/// An open file: what the crate says of it, and the arrays of its images.
struct VeloxImages {
    path: PathBuf,
    images: Box<dyn Images>,
    /// The array of each entry that is an image.
    arrays: Vec<Option<Array>>,
}

impl Images for VeloxImages {
    fn entries(&self) -> &[Entry] {
        self.images.entries()
    }

    fn load(&mut self, entry: usize, frame: usize) -> Result<Image> {
        match &self.arrays[entry] {
            Some(array) => array.load(&self.path, &self.images.entries()[entry], frame),
            None => self.images.load(entry, frame),
        }
    }

    fn besides(&self) -> Vec<PathBuf> {
        self.images.besides()
    }

    /// The crate would unpack all frames, which lie interleaved, anew for each.
    fn mean(&mut self, entry: usize) -> Result<Option<Image>> {
        match &self.arrays[entry] {
            Some(array) => array.mean(&self.path, &self.images.entries()[entry]),
            None => Ok(None),
        }
    }
}

/// What the displays call each image; since version 11 of the format the crate finds
/// the detector alone.
fn titles(file: &File) -> HashMap<String, String> {
    let documents = |place: &str| -> Vec<(String, Value)> {
        let group = file.group(place).and_then(|group| group.iter_datasets());
        let parse = |(name, dataset): (String, hdf5_pure::Dataset)| {
            let text = dataset.read_string().ok()?.into_iter().next()?;
            Some((name, serde_json::from_str(&text).ok()?))
        };
        group.into_iter().flatten().filter_map(parse).collect()
    };
    let series: HashMap<String, Value> =
        documents("SharedProperties/ImageSeriesDataReference").into_iter().collect();
    let titled = |display: &Value| {
        let reference = display["data"].as_str()?.rsplit('/').next()?;
        let id = series.get(reference)?["dataPath"].as_str()?.strip_prefix("/Data/Image/")?;
        let title = display["title"].as_str().filter(|title| !title.trim().is_empty())?;
        Some((id.to_owned(), title.trim().to_owned()))
    };
    documents("Displays/ImageDisplay").iter().filter_map(|(_, display)| titled(display)).collect()
}

/// Adds diffraction calibrations and times, which only the metadata of the image
/// hold, and tells maps from images.
fn complete(own: &Value, entry: Entry) -> Entry {
    // Velox writes numbers as text.
    let value = |value: &Value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    let step = |size: &str, unit: &str| {
        let binary = own.get("BinaryResult")?;
        Some((value(binary.get("PixelSize")?.get(size)?)?, binary.get(unit)?.as_str()?))
    };
    let calibration =
        || Calibration::new(step("height", "PixelUnitY")?, step("width", "PixelUnitX")?);
    let scan = || value(own.get("Scan")?.get("FrameTime")?);
    let exposure = || value(detector(own)?.get("ExposureTime")?);
    let interval = || scan().or_else(exposure).and_then(|time| seconds(time, "s"));
    Entry {
        calibration: entry.calibration.or_else(calibration),
        frame_interval_s: entry.frames().and_then(|_| interval()),
        map: is_map(own),
        ..entry
    }
}

/// The detector that an image says it comes from.
fn detector(own: &Value) -> Option<&Value> {
    let name = own.get("BinaryResult")?.get("Detector")?;
    let mut detectors = own.get("Detectors")?.as_object()?.values();
    detectors.find(|detector| detector.get("DetectorName") == Some(name))
}

/// Whether it was computed from spectra: its detector is one of X-rays, or is the sum
/// of them, which is not listed with the others.
fn is_map(own: &Value) -> bool {
    let listed = own["Detectors"].as_object().is_some_and(|detectors| !detectors.is_empty());
    let kind = detector(own).map(|detector| &detector["DetectorType"]);
    listed && own["BinaryResult"]["Detector"].is_string() && {
        kind.is_none_or(|kind| kind == "AnalyticalDetector")
    }
}
