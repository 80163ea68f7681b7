//! TIFF: pages, stacks of pages, ImageJ's stacks behind one directory, colour, palettes.

mod calibration;
mod page;
mod palette;
mod source;

use std::path::{Path, PathBuf};

use tiff::TiffError;
use tiff::decoder::{Decoder, Limits};

use self::page::Page;
use self::source::Source;
use super::{
    Entry, Format, Image, Images, check_size, damaged, failed, file_size, in_one_sentence, open,
};
use crate::{Error, Result};

/// A page is an entry; pages that are alike and follow each other are a stack.
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
        let pages = entries_of_pages(path, &mut decoder)?;
        let (places, entries) = stacked(pages);
        Ok(Box::new(Pages { path: path.into(), decoder: Some(decoder), places, entries }))
    }
}

/// An open file.
struct Pages {
    path: PathBuf,
    /// It knows where the pages are that it has passed; gone after a failure.
    decoder: Option<Decoder<Source>>,
    /// First page of each entry, and how many of them are its frames.
    places: Vec<(usize, usize)>,
    entries: Vec<Entry>,
}

impl Images for Pages {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn load(&mut self, entry: usize, frame: usize) -> Result<Image> {
        let path = &self.path;
        let (first, pages) = self.places[entry];
        let (page, frame) = if pages > 1 { (first + frame, 0) } else { (first, frame) };
        let mut decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => decoder(path)?,
        };
        let page = Page::read(&mut decoder, page).map_err(|error| undecodable(path, error))?;
        let image = page.bytes();
        let available = file_size(path)?.saturating_mul(page.most_compression());
        check_size(path, image.checked_mul(page.frames() as u64), available, image)?;
        let mut decoder = decoder.with_limits(page.limits());
        let image = page.decode(&mut decoder, frame as u64);
        let image = image.map_err(|error| undecodable(path, error))?;
        self.decoder = Some(decoder.with_limits(limits(path)?));
        Ok(image)
    }
}

/// An entry for each page.
fn entries_of_pages(path: &Path, decoder: &mut Decoder<Source>) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let mut entry = match Page::read(decoder, entries.len()) {
            Ok(page) => page.entry(),
            Err(TiffError::IoError(error)) => return Err(failed(path, error)),
            Err(error) => Entry { refused: Some(refusal(&error)), ..Entry::default() },
        };
        // ImageJ describes only the first page.
        if let Some(first) = entries.first().filter(|first| first.shape == entry.shape) {
            entry.calibration = entry.calibration.or(first.calibration);
        }
        entries.push(entry);
        if !decoder.more_images() {
            return Ok(entries);
        }
    }
}

/// Entries of stacks for pages that are alike, and where they are.
fn stacked(pages: Vec<Entry>) -> (Vec<(usize, usize)>, Vec<Entry>) {
    let alike = |a: &Entry, b: &Entry| {
        let single = a.is_image() && a.name == b.name;
        single && a.shape == b.shape && a.dtype == b.dtype && a.colour == b.colour
    };
    let total = pages.len();
    let (mut places, mut entries) = (Vec::new(), Vec::new());
    let mut first = 0;
    for run in pages.chunk_by(alike) {
        let mut entry = run[0].clone();
        let last = first + run.len() - 1;
        if run.len() > 1 {
            entry.shape.insert(0, run.len());
        } else if entry.frames().is_none() {
            entry.frame_interval_s = None;
        }
        let place = match run.len() {
            1 => format!("page {first}"),
            _ => format!("pages {first} to {last}"),
        };
        if run.len() < total {
            entry.name = format!("{} {place}", entry.name).trim_start().to_owned();
        }
        places.push((first, run.len()));
        entries.push(entry);
        first = last + 1;
    }
    (places, entries)
}

fn decoder(path: &Path) -> Result<Decoder<Source>> {
    let decoder =
        Decoder::new(Source::new(open(path)?)).map_err(|error| undecodable(path, error))?;
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
