//! What turning, mirroring and moving an image does to each family, and which
//! symmetries of simulated crystals they find.

use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, ArrayView2, s};
use stemseg::backend::Backend;
use stemseg::descriptor::{FamilyParams, glide, harmonic, reflection, rotation};
use stemseg::micrograph::{Micrograph, NonFinite};
use stemseg::simulate::{Scene, Settings, simulate};
use stemseg::sites::Extent;
use stemseg::{Params, Plan, Silent};

use crate::contract::{describe, noise};
use crate::data::compare;
use crate::devices::Devices;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in ["rotation", "reflection", "glide", "harmonic"] {
        let title = format!("symmetry::{name}_of_a_turned_image");
        trials.extend(devices.each(&title, move |b| turned(b, name)));
        let title = format!("symmetry::{name}_of_a_mirrored_image");
        trials.extend(devices.each(&title, move |b| mirrored(b, name)));
    }
    for name in FamilyParams::NAMES {
        let title = format!("symmetry::{name}_repeats_with_the_crystal");
        trials.extend(devices.each(&title, move |b| repeats(b, name)));
    }
    for group in ["p4mm", "p31m", "pg", "p6"] {
        let title = format!("symmetry::of_{group}");
        trials.extend(devices.each(&title, move |b| of_group(b, group)));
    }
    trials
}

const ANGLES: usize = 12;
const AXES: usize = 10;

/// Small enough for a small image; its channels without ranks.
fn family(name: &str) -> FamilyParams {
    let (radius, window, inner_stride, pool_top) = (7, Extent::square(4), 2, 2);
    match name {
        "rotation" => FamilyParams::Rotation(rotation::Params {
            radius,
            window,
            inner_stride,
            pool_top,
            ..Default::default()
        }),
        "reflection" => FamilyParams::Reflection(reflection::Params {
            radius,
            window,
            axes: AXES,
            inner_stride,
            pool_top,
            ..Default::default()
        }),
        "glide" => FamilyParams::Glide(glide::Params {
            radius,
            window,
            axes: AXES,
            periods: vec![7.4],
            rings: 9,
            inner_stride,
            pool_top,
        }),
        _ => FamilyParams::Harmonic(harmonic::Params {
            radius,
            window,
            angles: ANGLES,
            inner_stride,
            ..Default::default()
        }),
    }
}

/// Descriptors of a square image `[site row, site col][channel]`.
fn described(
    backend: &dyn Backend,
    name: &str,
    image: ArrayView2<'_, f64>,
) -> Result<(Plan, Array2<f32>), Failed> {
    let params = Params { families: vec![family(name)], stride: 4, ..Default::default() };
    let micrograph = Micrograph::new(image, None, NonFinite::Fail)?;
    let plan = Plan::of(params, &micrograph)?;
    let found = describe(backend, micrograph.standardised()?, &plan, usize::MAX)?;
    Ok((plan, found))
}

/// An image whose last site is as far from the border as the first, inner sites too.
fn symmetric_image() -> Array2<f64> {
    // Margins of 15 for glides, 11 for the others; inner sites every 2 px.
    noise((59, 59), 31)
}

/// The channel of the original that channel `c` of the changed image has: `axis`
/// maps axes, `phase` maps order and phase.
fn partner(
    name: &str,
    c: usize,
    axis: &dyn Fn(usize) -> usize,
    phase: &dyn Fn(usize, usize) -> usize,
) -> usize {
    match name {
        "rotation" => c,
        "reflection" | "glide" => c / AXES * AXES + axis(c % AXES),
        _ => {
            // Order 0 has two phases on each of three rings, then orders 1, 2, 3, 4, 6.
            let Some(rest) = c.checked_sub(6) else { return c };
            let order = [1, 2, 3, 4, 6][rest / (3 * ANGLES)];
            6 + rest / ANGLES * ANGLES + phase(order, rest % ANGLES)
        }
    }
}

fn check_partners(
    name: &str,
    plan: &Plan,
    (original, changed): (&Array2<f32>, &Array2<f32>),
    site: &dyn Fn(usize, usize) -> (usize, usize),
    channel: &dyn Fn(usize) -> usize,
) -> Result<(), Failed> {
    let (rows, cols) = (plan.grid.count.rows, plan.grid.count.cols);
    let channels = plan.channels();
    let expected: Vec<f64> = (0..rows * cols * channels)
        .map(|i| {
            let (s, c) = (i / channels, i % channels);
            let (r, k) = site(s / cols, s % cols);
            f64::from(original[(r * cols + k, channel(c))])
        })
        .collect();
    compare(name, changed.as_slice().ok_or("contiguous")?, &expected, channels, 2e-5)
}

/// A quarter of a turn takes the angle 90 degrees to 0.
fn turned(backend: &dyn Backend, name: &'static str) -> Result<(), Failed> {
    let image = symmetric_image();
    let n = image.nrows();
    let turned = Array2::from_shape_fn((n, n), |(r, c)| image[(c, n - 1 - r)]);
    let (plan, original) = described(backend, name, image.view())?;
    let (_, changed) = described(backend, name, turned.view())?;
    let last = plan.grid.count.rows - 1;
    let axis = |a| (a + AXES / 2) % AXES;
    let phase = |order, q| (q + order * ANGLES / 4) % ANGLES;
    let site = |r: usize, c: usize| (c, last - r);
    check_partners(name, &plan, (&original, &changed), &site, &|c| partner(name, c, &axis, &phase))
}

/// A mirror changes the sign of angles.
fn mirrored(backend: &dyn Backend, name: &'static str) -> Result<(), Failed> {
    let image = symmetric_image();
    let (plan, original) = described(backend, name, image.view())?;
    let (_, changed) = described(backend, name, image.slice(s![..;-1, ..]))?;
    let last = plan.grid.count.rows - 1;
    let axis = |a| (AXES - a) % AXES;
    let phase = |_, q| (ANGLES - q) % ANGLES;
    let site = |r: usize, c: usize| (last - r, c);
    check_partners(name, &plan, (&original, &changed), &site, &|c| partner(name, c, &axis, &phase))
}

/// Sites a period apart have the same descriptors, where the grids have the period.
fn repeats(backend: &dyn Backend, name: &'static str) -> Result<(), Failed> {
    let wave = |x: usize| (x as f64 * std::f64::consts::TAU / 12.0).cos();
    let image = Array2::from_shape_fn((131, 131), |(r, c)| {
        wave(r) * 3.0 + wave(c) + wave(2 * r + c) + wave(5 * c + r) * 0.5
    });
    let family = match name {
        "rotation" | "reflection" | "glide" | "harmonic" => family(name),
        _ => FamilyParams::from_name(name)?,
    };
    let params = Params { families: vec![family], stride: 6, ..Default::default() };
    let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
    let plan = Plan::of(params, &micrograph)?;
    let found = describe(backend, micrograph.standardised()?, &plan, usize::MAX)?;
    let cols = plan.grid.count.cols;
    let channels = plan.channels();
    let largest = found.iter().fold(1.0_f32, |most, v| most.max(v.abs()));
    // Where nothing is cut off.
    let shape = Extent::square(image.nrows());
    let reach = plan.reach();
    let whole = |at: usize, reach: usize| at >= reach && at + reach < shape.rows;
    let mut compared = 0;
    for (i, there) in found.rows().into_iter().enumerate() {
        let (row, col) = (i / cols, i % cols);
        let ends = [row.saturating_sub(2), row].map(|row| whole(plan.grid.row(row), reach.rows));
        let sides = [col.saturating_sub(2), col].map(|col| whole(plan.grid.col(col), reach.cols));
        if row < 2 || col < 2 || ends.contains(&false) || sides.contains(&false) {
            continue;
        }
        let here = found.row((row - 2) * cols + col - 2);
        let here: Vec<f64> = here.iter().map(|&v| v.into()).collect();
        let there: Vec<f32> = there.to_vec();
        // Logarithms show the rounding of the strongest frequency in the weakest.
        let bound = if name == "power-spectrum" { 2e-3 } else { 2e-5 };
        compare(name, &there, &here, channels, bound * f64::from(largest))?;
        compared += 1;
    }
    if compared == 0 { Err("no two sites are a period apart".into()) } else { Ok(()) }
}

/// Of each channel its name, its largest score over the sites, and the mean.
struct Scores(Vec<(String, f32, f32)>);

impl Scores {
    /// Largest and mean score of the best channel whose name begins with `prefix`.
    fn best(&self, prefix: &str) -> [f32; 2] {
        let of = self.0.iter().filter(|(name, ..)| name.starts_with(prefix));
        of.fold([-1.0, -1.0], |[a, b], (_, most, mean)| [most.max(a), mean.max(b)])
    }
}

fn scores_of(backend: &dyn Backend, group: &str, seed: u64) -> Result<Scores, Failed> {
    let scene = Scene::new("plane-group", &[group.to_owned()], None)?;
    let settings = Settings {
        size: Extent::square(210),
        seed,
        cell: Some(36.0),
        dose: None,
        jitter: 0.0,
        background: 0.0,
        gradient: 0.0,
        ..Default::default()
    };
    let simulated = simulate(&scene, &settings, &Silent)?;
    let micrograph = Micrograph::new(simulated.image.view(), None, NonFinite::Fail)?;
    // Every 3 degrees, and a cell and a half to compare.
    let (axes, radius, window, inner_stride, pool_top) = (60, 24, Extent::square(20), 1, 1);
    let base = glide::Params::default();
    // Longer ones belong to no glide of these groups.
    let periods = glide::periods(&micrograph, axes)?;
    let periods = periods.into_iter().map(|p| if p < 65.0 { p } else { 0.0 }).collect();
    let families = vec![
        FamilyParams::Rotation(rotation::Params {
            radius,
            window,
            inner_stride,
            pool_top,
            ..Default::default()
        }),
        FamilyParams::Reflection(reflection::Params {
            radius,
            window,
            inner_stride,
            pool_top,
            axes,
            ..Default::default()
        }),
        FamilyParams::Glide(glide::Params {
            radius,
            window,
            inner_stride,
            pool_top,
            axes,
            periods,
            ..base
        }),
    ];
    let params = Params { families, stride: 20, ..Default::default() };
    let plan = Plan::of(params, &micrograph)?;
    let found = describe(backend, micrograph.standardised()?, &plan, usize::MAX)?;
    let score = |(name, column): (String, ndarray::ArrayView1<'_, f32>)| {
        let most = column.iter().fold(-1.0_f32, |a, &b| a.max(b));
        (name, most, column.sum() / column.len() as f32)
    };
    Ok(Scores(plan.channel_names().into_iter().zip(found.columns()).map(score).collect()))
}

/// Scores of the symmetries that a crystal has reach 0.95 (where a centre lies on a
/// pixel), of others they stay below 0.85. Seeds with motifs that have no local
/// mirror by chance.
fn of_group(backend: &dyn Backend, group: &'static str) -> Result<(), Failed> {
    let seed = if group == "p6" { 9 } else { 0 };
    let scores = scores_of(backend, group, seed)?;
    let (folds, mirror, glide): (&[usize], _, _) = match group {
        "p4mm" => (&[2, 4], true, true),
        "p31m" => (&[3], true, true),
        "pg" => (&[], false, true),
        _ => (&[2, 3, 6], false, false),
    };
    let check = |what: &str, expected: bool| -> Result<(), Failed> {
        let [most, mean] = scores.best(what);
        match (expected, most, mean) {
            (true, 0.95.., _) | (false, _, ..0.85) => Ok(()),
            _ => Err(format!("{group}: '{what}' scores {most:.3}, on average {mean:.3}").into()),
        }
    };
    for fold in [2, 3, 4, 6] {
        check(&format!("rotation {fold}-fold"), folds.contains(&fold))?;
    }
    check("reflection", mirror)?;
    check("glide", glide)
}
