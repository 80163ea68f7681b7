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

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use entry::Entry;
pub use film::{Film, natural_order};
use guard::guarded;
use mean::Mean;
pub use npy::Planes;
pub use pixels::Pixels;
pub use stamps::Stamps;
pub use statistics::Statistics;

use stemseg::wording::Text;
use stemseg::{Error, Result, memory};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

/// An open image file: its headers are read, its pixels not yet.
pub struct ImageFile {
    path: PathBuf,
    /// All files, as they were at the start.
    stamps: Stamps,
    format: &'static str,
    images: Box<dyn Images>,
}

impl std::fmt::Debug for ImageFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageFile")
            .field("path", &self.path)
            .field("format", &self.format)
            .field("entries", &self.entries())
            .finish()
    }
}

impl ImageFile {
    /// Reads the headers.
    ///
    /// # Errors
    /// [`Error::Unreadable`] with one sentence on what is wrong and what to do,
    /// [`Error::Io`] where the operating system refuses.
    pub fn open(path: &Path) -> Result<Self> {
        let own = || path.is_file().then(|| path.to_path_buf());
        let mut stamps = Stamps::of(own())?;
        let opened = guarded(path, || {
            let format = recognise(path)?;
            Ok((format.name(), format.open(path)?))
        });
        let (format, images) = stamps.while_unchanged(opened)?;
        let mut besides = images.besides();
        besides.sort();
        besides.into_iter().try_for_each(|file| stamps.add(file))?;
        Ok(Self { path: path.into(), stamps, format, images })
    }

    /// The format's name (`TIFF`).
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// What the file holds, in the order of `--image`.
    pub fn entries(&self) -> &[Entry] {
        self.images.entries()
    }

    /// All files that it is read from: the one that was opened, if it is not a folder, then
    /// those that belong to it, by name.
    pub fn files(&self) -> Vec<PathBuf> {
        self.stamps.files().map(Path::to_path_buf).collect()
    }

    /// All files that it is read from, as they were when it was opened.
    pub fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// The number of the image that is read: `image` where there is such an image, or
    /// the one that [`read_frame`] takes.
    ///
    /// # Errors
    /// [`Error::Parameter`] where there is none, [`Error::Unreadable`] for what is not an image.
    pub fn choose(&self, image: Option<usize>) -> Result<usize> {
        choice::entry(&self.path, self.entries(), image)
    }

    /// Frame `frame`, from 0, of the image of this number; a single image has one.
    ///
    /// # Errors
    /// As [`read`].
    pub fn load(&mut self, image: usize, frame: usize) -> Result<Image> {
        let image = self.choose(Some(image))?;
        choice::frame(&self.path, &self.entries()[image], Some(Frame::Number(frame)))?;
        self.load_unchecked(image, frame)
    }

    /// A frame that is there.
    fn load_unchecked(&mut self, image: usize, frame: usize) -> Result<Image> {
        let loaded = guarded(&self.path, || self.images.load(image, frame));
        self.stamps.while_unchanged(loaded)
    }

    /// The mean over all frames that have a value there, as f64; NaN where none has.
    fn mean(&mut self, image: usize) -> Result<Image> {
        let count = self.entries()[image].frames().unwrap_or(1);
        let note = match count {
            1 => "the mean of 1 frame was taken".to_owned(),
            _ => format!("the mean of {count} frames was taken"),
        };
        let mean = guarded(&self.path, || self.images.mean(image));
        if let Some((mean, mut notes)) = self.stamps.while_unchanged(mean)? {
            notes.push(note);
            return Ok((mean, notes));
        }
        let (first, mut notes) = self.load_unchecked(image, 0)?;
        let mut mean = Mean::new(first.shape());
        let mut next = first.to_f64();
        for frame in 0..count {
            if frame > 0 {
                next = self.load_unchecked(image, frame)?.0.to_f64();
            }
            mean.add(&next).ok_or_else(|| damaged(&self.path, "frames of different sizes"))?;
        }
        let (mean, gaps) = mean.finish();
        notes.push(note);
        notes.extend(gaps.note());
        Ok((mean.into(), notes))
    }

    /// The memory that reading an image takes, with its pixels as f32 in addition, bytes; for
    /// `image` and `frame` as in [`read_frame`].
    ///
    /// # Errors
    /// As [`choose`](Self::choose).
    pub fn memory(&self, image: Option<usize>, frame: Option<Frame>) -> Result<u64> {
        let entry = &self.entries()[self.choose(image)?];
        let axes = if entry.colour { &entry.shape[..entry.shape.len() - 1] } else { &entry.shape };
        let pixels = axes.iter().rev().take(2).fold(1, |n: u64, &a| n.saturating_mul(a as u64));
        let (_, values) = entry.bytes().unwrap_or((u64::MAX, u64::MAX));
        // Bytes as they come, and values made of them; for a mean sums, and a frame to add.
        let sums = if frame == Some(Frame::Mean) { 16 } else { 0 };
        Ok(values.saturating_mul(2).saturating_add(pixels.saturating_mul(4 + sums)))
    }

    /// As [`read_frame`].
    ///
    /// # Errors
    /// As [`read_frame`].
    pub fn read(mut self, image: Option<usize>, frame: Option<Frame>) -> Result<Loaded> {
        let number = self.choose(image)?;
        let entry = self.entries()[number].clone();
        let (frame, note) = choice::frame(&self.path, &entry, frame)?;
        let (pixels, mut notes) = match frame {
            Frame::Number(frame) => self.load_unchecked(number, frame)?,
            Frame::Mean => self.mean(number)?,
        };
        if image.is_none() {
            notes.extend(choice::note(self.entries(), number));
        }
        notes.extend(note);
        let stack = entry.frames().is_some();
        let entry = match (stack, frame) {
            (true, Frame::Number(frame)) => entry.single(&format!("frame {frame}")),
            (true, Frame::Mean) => entry.single("mean"),
            (false, _) => entry,
        };
        let (frame, files, stamps) = (stack.then_some(frame), self.files(), self.stamps);
        Ok(Loaded {
            pixels,
            entry,
            format: self.format,
            image: number,
            frame,
            notes: notes.into_iter().map(Text::from).collect(),
            files,
            stamps,
        })
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
    Ok((file.format, file.entries().to_vec()))
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

/// Opens a regular file. Pipes and devices are refused: to open one may wait for
/// ever, and its bytes can be read only once.
fn open(path: &Path) -> Result<File> {
    let metadata = std::fs::metadata(path).map_err(Error::io(path))?;
    if !metadata.is_file() {
        let reason = "is not a regular file; save the image to a file first";
        return Err(Error::unreadable(path, reason));
    }
    File::open(path).map_err(Error::io(path))
}

fn file_size(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(Error::io(path))?.len())
}

/// The error for a read that failed: a file that ends early is named as such.
fn failed(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::unreadable(path, "ends too early: it is truncated, so copy or export it again")
        }
        io::ErrorKind::InvalidData | io::ErrorKind::Other => damaged(path, error),
        _ => Error::io(path)(error),
    }
}

/// The error for content that contradicts itself.
fn damaged(path: &Path, what: impl std::fmt::Display) -> Error {
    let what = in_one_sentence(&what.to_string());
    Error::unreadable(path, format!("is damaged ({what}); copy or export it again"))
}

/// What a crate says, as a part of a sentence.
fn in_one_sentence(said: &str) -> String {
    const LONGEST: usize = 200;
    let said = said.replace(['\n', '\r'], " ").replace(". ", "; ");
    match said.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &said[..end]),
        None => said,
    }
}

/// Refuses a file whose header declares more bytes (`None` beyond 2^64) than the
/// `available` ones can hold, or whose chosen image needs more memory than there
/// is. To be called before anything is allocated by what a header says.
fn check_size(path: &Path, declared: Option<u64>, available: u64, image: u64) -> Result<()> {
    if declared.is_none_or(|bytes| bytes > available) {
        let bytes = declared.map_or("more than 2^64".into(), |bytes| bytes.to_string());
        let reason = format!(
            "declares {bytes} bytes of pixels but is too short to hold them: \
             it is truncated or damaged, so copy or export it again"
        );
        return Err(Error::unreadable(path, reason));
    }
    if !memory::is_there(image) {
        let gib = image as f64 / f64::from(1 << 30);
        let reason =
            format!("needs {gib:.1} GiB of memory, more than there is; crop or bin it first");
        return Err(Error::unreadable(path, reason));
    }
    Ok(())
}
