//! TIFF: bits, colours, JPEGs and sizes that need more than a look at the tags.

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use stemseg_files::read::{list, read};

use crate::assert_refused;
use crate::files::{Folder, Page, Value, bytes, image, samples, tiff};

/// Values of `bits` bits without gaps, highest first; rows start at whole bytes.
fn packed(values: &[u32], cols: usize, bits: u32) -> Vec<u8> {
    let row = |row: &[u32]| -> Vec<u8> {
        let bit = |i: u32| row[(i / bits) as usize] >> (bits - 1 - i % bits) & 1;
        let all: Vec<u32> = (0..bits * row.len() as u32).map(bit).collect();
        let byte =
            |byte: &[u32]| (0..8).fold(0, |value, i| value << 1 | *byte.get(i).unwrap_or(&0) as u8);
        all.chunks(8).map(byte).collect()
    };
    values.chunks(cols).flat_map(row).collect()
}

fn values(count: u32, bits: u32) -> Vec<u32> {
    (0..count).map(|i| i.wrapping_mul(2_654_435_761) >> (32 - bits)).collect()
}

#[test]
fn values_of_9_to_31_bits_are_unpacked() {
    let folder = Folder::new();
    for bits in [9, 10, 12, 14, 15, 17, 20, 31] {
        let values = values(21, bits);
        for (big_endian, big, reversed, white) in
            [(false, false, false, false), (true, true, false, true), (false, true, true, false)]
        {
            let mut data = packed(&values, 7, bits);
            if reversed {
                data.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
            }
            let rest = data.split_off(2 * data.len() / 3);
            let mut page = Page::grey(3, 7, bits as u16, 1, data)
                .with(266, Value::Short(vec![1 + u16::from(reversed)]))
                .with(262, Value::Short(vec![u16::from(!white)]))
                .with(278, Value::Long(vec![2]));
            page.pieces.push(rest);
            let path = folder.file("a.tif", &tiff(big_endian, big, &[page]));
            let loaded = read(&path, None).unwrap();
            let value = |&value: &u32| if white { (1 << bits) - 1 - value } else { value };
            let expected: Vec<u32> = values.iter().map(value).collect();
            let case = format!("{bits} bits, {big_endian}, {big}, {reversed}, {white}");
            assert_eq!(loaded.entry.dtype, if bits <= 16 { "uint16" } else { "uint32" }, "{case}");
            assert_eq!(loaded.entry.dtype, loaded.pixels.dtype(), "{case}");
            let found: Vec<u32> =
                loaded.pixels.to_f64().iter().map(|&value| value as u32).collect();
            assert_eq!(found, expected, "{case}");
            assert_eq!(loaded.pixels.shape(), (3, 7), "{case}");
        }
    }
}

#[test]
fn tiles_and_compression_of_packed_values() {
    let folder = Folder::new();
    let values = values(16 * 32, 12);
    let tile = |left: usize| -> Vec<u8> {
        let tile: Vec<u32> =
            values.chunks(32).flat_map(|row| row[left..left + 16].to_vec()).collect();
        packed(&tile, 16, 12)
    };
    let mut page = Page::grey(16, 32, 12, 1, vec![])
        .with(322, Value::Short(vec![16]))
        .with(323, Value::Short(vec![16]));
    page.tags.retain(|(tag, _)| *tag != 278);
    page.place_tags = [324, 325];
    page.pieces = vec![tile(0), tile(16)];
    let expected: Vec<u16> = values.iter().map(|&value| value as u16).collect();
    let path = folder.file("a.tif", &tiff(false, false, &[page]));
    assert_eq!(read(&path, None).unwrap().pixels, image(16, 32, expected.clone()));

    let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut deflate, &packed(&values, 32, 12)).unwrap();
    let page =
        Page::grey(16, 32, 12, 1, deflate.finish().unwrap()).with(259, Value::Short(vec![8]));
    let path = folder.file("b.tif", &tiff(true, false, &[page]));
    assert_eq!(read(&path, None).unwrap().pixels, image(16, 32, expected));
}

#[test]
fn bytes_whose_last_bit_is_first_are_turned() {
    let folder = Folder::new();
    let turned = |mut page: Page| {
        page.pieces[0].iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        page.with(266, Value::Short(vec![2]))
    };
    let values = samples::<u16>(0, 6);
    let page = turned(Page::grey(2, 3, 16, 1, bytes(&values, true)));
    let path = folder.file("a.tif", &tiff(true, false, &[page]));
    assert_eq!(read(&path, None).unwrap().pixels, image(2, 3, values));
    let page = turned(Page::grey(1, 3, 1, 1, vec![0b1100_0000]));
    let path = folder.file("b.tif", &tiff(true, false, &[page]));
    assert_eq!(read(&path, None).unwrap().pixels, image(1, 3, vec![1_u8, 1, 0]));
}

/// A page of floats with three samples a pixel; `photometric` is 2 for RGB, 1 for grey.
fn three_floats(photometric: u16, values: &[f32]) -> Page {
    Page::grey(1, values.len() as u32 / 3, 32, 3, bytes(values, false))
        .with(258, Value::Short(vec![32; 3]))
        .with(262, Value::Short(vec![photometric]))
        .with(277, Value::Short(vec![3]))
        .with(339, Value::Short(vec![3; 3]))
}

#[test]
fn colours_of_floats_become_luma() {
    let folder = Folder::new();
    for page in [
        three_floats(2, &[1.5, 0.0, 0.0, 0.0, -2.0, 4.0]),
        // Samples without a meaning.
        three_floats(1, &[1.5, 0.0, 0.0, 0.0, -2.0, 4.0]).with(338, Value::Short(vec![0, 0])),
    ] {
        let path = folder.file("a.tif", &tiff(false, false, &[page]));
        let loaded = read(&path, None).unwrap();
        let luma = [1.5 * 0.2126, -2.0 * 0.7152 + 4.0 * 0.0722].map(|value| value as f32);
        assert_eq!(loaded.pixels, image(1, 2, luma.to_vec()));
        assert!(loaded.entry.colour && loaded.notes[0].contains("luma"), "{:?}", loaded.notes);
    }
    let page = Page::grey(1, 2, 8, 1, vec![1, 2, 3, 4])
        .with(258, Value::Short(vec![8; 2]))
        .with(277, Value::Short(vec![2]))
        .with(339, Value::Short(vec![1; 2]))
        .with(338, Value::Short(vec![0]));
    let path = folder.file("b.tif", &tiff(false, false, &[page]));
    assert_refused(&path, None, &["not read", "export"]);
}

#[test]
fn palettes_report_the_type_of_their_values() {
    let folder = Folder::new();
    for (colours, dtype) in [
        ([0, 21845, 43690, 65535].repeat(3), "uint8"),
        ([500, 20, 500, 7].repeat(3), "uint16"),
        (vec![0, 1000, 0, 0, 0, 0, 1000, 0, 0, 0, 0, 1000], "float32"),
    ] {
        let page = Page::grey(1, 4, 2, 1, vec![0b0001_1011])
            .with(262, Value::Short(vec![3]))
            .with(320, Value::Short(colours));
        let path = folder.file("a.tif", &tiff(false, false, &[page]));
        assert_eq!(list(&path).unwrap().1[0].dtype, dtype);
        assert_eq!(read(&path, None).unwrap().pixels.dtype(), dtype);
    }
}

/// A JPEG of 32 x 24 pixels without order.
fn jpeg(kind: ExtendedColorType, channels: usize) -> Vec<u8> {
    let pixels: Vec<u8> = (0..32 * 24 * channels).map(|i| (i * i / 7 % 251) as u8).collect();
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 90).encode(&pixels, 32, 24, kind).unwrap();
    file
}

fn jpeg_page(jpeg: Vec<u8>) -> Page {
    Page::grey(24, 32, 8, 1, jpeg).with(259, Value::Short(vec![7]))
}

#[test]
fn a_jpeg_inside_that_lacks_pixels_is_refused() {
    let folder = Folder::new();
    let whole = jpeg(ExtendedColorType::L8, 1);
    let path = folder.file("a.tif", &tiff(false, false, &[jpeg_page(whole.clone())]));
    assert_eq!(read(&path, None).unwrap().pixels.shape(), (24, 32));
    for length in (whole.len() / 2..whole.len() - 10).step_by(11) {
        let cut = [&whole[..length], &[0xff, 0xd9]].concat();
        for jpeg in [whole[..length].to_vec(), cut] {
            let path = folder.file("a.tif", &tiff(false, false, &[jpeg_page(jpeg)]));
            assert_refused(&path, None, &["truncated", "again"]);
        }
    }
}

#[test]
fn a_jpeg_larger_than_its_strip_is_refused() {
    let folder = Folder::new();
    let page = jpeg_page(jpeg(ExtendedColorType::L8, 1))
        .with(256, Value::Long(vec![8]))
        .with(257, Value::Long(vec![8]))
        .with(278, Value::Long(vec![8]));
    let path = folder.file("a.tif", &tiff(false, false, &[page]));
    assert_refused(&path, None, &["is damaged"]);
}

#[test]
fn tiles_and_samples_larger_than_the_file_are_refused() {
    let folder = Folder::new();
    for compression in [1, 5, 8] {
        for tile in [[u32::MAX, 16], [16, u32::MAX], [u32::MAX, u32::MAX], [1 << 20, 1 << 20]] {
            for predictor in [1, 3] {
                let mut page = Page::grey(16, 16, 32, 3, vec![0; 1024])
                    .with(322, Value::Long(vec![tile[0]]))
                    .with(323, Value::Long(vec![tile[1]]))
                    .with(317, Value::Short(vec![predictor]))
                    .with(259, Value::Short(vec![compression]));
                page.tags.retain(|(tag, _)| *tag != 278);
                page.place_tags = [324, 325];
                let path = folder.file("a.tif", &tiff(false, false, &[page]));
                assert_refused(&path, None, &["again"]);
            }
        }
        let page = Page::grey(16, 16, 16, 1, vec![0; 512])
            .with(277, Value::Short(vec![65535]))
            .with(338, Value::Short(vec![0; 65534]))
            .with(262, Value::Short(vec![2]))
            .with(259, Value::Short(vec![compression]));
        let path = folder.file("b.tif", &tiff(false, false, &[page]));
        assert!(read(&path, None).is_err());
    }
}
