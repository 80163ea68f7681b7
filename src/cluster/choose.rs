//! How many patterns an image has.
//!
//! Two things are looked at. What tells crystals apart varies many times as much over the
//! image as between sites a period apart; in a single crystal nothing does by much (the
//! factor that varies most, see [`crate::reduce::maf`], decides: with the noise that regularises it,
//! and without). And a number of clusters is right
//! where the **cores** of all of them, the sites deep inside, lie far apart relative to their
//! spread, and sites lie much nearer to their own cluster than to the next: clusters that
//! share a crystal meet in the middle of it. Where no feature has two clear levels and the
//! first one is a slope, they share one that changes slowly ([`crate::cluster::continuum`]). The limits were set on simulated scenes and
//! single crystals; see `ACCURACY.md`.

mod decision;

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use serde::Serialize;

use crate::Result;
use crate::backend::cpu::Cpu;
pub use crate::cluster::continuum::Measure;
use crate::cluster::continuum::{self, Evidence};
use crate::cluster::kmeans::{self, Clustering, Options, Pairs};
use crate::cluster::overlaps::Overlaps;
use crate::labels::regions;
use crate::plan::{MOST_CHOSEN, automatic};
use crate::progress::Progress;
use crate::reduce::maf;
use crate::sites::Sites;
pub use decision::Criterion;
use decision::Grounds;

/// Sites that are clustered, at most: a coarser grid of them where there are more.
const SAMPLE: usize = 16_384;

/// Starts of k-means, and seeds whose outcomes are compared.
const RESTARTS: usize = 4;
const SEEDS: u64 = 3;

/// Sites that make a core, and what a separation counts for where there are fewer.
const CORE_SITES: usize = 12;
const WITHOUT_CORE: f64 = 0.3;

/// The number of patterns, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Choice {
    /// The number that was chosen.
    pub clusters: usize,
    /// What decided it.
    pub decided_by: Criterion,
    /// What was found for each number, from 2 on.
    pub candidates: Vec<Candidate>,
    /// How much the first factor varies for what sites a period apart differ by.
    pub variation: f64,
    /// How much each factor varies for what neighbours differ by, regularised, best first.
    pub factors: Vec<f64>,
    /// What speaks for a single crystal that changes slowly.
    pub continuum: Evidence,
    /// Why, in words.
    pub reason: String,
}

/// One number of clusters.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
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
/// its one of `factors`; `brightness` is the mean brightness around each site of the grid; `seed` is that of k-means.
///
/// # Errors
/// As [`kmeans::cluster`].
pub fn choose(
    points: ArrayView2<'_, f32>,
    factors: &[f64],
    brightness: Option<&Array2<f32>>,
    sites: &Sites,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Choice> {
    let sample = Sample::of(points, sites);
    let most = MOST_CHOSEN.min(sample.points.nrows() / CORE_SITES);
    let candidates = (2..=most)
        .into_par_iter()
        .map(|clusters| sample.candidate(clusters, seed, progress))
        .collect::<Result<Vec<_>>>()?;
    let factors: Vec<f64> = factors.iter().take(MOST_CHOSEN).copied().collect();
    let variation = variation(points, sites);
    let continuum = sample.evidence(brightness);
    Ok(Choice::new(candidates, variation, factors, continuum))
}

impl Choice {
    /// The number that these numbers lead to: of each number of clusters from 2 on, of the
    /// first factor, of all, best first, and of what speaks for a slow change.
    pub fn new(
        candidates: Vec<Candidate>,
        variation: f64,
        factors: Vec<f64>,
        continuum: Evidence,
    ) -> Self {
        let grounds = Grounds {
            candidates: &candidates,
            variation,
            factors: &factors,
            continuum: &continuum,
        };
        let (clusters, decided_by, reason) = grounds.decide();
        Self { clusters, decided_by, candidates, variation, factors, continuum, reason }
    }

    /// The numbers that the criterion which decided looks at, each with its limit; none
    /// where it looks at no number.
    pub fn measures(&self) -> Vec<Measure> {
        let Self { clusters, decided_by, candidates, variation, factors, continuum, .. } = self;
        let grounds = Grounds { candidates, variation: *variation, factors, continuum };
        grounds.measures(*decided_by, *clusters)
    }
}

impl Candidate {
    /// What was found for this number of `clusters`; see the fields.
    pub fn new(clusters: usize, separation: f64, silhouette: f64, stability: f64) -> Self {
        Self { clusters, separation, silhouette, stability }
    }

    /// How clearly the clusters are told apart: separation times silhouette.
    pub fn score(&self) -> f64 {
        self.separation * self.silhouette
    }
}

/// Variance of the first of `points` `[active sites, q]` by half the mean square of its
/// differences between sites a period apart, down and along.
fn variation(points: ArrayView2<'_, f32>, sites: &Sites) -> f64 {
    let map = sites.placed(points.column(0).iter().map(|&value| f64::from(value)));
    let lag = maf::lag(sites.grid().stride);
    let (mut differences, mut pairs) = (0.0, 0);
    for ((r, c), one) in map.indexed_iter() {
        for other in [(r + lag, c), (r, c + lag)] {
            if let (Some(one), Some(Some(other))) = (one, map.get(other)) {
                differences += (one - other).powi(2);
                pairs += 1;
            }
        }
    }
    let variance = points.column(0).mapv(f64::from).var(0.0);
    if differences > 0.0 { variance / (0.5 * differences / f64::from(pairs)) } else { 0.0 }
}

/// A coarser grid of the sites.
struct Sample {
    /// `[sites, q]`.
    points: Array2<f32>,
    /// Number of each site of the grid among the points.
    number: Array2<Option<usize>>,
    /// Every how many sites of the grid, along both axes.
    step: usize,
    /// Distance of its sites, px.
    stride: f64,
    /// Radius of a core, in its sites.
    radius: f32,
}

impl Sample {
    fn of(points: ArrayView2<'_, f32>, sites: &Sites) -> Self {
        let count = sites.grid().count;
        let step = (count.area() as f64 / SAMPLE as f64).sqrt().ceil().max(1.0) as usize;
        let (rows, cols) = (count.rows.div_ceil(step), count.cols.div_ceil(step));
        let mut number = Array2::from_elem((rows, cols), None);
        let mut kept = Vec::new();
        for (active, site) in sites.active_indices().enumerate() {
            let (row, col) = (site / count.cols, site % count.cols);
            if row % step == 0 && col % step == 0 {
                number[(row / step, col / step)] = Some(kept.len());
                kept.push(active);
            }
        }
        let smoothing = automatic::smoothing(1.0, sites.grid().stride * step);
        let (points, radius) = (points.select(Axis(0), &kept), smoothing.core as f32);
        Self { points, number, step, stride: (sites.grid().stride * step) as f64, radius }
    }

    /// What speaks for a single crystal, from the leading features.
    fn evidence(&self, brightness: Option<&Array2<f32>>) -> Evidence {
        let count = self.points.ncols().min(continuum::FEATURES);
        let map = |f: usize| self.number.mapv(|site| site.map(|site| self.points[(site, f)]));
        let brightness = brightness.map(|values| {
            let at = |at: (usize, usize)| values[(at.0 * self.step, at.1 * self.step)];
            let present = self.number.indexed_iter();
            let present = present.map(|(site, number)| number.map(|_| at(site))).collect();
            Array2::from_shape_vec(self.number.dim(), present).expect("one value for each site")
        });
        let features: Vec<_> = (0..count).into_par_iter().map(map).collect();
        Evidence::new(&features, brightness.as_ref(), self.stride)
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
        let options = Options { clusters, restarts: RESTARTS, seed };
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
    use crate::plan::{Outline, Plan};
    use crate::{Params, Silent};

    #[test]
    fn what_varies_slowly_varies_much_for_what_neighbours_differ_by() {
        let mask = Array2::from_shape_fn((381, 381), |(r, _)| r < 60);
        let params = Params { stride: 5, ..Default::default() };
        let plan =
            Plan::new(params, Outline::new((381, 381), 1.0).without(Some(mask.into_shared())))
                .unwrap();
        let cols = plan.sites().grid().count.cols;
        let map = |value: &dyn Fn(usize, usize) -> f32| {
            let active =
                (0..plan.sites().grid().len()).filter(|&site| plan.sites().is_active(site));
            let values = active.map(|site| value(site / cols, site % cols)).collect();
            Array2::from_shape_vec((plan.sites().active_count(), 1), values).unwrap()
        };
        let (step, rows) = (maf::lag(5), plan.sites().active_count() / cols);
        let (down, along) = (((rows - step) * cols) as f64, (rows * (cols - step)) as f64);
        // All sites differ from those a lag along, by the whole range, none from those below.
        let fast = map(&|_, c| (c / step % 2) as f32);
        let expected = 0.25 / (0.5 * along / (down + along));
        let found = variation(fast.view(), plan.sites());
        assert!((found / expected - 1.0).abs() < 0.05, "{found} instead of {expected}");
        // Only those next to the middle do.
        let slow = map(&|_, c| if c < cols / 2 { 0.0 } else { 1.0 });
        let expected = 0.25 / (0.5 * (rows * step) as f64 / (down + along));
        let found = variation(slow.view(), plan.sites());
        assert!((found / expected - 1.0).abs() < 0.05, "{found} instead of {expected}");
    }

    /// Sites of two or three crystals that share the image, and noise.
    #[test]
    fn crystals_are_counted() {
        let params = Params { stride: 5, ..Default::default() };
        let plan = Plan::new(params, Outline::new((431, 431), 1.0)).unwrap();
        let count = plan.sites().grid().count;
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
            let found = choose(points.view(), &factors, None, plan.sites(), 0, &Silent).unwrap();
            assert_eq!(found.clusters, crystals, "{found:?}");
            let own = &found.candidates[crystals - 2];
            assert!(own.stability > 0.99 && own.silhouette > 0.8, "{own:?}");
        }
    }
}
