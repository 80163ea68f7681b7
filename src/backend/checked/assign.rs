//! Points on a device that is looked over.

use ndarray::{Array2, ArrayView2, Axis};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use super::{Check, SLACK, Watch};
use crate::Result;
use crate::backend::{Assign, Step, Steps};
use crate::descriptor::rounding::EPS;

/// Points of which one is looked at: those of a workgroup.
const SITES_PER_SAMPLE: usize = 256;

/// Points that are summed in f32 at most, and sums of such (`shaders/cluster_sums.wgsl`,
/// `shaders/fold.wgsl`).
pub(crate) const TERMS: f64 = 4096.0 + 64.0;

/// Points that one task sums; fixed, so that sums do not depend on threads.
const CHUNK: usize = 4096;

const STAGE: &str = "k-means";

pub(super) struct Points<'a> {
    inner: Box<dyn Assign + 'a>,
    watch: &'a Watch,
    points: ArrayView2<'a, f32>,
    random: ChaCha8Rng,
    /// Centroids of the last step, and what it came to.
    last: Option<(Array2<f32>, Step)>,
}

/// Sums of the points `[N, q]` of each cluster by `labels`, sums of their sizes, and how many
/// they are, `[k, 2 q + 1]`.
pub(crate) fn cluster_sums(
    points: ArrayView2<'_, f32>,
    labels: &[u32],
    clusters: usize,
) -> Array2<f64> {
    let features = points.ncols();
    let width = 2 * features + 1;
    let chunks = points.axis_chunks_iter(Axis(0), CHUNK).into_par_iter();
    let parts: Vec<Array2<f64>> = chunks
        .zip(labels.par_chunks(CHUNK))
        .map(|(points, labels)| {
            let mut sums = Array2::<f64>::zeros((clusters, width));
            for (point, &label) in points.rows().into_iter().zip(labels) {
                let mut sums = sums.row_mut(label as usize);
                for (f, &value) in point.iter().enumerate() {
                    sums[f] += f64::from(value);
                    sums[features + f] += f64::from(value.abs());
                }
                sums[2 * features] += 1.0;
            }
            sums
        })
        .collect();
    let mut all = Array2::<f64>::zeros((clusters, width));
    parts.iter().for_each(|part| all += part);
    all
}

impl<'a> Points<'a> {
    pub(super) fn new(
        inner: Box<dyn Assign + 'a>,
        watch: &'a Watch,
        points: ArrayView2<'a, f32>,
    ) -> Self {
        Self { inner, watch, points, random: ChaCha8Rng::seed_from_u64(0), last: None }
    }

    /// Checks numbers and sums of the clusters against `labels`.
    fn sums(&self, labels: &[u32], step: &Step) -> Result<()> {
        let (clusters, features) = step.sums.dim();
        let all = cluster_sums(self.points, labels, clusters);
        for (cluster, own) in all.rows().into_iter().enumerate() {
            let (own_count, count) = (own[2 * features], step.counts[cluster]);
            self.watch.require(own_count == count as f64, STAGE, || {
                format!("cluster {cluster} is of {count} points, but {own_count} have its label")
            })?;
            for f in 0..features {
                let (sum, own, size) = (step.sums[(cluster, f)], own[f], own[features + f]);
                self.watch.require((sum - own).abs() <= TERMS * EPS * size, STAGE, || {
                    format!("feature {f} of cluster {cluster} sums up to {sum} instead of {own}")
                })?;
            }
        }
        Ok(())
    }

    /// Checks that points have the label and the distance of the nearest centroid.
    fn nearest(
        &mut self,
        centroids: &Array2<f32>,
        (labels, distances): (&[u32], &[f32]),
    ) -> Result<()> {
        let (all, slack) = (self.watch.check == Check::All, SLACK);
        let features = centroids.ncols() as f64;
        for first in (0..labels.len()).step_by(SITES_PER_SAMPLE) {
            let end = (first + SITES_PER_SAMPLE).min(labels.len());
            let one = first + (self.random.next_u32() as usize) % (end - first);
            for i in if all { first..end } else { one..one + 1 } {
                let to = |centroid: ndarray::ArrayView1<'_, f32>| -> f64 {
                    let pairs = self.points.row(i).into_iter().zip(centroid);
                    pairs.map(|(p, c)| f64::from(p - c).powi(2)).sum()
                };
                let nearest = centroids.rows().into_iter().map(to).fold(f64::INFINITY, f64::min);
                let own = to(centroids.row(labels[i] as usize));
                let bound = slack * 2.0 * EPS * (features + 2.0) * own;
                let said = f64::from(distances[i]);
                let holds = own - nearest <= bound && (said - own).abs() <= bound;
                self.watch.require(holds, STAGE, || {
                    format!(
                        "point {i} has label {} at a squared distance of {said}, which is {own}; the \
                         nearest is at {nearest}",
                        labels[i]
                    )
                })?;
            }
        }
        Ok(())
    }
}

impl Points<'_> {
    /// Checks what needs no labels.
    fn possible(&self, step: &Step) -> Result<()> {
        let (points, counted) = (self.points.nrows() as u64, step.counts.iter().sum::<u64>());
        self.watch.require(counted == points, STAGE, || {
            format!("clusters have {counted} of {points} points")
        })?;
        let finite = step.sums.iter().all(|v| v.is_finite());
        self.watch.require(finite, STAGE, || "a sum is not finite".into())?;
        self.watch.require(step.changed <= points, STAGE, || {
            format!("{} of {points} labels changed", step.changed)
        })
    }
}

impl Assign for Points<'_> {
    fn step(&mut self, centroids: ArrayView2<'_, f32>) -> Result<Step> {
        let step = self.watch.heard(self.inner.step(centroids))?;
        self.possible(&step)?;
        self.last = Some((centroids.to_owned(), step.clone()));
        Ok(step)
    }

    fn steps(&mut self, centroids: ArrayView2<'_, f32>, most: usize) -> Result<Steps> {
        let steps = self.watch.heard(self.inner.steps(centroids, most))?;
        self.watch.require((1..=most).contains(&steps.count), STAGE, || {
            format!("{} steps were taken where {most} were asked for", steps.count)
        })?;
        self.possible(&steps.last)?;
        self.last = Some((steps.centroids.clone(), steps.last.clone()));
        Ok(steps)
    }

    fn labels(&mut self, labels: &mut [u32], distances: &mut [f32]) -> Result<()> {
        self.watch.heard(self.inner.labels(labels, distances))?;
        let Some((centroids, step)) = self.last.take() else { return Ok(()) };
        let clusters = centroids.nrows() as u32;
        let beyond = labels.iter().find(|&&label| label >= clusters);
        self.watch.require(beyond.is_none(), STAGE, || {
            format!("a point has label {} of {clusters}", beyond.copied().unwrap_or_default())
        })?;
        self.sums(labels, &step)?;
        self.nearest(&centroids, (labels, distances))?;
        self.last = Some((centroids, step));
        Ok(())
    }
}
