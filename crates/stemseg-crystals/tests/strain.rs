//! Strain of crystals that were drawn with a displacement.
#![allow(missing_docs, reason = "tests explain themselves")]

use std::f64::consts::TAU;

use ndarray::{Array2, ArrayView2, s};
use stemseg::image::micrograph::PixelSize;
use stemseg::image::rows;
use stemseg_crystals::Crystals;
use stemseg_crystals::strain::{MAPS, Reference, StrainMaps};
use stemseg_regions::Regions;

const PERIOD: f64 = 11.0;
/// Distance from the border, px, from which on the whole Gaussian lies within.
const INSIDE: usize = 45;

/// A square crystal turned by 17 degrees, whose place `(x, y)` (to the right and up, px) was moved by
/// what `by` gives; with noise of this standard deviation.
fn crystal(shape: (usize, usize), noise: f64, by: impl Fn(f64, f64) -> [f64; 2]) -> Array2<f32> {
    let (sin, cos) = 17_f64.to_radians().sin_cos();
    let mut state = 12_345_u64;
    let mut uniform = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5
    };
    Array2::from_shape_fn(shape, |(r, c)| {
        let (x, y) = (c as f64, -(r as f64));
        let [ux, uy] = by(x, y);
        let (x, y) = (x - ux, y - uy);
        let (along, across) = ((cos * x + sin * y) / PERIOD, (cos * y - sin * x) / PERIOD);
        let wave = |t: f64| (TAU * t).cos();
        let columns =
            wave(along) + wave(across) + 0.5 * wave(along + across) + 0.3 * wave(2.0 * along);
        // Six uniform numbers are nearly normal.
        let rough: f64 = (0..6).map(|_| uniform()).sum::<f64>() * 2_f64.sqrt();
        (columns + noise * rough) as f32
    })
}

fn maps(
    image: ArrayView2<'_, f32>,
    labels: &Array2<u16>,
    size: Option<PixelSize>,
    reference: Reference,
) -> Vec<Array2<f32>> {
    let regions = Regions::new(&labels.view(), None, size);
    let crystals = Crystals::new(image, &regions, size);
    let strain = StrainMaps::new(image, &regions, &crystals, reference);
    (0..MAPS.len()).map(|map| rows::collect(&strain.map(map))).collect()
}

/// Root mean square of the difference of a map from what `truth` says at `(x, y)`, of pixels at least
/// `inside` px from the image's border, all of which are known.
fn off(map: &Array2<f32>, inside: usize, truth: impl Fn(f64, f64) -> f64) -> f64 {
    let (rows, cols) = map.dim();
    let (mut sum, mut count) = (0.0, 0);
    for r in inside..rows - inside {
        for c in inside..cols - inside {
            assert!(map[(r, c)].is_finite(), "{r}, {c}");
            sum += (f64::from(map[(r, c)]) - truth(c as f64, -(r as f64))).powi(2);
            count += 1;
        }
    }
    (sum / f64::from(count)).sqrt()
}

#[test]
fn strain_that_grows_along_the_image_is_what_it_was_drawn_with() {
    // exx = 2 a x, exy = a' y / 2 and a rotation of -a' y / 2, from the middle on.
    let (a, shear) = (5e-5, 6e-5);
    let (x0, y0) = (150.0, -128.0);
    let image = crystal((256, 300), 0.0, |x, y| {
        [a * (x - x0).powi(2) + 0.5 * shear * (y - y0).powi(2), 0.0]
    });
    let found = maps(image.view(), &Array2::ones((256, 300)), None, Reference::Own);
    // Of the crystal as it would be at rest, seen where it has gone to: of second order.
    let second = 1.5e-4;
    assert!(off(&found[0], INSIDE, |x, _| 2.0 * a * (x - x0)) < second);
    assert!(off(&found[1], INSIDE, |_, _| 0.0) < second);
    assert!(off(&found[2], INSIDE, |_, y| 0.5 * shear * (y - y0)) < second);
    let degrees = |_: f64, y: f64| (-0.5 * shear * (y - y0)).to_degrees();
    assert!(off(&found[3], INSIDE, degrees) < second.to_degrees());
    // Up to the border too, where the middle of what counts lies some 10 px further inside.
    assert!(off(&found[0], 12, |x, _| 2.0 * a * (x - x0)) < 8e-4);
}

#[test]
fn noise_makes_the_errors_that_are_told() {
    for noise in [0.5, 2.0] {
        let image = crystal((300, 300), noise, |_, _| [0.0, 0.0]);
        let found = maps(image.view(), &Array2::ones((300, 300)), None, Reference::Own);
        let told = found[4].slice(s![INSIDE..300 - INSIDE, INSIDE..300 - INSIDE]).mean().unwrap();
        // A rotation is half of the difference of two components.
        for (map, is) in
            [(0, 1.0), (1, 1.0), (2, 2_f64.sqrt()), (3, 2_f64.sqrt() * 1_f64.to_radians())]
        {
            let off = is * off(&found[map], INSIDE, |_, _| 0.0) / f64::from(told);
            assert!((0.8..1.25).contains(&off), "{noise}: {} is off by {off} errors", MAPS[map]);
        }
    }
}

/// A probe that trembles along the rows turns all waves of a row: those that lie next to each other in
/// the rows' direction of reciprocal space reach each other.
#[test]
fn displaced_rows_are_no_strain() {
    let mut state = 9_u64;
    let mut uniform = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5
    };
    // Waves of a hexagonal crystal, two of which have nearly the same component along the rows.
    let tremble: Vec<f64> = (0..300).map(|_| 1.4 * uniform()).collect();
    let image = Array2::from_shape_fn((300, 300), |(r, c)| {
        let (x, y) = (c as f64 - tremble[r], -(r as f64));
        let wave = |degrees: f64| {
            let (sin, cos) = degrees.to_radians().sin_cos();
            let turn = TAU * (cos * x + sin * y) / 12.0;
            turn.cos() + 0.6 * (2.0 * turn).cos()
        };
        // With what lies between the waves.
        let square = [22.0, 82.0, 142.0].map(wave).iter().sum::<f64>();
        (square + 0.3 * square * square) as f32
    });
    let found = maps(image.view(), &Array2::ones((300, 300)), None, Reference::Own);
    let [exx, eyy, exy] = [0, 1, 2].map(|map| off(&found[map], INSIDE, |_, _| 0.0));
    assert!(exx < 7e-4 && eyy < 7e-4, "{exx} {eyy}");
    // What is left is the slow part of the trembling, and it is in the error that is told.
    let told =
        f64::from(found[4].slice(s![INSIDE..300 - INSIDE, INSIDE..300 - INSIDE]).mean().unwrap());
    assert!((0.5..2.0).contains(&(exy / told)), "{exy} {told}");
}

#[test]
fn nothing_of_one_region_counts_in_another() {
    let one = crystal((200, 260), 0.3, |x, _| [0.01 * x, 0.0]);
    let mut other = one.clone();
    let labels = Array2::from_shape_fn((200, 260), |(r, c)| if c < 110 + r / 4 { 1 } else { 2 });
    for (at, pixel) in other.indexed_iter_mut().filter(|(at, _)| labels[*at] == 2) {
        *pixel = ((at.0 * 7919 + at.1 * 104_729 + at.0 * at.1) % 1009) as f32;
    }
    let [first, second] =
        [&one, &other].map(|image| maps(image.view(), &labels, None, Reference::Own));
    for (at, &label) in labels.indexed_iter().filter(|(_, label)| **label == 1) {
        assert_eq!(label, 1);
        let [a, b] = [&first, &second].map(|maps| maps[0][at]);
        assert!(a.to_bits() == b.to_bits(), "{at:?}: {a} {b}");
    }
    // The second has no lattice in the other image.
    assert!(first[0][(100, 200)].is_finite() && second[0][(100, 200)].is_nan());
    // What is told begins a part of a period from the boundary.
    assert!((100..134).any(|c| first[0][(100, c)].is_nan()));
}

#[test]
fn a_region_can_be_what_others_are_compared_with() {
    // The right half is 2 % longer along x, and turned by half a degree.
    let turn = 0.5_f64.to_radians();
    let image = crystal((220, 400), 0.0, |x, y| match x < 200.0 {
        true => [0.0, 0.0],
        // Places before: of those that went there.
        false => {
            let (before_x, before_y) =
                ((turn.cos() * x + turn.sin() * y) / 1.02, turn.cos() * y - turn.sin() * x);
            [x - before_x, y - before_y]
        }
    });
    // One pattern, two regions: a column without label lies between.
    let labels = Array2::from_shape_fn((220, 400), |(_, c)| u16::from(c != 200));
    for (reference, exx, degrees) in [(Reference::Own, 0.0, 0.0), (Reference::Region(1), 0.02, 0.5)]
    {
        let found = maps(image.view(), &labels, None, reference);
        assert!((f64::from(found[0][(110, 300)]) - exx).abs() < 3e-4, "{}", found[0][(110, 300)]);
        assert!(found[1][(110, 300)].abs() < 3e-4 && found[2][(110, 300)].abs() < 3e-4);
        assert!((f64::from(found[3][(110, 300)]) - degrees).abs() < 0.02);
        assert!(found[0][(110, 100)].abs() < 3e-4 && found[3][(110, 100)].abs() < 0.02);
    }
}

#[test]
fn pixels_need_not_be_square() {
    // A crystal turned by a degree on pixels half as high as wide, against one that is not.
    let of = |degrees: f64| {
        let (sin, cos) = degrees.to_radians().sin_cos();
        move |r: usize, c: usize| {
            let (x, y) = (0.2 * c as f64, -0.1 * r as f64);
            let wave = |t: f64| (TAU * t / 1.6).cos();
            (wave(cos * x + sin * y) + wave(cos * y - sin * x)) as f32
        }
    };
    let (straight, turned) = (of(0.0), of(1.0));
    let image =
        Array2::from_shape_fn(
            (400, 400),
            |(r, c)| if c < 200 { straight(r, c) } else { turned(r, c) },
        );
    let labels = Array2::from_shape_fn((400, 400), |(_, c)| u16::from(c != 200));
    let size = PixelSize { rows: 0.1, cols: 0.2 };
    let found = maps(image.view(), &labels, Some(size), Reference::Region(1));
    assert!((found[3][(200, 300)] - 1.0).abs() < 0.01, "{}", found[3][(200, 300)]);
    for map in &found[..3] {
        assert!(map[(200, 300)].abs() < 3e-4, "{}", map[(200, 300)]);
    }
}
