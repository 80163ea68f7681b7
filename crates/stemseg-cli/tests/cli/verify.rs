//! `verify` refuses bad input; what it compares is tested with the backends.

use crate::job::{check_failure, stemseg};
use stemseg_testing::place::Place;

#[test]
fn bad_input_is_refused_like_by_segment() {
    let place = Place::with_scene();
    place.write("text.npy", "no image");
    let before = place.snapshot();
    let cases: [(&[&str], &[&str]); 8] = [
        (&["missing.npy"], &["missing.npy", "no such file"]),
        (&["text.npy"], &["text.npy", "not in a format"]),
        (&["image.npy", "--device", "cpu"], &["device", "name an adapter"]),
        (&["image.npy", "--device", "no such card"], &["no such card"]),
        (&["image.npy", "--stride", "0"], &["stride", "at least 1"]),
        (&["image.npy", "--roi", "0:900,:"], &["rows 0:900"]),
        (&["image.npy", "-k", "auto,2"], &["auto cannot be combined"]),
        (&["image.npy", "--preset", "pystem"], &["-k auto", "-k 3"]),
    ];
    for (arguments, words) in cases {
        let output = stemseg(&place).arg("verify").args(arguments).output().unwrap();
        check_failure(&arguments.join(" "), &output, 2, words);
    }
    assert_eq!(place.snapshot(), before, "nothing is written");
}
