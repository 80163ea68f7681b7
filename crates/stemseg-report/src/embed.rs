//! Pictures inside a page: encoded fast, as data URIs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{GrayImage, RgbImage};

/// Quality of photographs: at 85 the noise of a micrograph still looks the same.
const QUALITY: u8 = 85;

/// Quality of thumbnails, of which a page has hundreds.
const SMALL_QUALITY: u8 = 75;

/// A micrograph as a JPEG.
pub(super) fn jpeg(picture: &GrayImage) -> String {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    encoder.encode_image(picture).expect("memory takes any picture of at most 65535 px");
    data_uri("image/jpeg", &bytes)
}

/// A small picture in colour, as a JPEG or a PNG: whichever is smaller.
pub(super) fn smallest(picture: &RgbImage) -> String {
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, SMALL_QUALITY);
    let as_jpeg = picture.write_with_encoder(encoder);
    let mut png = Vec::new();
    let as_png = picture.write_with_encoder(PngEncoder::new(&mut png));
    as_jpeg.and(as_png).expect("memory takes any picture of at most 65535 px");
    match jpeg.len() < png.len() {
        true => data_uri("image/jpeg", &jpeg),
        false => data_uri("image/png", &png),
    }
}

/// A picture of few colours, `width` indices of `palette` a row; the first colour is
/// transparent.
pub(super) fn indexed(width: usize, indices: &[u8], palette: &[[u8; 3]]) -> String {
    data_uri("image/png", &png(width, indices, palette, true))
}

/// The same with no colour transparent.
pub(super) fn opaque(width: usize, indices: &[u8], palette: &[[u8; 3]]) -> String {
    data_uri("image/png", &png(width, indices, palette, false))
}

/// A picture of few colours as a PNG; the first of them may be `transparent`.
pub(super) fn png(width: usize, indices: &[u8], palette: &[[u8; 3]], transparent: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let height = indices.len() / width.max(1);
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.concat());
    if transparent {
        encoder.set_trns(vec![0]);
    }
    // Fast compression is for zeros, and a row mostly repeats the one above it.
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Up);
    let write = |encoder: png::Encoder<'_, _>| {
        let mut writer = encoder.write_header()?;
        writer.write_image_data(indices)?;
        writer.finish()
    };
    write(encoder).expect("memory takes any picture that is not empty");
    bytes
}

fn data_uri(kind: &str, bytes: &[u8]) -> String {
    let mut uri = format!("data:{kind};base64,");
    uri.reserve(bytes.len().div_ceil(3) * 4);
    STANDARD.encode_string(bytes, &mut uri);
    uri
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The picture in a data URI.
    pub(crate) fn decode(uri: &str) -> image::DynamicImage {
        let (head, body) = uri.split_once(";base64,").unwrap();
        let bytes = STANDARD.decode(body).unwrap();
        let format = match head {
            "data:image/jpeg" => image::ImageFormat::Jpeg,
            "data:image/png" => image::ImageFormat::Png,
            other => panic!("{other}"),
        };
        image::load_from_memory_with_format(&bytes, format).unwrap()
    }

    #[test]
    fn indices_become_colours_and_the_first_is_transparent() {
        let palette = [[9, 9, 9], [250, 10, 20], [0, 0, 255]];
        let picture = decode(&indexed(3, &[0, 1, 2, 2, 1, 0], &palette)).into_rgba8();
        assert_eq!(picture.dimensions(), (3, 2));
        assert_eq!(picture.get_pixel(1, 0).0, [250, 10, 20, 255]);
        assert_eq!(picture.get_pixel(0, 1).0, [0, 0, 255, 255]);
        assert_eq!(picture.get_pixel(0, 0).0[3], 0);
        assert_eq!(picture.get_pixel(2, 1).0[3], 0);
    }

    #[test]
    fn a_micrograph_looks_the_same() {
        let ramp = GrayImage::from_fn(64, 48, |x, y| image::Luma([(2 * x + 2 * y) as u8]));
        let picture = decode(&jpeg(&ramp)).into_luma8();
        assert_eq!(picture.dimensions(), (64, 48));
        assert!(picture.iter().zip(ramp.iter()).all(|(a, b)| a.abs_diff(*b) <= 4));
    }
}
