//! HyperSpy's hspy (and its hdf5 of earlier times).

use std::path::Path;

use hdf5_pure::Group;

use super::arrays::{Array, Arrays};
use super::hdf5::{self, Attributes};
use super::signal::{self, Axis};
use super::{Entry, Format, Images};
use stemseg::Result;

/// Every signal is an entry.
pub(super) struct Hspy;

impl Format for Hspy {
    fn name(&self) -> &'static str {
        "HyperSpy hspy"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        super::is_hdf5(head)
    }

    fn claims(&self, path: &Path) -> bool {
        hdf5::is_hspy(path)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let fail = |error| hdf5::unreadable(path, error);
        let experiments = hdf5::open(path)?.group("Experiments").map_err(fail)?;
        // To look each up by its name would take the square of their number.
        let mut signals: Vec<_> = experiments.iter_groups().map_err(fail)?.collect();
        signals.sort_by(|a, b| a.0.cmp(&b.0));
        let (mut arrays, mut entries) = (Vec::new(), Vec::new());
        for (name, group) in signals {
            let array = Array::open(path, &group, "data")?;
            entries.push(entry(&group, &name, &array));
            arrays.push(array);
        }
        Ok(Box::new(Arrays { path: path.into(), arrays, entries }))
    }
}

/// What the groups of a signal say of it.
fn entry(group: &Group, name: &str, array: &Array) -> Entry {
    let attributes = |place: &str| group.group(place).ok().map(|group| Attributes::of(&group));
    let axes: Vec<Axis> = (0..array.shape.len())
        .map(|index| match attributes(&format!("axis-{index}")) {
            Some(axis) => Axis {
                step: axis.number("scale"),
                unit: axis.text("units").unwrap_or_default(),
                navigate: axis.number("navigate").map(|flag| flag != 0.0),
            },
            None => Axis::default(),
        })
        .collect();
    let general = attributes("metadata/General").unwrap_or_default();
    let microscope = attributes("metadata/Acquisition_instrument/TEM").unwrap_or_default();
    let record = attributes("metadata/Signal").and_then(|signal| signal.text("record_by"));
    let element = &array.element;
    let described =
        signal::entry(&array.shape, &element.dtype, element.channels, &axes, record.as_deref());
    Entry {
        name: general.text("title").unwrap_or_else(|| name.to_owned()),
        instrument: microscope.text("microscope"),
        date: general.text("date"),
        refused: array.refusal().map(str::to_owned).or(described.refused),
        ..described
    }
}
