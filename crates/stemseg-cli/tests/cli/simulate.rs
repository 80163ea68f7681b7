//! The command: files, messages, exit codes.

use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use stemseg_files::read::read;
use tempfile::TempDir;

fn stemseg(place: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("stemseg").unwrap();
    command.current_dir(place.path()).arg("simulate").args(arguments);
    command
}

fn place() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Wrong use: exit code 2, one message, nothing written.
fn refused(arguments: &[&str], message: &str) {
    let place = place();
    stemseg(&place, arguments).assert().code(2).stdout("").stderr(contains(message));
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "{arguments:?} left something");
}

#[test]
fn the_result_has_its_files_and_reads_back() {
    let place = place();
    stemseg(&place, &["twins", "--size", "160x200"])
        .assert()
        .success()
        .stdout(contains("stacking faults").and(contains("twins.sim")))
        .stderr("");
    let file = |name: &str| place.path().join("twins.sim").join(name);
    let image = read(&file("image.npy"), None).unwrap();
    assert_eq!((image.pixels.shape(), image.entry.dtype.as_str()), ((160, 200), "uint16"));
    let labels = ["labels.npy", "labels.tif"].map(|name| read(&file(name), None).unwrap());
    assert_eq!(labels[0].pixels.to_f64(), labels[1].pixels.to_f64());
    assert!(labels[0].pixels.to_f64().iter().all(|label| [1.0, 2.0, 3.0].contains(label)));
    assert!(file("overlay.png").exists());
}

#[test]
fn json_is_the_summary_and_agrees_with_the_files() {
    let place = place();
    let arguments =
        ["plane-groups", "p4mm", "p4g", "--size=180", "--out=a/b", "--json", "--seed=7"];
    let output =
        stemseg(&place, &arguments).assert().success().stderr("").get_output().stdout.clone();
    let summary: serde_json::Value = serde_json::from_slice(&output).unwrap();
    let file = std::fs::read(place.path().join("a/b/summary.json")).unwrap();
    assert_eq!(summary, serde_json::from_slice::<serde_json::Value>(&file).unwrap());
    assert!(summary["stemseg_version"].is_string());
    assert_eq!(summary["parameters"]["seed"], 7);
    assert_eq!(summary["parameters"]["cell"], 30.0);
    assert_eq!(summary["labels"][1]["plane_group"], "p4gm");
    let labels = read(&place.path().join("a/b/labels.npy"), None).unwrap().pixels.to_f64();
    let first = labels.iter().filter(|&&label| label == 1.0).count();
    assert_eq!(summary["labels"][0]["pixels"], first);
}

#[test]
fn tiff_holds_counts_or_the_signal_and_the_size_of_a_pixel() {
    for (dose, dtype) in [("30", "uint16"), ("none", "float32"), ("90000", "float32")] {
        let place = place();
        let arguments = [
            "tilt-boundary",
            "--size=128",
            "--format=tiff",
            "--pixel-size=0.0125",
            "--dose",
            dose,
            "-q",
        ];
        stemseg(&place, &arguments).assert().success().stdout("");
        let image = read(&place.path().join("tilt-boundary.sim/image.tif"), None).unwrap();
        assert_eq!(image.entry.dtype, dtype, "dose {dose}");
        let size = image.entry.pixel_size().unwrap();
        assert!((size.rows - 0.0125).abs() < 1e-9 && (size.cols - 0.0125).abs() < 1e-9);
    }
}

#[test]
fn the_same_arguments_give_the_same_folder() {
    let place = place();
    let arguments = ["crystal-edge", "--size=128", "-q", "--out"];
    for name in ["one", "two"] {
        stemseg(&place, &[&arguments[..], &[name]].concat()).assert().success();
    }
    let bytes =
        |folder: &str, file: &str| std::fs::read(place.path().join(folder).join(file)).unwrap();
    for file in
        ["image.npy", "image.png", "labels.npy", "labels.tif", "overlay.png", "summary.json"]
    {
        assert!(bytes("one", file) == bytes("two", file), "{file} differs");
    }
}

#[test]
fn scenes_are_listed() {
    let place = place();
    let listed = stemseg(&place, &["--list"]).assert().success();
    listed
        .stdout(contains("tilt-boundary").and(contains("plane-groups")).and(contains("inversion")));
    stemseg(&place, &[]).assert().code(2).stderr(contains("SCENE"));
}

#[test]
fn wrong_use_is_explained() {
    refused(&["gold"], "no such scene; there are tilt-boundary, square-hexagonal");
    refused(&["plane-group"], "one plane group");
    refused(&["plane-groups", "p4", "p5"], "there are p1, p2, pm");
    refused(&["plane-groups", "p4", "p6"], "p4 needs a square lattice, p6 needs a hexagonal");
    refused(&["twins", "p4"], "give twins alone");
    refused(&["twins", "--grains", "4"], "only the scene polycrystal");
    refused(&["polycrystal", "--grains", "1"], "2 to 254");
    refused(&["twins", "--size", "40"], "give 80 or more");
    refused(&["twins", "--size", "0"], "give 80 or more");
    refused(&["twins", "--size", "100000"], "at most 1073741824 pixels");
    refused(&["twins", "--size", "-5"], "negative");
    refused(&["twins", "--cell", "3"], "give 6.3 px or more");
    refused(&["twins", "--cell", "NaN"], "cell = NaN");
    refused(&["twins", "--dose", "-1"], "dose = -1: give 0.001 to 1000000");
    refused(&["twins", "--dose", "NaN"], "dose = NaN");
    refused(&["twins", "--dose", "much"], "is not a number");
    refused(&["twins", "--jitter", "inf"], "jitter = inf");
    refused(&["twins", "--background", "-0.1"], "background = -0.1");
    refused(&["twins", "--gradient", "NaN"], "gradient = NaN");
    refused(&["twins", "--pixel-size", "0"], "pixel in nm");
    refused(&["twins", "--seed", "-1"], "--seed");
}

#[test]
fn an_earlier_result_is_replaced_only_by_force() {
    let place = place();
    let arguments = ["twins", "--size=128", "-q"];
    stemseg(&place, &arguments).assert().success();
    stemseg(&place, &arguments).assert().code(2).stderr(contains("exists already"));
    stemseg(&place, &[&arguments[..], &["--force", "--seed=1"]].concat()).assert().success();
    // What is not of the simulation stays next to it.
    std::fs::write(place.path().join("twins.sim/my_notes.txt"), "Tuesday").unwrap();
    stemseg(&place, &[&arguments[..], &["--force", "--format=tiff"]].concat()).assert().success();
    assert!(place.path().join("twins.sim/my_notes.txt").exists());
    assert!(place.path().join("twins.sim/image.tif").exists());
    assert!(!place.path().join("twins.sim/image.npy").exists());
    std::fs::create_dir(place.path().join("thesis")).unwrap();
    std::fs::write(place.path().join("thesis/chapter.tex"), "years").unwrap();
    let out = [&arguments[..], &["--force", "--out=thesis"]].concat();
    stemseg(&place, &out).assert().code(2).stderr(contains("no summary.json"));
    assert!(place.path().join("thesis/chapter.tex").exists());
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let place = place();
    std::fs::write(place.path().join("file"), "").unwrap();
    let out = Path::new("file").join("result");
    stemseg(&place, &["twins", "--size=128", "--out", out.to_str().unwrap()])
        .assert()
        .code(2)
        .stderr(contains("file"));
}

#[test]
fn films_of_moving_phases_have_their_truth() {
    let place = place();
    for motion in ["moving-front", "precipitates", "vanishing-grain"] {
        let options = ["film", "--motion", motion, "--size", "96", "--frames", "8", "--out", motion];
        stemseg(&place, &options).assert().success();
        let folder = place.path().join(motion);
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        // A header of 128 bytes, then u16 or u8.
        assert_eq!(read("film.npy").len(), 128 + 2 * 8 * 96 * 96);
        let labels = read("labels.npy").split_off(128);
        let mut table = csv::Reader::from_path(folder.join("truth.csv")).unwrap();
        for (t, row) in table.records().enumerate() {
            let row = row.unwrap();
            let number = |column: usize| row[column].parse::<f64>().unwrap();
            let frame = &labels[t * 96 * 96..][..96 * 96];
            let second = frame.iter().filter(|label| **label == 2).count();
            assert_eq!((number(0), number(4)), (t as f64, second as f64), "{motion}");
            assert_eq!(number(1) == 0.0, t == 0, "{motion}: {row:?}");
        }
        let summary: serde_json::Value = serde_json::from_slice(&read("summary.json")).unwrap();
        assert_eq!(summary["motion"], motion);
        assert_eq!(summary["labels"].as_array().unwrap().len(), 2);
        assert_eq!(summary["speed_px_per_frame"].is_f64(), motion == "moving-front");
    }
}
