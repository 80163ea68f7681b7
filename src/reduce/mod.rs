//! From descriptors to features, with what the device makes of them.

pub mod maf;
pub mod pca;

use ndarray::{Array2, Axis, s};
use rayon::prelude::*;

use crate::Result;
use crate::backend::Describe;
use crate::plan::{Plan, Reduce};
use crate::progress::Progress;
use crate::reduce::maf::Noise;
use crate::reduce::pca::{Moments, Pca};
use crate::sites::Band;

/// Sites that one task multiplies.
const CHUNK: usize = 1024;

/// The map from descriptors to features, and the features `[sites, q]` of all sites,
/// from the `moments` of the descriptors of `session` in `bands`.
///
/// # Errors
/// What [`Pca::of_blocks`], [`Noise::factors`] and the backend report;
/// [`Error::Interrupted`](crate::Error::Interrupted).
pub(crate) fn reduce(
    moments: &Moments,
    plan: &Plan,
    session: &mut dyn Describe,
    bands: &[Band],
    progress: &dyn Progress,
) -> Result<(Pca, Array2<f32>)> {
    let pca = Pca::of_blocks(moments, plan.components(), &plan.blocks())?;
    match plan.params().reduce {
        Reduce::Pca => {
            let features = project(session, bands, &pca, progress)?;
            Ok((pca, features))
        }
        Reduce::Maf => factors(&pca, plan, session, bands, progress),
    }
}

fn factors(
    pca: &Pca,
    plan: &Plan,
    session: &mut dyn Describe,
    bands: &[Band],
    progress: &dyn Progress,
) -> Result<(Pca, Array2<f32>)> {
    let sample = Noise::bands(plan.sites());
    let components = project(session, &sample, pca, progress)?;
    let mut noise = Noise::zero(pca.features());
    let mut first = 0;
    for band in &sample {
        noise.add(plan.sites(), band, components.slice(s![first..first + band.len(), ..]));
        first += band.len();
    }
    let (factors, values) = noise.factors(plan.factors())?;
    let reduced = pca.combined(&factors, &values);
    let features = match components.nrows() == plan.sites().grid().len() {
        // All sites are there: no need to describe them once more.
        true => {
            let signs = signs(&factors, pca, &reduced);
            products(&components, &(factors * signs).mapv(|v| v as f32))
        }
        false => project(session, bands, &reduced, progress)?,
    };
    Ok((reduced, features))
}

/// 1 or -1 for each factor: with which sign it became a component of `reduced`.
fn signs(factors: &Array2<f64>, pca: &Pca, reduced: &Pca) -> Array2<f64> {
    let products = factors.dot(&pca.components) * &reduced.components;
    products.sum_axis(Axis(1)).mapv(f64::signum).insert_axis(Axis(1))
}

fn project(
    session: &mut dyn Describe,
    bands: &[Band],
    pca: &Pca,
    progress: &dyn Progress,
) -> Result<Array2<f32>> {
    for (done, band) in bands.iter().enumerate() {
        progress.step(done as u64, bands.len() as u64)?;
        session.project(band, pca)?;
    }
    session.features()
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
