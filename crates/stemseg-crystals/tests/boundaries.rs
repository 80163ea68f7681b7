//! Boundary lines and triple points of simulated micrographs, segmented, next to those of the truth.
#![allow(missing_docs, reason = "tests explain themselves")]

use ndarray::Array2;
use stemseg::sites::Extent;
use stemseg::{Segmenter, Silent};
use stemseg_crystals::Crystals;
use stemseg_regions::Regions;
use stemseg_regions::lines::{BoundaryLines, Scales};
use stemseg_simulate::{Boundary, Scene, Settings, Simulated, simulate};

/// What was found, and the same of the true labels.
struct Both {
    found: BoundaryLines,
    truth: BoundaryLines,
    /// The true label with which each that was found shares most pixels.
    true_label: Vec<u16>,
}

fn both(scene: &Scene, size: usize, clusters: usize, seed: u64) -> Both {
    let settings = Settings {
        size: Extent::square(size),
        boundary: Boundary::Straight,
        seed,
        ..Settings::default()
    };
    let Simulated { image, labels, phases, .. } =
        simulate(scene, &settings, &Silent).expect("a scene");
    let found = Segmenter::auto().clusters(clusters).segment(&image).expect("patterns in a scene");
    let patterns = &found.results[0];
    let regions = Regions::new(&patterns.map, None, None);
    let lines = BoundaryLines::new(&regions, &found.plan, patterns, None);
    let mut shared = Array2::<u64>::zeros((clusters, phases.len()));
    for (own, truth) in patterns.map.pixels().iter().zip(&labels) {
        shared[(usize::from(*own) - 1, usize::from(*truth) - 1)] += 1;
    }
    let most = |row: ndarray::ArrayView1<'_, u64>| {
        row.iter().enumerate().max_by_key(|(_, count)| **count).map_or(0, |(i, _)| i as u16 + 1)
    };
    let true_label = shared.outer_iter().map(most).collect();
    Both { found: lines, truth: of_truth(&labels), true_label }
}

/// Lines of labels that end in stairs of pixels.
fn of_truth(labels: &Array2<u16>) -> BoundaryLines {
    let regions = Regions::new(&labels.view(), None, None);
    regions.boundary_lines(None, Scales::nearest(1.0), None)
}

fn apart(one: f64, other: f64, turn: f64) -> f64 {
    let away = (one - other).rem_euclid(turn);
    away.min(turn - away)
}

#[test]
fn normals_and_lengths_of_straight_boundaries_are_right() {
    let mut worst = [0.0_f64; 2];
    for seed in 0..6 {
        let Both { found, truth, .. } = both(&Scene::TiltBoundary, 384, 2, seed);
        let longest = |lines: &BoundaryLines| {
            let lines = lines.lines.iter();
            lines.max_by(|a, b| a.px.length.total_cmp(&b.px.length)).unwrap().clone()
        };
        let (found, truth) = (longest(&found), longest(&truth));
        let turned = apart(found.normal_deg.unwrap(), truth.normal_deg.unwrap(), 180.0);
        let longer = (found.px.length / truth.px.length - 1.0).abs();
        worst = [worst[0].max(turned), worst[1].max(longer)];
    }
    assert!(worst[0] < 1.0 && worst[1] < 0.02, "{worst:?}");
}

#[test]
fn dihedral_angles_are_as_far_off_as_their_errors_say() {
    let (mut off, mut said, mut count) = (0.0, 0.0, 0);
    for seed in 0..12 {
        let Both { found, truth, true_label } =
            both(&Scene::Polycrystal { grains: 6 }, 640, 6, seed);
        for point in &found.triple_points {
            let near = truth.triple_points.iter().find(|own| {
                let [r, c] = [0, 1].map(|axis| own.at_px[axis] - point.at_px[axis]);
                r.hypot(c) < 15.0
            });
            let Some(near) = near else { continue };
            for sector in &point.sectors {
                let label = true_label[usize::from(sector.label) - 1];
                let real = near.sectors.iter().find(|own| own.label == label);
                let real = real.and_then(|own| own.angle_deg);
                let own = sector.angle_deg.zip(sector.angle_deg_error);
                let Some((real, (angle, error))) = real.zip(own) else { continue };
                off += (angle - real).powi(2);
                said += error * error;
                count += 1;
            }
        }
    }
    let [rms, mean] = [off, said].map(|sum: f64| (sum / f64::from(count)).sqrt());
    assert!(count >= 100 && rms < 8.0, "{count}: {rms}");
    assert!((0.6..1.3).contains(&(rms / mean)), "{rms} {mean}");
}

#[test]
fn planes_are_those_of_the_crystals_along_the_line() {
    let settings = Settings { boundary: Boundary::Straight, seed: 3, ..Settings::default() };
    let Simulated { image, labels, phases, .. } =
        simulate(&Scene::Twins, &settings, &Silent).unwrap();
    let regions = Regions::new(&labels.view(), None, None);
    let crystals = Crystals::new(image.view(), &regions, None);
    let lines = regions.boundary_lines(None, Scales::nearest(1.0), None);
    // Boundaries of twins are the planes of the layers, spanned by the first vector.
    let told = lines.lines.iter().filter_map(|line| Some((line, crystals.planes_along(line)?)));
    let mut count = 0;
    for (line, planes) in told {
        for plane in planes {
            let small = plane[0].abs().min(plane[1].abs());
            assert!(small < 0.05 || (small - 1.0).abs() < 0.05, "{line:?} {planes:?} {phases:?}");
        }
        count += 1;
    }
    assert!(count > 0);
}
