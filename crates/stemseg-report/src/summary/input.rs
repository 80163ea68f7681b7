//! The image in `summary.json`.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use stemseg::image::micrograph::{NonFinite, Outliers, PixelSize};
use stemseg_files::read::Frame;

/// Where the pixels came from.
#[derive(Debug, Clone, Serialize)]
pub struct Input {
    /// The file, as given; U+FFFD stands for what is no Unicode in its name.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Name of the format.
    pub format: &'static str,
    /// Rows and columns of the image, px; of the region where there is one.
    pub shape: [usize; 2],
    /// Element type as numpy spells it.
    pub dtype: String,
    /// Which image of the file, where one was chosen.
    pub image: Option<usize>,
    /// Which frame it is, of a stack.
    pub frame: Option<Frame>,
    /// First and one past the last row, then column, of the region that was cut out.
    pub roi: Option<[usize; 4]>,
    /// The mask's file.
    #[serde(serialize_with = "lossy_option")]
    pub mask: Option<PathBuf>,
    /// Checksum of the mask's file, hexadecimal.
    pub mask_sha256: Option<String>,
    /// Whether the mask's non-zero pixels are those that count.
    pub mask_inverted: bool,
    /// How many pixels the mask takes out.
    pub masked: usize,
    /// What was done with NaN and infinite pixels, and how many there were.
    pub non_finite: NonFiniteFound,
    /// Pixels whose values are not data.
    pub outliers: OutliersFound,
    /// Size of a pixel, nm.
    pub pixel_size_nm: Option<PixelSize>,
    /// SHA-256, hexadecimal, of what was segmented.
    pub sha256: String,
    /// What `sha256` is of.
    pub sha256_of: Checksummed,
}

/// What a checksum is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Checksummed {
    /// The file; where it is read from several (a TIA emi with its ser, a folder of zarr
    /// arrays), in this order: the one given, then by name.
    Files,
    /// The pixels of the image, before a region is cut out, as
    /// [`Pixels::sha256`](stemseg_files::read::Pixels::sha256) takes it: of a frame of a large
    /// stack, whose other frames nobody has looked at.
    Pixels,
}

pub(super) fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

fn lossy_option<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.display().to_string()).serialize(serializer)
}

/// NaN and infinite pixels.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct NonFiniteFound {
    /// What was to be done.
    pub rule: NonFinite,
    /// How many there were, except for those under the mask.
    pub pixels: usize,
}

/// Pixels whose values are not data.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct OutliersFound {
    /// What was to be done.
    pub rule: Outliers,
    /// How many lie far outside the range of all others: they count in no sum, and are
    /// labelled from their surroundings.
    pub pixels: usize,
    /// How many lie in borders of one constant value: they have label 0.
    pub constant: usize,
}
