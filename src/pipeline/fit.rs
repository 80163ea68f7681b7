//! Second step: what is learnt of an image. A map from descriptors to features, how many
//! patterns there are, and where their centres lie.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::Describing;
use crate::Result;
use crate::backend::Backend;
use crate::cluster::choose::{self, Choice};
use crate::cluster::confidence;
use crate::cluster::continuum;
use crate::cluster::kmeans::{self, Clustering, Options, Pairs};
use crate::image::micrograph::Micrograph;
use crate::plan::{Plan, Reduce};
use crate::progress::{Progress, Unseen};
use crate::reduce::pca::{Moments, Pca};

/// Sites that one task multiplies.
const CHUNK: usize = 1024;

/// The map from descriptors to features, and the features `[sites, q]` of all sites, from the
/// `moments` of the descriptors.
///
/// # Errors
/// What [`Pca::of_blocks`], [`Differences::factors`](crate::reduce::maf::Differences::factors)
/// and the backend report; [`Error::Interrupted`](crate::Error::Interrupted).
pub fn features(
    moments: &Moments,
    sites: &mut Describing<'_>,
    progress: &dyn Progress,
) -> Result<(Pca, Array2<f32>)> {
    let plan = sites.plan();
    let pca = Pca::of_blocks(moments, plan.components(), &plan.blocks())?;
    if plan.params().reduce == Reduce::Pca {
        let features = sites.features(&pca, progress)?;
        return Ok((pca, features));
    }
    let (differences, components) = sites.differences(&pca, progress)?;
    let (factors, values) = differences.factors(plan.factors())?;
    let reduced = pca.combined(&factors, &values);
    let features = match components.nrows() == plan.sites().grid().len() {
        // All sites are there: no need to describe them once more.
        true => combined(&components, &factors, &pca, &reduced),
        false => sites.features(&reduced, progress)?,
    };
    Ok((reduced, features))
}

/// The features `[sites, f]` under `reduced`, which are the combinations `factors` `[f, p]` of
/// the `components` `[sites, p]` of `pca`.
pub(crate) fn combined(
    components: &Array2<f32>,
    factors: &Array2<f64>,
    pca: &Pca,
    reduced: &Pca,
) -> Array2<f32> {
    let signs = signs(factors, pca, reduced);
    products(components, &(factors * &signs).mapv(|v| v as f32))
}

/// 1 or -1 for each factor: with which sign it became a component of `reduced`.
fn signs(factors: &Array2<f64>, pca: &Pca, reduced: &Pca) -> Array2<f64> {
    let products = factors.dot(&pca.components) * &reduced.components;
    products.sum_axis(Axis(1)).mapv(f64::signum).insert_axis(Axis(1))
}

/// `features` `[sites, p]` times `factors` `[f, p]`: `[sites, f]`.
fn products(features: &Array2<f32>, factors: &Array2<f32>) -> Array2<f32> {
    let mut to = Array2::zeros((features.nrows(), factors.nrows()));
    let chunks = features.axis_chunks_iter(Axis(0), CHUNK).into_par_iter();
    chunks
        .zip(to.axis_chunks_iter_mut(Axis(0), CHUNK))
        .for_each(|(from, mut to)| to.assign(&from.dot(&factors.t())));
    to
}

/// How many patterns the features `points` `[active sites, q]` of `micrograph` show.
///
/// # Errors
/// As [`choose::choose`].
pub fn number_of_patterns(
    micrograph: &Micrograph,
    plan: &Plan,
    pca: &Pca,
    points: ArrayView2<'_, f32>,
    progress: &dyn Progress,
) -> Result<Choice> {
    let values = &pca.report.explained_variance;
    let brightness = continuum::brightness(micrograph, plan);
    let (sites, seed) = (plan.sites(), plan.params().seed);
    choose::choose(points, values, brightness.as_ref(), sites, seed, &Unseen(progress))
}

/// Clusters of `points` `[active sites, q]`, and the variance of each feature about their
/// centroids, `[q]`.
///
/// # Errors
/// As [`kmeans::cluster`].
pub fn clusters(
    points: ArrayView2<'_, f32>,
    clusters: usize,
    plan: &Plan,
    backend: &dyn Backend,
    progress: &dyn Progress,
) -> Result<(Clustering, Array1<f64>)> {
    // Factors vary little from site to site anyway: there the least inertia is right.
    let pairs = match plan.params().reduce {
        Reduce::Pca => Pairs::of(plan.sites()),
        Reduce::Maf => Pairs::default(),
    };
    let options = Options { clusters, restarts: plan.params().restarts, seed: plan.params().seed };
    let clustering = kmeans::cluster(points, &pairs, options, backend, progress)?;
    let within_variance = confidence::within_variance(points, &clustering);
    Ok((clustering, within_variance))
}
