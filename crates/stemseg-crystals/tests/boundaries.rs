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
fn both(scene: &Scene, size: usize, clusters: usize, seed: u64) -> [BoundaryLines; 2] {
    let settings = Settings {
        size: Extent::square(size),
        boundary: Boundary::Straight,
        seed,
        ..Settings::default()
    };
    let Simulated { image, labels, .. } = simulate(scene, &settings, &Silent).unwrap();
    let found = Segmenter::auto().clusters(clusters).segment(&image).unwrap();
    let patterns = &found.results[0];
    let regions = Regions::new(&patterns.map, None, None);
    let lines = BoundaryLines::new(&regions, &found.plan, patterns, None);
    [lines, of_truth(&labels)]
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
        let [found, truth] = both(&Scene::TiltBoundary, 384, 2, seed);
        let longest = |lines: &BoundaryLines| {
            let lines = lines.lines.iter();
            lines.max_by(|a, b| a.px.length.total_cmp(&b.px.length)).unwrap().clone()
        };
        let (found, truth) = (longest(&found), longest(&truth));
        let turned = apart(found.normal_deg.unwrap(), truth.normal_deg.unwrap(), 180.0);
        let longer = (found.px.length / truth.px.length - 1.0).abs();
        println!("{seed}: {turned:.3} degrees, {longer:.4}, rough {:?}", found.px.roughness);
        worst = [worst[0].max(turned), worst[1].max(longer)];
    }
    assert!(worst[0] < 1.0 && worst[1] < 0.02, "{worst:?}");
}

#[test]
fn dihedral_angles_are_as_far_off_as_their_errors_say() {
    let (mut off, mut said, mut count) = (0.0, 0.0, 0);
    for seed in 0..12 {
        let [found, truth] = both(&Scene::Polycrystal { grains: 6 }, 640, 6, seed);
        for point in &found.triple_points {
            let near = truth.triple_points.iter().find(|own| {
                let [r, c] = [0, 1].map(|axis| own.at_px[axis] - point.at_px[axis]);
                r.hypot(c) < 12.0
            });
            let Some(near) = near else { continue };
            // Both go clockwise from the line that leaves upwards, whichever that is.
            let angles = |sectors: &[stemseg_regions::junctions::Sector]| -> Option<Vec<f64>> {
                sectors.iter().map(|own| own.angle_deg).collect()
            };
            let Some((own, real)) = angles(&point.sectors).zip(angles(&near.sectors)) else {
                continue;
            };
            if own.len() != 3 || real.len() != 3 {
                continue;
            }
            let squares = |turn: usize| -> f64 {
                (0..3).map(|i| (own[i] - real[(i + turn) % 3]).powi(2)).sum()
            };
            let best = (0..3).map(squares).fold(f64::INFINITY, f64::min);
            let error: f64 =
                point.sectors.iter().filter_map(|own| own.angle_deg_error).map(|e| e * e).sum();
            println!(
                "{seed}: {own:.1?} {real:.1?} rms {:.2} said {:.2}",
                (best / 3.0).sqrt(),
                (error / 3.0).sqrt()
            );
            off += best;
            said += error;
            count += 3;
        }
    }
    let ratio = (off / said).sqrt();
    println!(
        "{count} angles, off by {:.2}, said {:.2}",
        (off / f64::from(count)).sqrt(),
        (said / f64::from(count)).sqrt()
    );
    assert!(count >= 60 && (0.5..1.5).contains(&ratio), "{count}: {ratio}");
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
