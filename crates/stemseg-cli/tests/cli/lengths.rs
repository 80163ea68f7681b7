//! Lengths with units, and sizes of pixels.

use serde_json::Value;

use crate::job::{GONE, Job, text};
use stemseg_report::area::Area;
use stemseg_testing::place::Place;

const SIZE: (&str, &str) = ("--pixel-size", "0.02nmx0.04nm");

fn parameters(place: &Place, changes: &[(&str, &str)]) -> Value {
    Job::new().with(changes).force().succeed(place);
    place.json("image.stemseg/summary.json")["parameters"].clone()
}

#[test]
fn lengths_mean_the_same_as_their_px() {
    let place = Place::with_scene();
    let px =
        parameters(&place, &[("--patch", "8x4"), ("--window", "6x3"), ("--stride", "5"), SIZE]);
    let nm = [("--patch", "0.16nm"), ("--window", "1.2Ax120pm"), ("--stride", "0.1nm"), SIZE];
    assert_eq!(parameters(&place, &nm), px, "the stride is that of the finer axis");

    let symmetry = |radius, inner, period, window| {
        [
            ("--descriptor", "glide+reflection"),
            ("--patch", GONE),
            ("--axes", "2"),
            ("--radius", radius),
            ("--inner-stride", inner),
            ("--glide-period", period),
            ("--window", window),
            SIZE,
        ]
    };
    let px = parameters(&place, &symmetry("6", "2", "6,12", "8x4"));
    assert_eq!(parameters(&place, &symmetry("0.12nm", "40pm", "0.24nm", "0.16nm")), px);
}

#[test]
fn translations_may_be_lengths() {
    let place = Place::with_scene();
    place.write("px.txt", "0 6\n-4 2\n");
    place.write("nm.txt", "0 0.24nm\n-0.8A 2\n");
    let list = |file| [("--window", GONE), ("--translations", file), SIZE];
    assert_eq!(parameters(&place, &list("nm.txt")), parameters(&place, &list("px.txt")));
    let without = [("--window", GONE), ("--translations", "nm.txt")];
    let words = ["--translations 0.24nm", "no pixel size", "--pixel-size"];
    Job::new().with(&without).force().refused(&place, "no pixel size", &words);
}

#[test]
fn lengths_of_an_image_without_pixel_size_are_refused() {
    let place = Place::with_scene();
    for option in ["patch", "window", "stride"] {
        let words = [&*format!("--{option} 0.4nm"), "no pixel size in nm", "--pixel-size 0.02nm"];
        Job::new().set(&format!("--{option}"), "0.4nm").refused(&place, option, &words);
    }
    let refused = |name: &str, value: &str, words: &[&str]| {
        Job::new().set(SIZE.0, SIZE.1).set(name, value).refused(&place, value, words);
    };
    refused("--patch", "0.001nm", &["--patch 0.001nm", "less than half a pixel"]);
    refused("--patch", "3mrad", &["'mrad' is not a unit of length"]);
    refused("--patch", "1m", &["larger than any image"]);
    refused("--pixel-size", "0.02", &["'0.02' has no unit", "0.015nm"]);
    refused("--pixel-size", "0nm", &["not a pixel size"]);
}

#[test]
fn results_are_in_nm_along_each_axis() {
    let place = Place::with_scene();
    let output = Job::new().set(SIZE.0, SIZE.1).succeed(&place);
    let summary = place.json("image.stemseg/summary.json");
    let size = &summary["input"]["pixel_size_nm"];
    assert_eq!((size["rows"].as_f64(), size["cols"].as_f64()), (Some(0.02), Some(0.04)));
    let labels = summary["labels"].as_array().unwrap();
    for label in labels {
        let expected = label["pixels"].as_f64().unwrap() * 0.02 * 0.04;
        assert!((label["area_nm2"].as_f64().unwrap() / expected - 1.0).abs() < 1e-12, "{label}");
    }
    let number = |name: &str| labels[0][name].as_f64().unwrap();
    let (nm2, uncertainty_nm2) = (number("area_nm2"), number("area_uncertainty_nm2"));
    // A boundary of 90 rows of 0.02 nm, and sites every 4 px.
    assert!((uncertainty_nm2 / (90.0 * 0.02 * 2.0 * 0.028) - 1.0).abs() < 0.5, "{uncertainty_nm2}");
    let area = format!("({})", Area { nm2, uncertainty_nm2 }.plain());
    assert!(text(&output.stdout).contains(&area), "{}", text(&output.stdout));
    for name in ["labels.tif", "confidence.tif"] {
        let (_, entries) =
            stemseg_files::read::list(&place.path(format!("image.stemseg/{name}"))).unwrap();
        let size = entries[0].pixel_size().unwrap();
        assert_eq!((size.rows, size.cols), (0.02, 0.04), "{name}");
    }
}

#[test]
fn small_areas_have_a_unit_that_suits() {
    let place = Place::with_scene();
    let output = Job::new().set("--pixel-size", "0.1pm").succeed(&place);
    let said = text(&output.stdout);
    assert!(said.contains(" pm^2)") && !said.contains("0.0000"), "{said}");
}

#[test]
fn a_pixel_size_replaces_that_of_the_file() {
    let place = Place::with_scene();
    Job::new().set("--pixel-size", "0.5A").succeed(&place);
    let again = Job::new().image("image.stemseg/confidence.tif").set("--out", "again");
    again.succeed(&place);
    let size = |folder: &str| {
        let summary = place.json(format!("{folder}/summary.json"));
        summary["input"]["pixel_size_nm"]["rows"].as_f64()
    };
    assert_eq!(size("again"), Some(0.05));
    again.set("--pixel-size", "2nm").force().succeed(&place);
    assert_eq!(size("again"), Some(2.0));
}
