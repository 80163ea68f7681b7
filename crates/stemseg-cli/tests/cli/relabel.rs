//! `stemseg relabel` and `--merge`: patterns of a result that are one.

use ndarray::Array2;
use stemseg::sites::Extent;
use stemseg_simulate::{Scene, Settings, simulate};
use stemseg_testing::place::Place;

use crate::job::{stemseg, text};

/// Four grains as `grains.npy`, segmented.
fn grains() -> (Place, Array2<u8>) {
    let place = Place::empty();
    let settings = Settings { size: Extent::square(320), seed: 806, ..Default::default() };
    let scene = Scene::new("polycrystal", &[], Some(4)).unwrap();
    let found = simulate(&scene, &settings, &stemseg::Silent).unwrap();
    place.npy("grains.npy", &found.image);
    place.npy("other.npy", &found.image);
    run(&place, &["segment", "grains.npy", "-k", "4", "--no-report"]);
    let labels = place.labels("grains.stemseg/labels.npy");
    (place, labels)
}

fn output(place: &Place, words: &[&str]) -> std::process::Output {
    stemseg(place).args(words).args(["--device", "cpu"]).output().unwrap()
}

#[track_caller]
fn run(place: &Place, words: &[&str]) -> String {
    let output = output(place, words);
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    text(&output.stderr)
}

#[track_caller]
fn refused(place: &Place, words: &[&str], expected: &str) {
    let output = output(place, words);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
    assert!(said.contains(expected), "{words:?}: {said}");
}

/// Share of the pixels whose label is the one that `new` has for the old one.
fn share(old: &Array2<u8>, labels: &Array2<u8>, new: [u8; 4]) -> f64 {
    let same = |(old, label): (&u8, &u8)| new[usize::from(*old) - 1] == *label;
    old.iter().zip(labels).filter(|pair| same(*pair)).count() as f64 / old.len() as f64
}

#[test]
fn patterns_of_a_result_are_merged_and_numbered_anew() {
    let (place, before) = grains();
    let said = run(&place, &["relabel", "grains.stemseg", "--merge", "2+3", "--no-report"]);
    assert!(said.contains("2+3"), "{said}");
    let merged = place.labels("grains.relabelled.stemseg/labels.npy");
    let agree = share(&before, &merged, [1, 2, 2, 3]);
    assert!(agree > 0.99, "{agree}");
    let record = place.json("grains.relabelled.stemseg/summary.json");
    assert_eq!(record["parameters"]["relabel"], serde_json::json!({ "merge": [[2, 3]] }));
    assert_eq!(record["kmeans"]["clusters"], 3);
    for list in ["labels", "lattices", "regions"] {
        assert_eq!(record[list].as_array().unwrap().len(), 3, "{list}");
    }
    // What it was made of stays.
    assert_eq!(place.labels("grains.stemseg/labels.npy"), before);

    // The same in one go, and from there by the numbers that it has.
    let at_once = ["segment", "grains.npy", "-k", "4", "--merge", "2+3", "--no-report"];
    run(&place, &[&at_once[..], &["--out", "s"]].concat());
    assert_eq!(place.labels("s/labels.npy"), merged);
    let again = ["relabel", "grains.relabelled.stemseg", "--merge", "1+3", "--numbers", "2,1"];
    run(&place, &[&again[..], &["--no-report"]].concat());
    let last = place.labels("grains.relabelled-2.stemseg/labels.npy");
    let agree = share(&before, &last, [2, 1, 1, 2]);
    assert!(agree > 0.99, "{agree}");
    let record = place.json("grains.relabelled-2.stemseg/summary.json");
    let expected = serde_json::json!({ "merge": [[1, 4], [2, 3]], "numbers": [2, 1] });
    assert_eq!(record["parameters"]["relabel"], expected);

    // Its model finds these labels in other images, and a result of that can be relabelled as well.
    let apply = ["apply", "--model", "grains.relabelled.stemseg", "other.npy", "--no-report"];
    run(&place, &apply);
    let applied = place.labels("other.stemseg/labels.npy");
    let agree = share(&before, &applied, [1, 2, 2, 3]);
    assert!(agree > 0.99, "{agree}");
    run(&place, &["relabel", "other.stemseg", "--numbers", "3,1,2", "--no-report"]);
    let turned = place.labels("other.relabelled.stemseg/labels.npy");
    assert!(applied.iter().zip(&turned).all(|(old, new)| [2, 3, 1][*old as usize - 1] == *new));
    let record = place.json("other.relabelled.stemseg/summary.json");
    assert!(record["model"]["path"].as_str().unwrap().contains("grains.relabelled.stemseg"));
    // With a report, and of several images together.
    run(&place, &["relabel", "grains.stemseg", "--merge", "1+2", "--out", "with-report"]);
    assert!(place.path("with-report/report.html").exists());
    let both =
        ["segment", "grains.npy", "other.npy", "-k", "4", "--model", "all", "--merge", "2+3"];
    run(&place, &[&both[..], &["--no-report", "--out", "both"]].concat());
    let label = place.labels("both/grains.stemseg/labels.npy");
    assert_eq!(label.iter().max(), Some(&3));
}

#[test]
fn what_cannot_be_merged_is_refused_in_a_sentence() {
    let (place, _) = grains();
    let relabel = |words: &[&'static str]| [&["relabel", "grains.stemseg"], words].concat();
    refused(&place, &relabel(&[]), "--merge <LABELS>");
    refused(&place, &relabel(&["--merge", "2+5"]), "there is no label 5: there are 4");
    refused(&place, &relabel(&["--merge", "2"]), "give two labels or more");
    refused(&place, &relabel(&["--merge", "2+2"]), "names label 2 twice");
    refused(&place, &relabel(&["--merge", "two"]), "give them as 2+3");
    refused(&place, &relabel(&["--numbers", "1,2"]), "give each label from 1 to 4 once");
    refused(&place, &["relabel", "missing", "--merge", "1+2"], "there is no such result");
    let several = ["segment", "grains.npy", "-k", "2,3", "--merge", "1+2", "--out", "several"];
    refused(&place, &several, "patterns of one number");
    // Marks speak of the labels before.
    run(&place, &["relabel", "grains.stemseg", "--merge", "2+3", "--no-report"]);
    let mark = ["refine", "grains.relabelled.stemseg", "--mark", "9,9=1"];
    refused(&place, &mark, "refine the result before that");
}
