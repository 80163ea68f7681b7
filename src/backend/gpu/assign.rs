//! Launcher of `shaders/assign.wgsl`: nearest centroid of each point.

use bytemuck::{Pod, Zeroable};
use ndarray::{Array2, ArrayView2, Axis};
use wgpu::{Buffer, BufferUsages};

use super::device::{Device, Kernel};
use crate::Result;
use crate::backend::{Assign, Step};

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub points: u32,
    pub features: u32,
    pub clusters: u32,
    pub groups_per_row: u32,
}

pub(super) fn kernel(device: &Device) -> Result<Kernel> {
    device.kernel("assign", &device.options.shaders.assign, &[], 0)
}

/// Points on the device, in pieces that a binding can hold.
pub(super) struct Points<'a> {
    device: &'a Device,
    kernel: &'a Kernel,
    features: usize,
    pieces: Vec<Piece>,
    values: Array2<f32>,
    before: Vec<u32>,
}

struct Piece {
    count: usize,
    points: Buffer,
    labels: Buffer,
    distances: Buffer,
}

impl<'a> Points<'a> {
    pub(super) fn new(
        device: &'a Device,
        kernel: &'a Kernel,
        points: ArrayView2<'_, f32>,
    ) -> Result<Self> {
        let features = points.ncols();
        let most = (device.binding_limit() / (4 * features as u64)).max(1) as usize;
        let pieces = points
            .axis_chunks_iter(Axis(0), most)
            .map(|part| {
                let count = part.nrows();
                let by_feature: Vec<f32> = part.t().iter().copied().collect();
                Ok(Piece {
                    count,
                    points: device.upload("points", &by_feature, BufferUsages::STORAGE)?,
                    labels: device.storage("labels", count as u64)?,
                    distances: device.storage("distances", count as u64)?,
                })
            })
            .collect::<Result<_>>()?;
        let before = vec![u32::MAX; points.nrows()];
        Ok(Self { device, kernel, features, pieces, values: points.to_owned(), before })
    }
}

impl Assign for Points<'_> {
    fn step(&mut self, centroids: ArrayView2<'_, f32>) -> Result<Step> {
        let values: Vec<f32> = centroids.iter().copied().collect();
        let buffer = self.device.upload("centroids", &values, BufferUsages::STORAGE)?;
        for piece in &self.pieces {
            let [per_row, rows] = self.device.rows_of_groups(piece.count as u64);
            let params = Params {
                points: piece.count as u32,
                features: self.features as u32,
                clusters: centroids.nrows() as u32,
                groups_per_row: per_row,
            };
            let buffers = [&piece.points, &buffer, &piece.labels, &piece.distances];
            self.device.run(self.kernel, &params, &buffers, [per_row, rows, 1])?;
        }
        let mut labels = vec![0; self.before.len()];
        let mut distances = vec![0.0; labels.len()];
        self.labels(&mut labels, &mut distances)?;
        let mut step = Step {
            sums: Array2::zeros(centroids.dim()),
            counts: vec![0; centroids.nrows()],
            changed: labels.iter().zip(&self.before).filter(|(a, b)| a != b).count() as u64,
        };
        for (point, &label) in self.values.rows().into_iter().zip(&labels) {
            step.sums.row_mut(label as usize).zip_mut_with(&point, |s, &v| *s += f64::from(v));
            step.counts[label as usize] += 1;
        }
        self.before = labels;
        Ok(step)
    }

    fn labels(&mut self, labels: &mut [u32], distances: &mut [f32]) -> Result<()> {
        let mut first = 0;
        for piece in &self.pieces {
            let part = first..first + piece.count;
            labels[part.clone()]
                .copy_from_slice(&self.device.read::<u32>(&piece.labels, piece.count)?);
            distances[part]
                .copy_from_slice(&self.device.read::<f32>(&piece.distances, piece.count)?);
            first += piece.count;
        }
        Ok(())
    }
}
