//! Ctrl-C.
#![cfg(unix)]

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::batch::table;
use crate::job::{Change, FLAG, Job, check_failure, text};
use crate::place::{Place, names, scene};

/// Longest time to react: 2 s, and some more for a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(5);

fn start(place: &Place, job: &Job) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin!("stemseg"))
        .args(job.arguments())
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until the hidden folder is there, which is where computing begins.
fn wait_for_start(place: &Place, child: &mut Child) {
    let begun = Instant::now();
    while !names(&place.path("")).iter().any(|name| name.starts_with(".result.tmp")) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(begun.elapsed() < Duration::from_secs(60), "it did not begin to compute");
        sleep(Duration::from_millis(5));
    }
}

struct Row {
    name: &'static str,
    signal: &'static str,
    /// Rows and columns of the image, px.
    size: usize,
    changes: &'static [Change<'static>],
    /// Time from the start of computing to the signal, ms.
    delay: u64,
}

#[test]
fn a_long_job_stops_soon_and_leaves_nothing() {
    // Each goes on for minutes in the stage it is named after.
    let rows = [
        Row {
            name: "describing",
            signal: "-INT",
            size: 1200,
            changes: &[("--stride", "1"), ("--window", "10"), ("--max-points", "441")],
            delay: 50,
        },
        Row {
            name: "many starts",
            signal: "-INT",
            size: 100,
            changes: &[("--starts", "1000000000")],
            delay: 300,
        },
        Row {
            name: "seeding many clusters",
            signal: "-INT",
            size: 500,
            changes: &[("--stride", "1"), ("--window", "2"), ("-k", "60000")],
            delay: 1500,
        },
        Row {
            name: "terminated",
            signal: "-TERM",
            size: 100,
            changes: &[("--starts", "1000000000"), ("--json", FLAG)],
            delay: 100,
        },
    ];
    for Row { name, signal, size, changes, delay } in rows {
        let place = Place::empty();
        place.npy("image.npy", &scene(size, size));
        let job = Job::new().with(changes).set("--out", "result");
        let mut child = start(&place, &job);
        wait_for_start(&place, &mut child);
        sleep(Duration::from_millis(delay));
        assert!(child.try_wait().unwrap().is_none(), "{name}: it ended by itself");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let asked = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if asked.elapsed() > PATIENCE {
                child.kill().unwrap();
                panic!("{name}: still there {PATIENCE:?} after the signal");
            }
            sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().unwrap();
        check_failure(name, &output, 130, &["interrupted", "nothing was written"]);
        assert_eq!(names(&place.path("")), ["image.npy"], "{name}");
    }
}

#[test]
fn of_several_images_those_that_are_done_stay_and_are_in_the_table() {
    let place = Place::empty();
    place.folder("data");
    for (name, size) in [("a", 100), ("b", 90), ("c", 1200), ("d", 100)] {
        place.npy(format!("data/{name}.npy"), &scene(size, size));
    }
    let slow = [("--stride", "1"), ("--window", "10"), ("--max-points", "441")];
    let job = Job::new().images(&["data"]).with(&slow).with(&[("--out", "r"), ("--resume", FLAG)]);
    let mut child = start(&place, &job);
    let begun = Instant::now();
    while !place.path("r/b.stemseg").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(begun.elapsed() < Duration::from_secs(60), "the first two took too long");
        sleep(Duration::from_millis(5));
    }
    sleep(Duration::from_millis(300));
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    let asked = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
    assert_eq!(output.status.code(), Some(130));
    let said = text(&output.stderr);
    assert!(said.contains("interrupted; 2 of 4 images are done; the table is"), "{said}");
    assert_eq!(names(&place.path("r")), ["a.stemseg", "b.stemseg", "summary.csv"]);
    let status = |place: &Place| -> Vec<String> {
        table(place, "r/summary.csv").values().map(|line| line["status"].clone()).collect()
    };
    assert_eq!(status(&place), ["done", "done", "not done", "not done"]);
    // And on from there.
    std::fs::remove_file(place.path("data/c.npy")).unwrap();
    job.succeed(&place);
    assert_eq!(status(&place), ["kept", "kept", "done"]);
}
