//! Label maps as HyperSpy signals: HDF5 files in HyperSpy's layout, version 3.3, strip
//! by strip.
//!
//! `rust-hdf5` rather than the C library, which takes cmake and minutes to build, and
//! rather than `hdf5-pure` (0.47), which takes compressed arrays only as a whole and
//! has no booleans as attributes.

use std::io::Write;
use std::path::Path;

use bytemuck::Pod;
use flate2::write::ZlibEncoder;
use rayon::prelude::*;
use rust_hdf5::types::{H5Type, HBool};
use rust_hdf5::{H5Dataset, H5File, H5Group, Hdf5Error};
use serde_json::{Map, Value, json};

use super::content::Signal;
use super::label_type::{Label, LabelType, Labels, most_of};
use stemseg::image::rows::Rows;
use stemseg::sites::blocks;
use stemseg::{Error, Result};

/// Version of HyperSpy's layout.
const LAYOUT: &str = "3.3";

/// Bytes of a chunk before compression, about.
const CHUNK_BYTES: usize = 1 << 18;

/// Chunks that are compressed at once.
const AT_ONCE: usize = 64;

/// Writes `labels` `[rows, cols]` as integers of the type `kind`: a `Signal2D` with axes
/// in nm.
///
/// # Errors
/// [`Error::Io`] with the path, [`Error::Parameter`] for labels that do not fit.
pub fn write_hspy(
    path: &Path,
    labels: &dyn Rows<u16>,
    kind: LabelType,
    signal: &Signal<'_>,
) -> Result<()> {
    kind.check(most_of(labels))?;
    let labels = Labels(labels);
    let written = match kind {
        LabelType::U8 => write::<u8>(path, &labels, signal),
        LabelType::U16 => write::<u16>(path, &labels, signal),
        LabelType::U32 => write::<u32>(path, &labels, signal),
    };
    written.map_err(|error| {
        Error::io(path)(match error {
            Hdf5Error::Io(error) => error,
            other => system_error(&other.to_string()),
        })
    })
}

/// What the system said. The crate hides its layer's error except for the words, which end
/// in the number that tells a full disk from others.
fn system_error(words: &str) -> std::io::Error {
    let number = words.rsplit_once("(os error ").and_then(|(_, rest)| rest.split_once(')'));
    match number.and_then(|(number, _)| number.parse().ok()) {
        Some(number) => std::io::Error::from_raw_os_error(number),
        None => std::io::Error::other(words.to_owned()),
    }
}

fn write<T: Label + H5Type + Pod>(
    path: &Path,
    labels: &dyn Rows<T>,
    signal: &Signal<'_>,
) -> Result<(), Hdf5Error> {
    let file = H5File::create(path)?;
    file.set_attr_string("file_format", "HyperSpy")?;
    file.set_attr_string("file_format_version", LAYOUT)?;
    // Slashes divide groups.
    let name = signal.title.replace('/', "-");
    // Without the name of a package, which HyperSpy would look for to load the signal.
    let group = file.create_group("Experiments")?.create_group(&name)?;
    let (rows, cols) = labels.shape();
    let size = signal.pixel_size;
    for (number, name, pixels, scale) in
        [(0, "y", rows, size.map(|s| s.rows)), (1, "x", cols, size.map(|s| s.cols))]
    {
        let axis = group.create_group(&format!("axis-{number}"))?;
        put_all(&axis, &axis_of(name, pixels, scale))?;
    }
    let metadata = json!({
        "General": { "title": signal.title, "original_filename": signal.original },
        "Signal": { "signal_type": "", "quantity": "Label" },
        "_HyperSpy": {},
    });
    put(&group, "metadata", &metadata)?;
    put(&group, "original_metadata", &json!({ "stemseg": signal.parameters }))?;
    put(&group, "attributes", &json!({ "_lazy": false, "ragged": false }))?;
    put(&group, "learning_results", &json!({}))?;
    put_pixels(&group, labels)?;
    file.close()
}

/// An axis of the signal as HyperSpy describes it.
fn axis_of(name: &str, pixels: usize, scale: Option<f64>) -> Map<String, Value> {
    let units = scale.map_or(Value::Null, |_| "nm".into());
    let axis = json!({
        "_type": "UniformDataAxis",
        "name": name,
        "units": units,
        "size": pixels,
        "scale": scale.unwrap_or(1.0),
        "offset": 0.0,
        "navigate": false,
        "is_binned": false,
    });
    match axis {
        Value::Object(axis) => axis,
        _ => Map::new(),
    }
}

/// Writes the label map as the dataset `data`.
fn put_pixels<T: Label + H5Type + Pod>(
    group: &H5Group,
    labels: &dyn Rows<T>,
) -> Result<(), Hdf5Error> {
    let (rows, cols) = labels.shape();
    let strip = (CHUNK_BYTES / (cols * size_of::<T>()).max(1)).clamp(1, rows.max(1));
    let builder = group.new_dataset::<T>().shape([rows, cols]).chunk(&[strip, cols]);
    let data = builder.deflate(1).create("data")?;
    // A batch bounds how much waits for the file.
    for batch in blocks(0..rows, strip * AT_ONCE) {
        let strips: Vec<_> = blocks(batch, strip).collect();
        let deflated = strips.par_iter().map(|rows| deflate(labels, rows.clone(), strip));
        let deflated: Vec<_> = deflated.collect::<std::io::Result<_>>().map_err(Hdf5Error::Io)?;
        for (rows, bytes) in strips.iter().zip(&deflated) {
            data.write_chunk_raw(rows.start / strip, bytes, 0)?;
        }
    }
    Ok(())
}

/// Some rows, filled up with zeros to `full` rows, compressed.
fn deflate<T: Label + Pod>(
    labels: &dyn Rows<T>,
    rows: std::ops::Range<usize>,
    full: usize,
) -> std::io::Result<Vec<u8>> {
    let cols = labels.shape().1;
    let mut values = vec![T::default(); full * cols];
    rows.zip(values.chunks_exact_mut(cols)).for_each(|(row, to)| labels.fill(row, to));
    values.iter_mut().for_each(little_endian);
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytemuck::cast_slice(&values))?;
    encoder.finish()
}

/// Turns a value's bytes round where the machine has the largest first: the files say
/// the smallest.
fn little_endian<T: Pod>(value: &mut T) {
    if cfg!(target_endian = "big") {
        bytemuck::bytes_of_mut(value).reverse();
    }
}

/// Writes everything in an object into `group`.
fn put_all(group: &H5Group, values: &Map<String, Value>) -> Result<(), Hdf5Error> {
    values.iter().try_for_each(|(key, value)| put(group, key, value))
}

/// Writes a value as HyperSpy does: objects are groups, lists of numbers and of texts
/// datasets, all else attributes.
fn put(group: &H5Group, key: &str, value: &Value) -> Result<(), Hdf5Error> {
    match value {
        Value::Null => group.set_attr_string(key, "_None_"),
        Value::Bool(truth) => group.set_attr_numeric(key, &HBool::from(*truth)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => group.set_attr_numeric(key, &whole),
            None => group.set_attr_numeric(key, &number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => group.set_attr_string(key, text),
        Value::Array(list) => put_list(group, key, list),
        Value::Object(values) => put_all(&group.create_group(key)?, values),
    }
}

fn put_list(group: &H5Group, key: &str, list: &[Value]) -> Result<(), Hdf5Error> {
    if list.is_empty() {
        return group.set_attr_string(&format!("_list_empty_{key}"), "_None_");
    }
    let name = format!("_list_{key}");
    if let Some(texts) = all(list, Value::as_str) {
        return group.write_vlen_strings(&name, &texts).map(drop);
    }
    if let Some(whole) = all(list, Value::as_i64) {
        return put_numbers(group, &name, &whole).map(drop);
    }
    if let Some(numbers) = all(list, Value::as_f64) {
        return put_numbers(group, &name, &numbers).map(drop);
    }
    // HyperSpy sorts the names of the members as texts.
    let digits = (list.len() - 1).to_string().len();
    let members = group.create_group(&format!("_list_{}_{key}", list.len()))?;
    list.iter().enumerate().try_for_each(|(i, v)| put(&members, &format!("{i:0digits$}"), v))
}

/// What `convert` makes of every member, if it makes something of each.
fn all<'v, T>(list: &'v [Value], convert: impl Fn(&'v Value) -> Option<T>) -> Option<Vec<T>> {
    list.iter().map(convert).collect()
}

fn put_numbers<T: H5Type>(
    group: &H5Group,
    name: &str,
    numbers: &[T],
) -> Result<H5Dataset, Hdf5Error> {
    let data = group.new_dataset::<T>().shape([numbers.len()]).create(name)?;
    data.write_raw(numbers)?;
    Ok(data)
}

#[cfg(test)]
#[path = "hspy_tests.rs"]
mod tests;
