//! The families beside translation: each follows its definition on random plans,
//! and has the symmetries that its formula promises.

use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, s};
use stemseg::backend::{Backend, cpu::Cpu};
use stemseg::descriptor::power_spectrum::{Scale, Spectrum};
use stemseg::descriptor::{
    Family, FamilyParams, centred, glide, harmonic, intensity, power_spectrum, reflection,
    rotation, translation,
};
use stemseg::micrograph::{Micrograph, NonFinite};
use stemseg::sites::Extent;
use stemseg::{Params, Plan};

use crate::contract::{Random, describe, noise};
use crate::data::compare;
use crate::devices::Devices;

/// Names of the families that are tried; `power-mean` is the harmonic one so pooled.
const FAMILIES: [&str; 8] = [
    "centred-translation",
    "rotation",
    "reflection",
    "glide",
    "harmonic",
    "power-mean",
    "power-spectrum",
    "intensity",
];

/// What a value may be off the definition, relative to the largest.
const BOUND: f64 = 1e-5;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in FAMILIES {
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
        "intensity" => FamilyParams::Intensity(intensity::Params { patch: window }),
        other => panic!("no parameters for {other}"),
    }
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
        "intensity" => FamilyParams::Intensity(intensity::Params { patch: window }),
        other => panic!("no parameters for {other}"),
    };
    Params { families: vec![family], stride: 3, ..Default::default() }
}

/// Windows of power spectra from the smallest to the most channels there may be, also
/// those that no workgroup holds as a whole, and spectra of all frequencies.
pub(crate) fn windows_of_spectra(backend: &dyn Backend) -> Outcome {
    let extents = [(1, 1), (2, 1), (1, 9), (7, 8), (12, 12), (20, 20), (30, 31), (33, 40)];
    for (i, (rows, cols)) in extents.into_iter().enumerate() {
        let spectrum = if i % 2 == 0 { Spectrum::Full } else { Spectrum::Half };
        check_window(backend, Extent { rows, cols }, spectrum)?;
    }
    check_window(backend, Extent { rows: 1300, cols: 1 }, Spectrum::Half)?;
    check_window(backend, Extent { rows: 2, cols: 800 }, Spectrum::Half)
}

/// Those of them that little workgroup memory is enough for.
pub(crate) fn small_windows_of_spectra(backend: &dyn Backend) -> Outcome {
    for (rows, cols) in [(3, 4), (12, 12), (9, 30), (70, 2)] {
        check_window(backend, Extent { rows, cols }, Spectrum::Full)?;
    }
    Ok(())
}

fn check_window(backend: &dyn Backend, window: Extent, spectrum: Spectrum) -> Outcome {
    let full = window.full();
    let scale = if full.area() % 4 == 1 { Scale::Log } else { Scale::Linear };
    let family = power_spectrum::Params { window, spectrum, scale };
    let families = vec![FamilyParams::PowerSpectrum(family)];
    let params = Params { families, stride: 2, ..Default::default() };
    let image = noise((full.rows + 4, full.cols + 9), full.area() as u64);
    follows(backend, params, &image, BOUND)
}

/// Discs with a pixel in their centre that is far brighter than what is around it: sums
/// about the centre lose digits unless the mean is taken off first.
pub(crate) fn bright_centres(backend: &dyn Backend) -> Outcome {
    let window = Extent::square(1);
    let family = harmonic::Params { window, inner_stride: 1, ..Default::default() };
    let families = vec![FamilyParams::Harmonic(family)];
    let params = Params { families, stride: 5, ..Default::default() };
    let mut image = noise((90, 100), 6);
    for (row, col) in [(20, 20), (20, 60), (60, 20), (60, 60)] {
        image[(row, col)] = 60_000.0;
    }
    follows(backend, params, &image, 0.15 * BOUND)
}

/// Spots in weak noise at both ends of the inner columns that workgroups look at
/// together, and between: each counts for the sites whose windows hold it, for no other.
pub(crate) fn spots(backend: &dyn Backend) -> Outcome {
    let (radius, inner_stride) = (5, 1);
    let window = Extent { rows: 1, cols: 130 };
    let (orders, rings, angles) = (vec![0, 1], 2, 4);
    let family = harmonic::Params {
        radius,
        window,
        orders,
        rings,
        angles,
        inner_stride,
        ..Default::default()
    };
    let families = vec![FamilyParams::Harmonic(family)];
    let params = Params { families, stride: 5, ..Default::default() };
    let mut image = noise((14, 620), 4).mapv(|v| 0.1 * v);
    // Counted in inner columns.
    for column in [30, 255, 256, 390, 511] {
        for ((r, c), v) in image.indexed_iter_mut() {
            let (down, right) = (r as f64 - 6.0, c as f64 - (radius + column) as f64);
            *v += (3.0 * column as f64) * (-(down * down + right * right) / 6.0).exp();
        }
    }
    follows(backend, params, &image, BOUND)
}

/// Spots on flat ground, which the power mean of sites does not see unless their windows
/// hold one, whatever little weight it has there.
pub(crate) fn lonely_spots(backend: &dyn Backend) -> Outcome {
    let (radius, inner_stride, width) = (5, 1, 20.0);
    let (orders, rings, angles) = (vec![0, 1], 2, 4);
    let pool = pool("power-mean", width);
    let window = Extent::default();
    let family = harmonic::Params { radius, window, orders, rings, angles, inner_stride, pool };
    let families = vec![FamilyParams::Harmonic(family)];
    let params = Params { families, stride: 5, ..Default::default() };
    let image = Array2::from_shape_fn((14, 620), |(r, c)| {
        let spot = |column: f64| {
            let (down, right) = (r as f64 - 6.0, c as f64 - column);
            (-(down * down + right * right) / 6.0).exp()
        };
        spot(60.0) + spot(255.0) + spot(395.0) + spot(516.0)
    });
    follows(backend, params, &image, BOUND)
}

/// Powers beyond what f32 holds are its largest value.
pub(crate) fn powers_that_overflow(backend: &dyn Backend) -> Outcome {
    for scale in [Scale::Linear, Scale::Log] {
        let window = Extent { rows: 4, cols: 6 };
        let family = power_spectrum::Params { window, scale, ..Default::default() };
        let families = vec![FamilyParams::PowerSpectrum(family)];
        let params = Params { families, stride: 5, ..Default::default() };
        let image = noise((40, 44), 9).mapv(|v| v * 4e16);
        let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
        let plan = Plan::of(params, &micrograph)?;
        let got = describe(backend, micrograph.standardised()?, &plan, usize::MAX)?;
        let largest = |v: f64| match scale {
            Scale::Linear => v.min(f32::MAX.into()),
            Scale::Log => v.min(f64::from(f32::MAX).ln()),
        };
        let expected = plan.families[0].by_definition(image.view(), &plan.grid, None).mapv(largest);
        let clipped = expected.iter().filter(|&&v| v == largest(f64::INFINITY)).count();
        if clipped == 0 || clipped == expected.len() {
            return Err(format!("{clipped} powers of {} overflow", expected.len()).into());
        }
        let most = largest(f64::INFINITY);
        let got: Vec<f32> = got.iter().map(|&v| (f64::from(v) / most) as f32).collect();
        let expected: Vec<f64> = expected.iter().map(|v| v / most).collect();
        compare("power-spectrum", &got, &expected, plan.channels(), 1e-5)?;
    }
    Ok(())
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
    let plan = Plan::of(params, &micrograph)?;
    let got = describe(backend, micrograph.standardised()?, &plan, usize::MAX)?;
    let mut first = 0;
    for family in &plan.families {
        let expected = family.by_definition(image.view(), &plan.grid, None);
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
    families.extend(FAMILIES.iter().map(|name| random_family(name, &mut random)));
    let params = Params { families, stride: 3, ..Default::default() };
    follows(backend, params, &image((80, 91), seed), BOUND)
}

/// Rotations and reflections, which share their samples.
fn symmetries(
    backend: &dyn Backend,
    (rotation, reflection): (rotation::Params, reflection::Params),
    (shape, stride): ((usize, usize), usize),
) -> Outcome {
    let families = vec![FamilyParams::Rotation(rotation), FamilyParams::Reflection(reflection)];
    let params = Params { families, stride, ..Default::default() };
    follows(backend, params, &image(shape, 2), BOUND)
}

pub(crate) fn default_symmetries(backend: &dyn Backend) -> Outcome {
    symmetries(backend, Default::default(), ((100, 109), 4))
}

/// Squares so small that they are mirrored more than once.
pub(crate) fn small_symmetries(backend: &dyn Backend) -> Outcome {
    let window = Extent::square(4);
    let rotation = rotation::Params { radius: 2, window, rings: 3, ..Default::default() };
    let reflection = reflection::Params { radius: 2, window, rings: 3, ..Default::default() };
    symmetries(backend, (rotation, reflection), ((30, 37), 3))
}

/// As many samples as little workgroup memory holds in two parts.
pub(crate) fn many_rings(backend: &dyn Backend) -> Outcome {
    let window = Extent::square(5);
    let rotation = rotation::Params { radius: 8, window, rings: 20, ..Default::default() };
    let reflection = reflection::Params { radius: 8, window, rings: 20, ..Default::default() };
    symmetries(backend, (rotation, reflection), ((50, 47), 3))
}

/// More sums than a workgroup adds at once.
fn many_axes_and_folds(backend: &dyn Backend) -> Outcome {
    let window = Extent { rows: 3, cols: 5 };
    let (radius, rings, pool_top) = (6, 3, 2);
    let folds = vec![2, 4, 5, 7, 8, 10, 14, 20, 28, 35];
    let rotation = rotation::Params { radius, window, folds, rings, pool_top, inner_stride: 3 };
    let reflection =
        reflection::Params { radius, window, axes: 140, rings, pool_top, inner_stride: 3 };
    symmetries(backend, (rotation, reflection), ((40, 51), 5))
}

/// More ranks than a pass of a GPU finds, and than some windows have scores.
pub(crate) fn many_ranks(backend: &dyn Backend) -> Outcome {
    let pooled = |window, pool_top| {
        let rotation = rotation::Params {
            radius: 4,
            window,
            folds: vec![2, 3],
            pool_top,
            ..Default::default()
        };
        let reflection =
            reflection::Params { radius: 4, window, axes: 2, pool_top: 17, ..Default::default() };
        symmetries(backend, (rotation, reflection), ((60, 190), 1))
    };
    pooled(Extent { rows: 6, cols: 7 }, 53)?;
    pooled(Extent { rows: 3, cols: 4 }, 25)
}

fn default_glides(backend: &dyn Backend) -> Outcome {
    let family = glide::Params { periods: vec![14.7], inner_stride: 4, ..Default::default() };
    let families = vec![FamilyParams::Glide(family)];
    let params = Params { families, stride: 9, ..Default::default() };
    follows(backend, params, &image((121, 134), 3), BOUND)
}

/// Glides that lead to squares around other pixels than inner sites are, and off their
/// middles; some of the squares are flat, here or there.
pub(crate) fn glides(backend: &dyn Backend) -> Outcome {
    let family = glide::Params {
        radius: 7,
        window: Extent { rows: 2, cols: 3 },
        axes: 4,
        periods: vec![7.4, 0.0, 11.3, 6.0],
        rings: 9,
        inner_stride: 3,
        pool_top: 2,
    };
    let families = vec![FamilyParams::Glide(family)];
    let params = Params { families, stride: 3, ..Default::default() };
    follows(backend, params, &image((58, 75), 2), BOUND)
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
    let plan = Plan::of(params, &micrograph)?;
    match plan.bands(1).len() {
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
    let plan = Plan::of(Params { families, stride: 2, ..Default::default() }, &micrograph)?;
    Ok((micrograph, plan))
}

fn bands(backend: &dyn Backend, name: &str, seed: u64) -> Result<(), Failed> {
    let (micrograph, plan) = several_bands(name, seed)?;
    let run = |rows| describe(backend, micrograph.standardised()?, &plan, rows);
    let whole = run(usize::MAX)?;
    match run(1)? == whole && run(2 * plan.tile.rows)? == whole {
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
