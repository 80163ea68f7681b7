//! Reading images: what each format gives, and what is refused with which words.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "io_read/beside.rs"]
mod beside;
#[path = "io_read/files.rs"]
mod files;
#[path = "io_read/hdf5.rs"]
mod hdf5;
#[path = "io_read/npy.rs"]
mod npy;
#[path = "io_read/pixel_size.rs"]
mod pixel_size;
#[path = "io_read/raster.rs"]
mod raster;
#[path = "io_read/tiff.rs"]
mod tiff;
#[path = "io_read/tiff_pixels.rs"]
mod tiff_pixels;
#[path = "io_read/tiff_planes.rs"]
mod tiff_planes;
#[path = "io_read/vendor.rs"]
mod vendor;

use std::path::Path;

pub(crate) use files::for_every_element;
use files::{Folder, image};
use ndarray::array;
use stemseg::Error;
use stemseg::image::micrograph::{NonFinite, Screening};
use stemseg_files::read::{Pixels, list, read};

/// The message of the refusal, which names the file and is one sentence.
#[track_caller]
pub(crate) fn refusal(path: &Path, image: Option<usize>) -> String {
    let message = read(path, image).unwrap_err().to_string();
    assert!(message.contains(path.to_str().unwrap()), "names no file: {message}");
    assert!(!message.contains(['\n']) && !message.contains(". "), "not one sentence: {message}");
    message
}

#[track_caller]
pub(crate) fn assert_refused(path: &Path, image: Option<usize>, words: &[&str]) {
    let message = refusal(path, image);
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

/// Every file that is cut off somewhere is refused, and none panics.
#[track_caller]
pub(crate) fn assert_every_cut_refused(folder: &Folder, file: &[u8]) {
    read(&folder.file("whole", file), None).unwrap();
    for length in 1..file.len() {
        let path = folder.file("cut", &file[..length]);
        assert!(read(&path, None).is_err(), "cut to {length} of {} bytes", file.len());
    }
}

fn small_npy() -> Vec<u8> {
    files::npy(1, "'|u1'", false, "(2, 3)", &[1, 2, 3, 4, 5, 6])
}

#[test]
fn what_is_no_image_file_is_refused() {
    let folder = Folder::new();
    assert_refused(&folder.path("nothing.tif"), None, &["there is no such file", "check"]);
    let sub = folder.path("folder.tif");
    std::fs::create_dir(&sub).unwrap();
    assert_refused(&sub, None, &["is a folder; give one image file"]);
    assert_refused(&folder.file("empty.png", b""), None, &["is empty", "again"]);
    let text = folder.file("text.tif", b"rows,cols\n1,2\n");
    assert_refused(&text, None, &["npy, npz, TIFF, PNG, JPEG", "convert"]);
    assert!(list(&text).is_err());
}

#[test]
fn the_content_decides_not_the_extension() {
    let folder = Folder::new();
    let path = folder.file("micrograph.tif", &small_npy());
    let loaded = read(&path, None).unwrap();
    assert_eq!(loaded.format, "npy");
    assert_eq!(loaded.pixels, image(2, 3, vec![1_u8, 2, 3, 4, 5, 6]));
    assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
    assert_eq!(list(&path).unwrap().0, "npy");
}

#[test]
fn a_number_beyond_the_last_image_is_refused() {
    let folder = Folder::new();
    let path = folder.file("a.npy", &small_npy());
    assert_eq!(read(&path, Some(0)).unwrap().pixels.shape(), (2, 3));
    assert_refused(&path, Some(1), &["image = 1", "one image, number 0"]);
    assert!(matches!(read(&path, Some(1)), Err(Error::Parameter { name: "image", .. })));
}

#[test]
fn crop_takes_the_part_and_checks_its_limits() {
    let pixels = Pixels::from(array![[1_u16, 2, 3], [4, 5, 6]]);
    assert_eq!(pixels.crop(1..2, 1..3).unwrap(), Pixels::from(array![[5_u16, 6]]));
    assert_eq!(pixels.crop(0..2, 0..3).unwrap(), pixels);
    for (rows, cols) in [(0..3, 0..1), (0..1, 0..4), (1..1, 0..1), (0..1, 2..2)] {
        let message = pixels.crop(rows, cols).unwrap_err().to_string();
        assert!(message.contains("2 x 3 pixels"), "{message}");
    }
}

#[test]
fn a_mask_is_true_where_not_zero() {
    let pixels = Pixels::from(array![[0.0_f64, 1e-300], [f64::NAN, -2.0]]);
    assert_eq!(pixels.to_mask(), array![[false, true], [true, true]]);
    assert_eq!(Pixels::from(array![[0_u64, u64::MAX]]).to_mask(), array![[false, true]]);
}

#[test]
fn values_as_f64() {
    let pixels = Pixels::from(array![[-3_i16, 7]]);
    assert_eq!(pixels.to_f64(), array![[-3.0, 7.0]]);
    assert_eq!(Pixels::from(array![[0.1_f32]]).to_f64(), array![[f64::from(0.1_f32)]]);
}

#[test]
fn a_micrograph_keeps_the_digits_of_the_file() {
    let pixels = Pixels::from(array![[u64::MAX - 3, u64::MAX - 1]]);
    let fail = |mask| Screening { mask, non_finite: NonFinite::Fail, ..Default::default() };
    let micrograph = pixels.to_micrograph(fail(None)).unwrap();
    assert_eq!(micrograph.pixels(), array![[-1.0, 1.0]]);
    assert_eq!((micrograph.mean(), micrograph.deviation()), ((u64::MAX - 2) as f64, 1.0));
    let masked = Pixels::from(array![[1.0_f32, f32::NAN]]);
    assert!(masked.to_micrograph(fail(None)).is_err());
    let mask = Some(array![[false, true]]);
    assert!(masked.to_micrograph(fail(mask)).is_ok());
}

#[test]
fn what_is_compressed_as_a_whole_is_named_with_what_is_inside() {
    let folder = Folder::new();
    let gzip = |content: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, content).unwrap();
        packed.finish().unwrap()
    };
    let page = files::Page::grey(2, 3, 8, 1, vec![1; 6]);
    let words = ["is compressed with gzip (holds TIFF)", "unpack it first (gunzip FILE)"];
    let packed = gzip(&files::tiff(false, false, &[page]));
    assert_refused(&folder.file("a.tif.gz", &packed), None, &words);
    assert_refused(&folder.file("b.npy", &gzip(&small_npy())), None, &["(holds npy)"]);
    assert_refused(&folder.file("c.gz", &gzip(b"text")), None, &["compressed with gzip; unpack"]);
    for (mark, name) in [
        (&b"BZh91AY&SY"[..], "bzip2"),
        (b"\xfd7zXZ\0\0\x04", "xz"),
        (b"\x28\xb5\x2f\xfd\x04", "zstd"),
        (b"7z\xbc\xaf\x27\x1c\0", "7-Zip"),
    ] {
        let said = format!("compressed with {name}; unpack it first");
        assert_refused(&folder.file("d", mark), None, &[&said]);
    }
}

/// To open a pipe waits for ever for somebody who writes into it.
#[test]
#[cfg(unix)]
fn pipes_and_devices_are_refused_at_once() {
    let folder = Folder::new();
    let pipe = folder.path("pipe.tif");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "no mkfifo");
    for path in [&*pipe, Path::new("/dev/zero"), Path::new("/dev/stdin")] {
        if path != Path::new("/dev/stdin") || !std::fs::metadata(path).is_ok_and(|m| m.is_file()) {
            assert_refused(path, None, &["not a regular file", "save the image"]);
        }
    }
}

#[test]
fn of_an_archive_the_largest_array_is_taken_and_no_labels() {
    let folder = Folder::new();
    let array = |side: usize| {
        files::npy(1, "'|u1'", false, &format!("({side}, {side})"), &vec![3; side * side])
    };
    let members = [("labels.npy", array(40)), ("small.npy", array(4)), ("large.npy", array(20))];
    let loaded = read(&folder.file("a.npz", &files::stored_zip(&members)), None).unwrap();
    assert_eq!((loaded.image, loaded.pixels.shape()), (2, (20, 20)));
}

/// Files that tifffile, Pillow and numpy wrote, which the fuzzer starts from.
#[test]
fn files_of_other_writers_are_read() {
    let corpus =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../stemseg-cli/tests/fuzz/corpus/image");
    let values = |name: &str| read(&corpus.join(name), None).unwrap().pixels.to_f64();
    for entry in std::fs::read_dir(&corpus).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension != "gz") {
            let loaded = read(&path, None).unwrap();
            assert!(loaded.pixels.shape().1.is_multiple_of(16), "{}", path.display());
        }
    }
    // One image in many forms: 12 x 16 bytes, or 257 times as much.
    let bytes = values("grey.png");
    assert_eq!(bytes.dim(), (12, 16));
    for name in ["packbits_big.tif", "palette.png"] {
        assert_eq!(values(name), bytes, "{name}");
    }
    for name in ["strips.tif", "lzw_predictor.tif", "grey16.png", "arrays.npz", "stack.npy"] {
        assert_eq!(values(name), &bytes * 257.0, "{name}");
    }
    assert_eq!(values("packed12.tif"), bytes.map(|value| (value * 257.0 / 16.0).floor()));
    assert_eq!(values("one_bit.tif"), bytes.map(|&value| f64::from(u8::from(value > 100.0))));
    let near = |name: &str, most: f64| {
        let worst = (values(name) - &bytes).map(|value| value.abs());
        let mean = worst.sum() / worst.len() as f64;
        assert!(mean < most, "{name}: {mean}");
    };
    near("grey.jpg", 25.0);
    near("colour.jpg", 25.0);
}
