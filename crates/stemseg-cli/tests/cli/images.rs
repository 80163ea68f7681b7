//! Images that cannot be segmented, and odd ones that can.

use std::fs;
use std::process::Output;

use image::{ImageBuffer, Luma};
use ndarray::{Array, Array2, Array3, Array4, arr0};

use crate::job::{Job, text};
use stemseg_testing::place::{COLS, Place, ROWS, scene};

/// Words of the message for each file.
type Row = (&'static str, &'static [&'static str]);

#[track_caller]
fn all_refused(place: &Place, rows: &[Row]) {
    for (name, words) in rows {
        Job::new().image(name).refused(place, name, words);
    }
}

#[test]
fn files_that_are_no_images_are_refused() {
    let place = Place::empty();
    let noise: Vec<u8> =
        (0..4000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    place.folder("folder.npy");
    place.write("empty.npy", "");
    place.write("text.npy", "0 1 2\n3 4 5\n");
    place.write("noise.png", noise);
    place.write("magic.npy", b"\x93NUMPY");
    place.write("magic.tif", b"II*\0");
    place.write("magic.png", b"\x89PNG\r\n\x1a\n");
    all_refused(
        &place,
        &[
            ("missing.npy", &["missing.npy", "no such file"]),
            ("no/such/folder.npy", &["no/such/folder.npy", "no such file"]),
            ("folder.npy", &["folder.npy", "holds no image"]),
            ("empty.npy", &["empty.npy", "is empty"]),
            ("text.npy", &["text.npy", "not in a format", "npy, npz, TIFF, PNG, JPEG"]),
            ("noise.png", &["noise.png", "not in a format"]),
            ("magic.npy", &["magic.npy", "truncated"]),
            ("magic.tif", &["magic.tif", "export it again"]),
            ("magic.png", &["magic.png", "export it again"]),
        ],
    );
}

#[test]
fn truncated_files_are_refused_wherever_they_end() {
    let place = Place::with_scene();
    let grey = ImageBuffer::from_fn(100, 90, |x, y| Luma([(x * x + 3 * y) as u8]));
    grey.save(place.path("image.png")).unwrap();
    for name in ["image.npy", "image.png"] {
        let whole = place.bytes(name);
        for share in [1, 30, 60, 90, 99] {
            let cut = format!("{share}.{name}");
            place.write(&cut, &whole[..whole.len() * share / 100]);
            Job::new().image(&cut).refused(&place, &cut, &[&cut]);
        }
    }
}

#[test]
fn arrays_of_other_dimensions_are_refused() {
    let place = Place::empty();
    place.npy("d0.npy", &arr0(1.0_f32));
    place.npy("d1.npy", &Array::<f32, _>::zeros(90));
    place.npy("d4.npy", &Array4::<f32>::zeros((2, 3, ROWS, COLS)));
    place.npy("zero.npy", &Array2::<f32>::zeros((0, 5)));
    all_refused(
        &place,
        &[
            ("d0.npy", &["d0.npy", "shape []", "two dimensions"]),
            ("d1.npy", &["d1.npy", "shape [90]", "two dimensions"]),
            ("d4.npy", &["d4.npy", "shape [2, 3, 90, 100]", "two dimensions"]),
            ("zero.npy", &["zero.npy", "no pixels", "0 x 5"]),
        ],
    );
}

#[test]
fn pixels_that_are_no_numbers_are_counted_and_placed() {
    let place = Place::empty();
    let mut image = scene(ROWS, COLS);
    image[(70, 3)] = f32::INFINITY;
    image[(7, 45)] = f32::NAN;
    image[(80, 99)] = f32::NEG_INFINITY;
    place.npy("some.npy", &image);
    place.npy("all.npy", &Array2::from_elem((ROWS, COLS), f64::NAN));
    let words = ["some.npy", "3 of 9000", "NaN", "row 7, column 45", "--nan mean", "--mask"];
    Job::new().image("some.npy").set("--nan", "fail").refused(&place, "--nan fail", &words);
    all_refused(&place, &[("all.npy", &["all.npy", "no pixel", "finite"])]);
    let mean = Job::new().image("all.npy").set("--nan", "mean");
    mean.refused(&place, "--nan mean of nothing", &["all.npy", "no pixel", "finite"]);
}

#[test]
fn values_without_a_pattern_are_refused() {
    let place = Place::empty();
    let scene = scene(ROWS, COLS);
    place.npy("constant.npy", &Array2::from_elem((ROWS, COLS), 3.0_f32));
    place.npy("large.npy", &Array2::from_elem((ROWS, COLS), u64::MAX));
    place.npy("wide.npy", &scene.mapv(|v| f64::from(v) * 1e300));
    place.npy("widest.npy", &scene.mapv(|v| f64::from(v) * 8e307));
    place.npy("narrow.npy", &scene.mapv(|v| f64::from(v) * 1e-300));
    place.npy("chess.npy", &Array2::from_shape_fn((ROWS, COLS), |(r, c)| ((r + c) % 2) as u8));
    all_refused(
        &place,
        &[
            ("constant.npy", &["constant.npy", "constant", "3"]),
            ("large.npy", &["large.npy", "constant"]),
            ("wide.npy", &["wide.npy", "f32"]),
            ("widest.npy", &["widest.npy", "f32"]),
            ("narrow.npy", &["narrow.npy", "e-30"]),
            ("chess.npy", &["-k 2", "only 1 distinct pattern", "periodic"]),
        ],
    );
}

/// The options after "these would fit: ".
fn advice(sentence: &str) -> Option<[String; 2]> {
    let (_, advice) = sentence.split_once("these would fit: --patch ")?;
    let (patch, window) = advice.split_once(" and --window ")?;
    Some([patch.to_owned(), window.to_owned()])
}

#[test]
fn advice_for_small_images_works() {
    let place = Place::empty();
    for (rows, cols, k) in
        [(24, 100, 2), (20, 30, 2), (20, 20, 2), (90, 9, 3), (11, 11, 2), (7, 80, 4)]
    {
        for stride in ["1", "4", "9"] {
            let name = format!("{rows}x{cols}-{stride}.npy");
            place.npy(&name, &scene(rows, cols));
            let k = k.to_string();
            let job = Job::new().image(&name).with(&[("-k", &k), ("--stride", stride)]);
            let size = format!("{rows}x{cols} px");
            let sentence = job.refused(&place, &name, &[&size, "25x25 px"]);
            match advice(&sentence) {
                Some([patch, window]) => {
                    job.with(&[("--patch", &patch), ("--window", &window)]).force().succeed(&place);
                }
                None => assert!(sentence.contains("no patch and window"), "{name}: {sentence}"),
            }
            assert!(stride != "1" || advice(&sentence).is_some(), "{name}: {sentence}");
        }
    }
}

#[test]
fn images_too_small_for_anything_are_refused() {
    let place = Place::empty();
    for (rows, cols) in [(1, 2), (3, 3), (4, 50), (5, 5), (100_000, 3), (3, 100_000)] {
        let name = format!("{rows}x{cols}.npy");
        place.npy(&name, &Array2::from_shape_fn((rows, cols), |(r, c)| ((r * 5 + c) % 7) as u8));
        let size = format!("{rows}x{cols} px");
        Job::new().image(&name).refused(&place, &name, &[&size, "no patch and window"]);
    }
}

fn labels_of(place: &Place, name: &str) -> Array2<u8> {
    Job::new().image(name).set("--out", "result").force().succeed(place);
    place.labels("result/labels.npy")
}

#[test]
fn extreme_values_with_a_pattern_are_segmented_as_ever() {
    let place = Place::with_scene();
    let scene = scene(ROWS, COLS);
    let expected = labels_of(&place, "image.npy");
    place.npy("great.npy", &scene.mapv(|v| v * 1e38));
    place.npy("tiny.npy", &scene.mapv(|v| v * 1e-36));
    place.npy("denormal.npy", &scene.mapv(|v| v * 1e-40));
    place.npy("offset.npy", &scene.mapv(|v| 1e6 + 1e-3 * f64::from(v)));
    place.npy("u64.npy", &scene.mapv(|v| u64::MAX - 100_000 + (v * 20_000.0 + 50_000.0) as u64));
    place.npy("i64.npy", &scene.mapv(|v| i64::MIN + (v * 20_000.0 + 50_000.0) as i64));
    place.npy("i8.npy", &scene.mapv(|v| (v * 50.0) as i8));
    for name in
        ["great.npy", "tiny.npy", "denormal.npy", "offset.npy", "u64.npy", "i64.npy", "i8.npy"]
    {
        let labels = labels_of(&place, name);
        let other = labels.iter().zip(&expected).filter(|(a, b)| a != b).count();
        assert!(other <= 90, "{name}: {other} of 9000 labels differ");
    }
}

#[test]
fn an_image_that_is_flat_but_for_one_pixel_is_segmented() {
    let place = Place::empty();
    let mut flat = Array2::<f32>::zeros((ROWS, COLS));
    flat[(45, 50)] = 1.0;
    place.npy("flat.npy", &flat);
    let labels = labels_of(&place, "flat.npy");
    assert_ne!(labels[(45, 50)], labels[(0, 0)]);
    let many = Job::new().image("flat.npy").set("-k", "300").force();
    many.refused(&place, "300 patterns", &["-k 300", "distinct patterns"]);
}

fn notes(output: &Output) -> String {
    text(&output.stderr)
}

#[test]
fn colour_images_are_reduced_to_luma_with_a_note() {
    let place = Place::empty();
    let grey = scene(ROWS, COLS).mapv(|v| (60.0 * v + 125.0) as u8);
    let at = |x: u32, y: u32| grey[(y as usize, x as usize)];
    ImageBuffer::from_fn(100, 90, |x, y| Luma([at(x, y)])).save(place.path("grey.png")).unwrap();
    ImageBuffer::from_fn(100, 90, |x, y| image::Rgb([at(x, y), 255 - at(x, y) / 2, 7]))
        .save(place.path("colour.png"))
        .unwrap();
    let plain = Job::new().image("grey.png").succeed(&place);
    assert_eq!(notes(&plain), "", "a grey image needs no note");
    let colour = Job::new().image("colour.png").succeed(&place);
    assert!(
        notes(&colour).starts_with("note: ") && notes(&colour).contains("luma"),
        "{}",
        notes(&colour)
    );
    let summary = place.json("colour.stemseg/summary.json");
    assert!(summary["notes"].to_string().contains("luma"), "{}", summary["notes"]);
    assert_eq!(summary["input"]["dtype"], "uint8");
}

#[test]
fn frames_of_a_stack_are_chosen_by_number() {
    let place = Place::with_scene();
    let scene = scene(ROWS, COLS);
    let stack =
        Array3::from_shape_fn(
            (3, ROWS, COLS),
            |(f, r, c)| if f == 1 { scene[(r, c)] } else { r as f32 },
        );
    place.npy("stack.npy", &stack);
    Job::new().succeed(&place);
    Job::new().image("stack.npy").set("--frame", "1").succeed(&place);
    let files = ["image.stemseg/labels.npy", "stack.stemseg/labels.npy"].map(|f| place.bytes(f));
    assert_eq!(files[0], files[1]);
    assert_eq!(place.json("stack.stemseg/summary.json")["input"]["frame"], 1);
    let outside = Job::new().image("stack.npy").set("--frame", "3").force();
    outside.refused(&place, "frame 3", &["--frame 3", "3 frames", "0 to 2"]);
    let outside = Job::new().image("stack.npy").set("--image", "1").force();
    outside.refused(&place, "image 1", &["--image 1", "one stack, number 0", "--frame"]);
    let single = Job::new().set("--frame", "1").force();
    single.refused(&place, "no stack", &["--frame 1", "single image", "leave out --frame"]);
    let word = Job::new().image("stack.npy").set("--frame", "last").force();
    word.refused(&place, "a word", &["'last'", "'mean'"]);
}

#[test]
fn the_first_frame_is_taken_with_a_note_and_the_mean_when_asked_for() {
    let place = Place::with_scene();
    let scene = scene(ROWS, COLS);
    let above = Array3::from_shape_fn((2, ROWS, COLS), |(f, r, c)| {
        scene[(r, c)] + if f == 0 { 0.5 } else { -0.5 } * ((r * c) % 7) as f32
    });
    let first =
        Array3::from_shape_fn(
            (2, ROWS, COLS),
            |(f, r, c)| {
                if f == 0 { scene[(r, c)] } else { r as f32 }
            },
        );
    place.npy("mean.npy", &above);
    place.npy("first.npy", &first);
    Job::new().succeed(&place);
    let said = notes(&Job::new().image("first.npy").succeed(&place));
    assert!(said.contains("stack of 2 frames, of which frame 0 was taken"), "{said}");
    assert!(said.contains("--frame N chooses (0 to 1), --frame mean"), "{said}");
    let said = notes(&Job::new().image("mean.npy").set("--frame", "mean").succeed(&place));
    assert!(said.contains("mean of 2 frames"), "{said}");
    let frame =
        |folder: &str| place.json(format!("{folder}/summary.json"))["input"]["frame"].clone();
    assert_eq!((frame("first.stemseg"), frame("mean.stemseg")), (0.into(), "mean".into()));
    assert!(frame("image.stemseg").is_null());
    let labels = ["image", "first", "mean"].map(|n| place.bytes(format!("{n}.stemseg/labels.npy")));
    assert!(labels[0] == labels[1] && labels[0] == labels[2]);
}

#[test]
fn an_input_that_cannot_be_written_to_is_enough() {
    let place = Place::with_scene();
    let mut rights = fs::metadata(place.path("image.npy")).unwrap().permissions();
    rights.set_readonly(true);
    fs::set_permissions(place.path("image.npy"), rights).unwrap();
    Job::new().succeed(&place);
}
