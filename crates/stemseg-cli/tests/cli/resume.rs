//! `--resume`: what is done stays as it is.

use crate::batch::table;
use crate::job::{Change, FLAG, GONE, Job, text};
use stemseg_testing::place::{COLS, Place, ROWS, names, scene};

fn two() -> (Place, Job) {
    let place = Place::empty();
    place.folder("data");
    place.npy("data/a.npy", &scene(ROWS, COLS));
    place.npy("data/b.npy", &scene(ROWS, COLS).mapv(|v| 2.0 * v + 5.0));
    place.mask("mask.npy", |_, c| c < 80);
    let job = Job::new().images(&["data"]).with(&[("--out", "r"), ("--resume", FLAG)]);
    (place, job)
}

/// The status of each image.
fn statuses(place: &Place) -> Vec<String> {
    table(place, "r/summary.csv").values().map(|line| line["status"].clone()).collect()
}

/// When a result was made.
fn made(place: &Place, name: &str) -> std::time::SystemTime {
    std::fs::metadata(place.path(name)).unwrap().modified().unwrap()
}

#[test]
fn finished_images_are_kept_and_the_others_made() {
    let (place, job) = two();
    job.succeed(&place);
    assert_eq!(statuses(&place), ["done", "done"]);
    let first = table(&place, "r/summary.csv");
    std::fs::remove_dir_all(place.path("r/b.stemseg")).unwrap();
    let before = made(&place, "r/a.stemseg/labels.npy");
    let output = job.succeed(&place);
    assert_eq!(statuses(&place), ["kept", "done"]);
    assert_eq!(made(&place, "r/a.stemseg/labels.npy"), before);
    let said = text(&output.stderr);
    assert!(said.contains("1 of 2 images done, 1 kept"), "{said}");
    // The table has the numbers of those that were kept too.
    let (was, is) = (&first["data/a.npy 2"], &table(&place, "r/summary.csv")["data/a.npy 2"]);
    for column in ["area_1_percent", "confidence", "device", "seconds", "result"] {
        assert_eq!(was[column], is[column], "{column}");
    }
    let json = job.set("--json", FLAG).succeed(&place);
    assert_eq!(text(&json.stdout).lines().count(), 2, "kept ones are told as well");
}

#[test]
fn a_result_of_anything_else_is_named_and_replaced_by_force_alone() {
    let (place, job) = two();
    job.succeed(&place);
    let rows: [(&str, &[Change<'_>], &str); 14] = [
        ("overlay", &[("--overlay", "lines")], "overlay was {\"style\":\"tint\",\"alpha\":0.45}"),
        ("alpha", &[("--overlay-alpha", "0.3")], "and is {\"style\":\"tint\",\"alpha\":0.3} now"),
        ("pixel size", &[("--pixel-size", "0.1nm")], "pixel_size_nm was null"),
        ("k", &[("-k", "3")], "k was [2], and is [3] now"),
        ("list", &[("-k", "2,3")], "k was [2], and is [2,3] now"),
        ("stride", &[("--stride", "5")], "stride was 4, and is 5 now"),
        ("patch", &[("--patch", "7")], "families was"),
        ("region", &[("--roi", "0:80,:")], "shape was"),
        ("mask", &[("--mask", "mask.npy")], "mask_sha256 was null"),
        ("nan", &[("--nan", "mean")], "non_finite was {\"rule\":\"mask\",\"pixels\":0}"),
        ("outliers", &[("--outliers", "keep")], "outliers was {\"rule\":\"auto\""),
        ("seed", &[("--seed", "7")], "seed was 0, and is 7 now"),
        ("format", &[("--format", "tiff,npy,hspy")], "labels.hspy is missing"),
        ("labels", &[("--labels", "u32")], "labels was \"uint8\", and is \"uint32\" now"),
    ];
    for (name, changes, words) in rows {
        let before = place.snapshot();
        let output = job.clone().with(changes).run(&place);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains(words) && said.contains("--force"), "{name}: {said}");
        // The table says what there is, and why there is nothing newer.
        assert_eq!(statuses(&place), ["kept", "kept"], "{name}");
        for line in crate::batch::table(&place, "r/summary.csv").values() {
            assert!(line["message"].contains(words), "{name}: {line:?}");
            assert_eq!(line["k"], "2", "{name}");
        }
        let tables = ["r/index.html", "r/summary.csv"].map(|name| place.path(name));
        let changed: Vec<_> = place
            .snapshot()
            .into_iter()
            .filter(|(p, v)| !tables.contains(p) && before.get(p) != Some(v))
            .collect();
        assert!(
            changed.is_empty(),
            "{name}: {:?}",
            changed.iter().map(|(p, _)| p).collect::<Vec<_>>()
        );
    }
    job.clone().set("-k", "3").force().succeed(&place);
    assert_eq!(statuses(&place), ["done", "done"]);
    job.clone().set("-k", "3").force().succeed(&place);
    assert_eq!(statuses(&place), ["kept", "kept"], "--force replaces only the others");
    // Without --resume it replaces all.
    job.set("-k", "3").set("--resume", GONE).force().succeed(&place);
    assert_eq!(statuses(&place), ["done", "done"]);
}

#[test]
fn another_content_under_the_same_name_is_noticed() {
    let (place, job) = two();
    job.succeed(&place);
    place.npy("data/a.npy", &scene(ROWS, COLS).mapv(|v| v * v));
    let output = job.run(&place);
    assert!(text(&output.stderr).contains("the image had another content"));
    assert_eq!(statuses(&place), ["kept", "kept"]);
    let lines = table(&place, "r/summary.csv");
    assert!(lines["data/a.npy 2"]["message"].contains("had another content"), "{lines:?}");
    assert_eq!(lines["data/b.npy 2"]["message"], "");
    job.clone().force().succeed(&place);
    assert_eq!(statuses(&place), ["done", "kept"]);
    // So is another mask under the same name.
    let masked = job.set("--mask", "mask.npy");
    masked.clone().force().succeed(&place);
    masked.succeed(&place);
    assert_eq!(statuses(&place), ["kept", "kept"]);
    place.mask("mask.npy", |_, c| c < 70);
    assert_eq!(masked.run(&place).status.code(), Some(1));
    assert_eq!(statuses(&place), ["kept", "kept"]);
}

#[test]
fn a_list_of_clusters_is_kept_as_a_whole() {
    let (place, job) = two();
    let job = job.with(&[("-k", "2,3"), ("--save", "features")]);
    job.succeed(&place);
    job.succeed(&place);
    assert_eq!(statuses(&place), ["kept"; 4]);
    std::fs::remove_file(place.path("r/a.stemseg/k3/labels.tif")).unwrap();
    std::fs::remove_file(place.path("r/b.stemseg/features.npy")).unwrap();
    let output = job.run(&place);
    let said = text(&output.stderr);
    assert!(
        said.contains("labels.tif is missing") && said.contains("features.npy is missing"),
        "{said}"
    );
}

#[test]
fn reports_count_where_they_are_wanted() {
    let (place, job) = two();
    let plain = job.clone().set("--no-report", FLAG);
    plain.succeed(&place);
    plain.succeed(&place);
    assert_eq!(statuses(&place), ["kept", "kept"]);
    let said = text(&job.run(&place).stderr).to_owned();
    assert!(said.contains("report.html is missing"), "{said}");
    job.clone().force().succeed(&place);
    plain.succeed(&place);
    assert_eq!(statuses(&place), ["kept", "kept"], "more than is wanted does not matter");
    std::fs::remove_file(place.path("r/b.stemseg/channels.png")).unwrap();
    let said = text(&job.run(&place).stderr).to_owned();
    assert!(said.contains("channels.png is missing"), "{said}");
    assert_eq!(statuses(&place), ["kept", "kept"]);
    // What computes, and with how much, changes nothing.
    let others = [("--memory", "1GiB"), ("--jobs", "2"), ("--device", "auto")];
    plain.with(&others).succeed(&place);
    assert_eq!(statuses(&place), ["kept", "kept"]);
}

#[test]
fn one_image_can_be_resumed_too() {
    let place = Place::with_scene();
    let job = Job::new().set("--resume", FLAG);
    job.succeed(&place);
    let before = made(&place, "image.stemseg/summary.json");
    let output = job.succeed(&place);
    assert!(text(&output.stdout).contains("image.stemseg  kept"), "{}", text(&output.stdout));
    assert_eq!(made(&place, "image.stemseg/summary.json"), before);
    job.set("-k", "3").refused(&place, "another k", &["image.stemseg", "k was [2]", "--force"]);
    assert_eq!(names(&place.path("")), ["image.npy", "image.stemseg"]);
}

#[test]
fn what_is_no_result_is_never_taken_for_one() {
    let (place, job) = two();
    place.folder("r/a.stemseg");
    place.write("r/a.stemseg/summary.json", "{\"stemseg_version\": ");
    let output = job.run(&place);
    assert!(text(&output.stderr).contains("exists already"), "{}", text(&output.stderr));
    assert_eq!(statuses(&place), ["failed", "done"]);
}
