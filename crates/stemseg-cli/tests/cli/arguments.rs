//! Arguments that cannot be.

use ndarray::Array2;

use crate::job::{Change, GONE, Job};
use stemseg_testing::place::{COLS, Place, ROWS};

/// One argument set to a value, and words of the message.
type Row = (&'static str, &'static str, &'static [&'static str]);

const NO_WHOLE: &[&str] = &["is not a whole number"];
const SHARE: &[&str] = &["--variance", "share above 0 and up to 1"];

#[test]
fn values_that_cannot_be_are_refused() {
    let rows: &[Row] = &[
        ("-k", "0", &["-k 0", "at least 1"]),
        ("-k", "-1", &["'-1'", "is not a whole number"]),
        ("-k", "", NO_WHOLE),
        ("-k", "two", NO_WHOLE),
        ("-k", "1.5", NO_WHOLE),
        ("-k", "2,", NO_WHOLE),
        ("-k", "2,2", &["-k 2", "twice"]),
        ("-k", "2,3,0", &["-k 0"]),
        ("-k", "324", &["-k 324", "only 323 sites", "--stride"]),
        ("-k", "2,324", &["-k 324", "only 323 sites"]),
        ("-k", "65535", &["-k 65535", "at most 65534"]),
        ("-k", "99999999999999999999", NO_WHOLE),
        ("--stride", "0", &["--stride 0", "at least 1"]),
        ("--stride", "-4", &["-4 is negative"]),
        ("--restarts", "0", &["--restarts 0", "at least 1"]),
        ("--restarts", "-1", NO_WHOLE),
        ("--seed", "-1", NO_WHOLE),
        ("--components", "0", &["--components 0", "at least 1"]),
        ("--components", "-1", NO_WHOLE),
        ("--max-points", "0", &["--max-points 0", "at least 1"]),
        ("--variance", "0", SHARE),
        ("--variance", "1.5", SHARE),
        ("--variance", "NaN", SHARE),
        ("--variance", "inf", SHARE),
        ("--variance", "-0.5", SHARE),
        ("--variance", "", SHARE),
        ("--patch", "0", &["--patch 0x0", "at least 1"]),
        ("--patch", "-1", &["-1 is negative"]),
        ("--patch", "3x-1", &["-1 is negative"]),
        ("--patch", "99999999999", &["--patch", "99999999999 px is larger than any image"]),
        ("--patch", "99999999999999999999", &["--patch"]),
        ("--patch", "1.5", &["is not a whole number of px"]),
        ("--patch", "3x3x3", &["'x3' is not a unit of length", "px, nm"]),
        ("--patch", "nan", &["neither a number of px", "nor a length"]),
        ("--window", "0", &["--window 0x0", "at least 1"]),
        ("--window", "-1", &["-1 is negative"]),
        ("--window", "99999999999", &["--window", "is larger than any image"]),
        ("--window", "1000000", &["2000013x2000013 px", "these would fit: --patch 6 "]),
        ("--descriptor", "fourier", &["--descriptor fourier", "translation"]),
        ("--descriptor", "", &["descriptor", "translation"]),
        ("--save", "everything", &["'everything'", "--save"]),
        ("--border", "wide", &["'wide'", "--border"]),
        ("--order", "random", &["'random'", "--order"]),
        ("--nan", "zero", &["'zero'", "--nan"]),
        ("--roi", "", &["rows and columns", "100:600,0:512"]),
        ("--roi", "0:50", &["rows and columns", "100:600,0:512"]),
        ("--roi", "5,6", &["needs a colon"]),
        ("--roi", "a:b,:", &["'a' is not a whole number"]),
        ("--roi", "0:50:2,:", &["is not a whole number"]),
        ("--roi", ":,:,:", &["is not a whole number"]),
        ("--roi", "0:99999999999999999999,:", &["is not a whole number"]),
        ("--roi", "0:91,:", &["--roi rows 0:91", "the image has 90 rows"]),
        ("--roi", ":,200:300", &["--roi columns 200:300", "the image has 100 columns"]),
        ("--roi", "50:50,:", &["--roi rows 50:50"]),
        ("--roi", "50:10,:", &["--roi rows 50:10"]),
        ("--roi", "-9223372036854775808:,:", &["--roi rows -9223372036854775808:"]),
        ("--roi", "0:9223372036854775807,:", &["--roi rows 0:9223372036854775807"]),
        ("--roi", "0:24,:", &["24x100 px", "25x25 px", "--patch", "--window"]),
        ("--image", "1", &["--image 1", "image.npy holds one image, number 0"]),
        ("--image", "-1", NO_WHOLE),
        ("--image", "18446744073709551615", &["--image 18446744073709551615"]),
        ("--device", "", &["''"]),
    ];
    let place = Place::with_scene();
    for (argument, value, words) in rows {
        // Hidden, an empty device name means the same on every machine.
        let job = Job::new().without_adapters().set(argument, value);
        let words = if *argument == "--device" { &["adapter"][..] } else { words };
        job.refused(&place, &format!("{argument} '{value}'"), words);
    }
}

#[test]
fn arguments_that_exclude_each_other_are_refused() {
    let place = Place::with_scene();
    place.write("list.txt", "0 6\n");
    let rows: [(&str, &[Change<'_>]); 4] = [
        ("components and variance", &[("--components", "3"), ("--variance", "0.5")]),
        ("window and translations", &[("--translations", "list.txt")]),
        (
            "max-points",
            &[("--translations", "list.txt"), ("--window", GONE), ("--max-points", "9")],
        ),
        ("no clusters", &[("-k", GONE)]),
    ];
    for (name, changes) in rows {
        Job::new().with(changes).refused(&place, name, &[]);
    }
}

#[test]
fn a_stride_beyond_the_image_is_refused_without_taking_memory() {
    let place = Place::with_scene();
    for stride in ["77", "1000", "99999999999", "9223372036854775807", "18446744073709551615"] {
        let one = Job::new().with(&[("--stride", stride), ("-k", "1")]);
        one.refused(&place, &format!("-k 1 --stride {stride}"), &["only 1 site", "--stride"]);
        let two = Job::new().set("--stride", stride);
        two.refused(&place, &format!("-k 2 --stride {stride}"), &["only 1 site", "--stride"]);
    }
}

#[test]
fn more_translations_than_memory_can_hold_are_refused() {
    let place = Place::with_scene();
    let huge = [("--window", "1000000"), ("--max-points", "99999999999")];
    Job::new().with(&huge).refused(&place, "a huge grid", &["max-points", "at most"]);
    place.write("list.txt", "0 6\n3 3\n".repeat(50_000));
    let list = [("--window", GONE), ("--translations", "list.txt")];
    Job::new().with(&list).refused(&place, "a huge list", &["100000", "at most"]);
}

#[test]
fn lists_of_translations_that_cannot_be_are_refused() {
    let place = Place::with_scene();
    place.folder("folder");
    place.npy("three.npy", &Array2::<i32>::zeros((4, 3)));
    place.npy("halves.npy", &Array2::from_elem((4, 2), 0.5_f32));
    let files: [(&str, &[u8], &[&str]); 12] = [
        ("empty.txt", b"", &["translations", "at least one"]),
        ("comments.txt", b"# none\n\n", &["translations", "at least one"]),
        ("three.txt", b"0 6\n1 2 3\n", &["three.txt", "line 2", "'1 2 3'"]),
        ("one.txt", b"# shifts\n\n7\n", &["one.txt", "line 3", "'7'"]),
        ("words.txt", b"0 6\n0,6\nup down\n", &["words.txt", "line 3", "'up down'"]),
        ("halves.txt", b"0.5 1\n", &["halves.txt", "line 1", "whole px"]),
        ("far.txt", b"0 6\n0 100\n", &["(+0, +100)", "90x100 px"]),
        ("least.txt", b"-2147483648 0\n", &["(-2147483648, +0)", "90x100 px"]),
        ("huge.txt", b"0 99999999999\n", &["huge.txt", "line 1"]),
        ("half.txt", b"0 60\n", &["13x133 px", "shorter translations"]),
        ("random.bin", b"\xff\x00\xfe\x80\0\0\0", &["random.bin", "not in a format"]),
        ("bom.txt", b"\xef\xbb\xbf0 6\n0 6 6\n", &["bom.txt", "line 2", "'0 6 6'"]),
    ];
    for (name, content, _) in &files {
        place.write(name, content);
    }
    let others: [(&str, &[u8], &[&str]); 4] = [
        ("missing.txt", b"", &["missing.txt", "no such file"]),
        ("folder", b"", &["folder", "not a regular file"]),
        ("three.npy", b"", &["three.npy", "[n, 2]"]),
        ("halves.npy", b"", &["halves.npy", "[n, 2]", "whole px"]),
    ];
    for (name, _, words) in files.iter().chain(&others) {
        let job = Job::new().with(&[("--window", GONE), ("--translations", name)]);
        job.refused(&place, name, words);
    }
}

#[test]
fn masks_that_cannot_be_are_refused() {
    let place = Place::with_scene();
    place.npy("shape.npy", &Array2::<u8>::zeros((COLS, ROWS)));
    place.npy("stack.npy", &ndarray::Array3::<u8>::zeros((5, ROWS, COLS)));
    place.write("text.txt", "mask");
    place.mask("all.npy", |_, _| false);
    place.mask("no_site.npy", |r, c| r < 3 && c < 3);
    place.mask("one_site.npy", |r, c| r == 12 && c < 14);
    let rows: [(&str, &[&str]); 7] = [
        ("shape.npy", &["shape.npy", "100 x 90", "90 x 100"]),
        ("stack.npy", &["stack.npy", "stack of 5"]),
        ("text.txt", &["text.txt", "not in a format"]),
        ("missing.png", &["missing.png", "no such file"]),
        ("all.npy", &["all.npy", "the mask leaves no pixel"]),
        ("no_site.npy", &["only 0 sites"]),
        ("one_site.npy", &["only 1 site"]),
    ];
    for (mask, words) in rows {
        Job::new().set("--mask", mask).refused(&place, mask, words);
    }
    let one = Job::new().with(&[("--mask", "one_site.npy"), ("-k", "1")]);
    one.refused(&place, "one site, one cluster", &["only 1 site"]);
}
