//! Families, their options, and what `info` says of lattices.

use crate::job::{GONE, Job, stemseg, text};
use stemseg_testing::place::Place;

/// Options with their values.
type Options<'a> = &'a [(&'a str, &'a str)];

/// The job with `families` instead, small enough for the scene, and its summary.
fn run(place: &Place, families: &str, options: Options<'_>) -> serde_json::Value {
    let mut names = families.split(['+', '*', ' ']);
    let uses_patch = names.any(|name| ["translation", "intensity"].contains(&name));
    let patch = if uses_patch { "6" } else { GONE };
    let job = Job::new().set("--descriptor", families).set("--patch", patch).with(options);
    job.set("--out", "out").force().succeed(place);
    place.json("out/summary.json")
}

#[test]
fn every_family_segments() {
    let place = Place::with_scene();
    let small: Options<'_> = &[("--radius", "5")];
    let polar: Options<'_> = &[("--radius", "12"), ("--pool-top", "4")];
    let glide: Options<'_> = &[("--radius", "12"), ("--glide-period", "6")];
    let mean: Options<'_> =
        &[("--radius", "5"), ("--pool", "power-mean"), ("--pool-width", "2.5"), ("--window", GONE)];
    let pairs: Options<'_> =
        &[("--pair-width", "6.5"), ("--pair-spacing", "3px"), ("--window", GONE)];
    let rows: [(&str, Options<'_>, u64); 9] = [
        ("rotation", polar, 16),
        ("reflection", polar, 40),
        ("glide", glide, 100),
        ("harmonic", small, 186),
        ("harmonic", mean, 186),
        ("centred-translation", pairs, 24),
        ("power-spectrum", &[("--spectrum", "full"), ("--spectrum-scale", "linear")], 169),
        ("power-spectrum", &[], 85),
        ("intensity", &[("--window", GONE)], 2),
    ];
    for (family, options, channels) in rows {
        let summary = run(&place, family, options);
        assert_eq!(summary["descriptors"]["channels"], channels, "{family}");
        assert_eq!(summary["descriptors"]["families"][0], family);
        assert_eq!(summary["parameters"]["families"][0]["family"], family);
    }
}

#[test]
fn families_are_joined_and_weighted() {
    let place = Place::with_scene();
    let options = [("--radius", "5"), ("--orders", "2,3"), ("--rings", "2"), ("--angles", "4")];
    let summary = run(&place, "translation*2 + harmonic", &options);
    assert_eq!(summary["descriptors"]["channels"], 49 + 16);
    assert_eq!(summary["parameters"]["weights"], serde_json::json!([2.0, 1.0]));
    // Margins of 12 px for translations, 11 for harmonics.
    assert_eq!(summary["descriptors"]["grid"]["margin"]["rows"], 12);
    let variance: f64 = summary["pca"]["explained_variance"]
        .as_array()
        .unwrap()
        .iter()
        .zip(summary["pca"]["explained_variance_ratio"].as_array().unwrap())
        .map(|(v, share)| v.as_f64().unwrap() / share.as_f64().unwrap())
        .next()
        .unwrap();
    assert!((variance - 5.0).abs() < 1e-6, "2^2 + 1^2, not {variance}");
}

#[test]
fn what_cannot_be_is_refused_with_a_sentence() {
    let place = Place::with_scene();
    let mean = ("--pool", "power-mean");
    let rows: [(&str, Options<'_>, &[&str]); 18] = [
        ("translation+rotations", &[], &["--descriptor rotations", "power-spectrum"]),
        ("translation+translation", &[], &["--descriptor translation", "twice"]),
        ("translation*0", &[], &["--descriptor translation*0", "above 0"]),
        ("translation*x", &[], &["a weight is a number"]),
        ("translation", &[("--radius", "9")], &["--radius is an option of rotation"]),
        ("translation", &[("--folds", "2")], &["--folds is an option of rotation"]),
        ("translation", &[("--spectrum", "full")], &["--spectrum is an option of power-spectrum"]),
        ("translation+rotation", &[("--folds", "1")], &["--folds 1", "at least 2-fold"]),
        ("translation+rotation", &[("--folds", "2,2")], &["--folds 2", "twice"]),
        ("translation+rotation", &[("--inner-stride", "40")], &["--inner-stride 40", "at most 13"]),
        ("translation+glide", &[("--glide-period", "1,2")], &["glide-period", "10: one each"]),
        ("translation", &[mean], &["--pool is an option of harmonic"]),
        (
            "translation+harmonic",
            &[("--pool-width", "3")],
            &["pool-width", "add --pool power-mean"],
        ),
        (
            "harmonic",
            &[mean, ("--window", "9"), ("--patch", GONE)],
            &["--window 9", "follows from --pool-width"],
        ),
        (
            "translation+harmonic",
            &[mean, ("--pool-width", "0.1")],
            &["--pool-width 0.1", "give 0.5"],
        ),
        (
            "translation+centred-translation",
            &[("--pair-width", "-1")],
            &["--pair-width -1", "give 0.5"],
        ),
        ("translation+harmonic", &[("--orders", "99")], &["--orders 99", "no such order"]),
        ("translation+rotation", &[("--pool-top", "0")], &["--pool-top 0", "at least 1"]),
    ];
    for (families, options, words) in rows {
        let radius = match families.contains("rotation") || families.contains("glide") {
            true if !options.iter().any(|o| o.0 == "--radius") => "8",
            _ => GONE,
        };
        let job = Job::new().set("--descriptor", families).set("--radius", radius);
        job.with(options).refused(&place, families, words);
    }
}

/// Shape and mean of a TIFF of floats.
fn tiff(place: &Place, name: &str) -> ([u32; 2], f32) {
    let file = std::io::Cursor::new(place.bytes(name));
    let mut decoder = tiff::decoder::Decoder::new(file).unwrap();
    let (width, height) = decoder.dimensions().unwrap();
    let tiff::decoder::DecodingResult::F32(values) = decoder.read_image().unwrap() else {
        panic!("{name} holds no f32")
    };
    ([height, width], values.iter().sum::<f32>() / values.len() as f32)
}

#[test]
fn maps_are_saved_with_what_they_are() {
    let place = Place::with_scene();
    let options = [("--radius", "12"), ("--inner-stride", "3"), ("--folds", "2,3")];
    let job = Job::new().set("--descriptor", "rotation+reflection").set("--patch", GONE);
    let job = job.with(&options).set("--save", "maps").set("--out", "out");
    job.succeed(&place);
    let list = place.json("out/maps/maps.json");
    let names: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|map| map["files"].as_array().unwrap())
        .map(|file| file["file"].as_str().unwrap())
        .collect();
    let expected = [
        "rotation_best.tif",
        "rotation_order.tif",
        "rotation_2-fold.tif",
        "rotation_3-fold.tif",
        "reflection_best.tif",
        "reflection_angle.tif",
    ];
    assert_eq!(names, expected);
    // 90 x 100 px less 12 px on each side, every 3 px.
    assert_eq!(list[0]["shape"], serde_json::json!([22, 26]));
    assert_eq!(list[0]["first_px"], serde_json::json!({ "row": 12, "col": 12 }));
    for name in names {
        let (shape, mean) = tiff(&place, &format!("out/maps/{name}"));
        assert_eq!(shape, [22, 26], "{name}");
        let most = if name.ends_with("angle.tif") { 180.0 } else { 3.0 };
        assert!(mean != 0.0 && mean.abs() < most, "{name}: {mean}");
    }
    assert!(!place.path("out/site_labels.npy").exists(), "maps are not of sites");
    let job = Job::new().set("--save", "maps");
    job.refused(&place, "--save maps", &["rotation, reflection, glide", "--descriptor"]);
}

#[test]
fn a_radius_too_large_is_answered_with_one_that_fits() {
    let place = Place::with_scene();
    let job = Job::new().set("--descriptor", "rotation").set("--patch", GONE);
    let job = job.with(&[("--radius", "50")]);
    job.refused(&place, "radius 50", &["radius and window", "these would fit: --radius"]);
}

#[test]
fn info_says_what_repeats() {
    let place = Place::with_scene();
    let output = stemseg(&place).args(["info", "image.npy", "--lattice"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.starts_with("image.npy: npy, 1 image\n") && said.contains("90 x 100"), "{said}");
    assert!(said.contains("lattice"), "{said}");
    let output =
        stemseg(&place).args(["info", "image.npy", "--lattice", "--json"]).output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["images"][0]["shape"], serde_json::json!([90, 100]));
    assert!(value["lattices"].is_array(), "{value}");
}
