//! Whether a JPEG holds all its pixels. Its decoders fill what is missing with grey and
//! say nothing.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::{ImageDecoder, ImageResult};

/// Marks of the end and of the start of compressed pixels.
const END: [u8; 2] = [0xff, 0xd9];
const SCAN: [u8; 2] = [0xff, 0xda];

/// Bytes without order and without a mark among them.
const NOISE: [u8; 32] = [
    0x5a, 0xc3, 0x17, 0xe9, 0x3c, 0x96, 0xd1, 0x48, 0xb7, 0x2e, 0x85, 0x6b, 0xf2, 0x0d, 0xa4, 0x71,
    0xce, 0x33, 0x98, 0x5d, 0xe6, 0x1b, 0x7a, 0xc5, 0x24, 0x8f, 0x69, 0xd2, 0xb3, 0x46, 0xfa, 0x95,
];

/// Rows and columns that the header of a JPEG declares.
pub(super) fn size(jpeg: &[u8]) -> ImageResult<(u64, u64)> {
    let (cols, rows) = JpegDecoder::new(Cursor::new(jpeg))?.dimensions();
    Ok((rows.into(), cols.into()))
}

/// Whether the pixels end before the mark of the end, or without one. Where all are
/// there, the decoder is done before it gets to what is put in front of that mark.
pub(super) fn is_cut_off(jpeg: &[u8]) -> bool {
    let last = |mark: [u8; 2]| jpeg.windows(2).rposition(|bytes| bytes == mark);
    let (Some(end), scan) = (last(END), last(SCAN)) else { return true };
    if Some(end) <= scan {
        return true;
    }
    let continued = [&jpeg[..end], &NOISE, &jpeg[end..]].concat();
    match (decoded(jpeg), decoded(&continued)) {
        (Ok(alone), Ok(continued)) => alone != continued,
        // What cannot be decoded at all is told by who decodes it next.
        _ => false,
    }
}

fn decoded(jpeg: &[u8]) -> ImageResult<Vec<u8>> {
    let decoder = JpegDecoder::new(Cursor::new(jpeg))?;
    let mut pixels = vec![0; usize::try_from(decoder.total_bytes()).unwrap_or(usize::MAX)];
    decoder.read_image(&mut pixels)?;
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use image::ExtendedColorType;
    use image::codecs::jpeg::JpegEncoder;

    use super::*;

    /// A whole JPEG of 40 x 24 pixels.
    fn whole(kind: ExtendedColorType, channels: usize) -> Vec<u8> {
        let pixels: Vec<u8> = (0..40 * 24 * channels).map(|i| (i * i / 7 % 251) as u8).collect();
        let mut file = Vec::new();
        JpegEncoder::new_with_quality(&mut file, 90).encode(&pixels, 40, 24, kind).unwrap();
        file
    }

    #[test]
    fn pixels_that_are_missing_are_noticed_even_where_the_end_is_marked() {
        for (kind, channels) in [(ExtendedColorType::L8, 1), (ExtendedColorType::Rgb8, 3)] {
            let jpeg = whole(kind, channels);
            assert!(!is_cut_off(&jpeg), "{kind:?}");
            assert_eq!(size(&jpeg).unwrap(), (24, 40));
            let scan = jpeg.windows(2).rposition(|bytes| bytes == SCAN).unwrap();
            let start = scan + 20;
            for end in (start..jpeg.len() - 6).step_by(7).chain([jpeg.len() - 1]) {
                assert!(is_cut_off(&jpeg[..end]), "{kind:?}: {end}");
                let marked = [&jpeg[..end], &END[..]].concat();
                assert!(end == jpeg.len() - 1 || is_cut_off(&marked), "{kind:?}: {end}, marked");
            }
        }
    }
}
