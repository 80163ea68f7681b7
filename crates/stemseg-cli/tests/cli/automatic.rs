//! The settings that the image chooses, and what changes them.

use ndarray::{Array2, s};
use serde_json::{Value, json};

use crate::job::{Change, FLAG, GONE, Job, text};
use crate::result::floats;
use stemseg_testing::place::{COLS, Place, ROWS, scene};

/// Runs the automatic job into the folder `out` and gives its label map and parameters.
#[track_caller]
fn run(place: &Place, out: &str, changes: &[Change<'_>]) -> (Array2<u8>, Value) {
    Job::automatic().with(changes).set("--out", out).succeed(place);
    let summary = place.json(format!("{out}/summary.json"));
    (place.labels(format!("{out}/labels.npy")), summary["parameters"].clone())
}

#[test]
fn sizes_follow_from_the_lattices_of_the_image() {
    let place = Place::with_scene();
    let output = Job::automatic().succeed(&place);
    let summary = place.json("image.stemseg/summary.json");
    let parameters = &summary["parameters"];
    let period = parameters["sampling"]["period"].as_f64().unwrap();
    assert!((5.0..8.0).contains(&period), "{period}");
    // One column to a cell.
    assert_eq!(parameters["sampling"]["target"], 14.0);
    assert_eq!(parameters["reduce"], "maf");
    assert_eq!(summary["descriptors"]["families"], json!(["centred-translation", "harmonic"]));
    let note = format!("crystals repeat every {period:.1} px; the image is resampled by");
    assert!(text(&output.stderr).contains(&note), "{}", text(&output.stderr));
    assert!(summary["notes"][0].as_str().unwrap().starts_with(&note), "{summary}");
    let map = place.labels("image.stemseg/labels.npy");
    assert_eq!(map.dim(), (ROWS, COLS));
    let share = |part: ndarray::ArrayView2<'_, u8>| {
        let other = part.iter().filter(|&&l| l != map[(45, 20)]).count();
        other as f64 / part.len() as f64
    };
    let (left, right) = (share(map.slice(s![.., ..45])), share(map.slice(s![.., 55..])));
    assert!(left < 0.02 && right > 0.98, "{left} and {right}");
}

#[test]
fn an_image_without_a_lattice_is_segmented_and_says_so() {
    let place = Place::empty();
    let hash = |r: usize, c: usize| (r * 100 + c + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let noise = |(r, c)| {
        ((hash(r, c) ^ (hash(r, c) >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 44) as f32
    };
    place.npy("image.npy", &Array2::from_shape_fn((ROWS, COLS), noise));
    let output = Job::automatic().succeed(&place);
    assert!(text(&output.stderr).contains("no crystal lattice"), "{}", text(&output.stderr));
    let summary = place.json("image.stemseg/summary.json");
    let note = summary["notes"][0].as_str().unwrap();
    assert!(note.contains("no crystal lattice was found"), "{note}");
    let warning = summary["warnings"][0]["text"].as_str().unwrap();
    assert!(warning.ends_with("give period if you know it"), "{warning}");
    let said = text(&output.stderr);
    assert!(said.contains("give --period if you know it"), "{said}");
    assert_eq!(summary["parameters"]["sampling"], json!({ "period": 16.0, "target": 16.0 }));
    assert!(place.labels("image.stemseg/labels.npy").iter().all(|l| (1..=2).contains(l)));
}

#[test]
fn a_period_that_is_given_is_taken() {
    let place = Place::with_scene();
    let (map, parameters) = run(&place, "px", &[("--period", "6")]);
    assert_eq!(parameters["sampling"], json!({ "period": 6.0, "target": 14.0 }));
    assert_eq!(place.json("px/summary.json")["notes"], json!([]));
    let with_unit = [("--period", "0.6nm"), ("--pixel-size", "0.1nm")];
    assert_eq!(run(&place, "nm", &with_unit).0, map);
    let twice = run(&place, "twice", &[("--period", "12")]).1;
    assert_eq!(twice["sampling"]["period"], 12.0);
    let job = Job::automatic();
    job.clone().set("--period", "0.6nm").refused(
        &place,
        "no pixel size",
        &["period", "--pixel-size"],
    );
    job.clone().set("--period", "1").refused(&place, "short", &["period", "2 to 10000 px"]);
    for other in [("--preset", "pystem"), ("--descriptor", "translation")] {
        let job = job.clone().with(&[("--period", "6"), other]);
        job.refused(&place, other.1, &["period", "--preset auto"]);
    }
}

#[test]
fn regions_stay_that_are_as_large_as_asked() {
    let place = Place::empty();
    // A disc of the second lattice, six periods across, in the first, next to a half of
    // the second.
    let both = scene(ROWS, 2 * COLS);
    let image = Array2::from_shape_fn(both.dim(), |(r, c)| {
        let inside = r.abs_diff(45).pow(2) + c.abs_diff(45).pow(2) < 324;
        if inside { both[(r, c + COLS)] } else { both[(r, c)] }
    });
    place.npy("image.npy", &image);
    let disc = |map: &Array2<u8>| map[(45, 45)] == map[(45, 170)] && map[(45, 45)] != map[(45, 10)];
    let smooth =
        |parameters: &Value| parameters["labels"]["interpolated"]["smooth"].as_f64().unwrap();
    let period = ("--period", "6");
    let (plain, usual) = run(&place, "plain", &[period]);
    let (none, parameters) = run(&place, "none", &[period, ("--smooth", "0")]);
    assert_eq!(smooth(&parameters), 0.0);
    assert!(disc(&none), "{}", none.slice(s![45, ..]));
    let (large, parameters) = run(&place, "large", &[period, ("--smooth", "3")]);
    assert_eq!(smooth(&parameters), 3.0 * smooth(&usual));
    assert!(!disc(&large), "{}", large.slice(s![45, ..]));
    assert_eq!(run(&place, "one", &[period, ("--smooth", "1")]).0, plain);
    Job::automatic().set("--smooth", "-1").refused(&place, "negative", &["smooth", "0 to 100"]);
}

#[test]
fn pixels_that_are_not_sure_have_no_label_on_request() {
    let place = Place::with_scene();
    let (plain, _) = run(&place, "plain", &[]);
    let (sure, parameters) = run(&place, "sure", &[("--min-confidence", "0.9")]);
    assert_eq!(parameters["labels"]["interpolated"]["least_confidence"], 0.9);
    let confidence = floats(&place, "plain/confidence.tif");
    let mut unsure = 0;
    for ((at, &label), confidence) in plain.indexed_iter().zip(confidence) {
        let expected = if confidence >= 0.9 { label } else { 0 };
        assert_eq!(sure[at], expected, "{at:?}: {confidence}");
        unsure += usize::from(confidence < 0.9);
    }
    assert!((1..ROWS * COLS / 4).contains(&unsure), "{unsure}");
    let job = Job::automatic().set("--min-confidence", "1.1");
    job.refused(&place, "more than all", &["--min-confidence", "1.1"]);
}

#[test]
fn features_are_factors_or_components() {
    let place = Place::with_scene();
    let features = |name: &str| place.array::<f32>(format!("{name}/features.npy")).0[2];
    let save = ("--save", "features");
    let (_, maf) = run(&place, "maf", &[save]);
    assert_eq!((&maf["reduce"], features("maf")), (&json!("maf"), 2));
    let kept = |parameters: &Value| parameters["components"]["count"].clone();
    assert_eq!(kept(&maf), json!(84), "24 of translations, and 60 of harmonics");
    let (_, pca) = run(&place, "pca", &[save, ("--reduce", "pca")]);
    assert_eq!((&pca["reduce"], features("pca")), (&json!("pca"), 5));
    assert_eq!(kept(&pca), json!(5));
    run(&place, "three", &[save, ("--reduce", "pca"), ("--components", "3")]);
    assert_eq!(features("three"), 3);
    for (name, value) in [("--components", "3"), ("--variance", "0.9")] {
        let words = [&name[2..], value, "--reduce pca"];
        Job::automatic().set(name, value).refused(&place, name, &words);
    }
    let job = Job::new().with(&[save, ("--reduce", "maf"), ("-k", "3"), ("--out", "plain")]);
    job.succeed(&place);
    assert_eq!(features("plain"), 3, "one for each pattern");
}

#[test]
fn a_descriptor_or_the_preset_gives_the_plain_method() {
    let place = Place::with_scene();
    let sizes = [("--patch", "6"), ("--window", "6"), ("--stride", "4")];
    let preset = [&sizes[..], &[("--preset", "pystem")]].concat();
    let descriptor = [&sizes[..], &[("--descriptor", "translation")]].concat();
    let (map, parameters) = run(&place, "preset", &preset);
    assert_eq!(parameters["sampling"], json!(null));
    assert_eq!((&parameters["reduce"], &parameters["labels"]), (&json!("pca"), &json!("nearest")));
    assert_eq!(run(&place, "descriptor", &descriptor), (map, parameters));
    // Other families at the automatic ones' place keep what else is automatic.
    let changes = [("--preset", "auto"), ("--descriptor", "centred-translation")];
    let (_, parameters) = run(&place, "both", &changes);
    assert_eq!(
        (&parameters["reduce"], &parameters["sampling"]["target"]),
        (&json!("maf"), &json!(14.0))
    );
    assert_eq!(parameters["families"].as_array().unwrap().len(), 1);
    // Sizes of families that are not there.
    Job::automatic().set("--patch", "6").refused(&place, "patch", &["patch"]);
}

#[test]
fn masks_regions_formats_and_lists_go_with_them() {
    let place = Place::with_scene();
    place.mask("mask.npy", |r, c| r < 60 || c < 70);
    let changes = [
        ("--mask", "mask.npy"),
        ("--roi", "10:,:"),
        ("-k", "2,3"),
        ("--format", "tiff,npy,hspy,ome-zarr"),
        ("--save", "descriptors,features"),
        ("--out", "all"),
        ("--resume", FLAG),
    ];
    let job = Job::automatic().with(&changes);
    job.succeed(&place);
    for k in ["k2", "k3"] {
        let map = place.labels(format!("all/{k}/labels.npy"));
        assert_eq!(map.dim(), (80, COLS));
        assert!(map.indexed_iter().all(|((r, c), &l)| (l == 0) == (r >= 50 && c >= 70)), "{k}");
        for name in ["labels.tif", "confidence.tif", "overlay.png", "labels.hspy", "report.html"] {
            assert!(place.path(format!("all/{k}/{name}")).exists(), "{k}/{name}");
        }
    }
    let before = place.snapshot();
    let kept = job.succeed(&place);
    assert!(text(&kept.stdout).contains("kept"), "{}", text(&kept.stdout));
    assert_eq!(place.snapshot(), before);
    let other = job.clone().set("--smooth", "2");
    other.refused(&place, "another size of regions", &["labels was", "--force"]);
    job.set("--resume", GONE).refused(&place, "without", &["exists already"]);
}

#[test]
fn images_of_a_folder_have_their_own_sizes() {
    let place = Place::empty();
    place.folder("data");
    place.npy("data/a.npy", &scene(ROWS, COLS));
    // Each pixel twice.
    let twice = |(r, c): (usize, usize)| scene(ROWS, COLS)[(r / 2, c / 2)];
    place.npy("data/b.npy", &Array2::from_shape_fn((2 * ROWS, 2 * COLS), twice));
    let job = Job::automatic().images(&["data"]).with(&[("--out", "r"), ("--jobs", "2")]);
    job.succeed(&place);
    let period = |name: &str| {
        let summary = place.json(format!("r/{name}.stemseg/summary.json"));
        summary["parameters"]["sampling"]["period"].as_f64().unwrap()
    };
    let ratio = period("b") / period("a");
    assert!((1.9..2.1).contains(&ratio), "{ratio}");
    let (a, b) = (place.labels("r/a.stemseg/labels.npy"), place.labels("r/b.stemseg/labels.npy"));
    let same = a.indexed_iter().filter(|((r, c), l)| b[(2 * r, 2 * c)] == **l).count();
    let share = same as f64 / a.len() as f64;
    assert!(!(0.05..=0.95).contains(&share), "{share}");
}

#[test]
fn the_number_of_patterns_is_chosen_and_why_is_told() {
    let place = Place::with_scene();
    let job = Job::automatic().set("-k", "auto");
    let output = job.succeed(&place);
    let summary = place.json("image.stemseg/summary.json");
    let choice = &summary["choice"];
    assert_eq!(choice["clusters"], 2, "{choice}");
    assert_eq!(summary["kmeans"]["clusters"], 2);
    assert_eq!(summary["parameters"]["clusters"], json!([2]));
    let reason = choice["reason"].as_str().unwrap();
    assert!(text(&output.stderr).contains(reason), "{}", text(&output.stderr));
    assert!(summary["notes"].as_array().unwrap().contains(&json!(reason)), "{summary}");
    let page = std::fs::read_to_string(place.path("image.stemseg/report.html")).unwrap();
    assert!(page.contains("Number of patterns") && page.contains(reason));
    // It would be chosen again; one that was given need not be the one to choose.
    let again = job.clone().set("--resume", FLAG);
    assert!(text(&again.succeed(&place).stdout).contains("kept"));
    let given = Job::automatic().set("--out", "given");
    given.succeed(&place);
    assert_eq!(place.json("given/summary.json")["choice"], Value::Null);
    given.set("-k", "auto").set("--resume", FLAG).refused(
        &place,
        "chosen",
        &["k was [2], and is \"auto\" now"],
    );
}

#[test]
fn no_more_patterns_are_chosen_than_are_wanted() {
    let place = Place::with_scene();
    let job = Job::automatic().set("-k", "auto:1");
    job.succeed(&place);
    let choice = |out: &str| place.json(format!("{out}/summary.json"))["choice"].clone();
    let one = choice("image.stemseg");
    assert_eq!((&one["clusters"], &one["decided_by"]), (&json!(1), &json!("most")), "{one}");
    let reason = one["reason"].as_str().unwrap();
    assert!(reason.contains("no more were to be looked for, but the clearest"), "{reason}");
    job.clone().set("--resume", FLAG).set("-k", "auto:2").refused(
        &place,
        "chosen",
        &["most_clusters was 1, and is 2 now"],
    );
    job.clone().set("--out", "six").set("-k", "auto:6").succeed(&place);
    assert_eq!(choice("six")["clusters"], 2);
    for (given, said) in [
        ("auto:0", "-k auto:0: from 1 to 254"),
        ("auto:255", "from 1 to 254 patterns"),
        ("auto:two", "'two' is not a whole number"),
        ("automatic:2", "'automatic:2' is not a whole number"),
    ] {
        let output = job.clone().set("--out", "no").set("-k", given).run(&place);
        assert!(
            !output.status.success() && text(&output.stderr).contains(said),
            "{given}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_number_cannot_be_chosen_without_factors_nor_beside_others() {
    let place = Place::with_scene();
    let job = Job::automatic().set("-k", "auto");
    for change in [("--descriptor", "translation"), ("--preset", "pystem"), ("--reduce", "pca")] {
        job.clone().with(&[change]).refused(&place, change.1, &["-k auto: ", "-k 3"]);
    }
    job.set("-k", "auto,2").refused(&place, "both", &["auto cannot be combined"]);
}

#[test]
fn small_images_are_segmented_or_refused() {
    let place = Place::empty();
    for (rows, cols) in [(1, 1), (2, 2), (7, 9), (1, 300), (24, 24), (33, 40), (60, 21)] {
        place.npy("image.npy", &scene(rows, cols));
        let output = Job::automatic().set("-k", "auto").force().run(&place);
        let (code, said) = (output.status.code(), text(&output.stderr));
        assert!(matches!(code, Some(0 | 2)), "{rows} x {cols}: {code:?}: {said}");
        assert!(!said.contains("panicked"), "{rows} x {cols}: {said}");
        // Nobody gave them.
        let names = ["pair-", "--radius ", "--window "];
        assert!(!names.iter().any(|name| said.contains(name)), "{rows} x {cols}: {said}");
    }
}

#[test]
fn features_are_what_the_model_makes_of_the_descriptors() {
    let place = Place::with_scene();
    let saved = [("--save", "descriptors,features"), ("-k", "3")];
    run(&place, "out", &saved);
    let (shape, descriptors) = place.array::<f32>("out/descriptors.npy");
    let (kept, features) = place.array::<f32>("out/features.npy");
    let kept = kept[2] as usize;
    let model = place.json("out/model.json");
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    };
    let mean = numbers(&model["mean"]);
    let components: Vec<Vec<f64>> =
        model["components"].as_array().unwrap().iter().map(numbers).collect();
    assert_eq!((shape[2] as usize, components.len()), (mean.len(), kept));
    let sites = descriptors.chunks_exact(mean.len()).zip(features.chunks_exact(kept));
    for (site, (descriptor, features)) in sites.enumerate() {
        for (component, &feature) in components.iter().zip(features) {
            let terms = descriptor.iter().zip(&mean).zip(component);
            let expected: f64 = terms.map(|((&x, m), c)| (f64::from(x) - m) * c).sum();
            assert!((f64::from(feature) - expected).abs() < 1e-3, "{site}: {feature} {expected}");
        }
    }
}
