//! Files of instruments and of HyperSpy, made byte by byte or by another crate.

use std::path::Path;

use stemseg::image::calibration::{Calibration, Unit};
use stemseg_files::read::{Entry, Frame, Pixels, list, read, read_frame};

use crate::files::Folder;
use crate::{assert_refused, refusal};

/// The value of each pixel of a made file, in the order of its frames.
fn expected(frame: u32, upside_down: bool) -> Pixels {
    let value =
        |frame: u32, row: u32, col: u32| ((frame * 35 + row * 7 + col) * 2654 % 60_000) as u16;
    let row = |row: usize| if upside_down { 4 - row as u32 } else { row as u32 };
    ndarray::Array2::from_shape_fn((5, 7), |(r, c)| value(frame, row(r), c as u32)).into()
}

pub(crate) fn made(folder: &Folder, name: &str) -> std::path::PathBuf {
    let (_, bytes) =
        stemseg_testing::files::all().into_iter().find(|(made, _)| *made == name).unwrap();
    folder.file(name, &bytes)
}

fn nm(step: f64) -> Option<Calibration> {
    Some(Calibration { rows: step, cols: step, unit: Unit::Nanometre })
}

#[track_caller]
fn check(path: &Path, format: &str, entry: &Entry, step: f64, frames: Option<usize>) {
    let (found, _) = list(path).unwrap();
    assert_eq!(found, format);
    assert_eq!((&*entry.dtype, entry.frames()), ("uint16", frames), "{format}");
    let calibration = entry.calibration.unwrap();
    assert_eq!(calibration.unit, Unit::Nanometre, "{format}");
    for side in [calibration.rows, calibration.cols] {
        assert!((side / step - 1.0).abs() < 1e-9, "{format}: {calibration:?}");
    }
}

#[test]
fn every_format_gives_its_pixels_and_what_they_measure() {
    let folder = Folder::new();
    for (name, format, step, frames, interval, upside_down) in [
        ("digital.dm3", "DigitalMicrograph", 0.5, None, None, false),
        ("series_1.ser", "TIA ser", 0.02, Some(2), Some(1.0), true),
        ("stack.mrc", "MRC", 0.2, Some(2), None, false),
        ("berkeley.emd", "NCEM EMD", 0.1, None, None, false),
        ("velox.emd", "Velox EMD", 0.01, Some(2), Some(0.5), false),
        ("hyperspy.hspy", "HyperSpy hspy", 0.1, Some(2), Some(0.1), false),
        ("hyperspy.zspy", "HyperSpy zspy", 0.1, Some(2), Some(0.1), false),
    ] {
        let path = made(&folder, name);
        let (_, entries) = list(&path).unwrap();
        assert_eq!(entries.len(), 1, "{name}");
        check(&path, format, &entries[0], step, frames);
        let found = entries[0].frame_interval_s;
        let same = match (found, interval) {
            (Some(a), Some(b)) => f64::abs(a - b) < 1e-12,
            (a, b) => a == b,
        };
        assert!(same, "{name}: {found:?}");
        for frame in 0..frames.unwrap_or(1) as u32 {
            let loaded = read_frame(&path, None, Some(Frame::Number(frame as usize))).unwrap();
            let wanted = match name {
                // Pixels and frames are interleaved there.
                "velox.emd" => interleaved(frame),
                "hyperspy.zspy" => chunked(frame),
                _ => expected(frame, upside_down),
            };
            assert_eq!(loaded.pixels, wanted, "{name}, frame {frame}");
        }
    }
}

/// Frame `frame` of values that are stored as `[rows, cols, frames]`.
fn interleaved(frame: u32) -> Pixels {
    let value = |r: usize, c: usize| ((r * 7 + c) as u32 * 2 + frame) * 2654 % 60_000;
    ndarray::Array2::from_shape_fn((5, 7), |(r, c)| value(r, c) as u16).into()
}

/// Four equal chunks of 2 x 3 x 4, the last of which go beyond the array.
fn chunked(frame: u32) -> Pixels {
    let value = |r: usize, c: usize| (frame * 12 + (r % 3 * 4 + c % 4) as u32) * 2654 % 60_000;
    ndarray::Array2::from_shape_fn((5, 7), |(r, c)| value(r, c) as u16).into()
}

#[test]
fn the_content_decides_what_a_container_holds() {
    let folder = Folder::new();
    for (name, format) in [("velox.emd", "Velox EMD"), ("hyperspy.zspy", "HyperSpy zspy")] {
        let bytes = std::fs::read(made(&folder, name)).unwrap();
        assert_eq!(list(&folder.file("renamed.tif", &bytes)).unwrap().0, format);
    }
    let mut other = hdf5_pure::FileBuilder::new();
    other.create_dataset("numbers").with_u16_data(&[1, 2, 3, 4]).with_shape(&[2, 2]);
    let path = folder.file("other.h5", &other.finish().unwrap());
    assert_refused(&path, None, &["HDF5 file of another kind", "Velox EMD", "HyperSpy", "TIFF"]);
    let whole = std::fs::read(made(&folder, "velox.emd")).unwrap();
    let cut = folder.file("cut.emd", &whole[..whole.len() - 1]);
    assert_refused(&cut, None, &["ends too early", "truncated"]);
}

#[test]
fn an_emi_file_leads_to_its_series() {
    let folder = Folder::new();
    let emi = folder.file("series.emi", b"JK\0\x02 and more");
    assert_refused(&emi, None, &["no series_1.ser next to it", "copy the .ser files"]);
    let ser = made(&folder, "series_1.ser");
    assert_eq!(read(&emi, None).unwrap().pixels, expected(0, true));
    assert_eq!(list(&emi).unwrap().0, "TIA emi");
    let renamed = folder.file("series.bin", b"JK\0\x02 and more");
    assert_refused(&renamed, None, &["is a TIA .emi file; give it that extension"]);
    let wrong = folder.file("other.emi", &std::fs::read(ser).unwrap());
    assert_refused(&wrong, None, &["is a .ser file"]);
}

#[test]
fn the_mean_of_interleaved_frames_is_that_of_the_frames() {
    let folder = Folder::new();
    for name in ["velox.emd", "hyperspy.hspy", "series_1.ser"] {
        let path = made(&folder, name);
        let frame =
            |number| read_frame(&path, None, Some(Frame::Number(number))).unwrap().pixels.to_f64();
        let mean = read_frame(&path, None, Some(Frame::Mean)).unwrap();
        assert_eq!(mean.pixels, Pixels::F64((frame(0) + frame(1)) / 2.0), "{name}");
        assert!(frame(0) != frame(1), "{name}: one frame would do");
        assert_eq!(mean.notes, ["the mean of 2 frames was taken"], "{name}");
    }
}

#[test]
fn all_files_that_belong_together_are_named() {
    let folder = Folder::new();
    let ser = made(&folder, "series_1.ser");
    assert_eq!(read(&ser, None).unwrap().files, std::slice::from_ref(&ser));
    let emi = folder.file("series.emi", b"JK\0\x02 and more");
    assert_eq!(read(&emi, None).unwrap().files, [emi.clone(), ser.clone()]);
    // An .emi file that says nothing is not read with the .ser file.
    assert_eq!(read(&ser, None).unwrap().files, [ser]);
    let velox = made(&folder, "velox.emd");
    assert_eq!(read(&velox, None).unwrap().files, [velox]);
}

#[test]
fn zspy_in_a_folder_is_read_as_in_one_file() {
    let folder = Folder::new();
    let packed = made(&folder, "hyperspy.zspy");
    let store = folder.path("folder.zspy");
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&packed).unwrap()).unwrap();
    zip.extract(&store).unwrap();
    let (format, entries) = list(&store).unwrap();
    check(&store, "HyperSpy zspy", &entries[0], 0.1, Some(2));
    assert_eq!((format, &entries), ("HyperSpy zspy", &list(&packed).unwrap().1));
    for frame in 0..2 {
        let loaded = read_frame(&store, None, Some(Frame::Number(frame as usize))).unwrap();
        assert_eq!(loaded.pixels, chunked(frame));
        assert_eq!(loaded.files.len(), 9, "{:?}", loaded.files);
        assert!(loaded.files.is_sorted() && loaded.files.iter().all(|file| file.is_file()));
    }
    // Chunks that are not there are 0, others damaged.
    let data = store.join("Experiments/image/data");
    std::fs::remove_file(data.join("0.0.0")).unwrap();
    let Pixels::U16(pixels) = read(&store, None).unwrap().pixels else { unreachable!() };
    assert!(pixels[[0, 0]] == 0 && pixels[[4, 6]] != 0);
    std::fs::write(data.join("0.0.0"), b"short").unwrap();
    assert_refused(&store, None, &["a chunk that cannot be unpacked"]);
    std::fs::write(data.join(".zarray"), b"{}").unwrap();
    assert_refused(&store, None, &["an array without a description"]);
}

/// A zspy of one array that is described so, with chunks of the same bytes.
fn zspy(
    folder: &Folder,
    shape: &str,
    chunks: &str,
    keys: &[&str],
    chunk: &[u8],
) -> std::path::PathBuf {
    let array = format!(
        r#"{{"chunks":{chunks},"compressor":null,"dtype":"<u2","fill_value":0,"filters":null,"order":"C","shape":{shape},"zarr_format":2}}"#
    );
    let mut members = vec![
        (".zattrs".to_owned(), br#"{"file_format": "ZSpy"}"#.to_vec()),
        ("Experiments/a/data/.zarray".to_owned(), array.into_bytes()),
    ];
    members.extend(keys.iter().map(|key| (format!("Experiments/a/data/{key}"), chunk.to_vec())));
    let members: Vec<(&str, Vec<u8>)> =
        members.iter().map(|(name, content)| (&**name, content.clone())).collect();
    folder.file("a.zspy", &crate::files::stored_zip(&members))
}

#[test]
fn zspy_chunks_far_larger_or_smaller_than_their_array_are_refused() {
    let folder = Folder::new();
    // As large an archive that the chunk would be no lie.
    let path = zspy(&folder, "[5, 7]", "[10000, 10000]", &["0.0"], &vec![0; 1 << 20]);
    assert_refused(&path, None, &["declares 200000000 bytes", "too short"]);
    let path = zspy(&folder, "[2000, 2000]", "[1, 1]", &["0.0"], &vec![0; 1 << 20]);
    assert_refused(&path, None, &["has 4000000 chunks for an image", "larger chunks"]);
}

#[test]
fn a_zspy_array_without_roles_has_its_frames_first() {
    let folder = Folder::new();
    let chunk: Vec<u8> = (0..12_u16).flat_map(u16::to_le_bytes).collect();
    let keys = ["0.0.0", "0.1.0", "1.0.0", "1.1.0"];
    let loaded = read(&zspy(&folder, "[5, 7, 1]", "[3, 4, 1]", &keys, &chunk), None).unwrap();
    let wanted = |(r, c): (usize, usize)| (r % 3 * 4 + c % 4) as u16;
    assert_eq!(loaded.pixels, ndarray::Array2::from_shape_fn((5, 7), wanted).into());
    let path = zspy(&folder, "[8, 9, 2]", "[8, 9, 2]", &["0.0.0"], &[0; 288]);
    assert_refused(&path, None, &["[8, 9, 2]", "last axis is the short one"]);
}

#[test]
fn a_folder_of_other_zarr_arrays_is_refused_with_a_way_out() {
    let folder = Folder::new();
    let store = folder.path("image.zspy");
    std::fs::create_dir(&store).unwrap();
    std::fs::write(store.join(".zgroup"), b"{}").unwrap();
    assert!(refusal(&store, None).contains("TIFF, npy or hspy"));
}

#[test]
fn headers_without_a_mark_must_fit_their_file() {
    let folder = Folder::new();
    let mut old = std::fs::read(made(&folder, "stack.mrc")).unwrap();
    old[208..216].fill(0);
    assert_eq!(list(&folder.file("old.mrc", &old)).unwrap().0, "MRC");
    old.truncate(old.len() - 1);
    assert_refused(&folder.file("cut.mrc", &old), None, &["not in a format"]);
}

#[test]
fn bytes_are_signed_unless_the_header_says_otherwise() {
    let folder = Folder::new();
    let mut file = std::fs::read(made(&folder, "stack.mrc")).unwrap();
    file.truncate(1024);
    file.extend((0..70).map(|pixel| pixel * 3));
    let put = |file: &mut Vec<u8>, place: usize, value: [u8; 4]| {
        file[place..place + 4].copy_from_slice(&value);
    };
    put(&mut file, 12, 0_i32.to_le_bytes());
    let dtype = |name: &str, file: &[u8]| {
        let path = folder.file(name, file);
        let pixels =
            stemseg_files::read::read_frame(&path, None, Some(Frame::Number(1))).unwrap().pixels;
        let last = pixels.to_f64()[[4, 6]];
        (list(&path).unwrap().1[0].dtype.clone(), last)
    };
    // The standard, where there are no statistics.
    assert_eq!(dtype("plain.mrc", &file), ("int8".into(), -49.0));
    // Values that signed bytes cannot have.
    put(&mut file, 80, 207_f32.to_le_bytes());
    assert_eq!(dtype("unsigned.mrc", &file), ("uint8".into(), 207.0));
    // IMOD's flags come first: bit 1 is that of signed bytes.
    put(&mut file, 152, 1_146_047_817_i32.to_le_bytes());
    put(&mut file, 156, 1_i32.to_le_bytes());
    assert_eq!(dtype("imod signed.mrc", &file), ("int8".into(), -49.0));
    put(&mut file, 156, 0_i32.to_le_bytes());
    put(&mut file, 80, 0_f32.to_le_bytes());
    assert_eq!(dtype("imod unsigned.mrc", &file), ("uint8".into(), 207.0));
}

#[test]
fn dimensions_that_cannot_be_are_refused() {
    let folder = Folder::new();
    let whole = std::fs::read(made(&folder, "digital.dm3")).unwrap();
    let cols =
        [b"%%%%".as_slice(), &1_u32.to_be_bytes(), &3_u32.to_be_bytes(), &7_u32.to_le_bytes()];
    let cols = cols.concat();
    let place = whole.windows(cols.len()).position(|part| part == cols).unwrap() + cols.len() - 4;
    for (value, said) in [(u32::MAX, "-1 x 5"), (0, "0 x 5"), (1 << 31, "-2147483648 x 5")] {
        let mut file = whole.clone();
        file[place..place + 4].copy_from_slice(&value.to_le_bytes());
        assert_refused(&folder.file("a.dm3", &file), None, &["is damaged", said]);
    }
    assert_eq!(read(&folder.file("a.dm3", &whole), None).unwrap().pixels, expected(0, false));
}

#[test]
fn survey_images_and_patterns_come_last() {
    let folder = Folder::new();
    let mut file = hdf5_pure::FileBuilder::new();
    file.set_attr("file_format", hdf5_pure::AttrValue::String("HyperSpy".into()));
    let mut experiments = file.create_group("Experiments");
    for (name, unit, value) in [
        ("a survey", "nm", 1_u16),
        ("b pattern", "1/nm", 2),
        ("c BF", "nm", 3),
        ("d HAADF", "nm", 4),
    ] {
        let mut signal = experiments.create_group(name);
        signal.create_dataset("data").with_u16_data(&[value; 4]).with_shape(&[2, 2]);
        for index in 0..2 {
            let mut axis = signal.create_group(&format!("axis-{index}"));
            axis.set_attr("scale", hdf5_pure::AttrValue::F64(0.5));
            axis.set_attr("units", hdf5_pure::AttrValue::String(unit.into()));
            signal.add_group(axis.finish());
        }
        experiments.add_group(signal.finish());
    }
    file.add_group(experiments.finish());
    let path = folder.file("several.hspy", &file.finish().unwrap());
    let loaded = read(&path, None).unwrap();
    assert_eq!(loaded.image, 3, "{:?}", loaded.notes);
    assert!(
        loaded.notes[0].contains("4 images, of which number 3 (d HAADF)"),
        "{:?}",
        loaded.notes
    );
    let pattern = read(&path, Some(1)).unwrap().entry;
    assert_eq!(pattern.pixel_size(), None);
    assert_eq!(pattern.calibration.unwrap().unit, Unit::PerNanometre);
    assert_eq!(read(&path, Some(2)).unwrap().entry.calibration, nm(0.5));
}
