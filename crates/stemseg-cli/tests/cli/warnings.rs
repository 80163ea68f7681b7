//! Warnings: on stderr, in the summary, the report and the table.

use ndarray::Array2;
use serde_json::Value;

use crate::job::{FLAG, Job, text};
use stemseg_testing::place::Place;

/// White noise, in which nothing repeats.
fn noise(rows: usize, cols: usize) -> Array2<f32> {
    let mut state = 11_u64;
    Array2::from_shape_fn((rows, cols), |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f32 / (1 << 24) as f32
    })
}

fn codes(summary: &Value) -> Vec<&str> {
    let all = summary["warnings"].as_array().unwrap();
    all.iter().map(|warning| warning["code"].as_str().unwrap()).collect()
}

#[test]
fn noise_has_no_lattice_and_its_labels_are_not_sure() {
    let place = Place::empty();
    place.npy("image.npy", &noise(200, 180));
    let output = Job::automatic().succeed(&place);
    let summary = place.json("image.stemseg/summary.json");
    assert!(codes(&summary).contains(&"no-lattice"), "{:#}", summary["warnings"]);
    assert_eq!(summary["lattice"]["period_source"], "none");
    assert!(summary["lattice"]["period_px"].is_null());
    let confidence = summary["confidence"]["mean"].as_f64().unwrap();
    assert!(confidence <= 0.5, "{confidence}");
    // The same sentence everywhere, but that settings are options on the terminal.
    let sentence = summary["warnings"][0]["text"].as_str().unwrap();
    let said = text(&output.stderr);
    let as_options = sentence.replace("give period", "give --period");
    assert!(sentence != as_options && said.contains(&format!("warning: {as_options}")), "{said}");
    let page = text(&place.bytes("image.stemseg/report.html"));
    let top = page.split("<section").next().unwrap();
    assert!(top.contains("class=\"warnings\"") && top.contains(sentence), "{sentence}");
    // Programs that take only what is sure get nothing.
    Job::automatic().set("--min-confidence", "0.6").force().succeed(&place);
    let labels = place.labels("image.stemseg/labels.npy");
    assert!(labels.iter().all(|&label| label == 0));
}

#[test]
fn sizes_and_settings_that_cannot_be_are_warned_of() {
    let place = Place::with_scene();
    let of = |changes: &[(&str, &str)]| {
        Job::new().with(changes).force().succeed(&place);
        place.json("image.stemseg/summary.json")
    };
    assert_eq!(codes(&of(&[])), [""; 0]);
    assert_eq!(codes(&of(&[("--pixel-size", "20nm")])), ["pixel-size"]);
    assert_eq!(codes(&of(&[("--pixel-size", "0.9nm")])), ["period"]);
    let summary = of(&[("--patch", "1"), ("--window", "2"), ("--stride", "2")]);
    assert_eq!(codes(&summary)[0], "settings", "{:#}", summary["warnings"]);
    assert!(summary["warnings"][0]["numbers"]["period_px"].as_f64().unwrap() > 3.0);
}

#[test]
fn the_table_says_period_source_and_codes() {
    let place = Place::with_scene();
    place.npy("noise.npy", &noise(200, 180));
    let job = Job::automatic().images(&["image.npy", "noise.npy"]);
    let job = job.with(&[("--table", "t.csv"), ("--no-report", FLAG)]);
    job.succeed(&place);
    let mut table = csv::Reader::from_path(place.path("t.csv")).unwrap();
    let header = table.headers().unwrap().clone();
    let lines: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let cell = |line: usize, name: &str| {
        let column = header.iter().position(|column| column == name).unwrap();
        lines[line][column].to_owned()
    };
    assert_eq!((cell(0, "k_source"), cell(0, "period_source")), ("given".into(), "found".into()));
    assert!(cell(0, "period_px").parse::<f64>().unwrap() > 3.0);
    assert_eq!((cell(1, "period_px"), cell(1, "period_source")), (String::new(), "none".into()));
    assert!(cell(1, "warnings").split(';').any(|code| code == "no-lattice"), "{lines:?}");
}

#[test]
fn several_numbers_of_patterns_are_warned_of_each() {
    let place = Place::with_scene();
    let output = Job::new().set("-k", "2,6").succeed(&place);
    let said = text(&output.stderr);
    assert!(said.contains("warning: k = 6: patterns "), "{said}");
    assert!(!said.contains("k = 2"), "{said}");
    assert!(codes(&place.json("image.stemseg/k6/summary.json")).contains(&"no-gap"));
    assert_eq!(codes(&place.json("image.stemseg/k2/summary.json")), [""; 0]);
}
