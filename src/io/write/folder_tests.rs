use super::*;

/// A place to work in, and the path of a result in it.
fn place() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("gold.stemseg");
    (place, target)
}

fn make(target: &Path, force: bool, content: &str) -> Result<PathBuf> {
    let folder = ResultFolder::create(target, force)?;
    fs::write(folder.path("summary.json"), r#"{"stemseg_version": "0.1.0"}"#).unwrap();
    fs::write(folder.path("k2/labels.txt"), content).unwrap();
    folder.commit()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn refusal(target: &Path) -> String {
    let error = ResultFolder::create(target, true).unwrap_err();
    assert!(matches!(error, Error::Parameter { .. }), "{error:?}");
    error.to_string()
}

#[test]
fn the_result_appears_at_the_commit_and_nothing_else_stays() {
    let (place, _) = place();
    let target = place.path().join("new/parent/gold.stemseg/");
    let folder = ResultFolder::create(&target, false).unwrap();
    fs::write(folder.path("labels.txt"), "1").unwrap();
    assert!(!target.exists());
    let made = folder.commit().unwrap();
    assert_eq!(made, place.path().join("new/parent/gold.stemseg"));
    assert_eq!(names(made.parent().unwrap()), ["gold.stemseg"]);
    assert_eq!(names(&made), ["labels.txt"]);
}

#[test]
fn a_dropped_result_leaves_nothing() {
    let (place, target) = place();
    let folder = ResultFolder::create(&target, false).unwrap();
    fs::write(folder.path("k2/labels.txt"), "1").unwrap();
    assert_eq!(names(place.path()).len(), 1);
    drop(folder);
    assert!(names(place.path()).is_empty());
}

#[test]
fn an_existing_target_is_kept_without_force_and_replaced_with_it() {
    let (place, target) = place();
    make(&target, false, "first").unwrap();
    assert!(matches!(make(&target, false, "second"), Err(Error::Exists(p)) if p == target));
    assert_eq!(fs::read_to_string(target.join("k2/labels.txt")).unwrap(), "first");
    make(&target, true, "third").unwrap();
    assert_eq!(fs::read_to_string(target.join("k2/labels.txt")).unwrap(), "third");
    assert_eq!(names(place.path()), ["gold.stemseg"]);
}

#[test]
fn a_target_that_appears_meanwhile_is_kept() {
    let (_place, target) = place();
    let folder = ResultFolder::create(&target, false).unwrap();
    fs::create_dir(&target).unwrap();
    assert!(matches!(folder.commit(), Err(Error::Exists(_))));

    let folder = ResultFolder::create(&target, true).unwrap();
    fs::write(target.join("thesis.tex"), "years").unwrap();
    assert!(matches!(folder.commit(), Err(Error::Parameter { .. })));
    assert_eq!(names(&target), ["thesis.tex"]);
    // Past all checks: the rename itself must refuse.
    let other = tempfile::tempdir_in(target.parent().unwrap()).unwrap();
    assert!(matches!(put_in_place(other.path(), &target, None), Err(Error::Exists(_))));
}

#[test]
fn the_earlier_result_comes_back_when_the_rename_fails() {
    let (place, target) = place();
    make(&target, false, "first").unwrap();
    let aside = move_aside(&target).unwrap();
    assert!(!target.exists());
    let error = put_in_place(&place.path().join("nowhere"), &target, aside).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(target.join("k2/labels.txt")).unwrap(), "first");
    assert_eq!(names(place.path()), ["gold.stemseg"]);
}

#[test]
fn the_earlier_result_is_never_deleted_when_it_cannot_come_back() {
    let (place, target) = place();
    make(&target, false, "first").unwrap();
    let aside = move_aside(&target).unwrap();
    fs::write(&target, "a file in the way").unwrap();
    let error = put_in_place(&place.path().join("nowhere"), &target, aside).unwrap_err();
    let message = error.to_string();
    let kept = message.rsplit(" in ").next().unwrap();
    assert_eq!(fs::read_to_string(Path::new(kept).join("k2/labels.txt")).unwrap(), "first");
}

#[test]
fn force_spares_what_is_no_result() {
    let (place, target) = place();
    fs::write(&target, "a file").unwrap();
    assert!(refusal(&target).contains("is a file"));
    fs::remove_file(&target).unwrap();

    fs::create_dir(&target).unwrap();
    ResultFolder::create(&target, true).unwrap();
    fs::write(target.join("summary.json"), r#"{"other": 1}"#).unwrap();
    fs::write(target.join("gold.dm4"), "data").unwrap();
    assert!(refusal(&target).contains("something else"));
    assert_eq!(names(place.path()), ["gold.stemseg"]);
}

#[test]
fn force_takes_a_list_but_not_a_folder_of_images_with_a_result_in_it() {
    let (_place, target) = place();
    make(&target.join("k2"), false, "").unwrap();
    make(&target.join("k3"), false, "").unwrap();
    fs::write(target.join("report.html"), "").unwrap();
    ResultFolder::create(&target, true).unwrap();
    fs::write(target.join("gold.tif"), "an image").unwrap();
    refusal(&target);
    fs::remove_file(target.join("gold.tif")).unwrap();
    make(&target.join("gold.stemseg"), false, "").unwrap();
    refusal(&target);
}

#[cfg(unix)]
#[test]
fn force_spares_links_even_with_a_trailing_slash() {
    let (place, target) = place();
    let result = make(&place.path().join("real"), false, "first").unwrap();
    std::os::unix::fs::symlink(&result, &target).unwrap();
    assert!(refusal(&target).contains("is a link"));
    assert!(refusal(&target.join("")).contains("is a link"));
    assert!(matches!(ResultFolder::create(&target, false), Err(Error::Exists(_))));
}

#[cfg(unix)]
#[test]
fn others_may_read_the_result_as_the_umask_says() {
    use std::os::unix::fs::PermissionsExt;
    let (place, target) = place();
    make(&target, false, "").unwrap();
    let plain = place.path().join("plain");
    fs::create_dir(&plain).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&target), mode(&plain));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for target in ["..", "/", "", "a/.."] {
        let error = ResultFolder::create(Path::new(target), false).unwrap_err();
        assert!(matches!(error, Error::Parameter { name: "out", .. }), "{target}: {error:?}");
    }
    let (_place, target) = place();
    let folder = ResultFolder::create(&target, false).unwrap();
    for name in ["../x", "/x", "a/../../x"] {
        let leads_out = std::panic::AssertUnwindSafe(|| folder.path(name));
        assert!(std::panic::catch_unwind(leads_out).is_err(), "{name}");
    }
}
