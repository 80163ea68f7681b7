//! `stemseg refine` and `--mark`: a result corrected by marked pixels.

use ndarray::Array2;
use stemseg::sites::Extent;
use stemseg_simulate::{Scene, Settings, simulate};
use stemseg_testing::place::Place;

use crate::job::{stemseg, text};

/// Four grains as `grains.npy`, taken for three patterns, with the true grains `[rows, cols]`.
fn grains() -> (Place, Array2<u16>) {
    let place = Place::empty();
    let settings = Settings { size: Extent::square(320), seed: 806, ..Default::default() };
    let scene = Scene::new("polycrystal", &[], Some(4)).unwrap();
    let found = simulate(&scene, &settings, &stemseg::Silent).unwrap();
    place.npy("grains.npy", &found.image);
    place.npy("again.npy", &found.image);
    run(&place, &["segment", "grains.npy", "-k", "3", "--no-report"]);
    (place, found.labels)
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

/// The pixel deepest inside of the pixels that are `own`, about.
fn inside(own: impl Fn((usize, usize)) -> bool, (rows, cols): (usize, usize)) -> (usize, usize) {
    let deep = |(row, col): (usize, usize)| {
        let clear = |by: usize| {
            row >= by && col >= by && row + by < rows && col + by < cols && {
                let ends =
                    [row - by, row, row + by].map(|r| [col - by, col, col + by].map(|c| (r, c)));
                ends.as_flattened().iter().all(|&at| own(at))
            }
        };
        (0..rows / 2).take_while(|&by| clear(by)).count()
    };
    let all = (0..rows).step_by(4).flat_map(|r| (0..cols).step_by(4).map(move |c| (r, c)));
    all.max_by_key(|&at| deep(at)).unwrap()
}

#[test]
fn marks_part_what_was_taken_for_one_pattern() {
    let (place, truth) = grains();
    let before = place.labels("grains.stemseg/labels.npy");
    // Of each grain a pixel, and the pattern that most of it has.
    let middles: Vec<(usize, usize)> =
        (1..=4).map(|grain| inside(|at| truth[at] == grain, truth.dim())).collect();
    let labels: Vec<u8> = middles.iter().map(|&at| before[at]).collect();
    let merged =
        (0..4).find(|&i| labels[..i].contains(&labels[i])).expect("three patterns of four");
    let mark = |at: (usize, usize), label: u8| format!("{},{}={label}", at.0, at.1);
    let new = mark(middles[merged], 4);
    let said = run(&place, &["refine", "grains.stemseg", "--no-report", "--mark", &new]);
    assert!(said.contains("one more mark says most at"), "{said}");

    let after = place.labels("grains.refined.stemseg/labels.npy");
    let right = |grain: usize| {
        let label = after[middles[grain]];
        let own = truth.indexed_iter().filter(|(_, t)| usize::from(**t) == grain + 1);
        let own: Vec<bool> = own.map(|(at, _)| after[at] == label).collect();
        own.iter().filter(|same| **same).count() as f64 / own.len() as f64
    };
    for grain in 0..4 {
        assert!(right(grain) > 0.93, "grain {grain}: {}", right(grain));
        let expected = if grain == merged { 4 } else { labels[grain] };
        assert_eq!(after[middles[grain]], expected, "grain {grain}");
    }
    let record = place.json("grains.refined.stemseg/summary.json");
    let model = place.json("grains.refined.stemseg/model.json");
    for marks in [&record["parameters"]["marks"], &model["parameters"]["marks"]] {
        assert_eq!(marks.as_array().unwrap().len(), 1, "{marks}");
        assert_eq!(marks[0]["label"], 4);
    }
    assert_eq!(model["patterns"].as_array().unwrap().len(), 4);

    // The same as an option of segment, from the refined result, and from another folder.
    run(&place, &["segment", "grains.npy", "-k", "3", "--mark", &new, "--out", "s", "--no-report"]);
    assert_eq!(place.labels("s/labels.npy"), after);
    assert_eq!(record["parameters"]["clusters"], serde_json::json!([3]));
    run(&place, &["refine", "s/summary.json", "--mark", &new, "--out", "again", "--no-report"]);
    assert_eq!(place.labels("again/labels.npy"), after);
    // Its model labels the image without marks as it was labelled with them.
    run(&place, &["apply", "--model", "s", "grains.npy", "--out", "applied", "--no-report"]);
    let applied = place.labels("applied/labels.npy");
    let differ = applied.iter().zip(&after).filter(|(a, b)| a != b).count();
    assert!(differ < after.len() / 100, "{differ} px");
    // Of several images too: marks stay behind, since they speak of pixels of the one they are on.
    let both = ["apply", "--model", "s", "grains.npy", "again.npy", "--out", "both", "--no-report"];
    run(&place, &both);
    for image in ["grains", "again"] {
        let name = format!("both/{image}.stemseg");
        assert_eq!(place.labels(format!("{name}/labels.npy")), applied);
        let record = place.json(format!("{name}/summary.json"));
        let marks = record["parameters"]["marks"].as_array();
        assert!(marks.is_none_or(Vec::is_empty), "{marks:?}");
    }
}

#[test]
fn a_mark_holds_whatever_the_features_say_and_goes_when_it_is_left_out() {
    let (place, _) = grains();
    let before = place.labels("grains.stemseg/labels.npy");
    let at = inside(|at| before[at] == 1, before.dim());
    let wrong = format!("{},{}=2", at.0, at.1);
    run(&place, &["refine", "grains.stemseg", "--no-report", "--mark", &wrong]);
    let after = place.labels("grains.refined.stemseg/labels.npy");
    assert_eq!(after[at], 2);
    let right = format!("{},{}=1", at.0, at.1);
    run(&place, &["refine", "grains.refined.stemseg", "--no-report", "--mark", &right]);
    let undone = place.labels("grains.refined-2.stemseg/labels.npy");
    assert_eq!(undone[at], 1);
    let differ = undone.iter().zip(&before).filter(|(a, b)| a != b).count();
    assert!(differ < before.len() / 50, "{differ} px");
}

#[test]
fn marks_that_cannot_be_are_refused_in_a_sentence() {
    let (place, _) = grains();
    let out = "x";
    let refine = |mark: &str, expected: &str| {
        let words = ["refine", "grains.stemseg", "--out", out, "--mark", mark];
        refused(&place, &words, expected);
        assert!(!place.path(out).exists());
    };
    refine("400,1=1", "the image has 320 rows and 320 columns");
    refine("10,10=9", "there are 3 patterns without marks");
    refine("10,10=0", "labels of patterns begin with 1");
    refine("10,10=1;10,10=2", "the same pixel is marked with another label");
    refine("10,10=1;11,11=2", "lies so close that both mark one site");
    refine("10,10", "give ROW,COL=LABEL");
    refine("10=1", "give ROW,COL=LABEL");
    let mark = ["--mark", "9,9=1", "--out", out];
    refused(&place, &[&["refine", "nowhere"][..], &mark].concat(), "nowhere");
    refused(
        &place,
        &[&["refine", "grains.npy"][..], &mark].concat(),
        "no result of a segmentation",
    );
    let segment = ["segment", "grains.npy"];
    refused(&place, &[&segment[..], &mark, &["-k", "2,3"]].concat(), "one number of -k");
    refused(
        &place,
        &[&segment[..], &mark, &["--preset", "pystem", "-k", "2"]].concat(),
        "--reduce maf",
    );
    refused(
        &place,
        &[&segment[..], &mark, &["--like", "grains.stemseg"]].concat(),
        "cannot be used with",
    );
    let several = ["segment", "grains.npy", "again.npy"];
    let shared = [&several[..], &["--model", "all", "-k", "3"], &mark].concat();
    refused(&place, &shared, "marks belong to one image");
    refused(
        &place,
        &["series", "grains.npy", "again.npy", "-k", "2", "--mark", "9,9=1"],
        "marks belong to one",
    );
    // A result of a model, and one whose image is another by now.
    run(&place, &["apply", "--model", "grains.stemseg", "grains.npy", "--out", "a", "--no-report"]);
    refused(&place, &[&["refine", "a"][..], &mark].concat(), "patterns are those of a model");
    place.npy("grains.npy", &Array2::<f32>::from_shape_fn((320, 320), |(r, c)| (r * c) as f32));
    refused(&place, &[&["refine", "grains.stemseg"][..], &mark].concat(), "not the image any more");
}
