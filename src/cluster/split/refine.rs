//! Patterns of a region made anew: along the lines between their cores, in units of what varies
//! from site to site.

use ndarray::{Array1, Array2, ArrayView1, Axis, Zip, s};
use rayon::prelude::*;
use stemseg_numerics::linear::{Mat, eigen};

use super::field::{Field, Part};
use super::region::{REGULARISERS, Sums};
use crate::cluster::levels::CORE;
use crate::image::gaussian;
use crate::labels::distance;
use crate::labels::regions::{self, Held, STEEPNESS, TEMPER};
use crate::plan::automatic;

/// Class of a site that lies outside of the region.
pub(crate) const OUTSIDE: u16 = u16::MAX;

/// Standard deviation that memberships are averaged with, px of the resampled image: less than
/// those of the labels of pixels, since nothing is given back here.
const AVERAGE: f64 = 13.0;

/// Points that one task works on.
const CHUNK: usize = 1024;

/// Most iterations of Lloyd's.
const ITERATIONS: usize = 30;

/// Patterns of a region.
#[derive(Debug, Clone)]
pub(crate) struct Refined {
    /// Pattern of each site, `[rows, cols]`, [`OUTSIDE`] where there is none.
    pub(super) labels: Array2<u16>,
    /// Combinations of components that tell them apart, `[f, p]`, at most one fewer than there
    /// are patterns.
    pub(crate) directions: Array2<f64>,
    /// Centres of the patterns along these, `[k, f]`.
    pub(crate) centroids: Array2<f64>,
}

/// The `patterns` of `labels` `[rows, cols]` after this number of `rounds`, where the sites that are `held`
/// keep theirs; nothing where one of them has no sites left, or none differs.
pub(super) fn refined(
    field: &Field,
    sums: &Sums,
    mut all: Array2<u16>,
    (patterns, rounds): (usize, usize),
    held: &[Held],
) -> Option<Refined> {
    let parts: Vec<&Part> = field.parts.iter().collect();
    let whitened = sums.whitened(&parts, REGULARISERS[0])?;
    let map = Array2::from_shape_fn((whitened.nrows(), whitened.ncols()), |(i, j)| {
        whitened[(i, j)] as f32
    });
    let cells: Vec<usize> =
        all.iter().enumerate().filter(|(_, l)| **l != OUTSIDE).map(|(at, _)| at).collect();
    let points = field.along(&cells, &map);
    let held = held_points(held, &cells, all.ncols());
    // Only the rows and columns of the region are looked at.
    let (rows, cols) = distance::bounds(&all.mapv(|label| label != OUTSIDE))?;
    let part = s![rows, cols];
    let mut labels = all.slice(part).to_owned();
    let own: Vec<usize> =
        labels.iter().enumerate().filter(|(_, l)| **l != OUTSIDE).map(|(at, _)| at).collect();
    let mut found = None;
    for _ in 0..rounds {
        let means = core_means(&points, &labels, (&own, &held), patterns, field.scale())?;
        let between = between(&means)?;
        let along = in_chunks(&points, &between.mapv(|v| v as f32));
        let (centroids, mut distances) = lloyd(&along, means.dot(&between.t()), &held)?;
        for &(point, pattern) in &held {
            distances.row_mut(point).fill(f64::MAX);
            distances[(point, pattern)] = 0.0;
        }
        let classes = classes(&labels, (&own, &held), &distances, along.ncols(), field.scale());
        let directions = Array2::from_shape_fn((between.nrows(), whitened.nrows()), |(f, i)| {
            (0..whitened.ncols()).map(|q| whitened[(i, q)] * between[(f, q)]).sum()
        });
        found = Some((directions, centroids));
        labels = classes;
    }
    let (directions, centroids) = found?;
    let there = (0..patterns as u16).all(|pattern| labels.iter().any(|&label| label == pattern));
    all.slice_mut(part).assign(&labels);
    there.then_some(Refined { labels: all, directions, centroids })
}

/// `points` `[n, q]` along the rows of `directions` `[f, q]`: `[n, f]`.
fn in_chunks(points: &Array2<f32>, directions: &Array2<f32>) -> Array2<f32> {
    let mut along = Array2::zeros((points.nrows(), directions.nrows()));
    let chunks = along.axis_chunks_iter_mut(Axis(0), CHUNK).into_par_iter();
    chunks
        .zip(points.axis_chunks_iter(Axis(0), CHUNK))
        .for_each(|(mut to, points)| to.assign(&points.dot(&directions.t())));
    along
}

/// Places of the sites that are `held` among the `own` ones, with their patterns.
fn held_points(held: &[Held], own: &[usize], cols: usize) -> Vec<(usize, usize)> {
    let place = |held: &Held| {
        let (row, col) = held.site;
        Some((own.binary_search(&(row * cols + col)).ok()?, held.pattern))
    };
    let mut points: Vec<(usize, usize)> = held.iter().filter_map(place).collect();
    points.sort_unstable();
    points.dedup_by_key(|(point, _)| *point);
    points
}

/// Means of the points `[n, q]` in the cores of the patterns, and of those that are `held`, `[k, q]`.
fn core_means(
    points: &Array2<f32>,
    labels: &Array2<u16>,
    (own, held): (&[usize], &[(usize, usize)]),
    patterns: usize,
    stride: usize,
) -> Option<Array2<f64>> {
    let mut means = Array2::zeros((patterns, points.ncols()));
    let core_mean = |pattern: usize| {
        let depth = distance::depth(&labels.mapv(|label| usize::from(label) == pattern));
        let depth = depth.as_slice().expect("a new array");
        // What is held elsewhere is no part of the core.
        let is_held = |point: usize| held.binary_search_by_key(&point, |held| held.0).is_ok();
        let depth = |at: usize| depth[at];
        let deepest = own.iter().map(|&at| depth(at)).fold(0.0, f32::max);
        let radius = ((CORE / stride as f64) as f32).min(0.7 * deepest);
        let (mut sum, mut count) = (vec![0.0_f64; points.ncols()], 0);
        let core = (0..own.len()).filter(|&i| depth(own[i]) > radius && !is_held(i));
        let held = held.iter().filter(|held| held.1 == pattern).map(|held| held.0);
        for i in core.chain(held) {
            sum.iter_mut().zip(points.row(i)).for_each(|(to, &v)| *to += f64::from(v));
            count += 1;
        }
        (count > 0).then(|| Array1::from(sum) / f64::from(count))
    };
    let found: Vec<Option<Array1<f64>>> = (0..patterns).into_par_iter().map(core_mean).collect();
    for (mut to, mean) in means.outer_iter_mut().zip(found) {
        to.assign(&mean?);
    }
    Some(means)
}

/// Orthonormal rows `[f, q]` that span the differences of `means` `[k, q]`.
fn between(means: &Array2<f64>) -> Option<Array2<f64>> {
    let away = means - &means.mean_axis(Axis(0))?;
    let k = means.nrows();
    let gram = Mat::from_fn(k, k, |i, j| away.row(i).dot(&away.row(j)));
    let (vectors, values) = eigen(&gram)?;
    let kept = values.iter().take(k - 1).take_while(|&&v| v > 1e-12 * values[0] && v > 0.0).count();
    let row = |(f, q): (usize, usize)| -> f64 {
        let along: f64 = (0..k).map(|i| vectors[(i, f)] * away[(i, q)]).sum();
        along / values[f].sqrt()
    };
    (kept > 0).then(|| Array2::from_shape_fn((kept, means.ncols()), row))
}

/// Lloyd's iterations from `centroids` `[k, f]` on: these, and squared distances `[n, k]` of the
/// points `[n, f]`, of which some are `held`. Nothing where a centroid has no point left.
fn lloyd(
    points: &Array2<f32>,
    mut centroids: Array2<f64>,
    held: &[(usize, usize)],
) -> Option<(Array2<f64>, Array2<f64>)> {
    let k = centroids.nrows();
    let mut labels: Vec<usize> = Vec::new();
    for _ in 0..ITERATIONS {
        let lines = points.outer_iter().into_par_iter().with_min_len(CHUNK);
        let mut nearest: Vec<usize> =
            lines.map(|point| regions::best(scores(point, &centroids))).collect();
        held.iter().for_each(|&(point, pattern)| nearest[point] = pattern);
        if nearest == labels {
            break;
        }
        labels = nearest;
        let (mut sums, mut counts) = (Array2::<f64>::zeros(centroids.dim()), vec![0.0; k]);
        for (point, &label) in points.outer_iter().zip(&labels) {
            sums.row_mut(label).zip_mut_with(&point, |to, &v| *to += f64::from(v));
            counts[label] += 1.0;
        }
        if counts.contains(&0.0) {
            return None;
        }
        centroids = Array2::from_shape_fn(sums.dim(), |at| sums[at] / counts[at.0]);
    }
    let mut distances = Array2::zeros((points.nrows(), k));
    for (mut to, point) in distances.outer_iter_mut().zip(points.outer_iter()) {
        for (to, score) in to.iter_mut().zip(scores(point, &centroids)) {
            *to = -f64::from(score);
        }
    }
    Some((centroids, distances))
}

/// Minus the squared distances of a point from the centroids.
fn scores<'a>(
    point: ArrayView1<'a, f32>,
    centroids: &'a Array2<f64>,
) -> impl Iterator<Item = f32> + 'a {
    centroids.outer_iter().map(move |centroid| {
        let terms = point.iter().zip(centroid).map(|(&p, c)| (f64::from(p) - c).powi(2));
        -terms.sum::<f64>() as f32
    })
}

/// Patterns of the region after memberships are averaged and patterns confined to the
/// surroundings of their cores, as [`regions`] does it for a whole image.
fn classes(
    labels: &Array2<u16>,
    (own, held): (&[usize], &[(usize, usize)]),
    distances: &Array2<f64>,
    features: usize,
    stride: usize,
) -> Array2<u16> {
    let (k, cols) = (distances.ncols(), labels.ncols());
    let least = |row: ArrayView1<'_, f64>| row.iter().copied().fold(f64::INFINITY, f64::min);
    let within: f64 = distances.outer_iter().map(least).sum::<f64>();
    let variance = (within / (distances.nrows() * features) as f64).max(1e-12);
    let steep = f64::from(TEMPER) * 0.5 * STEEPNESS / variance;
    let mut memberships = vec![Array2::<f32>::zeros(labels.dim()); k];
    for (&at, row) in own.iter().zip(distances.outer_iter()) {
        let least = least(row);
        let likelihoods: Vec<f64> = row.iter().map(|d| (steep * (least - d)).exp()).collect();
        let sum: f64 = likelihoods.iter().sum();
        for (map, likelihood) in memberships.iter_mut().zip(likelihoods) {
            map[(at / cols, at % cols)] = (likelihood / sum) as f32;
        }
    }
    let smoothing = automatic::smoothing(1.0, stride);
    let sigma = AVERAGE / stride as f64;
    let averaged: Vec<Array2<f32>> =
        memberships.par_iter().map(|map| gaussian::smoothed(map.view(), sigma)).collect();
    let highest = |at: (usize, usize), may: &dyn Fn(usize) -> bool| {
        let value = |c: usize| if may(c) { averaged[c][at] } else { -1.0 };
        regions::best((0..k).map(value)) as u16
    };
    let of = |found: &dyn Fn((usize, usize)) -> u16| {
        Array2::from_shape_fn(labels.dim(), |at| match labels[at] {
            OUTSIDE => OUTSIDE,
            _ => found(at),
        })
    };
    let free = of(&|at| highest(at, &|_| true));
    let to_cores: Vec<Option<Array2<f32>>> = (0..k as u16)
        .into_par_iter()
        .map(|pattern| {
            let others = free.mapv(|label| label != OUTSIDE && label != pattern);
            let depth = distance::distance(&others)?;
            let inside = |label: u16, depth: f32| if label == pattern { depth } else { 0.0 };
            let depth =
                Zip::from(&free).and(&depth).map_collect(|&label, &depth| inside(label, depth));
            let deepest = depth.fold(0.0_f32, |a, &b| a.max(b));
            let radius = (smoothing.core as f32).min(0.7 * deepest);
            let mut cores = depth.mapv(|depth| depth > radius);
            for &(point, _) in held.iter().filter(|held| held.1 == usize::from(pattern)) {
                cores[(own[point] / cols, own[point] % cols)] = true;
            }
            distance::distance(&cores)
        })
        .collect();
    let reach = (smoothing.core + smoothing.slack) as f32;
    let mut found = of(&|at| {
        let way = |c: usize| to_cores[c].as_ref().map_or(f32::INFINITY, |way| way[at]);
        let nearest = (0..k).map(way).fold(f32::INFINITY, f32::min);
        // Where there is one pattern alone, it may be everywhere.
        highest(at, &|c| nearest.is_infinite() || way(c) <= nearest + reach)
    });
    for &(point, pattern) in held {
        found[(own[point] / cols, own[point] % cols)] = pattern as u16;
    }
    found
}
