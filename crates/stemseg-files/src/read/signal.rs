//! What HyperSpy's formats have in common: signals with named axes.

use std::path::Path;

use super::Entry;
use super::pixels::is_number;
use stemseg::image::calibration::{Calibration, seconds};
use stemseg::{Error, Result};

/// One axis, in the order of the array.
#[derive(Debug, Default)]
pub(super) struct Axis {
    pub(super) step: Option<f64>,
    pub(super) unit: String,
    /// Whether it leads from one signal to the next (frames, points of a scan).
    pub(super) navigate: Option<bool>,
}

/// The entry of an array with these axes; `record_by` is what old files say of it.
pub(super) fn entry(
    shape: &[u64],
    dtype: &str,
    channels: usize,
    axes: &[Axis],
    record_by: Option<&str>,
) -> Entry {
    let lengths = shape.iter().map(|&length| usize::try_from(length).unwrap_or(usize::MAX));
    let step = |axis: &Axis| Some((axis.step?, axis.unit.clone()));
    let calibration = match axes {
        [.., rows, cols] => step(rows)
            .zip(step(cols))
            .and_then(|(rows, cols)| Calibration::new((rows.0, &rows.1), (cols.0, &cols.1))),
        _ => None,
    };
    let interval = match axes {
        [frames, _, _] => step(frames).and_then(|(step, unit)| seconds(step, &unit)),
        _ => None,
    };
    let spectrum = match record_by {
        Some(record) => record == "spectrum",
        None => axes.iter().filter(|axis| axis.navigate == Some(false)).count() == 1,
    };
    let entry = Entry {
        shape: lengths.chain((channels > 1).then_some(channels)).collect(),
        dtype: dtype.to_owned(),
        colour: channels > 1,
        calibration,
        frame_interval_s: interval,
        refused: spectrum.then(|| "is a spectrum, not an image; give an image".into()),
        ..Entry::default()
    };
    match record_by.is_some() || axes.iter().any(|axis| axis.navigate.is_some()) {
        true => entry,
        false => entry.with_axes_by_length(),
    }
}

/// Refuses elements that are not numbers.
pub(super) fn check_element(path: &Path, dtype: &str) -> Result<()> {
    match is_number(dtype) {
        true => Ok(()),
        false => {
            let reason = format!(
                "holds {dtype} elements, which are not pixel values; save an array of integers or floats"
            );
            Err(Error::unreadable(path, reason))
        }
    }
}
