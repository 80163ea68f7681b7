//! Reading images. One registry, `FORMATS`; the format is found by content,
//! never by extension. Adding a format is one file here and one line there.

#[cfg(any(feature = "vendor", feature = "hspy"))]
#[cfg_attr(not(feature = "vendor"), allow(dead_code, reason = "EMD needs more of it than hspy"))]
mod arrays;
mod choice;
mod colour;
mod compressed;
#[cfg(feature = "vendor")]
mod dm;
mod entry;
mod film;
mod guard;
#[cfg(any(feature = "vendor", feature = "hspy"))]
#[cfg_attr(not(feature = "vendor"), allow(dead_code, reason = "EMD needs more of it than hspy"))]
mod hdf5;
#[cfg(feature = "hspy")]
mod hspy;
mod image_file;
mod jpeg;
#[cfg(any(test, not(all(feature = "vendor", feature = "hspy", feature = "zarr"))))]
mod left_out;
#[cfg_attr(
    not(any(feature = "vendor", feature = "hspy")),
    allow(dead_code, reason = "HDF5 needs more of it than others")
)]
mod mean;
#[cfg(feature = "vendor")]
mod mrc;
#[cfg(feature = "vendor")]
mod ncem;
mod npy;
mod pixels;
mod raster;
mod refuse;
#[cfg(feature = "vendor")]
mod ser;
#[cfg(any(feature = "vendor", feature = "hspy", feature = "zarr"))]
#[cfg_attr(
    not(any(feature = "hspy", feature = "zarr")),
    allow(dead_code, reason = "EMD needs less of it than signals of HyperSpy")
)]
mod signal;
mod stamps;
mod statistics;
mod tiff;
#[cfg(feature = "vendor")]
mod velox;
#[cfg(feature = "vendor")]
mod vendor;
mod zip;
#[cfg(feature = "zarr")]
mod zspy;
mod zspy_mark;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use entry::Entry;
pub use film::{Film, natural_order};
use guard::guarded;
pub use image_file::ImageFile;
pub use npy::Planes;
pub use pixels::Pixels;
use refuse::{check_size, damaged, failed, file_size, in_one_sentence, open};
pub use stamps::Stamps;
pub use statistics::Statistics;

use stemseg::wording::Text;
use stemseg::{Error, Result};

static FORMATS: &[&dyn Format] = &[
    &npy::Npy,
    &npy::Npz,
    &tiff::Tiff,
    &raster::PNG,
    &raster::JPEG,
    #[cfg(feature = "vendor")]
    &dm::Dm,
    #[cfg(feature = "vendor")]
    &ser::SER,
    #[cfg(feature = "vendor")]
    &ser::EMI,
    #[cfg(feature = "vendor")]
    &mrc::Mrc,
    #[cfg(feature = "vendor")]
    &velox::Velox,
    #[cfg(not(feature = "vendor"))]
    &left_out::DM,
    #[cfg(not(feature = "vendor"))]
    &left_out::SER,
    #[cfg(not(feature = "vendor"))]
    &left_out::EMI,
    #[cfg(not(feature = "vendor"))]
    &left_out::MRC,
    #[cfg(feature = "hspy")]
    &hspy::Hspy,
    #[cfg(all(not(feature = "hspy"), feature = "vendor"))]
    &left_out::HSPY,
    // Looks for arrays in all groups, so the others come first.
    #[cfg(feature = "vendor")]
    &ncem::Ncem,
    #[cfg(feature = "zarr")]
    &zspy::Zspy,
    #[cfg(not(feature = "zarr"))]
    &left_out::ZSPY,
    #[cfg(any(feature = "vendor", feature = "hspy"))]
    &hdf5::Other,
    #[cfg(not(any(feature = "vendor", feature = "hspy")))]
    &left_out::HDF5,
];

#[cfg(feature = "zarr")]
static ZSPY: &dyn Format = &zspy::Zspy;
#[cfg(not(feature = "zarr"))]
static ZSPY: &dyn Format = &left_out::ZSPY;

/// How many bytes at the start of a file a format may look at.
const HEAD: u64 = 1024;

/// Above what deflate (1032) and TIFF's LZW (below 2600) can pack into a byte: a
/// header that declares more lies.
const MAX_COMPRESSION: u64 = 4096;

/// Which frame of a stack is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frame {
    /// The mean over all frames, at each pixel over those that have a value there.
    Mean,
    /// The one of this number, from 0.
    #[serde(untagged)]
    Number(usize),
}

/// An image as it stands in the file.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Pixels in the file's own type; colour already reduced to luma.
    pub pixels: Pixels,
    /// What was chosen from the file.
    pub entry: Entry,
    /// The format's name (`TIFF`).
    pub format: &'static str,
    /// The number of the image in the file, from 0.
    pub image: usize,
    /// Which frame it is, of a stack.
    pub frame: Option<Frame>,
    /// What a user should know: luma taken, first of several images taken.
    pub notes: Vec<Text>,
    /// The files it came from, see [`ImageFile::files`].
    pub files: Vec<PathBuf>,
    /// The same files, as they were when reading began.
    pub stamps: Stamps,
}

/// Pixels, and what was done to them.
type Image = (Pixels, Vec<String>);

/// A file format.
trait Format: Sync {
    /// Name for messages and `info`.
    fn name(&self) -> &'static str;
    /// Whether a file that starts with `head` (up to 1024 bytes) may be of this format.
    fn recognises(&self, head: &[u8]) -> bool;
    /// Whether it is, for containers (HDF5, zip) that hold many formats.
    fn claims(&self, _path: &Path) -> bool {
        true
    }
    /// Whether its files are read: some are only known, to be refused by their name.
    fn is_read(&self) -> bool {
        true
    }
    /// Reads the headers.
    fn open(&self, path: &Path) -> Result<Box<dyn Images>>;
}

/// The images in an open file.
trait Images: Send {
    /// What its headers say.
    fn entries(&self) -> &[Entry];
    /// Image `entry` of [`entries`](Self::entries), with notes; of a stack only
    /// frame `frame`, which is 0 otherwise.
    fn load(&mut self, entry: usize, frame: usize) -> Result<Image>;
    /// The mean over all frames of a stack as f64, at each pixel over those that have a
    /// value there, where that takes less than to load each.
    fn mean(&mut self, _entry: usize) -> Result<Option<Image>> {
        Ok(None)
    }
    /// Files that are read besides the one that was opened, or in the folder that was.
    fn besides(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// Reads image number `image` (from 0) of the file, or the one that
/// [`read_frame`] takes; of a stack the first frame.
///
/// # Errors
/// As [`read_frame`].
pub fn read(path: &Path, image: Option<usize>) -> Result<Loaded> {
    read_frame(path, image, None)
}

/// Reads image number `image` (from 0) of the file and of a stack frame `frame`.
/// Where there is no number: images before surveys, thumbnails, labels and masks,
/// real space before diffraction, grey before colour, real before complex, single
/// images before stacks, HAADF before other detectors, the largest before smaller
/// ones, then the first; of a stack its first frame. What was not the caller's
/// choice is said in a note.
///
/// # Errors
/// [`Error::Unreadable`] with one sentence on what is wrong and what to do,
/// [`Error::Parameter`] for an `image` or `frame` that the file does not have,
/// [`Error::Io`] where the operating system refuses.
pub fn read_frame(path: &Path, image: Option<usize>, frame: Option<Frame>) -> Result<Loaded> {
    ImageFile::open(path)?.read(image, frame)
}

/// The format of a file and the images in it, from its headers.
///
/// # Errors
/// As [`ImageFile::open`].
pub fn list(path: &Path) -> Result<(&'static str, Vec<Entry>)> {
    let file = ImageFile::open(path)?;
    Ok((file.format(), file.entries().to_vec()))
}

/// Whether the file is in a format that is read, by its content.
///
/// # Errors
/// As for [`read`], for what is empty or cannot be opened.
pub fn recognised(path: &Path) -> Result<bool> {
    match guarded(path, || recognise(path)) {
        Ok(_) => Ok(true),
        Err(Error::Unreadable { .. }) if path.is_file() && file_size(path)? > 0 => Ok(false),
        Err(error) => Err(error),
    }
}

/// The format of the file by its content.
fn recognise(path: &Path) -> Result<&'static dyn Format> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::unreadable(path, "there is no such file; check the name and the folder")
        }
        _ => Error::io(path)(error),
    })?;
    if metadata.is_dir() && zspy_mark::is_zspy(path) {
        return Ok(ZSPY);
    }
    if metadata.is_dir() && [".zgroup", "zarr.json"].iter().any(|name| path.join(name).is_file()) {
        let reason = "is a folder of zarr arrays, but not HyperSpy's zspy (version 2), which alone is \
                      read; save the image as TIFF, npy or hspy";
        return Err(Error::unreadable(path, reason));
    }
    if metadata.is_dir() {
        return Err(Error::unreadable(path, "is a folder; give one image file"));
    }
    let mut head = Vec::new();
    open(path)?.take(HEAD).read_to_end(&mut head).map_err(Error::io(path))?;
    if head.is_empty() {
        return Err(Error::unreadable(path, "is empty; copy or export it again"));
    }
    let found = FORMATS.iter().find(|f| f.recognises(&head) && f.claims(path));
    found.copied().ok_or_else(|| {
        if let Some(reason) = compressed::refusal(&head) {
            return Error::unreadable(path, reason);
        }
        let reason = format!(
            "is not in a format that is read ({}); convert it to one of these",
            format_names()
        );
        Error::unreadable(path, reason)
    })
}

/// What HDF5 files start with.
const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Whether a file that starts with `head` is HDF5, perhaps after a user's block.
fn is_hdf5(head: &[u8]) -> bool {
    [0, 512].iter().any(|&start| head.get(start..).is_some_and(|h| h.starts_with(HDF5)))
}

/// The formats that are read, in words.
fn format_names() -> String {
    let names: Vec<_> = FORMATS.iter().filter(|f| f.is_read()).map(|f| f.name()).collect();
    names.join(", ")
}
