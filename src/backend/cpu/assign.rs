//! Nearest centroid of each point; twin of `shaders/assign.wgsl`.

use multiversion::multiversion;
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::Result;
use crate::backend::{Assign, Step};

/// Points that are compared at once, one in each lane of a vector.
const LANES: usize = 16;

/// Points that one task assigns, whole blocks.
const CHUNK: usize = 4096;

/// The label of points before the first step.
const NONE: u32 = u32::MAX;

/// Points in blocks of `LANES`, `[block][feature][lane]`; the last block is
/// filled up with zeros.
pub(super) struct Points {
    values: Vec<[f32; LANES]>,
    features: usize,
    labels: Vec<u32>,
    /// Those of the last step, `[k][q]`.
    centroids: Vec<f32>,
    /// Sums of the labels as they are, by chunk.
    chunks: Vec<Chunk>,
}

impl Points {
    pub(super) fn new(points: ArrayView2<'_, f32>) -> Self {
        let features = points.ncols();
        let mut values = vec![[0.0; LANES]; points.nrows().div_ceil(LANES) * features];
        values
            .par_chunks_mut(CHUNK / LANES * features)
            .zip(points.axis_chunks_iter(Axis(0), CHUNK).into_par_iter())
            .for_each(|(values, points)| {
                let parts = points.axis_chunks_iter(Axis(0), LANES);
                for (block, part) in values.chunks_exact_mut(features).zip(parts) {
                    for (lane, point) in part.rows().into_iter().enumerate() {
                        block.iter_mut().zip(point).for_each(|(feature, &v)| feature[lane] = v);
                    }
                }
            });
        let count = points.nrows();
        Self { values, features, labels: vec![NONE; count], centroids: vec![], chunks: vec![] }
    }
}

impl Assign for Points {
    fn step(&mut self, centroids: ArrayView2<'_, f32>) -> Result<Step> {
        let features = self.features;
        self.centroids = centroids.iter().copied().collect();
        let empty = Chunk::zero(centroids.nrows(), features);
        if self.chunks.first().is_none_or(|chunk| chunk.sums.len() != empty.sums.len()) {
            self.chunks = vec![empty.clone(); self.labels.len().div_ceil(CHUNK)];
            self.labels.fill(NONE);
        }
        self.labels
            .par_chunks_mut(CHUNK)
            .zip(self.values.par_chunks(CHUNK / LANES * features))
            .zip(&mut self.chunks)
            .for_each(|((labels, points), chunk)| {
                assign_chunk(points, &self.centroids, labels, chunk);
            });
        let mut total = empty;
        self.chunks.iter().for_each(|chunk| total.add(chunk));
        Ok(total.into_step(centroids.dim()))
    }

    fn labels(&mut self, labels: &mut [u32], distances: &mut [f32]) -> Result<()> {
        labels.copy_from_slice(&self.labels);
        // Made again here: written at each step they would cost more than labels do.
        distances
            .par_chunks_mut(CHUNK)
            .zip(self.values.par_chunks(CHUNK / LANES * self.features))
            .for_each(|(distances, points)| {
                let blocks = points.chunks_exact(self.features);
                for (block, distances) in blocks.zip(distances.chunks_mut(LANES)) {
                    let (_, least) = nearest::<false>(block, &self.centroids);
                    distances.copy_from_slice(&least[..distances.len()]);
                }
            });
        Ok(())
    }
}

/// What a chunk of points adds to a [`Step`]. Its sums follow the points that
/// change their cluster, which soon are few.
#[derive(Clone)]
struct Chunk {
    /// `[cluster][feature]`, and last the number of points.
    sums: Vec<f64>,
    features: usize,
    changed: u64,
}

impl Chunk {
    fn zero(clusters: usize, features: usize) -> Self {
        Self { sums: vec![0.0; clusters * (features + 1)], features, changed: 0 }
    }

    fn add(&mut self, other: &Self) {
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, part)| *sum += part);
        self.changed += other.changed;
    }

    /// Moves the points of `block` that change their label.
    fn follow(&mut self, block: &[[f32; LANES]], from: &[u32], to: &[u32]) {
        for (lane, (&from, &to)) in from.iter().zip(to).enumerate() {
            if from == to {
                continue;
            }
            self.changed += 1;
            self.count(block, lane, to, 1.0);
            if from != NONE {
                self.count(block, lane, from, -1.0);
            }
        }
    }

    fn count(&mut self, block: &[[f32; LANES]], lane: usize, label: u32, sign: f64) {
        let width = self.features + 1;
        let sums = &mut self.sums[label as usize * width..][..width];
        let values = block.iter().map(|values| f64::from(values[lane])).chain([1.0]);
        sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += sign * v);
    }

    fn into_step(self, shape: (usize, usize)) -> Step {
        let width = self.features + 1;
        Step {
            sums: Array2::from_shape_fn(shape, |(c, f)| self.sums[c * width + f]),
            counts: (0..shape.0).map(|c| self.sums[c * width + width - 1] as u64).collect(),
            changed: self.changed,
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
fn assign_chunk(points: &[[f32; LANES]], centroids: &[f32], labels: &mut [u32], chunk: &mut Chunk) {
    chunk.changed = 0;
    let blocks = points.chunks_exact(chunk.features);
    for (block, labels) in blocks.zip(labels.chunks_mut(LANES)) {
        let (nearest, _) = multiversion::target::match_target! {
            "x86_64+avx512f+avx512vl+avx512dq" => nearest::<true>(block, centroids),
            "x86_64+avx2+fma" => nearest::<true>(block, centroids),
            "aarch64+neon" => nearest::<true>(block, centroids),
            _ => nearest::<false>(block, centroids),
        };
        let nearest = &nearest[..labels.len()];
        if labels != nearest {
            chunk.follow(block, labels, nearest);
            labels.copy_from_slice(nearest);
        }
    }
}

/// Index and squared distance of the nearest centroid for each lane of `block`
/// `[feature][lane]`, the first of equals; `FUSED` where the instruction set can
/// multiply and add at once.
#[inline(always)]
fn nearest<const FUSED: bool>(
    block: &[[f32; LANES]],
    centroids: &[f32],
) -> ([u32; LANES], [f32; LANES]) {
    let (mut label, mut least) = ([0; LANES], [f32::INFINITY; LANES]);
    for (c, centroid) in centroids.chunks_exact(block.len()).enumerate() {
        let mut distance = [0.0; LANES];
        for (values, &centre) in block.iter().zip(centroid) {
            for (sum, &v) in distance.iter_mut().zip(values) {
                let d = v - centre;
                *sum = if FUSED { d.mul_add(d, *sum) } else { d * d + *sum };
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
