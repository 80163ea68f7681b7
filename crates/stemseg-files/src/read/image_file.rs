//! [`ImageFile`]: a file whose headers are read.

use std::path::{Path, PathBuf};

use stemseg::Result;
use stemseg::wording::Text;

use super::guard::guarded;
use super::mean::Mean;
use super::{Entry, Frame, Image, Images, Loaded, Stamps, choice, damaged, recognise};

/// An open image file: its headers are read, its pixels not yet.
pub struct ImageFile {
    pub(super) path: PathBuf,
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
    /// [`Error::Unreadable`](stemseg::Error::Unreadable) with one sentence on what is wrong and what
    /// to do, [`Error::Io`](stemseg::Error::Io) where the operating system refuses.
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
    /// the one that [`read_frame`](super::read_frame) takes.
    ///
    /// # Errors
    /// [`Error::Parameter`](stemseg::Error::Parameter) where there is none,
    /// [`Error::Unreadable`](stemseg::Error::Unreadable) for what is not an image.
    pub fn choose(&self, image: Option<usize>) -> Result<usize> {
        choice::entry(&self.path, self.entries(), image)
    }

    /// Frame `frame`, from 0, of the image of this number; a single image has one.
    ///
    /// # Errors
    /// As [`read`](super::read()).
    pub fn load(&mut self, image: usize, frame: usize) -> Result<Image> {
        let image = self.choose(Some(image))?;
        choice::frame(&self.path, &self.entries()[image], Some(Frame::Number(frame)))?;
        self.load_unchecked(image, frame)
    }

    /// A frame that is there.
    pub(super) fn load_unchecked(&mut self, image: usize, frame: usize) -> Result<Image> {
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
    /// `image` and `frame` as in [`read_frame`](super::read_frame).
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

    /// As [`read_frame`](super::read_frame).
    ///
    /// # Errors
    /// As [`read_frame`](super::read_frame).
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
