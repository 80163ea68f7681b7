//! The number of patterns that an image shows, and how sure labels are.

use libtest_mimic::{Failed, Trial};
use ndarray::Array2;
use stemseg::backend::Backend;
use stemseg::backend::cpu::Cpu;
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::image::rows;
use stemseg::pipeline::{self, Segmentation};
use stemseg::sites::Extent;
use stemseg::{Plan, Silent, plan::automatic};
use stemseg_simulate::{Scene, Settings, Simulated, simulate};

use stemseg_testing::data;
use stemseg_testing::devices::Devices;

type Outcome = Result<(), Failed>;

/// Scene with its groups, grains, and the patterns that it shows.
const SCENES: [(&str, Option<usize>, usize); 8] = [
    ("plane-group p4mm", None, 1),
    ("plane-group p2", None, 1),
    ("plane-group p6", None, 1),
    ("tilt-boundary", None, 2),
    ("inversion-domains", None, 2),
    ("plane-groups pm pg", None, 2),
    ("polycrystal", Some(3), 3),
    ("polycrystal", Some(4), 4),
];

/// Crystals that change from place to place, or with the brightness: one pattern each.
const CHANGING: [&str; 6] = [
    "cases/c03_one_crystal_straight.npy",
    "cases/c03_one_crystal_drift_0.npy",
    "cases/c04_one_crystal_contamination.npy",
    "kinds/one_bent.npy",
    "kinds/one_strained.npy",
    "kinds/one_drift_8.npy",
];

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (scene, grains, expected) in SCENES {
        let name = format!("numbers::of_{}_{expected}", scene.replace(' ', "_"));
        trials.extend(devices.each(&name, move |b| counted(b, scene, grains, expected)));
    }
    trials.extend(data::needs_shared("numbers::of_one_crystal_that_changes", || {
        let of_one = |file: &'static str| {
            let name = file.rsplit(['/', '.']).nth(1).unwrap_or(file);
            Trial::test(format!("numbers::of_{name}"), move || one_pattern(file))
        };
        CHANGING.into_iter().map(of_one).collect()
    }));
    trials.extend(devices.each("numbers::confidence_is_a_share_of_right_labels", confidence));
    trials
}

fn simulated(scene: &str, grains: Option<usize>, dose: f64) -> Result<Simulated, Failed> {
    let mut words = scene.split(' ').map(str::to_owned);
    let name = words.next().unwrap_or_default();
    let scene = Scene::new(&name, &words.collect::<Vec<_>>(), grains)?;
    let settings =
        Settings { size: Extent::square(512), seed: 2, dose: Some(dose), ..Default::default() };
    Ok(simulate(&scene, &settings, &Silent)?)
}

fn segmented(
    backend: &dyn Backend,
    image: &Array2<f32>,
    clusters: Vec<usize>,
) -> Result<Segmentation, Failed> {
    let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
    let params = automatic::params(automatic::sampling(automatic::period(&micrograph)), clusters);
    let plan = Plan::new(params, &micrograph)?;
    Ok(pipeline::segment(&micrograph, plan, backend, &Silent, Default::default())?)
}

fn counted(backend: &dyn Backend, scene: &str, grains: Option<usize>, expected: usize) -> Outcome {
    let found = segmented(backend, &simulated(scene, grains, 50.0)?.image, Vec::new())?;
    let choice = found.choice.ok_or("a number was chosen, but not why")?;
    let labels = found.results[0].map.areas.len();
    match choice.clusters == expected && labels == expected && found.results.len() == 1 {
        true => Ok(()),
        false => Err(format!("{labels} patterns: {choice:?}").into()),
    }
}

/// A slope is not a boundary.
fn one_pattern(file: &str) -> Outcome {
    let image = data::load2(&data::shared().join("data").join(file))?;
    let found = segmented(&Cpu::new(), &image.mapv(|v| v as f32), Vec::new())?;
    let choice = found.choice.ok_or("a number was chosen, but not why")?;
    match choice.clusters {
        1 => Ok(()),
        _ => Err(format!("{choice:?}").into()),
    }
}

/// Of the pixels whose confidence is about 0.9, about nine in ten have the right label,
/// over several noisy scenes of two patterns.
fn confidence(backend: &dyn Backend) -> Outcome {
    let (mut sum, mut right, mut count) = (0.0, 0.0, 0.0);
    for scene in
        ["plane-groups p4mm p4", "inversion-domains", "rectangular-oblique", "ordered-precipitates"]
    {
        let simulated = simulated(scene, None, 25.0)?;
        let found = segmented(backend, &simulated.image, vec![2])?;
        let result = &found.results[0];
        let labels = result.map.pixels();
        let sure = rows::collect(&result.map.confidence(&result.memberships));
        let same = labels.iter().zip(&simulated.labels).filter(|(a, b)| a == b).count();
        let swapped = 2 * same < labels.len();
        for ((&label, &truth), &sure) in labels.iter().zip(&simulated.labels).zip(&sure) {
            if (0.8..0.97).contains(&sure) {
                sum += f64::from(sure);
                right += f64::from(u8::from((label == truth) != swapped));
                count += 1.0;
            }
        }
    }
    let (mean, share) = (sum / count, right / count);
    match (mean - share).abs() < 0.08 && count > 1000.0 {
        true => Ok(()),
        false => Err(format!("{mean:.3} sure, {share:.3} right, of {count} pixels").into()),
    }
}
