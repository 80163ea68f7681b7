//! TIFF.

use ndarray::Array2;
use stemseg_files::read::{Frame, Pixels, list, read, read_frame};
use tiff::encoder::{Compression, DeflateLevel, Predictor, TiffEncoder, colortype};

use crate::files::{Element, Folder, Page, Value, bytes, for_every_element, image, samples, tiff};
use crate::{assert_every_cut_refused, assert_refused};

fn format_of(code: &str) -> u16 {
    match &code[..1] {
        "u" => 1,
        "i" => 2,
        _ => 3,
    }
}

/// A page of the first `rows * cols` test values.
pub(crate) fn page<T: Element>(rows: u32, cols: u32, big_endian: bool) -> Page {
    let data = bytes(&samples::<T>(0, (rows * cols) as usize), big_endian);
    Page::grey(rows, cols, 8 * size_of::<T>() as u16, format_of(T::CODE), data)
}

fn check_element<T: Element>(folder: &Folder)
where
    Pixels: From<Array2<T>>,
{
    for (big_endian, big) in [(false, false), (true, false), (false, true), (true, true)] {
        // Three rows in two strips.
        let mut page = page::<T>(3, 4, big_endian).with(278, Value::Long(vec![2]));
        let rest = page.pieces[0].split_off(8 * size_of::<T>());
        page.pieces.push(rest);
        let path = folder.file("a.tif", &tiff(big_endian, big, &[page]));
        let loaded = read(&path, None).unwrap();
        let case = (T::CODE, big_endian, big);
        assert_eq!(loaded.pixels, image(3, 4, samples::<T>(0, 12)), "{case:?}");
        assert_eq!(loaded.entry.dtype, loaded.pixels.dtype(), "{case:?}");
        assert!(loaded.notes.is_empty() && loaded.entry.calibration.is_none());
    }
}

#[test]
fn every_element_type_byte_order_and_size() {
    let folder = Folder::new();
    for_every_element!(check_element(&folder));
}

#[test]
fn tiles_are_put_together() {
    let folder = Folder::new();
    // 18 x 20 pixels in tiles of 16 x 16: four, of which three are padded.
    let values = samples::<i32>(0, 360);
    let tile = |top: usize, left: usize| {
        let at = |i: usize| {
            let (row, col) = (top + i / 16, left + i % 16);
            if row < 18 && col < 20 { values[row * 20 + col] } else { 77 }
        };
        bytes(&(0..256).map(at).collect::<Vec<_>>(), true)
    };
    let mut page = page::<i32>(18, 20, true)
        .with(322, Value::Short(vec![16]))
        .with(323, Value::Short(vec![16]));
    page.tags.retain(|(tag, _)| *tag != 278);
    page.pieces = vec![tile(0, 0), tile(0, 16), tile(16, 0), tile(16, 16)];
    page.place_tags = [324, 325];
    let path = folder.file("tiles.tif", &tiff(true, false, &[page]));
    assert_eq!(read(&path, None).unwrap().pixels, image(18, 20, values));
}

#[test]
fn compressed_strips_are_read() {
    let folder = Folder::new();
    let values = samples::<u16>(0, 4000);
    for (case, compression, predictor) in [
        ("lzw", Compression::Lzw, Predictor::None),
        ("lzw, predictor", Compression::Lzw, Predictor::Horizontal),
        ("deflate, predictor", Compression::Deflate(DeflateLevel::Fast), Predictor::Horizontal),
        ("packbits", Compression::Packbits, Predictor::None),
    ] {
        let mut file = std::io::Cursor::new(Vec::new());
        let encoder = TiffEncoder::new(&mut file).unwrap();
        let mut encoder = encoder.with_compression(compression).with_predictor(predictor);
        encoder.write_image::<colortype::Gray16>(80, 50, &values).unwrap();
        let path = folder.file("a.tif", file.get_ref());
        let loaded = read(&path, None).unwrap();
        assert_eq!(loaded.pixels, image(50, 80, values.clone()), "{case}");
    }
}

#[test]
fn few_bits_are_unpacked() {
    let folder = Folder::new();
    for (bits, data, expected) in [
        (1, vec![0b1011_0000, 0b0110_0000], vec![1_u8, 0, 1, 0, 1, 1]),
        (2, vec![0b1101_1000, 0b0001_1100], vec![3, 1, 2, 0, 1, 3]),
        (4, vec![0xf1, 0x20, 0x03, 0xe0], vec![15, 1, 2, 0, 3, 14]),
    ] {
        let page = Page::grey(2, 3, bits, 1, data);
        let loaded = read(&folder.file("a.tif", &tiff(false, false, &[page])), None).unwrap();
        assert_eq!(loaded.pixels, image(2, 3, expected), "{bits} bits");
    }
}

#[test]
fn white_is_zero_is_inverted() {
    let folder = Folder::new();
    let inverted = |page: Page| {
        let page = page.with(262, Value::Short(vec![0]));
        let loaded = read(&folder.file("a.tif", &tiff(true, false, &[page])), None).unwrap();
        assert!(loaded.notes[0].contains("inverted"), "{:?}", loaded.notes);
        loaded.pixels
    };
    let values = samples::<u16>(0, 6).into_iter().map(|value| u16::MAX - value).collect();
    assert_eq!(inverted(page::<u16>(2, 3, true)), image::<u16>(2, 3, values));
    let values = samples::<f32>(0, 6).into_iter().map(|value| 1.0 - value).collect();
    assert_eq!(inverted(page::<f32>(2, 3, true)), image::<f32>(2, 3, values));
}

fn rgb(planar: bool, pixels: &[[u8; 3]]) -> Page {
    let data = if planar {
        (0..3).map(|channel| pixels.iter().map(|p| p[channel]).collect()).collect()
    } else {
        vec![pixels.concat()]
    };
    let mut page = Page::grey(1, pixels.len() as u32, 8, 1, vec![])
        .with(258, Value::Short(vec![8; 3]))
        .with(262, Value::Short(vec![2]))
        .with(277, Value::Short(vec![3]))
        .with(284, Value::Short(vec![if planar { 2 } else { 1 }]));
    page.tags.retain(|(tag, _)| *tag != 339);
    page.pieces = data;
    page
}

#[test]
fn colour_becomes_luma() {
    let folder = Folder::new();
    for planar in [false, true] {
        let page = rgb(planar, &[[255, 0, 0], [0, 0, 10], [0, 1, 0]]);
        let path = folder.file("a.tif", &tiff(false, false, &[page]));
        let loaded = read(&path, None).unwrap();
        assert!(loaded.entry.colour && loaded.entry.shape == [1, 3, 3]);
        let luma = [255.0 * 0.2126, 10.0 * 0.0722, 0.7152].map(|value| value as f32);
        assert_eq!(loaded.pixels, image(1, 3, luma.to_vec()), "planar {planar}");

        let page = rgb(planar, &[[9, 9, 9], [200, 200, 200]]);
        let path = folder.file("b.tif", &tiff(false, false, &[page]));
        assert_eq!(read(&path, None).unwrap().pixels, image(1, 2, vec![9_u8, 200]));
    }
}

#[test]
fn luma_and_alpha_channels_are_told_apart() {
    let folder = Folder::new();
    let page = rgb(false, &[[9, 128, 128], [200, 3, 4]])
        .with(262, Value::Short(vec![6]))
        .with(530, Value::Short(vec![1, 1]));
    let loaded = read(&folder.file("a.tif", &tiff(false, false, &[page])), None).unwrap();
    assert_eq!(loaded.pixels, image(1, 2, vec![9_u8, 200]));
    assert!(loaded.notes[0].contains("YCbCr"), "{:?}", loaded.notes);

    let page = Page::grey(1, 2, 8, 1, vec![7, 255, 8, 0])
        .with(258, Value::Short(vec![8; 2]))
        .with(277, Value::Short(vec![2]))
        .with(338, Value::Short(vec![2]))
        .with(339, Value::Short(vec![1; 2]));
    let loaded = read(&folder.file("b.tif", &tiff(false, false, &[page])), None).unwrap();
    assert_eq!(loaded.pixels, image(1, 2, vec![7_u8, 8]));
    assert_eq!(loaded.notes, ["the alpha channel was ignored"]);
}

#[test]
fn palettes_become_their_colours() {
    let folder = Folder::new();
    let paletted = |colours: Vec<u16>, big: bool, description: &str| {
        let page = Page::grey(1, 4, 2, 1, vec![0b0001_1011])
            .with(262, Value::Short(vec![3]))
            .with(320, Value::Short(colours))
            .text(270, description);
        read(&folder.file("a.tif", &tiff(true, big, &[page])), None).unwrap()
    };
    // Reds, greens, blues of four colours.
    let colours = vec![0, 1000, 0, 0, 0, 0, 1000, 0, 0, 0, 0, 1000];
    for big in [false, true] {
        let loaded = paletted(colours.clone(), big, "");
        let luma = [0.0, 212.6, 715.2, 72.2].map(|value| value as f32);
        assert_eq!(loaded.pixels, image(1, 4, luma.to_vec()));
        assert!(loaded.notes[0].contains("palette"), "{:?}", loaded.notes);
    }
    let loaded = paletted([0, 21845, 43690, 65535].repeat(3), false, "");
    assert_eq!(loaded.pixels, image(1, 4, vec![0_u8, 1, 2, 3]));
    assert!(loaded.notes[0].contains("plain grey scale"), "{:?}", loaded.notes);
    let loaded = paletted([500, 20, 500, 7].repeat(3), false, "");
    assert_eq!(loaded.pixels, image(1, 4, vec![500_u16, 20, 500, 7]));
    let loaded = paletted(colours, false, "ImageJ=1.53t\n");
    assert_eq!(loaded.pixels, image(1, 4, vec![0_u8, 1, 2, 3]));
    assert!(loaded.notes[0].contains("ImageJ"), "{:?}", loaded.notes);
}

#[test]
fn every_page_is_an_entry() {
    let folder = Folder::new();
    let pages = [rgb(false, &[[1, 2, 3]; 4]), page::<u16>(2, 3, false), page::<f64>(3, 2, false)];
    let path = folder.file("pages.tif", &tiff(false, false, &pages));
    let (_, entries) = list(&path).unwrap();
    let shapes: Vec<_> = entries.iter().map(|entry| &entry.shape[..]).collect();
    assert_eq!(shapes, [&[1, 4, 3][..], &[2, 3], &[3, 2]]);
    assert_eq!(read(&path, Some(2)).unwrap().pixels, image(3, 2, samples::<f64>(0, 6)));
    // The grey page comes before the colour thumbnail.
    let loaded = read(&path, None).unwrap();
    assert_eq!(loaded.pixels, image(2, 3, samples::<u16>(0, 6)));
    assert!(loaded.notes[0].contains("3 images, of which number 1"), "{:?}", loaded.notes);
    assert_eq!(loaded.entry.name, "page 1");
    assert_refused(&path, Some(3), &["3 images", "0 to 2"]);
}

#[test]
fn a_page_of_another_kind_does_not_hide_the_rest() {
    let folder = Folder::new();
    let cmyk = rgb(false, &[[0; 3]; 4])
        .with(258, Value::Short(vec![8; 4]))
        .with(262, Value::Short(vec![5]))
        .with(277, Value::Short(vec![4]));
    let path = folder.file("a.tif", &tiff(false, false, &[cmyk.clone(), page::<u8>(2, 2, false)]));
    assert_eq!(read(&path, None).unwrap().pixels, image(2, 2, samples::<u8>(0, 4)));
    assert_refused(&path, Some(0), &["not read", "CMYK", "export"]);
    let path = folder.file("b.tif", &tiff(false, false, &[cmyk]));
    assert_refused(&path, None, &["not read", "CMYK", "export"]);
}

fn hyperstack(frames: usize, big_endian: bool) -> (Page, Vec<u16>) {
    let values = samples::<u16>(0, 12 * frames);
    let mut page = page::<u16>(3, 4, big_endian)
        .text(270, format!("ImageJ=1.53t\nimages={frames}\nslices={frames}\nunit=nm\n"));
    page.pieces[0] = bytes(&values[..12], big_endian);
    (page, values)
}

#[test]
fn imagej_stacks_behind_one_directory() {
    let folder = Folder::new();
    for big_endian in [false, true] {
        let (page, values) = hyperstack(5, big_endian);
        let page = page.with(282, Value::Rational(50, 1)).with(283, Value::Rational(25, 1));
        let mut file = tiff(big_endian, false, &[page]);
        file.extend(bytes(&values[12..], big_endian));
        let path = folder.file("stack.tif", &file);
        let (_, entries) = list(&path).unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].shape, [5, 3, 4]);
        for frame in 0..5 {
            let loaded = read_frame(&path, None, Some(Frame::Number(frame))).unwrap();
            assert_eq!(loaded.pixels, image(3, 4, values[12 * frame..][..12].to_vec()), "{frame}");
            assert_eq!(loaded.entry.shape, [3, 4]);
            let size = loaded.entry.pixel_size().unwrap();
            assert_eq!((size.rows, size.cols), (0.04, 0.02));
        }
        assert!(read(&path, None).unwrap().notes[0].contains("stack of 5 frames"));
        let cut = folder.file("cut.tif", &file[..file.len() - 1]);
        let last = read_frame(&cut, None, Some(Frame::Number(4))).unwrap_err().to_string();
        assert!(last.contains("truncated"), "{last}");
    }
}

/// Beyond 4 GiB, which a classic TIFF can say only in this way.
#[test]
#[cfg(unix)]
fn the_last_frame_of_a_huge_imagej_stack() {
    use std::io::{Seek, SeekFrom, Write};
    let folder = Folder::new();
    let frames = 400_000_000;
    let (page, values) = hyperstack(2, false);
    let page = page.text(270, format!("ImageJ=1.53t\nimages={frames}\n"));
    let file = tiff(false, false, &[page]);
    let path = folder.file("huge.tif", &file);
    let mut sparse = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let end = file.len() as u64 + 24 * (frames - 2);
    sparse.seek(SeekFrom::Start(end)).unwrap();
    sparse.write_all(&bytes(&values[12..], false)).unwrap();
    let last = read_frame(&path, None, Some(Frame::Number(frames as usize - 1))).unwrap();
    assert_eq!(last.pixels, image(3, 4, values[12..].to_vec()));
}

#[test]
fn truncated_files_are_refused() {
    let folder = Folder::new();
    let file = tiff(false, false, &[page::<u16>(5, 7, false), page::<u16>(5, 7, false)]);
    for length in 1..file.len() {
        let path = folder.file("cut.tif", &file[..length]);
        let last = read_frame(&path, None, Some(Frame::Number(1)));
        assert!(last.is_err(), "cut to {length} of {}", file.len());
    }
    let one = tiff(true, true, &[page::<u16>(5, 7, true)]);
    assert_every_cut_refused(&folder, &one);
    let path = folder.file("short.tif", &one[..one.len() - 1]);
    assert_refused(&path, None, &["truncated", "again"]);
}

#[test]
fn an_absurd_size_gives_an_error() {
    let folder = Folder::new();
    for compression in [1, 5, 8] {
        for (rows, cols) in [(4_000_000_000, 4_000_000_000), (100_000, 100_000)] {
            let page = page::<u16>(2, 2, false)
                .with(256, Value::Long(vec![cols]))
                .with(257, Value::Long(vec![rows]))
                .with(278, Value::Long(vec![rows]))
                .with(259, Value::Short(vec![compression]));
            let path = folder.file("a.tif", &tiff(false, false, &[page]));
            assert_refused(&path, None, &["again"]);
        }
    }
}
