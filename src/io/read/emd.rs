//! EMD: Velox's and NCEM's (Berkeley's), both in HDF5.

use std::path::Path;

use openreadout_core::{Dataset, FormatReader, ImageInfo};
use openreadout_em::EmdReader;
use serde_json::Value;

use super::vendor::{self, extra, number, text};
use super::{Entry, Format, Images, MAX_COMPRESSION, hdf5};
use crate::Result;
use crate::calibration::{Calibration, seconds};

/// Velox's: every image is an entry, spectra and spectrum images too, to be refused.
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
        vendor::open(path, &EmdReader, MAX_COMPRESSION, complete_velox)
    }
}

/// Adds diffraction calibrations and times, which only Velox's own metadata hold.
fn complete_velox(dataset: &dyn Dataset, info: &ImageInfo, entry: Entry) -> Entry {
    let all = dataset.vendor_metadata().unwrap_or_default();
    let id = text(info, "/velox_id").unwrap_or_default();
    let own = all.get("Data/Image").and_then(|images| images.get(id)).unwrap_or(&Value::Null);
    // Velox writes numbers as text.
    let value = |value: &Value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    let step = |size: &str, unit: &str| {
        let binary = own.get("BinaryResult")?;
        Some((value(binary.get("PixelSize")?.get(size)?)?, binary.get(unit)?.as_str()?))
    };
    let calibration =
        || Calibration::new(step("height", "PixelUnitY")?, step("width", "PixelUnitX")?);
    let scan = || value(own.get("Scan")?.get("FrameTime")?);
    let exposure = || {
        let name = own.get("BinaryResult")?.get("Detector")?;
        let detectors = own.get("Detectors")?.as_object()?;
        let own = detectors.values().find(|detector| detector.get("DetectorName") == Some(name))?;
        value(own.get("ExposureTime")?)
    };
    let interval = || scan().or_else(exposure).and_then(|time| seconds(time, "s"));
    Entry {
        calibration: entry.calibration.or_else(calibration),
        frame_interval_s: entry.frames().and_then(|_| interval()),
        ..entry
    }
}

/// NCEM's (EMD 0.2 and 1.0): every array is an entry.
pub(super) struct Ncem;

impl Format for Ncem {
    fn name(&self) -> &'static str {
        "NCEM EMD"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        hdf5::is_hdf5(head)
    }

    fn claims(&self, path: &Path) -> bool {
        // The crate opens truncated files too.
        hdf5::open(path).is_ok() && EmdReader.open(path).is_ok()
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        vendor::open(path, &EmdReader, MAX_COMPRESSION, complete_ncem)
    }
}

/// Adds what the `dim` vectors say, and all axes of arrays with more than three.
fn complete_ncem(_: &dyn Dataset, info: &ImageInfo, entry: Entry) -> Entry {
    let sizes = extra(info, "/shape").and_then(Value::as_array);
    let sizes = sizes.into_iter().flatten().filter_map(Value::as_u64);
    let shape: Vec<usize> = sizes.map(|size| usize::try_from(size).unwrap_or(usize::MAX)).collect();
    let last = shape.len().saturating_sub(1);
    let axes = [format!("/dims/{}", last.saturating_sub(1)), format!("/dims/{last}")];
    let pattern = || vendor::calibration(info, [&axes[0], &axes[1]], ["step", "units"]);
    let interval = || seconds(number(info, "/dims/0/step")?, text(info, "/dims/0/units")?);
    let own_shape = match shape.len() {
        // The crate shows one line, or folds all other axes into one of frames.
        1 | 4.. => shape,
        _ => entry.shape.clone(),
    };
    let entry = Entry { shape: own_shape, ..entry };
    Entry {
        calibration: entry.calibration.or_else(pattern),
        frame_interval_s: entry.frames().and_then(|_| interval()),
        ..entry
    }
}
