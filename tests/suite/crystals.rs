//! What the families find in crystals: the symmetries that they have, no other, and
//! the same a lattice vector further on.

use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, s};
use stemseg::backend::Backend;
use stemseg::descriptor::{FamilyParams, glide, reflection, rotation};
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::sites::Extent;
use stemseg::{Params, Plan, Silent};
use stemseg_simulate::{Scene, Settings, Simulated, simulate};

use crate::contract::describe;
use crate::symmetry::{BOUND, family};
use stemseg_testing::data::compare;
use stemseg_testing::devices::Devices;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in FamilyParams::NAMES {
        let title = format!("crystals::{name}_repeats_with_the_crystal");
        trials.extend(devices.each(&title, move |b| repeats(b, name)));
    }
    for group in ["p4mm", "p31m", "pg", "p6"] {
        let title = format!("crystals::symmetries_of_{group}");
        trials.extend(devices.each(&title, move |b| of_group(b, group)));
    }
    trials
}

/// Sites a lattice vector apart have the same descriptors to within rounding, where all
/// grids have the vector too. The lattice is square, turned by 24 degrees.
fn repeats(backend: &dyn Backend, name: &'static str) -> Result<(), Failed> {
    // A lattice vector, and the distance of the sites it leads from and to.
    const VECTOR: [usize; 2] = [9, 4];
    const STRIDE: usize = 2;
    let [a, b] = VECTOR.map(|v| v as f64);
    let image = Array2::from_shape_fn((89, 95), |(r, c)| {
        let (row, col) = (r as f64, c as f64);
        // Fractions of the cell.
        let x = (a * row + b * col) / (a * a + b * b);
        let y = (a * col - b * row) / (a * a + b * b);
        let wave = |i: f64, j: f64| (std::f64::consts::TAU * (i * x + j * y)).cos();
        wave(1.0, 0.0) + 0.7 * wave(0.0, 1.0) + 0.5 * wave(2.0, -1.0) + 0.3 * wave(1.0, 2.0)
    });
    let params = Params { families: vec![family(name)], stride: STRIDE, ..Default::default() };
    let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
    let plan = Plan::new(params, &micrograph)?;
    let found = describe(backend, micrograph.standardised()?, &plan, usize::MAX)?;
    let (count, channels) = (plan.sites().grid().count, plan.channels());
    let found = found.into_shape_with_order((count.rows, count.cols, channels))?;
    // Twice the vector, in steps of the grid.
    let [rows, cols] = VECTOR.map(|v| 2 * v / STRIDE);
    // Where nothing is cut off by the border.
    let [down, along] = [
        (plan.sites().reach().rows - plan.sites().grid().margin.rows).div_ceil(STRIDE),
        (plan.sites().reach().cols - plan.sites().grid().margin.cols).div_ceil(STRIDE),
    ];
    let part = |first: [usize; 2]| {
        let first = [first[0] + down, first[1] + along];
        let end =
            [first[0] + count.rows - rows - 2 * down, first[1] + count.cols - cols - 2 * along];
        found.slice(s![first[0]..end[0], first[1]..end[1], ..])
    };
    let expected: Vec<f64> = part([0, 0]).iter().map(|&v| v.into()).collect();
    let there: Vec<f32> = part([rows, cols]).iter().copied().collect();
    let largest = found.iter().fold(1.0, |most: f32, v| most.max(v.abs()));
    compare(name, &there, &expected, channels, BOUND * f64::from(largest))
}

/// A crystal without noise.
fn crystal(group: &str, seed: u64, size: Extent, cell: f64) -> Result<Simulated, Failed> {
    let scene = Scene::new("plane-group", &[group.to_owned()], None)?;
    let settings = Settings {
        size,
        seed,
        cell: Some(cell),
        dose: None,
        jitter: 0.0,
        background: 0.0,
        gradient: 0.0,
        ..Default::default()
    };
    Ok(simulate(&scene, &settings, &Silent)?)
}

/// Of each channel its name, and its largest and least score over the sites.
struct Scores(Vec<(String, [f32; 2])>);

impl Scores {
    /// The largest and least score of the best channel whose name begins with `prefix`.
    fn best(&self, prefix: &str) -> [f32; 2] {
        let of = self.0.iter().filter(|(name, _)| name.starts_with(prefix));
        of.fold([-1.0; 2], |best, (_, scores)| std::array::from_fn(|i| best[i].max(scores[i])))
    }
}

fn scores_of(backend: &dyn Backend, group: &str, seed: u64) -> Result<Scores, Failed> {
    let simulated = crystal(group, seed, Extent::square(136), 26.0)?;
    let micrograph = Micrograph::new(simulated.image.view(), None, NonFinite::Fail)?;
    // Every 3 degrees, and a cell and a half to compare.
    let (axes, radius, window, rings) = (60, 18, Extent::square(14), 12);
    let (inner_stride, pool_top) = (1, 1);
    // Longer ones belong to no glide of these groups.
    let periods = glide::periods(&micrograph, axes)?;
    let periods = periods.into_iter().map(|p| if p < 47.0 { p } else { 0.0 }).collect();
    let families = vec![
        FamilyParams::Rotation(rotation::Params {
            radius,
            window,
            rings,
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
            rings,
        }),
        FamilyParams::Glide(glide::Params {
            radius,
            window,
            inner_stride,
            pool_top,
            axes,
            periods,
            rings,
        }),
    ];
    let params = Params { families, stride: 8, ..Default::default() };
    let plan = Plan::new(params, &micrograph)?;
    let found = describe(backend, micrograph.standardised()?, &plan, usize::MAX)?;
    let score = |(name, column): (String, ndarray::ArrayView1<'_, f32>)| {
        let most = column.iter().fold(-1.0_f32, |a, &b| a.max(b));
        let least = column.iter().fold(1.0_f32, |a, &b| a.min(b));
        (name, [most, least])
    };
    Ok(Scores(plan.channel_names().into_iter().zip(found.columns()).map(score).collect()))
}

/// Scores of the symmetries that a crystal has: where a centre lies on a pixel, and at any
/// site, since each has centres in its window.
const OWN: [f32; 2] = [0.95, 0.82];

/// What scores of other symmetries reach nowhere.
const FOREIGN: f32 = 0.78;

/// A crystal has the symmetries of its plane group, and no other. Seeds with motifs that
/// have no local mirror by chance.
fn of_group(backend: &dyn Backend, group: &'static str) -> Result<(), Failed> {
    let seed = if group == "p6" { 9 } else { 0 };
    let scores = scores_of(backend, group, seed)?;
    let (folds, mirror, glide): (&[usize], _, _) = match group {
        "p4mm" => (&[2, 4], true, true),
        "p31m" => (&[3], true, true),
        "pg" => (&[], false, true),
        _ => (&[2, 3, 6], false, false),
    };
    let check = |what: &str, own: bool| -> Result<(), Failed> {
        let [most, least] = scores.best(what);
        let (passes, bounds) = match own {
            true => (most >= OWN[0] && least >= OWN[1], format!("{OWN:?} and more")),
            false => (most < FOREIGN, format!("less than {FOREIGN}")),
        };
        let message = format!("{group}: '{what}' scores {most:.3} to {least:.3}, not {bounds}");
        if passes { Ok(()) } else { Err(message.into()) }
    };
    for fold in [2, 3, 4, 6] {
        check(&format!("rotation {fold}-fold"), folds.contains(&fold))?;
    }
    check("reflection", mirror)?;
    check("glide", glide)
}
