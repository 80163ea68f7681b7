//! The pictures and the page: that they are there, and that the options do something.

use image::RgbImage;
use serde_json::Value;

use crate::job::{Change, FLAG, Job};
use stemseg_testing::place::{COLS, Place, ROWS, names};

const PAGES: [&str; 3] = ["channels.png", "features.png", "report.html"];

fn page(place: &Place, name: &str) -> String {
    String::from_utf8(place.bytes(name)).unwrap()
}

#[test]
fn the_report_is_there_unless_it_is_not_wanted() {
    let place = Place::with_scene();
    Job::new().succeed(&place);
    Job::new().with(&[("--out", "plain"), ("--no-report", FLAG)]).succeed(&place);
    let (with, without) = (names(&place.path("image.stemseg")), names(&place.path("plain")));
    let more: Vec<&String> = with.iter().filter(|name| !without.contains(name)).collect();
    assert_eq!(more, PAGES);
    assert_eq!(with.len(), without.len() + 3);
    assert_eq!(place.json("plain/summary.json")["timings_ms"]["maps"].as_f64().unwrap() as u64, 0);
}

#[test]
fn the_page_holds_the_numbers_of_the_summary() {
    let place = Place::with_scene();
    Job::new().set("-k", "3").succeed(&place);
    let (page, summary) =
        (page(&place, "image.stemseg/report.html"), place.json("image.stemseg/summary.json"));
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    for area in summary["labels"].as_array().unwrap() {
        let share = format!("{:.1} %", 100.0 * area["fraction"].as_f64().unwrap());
        assert!(page.contains(&share), "{share}");
    }
    let text = |pointer: &str| summary.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    for text in [text("/input/sha256"), text("/device/name"), "90 × 100 px".into()] {
        assert!(page.contains(&text), "{text}");
    }
    for word in ["stemseg", "segment", "-k", "3", "--patch", "6", "image.npy"] {
        assert!(page.contains(&format!("<span><bdi>{word}</bdi></span>")), "{word}");
    }
}

#[test]
fn the_summary_tells_of_boundaries_and_of_each_label() {
    let place = Place::with_scene();
    Job::new().succeed(&place);
    let summary = place.json("image.stemseg/summary.json");
    let number = |value: &Value| value.as_f64().unwrap();
    // One boundary down the 17 rows of sites, 4 px apart.
    let boundaries = summary["boundaries"].as_array().unwrap();
    assert_eq!(boundaries.len(), 1);
    assert_eq!(boundaries[0]["labels"], Value::from(vec![1, 2]));
    assert!((number(&boundaries[0]["length_px"]) / 68.0 - 1.0).abs() < 0.15, "{boundaries:?}");
    assert_eq!(boundaries[0]["length_nm"], Value::Null);
    let labels = summary["labels"].as_array().unwrap();
    assert!(labels.iter().all(|label| (0.5..=1.0).contains(&number(&label["confidence"]))));
    let scree = summary["pca"]["scree"].as_array().unwrap();
    let kept = summary["pca"]["explained_variance_ratio"].as_array().unwrap();
    assert_eq!((scree.len(), &scree[..5]), (20, kept.as_slice()));
}

#[test]
fn several_numbers_of_clusters_have_a_page_each_and_one_above() {
    let place = Place::with_scene();
    Job::new().set("-k", "2,3").succeed(&place);
    let index = page(&place, "image.stemseg/report.html");
    for k in [2, 3] {
        let there = format!("k{k}/report.html");
        assert!(index.contains(&format!("href=\"{there}\"")), "{k}");
        let page = page(&place, &format!("image.stemseg/{there}"));
        assert!(page.contains(&format!("<p class=\"what\">{k} patterns</p>")));
    }
}

#[cfg(unix)]
#[test]
fn names_of_files_are_no_markup() {
    let (place, name) = (Place::empty(), "<b>&\"x.npy");
    place.npy(name, &stemseg_testing::place::scene(ROWS, COLS));
    Job::new().image(name).with(&[("--out", "r"), ("-k", "2,3")]).succeed(&place);
    for page in ["r/report.html", "r/k2/report.html"].map(|name| page(&place, name)) {
        assert!(
            !page.contains("<b>") && page.contains("<h1><bdi>&lt;b&gt;&amp;&quot;x.npy</bdi></h1>")
        );
    }
}

fn overlay(place: &Place, changes: &[Change<'_>]) -> RgbImage {
    Job::new().with(changes).force().succeed(place);
    image::open(place.path("image.stemseg/overlay.png")).unwrap().into_rgb8()
}

#[test]
fn labels_are_drawn_as_asked() {
    let place = Place::with_scene();
    // Pixels of the micrograph that are in colour.
    let coloured = |changes: &[Change<'_>]| {
        let drawing = overlay(&place, changes);
        let shown = drawing.rows().take(2 * ROWS).flatten();
        shown.filter(|p| p.0[0] != p.0[1] || p.0[1] != p.0[2]).count()
    };
    let tint = coloured(&[]);
    let lines = coloured(&[("--overlay", "lines")]);
    assert!(lines > 200 && lines < tint / 10, "{lines} of {tint}");
    assert_eq!(coloured(&[("--overlay-alpha", "0")]), 0);
    let both = coloured(&[("--overlay", "both"), ("--overlay-alpha", "0")]);
    assert_eq!(both, lines);
}

#[test]
fn drawings_that_cannot_be_are_refused() {
    let place = Place::with_scene();
    let refused = |changes: &[Change<'_>], words: &[&str]| {
        Job::new().with(changes).refused(&place, &format!("{changes:?}"), words);
    };
    refused(&[("--overlay", "paint")], &["--overlay", "tint, lines, both"]);
    refused(&[("--overlay-alpha", "1.5")], &["--overlay-alpha", "from 0 to 1"]);
    refused(&[("--overlay-alpha", "-0.1")], &["--overlay-alpha", "from 0 to 1"]);
    refused(&[("--overlay-alpha", "NaN")], &["--overlay-alpha", "from 0 to 1"]);
    refused(
        &[("--overlay", "lines"), ("--overlay-alpha", "0.3")],
        &["--overlay-alpha 0.3", "--overlay both"],
    );
}

#[test]
fn maps_are_pictures_of_a_few_hundred_pixels_each() {
    let place = Place::with_scene();
    Job::new().set("--components", "3").succeed(&place);
    for name in ["features.png", "channels.png"] {
        let (width, height) =
            image::image_dimensions(place.path("image.stemseg").join(name)).unwrap();
        assert!(
            (400..3000).contains(&width) && (400..3000).contains(&height),
            "{width} x {height}"
        );
    }
    // Nothing separates one pattern.
    Job::new().set("-k", "1").force().succeed(&place);
    assert!(!place.path("image.stemseg/channels.png").exists());
}

/// The figures of a result, all of which `summary.json` lists.
fn figures(place: &Place, result: &str) -> Vec<String> {
    let summary = place.json(format!("{result}/summary.json"));
    let listed = summary["files"].as_array().unwrap().iter().filter_map(Value::as_str);
    let within = listed.filter_map(|file| file.strip_prefix("figures/").map(str::to_owned));
    // The folder itself is listed too.
    let mut listed: Vec<String> = within.filter(|name| !name.is_empty()).collect();
    listed.sort();
    assert_eq!(listed, names(&place.path(format!("{result}/figures"))));
    listed
}

#[test]
fn figures_are_written_one_by_one() {
    let place = Place::with_scene();
    let job = Job::new().set("--save", "figures");
    job.clone().set("--no-report", FLAG).succeed(&place);
    let usual = ["confidence.png", "scree.svg", "sites-by-features.svg", "translations.svg"];
    assert_eq!(figures(&place, "image.stemseg"), usual);
    // The same as without a report.
    let svg = place.bytes("image.stemseg/figures/scree.svg");
    job.clone().force().succeed(&place);
    assert!(place.bytes("image.stemseg/figures/scree.svg") == svg);
    let map = image::open(place.path("image.stemseg/figures/confidence.png")).unwrap();
    assert!(map.width() > 100 && map.height() > 100);
    // Where the number is chosen there is a reason; each number has its own.
    let chosen = Job::automatic().with(&[("-k", "auto"), ("--save", "figures,strain")]);
    chosen.set("--out", "chosen").succeed(&place);
    assert!(figures(&place, "chosen").contains(&"strain.png".to_owned()));
    job.clone().with(&[("-k", "2,3"), ("--out", "several")]).succeed(&place);
    assert_eq!(figures(&place, "several/k2"), usual);
    assert_eq!(figures(&place, "several/k3"), usual);
    assert!(!place.path("several/figures").exists());
}

#[test]
fn figures_are_resumed_and_replace_nothing_else() {
    let place = Place::with_scene();
    let job = Job::new().set("--save", "figures");
    Job::new().succeed(&place);
    // A result without them is another; one with them is kept.
    job.clone().set("--resume", FLAG).fails(
        &place,
        "none yet",
        2,
        &["figures/confidence.png is missing"],
    );
    job.clone().force().succeed(&place);
    let kept = job.clone().set("--resume", FLAG).succeed(&place);
    assert!(crate::job::text(&kept.stdout).contains("kept"));
    // Without them they go; what somebody put next to them stays, and is not replaced.
    place.write("image.stemseg/figures/mine.svg", "mine");
    Job::new().force().succeed(&place);
    assert_eq!(names(&place.path("image.stemseg/figures")), ["mine.svg"]);
    job.force().fails(
        &place,
        "in the way",
        2,
        &["figures in it is not part of the earlier result"],
    );
    assert_eq!(place.bytes("image.stemseg/figures/mine.svg"), b"mine");
}
