//! Launcher of `shaders/cluster_sums.wgsl`: sums over the points of each cluster.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use wgpu::Buffer;

use super::commands::Commands;
use super::compute_kernel::{Kernel, KernelSource};
use super::device::Device;
use super::fold::Totals;
use super::shaders::{Wgsl, wgsl};
use crate::Result;

/// Its shader.
pub(super) const WGSL: Wgsl = wgsl!(=> "cluster_sums");

/// Points that one workgroup sums.
pub(super) const CHUNK: usize = 4096;

/// Most floats of a workgroup's table: 12 KiB, so that several workgroups share a
/// processor.
const ENTRIES: usize = 3072;

/// Threads of a workgroup.
const THREADS: usize = 256;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub points: u32,
    pub features: u32,
    pub clusters: u32,
    pub first_point: u32,
    pub chunk: u32,
    pub range: u32,
    pub width: u32,
    pub segments: u32,
}

/// How the clusters' sums are cut into tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    entries: usize,
    clusters: usize,
    columns: usize,
    range: usize,
    width: usize,
    segments: usize,
}

impl Table {
    /// For `clusters` of points of `features`.
    pub(super) fn new(device: &Device, clusters: usize, features: usize) -> Self {
        let entries = ENTRIES.min(device.workgroup_memory() as usize / 4);
        let columns = features + 1;
        let width = columns.min(THREADS);
        // As many copies as give every thread a column.
        let segments = (THREADS / width).next_power_of_two().min(64);
        let range = (entries / (segments * width)).clamp(1, clusters);
        Self { entries, clusters, columns, range, width, segments }
    }

    /// Values of a part: sums and count of each cluster.
    pub(super) fn part(&self) -> u64 {
        (self.clusters * self.columns) as u64
    }

    fn kernel(&self, device: &Device) -> Result<Arc<Kernel>> {
        device.kernel(&KernelSource {
            name: "cluster_sums",
            constants: &[("ENTRIES", self.entries as f64)],
            threads: [THREADS as u32, 1, 1],
            shared: 4 * self.entries as u64,
        })
    }

    /// Adds the `count` points of `points` `[q][count]` with `labels` to `totals`.
    pub(super) fn add(
        &self,
        device: &Device,
        commands: &mut Commands<'_>,
        totals: &mut Totals<'_>,
        (points, labels, count): (&Buffer, &Buffer, usize),
    ) -> Result<()> {
        let kernel = self.kernel(device)?;
        let ranges = self.clusters.div_ceil(self.range);
        let work = (CHUNK * self.columns * ranges) as u64;
        let chunks = count.div_ceil(CHUNK) as u64;
        let at_once = totals.at_once(work).min(chunks);
        let room = totals.room(at_once)?;
        for first in (0..chunks).step_by(at_once as usize) {
            let parts = at_once.min(chunks - first);
            let params = Params {
                points: count as u32,
                features: self.columns as u32 - 1,
                clusters: self.clusters as u32,
                first_point: first as u32 * CHUNK as u32,
                chunk: CHUNK as u32,
                range: self.range as u32,
                width: self.width as u32,
                segments: self.segments as u32,
            };
            let groups = [parts as u32, ranges as u32, self.columns.div_ceil(self.width) as u32];
            let buffers = [points, labels, &room];
            commands.dispatch(&kernel, &params, &buffers, groups, parts * work)?;
            totals.add(commands, &room, parts)?;
        }
        Ok(())
    }
}
