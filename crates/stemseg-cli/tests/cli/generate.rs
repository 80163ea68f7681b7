//! Completions and manual pages.

use crate::job::{check_failure, stemseg, text};
use stemseg_testing::place::{Place, names};

#[test]
fn every_shell_has_completions() {
    let place = Place::empty();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = stemseg(&place).args(["completions", shell]).output().unwrap();
        let script = text(&output.stdout);
        assert!(output.status.success() && script.contains("segment"), "{shell}: {script}");
    }
    let output = stemseg(&place).args(["completions", "tcsh"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn every_command_has_a_manual_page_with_its_examples_line_by_line() {
    let place = Place::empty();
    let output = stemseg(&place).args(["man", "--out", "pages"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let pages = names(&place.path("pages"));
    for page in ["stemseg.1", "stemseg-segment.1", "stemseg-verify.1", "stemseg-simulate.1"] {
        assert!(pages.iter().any(|name| name == page), "{page} is not in {pages:?}");
    }
    let segment = text(&place.bytes("pages/stemseg-segment.1"));
    let (_, notes) = segment.split_once(".nf\n").unwrap();
    assert!(notes.contains("\n  stemseg segment grain.npy \\-k 2\n"), "{notes}");
    let printed = stemseg(&place).arg("man").output().unwrap();
    assert_eq!(text(&printed.stdout).trim_end(), text(&place.bytes("pages/stemseg.1")).trim_end());
}

#[test]
fn manual_pages_replace_manual_pages_and_nothing_else() {
    let place = Place::empty();
    let man = || stemseg(&place).args(["man", "--out", "man1"]).output().unwrap();
    place.folder("man1");
    place.write("man1/ls.1", ".TH LS 1\n");
    assert!(man().status.success());
    place.write("man1/stemseg.1", ".TH stemseg 1 \"stemseg 0.0.1\"\n");
    assert!(man().status.success());
    assert!(text(&place.bytes("man1/stemseg.1")).contains("segment"));
    assert_eq!(place.bytes("man1/ls.1"), b".TH LS 1\n");
    place.write("man1/stemseg-info.1", "my notes on the first edition");
    let before = place.snapshot();
    let output = man();
    check_failure("notes", &output, 2, &["man1/stemseg-info.1", "not a manual page", "--out"]);
    assert_eq!(place.snapshot(), before);
}
