//! stdout and stderr of a run that goes well.

use std::process::{Command, Stdio};

use crate::job::{FLAG, Job, text};
use stemseg_testing::place::Place;

#[test]
fn a_run_tells_sites_areas_and_the_folder() {
    let place = Place::with_scene();
    let output = Job::new().succeed(&place);
    let (said, noted) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(noted, "", "nothing to note, and no progress where there is no terminal");
    assert_eq!(said.lines().count(), 5, "{said}");
    for word in [
        "323 sites",
        "49 channels",
        "k = 2",
        "1: ",
        "2: ",
        " %",
        "lattice 1  square",
        "image.stemseg",
    ] {
        assert!(said.contains(word), "'{word}' is not in: {said}");
    }
}

#[test]
fn json_prints_the_file_and_nothing_else() {
    let place = Place::with_scene();
    for k in ["2", "2,3"] {
        let output = Job::new().with(&[("-k", k), ("--json", FLAG)]).force().succeed(&place);
        assert_eq!(
            text(&output.stdout),
            text(&place.bytes("image.stemseg/summary.json")),
            "-k {k}"
        );
        let said = text(&output.stderr);
        // Three patterns of two crystals are warned of, on stderr.
        assert!(said.lines().all(|line| line.starts_with("warning: k = 3: ")), "-k {k}: {said}");
    }
}

#[test]
fn quiet_prints_nothing_but_what_json_asks_for() {
    let place = Place::with_scene();
    // The note on the device is a note that is not given.
    let job =
        Job::new().without_adapters().with(&[("--device", "auto"), ("--quiet", FLAG)]).force();
    let output = job.succeed(&place);
    assert_eq!((text(&output.stdout), text(&output.stderr)), (String::new(), String::new()));
    let output = job.set("--json", FLAG).succeed(&place);
    assert_eq!(text(&output.stdout), text(&place.bytes("image.stemseg/summary.json")));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn verbose_says_why_on_stderr() {
    let place = Place::with_scene();
    let output = Job::new().set("--verbose", FLAG).succeed(&place);
    let said = text(&output.stderr);
    for word in ["17 rows x 19 columns", "12x12 px", "49 channels"] {
        assert!(said.contains(word), "'{word}' is not in: {said}");
    }
    // One line for each lattice among them.
    assert_eq!(text(&output.stdout).lines().count(), 5);
}

/// The program with stdout going into a pipe whose reader is gone.
fn into_the_void(place: &Place, arguments: &[std::ffi::OsString]) -> (Option<i32>, String) {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("stemseg"))
        .args(arguments)
        .current_dir(place.path(""))
        .env("XDG_RUNTIME_DIR", place.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    (output.status.code(), text(&output.stderr))
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::with_scene();
    for job in [Job::new(), Job::new().set("--json", FLAG)] {
        let (code, said) = into_the_void(&place, &job.force().arguments());
        assert_eq!((code, said.as_str()), (Some(0), ""));
        assert!(
            place.path("image.stemseg/labels.npy").exists(),
            "the result is there all the same"
        );
    }
    for arguments in [["devices", "--json"], ["segment", "--help"]] {
        let (code, said) = into_the_void(&place, &arguments.map(Into::into));
        assert_eq!((code, said.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_a_failure_that_is_named() {
    let place = Place::with_scene();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(assert_cmd::cargo::cargo_bin!("stemseg"))
        .args(Job::new().set("--json", FLAG).arguments())
        .current_dir(place.path(""))
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("stemseg: stdout: "), "{}", text(&output.stderr));
}
