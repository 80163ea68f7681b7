//! The families other than translation: each follows its definition on random plans,
//! and has the symmetries that its formula promises.

mod hard;

use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, s};
use stemseg::backend::{Backend, cpu::Cpu};
use stemseg::descriptor::power_spectrum::{Scale, Spectrum};
use stemseg::descriptor::{
    Family, FamilyParams, centred, glide, harmonic, power_spectrum, reflection, rotation,
    translation,
};
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::sites::Extent;
use stemseg::{Params, Plan};

use crate::contract::{Random, describe, noise};
pub(crate) use hard::{
    about_flat, bright_centres, default_glides, default_symmetries, glides, lonely_spots,
    many_axes_and_folds, many_ranks, many_rings, powers_that_overflow, small_symmetries,
    small_windows_of_spectra, spots, windows_of_spectra,
};
use stemseg_testing::data::compare;
use stemseg_testing::devices::Devices;

/// Names of the families that are tried: all but translation, which has trials of its own;
/// `power-mean` is the harmonic one so pooled.
fn tried() -> Vec<&'static str> {
    let both = |name| if name == "harmonic" { vec![name, "power-mean"] } else { vec![name] };
    FamilyParams::NAMES.into_iter().skip(1).flat_map(both).collect()
}

/// What a value may be off the definition, relative to the largest.
const BOUND: f64 = 1e-5;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in tried() {
        let mut each = |title: &str, test: fn(&dyn Backend, &'static str, u64) -> Outcome, seed| {
            let title = format!("families::{name}_{title}");
            trials.extend(devices.each(&title, move |b| test(b, name, seed)));
        };
        for seed in 0..8 {
            each(&format!("random_plan_{seed}"), random_plan, seed);
        }
        for (case, title) in CORNERS.into_iter().enumerate() {
            each(title, corner, case as u64);
        }
        each("bands_change_nothing", bands, 3);
        each("far_from_zero", far_from_zero, 7);
        let title = format!("families::{name}_threads_change_nothing::cpu");
        trials.push(Trial::test(title, move || threads(name)));
    }
    trials.extend(devices.each("families::bright_centres", bright_centres));
    trials.extend(devices.each("families::about_flat", about_flat));
    trials.extend(devices.each("families::spots", spots));
    trials.extend(devices.each("families::lonely_spots", lonely_spots));
    trials.extend(devices.each("families::windows_of_spectra", windows_of_spectra));
    trials.extend(devices.each("families::powers_that_overflow", powers_that_overflow));
    for seed in 0..3 {
        trials.extend(
            devices.each(&format!("families::together_{seed}"), move |b| together(b, seed)),
        );
    }
    trials.extend(devices.each("families::point_symmetries_by_default", default_symmetries));
    trials.extend(devices.each("families::many_axes_and_folds", many_axes_and_folds));
    trials.extend(devices.each("families::many_ranks", many_ranks));
    trials.extend(devices.each("families::glides_by_default", default_glides));
    trials.extend(devices.each("families::glides_over_flat_ground", glides));
    trials
}

type Outcome = Result<(), Failed>;

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
        "centred-translation" => FamilyParams::Centred(centred::Params {
            width: 1.5 + 4.0 * random.unit(),
            spacing: 1.2 + 3.0 * random.unit(),
            reach: 1.0 + 1.5 * random.unit(),
            floor: [0.02, 0.3][random.below(2)],
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
        "harmonic" | "power-mean" => FamilyParams::Harmonic(harmonic::Params {
            pool: pool(name, (radius + inner_stride) as f64 / 5.5 + 3.0 * random.unit()),
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
        other => sized(other, window, radius, [inner_stride, pool_top]),
    }
}

/// A family of which no more is to be chosen than what several families have; the patch is
/// as large as the window.
pub(crate) fn sized(
    name: &str,
    window: Extent,
    radius: usize,
    [inner_stride, pool_top]: [usize; 2],
) -> FamilyParams {
    let mut family = FamilyParams::from_name(name).unwrap_or_else(|e| panic!("{e}"));
    let common = family.common();
    [common.patch, common.window].into_iter().flatten().for_each(|to| *to = window);
    let sizes = [(common.radius, radius), (common.inner_stride, inner_stride)];
    for (to, size) in sizes.into_iter().chain([(common.pool_top, pool_top)]) {
        to.into_iter().for_each(|to| *to = size);
    }
    family
}

/// How harmonics are pooled.
fn pool(name: &str, width: f64) -> harmonic::Pool {
    match name {
        "power-mean" => harmonic::Pool::PowerMean { width },
        _ => harmonic::Pool::Maximum,
    }
}

/// The least image of a family.
fn least(params: &Params) -> Result<Extent, Failed> {
    let family = params.families[0].plan(Extent::square(900))?;
    Ok(match &family {
        Family::Harmonic(own) => family.margin().max(Extent::square(own.radius)).full(),
        Family::Centred(own) => {
            let longest =
                own.halves.iter().flatten().map(|half| half.unsigned_abs() as usize).max();
            Extent::square(longest.unwrap_or(0)).full()
        }
        other => other.margin().full(),
    })
}

/// Corners of the parameters.
pub(crate) const CORNERS: [&str; 5] =
    ["one_site_wide", "one_site_high", "stride_beyond_window", "wide_window", "high_window"];

/// [`CORNERS`]: one site in each row or column, sites farther apart than windows and
/// patches reach, windows of more than 256 columns or rows.
pub(crate) fn corner(backend: &dyn Backend, name: &'static str, case: u64) -> Outcome {
    let random = |stride: usize| {
        let families = vec![random_family(name, &mut Random::new(70 + case))];
        Params { families, stride, ..Default::default() }
    };
    let (params, shape) = match case {
        0 | 1 => {
            let params = random(2);
            let Extent { rows, cols } = least(&params)?;
            let shape = if case == 0 { (rows + 41, cols) } else { (rows, cols + 140) };
            (params, shape)
        }
        2 => {
            let params = random(37);
            let Extent { rows, cols } = least(&params)?;
            (params, (rows + 90, cols + 120))
        }
        _ => {
            let params = elongated(name, case == 3);
            let Extent { rows, cols } = least(&params)?;
            // Sites that keep no margin need a larger image to see as many columns.
            let more = match (name, case == 3) {
                ("centred-translation", _) => [3, 130],
                ("power-mean", true) => [3, 300],
                ("power-mean", false) => [290, 10],
                _ => [3, 80],
            };
            (params, (rows + more[0], cols + more[1]))
        }
    };
    let mut image = image(shape, 2 * case + 1);
    if name == "centred-translation" {
        // Windows end softly: what is beyond them has to be unlike what is within.
        image.slice_mut(s![.., ..shape.1 / 3]).mapv_inplace(|v| 8.0 * v);
    }
    follows(backend, params, &image, BOUND)
}

/// A window, or patch, of more than 256 columns or rows, inner sites at each of them.
fn elongated(name: &str, wide: bool) -> Params {
    let window = match wide {
        true => Extent { rows: 1, cols: 140 },
        false => Extent { rows: 140, cols: 1 },
    };
    let (radius, rings, inner_stride, pool_top) = (2, 2, 1, 3);
    let family = match name {
        "rotation" => FamilyParams::Rotation(rotation::Params {
            radius,
            window,
            folds: vec![2, 3],
            rings,
            inner_stride,
            pool_top,
        }),
        "reflection" => FamilyParams::Reflection(reflection::Params {
            radius,
            window,
            axes: 2,
            rings,
            inner_stride,
            pool_top,
        }),
        "glide" => FamilyParams::Glide(glide::Params {
            radius,
            window,
            axes: 2,
            periods: vec![3.1],
            rings,
            inner_stride,
            pool_top,
        }),
        "centred-translation" => FamilyParams::Centred(centred::Params {
            width: 101.0,
            spacing: 4.0,
            reach: 1.0,
            floor: 0.02,
        }),
        "harmonic" | "power-mean" => FamilyParams::Harmonic(harmonic::Params {
            pool: pool(name, 45.0),
            radius,
            window,
            orders: vec![0, 1, 2],
            rings,
            angles: 5,
            inner_stride,
        }),
        "power-spectrum" => {
            FamilyParams::PowerSpectrum(power_spectrum::Params { window, ..Default::default() })
        }
        other => sized(other, window, radius, [inner_stride, pool_top]),
    };
    Params { families: vec![family], stride: 3, ..Default::default() }
}

/// A lattice with noise; a corner of it is flat.
fn image(shape: (usize, usize), seed: u64) -> Array2<f64> {
    let mut image = noise(shape, seed);
    if seed.is_multiple_of(2) {
        image.slice_mut(s![..shape.0 / 2, shape.1 / 2..]).fill(-300.0);
    }
    image
}

/// Compares a backend with the definition, family by family.
fn follows(
    backend: &dyn Backend,
    params: Params,
    image: &Array2<f64>,
    bound: f64,
) -> Result<(), Failed> {
    let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
    let plan = Plan::new(params, &micrograph)?;
    let got = describe(backend, micrograph.standardised()?, &plan, usize::MAX)?;
    let mut first = 0;
    for family in plan.families() {
        let expected = family.by_definition(image.view(), plan.sites().grid(), None);
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

fn random_plan(backend: &dyn Backend, name: &str, seed: u64) -> Result<(), Failed> {
    let mut random = Random::new(seed + 100);
    let families = vec![random_family(name, &mut random)];
    let params = Params { families, stride: 1 + random.below(7), ..Default::default() };
    let shape = (40 + random.below(60), 40 + random.below(60));
    follows(backend, params, &image(shape, seed), BOUND)
}

fn together(backend: &dyn Backend, seed: u64) -> Result<(), Failed> {
    let mut random = Random::new(seed + 900);
    let mut families = vec![random_family("translation", &mut random)];
    families.extend(tried().into_iter().map(|name| random_family(name, &mut random)));
    let params = Params { families, stride: 3, ..Default::default() };
    follows(backend, params, &image((80, 91), seed), BOUND)
}

/// A step of a hundred times the contrast, and a far offset.
fn far_from_zero(backend: &dyn Backend, name: &str, seed: u64) -> Result<(), Failed> {
    let mut random = Random::new(seed);
    let families = vec![random_family(name, &mut random)];
    let params = Params { families, stride: 3, ..Default::default() };
    let mut image = noise((70, 80), 5).mapv(|v| v + 1e6);
    image.slice_mut(s![.., 45..]).mapv_inplace(|v| v + 2000.0);
    follows(backend, params, &image, BOUND)
}

/// A plan of several bands, and its image.
fn several_bands(name: &str, seed: u64) -> Result<(Micrograph, Plan), Failed> {
    let mut random = Random::new(seed);
    let families = vec![random_family(name, &mut random)];
    let params = Params { families, stride: 2, ..Default::default() };
    let image = image((170, 190), 4);
    let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
    let plan = Plan::new(params, &micrograph)?;
    match plan.sites().bands(1).len() {
        0..3 => Err("too few bands to show anything".into()),
        _ => Ok((micrograph, plan)),
    }
}

/// A plan of all families that pool inner sites.
pub(crate) fn pooled_plan() -> Result<(Micrograph, Plan), Failed> {
    let mut random = Random::new(11);
    let pooled = ["rotation", "reflection", "glide", "harmonic", "power-mean"];
    let families = pooled.map(|name| random_family(name, &mut random)).to_vec();
    let micrograph = Micrograph::new(image((170, 190), 4).view(), None, NonFinite::Fail)?;
    let plan = Plan::new(Params { families, stride: 2, ..Default::default() }, &micrograph)?;
    Ok((micrograph, plan))
}

fn bands(backend: &dyn Backend, name: &str, seed: u64) -> Result<(), Failed> {
    let (micrograph, plan) = several_bands(name, seed)?;
    let run = |rows| describe(backend, micrograph.standardised()?, &plan, rows);
    let whole = run(usize::MAX)?;
    match run(1)? == whole && run(2 * plan.sites().tile().rows)? == whole {
        true => Ok(()),
        false => Err("bands change descriptors".into()),
    }
}

fn threads(name: &str) -> Result<(), Failed> {
    let (micrograph, plan) = several_bands(name, 3)?;
    let run = |threads| -> Result<Array2<f32>, Failed> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        pool.install(|| describe(&Cpu::new(), micrograph.standardised()?, &plan, usize::MAX))
    };
    match run(1)? == run(3)? {
        true => Ok(()),
        false => Err("threads change descriptors".into()),
    }
}
