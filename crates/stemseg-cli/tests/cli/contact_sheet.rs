//! `index.html`, the page over all images of a run.

use stemseg_testing::place::{COLS, Place, ROWS, names, scene};

use crate::batch::table;
use crate::job::{FLAG, Job, text};

/// `data/` with an image, one that is no image, and one whose name a link has to spell out.
fn data() -> Place {
    let place = Place::empty();
    place.folder("data/deep");
    place.npy("data/a.npy", &scene(ROWS, COLS));
    place.write("data/bad.npy", b"\x93NUMPY and then nothing");
    place.npy("data/deep/b #1.npy", &scene(2 * ROWS, COLS));
    place
}

fn job() -> Job {
    Job::new().images(&["data"]).with(&[("--out", "r"), ("--recursive", FLAG)])
}

fn page(place: &Place) -> String {
    String::from_utf8(place.bytes("r/index.html")).unwrap()
}

/// What stands between `before` and `after`, each time.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Vec<&'t str> {
    text.split(before).skip(1).map(|part| part.split_once(after).unwrap().0).collect()
}

/// The cards of the page, in their order.
fn cards(page: &str) -> Vec<&str> {
    between(page, "<article class=\"card", "</article>")
}

/// The names on the cards, each with what is said of it and what it leads to.
fn told(page: &str) -> Vec<String> {
    let told = |card: &&str| {
        let part = |before, after| between(card, before, after).first().copied().unwrap_or("-");
        let state = if card.contains("class=\"state") {
            part("<p class=\"state", "</p>").split_once("\">").unwrap().1
        } else {
            "done"
        };
        let (name, to) = (part("<h2><bdi>", "</bdi>"), part("href=\"", "\""));
        let picture = if card.contains("src=\"data:image/") { "shown" } else { "not shown" };
        format!("{name} {state} {to} {picture}")
    };
    cards(page).iter().map(told).collect()
}

#[test]
fn all_images_of_a_run_are_on_one_page() {
    let place = data();
    let output = job().set("-k", "2,3").run(&place);
    assert!(text(&output.stderr).contains("look at "), "{}", text(&output.stderr));
    let first = page(&place);
    let expected = |state: &str| {
        vec![
            format!("a.npy {state} a.stemseg/k2/report.html shown"),
            format!("a.npy {state} a.stemseg/k3/report.html shown"),
            "bad.npy failed - not shown".to_owned(),
            format!("b #1.npy {state} deep/b%20%231.stemseg/k2/report.html shown"),
            format!("b #1.npy {state} deep/b%20%231.stemseg/k3/report.html shown"),
        ]
    };
    assert_eq!(told(&first), expected("done"));
    let all = cards(&first);
    for (card, line) in [(all[0], "data/a.npy 2"), (all[4], "data/deep/b #1.npy 3")] {
        let line = &table(&place, "r/summary.csv")[line];
        assert!(card.contains(&format!("{} × {} px", line["rows"], line["cols"])), "{card}");
        assert!(card.contains(&format!("{} (given)", line["k"])), "{card}");
        let percent = line["area_2_percent"].parse::<f64>().unwrap();
        assert!(card.contains(&format!("title=\"2: {percent:.1} %\"")), "{percent}: {card}");
    }
    let message = &table(&place, "r/summary.csv")["data/bad.npy"]["message"];
    assert!(all[2].contains(&format!("<p class=\"message\"><bdi>{message}</bdi>")), "{}", all[2]);
    // The overlay without its legend: as many rows and columns as the image, or in its shape.
    assert!(all[0].contains("width=\"300\" height=\"270\""), "90 x 100 px are drawn threefold");
    // What was kept is shown as it was.
    job().with(&[("-k", "2,3"), ("--resume", FLAG)]).run(&place);
    assert_eq!(told(&page(&place)), expected("kept"));
    assert_eq!(between(&page(&place), "<dt>", "</dt>")[..3], ["kept", "failed", "with warnings"]);
}

#[test]
fn without_reports_there_is_nothing_to_lead_to() {
    let place = data();
    job().with(&[("--no-report", FLAG), ("--jobs", "2")]).run(&place);
    let expected = ["a.npy done - shown", "bad.npy failed - not shown", "b #1.npy done - shown"];
    assert_eq!(told(&page(&place)), expected);
}

#[test]
fn images_of_earlier_runs_stay_on_the_page_as_long_as_their_results() {
    let place = data();
    place.folder("more");
    place.npy("more/c.npy", &scene(ROWS, COLS));
    Job::new().images(&["data/a.*"]).set("--out", "r").succeed(&place);
    let more = Job::new().images(&["more"]).set("--out", "r");
    more.succeed(&place);
    let both = ["c.npy done c.stemseg/report.html shown", "a.npy done a.stemseg/report.html shown"];
    assert_eq!(told(&page(&place)), both);
    // A damaged picture is missing, a result that is gone is gone.
    place.write("r/c.stemseg/overlay.png", "no picture");
    std::fs::remove_dir_all(place.path("r/a.stemseg")).unwrap();
    more.run(&place);
    assert_eq!(told(&page(&place)), ["c.npy kept c.stemseg/report.html not shown"]);
}

#[test]
fn with_its_table_elsewhere_it_is_where_the_results_are() {
    let place = data();
    job().set("--table", "tables/all.csv").run(&place);
    assert_eq!(names(&place.path("r")), ["a.stemseg", "deep", "index.html"]);
    assert!(page(&place).contains("href=\"../tables/all.csv\""));
    assert_eq!(told(&page(&place)).len(), 3);
    // A single image, and results next to their images, have none.
    Job::new().images(&["data/a.npy"]).set("--out", "one").succeed(&place);
    assert!(!place.path("one/index.html").exists());
    Job::new().images(&["data/a.*"]).set("--table", "t.csv").succeed(&place);
    assert!(!place.path("data/index.html").exists() && !place.path("index.html").exists());
}

#[test]
fn a_page_of_somebody_else_stays() {
    let place = data();
    place.folder("r");
    place.write("r/index.html", "<!DOCTYPE html><title>My day</title>");
    let output = job().run(&place);
    let said = text(&output.stderr);
    assert!(said.contains("index.html is not a page of stemseg, and stays"), "{said}");
    assert!(!said.contains("look at"), "{said}");
    assert_eq!(place.bytes("r/index.html"), b"<!DOCTYPE html><title>My day</title>");
    assert_eq!(table(&place, "r/summary.csv").len(), 3);
    // Nor is a report that has that name, or a folder, replaced.
    let report = place.bytes("r/a.stemseg/report.html");
    place.write("r/index.html", &report);
    job().run(&place);
    assert!(place.bytes("r/index.html") == report);
    std::fs::remove_file(place.path("r/index.html")).unwrap();
    place.folder("r/index.html");
    job().run(&place);
    assert!(place.path("r/index.html").is_dir());
}

#[cfg(unix)]
#[test]
fn links_in_its_place_are_not_followed() {
    let place = data();
    job().run(&place);
    let mine = page(&place);
    std::fs::rename(place.path("r/index.html"), place.path("mine.html")).unwrap();
    for to in ["../mine.html", "nowhere.html"] {
        std::os::unix::fs::symlink(to, place.path("r/index.html")).unwrap();
        let said = text(&job().run(&place).stderr).to_owned();
        assert!(said.contains("and stays"), "{to}: {said}");
        let there = std::fs::read_link(place.path("r/index.html")).unwrap();
        assert_eq!(there.to_str(), Some(to));
        std::fs::remove_file(place.path("r/index.html")).unwrap();
    }
    assert!(String::from_utf8(place.bytes("mine.html")).unwrap() == mine);
    assert!(!place.path("r/nowhere.html").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_unicode_are_shown_and_led_to() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::empty();
    place.folder("data");
    place.npy("data/a.npy", &scene(ROWS, COLS));
    let odd = std::ffi::OsStr::from_bytes(b"data/x\xff.npy");
    std::fs::rename(place.path("data/a.npy"), place.path(odd)).unwrap();
    job().succeed(&place);
    assert_eq!(told(&page(&place)), ["x\u{fffd}.npy done x%FF.stemseg/report.html shown"]);
}
