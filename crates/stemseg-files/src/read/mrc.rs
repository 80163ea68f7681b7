//! MRC (MRC2014 and its predecessors).

use std::io::Read;
use std::path::{Path, PathBuf};

use openreadout_core::{Dataset, FormatReader, ImageInfo};
use openreadout_em::MrcReader;

use super::vendor::{self, number};
use super::{Entry, Format, Image, Images, Pixels, file_size};
use stemseg::Result;

/// One image, or one stack.
pub(super) struct Mrc;

/// Length of the main header.
const HEADER: usize = 1024;

impl Format for Mrc {
    fn name(&self) -> &'static str {
        "MRC"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        head.len() >= HEADER
            && MrcReader.sniff(head, Path::new("image.mrc")).is_some_and(|found| {
                found.confidence != openreadout_core::DetectConfidence::ExtensionOnly
            })
    }

    /// Headers from before 2000 have no mark: their sizes must be those of the file.
    fn claims(&self, path: &Path) -> bool {
        let mut head = [0; HEADER];
        super::open(path).is_ok_and(|mut file| file.read_exact(&mut head).is_ok())
            && (head[208..].starts_with(b"MAP") || is_exact(path, &head).unwrap_or(false))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let images = vendor::open(path, &MrcReader, 2, complete)?;
        let mut head = [0; HEADER];
        super::open(path)?.read_exact(&mut head).map_err(|error| super::failed(path, error))?;
        let mut entries = images.entries().to_vec();
        let signed = entries.iter().all(|entry| entry.dtype == "int8");
        if !signed || !has_unsigned_bytes(&head) {
            return Ok(images);
        }
        entries.iter_mut().for_each(|entry| entry.dtype = "uint8".into());
        Ok(Box::new(Unsigned { images, entries }))
    }
}

/// IMOD's mark, after which a word of flags follows.
const IMOD: u32 = 1_146_047_817;

/// Whether the largest value says that bytes are unsigned, which are signed by the
/// standard: programs from before 2000 wrote them so, and some do still. IMOD's flags,
/// which the crate reads, come first.
fn has_unsigned_bytes(head: &[u8; HEADER]) -> bool {
    let word = |place: usize| [head[place], head[place + 1], head[place + 2], head[place + 3]];
    let little = u32::from_le_bytes(word(12)) == 0 && u32::from_le_bytes(word(0)) < 1 << 24;
    let flagged = [u32::from_le_bytes(word(152)), u32::from_be_bytes(word(152))].contains(&IMOD);
    let float = |place| match little {
        true => f32::from_le_bytes(word(place)),
        false => f32::from_be_bytes(word(place)),
    };
    let (least, most) = (float(76), float(80));
    !flagged && least >= 0.0 && most > f32::from(i8::MAX) && most <= f32::from(u8::MAX)
}

/// Images whose bytes the crate takes for signed.
struct Unsigned {
    images: Box<dyn Images>,
    entries: Vec<Entry>,
}

impl Images for Unsigned {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn load(&mut self, entry: usize, frame: usize) -> Result<Image> {
        let (pixels, notes) = self.images.load(entry, frame)?;
        Ok(match pixels {
            Pixels::I8(array) => (array.mapv(i8::cast_unsigned).into(), notes),
            other => (other, notes),
        })
    }

    fn besides(&self) -> Vec<PathBuf> {
        self.images.besides()
    }
}

/// Whether main header, extended header and pixels are all that the file holds.
fn is_exact(path: &Path, head: &[u8; HEADER]) -> Result<bool> {
    let extended = [head[92], head[93], head[94], head[95]];
    let extended = [u32::from_le_bytes(extended), u32::from_be_bytes(extended)];
    let images = Mrc.open(path)?;
    let pixels = images.entries().first().and_then(Entry::bytes).map_or(0, |(all, _)| all);
    let stored = file_size(path)?;
    // Some modes are stored in half of the bytes that their pixels have here.
    let fits = |pixels: u64, extended: u32| {
        pixels.checked_add(HEADER as u64 + u64::from(extended)) == Some(stored)
    };
    Ok(extended.iter().any(|&bytes| fits(pixels, bytes) || fits(pixels / 2, bytes)))
}

/// A size of exactly 1 Å is what programs write that know none.
fn complete(_: &dyn Dataset, info: &ImageInfo, entry: Entry) -> Entry {
    let unit = |axis| number(info, &format!("/pixel_size_angstrom/{axis}")) == Some(1.0);
    let mut entry = entry;
    if unit("x") && unit("y") {
        entry.calibration = None;
    }
    entry
}
