//! TIA's ser and emi.

use std::path::Path;

use openreadout_core::{Dataset, FormatReader, ImageInfo};
use openreadout_em::SerReader;

use super::vendor::{self, extra, number, text};
use super::{Entry, Format, Images};
use stemseg::image::calibration::Calibration;
use stemseg::{Error, Result};

/// A step of a diffraction pattern, 1/m, is above this; one of an image, m, below.
const LARGEST_STEP: f64 = 1e-3;

/// Above this many frames their times are not looked up one by one.
const MOST_TIMES: u64 = 10_000;

/// A series (`.ser`), or the description (`.emi`) of the series next to it.
pub(super) struct Tia {
    name: &'static str,
    magic: &'static [u8],
    emi: bool,
}

pub(super) static SER: Tia = Tia { name: "TIA ser", magic: b"II\x97\x01", emi: false };

pub(super) static EMI: Tia = Tia { name: "TIA emi", magic: b"JK\0\x02", emi: true };

impl Format for Tia {
    fn name(&self) -> &'static str {
        self.name
    }

    fn recognises(&self, head: &[u8]) -> bool {
        head.starts_with(self.magic)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        check_regular(path)?;
        let has_name = |name: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(name));
        if self.emi {
            check_companions(path, has_name("emi"))?;
        } else if has_name("emi") {
            return Err(Error::unreadable(path, "is a .ser file; give it that extension"));
        }
        vendor::open(path, &SerReader, 1, complete)
    }
}

/// Refuses pipes and devices among the files next to it, which the crate would wait for.
fn check_regular(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let stem = stem.rsplit_once('_').map_or(&*stem, |(stem, _)| stem);
    // What cannot be listed is not found by the crate either.
    for other in std::fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten() {
        let Ok(other) = other.map(|entry| entry.path()) else { continue };
        let name = other.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let own = name.starts_with(stem) && (name.ends_with(".ser") || name.ends_with(".emi"));
        if own && !std::fs::metadata(&other).is_ok_and(|metadata| metadata.is_file()) {
            let reason = "belongs to a TIA series but is not a regular file; replace it with one";
            return Err(Error::unreadable(&other, reason));
        }
    }
    Ok(())
}

/// Says where the pixels of an .emi file should be.
fn check_companions(path: &Path, named: bool) -> Result<()> {
    if !named {
        let reason =
            "is a TIA .emi file; give it that extension, for its .ser files are found by its name";
        return Err(Error::unreadable(path, reason));
    }
    match SerReader.open(path) {
        Err(openreadout_core::Error::Unsupported { .. }) => {
            let stem = path.file_stem().unwrap_or_default().display();
            let reason = format!(
                "has no {stem}_1.ser next to it, where TIA keeps the pixels; copy the .ser files into its folder"
            );
            Err(Error::unreadable(path, reason))
        }
        _ => Ok(()),
    }
}

/// Adds diffraction calibrations, whose unit only the .emi file tells, and times.
fn complete(dataset: &dyn Dataset, info: &ImageInfo, entry: Entry) -> Entry {
    let steps = ["y", "x"].map(|axis| number(info, &format!("/element_calibration/{axis}/delta")));
    let diffraction = text(info, "/mode").is_some_and(|m| m.to_lowercase().contains("diffraction"));
    let pattern = match steps {
        [Some(y), Some(x)] if diffraction && y > LARGEST_STEP && x > LARGEST_STEP => {
            Calibration::new((y, "1/m"), (x, "1/m"))
        }
        _ => None,
    };
    let mut entry = Entry {
        calibration: entry.calibration.or(pattern),
        frame_interval_s: entry.frames().and_then(|_| interval(dataset, info)),
        ..entry
    };
    // The crate folds the axes of a scan of images into one of frames.
    let grid = extra(info, "/frame_grid").and_then(|grid| grid.as_array());
    if let Some(grid) = grid.filter(|grid| grid.len() > 1) {
        let sizes = grid.iter().rev().filter_map(|size| size.as_u64());
        let scan = sizes.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        let image = [info.size_y as usize, info.size_x as usize];
        entry.shape = scan.chain(image).collect();
    }
    entry
}

/// Mean time between frames, whose times are whole seconds.
fn interval(dataset: &dyn Dataset, info: &ImageInfo) -> Option<f64> {
    let count = u64::from(info.size_t);
    if !(2..=MOST_TIMES).contains(&count) {
        return None;
    }
    let (_, records) = dataset.frames(info.index, None).ok()?;
    let time = |record: Option<&serde_json::Value>| record?.get("time_unix_s")?.as_f64();
    let elapsed = time(records.last())? - time(records.first())?;
    Some(elapsed / (count - 1) as f64).filter(|interval| *interval > 0.0)
}
