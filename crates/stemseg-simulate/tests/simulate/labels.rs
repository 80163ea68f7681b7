//! Label maps against what the pixels show.

use std::f64::consts::{PI, TAU};

use ndarray::{ArrayView2, s};
use stemseg_simulate::{Boundary, Settings, Simulated};

use crate::{ideal, run};

/// Side of a tile, px.
const TILE: usize = 56;
const SIZE: usize = 448;

/// Frequencies of the reflections of all phases, up to the second order, 1/px.
fn frequencies(simulated: &Simulated) -> Vec<[f64; 2]> {
    let lattices = simulated.phases.iter().filter_map(|phase| phase.lattice);
    let of_lattice = |[a, b]: [[f64; 2]; 2]| {
        let area = a[0] * b[1] - a[1] * b[0];
        let orders = [(0, 1), (0, 2), (1, -1), (1, 0), (1, 1), (1, 2), (2, 1), (2, 0)];
        orders.map(|(h, k)| {
            let (h, k) = (f64::from(h) / area, f64::from(k) / area);
            [h * b[1] - k * a[1], k * a[0] - h * b[0]]
        })
    };
    lattices.flat_map(of_lattice).collect()
}

/// The Fourier coefficient of a tile at a frequency, relative to the tile's sum.
fn coefficient(
    tile: ArrayView2<'_, f32>,
    (row, col): (usize, usize),
    [fr, fc]: [f64; 2],
) -> [f64; 2] {
    // Window and wave along one axis: weight, real and imaginary part.
    let along = |start: usize, frequency: f64| -> Vec<[f64; 3]> {
        let one = |i: usize| {
            let window = (PI * (i as f64 + 0.5) / TILE as f64).sin().powi(2);
            let (sin, cos) = (-TAU * frequency * (start + i) as f64).sin_cos();
            [window, window * cos, window * sin]
        };
        (0..TILE).map(one).collect()
    };
    let (rows, cols) = (along(row, fr), along(col, fc));
    let (mut sums, mut total) = ([0.0; 2], 0.0);
    for ((i, j), &value) in tile.indexed_iter() {
        let ([weight, re, im], [col_weight, col_re, col_im]) = (rows[i], cols[j]);
        let value = f64::from(value);
        sums[0] += value * (re * col_re - im * col_im);
        sums[1] += value * (re * col_im + im * col_re);
        total += value * weight * col_weight;
    }
    sums.map(|v| v / total.max(1e-9))
}

/// Label and position of every tile of one label.
fn pure_tiles(simulated: &Simulated) -> Vec<(u16, (usize, usize))> {
    let corners = || (0..=(SIZE - TILE) / 14).map(|i| 14 * i);
    let all = corners().flat_map(|r| corners().map(move |c| (r, c)));
    all.filter_map(|(r, c)| {
        let labels = simulated.labels.slice(s![r..r + TILE, c..c + TILE]);
        labels.iter().all(|&label| label == labels[(0, 0)]).then_some((labels[(0, 0)], (r, c)))
    })
    .collect()
}

/// Share of the tiles that look most like the mean of their own label.
fn agreement(tiles: &[(u16, Vec<f64>)], labels: usize) -> f64 {
    let mean = |label: usize| {
        let own: Vec<_> = tiles.iter().filter(|tile| usize::from(tile.0) == label).collect();
        assert!(own.len() > 3, "label {label} has {} tiles", own.len());
        (0..tiles[0].1.len())
            .map(|i| own.iter().map(|tile| tile.1[i]).sum::<f64>() / own.len() as f64)
            .collect::<Vec<_>>()
    };
    let means: Vec<Vec<f64>> = (1..=labels).map(mean).collect();
    let distance = |one: &[f64], two: &[f64]| -> f64 {
        one.iter().zip(two).map(|(a, b)| (a - b).powi(2)).sum()
    };
    let right = tiles.iter().filter(|(label, features)| {
        let nearest = (0..labels).min_by(|&a, &b| {
            distance(features, &means[a]).total_cmp(&distance(features, &means[b]))
        });
        nearest == Some(usize::from(*label) - 1)
    });
    right.count() as f64 / tiles.len() as f64
}

#[test]
fn every_tile_of_one_label_looks_like_its_phase() {
    let scenes: [(&[&str], usize); 10] = [
        (&["tilt-boundary"], 2),
        (&["square-hexagonal"], 2),
        (&["rectangular-oblique"], 2),
        (&["ordered-precipitates"], 2),
        (&["coherent-precipitates"], 2),
        (&["twins"], 3),
        (&["polycrystal"], 6),
        (&["crystal-edge"], 3),
        (&["plane-groups", "p2gg", "c2mm"], 2),
        (&["plane-groups", "p31m", "p3m1"], 2),
    ];
    for (words, labels) in scenes {
        for boundary in [Boundary::Straight, Boundary::Curved] {
            // Vacuum is not to be mistaken for anything.
            let settings = Settings { boundary, background: 0.2, ..ideal(SIZE) };
            let simulated = run(words, &settings);
            assert_eq!(simulated.phases.len(), labels);
            let frequencies = frequencies(&simulated);
            let features = |at: (usize, usize)| {
                let tile = simulated.image.slice(s![at.0..at.0 + TILE, at.1..at.1 + TILE]);
                let amplitude = |&f: &[f64; 2]| {
                    coefficient(tile, at, f).map(|v| v * v).iter().sum::<f64>().sqrt()
                };
                let mean = f64::from(tile.mean().unwrap());
                frequencies.iter().map(amplitude).chain([0.3 * mean]).collect()
            };
            let tiles: Vec<(u16, Vec<f64>)> = pure_tiles(&simulated)
                .into_iter()
                .map(|(label, at)| (label, features(at)))
                .collect();
            let share = agreement(&tiles, labels);
            assert!(share > 0.99, "{words:?} {boundary:?}: {share:.3} of {} tiles", tiles.len());
        }
    }
}

/// Inversion changes no amplitude, but the sign of the sum of three phases whose
/// reflections add up to nothing.
#[test]
fn inversion_domains_are_inverse_to_each_other() {
    let simulated = run(&["inversion-domains"], &ideal(SIZE));
    // (1 0), (0 -1) and (-1 1): the threefold axis makes one out of the other.
    let all = frequencies(&simulated);
    let (f, g) = (all[3], all[0].map(|v| -v));
    let mut seen = [0; 2];
    for (label, at) in pure_tiles(&simulated) {
        let tile = simulated.image.slice(s![at.0..at.0 + TILE, at.1..at.1 + TILE]);
        let product = [f, g, [-f[0] - g[0], -f[1] - g[1]]]
            .map(|frequency| coefficient(tile, at, frequency))
            .into_iter()
            .fold([1.0, 0.0], |[a, b], [c, d]| [a * c - b * d, a * d + b * c]);
        assert_eq!(product[1] > 0.0, label == 1, "at {at:?}: {product:?}");
        seen[usize::from(label) - 1] += 1;
    }
    assert!(seen[0] > 20 && seen[1] > 5, "{seen:?}");
}

#[test]
fn straight_boundaries_are_straight() {
    let straight = Settings { boundary: Boundary::Straight, ..ideal(256) };
    let labels = run(&["tilt-boundary"], &straight).labels;
    let bends = |labels: &ndarray::Array2<u16>| {
        let ends: Vec<f64> = labels
            .rows()
            .into_iter()
            .map(|row| row.iter().filter(|&&l| l == 1).count() as f64)
            .collect();
        let line = |i: usize| ends[0] + (ends[255] - ends[0]) * i as f64 / 255.0;
        (0..256).map(|i| (ends[i] - line(i)).abs()).fold(0.0, f64::max)
    };
    assert!(bends(&labels) <= 1.5, "{}", bends(&labels));
    let curved = run(&["tilt-boundary"], &ideal(256)).labels;
    assert!(bends(&curved) > 3.0, "{}", bends(&curved));
}
