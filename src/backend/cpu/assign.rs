//! Nearest centroid of each point; twin of `shaders/assign.wgsl`.

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::Result;
use crate::backend::Assign;

/// Points that one task assigns.
const CHUNK: usize = 4096;

/// Points `[N, q]` in row order.
pub(super) struct Points {
    values: Vec<f32>,
    features: usize,
}

impl Points {
    pub(super) fn new(points: ArrayView2<'_, f32>) -> Self {
        Self { values: points.iter().copied().collect(), features: points.ncols() }
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
        let q = self.features;
        labels
            .par_chunks_mut(CHUNK)
            .zip(distances.par_chunks_mut(CHUNK))
            .zip(self.values.par_chunks(CHUNK * q))
            .for_each(|((labels, distances), points)| {
                let sites = labels.iter_mut().zip(distances).zip(points.chunks_exact(q));
                for ((label, distance), point) in sites {
                    (*label, *distance) = nearest(point, &centroids);
                }
            });
        Ok(())
    }
}

/// Index and squared distance of the nearest centroid, the first of equals.
fn nearest(point: &[f32], centroids: &[f32]) -> (u32, f32) {
    let mut best = (0, f32::INFINITY);
    for (c, centroid) in centroids.chunks_exact(point.len()).enumerate() {
        let distance: f32 = point.iter().zip(centroid).map(|(p, c)| (p - c) * (p - c)).sum();
        if distance < best.1 {
            best = (c as u32, distance);
        }
    }
    best
}
