//! From clusters to labels: the scores of patterns, the labels of pixels, and how sure these
//! are, from either backend's features.
//!
//! Labels may differ only where two patterns tie: what counts is how far their scores lie
//! apart there, by the trusted backend's features. Regions are the same unless a site ties.

use ndarray::{ArcArray2, Array1, Array2, Array3, Axis};

use super::features::Features;
use super::scores;
use super::worst::Worst;
use super::{Stage, site};
use crate::Result;
use crate::backend::Backend;
use crate::cluster::kmeans::{self, Clustering};
use crate::descriptor::rounding::EPS;
use crate::image::rows::Rows;
use crate::labels::label_map::{LabelMap, Numbering};
use crate::labels::regions;
use crate::pipeline::label::{Apart, Clusters, Labelled};
use crate::plan::{Labels, Plan, automatic};

/// Patterns whose scores, logarithms of likelihoods, are this much below the best have no
/// share in a membership.
pub(super) const NEGLIGIBLE: f64 = 20.0;

/// What functions and quotients of f32 may do to a membership on two backends' features.
const MEMBERSHIP: f64 = 2.0 * (3.0 * NEGLIGIBLE + 8.0) * EPS;

/// The patterns that the trusted backend found in its features.
pub(super) struct Patterns<'a> {
    pub(super) found: Clustering,
    /// Variance of each feature about the centroids, `[q]`.
    pub(super) variance: Array1<f64>,
    /// Strength of the cut between each two of them, `[k, k]`, where regions were split.
    pub(super) clarities: Option<&'a Array2<f64>>,
    /// Of the sites that take part.
    pub(super) features: Features,
    pub(super) plan: &'a Plan,
}

impl Patterns<'_> {
    /// The stages `scores` (where labels are interpolated), `labels` and `confidence`.
    pub(super) fn compare(
        &self,
        absent: Option<&ArcArray2<bool>>,
        checked: &dyn Backend,
    ) -> Result<Vec<Stage>> {
        let [points, others] = &self.features.values;
        let own = Clusters {
            points: points.view(),
            clustering: &self.found,
            within_variance: &self.variance,
            numbering: &Numbering::Order(self.plan.params().order),
            gaps: Apart::Measured(self.clarities),
            held: &[],
            pattern_of: None,
        };
        let own = own.label(self.plan, absent, None);
        // Clusters in the order of their labels, so that these stay.
        let centroids = self.found.centroids.select(Axis(0), &own.map.order());
        let other = Clusters {
            points: others.view(),
            clustering: &kmeans::assign(others.view(), centroids.clone(), checked)?,
            within_variance: &self.variance,
            numbering: &Numbering::Given((1..=centroids.nrows() as u16).collect()),
            gaps: Apart::Known(&own.gaps),
            held: &[],
            pattern_of: None,
        };
        let other = other.label(self.plan, absent, None);
        Ok(match (own.map.scores(), other.map.scores(), self.plan.params().labels) {
            (Some(one), Some(two), Labels::Interpolated { smooth, least_confidence }) => {
                let bounds = self.score_bounds(one, &centroids, smooth);
                let scores = self.scores([one, two], &bounds);
                let limits = (&bounds, least_confidence);
                let [labels, confidence] = pixels([&own, &other], one, limits);
                vec![scores, labels, confidence]
            }
            _ => self.sites([&own, &other], &centroids).into(),
        })
    }

    /// How far the scores, on the site grid, may be apart.
    fn score_bounds(
        &self,
        smoothed: &Array3<f32>,
        centroids: &Array2<f64>,
        smooth: f64,
    ) -> Array3<f32> {
        let (points, plan) = (&self.features.values[0], self.plan);
        let variance = self.variance.mean().unwrap_or_default();
        let weight = if variance > 0.0 { 0.5 * regions::STEEPNESS / variance } else { 0.0 };
        let raw = regions::scores(points.view(), centroids, variance);
        let mut off = self.off(centroids, &Array1::from_elem(points.ncols(), weight));
        off.zip_mut_with(&raw, |off, score| *off += 2.0 * EPS as f32 * score.abs());
        let sigma = automatic::smoothing(smooth, plan.sites().grid().stride).sigma;
        scores::smoothed([&raw, &off], smoothed, sigma, plan.sites())
    }

    /// How far the weighted squared distances of the points from the centroids may be apart,
    /// `[k, active sites]`: each term by `weight (2 distance x bound + bound^2)`.
    fn off(&self, centroids: &Array2<f64>, weights: &Array1<f64>) -> Array2<f32> {
        let (points, bounds) = (&self.features.values[0], &self.features.bounds);
        Array2::from_shape_fn((centroids.nrows(), points.nrows()), |(k, i)| {
            let terms = points.row(i).into_iter().zip(bounds.row(i)).zip(centroids.row(k));
            let terms = terms.zip(weights).map(|(((&p, &bound), c), weight)| {
                let bound = f64::from(bound);
                weight * bound * (2.0 * (f64::from(p) - c).abs() + bound)
            });
            terms.sum::<f64>() as f32
        })
    }

    fn scores(&self, pair: [&Array3<f32>; 2], bounds: &Array3<f32>) -> Stage {
        let cols = pair[0].dim().2;
        let mut worst = Worst::default();
        for ((((k, r, c), &a), &b), &bound) in pair[0].indexed_iter().zip(pair[1]).zip(bounds) {
            worst.add([a.into(), b.into()], bound.into(), (r * cols + c, k));
        }
        let clusters = pair[0].dim().0;
        let reason = "features' bounds x slope of the scores, averaged like these";
        worst.stage("scores", reason.into(), |(i, k)| {
            format!("{}, label {}, k = {clusters}", site(self.plan, i), k + 1)
        })
    }

    /// The stages of labels and confidences that are those of sites.
    fn sites(&self, pair: [&Labelled; 2], centroids: &Array2<f64>) -> [Stage; 2] {
        let points = &self.features.values[0];
        let off = self.off(centroids, &Array1::ones(points.ncols()));
        let half = |&variance: &f64| if variance > 0.0 { 0.5 / variance } else { 0.0 };
        let weights = self.variance.map(half);
        let doubt = self.off(centroids, &weights);
        let distance = |i: usize, k: usize, weight: &dyn Fn(usize) -> f64| -> f64 {
            let terms = points.row(i).into_iter().zip(centroids.row(k)).enumerate();
            terms.map(|(f, (&p, c))| weight(f) * (f64::from(p) - c).powi(2)).sum()
        };
        let (mut labels, mut confidence) = (Worst::default(), Worst::default());
        for (i, index) in self.plan.sites().active_indices().enumerate() {
            let cols = self.plan.sites().grid().count.cols;
            let [a, b] = pair.map(|side| side.map.sites[(index / cols, index % cols)]);
            if a != b {
                let [a, b] = [a, b].map(|label| usize::from(label).saturating_sub(1));
                let to = [a, b].map(|k| distance(i, k, &|_| 1.0));
                let rounding = 2.0 * EPS * (points.ncols() as f64 + 2.0) * to[0].max(to[1]);
                let bound = f64::from(off[(a, i)] + off[(b, i)]) + rounding;
                labels.add(to, bound, (index, 0));
                continue;
            }
            labels.add([a.into(), b.into()], 0.0, (index, 0));
            let exponents: Vec<f64> =
                (0..centroids.nrows()).map(|k| -distance(i, k, &|f| weights[f])).collect();
            let bound = membership_bound(&exponents, |k| doubt[(k, i)].into());
            let pair = pair.map(|side| f64::from(side.memberships[i]));
            confidence.add(pair, bound, (index, 0));
        }
        let clusters = centroids.nrows();
        let place = |(i, _)| format!("{}, k = {clusters}", site(self.plan, i));
        [
            labels.stage(
                "labels",
                "where labels differ, the squared distances from both centroids: \
                distance x features' bounds"
                    .into(),
                place,
            ),
            confidence.stage("confidence", CONFIDENCE.into(), place),
        ]
    }
}

const CONFIDENCE: &str =
    "the largest bound of the logarithms of likelihoods that count, where labels agree";

/// How far a membership may be apart where logarithms of likelihoods, `exponents`, may be apart
/// by `off` each: a share changes by at most half of what a ratio of likelihoods does.
fn membership_bound(exponents: &[f64], off: impl Fn(usize) -> f64) -> f64 {
    let best = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let counts = exponents.iter().enumerate().filter(|(_, e)| **e >= best - NEGLIGIBLE);
    let off = counts.map(|(k, _)| off(k)).fold(0.0, f64::max);
    (0.5 * (2.0 * off).exp_m1()).min(1.0) + MEMBERSHIP
}

/// The stages of labels and confidences of pixels, with the `scores` of the trusted backend by
/// label, `[k, site rows, site cols]`; what they may be off by, and the least confidence of a
/// label.
fn pixels(
    pair: [&Labelled; 2],
    scores: &Array3<f32>,
    (bounds, least): (&Array3<f32>, f64),
) -> [Stage; 2] {
    let maps = pair.map(|side| &side.map);
    let spreads = pair.map(|side| side.map.confidence(&side.memberships));
    let (rows, cols) = maps[0].shape();
    let (mut labels, mut confidence) = (Worst::default(), Worst::default());
    let mut lines = [vec![0_u16; cols], vec![0; cols]];
    let mut sure = [vec![0.0_f32; cols], vec![0.0; cols]];
    for row in 0..rows {
        let between = |of| LabelMap::between_sites(maps[0], of, row).expect("it has scores");
        let [scores, off] = [scores, bounds].map(between);
        for side in 0..2 {
            maps[side].fill(row, &mut lines[side]);
            spreads[side].fill(row, &mut sure[side]);
        }
        for col in 0..cols {
            let at = (row, col);
            let ([a, b], sure) = ([lines[0][col], lines[1][col]], [sure[0][col], sure[1][col]]);
            let exponents: Vec<f64> = scores.column(col).iter().map(|&s| s.into()).collect();
            let bound = || membership_bound(&exponents, |k| off[(k, col)].into());
            if a == b {
                labels.add([a.into(), b.into()], 0.0, at);
                if a > 0 {
                    confidence.add(sure.map(f64::from), bound(), at);
                }
            } else if a == 0 || b == 0 {
                // Just sure enough on one side.
                labels.add([sure[0].into(), least], bound(), at);
            } else {
                let [a, b] = [a, b].map(|label| usize::from(label) - 1);
                let pair = [exponents[a], exponents[b]];
                let rounding = 8.0 * EPS * (pair[0].abs() + pair[1].abs());
                let off = f64::from(off[(a, col)] + off[(b, col)]);
                labels.add(pair, off + rounding, at);
            }
        }
    }
    let clusters = scores.dim().0;
    let place = |(r, c)| format!("pixel at row {r}, column {c}, k = {clusters}");
    let tie = "where labels differ, the scores of both: bounds of the scores";
    [
        labels.stage("labels", tie.into(), place),
        confidence.stage("confidence", CONFIDENCE.into(), place),
    ]
}
