//! Grey pixels of 9 to 31 bits that are not whole bytes, packed without gaps.

use ndarray::Array2;
use tiff::decoder::Decoder;
use tiff::tags::{PhotometricInterpretation, Predictor, SampleFormat, Tag};
use tiff::{TiffResult, TiffUnsupportedError};

use super::directory;
use super::page::misshapen;
use super::source::Source;
use crate::read::Pixels;

/// How the pixels of a page are packed.
pub(super) struct Packed {
    bits: u8,
    rows: usize,
    cols: usize,
}

impl Packed {
    /// How the pixels of page `index` are packed, if they are. The decoder refuses such
    /// pages, so it is led to take the bytes of their rows for pixels.
    pub(super) fn read(decoder: &mut Decoder<Source>, index: usize) -> TiffResult<Option<Self>> {
        let bits: Option<Vec<u16>> = decoder.find_tag_unsigned_vec(Tag::BitsPerSample)?;
        let bits = match bits.as_deref() {
            Some(&[bits @ 9..32]) if bits % 8 != 0 => bits as u8,
            _ => return Ok(None),
        };
        let tag = |decoder: &mut Decoder<Source>, tag, other: u16| -> TiffResult<u16> {
            Ok(decoder.find_tag_unsigned(tag)?.unwrap_or(other))
        };
        let format = tag(decoder, Tag::SampleFormat, SampleFormat::Uint.to_u16())?;
        let photometric = tag(decoder, Tag::PhotometricInterpretation, 0)?;
        let grey = [PhotometricInterpretation::WhiteIsZero, PhotometricInterpretation::BlackIsZero];
        let plain = format == SampleFormat::Uint.to_u16()
            && tag(decoder, Tag::SamplesPerPixel, 1)? == 1
            && tag(decoder, Tag::Predictor, 1)? == Predictor::None.to_u16()
            && grey.iter().any(|grey| grey.to_u16() == photometric);
        if !plain {
            return Ok(None);
        }
        let (cols, rows) = decoder.dimensions()?;
        let bytes = |cols: u32| {
            let bytes = (u64::from(cols) * u64::from(bits)).div_ceil(8);
            u32::try_from(bytes).map_err(|_| TiffUnsupportedError::UnsupportedSampleDepth(bits))
        };
        directory::set(decoder, Tag::ImageWidth, bytes(cols)?)?;
        directory::set(decoder, Tag::BitsPerSample, 8)?;
        let tile: Option<u32> = decoder.find_tag_unsigned(Tag::TileWidth)?;
        if let Some(tile) = tile {
            if !(u64::from(tile) * u64::from(bits)).is_multiple_of(8) {
                return Err(TiffUnsupportedError::MisalignedTileBoundaries.into());
            }
            directory::set(decoder, Tag::TileWidth, bytes(tile)?)?;
        }
        decoder.seek_to_image(index)?;
        Ok(Some(Self { bits, rows: rows as usize, cols: cols as usize }))
    }

    /// Rows and columns of pixels.
    pub(super) fn size(&self) -> [usize; 2] {
        [self.rows, self.cols]
    }

    /// numpy's name of the type that the pixels get.
    pub(super) fn dtype(&self) -> &'static str {
        if self.bits <= 16 { "uint16" } else { "uint32" }
    }

    /// The pixels in the bytes of all rows.
    pub(super) fn unpack(&self, bytes: &[u8]) -> TiffResult<Pixels> {
        let values = unpacked(bytes, self.cols, self.bits);
        let shape = (self.rows, self.cols);
        Ok(match self.dtype() {
            "uint16" => {
                let values = values.map(|value| value as u16).collect();
                Array2::from_shape_vec(shape, values).map_err(misshapen)?.into()
            }
            _ => Array2::from_shape_vec(shape, values.collect()).map_err(misshapen)?.into(),
        })
    }
}

/// The values of `bits` (below 32) bits, highest first, of rows that hold `count` values
/// and start at whole bytes.
pub(super) fn unpacked(bytes: &[u8], count: usize, bits: u8) -> impl Iterator<Item = u32> {
    let row_bytes = (count * usize::from(bits)).div_ceil(8).max(1);
    bytes.chunks_exact(row_bytes).flat_map(move |row| {
        let (mut held, mut length) = (0_u64, 0_u8);
        let mut bytes = row.iter();
        (0..count).map(move |_| {
            while length < bits {
                // A row has all bits of its values.
                held = held << 8 | u64::from(*bytes.next().unwrap_or(&0));
                length += 8;
            }
            length -= bits;
            (held >> length & ((1 << bits) - 1)) as u32
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_start_at_whole_bytes() {
        let values = |bytes: &[u8], count, bits| unpacked(bytes, count, bits).collect::<Vec<_>>();
        assert_eq!(values(&[0b1011_0000, 0b0110_0000], 3, 1), [1, 0, 1, 0, 1, 1]);
        assert_eq!(values(&[0xab, 0xcd, 0xef, 0x12, 0x30], 3, 12), [0xabc, 0xdef, 0x123]);
        assert_eq!(values(&[0xff, 0xe0, 0x00, 0x3f], 1, 31), [0x7ff0_001f]);
        // Two rows of one value each.
        assert_eq!(values(&[0xff, 0xc0, 0x80, 0x00], 1, 10), [1023, 512]);
    }
}
