//! The same bytes for the same seed, and the statistics of the counts.

use ndarray::Array2;
use sha2::{Digest, Sha256};
use stemseg::sites::Extent;
use stemseg_simulate::{Settings, Simulated};

use crate::{ideal, run};

/// The first 64 bits of a checksum over image and labels.
fn checksum(simulated: &Simulated) -> u64 {
    let mut hasher = Sha256::new();
    simulated.image.iter().for_each(|v| hasher.update(v.to_le_bytes()));
    simulated.labels.iter().for_each(|v| hasher.update(v.to_le_bytes()));
    u64::from_be_bytes(hasher.finalize()[..8].try_into().unwrap())
}

fn small(seed: u64) -> Settings {
    Settings { size: Extent { rows: 136, cols: 150 }, seed, ..Default::default() }
}

/// A platform that computes otherwise shows here. A change of the simulator does
/// too: then the new values belong here, and into the change log.
#[test]
fn images_are_the_same_on_every_platform() {
    let scenes: [(&[&str], u64); 4] = [
        (&["crystal-edge"], 0xf81a_1dbd_8ef0_d55e),
        (&["polycrystal"], 0x03a3_f8cf_ff4b_dc47),
        (&["plane-groups", "p4mm", "p4"], 0x1703_4355_794e_e3aa),
        (&["plane-group", "p6mm"], 0x41ce_0b0e_d0c2_f3a9),
    ];
    let found: Vec<u64> =
        scenes.iter().map(|(words, _)| checksum(&run(words, &small(0)))).collect();
    let expected: Vec<u64> = scenes.iter().map(|scene| scene.1).collect();
    assert!(found == expected, "{found:#018x?}");
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| checksum(&run(&["polycrystal"], &small(4))))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn seeds_change_shapes_motifs_and_noise() {
    let [one, two] = [1, 2].map(|seed| run(&["plane-groups", "p4mm", "p4"], &small(seed)));
    assert_ne!(one.labels, two.labels);
    assert_ne!(one.image, two.image);
    let quiet = |seed| run(&["plane-group", "p4"], &Settings { seed, ..ideal(128) }).image;
    assert_eq!(quiet(1), quiet(1));
    assert_ne!(quiet(1), quiet(2));
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn counts_are_poisson() {
    for dose in [3.0, 200.0] {
        let settings = Settings { dose: Some(dose), gradient: 0.0, ..Settings::default() };
        let simulated = run(&["crystal-edge"], &settings);
        let all: Vec<f64> = simulated.image.iter().map(|&v| f64::from(v)).collect();
        assert!(all.iter().all(|v| v.fract() == 0.0 && *v >= 0.0));
        assert!((mean(&all) / dose - 1.0).abs() < 0.01, "{}", mean(&all));
        // The vacuum is flat; its lower edge lies below row 60 throughout.
        assert!(simulated.labels.slice(ndarray::s![..60, ..]).iter().all(|&l| l == 3));
        let flat = &all[..40 * 512];
        let variance = mean(&flat.iter().map(|v| (v - mean(flat)).powi(2)).collect::<Vec<_>>());
        let error = 5.0 * (2.0 / flat.len() as f64).sqrt() * (1.0 + 1.0 / mean(flat)).sqrt();
        assert!((variance / mean(flat) - 1.0).abs() < error, "{} at {dose}", variance / mean(flat));
    }
}

#[test]
fn an_image_without_noise_is_in_units_of_the_brightest_column() {
    let settings = Settings { background: 0.25, ..ideal(256) };
    let image = run(&["square-hexagonal"], &settings).image;
    let most = |image: &Array2<f32>| image.iter().copied().fold(0.0, f32::max);
    let least = image.iter().copied().fold(9.0, f32::min);
    assert!((1.2..1.35).contains(&most(&image)), "{}", most(&image));
    assert!((0.25..0.3).contains(&least), "{least}");
    let sloped = run(&["square-hexagonal"], &Settings { gradient: 0.5, ..settings }).image;
    assert!((1.6..1.9).contains(&most(&sloped)), "{}", most(&sloped));
}

#[test]
fn jitter_moves_rows_to_and_fro() {
    // Upright columns of light: the displacement shows as the shift of a row.
    let still = run(&["tilt-boundary"], &ideal(256)).image;
    let moved = run(&["tilt-boundary"], &Settings { jitter: 0.5, ..ideal(256) }).image;
    // First order: moved - still = - slope * displacement.
    let shifts: Vec<f64> = (0..256)
        .map(|row| {
            let slope = |col: usize| f64::from(still[(row, col + 1)] - still[(row, col - 1)]) / 2.0;
            let pairs =
                (1..255).map(|col| (slope(col), f64::from(moved[(row, col)] - still[(row, col)])));
            let (above, below) = pairs.fold((0.0, 0.0), |(a, b), (s, d)| (a + s * d, b + s * s));
            above / below
        })
        .collect();
    let rms = mean(&shifts.iter().map(|v| v * v).collect::<Vec<_>>()).sqrt();
    assert!((0.4..0.6).contains(&rms), "{rms}");
    assert!(mean(&shifts).abs() < 0.15);
}
