//! The lattices of simulated crystals are found, whatever the noise.

use libtest_mimic::{Failed, Trial};
use stemseg::Silent;
use stemseg::lattice::{self, Lattice, Vector};
use stemseg::sites::Extent;
use stemseg_simulate::{Scene, Settings, simulate};

use stemseg_testing::data;

/// Scenes, the dose per pixel, and how many of their lattices must be found.
const SCENES: [(&[&str], f64, usize); 7] = [
    (&["tilt-boundary"], 50.0, 2),
    (&["square-hexagonal"], 20.0, 2),
    (&["rectangular-oblique"], 50.0, 2),
    (&["crystal-edge"], 20.0, 1),
    (&["inversion-domains"], 20.0, 1),
    (&["plane-groups", "p4mm", "p4"], 50.0, 1),
    (&["polycrystal"], 50.0, 3),
];

/// Images of the shared data, and the lengths of the first lattice's vectors, px.
const SHARED: [(&str, [f64; 2]); 6] = [
    ("a_tilt_gb_fcc110_high", [11.02, 11.02]),
    ("b_square_hexagonal_high", [12.0, 12.0]),
    ("c_p31m_p3m1_high", [28.0, 28.0]),
    ("f_L12_precipitates_mid", [11.0, 11.0]),
    ("g_crystal_amorphous_vacuum_high", [13.0, 13.0]),
    ("i_pm_pg_high", [26.0, 30.0]),
];

pub(crate) fn trials() -> Vec<Trial> {
    let of_scene = |(words, dose, least): (&'static [&'static str], f64, usize)| {
        let title = format!("lattices::of_{}", words.join("_"));
        Trial::test(title, move || scene(words, dose, least))
    };
    let mut trials: Vec<Trial> = SCENES.into_iter().map(of_scene).collect();
    trials.extend(data::needs_shared("lattices", || {
        let of_file = |(name, lengths): (&'static str, [f64; 2])| {
            Trial::test(format!("lattices::of_{name}"), move || file(name, lengths))
        };
        SHARED.into_iter().map(of_file).collect()
    }));
    trials
}

/// Whether the vectors of `a` are whole combinations of those of `b` and the areas
/// agree.
fn same(a: [Vector; 2], b: [Vector; 2]) -> bool {
    let area = |[u, v]: [Vector; 2]| u[0] * v[1] - u[1] * v[0];
    let whole = |v: Vector| {
        let [i, j] = [area([v, b[1]]) / area(b), area([b[0], v]) / area(b)];
        let off = [i - i.round(), j - j.round()];
        let px = [off[0] * b[0][0] + off[1] * b[1][0], off[0] * b[0][1] + off[1] * b[1][1]];
        px[0].hypot(px[1]) < 0.4
    };
    a.into_iter().all(whole) && (area(a) / area(b)).abs().ln().abs() < 0.06
}

fn scene(words: &[&str], dose: f64, least: usize) -> Result<(), Failed> {
    let groups: Vec<String> = words[1..].iter().map(|&w| w.to_owned()).collect();
    let scene = Scene::new(words[0], &groups, None)?;
    let size = Extent::square(512);
    let settings = Settings { size, dose: Some(dose), seed: 3, ..Default::default() };
    let simulated = simulate(&scene, &settings, &Silent)?;
    let found = lattice::find(simulated.image.view(), None);
    let truth: Vec<[Vector; 2]> = simulated.phases.iter().filter_map(|p| p.lattice).collect();
    let is_true = |l: &Lattice| truth.iter().any(|&t| same(l.vectors, t));
    let known = truth.iter().filter(|&&t| found.iter().any(|l| same(l.vectors, t))).count();
    let right = found.first().is_some_and(is_true);
    match right && known >= least.min(truth.len()) {
        true => Ok(()),
        false => Err(format!("{known} of {truth:?} found: {found:?}").into()),
    }
}

fn file(name: &str, lengths: [f64; 2]) -> Result<(), Failed> {
    let path = data::shared().join(format!("data/sim/{name}.npy"));
    let found = lattice::find(data::micrograph(&path)?.pixels(), None);
    let first = found.first().ok_or("no lattice is found")?;
    let off = |i: usize| (first.vectors[i][0].hypot(first.vectors[i][1]) - lengths[i]).abs();
    match off(0).max(off(1)) < 0.1 {
        true => Ok(()),
        false => Err(format!("{found:?} instead of {lengths:?}").into()),
    }
}
