//! k-means in feature space.
//!
//! Seeding, centroid update, empty clusters and convergence are here, shared by
//! all backends; a backend only assigns points to centroids. Runs go on until no
//! label changes: on flat minima, runs that stop at a tolerance differ from seed
//! to seed, converged ones agree.

mod pairs;
mod seeding;

use ndarray::{Array2, ArrayView2};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use crate::backend::Backend;
use crate::progress::{Progress, Silent};
use crate::{Error, Result};
pub use pairs::Pairs;

/// Most iterations of one run.
const MOST_ITERATIONS: usize = 1000;

/// Iterations that a device may go through by itself: at first, and later.
const AT_FIRST: usize = 8;
const AT_ONCE: usize = 16;

/// Above this number of points, seeding and restarts run on a subsample of this size.
pub const SUBSAMPLE: usize = 200_000;

/// Points that one task sums; fixed, so that sums do not depend on threads.
const CHUNK: usize = 4096;

/// What k-means is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Number of clusters, k.
    pub clusters: usize,
    /// Number of restarts, of which one is kept; see [`cluster`].
    pub restarts: usize,
    /// Seed of the random choices.
    pub seed: u64,
}

/// One clustering; its fields belong together and are never mixed between runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Clustering {
    /// Cluster of each point, `[N]`, 0 to k-1.
    pub labels: Vec<u32>,
    /// Means of the clusters, `[k, q]`.
    pub centroids: Array2<f64>,
    /// Sum of squared distances of the points from their centroids.
    pub inertia: f64,
    /// Iterations of the run that gave it.
    pub iterations: usize,
    /// Number of restarts it was chosen from.
    pub restarts: usize,
    /// False if the most iterations were reached first.
    pub converged: bool,
}

/// Clusters `points` `[N, q]`. Of the restarts the one is kept whose clusters best
/// predict one point of each of the `pairs` from the other, if its inertia is not
/// far from the least; the least inertia where there are no pairs.
///
/// # Errors
/// [`Error::Parameter`] if there are fewer distinct points than clusters;
/// whatever the backend reports; [`Error::Interrupted`].
///
/// # Panics
/// Where the pairs name a point that there is not: they belong to the plan of the points.
pub fn cluster(
    points: ArrayView2<'_, f32>,
    pairs: &Pairs,
    options: Options,
    backend: &dyn Backend,
    progress: &dyn Progress,
) -> Result<Clustering> {
    check_distinct(points, options.clusters)?;
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let sample = seeding::subsample(points, SUBSAMPLE, &mut rng);
    let sampled = sample.is_some();
    let points = points.as_standard_layout();
    let sample = sample.as_ref().map_or(points.view(), |s| s.view());

    let mut run = Run::new(sample, backend, progress)?;
    let columns = seeding::Columns::new(run.points);
    let mut choice = pairs::Restarts::new(points.view(), pairs);
    for start in 0..options.restarts {
        progress.step(start as u64, options.restarts as u64)?;
        let seeds = seeding::greedy_plus_plus(&columns, options.clusters, &mut rng, progress)?;
        choice.add(run.lloyd(seeds)?);
    }
    let best =
        choice.best().ok_or_else(|| Error::parameter("restarts", 0, "it must be at least 1"))?;
    let best = match sampled {
        true => Run::new(points.view(), backend, progress)?.lloyd(best.centroids)?,
        false => best,
    };
    Ok(Clustering { restarts: options.restarts, ..best })
}

/// Clusters `points` `[N, q]` from these `centroids` `[k, q]` on: nothing is random.
///
/// # Errors
/// As [`cluster`].
pub fn from(
    points: ArrayView2<'_, f32>,
    centroids: Array2<f64>,
    backend: &dyn Backend,
    progress: &dyn Progress,
) -> Result<Clustering> {
    check_distinct(points, centroids.nrows())?;
    let points = points.as_standard_layout();
    Run::new(points.view(), backend, progress)?.lloyd(centroids)
}

/// Gives each of `points` `[N, q]` to the nearest of `centroids` `[k, q]`, which stay where
/// they are.
///
/// # Errors
/// Whatever the backend reports.
pub fn assign(
    points: ArrayView2<'_, f32>,
    centroids: Array2<f64>,
    backend: &dyn Backend,
) -> Result<Clustering> {
    let points = points.as_standard_layout();
    let mut run = Run::new(points.view(), backend, &Silent)?;
    run.assign.step(centroids.mapv(|v| v as f32).view())?;
    let (labels, _) = run.labels(centroids.nrows())?;
    let inertia = inertia(run.points, &labels, &centroids);
    Ok(Clustering { labels, centroids, inertia, iterations: 1, restarts: 0, converged: true })
}

/// k clusters need k distinct points.
fn check_distinct(points: ArrayView2<'_, f32>, clusters: usize) -> Result<()> {
    let mut distinct = std::collections::HashSet::new();
    for point in points.rows() {
        // By value: adding 0 makes -0 the same as 0.
        distinct.insert(point.iter().map(|v| (v + 0.0).to_bits()).collect::<Vec<u32>>());
        if distinct.len() >= clusters {
            return Ok(());
        }
    }
    let patterns = if distinct.len() == 1 { "pattern" } else { "patterns" };
    let reason = format!(
        "there are only {} distinct {patterns} at the sites; the image may be flat or perfectly periodic",
        distinct.len()
    );
    Err(Error::parameter("clusters", clusters, reason))
}

/// Points `[N, q]`, row by row.
#[derive(Clone, Copy)]
struct Points<'a> {
    values: &'a [f32],
    features: usize,
}

impl<'a> Points<'a> {
    fn len(&self) -> usize {
        self.values.len() / self.features
    }

    /// The points in chunks of `count`.
    fn chunks(
        &self,
        count: usize,
    ) -> impl IndexedParallelIterator<Item = std::slice::ChunksExact<'a, f32>> + 'a {
        let features = self.features;
        self.values.par_chunks(count * features).map(move |chunk| chunk.chunks_exact(features))
    }
}

/// Lloyd iterations on one set of points, which the backend holds.
struct Run<'a> {
    points: Points<'a>,
    /// Name of the device.
    device: &'a str,
    assign: Box<dyn crate::backend::Assign + 'a>,
    progress: &'a dyn Progress,
}

impl<'a> Run<'a> {
    fn new(
        points: ArrayView2<'a, f32>,
        backend: &'a dyn Backend,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        let assign = backend.assigner(points)?;
        let values = points.to_slice().expect("points are in standard layout");
        let points = Points { values, features: points.ncols() };
        let device = &backend.device().name;
        Ok(Self { points, device, assign, progress })
    }

    /// Iterates from `centroids` `[k, q]` until no label changes.
    fn lloyd(&mut self, mut centroids: Array2<f64>) -> Result<Clustering> {
        let clusters = centroids.nrows();
        // Labels after empty clusters were filled, where the last step left any.
        let mut filled: Option<Vec<u32>> = None;
        // Whether the last labels stayed, and whether that holds for means in f64 too.
        let (mut settled, mut converged) = (false, false);
        let mut iterations = 0;
        while !converged && iterations < MOST_ITERATIONS {
            self.progress.check()?;
            let most = match (iterations, settled) {
                (0, _) => AT_FIRST,
                (_, true) => 1,
                (_, false) => AT_ONCE.min(MOST_ITERATIONS - iterations),
            };
            let steps = self.assign.steps(centroids.mapv(|v| v as f32).view(), most)?;
            let step = steps.last;
            iterations += steps.count;
            if !step.leaves_one_empty() {
                filled = None;
                settled = iterations > 1 && step.changed == 0;
                // Where a device went on by itself, means in f64 have to change nothing either.
                converged = settled && steps.count == 1;
                let size = |c: usize| step.counts[c] as f64;
                centroids = Array2::from_shape_fn(step.sums.dim(), |at| step.sums[at] / size(at.0));
            } else {
                let labels = self.filled_labels(clusters)?;
                converged = filled.as_ref() == Some(&labels);
                centroids = means(self.points, &labels, clusters);
                filled = Some(labels);
            }
        }
        let labels = filled.map_or_else(|| Ok(self.labels(clusters)?.0), Ok::<_, Error>)?;
        // Of these labels, in f64 whatever the backend's own sums are.
        let centroids = means(self.points, &labels, clusters);
        let inertia = inertia(self.points, &labels, &centroids);
        Ok(Clustering { labels, centroids, inertia, iterations, restarts: 1, converged })
    }

    fn labels(&mut self, clusters: usize) -> Result<(Vec<u32>, Vec<f32>)> {
        let (mut labels, mut distances) =
            (vec![0; self.points.len()], vec![0.0; self.points.len()]);
        self.assign.labels(&mut labels, &mut distances)?;
        // They are indices from here on.
        match labels.iter().find(|&&label| label as usize >= clusters) {
            None => Ok((labels, distances)),
            Some(label) => Err(Error::DeviceWrong {
                device: self.device.to_owned(),
                stage: "k-means",
                reason: format!("a point has label {label} of {clusters}"),
            }),
        }
    }

    fn filled_labels(&mut self, clusters: usize) -> Result<Vec<u32>> {
        let (mut labels, mut distances) = self.labels(clusters)?;
        fill_empty(&mut labels, &mut distances, clusters);
        Ok(labels)
    }
}

/// Gives each cluster without points the point that lies farthest from its
/// centroid (the first of equals) among clusters that can spare one.
fn fill_empty(labels: &mut [u32], distances: &mut [f32], clusters: usize) {
    let mut sizes = vec![0_usize; clusters];
    labels.iter().for_each(|&l| sizes[l as usize] += 1);
    for empty in 0..clusters {
        if sizes[empty] > 0 {
            continue;
        }
        let mut farthest: Option<usize> = None;
        for (i, &distance) in distances.iter().enumerate() {
            let farther = farthest.is_none_or(|f| distance > distances[f]);
            if farther && sizes[labels[i] as usize] > 1 {
                farthest = Some(i);
            }
        }
        if let Some(i) = farthest {
            sizes[labels[i] as usize] -= 1;
            sizes[empty] = 1;
            labels[i] = empty as u32;
            distances[i] = 0.0;
        }
    }
}

/// Means `[k, q]` of the points of each cluster, summed in f64 in fixed chunks.
fn means(points: Points<'_>, labels: &[u32], clusters: usize) -> Array2<f64> {
    let features = points.features;
    // Sums of the features and, last, the number of points.
    let width = features + 1;
    let partial: Vec<Vec<f64>> = labels
        .par_chunks(CHUNK)
        .zip(points.chunks(CHUNK))
        .map(|(labels, points)| {
            let mut sums = vec![0.0; clusters * width];
            for (&label, point) in labels.iter().zip(points) {
                let sums = &mut sums[label as usize * width..][..width];
                sums.iter_mut().zip(point).for_each(|(sum, &v)| *sum += f64::from(v));
                sums[features] += 1.0;
            }
            sums
        })
        .collect();
    let mut sums = Array2::<f64>::zeros((clusters, width));
    for part in &partial {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    Array2::from_shape_fn((clusters, features), |(c, f)| {
        sums[(c, f)] / sums[(c, features)].max(1.0)
    })
}

/// Sum of squared distances of the points from their centroids, in f64.
fn inertia(points: Points<'_>, labels: &[u32], centroids: &Array2<f64>) -> f64 {
    let centroids: Vec<f64> = centroids.iter().copied().collect();
    let of = |label: u32| &centroids[label as usize * points.features..][..points.features];
    let partial: Vec<f64> = labels
        .par_chunks(CHUNK)
        .zip(points.chunks(CHUNK))
        .map(|(labels, points)| {
            let distance = |(&l, point)| seeding::squared_distance(point, of(l));
            labels.iter().zip(points).map(distance).sum::<f64>()
        })
        .collect();
    partial.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;
    use crate::backend::cpu::Cpu;

    fn run(points: &Array2<f32>, clusters: usize, seed: u64) -> Result<Clustering> {
        let options = Options { clusters, restarts: 5, seed };
        cluster(points.view(), &Pairs::default(), options, &Cpu::new(), &Silent)
    }

    /// `n` points in each of three blobs of different spread.
    fn blobs(n: usize) -> Array2<f32> {
        let wobble = |i: usize, d: usize| ((i * (7 + 6 * d)) % 101) as f32 / 101.0 - 0.5;
        Array2::from_shape_fn((3 * n, 2), |(i, d)| {
            let blob = i / n;
            [[0.0, 0.0], [9.0, 1.0], [2.0, 8.0]][blob][d] + (1 + blob) as f32 * wobble(i, d)
        })
    }

    #[test]
    fn blobs_are_found_from_any_seed() {
        let points = blobs(150);
        for seed in 0..10 {
            let found = run(&points, 3, seed).unwrap();
            assert!(found.converged);
            for blob in found.labels.chunks(150) {
                assert!(blob.iter().all(|l| *l == blob[0]), "seed {seed}");
            }
            let flat = Points { values: points.as_slice().unwrap(), features: 2 };
            let again = inertia(flat, &found.labels, &means(flat, &found.labels, 3));
            assert!((again - found.inertia).abs() <= 1e-12 * again);
        }
    }

    #[test]
    fn many_points_start_on_a_subsample_and_end_on_all() {
        let points = blobs(SUBSAMPLE / 3 + 1000);
        let found = run(&points, 3, 1).unwrap();
        assert_eq!(found.labels.len(), points.nrows());
        let truth: Vec<usize> = (0..3).map(|b| b * points.nrows() / 3).collect();
        let labels: std::collections::BTreeSet<u32> =
            truth.iter().map(|&i| found.labels[i]).collect();
        assert_eq!(labels.len(), 3);
        let flat = Points { values: points.as_slice().unwrap(), features: 2 };
        let centroids = means(flat, &found.labels, 3);
        assert_eq!(found.centroids, centroids, "of all points, not of the subsample");
    }

    #[test]
    fn an_empty_cluster_takes_the_farthest_point_that_can_be_spared() {
        let mut labels = [0, 0, 1, 0];
        let mut distances = [1.0, 5.0, 9.0, 5.0];
        fill_empty(&mut labels, &mut distances, 3);
        // Point 2 is alone in its cluster; point 1 is the first of the next.
        assert_eq!(labels, [0, 2, 1, 0]);
        assert_eq!(distances[1], 0.0);
    }

    /// A device that gives a label that no cluster has.
    #[test]
    fn labels_beyond_the_clusters_are_an_error() {
        struct Beyond(Cpu);
        struct Points<'a>(Box<dyn crate::backend::Assign + 'a>);
        impl Backend for Beyond {
            fn device(&self) -> &crate::backend::DeviceInfo {
                self.0.device()
            }
            fn band_rows(&self, plan: &crate::Plan, budget: u64) -> Result<usize> {
                self.0.band_rows(plan, budget)
            }
            fn upload<'a>(
                &'a self,
                image: ArrayView2<'a, f32>,
                plan: &'a crate::Plan,
            ) -> Result<Box<dyn crate::backend::Describe + 'a>> {
                self.0.upload(image, plan)
            }
            fn assigner<'a>(
                &'a self,
                points: ArrayView2<'a, f32>,
            ) -> Result<Box<dyn crate::backend::Assign + 'a>> {
                Ok(Box::new(Points(self.0.assigner(points)?)))
            }
        }
        impl crate::backend::Assign for Points<'_> {
            fn step(&mut self, centroids: ArrayView2<'_, f32>) -> Result<crate::backend::Step> {
                self.0.step(centroids)
            }
            fn labels(&mut self, labels: &mut [u32], distances: &mut [f32]) -> Result<()> {
                self.0.labels(labels, distances)?;
                labels[2] = u32::MAX;
                Ok(())
            }
        }
        let options = Options { clusters: 3, restarts: 1, seed: 0 };
        let (points, backend) = (blobs(20), Beyond(Cpu::new()));
        let found = cluster(points.view(), &Pairs::default(), options, &backend, &Silent);
        assert!(matches!(found, Err(Error::DeviceWrong { stage: "k-means", .. })), "{found:?}");
    }

    #[test]
    fn as_many_clusters_as_points() {
        let points = Array2::from_shape_fn((7, 2), |(i, d)| (i * i + d) as f32);
        let found = run(&points, 7, 0).unwrap();
        assert_eq!(found.inertia, 0.0);
    }

    #[test]
    fn too_few_distinct_points_are_refused() {
        let points = Array2::from_shape_fn((50, 2), |(i, _)| (i % 2) as f32);
        assert!(run(&points, 2, 0).is_ok());
        let error = run(&points, 3, 0).unwrap_err().to_string();
        assert!(error.contains("2 distinct"), "{error}");
    }
}
