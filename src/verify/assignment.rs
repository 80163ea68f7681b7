//! One assignment of points to centroids, and the sums of the clusters that it gives.

use ndarray::{ArrayView2, Axis};

use super::Stage;
use super::worst::Worst;
use crate::Result;
use crate::backend::checked::{TERMS, cluster_sums};
use crate::backend::{Backend, Step};
use crate::descriptor::rounding::EPS;

/// Labels may differ only where two distances tie within rounding: what counts
/// is how much farther the checked backend's choice is than the nearest. Sums are those of the
/// labels that come with them.
pub(super) fn compare(
    points: ArrayView2<'_, f32>,
    centroids: ArrayView2<'_, f32>,
    reference: &dyn Backend,
    checked: &dyn Backend,
) -> Result<[Stage; 2]> {
    let count = points.nrows();
    let run = |backend: &dyn Backend| -> Result<(Vec<u32>, Vec<f32>, Step)> {
        let (mut labels, mut distances) = (vec![u32::MAX; count], vec![f32::NAN; count]);
        let mut assigner = backend.assigner(points)?;
        let step = assigner.step(centroids)?;
        assigner.labels(&mut labels, &mut distances)?;
        Ok((labels, distances, step))
    };
    let ((labels, ..), (others, distances, step)) = (run(reference)?, run(checked)?);
    let to = |i: usize, label: u32| -> f64 {
        match centroids.axis_iter(Axis(0)).nth(label as usize) {
            Some(c) => points.row(i).iter().zip(c).map(|(p, c)| f64::from(p - c).powi(2)).sum(),
            None => f64::INFINITY,
        }
    };
    let largest = (0..count).map(|i| to(i, labels[i])).fold(0.0, f64::max);
    let q = points.ncols();
    let bound = 2.0 * EPS * (q as f64 + 2.0) * largest;
    let mut worst = Worst::default();
    for i in 0..count {
        // The distance that was reported, and that of the label that was reported.
        let nearest = to(i, labels[i]);
        let (own, said) = (to(i, others[i]), f64::from(distances[i]));
        let farther = said.is_nan() || (said - nearest).abs() > (own - nearest).abs();
        let chosen = if farther { said } else { own };
        worst.add([nearest, chosen], bound, (i, 0));
    }
    let reason = format!("2 eps ({q} features + 2) x largest squared distance");
    let clusters = centroids.nrows();
    let nearest = worst.stage("assignment", reason, |(i, _)| format!("point {i}, k = {clusters}"));
    Ok([nearest, sums(points, &others, &step)])
}

/// Compares the sums and numbers of a step with those of the points by their `labels`.
fn sums(points: ArrayView2<'_, f32>, labels: &[u32], step: &Step) -> Stage {
    let (clusters, features) = step.sums.dim();
    let last = clusters.saturating_sub(1) as u32;
    // A label that no cluster has was found above; here it counts for another one.
    let labels: Vec<u32> = labels.iter().map(|&label| label.min(last)).collect();
    let all = cluster_sums(points, &labels, clusters);
    let mut worst = Worst::default();
    for (cluster, own) in all.rows().into_iter().enumerate() {
        worst.add([own[2 * features], step.counts[cluster] as f64], 0.0, (cluster, features));
        for f in 0..features {
            let bound = TERMS * EPS * own[features + f];
            worst.add([own[f], step.sums[(cluster, f)]], bound, (cluster, f));
        }
    }
    let reason = format!("{TERMS} terms in f32 x eps x sum of sizes; numbers of points are exact");
    worst.stage("sums", reason, |(cluster, f)| match f == features {
        true => format!("number of points of cluster {cluster}, k = {clusters}"),
        false => format!("feature {f} of cluster {cluster}, k = {clusters}"),
    })
}
