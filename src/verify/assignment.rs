//! One assignment of points to centroids.

use ndarray::{ArrayView2, Axis};

use super::Stage;
use super::worst::Worst;
use crate::Result;
use crate::backend::Backend;
use crate::descriptor::rounding::EPS;

/// Labels may differ only where two distances tie within rounding: what counts
/// is how much farther the checked backend's choice is than the nearest.
pub(super) fn compare(
    points: ArrayView2<'_, f32>,
    centroids: ArrayView2<'_, f32>,
    reference: &dyn Backend,
    checked: &dyn Backend,
) -> Result<Stage> {
    let count = points.nrows();
    let run = |backend: &dyn Backend| -> Result<(Vec<u32>, Vec<f32>)> {
        let (mut labels, mut distances) = (vec![u32::MAX; count], vec![f32::NAN; count]);
        let mut assigner = backend.assigner(points)?;
        assigner.step(centroids)?;
        assigner.labels(&mut labels, &mut distances)?;
        Ok((labels, distances))
    };
    let ((labels, _), (others, distances)) = (run(reference)?, run(checked)?);
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
        let farther = said.is_nan() || (own - said).abs() > (nearest - own).abs();
        let chosen = if farther { said } else { own };
        worst.add([nearest, chosen], bound, (i, 0));
    }
    let reason = format!("2 eps ({q} features + 2) x largest squared distance");
    let clusters = centroids.nrows();
    Ok(worst.stage("assignment", reason, |(i, _)| format!("point {i}, k = {clusters}")))
}
