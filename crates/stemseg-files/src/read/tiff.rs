//! TIFF: pages, stacks of pages, ImageJ's stacks behind one directory, colour, palettes.

mod calibration;
mod directory;
mod imagej;
mod interval;
mod jpeg;
mod ome;
mod packed;
mod page;
mod palette;
mod planes;
mod source;

use std::path::{Path, PathBuf};

use tiff::TiffError;
use tiff::decoder::{Decoder, Limits};
use tiff::tags::Tag;

use self::page::Page;
use self::planes::Planes;
use self::source::Source;
use super::{
    Entry, Format, Image, Images, check_size, damaged, failed, file_size, in_one_sentence, open,
};
use stemseg::{Error, Result};

/// A page is an entry; pages that are alike and follow each other are a stack, unless a
/// description tells channels, which are entries, from frames.
pub(super) struct Tiff;

impl Format for Tiff {
    fn name(&self) -> &'static str {
        "TIFF"
    }

    fn recognises(&self, head: &[u8]) -> bool {
        [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|mark| head.starts_with(*mark))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Images>> {
        let mut decoder = decoder(path)?;
        let (pages, behind) = entries_of_pages(path, &mut decoder)?;
        let (described, notes) = described(&mut decoder, pages.len(), behind);
        let (images, mut entries): (_, Vec<Entry>) =
            planes::images(&pages, described).into_iter().unzip();
        let interval = interval::of(&mut decoder);
        for entry in entries.iter_mut().filter(|entry| entry.frames().is_some()) {
            entry.frame_interval_s = interval;
        }
        Ok(Box::new(Pages { path: path.into(), decoder: Some(decoder), images, entries, notes }))
    }
}

/// An open file.
struct Pages {
    path: PathBuf,
    /// It knows where the pages are that it has passed; gone after a failure.
    decoder: Option<Decoder<Source>>,
    /// Where the frames of each entry are.
    images: Vec<Planes>,
    entries: Vec<Entry>,
    /// What a user should know of all of them.
    notes: Vec<String>,
}

impl Images for Pages {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn load(&mut self, entry: usize, frame: usize) -> Result<Image> {
        let path = &self.path;
        let (page, frame) = self.images[entry].frames.place(frame);
        let mut decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => decoder(path)?,
        };
        decoder.inner().allow_directories();
        let page = Page::read(&mut decoder, page).map_err(|error| undecodable(path, error))?;
        let available = file_size(path)?.saturating_mul(page.most_compression());
        check_size(path, page.stored(), available, page.bytes())?;
        decoder.inner().allow_pixels();
        let mut decoder = decoder.with_limits(page.limits());
        let image = page.decode(&mut decoder, frame as u64);
        let (pixels, mut notes) = image.map_err(|error| undecodable(path, error))?;
        self.decoder = Some(decoder.with_limits(limits(path)?));
        notes.extend(self.notes.iter().chain(&self.images[entry].notes).cloned());
        Ok((pixels, notes))
    }
}

/// An entry for each page, and how many frames lie behind the directory of the only one.
fn entries_of_pages(
    path: &Path,
    decoder: &mut Decoder<Source>,
) -> Result<(Vec<Entry>, Option<usize>)> {
    let (mut entries, mut behind) = (Vec::<Entry>::new(), None);
    loop {
        let mut entry = match Page::read(decoder, entries.len()) {
            Ok(page) => {
                behind = behind.or(page.frames());
                page.entry()
            }
            Err(TiffError::IoError(error)) => return Err(failed(path, error)),
            Err(error) => Entry { refused: Some(refusal(&error)), ..Entry::default() },
        };
        // ImageJ describes only the first page.
        if let Some(first) = entries.first().filter(|first| first.shape == entry.shape) {
            entry.calibration = entry.calibration.or(first.calibration);
        }
        entries.push(entry);
        if !decoder.more_images() {
            return Ok((entries, behind));
        }
    }
}

/// What the description on the first page says of the images in the file, and what a
/// user should know of it.
fn described(
    decoder: &mut Decoder<Source>,
    pages: usize,
    behind: Option<usize>,
) -> (Vec<Planes>, Vec<String>) {
    decoder.inner().restore();
    if decoder.seek_to_image(0).is_err() {
        return Default::default();
    }
    let description = calibration::text(decoder, Tag::ImageDescription).unwrap_or_default();
    if !ome::is_ome(&description) {
        return (imagej::planes(decoder, &description, pages, behind), Vec::new());
    }
    match ome::planes(&description, pages) {
        Ok(planes) => (planes, Vec::new()),
        Err(why) => {
            let note = format!(
                "its OME-XML cannot be read ({}): channels and pixel size are not known",
                in_one_sentence(&why)
            );
            (Vec::new(), vec![note])
        }
    }
}

fn decoder(path: &Path) -> Result<Decoder<Source>> {
    let source = Source::new(open(path)?, file_size(path)?);
    let decoder = Decoder::new(source).map_err(|error| undecodable(path, error))?;
    Ok(decoder.with_limits(limits(path)?))
}

/// Limits while directories are read.
fn limits(path: &Path) -> Result<Limits> {
    let mut limits = Limits::unlimited();
    // The decoder holds a tag's value as 32 bytes for each that the file has.
    limits.decoding_buffer_size =
        usize::try_from(file_size(path)?).unwrap_or(usize::MAX).saturating_mul(32);
    Ok(limits)
}

/// The error for a page that cannot be read.
fn undecodable(path: &Path, error: TiffError) -> Error {
    match error {
        TiffError::IoError(error) => failed(path, error),
        TiffError::UnsupportedError(_) => Error::unreadable(path, refusal(&error)),
        error => damaged(path, error),
    }
}

/// What is said of a page of a kind that is not read.
fn refusal(error: &TiffError) -> String {
    match error {
        TiffError::UnsupportedError(feature) => format!(
            "is a kind of TIFF that is not read ({}); export it as grey, uncompressed TIFF",
            in_one_sentence(&feature.to_string())
        ),
        error => {
            format!("is damaged ({}); copy or export it again", in_one_sentence(&error.to_string()))
        }
    }
}
