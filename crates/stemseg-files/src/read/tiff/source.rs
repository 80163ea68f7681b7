//! The file as the TIFF decoder sees it.

use std::fs::File;
use std::io::{BufReader, Error, Read, Result, Seek, SeekFrom};
use std::ops::Range;

/// A file with corrections, for files that the decoder would refuse, of which it would
/// see the first frame only, or which would keep it busy for hours.
#[derive(Debug)]
pub(super) struct Source {
    file: BufReader<File>,
    length: u64,
    position: u64,
    shift: Option<(Range<u64>, u64)>,
    patches: Vec<(u64, Vec<u8>)>,
    reversed: bool,
    /// How many more bytes are given.
    allowance: u64,
}

impl Source {
    /// `length` is that of the file.
    pub(super) fn new(file: File, length: u64) -> Self {
        let file = BufReader::new(file);
        let mut source = Self {
            file,
            length,
            position: 0,
            shift: None,
            patches: Vec::new(),
            reversed: false,
            allowance: 0,
        };
        source.allow_directories();
        source
    }

    /// Bytes in the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Takes all corrections back.
    pub(super) fn restore(&mut self) {
        (self.shift, self.reversed) = (None, false);
        self.patches.clear();
    }

    /// Seeks into `range` go `by` bytes further: there lies another frame.
    pub(super) fn shift(&mut self, range: Range<u64>, by: u64) {
        self.shift = Some((range, by));
    }

    /// The bytes at `offset` read as `bytes`.
    pub(super) fn patch(&mut self, offset: u64, bytes: Vec<u8>) {
        self.patches.push((offset, bytes));
    }

    /// Bytes read with their last bit first.
    pub(super) fn reverse_bits(&mut self) {
        self.reversed = true;
    }

    /// From now on more bytes are given than all directories can need: those of many
    /// pages may otherwise name the same long value, over and over.
    pub(super) fn allow_directories(&mut self) {
        /// How often a byte of the file may be read.
        const OFTEN: u64 = 64;
        self.allowance = self.length.saturating_mul(OFTEN).saturating_add(1 << 20);
    }

    /// From now on any number of bytes is given.
    pub(super) fn allow_pixels(&mut self) {
        self.allowance = u64::MAX;
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let length = self.file.read(buffer)?;
        self.allowance = self
            .allowance
            .checked_sub(length as u64)
            .ok_or_else(|| Error::other("its directories name the same bytes over and over"))?;
        for (offset, bytes) in &self.patches {
            for (at, byte) in (*offset..).zip(bytes) {
                let index = at.checked_sub(self.position).and_then(|i| usize::try_from(i).ok());
                if let Some(place) = index.and_then(|index| buffer[..length].get_mut(index)) {
                    *place = *byte;
                }
            }
        }
        if self.reversed {
            buffer[..length].iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        }
        self.position += length as u64;
        Ok(length)
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let to = match (to, &self.shift) {
            (SeekFrom::Start(offset), Some((range, by))) if range.contains(&offset) => {
                SeekFrom::Start(offset.saturating_add(*by))
            }
            _ => to,
        };
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}
