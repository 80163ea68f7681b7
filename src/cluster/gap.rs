//! Whether patterns are told apart by a gap, or are a cut through what varies steadily.
//!
//! Clustering finds as many clusters as it is asked for: of two crystals, or of one that
//! bends, drifts or gets thicker. What tells these apart, for each two patterns, along the
//! line from one to the other in the space of features, is their **separation**: the
//! distance of their cores (sites deeper inside than a radius) in their own spread, of
//! features that are averaged over a period. It counts for less where the features do not
//! step at the boundary but go on to change beyond it (a ramp), and where hardly any of a
//! pattern's sites are deep inside (a strip, a frame along the border).
//!
//! The limits were set on half of the scenes in `ACCURACY.md`, which has the outcome on the
//! other half.

use ndarray::{Array1, Array2, ArrayView2, Axis, Zip, s};
use rayon::prelude::*;

use crate::cluster::split::CLEAR;
use crate::image::gaussian;
use crate::labels::distance;
use crate::plan::automatic;
use crate::sites::Sites;

/// Sites that are looked at, at most: blocks of them are averaged where there are more.
const MOST: usize = 1 << 16;
/// Patterns that are compared, at most; of more nobody asks how far each two lie apart, and
/// there would be too many pairs.
const MOST_PATTERNS: usize = 64;
/// Sites that make a core; where there are fewer, a separation counts for that share.
const CORE_SITES: usize = 12;
const WITHOUT_CORE: f64 = 0.3;

/// Standard deviation of the averages, and how far from a boundary its step is looked for,
/// px of what is described.
const AVERAGE: f64 = automatic::PERIOD;
const NEAR: f64 = 1.6 * automatic::PERIOD;
/// Sites along the image's border whose windows are cut off: no step is looked for there.
const FRAME: usize = 3;
/// Share of the distance of two cores that their boundary steps by, and share of a pattern's
/// sites that are deep inside, from which on a separation counts in full. Domains step by
/// 0.43 to 0.8, ramps by 0.1 to 0.4; domains have shares of 0.5 to 0.98, strips 0 to 0.3.
const STEP: f64 = 0.45;
const DEEP: f64 = 0.6;

/// The separation at which a cut through one crystal is as likely as two patterns, and how
/// fast that changes with it (logistic in its logarithm). Single crystals that are split by
/// force have 0.5 to 4.9, domains 7.6 and more.
const EVEN: f64 = 6.3;
const STEEPNESS: f64 = 9.5;

/// How far each two patterns lie apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaps {
    /// `[k, k]`, the same both ways; infinite on the diagonal. Nothing where there are too
    /// many patterns to compare: then all count as far apart.
    separations: Option<Array2<f64>>,
}

/// What share of the membership in one pattern is one in another, since it is not known to
/// be told apart from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixing {
    /// `[k, k]`; nothing where each pattern is itself alone.
    shares: Option<Array2<f32>>,
    /// Share of a membership that is one in any pattern at all.
    certain: f32,
}

impl Mixing {
    /// Patterns that are all told apart.
    pub fn none() -> Self {
        Self { shares: None, certain: 1.0 }
    }

    /// Shares `[k, k]` of each pattern (row) in each (column).
    pub fn of(shares: Array2<f32>) -> Self {
        Self { shares: Some(shares), certain: 1.0 }
    }

    /// Share of the membership in `one` pattern that is one in `another`.
    pub fn share(&self, one: usize, another: usize) -> f32 {
        match &self.shares {
            Some(shares) => shares[(one, another)],
            None if one == another => self.certain,
            None => 0.0,
        }
    }

    /// The same with the pattern that was `order[i]` in place `i`.
    pub(crate) fn reordered(&self, order: &[usize]) -> Self {
        let shares = |shares: &Array2<f32>| shares.select(Axis(0), order).select(Axis(1), order);
        Self { shares: self.shares.as_ref().map(shares), certain: self.certain }
    }
}

impl Gaps {
    /// The least separation of two crystals in the scenes that the limits were set on.
    pub const CLEAR: f64 = 7.6;

    /// Of `clusters` patterns that lie where `labels` `[site rows, site cols]` says (nothing:
    /// the site takes no part), with the features `points` `[active sites, q]` of the sites
    /// of `sites`.
    pub fn new(
        points: ArrayView2<'_, f32>,
        labels: &Array2<Option<usize>>,
        clusters: usize,
        sites: &Sites,
    ) -> Self {
        if clusters > MOST_PATTERNS {
            return Self { separations: None };
        }
        let mut separations = Array2::from_elem((clusters, clusters), f64::INFINITY);
        if clusters > 1 {
            let field = Field::new(points, labels, sites);
            let inside: Vec<Inside> =
                (0..clusters).into_par_iter().map(|k| field.inside(k)).collect();
            let pairs: Vec<_> =
                (0..clusters).flat_map(|one| (0..one).map(move |other| (one, other))).collect();
            let separation = |&(one, other): &(usize, usize)| {
                let separation = field.separation(&inside[one], &inside[other]);
                (one, other, separation)
            };
            let found: Vec<_> = pairs.par_iter().map(separation).collect();
            for (one, other, separation) in found {
                separations[(one, other)] = separation;
                separations[(other, one)] = separation;
            }
        }
        Self { separations: Some(separations) }
    }

    /// Patterns that lie as far apart as `separations` `[k, k]` says, the same both ways;
    /// nothing where all count as far apart.
    pub fn known(separations: Option<Array2<f64>>) -> Self {
        Self { separations }
    }

    /// The same, no pattern further from another than the cut between them is clear: `clarities`
    /// `[k, k]` are strengths of cuts, of which [`CLEAR`] is where two are as likely as one.
    #[must_use]
    pub(crate) fn within(mut self, clarities: &Array2<f64>) -> Self {
        if let Some(separations) = &mut self.separations {
            let limit = |clarity: f64| EVEN * clarity / CLEAR;
            separations.zip_mut_with(clarities, |separation, &clarity| {
                *separation = separation.min(limit(clarity));
            });
        }
        self
    }

    /// All separations, `[k, k]`, infinite on the diagonal; nothing where there are too many
    /// patterns to compare.
    pub fn separations(&self) -> Option<ArrayView2<'_, f64>> {
        self.separations.as_ref().map(|all| all.view())
    }

    /// The separation of two patterns.
    pub fn separation(&self, one: usize, other: usize) -> f64 {
        self.separations.as_ref().map_or(f64::INFINITY, |all| all[(one, other)])
    }

    /// How likely two patterns are two, and not a cut through one, 0 to 1.
    pub fn trust(&self, one: usize, other: usize) -> f64 {
        trust(self.separation(one, other))
    }

    /// Share of the membership in each pattern (row) that is one in another (column), since
    /// it is not known to be told apart from it. `certain` is the share that is one in any
    /// pattern at all.
    pub(crate) fn mixing(&self, certain: f64) -> Mixing {
        let narrow = certain as f32;
        let Some(separations) = &self.separations else {
            return Mixing { shares: None, certain: narrow };
        };
        let clusters = separations.nrows();
        let doubt = Array2::from_shape_fn((clusters, clusters), |(one, other)| {
            if one == other { 1.0 } else { 1.0 - self.trust(one, other) }
        });
        let sums = doubt.sum_axis(Axis(1)).insert_axis(Axis(1));
        let shares = (certain * doubt / sums).mapv(|share| share as f32);
        Mixing { shares: Some(shares), certain: narrow }
    }

    /// The same where patterns are, or are parts of, those that `pattern_of` says: these lie as far
    /// apart as the nearest of their parts.
    pub(crate) fn merged(&self, pattern_of: &[usize]) -> Self {
        let count = pattern_of.iter().max().map_or(0, |last| last + 1);
        let nearest = |parts: &Array2<f64>| {
            let mut least = Array2::from_elem((count, count), f64::INFINITY);
            for ((one, other), &separation) in parts.indexed_iter() {
                let [one, other] = [one, other].map(|part| pattern_of[part]);
                if one != other {
                    least[(one, other)] = separation.min(least[(one, other)]);
                }
            }
            least
        };
        Self { separations: self.separations.as_ref().map(nearest) }
    }

    /// The same with the pattern that was `order[i]` in place `i`.
    pub(crate) fn reordered(&self, order: &[usize]) -> Self {
        let turned = |all: &Array2<f64>| all.select(Axis(0), order).select(Axis(1), order);
        Self { separations: self.separations.as_ref().map(turned) }
    }
}

/// How likely patterns of this separation are two.
fn trust(separation: f64) -> f64 {
    1.0 / (1.0 + (EVEN / separation.max(1e-6)).powf(STEEPNESS))
}

/// Features on the grid of sites, or of blocks of them.
struct Field {
    /// As they are, and averaged, `[q][rows, cols]`.
    features: Vec<Array2<f32>>,
    averaged: Vec<Array2<f32>>,
    label: Array2<Option<usize>>,
    /// Radius of a core, and reach of a boundary, in sites of this grid.
    radius: f32,
    near: f32,
}

/// One pattern of a [`Field`].
struct Inside {
    own: Array2<bool>,
    /// Sites of the core; all of the pattern's where there are too few.
    core: Array2<bool>,
    has_core: bool,
    /// Share of the pattern's sites that are deep inside.
    deep: f64,
    /// Distance of any site from the pattern.
    away: Option<Array2<f32>>,
}

impl Field {
    fn new(points: ArrayView2<'_, f32>, labels: &Array2<Option<usize>>, sites: &Sites) -> Self {
        let block = (labels.len() as f64 / MOST as f64).sqrt().ceil().max(1.0) as usize;
        let (label, features) = blocks(points, labels, sites, block);
        let spacing = (sites.grid().stride * block) as f64;
        let averaged = averaged(&features, &label, AVERAGE / spacing);
        let radius = automatic::smoothing(1.0, sites.grid().stride * block).core as f32;
        Self { features, averaged, label, radius, near: (NEAR / spacing) as f32 }
    }

    fn inside(&self, pattern: usize) -> Inside {
        let own = self.label.mapv(|label| label == Some(pattern));
        let others = self.label.mapv(|label| label.is_some_and(|label| label != pattern));
        let depth = distance::distance(&others);
        let deep = |at| depth.as_ref().is_none_or(|depth: &Array2<f32>| depth[at] > self.radius);
        let core = Array2::from_shape_fn(own.dim(), |at| own[at] && deep(at));
        let count = |of: &Array2<bool>| of.iter().filter(|&&there| there).count();
        let (all, inner) = (count(&own), count(&core));
        let has_core = inner >= CORE_SITES;
        Inside {
            core: if has_core { core } else { own.clone() },
            has_core,
            deep: inner as f64 / all.max(1) as f64,
            away: distance::distance(&own),
            own,
        }
    }

    fn separation(&self, one: &Inside, other: &Inside) -> f64 {
        let mean = |of: &Inside| -> Array1<f64> {
            self.averaged.iter().map(|map| moments(map, &of.core).0).collect()
        };
        let line = mean(one) - mean(other);
        let length = line.dot(&line).sqrt();
        if length.is_nan() || length == 0.0 {
            return 0.0;
        }
        let line = line / length;
        let along = |maps: &[Array2<f32>]| {
            let mut sum = Array2::<f64>::zeros(self.label.dim());
            for (map, &weight) in maps.iter().zip(&line) {
                Zip::from(&mut sum).and(map).for_each(|sum, &v| *sum += weight * f64::from(v));
            }
            sum
        };
        let averaged = along(&self.averaged);
        let ((a, va), (b, vb)) = (moments(&averaged, &one.core), moments(&averaged, &other.core));
        let spread = (0.5 * (va + vb)).sqrt().max(1e-9 * length);
        let cores = if one.has_core && other.has_core { 1.0 } else { WITHOUT_CORE };
        let step = self.step(&along(&self.features), one, other);
        let step = step.map_or(1.0, |step| (step / (a - b) / STEP).clamp(0.0, 1.0));
        let deep = (one.deep.min(other.deep) / DEEP).min(1.0);
        (a - b) / spread * cores * step * deep
    }

    /// Mean difference between the sites on either side of the boundary of two patterns;
    /// nothing where they have none.
    fn step(&self, map: &Array2<f64>, one: &Inside, other: &Inside) -> Option<f64> {
        let (rows, cols) = map.dim();
        let mean = |of: &Inside, away: &Array2<f32>| {
            let (mut sum, mut count) = (0.0, 0);
            for r in FRAME..rows.saturating_sub(FRAME) {
                for c in FRAME..cols.saturating_sub(FRAME) {
                    if of.own[(r, c)] && away[(r, c)] <= self.near {
                        sum += map[(r, c)];
                        count += 1;
                    }
                }
            }
            (count >= CORE_SITES / 2).then(|| sum / f64::from(count as u32))
        };
        Some(mean(one, other.away.as_ref()?)? - mean(other, one.away.as_ref()?)?)
    }
}

/// Mean and variance of `map` where `of` says.
fn moments<T: Copy + Into<f64>>(map: &Array2<T>, of: &Array2<bool>) -> (f64, f64) {
    let values = || map.iter().zip(of).filter(|(_, there)| **there).map(|(&v, _)| v.into());
    let count = values().count().max(1) as f64;
    let mean: f64 = values().sum::<f64>() / count;
    (mean, values().map(|v: f64| (v - mean).powi(2)).sum::<f64>() / count)
}

/// The labels of blocks of `block` x `block` sites (that of the site in the middle), and the
/// mean features of the block's sites that have it, `[q][rows, cols]`.
fn blocks(
    points: ArrayView2<'_, f32>,
    labels: &Array2<Option<usize>>,
    sites: &Sites,
    block: usize,
) -> (Array2<Option<usize>>, Vec<Array2<f32>>) {
    let (rows, cols) = labels.dim();
    let small = (rows.div_ceil(block), cols.div_ceil(block));
    let middle = |i: usize, size: usize| (i * block + block / 2).min(size - 1);
    let label = Array2::from_shape_fn(small, |(r, c)| labels[(middle(r, rows), middle(c, cols))]);
    let mut features = vec![Array2::<f32>::zeros(small); points.ncols()];
    let mut counts = Array2::<f32>::zeros(small);
    for (site, point) in sites.active_indices().zip(points.outer_iter()) {
        let (row, col) = (site / cols, site % cols);
        let at = (row / block, col / block);
        if labels[(row, col)].is_some() && labels[(row, col)] == label[at] {
            counts[at] += 1.0;
            features.iter_mut().zip(point).for_each(|(map, &value)| map[at] += value);
        }
    }
    for map in &mut features {
        Zip::from(map).and(&counts).for_each(|sum, &count| *sum /= count.max(1.0));
    }
    (label, features)
}

/// `maps` under a Gaussian of `sigma` sites, over those that have a `label`.
fn averaged(maps: &[Array2<f32>], label: &Array2<Option<usize>>, sigma: f64) -> Vec<Array2<f32>> {
    let there = label.mapv(|label| if label.is_some() { 1.0 } else { 0.0 });
    let weight = gaussian::smoothed(there.view(), sigma);
    let smooth = |map: &Array2<f32>| {
        // What takes no part is 0 in the map.
        let mut sum = gaussian::smoothed(map.slice(s![.., ..]), sigma);
        Zip::from(&mut sum).and(&weight).for_each(|sum, &weight| *sum /= weight.max(1e-6));
        sum
    };
    maps.iter().map(smooth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Params;
    use crate::plan::{Outline, Plan};

    /// Sites of stride 8, with a feature for each and a little noise.
    fn gaps(feature: impl Fn(usize, usize) -> f32, second: impl Fn(usize, usize) -> bool) -> Gaps {
        let params = Params { stride: 8, ..Default::default() };
        let plan = Plan::new(params, Outline::new((481, 561), 1.0)).unwrap();
        let count = plan.sites().grid().count;
        let mut state = 3_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        let points = Array2::from_shape_fn((count.area(), 1), |(site, _)| {
            feature(site / count.cols, site % count.cols) + noise()
        });
        let labels = Array2::from_shape_fn((count.rows, count.cols), |(r, c)| {
            Some(usize::from(second(r, c)))
        });
        Gaps::new(points.view(), &labels, 2, plan.sites())
    }

    #[test]
    fn a_ramp_is_no_gap() {
        let half = |_: usize, c: usize| c >= 30;
        let step = gaps(|_, c| if c >= 30 { 4.0 } else { 0.0 }, half);
        assert!(step.trust(0, 1) > 0.99, "{step:?}");
        assert_eq!(step.separation(0, 1), step.separation(1, 0));
        let ramp = gaps(|_, c| 0.2 * c as f32, half);
        assert!(ramp.trust(0, 1) < 0.1, "{ramp:?}");
        let nothing = gaps(|_, _| 0.0, half);
        assert!(nothing.trust(0, 1) < 0.01, "{nothing:?}");
    }

    #[test]
    fn strips_and_frames_are_no_patterns() {
        let strip = |_: usize, c: usize| (28..31).contains(&c);
        let gaps = gaps(|r, c| if strip(r, c) { 4.0 } else { 0.0 }, strip);
        assert!(gaps.trust(0, 1) < 0.1, "{gaps:?}");
    }

    #[test]
    fn what_is_not_told_apart_is_shared() {
        let mut separations = Array2::from_elem((3, 3), 100.0);
        separations.diag_mut().fill(f64::INFINITY);
        separations[(0, 1)] = 0.1;
        separations[(1, 0)] = 0.1;
        let gaps = Gaps { separations: Some(separations) };
        let mixing = gaps.mixing(1.0);
        for (one, other, share) in [(0, 0, 0.5), (0, 1, 0.5), (0, 2, 0.0), (2, 2, 1.0), (2, 0, 0.0)]
        {
            assert!((mixing.share(one, other) - share).abs() < 1e-3, "{mixing:?}");
        }
        let turned = gaps.reordered(&[2, 0, 1]);
        assert_eq!((turned.separation(1, 2), turned.separation(0, 1)), (0.1, 100.0));
        let half = gaps.mixing(0.5);
        for one in 0..3 {
            let all: f32 = (0..3).map(|other| half.share(one, other)).sum();
            assert!((all - 0.5).abs() < 1e-6, "{half:?}");
        }
    }

    #[test]
    fn of_very_many_patterns_each_is_itself() {
        let plan = Plan::new(Params::default(), Outline::new((200, 200), 1.0)).unwrap();
        let labels = Array2::from_elem(
            (plan.sites().grid().count.rows, plan.sites().grid().count.cols),
            Some(0),
        );
        let points = Array2::zeros((plan.sites().grid().len(), 1));
        let gaps = Gaps::new(points.view(), &labels, 60_000, plan.sites()).reordered(&[]);
        assert_eq!(gaps.separation(1, 59_999), f64::INFINITY);
        let mixing = gaps.mixing(0.5);
        assert_eq!([(7, 7), (7, 8)].map(|(one, other)| mixing.share(one, other)), [0.5, 0.0]);
    }
}
