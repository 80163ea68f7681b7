//! Where results go, and what --force may replace.

use std::fs;

use crate::job::Job;
use stemseg_testing::place::{Place, names, scene};

#[test]
fn an_earlier_result_stays_without_force_and_goes_with_it() {
    let place = Place::with_scene();
    Job::new().set("--save", "features").succeed(&place);
    let words = ["image.stemseg", "exists already", "--force", "--out"];
    Job::new().set("-k", "3").refused(&place, "without --force", &words);
    Job::new().set("-k", "3").force().succeed(&place);
    assert_eq!(place.json("image.stemseg/summary.json")["kmeans"]["clusters"], 3);
    assert!(!place.path("image.stemseg/features.npy").exists(), "replaced, not filled up");
    // A list over a single result and back.
    Job::new().set("-k", "2,3").force().succeed(&place);
    Job::new().force().succeed(&place);
    assert!(!place.path("image.stemseg/k2").exists());
    assert_eq!(names(&place.path("")), ["image.npy", "image.stemseg"]);
}

#[test]
fn a_run_that_fails_keeps_the_earlier_result() {
    let place = Place::with_scene();
    Job::new().succeed(&place);
    let job = Job::new().force();
    job.clone().set("-k", "9999").refused(&place, "too many clusters", &["-k 9999"]);
    place.npy("image.npy", &scene(90, 100).mapv(|_| 1.0));
    job.refused(&place, "constant now", &["constant"]);
}

#[test]
fn force_replaces_only_whole_results() {
    let place = Place::with_scene();
    for (folder, file) in
        [("photos", "cat.jpg"), ("tables", "notes.csv"), ("pages", "a.html"), ("json", "a.json")]
    {
        place.folder(folder);
        place.write(format!("{folder}/{file}"), "mine");
    }
    place.folder("drawings/deep");
    place.write("drawings/a.svg", "mine");
    place.folder("lookalike");
    place.write("lookalike/summary.json", "{\"stemseg_version\": \"0.1.0\"}");
    place.write("lookalike/thesis.tex", "dear reader");
    place.write("file", "text");
    let rows: [(&str, &[&str]); 10] = [
        ("photos", &["--force replaces only", "no summary.json"]),
        ("tables", &["--force replaces only", "no summary.json"]),
        ("pages", &["--force replaces only", "no summary.json"]),
        ("json", &["--force replaces only", "no summary.json"]),
        ("drawings", &["--force replaces only", "no summary.json"]),
        ("lookalike", &["--force replaces only", "does not list all files"]),
        ("file", &["--force replaces only", "a file"]),
        ("image.npy", &["--force replaces only", "a file"]),
        (".", &["--out ."]),
        ("..", &["--out .."]),
    ];
    for (out, words) in rows {
        Job::new().set("--out", out).force().refused(&place, out, words);
    }
    Job::new().set("--out", "/").force().refused(&place, "/", &["--out /"]);
    place.folder("empty");
    Job::new().set("--out", "empty").refused(&place, "empty, no --force", &["exists already"]);
    Job::new().set("--out", "empty").force().succeed(&place);
    // A result that lacks a file may be something else by now.
    fs::remove_file(place.path("empty/overlay.png")).unwrap();
    let words = ["empty: --force", "overlay.png of its summary.json is missing"];
    Job::new().set("--out", "empty").force().refused(&place, "not whole", &words);
}

#[test]
fn a_folder_of_notes_is_refused_and_the_notes_stay() {
    let place = Place::empty();
    place.folder("d");
    place.write("d/notes.csv", "x\n");
    let image = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/grains.tif");
    let mut command = crate::job::stemseg(&place);
    let output =
        command.args(["segment", image, "-k", "3", "--out", "d", "--force"]).output().unwrap();
    crate::job::check_failure(
        "d",
        &output,
        2,
        &["/d: --force replaces only whole results", "no summary.json"],
    );
    assert_eq!(place.bytes("d/notes.csv"), b"x\n");
    assert_eq!(names(&place.path("d")), ["notes.csv"]);
}

#[cfg(unix)]
#[test]
fn what_the_user_put_into_a_result_stays_there_through_force() {
    let place = Place::with_scene();
    let maps = [("--preset", "pystem"), ("--descriptor", "reflection"), ("--radius", "6")];
    let first = Job::new().with(&maps).set("--save", "maps").set("--patch", crate::job::GONE);
    first.set("--format", "tiff,npy,ome-zarr").succeed(&place);
    place.write("image.stemseg/my_notes.txt", "Tuesday");
    place.write("image.stemseg/maps/mine.txt", "look here");
    place.write("image.stemseg/image.ome.zarr/mine.txt", "and here");
    place.folder("image.stemseg/figures/old");
    place.write("image.stemseg/figures/old/1.svg", "drawn");
    std::os::unix::fs::symlink("../image.npy", place.path("image.stemseg/link")).unwrap();
    Job::new().set("-k", "3").force().succeed(&place);
    Job::new().set("-k", "2,3").force().succeed(&place);
    assert_eq!(place.bytes("image.stemseg/my_notes.txt"), b"Tuesday");
    assert_eq!(place.bytes("image.stemseg/figures/old/1.svg"), b"drawn");
    assert_eq!(names(&place.path("image.stemseg/maps")), ["mine.txt"]);
    assert_eq!(names(&place.path("image.stemseg/image.ome.zarr")), ["mine.txt"]);
    let link = fs::read_link(place.path("image.stemseg/link")).unwrap();
    assert_eq!(link, std::path::Path::new("../image.npy"));
    let mine = ["figures", "image.ome.zarr", "link", "maps", "my_notes.txt"];
    let all = names(&place.path("image.stemseg"));
    let made: Vec<_> = all.iter().filter(|name| !mine.contains(&name.as_str())).collect();
    assert_eq!(made, ["k2", "k3", "report.html", "summary.json"]);
    assert_eq!(names(&place.path("")), ["image.npy", "image.stemseg"]);
}

#[test]
fn a_file_of_the_users_with_the_name_of_a_new_one_is_named_before_computing() {
    let place = Place::with_scene();
    Job::new().set("--no-report", crate::job::FLAG).succeed(&place);
    place.write("image.stemseg/report.html", "mine");
    let job = Job::new().with(&[("--restarts", "1000000000")]).force();
    job.refused(
        &place,
        "report",
        &["report.html in it is not part of the earlier result", "--out"],
    );
    Job::new().set("--no-report", crate::job::FLAG).force().succeed(&place);
    assert_eq!(place.bytes("image.stemseg/report.html"), b"mine");
    place.folder("image.stemseg/k3");
    let list = Job::new().with(&[("-k", "2,3"), ("--no-report", crate::job::FLAG)]).force();
    list.refused(&place, "k3", &["k3 in it is not part of the earlier result"]);
}

#[cfg(unix)]
#[test]
fn force_does_not_follow_links() {
    let place = Place::with_scene();
    Job::new().set("--out", "result").succeed(&place);
    std::os::unix::fs::symlink("result", place.path("link")).unwrap();
    for out in ["link", "link/", "link/."] {
        Job::new().set("--out", out).force().refused(&place, out, &["--force", "a link"]);
    }
}

#[test]
fn force_spares_the_files_of_the_run_itself() {
    let place = Place::with_scene();
    Job::new().set("--out", "result").succeed(&place);
    fs::copy(place.path("image.npy"), place.path("result/image.npy")).unwrap();
    place.write("result/list.txt", "0 6\n");
    place.mask("result/mask.npy", |_, _| true);
    let job = Job::new().set("--out", "result").force();
    let rows = [
        ("result/image.npy", job.clone().image("result/image.npy")),
        ("result/mask.npy", job.clone().set("--mask", "result/mask.npy")),
        (
            "result/list.txt",
            job.with(&[("--translations", "result/list.txt"), ("--window", crate::job::GONE)]),
        ),
    ];
    for (file, job) in rows {
        job.refused(&place, file, &["--out result", file, "another --out"]);
    }
}

#[test]
fn dots_in_the_target_do_not_lose_the_earlier_result() {
    let place = Place::with_scene();
    for _ in 0..2 {
        Job::new().set("--out", "result/../result").force().succeed(&place);
        assert_eq!(names(&place.path("")), ["image.npy", "result"]);
        assert!(place.path("result/labels.npy").exists());
    }
    Job::new().set("--out", "./result/").force().succeed(&place);
    assert_eq!(names(&place.path("")), ["image.npy", "result"]);
}

#[test]
fn missing_parents_are_made_for_a_result_and_for_nothing_else() {
    let place = Place::with_scene();
    let job = Job::new().set("--out", "new/er/result");
    job.clone().set("-k", "9999").refused(&place, "bad argument", &["clusters"]);
    place.npy("flat.npy", &scene(90, 100).mapv(|_| 1.0));
    job.clone().image("flat.npy").refused(&place, "constant image", &["flat.npy", "constant"]);
    job.succeed(&place);
    assert_eq!(names(&place.path("new/er")), ["result"]);
    // A folder that was there before stays.
    place.folder("old");
    let inside = Job::new().image("flat.npy").set("--out", "old/new/result");
    inside.refused(&place, "old parent", &["constant"]);
    assert!(names(&place.path("old")).is_empty());
}

#[test]
fn the_result_may_lie_within_the_folder_of_the_images() {
    let place = Place::empty();
    place.folder("images");
    place.npy("images/one.npy", &scene(90, 100));
    let job = Job::new().image("images/one.npy");
    job.clone().set("--out", "images/results/one").succeed(&place);
    job.clone().set("--out", "images").force().refused(&place, "the folder itself", &["images"]);
    assert_eq!(names(&place.path("images")), ["one.npy", "results"]);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let place = Place::with_scene();
    place.write("file", "text");
    Job::new().set("--out", "file/result").refused(&place, "a file as parent", &["file"]);
    Job::new().set("--out", "file/a/b/c").refused(&place, "a file above", &["file"]);
}

#[cfg(unix)]
#[test]
fn a_folder_without_write_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::empty();
    let folder = place.folder("locked");
    place.npy("locked/image.npy", &scene(90, 100));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    let writable = fs::write(folder.join("probe"), "").is_ok();
    if writable {
        eprintln!("skipped: this user (root?) may write where nobody may");
    } else {
        let job = Job::new().image("locked/image.npy");
        job.refused(&place, "locked", &["locked", "ermission denied"]);
        job.set("--out", "elsewhere").succeed(&place);
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
}
