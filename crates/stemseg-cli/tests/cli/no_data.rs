//! Pixels without data: not numbers, masked, far outside the range of all others, in
//! borders of one constant value.

use ndarray::{Array2, Array3, s};
use serde_json::json;

use crate::job::{Change, FLAG, Job, text};
use stemseg_testing::place::{COLS, Place, ROWS, scene};

/// The scene in whole numbers from about 3000 to 13000.
fn counts() -> Array2<u16> {
    scene(ROWS, COLS).mapv(|v| (v * 2000.0 + 8000.0) as u16)
}

/// Labels of `image.npy`, and what was said.
fn segment(place: &Place, out: &str, changes: &[Change<'_>]) -> (Array2<u8>, String) {
    let said = Job::new().set("--out", out).with(changes).succeed(place);
    (place.labels(format!("{out}/labels.npy")), text(&said.stderr))
}

/// How many labels differ where both maps have one.
fn differing(a: &Array2<u8>, b: &Array2<u8>) -> usize {
    a.iter().zip(b).filter(|(a, b)| **a != 0 && **b != 0 && a != b).count()
}

#[test]
fn pixels_that_are_no_numbers_are_left_out_and_counted() {
    let place = Place::empty();
    let mut image = scene(ROWS, COLS);
    image.slice_mut(s![..6, 40..]).fill(f32::NAN);
    image[(50, 3)] = f32::INFINITY;
    let out = |r: usize, c: usize| (r < 6 && c >= 40) || (r, c) == (50, 3);
    place.npy("image.npy", &image);
    let (labels, said) = segment(&place, "nan", &[]);
    assert!(labels.indexed_iter().all(|((r, c), &l)| (l == 0) == out(r, c)));
    assert!(
        said.contains("361 pixels (4.0 %) are NaN or infinite") && said.contains("label 0"),
        "{said}"
    );
    let input = place.json("nan/summary.json")["input"].clone();
    assert_eq!(input["non_finite"], json!({ "rule": "mask", "pixels": 361 }));
    let areas = place.json("nan/summary.json")["labels"].clone();
    let pixels = areas.as_array().unwrap().iter().map(|label| label["pixels"].as_u64().unwrap());
    assert_eq!(pixels.sum::<u64>(), (ROWS * COLS) as u64 - 361, "they have no area");
    // What a mask says of them is the same.
    place.mask("mask.npy", |r, c| !out(r, c));
    let (masked, _) = segment(&place, "masked", &[("--mask", "mask.npy"), ("--nan", "fail")]);
    assert_eq!(labels, masked);
}

#[test]
fn an_image_with_little_or_no_data_ends_in_labels_or_in_one_sentence() {
    let place = Place::empty();
    let scene = scene(ROWS, COLS);
    let only = |keep: &dyn Fn((usize, usize)) -> bool| {
        Array2::from_shape_fn(scene.dim(), |at| if keep(at) { scene[at] } else { f32::NAN })
    };
    place.npy("some.npy", &only(&|(r, c)| (r * 31 + c * 17) % 100 == 0));
    place.npy("stripe.npy", &only(&|(r, _)| (40..46).contains(&r)));
    place.npy("one.npy", &only(&|at| at == (45, 50)));
    place.npy("two.npy", &only(&|at| at == (45, 50) || at == (3, 3)));
    place.npy("none.npy", &only(&|_| false));
    Job::new().image("none.npy").refused(&place, "none", &["none.npy", "no pixel", "finite"]);
    Job::new().image("one.npy").refused(&place, "one", &["one.npy", "constant"]);
    let nowhere = ["-k 2", "0 sites where the image has data"];
    Job::new().image("two.npy").refused(&place, "two", &nowhere);
    for name in ["some.npy", "stripe.npy", "two.npy", "one.npy", "none.npy"] {
        for job in [Job::new(), Job::automatic(), Job::automatic().set("-k", "auto")] {
            let output = job.image(name).force().run(&place);
            let said = text(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 2)), "{name}: {said}");
            assert!(!said.contains("panicked"), "{name}: {said}");
        }
    }
    let warned = Job::new().image("some.npy").force().run(&place);
    assert!(text(&warned.stderr).contains("99.0 %"), "{}", text(&warned.stderr));
}

#[test]
fn saturated_rows_hot_pixels_and_sentinels_are_labelled_from_their_surroundings() {
    let place = Place::empty();
    place.npy("image.npy", &counts());
    let (plain, said) = segment(&place, "plain", &[]);
    assert!(!said.contains("range"), "{said}");
    let mut image = counts().mapv(u32::from);
    image.slice_mut(s![44..46, ..]).fill(u32::from(u16::MAX));
    image.slice_mut(s![60..80, 30]).fill(u32::MAX);
    image[(20, 77)] = u32::MAX;
    place.npy("image.npy", &image);
    let (labels, said) = segment(&place, "found", &[]);
    assert!(
        said.contains("221 pixels (2.5 %) are far outside the range")
            && said.contains("row 20, column 77"),
        "{said}"
    );
    assert!(labels.iter().all(|&label| label > 0));
    assert!(differing(&plain, &labels) <= 90, "{}", differing(&plain, &labels));
    let input = place.json("found/summary.json")["input"].clone();
    assert_eq!(input["outliers"], json!({ "rule": "auto", "pixels": 221, "constant": 0 }));
    // Taken as they are they are all that counts.
    let (kept, said) = segment(&place, "kept", &[("--outliers", "keep")]);
    assert!(!said.contains("range") && differing(&plain, &kept) > 900, "{said}");
    let input = place.json("kept/summary.json")["input"].clone();
    assert_eq!(input["outliers"], json!({ "rule": "keep", "pixels": 0, "constant": 0 }));
}

#[test]
fn constant_borders_and_corners_have_no_label() {
    let place = Place::empty();
    let out = |r: usize, c: usize| r >= 82 || c + 2 * r < 40;
    let image =
        Array2::from_shape_fn((ROWS, COLS), |(r, c)| if out(r, c) { 0 } else { counts()[(r, c)] });
    place.npy("image.npy", &image);
    let (labels, said) = segment(&place, "found", &[]);
    assert!(labels.indexed_iter().all(|((r, c), &l)| (l == 0) == out(r, c)));
    let constant = labels.iter().filter(|&&label| label == 0).count();
    assert!(
        said.contains(&format!("{constant} pixels")) && said.contains("one constant value"),
        "{said}"
    );
    let summary = place.json("found/summary.json");
    assert_eq!(summary["input"]["outliers"]["constant"], constant);
    // More than a tenth of the image, and nobody asked for it.
    assert_eq!(summary["warnings"][0]["code"], "no-data", "{}", summary["warnings"]);
    assert_eq!(summary["warnings"][0]["numbers"]["pixels"], constant as f64);
    let (kept, _) = segment(&place, "kept", &[("--outliers", "keep")]);
    assert!(kept.iter().all(|&label| label > 0));
}

#[test]
fn a_mask_says_what_it_takes_out_and_may_mean_the_opposite() {
    let place = Place::with_scene();
    let keep = |r: usize, c: usize| r >= 9 || c < 50;
    place.mask("out.npy", keep);
    place.mask("in.npy", |r, c| !keep(r, c));
    let (labels, said) = segment(&place, "out", &[("--mask", "out.npy")]);
    assert!(said.contains("the mask out.npy takes out 450 pixels (5.0 %)"), "{said}");
    let (inverted, said) = segment(&place, "in", &[("--mask", "in.npy"), ("--mask-invert", FLAG)]);
    assert!(said.contains("the inverted mask in.npy takes out 450 pixels (5.0 %)"), "{said}");
    assert_eq!(labels, inverted);
    let summaries =
        ["out", "in"].map(|out| place.json(format!("{out}/summary.json"))["input"].clone());
    assert_eq!(summaries.clone().map(|input| input["mask_inverted"].clone()), [false, true]);
    assert_eq!(summaries.map(|input| input["masked"].clone()), [450, 450]);
    Job::new().set("--mask-invert", FLAG).force().refused(&place, "no mask", &["--mask <FILE>"]);
    place.mask("none.npy", |_, _| true);
    let nothing = Job::new().with(&[("--mask", "none.npy"), ("--mask-invert", FLAG)]).force();
    nothing.refused(
        &place,
        "nothing counts",
        &["none.npy", "leaves no pixel", "count with --mask-invert"],
    );
}

#[test]
fn the_mean_of_frames_is_that_of_the_frames_with_a_value() {
    let place = Place::empty();
    let scene = scene(ROWS, COLS);
    // Frames that drift out of the picture, the first row out of all.
    let stack = Array3::from_shape_fn((3, ROWS, COLS), |(f, r, c)| {
        if r <= 2 * f || r == 0 { f32::NAN } else { scene[(r, c)] }
    });
    place.npy("image.npy", &stack);
    let (labels, said) = segment(&place, "mean", &[("--frame", "mean")]);
    assert!(labels.indexed_iter().all(|((r, _), &l)| (l == 0) == (r == 0)), "{labels}");
    assert!(
        said.contains("400 pixels are the mean of those that have one, 100 have none"),
        "{said}"
    );
    let mut masked = scene;
    masked.row_mut(0).fill(f32::NAN);
    place.npy("image.npy", &masked);
    assert_eq!(segment(&place, "single", &[]).0, labels);
}
