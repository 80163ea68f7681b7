//! Pixel sizes and distortions of scans by known lattices.
#![allow(missing_docs, reason = "tests explain themselves")]

use std::f64::consts::TAU;

use ndarray::Array2;
use stemseg_crystals::{Calibration, Crystals, KnownLattice};
use stemseg_regions::Regions;

/// A crystal of waves whose direct vectors (to the right and up, nm) are these, seen with pixels of
/// this width and height, nm, and rows that go to the right by `skew` degrees too much as they go up.
fn seen(vectors: [[f64; 2]; 2], [width, height]: [f64; 2], skew: f64) -> Crystals {
    let whole = vectors[0][0] * vectors[1][1] - vectors[0][1] * vectors[1][0];
    let image = Array2::from_shape_fn((240, 240), |(r, c)| {
        let up = -(r as f64) * height;
        let (x, y) = (c as f64 * width + up * skew.to_radians().tan(), up);
        // How many vectors lead there.
        let [u, v] = [
            (x * vectors[1][1] - y * vectors[1][0]) / whole,
            (vectors[0][0] * y - vectors[0][1] * x) / whole,
        ];
        ((TAU * u).cos() + (TAU * v).cos() + 0.5 * (TAU * (u + v)).cos()) as f32
    });
    let labels = Array2::<u16>::ones(image.dim());
    let regions = Regions::new(&labels.view(), None, None);
    Crystals::new(image.view(), &regions, None)
}

fn turned(length: f64, degrees: f64) -> [f64; 2] {
    let (sin, cos) = degrees.to_radians().sin_cos();
    [length * cos, length * sin]
}

#[test]
fn pixels_and_skews_are_those_that_were_drawn() {
    let hexagonal = KnownLattice { a_nm: 0.316, b_nm: 0.316, gamma_deg: 120.0 };
    let square = KnownLattice { a_nm: 0.39, b_nm: 0.39, gamma_deg: 90.0 };
    let oblique = KnownLattice { a_nm: 0.3, b_nm: 0.41, gamma_deg: 100.0 };
    // In whatever terms: 60 degrees is as good.
    let sixty = KnownLattice { gamma_deg: 60.0, ..hexagonal };
    for (known, drawn) in
        [(hexagonal, hexagonal), (sixty, hexagonal), (square, square), (oblique, oblique)]
    {
        for (size, skew, by) in
            [([0.02, 0.02], 0.0, 12.0), ([0.021, 0.02], 0.0, 40.0), ([0.02, 0.0205], 1.5, 77.0)]
        {
            let vectors = [turned(drawn.a_nm, by), turned(drawn.b_nm, by + drawn.gamma_deg)];
            let found = Calibration::new(&seen(vectors, size, skew), &known, None)
                .expect("it is the lattice");
            assert!((found.width_nm.value / size[0] - 1.0).abs() < 2e-4, "{known:?} {found:?}");
            assert!((found.height_nm.value / size[1] - 1.0).abs() < 2e-4, "{known:?} {found:?}");
            assert!((found.skew_deg.value - skew).abs() < 0.02, "{known:?} {found:?}");
            assert_eq!(found.label, 1);
            let [[width, along], [zero, height]] = found.affine_nm;
            assert!((along / height - skew.to_radians().tan()).abs() < 5e-4 && zero == 0.0);
            assert!(width == found.width_nm.value && height == found.height_nm.value);
            // Told with an error that is not nothing.
            assert!(found.width_nm.error > 0.0 && found.width_nm.error < 1e-3);
        }
    }
}

#[test]
fn another_lattice_calibrates_nothing() {
    let square = [turned(0.39, 10.0), turned(0.39, 100.0)];
    let crystals = seen(square, [0.02, 0.02], 0.0);
    let hexagonal = KnownLattice { a_nm: 0.39, b_nm: 0.39, gamma_deg: 120.0 };
    assert_eq!(Calibration::new(&crystals, &hexagonal, None), None);
    // The right shape, but twice as large as the file says.
    let known = KnownLattice { a_nm: 0.39, b_nm: 0.39, gamma_deg: 90.0 };
    assert_eq!(Calibration::new(&crystals, &known, Some([0.01, 0.01])), None);
    let found =
        Calibration::new(&crystals, &known, Some([0.021, 0.021])).expect("it is the lattice");
    assert!((found.width_nm.value - 0.02).abs() < 1e-5);
    // What the file says of the shape of pixels counts as no distortion.
    let found = Calibration::new(&seen(square, [0.02, 0.03], 0.0), &known, Some([0.03, 0.02]));
    assert!(found.expect("it is the lattice").distortion < 1e-3);
    assert_eq!(Calibration::new(&seen(square, [0.02, 0.03], 0.0), &known, None), None);
}
