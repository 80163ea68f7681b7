//! Features from descriptors; twin of `shaders/project.wgsl`.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::pca::Pca;

/// Sites that one task projects.
const CHUNK: usize = 1024;

/// `(x - mean) components^T` for descriptors `[sites, D]`, in f64: `[sites, q]`.
pub(super) fn project(descriptors: ArrayView2<'_, f32>, pca: &Pca) -> Array2<f32> {
    let mut features = Array2::zeros((descriptors.nrows(), pca.features()));
    descriptors
        .axis_chunks_iter(Axis(0), CHUNK)
        .into_par_iter()
        .zip(features.axis_chunks_iter_mut(Axis(0), CHUNK))
        .for_each(|(x, mut y)| y.zip_mut_with(&pca.project(x), |y, &v| *y = v as f32));
    features
}
