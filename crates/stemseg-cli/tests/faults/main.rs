//! A machine that fails: calls of the C library that give errors, one after the other, at
//! every place of a run. See README.md next to this file.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Failed, Trial};
use stemseg_testing::place::{Place, names, scene};

fn main() {
    let shim = Shim::build();
    let trial = |name: &str, test: fn(&Path) -> Result<(), Failed>| match &shim {
        Ok(shim) => {
            let shim = shim.0.clone();
            Trial::test(name, move || test(&shim))
        }
        Err(reason) => {
            Trial::test(name, || Ok(())).with_ignored_flag(true).with_kind(reason.clone())
        }
    };
    let trials = vec![
        trial("disks_that_are_full", |shim| {
            every(shim, "write", "ENOSPC", true)?;
            every(shim, "fsync", "ENOSPC", false)
        }),
        trial("disks_that_fail", |shim| {
            every(shim, "write", "EIO", false)?;
            every(shim, "fsync", "EIO", false)
        }),
        trial("folders_that_cannot_be_made_or_renamed", |shim| {
            every(shim, "mkdir", "EIO", false)?;
            every(shim, "rename", "EIO", false)
        }),
        trial("files_that_cannot_be_opened", |shim| {
            every(shim, "open", "EMFILE", false)?;
            every(shim, "open", "EACCES", false)
        }),
        trial("images_that_cannot_be_read", |shim| every(shim, "read", "EIO", true)),
        trial("memory_that_is_refused", |shim| every(shim, "memory", "ENOMEM", false)),
        trial("threads_that_are_refused", threads),
        trial("an_image_that_changes_while_it_is_read", changes),
        trial("a_batch_goes_on_after_one_image_that_cannot_be_read", batch),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// The library that makes calls fail.
struct Shim(PathBuf);

impl Shim {
    /// Compiles it.
    ///
    /// # Errors
    /// Why the trials cannot run here.
    fn build() -> Result<Self, String> {
        static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
        if !cfg!(all(target_os = "linux", target_env = "gnu")) {
            return Err("needs Linux with the GNU C library".into());
        }
        let folder = FOLDER.get_or_init(|| tempfile::tempdir().unwrap());
        let library = folder.path().join("shim.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.c");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source);
        match cc.args(["-ldl", "-pthread"]).output() {
            Err(_) => Err("no C compiler here".into()),
            Ok(output) if output.status.success() => Ok(Self(library)),
            Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}

/// A run of the program in `place`; `fault` is what the shim makes of it.
fn run(place: &Place, shim: &Path, fault: &str, arguments: &[&str]) -> (Output, bool) {
    let fired = tempfile::tempdir().unwrap();
    let fired = fired.path().join("fired");
    let output = Command::new(assert_cmd::cargo::cargo_bin!("stemseg"))
        .args(arguments)
        .current_dir(place.path(""))
        .env("LD_PRELOAD", shim)
        .env("STEMSEG_FAULT", fault)
        .env("STEMSEG_FAULT_UNDER", place.path("").canonicalize().unwrap())
        .env("STEMSEG_FAULT_FIRED", &fired)
        .env("RAYON_NUM_THREADS", "2")
        .env("XDG_RUNTIME_DIR", place.path(""))
        .env("STEMSEG_PIPELINE_CACHE", "off")
        .output()
        .unwrap();
    (output, fired.exists())
}

const SEGMENT: [&str; 13] = [
    "segment",
    "image.npy",
    "-k",
    "2",
    "--device",
    "cpu",
    "--preset",
    "pystem",
    "--patch",
    "6",
    "--window",
    "6",
    "--stride",
];

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SEGMENT.into_iter().chain(["4"]).chain(more.iter().copied()).collect()
}

/// With a small image.
fn place() -> Place {
    let place = Place::empty();
    place.npy("image.npy", &scene(48, 60));
    place
}

/// Runs with the first, second, third call that fails, and so on, ever farther apart, until
/// none does; a new result each, then one that replaces another.
fn every(shim: &Path, call: &str, error: &str, onwards: bool) -> Result<(), Failed> {
    let mut failed = 0;
    // What replaces a result reads it first, and takes what it cannot read for something else.
    let earlier = if call == "read" { &[false][..] } else { &[false, true] };
    for &earlier in earlier {
        let mut number = 1;
        loop {
            let fault = format!("{call}:{number}{}:{error}", if onwards { "+" } else { "" });
            match once(shim, &fault, earlier)? {
                Outcome::NotReached => break,
                Outcome::Failed => failed += 1,
                Outcome::Done => {}
            }
            number += 1 + number / 3;
        }
    }
    // What does not matter to the result may fail unseen, but not all of it.
    if failed == 0 {
        return Err(format!("no {call} that failed was noticed").into());
    }
    Ok(())
}

enum Outcome {
    NotReached,
    Failed,
    Done,
}

/// One run with `fault`, and what must hold of it.
fn once(shim: &Path, fault: &str, earlier: bool) -> Result<Outcome, Failed> {
    let place = place();
    let job = arguments(&["--no-report", "--out", "result", "--force"]);
    if earlier {
        let (output, _) = run(&place, shim, "", &job);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let before = place.snapshot();
    let (output, fired) = run(&place, shim, fault, &job);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let fail = |what: &str| Err(format!("{fault}, earlier {earlier}: {what}: {said:?}").into());
    let found = names(&place.path(""));
    if found.iter().any(|name| name.starts_with('.')) {
        return fail(&format!("left {found:?}"));
    }
    match output.status.code() {
        Some(0) => {
            is_whole(&place.path("result"))?;
            Ok(if fired { Outcome::Done } else { Outcome::NotReached })
        }
        // Rights are the user's, all else is the machine's.
        Some(code) if fired && code == if fault.contains("EACCES") { 2 } else { 1 } => {
            if let Err(what) = is_one_sentence(&said) {
                return fail(&what);
            }
            match changed(&before, &place) {
                changed if changed.is_empty() => Ok(Outcome::Failed),
                changed => fail(&format!("changed {changed:?}")),
            }
        }
        code => fail(&format!("exit code {code:?}, fired {fired}")),
    }
}

/// A result whose files are all there and not empty.
fn is_whole(folder: &Path) -> Result<(), Failed> {
    let summary = std::fs::read(folder.join("summary.json"))?;
    let summary: serde_json::Value = serde_json::from_slice(&summary)?;
    let files = summary["files"].as_array().cloned().unwrap_or_default();
    assert!(!files.is_empty(), "{summary}");
    for file in files {
        let file = folder.join(file.as_str().unwrap_or_default());
        assert!(std::fs::metadata(&file)?.len() > 0, "{}", file.display());
    }
    Ok(())
}

/// Whether `said` is one sentence of the program's, with no path of its own making.
fn is_one_sentence(said: &str) -> Result<(), String> {
    match () {
        () if !said.starts_with("stemseg: ") => Err("no sentence".into()),
        () if said.trim_end().contains('\n') => Err("more than one line".into()),
        () if said.contains("panicked") => Err("a panic".into()),
        () if said.contains(".tmp-") => Err("a hidden path".into()),
        () => Ok(()),
    }
}

/// What differs from `before`.
fn changed(before: &BTreeMap<PathBuf, Option<Vec<u8>>>, place: &Place) -> Vec<PathBuf> {
    let after = place.snapshot();
    let paths = before.keys().chain(after.keys());
    paths.filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

fn threads(shim: &Path) -> Result<(), Failed> {
    let (mut refused, mut done) = (0, 0);
    for number in [1, 2, 3, 4, 5, 6, 7, 9, 12, 16] {
        match once(shim, &format!("thread:{number}+:EAGAIN"), false)? {
            Outcome::Failed => refused += 1,
            Outcome::Done => done += 1,
            Outcome::NotReached => {}
        }
        once(shim, &format!("thread:{number}:EAGAIN"), false)?;
    }
    assert!(refused > 0, "without a single thread there is no result");
    assert!(done > 2, "with a few there is: {done}");
    let place = place();
    let (output, _) = run(&place, shim, "thread:1+:EAGAIN", &arguments(&[]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("thread") && said.contains("ulimit -u"), "{said}");
    Ok(())
}

fn changes(shim: &Path) -> Result<(), Failed> {
    let mut noticed = 0;
    for number in 1..=20 {
        let place = place();
        let (output, fired) = run(&place, shim, &format!("change:{number}"), &arguments(&[]));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !fired {
            assert!(output.status.success(), "{said}");
            break;
        }
        assert_eq!(output.status.code(), Some(2), "read {number}: {said}");
        assert!(said.contains("image.npy: changed while it was read"), "read {number}: {said}");
        assert_eq!(names(&place.path("")), ["image.npy"], "read {number}");
        noticed += 1;
    }
    // The head, the header, the pixels, the checksum.
    assert!(noticed >= 3, "{noticed}");
    Ok(())
}

fn batch(shim: &Path) -> Result<(), Failed> {
    let place = Place::empty();
    place.folder("data");
    for name in ["a", "b", "c"] {
        place.npy(format!("data/{name}.npy"), &scene(48, 60));
    }
    let mut job = arguments(&["--no-report", "--out", "results"]);
    job[1] = "data";
    let mut partly = 0;
    for number in 1..40 {
        let (output, fired) = run(&place, shim, &format!("read:{number}:EIO"), &job);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !fired {
            break;
        }
        if said.contains("1 of 3 images were not segmented") {
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert_eq!(names(&place.path("results")).len(), 4, "two results, table and page");
            partly += 1;
        }
        let _ = std::fs::remove_dir_all(place.path("results"));
    }
    assert!(partly > 2, "{partly}");
    Ok(())
}
