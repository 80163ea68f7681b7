//! Launcher of `shaders/assign.wgsl`: nearest centroid of each point. The points
//! and labels stay on the device; a step brings back sums and numbers.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use ndarray::{Array2, ArrayView2, Axis};
use wgpu::{Buffer, BufferUsages};

use super::centroids;
use super::cluster_sums::{CHUNK, Table};
use super::commands::Commands;
use super::compute_kernel::{Kernel, KernelSource};
use super::device::{Device, Scratch};
use super::fold::Totals;
use super::shaders::{Wgsl, wgsl};
use crate::Result;
use crate::backend::{Assign, Step, Steps};

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
    update: Arc<Kernel>,
    commands: Commands<'a>,
    features: usize,
    pieces: Vec<Piece>,
    /// Points of each piece with a new label.
    changed: Buffer,
    centroids: Scratch,
    /// What steps came to, one after another.
    history: Scratch,
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
            update: centroids::kernel(device)?,
            commands: Commands::new(device),
            features,
            changed: device.storage("changed", pieces.len() as u64)?,
            pieces,
            centroids: Scratch::default(),
            history: Scratch::default(),
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

/// What a step leaves behind, as places in the history, in values of 4 bytes: totals `[totals][k][q + 1]`,
/// numbers of new labels, centroids `[k / 8][q][8]`.
#[derive(Debug, Clone, Copy)]
struct Record {
    clusters: usize,
    features: usize,
    totals: usize,
    pieces: usize,
}

impl Record {
    fn of_totals(&self) -> usize {
        self.totals * self.clusters * (self.features + 1)
    }

    fn of_centroids(&self) -> usize {
        self.clusters.next_multiple_of(GROUP) * self.features
    }

    fn len(&self) -> usize {
        self.of_totals() + self.pieces + self.of_centroids()
    }

    /// What the `values` of a step say.
    fn read(&self, values: &[u32]) -> (Array2<f32>, Step) {
        let (of_step, centroids) = values.split_at(self.len() - self.of_centroids());
        let centroids = Array2::from_shape_fn((self.clusters, self.features), |(c, f)| {
            f32::from_bits(centroids[(c / GROUP * self.features + f) * GROUP + c % GROUP])
        });
        (centroids, step(of_step, (self.clusters, self.features), self.pieces))
    }
}

impl Points<'_> {
    /// Records a step of k-means from the centroids on the device, number `at` of some; its record
    /// goes to the `history`. The device has the next centroids then.
    fn record(
        &mut self,
        at: usize,
        record: Record,
        [centroids, history]: [&Buffer; 2],
        (table, totals): (&Table, &mut Totals<'_>),
    ) -> Result<()> {
        self.commands.clear(&self.changed);
        for index in 0..self.pieces.len() {
            self.label(index, centroids, record.clusters)?;
            let Piece { points, labels, count, .. } = &self.pieces[index];
            table.add(self.device, &mut self.commands, totals, (points, labels, *count))?;
        }
        let first = at * record.len();
        let mut to = 4 * first as u64;
        let changed = (&self.changed, 4 * self.pieces.len() as u64);
        let of_centroids = (centroids, 4 * record.of_centroids() as u64);
        for (buffer, bytes) in totals.finish().into_iter().chain([changed, of_centroids]) {
            self.commands.copy((buffer, 0), (history, to), bytes);
            to += bytes;
        }
        let params = centroids::Params {
            features: record.features as u32,
            clusters: record.clusters as u32,
            totals: record.totals as u32,
            first: first as u32,
        };
        centroids::update(&self.update, &mut self.commands, params, (history, centroids))
    }
}

impl Assign for Points<'_> {
    fn step(&mut self, centroids: ArrayView2<'_, f32>) -> Result<Step> {
        Ok(self.steps(centroids, 1)?.last)
    }

    fn steps(&mut self, centroids: ArrayView2<'_, f32>, most: usize) -> Result<Steps> {
        let clusters = centroids.nrows();
        let on_device = self.write_centroids(centroids)?;
        let (table, mut totals) = match self.sums.take() {
            Some((for_clusters, table, totals)) if for_clusters == clusters => (table, totals),
            _ => {
                let table = Table::new(self.device, clusters, self.features);
                (table, Totals::new(self.device, table.part())?)
            }
        };
        let chunks = self.pieces.iter().map(|piece| piece.count.div_ceil(CHUNK) as u64).sum();
        let (features, pieces) = (self.features, self.pieces.len());
        let record = Record { clusters, features, totals: Totals::needed(chunks), pieces };
        let fitting = (self.device.binding_limit() / (4 * record.len() as u64)).max(1) as usize;
        let most = most.min(fitting);
        let size = (most * record.len()) as u64;
        let history = self.history.get(self.device, "history", size)?.clone();
        for at in 0..most {
            self.record(at, record, [&on_device, &history], (&table, &mut totals))?;
        }
        self.sums = Some((clusters, table, totals));
        let values = self.commands.read::<u32>(&history, size as usize)?;
        let mut steps = values.chunks_exact(record.len()).map(|values| record.read(values));
        // Steps after one that changes nothing are all alike.
        let last = steps
            .by_ref()
            .enumerate()
            .find(|(at, (_, step))| at + 1 == most || step.leaves_one_empty() || step.changed == 0)
            .ok_or_else(|| self.device.error("no step was taken"))?;
        let (at, (centroids, mut last)) = last;
        // The device went on. Where nothing changed, it did so from means of the same labels, but for
        // the first step, whose centroids are the host's.
        if at + 1 < most && (last.leaves_one_empty() || at == 0) {
            last = Step { changed: last.changed, ..self.step(centroids.view())? };
        }
        Ok(Steps { count: at + 1, centroids, last })
    }

    fn labels(&mut self, labels: &mut [u32], distances: &mut [f32]) -> Result<()> {
        let mut all = Vec::with_capacity(2 * self.pieces.len());
        for Piece { labels, distances, count, .. } in &self.pieces {
            all.extend([labels, distances].map(|buffer| (buffer, 4 * *count as u64)));
        }
        let back = self.commands.read_back(&all)?;
        let values: Vec<u32> = self.commands.take(back)?;
        let mut rest = &values[..];
        let mut first = 0;
        for piece in &self.pieces {
            let part = first..first + piece.count;
            let (own, others) = rest.split_at(piece.count);
            labels[part.clone()].copy_from_slice(own);
            let (own, others) = others.split_at(piece.count);
            let own = own.iter().map(|&bits| f32::from_bits(bits));
            distances[part].iter_mut().zip(own).for_each(|(to, own)| *to = own);
            rest = others;
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
