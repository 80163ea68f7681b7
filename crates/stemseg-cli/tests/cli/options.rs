//! What the options change.

use image::{ImageBuffer, Luma};
use ndarray::{Array2, arr2, s};
use serde_json::json;

use crate::job::{Change, GONE, Job, text};
use stemseg_testing::place::{COLS, Place, ROWS, scene};

/// Runs the job into the folder `out` and gives its label map.
#[track_caller]
fn labels(place: &Place, out: &str, changes: &[Change<'_>]) -> Array2<u8> {
    Job::new().with(changes).set("--out", out).succeed(place);
    place.labels(format!("{out}/labels.npy"))
}

#[test]
fn descriptors_and_features_are_saved_on_request() {
    let place = Place::with_scene();
    labels(&place, "plain", &[]);
    labels(&place, "full", &[("--save", "descriptors,features"), ("--components", "4")]);
    assert!(!place.path("plain/site_labels.npy").exists(), "not asked for");
    let (shape, values) = place.array::<f32>("full/descriptors.npy");
    assert_eq!(shape, [17, 19, 49]);
    assert!(values.iter().all(|v| v.is_finite() && v.abs() <= 1.0 + 1e-5));
    // The translation by nothing is the 25th of 7 x 7.
    assert!(values.chunks(49).all(|site| site[24] == 1.0), "a patch correlates with itself");
    let (shape, values) = place.array::<f32>("full/features.npy");
    assert_eq!(shape, [17, 19, 4]);
    let sum: f64 = values.iter().step_by(4).copied().map(f64::from).sum();
    assert!(sum.abs() < 1e-2, "features have no mean, but the first sums to {sum}");
    let (shape, sites) = place.array::<u16>("full/site_labels.npy");
    assert_eq!(shape, [17, 19]);
    let map = place.labels("full/labels.npy");
    for (i, &label) in sites.iter().enumerate() {
        let at = (12 + 4 * (i / 19), 12 + 4 * (i % 19));
        assert_eq!(u16::from(map[at]), label, "site at {at:?}");
    }
}

#[test]
fn a_share_of_the_variance_chooses_the_components() {
    let place = Place::with_scene();
    labels(&place, "out", &[("--variance", "0.8")]);
    let summary = place.json("out/summary.json");
    let ratios = summary["pca"]["explained_variance_ratio"].as_array().unwrap();
    let sum = |n: usize| ratios[..n].iter().map(|r| r.as_f64().unwrap()).sum::<f64>();
    assert!(sum(ratios.len()) >= 0.8 && sum(ratios.len() - 1) < 0.8, "{ratios:?}");
}

#[test]
fn pixels_that_are_no_numbers_become_the_mean_on_request() {
    let place = Place::empty();
    let mut image = scene(ROWS, COLS);
    image[(7, 45)] = f32::NAN;
    image[(70, 3)] = f32::INFINITY;
    place.npy("image.npy", &image);
    let output = Job::new().set("--nan", "mean").succeed(&place);
    assert!(text(&output.stderr).contains("2 NaN or infinite pixels"), "{}", text(&output.stderr));
    let summary = place.json("image.stemseg/summary.json");
    assert_eq!(summary["input"]["non_finite"], json!({ "rule": "mean", "pixels": 2 }));
    assert!(place.labels("image.stemseg/labels.npy").iter().all(|&l| l > 0));

    let mean = image.iter().filter(|v| v.is_finite()).map(|&v| f64::from(v)).sum::<f64>() / 8998.0;
    let filled = image.mapv(|v| if v.is_finite() { v } else { mean as f32 });
    place.npy("image.npy", &filled);
    let expected = labels(&place, "filled", &[]);
    assert_eq!(place.labels("image.stemseg/labels.npy"), expected);
}

#[test]
fn masked_pixels_have_no_label_and_may_be_anything() {
    let place = Place::empty();
    let mut image = scene(ROWS, COLS);
    image.slice_mut(s![..20, 60..]).fill(f32::NAN);
    place.npy("image.npy", &image);
    let inside = |r: usize, c: usize| r < 20 && c >= 60;
    place.mask("mask.npy", |r, c| !inside(r, c));
    let grey = |x: u32, y: u32| Luma([if inside(y as usize, x as usize) { 9_u8 } else { 0 }]);
    ImageBuffer::from_fn(100, 90, grey).save(place.path("mask.png")).unwrap();
    let map = labels(&place, "npy", &[("--mask", "mask.npy")]);
    assert!(map.indexed_iter().all(|((r, c), &l)| (l == 0) == inside(r, c)));
    assert_eq!(labels(&place, "png", &[("--mask", "mask.png")]), map);
    assert!(place.json("npy/summary.json")["descriptors"]["sites"].as_u64() < Some(323));
    assert_eq!(place.json("png/summary.json")["input"]["mask"], "mask.png");
}

#[test]
fn a_mask_that_takes_nothing_out_changes_nothing() {
    let place = Place::with_scene();
    place.mask("none.npy", |_, _| true);
    assert_eq!(labels(&place, "plain", &[]), labels(&place, "none", &[("--mask", "none.npy")]));
}

#[test]
fn two_sites_are_enough() {
    let place = Place::with_scene();
    let map = labels(&place, "two", &[("--roi", "0:25,35:64")]);
    assert_eq!(place.json("two/summary.json")["descriptors"]["sites"], 2);
    assert_ne!(map[(12, 12)], map[(12, 16)]);
}

#[test]
fn a_region_gives_what_its_crop_gives() {
    let place = Place::with_scene();
    place.mask("mask.npy", |r, c| r + c > 60);
    let crop = scene(ROWS, COLS).slice(s![10..75, 30..]).to_owned();
    place.npy("crop.npy", &crop);
    let all = Array2::from_shape_fn((ROWS, COLS), |(r, c)| u8::from(r + c <= 60));
    place.npy("crop_mask.npy", &all.slice(s![10..75, 30..]).to_owned());
    for (region, name) in
        [("10:75,30:100", "full"), ("10:-15,30:", "short"), ("-80:75,-70:", "negative")]
    {
        labels(&place, name, &[("--roi", region)]);
        Job::new().image("crop.npy").set("--out", "crop").force().succeed(&place);
        assert_eq!(
            place.bytes(format!("{name}/labels.npy")),
            place.bytes("crop/labels.npy"),
            "{region}"
        );
        let input = &place.json(format!("{name}/summary.json"))["input"];
        assert_eq!((&input["roi"], &input["shape"]), (&json!([10, 75, 30, 100]), &json!([65, 70])));
    }
    let masked = labels(&place, "masked", &[("--roi", "10:75,30:"), ("--mask", "mask.npy")]);
    let job =
        Job::new().image("crop.npy").set("--mask", "crop_mask.npy").set("--out", "masked_crop");
    job.succeed(&place);
    assert_eq!(masked, place.labels("masked_crop/labels.npy"));
}

#[test]
fn a_blank_border_leaves_the_rest_as_it_is() {
    let place = Place::with_scene();
    let near = labels(&place, "near", &[("--save", "features")]);
    let blank = labels(&place, "blank", &[("--border", "blank"), ("--save", "features")]);
    // Sites from 12 to 76 and 84, cells 4 px wide.
    let inside = |r: usize, c: usize| (11..=78).contains(&r) && (11..=86).contains(&c);
    assert!(blank.indexed_iter().all(|((r, c), &l)| (l > 0) == inside(r, c)));
    let [a, b] = ["near", "blank"].map(|n| place.bytes(format!("{n}/features.npy")));
    assert_eq!(a, b);
    // The numbers may differ, since the areas do.
    let turned = near[(45, 20)] != blank[(45, 20)];
    let same = |((r, c), &l): ((usize, usize), &u8)| !inside(r, c) || (near[(r, c)] == l) != turned;
    assert!(blank.indexed_iter().all(same));
}

#[test]
fn pystem_counts_the_other_way_round() {
    let place = Place::with_scene();
    let by_size = labels(&place, "size", &[("-k", "3")]);
    let pystem = labels(&place, "pystem", &[("-k", "3"), ("--order", "pystem")]);
    assert_eq!(pystem, by_size.mapv(|l| 4 - l));
    let labels = &place.json("pystem/summary.json")["labels"];
    assert!(labels[0]["pixels"].as_u64() <= labels[2]["pixels"].as_u64(), "{labels}");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let place = Place::with_scene();
    let noise = |(r, c): (usize, usize)| ((r * 7919 + c * 104_729 + r * c * 31) % 10_007) as f32;
    place.npy("image.npy", &Array2::from_shape_fn((ROWS, COLS), noise));
    let job = |seed: &str, out: &str| {
        let changes = [("-k", "7"), ("--seed", seed), ("--restarts", "1"), ("--save", "features")];
        labels(&place, out, &changes)
    };
    let first = job("1", "a");
    assert_eq!(first, job("1", "b"));
    for file in ["labels.npy", "labels.tif", "site_labels.npy", "features.npy", "overlay.png"] {
        let [a, b] = ["a", "b"].map(|folder| place.bytes(format!("{folder}/{file}")));
        assert_eq!(a, b, "{file}");
    }
    let seeds = ["2", "3", "4", "18446744073709551615"];
    let different = seeds.iter().filter(|seed| job(seed, seed) != first).count();
    assert!(different > 0, "the seed changes nothing in noise");
}

#[test]
fn translations_may_come_as_text_and_as_an_array() {
    let place = Place::with_scene();
    let list = arr2(&[[0, 6], [6, 0], [-3, 5], [2, -7]]);
    place.npy("i64.npy", &list.mapv(i64::from));
    place.npy("f32.npy", &list.mapv(|v| v as f32));
    place.write("plain.txt", "0 6\n6 0\n-3 5\n2 -7\n");
    place.write("windows.txt", "\u{feff}0,6\r\n6,0\r\n-3, 5\r\n2,-7\r\n");
    place.write("comments.txt", "# shifts, px\n\n 0\t6 # right\n6 0\n-3  5\n+2 -7");
    let run = |list: &str| {
        let changes = [("--window", GONE), ("--translations", list), ("--save", "descriptors")];
        labels(&place, "out", &changes);
        let saved = ["out/labels.npy", "out/descriptors.npy"].map(|file| place.bytes(file));
        std::fs::remove_dir_all(place.path("out")).unwrap();
        saved
    };
    let expected = run("plain.txt");
    for other in ["i64.npy", "f32.npy", "windows.txt", "comments.txt"] {
        assert!(run(other) == expected, "{other} gives something else");
    }
    labels(&place, "wide", &[("--window", GONE), ("--translations", "plain.txt")]);
    let summary = place.json("wide/summary.json");
    assert_eq!(summary["descriptors"]["channels"], 4);
    assert_eq!(summary["descriptors"]["grid"]["margin"], json!({ "rows": 12, "cols": 13 }));
}
