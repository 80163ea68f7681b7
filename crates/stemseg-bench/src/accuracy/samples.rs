//! Images with their true labels, as they lie in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::Array2;

use stemseg::image::micrograph::{Micrograph, Screening};
use stemseg::{Error, Result};
use stemseg_files::read;
use stemseg_simulate::metrics;

/// An image with its true labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    /// The file's name without ending, or its folder's without `.sim`.
    pub name: String,
    /// The image.
    pub image: PathBuf,
    /// Its labels.
    pub truth: PathBuf,
}

/// What a label map has where a pixel holds no data, so that it must get no label; a label like
/// others where the one before is there as well.
const NO_DATA: i64 = 255;

/// True labels.
pub(super) struct Truth {
    /// `[rows, cols]`, from 0 without gaps; [`metrics::NO_DATA`] where a pixel holds none.
    pub(super) labels: Array2<u16>,
    /// How many there are.
    pub(super) clusters: usize,
}

/// What an image's file name ends with. Pictures (PNG) in such folders are for
/// looking at.
const ENDINGS: [&str; 3] = ["npy", "tif", "tiff"];

/// Names of an image and its labels in a folder of `stemseg simulate`.
const IMAGE: &str = "image";
const LABELS: &str = "labels";

/// The images of `folder`, by name; with `only`, those whose names contain one of
/// its words.
///
/// In the folder itself an image `NAME.npy` (or TIFF) has its truth in
/// `NAME_labels.npy` or `NAME.labels.npy`, or in that of the name without its last word (`tilt_mid.npy`:
/// `tilt_labels.npy`); `image.npy` has it in `labels.npy`. So do the folders in it
/// that hold an `image`, as `stemseg simulate` writes them.
///
/// # Errors
/// [`Error::Unreadable`] for an image without truth, and where there is none;
/// [`Error::Io`].
pub fn samples(folder: &Path, only: &[String]) -> Result<Vec<Sample>> {
    let wanted = |name: &str| only.is_empty() || only.iter().any(|word| name.contains(word));
    let mut found = Vec::new();
    for path in entries(folder)? {
        let (name, image) = match path.is_dir() {
            true => (folder_name(&path), image_in(&path)),
            false => (stem(&path), is_image(&path).then_some(path)),
        };
        if let Some(image) = image.filter(|_| wanted(&name)) {
            found.push(Sample { name, truth: truth_of(&image)?, image });
        }
    }
    found.sort();
    match found.is_empty() {
        true if only.is_empty() => Err(Error::unreadable(
            folder,
            "holds no image with labels; give a folder with a.npy next to a_labels.npy, \
             or one that simulated scenes were written into",
        )),
        true => Err(Error::parameter(
            "only",
            only.join(","),
            format!("no image in {} has a name that contains it", folder.display()),
        )),
        false => Ok(found),
    }
}

impl Sample {
    /// The image and its truth.
    ///
    /// # Errors
    /// As for [`read::read`] and [`Micrograph::new`]; [`Error::Unreadable`] for labels
    /// that are none, or not those of the image.
    pub(super) fn read(&self) -> Result<(Micrograph, Truth)> {
        let image = read::read(&self.image, None)?.pixels;
        let truth = Truth::read(&self.truth)?;
        if image.shape() != truth.labels.dim() {
            let ((rows, cols), (label_rows, label_cols)) = (image.shape(), truth.labels.dim());
            let reason = format!(
                "the labels have {label_rows} x {label_cols} px but {} has {rows} x {cols}; \
                 they must agree",
                self.image.display()
            );
            return Err(Error::unreadable(&self.truth, reason));
        }
        Ok((image.to_micrograph(Screening::default())?, truth))
    }
}

impl Truth {
    fn read(path: &Path) -> Result<Self> {
        let values = read::read(path, None)?.pixels.to_f64();
        if let Some(value) = values.iter().find(|value| value.fract() != 0.0) {
            let reason = format!("{value} is not a label; labels are whole numbers");
            return Err(Error::unreadable(path, reason));
        }
        let mut numbers: BTreeMap<i64, u16> = values.iter().map(|&v| (v as i64, 0)).collect();
        if !numbers.contains_key(&(NO_DATA - 1)) {
            numbers.remove(&NO_DATA);
        }
        let clusters = numbers.len();
        if clusters >= usize::from(metrics::NO_DATA) {
            let reason = format!("it has {clusters} labels; give a map of labels, not an image");
            return Err(Error::unreadable(path, reason));
        }
        numbers.values_mut().zip(0..).for_each(|(number, i)| *number = i);
        let label = |v: f64| numbers.get(&(v as i64)).copied().unwrap_or(metrics::NO_DATA);
        Ok(Self { labels: values.mapv(label), clusters })
    }
}

/// What lies in `folder`.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    };
    read().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::unreadable(folder, "there is no such folder; check the name")
        }
        std::io::ErrorKind::NotADirectory => {
            Error::unreadable(folder, "is a file; give a folder of images with labels")
        }
        _ => Error::io(folder)(error),
    })
}

fn image_in(folder: &Path) -> Option<PathBuf> {
    let names = ENDINGS.iter().map(|ending| folder.join(IMAGE).with_extension(ending));
    names.into_iter().find(|path| path.is_file())
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let stem = stem(path);
    let ends = |mark: char| stem.ends_with(&format!("{mark}{LABELS}"));
    let labels = stem == LABELS || ends('_') || ends('.');
    ENDINGS.iter().any(|e| ending.eq_ignore_ascii_case(e)) && !labels
}

/// The labels of an image.
fn truth_of(image: &Path) -> Result<PathBuf> {
    let stem = stem(image);
    let mut names = vec![format!("{stem}_{LABELS}.npy"), format!("{stem}.{LABELS}.npy")];
    names.extend(stem.rsplit_once('_').map(|(stem, _)| format!("{stem}_{LABELS}.npy")));
    if stem == IMAGE {
        names.insert(0, format!("{LABELS}.npy"));
    }
    let paths = names.iter().map(|name| image.with_file_name(name));
    paths.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        let reason = format!("has no true labels next to it; they would be {}", names.join(" or "));
        Error::unreadable(image, reason)
    })
}

/// The name of a folder of `stemseg simulate`.
fn folder_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(".sim").unwrap_or(&name).to_owned()
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}
