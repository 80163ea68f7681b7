//! Results that appear whole, replace others, and come back after a kill.

use std::fs::TryLockError;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::staging::{NEW, OLD, REPLACING};
use super::*;

/// A place to work in, and the path of a result in it.
fn place() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("gold.stemseg");
    (place, target)
}

fn start(target: &Path, force: bool) -> Result<ResultFolder> {
    ResultFolder::create(target, force, &[])
}

fn filled(target: &Path, force: bool, content: &str) -> ResultFolder {
    let folder = start(target, force).unwrap();
    fs::write(folder.path("k2/labels.txt"), content).unwrap();
    folder
}

fn make(target: &Path, force: bool, content: &str) -> Result<PathBuf> {
    start(target, force)?;
    filled(target, force, content).commit(&mut Map::new())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn labels(target: &Path) -> String {
    fs::read_to_string(target.join("k2/labels.txt")).unwrap()
}

#[track_caller]
fn refused(target: &Path, words: &str) {
    let error = start(target, true).unwrap_err();
    assert!(matches!(error, Error::Parameter { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("force = true replaces only whole results"), "{text}");
    assert!(text.contains(words), "'{words}' is not in: {text}");
}

/// Things of the user's: a file, a folder, a link, and a file among those of the result.
fn add_guests(target: &Path) {
    fs::write(target.join("my_notes.txt"), "Tuesday").unwrap();
    fs::create_dir_all(target.join("figures/old")).unwrap();
    fs::write(target.join("figures/old/1.svg"), "drawn").unwrap();
    fs::write(target.join("k2/remark.txt"), "fine").unwrap();
    symlink("../elsewhere", target.join("link")).unwrap();
}

#[track_caller]
fn check_guests(target: &Path) {
    let read = |name: &str| fs::read_to_string(target.join(name)).unwrap();
    assert_eq!(read("my_notes.txt"), "Tuesday");
    assert_eq!(read("figures/old/1.svg"), "drawn");
    assert_eq!(read("k2/remark.txt"), "fine");
    assert_eq!(fs::read_link(target.join("link")).unwrap(), Path::new("../elsewhere"));
}

#[test]
fn the_result_appears_at_the_commit_and_nothing_else_stays() {
    let (place, _) = place();
    let target = place.path().join("new/parent/gold.stemseg/");
    let folder = start(&target, false).unwrap();
    fs::write(folder.path("labels.txt"), "1").unwrap();
    assert!(!target.exists());
    let made = folder.commit(&mut Map::new()).unwrap();
    assert_eq!(made, place.path().canonicalize().unwrap().join("new/parent/gold.stemseg"));
    assert_eq!(names(made.parent().unwrap()), ["gold.stemseg"]);
    assert_eq!(names(&made), ["labels.txt", "summary.json"]);
}

#[test]
fn the_summary_lists_all_that_was_made() {
    let (_place, target) = place();
    let folder = filled(&target, false, "");
    fs::create_dir(folder.path("empty")).unwrap();
    fs::write(folder.path("gold.ome.zarr/0/c/0"), "").unwrap();
    assert_eq!(folder.files("k2").unwrap(), ["labels.txt", "summary.json"]);
    let mut summary = Map::new();
    summary.insert(FILES.into(), Value::Null);
    summary.insert("last".into(), 1.into());
    folder.commit(&mut summary).unwrap();
    let there: Value = serde_json::from_slice(&fs::read(target.join(SUMMARY)).unwrap()).unwrap();
    assert_eq!(there, Value::from(summary.clone()), "what is written is what is given back");
    assert_eq!(summary.keys().collect::<Vec<_>>(), ["files", "last", "stemseg_version"]);
    let expected = [
        "empty/",
        "gold.ome.zarr/",
        "gold.ome.zarr/0/",
        "gold.ome.zarr/0/c/",
        "gold.ome.zarr/0/c/0",
        "k2/",
        "k2/labels.txt",
        "summary.json",
    ];
    assert_eq!(summary[FILES], Value::from(expected.to_vec()));
}

#[test]
fn a_dropped_result_leaves_nothing() {
    let (place, target) = place();
    let folder = filled(&target, false, "1");
    assert_eq!(names(place.path()).len(), 1);
    drop(folder);
    assert!(names(place.path()).is_empty());
}

#[test]
fn folders_above_go_with_the_last_result_that_did_not_come() {
    let (place, _) = place();
    let target = |name: &str| place.path().join("new/parent").join(name);
    let (one, two) = (start(&target("one"), false).unwrap(), start(&target("two"), false).unwrap());
    drop(one);
    assert!(target("").exists());
    drop(two);
    assert!(names(place.path()).is_empty());
    fs::write(place.path().join("file"), "").unwrap();
    start(&place.path().join("file/result"), false).unwrap_err();
    fs::create_dir(place.path().join("d")).unwrap();
    fs::write(place.path().join("d/notes.csv"), "x").unwrap();
    refused(&place.path().join("d"), "has no summary.json");
    start(&place.path().join("e/f/.."), false).unwrap_err();
    assert_eq!(names(place.path()), ["d", "file"]);
}

#[test]
fn an_existing_target_is_kept_without_force_and_replaced_with_it() {
    let (place, target) = place();
    make(&target, false, "first").unwrap();
    assert!(matches!(make(&target, false, "second"), Err(Error::Exists(p)) if p == target));
    assert_eq!(labels(&target), "first");
    make(&target, true, "third").unwrap();
    assert_eq!(labels(&target), "third");
    assert_eq!(names(place.path()), ["gold.stemseg"]);
}

#[test]
fn what_the_user_put_into_a_result_stays_in_it() {
    let (place, target) = place();
    make(&target, false, "first").unwrap();
    add_guests(&target);
    make(&target, true, "second").unwrap();
    check_guests(&target);
    assert_eq!(labels(&target), "second");
    // Its folder is no longer one of the result.
    let folder = start(&target, true).unwrap();
    fs::write(folder.path("labels.txt"), "third").unwrap();
    folder.commit(&mut Map::new()).unwrap();
    check_guests(&target);
    assert_eq!(
        names(&target),
        ["figures", "k2", "labels.txt", "link", "my_notes.txt", "summary.json"]
    );
    assert_eq!(names(&target.join("k2")), ["remark.txt"]);
    assert_eq!(names(place.path()), ["gold.stemseg"]);
}

#[test]
fn what_the_user_made_is_never_overwritten() {
    let (place, target) = place();
    make(&target, false, "first").unwrap();
    fs::write(target.join("report.html"), "mine").unwrap();
    fs::create_dir(target.join("maps")).unwrap();
    for planned in ["report.html", "maps/maps.json", "maps"] {
        let error = ResultFolder::create(&target, true, &[planned.to_owned()]).unwrap_err();
        assert!(error.to_string().contains("is not part of the earlier result"), "{error}");
    }
    // Nor where it was not known before.
    for name in ["report.html", "maps/maps.json", "maps"] {
        let folder = filled(&target, true, "second");
        fs::write(folder.path(name), "").unwrap();
        let error = folder.commit(&mut Map::new()).unwrap_err();
        assert!(error.to_string().contains("is not part of the earlier result"), "{name}: {error}");
    }
    assert_eq!(fs::read_to_string(target.join("report.html")).unwrap(), "mine");
    assert_eq!(labels(&target), "first");
    assert_eq!(names(place.path()), ["gold.stemseg"]);
}

#[test]
fn a_target_that_appears_meanwhile_is_kept() {
    let (_place, target) = place();
    let folder = start(&target, false).unwrap();
    fs::create_dir(&target).unwrap();
    assert!(matches!(folder.commit(&mut Map::new()), Err(Error::Exists(_))));

    let folder = start(&target, true).unwrap();
    fs::write(target.join("thesis.tex"), "years").unwrap();
    assert!(matches!(folder.commit(&mut Map::new()), Err(Error::Parameter { .. })));
    assert_eq!(names(&target), ["thesis.tex"]);
    // Past all checks: the rename itself must refuse.
    let other = tempfile::tempdir_in(target.parent().unwrap()).unwrap();
    let error = exchange::rename_new(other.path(), &target).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[test]
fn two_runs_do_not_make_one_result() {
    let (place, target) = place();
    let first = filled(&target, false, "first");
    let error = start(&target, false).unwrap_err();
    assert!(matches!(&error, Error::Busy(path) if *path == target), "{error:?}");
    assert!(sweep(place.path()).is_empty());
    first.commit(&mut Map::new()).unwrap();
    assert_eq!(labels(&target), "first");
    drop(start(&place.path().join("silver.stemseg"), false).unwrap());
}

#[test]
fn without_locks_nothing_is_swept() {
    let (place, target) = place();
    let no_locks = |_: &File| Err(TryLockError::Error(ErrorKind::Unsupported.into()));
    let first = Staging::claim_with(&target, &no_locks).unwrap();
    fs::write(first.new_path(), "half").unwrap();
    let second = Staging::claim_with(&target, &no_locks).unwrap();
    assert_ne!(first.new_path(), second.new_path());
    assert_eq!(fs::read_to_string(first.new_path()).unwrap(), "half");
    drop((first, second));
    assert!(names(place.path()).is_empty());
}

#[test]
fn force_spares_what_is_no_whole_result() {
    let (place, target) = place();
    fs::write(&target, "a file").unwrap();
    refused(&target, "this is a file");
    fs::remove_file(&target).unwrap();

    fs::create_dir(&target).unwrap();
    start(&target, true).unwrap();
    for name in ["notes.csv", "page.html", "data.json", "drawing.svg", ".DS_Store"] {
        fs::write(target.join(name), "mine").unwrap();
        refused(&target, "has no summary.json");
        fs::remove_file(target.join(name)).unwrap();
    }
    let rows = [
        ("not JSON", "was not written by stemseg"),
        (r#"{"files": ["summary.json"]}"#, "was not written by stemseg"),
        (r#"{"stemseg_version": 1}"#, "was not written by stemseg"),
        (r#"{"stemseg_version": "0.1.0"}"#, "does not list all files"),
        (r#"{"stemseg_version": "0.1.0", "files": ["a"]}"#, "does not list all files"),
        (r#"{"stemseg_version": "0.1.0", "files": ["../a", "summary.json"]}"#, "not a path within"),
        (r#"{"stemseg_version": "0.1.0", "files": ["/etc", "summary.json"]}"#, "not a path within"),
        (r#"{"stemseg_version": "0.1.0", "files": [7, "summary.json"]}"#, "not a path within"),
        (r#"{"stemseg_version": "0.1.0", "files": ["a", "summary.json"]}"#, "a of its summary"),
        (r#"{"stemseg_version": "0.1.0", "files": ["b/c", "summary.json"]}"#, "not the folder"),
        (
            r#"{"stemseg_version": "0.1.0", "files": ["b/", "summary.json"]}"#,
            "not a folder any more",
        ),
        (r#"{"stemseg_version": "0.1.0", "files": ["c", "summary.json"]}"#, "not a file any more"),
    ];
    symlink(place.path(), target.join("b")).unwrap();
    symlink(place.path(), target.join("c")).unwrap();
    for (text, words) in rows {
        fs::write(target.join(SUMMARY), text).unwrap();
        refused(&target, words);
    }
    fs::remove_file(target.join(SUMMARY)).unwrap();
    symlink("b", target.join(SUMMARY)).unwrap();
    refused(&target, "is not a file");
    assert_eq!(names(&target), ["b", "c", "summary.json"]);
    assert_eq!(names(place.path()), ["gold.stemseg"]);
}

#[test]
fn force_spares_a_folder_with_results_in_it() {
    let (_place, target) = place();
    make(&target.join("k2"), false, "").unwrap();
    make(&target.join("gold.stemseg"), false, "").unwrap();
    refused(&target, "has no summary.json");
}

#[test]
fn a_result_that_lacks_something_is_refused() {
    let (_place, target) = place();
    make(&target, false, "first").unwrap();
    fs::remove_file(target.join("k2/labels.txt")).unwrap();
    refused(&target, "k2/labels.txt of its summary.json is missing");
}

#[test]
fn force_spares_links_even_with_a_trailing_slash() {
    let (place, target) = place();
    let result = make(&place.path().join("real"), false, "first").unwrap();
    symlink(&result, &target).unwrap();
    refused(&target, "is a link");
    refused(&target.join(""), "is a link");
    assert!(matches!(start(&target, false), Err(Error::Exists(_))));
}

#[test]
fn the_folder_has_the_permissions_that_the_umask_or_the_earlier_one_gives() {
    use std::os::unix::fs::PermissionsExt;
    let (place, target) = place();
    make(&target, false, "").unwrap();
    let plain = place.path().join("plain");
    fs::create_dir(&plain).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&target), mode(&plain));
    fs::set_permissions(&target, fs::Permissions::from_mode(0o750)).unwrap();
    make(&target, true, "").unwrap();
    assert_eq!(mode(&target) & 0o777, 0o750);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for target in ["..", "/", "", "a/.."] {
        let error = start(Path::new(target), false).unwrap_err();
        assert!(matches!(error, Error::Parameter { name: "out", .. }), "{target}: {error:?}");
    }
    let (_place, target) = place();
    let folder = start(&target, false).unwrap();
    for name in ["../x", "/x", "a/../../x"] {
        let leads_out = std::panic::AssertUnwindSafe(|| folder.path(name));
        assert!(std::panic::catch_unwind(leads_out).is_err(), "{name}");
    }
}

#[test]
fn a_file_is_replaced_as_a_whole_or_not_at_all() {
    use std::io::Write;
    let (place, _) = place();
    let path = place.path().join("summary.csv");
    let write = |text: &str| {
        replace_file(&path, |file| file.write_all(text.as_bytes()).map_err(Error::io(&path)))
    };
    write("first").unwrap();
    let failed = replace_file(&path, |file| {
        file.write_all(b"half").unwrap();
        Err(Error::Interrupted)
    });
    assert!(matches!(failed, Err(Error::Interrupted)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "first");
    // Of several at once each finds what the one before left.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                replace_file(&path, |file| {
                    let before = fs::read_to_string(&path).unwrap();
                    write!(file, "{before}+").map_err(Error::io(&path))
                })
                .unwrap()
            });
        }
    });
    assert_eq!(fs::read_to_string(&path).unwrap(), "first++++++++");
    assert_eq!(names(place.path()), ["summary.csv"]);
}

/// What a killed process leaves of a result in the making: the lock goes with it.
fn killed(folder: ResultFolder) -> PathBuf {
    let hidden = folder.staging.new_path().parent().unwrap().to_path_buf();
    let copy = hidden.with_file_name("copy");
    fs::rename(&hidden, &copy).unwrap();
    drop(folder);
    fs::rename(&copy, &hidden).unwrap();
    hidden
}

/// A summary with the files that are there, as the commit writes it.
fn finish(folder: &ResultFolder) {
    let files = folder.files("").unwrap();
    let summary = serde_json::json!({ VERSION: "0.1.0", FILES: files });
    fs::write(folder.path(SUMMARY), summary.to_string()).unwrap();
}

#[test]
fn what_killed_runs_left_goes_and_what_others_left_stays() {
    let (place, target) = place();
    for name in ["gold.stemseg", "silver.stemseg", "gold.stemseg.tmp-0123456789"] {
        let hidden = killed(filled(&target.with_file_name(name), false, "half"));
        assert!(hidden.exists());
    }
    let finished = filled(&target.with_file_name("iron"), false, "whole");
    finish(&finished);
    killed(finished);
    // Killed before there was a lock, or before it said whose it is.
    let hidden = |name: &str| place.path().join(name);
    fs::create_dir(hidden(".a.tmp-0123456789")).unwrap();
    fs::create_dir(hidden(".b.tmp-0123456789")).unwrap();
    fs::write(hidden(".b.tmp-0123456789/lock"), "").unwrap();
    // Not of stemseg, or moved to where it does not belong.
    let moved = killed(filled(&target.with_file_name("tin"), false, "half"));
    fs::rename(&moved, hidden(".moved.tmp-0123456789")).unwrap();
    for name in [".cache.tmp-0123456789", ".gold.stemseg.tmp-abcdef", "x.tmp-0123456789"] {
        fs::create_dir(hidden(name)).unwrap();
        fs::write(hidden(name).join("data"), "mine").unwrap();
    }
    let live = filled(&target.with_file_name("live"), false, "now");
    assert_eq!(sweep(place.path()), Vec::<String>::new());
    let mut left = names(place.path());
    left.retain(|name| !name.starts_with(".live"));
    assert_eq!(
        left,
        [
            ".cache.tmp-0123456789",
            ".gold.stemseg.tmp-abcdef",
            ".moved.tmp-0123456789",
            "x.tmp-0123456789"
        ]
    );
    live.commit(&mut Map::new()).unwrap();
}

/// A run that was killed while it replaced the result `first`, after `step`s of it.
fn killed_while_replacing(target: &Path, steps: usize) {
    make(target, false, "first").unwrap();
    add_guests(target);
    let folder = filled(target, true, "second");
    finish(&folder);
    let manifest = Manifest::read(target).unwrap().unwrap();
    let guests = manifest.guests(target).unwrap();
    assert_eq!(guests.len(), 4);
    let hidden = killed(folder);
    let (new, old) = (hidden.join(NEW), hidden.join(OLD));
    fs::write(hidden.join(REPLACING), "").unwrap();
    // The steps in their order; each guest is one.
    let carried = &guests[..steps.min(4)];
    exchange::carry(target, &new, carried).unwrap();
    match steps {
        0..=4 => {}
        // Where the system cannot exchange.
        5 => fs::rename(target, &old).unwrap(),
        6 => {
            fs::rename(target, &old).unwrap();
            fs::rename(&new, target).unwrap();
        }
        // Exchanged, and not yet out of the way.
        7 => {
            fs::rename(target, &old).unwrap();
            fs::rename(&new, target).unwrap();
            fs::rename(&old, &new).unwrap();
        }
        // Half deleted.
        8 => {
            fs::rename(target, &old).unwrap();
            fs::rename(&new, target).unwrap();
            fs::remove_file(old.join("k2/labels.txt")).unwrap();
            fs::write(old.join("late.txt"), "late").unwrap();
        }
        // All but deleted.
        _ => {
            fs::rename(target, &old).unwrap();
            fs::rename(&new, target).unwrap();
            fs::remove_dir_all(old.join("k2")).unwrap();
            fs::remove_file(old.join(SUMMARY)).unwrap();
            fs::write(old.join("late.txt"), "late").unwrap();
        }
    }
}

#[test]
fn killed_at_any_step_nothing_of_the_users_is_lost_and_there_is_a_result() {
    for steps in 0..10 {
        for by_sweep in [true, false] {
            let (place, target) = place();
            killed_while_replacing(&target, steps);
            let notes = match by_sweep {
                true => sweep(place.path()),
                false => start(&target, true).unwrap().notes().to_vec(),
            };
            assert_eq!(names(place.path()), ["gold.stemseg"], "after step {steps}");
            check_guests(&target);
            let expected = if steps < 6 { "first" } else { "second" };
            assert_eq!(labels(&target), expected, "after step {steps}");
            assert_eq!(target.join("late.txt").exists(), steps >= 8, "after step {steps}");
            let said = notes.join("\n");
            assert_eq!(said.contains("had moved aside, is back"), steps == 5, "{steps}: {said}");
            let moved = (1..=5).contains(&steps) || steps >= 8;
            assert_eq!(said.contains("and is back"), moved, "{steps}: {said}");
            make(&target, true, "third").unwrap();
            check_guests(&target);
        }
    }
}

#[test]
fn what_cannot_be_put_back_is_kept_and_named() {
    let (place, target) = place();
    killed_while_replacing(&target, 4);
    fs::write(target.join("my_notes.txt"), "another").unwrap();
    let said = sweep(place.path()).join("\n");
    assert!(said.contains("my_notes.txt") && said.contains(".gold.stemseg.tmp-"), "{said}");
    // Runs go on next to it.
    make(&target, true, "third").unwrap();
    assert_eq!(fs::read_to_string(target.join("my_notes.txt")).unwrap(), "another");
    let hidden: Vec<_> =
        names(place.path()).into_iter().filter(|name| name.starts_with('.')).collect();
    let kept = place.path().join(&hidden[0]).join(NEW).join("my_notes.txt");
    assert_eq!(fs::read_to_string(kept).unwrap(), "Tuesday");
    assert_eq!(hidden.len(), 1);
}

#[test]
fn where_the_system_cannot_exchange_two_renames_do_and_are_undone() {
    let (place, target) = place();
    make(&target, false, "first").unwrap();
    let (new, aside) = (place.path().join("new"), place.path().join("aside"));
    let error = exchange::in_two_steps(&new, &target, &aside).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(labels(&target), "first");
    fs::create_dir(&new).unwrap();
    exchange::in_two_steps(&new, &target, &aside).unwrap();
    assert_eq!(labels(&aside), "first");
    assert_eq!(names(place.path()), ["aside", "gold.stemseg"]);
}

#[test]
fn the_users_things_go_back_when_the_result_cannot_be_put_in_place() {
    let (place, target) = place();
    make(&target, false, "first").unwrap();
    add_guests(&target);
    let folder = filled(&target, true, "second");
    // In the way of what is moved aside, and of the last of the user's things.
    let manifest = Manifest::read(&target).unwrap().unwrap();
    let guests = manifest.guests(&target).unwrap();
    let new = folder.staging.new_path();
    let (some, last) = guests.split_at(3);
    exchange::carry(&target, &new, some).unwrap();
    fs::create_dir_all(new.join(&last[0])).unwrap();
    let (failed, error) = exchange::carry(&target, &new, last).unwrap_err();
    assert_eq!((&failed, error.kind()), (&last[0], ErrorKind::AlreadyExists));
    fs::remove_dir(new.join(&last[0])).unwrap();
    assert!(exchange::carry_back(&new, &target, &guests));
    drop(folder);
    check_guests(&target);
    assert_eq!(labels(&target), "first");
    assert_eq!(names(place.path()), ["gold.stemseg"]);
}
