//! Families whose sites go to the border: neither it nor a mask leaves a trace.

use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, s};
use stemseg::backend::Backend;
use stemseg::backend::cpu::Cpu;
use stemseg::descriptor::{FamilyParams, centred, harmonic};
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::sites::Extent;
use stemseg::{Params, Plan};

use crate::contract::{Random, describe, noise};
use stemseg_testing::data::compare;
use stemseg_testing::devices::Devices;
use stemseg_testing::wrong::wrong;

/// Distance of sites, px.
const STRIDE: usize = 3;

/// Width of Gaussians, px.
const WIDTH: f64 = 2.6;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in ["centred-translation", "power-mean"] {
        let mut each = |title: &str, test: fn(&dyn Backend, &'static str) -> Outcome| {
            trials
                .extend(devices.each(&format!("borders::{name}_{title}"), move |b| test(b, name)));
        };
        each("of_masked_pixels", masked);
        each("of_wide_images", |backend, name| wide(backend, name, false));
        each("of_wide_images_with_a_mask", |backend, name| wide(backend, name, true));
        each("with_bands_and_a_mask", bands);
        each("of_a_mask_are_those_of_an_image", masks_are_borders);
        each("of_a_crystal", of_a_crystal);
    }
    trials
}

type Outcome = Result<(), Failed>;

/// With a Gaussian of `width` px.
fn family(name: &str, width: f64) -> FamilyParams {
    match name {
        "power-mean" => FamilyParams::Harmonic(harmonic::Params {
            radius: 4,
            orders: vec![0, 1, 2, 4],
            rings: 2,
            angles: 5,
            inner_stride: 2,
            pool: harmonic::Pool::PowerMean { width },
            ..Default::default()
        }),
        _ => FamilyParams::Centred(centred::Params {
            width,
            spacing: 3.1,
            reach: 2.3,
            ..Default::default()
        }),
    }
}

fn params(name: &str, width: f64) -> Params {
    Params { families: vec![family(name, width)], stride: STRIDE, ..Default::default() }
}

/// Descriptors of an image, with its plan.
fn described(
    backend: &dyn Backend,
    params: Params,
    image: &Array2<f64>,
    mask: Option<Array2<bool>>,
) -> Result<(Array2<f32>, Plan), Failed> {
    let micrograph = Micrograph::new(image.view(), mask, NonFinite::Fail)?;
    let plan = Plan::new(params, &micrograph)?;
    let found = describe(backend, micrograph.standardised()?, &plan, usize::MAX)?;
    Ok((found, plan))
}

/// Single pixels, a corner, and a stripe so wide that it holds whole windows.
fn mask(shape: (usize, usize)) -> Array2<bool> {
    let mut random = Random::new(5);
    let mut mask = Array2::from_shape_fn(shape, |(r, c)| random.unit() < 0.002 || r + c < 9);
    mask.slice_mut(s![.., 50..85]).fill(true);
    mask
}

/// Masked pixels, whatever is there, do not count, as the definition says.
pub(crate) fn masked(backend: &dyn Backend, name: &'static str) -> Outcome {
    let shape = (61, 110);
    let mask = mask(shape);
    let image = noise(shape, 3);
    let (found, plan) = described(backend, params(name, WIDTH), &image, Some(mask.clone()))?;
    let expected =
        plan.families()[0].by_definition(image.view(), plan.sites().grid(), Some(mask.view()));
    let zero = expected.rows().into_iter().filter(|site| site.iter().all(|&v| v == 0.0)).count();
    if zero < 20 || zero > expected.nrows() / 2 {
        return Err(format!("{zero} sites of {} see nothing", expected.nrows()).into());
    }
    let found: Vec<f32> = found.iter().copied().collect();
    let expected: Vec<f64> = expected.iter().copied().collect();
    compare(name, &found, &expected, plan.channels(), 1e-5)?;
    // Rubbish under the mask changes nothing at all.
    let rubbish = Array2::from_shape_fn(shape, |at| if mask[at] { 1e7 } else { image[at] });
    let (other, _) = described(backend, params(name, WIDTH), &rubbish, Some(mask))?;
    match other.iter().zip(&found).all(|(a, b)| a == b) {
        true => Ok(()),
        false => Err(wrong("masked pixels count")),
    }
}

/// Images so wide that kernels may take what lies between their borders for whole, with a mask
/// there or without: as the CPU has it.
pub(crate) fn wide(backend: &dyn Backend, name: &'static str, masked: bool) -> Outcome {
    let shape = (41, 700);
    let image = noise(shape, 3);
    let found = |backend: &dyn Backend| {
        let mask = masked.then(|| mask(shape));
        described(backend, params(name, WIDTH), &image, mask).map(|(found, _)| found)
    };
    let (expected, found) = (found(&Cpu::new())?, found(backend)?);
    let away = expected.iter().zip(&found).map(|(a, b)| (a - b).abs());
    match away.fold(0.0, f32::max) <= 1e-5 {
        true => Ok(()),
        false => Err(wrong("what lies between the borders is wrong")),
    }
}

fn bands(backend: &dyn Backend, name: &'static str) -> Outcome {
    let shape = (310, 110);
    let micrograph = Micrograph::new(noise(shape, 3).view(), Some(mask(shape)), NonFinite::Fail)?;
    let plan = Plan::new(params(name, WIDTH), &micrograph)?;
    let run = |rows| describe(backend, micrograph.standardised()?, &plan, rows);
    if plan.sites().bands(1).len() < 3 {
        return Err("too few bands to show anything".into());
    }
    match run(1)? == run(usize::MAX)? {
        true => Ok(()),
        false => Err("bands change descriptors".into()),
    }
}

/// An image has the descriptors that it has as the part of a larger one that is not masked.
fn masks_are_borders(backend: &dyn Backend, name: &'static str) -> Outcome {
    let (small, large) = ((58, 71), (110, 130));
    // Whole distances of sites and of inner sites.
    let (top, left) = (24, 30);
    let part = s![top..top + small.0, left..left + small.1];
    let whole = noise(large, 8);
    let mut mask = Array2::from_elem(large, true);
    mask.slice_mut(part).fill(false);
    let (alone, plan) =
        described(backend, params(name, WIDTH), &whole.slice(part).to_owned(), None)?;
    let (within, larger) = described(backend, params(name, WIDTH), &whole, Some(mask))?;
    for i in 0..plan.sites().grid().count.rows {
        let first = (i + top / STRIDE) * larger.sites().grid().count.cols + left / STRIDE;
        let within = within.slice(s![first..first + plan.sites().grid().count.cols, ..]);
        let alone = alone.slice(s![
            i * plan.sites().grid().count.cols..(i + 1) * plan.sites().grid().count.cols,
            ..
        ]);
        let within: Vec<f32> = within.iter().copied().collect();
        let alone: Vec<f64> = alone.iter().map(|&v| v.into()).collect();
        compare(name, &within, &alone, plan.channels(), 1e-5)?;
    }
    Ok(())
}

/// At the corners of a crystal, and around a hole in it, scores are those of its inside:
/// what a window that is cut off may change are averages over parts of a period, which
/// for these windows and waves are off by less than a tenth.
fn of_a_crystal(backend: &dyn Backend, name: &'static str) -> Outcome {
    let wave = |x: f64| (x * std::f64::consts::TAU / 6.0).cos();
    let size = 90;
    let image = Array2::from_shape_fn((size, size), |(r, c)| {
        wave(r as f64) + wave(c as f64) + 0.5 * wave((r + c) as f64)
    });
    let mut mask = Array2::from_elem((size, size), false);
    mask.slice_mut(s![60..69, 57..66]).fill(true);
    let (found, plan) = described(backend, params(name, 8.0), &image, Some(mask))?;
    let cols = plan.sites().grid().count.cols;
    let Extent { rows, .. } = plan.sites().grid().count;
    // A whole number of periods from the corners, and from the hole's middle.
    let inside = found.row(10 * cols + 10);
    let mut worst = 0.0_f32;
    for (i, j) in [(0, 0), (0, cols - 2), (rows - 2, 0), (rows - 2, cols - 2), (20, 18), (20, 22)] {
        let site = found.row(i * cols + j);
        worst = site.iter().zip(inside).fold(worst, |worst, (a, b)| worst.max((a - b).abs()));
    }
    match worst < 0.1 && inside.iter().any(|&v| v > 0.5) {
        true => Ok(()),
        false => Err(format!("scores are {worst} off those inside").into()),
    }
}
