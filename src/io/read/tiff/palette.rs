//! Pages whose pixels are indices into a palette.

use ndarray::ArrayView3;
use tiff::decoder::Decoder;
use tiff::tags::{ByteOrder, PhotometricInterpretation, Tag};
use tiff::{TiffError, TiffFormatError, TiffResult};

use super::page::misshapen;
use super::source::Source;
use crate::io::read::{Image, Pixels, colour};

/// The colours of a page whose pixels are indices.
pub(super) struct Palette {
    /// All reds, all greens, all blues.
    colours: Vec<u16>,
    /// ImageJ's pixels are values and its palette is only for display.
    display_only: bool,
}

impl Palette {
    /// The palette of page `index`. The decoder refuses such pages, so it is led
    /// to take them for grey ones.
    pub(super) fn read(
        decoder: &mut Decoder<Source>,
        index: usize,
        description: &str,
    ) -> TiffResult<Self> {
        let colours = decoder.get_tag_u16_vec(Tag::ColorMap)?;
        let bits: u32 = decoder.get_tag_unsigned(Tag::BitsPerSample)?;
        if Some(colours.len()) != 3_usize.checked_shl(bits) {
            return Err(invalid());
        }
        let offset = value_offset(decoder, Tag::PhotometricInterpretation)?;
        let grey = PhotometricInterpretation::BlackIsZero.to_u16();
        let bytes = match decoder.byte_order() {
            ByteOrder::LittleEndian => grey.to_le_bytes(),
            ByteOrder::BigEndian => grey.to_be_bytes(),
        };
        decoder.inner().patch(offset, bytes);
        decoder.seek_to_image(index)?;
        Ok(Self { colours, display_only: description.starts_with("ImageJ=") })
    }

    /// The grey values that the `indices` stand for.
    pub(super) fn apply(&self, indices: Pixels) -> TiffResult<Image> {
        if self.display_only {
            let note = "ImageJ's display colours were ignored: the values were taken as they are";
            return Ok((indices, vec![note.into()]));
        }
        let count = self.colours.len() / 3;
        let planes = ArrayView3::from_shape((3, 1, count), &self.colours).map_err(misshapen)?;
        let (table, mut notes) = colour::to_grey(planes.permuted_axes([1, 2, 0]));
        notes.insert(0, "the pixels are indices into a palette of colours".into());
        if let Pixels::U16(greys) = &table
            && (0..count)
                .all(|index| usize::from(greys[(0, index)]) == index * usize::from(greys[(0, 1)]))
        {
            let note = "the palette is a plain grey scale: its indices were taken as they are";
            return Ok((indices, vec![note.into()]));
        }
        let indices = match indices {
            Pixels::U8(indices) => indices.map(|&index| usize::from(index)),
            Pixels::U16(indices) => indices.map(|&index| usize::from(index)),
            _ => return Err(invalid()),
        };
        let pixels = match table {
            Pixels::U16(greys) => indices.map(|&index| greys[(0, index)]).into(),
            Pixels::F32(greys) => indices.map(|&index| greys[(0, index)]).into(),
            other => other,
        };
        Ok((pixels, notes))
    }
}

fn invalid() -> TiffError {
    TiffFormatError::InvalidTagValueType(Tag::ColorMap).into()
}

/// Where in the file the value of a tag of the current page stands.
fn value_offset(decoder: &mut Decoder<Source>, tag: Tag) -> TiffResult<u64> {
    decoder.goto_offset_u64(2)?;
    let big = decoder.read_short()? == 43;
    let directory = decoder.ifd_pointer().map_or(0, |pointer| pointer.0);
    decoder.goto_offset_u64(directory)?;
    let (count, first, step, value) = if big {
        (decoder.read_long8()?, directory + 8, 20, 12)
    } else {
        (decoder.read_short()?.into(), directory + 2, 12, 8)
    };
    for index in 0..count {
        let entry = first + index * step;
        decoder.goto_offset_u64(entry)?;
        if decoder.read_short()? == tag.to_u16() {
            return Ok(entry + value);
        }
    }
    Err(TiffFormatError::RequiredTagNotFound(tag).into())
}
