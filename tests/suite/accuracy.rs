//! How well the default settings do on images with known labels, scene by scene: a constant that
//! changes shows here, whichever way it changes accuracy.
//!
//! `stemseg bench --accuracy` prints the same figures for the folders of the shared data.

use libtest_mimic::{Failed, Trial};
use ndarray::Array2;
use stemseg::backend::{Backend, cpu::Cpu};
use stemseg::image::micrograph::{Micrograph, Screening};
use stemseg::pipeline::{self, Segmentation};
use stemseg::{Plan, Silent, plan::automatic};
use stemseg_simulate::metrics::{self, NO_DATA};

use stemseg_testing::data;

/// How far an index may be from the one that is written here: another processor rounds otherwise.
const OFF: f64 = 0.005;

/// Images of `data/kinds`: how many patterns they hold, how many are found where no number is given,
/// and the adjusted Rand index where it is.
const KINDS: [(&str, usize, usize, f64); 37] = [
    ("tilt_2_4px", 2, 2, 0.994),
    ("lattices_2_4px", 2, 3, 0.991),
    ("tilt_2_8px", 2, 2, 0.994),
    ("lattices_2_8px", 2, 2, 0.992),
    ("tilt_3_3px", 2, 2, 0.995),
    ("lattices_3_3px", 2, 2, 0.990),
    ("tilt_4_0px", 2, 2, 0.994),
    ("lattices_4_0px", 2, 2, 0.990),
    ("tilt_4_8px", 2, 2, 0.993),
    ("lattices_4_8px", 2, 2, 0.992),
    ("tilt_96px", 2, 2, 0.871),
    ("particle_small_cell", 2, 2, 0.974),
    ("particle_medium_cell", 2, 2, 0.979),
    ("polar_180", 2, 2, 0.921),
    ("polar_90", 2, 2, 0.862),
    ("order_beside_third", 3, 3, 0.965),
    ("lamellae", 2, 2, 0.938),
    ("one_bent", 1, 1, 1.000),
    ("one_strained", 1, 1, 1.000),
    ("one_wedge", 1, 1, 1.000),
    ("one_spot", 1, 1, 1.000),
    ("one_drift_4", 1, 1, 1.000),
    ("one_drift_8", 1, 1, 1.000),
    ("one_flyback", 1, 1, 1.000),
    ("two_bent", 2, 2, 0.979),
    ("two_drift_8", 2, 2, 0.988),
    ("two_low_angle", 2, 2, 0.946),
    ("z_contrast", 2, 2, 0.820),
    ("glass", 2, 2, 0.947),
    ("rows_saturated", 2, 2, 0.986),
    ("one_hot_pixel", 2, 2, 0.985),
    ("rows_sentinel", 2, 2, 0.986),
    ("nan_border", 2, 2, 0.987),
    ("zero_corners", 2, 2, 0.985),
    ("weak_inversion", 2, 2, 0.979),
    ("bright_dark", 2, 2, 0.969),
    ("noise", 1, 1, 1.000),
];

/// The same of `data/sim`, at mid noise.
const SCENES: [(&str, usize, usize, f64); 14] = [
    ("a_tilt_gb_fcc110_mid", 2, 2, 0.984),
    ("b_rectangular_oblique_mid", 2, 2, 0.944),
    ("b_square_hexagonal_mid", 2, 2, 0.986),
    ("c_homometric_p3m1_p6mm_mid", 2, 2, 0.973),
    ("c_p2mm_p2_mid", 2, 2, 0.923),
    ("c_p31m_p3m1_mid", 2, 2, 0.984),
    ("c_p4mm_p4_mid", 2, 2, 0.984),
    ("d_chiral_mirror_domains_mid", 2, 2, 0.990),
    ("d_inversion_domains_mos2_mid", 2, 2, 0.969),
    ("e_twin_stacking_fault_mid", 3, 3, 0.913),
    ("f_L12_precipitates_mid", 2, 2, 0.926),
    ("g_crystal_amorphous_vacuum_mid", 3, 3, 0.966),
    ("h_polycrystal_6_mid", 6, 6, 0.962),
    ("i_pm_pg_mid", 2, 2, 0.962),
];

pub(crate) fn trials() -> Vec<Trial> {
    data::needs_shared("accuracy", || {
        let kinds = KINDS.map(|row| (format!("data/kinds/{}", row.0), ".labels", row));
        let scenes = SCENES
            .map(|row| (format!("data/sim/{}", row.0.trim_end_matches("_mid")), "_labels", row));
        let trial = |(truth, ending, row): (String, &str, (&'static str, usize, usize, f64))| {
            let folder = truth.rsplit_once('/').map_or("", |(folder, _)| folder);
            let (image, truth) =
                (format!("{folder}/{}.npy", row.0), format!("{truth}{ending}.npy"));
            Trial::test(format!("accuracy::of_{}", row.0), move || pinned(&image, &truth, row))
        };
        let mut trials: Vec<Trial> = kinds.into_iter().chain(scenes).map(trial).collect();
        trials.push(Trial::test("accuracy::of_weak_inversion_in_strong_noise", weak_in_noise));
        trials.push(Trial::test("accuracy::of_small_crops_of_one_crystal", small_crops));
        for cells in [0, 6] {
            let name = format!("accuracy::of_a_boundary_phase_{cells}_cells_wide");
            trials.push(Trial::test(name, move || boundary_phase(cells)));
        }
        trials
    })
}

/// A few periods of one crystal in noise are one pattern, but for one in 72 that chance cuts.
fn small_crops() -> Result<(), Failed> {
    const PERIOD: f64 = 12.0;
    let mut cut = Vec::new();
    for (rows, cols) in [(72, 384), (384, 72), (80, 80), (96, 96), (120, 120), (96, 384)] {
        for seed in 1..=12 {
            let mut noise = noise_of(seed);
            let (sin, cos) = (0.3 * seed as f64).sin_cos();
            let image = Array2::from_shape_fn((rows, cols), |(r, c)| {
                let (r, c) = (r as f64 / PERIOD, c as f64 / PERIOD);
                let away = |along: f64| (along - along.round()) * PERIOD;
                let (u, v) = (away(c * cos + r * sin), away(r * cos - c * sin));
                (-(u * u + v * v) / 9.0).exp() as f32 + 0.2 * noise()
            });
            let found =
                segmented(&Micrograph::screened(image.view(), Screening::default())?, vec![])?;
            let choice = found.choice.ok_or("no number was chosen")?;
            if choice.clusters != 1 {
                cut.push(format!("{rows} x {cols} of seed {seed}: {}", choice.reason));
            }
        }
    }
    match cut.len() {
        ..=1 => Ok(()),
        _ => Err(cut.join("\n").into()),
    }
}

/// Between two grains lies a phase of its own, whose strip is this many cells wide: a pattern where
/// it is there, as wide as it is, and none where the grains meet.
fn boundary_phase(cells: usize) -> Result<(), Failed> {
    const CELL: f64 = 16.0;
    let mut noise = noise_of(5);
    let (mut image, mut truth) = (Array2::zeros((400, 400)), Array2::zeros((400, 400)));
    let column = |at: [f64; 2]| {
        let [u, v] = at.map(|x| (x - x.round()) * CELL);
        (-(u * u + v * v) / 13.0).exp()
    };
    for ((row, col), value) in image.indexed_iter_mut() {
        let (r, c) = (row as f64 / CELL, col as f64 / CELL);
        let from = c - 12.5 + 0.6 * (r / 5.0).sin();
        let (sin, cos) = 30_f64.to_radians().sin_cos();
        let (label, signal) = match 2.0 * from {
            twice if twice < -(cells as f64) => (1, column([r, c])),
            twice if twice >= cells as f64 => (2, column([r * cos - c * sin, r * sin + c * cos])),
            // Two columns in a cell.
            _ => (3, column([r, c]) + 0.7 * column([r + 0.5, c + 0.5])),
        };
        truth[(row, col)] = label;
        *value = signal as f32 + 0.2 * noise();
    }
    let found = segmented(&Micrograph::screened(image.view(), Screening::default())?, vec![])?;
    let labels = found.results[0].map.pixels();
    let scores = metrics::score(truth.view(), labels.view(), &metrics::Options::default())?;
    let right = found.results[0].map.areas.len() == if cells == 0 { 2 } else { 3 };
    match scores.adjusted_rand_index {
        0.95.. if right => Ok(()),
        index => Err(format!("index {index:.3}: {:?}", found.choice).into()),
    }
}

/// Numbers of mean 0 and variance 1.
fn noise_of(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    // Twelve of them have a variance of 1.
    move || {
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..12).map(|_| uniform()).sum()
    }
}

/// What is lost in the translations' noise, harmonics alone find.
fn weak_in_noise() -> Result<(), Failed> {
    let folder = data::shared().join("data/kinds");
    let mut values = data::load2(&folder.join("weak_inversion.npy"))?.mapv(|v| v as f32);
    let deviation = values.std(0.0);
    let mut noise = noise_of(3);
    values.mapv_inplace(|v| v + 1.2 * deviation * noise());
    let truth = data::load2(&folder.join("weak_inversion.labels.npy"))?.mapv(|label| label as u16);
    let found = segmented(&Micrograph::screened(values.view(), Screening::default())?, Vec::new())?;
    let labels = found.results[0].map.pixels();
    let scores = metrics::score(truth.view(), labels.view(), &metrics::Options::default())?;
    match scores.adjusted_rand_index {
        0.85.. => Ok(()),
        index => Err(format!("index {index:.3}: {:?}", found.choice).into()),
    }
}

fn pinned(
    image: &str,
    truth: &str,
    (_, patterns, chosen, index): (&str, usize, usize, f64),
) -> Result<(), Failed> {
    let path = data::shared().join(image);
    let values = data::load2(&path)?.mapv(|v| v as f32);
    let micrograph = Micrograph::screened(values.view(), Screening::default())?;
    let truth = data::load2(&data::shared().join(truth))?;
    let truth = truth.mapv(|label| if label == 255.0 { NO_DATA } else { label as u16 });
    let auto = segmented(&micrograph, Vec::new())?;
    let number = auto.results[0].map.areas.len();
    if number != chosen {
        return Err(format!("{number} patterns instead of {chosen}: {:?}", auto.choice).into());
    }
    let found = match number == patterns || patterns == 1 {
        true => auto,
        false => segmented(&micrograph, vec![patterns])?,
    };
    let labels = found.results[0].map.pixels();
    let scores = metrics::score(truth.view(), labels.view(), &metrics::Options::default())?;
    if scores.labelled_without_data.is_some_and(|share| share > 0.0) {
        return Err("pixels without data have a label".into());
    }
    match (scores.adjusted_rand_index - index).abs() < OFF {
        true => Ok(()),
        false => Err(format!("index {:.4} instead of {index}", scores.adjusted_rand_index).into()),
    }
}

fn segmented(micrograph: &Micrograph, clusters: Vec<usize>) -> Result<Segmentation, Failed> {
    let params = automatic::params(automatic::sampling(automatic::period(micrograph)), clusters);
    let plan = Plan::new(params, micrograph)?;
    let backend: &dyn Backend = &Cpu::new();
    Ok(pipeline::segment(micrograph, plan, backend, &Silent, Default::default())?)
}
