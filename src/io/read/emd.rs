//! EMD: Velox's and NCEM's (Berkeley's), both in HDF5.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use openreadout_core::{Dataset, FormatReader, ImageInfo};
use openreadout_em::EmdReader;
use serde_json::Value;

use super::vendor::{self, extra, number, text};
use super::{
    Entry, Format, Image, Images, MAX_COMPRESSION, check_size, damaged, file_size, hdf5, pixels,
};
use crate::Result;
use crate::calibration::{Calibration, seconds};
use crate::sites::blocks;

/// Bytes of a stack that are unpacked at once for a mean, about.
const WINDOW: u64 = 1 << 25;

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
        let ids = RefCell::new(Vec::new());
        let images = vendor::open(path, &EmdReader, MAX_COMPRESSION, |dataset, info, entry| {
            ids.borrow_mut().push(text(info, "/velox_id").map(str::to_owned));
            complete_velox(dataset, info, entry)
        })?;
        Ok(Box::new(VeloxImages { path: path.into(), images, ids: ids.into_inner() }))
    }
}

/// An open file: the crate's, but for means, for which it would unpack all frames, which
/// lie interleaved, anew for each.
struct VeloxImages {
    path: PathBuf,
    images: Box<dyn Images>,
    /// Name of the group of each entry below `Data/Image`, if it is there.
    ids: Vec<Option<String>>,
}

impl Images for VeloxImages {
    fn entries(&self) -> &[Entry] {
        self.images.entries()
    }

    fn load(&mut self, entry: usize, frame: usize) -> Result<Image> {
        self.images.load(entry, frame)
    }

    fn besides(&self) -> Vec<PathBuf> {
        self.images.besides()
    }

    fn mean(&mut self, entry: usize) -> Result<Option<Image>> {
        let (path, id, entry) = (&self.path, &self.ids[entry], &self.images.entries()[entry]);
        let (Some(id), &[frames, rows, cols], Some((all, one))) =
            (id, &entry.shape[..], entry.bytes())
        else {
            return Ok(None);
        };
        check_size(path, Some(all), file_size(path)?.saturating_mul(MAX_COMPRESSION), one)?;
        let fail = |error| hdf5::unreadable(path, error);
        let group = hdf5::open(path)?.group(&format!("Data/Image/{id}")).map_err(fail)?;
        let dataset = group.dataset("Data").map_err(fail)?;
        let shape = dataset.shape().map_err(fail)?;
        let element = hdf5::element(&dataset).filter(|element| element.dtype == entry.dtype);
        let (Some(element), true) = (element, shape == [rows, cols, frames].map(|n| n as u64))
        else {
            return Ok(None);
        };
        let chunk = dataset.chunk_shape().map_err(fail)?.and_then(|chunk| chunk.first().copied());
        let at_once = rows_at_once((all / rows.max(1) as u64).max(1), chunk.unwrap_or(1));
        let (mut means, mut notes) = (Vec::with_capacity(rows * cols), Vec::new());
        for rows in blocks(0..rows, at_once) {
            let bytes =
                dataset.read_raw_rows(rows.start as u64, rows.len() as u64).map_err(fail)?;
            let shape = [rows.len(), cols * frames, 1];
            let values = pixels::from_bytes(&entry.dtype, &bytes, element.big_endian, shape);
            let (values, said) =
                values.ok_or_else(|| damaged(path, "a stack of another size than it says"))?;
            let values = values.to_f64();
            let mean = |pixel: ndarray::ArrayView2<'_, f64>| {
                pixel.iter().fold(0.0, |sum, value| sum + value) / frames as f64
            };
            means.extend(values.exact_chunks((1, frames)).into_iter().map(mean));
            notes = said;
        }
        let means = Array2::from_shape_vec((rows, cols), means);
        Ok(Some((means.map_err(|error| damaged(path, error))?.into(), notes)))
    }
}

/// How many rows of a stack are unpacked at once: whole chunks, unless they are large.
fn rows_at_once(row_bytes: u64, chunk_rows: u64) -> usize {
    let rows = (WINDOW / row_bytes).max(1);
    let whole = match chunk_rows.max(1) {
        chunk if chunk.saturating_mul(row_bytes) <= 8 * WINDOW => (rows / chunk).max(1) * chunk,
        _ => rows,
    };
    usize::try_from(whole).unwrap_or(usize::MAX)
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
