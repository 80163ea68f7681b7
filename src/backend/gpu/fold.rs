//! Launcher of `shaders/fold.wgsl`: partial sums are added on the device, so that
//! few come back.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use wgpu::Buffer;

use super::commands::Commands;
use super::compute_kernel::{Kernel, KernelSource};
use super::device::{Device, Scratch};
use super::shaders::{Wgsl, wgsl};
use crate::Result;

/// Its shader.
pub(super) const WGSL: Wgsl = wgsl!(=> "fold");

/// Parts that are added in f32; the host adds such sums in f64.
const PARTS: u64 = 64;

/// Most bytes of parts that are there at once.
const AT_ONCE: u64 = 64 << 20;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub entries: u32,
    pub first_part: u32,
    pub parts: u32,
    pub fresh: u32,
    pub groups_per_row: u32,
}

/// Sums of parts that come in a fixed order, however many at once: the same bit
/// for bit.
pub(super) struct Totals<'a> {
    device: &'a Device,
    kernel: Arc<Kernel>,
    entries: u64,
    partial: Scratch,
    totals: Vec<Buffer>,
    /// How many parts were added.
    parts: u64,
}

impl<'a> Totals<'a> {
    /// Of parts of `entries` values each.
    pub(super) fn new(device: &'a Device, entries: u64) -> Result<Self> {
        let kernel = kernel(device)?;
        let (partial, totals) = (Scratch::default(), Vec::new());
        Ok(Self { device, kernel, entries, partial, totals, parts: 0 })
    }

    /// How many totals `parts` parts come to.
    pub(super) fn needed(parts: u64) -> usize {
        parts.div_ceil(PARTS) as usize
    }

    /// How many parts may be there at once, where making one takes `work`
    /// multiply-adds.
    pub(super) fn at_once(&self, work: u64) -> u64 {
        let memory = AT_ONCE.min(self.device.binding_limit()) / (4 * self.entries);
        memory.min(self.device.work_per_dispatch() / work.max(1)).clamp(1, 1 << 15)
    }

    /// Room for `parts` parts, `[parts][entries]`.
    pub(super) fn room(&mut self, parts: u64) -> Result<Buffer> {
        Ok(self.partial.get(self.device, "partial sums", parts * self.entries)?.clone())
    }

    /// Adds the first `parts` parts of `partial`.
    pub(super) fn add(
        &mut self,
        commands: &mut Commands<'_>,
        partial: &Buffer,
        parts: u64,
    ) -> Result<()> {
        let mut first = 0;
        while first < parts {
            let (total, before) = ((self.parts / PARTS) as usize, self.parts % PARTS);
            if total == self.totals.len() {
                self.totals.push(self.device.storage("totals", self.entries)?);
            }
            let count = (PARTS - before).min(parts - first);
            let [per_row, rows] = self.device.rows_of_groups(self.entries);
            let params = Params {
                entries: self.entries as u32,
                first_part: first as u32,
                parts: count as u32,
                fresh: u32::from(before == 0),
                groups_per_row: per_row,
            };
            let buffers = [partial, &self.totals[total]];
            let work = self.entries * count;
            commands.dispatch(&self.kernel, &params, &buffers, [per_row, rows, 1], work)?;
            self.parts += count;
            first += count;
        }
        Ok(())
    }

    /// The totals so far with their sizes in bytes; what is added next begins new
    /// ones in their place.
    pub(super) fn finish(&mut self) -> Vec<(&Buffer, u64)> {
        let used = Self::needed(std::mem::take(&mut self.parts));
        self.totals[..used].iter().map(|total| (total, 4 * self.entries)).collect()
    }
}

fn kernel(device: &Device) -> Result<Arc<Kernel>> {
    device.kernel(&KernelSource { name: "fold", constants: &[], threads: [256, 1, 1], shared: 0 })
}
