//! How many patterns an image has.
//!
//! Two things are looked at. A factor (see [`crate::maf`]) that tells crystals apart
//! varies many times as much over the image as from site to site; in a single crystal
//! none does by much. And a number of clusters is right where the **cores** of all of
//! them, the sites deep inside, lie far apart beside their spread: clusters that share a
//! crystal meet in the middle of it, and lie next to each other. Both limits were set on
//! simulated scenes and single crystals; see `ACCURACY.md`.

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use serde::Serialize;

use crate::Result;
use crate::automatic;
use crate::backend::cpu::Cpu;
use crate::kmeans::{self, Clustering, Options, Pairs};
use crate::metrics::Overlaps;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::regions;

/// Most patterns that are tried.
pub const MOST: usize = 8;

/// A single crystal's first factor varies less than this, in units of what neighbours
/// differ by; and what a further factor must have to stand for one pattern more.
const SINGLE: f64 = 5.9;
const FURTHER: f64 = 7.0;

/// The least number of clusters whose separation is this share of the largest is taken.
const NEARLY: f64 = 0.92;

/// Sites that are clustered, at most: a coarser grid of them where there are more.
const SAMPLE: usize = 16_384;

/// Starts of k-means, and seeds whose outcomes are compared.
const STARTS: usize = 4;
const SEEDS: u64 = 3;

/// Sites that make a core, and what a separation counts for where there are fewer.
const CORE_SITES: usize = 12;
const WITHOUT_CORE: f64 = 0.3;

/// The number of patterns, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// The number that was chosen.
    pub clusters: usize,
    /// What was found for each number, from 2 on.
    pub candidates: Vec<Candidate>,
    /// How much each factor varies for what neighbours differ by, best first.
    pub factors: Vec<f64>,
    /// Why, in words.
    pub reason: String,
}

/// One number of clusters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// The number.
    pub clusters: usize,
    /// Distance of the nearest two cores, in their spreads along the line between them.
    pub separation: f64,
    /// Mean of `(b - a) / b` with `a`, `b` the distances of a site from the nearest and
    /// the next centroid (a silhouette that takes centroids for clusters).
    pub silhouette: f64,
    /// Mean adjusted Rand index between the outcomes of several seeds.
    pub stability: f64,
}

/// Chooses from the factors `points` `[active sites, q]`, of which each varies as much as
/// its one of `factors`.
///
/// # Errors
/// As [`kmeans::cluster`].
pub fn choose(
    points: ArrayView2<'_, f32>,
    factors: &[f64],
    plan: &Plan,
    progress: &dyn Progress,
) -> Result<Choice> {
    let sample = Sample::of(points, plan);
    let most = MOST.min(sample.points.nrows() / CORE_SITES);
    let candidates = (2..=most)
        .into_par_iter()
        .map(|clusters| sample.candidate(clusters, plan.params.seed, progress))
        .collect::<Result<Vec<_>>>()?;
    let factors: Vec<f64> = factors.iter().take(MOST).copied().collect();
    let (clusters, reason) = decide(&candidates, &factors);
    Ok(Choice { clusters, candidates, factors, reason })
}

/// The number of clusters, and why.
fn decide(candidates: &[Candidate], factors: &[f64]) -> (usize, String) {
    let first = factors.first().copied().unwrap_or(0.0);
    if first < SINGLE || candidates.is_empty() {
        let reason = format!(
            "1 pattern: what varies most over the image varies {first:.1} times as much as from site to \
             site, as in a single crystal (less than {SINGLE})"
        );
        return (1, reason);
    }
    let largest = candidates.iter().map(|c| c.separation).fold(0.0, f64::max);
    let apart = candidates.iter().find(|c| c.separation >= NEARLY * largest);
    let apart = apart.map_or(2, |c| c.clusters);
    let further = 1 + factors.iter().filter(|&&value| value >= FURTHER).count();
    let clusters = apart.max(further).min(candidates.len() + 1);
    let reason = match further > apart {
        true => format!(
            "{clusters} patterns: {} independent features vary over the image at least {FURTHER} times as \
             much as from site to site",
            further - 1
        ),
        false => format!(
            "{clusters} patterns: so many clusters lie furthest apart ({largest:.1} times the spread of their \
             insides), or nearly so"
        ),
    };
    (clusters, reason)
}

/// A coarser grid of the sites.
struct Sample {
    /// `[sites, q]`.
    points: Array2<f32>,
    /// Number of each site of the grid among the points.
    number: Array2<Option<usize>>,
    /// Radius of a core, in its sites.
    radius: f32,
}

impl Sample {
    fn of(points: ArrayView2<'_, f32>, plan: &Plan) -> Self {
        let count = plan.grid.count;
        let step = (count.area() as f64 / SAMPLE as f64).sqrt().ceil().max(1.0) as usize;
        let (rows, cols) = (count.rows.div_ceil(step), count.cols.div_ceil(step));
        let mut number = Array2::from_elem((rows, cols), None);
        let (mut kept, mut next) = (Vec::new(), 0);
        for site in 0..count.area() {
            if !plan.is_active(site) {
                continue;
            }
            let (row, col) = (site / count.cols, site % count.cols);
            if row % step == 0 && col % step == 0 {
                number[(row / step, col / step)] = Some(kept.len());
                kept.push(next);
            }
            next += 1;
        }
        let smoothing = automatic::smoothing(1.0, plan.grid.stride * step);
        Self { points: points.select(Axis(0), &kept), number, radius: smoothing.core as f32 }
    }

    fn candidate(&self, clusters: usize, seed: u64, progress: &dyn Progress) -> Result<Candidate> {
        let mut best: Option<(f64, usize, Clustering)> = None;
        // Patterns may lie in a space of fewer dimensions.
        for features in [clusters - 1, clusters] {
            let features = features.min(self.points.ncols());
            let found = self.cluster(clusters, features, seed, progress)?;
            let separation = self.separation(&found, features);
            if best.as_ref().is_none_or(|(least, ..)| separation > *least) {
                best = Some((separation, features, found));
            }
        }
        let (separation, features, found) = best.expect("two were tried");
        let silhouette = silhouette(self.points.slice(s![.., ..features]), &found);
        let mut stability = 0.0;
        for other in 1..SEEDS {
            let other = self.cluster(clusters, features, seed + other, progress)?;
            stability += agreement(&found, &other)? / (SEEDS - 1) as f64;
        }
        Ok(Candidate { clusters, separation, silhouette, stability })
    }

    fn cluster(
        &self,
        clusters: usize,
        features: usize,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Clustering> {
        let points = self.points.slice(s![.., ..features]);
        let points = points.as_standard_layout();
        let options = Options { clusters, starts: STARTS, seed };
        // On every device the same, and there are few points.
        kmeans::cluster(points.view(), &Pairs::default(), options, &Cpu::new(), progress)
    }

    /// The least distance of two cores in their spreads.
    fn separation(&self, found: &Clustering, features: usize) -> f64 {
        let clusters = found.centroids.nrows();
        let label = self.number.mapv(|site| site.map(|site| found.labels[site] as usize));
        let cores: Vec<(Array2<f64>, bool)> =
            (0..clusters).map(|cluster| self.core(&label, cluster, found, features)).collect();
        let mut least = f64::INFINITY;
        for (i, (one, one_deep)) in cores.iter().enumerate() {
            for (other, other_deep) in &cores[..i] {
                let counts = if *one_deep && *other_deep { 1.0 } else { WITHOUT_CORE };
                least = least.min(counts * apart(one, other));
            }
        }
        least
    }

    /// Points of a cluster's core, and whether it has one: else all of its points.
    fn core(
        &self,
        label: &Array2<Option<usize>>,
        cluster: usize,
        found: &Clustering,
        features: usize,
    ) -> (Array2<f64>, bool) {
        let other = label.mapv(|label| label.is_some_and(|label| label != cluster));
        let depth = regions::distance(&other);
        let deep = |at: (usize, usize)| depth.as_ref().is_none_or(|depth| depth[at] > self.radius);
        let own = label.indexed_iter().filter(|(_, label)| **label == Some(cluster));
        let core: Vec<usize> =
            own.filter(|(at, _)| deep(*at)).filter_map(|(at, _)| self.number[at]).collect();
        let enough = core.len() >= CORE_SITES;
        let all = || (0..found.labels.len()).filter(|&i| found.labels[i] as usize == cluster);
        let taken = if enough { core } else { all().collect() };
        let points = self.points.select(Axis(0), &taken);
        (points.slice(s![.., ..features]).mapv(f64::from), enough)
    }
}

/// Distance of the means of two sets of points `[n, q]` in the root of their mean variance
/// along the line between them.
fn apart(one: &Array2<f64>, other: &Array2<f64>) -> f64 {
    let mean = |points: &Array2<f64>| points.mean_axis(Axis(0)).unwrap_or_default();
    let line = mean(one) - mean(other);
    let length = line.dot(&line).sqrt();
    if length == 0.0 {
        return 0.0;
    }
    let along = &line / length;
    let variance = |points: &Array2<f64>| points.dot(&along).var(0.0);
    length / (0.5 * (variance(one) + variance(other))).sqrt().max(1e-9 * length)
}

fn silhouette(points: ArrayView2<'_, f32>, found: &Clustering) -> f64 {
    let of = |point: ndarray::ArrayView1<'_, f32>| {
        let distance = |centroid: ndarray::ArrayView1<'_, f64>| {
            let terms = point.iter().zip(centroid).map(|(&p, c)| (f64::from(p) - c).powi(2));
            terms.sum::<f64>().sqrt()
        };
        let mut all: Vec<f64> = found.centroids.outer_iter().map(distance).collect();
        all.sort_by(f64::total_cmp);
        if all[1] > 0.0 { (all[1] - all[0]) / all[1] } else { 0.0 }
    };
    points.outer_iter().map(of).sum::<f64>() / points.nrows().max(1) as f64
}

/// Adjusted Rand index between two clusterings of the same points.
fn agreement(one: &Clustering, other: &Clustering) -> Result<f64> {
    let row = |found: &Clustering| {
        Array2::from_shape_fn((1, found.labels.len()), |(_, i)| found.labels[i] as u16 + 1)
    };
    Ok(Overlaps::new(row(one).view(), row(other).view())?.adjusted_rand_index())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Params, Silent};

    fn candidate(clusters: usize, separation: f64) -> Candidate {
        Candidate { clusters, separation, silhouette: 0.5, stability: 1.0 }
    }

    #[test]
    fn the_fewest_clusters_that_lie_far_apart_are_taken() {
        let candidates = [(2, 11.0), (3, 19.5), (4, 20.0), (5, 3.0)];
        let candidates = candidates.map(|(k, separation)| candidate(k, separation));
        assert_eq!(decide(&candidates, &[30.0, 2.0]).0, 3);
        assert_eq!(decide(&candidates, &[5.0, 4.0]).0, 1, "nothing varies");
        assert_eq!(decide(&candidates, &[30.0, 20.0, 9.0, 2.0]).0, 4, "three features vary");
        assert_eq!(decide(&candidates, &[30.0; 8]).0, 5, "no more than were tried");
    }

    /// Sites of two or three crystals that share the image, and noise.
    #[test]
    fn crystals_are_counted() {
        let params = Params { stride: 2, ..Default::default() };
        let plan = Plan::new(params, (181, 181), None).unwrap();
        let count = plan.grid.count;
        let mut state = 7_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        for crystals in [2, 3] {
            let mut points = Array2::zeros((count.area(), 8));
            for (site, mut point) in points.outer_iter_mut().enumerate() {
                point.mapv_inplace(|_: f32| noise());
                let crystal = (site % count.cols) * crystals / count.cols;
                point[0] += [0.0, 10.0, 5.0][crystal];
                point[1] += [0.0, 0.0, 9.0][crystal];
            }
            let factors = [40.0, if crystals == 3 { 20.0 } else { 1.5 }, 1.0];
            let found = choose(points.view(), &factors, &plan, &Silent).unwrap();
            assert_eq!(found.clusters, crystals, "{found:?}");
            let own = &found.candidates[crystals - 2];
            assert!(own.stability > 0.99 && own.silhouette > 0.8, "{own:?}");
        }
    }
}
