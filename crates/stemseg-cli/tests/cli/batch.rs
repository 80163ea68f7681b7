//! Folders, patterns, several jobs, and the table of all images.

use std::collections::BTreeMap;

use ndarray::s;

use crate::job::{FLAG, Job, check_failure, text};
use stemseg_testing::place::{COLS, Place, ROWS, names, scene};

/// `data/` with two images, one of them bad, notes, and a sub-folder with a third image
/// of the same name as the first.
pub(crate) fn data() -> Place {
    let place = Place::empty();
    place.folder("data/deep/er");
    place.npy("data/a.npy", &scene(ROWS, COLS));
    place.write("data/bad.npy", b"\x93NUMPY and then nothing");
    place.write("data/notes.txt", "Tuesday");
    place.write("data/.hidden.npy", b"\x93NUMPY and then nothing");
    place.npy("data/deep/er/a.npy", &scene(ROWS, COLS).slice(s![..80, ..]).to_owned());
    place
}

pub(crate) fn job(given: &[&str]) -> Job {
    Job::new().images(given).set("--out", "r")
}

/// The lines of a table by file, each by column.
pub(crate) fn table(place: &Place, name: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let bytes = place.bytes(name);
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let header = reader.headers().unwrap().clone();
    let line = |record: csv::StringRecord| {
        let cells = header.iter().zip(&record).map(|(k, v)| (k.to_owned(), v.to_owned()));
        let cells: BTreeMap<String, String> = cells.collect();
        (format!("{} {}", cells["file"], cells["k"]).trim_end().to_owned(), cells)
    };
    reader.records().map(|record| line(record.unwrap())).collect()
}

#[test]
fn a_folder_stands_for_the_images_in_it() {
    let place = data();
    let output = job(&["data"]).run(&place);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("1 of 2 images were not segmented: data/bad.npy"), "{said}");
    assert!(said.contains("left out") && said.contains("notes.txt"), "{said}");
    assert_eq!(names(&place.path("r")), ["a.stemseg", "index.html", "summary.csv"]);
    assert_eq!(
        names(&place.path("data")),
        [".hidden.npy", "a.npy", "bad.npy", "deep", "notes.txt"]
    );
}

#[test]
fn sub_folders_are_kept_and_results_in_them_are_no_images() {
    let place = data();
    std::fs::remove_file(place.path("data/bad.npy")).unwrap();
    job(&["data"]).set("--recursive", FLAG).succeed(&place);
    assert_eq!(names(&place.path("r")), ["a.stemseg", "deep", "index.html", "summary.csv"]);
    assert_eq!(place.labels("r/deep/er/a.stemseg/labels.npy").dim(), (80, COLS));
    // Next to the images, and then once more: their label maps are not taken for images.
    let beside = Job::new().images(&["data"]).set("--recursive", FLAG);
    beside.succeed(&place);
    let before = names(&place.path("data/deep/er"));
    assert_eq!(before, ["a.npy", "a.stemseg"]);
    beside.force().succeed(&place);
    assert_eq!(names(&place.path("data/deep/er")), before);
    // Nor is what lies in a folder for results within.
    let within = Job::new().images(&["data"]).set("--recursive", FLAG).set("--out", "data/r");
    within.succeed(&place);
    within.force().succeed(&place);
    assert_eq!(names(&place.path("data/r")), ["a.stemseg", "deep", "index.html", "summary.csv"]);
}

#[test]
fn patterns_in_quotes_are_folders_and_files() {
    let place = data();
    job(&["data/**/a.npy"]).succeed(&place);
    assert_eq!(names(&place.path("r")), ["a.stemseg", "deep", "index.html", "summary.csv"]);
    job(&["data/d*"]).with(&[("--recursive", FLAG), ("--out", "s")]).succeed(&place);
    assert_eq!(names(&place.path("s/deep/er")), ["a.stemseg"]);
    job(&["data/x*"]).set("--out", "t").refused(
        &place,
        "nothing",
        &["data/x*", "no such file", "pattern"],
    );
    job(&["data/[a"]).set("--out", "t").refused(&place, "no pattern", &["data/[a"]);
    // A file of that name is that file.
    place.npy("a[1].npy", &scene(ROWS, COLS));
    Job::new().image("a[1].npy").succeed(&place);
    assert!(place.path("a[1].stemseg/labels.npy").exists());
}

#[test]
fn several_folders_keep_their_names_and_each_image_is_done_once() {
    let place = data();
    std::fs::remove_file(place.path("data/bad.npy")).unwrap();
    let output = job(&["data", "data/deep/er", "data/a.npy", "data/"]).succeed(&place);
    assert_eq!(text(&output.stdout).lines().count(), 2, "{}", text(&output.stdout));
    assert_eq!(names(&place.path("r")), ["data", "er", "index.html", "summary.csv"]);
    assert_eq!(names(&place.path("r/er")), ["a.stemseg"]);
}

#[test]
fn names_that_differ_in_their_ending_alone_keep_it() {
    let place = Place::empty();
    place.folder("data");
    place.npy("data/a.npy", &scene(ROWS, COLS));
    place.npy("data/a.raw", &scene(ROWS, COLS));
    place.npy("data/b.npy", &scene(ROWS, COLS));
    job(&["data"]).succeed(&place);
    let made = ["a.npy.stemseg", "a.raw.stemseg", "b.stemseg", "index.html", "summary.csv"];
    assert_eq!(names(&place.path("r")), made);
}

#[test]
fn a_folder_without_images_and_the_mask_are_no_images() {
    let place = data();
    place.folder("empty/deep");
    place.write("empty/notes.txt", "none");
    let words = ["empty", "no image", "1 other file", "--recursive"];
    job(&["empty"]).refused(&place, "empty", &words);
    place.folder("void");
    job(&["empty", "void"]).refused(&place, "nothing anywhere", &["empty", "neither"]);
    std::fs::remove_file(place.path("data/bad.npy")).unwrap();
    place.mask("data/mask.npy", |_, c| c > 5);
    job(&["data"]).set("--mask", "data/mask.npy").succeed(&place);
    assert_eq!(names(&place.path("r")), ["a.stemseg", "index.html", "summary.csv"]);
}

#[test]
fn the_table_has_a_line_for_each_image_and_number_of_clusters() {
    let place = data();
    let two = job(&["data"]).with(&[("--recursive", FLAG), ("-k", "2,3"), ("--border", "blank")]);
    assert_eq!(two.run(&place).status.code(), Some(1));
    let lines = table(&place, "r/summary.csv");
    let files: Vec<&str> = lines.keys().map(String::as_str).collect();
    let deep = ["data/deep/er/a.npy 2", "data/deep/er/a.npy 3"];
    assert_eq!(files, ["data/a.npy 2", "data/a.npy 3", "data/bad.npy", deep[0], deep[1]]);
    let bad = &lines["data/bad.npy"];
    assert_eq!(
        (bad["status"].as_str(), bad["k"].as_str(), bad["result"].as_str()),
        ("failed", "", "")
    );
    let message = &bad["message"];
    assert!(
        !message.is_empty() && !message.contains("bad.npy"),
        "its file has a column: {message}"
    );
    let line = &lines["data/a.npy 3"];
    let summary = place.json("r/a.stemseg/k3/summary.json");
    assert_eq!((line["status"].as_str(), line["result"].as_str()), ("done", "r/a.stemseg"));
    assert_eq!(line["device"], summary["device"]["name"].as_str().unwrap());
    assert_eq!((line["rows"].as_str(), line["cols"].as_str()), ("90", "100"));
    let number = |name: &str| line[name].parse::<f64>().unwrap();
    let mut sum = number("unlabelled_percent");
    assert!(sum > 10.0, "the border is blank: {sum}");
    for (i, label) in summary["labels"].as_array().unwrap().iter().enumerate() {
        let percent = number(&format!("area_{}_percent", i + 1));
        assert!((percent / 100.0 - label["fraction"].as_f64().unwrap()).abs() < 1e-6);
        sum += percent;
    }
    assert!((sum - 100.0).abs() < 1e-3, "{sum}");
    assert!((number("confidence") - summary["confidence"]["mean"].as_f64().unwrap()).abs() < 1e-4);
    assert!(number("seconds") > 0.0);
    assert_eq!(lines["data/a.npy 2"]["area_3_percent"], "");
    assert_eq!(line["nm_per_row"], "", "the file gives no pixel size");
}

#[test]
fn every_complaint_names_its_image() {
    let place = data();
    place.npy("data/tiny.npy", &scene(8, 8));
    let output = job(&["data"]).run(&place);
    let said = text(&output.stderr);
    let complaints: Vec<&str> =
        said.lines().filter(|line| line.starts_with("stemseg: data/")).collect();
    assert_eq!(complaints.len(), 2, "{said}");
    assert!(complaints[1].starts_with("stemseg: data/tiny.npy: the image has 8x8 px"), "{said}");
    let message = &table(&place, "r/summary.csv")["data/tiny.npy"]["message"];
    assert!(message.starts_with("the image has 8x8 px"), "{message}");
}

#[test]
fn the_table_goes_where_it_is_sent_and_replaces_nothing_else() {
    let place = data();
    place.write("mine.csv", "my,own,notes\n");
    let words = ["mine.csv", "not a table of stemseg", "--table"];
    job(&["data/a.npy"]).set("--table", "mine.csv").refused(&place, "another file", &words);
    place.folder("r");
    place.write("r/summary.csv", "x");
    let output = job(&["data"]).run(&place);
    check_failure("own table", &output, 2, &["r/summary.csv", "not a table of stemseg"]);
    std::fs::remove_file(place.path("r/summary.csv")).unwrap();
    let sent = job(&["data/a.npy"]).set("--table", "new/all.csv").set("--out", "one");
    sent.succeed(&place);
    assert_eq!(table(&place, "new/all.csv")["data/a.npy 2"]["result"], "one");
    // An earlier table makes way, and next to the images there is none.
    sent.set("--out", "two").succeed(&place);
    assert_eq!(table(&place, "new/all.csv")["data/a.npy 2"]["result"], "two");
    Job::new().images(&["data/**/a.npy"]).succeed(&place);
    assert!(names(&place.path("data")).iter().all(|name| !name.ends_with("csv")));
}

#[test]
fn the_table_is_of_the_results_that_are_there() {
    let place = data();
    place.folder("more");
    place.npy("more/b.npy", &scene(ROWS, COLS));
    let lines = |place: &Place| table(place, "r/summary.csv");
    job(&["data"]).set("-k", "2,3").run(&place);
    let first = lines(&place);
    assert_eq!(first["data/a.npy 3"]["status"], "done");
    // Once more: nothing is made, and nothing is lost.
    let output = job(&["data"]).set("-k", "2").run(&place);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let again = lines(&place);
    assert_eq!(again.keys().collect::<Vec<_>>(), first.keys().collect::<Vec<_>>());
    for (name, line) in &again {
        let word = if name == "data/bad.npy" { "failed" } else { "kept" };
        assert_eq!(line["status"], word, "{name}");
        for column in ["k", "area_1_percent", "area_3_percent", "confidence", "result"] {
            assert_eq!(line[column], first[name][column], "{name}: {column}");
        }
    }
    assert!(again["data/a.npy 2"]["message"].contains("exists already"));
    // Other images go next to them; what failed is told of those of the run alone.
    job(&["more"]).succeed(&place);
    let both: Vec<String> = lines(&place).into_keys().collect();
    assert_eq!(both, ["data/a.npy 2", "data/a.npy 3", "more/b.npy 2"]);
    // A result of another image is not that of one with the same name.
    place.npy("more/a.npy", &scene(ROWS, COLS));
    job(&["more"]).run(&place);
    let all = lines(&place);
    assert_eq!(all["more/a.npy"]["status"], "failed");
    assert_eq!(all["data/a.npy 3"]["status"], "kept");
    // Results that are gone are gone.
    std::fs::remove_dir_all(place.path("r/a.stemseg")).unwrap();
    job(&["more"]).set("--resume", FLAG).succeed(&place);
    let left: Vec<String> = lines(&place).into_keys().collect();
    assert_eq!(left, ["more/a.npy 2", "more/b.npy 2"]);
    assert_eq!(names(&place.path("r")), ["a.stemseg", "b.stemseg", "index.html", "summary.csv"]);
}

#[test]
fn two_batches_at_once_make_one_table_without_failures() {
    let place = Place::empty();
    place.folder("data");
    for i in 0..5 {
        place.npy(format!("data/{i}.npy"), &scene(ROWS + i, COLS));
    }
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| job(&["data"]).run(&place));
        }
    });
    let lines = table(&place, "r/summary.csv");
    assert_eq!(lines.len(), 5, "{lines:?}");
    for (name, line) in &lines {
        assert!(["done", "kept"].contains(&line["status"].as_str()), "{name}: {line:?}");
    }
    assert_eq!(names(&place.path("r")).len(), 7, "{:?}", names(&place.path("r")));
}

#[test]
fn spreadsheets_find_no_formulas_in_the_table() {
    let place = Place::empty();
    for name in ["=1+1.npy", "@a.npy", "+b.npy"] {
        place.npy(name, &scene(ROWS, COLS));
    }
    place.write("=bad.npy", "x");
    let given = ["=1+1.npy", "@a.npy", "+b.npy", "=bad.npy"];
    let several = Job::new().images(&given).with(&[("--table", "t.csv")]);
    for _ in 0..2 {
        several.run(&place);
        let files: Vec<String> = table(&place, "t.csv").into_keys().collect();
        assert_eq!(files, ["'+b.npy 2", "'=1+1.npy 2", "'=bad.npy", "'@a.npy 2"]);
    }
    assert_eq!(table(&place, "t.csv")["'@a.npy 2"]["result"], "'@a.stemseg");
    Job::new()
        .images(&["+b.npy"])
        .with(&[("--table", "t.csv"), ("--resume", FLAG)])
        .succeed(&place);
    let files: Vec<String> = table(&place, "t.csv").into_keys().collect();
    assert_eq!(files, ["'+b.npy 2", "'=1+1.npy 2", "'@a.npy 2"]);
}

#[test]
fn any_number_of_jobs_gives_the_same_results() {
    let place = Place::empty();
    place.folder("data");
    for i in 0..5 {
        place.npy(format!("data/{i}.npy"), &scene(ROWS + i, COLS));
    }
    let all = |jobs: &str| {
        job(&["data"]).with(&[("--jobs", jobs), ("--out", jobs)]).succeed(&place);
        let files = (0..5).map(|i| place.bytes(format!("{jobs}/{i}.stemseg/confidence.tif")));
        files.collect::<Vec<_>>()
    };
    let one = all("1");
    assert!(one == all("3") && one == all("16"));
    let table = |jobs: &str| table(&place, &format!("{jobs}/summary.csv"));
    assert_eq!(table("1").keys().collect::<Vec<_>>(), table("3").keys().collect::<Vec<_>>());
    let little = job(&["data"]).with(&[("--jobs", "5"), ("--memory", "100MiB"), ("--out", "m")]);
    let output = little.run(&place);
    let said = text(&output.stderr);
    assert!(said.contains("--memory 20.0 MiB") && said.contains("5 --jobs share"), "{said}");
    job(&["data"]).set("--jobs", "0").refused(&place, "no jobs", &["at least 1"]);
}

#[test]
fn json_of_a_folder_is_a_line_for_each_image() {
    let place = data();
    std::fs::remove_file(place.path("data/bad.npy")).unwrap();
    let output = job(&["data"]).set("--json", FLAG).succeed(&place);
    assert_eq!(text(&output.stdout).lines().count(), 1, "a folder of one image is a folder");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["input"]["path"], "data/a.npy");
}

#[test]
fn without_a_device_nothing_is_written() {
    let place = data();
    let job = job(&["data"]).set("--device", "gpu").without_adapters();
    let output = job.run(&place);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.lines().last().is_some_and(|line| line.contains("device") || line.contains("GPU"))
    );
    assert!(!place.path("r").exists());
}

#[cfg(unix)]
#[test]
fn what_cannot_be_opened_is_named_and_circles_are_not_followed() {
    use std::os::unix::fs::symlink;
    let place = data();
    std::fs::remove_file(place.path("data/bad.npy")).unwrap();
    symlink("..", place.path("data/deep/up")).unwrap();
    symlink("nowhere.npy", place.path("data/dangling.npy")).unwrap();
    symlink("a.npy", place.path("data/b.npy")).unwrap();
    place.write("data/empty.npy", "");
    let output = job(&["data"]).set("--recursive", FLAG).run(&place);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("2 of 4 images were not segmented"), "{said}");
    let lines = table(&place, "r/summary.csv");
    assert!(lines["data/dangling.npy"]["message"].contains("no such file"), "{lines:?}");
    assert!(lines["data/empty.npy"]["message"].contains("empty"), "{lines:?}");
}

#[test]
fn a_place_for_results_that_cannot_be_made_is_refused_before_anything() {
    let place = data();
    place.write("file", "text");
    let output = job(&["data"]).set("--out", "file/r").run(&place);
    check_failure("file", &output, 2, &["file"]);
}
