//! Pages whose strips or tiles are JPEGs.

use std::io::{self, Read, Seek, SeekFrom};

use tiff::decoder::{ChunkType, Decoder};
use tiff::tags::Tag;
use tiff::{TiffError, TiffFormatError, TiffResult};

use super::source::Source;
use crate::read::jpeg;

/// Refuses a page where a JPEG is larger than its strip or tile, for which the decoder
/// would make room, or lacks pixels, which the decoder would make up.
pub(super) fn check(decoder: &mut Decoder<Source>) -> TiffResult<()> {
    let tiles = decoder.get_chunk_type() == ChunkType::Tile;
    let [offsets, lengths] = match tiles {
        true => [Tag::TileOffsets, Tag::TileByteCounts],
        false => [Tag::StripOffsets, Tag::StripByteCounts],
    };
    let offsets: Vec<u64> = decoder.find_tag_unsigned_vec(offsets)?.unwrap_or_default();
    let lengths: Vec<u64> = decoder.find_tag_unsigned_vec(lengths)?.unwrap_or_default();
    let tables =
        decoder.find_tag(Tag::JPEGTables)?.map(|tables| tables.into_u8_vec()).transpose()?;
    let (cols, rows) = decoder.chunk_dimensions();
    let rows = if tiles { rows } else { rows.min(decoder.dimensions()?.1) };
    // A JPEG may be as large as its blocks, which are of 8 or 16 pixels.
    let most = [rows, cols].map(|length| u64::from(length).next_multiple_of(16));
    for (offset, length) in offsets.into_iter().zip(lengths) {
        let jpeg = stream(decoder.inner(), offset, length, tables.as_deref())?;
        let (rows, cols) =
            jpeg::size(&jpeg).map_err(|error| io::Error::other(error.to_string()))?;
        if rows > most[0] || cols > most[1] {
            return Err(TiffError::FormatError(TiffFormatError::InconsistentSizesEncountered));
        }
        if jpeg::is_cut_off(&jpeg) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(())
}

/// A JPEG as it would be by itself: with the tables that all of the page share.
fn stream(
    source: &mut Source,
    offset: u64,
    length: u64,
    tables: Option<&[u8]>,
) -> TiffResult<Vec<u8>> {
    source.seek(SeekFrom::Start(offset))?;
    let mut own = Vec::new();
    source.take(length).read_to_end(&mut own)?;
    Ok(match tables {
        // Both begin with the mark of the start, the tables end with that of the end.
        Some([tables @ .., _, _]) if own.len() > 2 => [tables, &own[2..]].concat(),
        _ => own,
    })
}
