//! Nearest centroid of each point; twin of `shaders/assign.wgsl`.

use multiversion::multiversion;
use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use crate::Result;
use crate::backend::Assign;

/// Points that are compared at once, one in each lane of a vector.
const LANES: usize = 16;

/// Points that one task assigns, whole blocks.
const CHUNK: usize = 4096;

/// Points in blocks of `LANES`, `[block][feature][lane]`; the last block is
/// filled up with zeros.
pub(super) struct Points {
    values: Vec<[f32; LANES]>,
    features: usize,
}

impl Points {
    pub(super) fn new(points: ArrayView2<'_, f32>) -> Self {
        let features = points.ncols();
        let mut values = vec![[0.0; LANES]; points.nrows().div_ceil(LANES) * features];
        for (block, part) in
            values.chunks_exact_mut(features).zip(points.axis_chunks_iter(Axis(0), LANES))
        {
            for (lane, point) in part.rows().into_iter().enumerate() {
                block.iter_mut().zip(point).for_each(|(feature, &v)| feature[lane] = v);
            }
        }
        Self { values, features }
    }
}

impl Assign for Points {
    fn assign(
        &mut self,
        centroids: ArrayView2<'_, f32>,
        labels: &mut [u32],
        distances: &mut [f32],
    ) -> Result<()> {
        let centroids: Vec<f32> = centroids.iter().copied().collect();
        labels
            .par_chunks_mut(CHUNK)
            .zip(distances.par_chunks_mut(CHUNK))
            .zip(self.values.par_chunks(CHUNK / LANES * self.features))
            .for_each(|((labels, distances), points)| {
                assign_chunk(points, &centroids, self.features, labels, distances);
            });
        Ok(())
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn assign_chunk(
    points: &[[f32; LANES]],
    centroids: &[f32],
    features: usize,
    labels: &mut [u32],
    distances: &mut [f32],
) {
    let out = labels.chunks_mut(LANES).zip(distances.chunks_mut(LANES));
    for (block, (labels, distances)) in points.chunks_exact(features).zip(out) {
        let (nearest, least) = nearest(block, centroids);
        labels.copy_from_slice(&nearest[..labels.len()]);
        distances.copy_from_slice(&least[..distances.len()]);
    }
}

/// Index and squared distance of the nearest centroid for each lane of `block`
/// `[feature][lane]`, the first of equals.
#[inline(always)]
fn nearest(block: &[[f32; LANES]], centroids: &[f32]) -> ([u32; LANES], [f32; LANES]) {
    let (mut label, mut least) = ([0; LANES], [f32::INFINITY; LANES]);
    for (c, centroid) in centroids.chunks_exact(block.len()).enumerate() {
        let mut distance = [0.0; LANES];
        for (values, &centre) in block.iter().zip(centroid) {
            for (sum, &v) in distance.iter_mut().zip(values) {
                *sum += (v - centre) * (v - centre);
            }
        }
        for lane in 0..LANES {
            if distance[lane] < least[lane] {
                least[lane] = distance[lane];
                label[lane] = c as u32;
            }
        }
    }
    (label, least)
}
