//! `bench` on an image so small that it takes no time.

use serde_json::Value;

use crate::job::{Job, check_failure, stemseg, text};
use stemseg_testing::place::Place;

/// Stages on the CPU, in their order.
const STAGES: [&str; 12] = [
    "standardise",
    "pca",
    "label-map",
    "upload",
    "descriptors",
    "accumulate",
    "covariance",
    "project",
    "k-means",
    "segment",
    "frame",
    "k-means-million",
];

/// `stemseg bench` of the scene with `arguments`; what it prints.
#[track_caller]
fn bench(place: &Place, arguments: &[&str]) -> String {
    let sizes = ["--image", "image.npy", "--patch", "6", "--window", "6", "--device", "cpu"];
    let output = stemseg(place).arg("bench").args(sizes).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "{arguments:?}: no progress where there is no terminal");
    text(&output.stdout)
}

#[test]
fn json_has_every_stage_with_its_times_and_the_machines_limits() {
    let place = Place::with_scene();
    let printed = bench(&place, &["--repeats", "2", "--restarts", "1", "--json"]);
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(report["stemseg_version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(report["repeats"], 2);
    assert!(report["machine"]["threads"].as_u64().is_some_and(|threads| threads > 0));
    assert!(["gflops", "copy_gigabytes_per_s"].iter().all(|key| positive(&report["limits"][key])));
    assert_eq!(report["parameters"]["families"][0]["patch"]["rows"], 6);
    let rows = report["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["stage"].as_str().unwrap()).collect();
    assert_eq!(names, STAGES);
    for row in rows {
        let time = |key: &str| row[key].as_f64().unwrap();
        assert!(time("min_ms") > 0.0 && time("min_ms") <= time("median_ms"), "{row}");
        assert!(time("deviation_ms") >= 0.0 && positive(&row["megasites_per_s"]), "{row}");
        let on_image = row["stage"] != "k-means-million";
        assert_eq!(on_image, row["size"] == serde_json::json!([90, 100]), "{row}");
        assert_eq!(on_image, row["megapixels_per_s"].is_f64(), "{row}");
        assert!(["cpu", "host"].contains(&row["device"]["kind"].as_str().unwrap()), "{row}");
        assert_eq!(row["stage"] == "frame", positive(&row["frames_per_s"]), "{row}");
        assert_eq!(row["gflops"].is_f64(), row["share_of_peak"].is_f64(), "{row}");
    }
    let descriptors = &rows[4];
    assert_eq!(descriptors["sites"], 14 * 16, "margin 12, stride 5");
    assert!(positive(&descriptors["gflops"]) && positive(&descriptors["gigabytes_per_s"]));
}

fn positive(value: &Value) -> bool {
    value.as_f64().is_some_and(|value| value > 0.0)
}

#[test]
fn the_table_shows_the_stages_asked_for_and_an_earlier_run() {
    let place = Place::with_scene();
    let stages = ["--stage", "descriptors,label-map", "--repeats", "1"];
    place.write("before.json", bench(&place, &[&stages[..], &["--json"]].concat()));
    let table = bench(&place, &[&stages[..], &["--compare", "before.json"]].concat());
    for word in ["GFLOP/s", "90 x 100 px", "descriptors", "label-map", "times faster"] {
        assert!(table.contains(word), "'{word}' is not in: {table}");
    }
    assert!(!table.contains("covariance"), "{table}");
    let last = table.lines().last().unwrap().split_whitespace().last().unwrap();
    assert!(last.parse::<f64>().is_ok(), "no ratio: {table}");
    assert_eq!(bench(&place, &[&stages[..], &["--quiet"]].concat()), "");
}

#[test]
fn a_device_that_is_listed_twice_is_timed_once() {
    let place = Place::empty();
    let arguments = "bench --size 96 --stage upload --repeats 1 --device cpu,CPU --json";
    let output = stemseg(&place).args(arguments.split(' ')).output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains("listed twice"), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["rows"].as_array().unwrap().len(), 1);
}

#[test]
fn wrong_arguments_are_refused() {
    let place = Place::with_scene();
    place.write("other.json", "{}");
    let cases: [(&str, &[&str]); 10] = [
        ("--image missing.npy", &["missing.npy", "no such file"]),
        ("--image image.npy --size 64", &["--size", "--image"]),
        ("--size 80", &["80x80", "81x81"]),
        ("--size 3", &["--size 3x3"]),
        ("--size many", &["many", "whole number"]),
        ("--image image.npy --repeats 0", &["repeats = 0", "at least 1"]),
        ("--stage descriptor", &["descriptor", "the stages are", "label-map"]),
        ("--image image.npy --stride 0", &["stride", "at least 1"]),
        ("--compare other.json", &["other.json", "stemseg bench --json"]),
        ("--compare missing.json", &["missing.json", "no such file"]),
    ];
    for (arguments, words) in cases {
        let words_of = arguments.split(' ').chain(["--device", "cpu"]);
        let output = stemseg(&place).arg("bench").args(words_of).output().unwrap();
        check_failure(arguments, &output, 2, words);
    }
    let nowhere = ["bench", "--size", "96", "--device", "cpu,no such card"];
    let mut command = stemseg(&place);
    command.args(nowhere).env("WGPU_BACKEND", "vulkan").env("VK_DRIVER_FILES", "/dev/null");
    let output = command.env("VK_ICD_FILENAMES", "/dev/null").output().unwrap();
    check_failure("no such card", &output, 2, &["no graphics adapter"]);
}

#[test]
fn lengths_are_those_of_the_images_pixels() {
    let place = Place::with_scene();
    Job::new().with(&[("--pixel-size", "0.05nm"), ("--out", "r")]).succeed(&place);
    let image = place.path("r/labels.tif");
    let run = |image: &std::path::Path, size: &[&str]| {
        let arguments = ["--patch", "3A", "--window", "0.3nm", "--stride", "0.2nm"];
        let only = ["--device", "cpu", "--stage", "standardise", "--repeats", "1", "--json"];
        stemseg(&place)
            .args(["bench", "--image"])
            .arg(image)
            .args(arguments)
            .args(only)
            .args(size)
            .output()
    };
    let output = run(&image, &[]).unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: Value = serde_json::from_str(&text(&output.stdout)).unwrap();
    let parameters = &report["parameters"];
    assert_eq!(parameters["stride"], 4, "{parameters}");
    assert_eq!(parameters["families"][0]["patch"]["rows"], 6, "{parameters}");
    let plain = place.path("image.npy");
    let advice = ["the image has no pixel size", "--pixel-size 0.02nm"];
    check_failure("no pixel size", &run(&plain, &[]).unwrap(), 2, &advice);
    let given = run(&plain, &["--pixel-size", "0.05nm"]).unwrap();
    assert!(given.status.success(), "{}", text(&given.stderr));
}
