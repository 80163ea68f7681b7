//! `bench --accuracy` on small images with truth.

use std::fs;

use ndarray::{Array2, s};
use serde_json::{Value, json};

use crate::job::{Job, check_failure, stemseg, text};
use stemseg_testing::place::{COLS, Place, ROWS, scene};

/// Parameters that suit the scene, as [`Job::new`] has them.
const SMALL: [&str; 10] =
    ["--preset", "pystem", "--patch", "6", "--window", "6", "--stride", "4", "--device", "cpu"];

/// `stemseg bench --accuracy FOLDER` with `arguments`; what it prints.
#[track_caller]
fn accuracy(place: &Place, folder: &str, arguments: &[&str]) -> String {
    let mut command = stemseg(place);
    command.args(["bench", "--accuracy", folder]).args(SMALL).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "{arguments:?}: no progress where there is no terminal");
    text(&output.stdout)
}

fn report(place: &Place, folder: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&accuracy(place, folder, &[arguments, &["--json"]].concat())).unwrap()
}

/// The scene with what `segment` finds in it as its truth.
fn with_found_truth() -> Place {
    let place = Place::with_scene();
    Job::new().set("--out", "found").succeed(&place);
    place.folder("judged");
    fs::copy(place.path("image.npy"), place.path("judged/grain_mid.npy")).unwrap();
    fs::copy(place.path("found/labels.npy"), place.path("judged/grain_labels.npy")).unwrap();
    place.write("judged/grain.png", "a preview is no image");
    place
}

#[test]
fn its_labels_are_those_of_segment() {
    let place = with_found_truth();
    let all = report(&place, "judged", &["--margin", "0", "--tolerance", "0"]);
    let rows = all["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "{all}");
    assert_eq!((&rows[0]["name"], &rows[0]["clusters"]), (&json!("grain_mid"), &json!(2)));
    assert_eq!(rows[0]["parameters"]["stride"], 4);
    assert!(rows[0]["segment_ms"].as_f64().unwrap() > 0.0);
    let perfect = json!({
        "adjusted_rand_index": 1.0,
        "mean_iou": 1.0,
        "ious": [1.0],
        "boundary_f1": 1.0,
        "boundary_displacement": 0.0,
        "labelled_without_data": null,
    });
    assert_eq!((&all["mean"], &all["worst"]), (&perfect, &perfect));
    assert_eq!(all["metrics"], json!({ "margin": 0, "tolerance": 0.0 }));
}

#[test]
fn a_displaced_truth_is_seen_by_every_measure() {
    let place = with_found_truth();
    let found = place.labels("judged/grain_labels.npy");
    let mut displaced = found.clone();
    displaced.slice_mut(s![.., 3..]).assign(&found.slice(s![.., ..COLS - 3]));
    place.npy("judged/grain_labels.npy", &displaced);
    // How labels are numbered does not matter.
    fs::copy(place.path("image.npy"), place.path("judged/other.npy")).unwrap();
    place.npy("judged/other_labels.npy", &found.mapv(|label| 200.0 - f64::from(label)));
    let all = report(&place, "judged", &["--margin", "8", "--tolerance", "2.5"]);
    let row = |i: usize, key: &str| all["rows"][i][key].as_f64().unwrap();
    assert_eq!((row(1, "adjusted_rand_index"), row(1, "boundary_displacement")), (1.0, 0.0));
    // The boundary runs down the image: 3 px of 84 belong to the other side.
    assert!((0.8..0.95).contains(&row(0, "adjusted_rand_index")), "{all}");
    assert!((0.9..0.98).contains(&row(0, "mean_iou")), "{all}");
    assert!((2.0..3.2).contains(&row(0, "boundary_displacement")), "{all}");
    assert!(row(0, "boundary_f1") < 0.6, "{all}");
    let mean = (row(0, "adjusted_rand_index") + 1.0) / 2.0;
    assert!((all["mean"]["adjusted_rand_index"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert_eq!(all["worst"]["adjusted_rand_index"], all["rows"][0]["adjusted_rand_index"]);
    assert_eq!(all["worst"]["boundary_displacement"], all["rows"][0]["boundary_displacement"]);
    let loose = report(&place, "judged", &["--margin", "8", "--tolerance", "3"]);
    assert!(loose["rows"][0]["boundary_f1"].as_f64().unwrap() > 0.9, "{loose}");
}

#[test]
fn folders_that_simulate_has_written_are_judged() {
    let place = Place::empty();
    for scene in ["square-hexagonal", "tilt-boundary"] {
        let out = format!("scenes/{scene}.sim");
        let size = ["--size", "200", "--quiet", "--out", &out];
        stemseg(&place).args(["simulate", scene]).args(size).assert().success();
    }
    place.folder("scenes/empty");
    let suited = ["--preset", "pystem", "--patch", "14", "--window", "14", "--margin", "28"];
    let call = |more: &[&str]| {
        let arguments = [&["bench", "--accuracy", "scenes", "--device", "cpu"], &suited[..], more];
        text(&stemseg(&place).args(arguments.concat()).output().unwrap().stdout)
    };
    let table = call(&[]);
    let lines: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
    let of = |name: &str| lines.iter().find(|line| line.first() == Some(&name)).unwrap();
    for name in ["square-hexagonal", "tilt-boundary", "mean", "worst"] {
        let rand = of(name)[if name.contains('-') { 3 } else { 1 }];
        assert!(rand.parse::<f64>().unwrap() > 0.85, "{table}");
    }
    assert!(table.contains("translation, 100 channels"), "{table}");
    let one: Value = serde_json::from_str(&call(&["--only", "tilt,twin", "--json"])).unwrap();
    assert_eq!(one["rows"].as_array().unwrap().len(), 1);
    assert_eq!(one["rows"][0]["name"], "tilt-boundary");
    // What segment does by default, up to the border.
    let mut command = stemseg(&place);
    command.args(["bench", "--accuracy", "scenes", "--device", "cpu", "--json"]);
    let all: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert!(all["worst"]["adjusted_rand_index"].as_f64().unwrap() > 0.9, "{all}");
    assert_eq!(all["rows"][0]["parameters"]["reduce"], "maf");
    // One of the folders alone.
    let mut command = stemseg(&place);
    command.args(["bench", "--accuracy", "scenes/tilt-boundary.sim", "--device", "cpu", "--json"]);
    let output = command.args(suited).output().unwrap();
    let alone: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(alone["rows"][0]["name"], "image");
    assert_eq!(alone["rows"][0]["adjusted_rand_index"], one["rows"][0]["adjusted_rand_index"]);
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let place = Place::empty();
    let image = scene(ROWS, COLS);
    let labels = Array2::from_shape_fn((ROWS, COLS), |(_, c)| u8::from(c > 50));
    let write = |folder: &str, truth: &Array2<f64>| {
        place.folder(folder);
        place.npy(format!("{folder}/a.npy"), &image);
        place.npy(format!("{folder}/a_labels.npy"), truth);
    };
    let truth = labels.mapv(f64::from);
    write("good", &truth);
    write("shapes", &truth.slice(s![1.., ..]).to_owned());
    write("halves", &truth.mapv(|label| label / 2.0));
    write("values", &image.mapv(|v| f64::from(v * 1e9).round()));
    write("bare", &truth);
    fs::remove_file(place.path("bare/a_labels.npy")).unwrap();
    place.folder("empty");
    let cases: [(&str, &[&str]); 13] = [
        ("bare", &["a.npy", "no true labels", "a_labels.npy"]),
        ("shapes", &["a_labels.npy", "89 x 100", "a.npy", "90 x 100"]),
        ("halves", &["a_labels.npy", "0.5", "whole numbers"]),
        ("values", &["-k ", "there are only"]),
        ("empty", &["empty", "no image with labels", "a_labels.npy"]),
        ("missing", &["missing", "no such folder"]),
        ("good/a.npy", &["a.npy", "give a folder"]),
        ("good --only b", &["only = b", "good"]),
        ("good --margin 45", &["margin = 45", "90 x 100"]),
        ("good --tolerance -1", &["tolerance = -1"]),
        ("good --device cpu,cpu", &["device", "give one"]),
        ("good --size 64", &["--accuracy", "--size"]),
        ("good --clusters 3", &["--accuracy", "--clusters"]),
    ];
    for (arguments, words) in cases {
        let mut command = stemseg(&place);
        command.args([
            "bench",
            "--preset",
            "pystem",
            "--patch",
            "6",
            "--window",
            "6",
            "--accuracy",
        ]);
        command.args(arguments.split(' '));
        if !arguments.contains("--device") {
            command.args(["--device", "cpu"]);
        }
        check_failure(arguments, &command.output().unwrap(), 2, words);
    }
    let alone = stemseg(&place).args(["bench", "--margin", "3"]).output().unwrap();
    check_failure("--margin alone", &alone, 2, &["--accuracy"]);
}
