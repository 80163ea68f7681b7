//! Velox's EMD, in HDF5.

use std::collections::HashMap;
use std::path::Path;

use hdf5_pure::{Dataset, File, Group};
use openreadout_core::time::unix_to_iso8601;
use serde_json::Value;

use super::arrays::{Array, Arrays, small};
use super::{Entry, Format, Images, hdf5, vendor};
use stemseg::Result;
use stemseg::image::calibration::{Calibration, seconds};

/// Every image is an entry, spectrum images too, to be refused.
pub(super) struct Velox;

impl Format for Velox {
    fn name(&self) -> &'static str {
        "Velox EMD"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        super::is_hdf5(head)
    }

    fn claims(&self, path: &Path) -> bool {
        let kinds = ["Data/Image", "Data/SpectrumStream", "Data/Spectrum"];
        hdf5::open(path).is_ok_and(|file| kinds.iter().any(|kind| file.group(kind).is_ok()))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let file = hdf5::open(path)?;
        let names = display_names(path, &file)?;
        let (mut arrays, mut entries) = (Vec::new(), Vec::new());
        for (id, group) in groups(path, &file, "Data/Image")? {
            let array = Array::open(path, &group, "Data")?.interleaved();
            let entry = entry(&array, &metadata(path, &group)?);
            let name = names.get(&id).cloned().unwrap_or(entry.name);
            entries.push(Entry { name, ..entry });
            arrays.push(array);
        }
        for entry in spectrum_images(path, &file)? {
            arrays.push(Array::refused(entry.refused.clone().unwrap_or_default()));
            entries.push(entry);
        }
        Ok(Box::new(Arrays { path: path.into(), arrays, entries }))
    }
}

/// The groups within a group, which may be missing.
fn groups(path: &Path, file: &File, place: &str) -> Result<Vec<(String, Group)>> {
    let Ok(group) = file.group(place) else { return Ok(Vec::new()) };
    Ok(group.iter_groups().map_err(|error| hdf5::unreadable(path, error))?.collect())
}

/// The document in the first column of an image's metadata, one column for each frame.
fn metadata(path: &Path, group: &Group) -> Result<Value> {
    let Ok(dataset) = group.dataset("Metadata") else { return Ok(Value::Null) };
    let Some(bytes) = small(path, &dataset)? else { return Ok(Value::Null) };
    let columns = dataset.shape().ok().and_then(|shape| shape.get(1).copied()).unwrap_or(1);
    let columns = usize::try_from(columns).unwrap_or(usize::MAX).max(1);
    let text: Vec<u8> =
        bytes.iter().step_by(columns).copied().take_while(|&byte| byte != 0).collect();
    Ok(serde_json::from_slice(&text).unwrap_or_default())
}

/// The document in a text.
fn document(path: &Path, dataset: &Dataset) -> Result<Value> {
    // What is read here are the places of the texts.
    if small(path, dataset)?.is_none() {
        return Ok(Value::Null);
    }
    let texts = dataset.read_string().unwrap_or_default();
    Ok(texts.first().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
}

/// All documents of a group, by their names.
fn documents(path: &Path, file: &File, place: &str) -> Result<HashMap<String, Value>> {
    let Ok(datasets) = file.group(place).and_then(|group| group.iter_datasets()) else {
        return Ok(HashMap::new());
    };
    datasets.map(|(name, dataset)| Ok((name, document(path, &dataset)?))).collect()
}

/// What the displays call each image: an element, or a detector.
fn display_names(path: &Path, file: &File) -> Result<HashMap<String, String>> {
    let image = |place: &Value| Some(place.as_str()?.strip_prefix("/Data/Image/")?.to_owned());
    let text = |text: &Value| {
        let text = unescaped(text.as_str()?).trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    // Of the first versions, then of those since 11.
    let labelled = documents(path, file, "Presentation/Displays/ImageDisplay")?;
    let labelled = labelled.values().filter_map(|display| {
        Some((image(&display["dataPath"])?, text(&display["display"]["label"])?))
    });
    let series = documents(path, file, "SharedProperties/ImageSeriesDataReference")?;
    let titled = documents(path, file, "Displays/ImageDisplay")?;
    let titled = titled.values().filter_map(|display| {
        let reference = display["data"].as_str()?.rsplit('/').next()?;
        Some((image(&series.get(reference)?["dataPath"])?, text(&display["title"])?))
    });
    Ok(labelled.chain(titled).collect())
}

/// A text in which `%20` stands for a space.
fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped.filter(|_| first == b'%') {
            Some(byte) => (bytes.push(byte), rest = &after[2..]),
            None => (bytes.push(first), rest = after),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A number, which Velox writes as text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|v| v.is_finite())
}

/// What the metadata say of an image whose frames lie along the last axis.
fn entry(array: &Array, own: &Value) -> Entry {
    let mut shape: Vec<usize> =
        array.shape.iter().map(|&length| usize::try_from(length).unwrap_or(usize::MAX)).collect();
    match shape[..] {
        [_, _, 1] => shape.truncate(2),
        [_, _, _] => shape.rotate_right(1),
        _ => {}
    }
    let text =
        |value: &Value| value.as_str().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    let binary = &own["BinaryResult"];
    let step = |size: &str, unit: &str| {
        Some((number(&binary["PixelSize"][size])?, binary[unit].as_str().unwrap_or("m")))
    };
    let calibration =
        || Calibration::new(step("height", "PixelUnitY")?, step("width", "PixelUnitX")?);
    let exposure = || number(&detector(own)?["ExposureTime"]);
    let interval = || number(&own["Scan"]["FrameTime"]).or_else(exposure);
    let start = number(&own["Acquisition"]["AcquisitionStartDatetime"]["DateTime"]);
    let instrument = &own["Instrument"];
    let entry = Entry {
        name: text(&binary["Detector"]).unwrap_or_default(),
        shape,
        dtype: array.element.dtype.clone(),
        calibration: calibration(),
        instrument: text(&instrument["InstrumentModel"])
            .or_else(|| text(&instrument["InstrumentClass"])),
        date: start.filter(|&start| start > 0.0).map(|start| unix_to_iso8601(start as i64, 0)),
        map: is_map(own),
        refused: array.refusal().map(str::to_owned),
        ..Entry::default()
    };
    let interval = entry.frames().and_then(|_| seconds(interval()?, "s"));
    Entry { frame_interval_s: interval, ..entry }
}

/// The detector that an image says it comes from.
fn detector(own: &Value) -> Option<&Value> {
    let name = own["BinaryResult"].get("Detector")?;
    let mut detectors = own["Detectors"].as_object()?.values();
    detectors.find(|detector| detector["DetectorName"] == *name)
}

/// Whether it was computed from spectra: its detector is one of X-rays, or is the sum
/// of them, which is not listed with the others.
fn is_map(own: &Value) -> bool {
    let listed = own["Detectors"].as_object().is_some_and(|detectors| !detectors.is_empty());
    let kind = detector(own).map(|detector| &detector["DetectorType"]);
    listed
        && own["BinaryResult"]["Detector"].is_string()
        && kind.is_none_or(|kind| kind == "AnalyticalDetector")
}

/// The spectrum images of X-rays, of which several detectors make one, and of EELS.
fn spectrum_images(path: &Path, file: &File) -> Result<Vec<Entry>> {
    let entry = |name: &str, shape: [u64; 3]| Entry {
        name: name.into(),
        shape: shape.map(|length| usize::try_from(length).unwrap_or(usize::MAX)).to_vec(),
        dtype: "uint32".into(),
        refused: Some(vendor::spectrum_image(shape[0])),
        ..Entry::default()
    };
    let mut found: Vec<Entry> = Vec::new();
    for (_, group) in groups(path, file, "Data/SpectrumStream")? {
        let Ok(settings) = group.dataset("AcquisitionSettings") else { continue };
        let settings = document(path, &settings)?;
        let raster = &settings["RasterScanDefinition"];
        let length = |value: &Value| Some(number(value)? as u64).filter(|&length| length > 0);
        let lengths = [&settings["bincount"], &raster["Height"], &raster["Width"]].map(length);
        let [Some(bins), Some(rows), Some(cols)] = lengths else { continue };
        let entry = entry("EDS spectrum image", [bins, rows, cols]);
        if !found.contains(&entry) {
            found.push(entry);
        }
    }
    for (_, group) in groups(path, file, "Data/EelsSpectrumImage")? {
        let shape = group.dataset("Data").and_then(|dataset| dataset.shape());
        if let Ok(&[cols, bins, rows]) = shape.as_deref() {
            found.push(entry("EELS spectrum image", [bins, rows, cols]));
        }
    }
    Ok(found)
}
