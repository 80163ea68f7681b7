//! Files of instruments and programs against what rosettasciio reads in them.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use stemseg_files::read::{ImageFile, read};

use crate::job::{stemseg, text};
use stemseg_testing::data;
use stemseg_testing::place::Place;

/// Files of which something else is read than expected.json says, and why.
const GAPS: &[(&str, &str)] = &[
    (
        "dm4/test_fft_packed_complex8.dm4",
        "the stored half of the Fourier transform, not mirrored into the whole",
    ),
    ("mrc/20241021_00405_movie.mrc", "the scan that its _info.txt tells of is a plain stack"),
    ("other/panta_rhei_sample.prz", "read as npz, which has no pixel size"),
    ("ser/128x128x5-diffraction_preview_1.ser", "1/nm, as the .emi file next to it says"),
    ("tiff/ome-types_ome.tiff", "its two channels are two images, not frames of one"),
    ("tiff/olympus_SIS.tif", "the luma of the JPEG page is the one that it stores"),
    ("tiff/written_uint8_miniswhite.tif", "inverted, so that bright is large"),
];

/// Files of which nothing is read, with words of the reason.
const REFUSED: &[(&str, &str)] = &[
    ("dm3/08_carbon.dm3", "is a spectrum"),
    ("dm3/nion_ref_F_0_1.dm3", "is a spectrum"),
    ("dm3/nion_ref_F_1_1.dm3", "is a spectrum image of 2 energies"),
    ("dm3/nion_ref_F_2_1.dm3", "is a spectrum image of 5 energies"),
    ("dm3/nion_ref_T_0_1.dm3", "is a spectrum image of 2 energies"),
    ("dm3/test-EELS_spectrum.dm3", "is a spectrum"),
    ("dm4/nion_ref_F_0_1.dm4", "is a spectrum"),
    ("dm4/nion_ref_F_1_1.dm4", "is a spectrum image of 2 energies"),
    ("dm4/nion_ref_F_2_1.dm4", "is a spectrum image of 5 energies"),
    ("dm4/nion_ref_T_0_1.dm4", "is a spectrum image of 2 energies"),
    ("hspy/example1_v1.2.hdf5", "is a spectrum"),
    ("other/simple_signal.nxs", "is an HDF5 file of another kind"),
];

/// Files next to others that are not images by themselves.
const BESIDE: &[&str] =
    &["expected.json", "mrc/20241021_00405_info.txt", "ser/64x64_TEM_images_acquire.npy"];

/// Pixel sizes in nm of files whose unit rosettasciio does not read.
const UNITS: &[(&str, f64)] = &[
    ("tiff/written_imagej_float32_calibrated_um.tif", 0.0092024),
    ("tiff/written_imagej_stack_uint16_calibrated.tif", 0.0092024),
    ("tiff/written_ome_float32.ome.tif", 0.0092024),
    ("tiff/written_ome_stack_uint16.ome.tif", 0.0092024),
    ("tiff/written_uint16_bigendian_deflate_tiled.tif", 0.0092024),
];

pub(crate) fn trials() -> Vec<Trial> {
    data::needs_shared("formats::all", || match expected() {
        Ok(files) => {
            let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
            let all = Trial::test("formats::every_file_is_compared", move || listed(&names));
            files.into_iter().map(trial).chain([all]).collect()
        }
        Err(failed) => vec![Trial::test("formats::expected.json", || Err(failed))],
    })
}

fn expected() -> Result<Vec<(String, Value)>, Failed> {
    let path = data::shared().join("data/formats/expected.json");
    let text = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let value: Value = serde_json::from_slice(&text)?;
    let files = value["files"].as_object().ok_or("no files in expected.json")?;
    Ok(files.iter().map(|(name, file)| (name.clone(), file.clone())).collect())
}

/// Whether every file there is has its values in expected.json.
fn listed(names: &[String]) -> Result<(), Failed> {
    let root = data::shared().join("data/formats");
    for entry in walkdir::WalkDir::new(&root) {
        let entry = entry?;
        let name = entry.path().strip_prefix(&root)?.to_string_lossy().into_owned();
        let known = names.contains(&name) || BESIDE.contains(&&*name);
        if entry.file_type().is_file() && !known {
            return Err(format!("{name} is compared with nothing").into());
        }
    }
    Ok(())
}

/// A file is refused with its reason or read; what is read has the values that are
/// expected, except for the gaps. A file in no list must be read and agree.
fn trial((name, file): (String, Value)) -> Trial {
    Trial::test(format!("formats::{name}"), move || {
        let path = data::shared().join("data/formats").join(&name);
        let read = read(&path, None).map_err(|error| error.to_string());
        let words = REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, words)| words);
        match (read, words) {
            (Err(said), Some(words)) if said.contains(words) => return Ok(()),
            (Err(said), _) => return Err(format!("refused: {said}").into()),
            (Ok(_), Some(words)) => {
                return Err(format!("it is read now: take it off the refusals ({words})").into());
            }
            (Ok(_), None) => {}
        }
        let agrees = check(&name, &file);
        match GAPS.iter().find(|(gap, _)| *gap == name) {
            None => agrees,
            Some((_, why)) if agrees.is_ok() => {
                Err(format!("it agrees now: take it off the gaps ({why})").into())
            }
            Some(_) => Ok(()),
        }
    })
}

/// Compares what `stemseg info --json --stats` says with what is expected.
fn check(name: &str, file: &Value) -> Result<(), Failed> {
    let path = data::shared().join("data/formats").join(name);
    let signals: Vec<&Value> = match file["signals"].as_array() {
        Some(signals) => signals.iter().filter(|signal| is_image(signal)).collect(),
        None => vec![],
    };
    let place = Place::empty();
    let output = stemseg(&place).arg("info").arg(&path).args(["--json", "--stats"]).output()?;
    if signals.is_empty() {
        return Err("no values are expected, though an image is read".into());
    }
    if !output.status.success() {
        return Err(text(&output.stderr).into());
    }
    let info: Value = serde_json::from_slice(&output.stdout)?;
    let images = info["images"].as_array().ok_or("no images")?;
    let images: Vec<&Value> = images.iter().filter(|i| i["not_read"].is_null()).collect();
    if images.len() != signals.len() {
        return Err(format!("{} images instead of {}: {info}", images.len(), signals.len()).into());
    }
    for (image, signal) in images.iter().zip(&signals) {
        compare(name, image, signal)?;
        let number = image["index"].as_u64().ok_or("no number")?;
        compare_corners(&path, number as usize, signal)?;
    }
    Ok(())
}

/// Compares the first pixels of the first frame and the last one of the last: rows
/// may be upside down in the file.
fn compare_corners(path: &Path, image: usize, signal: &Value) -> Result<(), Failed> {
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    // In the order of the file, which for NCEM's says Y before X; rosettasciio turns it.
    let turned = path.parent().is_some_and(|folder| folder.ends_with("emd_ncem"));
    let expected = (numbers(&signal["first_row_first4"]), signal["last"].as_f64());
    let mut file = ImageFile::open(path)?;
    let frames = file.entries()[image].frames().unwrap_or(1);
    let (first, Some(last)) = expected else {
        // Colours and complex numbers have none.
        return Ok(());
    };
    if turned && frames > 1 {
        return Ok(());
    }
    let start = file.load(image, 0)?.0.to_f64();
    let start = if turned { start.reversed_axes() } else { start };
    let end = file.load(image, frames - 1)?.0.to_f64();
    let found: Vec<f64> = start.iter().copied().take(first.len()).collect();
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs() || (a.is_nan() && b.is_nan());
    let corner = end.iter().copied().last().unwrap_or(f64::NAN);
    match found.iter().zip(&first).all(|(a, b)| near(*a, *b)) && near(corner, last) {
        true => Ok(()),
        false => {
            Err(format!("corners {found:?} and {corner} instead of {first:?} and {last}").into())
        }
    }
}

/// Two axes of an image, with or without one of frames; no spectra.
fn is_image(signal: &Value) -> bool {
    let axes = signal["axes"].as_array().map_or(&[][..], Vec::as_slice);
    let length = signal["shape"].as_array().map_or(0, Vec::len);
    let own = axes.iter().filter(|axis| axis["navigate"] != true).count();
    let energy = |axis: &Value| axis["units"] == "eV" || axis["name"] == "Energy loss";
    (2..=3).contains(&length) && own >= 2 && !axes.iter().any(energy)
}

fn compare(name: &str, image: &Value, signal: &Value) -> Result<(), Failed> {
    let numbers = |value: &Value| -> Vec<u64> {
        value.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
    };
    let mut shape = numbers(&image["shape"]);
    let mut dtype = signal["dtype"].as_str().unwrap_or_default();
    let colour = dtype.starts_with('[');
    if colour {
        shape.pop();
        dtype = if dtype.contains("u2") { "uint16" } else { "uint8" };
    }
    if shape != numbers(&signal["shape"]) || image["dtype"] != dtype {
        return Err(format!("shape or type: {image} instead of {signal}").into());
    }
    compare_pixels(name, image, signal)?;
    let stats = &image["stats"];
    for (key, expected) in expected_statistics(signal, colour) {
        let found = &stats[key];
        let range =
            (stats["max"].as_f64().unwrap_or(0.0) - stats["min"].as_f64().unwrap_or(0.0)).abs();
        let agrees = match (found.as_f64(), expected) {
            (None, Some(expected)) => expected.is_nan(),
            (Some(found), Some(expected)) => {
                (found - expected).abs() <= 1e-6 * range.max(1e-6 * expected.abs())
            }
            (_, None) => true,
        };
        if !agrees {
            return Err(format!("{key}: {found} instead of {expected:?}").into());
        }
    }
    Ok(())
}

/// Least, largest and mean value; of colours the mean of the luma, which is linear.
fn expected_statistics(signal: &Value, colour: bool) -> Vec<(&'static str, Option<f64>)> {
    let keys = ["min", "max", "mean"];
    if colour {
        let luma = [("R", 0.2126), ("G", 0.7152), ("B", 0.0722)];
        let mean = luma.iter().map(|(c, weight)| Some(signal[c]["mean"].as_f64()? * weight)).sum();
        let equal = signal["R"] == signal["G"] && signal["G"] == signal["B"];
        let of_red = |key: &str| signal["R"][key].as_f64().filter(|_| equal);
        return vec![("min", of_red("min")), ("max", of_red("max")), ("mean", mean)];
    }
    let value = |key: &str| match &signal[key] {
        Value::Null => signal[format!("abs_{key}")].as_f64(),
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::String(text) if text == "nan" => Some(f64::NAN),
        value => value.as_f64(),
    };
    keys.map(|key| (key, value(key))).to_vec()
}

/// Compares what pixels measure, in nm or 1/nm.
fn compare_pixels(name: &str, image: &Value, signal: &Value) -> Result<(), Failed> {
    let axes = signal["axes"].as_array().ok_or("no axes")?;
    let known = |axis: &Value| {
        let scale = axis["scale"].as_f64()?;
        let (factor, unit) = unit(axis["units"].as_str()?)?;
        Some((scale.abs() * factor, unit))
    };
    let expected = match UNITS.iter().find(|(file, _)| *file == name) {
        Some((_, size)) => Some([*size, *size].map(|size| (size, "nm"))),
        None => match &axes[axes.len() - 2..] {
            [rows, cols] => known(rows).zip(known(cols)).map(|(rows, cols)| [rows, cols]),
            _ => None,
        },
    };
    let found = &image["pixel_size"];
    let agrees = match expected {
        None => found.is_null(),
        Some([(rows, unit), (cols, _)]) => {
            let near = |key: &str, expected: f64| {
                found[key].as_f64().is_some_and(|value| (value / expected - 1.0).abs() < 1e-6)
            };
            found["unit"] == unit && near("rows", rows) && near("cols", cols)
        }
    };
    match agrees {
        true => Ok(()),
        false => Err(format!("a pixel of {found} instead of {expected:?}").into()),
    }
}

/// Units as rosettasciio spells them.
fn unit(name: &str) -> Option<(f64, &'static str)> {
    Some(match name {
        "pm" => (1e-3, "nm"),
        "A" => (0.1, "nm"),
        "nm" | "n_m" => (1.0, "nm"),
        "µm" => (1e3, "nm"),
        "m" => (1e9, "nm"),
        "1/nm" | "1 / nm" => (1.0, "1/nm"),
        "1 / µm" => (1e-3, "1/nm"),
        _ => return None,
    })
}
