//! Names of files, and what is in them, that would rewrite a terminal or a page.

use std::io::Write as _;

use crate::job::{FLAG, Job, stemseg, text};
use stemseg_testing::place::{COLS, Place, ROWS, scene};

/// Turns red, breaks the line, and turns the direction of what follows.
#[cfg(unix)]
const NAME: &str = "a\u{1b}[31m\nstemseg: done\u{202e}ypn.npy";

/// What is shown of it.
#[cfg(unix)]
const SHOWN: &str = r"a\u{1b}[31m\nstemseg: done\u{202e}ypn.npy";

/// Whether nothing but lines of text is there.
fn is_plain(said: &str) -> bool {
    let hostile = |c: char| c.is_control() && c != '\n' || "\u{202e}\u{2066}\u{2028}".contains(c);
    !said.contains(hostile)
}

#[cfg(unix)]
#[test]
fn names_are_spelled_out_on_the_terminal_and_in_the_report() {
    let place = Place::empty();
    let refused = Job::new().image(NAME).refused(&place, "missing", &[SHOWN]);
    assert!(is_plain(&refused), "{refused}");

    place.npy(NAME, &scene(ROWS, COLS));
    let output =
        Job::new().image(NAME).with(&[("--out", "r"), ("--verbose", FLAG)]).succeed(&place);
    let (said, noted) = (text(&output.stdout), text(&output.stderr));
    assert!(is_plain(&said) && is_plain(&noted), "{said}{noted}");
    let page = text(&place.bytes("r/report.html"));
    assert!(is_plain(&page) && page.contains(&format!("<h1><bdi>{SHOWN}</bdi></h1>")));
    // Programs get what there is.
    assert_eq!(place.json("r/summary.json")["input"]["path"], NAME);

    // Where the name is that of the result, and in tables, which have lines.
    let output = Job::new().image(NAME).succeed(&place);
    let said = text(&output.stdout);
    assert!(is_plain(&said) && said.lines().count() == 5, "{said}");
    let again = Job::new().image(NAME).refused(&place, "again", &["exists already"]);
    assert!(is_plain(&again), "{again}");
    let output = stemseg(&place).args(["info", NAME]).output().unwrap();
    let said = text(&output.stdout);
    assert!(is_plain(&said) && said.starts_with(&format!("{SHOWN}: npy, 1 image\n")), "{said}");
}

#[test]
fn what_files_call_their_images_is_spelled_out() {
    let place = Place::empty();
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    place.npy("one.npy", &scene(40, 40));
    for name in ["one.npy", "two\u{1b}[2J\u{2066}\nthree.npy"] {
        archive.start_file(name, options).unwrap();
        archive.write_all(&place.bytes("one.npy")).unwrap();
    }
    place.write("two.npz", archive.finish().unwrap().into_inner());
    let said = text(&stemseg(&place).args(["info", "two.npz"]).output().unwrap().stdout);
    assert!(is_plain(&said) && said.contains(r"two\u{1b}[2J\u{2066}\nthree"), "{said}");
    let json = text(&stemseg(&place).args(["info", "two.npz", "--json"]).output().unwrap().stdout);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["images"][1]["name"].as_str().unwrap().contains('\u{1b}'), "raw for programs");
}

#[test]
fn arguments_are_spelled_out_where_they_are_refused() {
    let place = Place::with_scene();
    for arguments in [["segment", "--no\u{1b}[31m\u{202e}"], ["\u{9b}2Jsegment", "a"]] {
        let output = stemseg(&place).args(arguments).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("error: ") && said.contains(r"\u{"), "{said}");
        assert!(is_plain(&said), "{said:?}");
    }
}
