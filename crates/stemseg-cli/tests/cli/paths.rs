//! File names and places of all kinds.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::job::{Job, text};
use stemseg_testing::place::{COLS, Place, ROWS, names, scene};

#[test]
fn images_of_any_name_get_a_result_beside_them() {
    let long = "x".repeat(240) + ".npy";
    let long_result = "x".repeat(240) + ".stemseg";
    let rows = [
        ("two words.npy", "two words.stemseg"),
        (" .npy", " .stemseg"),
        ("Körner 漢字 é.npy", "Körner 漢字 é.stemseg"),
        (".npy", ".npy.stemseg"),
        (".hidden.npy", ".hidden.stemseg"),
        ("noextension", "noextension.stemseg"),
        ("-", "-.stemseg"),
        ("./-k.npy", "-k.stemseg"),
        ("a.b.c.npy", "a.b.c.stemseg"),
        ("wrong.png", "wrong.stemseg"),
        ("quote'\".npy", "quote'\".stemseg"),
        ("%s{}$(x).npy", "%s{}$(x).stemseg"),
        (&long, &long_result),
    ];
    for (image, result) in rows {
        let place = Place::empty();
        place.npy(image, &scene(ROWS, COLS));
        let output = Job::new().image(image).succeed(&place);
        assert!(place.path(result).join("labels.npy").exists(), "{image}");
        assert_eq!(names(&place.path("")).len(), 2, "{image}: {:?}", names(&place.path("")));
        assert!(text(&output.stdout).trim_end().ends_with(result), "{image}");
        let path = place.json(Path::new(result).join("summary.json"))["input"]["path"].clone();
        assert_eq!(path, image);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_unicode_work() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::empty();
    let bad = OsStr::from_bytes(b"bad \xff\xfe.npy");
    let mask = OsStr::from_bytes(b"mask \xff.npy");
    place.npy(bad, &scene(ROWS, COLS));
    place.npy(mask, &ndarray::Array2::<u8>::zeros((ROWS, COLS)));
    let job = Job::new().image(bad).set("--mask", mask);
    job.succeed(&place);
    job.clone().set("--json", crate::job::FLAG).force().succeed(&place);
    let result = Path::new(OsStr::from_bytes(b"bad \xff\xfe.stemseg"));
    assert!(place.path(result).join("labels.npy").exists());
    assert_eq!(
        place.json(result.join("summary.json"))["input"]["path"],
        "bad \u{fffd}\u{fffd}.npy"
    );
    job.refused(&place, "exists", &["exists already"]);
    let missing = OsString::from(OsStr::from_bytes(b"\xfe.npy"));
    Job::new().image(missing).refused(&place, "missing", &["no such file"]);
}

#[test]
fn a_name_too_long_for_a_result_is_refused() {
    let place = Place::empty();
    let name = "x".repeat(251) + ".npy";
    place.npy(&name, &scene(ROWS, COLS));
    Job::new().image(&name).refused(&place, "251 + .npy", &["ong"]);
    Job::new().image(&name).set("--out", "result").succeed(&place);
    let longest = "y".repeat(255);
    Job::new().image(&name).set("--out", &longest).succeed(&place);
    assert!(place.path(longest).join("labels.npy").exists());
    let wide = "é".repeat(120);
    Job::new().image(&name).set("--out", &wide).succeed(&place);
}

#[test]
fn relative_and_absolute_paths_mean_the_same() {
    let place = Place::with_scene();
    place.folder("sub");
    let whole = place.path("image.npy");
    for image in [OsStr::new("image.npy"), OsStr::new("sub/../image.npy"), whole.as_os_str()] {
        Job::new().image(image).force().succeed(&place);
        assert_eq!(names(&place.path("")), ["image.npy", "image.stemseg", "sub"], "{image:?}");
    }
    assert!(names(&place.path("sub")).is_empty());
}

#[cfg(unix)]
#[test]
fn a_link_to_an_image_gets_its_result_beside_the_link() {
    let place = Place::with_scene();
    place.folder("links");
    std::os::unix::fs::symlink("../image.npy", place.path("links/one.npy")).unwrap();
    std::os::unix::fs::symlink("nowhere.npy", place.path("dangling.npy")).unwrap();
    std::os::unix::fs::symlink("circle.npy", place.path("circle.npy")).unwrap();
    Job::new().image("links/one.npy").succeed(&place);
    assert_eq!(names(&place.path("links")), ["one.npy", "one.stemseg"]);
    Job::new().image("dangling.npy").refused(&place, "dangling", &["dangling.npy", "no such file"]);
    Job::new().image("circle.npy").refused(&place, "circle", &["circle.npy"]);
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let place = Place::with_scene();
    let made = std::process::Command::new("mkfifo").arg(place.path("pipe")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo is part of every Unix");
    for file in ["/dev/null", "/dev/zero", "pipe", "/dev/stdin"] {
        let out = Job::new().set("--out", "result");
        let refused = out.clone().image(file).refused(&place, file, &[file]);
        assert!(refused.contains("not a regular file") || file == "/dev/stdin", "{refused}");
        let list = out.with(&[("--window", crate::job::GONE), ("--translations", file)]);
        list.refused(&place, &format!("translations {file}"), &[file]);
    }
}
