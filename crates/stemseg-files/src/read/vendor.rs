//! Formats that the crate openreadout-em reads, as [`Images`].

use std::path::{Path, PathBuf};

use openreadout_core::{Dataset, FormatReader, ImageInfo, Plane, PlaneIndex};
use serde_json::Value;

use super::{Entry, Image, Images, check_size, damaged, file_size, pixels};
use stemseg::image::calibration::Calibration;
use stemseg::image::micrograph::PixelSize;
use stemseg::{Error, Result};

/// An open file of one of these formats.
struct Vendor {
    path: PathBuf,
    dataset: Box<dyn Dataset>,
    entries: Vec<Entry>,
    /// Which of the crate's axes the frames of each image lie along.
    axes: Vec<Axis>,
    /// Bytes that the pixels can come from, once they are unpacked.
    available: u64,
}

/// Axes other than rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    Channel,
    Depth,
    Time,
}

/// Opens `path` with `reader`; `complete` adds to an entry what only the format
/// knows. A byte of the file holds at most `compression` bytes of pixels.
pub(super) fn open(
    path: &Path,
    reader: &dyn FormatReader,
    compression: u64,
    complete: impl Fn(&dyn Dataset, &ImageInfo, Entry) -> Entry,
) -> Result<Box<dyn Images>> {
    let fail = |error| unreadable(path, error);
    let dataset = reader.open(path).map_err(fail)?;
    let info = dataset.info().map_err(fail)?;
    let members = dataset.member_files();
    let sizes = members.iter().map(|member| file_size(member).unwrap_or(0));
    let stored = sizes.fold(file_size(path)?, u64::saturating_add);
    let (entries, axes) = info
        .images
        .iter()
        .map(|image| {
            let (entry, axis) = describe(image);
            (complete(&*dataset, image, entry), axis)
        })
        .unzip();
    let available = stored.saturating_mul(compression);
    Ok(Box::new(Vendor { path: path.into(), dataset, entries, axes, available }))
}

impl Images for Vendor {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn load(&mut self, entry: usize, frame: usize) -> Result<Image> {
        let (all, one) = match self.entries[entry].bytes() {
            Some((all, one)) => (Some(all), one),
            None => (None, u64::MAX),
        };
        check_size(&self.path, all, self.available, one)?;
        // Every number of a frame comes from a u32.
        let frame = u32::try_from(frame).map_err(|error| damaged(&self.path, error))?;
        let mut index = PlaneIndex::default();
        match self.axes[entry] {
            Axis::Channel => index.c = frame,
            Axis::Depth => index.z = frame,
            Axis::Time => index.t = frame,
        }
        let image = u32::try_from(entry).map_err(|error| damaged(&self.path, error))?;
        let plane = self.dataset.read_plane(image, index);
        let plane = plane.map_err(|error| unreadable(&self.path, error))?;
        image_of(&plane).ok_or_else(|| damaged(&self.path, "an image of another size than it says"))
    }

    fn besides(&self) -> Vec<PathBuf> {
        let mut members = self.dataset.member_files();
        members.retain(|member| *member != self.path);
        members
    }
}

/// What the crate says of an image, and which axis its frames lie along.
fn describe(info: &ImageInfo) -> (Entry, Axis) {
    let sizes =
        [(Axis::Time, info.size_t), (Axis::Depth, info.size_z), (Axis::Channel, info.size_c)];
    let long: Vec<_> = sizes.into_iter().filter(|(_, size)| *size > 1).collect();
    let colour = info.samples_per_pixel > 1;
    let shape = long.iter().map(|(_, size)| *size).chain([info.size_y, info.size_x]);
    let shape = shape.chain(colour.then_some(info.samples_per_pixel));
    let size = (info.physical_size.y).zip(info.physical_size.x);
    let entry = Entry {
        name: info.name.clone().unwrap_or_default(),
        shape: shape.map(|size| size as usize).collect(),
        dtype: info.pixel_type.numpy_dtype().into(),
        colour,
        // The crate gives µm.
        calibration: size.map(|(y, x)| PixelSize { rows: 1e3 * y, cols: 1e3 * x }.into()),
        frame_interval_s: info.time_increment_s,
        instrument: info.instrument.as_ref().and_then(|instrument| instrument.model.clone()),
        date: info.acquired_at.clone(),
        map: false,
        refused: refusal(info),
    };
    (entry, long.first().map_or(Axis::Time, |(axis, _)| *axis))
}

/// Why an image is none.
fn refusal(info: &ImageInfo) -> Option<String> {
    let spectral = ["spectral_axis", "energy_axis", "spectrum_image"];
    if !spectral.iter().any(|key| info.extra.contains_key(*key)) {
        return None;
    }
    Some(match info.size_c {
        1 => "is a spectrum, not an image; give an image".into(),
        bins => spectrum_image(bins.into()),
    })
}

/// Why an image of spectra is none.
pub(super) fn spectrum_image(bins: u64) -> String {
    format!(
        "is a spectrum image of {bins} energies, not an image; \
         export the sum over energies, or give the image next to it"
    )
}

/// A number of what a format says beyond the crate's model.
pub(super) fn number(info: &ImageInfo, pointer: &str) -> Option<f64> {
    extra(info, pointer)?.as_f64()
}

/// A text of it.
pub(super) fn text<'a>(info: &'a ImageInfo, pointer: &str) -> Option<&'a str> {
    extra(info, pointer)?.as_str()
}

/// A value of it, at a JSON pointer such as `/calibrations/0/units`.
pub(super) fn extra<'a>(info: &'a ImageInfo, pointer: &str) -> Option<&'a Value> {
    let (key, rest) = match pointer[1..].split_once('/') {
        Some((key, rest)) => (key, format!("/{rest}")),
        None => (&pointer[1..], String::new()),
    };
    info.extra.get(key)?.pointer(&rest)
}

/// The calibration that two axes have at JSON pointers, each with a step and a unit.
pub(super) fn calibration(
    info: &ImageInfo,
    [rows, cols]: [&str; 2],
    [step, unit]: [&str; 2],
) -> Option<Calibration> {
    let axis = |axis: &str| {
        Some((number(info, &format!("{axis}/{step}"))?, text(info, &format!("{axis}/{unit}"))?))
    };
    Calibration::new(axis(rows)?, axis(cols)?)
}

/// The pixels of a plane, `None` where it has more or fewer than it says.
fn image_of(plane: &Plane) -> Option<Image> {
    let shape = [plane.height, plane.width, plane.samples_per_pixel].map(|size| size as usize);
    pixels::from_bytes(plane.pixel_type.numpy_dtype(), &plane.data, false, shape)
}

/// The crate's error as this library's, in one sentence.
pub(super) fn unreadable(path: &Path, error: openreadout_core::Error) -> Error {
    use openreadout_core::Error as Theirs;
    let sentence = |text: &str| {
        let text = text.split(['\n', '\r']).next().unwrap_or_default();
        text.split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
    };
    match error {
        Theirs::Io { source, .. } => super::failed(path, source),
        Theirs::Corrupt { detail, .. } => damaged(path, sentence(&detail)),
        Theirs::Unsupported { feature, .. } => {
            let feature = sentence(&feature);
            let reason = format!("is of a kind that is not read ({feature}); export it as TIFF");
            Error::unreadable(path, reason)
        }
        other => damaged(path, sentence(&other.to_string())),
    }
}
