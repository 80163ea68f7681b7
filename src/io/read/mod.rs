//! Reading images. One registry, [`FORMATS`]; the format is found by content,
//! never by extension. Adding a format is one file here and one line there.

mod pixels;

use std::path::Path;

pub use pixels::Pixels;

use crate::micrograph::PixelSize;
use crate::{Error, Result};

/// One image that a file holds.
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
        self.shape.len() - usize::from(self.colour) == 2
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
    /// Image `index` of [`entries`](Self::entries), with notes.
    fn load(&self, path: &Path, index: usize) -> Result<(Pixels, Vec<String>)>;
}
