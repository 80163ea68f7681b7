//! Features from descriptors; twin of `shaders/project.wgsl`.

use multiversion::multiversion;
use ndarray::{ArrayViewMut3, Axis};

use super::session::Scores;
use crate::pca::Pca;

/// Sites that are projected at once.
const LANES: usize = 16;

/// `(x - mean) components^T` of a tile's descriptors, in f64, into `piece`
/// `[site rows, site cols, q]`.
pub(super) fn project(scores: &Scores<'_>, pca: &Pca, mut piece: ArrayViewMut3<'_, f32>) {
    let q = pca.features();
    let mut lanes = piece.lanes_mut(Axis(2)).into_iter();
    let mut sums = vec![[0.0; LANES]; q];
    // Features of a channel side by side.
    let components: Vec<f64> = pca.components.t().iter().copied().collect();
    let mean: Vec<f64> = pca.mean.to_vec();
    for first in (0..scores.sites).step_by(LANES) {
        sums.fill([0.0; LANES]);
        project_sites(&scores.values[first..], scores.pitch, &mean, &components, &mut sums);
        for (lane, mut features) in (0..LANES).zip(&mut lanes) {
            features.iter_mut().zip(&sums).for_each(|(to, sum)| *to = sum[lane] as f32);
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2", "aarch64+neon"))]
fn project_sites(
    values: &[f32],
    pitch: usize,
    mean: &[f64],
    components: &[f64],
    sums: &mut [[f64; LANES]],
) {
    let channels = values.chunks(pitch).zip(mean).zip(components.chunks_exact(sums.len()));
    for ((values, &mean), components) in channels {
        let Some(x) = values.first_chunk::<LANES>() else { continue };
        let x = x.map(|v| f64::from(v) - mean);
        for (sum, &component) in sums.iter_mut().zip(components) {
            for (sum, x) in sum.iter_mut().zip(&x) {
                *sum += x * component;
            }
        }
    }
}
