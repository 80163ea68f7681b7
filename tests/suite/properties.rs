//! What must hold for any image.

use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, ArrayView2, s};
use stemseg::backend::Backend;
use stemseg::descriptor::{FamilyParams, translation};
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::plan::Outline;
use stemseg::sites::Extent;
use stemseg::{Params, Plan};

use crate::contract::{describe, noise};
use stemseg_testing::data::compare;
use stemseg_testing::devices::Devices;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    trials.extend(devices.each("properties::brightness_and_contrast_change_nothing", brightness));
    trials.extend(devices.each("properties::half_a_turn_permutes_channels", half_a_turn));
    trials.extend(devices.each("properties::identity_is_one_and_scores_are_bounded", bounds));
    trials.extend(devices.each("properties::a_period_scores_one", a_period_scores_one));
    trials
}

/// 83 x 94 px; sites and translations symmetric about the centre.
fn plan(shape: (usize, usize)) -> Result<Plan, Failed> {
    let params = translation::Params {
        patch: Extent { rows: 6, cols: 4 },
        window: Extent { rows: 8, cols: 10 },
        max_points: 99,
        list: None,
    };
    let params = Params {
        families: vec![FamilyParams::Translation(params)],
        stride: 3,
        ..Default::default()
    };
    Ok(Plan::new(params, Outline::new(shape, 1.0))?)
}

fn scores(backend: &dyn Backend, image: ArrayView2<'_, f64>) -> Result<Array2<f32>, Failed> {
    let micrograph = Micrograph::new(image, None, NonFinite::Fail)?;
    describe(backend, micrograph.standardised()?, &plan(image.dim())?, usize::MAX)
}

fn same(name: &str, got: &Array2<f32>, expected: &Array2<f32>, bound: f64) -> Result<(), Failed> {
    let expected: Vec<f64> = expected.iter().map(|&v| v.into()).collect();
    compare(name, got.as_slice().ok_or("contiguous")?, &expected, got.ncols(), bound)
}

fn brightness(backend: &dyn Backend) -> Result<(), Failed> {
    let image = noise((83, 94), 21);
    let expected = scores(backend, image.view())?;
    same("brighter", &scores(backend, (&image + 12_345.0).view())?, &expected, 2e-6)?;
    same("more contrast", &scores(backend, (&image * 37.5).view())?, &expected, 2e-6)?;
    same("negative", &scores(backend, (&image * -1.0).view())?, &expected, 2e-6)
}

fn half_a_turn(backend: &dyn Backend) -> Result<(), Failed> {
    // A shape at which the last site is as far from the border as the first.
    let image = noise((2 * 14 + 3 * 18 + 1, 2 * 14 + 3 * 22 + 1), 22);
    let expected = scores(backend, image.view())?;
    let turned = scores(backend, image.slice(s![..;-1, ..;-1]))?;
    // Site i becomes the last but i; translation t becomes -t, the last but t.
    let back = turned.slice(s![..;-1, ..;-1]).to_owned();
    let back = back.as_standard_layout().into_owned();
    same("turned", &back, &expected, 2e-6)
}

fn bounds(backend: &dyn Backend) -> Result<(), Failed> {
    let mut image = noise((83, 94), 23);
    image.slice_mut(s![..40, ..50]).fill(5.0);
    let plan = plan(image.dim())?;
    let names = plan.channel_names();
    let identity = names.iter().position(|n| n.contains("(+0, +0)"));
    let identity = identity.ok_or("the grid holds the identity")?;
    let scores = scores(backend, image.view())?;
    if let Some(v) = scores.iter().find(|v| !(-1.0..=1.0).contains(*v)) {
        return Err(format!("a score of {v}").into());
    }
    match scores.column(identity).iter().all(|&v| v == 1.0) {
        true => Ok(()),
        false => Err("the identity must score 1, flat patches included".into()),
    }
}

fn a_period_scores_one(backend: &dyn Backend) -> Result<(), Failed> {
    let wave = |x: usize, period: f64| (x as f64 * std::f64::consts::TAU / period).cos();
    let image = Array2::from_shape_fn((83, 94), |(r, c)| wave(r, 8.0) + wave(c, 10.0));
    let plan = plan(image.dim())?;
    let channel = |name: &str| plan.channel_names().iter().position(|n| n.contains(name));
    let scores = scores(backend, image.view())?;
    for name in ["(+8, +10)", "(-8, +10)", "(+8, -10)"] {
        let channel = channel(name).ok_or_else(|| format!("the grid has no {name}"))?;
        if let Some(v) = scores.column(channel).iter().find(|v| **v < 0.999_99) {
            return Err(format!("a whole period {name} scores {v}").into());
        }
    }
    Ok(())
}
