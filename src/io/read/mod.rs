//! Reading images. One registry, `FORMATS`; the format is found by content,
//! never by extension. Adding a format is one file here and one line there.

mod colour;
mod npy;
mod pixels;
mod raster;
mod tiff;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub use pixels::Pixels;

use crate::micrograph::PixelSize;
use crate::{Error, Result};

static FORMATS: [&dyn Format; 5] = [&npy::Npy, &npy::Npz, &tiff::Tiff, &raster::PNG, &raster::JPEG];

/// How many bytes at the start of a file a format may look at.
const HEAD: u64 = 512;

/// Above what deflate (1032) and TIFF's LZW (below 2600) can pack into a byte: a
/// header that declares more lies.
const MAX_COMPRESSION: u64 = 4096;

/// One image, or one stack of images, that a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Name inside the file, or empty.
    pub name: String,
    /// Shape as numpy would give it; colour images have a last axis of 2 to 4 and `colour` set.
    pub shape: Vec<usize>,
    /// Element type as numpy spells it (`uint16`).
    pub dtype: String,
    /// The last axis holds colour channels (grey+alpha, RGB, RGBA), not columns.
    pub colour: bool,
    /// Pixel size in nm, where the file gives one.
    pub pixel_size: Option<PixelSize>,
}

impl Entry {
    /// True for a grey or colour image of two dimensions.
    pub fn is_image(&self) -> bool {
        self.shape.len() == 2 + usize::from(self.colour)
    }

    /// The number of frames of a grey stack `[frames, rows, cols]`.
    pub fn frames(&self) -> Option<usize> {
        match self.shape[..] {
            [frames, _, _] if !self.colour => Some(frames),
            _ => None,
        }
    }

    /// How many numbers of `--image` it takes: one, or one per frame. The numbers
    /// run through all entries of a file in order.
    pub fn images(&self) -> usize {
        self.frames().unwrap_or(1)
    }

    /// The entry of one frame of this stack.
    fn frame(&self, frame: usize) -> Self {
        let name = format!("{} frame {frame}", self.name).trim_start().to_owned();
        Self { name, shape: self.shape[1..].to_vec(), ..self.clone() }
    }
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
    /// What a user should know: luma taken, first of several images taken.
    pub notes: Vec<String>,
}

/// A file format.
trait Format: Sync {
    /// Name for messages and `info`.
    fn name(&self) -> &'static str;
    /// Whether a file that starts with `head` (up to 512 bytes) is of this format.
    fn recognises(&self, head: &[u8]) -> bool;
    /// The images in the file, from its headers.
    fn entries(&self, path: &Path) -> Result<Vec<Entry>>;
    /// Image `entry` of [`entries`](Self::entries), with notes; of a stack only
    /// frame `frame`, which is 0 otherwise.
    fn load(&self, path: &Path, entry: usize, frame: usize) -> Result<(Pixels, Vec<String>)>;
}

/// Reads image number `image` (from 0, counted as by [`Entry::images`]) of the
/// file, or else its first grey image, or else its first colour image.
///
/// # Errors
/// [`Error::Unreadable`] with one sentence on what is wrong and what to do,
/// [`Error::Parameter`] for an `image` that the file does not have, [`Error::Io`]
/// where the operating system refuses.
pub fn read(path: &Path, image: Option<usize>) -> Result<Loaded> {
    let format = recognise(path)?;
    let entries = format.entries(path)?;
    let (entry, frame) = match image {
        Some(number) => numbered(path, &entries, number)?,
        None => (first(path, &entries)?, 0),
    };
    let (pixels, mut notes) = format.load(path, entry, frame)?;
    let shown = entries.iter().filter(|e| e.is_image() || e.frames().is_some());
    if image.is_none() && shown.map(Entry::images).fold(0, usize::saturating_add) > 1 {
        let (count, number) = (images(&entries), images(&entries[..entry]));
        notes.push(format!(
            "the file holds {count} images, of which number {number} was taken; \
             --image N chooses (0 to {})",
            count - 1
        ));
    }
    let entry = &entries[entry];
    let entry = if entry.frames().is_some() { entry.frame(frame) } else { entry.clone() };
    Ok(Loaded { pixels, entry, format: format.name(), notes })
}

/// The format of a file and the images in it, from its headers.
///
/// # Errors
/// As for [`read`].
pub fn list(path: &Path) -> Result<(&'static str, Vec<Entry>)> {
    let format = recognise(path)?;
    Ok((format.name(), format.entries(path)?))
}

/// Whether the file is in a format that is read, by its content.
///
/// # Errors
/// As for [`read`], for what is empty or cannot be opened.
pub fn recognised(path: &Path) -> Result<bool> {
    match recognise(path) {
        Ok(_) => Ok(true),
        Err(Error::Unreadable { .. }) if path.is_file() && file_size(path)? > 0 => Ok(false),
        Err(error) => Err(error),
    }
}

/// The format of the file by its first bytes.
fn recognise(path: &Path) -> Result<&'static dyn Format> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Error::unreadable(path, "there is no such file; check the name and the folder")
        }
        _ => Error::io(path)(error),
    })?;
    if metadata.is_dir() {
        return Err(Error::unreadable(path, "is a folder; give one image file"));
    }
    if !metadata.is_file() {
        return Err(Error::unreadable(
            path,
            "is not a regular file; save the image to a file first",
        ));
    }
    let mut head = Vec::new();
    open(path)?.take(HEAD).read_to_end(&mut head).map_err(Error::io(path))?;
    if head.is_empty() {
        return Err(Error::unreadable(path, "is empty; copy or export it again"));
    }
    FORMATS.into_iter().find(|format| format.recognises(&head)).ok_or_else(|| {
        let names: Vec<_> = FORMATS.iter().map(|format| format.name()).collect();
        let reason = format!(
            "is in none of the formats that are read ({}); convert it to one of them",
            names.join(", ")
        );
        Error::unreadable(path, reason)
    })
}

/// How many images `entries` hold, of which a hostile header may declare any number.
fn images(entries: &[Entry]) -> usize {
    entries.iter().map(Entry::images).fold(0, usize::saturating_add)
}

/// The entry and the frame with image number `number`.
fn numbered(path: &Path, entries: &[Entry], number: usize) -> Result<(usize, usize)> {
    let mut frame = number;
    for (index, entry) in entries.iter().enumerate() {
        if frame < entry.images() {
            return if entry.is_image() || entry.frames().is_some() {
                Ok((index, frame))
            } else {
                Err(wrong_shape(path, entry))
            };
        }
        frame -= entry.images();
    }
    let advice = match images(entries) {
        0 => "no image; give another file".to_owned(),
        1 => "one image, number 0".to_owned(),
        count => format!("{count} images; give a number from 0 to {}", count - 1),
    };
    Err(Error::parameter("image", number, format!("{} holds {advice}", path.display())))
}

/// The entry to take where the user names none: grey before colour, since some
/// microscopes put a colour thumbnail before the data.
fn first(path: &Path, entries: &[Entry]) -> Result<usize> {
    let usable = |entry: &Entry| entry.is_image() && pixels::is_real(&entry.dtype);
    let ranked: [&dyn Fn(&Entry) -> bool; 3] =
        [&|entry| usable(entry) && !entry.colour, &usable, &Entry::is_image];
    if let Some(index) = ranked.iter().find_map(|wanted| entries.iter().position(wanted)) {
        return Ok(index);
    }
    if let Some(frames) = entries.iter().find_map(Entry::frames) {
        let reason = format!(
            "is a stack of {frames} frames; --image N takes one frame (0 to {})",
            frames.saturating_sub(1)
        );
        return Err(Error::unreadable(path, reason));
    }
    Err(match entries.first() {
        Some(entry) => wrong_shape(path, entry),
        None => Error::unreadable(path, "holds no image; give another file"),
    })
}

fn wrong_shape(path: &Path, entry: &Entry) -> Error {
    let name = if entry.name.is_empty() { String::new() } else { format!("{:?} ", entry.name) };
    let reason = format!(
        "{name}has shape {:?}; a micrograph has two dimensions, so save a single image [rows, cols]",
        entry.shape
    );
    Error::unreadable(path, reason)
}

fn open(path: &Path) -> Result<File> {
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
    Error::unreadable(path, format!("is damaged ({what}); copy or export it again"))
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
    let length = usize::try_from(image).ok();
    if length.is_none_or(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_err()) {
        let gib = image as f64 / f64::from(1 << 30);
        let reason =
            format!("needs {gib:.1} GiB of memory, more than there is; crop or bin it first");
        return Err(Error::unreadable(path, reason));
    }
    Ok(())
}
