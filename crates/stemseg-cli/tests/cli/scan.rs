//! What crystals that are turned against each other say of the scan.

use ndarray::Array2;
use stemseg_testing::place::Place;

use crate::job::{stemseg, text};

/// Hexagonal crystals of three orientations, which the scan makes longer along the rows.
fn stretched(place: &Place, name: &str, stretch: f64) {
    let image = Array2::from_shape_fn((300, 540), |(r, c)| {
        let [x, y] = [c as f64 / (1.0 + stretch), -(r as f64)];
        let turn = [5.0_f64, 25.0, 41.0][c / 180].to_radians();
        let wave = |k: f64| {
            let along = turn + std::f64::consts::FRAC_PI_3 * k;
            ((x * along.cos() + y * along.sin()) * std::f64::consts::TAU / 8.3).cos()
        };
        let mixed = ((r * 540 + c + 1) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let noise = ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f64;
        (wave(0.0) + wave(1.0) + wave(2.0) + noise / (1_u64 << 25) as f64) as f32
    });
    place.npy(name, &image);
}

#[test]
fn a_scan_that_stretches_the_image_is_warned_of() {
    let place = Place::empty();
    stretched(&place, "stretched.npy", 0.03);
    stretched(&place, "right.npy", 0.0);
    let run = |name: &str| {
        let command = ["segment", name, "-k", "3", "--no-report", "--device", "cpu"];
        let output = stemseg(&place).args(command).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    let said = run("stretched.npy");
    assert!(said.contains("the scan makes everything"), "{said}");
    let summary = place.json("stretched.stemseg/summary.json");
    let found = &summary["scan_distortion"];
    assert!((found["stretch"].as_f64().unwrap() - 0.03).abs() < 0.003, "{found}");
    let warnings = summary["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|warning| warning["code"] == "scan-distortion"), "{warnings:?}");
    let said = run("right.npy");
    assert!(!said.contains("the scan makes everything"), "{said}");
    assert!(place.json("right.stemseg/summary.json").get("scan_distortion").is_none());
}
