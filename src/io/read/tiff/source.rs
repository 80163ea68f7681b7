//! The file as the TIFF decoder sees it.

use std::fs::File;
use std::io::{BufReader, Read, Result, Seek, SeekFrom};
use std::ops::Range;

/// A file with two corrections, for files that the decoder would refuse or of
/// which it would see the first frame only.
#[derive(Debug)]
pub(super) struct Source {
    file: BufReader<File>,
    position: u64,
    shift: Option<(Range<u64>, u64)>,
    patch: Option<(u64, [u8; 2])>,
}

impl Source {
    pub(super) fn new(file: File) -> Self {
        Self { file: BufReader::new(file), position: 0, shift: None, patch: None }
    }

    /// Takes all corrections back.
    pub(super) fn restore(&mut self) {
        (self.shift, self.patch) = (None, None);
    }

    /// Seeks into `range` go `by` bytes further: there lies another frame.
    pub(super) fn shift(&mut self, range: Range<u64>, by: u64) {
        self.shift = Some((range, by));
    }

    /// The two bytes at `offset` read as `bytes`.
    pub(super) fn patch(&mut self, offset: u64, bytes: [u8; 2]) {
        self.patch = Some((offset, bytes));
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let length = self.file.read(buffer)?;
        if let Some((offset, bytes)) = self.patch {
            for (at, byte) in (offset..).zip(bytes) {
                let index = at.checked_sub(self.position).and_then(|i| usize::try_from(i).ok());
                if let Some(place) = index.and_then(|index| buffer[..length].get_mut(index)) {
                    *place = byte;
                }
            }
        }
        self.position += length as u64;
        Ok(length)
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let to = match (to, &self.shift) {
            (SeekFrom::Start(offset), Some((range, by))) if range.contains(&offset) => {
                SeekFrom::Start(offset + by)
            }
            _ => to,
        };
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}
