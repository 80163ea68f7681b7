//! What every backend promises, on random plans and images.

use libtest_mimic::{Failed, Trial};
use ndarray::{Array1, Array2, Axis, s};
use stemseg::backend::gpu::Gpu;
use stemseg::backend::{Backend, Step, cpu::Cpu};
use stemseg::descriptor::{FamilyParams, Translation, translation};
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::plan::{Components, Outline, Reduce};
use stemseg::reduce::pca::{Moments, Pca};
use stemseg::sites::Extent;
use stemseg::{Params, Plan};

use stemseg_testing::data::compare;
use stemseg_testing::devices::Devices;
use stemseg_testing::wrong::wrong;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    for seed in 0..24 {
        let name = format!("contract::random_plan_{seed}");
        trials.extend(devices.each(&name, move |b| follows_the_definition(b, seed)));
    }
    for (name, params, shape) in corner_cases() {
        trials.extend(devices.each(&format!("contract::{name}"), move |b| {
            check_definition(b, &params, &noise(shape, 7), false)
        }));
    }
    trials.extend(devices.each("contract::bands_leave_no_seam", bands_leave_no_seam));
    trials.extend(devices.each("contract::moments_and_features", moments_and_features));
    trials.extend(devices.each("contract::moments_of_many_channels", moments_of_many_channels));
    trials.extend(devices.each("contract::assignment", assignment));
    trials.extend(devices.each("contract::same_twice", same_twice));
    trials.push(
        devices.gpu_trial("contract::memory_is_for_the_features_that_are_kept", memory_of_features),
    );
    trials.push(Trial::test(
        "contract::threads_and_bands_change_nothing::cpu",
        threads_change_nothing,
    ));
    trials
}

/// As many features are kept of descriptors that become factors as of these components, so
/// bands are as high.
fn memory_of_features(gpu: &Gpu) -> Result<(), Failed> {
    let translation = translation::Params { max_points: 200, ..Default::default() };
    let rows = |reduce, components, budget| {
        let families = vec![FamilyParams::Translation(translation.clone())];
        let params = Params { families, reduce, components, stride: 4, ..Default::default() };
        let plan = Plan::new(params, Outline::new((4000, 400), 1.0))?;
        Ok::<_, Failed>((gpu.band_rows(&plan, budget)?, plan.components()))
    };
    let few = Components::Count(5);
    let mut lower = false;
    // In steps finer than a row of tiles, up to all of the image.
    for budget in (5..200).map(|mib| mib << 20) {
        let (factors, kept) = rows(Reduce::Maf, few, budget)?;
        let (components, _) = rows(Reduce::Pca, kept, budget)?;
        if factors != components {
            let found = format!("{factors} rows for factors, {components} for as many features");
            return Err(format!("{found}, with {budget} bytes").into());
        }
        lower |= factors < rows(Reduce::Pca, few, budget)?.0;
    }
    match lower {
        true => Ok(()),
        false => Err("features need no memory".into()),
    }
}

/// A small generator of the tests' own: any numbers will do.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678)
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }
}

/// A lattice with noise.
pub(crate) fn noise(shape: (usize, usize), seed: u64) -> Array2<f64> {
    let mut random = Random::new(seed);
    let (a, b) = (0.6 + random.unit(), 0.5 + random.unit());
    Array2::from_shape_fn(shape, |(r, c)| {
        (r as f64 * a).cos() * (c as f64 * b + r as f64 * 0.1).sin() * 100.0 + 60.0 * random.unit()
    })
}

pub(crate) fn family(params: translation::Params, stride: usize) -> Params {
    let families = vec![FamilyParams::Translation(params)];
    Params { families, stride, clusters: vec![1], ..Default::default() }
}

fn corner_cases() -> Vec<(&'static str, Params, (usize, usize))> {
    let square = |patch, window, max_points| translation::Params {
        patch: Extent::square(patch),
        window: Extent::square(window),
        max_points,
        list: None,
    };
    let strip = translation::Params {
        patch: Extent { rows: 0, cols: 6 },
        window: Extent { rows: 0, cols: 9 },
        max_points: 100,
        list: None,
    };
    vec![
        ("two_sites", family(square(5, 4, 30), 3), (22, 19)),
        ("one_site_row", family(square(3, 3, 49), 2), (13, 90)),
        ("one_site_column", family(square(3, 3, 49), 2), (90, 13)),
        ("stride_beyond_patch", family(square(1, 2, 25), 17), (80, 71)),
        ("stride_equals_patch", family(square(2, 3, 25), 5), (64, 67)),
        ("patch_of_one_row", family(strip, 4), (40, 77)),
        ("wide_tiles", family(square(2, 2, 9), 1), (40, 330)),
        ("patch_of_many_strides", family(square(30, 3, 9), 3), (90, 97)),
    ]
}

fn random_params(random: &mut Random) -> Params {
    let size = |random: &mut Random| Extent { rows: random.below(9), cols: 1 + random.below(8) };
    let (patch, window) = (size(random), size(random));
    let shift = |random: &mut Random, half: usize| random.below(2 * half + 1) as i32 - half as i32;
    let list = (random.unit() < 0.3).then(|| {
        (0..1 + random.below(6))
            .map(|_| Translation {
                rows: shift(random, window.rows),
                cols: shift(random, window.cols),
            })
            .collect()
    });
    let max_points = 1 + random.below(60);
    family(translation::Params { patch, window, max_points, list }, 1 + random.below(9))
}

fn follows_the_definition(backend: &dyn Backend, seed: u64) -> Result<(), Failed> {
    let mut random = Random::new(seed);
    let params = random_params(&mut random);
    let shape = (36 + random.below(80), 36 + random.below(80));
    let mut image = noise(shape, seed);
    let flat = seed.is_multiple_of(3);
    if flat {
        // A flat part: vacuum.
        image.slice_mut(ndarray::s![..shape.0 / 2, shape.1 / 2..]).fill(-300.0);
    }
    check_definition(backend, &params, &image, flat)
}

pub(crate) fn check_definition(
    backend: &dyn Backend,
    params: &Params,
    image: &Array2<f64>,
    flat: bool,
) -> Result<(), Failed> {
    let plan = Plan::new(params.clone(), Outline::new(image.dim(), 1.0))?;
    let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
    let image = micrograph.standardised()?;
    let expected =
        plan.families()[0].by_definition(image.mapv(f64::from).view(), plan.sites().grid(), None);
    let got = describe(backend, image.view(), &plan, usize::MAX)?;
    let values = (got.as_slice().ok_or("contiguous")?, expected.as_slice().ok_or("contiguous")?);
    compare("descriptors", values.0, values.1, plan.channels(), 1e-5)?;
    let zeros = got.iter().filter(|&&v| v == 0.0).count();
    if flat && params.families.len() == 1 && zeros == 0 && plan.sites().grid().len() > 20 {
        return Err("no patch is flat, though a quarter of the image is".into());
    }
    Ok(())
}

/// Descriptors of all sites, in bands of at most `rows` site rows.
pub(crate) fn describe(
    backend: &dyn Backend,
    image: ndarray::ArrayView2<'_, f32>,
    plan: &Plan,
    rows: usize,
) -> Result<Array2<f32>, Failed> {
    let mut session = backend.upload(image, plan)?;
    let most = backend.band_rows(plan, u64::MAX)?;
    let mut all = Array2::from_elem((plan.sites().grid().len(), plan.channels()), f32::NAN);
    for band in plan.sites().bands(rows.min(most)) {
        session.describe(&band, all.slice_mut(s![band.sites(), ..]))?;
    }
    Ok(all)
}

/// An image large enough for several tiles, with its plan, which keeps nothing.
fn several_tiles() -> Result<(Array2<f32>, Plan), Failed> {
    tiles((470, 300), 20)
}

/// An image of `shape` with a plan of at most `max_points` channels, which keeps
/// nothing.
pub(crate) fn tiles(
    shape: (usize, usize),
    max_points: usize,
) -> Result<(Array2<f32>, Plan), Failed> {
    let params = translation::Params {
        patch: Extent { rows: 4, cols: 5 },
        window: Extent::square(6),
        max_points,
        list: None,
    };
    let micrograph = Micrograph::new(noise(shape, 3).view(), None, NonFinite::Fail)?;
    let plan = Plan::new(family(params, 2), &micrograph)?.with_budget(0);
    Ok((micrograph.standardised()?.to_owned(), plan))
}

fn bands_leave_no_seam(backend: &dyn Backend) -> Result<(), Failed> {
    let (image, plan) = several_tiles()?;
    if plan.sites().bands(1).len() < 3 {
        return Err("the image has too few bands to show anything".into());
    }
    let whole = describe(backend, image.view(), &plan, usize::MAX)?;
    for rows in [1, 2 * plan.sites().tile().rows] {
        if describe(backend, image.view(), &plan, rows)? != whole {
            return Err(format!("bands of {rows} rows change descriptors").into());
        }
    }
    let moments = |rows| -> Result<Moments, Failed> {
        let mut session = backend.upload(image.view(), &plan)?;
        for band in plan.sites().bands(rows) {
            session.accumulate(&band)?;
        }
        Ok(session.moments()?)
    };
    match moments(usize::MAX)? == moments(1)? {
        true => Ok(()),
        false => Err("bands change the moments".into()),
    }
}

pub(crate) fn moments_and_features(backend: &dyn Backend) -> Result<(), Failed> {
    let (image, plan) = several_tiles()?;
    check_moments(backend, &image, plan)
}

/// More channels than a workgroup sums at once.
fn moments_of_many_channels(backend: &dyn Backend) -> Result<(), Failed> {
    let (image, plan) = tiles((200, 90), 169)?;
    if plan.channels() != 169 {
        return Err(format!("{} channels are not many", plan.channels()).into());
    }
    check_moments(backend, &image, plan)
}

/// `plan` for an image in which the pixels of these sites, row and column, are absent.
pub(crate) fn without_sites(
    plan: &Plan,
    absent: impl Fn(usize, usize) -> bool,
) -> Result<Plan, Failed> {
    let (shape, grid) = (plan.sites().shape(), plan.sites().grid());
    let mut mask = Array2::from_elem((shape.rows, shape.cols), false);
    for i in 0..grid.count.rows {
        for j in 0..grid.count.cols {
            mask[(grid.row(i), grid.col(j))] = absent(i, j);
        }
    }
    let outline = Outline::new(mask.dim(), 1.0).without(Some(mask.into_shared()));
    Ok(Plan::new(plan.params().clone(), outline)?.with_budget(plan.budget()))
}

/// Compares moments and features with those of the descriptors, a fifth of the
/// sites masked.
fn check_moments(backend: &dyn Backend, image: &Array2<f32>, plan: Plan) -> Result<(), Failed> {
    let plan = without_sites(&plan, |i, j| (i + 2 * j) % 5 == 0)?;
    let mut session = backend.upload(image.view(), &plan)?;
    let bands = plan.sites().bands(1);
    for band in &bands {
        session.accumulate(band)?;
    }
    let moments = session.moments()?;
    let all = describe(&Cpu::new(), image.view(), &plan, usize::MAX)?;
    let x = plan.sites().keep_active(&all);
    let wide = x.mapv(f64::from);
    let (sum, products) = (wide.sum_axis(Axis(0)), wide.t().dot(&wide));
    if moments.count != x.nrows() as u64 {
        return Err(wrong(format_args!(
            "{} sites counted instead of {}",
            moments.count,
            x.nrows()
        )));
    }
    let n = x.nrows() as f64;
    let lower = |a: &Array2<f64>| -> Vec<f64> {
        a.indexed_iter().filter(|((i, j), _)| i >= j).map(|(_, v)| v / n).collect()
    };
    let narrow = |v: Vec<f64>| v.into_iter().map(|v| v as f32).collect::<Vec<_>>();
    compare("products / N", &narrow(lower(&moments.products)), &lower(&products), 1, 2e-6)?;
    compare("sums / N", &narrow((&moments.sum / n).to_vec()), &(&sum / n).to_vec(), 1, 2e-6)?;

    let pca = Pca::new(&moments, Components::Count(11))?;
    for band in &bands {
        session.project(band, &pca)?;
    }
    let features = session.features()?;
    let expected: Vec<f64> = pca.project(all.view()).iter().copied().collect();
    let features = features.as_slice().ok_or("contiguous")?;
    compare("features", features, &expected, pca.features(), 5e-6)
}

/// Points, features, clusters.
const SIZES: [(usize, usize, usize); 6] =
    [(1, 1, 1), (777, 5, 4), (70_000, 3, 9), (300, 40, 260), (5000, 300, 40), (3000, 7, 2500)];

pub(crate) fn assignment(backend: &dyn Backend) -> Result<(), Failed> {
    let mut random = Random::new(5);
    for (count, q, k) in SIZES {
        let points = Array2::from_shape_fn((count, q), |_| random.unit() as f32);
        let mut centroids = Array2::from_shape_fn((k, q), |_| random.unit() as f32);
        if k > 1 {
            // Two equal centroids: the first must win.
            let first = centroids.row(0).to_owned();
            centroids.row_mut(k - 1).assign(&first);
        }
        let (mut labels, mut distances) = (vec![u32::MAX; count], vec![f32::NAN; count]);
        let mut assigner = backend.assigner(points.view())?;
        let step = assigner.step(centroids.view())?;
        assigner.labels(&mut labels, &mut distances)?;
        for (i, point) in points.rows().into_iter().enumerate() {
            let to = |c: usize| -> f64 {
                let d: Array1<f64> = point.mapv(f64::from) - centroids.row(c).mapv(f64::from);
                d.dot(&d)
            };
            let least = (0..k).map(to).fold(f64::INFINITY, f64::min);
            let own = to(labels[i] as usize);
            let bound = 4.0 * f64::from(f32::EPSILON) * q as f64;
            if own > least + bound || (f64::from(distances[i]) - least).abs() > bound {
                return Err(wrong(format_args!(
                    "point {i}: label {}, distance {own}, least {least}",
                    labels[i]
                )));
            }
            if k > 1 && labels[i] as usize == k - 1 {
                return Err(wrong(format_args!(
                    "point {i}: the second of two equal centroids was taken"
                )));
            }
        }
        check_sums(&step, points.view(), &labels)?;
        if step.changed != count as u64 || assigner.step(centroids.view())?.changed != 0 {
            return Err(wrong("every label is new at first, none when nothing moved"));
        }
    }
    Ok(())
}

/// Whether the sums of a step are those of its labels.
fn check_sums(
    step: &Step,
    points: ndarray::ArrayView2<'_, f32>,
    labels: &[u32],
) -> Result<(), Failed> {
    let (mut sums, mut counts) = (Array2::<f64>::zeros(step.sums.dim()), step.counts.clone());
    counts.fill(0);
    for (point, &label) in points.rows().into_iter().zip(labels) {
        sums.row_mut(label as usize).zip_mut_with(&point, |sum, &v| *sum += f64::from(v));
        counts[label as usize] += 1;
    }
    if counts != step.counts {
        return Err(wrong(format_args!(
            "clusters of {:?} points instead of {counts:?}",
            step.counts
        )));
    }
    // Coordinates are below 1; some backends sum in f32 within a workgroup.
    let bound = |(c, _): (usize, usize)| 1e-6 * counts[c] as f64;
    let off = step.sums.indexed_iter().find(|&(at, v)| (v - sums[at]).abs() > bound(at));
    match off {
        None => Ok(()),
        Some((at, v)) => Err(wrong(format_args!("sum {at:?} is {v} instead of {}", sums[at]))),
    }
}

fn same_twice(backend: &dyn Backend) -> Result<(), Failed> {
    let micrograph = Micrograph::new(noise((150, 160), 3).view(), None, NonFinite::Fail)?;
    let params = || Params { clusters: vec![3], ..family(Default::default(), 4) };
    let run = |budget| {
        let plan = Plan::new(params(), &micrograph)?.with_budget(budget);
        stemseg::pipeline::segment(&micrograph, plan, backend, &stemseg::Silent, Default::default())
    };
    let (one, two) = (run(1 << 30)?, run(0)?);
    if one.features != two.features || one.results != two.results {
        return Err("two runs with memory of 1 GiB and of none to spare differ".into());
    }
    Ok(())
}

fn threads_change_nothing() -> Result<(), Failed> {
    let (image, plan) = several_tiles()?;
    let run = |threads, rows| -> Result<_, Failed> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        pool.install(|| {
            let cpu = Cpu::new();
            let mut session = cpu.upload(image.view(), &plan)?;
            plan.sites().bands(rows).iter().try_for_each(|band| session.accumulate(band))?;
            let moments = session.moments()?;
            let pca = Pca::new(&moments, Components::Count(4))?;
            plan.sites().bands(rows).iter().try_for_each(|band| session.project(band, &pca))?;
            let descriptors = describe(&cpu, image.view(), &plan, rows)?;
            Ok((descriptors, moments, session.features()?))
        })
    };
    match run(1, usize::MAX)? == run(5, 1)? {
        true => Ok(()),
        false => Err("threads and bands change descriptors, moments or features".into()),
    }
}
