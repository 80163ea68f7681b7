//! A disk that is full, or seems so.
#![cfg(unix)]

use std::process::{Command, Output};

use crate::batch::table;
use crate::job::{FLAG, Job, check_failure, text};
use stemseg_testing::place::{COLS, Place, ROWS, names, scene};

/// Runs the job in a shell after `before`.
fn in_shell(place: &Place, before: &str, job: &Job) -> Output {
    Command::new("sh")
        .arg("-c")
        .arg(format!("{before}; exec \"$0\" \"$@\""))
        .arg(assert_cmd::cargo::cargo_bin!("stemseg"))
        .args(job.arguments())
        .current_dir(place.path(""))
        .env("XDG_RUNTIME_DIR", place.path(""))
        .output()
        .unwrap()
}

#[test]
fn a_file_that_cannot_grow_leaves_nothing_half_written() {
    let place = Place::with_scene();
    Job::new().set("--out", "earlier").succeed(&place);
    let before = place.snapshot();
    // 4 KiB at most for each file.
    let limit = "ulimit -f 8";
    for (out, more) in [("new", "descriptors"), ("new/deep", "features"), ("earlier", "features")] {
        let job = Job::new().with(&[("--out", out), ("--save", more)]).force();
        let output = in_shell(&place, limit, &job);
        // The place that was asked for, not the hidden one where it is made.
        let place_of = format!("{out}/{more}.npy: ");
        let said = check_failure(out, &output, 1, &[&place_of, "ulimit -f"]);
        assert!(!said.contains("tmp-"), "{said}");
        assert_eq!(place.snapshot(), before, "{out}");
    }
}

#[test]
fn a_page_for_which_there_is_no_room_is_not_missed() {
    let place = Place::empty();
    place.folder("data");
    place.npy("data/a.npy", &scene(ROWS, COLS));
    let job = Job::new().images(&["data"]).with(&[("--out", "r"), ("--resume", FLAG)]);
    job.succeed(&place);
    let before = place.bytes("r/index.html");
    // Nothing but the table, which fits, and the page.
    let output = in_shell(&place, "ulimit -f 8", &job);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("r/index.html: ") && said.contains("ulimit -f"), "{said}");
    assert!(!said.contains("look at ") && !said.contains("tmp-"), "{said}");
    assert_eq!(table(&place, "r/summary.csv")["data/a.npy 2"]["status"], "kept");
    assert!(place.bytes("r/index.html") == before);
    assert_eq!(names(&place.path("r")), ["a.stemseg", "index.html", "summary.csv"]);
}

#[test]
fn limited_memory_is_said_and_leaves_nothing() {
    let place = Place::empty();
    place.npy("image.npy", &scene(1200, 1200));
    let before = place.snapshot();
    // Refused before the run, or on the way where --memory says that there is more.
    for (name, job) in [
        ("by itself", Job::automatic().set("--out", "new/deep")),
        ("told otherwise", Job::automatic().with(&[("--out", "new"), ("--memory", "8GiB")])),
    ] {
        let limit = "export RAYON_NUM_THREADS=2; ulimit -v 290000";
        let output = in_shell(&place, limit, &job.set("--quiet", FLAG));
        check_failure(name, &output, 1, &["memory"]);
        assert_eq!(place.snapshot(), before, "{name}");
    }
}

/// A file system of a few pages, unmounted when dropped.
struct Tiny(std::path::PathBuf);

impl Tiny {
    fn mount(place: &Place, size: &str) -> Option<Self> {
        let folder = place.folder("tiny");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"]).arg(&folder);
        mount.output().is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let place = Place::with_scene();
    let Some(tiny) = Tiny::mount(&place, "16k") else {
        eprintln!("skipped: this user may not mount a small file system");
        return;
    };
    for (name, out) in [("one folder", "tiny/result"), ("new parents", "tiny/a/b/result")] {
        Job::new().set("--out", out).fails(&place, name, 1, &["o space left on device"]);
        assert!(names(&tiny.0).is_empty(), "{name}: {:?}", names(&tiny.0));
    }
}

#[test]
fn a_full_disk_ends_a_run_over_many_images_with_whole_results_and_a_table() {
    let place = Place::empty();
    place.folder("data");
    for i in 0..9 {
        place.npy(format!("data/{i}.npy"), &scene(ROWS, COLS));
    }
    // Room for two results: each takes about 190 KiB.
    let Some(tiny) = Tiny::mount(&place, "500k") else {
        eprintln!("skipped: this user may not mount a small file system");
        return;
    };
    let output =
        Job::new().images(&["data"]).set("--no-report", FLAG).set("--out", "tiny/r").run(&place);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("o space left on device") && said.contains("were not tried"), "{said}");
    let lines = table(&place, "tiny/r/summary.csv");
    let of = |status: &str| lines.values().filter(|line| line["status"] == status).count();
    assert!(of("done") > 0 && of("failed") > 0 && of("not done") > 0, "{lines:?}");
    let mut made = names(&tiny.0.join("r"));
    // There may be room for the page, or not.
    made.retain(|name| name != "index.html");
    assert_eq!(made.len(), of("done") + 1, "{made:?}");
    assert!(made.iter().all(|name| !name.starts_with('.')), "{made:?}");
}
