//! From the features of sites to one score for each pattern, and the regions that
//! patterns may have.
//!
//! A score is the logarithm of a likelihood: minus the squared distance from the
//! pattern's centroid over twice the variance. Between sites scores are linear, so a
//! boundary lies where two of them are equal, not at the edge of a site's cell.
//!
//! Memberships are averaged over neighbouring sites first, which takes the noise out of
//! boundaries and leaves straight ones where they are. Averages of scores would not: a
//! score has no limit, and of two patterns the one whose sites are further from the
//! other's would move the boundary.
//!
//! An average lies low on a ridge and high in a valley, so that it makes round regions smaller and
//! cuts corners off. What a second average takes from the first is about what the first has taken
//! from the memberships, and is given back, as far as these are sure: where they hold more noise
//! than boundaries, it would give the noise back.
//!
//! A pattern's **core** are its sites deeper inside than a radius. It may be where the
//! way to its core is not much longer than that to the nearest core of any: slivers
//! along boundaries and single faults, which look like a pattern of their own or like
//! any other one, have no core and go to those that surround them.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Zip};
use rayon::prelude::*;

use crate::image::gaussian;
use crate::labels::distance::distance;

/// Score of a pattern where it may not be.
const NEVER: f32 = -1e6;

/// How steep scores are compared with those of the pooled variance: features of neighbouring
/// sites depend on each other, so distances say less than as many of their own would.
/// Fitted on simulated scenes, so that memberships are shares of right labels.
pub(crate) const STEEPNESS: f64 = 0.7;

/// What scores are multiplied with before they are averaged as memberships: flatter ones
/// change steadily all the way where windows see both sides of a boundary.
pub(crate) const TEMPER: f32 = 0.15;
/// What logarithms of averaged memberships are multiplied with to be scores again. Fitted
/// on simulated scenes, so that memberships are shares of right labels.
pub(crate) const SHARPNESS: f32 = 7.0;
/// How many times what a second average takes is given back: for the first, and for the windows of
/// the descriptors, which average as well.
pub(crate) const GIVEN_BACK: f64 = 2.0;
/// Mean membership of sites in the pattern of their surroundings up to which nothing is given
/// back, and from which on all of it is.
pub(crate) const SURE: [f64; 2] = [0.65, 0.85];
/// Least averaged membership, whose logarithm is finite.
pub(crate) const LEAST: f32 = 1e-6;

/// The best of the `scores` `[parts, sites]` of the parts of each pattern, `[k, sites]`;
/// `pattern_of` says which pattern each is a part of.
pub(crate) fn merged(scores: ArrayView2<'_, f32>, pattern_of: &[usize]) -> Array2<f32> {
    let count = pattern_of.iter().max().map_or(0, |last| last + 1);
    let mut best = Array2::from_elem((count, scores.ncols()), f32::NEG_INFINITY);
    for (part, &pattern) in scores.outer_iter().zip(pattern_of) {
        best.row_mut(pattern).zip_mut_with(&part, |best, &score| *best = best.max(score));
    }
    best
}

/// Scores `[k, sites]` of `points` `[sites, q]` under patterns with `centroids` `[k, q]`
/// and a mean `variance` of the features about them.
pub fn scores(points: ArrayView2<'_, f32>, centroids: &Array2<f64>, variance: f64) -> Array2<f32> {
    let scale = if variance > 0.0 { -0.5 * STEEPNESS / variance } else { 0.0 };
    let mut scores = Array2::zeros((centroids.nrows(), points.nrows()));
    scores.outer_iter_mut().into_par_iter().zip(centroids.outer_iter()).for_each(
        |(mut scores, centroid)| {
            for (score, point) in scores.iter_mut().zip(points.outer_iter()) {
                let terms = point.iter().zip(centroid).map(|(&p, c)| (f64::from(p) - c).powi(2));
                *score = (scale * terms.sum::<f64>()) as f32;
            }
        },
    );
    scores
}

/// The pattern of highest score, the first of equals.
pub fn best(scores: impl Iterator<Item = f32>) -> usize {
    let best = |best: (usize, f32), (i, score): (usize, f32)| match score > best.1 {
        true => (i, score),
        false => best,
    };
    scores.enumerate().fold((0, f32::NEG_INFINITY), best).0
}

/// The pattern of highest score at each site of `scores` `[k, rows, cols]`.
pub fn labels(scores: ArrayView3<'_, f32>) -> Array2<usize> {
    let (_, rows, cols) = scores.dim();
    Array2::from_shape_fn((rows, cols), |(r, c)| {
        best(scores.slice(ndarray::s![.., r, c]).iter().copied())
    })
}

/// A site whose pattern is known, whatever its features say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its row and column among the sites.
    pub site: (usize, usize),
    /// Its pattern, from 0 on.
    pub pattern: usize,
}

/// Gives each of the sites that are `held` to its pattern in `scores` `[k, rows, cols]`.
fn hold(scores: &mut Array3<f32>, held: &[Held]) {
    for &Held { site: (row, col), pattern } in held {
        let mut site = scores.slice_mut(ndarray::s![.., row, col]);
        site.fill(NEVER);
        site[pattern] = 0.0;
    }
}

/// How scores of sites become regions; lengths in sites.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Smoothing {
    /// Standard deviation of the Gaussian that memberships are averaged under.
    pub sigma: f64,
    /// Radius of cores; none are needed at 0.
    pub core: f64,
    /// How much longer than the radius the way to a core may be.
    pub slack: f64,
}

impl Smoothing {
    /// Smooths `scores` `[k, rows, cols]` and confines the patterns; sites that are `held` keep
    /// theirs, and count as cores of these.
    pub fn apply(&self, scores: &mut Array3<f32>, held: &[Held]) {
        hold(scores, held);
        if self.sigma > 0.0 {
            self.average(scores);
            sharpen(scores);
            hold(scores, held);
        }
        self.confine(scores, held);
    }

    /// First half of [`apply`](Self::apply): the memberships that `scores` `[k, rows, cols]`
    /// give, averaged under the Gaussian. What is averaged besides, as along time, is between
    /// the halves.
    pub(crate) fn average(&self, scores: &mut Array3<f32>) {
        Zip::from(scores.lanes_mut(Axis(0))).par_for_each(|mut scores| {
            let highest = scores.fold(f32::NEG_INFINITY, |a, &b| a.max(b));
            scores.mapv_inplace(|score| (TEMPER * (score - highest)).exp());
            let sum = scores.sum();
            scores.mapv_inplace(|likelihood| likelihood / sum);
        });
        if self.sigma > 0.0 {
            let mut means = scores.clone();
            means.outer_iter_mut().into_par_iter().for_each(|mut means| {
                let mean = gaussian::smoothed(means.view(), self.sigma);
                means.assign(&mean);
            });
            let share = given_back(scores.view(), means.view());
            let maps = scores.outer_iter_mut().into_par_iter().zip(means.outer_iter());
            maps.for_each(|(mut memberships, mean)| {
                memberships.assign(&mean);
                if share > 0.0 {
                    let again = gaussian::smoothed(mean, self.sigma);
                    memberships
                        .zip_mut_with(&again, |to, &again| *to = returned(*to, again, share));
                }
            });
        }
    }

    /// Second half: confines the patterns of scores `[k, rows, cols]`.
    pub(crate) fn confine(&self, scores: &mut Array3<f32>, held: &[Held]) {
        if self.core > 0.0 {
            confine(scores, self.core, self.slack, held);
        }
    }
}

/// What share of what a second average takes from the `means` of `memberships`, both `[k, rows,
/// cols]`, is given back.
pub(crate) fn given_back(memberships: ArrayView3<'_, f32>, means: ArrayView3<'_, f32>) -> f32 {
    let (_, rows, cols) = means.dim();
    let of_row = |row: usize| -> f64 {
        let own = |col| best(means.slice(ndarray::s![.., row, col]).iter().copied());
        (0..cols).map(|col| f64::from(memberships[(own(col), row, col)])).sum()
    };
    let sure = (0..rows).map(of_row).sum::<f64>() / (rows * cols) as f64;
    let [none, all] = SURE;
    (GIVEN_BACK * ((sure - none) / (all - none)).clamp(0.0, 1.0)) as f32
}

/// A `mean` to which this `share` is given back of what a second average, `again`, takes from it.
pub(crate) fn returned(mean: f32, again: f32, share: f32) -> f32 {
    (mean + share * (mean - again)).clamp(0.0, 1.0)
}

/// Averaged memberships `[k, rows, cols]` as scores again.
pub(crate) fn sharpen(memberships: &mut Array3<f32>) {
    memberships.par_mapv_inplace(|mean| SHARPNESS * mean.max(LEAST).ln());
}

/// Takes patterns from the sites where they may not be: see above. `radius` is that of
/// cores, `slack` how much longer than the radius the way to a core may be; both in
/// sites. `scores` is `[k, rows, cols]`; sites that are `held` are cores.
fn confine(scores: &mut Array3<f32>, radius: f64, slack: f64, held: &[Held]) {
    let labels = labels(scores.view());
    let patterns: Vec<usize> = (0..scores.dim().0).collect();
    let distances: Vec<Option<Array2<f32>>> = patterns
        .par_iter()
        .map(|&pattern| {
            let depth = distance(&labels.map(|&l| l != pattern))?;
            let deepest = labels.iter().zip(&depth).filter(|(l, _)| **l == pattern);
            let deepest = deepest.fold(0.0_f32, |deepest, (_, &d)| deepest.max(d));
            // A pattern of thin regions alone has cores where they are thickest.
            let radius = (radius as f32).min(0.7 * deepest);
            let mut cores = depth.map(|&d| d > radius);
            for held in held.iter().filter(|held| held.pattern == pattern) {
                cores[held.site] = true;
            }
            distance(&cores)
        })
        .collect();
    let nearest = |at: (usize, usize)| {
        let all = distances.iter().flatten().map(|d| d[at]);
        all.fold(f32::INFINITY, f32::min)
    };
    let (_, rows, cols) = scores.dim();
    let nearest = Array2::from_shape_fn((rows, cols), nearest);
    let reach = (radius + slack) as f32;
    for (mut scores, distance) in scores.axis_iter_mut(Axis(0)).zip(&distances) {
        let Some(distance) = distance else { continue };
        for ((score, &own), &least) in scores.iter_mut().zip(distance).zip(&nearest) {
            if own > least + reach {
                *score = NEVER;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores of two patterns that are where `second` says.
    fn of(second: impl Fn(usize, usize) -> bool) -> Array3<f32> {
        Array3::from_shape_fn(
            (2, 60, 60),
            |(k, r, c)| {
                if (k == 1) == second(r, c) { -1.0 } else { -5.0 }
            },
        )
    }

    #[test]
    fn a_straight_boundary_stays_however_far_patterns_differ() {
        // Twenty times as far from the second pattern as its own sites are from the first.
        let mut scores = Array3::from_shape_fn((2, 40, 60), |(k, _, c)| match (k, c < 30) {
            (1, true) => -400.0,
            (0, false) => -20.0,
            _ => 0.0,
        });
        Smoothing { sigma: 3.0, ..Default::default() }.apply(&mut scores, &[]);
        let labels = labels(scores.view());
        assert!(labels.indexed_iter().all(|((_, c), &label)| (label == 1) == (c >= 30)));
        // Logarithms, and as sure as far from the boundary as can be.
        assert!(scores.iter().all(|s| (-97.0..=1e-3).contains(s)));
        assert!(scores[(0, 20, 0)] > -0.1 && scores[(1, 20, 0)] < -50.0, "{scores:?}");
    }

    #[test]
    fn a_round_region_keeps_its_size() {
        let inside = |r: usize, c: usize| (r as f64 - 29.5).hypot(c as f64 - 29.5) < 12.0;
        let area = |scores: &Array3<f32>| labels(scores.view()).iter().filter(|&&l| l == 1).count();
        let sites = (0..3600).filter(|site| inside(site / 60, site % 60)).count() as f64;
        let away = |far: f32| {
            let mut scores = Array3::from_shape_fn((2, 60, 60), |(k, r, c)| {
                if (k == 1) == inside(r, c) { 0.0 } else { -far }
            });
            Smoothing { sigma: 5.0, ..Default::default() }.apply(&mut scores, &[]);
            area(&scores) as f64 / sites - 1.0
        };
        assert!(away(40.0).abs() < 0.04, "{}", away(40.0));
        // Unsure memberships are averaged, no more.
        assert!(away(2.0) < -0.12, "{}", away(2.0));
    }

    #[test]
    fn slivers_go_to_their_surroundings_and_regions_stay() {
        let region = |r: usize, c: usize| r >= 40 && c >= 10;
        let sliver = |r: usize, c: usize| r == 10 && c < 30;
        let mut scores = of(|r, c| region(r, c) || sliver(r, c));
        confine(&mut scores, 4.0, 2.0, &[]);
        let labels = labels(scores.view());
        for ((r, c), &label) in labels.indexed_iter() {
            assert_eq!(label == 1, region(r, c), "{r} {c}");
        }
    }

    #[test]
    fn a_pattern_of_thin_regions_alone_stays() {
        let thin = |r: usize, _: usize| (20..25).contains(&r);
        let mut scores = of(thin);
        confine(&mut scores, 8.0, 2.0, &[]);
        assert!(labels(scores.view()).indexed_iter().all(|((r, c), &l)| (l == 1) == thin(r, c)));
    }

    #[test]
    fn scores_are_log_likelihoods() {
        let points = ndarray::array![[0.0_f32, 0.0], [3.0, 4.0]];
        let centroids = ndarray::array![[0.0, 0.0], [3.0, 0.0]];
        let found = scores(points.view(), &centroids, 2.0);
        let expected =
            [[0.0, 25.0], [9.0, 16.0]].map(|row| row.map(|d| -0.25 * d * STEEPNESS as f32));
        let away = (found - ndarray::arr2(&expected)).mapv(f32::abs);
        assert!(away.iter().all(|&d| d < 1e-5), "{away}");
        assert_eq!(best([1.0, 3.0, 3.0].into_iter()), 1);
    }

    #[test]
    fn a_site_that_is_held_keeps_its_pattern_and_is_a_core() {
        // A wide region on the right, and a small one of the same pattern far from it.
        let small = |r: usize, c: usize| (26..34).contains(&r) && (6..14).contains(&c);
        let second = |r: usize, c: usize| c >= 40 || small(r, c);
        let smoothing = Smoothing { sigma: 1.0, core: 6.0, slack: 2.0 };
        let found = |held: &[Held]| {
            let mut scores = of(second);
            smoothing.apply(&mut scores, held);
            labels(scores.view())
        };
        let without = found(&[]);
        assert_eq!((without[(30, 10)], without[(30, 50)]), (0, 1), "too small for a core");
        let inside = found(&[Held { site: (30, 10), pattern: 1 }]);
        assert_eq!((inside[(30, 10)], inside[(28, 8)], inside[(30, 25)]), (1, 1, 0));
        // Against all that features say, and nothing about it.
        let alone = found(&[Held { site: (10, 10), pattern: 1 }]);
        assert_eq!((alone[(10, 10)], alone[(10, 14)], alone[(30, 10)]), (1, 0, 0));
        assert_eq!(found(&[Held { site: (30, 50), pattern: 1 }]), without);
    }
}
