//! What a device does in one go is what it does one by one: steps of k-means that follow one
//! another, and the features of some of the sites.

use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, ArrayView2, Axis};
use stemseg::backend::cpu::Cpu;
use stemseg::backend::{Backend, Step, Steps};
use stemseg::plan::Components;
use stemseg::reduce::pca::Pca;

use stemseg_testing::devices::Devices;
use stemseg_testing::wrong::wrong;

use crate::contract::{Random, tiles};

/// Number of points, features and clusters: with several groups of centroids, and more points than
/// one sum of f32 takes.
const SIZES: [(usize, usize, usize); 4] = [(900, 3, 5), (4000, 9, 19), (280_000, 2, 3), (50, 1, 1)];

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    [
        ("steps::one_after_another", one_after_another as fn(&dyn Backend) -> _),
        ("steps::end_where_a_cluster_is_empty", empty_clusters),
        ("steps::some_sites_have_the_features_of_all", some_sites),
    ]
    .into_iter()
    .flat_map(|(name, check)| devices.each(name, check))
    .collect()
}

fn points((count, features): (usize, usize), random: &mut Random) -> Array2<f32> {
    Array2::from_shape_fn((count, features), |_| random.unit() as f32)
}

/// Means of the clusters of a step, as centroids of the next.
fn means(step: &Step) -> Array2<f32> {
    Array2::from_shape_fn(step.sums.dim(), |at| (step.sums[at] / step.counts[at.0] as f64) as f32)
}

/// The first `most` steps from `centroids` on, one by one, to the first that changes nothing or leaves
/// a cluster empty: how many, the last one's centroids and labels, and what it came to.
fn one_by_one(
    points: ArrayView2<'_, f32>,
    mut centroids: Array2<f32>,
    most: usize,
) -> Result<(Steps, Vec<u32>), Failed> {
    let cpu = Cpu::new();
    let mut assigner = cpu.assigner(points)?;
    let mut count = 0;
    loop {
        let last = assigner.step(centroids.view())?;
        count += 1;
        if count == most || last.changed == 0 || last.leaves_one_empty() {
            let (mut labels, mut distances) = (vec![0; points.nrows()], vec![0.0; points.nrows()]);
            assigner.labels(&mut labels, &mut distances)?;
            return Ok((Steps { count, centroids, last }, labels));
        }
        centroids = means(&last);
    }
}

/// All steps that are asked for, from the first of the points on, in portions as large as the
/// backend makes them.
fn in_portions(
    backend: &dyn Backend,
    points: ArrayView2<'_, f32>,
    mut centroids: Array2<f32>,
    most: usize,
) -> Result<(Steps, Vec<u32>), Failed> {
    let mut assigner = backend.assigner(points)?;
    let mut count = 0;
    loop {
        let steps = assigner.steps(centroids.view(), most - count)?;
        count += steps.count;
        let (mut labels, mut distances) = (vec![0; points.nrows()], vec![0.0; points.nrows()]);
        assigner.labels(&mut labels, &mut distances)?;
        for ((point, &label), &distance) in points.rows().into_iter().zip(&labels).zip(&distances) {
            let off = &point - &steps.centroids.row(label as usize);
            if (off.dot(&off) - distance).abs() > 1e-5 {
                return Err(wrong(format_args!("{distance} is not the distance from {off}")));
            }
        }
        if count == most || steps.last.changed == 0 || steps.last.leaves_one_empty() {
            return Ok((Steps { count, ..steps }, labels));
        }
        centroids = means(&steps.last);
    }
}

/// Compares both. A point between two centroids may go to the one or the other.
fn same(
    backend: &dyn Backend,
    points: ArrayView2<'_, f32>,
    centroids: &Array2<f32>,
    most: usize,
) -> Result<Steps, Failed> {
    let (expected, labels) = one_by_one(points, centroids.clone(), most)?;
    let (found, own) = in_portions(backend, points, centroids.clone(), most)?;
    let off = labels.iter().zip(&own).filter(|(a, b)| a != b).count();
    let apart = (&found.centroids - &expected.centroids).mapv(f32::abs);
    let apart = apart.iter().fold(0.0, |most: f32, &v| most.max(v));
    let changed = found.last.changed.abs_diff(expected.last.changed);
    let few = points.nrows() / 20_000;
    if found.count != expected.count || off > few || apart > 1e-5 || changed > few as u64 {
        let [found, expected] = [&found, &expected].map(|steps| (steps.count, steps.last.changed));
        return Err(wrong(format_args!(
            "{found:?} steps and changes instead of {expected:?}; {off} other labels, centroids {apart} off"
        )));
    }
    let counts = found.last.counts.iter().zip(&expected.last.counts);
    match counts.map(|(a, b)| a.abs_diff(*b)).max().is_some_and(|most| most <= few as u64) {
        true => Ok(found),
        false => Err(wrong(format_args!("{:?} of {:?}", found.last.counts, expected.last.counts))),
    }
}

pub(crate) fn one_after_another(backend: &dyn Backend) -> Result<(), Failed> {
    let mut random = Random::new(11);
    for (count, features, clusters) in SIZES {
        let points = points((count, features), &mut random);
        let centroids = points.slice(ndarray::s![..clusters, ..]).to_owned();
        for most in [1, 2, 5] {
            same(backend, points.view(), &centroids, most)?;
        }
        if count > 10_000 {
            continue;
        }
        let end = same(backend, points.view(), &centroids, 500)?;
        if end.last.changed != 0 {
            return Err("no end was reached".into());
        }
        // Nothing moves any more: one step says so.
        let mut assigner = backend.assigner(points.view())?;
        assigner.step(end.centroids.view())?;
        let steps = assigner.steps(end.centroids.view(), 7)?;
        if steps.count != 1 || steps.last.changed != 0 || steps.centroids != end.centroids {
            return Err(wrong(format_args!("{steps:?} from where nothing moves")));
        }
    }
    Ok(())
}

/// Centroids that lose their last point after some steps, looked for among random ones.
fn empty_clusters(backend: &dyn Backend) -> Result<(), Failed> {
    let mut met = 0;
    for seed in 0..4000 {
        let mut random = Random::new(seed);
        let points = points((14, 2), &mut random);
        let centroids = Array2::from_shape_fn((6, 2), |_| random.unit() as f32);
        let (steps, _) = one_by_one(points.view(), centroids.clone(), 8)?;
        if steps.last.leaves_one_empty() && steps.count > 1 && steps.count < 8 {
            same(backend, points.view(), &centroids, 8)?;
            met += 1;
        }
        if met == 5 {
            return Ok(());
        }
    }
    Err(format!("only {met} lose a cluster").into())
}

/// Sites in any order have the features that they have among all.
pub(crate) fn some_sites(backend: &dyn Backend) -> Result<(), Failed> {
    let (image, plan) = tiles((520, 300), 5)?;
    let mut session = backend.upload(image.view(), &plan)?;
    let bands = plan.sites().bands(backend.band_rows(&plan, 1 << 22)?);
    bands.iter().try_for_each(|band| session.accumulate(band))?;
    let pca = Pca::new(&session.moments()?, Components::Count(11))?;
    bands.iter().try_for_each(|band| session.project(band, &pca))?;
    let all = session.features()?;
    let mut random = Random::new(3);
    let (mut sites, mut expected) = (Vec::new(), Vec::new());
    for band in &bands {
        let own: Vec<u32> = (0..37).map(|_| random.below(band.len()) as u32).collect();
        expected.extend(own.iter().map(|&site| band.sites().start + site as usize));
        sites.push(own);
    }
    // Of a band no site at all.
    sites.push(Vec::new());
    for (band, sites) in bands.iter().chain(&bands[..1]).zip(&sites) {
        session.project_some(band, sites, &pca)?;
    }
    let (found, expected) = (session.features()?, all.select(Axis(0), &expected));
    let apart = (&found - &expected).mapv(f32::abs).iter().fold(0.0, |most: f32, &v| most.max(v));
    match found.dim() == expected.dim() && apart < 1e-6 {
        true => Ok(()),
        false => Err(wrong(format_args!("{:?} features, {apart} off", found.dim()))),
    }
}
