//! The help, tested as data.

use crate::job::{stemseg, text};
use stemseg_testing::place::Place;

const COMMANDS: [&[&str]; 5] = [&[], &["segment"], &["verify"], &["bench"], &["devices"]];

/// Options of every run that reads an image.
const SHARED: [&str; 5] = ["--roi", "--mask", "--nan", "--verbose", "--quiet"];

fn help(place: &Place, command: &[&str]) -> String {
    let output = stemseg(place).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?}");
    text(&output.stdout)
}

/// The command lines under "Examples:", without their comments.
fn examples(help: &str) -> Vec<Vec<&str>> {
    let (_, after) = help.split_once("Examples:\n").unwrap_or_default();
    after
        .lines()
        .filter_map(|line| line.strip_prefix("  stemseg "))
        .map(|line| line.split("  ").next().unwrap_or_default().split(' ').collect())
        .collect()
}

#[test]
fn every_example_in_the_help_is_a_valid_call() {
    let place = Place::empty();
    for command in COMMANDS {
        let help = help(&place, command);
        let examples = examples(&help);
        assert!(command == ["devices"] || examples.len() >= 2, "no examples: {help}");
        for example in examples {
            let output = stemseg(&place).args(&example).output().unwrap();
            let said = text(&output.stderr);
            // There are no such images here; anything else is a wrong example.
            let reads = output.status.code() == Some(2) && said.contains("there is no such ");
            assert!(output.status.success() || reads, "stemseg {}: {said}", example.join(" "));
        }
    }
}

#[test]
fn the_help_names_every_option_that_the_tests_use() {
    let help = help(&Place::empty(), &["segment"]);
    let options = [
        "--clusters",
        "--patch",
        "--window",
        "--stride",
        "--translations",
        "--max-points",
        "--components",
        "--variance",
        "--restarts",
        "--seed",
        "--border",
        "--order",
        "--mask",
        "--roi",
        "--nan",
        "--image",
        "--out",
        "--force",
        "--save",
        "--overlay",
        "--overlay-alpha",
        "--no-report",
        "--json",
        "--quiet",
        "--device",
    ];
    for option in options {
        assert!(help.contains(option), "{option} is not in the help");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 100), "a line is too long");
}

#[test]
fn exit_codes_are_explained() {
    let help = help(&Place::empty(), &[]);
    for word in ["Exit codes", "0 ", "1 ", "2 ", "130 "] {
        assert!(help.contains(word), "'{word}' is not in: {help}");
    }
}

#[test]
fn the_version_is_the_crates() {
    let place = Place::empty();
    for flag in ["--version", "-V"] {
        let output = stemseg(&place).arg(flag).output().unwrap();
        assert_eq!(text(&output.stdout), concat!("stemseg ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

#[test]
fn wrong_commands_exit_with_2() {
    let place = Place::empty();
    for arguments in
        [&[][..], &["segments"], &["segment"], &["segment", "a.npy", "--kk", "2"], &["--k"]]
    {
        let output = stemseg(&place).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(text(&output.stderr).contains("Usage: stemseg"), "{arguments:?}");
    }
}

#[test]
fn verify_takes_the_same_input_as_segment() {
    let help = help(&Place::empty(), &["verify"]);
    for option in SHARED {
        assert!(help.contains(option), "{option} is not in: {help}");
    }
}
