//! Third step: from clusters of sites to labels of pixels, how sure these are, and which
//! channels tell the patterns apart.

use ndarray::{ArcArray2, Array1, Array2, ArrayView2};
use rayon::prelude::*;

use super::{Describing, Patterns};
use crate::Result;
use crate::cluster::confidence::{self, ClassSums};
use crate::cluster::gap::Gaps;
use crate::cluster::kmeans::Clustering;
use crate::labels::label_map::{Canvas, LabelMap, Numbering};
use crate::labels::regions::{self, Held};
use crate::lattice::Repetition;
use crate::plan::{Labels, Plan, automatic};
use crate::progress::Progress;

/// Share of a membership that is one in any of the patterns, where nothing in the image
/// repeats: that there is no pattern is as likely.
const CERTAIN_WITHOUT_LATTICE: f64 = 0.5;

/// Sites whose sums one task makes; fixed, so that sums do not depend on threads.
const SITES_PER_TASK: usize = 1024;

/// Clusters of the active sites, and what they are clusters of.
#[derive(Clone, Copy)]
pub(crate) struct Clusters<'a> {
    /// Features of the active sites, `[active sites, q]`.
    pub(crate) points: ArrayView2<'a, f32>,
    pub(crate) clustering: &'a Clustering,
    /// Variance of each feature about the centroids, pooled, `[q]`.
    pub(crate) within_variance: &'a Array1<f64>,
    /// Which label each cluster gets.
    pub(crate) numbering: &'a Numbering,
    /// How far the clusters lie apart.
    pub(crate) gaps: Apart<'a>,
    /// Sites whose pattern is known.
    pub(crate) held: &'a [Held],
    /// Which pattern each cluster is, or is a part of; nothing where each is its own.
    pub(crate) pattern_of: Option<&'a [usize]>,
}

/// How it is known how far clusters lie apart.
#[derive(Clone, Copy)]
pub(crate) enum Apart<'a> {
    /// It is measured, and no more than the cuts between them are clear, where these are known.
    Measured(Option<&'a Array2<f64>>),
    /// From where they were found.
    Known(&'a Gaps),
}

/// What labels of pixels are made of.
pub(crate) struct Labelled {
    pub(crate) map: LabelMap,
    /// Membership of each active site in the pattern of its label, `[active sites]`.
    pub(crate) memberships: Vec<f32>,
    /// How far the patterns lie apart, by label.
    pub(crate) gaps: Gaps,
}

impl Clusters<'_> {
    /// The labels of the pixels of an image of which those under `absent` have none, and which
    /// repeats like that, where it is known.
    pub(crate) fn label(
        &self,
        plan: &Plan,
        absent: Option<&ArcArray2<bool>>,
        repetition: Option<&Repetition>,
    ) -> Labelled {
        let nothing_repeats = repetition.is_some_and(|repeats| repeats.period_px.is_none());
        let certain = if nothing_repeats { CERTAIN_WITHOUT_LATTICE } else { 1.0 };
        let canvas = Canvas { held: self.held, ..plan.canvas(self.numbering, absent) };
        let Self { points, clustering, within_variance, .. } = *self;
        let clusters = clustering.centroids.nrows();
        let patterns_of =
            self.pattern_of.map_or_else(|| (0..clusters).collect(), <[usize]>::to_vec);
        let count = patterns_of.iter().max().map_or(0, |last| last + 1);
        let (map, memberships, gaps) = match plan.params().labels {
            Labels::Nearest => {
                let pattern = |&cluster: &u32| patterns_of[cluster as usize] as u32;
                let patterns: Vec<u32> = clustering.labels.iter().map(pattern).collect();
                let map = LabelMap::new(&patterns, count, canvas);
                let grid = plan.sites().grid().count;
                let patterns =
                    Array2::from_shape_fn((grid.rows, grid.cols), |at| map.cluster_at(at));
                let gaps = self.gaps(&patterns, plan);
                let mixing = (&gaps.mixing(certain), &patterns_of[..]);
                let memberships =
                    confidence::memberships(points, clustering, within_variance, mixing);
                (map, memberships, gaps)
            }
            Labels::Interpolated { smooth, least_confidence } => {
                let variance = within_variance.mean().unwrap_or_default();
                let scores = regions::scores(points, &clustering.centroids, variance);
                let scores = match self.pattern_of {
                    Some(pattern_of) => regions::merged(scores.view(), pattern_of),
                    None => scores,
                };
                let smoothing = automatic::smoothing(smooth, plan.sites().grid().stride);
                let limits = (smoothing, least_confidence);
                let mut gaps = None;
                let mixing = |patterns: &Array2<Option<usize>>| {
                    gaps.insert(self.gaps(patterns, plan)).mixing(certain)
                };
                let map = LabelMap::of_scores(scores.view(), limits, canvas, mixing);
                let memberships = map.memberships().unwrap_or_default();
                (map, memberships, gaps.expect("the map asked for them"))
            }
        };
        let gaps = gaps.reordered(&map.order());
        Labelled { map, memberships, gaps }
    }

    fn gaps(&self, patterns: &Array2<Option<usize>>, plan: &Plan) -> Gaps {
        let measured =
            || Gaps::new(self.points, patterns, self.clustering.centroids.nrows(), plan.sites());
        match self.gaps {
            Apart::Known(gaps) => gaps.clone(),
            Apart::Measured(None) => measured(),
            Apart::Measured(Some(clarities)) => measured().within(clarities),
        }
    }
}

/// Fills in the separability of the channels, from a sample of about this many sites, `sampled`.
pub(crate) fn separate(
    results: &mut [Patterns],
    sites: &mut Describing<'_>,
    sampled: usize,
    progress: &dyn Progress,
) -> Result<()> {
    let plan = sites.plan();
    let zero = |p: &Patterns| ClassSums::zero(p.clustering.centroids.nrows(), plan.channels());
    let mut sums: Vec<ClassSums> = results.iter().map(zero).collect();
    let sample = plan.sites().sample_bands(sampled);
    sites.each(&sample, progress, |band, descriptors| {
        for (patterns, sums) in results.iter().zip(&mut sums) {
            let parts: Vec<ClassSums> = (0..band.len())
                .into_par_iter()
                .step_by(SITES_PER_TASK)
                .map(|first| {
                    let mut part = zero(patterns);
                    for site in first..band.len().min(first + SITES_PER_TASK) {
                        let at = (band.rows.start + site / band.cols, site % band.cols);
                        if let Some(cluster) = patterns.map.cluster_at(at) {
                            part.add(cluster, descriptors.row(site));
                        }
                    }
                    part
                })
                .collect();
            parts.iter().for_each(|part| sums.merge(part));
        }
        Ok(())
    })?;
    for (patterns, sums) in results.iter_mut().zip(&sums) {
        patterns.separability = sums.separability();
    }
    Ok(())
}
