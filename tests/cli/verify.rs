//! `verify` from outside; what it compares is tested with the backends.

use serde_json::Value;

use crate::job::{check_failure, stemseg, text};
use crate::place::Place;

const SIZES: [&str; 6] = ["--patch", "6", "--window", "6", "--stride", "4"];

#[test]
fn bad_input_is_refused_like_by_segment() {
    let place = Place::with_scene();
    place.write("text.npy", "no image");
    let before = place.snapshot();
    let cases: [(&[&str], &[&str]); 6] = [
        (&["missing.npy"], &["missing.npy", "no such file"]),
        (&["text.npy"], &["text.npy", "none of the formats"]),
        (&["image.npy", "--device", "cpu"], &["device", "name an adapter"]),
        (&["image.npy", "--device", "no such card"], &["no such card"]),
        (&["image.npy", "--stride", "0"], &["stride", "at least 1"]),
        (&["image.npy", "--roi", "0:900,:"], &["rows 0:900"]),
    ];
    for (arguments, words) in cases {
        let output = stemseg(&place).arg("verify").args(arguments).output().unwrap();
        check_failure(&arguments.join(" "), &output, 2, words);
    }
    assert_eq!(place.snapshot(), before, "nothing is written");
}

#[test]
fn every_stage_is_reported() {
    if std::env::var("STEMSEG_TESTS_GPU").is_ok_and(|v| v == "off") {
        return;
    }
    let place = Place::with_scene();
    let run = |more: &[&str]| {
        let output = stemseg(&place).args(["verify", "image.npy"]).args(SIZES).args(more).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let table = run(&[]);
    let json: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    assert_eq!(json["passed"], true);
    let stages = json["stages"].as_array().unwrap();
    let names: Vec<&str> = stages.iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["descriptors", "moments", "features", "assignment"]);
    for stage in stages {
        assert!(stage["worst"].as_f64() <= stage["bound"].as_f64(), "{stage}");
        assert!(table.contains(stage["name"].as_str().unwrap()), "{table}");
    }
    assert_eq!(run(&["--quiet"]), "");
}
