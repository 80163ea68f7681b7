//! Several images in one run, and the memory they may take.

use ndarray::s;
use serde_json::Value;

use crate::job::{FLAG, Job, text};
use stemseg_testing::place::{COLS, Place, ROWS, names, scene};

/// Three images of different size, the second no image at all.
fn three() -> (Place, Job) {
    let place = Place::with_scene();
    place.write("broken.npy", b"\x93NUMPY and then nothing");
    place.npy("small.npy", &scene(ROWS, COLS).slice(s![..70, ..]).to_owned());
    (place, Job::new().images(&["image.npy", "broken.npy", "small.npy"]))
}

#[test]
fn a_bad_file_does_not_stop_the_others_and_is_named() {
    let (place, job) = three();
    let output = job.run(&place);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("broken.npy: "), "what is wrong with it: {said}");
    assert!(said.contains("1 of 3 images were not segmented: broken.npy"), "{said}");
    assert_eq!(place.labels("image.stemseg/labels.npy").dim(), (ROWS, COLS));
    assert_eq!(place.labels("small.stemseg/labels.npy").dim(), (70, COLS));
    assert!(!place.path("broken.stemseg").exists());
    assert_eq!(text(&output.stdout).matches(".stemseg").count(), 2, "a word on each");
}

#[test]
fn each_image_gets_what_it_gets_alone() {
    let (place, _) = three();
    let images = ["image.npy", "small.npy"];
    Job::new().images(&images).set("--out", "all").succeed(&place);
    for image in images {
        Job::new().image(image).set("--out", "alone").force().succeed(&place);
        let folder = format!("all/{}", image.replace("npy", "stemseg"));
        for file in ["labels.npy", "labels.tif", "confidence.tif", "overlay.png", "model.json"] {
            let read =
                |folder: &str| std::fs::read(place.path(format!("{folder}/{file}"))).unwrap();
            assert!(read(&folder) == read("alone"), "{image}: {file}");
        }
    }
    let said = names(&place.path(""));
    assert!(said.iter().all(|name| !name.starts_with('.')), "nothing is left: {said:?}");
}

#[test]
fn json_of_several_images_is_a_line_each() {
    let (place, _) = three();
    let job = Job::new().images(&["image.npy", "small.npy"]).set("--json", FLAG);
    let lines = text(&job.succeed(&place).stdout);
    let summaries: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let paths: Vec<&Value> = summaries.iter().map(|s| &s["input"]["path"]).collect();
    assert_eq!(paths, ["image.npy", "small.npy"]);
}

#[test]
fn results_of_one_name_and_wrong_options_are_refused_before_anything_is_done() {
    let (place, _) = three();
    std::fs::create_dir(place.path("other")).unwrap();
    place.npy("other/image.npy", &scene(ROWS, COLS));
    let twice = Job::new().images(&["image.npy", "other/image.npy"]);
    twice.clone().set("--out", "r").refused(&place, "one name", &["image.npy", "other"]);
    twice.succeed(&place);
    let (place, job) = three();
    job.set("--descriptor", "magic").refused(&place, "family", &["magic"]);
}

#[test]
fn memory_changes_nothing_but_time() {
    let place = Place::with_scene();
    let labels = |out: &str, memory: &str| {
        Job::new().with(&[("--memory", memory), ("--out", out)]).succeed(&place);
        std::fs::read(place.path(format!("{out}/confidence.tif"))).unwrap()
    };
    assert!(labels("little", "64MiB") == labels("much", "3 GB"));
    let refused = |memory: &str, words: &[&str]| {
        Job::new().set("--memory", memory).refused(&place, memory, words);
    };
    refused("1MiB", &["--memory 1.0 MiB", "MiB; give at least that"]);
    refused("0", &["--memory 0 B"]);
    refused("plenty", &["plenty", "512MiB"]);
}
