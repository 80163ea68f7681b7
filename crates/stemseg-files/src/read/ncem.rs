//! NCEM's (Berkeley's) EMD, versions 0.2 and 1.0, in HDF5.

use std::path::Path;

use hdf5_pure::{Dataset, Group};

use super::arrays::{Array, Arrays};
use super::hdf5::{self, Attributes};
use super::{Entry, Format, Images};
use stemseg::Result;
use stemseg::image::calibration::{Calibration, Unit, seconds};

/// How deep groups are searched for arrays, and how many of them.
const DEPTH: usize = 16;
const MOST_GROUPS: usize = 100_000;

/// A pixel of an image is below 1 mm; some programs write 1/m of patterns as m.
const LARGEST_PIXEL_NM: f64 = 1e6;

/// Every array is an entry.
pub(super) struct Ncem;

impl Format for Ncem {
    fn name(&self) -> &'static str {
        "NCEM EMD"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        super::is_hdf5(head)
    }

    fn claims(&self, path: &Path) -> bool {
        hdf5::open(path).is_ok_and(|file| !array_groups(&file.root()).is_empty())
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let root = hdf5::open(path)?.root();
        let microscope = root.group("microscope").ok().map(|group| Attributes::of(&group));
        let instrument = microscope.and_then(|m| m.text("Microscope").or_else(|| m.text("name")));
        let (mut arrays, mut entries) = (Vec::new(), Vec::new());
        for (name, group) in array_groups(&root) {
            let fail = |error| hdf5::unreadable(path, error);
            let datasets = group.iter_datasets().map_err(fail)?.collect();
            let Some((array, entry)) = describe(path, datasets)? else { continue };
            arrays.push(array);
            entries.push(Entry { name, instrument: instrument.clone(), ..entry });
        }
        Ok(Box::new(Arrays { path: path.into(), arrays, entries }))
    }
}

/// The groups that hold an array, by their paths.
fn array_groups(root: &Group) -> Vec<(String, Group)> {
    let (mut found, mut visited) = (Vec::new(), 0);
    let mut open = vec![(String::new(), root.clone(), 0)];
    while let Some((path, group, depth)) = open.pop() {
        visited += 1;
        if visited > MOST_GROUPS {
            break;
        }
        let attributes = Attributes::of(&group);
        let is_array = attributes.number("emd_group_type") == Some(1.0)
            || attributes.text("emd_group_type").is_some_and(|kind| kind == "array" || kind == "1");
        if is_array {
            found.push((path, group));
        } else if depth < DEPTH {
            let groups = group.iter_groups().into_iter().flatten();
            open.extend(groups.map(|(name, group)| {
                let path = if path.is_empty() { name } else { format!("{path}/{name}") };
                (path, group, depth + 1)
            }));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// What the vector of a dimension says.
#[derive(Debug, Clone, Default)]
struct Dimension {
    step: Option<f64>,
    unit: String,
}

impl Dimension {
    fn new(dataset: &Dataset, length: u64) -> Self {
        let unit = Attributes::of_dataset(dataset).text("units").unwrap_or_default();
        // One value for each index, or the first two.
        let stored = dataset.shape().ok().filter(|shape| matches!(shape[..], [n] if n >= 2));
        let fits = stored.is_some_and(|shape| shape[0] == length || shape[0] == 2);
        let first = if fits { dataset.read_f64_rows(0, 2).ok() } else { None };
        let step = match first.as_deref() {
            Some([first, second, ..]) => Some(second - first).filter(|step| step.is_finite()),
            _ => None,
        };
        Self { step, unit }
    }

    fn is_length(&self) -> bool {
        Unit::parse(&self.unit).is_some_and(|(unit, _)| unit == Unit::Nanometre)
    }
}

/// The array among the datasets of a group, and what those say of it; nothing where
/// none is the array.
fn describe(path: &Path, datasets: Vec<(String, Dataset)>) -> Result<Option<(Array, Entry)>> {
    let number = |name: &str| name.strip_prefix("dim")?.parse::<u32>().ok();
    let (mut vectors, mut others): (Vec<_>, Vec<_>) =
        datasets.into_iter().partition(|(name, _)| number(name).is_some());
    vectors.sort_by_key(|(name, _)| number(name));
    others.retain(|(name, _)| !name.starts_with("dim"));
    // Earlier programs called the array otherwise.
    let position = others.iter().position(|(name, _)| name == "data");
    let only = (others.len() == 1).then_some(0);
    let Some(position) = position.or(only) else { return Ok(None) };
    let array = Array::new(path, others.swap_remove(position).1)?;
    let mut dimensions: Vec<Dimension> = vectors
        .iter()
        .zip(&array.shape)
        .map(|((_, vector), &length)| Dimension::new(vector, length))
        .collect();
    dimensions.resize_with(array.shape.len(), Dimension::default);
    let entry = entry(&array, &dimensions);
    let array = if has_frames_last(&dimensions) { array.interleaved() } else { array };
    Ok(Some((array, entry)))
}

/// An image of each of several detectors, which follow as a third dimension.
fn has_frames_last(dimensions: &[Dimension]) -> bool {
    matches!(dimensions, [y, x, last] if y.is_length() && x.is_length() && !last.is_length())
}

fn entry(array: &Array, dimensions: &[Dimension]) -> Entry {
    let mut shape: Vec<usize> =
        array.shape.iter().map(|&length| usize::try_from(length).unwrap_or(usize::MAX)).collect();
    let mut dimensions = dimensions.to_vec();
    if has_frames_last(&dimensions) {
        shape.rotate_right(1);
        dimensions.rotate_right(1);
    }
    let step = |dimension: &Dimension| Some((dimension.step?, dimension.unit.clone()));
    let calibration = match &dimensions[..] {
        [.., y, x] => step(y)
            .zip(step(x))
            .and_then(|(y, x)| Calibration::new((y.0, &y.1), (x.0, &x.1)))
            .filter(|c| c.unit != Unit::Nanometre || c.rows.max(c.cols) < LARGEST_PIXEL_NM),
        _ => None,
    };
    let interval = match &dimensions[..] {
        [frames, _, _] => step(frames).and_then(|(step, unit)| seconds(step, &unit)),
        _ => None,
    };
    let entry = Entry {
        shape,
        dtype: array.element.dtype.clone(),
        calibration,
        frame_interval_s: interval,
        refused: array.refusal().map(str::to_owned),
        ..Entry::default()
    };
    match dimensions.iter().any(|dimension| !dimension.unit.is_empty()) {
        true => entry,
        false => entry.with_axes_by_length(),
    }
}
