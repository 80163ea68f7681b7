//! HyperSpy's hspy (and its hdf5 of earlier times).

use std::path::{Path, PathBuf};

use hdf5_pure::{Dataset, Group};

use super::hdf5::{self, Element};
use super::signal::{self, Axis};
use super::{
    Entry, Format, Image, Images, MAX_COMPRESSION, check_size, damaged, file_size, pixels,
};
use crate::Result;

/// Every signal is an entry.
pub(super) struct Hspy;

impl Format for Hspy {
    fn name(&self) -> &'static str {
        "HyperSpy hspy"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        hdf5::is_hdf5(head)
    }

    fn claims(&self, path: &Path) -> bool {
        hdf5::open(path).is_ok_and(|file| {
            hdf5::text(&file.root(), "file_format").is_some_and(|name| name == "HyperSpy")
        })
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let fail = |error| hdf5::unreadable(path, error);
        let file = hdf5::open(path)?;
        let mut signals = Vec::new();
        let mut entries = Vec::new();
        let experiments = file.group("Experiments").map_err(fail)?;
        let mut names = experiments.groups().map_err(fail)?;
        names.sort();
        for name in names {
            let group = experiments.group(&name).map_err(fail)?;
            let dataset = group.dataset("data").map_err(fail)?;
            let shape = dataset.shape().map_err(fail)?;
            let element =
                hdf5::element(&dataset).ok_or_else(|| damaged(path, "no element type"))?;
            entries.push(entry(&group, &name, &shape, &element));
            signals.push((dataset, element));
        }
        Ok(Box::new(Signals { path: path.into(), signals, entries }))
    }
}

/// What the groups of a signal say of it.
fn entry(group: &Group, name: &str, shape: &[u64], element: &Element) -> Entry {
    let axes: Vec<Axis> = (0..shape.len())
        .map(|index| match group.group(&format!("axis-{index}")) {
            Ok(axis) => Axis {
                step: hdf5::number(&axis, "scale"),
                unit: hdf5::text(&axis, "units").unwrap_or_default(),
                navigate: hdf5::number(&axis, "navigate").map(|flag| flag != 0.0),
            },
            Err(_) => Axis::default(),
        })
        .collect();
    let general = group.group("metadata/General").ok();
    let in_general = |key: &str| general.as_ref().and_then(|general| hdf5::text(general, key));
    let microscope = group.group("metadata/Acquisition_instrument/TEM").ok();
    let record = group.group("metadata/Signal").ok().and_then(|g| hdf5::text(&g, "record_by"));
    Entry {
        name: in_general("title").unwrap_or_else(|| name.to_owned()),
        instrument: microscope.and_then(|microscope| hdf5::text(&microscope, "microscope")),
        date: in_general("date"),
        ..signal::entry(shape, &element.dtype, element.channels, &axes, record.as_deref())
    }
}

/// An open file.
struct Signals {
    path: PathBuf,
    /// The data of each entry, which keep the chunks that they have unpacked.
    signals: Vec<(Dataset, Element)>,
    entries: Vec<Entry>,
}

impl Images for Signals {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn load(&mut self, entry: usize, frame: usize) -> Result<Image> {
        let fail = |error| hdf5::unreadable(&self.path, error);
        let (dataset, element) = &self.signals[entry];
        let entry = &self.entries[entry];
        signal::check_element(&self.path, &entry.dtype)?;
        let (all, one) = stored(dataset, entry).unwrap_or((None, u64::MAX));
        let available = file_size(&self.path)?.saturating_mul(MAX_COMPRESSION);
        check_size(&self.path, all, available, one)?;
        let bytes = match entry.frames() {
            Some(_) => dataset.read_raw_rows(frame as u64, 1),
            None => dataset.read_raw(),
        };
        let lengths = &entry.shape[usize::from(entry.frames().is_some())..];
        let shape = [lengths[0], lengths[1], element.channels];
        let bytes = bytes.map_err(fail)?;
        pixels::from_bytes(&entry.dtype, &bytes, element.big_endian, shape)
            .ok_or_else(|| damaged(&self.path, "an array of another size than it says"))
    }
}

/// Bytes of the dataset and of one image, for its elements may be larger than they seem.
fn stored(dataset: &Dataset, entry: &Entry) -> Option<(Option<u64>, u64)> {
    let size = dataset.element_size().ok()?;
    let (_, one) = entry.bytes()?;
    let count = dataset.shape().ok()?.iter().try_fold(size, |all, &length| all.checked_mul(length));
    Some((count, one.max(size)))
}
