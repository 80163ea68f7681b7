//! Small files after public reports, each with the value that is right.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use stemseg_files::read::{self, Frame, ImageFile, Loaded};

use stemseg_testing::data;

/// Reads the case at a path, and compares what is right.
type Check = fn(&Path) -> Result<(), Failed>;

/// The cases of files, with what is right.
const CASES: [(&str, Check); 9] = [
    ("c07_ome_plain.ome.tif", pixel_of_12_pm),
    ("c07_ome_entity.ome.tif", pixel_of_12_pm),
    ("c08_ij_images5_holds1.tif", one_page_of_five),
    ("c09_channels_BF_HAADF.ome.tif", channels_with_names),
    ("c10_small_page_first.tif", the_large_page),
    ("c17_h_w_t.npy", frames_are_last),
    ("c18_packed12.tif", twelve_bits),
    ("tj.tif", jpeg_is_cut_off),
    ("c00_two_grains.npy", behind_gzip),
];

pub(crate) fn trials() -> Vec<Trial> {
    data::needs_shared("files::all", || {
        let trial = |(name, check): (&'static str, Check)| {
            Trial::test(format!("files::{name}"), move || check(&case(name)?))
        };
        let mut trials: Vec<Trial> = CASES.into_iter().map(trial).collect();
        trials.push(Trial::test("files::every_case_is_tried", every_case_is_tried));
        trials
    })
}

/// Cases of other modules: `numbers`, `no_data`, `warnings` and `instruments`.
const ELSEWHERE: [&str; 18] = [
    "c00_truth.npy",
    "c01_gap_rows_u16.npy",
    "c02_one_masked_pixel_u32.npy",
    "c03_one_crystal_drift_0.npy",
    "c03_one_crystal_straight.npy",
    "c04_one_crystal_contamination.npy",
    "c05_nan_border.npy",
    "c06_nan_stack.npy",
    "c06_truth.npy",
    "c12_float16.hspy",
    "c13_cell_in_metres.mrc",
    "c16_white_noise.npy",
    "atomap_test_ADF_cropped.hdf5",
    "velox_v11_SI.emd",
    "dm3_dims.dm3",
    "h5_soft2.hspy",
    "h5v5.hspy",
    "h_v112.hspy",
];

/// A case that is new is not in any list yet.
fn every_case_is_tried() -> Result<(), Failed> {
    for entry in std::fs::read_dir(data::shared().join("data/cases"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let listed = CASES.iter().any(|(case, _)| *case == name) || ELSEWHERE.contains(&&*name);
        check(listed, format!("{name} has no trial"))?;
    }
    Ok(())
}

/// The path of a case, which has to be there.
fn case(name: &str) -> Result<PathBuf, Failed> {
    let path = data::shared().join("data/cases").join(name);
    match path.is_file() {
        true => Ok(path),
        false => Err(format!("{} is missing", path.display()).into()),
    }
}

fn check(holds: bool, said: impl Into<String>) -> Result<(), Failed> {
    let said: String = said.into();
    if holds { Ok(()) } else { Err(said.into()) }
}

/// The refusal of a file, which has these words.
fn refused(path: &Path, words: &[&str]) -> Result<(), Failed> {
    match read::read(path, None) {
        Ok(loaded) => Err(format!("read as {:?}", loaded.entry).into()),
        Err(error) => {
            let said = error.to_string();
            check(words.iter().all(|word| said.contains(word)), said)
        }
    }
}

fn measures(loaded: &Loaded, nm: f64) -> Result<(), Failed> {
    let size = loaded.entry.pixel_size().ok_or("no pixel size")?;
    let near = |found: f64| (found / nm - 1.0).abs() < 1e-9;
    check(near(size.rows) && near(size.cols), format!("{size:?}"))
}

fn pixel_of_12_pm(path: &Path) -> Result<(), Failed> {
    let loaded = read::read(path, None)?;
    check(loaded.notes.is_empty(), format!("{:?}", loaded.notes))?;
    measures(&loaded, 0.012)
}

fn one_page_of_five(path: &Path) -> Result<(), Failed> {
    let loaded = read::read(path, None)?;
    measures(&loaded, 0.012)?;
    check(loaded.pixels.shape() == (256, 256) && loaded.frame.is_none(), format!("{loaded:?}"))?;
    let notes = format!("{:?}", loaded.notes);
    check(notes.contains("announces 5 images, but the file holds 1"), notes)
}

fn channels_with_names(path: &Path) -> Result<(), Failed> {
    let (_, entries) = read::list(path)?;
    let names: Vec<&str> = entries.iter().map(|entry| &*entry.name).collect();
    check(names == ["BF", "HAADF"], format!("{names:?}"))?;
    let loaded = read::read(path, None)?;
    check(loaded.image == 1 && loaded.entry.name == "HAADF", format!("{:?}", loaded.entry))?;
    // One frame has no mean with another detector's.
    let mean = read::read_frame(path, None, Some(Frame::Mean))?;
    check(mean.pixels.to_f64() == loaded.pixels.to_f64(), "the mean is of both channels")?;
    let other = read::read(path, Some(0))?;
    check(other.pixels != loaded.pixels, "both channels are the same page")
}

fn the_large_page(path: &Path) -> Result<(), Failed> {
    let loaded = read::read(path, None)?;
    check(loaded.pixels.shape() == (256, 256), format!("{:?}", loaded.entry))
}

fn frames_are_last(path: &Path) -> Result<(), Failed> {
    let words = ["[128, 256, 6]", "save it as [frames, rows, cols]", "numpy.moveaxis"];
    refused(path, &words)
}

fn twelve_bits(path: &Path) -> Result<(), Failed> {
    let mut file = ImageFile::open(path)?;
    let entry = file.entries()[0].clone();
    check(entry.dtype == "uint16" && entry.is_image(), format!("{entry:?}"))?;
    let values = file.load(0, 0)?.0.to_f64();
    let most = values.iter().fold(0.0, |most: f64, value| most.max(*value));
    let mean = values.sum() / values.len() as f64;
    let start: Vec<f64> = values.iter().take(4).copied().collect();
    // As tifffile reads it.
    let right = values.dim() == (128, 256) && most == 3600.0 && mean == 563.486328125;
    check(right && start == [2880.0, 1520.0, 1440.0, 920.0], format!("{most}, {mean}, {start:?}"))
}

fn jpeg_is_cut_off(path: &Path) -> Result<(), Failed> {
    refused(path, &["truncated", "copy or export it again"])
}

fn behind_gzip(path: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let packed = folder.path().join("image.npy.gz");
    let mut encoder = flate2::GzBuilder::new()
        .write(std::fs::File::create(&packed)?, flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &std::fs::read(path)?)?;
    encoder.finish()?;
    refused(&packed, &["is compressed with gzip (holds npy)", "unpack it first (gunzip FILE)"])
}
