//! `--format` and `--labels`; `tests/readers` opens the files with other programs.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::job::{Change, Job};
use stemseg_testing::place::{COLS, Place, ROWS, names};

/// How the names of files begin that are written in some formats alone.
const OF_FORMATS: [&str; 8] = [
    "labels.",
    "confidence.",
    "image.ome",
    "rois.",
    "regions.geojson",
    "boundaries.geojson",
    "regions.svg",
    "boundaries.svg",
];

/// Names in the result of a job.
fn files(place: &Place, out: &str, changes: &[Change<'_>]) -> Vec<String> {
    Job::new().with(changes).set("--out", out).succeed(place);
    names(&place.path(out))
}

#[test]
fn each_format_has_its_files() {
    let place = Place::with_scene();
    let always = ["model.json", "overlay.png", "summary.json"];
    let rows: [(&str, &[&str]); 7] = [
        ("tiff,npy", &["labels.tif", "confidence.tif", "labels.npy"]),
        ("npy", &["labels.npy"]),
        ("tiff", &["labels.tif", "confidence.tif"]),
        ("ome-zarr,hspy", &["image.ome.zarr", "labels.hspy"]),
        ("hspy,hspy", &["labels.hspy"]),
        ("roi", &["rois.zip"]),
        (
            "geojson,svg",
            &["regions.geojson", "boundaries.geojson", "regions.svg", "boundaries.svg"],
        ),
    ];
    for (formats, own) in rows {
        let found = files(&place, formats, &[("--format", formats)]);
        assert!(always.iter().chain(own).all(|f| found.iter().any(|n| n == f)), "{found:?}");
        let made = found.iter().filter(|name| OF_FORMATS.iter().any(|own| name.starts_with(own)));
        assert_eq!(made.count(), own.len(), "{formats}: {found:?}");
        let summary = place.json(format!("{formats}/summary.json"));
        let listed = summary["files"].as_array().unwrap().iter().map(|f| f.as_str().unwrap());
        let upmost: BTreeSet<&str> = listed.map(|f| f.split('/').next().unwrap()).collect();
        assert_eq!(found, upmost.into_iter().collect::<Vec<_>>(), "{formats}");
    }
    let same = files(&place, "default", &[]);
    assert_eq!(same, names(&place.path("tiff,npy")), "the default");
    Job::new().set("--format", "bmp").refused(&place, "format", &["bmp", "ome-zarr"]);
}

/// Each name has the content that it promises: a format without a writer of its own would have
/// that of another.
#[test]
fn each_file_is_of_its_format() {
    let place = Place::with_scene();
    let formats = offered(&place);
    assert!(formats.contains(&"tiff".to_owned()) && formats.len() >= 4, "{formats:?}");
    for format in formats {
        let found = files(&place, &format, &[("--format", &format)]);
        let own = |name: &&String| OF_FORMATS.iter().any(|own| name.starts_with(own));
        let own: Vec<&String> = found.iter().filter(own).collect();
        assert!(!own.is_empty(), "{format} has no file of its own: {found:?}");
        for name in own {
            let path = place.path(&format).join(name);
            let ending = name.split_once('.').unwrap().1;
            let start: &[u8] = match ending {
                "tif" => b"II",
                "npy" => b"\x93NUMPY",
                "hspy" => b"\x89HDF\r\n\x1a\n",
                "ome.zarr" | "geojson" => b"{",
                "zip" => b"PK\x03\x04",
                "svg" => b"<svg",
                _ => panic!("{name}: say here what it begins with"),
            };
            let file = if path.is_dir() { path.join(".zattrs") } else { path };
            let bytes = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            assert!(bytes.starts_with(start), "{name} is none");
        }
    }
}

/// The formats that `--format` offers, from its refusal of another.
fn offered(place: &Place) -> Vec<String> {
    let refusal = Job::new().set("--format", "bmp").run(place);
    let said = String::from_utf8(refusal.stderr).unwrap();
    let (_, rest) = said.split_once("[possible values: ").unwrap();
    rest.split_once(']').unwrap().0.split(',').map(|value| value.trim().to_owned()).collect()
}

#[test]
fn labels_are_stored_in_the_integers_that_are_asked_for() {
    let place = Place::with_scene();
    files(&place, "auto", &[]);
    let (_, plain) = place.array::<u8>("auto/labels.npy");
    files(&place, "wide", &[("--labels", "u32")]);
    let (shape, wide) = place.array::<u32>("wide/labels.npy");
    assert_eq!(shape, [ROWS as u64, COLS as u64]);
    assert!(wide.iter().copied().eq(plain.iter().copied().map(u32::from)));
    files(&place, "16", &[("--labels", "u16")]);
    assert_eq!(place.array::<u16>("16/labels.npy").1.len(), ROWS * COLS);
    assert_eq!(place.json("wide/summary.json")["label_type"], "uint32");
    assert_eq!(place.json("auto/summary.json")["label_type"], "uint8");
    let many = Job::new().with(&[("--labels", "u8"), ("-k", "2,300"), ("--out", "many")]);
    many.refused(&place, "many labels", &["--labels u8", "254", "300", "u16"]);
}

#[test]
fn the_confidence_of_a_label_is_the_mean_over_its_pixels() {
    let place = Place::with_scene();
    files(&place, "out", &[("-k", "3")]);
    let (_, labels) = place.array::<u8>("out/labels.npy");
    let bytes = place.bytes("out/confidence.tif");
    let mut tiff = tiff::decoder::Decoder::new(std::io::Cursor::new(bytes)).unwrap();
    let tiff::decoder::DecodingResult::F32(map) = tiff.read_image().unwrap() else {
        panic!("not f32")
    };
    for area in place.json("out/summary.json")["labels"].as_array().unwrap() {
        let label = area["label"].as_u64().unwrap();
        let of_label = labels.iter().zip(&map).filter(|(l, _)| u64::from(**l) == label);
        let (count, sum) = of_label.fold((0.0, 0.0), |(n, s), (_, &m)| (n + 1.0, s + f64::from(m)));
        assert!((number(&area["confidence"]) - sum / count).abs() < 1e-6, "{area}");
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[test]
fn each_number_of_clusters_has_every_format() {
    let place = Place::with_scene();
    files(&place, "out", &[("-k", "2,3"), ("--format", "ome-zarr,hspy")]);
    for k in ["k2", "k3"] {
        let found = names(&place.path(format!("out/{k}")));
        let wanted = [
            "boundaries.csv",
            "channels.png",
            "features.png",
            "image.ome.zarr",
            "labels.hspy",
            "lattices.csv",
            "model.json",
            "overlay.png",
            "regions.csv",
            "report.html",
            "summary.json",
            "triple_points.csv",
        ];
        assert_eq!(found, wanted, "{k}");
    }
}
