//! Lattices of simulated micrographs against those that they were drawn with.
#![allow(missing_docs, reason = "tests explain themselves")]

use ndarray::Array2;
use stemseg::image::micrograph::PixelSize;
use stemseg_crystals::{Cell, Crystals, LatticeType, Without};
use stemseg_regions::Regions;
use stemseg_simulate::{Scene, Settings, Simulated, simulate};

fn scene(name: &str, groups: &[&str], settings: &Settings) -> Simulated {
    let groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
    let scene = Scene::new(name, &groups, None).expect("a scene of the list");
    simulate(&scene, settings, &stemseg::Silent).expect("it can be simulated")
}

fn crystals(image: &Array2<f32>, labels: &Array2<u16>, size: Option<PixelSize>) -> Crystals {
    let mean = image.mean().unwrap_or_default();
    let regions = Regions::new(&labels.view(), None, size);
    Crystals::new(image.mapv(|v| v - mean).view(), &regions, size)
}

/// How far each of `a`, `b`, `gamma` and the orientation of a found cell is from the true vectors'
/// (rows and columns), in standard errors and as it is: relative, and degrees.
fn away(cell: &Cell, truth: [[f64; 2]; 2]) -> [[f64; 2]; 4] {
    // The true vectors that are nearest to those found.
    let near = |v: [f64; 2]| {
        let mut best = (f64::INFINITY, [0.0; 2]);
        for i in -4..=4 {
            for j in -4..=4 {
                let at = [0, 1]
                    .map(|axis| f64::from(i) * truth[0][axis] + f64::from(j) * truth[1][axis]);
                let distance = (at[0] - v[0]).hypot(at[1] - v[1]);
                if distance < best.0 {
                    best = (distance, at);
                }
            }
        }
        best.1
    };
    let [a, b] = cell.vectors_px.map(near);
    let length = |v: [f64; 2]| v[0].hypot(v[1]);
    let angle = |v: [f64; 2]| (-v[0]).atan2(v[1]).to_degrees();
    let turn = cell.lattice_type.turn_deg();
    let round = |degrees: f64, turn: f64| degrees - turn * (degrees / turn).round();
    let gamma = round(angle(b) - angle(a), 360.0).abs();
    let [la, lb] = cell.lengths_px;
    let o = cell.orientation_deg;
    let apart = round(o.value - angle(a), turn);
    [
        [(la.value - length(a)) / la.error, la.value / length(a) - 1.0],
        [(lb.value - length(b)) / lb.error, lb.value / length(b) - 1.0],
        [(cell.gamma_deg.value - gamma) / cell.gamma_deg.error, cell.gamma_deg.value - gamma],
        [apart / o.error, apart],
    ]
}

/// Waves of an ordered crystal lie between those of its columns, and are weak: too weak here for the
/// strongest peaks to tell.
#[test]
fn weak_waves_between_those_of_columns_make_the_cell_of_an_ordered_crystal() {
    let wave = |x: f64| (x * std::f64::consts::TAU).cos();
    let noise = |r: usize, c: usize| ((r * 7919 + c * 104_729 + r * c) % 1009) as f64 / 1009.0;
    let of = |order: f64| {
        let image = Array2::from_shape_fn((256, 256), |(r, c)| {
            let (y, x) = (r as f64 / 10.0, c as f64 / 10.0);
            (wave(y) + wave(x) + order * wave((y + x) / 2.0) + 0.5 * noise(r, c)) as f32
        });
        let found = crystals(&image, &Array2::ones((256, 256)), None);
        found.patterns[0].found.as_ref().expect("a lattice").cell.lengths_px.map(|a| a.value)
    };
    for (order, side) in [(0.0, 10.0), (0.13, 200.0_f64.sqrt())] {
        assert!(
            of(order).iter().all(|a| (a / side - 1.0).abs() < 1e-3),
            "{order}: {:?}",
            of(order)
        );
    }
}

/// Scenes, plane groups, and the types of the lattices of their phases.
type Case = (&'static str, &'static [&'static str], &'static [Option<LatticeType>]);

const CASES: [Case; 9] = {
    use LatticeType::{CentredRectangular, Hexagonal, Oblique, Rectangular, Square};
    [
        ("tilt-boundary", &[], &[Some(CentredRectangular), Some(CentredRectangular)]),
        ("square-hexagonal", &[], &[Some(Square), Some(Hexagonal)]),
        ("rectangular-oblique", &[], &[Some(Rectangular), Some(Oblique)]),
        ("ordered-precipitates", &[], &[Some(Square), Some(Square)]),
        ("coherent-precipitates", &[], &[Some(Square), None]),
        ("inversion-domains", &[], &[Some(Hexagonal), Some(Hexagonal)]),
        ("plane-groups", &["p4mm", "p4"], &[Some(Square), Some(Square)]),
        ("plane-groups", &["p2mg", "pg"], &[Some(Rectangular), Some(Rectangular)]),
        ("plane-groups", &["p31m", "p6"], &[Some(Hexagonal), Some(Hexagonal)]),
    ]
};

/// Every scene several times: lattices, within what was promised, and errors that are honest.
#[test]
fn lattices_are_those_that_were_drawn_and_errors_say_how_far() {
    let (mut within, mut all) = (0, 0);
    for (name, groups, types) in CASES {
        for (seed, dose, jitter) in [(1, 60.0, 0.4), (2, 60.0, 0.0), (3, 400.0, 0.15)] {
            let settings =
                Settings { seed, dose: Some(dose), jitter, gradient: 0.15, ..Settings::default() };
            let made = scene(name, groups, &settings);
            let found = crystals(&made.image, &made.labels, None);
            for (pattern, expected) in found.patterns.iter().zip(types) {
                let phase = &made.phases[usize::from(pattern.label) - 1];
                let what = format!("{name} {groups:?} {seed}: {}", phase.name);
                let common = match &pattern.found {
                    Ok(common) => common,
                    // Precipitates are of any size.
                    Err(Without::TooSmall) if name.ends_with("precipitates") => continue,
                    Err(other) => panic!("{what}: {other:?}"),
                };
                if let Some(expected) = expected {
                    assert_eq!(common.cell.lattice_type, *expected, "{what}: {:?}", common.cell);
                }
                let [u, v] = phase.lattice.unwrap();
                let area = (u[0] * v[1] - u[1] * v[0]).abs();
                assert!((common.cell.area_px() / area - 1.0).abs() < 0.01, "{what}: {common:?}");
                for (i, [errors, off]) in away(&common.cell, [u, v]).into_iter().enumerate() {
                    let bound = if i < 2 { 0.002 } else { 0.1 };
                    assert!(off.abs() < bound, "{what}: {i} is off by {off}, {errors} errors");
                    all += 1;
                    within += usize::from(errors.abs() <= 2.0);
                }
            }
        }
    }
    assert!(within as f64 >= 0.9 * all as f64, "{within} of {all} within two errors");
}

#[test]
fn pixels_that_are_not_square_change_angles_and_types() {
    let settings = Settings { jitter: 0.0, ..Settings::default() };
    let made = scene("plane-group", &["p4mm"], &settings);
    // Every second row: a square lattice of pixels that are twice as high as wide.
    let half = |rows: ndarray::ArrayView2<'_, f32>| {
        Array2::from_shape_fn((rows.nrows() / 2, rows.ncols()), |(r, c)| rows[(2 * r, c)])
    };
    let image = half(made.image.view());
    let labels = Array2::ones(image.dim());
    let size = PixelSize { rows: 0.02, cols: 0.01 };
    let found = crystals(&image, &labels, Some(size));
    let cell = &found.patterns[0].found.as_ref().unwrap().cell;
    assert_eq!(cell.lattice_type, LatticeType::Square);
    let [a, b] = cell.lengths_nm.unwrap();
    assert!((a.value - 0.3).abs() < 6e-4 && (b.value - 0.3).abs() < 6e-4, "{a:?} {b:?}");
    let of_whole = crystals(&made.image, &made.labels, None);
    let whole = &of_whole.patterns[0].found.as_ref().unwrap().cell;
    let apart = cell.orientation_deg.value - whole.orientation_deg.value;
    assert!((apart - 90.0 * (apart / 90.0).round()).abs() < 0.05, "{apart}");
    let stretched = crystals(&image, &labels, None);
    let cell = &stretched.patterns[0].found.as_ref().unwrap().cell;
    assert!(cell.lattice_type != LatticeType::Square && cell.lengths_nm.is_none());
}

#[test]
fn what_has_no_lattice_is_said_to_have_none() {
    let made = scene("crystal-edge", &[], &Settings::default());
    let found = crystals(&made.image, &made.labels, None);
    for pattern in &found.patterns {
        let phase = &made.phases[usize::from(pattern.label) - 1];
        match phase.lattice {
            Some(_) => assert!(pattern.found.is_ok(), "{}: {:?}", phase.name, pattern.found),
            None => assert_eq!(pattern.found, Err(Without::NoLattice), "{}", phase.name),
        }
    }
    // Rows alone.
    let wave = |r: usize| (r as f32 * 0.7).sin();
    let mut noise = 7_u64;
    let fringes = Array2::from_shape_fn((200, 220), |(r, _)| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        wave(r) + (noise >> 40) as f32 / 16_777_216.0 - 0.5
    });
    let found = crystals(&fringes, &Array2::ones((200, 220)), None);
    let Err(Without::Fringes { spacing_px, across_deg }) = found.patterns[0].found else {
        panic!("{:?}", found.patterns[0].found)
    };
    assert!((spacing_px - std::f64::consts::TAU / 0.7).abs() < 0.05, "{spacing_px}");
    assert!((across_deg - 90.0).abs() < 1.0, "{across_deg}");
}

#[test]
fn odd_input_gives_reasons() {
    let noise = |r: usize, c: usize| {
        let mut state = (r * 1009 + c) as u64;
        for _ in 0..3 {
            state = (state ^ (state >> 29)).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        }
        (state >> 40) as f32
    };
    for (rows, cols) in [(1, 1), (1, 300), (300, 1), (2, 2), (40, 7), (64, 64)] {
        for image in
            [Array2::zeros((rows, cols)), Array2::from_shape_fn((rows, cols), |(r, c)| noise(r, c))]
        {
            for label in [0, 1] {
                let found = crystals(&image, &Array2::from_elem((rows, cols), label), None);
                assert_eq!(found.patterns.len(), usize::from(label > 0));
                assert!(found.patterns.iter().all(|pattern| pattern.found.is_err()));
            }
        }
    }
    let empty = Array2::zeros((0, 0));
    assert!(crystals(&Array2::zeros((0, 0)), &empty, None).patterns.is_empty());
}

#[test]
fn threads_change_nothing() {
    let made = scene("square-hexagonal", &[], &Settings::default());
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| crystals(&made.image, &made.labels, None))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn crystals_that_touch_are_turned_by_what_they_were_drawn_with() {
    let settings =
        Settings { boundary: stemseg_simulate::Boundary::Straight, ..Settings::default() };
    let made = scene("tilt-boundary", &[], &settings);
    let found = crystals(&made.image, &made.labels, None);
    let interface = &found.interfaces[&[1, 2]];
    let relation = interface.relation.as_ref().unwrap();
    assert!((relation.misorientation_deg - 26.0).abs() < 0.1, "{relation:?}");
    assert!(relation.misorientation_deg_error < 0.1 && relation.sigma.is_none());
    assert!(interface.normal_deg.is_some() && interface.planes.is_some());
    // One lattice, turned by nothing: all points are in common.
    let made = scene("inversion-domains", &[], &Settings::default());
    let found = crystals(&made.image, &made.labels, None);
    let relation = found.interfaces[&[1, 2]].relation.as_ref().unwrap();
    assert_eq!(relation.sigma, Some(1));
    assert!(relation.misorientation_deg < 0.1 && relation.shared_vectors.len() >= 2);
    let [[p, q], [r, s]] = relation.orientation_relationship;
    assert!((p * s - q * r).abs() > 0.99 && (p * s - q * r).abs() < 1.01);
}
