//! The help, tested as data.

use std::collections::BTreeSet;

use crate::job::{stemseg, text};
use stemseg_testing::place::Place;

/// Options of every run that reads an image.
const SHARED: [&str; 5] = ["--roi", "--mask", "--nan", "--verbose", "--quiet"];

/// Lines of the short help of a command with many options: a screen.
const SCREEN: usize = 50;

fn printed(place: &Place, arguments: &[&str]) -> String {
    let output = stemseg(place).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    text(&output.stdout)
}

fn help(place: &Place, command: &[&str]) -> String {
    printed(place, &[command, &["--help"]].concat())
}

/// Every subcommand, as the program's own help lists them.
fn subcommands(place: &Place) -> Vec<String> {
    let help = help(place, &[]);
    let (_, after) = help.split_once("Commands:\n").unwrap();
    let (list, _) = after.split_once("\n\n").unwrap();
    // A description that goes on stands further to the right.
    let own =
        list.lines().filter_map(|line| line.strip_prefix("  ")).filter(|l| !l.starts_with(' '));
    let names = own.map(|line| line.split(' ').next().unwrap_or_default().to_owned());
    names.filter(|name| name != "help").collect()
}

/// The command lines under "Examples:", without their comments and what a shell does with them.
fn examples(help: &str) -> Vec<Vec<&str>> {
    let (_, after) = help.split_once("Examples:\n").unwrap_or_default();
    after
        .lines()
        .filter_map(|line| line.strip_prefix("  stemseg "))
        .map(|line| line.split("  ").next().unwrap_or_default())
        .map(|line| line.split([' ']).take_while(|word| !["|", ">"].contains(word)).collect())
        .collect()
}

#[test]
fn every_command_has_examples_that_are_valid_calls() {
    let place = Place::empty();
    let commands = subcommands(&place);
    assert!(commands.len() >= 9, "{commands:?}");
    let mut tried = BTreeSet::new();
    for command in commands.iter().map(|command| vec![&**command]).chain([vec![]]) {
        let help = help(&place, &command);
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{command:?} has no examples: {help}");
        for example in examples.into_iter().filter(|example| tried.insert(example.join(" "))) {
            let output = stemseg(&Place::empty()).args(&example).output().unwrap();
            let said = text(&output.stderr);
            // There are no such images and models here; anything else is a wrong example.
            let reads = output.status.code() == Some(2) && said.contains("there is no such ");
            assert!(output.status.success() || reads, "stemseg {}: {said}", example.join(" "));
        }
    }
}

#[test]
fn the_short_help_fits_a_screen_and_has_what_one_needs_every_day() {
    let place = Place::empty();
    let daily = ["--device", "--pixel-size", "--roi", "--mask", "--out", "--force", "--format"];
    for (command, own) in [
        ("segment", &["-k, --clusters", "--like", "--preset"][..]),
        ("apply", &["--model", "--scale"]),
    ] {
        let short = printed(&place, &[command, "-h"]);
        let lines = short.lines().count();
        assert!(lines <= SCREEN, "{lines} lines: {short}");
        assert!(
            short.lines().all(|line| line.chars().count() <= 100),
            "a line is too long: {short}"
        );
        for option in
            daily.iter().chain(own).chain(&["--jobs", "--resume", "--memory", "Examples:"])
        {
            assert!(short.contains(option), "{option} is not in: {short}");
        }
        let long = printed(&place, &[command, "--help"]);
        for option in ["--check", "--nan", "--outliers", "--no-report", "--labels"] {
            assert!(!short.contains(option) && long.contains(option), "{option}: {short}");
        }
    }
}

#[test]
fn every_short_help_fits_a_screen() {
    let place = Place::empty();
    for command in subcommands(&place) {
        let short = printed(&place, &[&command, "-h"]);
        let lines = short.lines().count();
        assert!(lines <= SCREEN, "{command}: {lines} lines: {short}");
        assert!(short.contains("Examples:"), "{command}: {short}");
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
