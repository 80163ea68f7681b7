//! Tags of a page that are read as if they were others, so that the decoder takes pages
//! that it would refuse.

use tiff::decoder::Decoder;
use tiff::tags::{ByteOrder, Tag, Type};
use tiff::{TiffFormatError, TiffResult};

use super::source::Source;

/// Lets `tag` of the current page be the one number `value`, once the page is read anew.
pub(super) fn set(decoder: &mut Decoder<Source>, tag: Tag, value: u32) -> TiffResult<()> {
    let (place, word) = entry(decoder, tag)?;
    let big_endian = decoder.byte_order() == ByteOrder::BigEndian;
    let number = |value: u64, width: usize| match big_endian {
        true => value.to_be_bytes()[8 - width..].to_vec(),
        false => value.to_le_bytes()[..width].to_vec(),
    };
    let kind = u64::from(Type::LONG.to_u16());
    // A number shorter than its place stands at the start of it.
    let mut bytes = [number(kind, 2), number(1, word), number(value.into(), 4)].concat();
    bytes.resize(2 + 2 * word, 0);
    decoder.inner().patch(place + 2, bytes);
    Ok(())
}

/// Where in the file the entry of a tag of the current page stands, and the width of a
/// count and an offset.
fn entry(decoder: &mut Decoder<Source>, tag: Tag) -> TiffResult<(u64, usize)> {
    decoder.goto_offset_u64(2)?;
    let big = decoder.read_short()? == 43;
    let directory = decoder.ifd_pointer().map_or(0, |pointer| pointer.0);
    decoder.goto_offset_u64(directory)?;
    let (count, first, word) = match big {
        true => (decoder.read_long8()?, directory.saturating_add(8), 8),
        false => (decoder.read_short()?.into(), directory.saturating_add(2), 4),
    };
    let step = 4 + 2 * word as u64;
    let mut place = first;
    for _ in 0..count {
        decoder.goto_offset_u64(place)?;
        if decoder.read_short()? == tag.to_u16() {
            return Ok((place, word));
        }
        place = place.saturating_add(step);
    }
    Err(TiffFormatError::RequiredTagNotFound(tag).into())
}
