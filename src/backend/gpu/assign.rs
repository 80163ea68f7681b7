//! Launcher of `shaders/assign.wgsl`: nearest centroid of each point. The points
//! and labels stay on the device; a step brings back sums and numbers.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use ndarray::{Array2, ArrayView2, Axis};
use wgpu::{Buffer, BufferUsages};

use super::cluster_sums::{CHUNK, Table};
use super::commands::Commands;
use super::compute_kernel::{Kernel, KernelSource};
use super::device::{Device, Scratch};
use super::fold::Totals;
use super::shaders::{Wgsl, wgsl};
use crate::Result;
use crate::backend::{Assign, Step};

/// Its shader.
pub(super) const WGSL: Wgsl = wgsl!(=> "assign");

/// Centroids that a thread compares at once.
const GROUP: usize = 8;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub points: u32,
    pub features: u32,
    pub clusters: u32,
    pub first_point: u32,
    pub end_point: u32,
    pub groups_per_row: u32,
    pub piece: u32,
}

pub(super) fn kernel(device: &Device) -> Result<Arc<Kernel>> {
    device.kernel(&KernelSource { name: "assign", constants: &[], threads: [256, 1, 1], shared: 4 })
}

/// Points on the device, in pieces that a binding can hold.
pub(super) struct Points<'a> {
    device: &'a Device,
    kernel: Arc<Kernel>,
    commands: Commands<'a>,
    features: usize,
    pieces: Vec<Piece>,
    /// Points of each piece with a new label.
    changed: Buffer,
    centroids: Scratch,
    /// For the number of clusters of the last step.
    sums: Option<(usize, Table, Totals<'a>)>,
}

struct Piece {
    count: usize,
    /// `[q][count]`.
    points: Buffer,
    labels: Buffer,
    distances: Buffer,
}

impl Piece {
    fn new(device: &Device, part: ArrayView2<'_, f32>) -> Result<Self> {
        let by_feature: Vec<f32> = part.t().iter().copied().collect();
        let none = vec![u32::MAX; part.nrows()];
        let usage = BufferUsages::STORAGE;
        Ok(Self {
            count: part.nrows(),
            points: device.upload("points", &by_feature, usage)?,
            labels: device.upload("labels", &none, usage | BufferUsages::COPY_SRC)?,
            distances: device.storage("distances", part.nrows() as u64)?,
        })
    }
}

impl<'a> Points<'a> {
    pub(super) fn new(device: &'a Device, points: ArrayView2<'_, f32>) -> Result<Self> {
        let features = points.ncols();
        let most = (device.binding_limit() / (4 * features as u64)).max(1) as usize;
        // Whole chunks, so that sums do not depend on the pieces.
        let most = if most > CHUNK { most - most % CHUNK } else { most };
        let pieces = points
            .axis_chunks_iter(Axis(0), most)
            .map(|part| Piece::new(device, part))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            device,
            kernel: kernel(device)?,
            commands: Commands::new(device),
            features,
            changed: device.storage("changed", pieces.len() as u64)?,
            pieces,
            centroids: Scratch::default(),
            sums: None,
        })
    }

    /// Puts `centroids` on the device as `[k / 8][q][8]`.
    fn write_centroids(&mut self, centroids: ArrayView2<'_, f32>) -> Result<Buffer> {
        let groups = centroids.nrows().div_ceil(GROUP);
        let mut values = vec![0.0_f32; groups * self.features * GROUP];
        for (group, values) in values.chunks_mut(self.features * GROUP).enumerate() {
            let rows = centroids.rows().into_iter().skip(group * GROUP).take(GROUP);
            for (lane, row) in rows.enumerate() {
                let to = values[lane..].iter_mut().step_by(GROUP);
                to.zip(row).for_each(|(to, &v)| *to = v);
            }
        }
        let buffer = self.centroids.get(self.device, "centroids", values.len() as u64)?.clone();
        self.commands.write(&buffer, &values);
        Ok(buffer)
    }

    /// Labels the points of piece `index`, in short dispatches.
    fn label(&mut self, index: usize, centroids: &Buffer, clusters: usize) -> Result<()> {
        let piece = &self.pieces[index];
        // Three operations for each coordinate of each centroid are two multiply-adds.
        let work = 2 * (clusters * self.features) as u64;
        let at_once = (self.device.work_per_dispatch() / work).clamp(256, u32::MAX.into()) as usize;
        for first in (0..piece.count).step_by(at_once) {
            let count = at_once.min(piece.count - first);
            let [per_row, rows] = self.device.rows_of_groups(count as u64);
            let params = Params {
                points: piece.count as u32,
                features: self.features as u32,
                clusters: clusters as u32,
                first_point: first as u32,
                end_point: (first + count) as u32,
                groups_per_row: per_row,
                piece: index as u32,
            };
            let buffers =
                [&piece.points, centroids, &piece.labels, &piece.distances, &self.changed];
            let groups = [per_row, rows, 1];
            self.commands.dispatch(&self.kernel, &params, &buffers, groups, count as u64 * work)?;
        }
        Ok(())
    }
}

impl Assign for Points<'_> {
    fn step(&mut self, centroids: ArrayView2<'_, f32>) -> Result<Step> {
        let clusters = centroids.nrows();
        let on_device = self.write_centroids(centroids)?;
        self.commands.write(&self.changed, &vec![0_u32; self.pieces.len()]);
        let (table, mut totals) = match self.sums.take() {
            Some((for_clusters, table, totals)) if for_clusters == clusters => (table, totals),
            _ => {
                let table = Table::new(self.device, clusters, self.features);
                (table, Totals::new(self.device, table.part())?)
            }
        };
        for index in 0..self.pieces.len() {
            self.label(index, &on_device, clusters)?;
            let Piece { points, labels, count, .. } = &self.pieces[index];
            let piece = (points, labels, *count);
            table.add(self.device, &mut self.commands, &mut totals, piece)?;
        }
        let mut buffers = totals.finish();
        buffers.push((&self.changed, 4 * self.pieces.len() as u64));
        let back = self.commands.read_back(&buffers)?;
        let values: Vec<u32> = self.commands.take(back)?;
        self.sums = Some((clusters, table, totals));
        Ok(step(&values, centroids.dim(), self.pieces.len()))
    }

    fn labels(&mut self, labels: &mut [u32], distances: &mut [f32]) -> Result<()> {
        let mut first = 0;
        for piece in &self.pieces {
            let part = first..first + piece.count;
            let found = self.commands.read::<u32>(&piece.labels, piece.count)?;
            labels[part.clone()].copy_from_slice(&found);
            let found = self.commands.read::<f32>(&piece.distances, piece.count)?;
            distances[part].copy_from_slice(&found);
            first += piece.count;
        }
        Ok(())
    }
}

/// Adds up in f64 what came back: totals `[k][q + 1]`, then the numbers of new
/// labels of `pieces`.
fn step(values: &[u32], (clusters, features): (usize, usize), pieces: usize) -> Step {
    let (totals, changed) = values.split_at(values.len() - pieces);
    let mut sums = Array2::<f64>::zeros((clusters, features + 1));
    for total in totals.chunks_exact(sums.len()) {
        sums.iter_mut().zip(total).for_each(|(sum, &v)| *sum += f64::from(f32::from_bits(v)));
    }
    let counts = sums.column(features).iter().map(|&count| count as u64).collect();
    let changed = changed.iter().map(|&n| u64::from(n)).sum();
    Step { sums: sums.slice(ndarray::s![.., ..features]).to_owned(), counts, changed }
}
