//! Scores stay within 1e-5 of the float64 definition whatever the image's offset,
//! slope, steps and outliers.

use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, ArrayView2};
use stemseg::backend::Backend;
use stemseg::descriptor::{FamilyParams, translation};
use stemseg::image::micrograph::{Micrograph, NonFinite, Pixel};
use stemseg::sites::Extent;
use stemseg::{Params, Plan};

use crate::contract::{describe, noise};
use stemseg_testing::data::compare;
use stemseg_testing::devices::Devices;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    let crystal = noise((200, 210), 11);
    let shape = crystal.dim();
    let with = |change: &dyn Fn(usize, usize) -> f64| {
        &crystal + &Array2::from_shape_fn(shape, |(r, c)| change(r, c))
    };
    let scenes = [
        ("ramp_of_20_sigma", with(&|r, c| 2.2 * (r + 2 * c) as f64)),
        ("step_of_4000_counts", with(&|_, c| if c > 101 { 4000.0 } else { 0.0 })),
        ("step_in_rows", with(&|r, _| if r > 90 { -900.0 } else { 0.0 })),
        ("hot_pixels", with(&|r, c| if (r * 53 + c) % 4001 == 7 { 6000.0 } else { 0.0 })),
        ("bright_corner", with(&|r, c| if r < 30 && c < 40 { 3000.0 } else { 0.0 })),
    ];
    for (name, image) in scenes {
        trials.extend(
            devices.each(&format!("precision::{name}"), move |b| within_bound(b, image.view())),
        );
    }
    let counts = crystal.mapv(|v| (v + 200.0).round());
    let far = counts.mapv(|v| (v + 3e9) as u32);
    trials.extend(devices.each("precision::u32_at_3e9", move |b| within_bound(b, far.view())));
    let shifted = counts.mapv(|v| v * 1e-3 + 1e6);
    trials.extend(devices.each("precision::f64_at_1e6", move |b| within_bound(b, shifted.view())));
    let exact = counts.mapv(|v| v as i64 + (1 << 60));
    trials.extend(devices.each("precision::i64_at_1e18", move |b| within_bound(b, exact.view())));
    trials
}

/// Compares with the definition on the pixels as the file holds them, less a
/// whole number that f64 takes off exactly.
fn within_bound<T: Pixel>(backend: &dyn Backend, pixels: ArrayView2<'_, T>) -> Result<(), Failed> {
    let params = translation::Params {
        patch: Extent::square(9),
        window: Extent::square(10),
        max_points: 16,
        list: None,
    };
    let params = Params {
        families: vec![FamilyParams::Translation(params)],
        stride: 6,
        ..Default::default()
    };
    let micrograph = Micrograph::new(pixels, None, NonFinite::Fail)?;
    let plan = Plan::new(params, &micrograph)?;
    let base = pixels[(0, 0)].to_f64().round();
    let truth = pixels.map(|&v| f64::from(v.minus(base)));
    let expected = plan.families()[0].by_definition(truth.view(), plan.sites().grid(), None);
    let got = describe(backend, micrograph.standardised()?, &plan, usize::MAX)?;
    let values = (got.as_slice().ok_or("contiguous")?, expected.as_slice().ok_or("contiguous")?);
    compare("descriptors", values.0, values.1, plan.channels(), 1e-5)
}
