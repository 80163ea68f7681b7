//! `stemseg info`.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use ndarray::{Array2, Array3};
use serde_json::Value;

use crate::job::{check_failure, stemseg, text};
use stemseg_testing::place::{COLS, Place, ROWS};

fn json(place: &Place, arguments: &[&str]) -> Value {
    let output = stemseg(place).arg("info").args(arguments).arg("--json").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn json_says_what_headers_say_and_more_only_when_asked() {
    let place = Place::with_scene();
    let info = json(&place, &["image.npy"]);
    assert_eq!(info["format"], "npy");
    let image = &info["images"][0];
    assert_eq!((&image["index"], &image["name"]), (&0.into(), &"".into()));
    assert_eq!(image["shape"], serde_json::json!([ROWS, COLS]));
    assert_eq!((&image["dtype"], &image["frames"]), (&"float32".into(), &1.into()));
    for key in ["pixel_size", "frame_interval_s", "instrument", "date"] {
        assert!(image.get(key).is_some_and(Value::is_null), "{key}: {image}");
    }
    assert!(image.get("stats").is_none() && info.get("lattices").is_none(), "{info}");
    let with = json(&place, &["image.npy", "--lattice", "--stats"]);
    assert!(with["lattices"].is_array() && with["images"][0]["stats"].is_object(), "{with}");
}

#[test]
fn statistics_are_those_of_all_frames() {
    let place = Place::empty();
    let stack = Array3::from_shape_fn((3, 4, 5), |(f, r, c)| (100 * f + 5 * r + c) as i16 - 7);
    place.npy("stack.npy", &stack);
    let info = json(&place, &["stack.npy", "--stats"]);
    let image = &info["images"][0];
    assert_eq!((&image["shape"], &image["frames"]), (&serde_json::json!([3, 4, 5]), &3.into()));
    let stats = &image["stats"];
    assert_eq!((&stats["min"], &stats["max"]), (&(-7).into(), &212.into()), "integers: {stats}");
    assert_eq!((stats["mean"].as_f64(), &stats["non_finite"]), (Some(102.5), &0.into()));

    let mut odd = Array2::from_elem((4, 5), 1.5_f32);
    odd[(1, 1)] = f32::NAN;
    odd[(3, 4)] = f32::INFINITY;
    place.npy("odd.npy", &odd);
    let info = json(&place, &["odd.npy", "--stats"]);
    let stats = &info["images"][0]["stats"];
    assert_eq!(stats["non_finite"], 2);
    assert!(["min", "max", "mean"].iter().all(|key| stats[key].is_null()), "{stats}");
}

#[test]
fn one_image_of_several_can_be_shown() {
    let place = Place::empty();
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, value) in [("first.npy", 1.0_f32), ("second.npy", 2.0)] {
        place.npy(name, &Array2::from_elem((2, 2), value));
        archive.start_file(name, options).unwrap();
        archive.write_all(&place.bytes(name)).unwrap();
    }
    place.write("two.npz", archive.finish().unwrap().into_inner());
    let all = json(&place, &["two.npz"]);
    assert_eq!(all["images"].as_array().unwrap().len(), 2);
    let one = json(&place, &["two.npz", "--image", "1", "--stats"]);
    let images = one["images"].as_array().unwrap();
    assert_eq!((images.len(), &images[0]["name"]), (1, &"second".into()));
    assert_eq!(images[0]["stats"]["mean"].as_f64(), Some(2.0));
    let output = stemseg(&place).args(["info", "two.npz"]).output().unwrap();
    let said = text(&output.stdout);
    assert!(said.starts_with("two.npz: npz, 2 images\n"), "{said}");
    assert!(said.contains("2 x 2") && said.contains("second"), "{said}");
}

#[test]
fn what_does_nothing_is_refused() {
    let place = Place::with_scene();
    for (option, value) in
        [("--roi", "0:5,:"), ("--mask", "m.npy"), ("--frame", "0"), ("--pixel-size", "1nm")]
    {
        let command = stemseg(&place).args(["info", "image.npy", option, value]).output();
        check_failure(option, &command.unwrap(), 2, &[&option[2..], "--lattice"]);
    }
    let beyond = stemseg(&place).args(["info", "image.npy", "--image", "1"]).output();
    check_failure("image 1", &beyond.unwrap(), 2, &["--image 1", "one image, number 0"]);
}

/// Headers of files that are larger than the memory; the rest is a hole.
fn huge() -> Vec<(&'static str, Vec<u8>, u64, Vec<u64>)> {
    const SIDE: u32 = 16_384;
    let frames = 40;
    let shape = vec![frames, u64::from(SIDE), u64::from(SIDE)];
    let pixels = 2 * frames * u64::from(SIDE) * u64::from(SIDE);

    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    let header = format!(
        "{{'descr': '<u2', 'fortran_order': False, 'shape': ({frames}, {SIDE}, {SIDE}), }}\n"
    );
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());

    let mut mrc = vec![0; 1024];
    for (place, value) in [(0, SIDE), (4, SIDE), (8, frames as u32), (12, 6), (108, 20140)] {
        mrc[place..place + 4].copy_from_slice(&value.to_le_bytes());
    }
    mrc[208..216].copy_from_slice(b"MAP DD\0\0");

    // ImageJ's way beyond 4 GiB: one directory, and frames one after the other.
    let description = format!("ImageJ=1.53t\nimages={frames}\n\0");
    let tags = 9_u16;
    let text_place = 8 + 2 + 12 * u32::from(tags) + 4;
    let data = text_place + description.len() as u32;
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    tiff.extend(tags.to_le_bytes());
    for (tag, kind, count, value) in [
        (256_u16, 4_u16, 1, SIDE),
        (257, 4, 1, SIDE),
        (258, 3, 1, 16),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (270, 2, description.len() as u32, text_place),
        (273, 4, 1, data),
        (278, 4, 1, SIDE),
        (279, 4, 1, 2 * SIDE * SIDE),
    ] {
        tiff.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        tiff.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
    }
    tiff.extend([0; 4]);
    tiff.extend(description.as_bytes());
    [("huge.npy", npy), ("huge.mrc", mrc), ("huge.tif", tiff)]
        .map(|(name, header)| {
            let size = header.len() as u64 + pixels;
            (name, header, size, shape.clone())
        })
        .into()
}

#[test]
#[cfg(unix)]
fn huge_files_are_listed_at_once() {
    let place = Place::empty();
    for (name, header, size, shape) in huge() {
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(place.path(name)).unwrap();
        file.write_all(&header).unwrap();
        file.seek(SeekFrom::Start(size - 1)).unwrap();
        file.write_all(&[1]).unwrap();
        drop(file);
        let begun = Instant::now();
        let info = json(&place, &[name]);
        // A process starts in some ms; reading 20 GiB takes seconds at least.
        assert!(begun.elapsed() < Duration::from_millis(900), "{name}: {:?}", begun.elapsed());
        assert_eq!(info["images"][0]["shape"], serde_json::json!(shape), "{name}");
    }
}
