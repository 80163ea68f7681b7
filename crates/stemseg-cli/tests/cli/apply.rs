//! `stemseg apply`, `--like` and `--model`: the patterns of one result or image in others.

use ndarray::{Array2, Array3, s};
use serde_json::{Value, json};
use stemseg::sites::Extent;
use stemseg_simulate::{Scene, Settings, simulate};
use stemseg_testing::place::Place;

use crate::job::{FLAG, GONE, Job, check_failure, stemseg, text};

/// Two grains, as `image.npy`, and their result in `image.stemseg`.
fn fitted() -> (Place, Array2<f32>) {
    let place = Place::empty();
    let settings = Settings { size: Extent::square(240), seed: 4, ..Default::default() };
    let scene = Scene::new("tilt-boundary", &[], None).unwrap();
    let image = simulate(&scene, &settings, &stemseg::Silent).unwrap().image;
    place.npy("image.npy", &image);
    Job::automatic().succeed(&place);
    (place, image)
}

/// `stemseg apply` on the CPU.
fn apply(place: &Place, arguments: &[&str]) -> std::process::Output {
    let mut command = stemseg(place);
    command.args(["apply", "--device", "cpu"]).args(arguments).output().unwrap()
}

#[track_caller]
fn applied(place: &Place, arguments: &[&str]) -> String {
    let output = apply(place, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Share of the pixels that have other labels.
fn other(one: &Array2<u8>, two: &Array2<u8>) -> f64 {
    assert_eq!(one.dim(), two.dim());
    one.iter().zip(two).filter(|(a, b)| a != b).count() as f64 / one.len() as f64
}

#[test]
fn numbers_stay_in_halves_and_in_what_is_enlarged() {
    let (place, image) = fitted();
    let whole = place.labels("image.stemseg/labels.npy");
    applied(&place, &["--model", "image.stemseg", "image.npy", "--out", "again"]);
    assert!(other(&whole, &place.labels("again/labels.npy")) < 0.001);
    for (name, roi, half) in
        [("left", "0:240,0:120", s![.., ..120]), ("right", "0:240,120:240", s![.., 120..])]
    {
        applied(&place, &["--model", "image.stemseg", "image.npy", "--roi", roi, "--out", name]);
        let share =
            other(&whole.slice(half).to_owned(), &place.labels(format!("{name}/labels.npy")));
        assert!(share < 0.06, "{name}: {share}");
    }
    // Three pixels for two, linear in between.
    let at = |x: usize| ((2 * x / 3).min(238), (x * 2 % 3) as f32 / 3.0);
    let enlarged = Array2::from_shape_fn((360, 360), |(r, c)| {
        let ((i, down), (j, along)) = (at(r), at(c));
        let row = |i: usize| image[(i, j)] * (1.0 - along) + image[(i, j + 1)] * along;
        row(i) * (1.0 - down) + row(i + 1) * down
    });
    place.npy("large.npy", &enlarged);
    applied(&place, &["--model", "image.stemseg", "large.npy"]);
    let large = place.labels("large.stemseg/labels.npy");
    let back = Array2::from_shape_fn((240, 240), |(r, c)| large[(3 * r / 2, 3 * c / 2)]);
    assert!(other(&whole, &back) < 0.04, "{}", other(&whole, &back));
}

#[test]
fn frames_of_a_stack_have_the_same_numbers() {
    let (place, image) = fitted();
    // The second frame is the first one turned: what was on the left is on the right.
    let turned = image.slice(s![.., ..;-1]).to_owned();
    let mut stack = Array3::zeros((2, 240, 240));
    stack.slice_mut(s![0, .., ..]).assign(&image);
    stack.slice_mut(s![1, .., ..]).assign(&turned);
    place.npy("film.npy", &stack);
    let model = ["--model", "image.stemseg/model.json", "film.npy"];
    for frame in ["0", "1"] {
        applied(&place, &[&model[..], &["--frame", frame, "--out", &format!("f{frame}")]].concat());
    }
    let first = place.labels("f0/labels.npy");
    assert!(other(&place.labels("image.stemseg/labels.npy"), &first) < 0.001);
    // Mirror images of the grains are each other, except for the course of their boundary.
    let second = place.labels("f1/labels.npy");
    assert!(other(&first, &second) < 0.2, "{}", other(&first, &second));
}

#[test]
fn like_does_what_apply_does() {
    let (place, _) = fitted();
    applied(&place, &["--model", "image.stemseg/summary.json", "image.npy", "--out", "applied"]);
    let like = |value: &str| {
        Job::automatic().set("-k", GONE).set("--like", value).set("--out", "like").force()
    };
    like("image.stemseg").succeed(&place);
    assert_eq!(place.bytes("like/labels.npy"), place.bytes("applied/labels.npy"));
    // The model itself goes on from result to result.
    let model = place.json("image.stemseg/model.json");
    assert_eq!(place.json("like/model.json"), model);
    let summary = place.json("like/summary.json");
    assert!(summary["model"]["path"].as_str().unwrap().ends_with("model.json"));
    assert_eq!(summary["model"]["sha256"].as_str().unwrap().len(), 64);
    let notes = summary["notes"].to_string();
    assert!(notes.contains("labelled by the 2 patterns of image.stemseg/model.json"), "{notes}");
    like("like/model.json").set("--out", "once_more").succeed(&place);
    assert_eq!(place.bytes("once_more/labels.npy"), place.bytes("like/labels.npy"));
    for (option, value) in [
        ("--descriptor", "harmonic"),
        ("-k", "2"),
        ("--preset", "auto"),
        ("--restarts", "3"),
        ("--order", "size"),
        ("--glide-period", "3"),
    ] {
        let job = like("image.stemseg").set("--out", "x").set(option, value);
        job.refused(&place, option, &["--like", "cannot be used with"]);
    }
}

#[test]
fn images_share_the_labels_of_the_first_or_of_all() {
    let (place, image) = fitted();
    place.folder("two");
    place.npy("two/a.npy", &image);
    place.npy("two/b.npy", &image.slice(s![.., ..;-1]).to_owned());
    let run = |model: &str, out: &str, more: &[&str]| {
        let arguments = ["segment", "--device", "cpu", "--no-report", "two", "-k", "2"];
        let more = [&["--model", model, "--out", out], more].concat();
        stemseg(&place).args(arguments).args(more).output().unwrap()
    };
    for model in ["first", "all"] {
        let output = run(model, model, &[]);
        let said = text(&output.stderr);
        assert!(output.status.success(), "{said}");
        let fitted = if model == "all" { "fitted to 2 images" } else { "fitted to two/a.npy" };
        assert!(said.contains(fitted), "{said}");
        let labels =
            ["a", "b"].map(|name| place.labels(format!("{model}/{name}.stemseg/labels.npy")));
        // The grains of the mirror image are on its other side, with numbers of their own only where
        // each image is by itself.
        let share = other(&labels[0], &labels[1]);
        let mirrored = other(&labels[0], &labels[1].slice(s![.., ..;-1]).to_owned());
        assert!(share < 0.25 || mirrored < 0.25, "{model}: {share} {mirrored}");
        let models =
            ["a", "b"].map(|name| place.bytes(format!("{model}/{name}.stemseg/model.json")));
        assert!(models[0] == models[1], "{model}");
    }
    // What was fitted to the first is what is fitted to it alone.
    let alone = place.labels("image.stemseg/labels.npy");
    assert!(other(&alone, &place.labels("first/a.stemseg/labels.npy")) < 0.01);
    // The same again is kept.
    let again = run("first", "first", &["--resume"]);
    assert!(
        again.status.success() && text(&again.stderr).contains("2 "),
        "{}",
        text(&again.stderr)
    );
    for (arguments, words) in [
        (&["--model", "all", "-k", "2,3"][..], "one number of patterns"),
        (&["--model", "image.stemseg", "-k", "2"], "'--model <RESULT>' cannot be used with"),
        (&["--model", "image.stemseg", "--stride", "3"], "cannot be used with '--stride"),
        (&["--model", "all", "--like", "image.stemseg"], "cannot be used with"),
        (&["--model", "nothing"], "there is no such model or result"),
    ] {
        let output = stemseg(&place).args(["segment", "two"]).args(arguments).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    // A result is the same as with --like.
    let like = stemseg(&place)
        .args(["segment", "image.npy", "--device", "cpu", "--no-report"])
        .args(["--model", "image.stemseg", "--out", "like"])
        .output()
        .unwrap();
    assert!(like.status.success(), "{}", text(&like.stderr));
    assert!(other(&alone, &place.labels("like/labels.npy")) < 0.001);
}

#[test]
fn a_model_that_is_none_or_does_not_fit_is_refused() {
    let (place, _) = fitted();
    let refused = |model: &str, more: &[&str], words: &[&str]| {
        let arguments = [&["--model", model, "image.npy", "--out", "x"], more].concat();
        let before = place.snapshot();
        check_failure(model, &apply(&place, &arguments), 2, words);
        assert!(place.snapshot() == before, "{model}: it wrote something");
    };
    refused("no.json", &[], &["no.json"]);
    let model = text(&place.bytes("image.stemseg/model.json"));
    place.write("cut.json", &model[..model.len() / 2]);
    refused("cut.json", &[], &["cut.json", "not JSON"]);
    let changed = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&model).unwrap();
        change(&mut value);
        place.write(name, value.to_string());
    };
    changed("newer.json", &|model| model["format"] = json!(99));
    refused("newer.json", &[], &["newer.json", "format 99", "reads format", "newer stemseg"]);
    changed("other.json", &|model| model["channels"][0] = json!("colour"));
    refused("other.json", &[], &["other.json", "'colour'"]);
    changed("nan.json", &|model| model["patterns"][0]["centroid"][0] = json!(null));
    refused("nan.json", &[], &["nan.json"]);
    place.write("text.json", "{\"a\": 1}");
    refused("text.json", &[], &["text.json", "not a stemseg model"]);
    // Of two numbers of patterns nobody knows which is meant.
    Job::automatic().set("-k", "2,3").set("--out", "two").set("--no-report", FLAG).succeed(&place);
    refused("two", &[], &["two", "k2/model.json"]);
    refused("two/summary.json", &[], &["two", "k2/model.json"]);
    changed("sized.json", &|model| model["pixel_size_nm"] = json!({"rows": 0.02, "cols": 0.02}));
    refused("sized.json", &["--pixel-size", "0.05nm"], &["sized.json", "nm", "more than 30 % off"]);
    let own = ["--model", "sized.json", "image.npy", "--out", "x", "--pixel-size", "0.05nm"];
    applied(&place, &[&own[..], &["--scale", "own"]].concat());
}

#[test]
fn results_of_another_model_are_not_kept() {
    let (place, _) = fitted();
    let model = text(&place.bytes("image.stemseg/model.json"));
    let mut value: Value = serde_json::from_str(&model).unwrap();
    value["patterns"][0]["name"] = json!("grain\u{1b}[31m");
    value["patterns"][1]["name"] = json!("twin");
    place.write("named.json", value.to_string());
    let arguments = ["--model", "named.json", "image.npy", "--out", "x", "--resume"];
    let said = applied(&place, &arguments);
    assert!(said.contains("1 (grain\\u{1b}[31m): ") && said.contains("2 (twin): "), "{said}");
    assert_eq!(place.json("x/summary.json")["labels"][1]["name"], "twin");
    assert!(applied(&place, &arguments).contains("kept"));
    value["patterns"][1]["name"] = json!("matrix");
    place.write("named.json", value.to_string());
    check_failure("another model", &apply(&place, &arguments), 2, &["model was"]);
}
