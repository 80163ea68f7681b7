//! PNG and JPEG.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use stemseg_files::read::{Pixels, list, read};

use crate::files::{Folder, image};
use crate::{assert_every_cut_refused, assert_refused};

fn png(data: &[u8], cols: u32, rows: u32, kind: ExtendedColorType) -> Vec<u8> {
    let mut file = Vec::new();
    PngEncoder::new(&mut file).write_image(data, cols, rows, kind).unwrap();
    file
}

fn jpeg(data: &[u8], cols: u32, rows: u32, kind: ExtendedColorType) -> Vec<u8> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 100).write_image(data, cols, rows, kind).unwrap();
    file
}

fn native(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

/// A PNG from its chunks, with one deflated block of stored bytes.
fn png_of_chunks(
    cols: u32,
    rows: u32,
    bits: u8,
    kind: u8,
    palette: &[u8],
    rows_data: &[u8],
) -> Vec<u8> {
    let mut head = [cols.to_be_bytes(), rows.to_be_bytes()].concat();
    head.extend([bits, kind, 0, 0, 0]);
    let (mut a, mut b) = (1_u32, 0_u32);
    for &byte in rows_data {
        a = (a + u32::from(byte)) % 65521;
        b = (b + a) % 65521;
    }
    let length = rows_data.len() as u16;
    let mut data = vec![0x78, 0x01, 1];
    data.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
    data.extend(rows_data);
    data.extend((b << 16 | a).to_be_bytes());

    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let chunks: [(&[u8; 4], &[u8]); 4] =
        [(b"IHDR", &head), (b"PLTE", palette), (b"IDAT", &data), (b"IEND", &[])];
    for (name, content) in chunks {
        if name == b"PLTE" && palette.is_empty() {
            continue;
        }
        let body = [&name[..], content].concat();
        let crc = body.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |c, _| {
                if c & 1 == 1 { c >> 1 ^ 0xedb8_8320 } else { c >> 1 }
            })
        });
        file.extend((content.len() as u32).to_be_bytes());
        file.extend(body);
        file.extend((!crc).to_be_bytes());
    }
    file
}

#[test]
fn grey_png_is_exact() {
    let folder = Folder::new();
    let path = folder.file("a.png", &png(&[1, 2, 3, 40, 50, 255], 3, 2, ExtendedColorType::L8));
    let loaded = read(&path, None).unwrap();
    assert_eq!(loaded.pixels, image(2, 3, vec![1_u8, 2, 3, 40, 50, 255]));
    assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
    assert_eq!(list(&path).unwrap().1[0].shape, [2, 3]);

    let values = vec![1_u16, 258, 40_000, 65_535];
    let path = folder.file("b.png", &png(&native(&values), 2, 2, ExtendedColorType::L16));
    assert_eq!(read(&path, None).unwrap().pixels, image(2, 2, values));
    assert_eq!(list(&path).unwrap().1[0].dtype, "uint16");
}

#[test]
fn few_bits_are_spread_over_eight() {
    let folder = Folder::new();
    for (bits, row, expected) in [
        (1, 0b1010_0000, vec![255_u8, 0, 255]),
        (2, 0b1101_1000, vec![255, 85, 170]),
        (4, 0xf1, vec![255, 17]),
    ] {
        let cols = expected.len() as u32;
        let file = png_of_chunks(cols, 1, bits, 0, &[], &[0, row]);
        let loaded = read(&folder.file("a.png", &file), None).unwrap();
        assert_eq!(loaded.pixels, image(1, cols as usize, expected), "{bits} bits");
    }
}

#[test]
fn palettes_become_their_colours() {
    let folder = Folder::new();
    let grey = png_of_chunks(2, 1, 8, 3, &[9, 9, 9, 200, 200, 200], &[0, 1, 0]);
    let loaded = read(&folder.file("grey.png", &grey), None).unwrap();
    assert_eq!(loaded.pixels, image(1, 2, vec![200_u8, 9]));
    let colour = png_of_chunks(2, 1, 8, 3, &[0, 0, 0, 0, 100, 0], &[0, 1, 0]);
    let loaded = read(&folder.file("colour.png", &colour), None).unwrap();
    assert_eq!(loaded.pixels, image(1, 2, vec![71.52_f32, 0.0]));
}

#[test]
fn colour_png_becomes_luma() {
    let folder = Folder::new();
    let file = png(&[255, 0, 0, 0, 255, 0, 0, 0, 255], 3, 1, ExtendedColorType::Rgb8);
    let loaded = read(&folder.file("a.png", &file), None).unwrap();
    let luma = [0.2126, 0.7152, 0.0722].map(|weight| (255.0 * weight) as f32);
    assert_eq!(loaded.pixels, image(1, 3, luma.to_vec()));
    assert_eq!(loaded.notes.len(), 1);
    assert!(loaded.entry.colour && loaded.entry.shape == [1, 3, 3]);

    let deep = native(&[65_535, 0, 0, 1, 0, 65_535, 0, 60_000]);
    let loaded = read(&folder.file("b.png", &png(&deep, 2, 1, ExtendedColorType::Rgba16)), None);
    let loaded = loaded.unwrap();
    let luma = [0.2126, 0.7152].map(|weight| (65_535.0 * weight) as f32);
    assert_eq!(loaded.pixels, image(1, 2, luma.to_vec()), "alpha must not count");
    assert!(loaded.notes.iter().any(|note| note.contains("alpha")), "{:?}", loaded.notes);
}

#[test]
fn equal_channels_and_alpha_keep_integers() {
    let folder = Folder::new();
    let file = png(&[7, 7, 7, 200, 200, 200], 2, 1, ExtendedColorType::Rgb8);
    let loaded = read(&folder.file("a.png", &file), None).unwrap();
    assert_eq!(loaded.pixels, image(1, 2, vec![7_u8, 200]));
    assert!(loaded.notes[0].contains("equal"), "{:?}", loaded.notes);

    let file = png(&native(&[300, 1, 40_000, 65_535]), 2, 1, ExtendedColorType::La16);
    let loaded = read(&folder.file("b.png", &file), None).unwrap();
    assert_eq!(loaded.pixels, image(1, 2, vec![300_u16, 40_000]));
    assert_eq!(loaded.notes, ["the alpha channel was ignored"]);
}

#[test]
fn jpeg_grey_and_colour() {
    let folder = Folder::new();
    let ramp: Vec<u8> = (0..=255).collect();
    let path = folder.file("a.jpg", &jpeg(&ramp, 16, 16, ExtendedColorType::L8));
    let loaded = read(&path, None).unwrap();
    assert_eq!(loaded.format, "JPEG");
    let Pixels::U8(grey) = loaded.pixels else { panic!("{}", loaded.pixels.dtype()) };
    assert_eq!(grey.dim(), (16, 16));
    assert!(grey.iter().zip(&ramp).all(|(&a, &b)| a.abs_diff(b) <= 2), "{grey}");

    let path =
        folder.file("b.jpg", &jpeg(&[200, 100, 50].repeat(64), 8, 8, ExtendedColorType::Rgb8));
    let Pixels::F32(luma) = read(&path, None).unwrap().pixels else { panic!("no luma") };
    let expected = 200.0 * 0.2126 + 100.0 * 0.7152 + 50.0 * 0.0722;
    assert!(luma.iter().all(|value| (value - expected).abs() < 3.0), "{luma}");
}

#[test]
fn truncated_files_are_refused() {
    let folder = Folder::new();
    let noise: Vec<u8> =
        (0..576_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let file = png(&noise, 24, 24, ExtendedColorType::L8);
    let data_end = file.len() - 12;
    for length in (1..data_end - 8).step_by(5) {
        let path = folder.file("cut.png", &file[..length]);
        assert!(read(&path, None).is_err(), "cut to {length} of {}", file.len());
    }
    assert_refused(&folder.file("half.png", &file[..300]), None, &["truncated", "again"]);

    let file = jpeg(&noise, 24, 24, ExtendedColorType::L8);
    assert_every_cut_refused(&folder, &file);
    let path = folder.file("half.jpg", &file[..file.len() - 100]);
    assert_refused(&path, None, &["truncated", "again"]);
}

#[test]
fn an_absurd_size_gives_an_error() {
    let folder = Folder::new();
    let file = png_of_chunks(0x7fff_ffff, 0x7fff_ffff, 16, 6, &[], &[0, 0]);
    assert!(read(&folder.file("a.png", &file), None).is_err());
    let file = png_of_chunks(100_000, 100_000, 8, 0, &[], &[0, 0]);
    assert_refused(&folder.file("b.png", &file), None, &["declares 10000000000 bytes"]);
}

/// A chunk of a PNG.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(data);
    let length = (data.len() as u32).to_be_bytes();
    [&length[..], kind, data, &crc.sum().to_be_bytes()].concat()
}

/// Gigabytes of zeros, packed into megabytes.
fn packed_zeros() -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..2048 {
        std::io::Write::write_all(&mut packed, &zeros).unwrap();
    }
    packed.finish().unwrap()
}

#[test]
fn profiles_and_texts_of_gigabytes_are_not_unpacked() {
    let folder = Folder::new();
    let whole = png(&[7; 64], 8, 8, ExtendedColorType::L8);
    let bomb = packed_zeros();
    for (kind, start) in [
        (b"iCCP", &b"profile\0\0"[..]),
        (b"zTXt", b"Comment\0\0"),
        (b"iTXt", b"Comment\0\x01\0\0\0"),
    ] {
        // After the header, whose chunk has 25 bytes after 8 of the mark.
        let file = [&whole[..33], &chunk(kind, &[start, &bomb].concat()), &whole[33..]].concat();
        let path = folder.file("a.png", &file);
        let before = peak_memory();
        assert_eq!(read(&path, None).unwrap().pixels, image(8, 8, vec![7_u8; 64]));
        let grown = peak_memory().saturating_sub(before);
        assert!(grown < 256 << 20, "{kind:?}: {grown} bytes");
    }
}

/// The most memory that the process has held, in bytes; 0 where that is not known.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

#[test]
fn a_jpeg_that_lacks_pixels_before_its_end_mark_is_refused() {
    let folder = Folder::new();
    let noise: Vec<u8> =
        (0..576_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let file = jpeg(&noise, 24, 24, ExtendedColorType::L8);
    let cut = [&file[..file.len() - 60], &[0xff, 0xd9]].concat();
    assert_refused(&folder.file("a.jpg", &cut), None, &["truncated", "again"]);
}
