//! Pages whose pixels are indices into a palette.

use ndarray::ArrayView3;
use tiff::decoder::Decoder;
use tiff::tags::{PhotometricInterpretation, Tag};
use tiff::{TiffError, TiffFormatError, TiffResult};

use super::directory;
use super::page::misshapen;
use super::source::Source;
use crate::read::{Image, Pixels, colour};

/// What the pixels of a page with a palette stand for.
pub(super) struct Palette {
    /// The grey value of each index, or nothing where the indices are the values.
    greys: Option<Pixels>,
    notes: Vec<String>,
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
        if bits > 16 || colours.len() != 3 << bits {
            return Err(invalid());
        }
        let grey = PhotometricInterpretation::BlackIsZero.to_u16();
        directory::set(decoder, Tag::PhotometricInterpretation, grey.into())?;
        decoder.seek_to_image(index)?;
        Self::of_colours(&colours, description.starts_with("ImageJ="))
    }

    /// The palette of all reds, all greens, all blues. ImageJ's is only for display.
    fn of_colours(colours: &[u16], display_only: bool) -> TiffResult<Self> {
        if display_only {
            let note = "ImageJ's display colours were ignored: the values were taken as they are";
            return Ok(Self { greys: None, notes: vec![note.into()] });
        }
        let count = colours.len() / 3;
        let planes = ArrayView3::from_shape((3, 1, count), colours).map_err(misshapen)?;
        let (greys, mut notes) = colour::to_grey(planes.permuted_axes([1, 2, 0]));
        if let Pixels::U16(greys) = &greys
            && (0..count)
                .all(|index| usize::from(greys[(0, index)]) == index * usize::from(greys[(0, 1)]))
        {
            let note = "the palette is a plain grey scale: its indices were taken as they are";
            return Ok(Self { greys: None, notes: vec![note.into()] });
        }
        notes.insert(0, "the pixels are indices into a palette of colours".into());
        Ok(Self { greys: Some(greys), notes })
    }

    /// numpy's name of the type of the values, if it is not that of the indices.
    pub(super) fn dtype(&self) -> Option<&'static str> {
        Some(self.greys.as_ref()?.dtype())
    }

    /// The grey values that the `indices` stand for.
    pub(super) fn apply(self, indices: Pixels) -> TiffResult<Image> {
        let Some(greys) = self.greys else { return Ok((indices, self.notes)) };
        let indices = match indices {
            Pixels::U8(indices) => indices.map(|&index| usize::from(index)),
            Pixels::U16(indices) => indices.map(|&index| usize::from(index)),
            _ => return Err(invalid()),
        };
        let pixels = match greys {
            Pixels::U16(greys) => indices.map(|&index| greys[(0, index)]).into(),
            Pixels::F32(greys) => indices.map(|&index| greys[(0, index)]).into(),
            other => other,
        };
        Ok((pixels, self.notes))
    }
}

fn invalid() -> TiffError {
    TiffFormatError::InvalidTagValueType(Tag::ColorMap).into()
}
