//! The families beside translation: each follows its definition on random plans,
//! and has the symmetries that its formula promises.

use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, s};
use stemseg::backend::{Backend, cpu::Cpu};
use stemseg::descriptor::power_spectrum::{Scale, Spectrum};
use stemseg::descriptor::{
    FamilyParams, glide, harmonic, intensity, power_spectrum, reflection, rotation, translation,
};
use stemseg::micrograph::{Micrograph, NonFinite};
use stemseg::sites::Extent;
use stemseg::{Params, Plan};

use crate::contract::{Random, describe, noise};
use crate::data::compare;
use crate::devices::Devices;

/// Names of the families that are tried.
const FAMILIES: [&str; 6] =
    ["rotation", "reflection", "glide", "harmonic", "power-spectrum", "intensity"];

/// What a value may be off the definition, relative to the largest.
const BOUND: f64 = 1e-5;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in FAMILIES {
        for seed in 0..8 {
            let title = format!("families::{name}_random_plan_{seed}::cpu");
            trials.push(Trial::test(title, move || random_plan(name, seed)));
        }
        let title = format!("families::{name}_bands_and_threads_change_nothing::cpu");
        trials.push(Trial::test(title, move || bands_and_threads(name)));
        let title = format!("families::{name}_far_from_zero::cpu");
        trials.push(Trial::test(title, move || far_from_zero(name)));
        let title = format!("families::{name}_is_refused");
        trials.push(devices.gpu_trial(&title, move |gpu| is_refused(gpu, name)));
    }
    for seed in 0..3 {
        let title = format!("families::together_{seed}::cpu");
        trials.push(Trial::test(title, move || together(seed)));
    }
    trials
}

/// Parameters with which a small image has many sites.
fn random_family(name: &str, random: &mut Random) -> FamilyParams {
    let radius = 2 + random.below(7);
    let window = Extent { rows: 3 + random.below(6), cols: 3 + random.below(6) };
    let inner_stride = 1 + random.below(5);
    let pool_top = 1 + random.below(12);
    let rings = 1 + random.below(9);
    match name {
        "translation" => FamilyParams::Translation(translation::Params {
            patch: Extent::square(radius),
            window,
            max_points: 12,
            list: None,
        }),
        "rotation" => {
            let folds = [vec![2, 3, 4, 6], vec![5], vec![2, 7, 3], vec![8, 12]];
            let folds = folds[random.below(folds.len())].clone();
            FamilyParams::Rotation(rotation::Params {
                radius,
                window,
                folds,
                rings,
                inner_stride,
                pool_top,
            })
        }
        "reflection" => FamilyParams::Reflection(reflection::Params {
            radius,
            window,
            axes: [10, 1, 3, 7][random.below(4)],
            rings,
            inner_stride,
            pool_top,
        }),
        "glide" => FamilyParams::Glide(glide::Params {
            radius,
            window,
            axes: 4,
            periods: [vec![5.3], vec![0.0, 4.0, 6.9, 0.0]][random.below(2)].clone(),
            rings: rings.min(2 * (radius - 1)),
            inner_stride,
            pool_top,
        }),
        "harmonic" => FamilyParams::Harmonic(harmonic::Params {
            radius,
            window,
            orders: [vec![0, 1, 2, 3, 4, 6], vec![1], vec![5, 0, 2]][random.below(3)].clone(),
            rings: 1 + random.below(4),
            angles: [12, 1, 5][random.below(3)],
            inner_stride: inner_stride.min(3),
        }),
        "power-spectrum" => FamilyParams::PowerSpectrum(power_spectrum::Params {
            window,
            spectrum: if random.unit() < 0.5 { Spectrum::Half } else { Spectrum::Full },
            scale: if random.unit() < 0.5 { Scale::Log } else { Scale::Linear },
        }),
        "intensity" => FamilyParams::Intensity(intensity::Params { patch: window }),
        other => panic!("no parameters for {other}"),
    }
}

/// A lattice with noise; a corner of it is flat.
fn image(shape: (usize, usize), seed: u64) -> Array2<f64> {
    let mut image = noise(shape, seed);
    if seed.is_multiple_of(2) {
        image.slice_mut(s![..shape.0 / 2, shape.1 / 2..]).fill(-300.0);
    }
    image
}

/// Compares the CPU with the definition, family by family.
fn follows(params: Params, image: &Array2<f64>, bound: f64) -> Result<(), Failed> {
    let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
    let plan = Plan::of(params, &micrograph)?;
    let got = describe(&Cpu::new(), micrograph.standardised()?, &plan, usize::MAX)?;
    let mut first = 0;
    for family in &plan.families {
        let expected = family.by_definition(image.view(), &plan.grid);
        let channels = family.channels();
        let part = got.slice(s![.., first..first + channels]);
        let part: Vec<f32> = part.iter().copied().collect();
        first += channels;
        let largest = expected.iter().fold(1.0, |most: f64, v| most.max(v.abs()));
        // Logarithms show the rounding of the strongest frequency in the weakest.
        let bound = if family.name() == "power-spectrum" { 10.0 * bound } else { bound };
        let expected: Vec<f64> = expected.iter().copied().collect();
        compare(family.name(), &part, &expected, channels, bound * largest)?;
    }
    Ok(())
}

fn random_plan(name: &str, seed: u64) -> Result<(), Failed> {
    let mut random = Random::new(seed + 100);
    let families = vec![random_family(name, &mut random)];
    let params = Params { families, stride: 1 + random.below(7), ..Default::default() };
    let shape = (40 + random.below(60), 40 + random.below(60));
    follows(params, &image(shape, seed), BOUND)
}

fn together(seed: u64) -> Result<(), Failed> {
    let mut random = Random::new(seed + 900);
    let mut families = vec![random_family("translation", &mut random)];
    families.extend(FAMILIES.iter().map(|name| random_family(name, &mut random)));
    let params = Params { families, stride: 3, ..Default::default() };
    follows(params, &image((80, 91), seed), BOUND)
}

/// A step of a hundred times the contrast, and a far offset.
fn far_from_zero(name: &str) -> Result<(), Failed> {
    let mut random = Random::new(7);
    let families = vec![random_family(name, &mut random)];
    let params = Params { families, stride: 3, ..Default::default() };
    let mut image = noise((70, 80), 5).mapv(|v| v + 1e6);
    image.slice_mut(s![.., 45..]).mapv_inplace(|v| v + 2000.0);
    follows(params, &image, BOUND)
}

fn bands_and_threads(name: &str) -> Result<(), Failed> {
    let mut random = Random::new(3);
    let families = vec![random_family(name, &mut random)];
    let params = Params { families, stride: 2, ..Default::default() };
    let image = image((170, 190), 4);
    let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
    let plan = Plan::of(params, &micrograph)?;
    if plan.bands(1).len() < 3 {
        return Err("too few bands to show anything".into());
    }
    let run = |threads, rows| -> Result<Array2<f32>, Failed> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        pool.install(|| describe(&Cpu::new(), micrograph.standardised()?, &plan, rows))
    };
    let whole = run(1, usize::MAX)?;
    match run(3, 1)? == whole && run(2, 2 * plan.tile.rows)? == whole {
        true => Ok(()),
        false => Err("bands or threads change descriptors".into()),
    }
}

/// No shader computes the family yet: the GPU says so.
fn is_refused(gpu: &dyn Backend, name: &str) -> Result<(), Failed> {
    let families = vec![random_family(name, &mut Random::new(1))];
    let micrograph = Micrograph::new(noise((60, 60), 1).view(), None, NonFinite::Fail)?;
    let plan = Plan::of(Params { families, ..Default::default() }, &micrograph)?;
    match gpu.upload(micrograph.standardised()?, &plan).err() {
        Some(e) if e.to_string().contains("not yet on the GPU, use --device cpu") => Ok(()),
        other => Err(format!("{name}: {other:?}").into()),
    }
}
