//! Ctrl-C.
#![cfg(unix)]

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::batch::table;
use crate::job::{Change, FLAG, Job, check_failure, text};
use stemseg_testing::place::{Place, names, scene};

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
    wait_for(place, child, ".result.tmp");
}

/// Waits until there is something whose name begins so.
fn wait_for(place: &Place, child: &mut Child, start: &str) {
    let begun = Instant::now();
    while !names(&place.path("")).iter().any(|name| name.starts_with(start)) {
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
            changes: &[("--restarts", "1000000000")],
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
            changes: &[("--restarts", "1000000000"), ("--json", FLAG)],
            delay: 100,
        },
        Row {
            name: "hung up",
            signal: "-HUP",
            size: 100,
            changes: &[("--restarts", "1000000000")],
            delay: 100,
        },
    ];
    for Row { name, signal, size, changes, delay } in rows {
        let place = Place::empty();
        place.npy("image.npy", &scene(size, size));
        // What there is to say of such settings is not of concern here.
        let job = Job::new().with(changes).with(&[("--out", "result"), ("--quiet", FLAG)]);
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
    assert_eq!(names(&place.path("r")), ["a.stemseg", "b.stemseg", "index.html", "summary.csv"]);
    let status = |place: &Place| -> Vec<String> {
        table(place, "r/summary.csv").values().map(|line| line["status"].clone()).collect()
    };
    assert_eq!(status(&place), ["done", "done", "not done", "not done"]);
    // And on from there.
    std::fs::remove_file(place.path("data/c.npy")).unwrap();
    job.succeed(&place);
    assert_eq!(status(&place), ["kept", "kept", "done"]);
}

#[test]
fn ten_kills_and_a_run_leave_nothing_but_the_result() {
    let place = Place::with_scene();
    let job = Job::new().set("--out", "result").force();
    let begun = Instant::now();
    job.succeed(&place);
    let whole = begun.elapsed();
    place.write("result/my_notes.txt", "Tuesday");
    // Spread over a run, at times that differ from machine to machine.
    for i in 0..10_u32 {
        let mut child = start(&place, &job);
        sleep(whole * (10 * i + 7 * (i % 3)) / 100);
        child.kill().unwrap();
        child.wait().unwrap();
        let there = names(&place.path(""));
        assert!(there.contains(&"result".to_owned()), "after kill {i}: {there:?}");
    }
    // Some that die in the middle of computing for sure, of this result and of another.
    for out in ["result", "other"] {
        let slow = job.clone().with(&[("--restarts", "1000000000"), ("--out", out)]);
        let mut child = start(&place, &slow);
        wait_for(&place, &mut child, &format!(".{out}.tmp"));
        sleep(Duration::from_millis(100));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(names(&place.path("")).len() > 2, "it left something");
    }
    job.succeed(&place);
    assert_eq!(names(&place.path("")), ["image.npy", "result"]);
    assert_eq!(place.bytes("result/my_notes.txt"), b"Tuesday");
    assert!(place.path("result/labels.npy").exists());
}

#[test]
fn what_a_killed_run_had_moved_aside_comes_back_with_a_note() {
    let place = Place::with_scene();
    let job = Job::new().set("--out", "result");
    job.succeed(&place);
    place.write("result/my_notes.txt", "Tuesday");
    // As it is between the two renames of a system that cannot exchange.
    let slow = job.clone().with(&[("--restarts", "1000000000")]).force();
    let mut child = start(&place, &slow);
    wait_for(&place, &mut child, ".result.tmp");
    sleep(Duration::from_millis(100));
    child.kill().unwrap();
    child.wait().unwrap();
    let there = names(&place.path(""));
    let hidden = there.iter().find(|name| name.starts_with(".result.tmp")).unwrap();
    std::fs::rename(place.path("result"), place.path(hidden).join("old")).unwrap();
    let another = Job::new().set("--out", "another").succeed(&place);
    let said = text(&another.stderr);
    assert!(said.contains("note: ") && said.contains("had moved aside, is back"), "{said}");
    assert_eq!(names(&place.path("")), ["another", "image.npy", "result"]);
    assert_eq!(place.bytes("result/my_notes.txt"), b"Tuesday");
    job.refused(&place, "it is there", &["result exists already"]);
}

#[test]
fn of_two_runs_with_one_place_the_second_stops_at_the_start() {
    let place = Place::with_scene();
    let slow = Job::new().with(&[("--restarts", "1000000000"), ("--out", "result")]);
    let mut child = start(&place, &slow);
    wait_for_start(&place, &mut child);
    sleep(Duration::from_millis(50));
    // Before the image is read: there is none.
    let second = Job::new().image("missing.npy").set("--out", "result");
    second.refused(&place, "second", &["result is being made by another run of stemseg", "--out"]);
    second.force().refused(&place, "with force", &["being made by another run"]);
    Job::new().set("--out", "elsewhere").succeed(&place);
    assert!(child.try_wait().unwrap().is_none(), "the first goes on");
    child.kill().unwrap();
    child.wait().unwrap();
    Job::new().set("--out", "result").succeed(&place);
    assert_eq!(names(&place.path("")), ["elsewhere", "image.npy", "result"]);
}
