//! Features from descriptors; twin of `shaders/project.wgsl`.

use multiversion::multiversion;
use ndarray::{ArrayViewMut3, Axis};

use super::session::Scores;
use crate::reduce::pca::Pca;

/// Sites that are projected at once.
const LANES: usize = 16;
/// Features that are summed up at once.
const FEATURES: usize = 4;

/// `(x - mean) components^T` of a tile's descriptors, in f64, into `piece`
/// `[site rows, site cols, q]`.
pub(super) fn project(scores: &Scores<'_>, pca: &Pca, mut piece: ArrayViewMut3<'_, f32>) {
    let q = pca.features();
    let mut lanes = piece.lanes_mut(Axis(2)).into_iter();
    let mut sums = vec![[0.0; LANES]; q.next_multiple_of(FEATURES)];
    // Groups of features, of each those of a channel side by side.
    let channels = pca.components.ncols();
    let component = |f: usize, c: usize| pca.components.get((f, c)).copied().unwrap_or(0.0);
    let groups = (0..q).step_by(FEATURES);
    let components: Vec<[f64; FEATURES]> = groups
        .flat_map(|first| (0..channels).map(move |c| (first, c)))
        .map(|(first, c)| std::array::from_fn(|f| component(first + f, c)))
        .collect();
    // Of sixteen sites, what the channels are off their means.
    let mut centred = vec![[0.0; LANES]; channels];
    for first in (0..scores.sites).step_by(LANES) {
        let values = scores.values[first..].chunks(scores.pitch);
        for ((centred, values), mean) in centred.iter_mut().zip(values).zip(&pca.mean) {
            for (centred, &value) in centred.iter_mut().zip(values) {
                *centred = f64::from(value) - mean;
            }
        }
        let groups = components.chunks_exact(channels);
        for (components, sums) in groups.zip(sums.chunks_exact_mut(FEATURES)) {
            project_sites(&centred, components, sums);
        }
        for (lane, mut features) in (0..LANES).zip(&mut lanes) {
            features.iter_mut().zip(&sums).for_each(|(to, sum)| *to = sum[lane] as f32);
        }
    }
}

/// A group of features of sixteen sites: as many sums as registers hold.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
fn project_sites(
    centred: &[[f64; LANES]],
    components: &[[f64; FEATURES]],
    sums: &mut [[f64; LANES]],
) {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq" => sum_up::<true>(centred, components, sums),
        "x86_64+avx2+fma" => sum_up::<true>(centred, components, sums),
        "aarch64+neon" => sum_up::<true>(centred, components, sums),
        _ => sum_up::<false>(centred, components, sums),
    }
}

#[inline(always)]
fn sum_up<const FUSED: bool>(
    centred: &[[f64; LANES]],
    components: &[[f64; FEATURES]],
    sums: &mut [[f64; LANES]],
) {
    let mut of = [[0.0; LANES]; FEATURES];
    for (centred, components) in centred.iter().zip(components) {
        for (sum, &component) in of.iter_mut().zip(components) {
            for lane in 0..LANES {
                sum[lane] = match FUSED {
                    true => centred[lane].mul_add(component, sum[lane]),
                    false => sum[lane] + centred[lane] * component,
                };
            }
        }
    }
    sums.copy_from_slice(&of);
}
