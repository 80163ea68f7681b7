//! Small files of HDF5, MRC and DigitalMicrograph after public reports, each with the
//! value that is right.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use ndarray::Array2;
use stemseg_files::read;

use stemseg_testing::data;

/// What is right for a case.
type Check = fn(&Path) -> Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    data::needs_shared("instruments::all", || {
        let trials: [(&str, Check); 8] = [
            ("c12_float16.hspy", half_floats),
            ("atomap_test_ADF_cropped.hdf5", half_floats_of_atomap),
            ("c13_cell_in_metres.mrc", cell_in_metres),
            ("velox_v11_SI.emd", the_image_and_no_map),
            ("h5v5.hspy", |path| layout_is_not_read(path, "version 5")),
            ("h_v112.hspy", |path| layout_is_not_read(path, "B-tree of version 2")),
            ("h5_soft2.hspy", |path| layout_is_not_read(path, "a link to another place")),
            ("dm3_dims.dm3", impossible_dimensions),
        ];
        let trial = |(name, check): (&'static str, Check)| {
            Trial::test(format!("instruments::{name}"), move || check(&case(name)?))
        };
        trials.into_iter().map(trial).collect()
    })
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
    if holds { Ok(()) } else { Err(said.into().into()) }
}

/// Mean, first four pixels and last one.
fn digest(pixels: &Array2<f64>) -> (f64, Vec<f64>, f64) {
    let start = pixels.iter().take(4).copied().collect();
    (pixels.sum() / pixels.len() as f64, start, pixels.iter().copied().last().unwrap_or(f64::NAN))
}

fn half_floats(path: &Path) -> Result<(), Failed> {
    let loaded = read::read(path, None)?;
    let (mean, start, last) = digest(&loaded.pixels.to_f64());
    let size = loaded.entry.pixel_size().map(|size| size.cols);
    // As h5py reads it.
    let entry = &loaded.entry;
    let right = entry.dtype == "float16"
        && loaded.pixels.shape() == (256, 256)
        && (mean - 14.089279174804688).abs() < 1e-6
        && start == [72.0, 38.0, 36.0, 23.0]
        && last == 11.0
        && size == Some(0.012);
    check(right, format!("{entry:?}, {mean}, {start:?}, {last}"))
}

/// The same values are in the shared folder as float32.
fn half_floats_of_atomap(path: &Path) -> Result<(), Failed> {
    let loaded = read::read(path, None)?;
    let same = data::load2(&data::shared().join("data/real/atomap_ADF_perovskite.npy"))?;
    check(loaded.entry.dtype == "float16", format!("{:?}", loaded.entry))?;
    check(loaded.pixels.to_f64() == same, "other values")
}

/// The size that the file says, which no pixel has.
fn cell_in_metres(path: &Path) -> Result<(), Failed> {
    let loaded = read::read(path, None)?;
    let size = loaded.entry.pixel_size().ok_or("no pixel size")?;
    check(size.rows < 1e-6 && size.cols < 1e-6 && size.cols > 0.0, format!("{size:?}"))
}

fn the_image_and_no_map(path: &Path) -> Result<(), Failed> {
    let (_, entries) = read::list(path)?;
    let names: Vec<&str> = entries.iter().map(|entry| &*entry.name).collect();
    check(names.starts_with(&["C", "Ca", "O", "Cu", "HAADF"]), format!("{names:?}"))?;
    let loaded = read::read(path, None)?;
    check(loaded.image == 4 && loaded.pixels.shape() == (16, 16), format!("{:?}", loaded.entry))?;
    let (mean, start, last) = digest(&loaded.pixels.to_f64());
    // As h5py reads it.
    let right = mean == 9249.3359375 && start == [7236.0, 7148.0, 7606.0, 6569.0] && last == 6309.0;
    check(right, format!("{mean}, {start:?}, {last}"))
}

/// A valid file is not called damaged.
fn layout_is_not_read(path: &Path, what: &str) -> Result<(), Failed> {
    let said = match read::read(path, None) {
        Ok(loaded) => return Err(format!("read as {:?}", loaded.entry).into()),
        Err(error) => error.to_string(),
    };
    let right = said.contains("not read") && said.contains(what) && !said.contains("damaged");
    check(right && said.contains("save"), said)
}

fn impossible_dimensions(path: &Path) -> Result<(), Failed> {
    match read::read(path, None) {
        Ok(loaded) => Err(format!("read as {:?}", loaded.entry).into()),
        Err(error) => {
            let said = error.to_string();
            check(said.contains("-1 x -1 pixels cannot be"), said)
        }
    }
}
