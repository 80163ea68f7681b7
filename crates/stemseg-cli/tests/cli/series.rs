//! `stemseg series`: streams, goes on, and refuses.

use ndarray::{Array2, Array3, Axis};

use crate::job::{stemseg, text};
use stemseg_testing::place::{Place, names};

/// A film of rows of atoms left of a front that moves by 4 px a frame, and slanted ones right of it.
fn film(frames: usize) -> Array3<f32> {
    Array3::from_shape_fn((frames, 96, 128), |(t, r, c)| {
        let along = if c < 40 + 4 * t { r } else { r + c };
        let wave = |x: usize| (x as f32 * std::f32::consts::TAU / 8.0).cos();
        let noise = ((r * 7919 + c * 104_729 + t * 1_299_709) % 1009) as f32 / 2000.0;
        wave(along) + wave(c) + noise
    })
}

/// `stemseg series` of these images with these options, into `film`.
fn series(place: &Place, images: &[&str], options: &[&str]) -> std::process::Output {
    let mut command = stemseg(place);
    command.args(["series", "-k", "2", "--device", "cpu", "--out", "film"]);
    if !options.contains(&"--fit") {
        command.args(["--fit", "3"]);
    }
    command.args(options).args(images).output().unwrap()
}

fn done(output: &std::process::Output) {
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// The files of a result that do not say which files they come from.
fn contents(place: &Place, folder: &str) -> Vec<(String, Vec<u8>)> {
    let names = [
        "labels.npy",
        "labels.tif",
        "kinetics.csv",
        "domains.csv",
        "model.json",
        "overlay.png",
        "sheet.png",
    ];
    names.iter().map(|name| ((*name).to_owned(), place.bytes(format!("{folder}/{name}")))).collect()
}

#[test]
fn a_pattern_that_appears_late_has_the_next_number_however_large_it_becomes() {
    let place = Place::empty();
    let uneven = film(1).index_axis_move(Axis(0), 0);
    // Rows of atoms everywhere; from the fourth frame on slanted ones on most of it.
    let film = Array3::from_shape_fn((10, 96, 128), |(t, r, c)| {
        let wave = |x: usize| (x as f32 * std::f32::consts::TAU / 8.0).cos();
        let along = if t < 3 || c < 28 { r } else { r + c };
        wave(along) + wave(c) + 0.1 * uneven[(r, (c + 31 * t) % 128)]
    });
    place.npy("film.npy", &film);
    done(&series(&place, &["film.npy"], &["--fit", "all", "--register", "off"]));
    let (_, labels) = place.array::<u8>("film/labels.npy");
    let share = |t: usize| {
        let frame = &labels[t * 96 * 128..][..96 * 128];
        frame.iter().filter(|label| **label == 2).count() as f64 / frame.len() as f64
    };
    let shares: Vec<f64> = (0..10).map(share).collect();
    assert!(shares[..3].iter().all(|share| *share < 0.1), "{shares:?}");
    assert!(shares[4..].iter().all(|share| (0.7..0.85).contains(share)), "{shares:?}");
}

#[test]
fn a_film_has_all_its_files_and_a_stack_is_the_same_as_its_frames() {
    let place = Place::empty();
    let film = film(6);
    place.npy("film.npy", &film);
    place.folder("frames");
    for (number, frame) in film.axis_iter(Axis(0)).enumerate() {
        // Natural order: 8, 9, 10.
        place.npy(format!("frames/f{}.npy", number + 8), &frame.to_owned());
    }
    done(&series(&place, &["film.npy"], &["--save", "confidence,soft"]));
    let (shape, labels) = place.array::<u8>("film/labels.npy");
    assert_eq!(shape, [6, 96, 128]);
    assert!(labels.iter().all(|label| (1..=2).contains(label)));
    // The front moves, and labels keep their meaning.
    let row = |t: usize| &labels[(t * 96 + 48) * 128..][..128];
    let front = |t: usize| row(t).iter().filter(|label| **label == row(t)[0]).count() as i64;
    for t in 0..6 {
        assert_eq!(row(t)[0], row(0)[0], "{t}");
        assert!((front(t) - 40 - 4 * t as i64).abs() <= 3, "{t}: {}", front(t));
    }
    let (shape, memberships) = place.array::<f32>("film/memberships.npy");
    assert_eq!(shape, [6, 2, 96, 128]);
    let (_, confidence) = place.array::<f32>("film/confidence.npy");
    let area = 96 * 128;
    for (at, &sure) in confidence.iter().enumerate() {
        let (frame, pixel) = (at / area, at % area);
        let both = [0, 1].map(|k| memberships[(2 * frame + k) * area + pixel]);
        assert!((both[0] + both[1] - 1.0).abs() < 1e-4, "{both:?}");
        assert!((both[usize::from(labels[at]) - 1] - sure).abs() < 1e-5);
    }
    let own = names(&place.path("film"));
    for name in ["report.html", "summary.json"] {
        assert!(own.iter().any(|own| own == name), "{own:?}");
    }
    let whole = contents(&place, "film");
    assert!(!place.path("film.unfinished").exists());

    done(&series(&place, &["frames"], &["--force"]));
    let frames = contents(&place, "film");
    for ((name, one), (_, other)) in whole.iter().zip(&frames) {
        assert!(one == other, "{name} of the stack and of its frames differ");
    }
}

/// Stops a film by this signal once `frames` of it are done.
#[cfg(unix)]
fn stopped(
    place: &Place,
    options: &[&str],
    (signal, frames): (&str, usize),
) -> std::process::Output {
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("stemseg"))
        .args(["series", "-k", "2", "--device", "cpu", "--fit", "3", "--out", "film"])
        .args(options)
        .arg("film.npy")
        .current_dir(place.path(""))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = || std::fs::read_to_string(place.path("film.unfinished/frames.jsonl"));
    while lines().map_or(0, |text| text.lines().count()) < frames {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
#[test]
fn a_film_that_was_stopped_anywhere_goes_on_to_the_same_bytes() {
    let place = Place::empty();
    place.npy("film.npy", &film(40));
    let options = ["--save", "confidence", "--adapt"];
    done(&series(&place, &["film.npy"], &options));
    let whole = contents(&place, "film");
    let confidence = place.bytes("film/confidence.npy");
    std::fs::remove_dir_all(place.path("film")).unwrap();
    for (signal, frames) in [("-INT", 3), ("-KILL", 9), ("-TERM", 1)] {
        let output = stopped(&place, &options, (signal, frames));
        let said = text(&output.stderr);
        if signal != "-KILL" {
            assert_eq!(output.status.code(), Some(130), "{said}");
            assert!(said.contains("of 40 frames are done") && said.contains("--resume"), "{said}");
            assert!(place.path("film.unfinished/kinetics.csv").exists());
        }
        assert!(!place.path("film").exists());
        // What is finished is readable.
        let (shape, labels) = place.array::<u8>("film.unfinished/labels.npy");
        assert_eq!(shape, [40, 96, 128]);
        assert!(labels[..frames * 96 * 128].iter().all(|label| *label > 0));

        let again = series(&place, &["film.npy"], &options);
        assert!(text(&again.stderr).contains("--resume"), "{}", text(&again.stderr));
        let other = series(&place, &["film.npy"], &["--resume", "--smooth-time", "2"]);
        assert!(text(&other.stderr).contains("smooth_time was"), "{}", text(&other.stderr));
        done(&series(&place, &["film.npy"], &[&options[..], &["--resume"]].concat()));
        for ((name, one), (_, other)) in whole.iter().zip(contents(&place, "film")) {
            assert!(*one == other, "{name} after {signal} at {frames}");
        }
        assert!(confidence == place.bytes("film/confidence.npy"));
        assert!(!place.path("film.unfinished").exists());
        std::fs::remove_dir_all(place.path("film")).unwrap();
    }
}

#[test]
fn frames_that_show_nothing_are_marked_and_the_others_are_labelled() {
    let place = Place::empty();
    let mut film = film(8);
    film.index_axis_mut(Axis(0), 0).fill(1.0);
    film.index_axis_mut(Axis(0), 2).fill(f32::NAN);
    film.index_axis_mut(Axis(0), 3).mapv_inplace(|v| v.min(0.2));
    film.slice_mut(ndarray::s![5, 50.., ..]).fill(0.0);
    film.slice_mut(ndarray::s![6, ..30, ..]).fill(f32::NAN);
    place.npy("film.npy", &film);
    let output = series(&place, &["film.npy"], &["--fit", "first"]);
    done(&output);
    let said = text(&output.stderr);
    assert!(
        said.contains("frames 0, 2 are blank") && said.contains("frame 3 is saturated"),
        "{said}"
    );
    let mut table = csv::Reader::from_path(place.path("film/kinetics.csv")).unwrap();
    let status: Vec<String> = table.records().map(|row| row.unwrap()[2].to_owned()).collect();
    assert_eq!(status, ["blank", "ok", "blank", "saturated", "ok", "partial", "nan", "ok"]);
    let (_, labels) = place.array::<u8>("film/labels.npy");
    let frame = |t: usize| {
        Array2::from_shape_vec((96, 128), labels[t * 96 * 128..][..96 * 128].to_vec()).unwrap()
    };
    for t in [0, 2, 3] {
        assert!(frame(t).iter().all(|label| *label == 0), "{t}");
    }
    assert!(frame(5).slice(ndarray::s![50.., ..]).iter().all(|label| *label == 0));
    assert!(frame(5).slice(ndarray::s![..50, ..]).iter().all(|label| *label > 0));
    assert_eq!(place.json("film/summary.json")["series"]["fit"], serde_json::json!([1]));
}

#[test]
fn what_is_no_film_is_refused_in_one_sentence() {
    let place = Place::empty();
    let film = film(3);
    place.npy("film.npy", &film);
    place.npy("one.npy", &film.index_axis(Axis(0), 0).to_owned());
    place.npy("small.npy", &Array2::<f32>::zeros((96, 120)));
    for (images, options, words) in [
        (&["one.npy"][..], &[][..], "holds a single image"),
        (&["one.npy", "small.npy"], &[], "small.npy: has frames of 96 x 120 px"),
        (&["missing.npy"], &[], "there is no such file"),
        (&["film.npy"], &["--frame", "1"], "a film takes all frames"),
        (&["film.npy"], &["-k", "2,3"], "a film has one number of patterns"),
        (&["film.npy"], &["--fit", "9,"], "the film has 3 frames, 0 to 2"),
        (&["film.npy"], &["--fit", "0"], "at least one frame"),
        (&["film.npy"], &["--format", "hspy"], "films are written as"),
        (&["film.npy"], &["--smooth-time", "-1"], "--smooth-time -1"),
        (&["film.npy"], &["--interval", "5"], "is not a time above 0"),
    ] {
        let output = series(&place, images, options);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{images:?} {options:?}: {said}");
        assert!(said.contains(words), "{images:?} {options:?}: {said}");
        assert!(!place.path("film").exists() && !place.path("film.unfinished").exists(), "{said}");
    }
}

#[test]
fn a_film_is_written_as_ome_zarr_and_without_pictures() {
    let place = Place::empty();
    let film = film(4).mapv(|value| (1000.0 + 300.0 * value) as u16);
    place.npy("film.npy", &film);
    let options = ["--format", "npy,ome-zarr", "--interval", "40ms", "--no-overlay", "--no-report"];
    done(&series(&place, &["film.npy"], &options));
    let own = names(&place.path("film"));
    let expected = [
        "domains.csv",
        "film.ome.zarr",
        "kinetics.csv",
        "labels.npy",
        "model.json",
        "summary.json",
    ];
    assert_eq!(own, expected);
    let array = place.json("film/film.ome.zarr/0/.zarray");
    assert_eq!(array["shape"], serde_json::json!([4, 96, 128]));
    assert_eq!(array["dtype"], "<u2");
    let scale = &place.json("film/film.ome.zarr/.zattrs")["multiscales"][0]["datasets"][0]["coordinateTransformations"]
        [0]["scale"];
    assert_eq!(*scale, serde_json::json!([0.04, 1.0, 1.0]));
    for chunk in ["0/3/0/0", "labels/segmentation/0/3/0/0"] {
        assert!(place.path(format!("film/film.ome.zarr/{chunk}")).is_file(), "{chunk}");
    }
}
