use super::*;
use ndarray::{Array2, array};
use std::path::PathBuf;
use tempfile::TempDir;
use tiff::decoder::{Decoder, DecodingResult};

fn place() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("labels.tif");
    (place, path)
}

fn colour(label: usize) -> [u8; 3] {
    [label as u8, 255 - label as u8, 7]
}

fn write_labels(path: &Path, labels: &dyn Rows<u16>, size: Option<PixelSize>) {
    write_labels_tiff(path, labels, LabelType::of(labels), colour, size).unwrap();
}

fn open(path: &Path) -> Decoder<std::io::Cursor<Vec<u8>>> {
    Decoder::new(std::io::Cursor::new(std::fs::read(path).unwrap())).unwrap()
}

fn ratio(file: &mut Decoder<std::io::Cursor<Vec<u8>>>, tag: Tag) -> f64 {
    let parts = file.get_tag_u32_vec(tag).unwrap();
    f64::from(parts[0]) / f64::from(parts[1])
}

#[test]
fn few_labels_are_8_bits_with_colours() {
    let (_place, path) = place();
    // Several strips, and a layout that is not C order.
    let labels = Array2::from_shape_fn((301, 1700), |(r, c)| ((r / 9 + c / 7) % 255) as u16);
    write_labels(&path, &labels.t(), None);
    let mut file = open(&path);
    assert_eq!(file.dimensions().unwrap(), (301, 1700));
    assert!(file.get_tag_u32_vec(Tag::StripOffsets).unwrap().len() > 1);
    assert_eq!(file.get_tag_u32(Tag::PhotometricInterpretation).unwrap(), 3);
    let map = file.get_tag_u16_vec(Tag::ColorMap).unwrap();
    assert_eq!((map.len(), map[0], map[256], map[512]), (768, 0, 0, 0));
    assert_eq!((map[3], map[256 + 3], map[512 + 3]), (3 * 257, 252 * 257, 7 * 257));
    // The decoder refuses palette images: call it grey.
    let mut bytes = std::fs::read(&path).unwrap();
    let entry = [262_u16, 3, 1, 0, 3].map(u16::to_ne_bytes).concat();
    let at = bytes.windows(entry.len()).rposition(|window| window == entry).unwrap();
    bytes[at + 8..at + 10].copy_from_slice(&1_u16.to_ne_bytes());
    let mut file = Decoder::new(std::io::Cursor::new(bytes)).unwrap();
    let DecodingResult::U8(values) = file.read_image().unwrap() else { panic!("not u8") };
    assert!(values.iter().copied().map(u16::from).eq(labels.t().iter().copied()));
}

#[test]
fn the_255th_label_needs_16_bits() {
    let (_place, path) = place();
    for (most, bits) in [(254, 8), (255, 16), (65535, 16)] {
        let labels = array![[0_u16, 1, most], [2, 3, 4]];
        write_labels(&path, &labels.view(), None);
        let mut file = open(&path);
        assert_eq!(file.get_tag_u32(Tag::BitsPerSample).unwrap(), bits, "{most}");
        if bits == 16 {
            let DecodingResult::U16(values) = file.read_image().unwrap() else { panic!("not u16") };
            assert_eq!(values, labels.into_raw_vec_and_offset().0);
        }
    }
}

#[test]
fn every_type_holds_the_labels_and_has_colours() {
    let (_place, path) = place();
    let labels = array![[0_u16, 1, 254], [2, 3, 4]];
    let wide: Vec<u32> = labels.iter().map(|&label| label.into()).collect();
    for (kind, photometric) in [(LabelType::U16, 1), (LabelType::U32, 1)] {
        write_labels_tiff(&path, &labels.view(), kind, colour, None).unwrap();
        let mut file = open(&path);
        assert_eq!(file.get_tag_u32(Tag::PhotometricInterpretation).unwrap(), photometric);
        let map = file.get_tag_u16_vec(Tag::ColorMap).unwrap();
        assert_eq!((map.len(), map[254], map[256 + 254]), (768, 254 * 257, 257), "exact below 256");
        let text = file.get_tag_ascii_string(Tag::ImageDescription).unwrap();
        assert!(text.contains("min=0.0\nmax=255.0\n"), "{text}");
        match file.read_image().unwrap() {
            DecodingResult::U16(values) => {
                assert!(values.iter().map(|&v| u32::from(v)).eq(wide.iter().copied()));
            }
            DecodingResult::U32(values) => assert_eq!(values, wide),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn labels_that_do_not_fit_are_refused_before_anything_is_written() {
    let (_place, path) = place();
    let labels = array![[1_u16, 255]];
    let error = write_labels_tiff(&path, &labels.view(), LabelType::U8, colour, None).unwrap_err();
    assert!(error.to_string().contains("labels = u8: 8 bits hold 254 labels"), "{error}");
    assert!(!path.exists());
}

#[test]
fn colours_of_many_labels_spread_over_their_range() {
    // As ImageJ maps a value to a colour: v * 256 / (max + 1), rounded.
    let map = colour_map(|label| [(label / 256) as u8, (label % 256) as u8, 0], 300);
    let shown = |c: usize| usize::from(map[c] / 257) * 256 + usize::from(map[256 + c] / 257);
    assert_eq!((shown(0), shown(1), shown(255)), (0, 1, 300));
    for label in 1..=300 {
        let colour = ((label as f64) * 256.0 / 301.0).round().min(255.0) as usize;
        assert!(shown(colour).abs_diff(label) <= 1, "{label} is shown as {}", shown(colour));
    }
}

#[test]
fn pixel_sizes_are_kept_per_axis() {
    let (_place, path) = place();
    let size = PixelSize { rows: 0.0123456789, cols: 0.02 };
    write_labels(&path, &array![[1_u16, 2]].view(), Some(size));
    let mut file = open(&path);
    let text = file.get_tag_ascii_string(Tag::ImageDescription).unwrap();
    assert!(text.starts_with("ImageJ=") && text.contains("\nunit=nm\n"), "{text}");
    assert_eq!(file.get_tag_u32(Tag::ResolutionUnit).unwrap(), 1);
    assert_eq!(file.get_tag_u32_vec(Tag::XResolution).unwrap(), [50, 1]);
    let error = ratio(&mut file, Tag::YResolution) * size.rows - 1.0;
    assert!(error.abs() < 1e-13, "{error}");
    assert_eq!(file.get_tag_f64(Tag::Unknown(65009)).unwrap(), size.cols);
    assert_eq!(file.get_tag_f64(Tag::Unknown(65010)).unwrap(), size.rows);
}

#[test]
fn without_a_pixel_size_there_is_no_unit() {
    let (_place, path) = place();
    let odd = PixelSize { rows: f64::NAN, cols: 1e30 };
    for size in [None, Some(odd)] {
        write_labels(&path, &array![[1_u16, 2]].view(), size);
        let mut file = open(&path);
        let text = file.get_tag_ascii_string(Tag::ImageDescription).unwrap();
        assert!(!text.contains("unit"), "{text}");
        assert_eq!(ratio(&mut file, Tag::XResolution), 1.0);
        assert!(file.find_tag(Tag::Unknown(65009)).unwrap().is_none());
    }
}

#[test]
fn rationals_are_precise() {
    for value in [50.0, 12.8, 0.1, std::f64::consts::PI, 1e-6, 81.300_813, 4e9] {
        let r = rational(value).unwrap();
        let error = f64::from(r.n) / f64::from(r.d) / value - 1.0;
        assert!(error.abs() < 1e-9, "{value}: {}/{} {error}", r.n, r.d);
    }
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e10, 1e-12] {
        assert!(rational(value).is_none(), "{value}");
    }
}

#[test]
fn maps_keep_their_values_and_range() {
    let (_place, path) = place();
    let map = array![[0.25_f32, f32::NAN], [1.0, -3.5]];
    write_map_tiff(&path, &map.view(), None).unwrap();
    let mut file = open(&path);
    let text = file.get_tag_ascii_string(Tag::ImageDescription).unwrap();
    assert!(text.contains("min=-3.5\nmax=1\n"), "{text}");
    let DecodingResult::F32(values) = file.read_image().unwrap() else { panic!("not f32") };
    assert!(values.iter().zip(&map).all(|(a, b)| a.to_bits() == b.to_bits()));
}

#[test]
fn errors_name_the_file() {
    let empty = Array2::<u16>::zeros((0, 4));
    let (_place, path) = place();
    let error = write_labels_tiff(&path, &empty.view(), LabelType::U8, colour, None).unwrap_err();
    assert!(error.to_string().contains("labels.tif"), "{error}");
    let nowhere = Path::new("/no/such/folder/labels.tif");
    let error = write_map_tiff(nowhere, &array![[1.0]].view(), None).unwrap_err();
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
}
