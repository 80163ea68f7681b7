//! Launcher of `shaders/moments.wgsl`: sums for mean and covariance.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use ndarray::{Array2, s};
use wgpu::{Buffer, BufferUsages};

use super::commands::Commands;
use super::compute_kernel::{Kernel, KernelSource};
use super::device::{Device, Scratch};
use super::fold::Totals;
use super::shaders::{Wgsl, wgsl};
use crate::Result;
use crate::plan::Plan;
use crate::reduce::pca::{Moments, PIECE};
use crate::sites::{Band, blocks};

/// Its shader.
pub(super) const WGSL: Wgsl = wgsl!(=> "moments");

/// Channels on a side of a workgroup's block.
const BLOCK: usize = 64;

/// Workgroup memory, bytes: two sides of 16 sites of 17 vectors.
pub const SHARED: u64 = 2 * 16 * 17 * 16;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub sites: u32,
    pub channels: u32,
    pub first_part: u32,
    pub masked: u32,
}

pub(super) fn kernel(device: &Device) -> Result<Arc<Kernel>> {
    device.kernel(&KernelSource {
        name: "moments",
        constants: &[("PIECE", PIECE as f64)],
        threads: [16, 16, 1],
        shared: SHARED,
    })
}

/// Moments of bands, summed on the device.
pub(super) struct Sums<'a> {
    device: &'a Device,
    kernel: Arc<Kernel>,
    plan: &'a Plan,
    totals: Totals<'a>,
    weights: Scratch,
}

impl<'a> Sums<'a> {
    pub(super) fn new(device: &'a Device, plan: &'a Plan) -> Result<Self> {
        let size = plan.channels() as u64 + 1;
        Ok(Self {
            device,
            kernel: kernel(device)?,
            plan,
            totals: Totals::new(device, size * size)?,
            weights: Scratch::default(),
        })
    }

    /// Adds the band's active sites, with `descriptors` `[D][sites]`.
    pub(super) fn add(
        &mut self,
        commands: &mut Commands<'_>,
        band: &Band,
        descriptors: &Buffer,
    ) -> Result<()> {
        let weights = self.write_weights(commands, band)?;
        let parts = self.parts_of(band);
        // To write to a buffer that is in use would end the submission.
        let part_buffer = self.device.upload("parts", &parts, BufferUsages::STORAGE)?;
        let side = (self.plan.channels() + 1).div_ceil(BLOCK);
        let block_count = side * (side + 1) / 2;
        let work = (block_count * BLOCK * BLOCK * self.part_sites()) as u64;
        let at_once = self.totals.at_once(work).min(parts.len() as u64);
        let room = self.totals.room(at_once)?;
        for batch in blocks(0..parts.len(), at_once as usize) {
            let params = Params {
                sites: band.len() as u32,
                channels: self.plan.channels() as u32,
                first_part: batch.start as u32,
                masked: u32::from(weights.is_some()),
            };
            // Without weights something must be bound that is not read.
            let buffers =
                [descriptors, weights.as_ref().unwrap_or(descriptors), &part_buffer, &room];
            let groups = [block_count as u32, batch.len() as u32, 1];
            let work = work * batch.len() as u64;
            commands.dispatch(&self.kernel, &params, &buffers, groups, work)?;
            self.totals.add(commands, &room, batch.len() as u64)?;
        }
        Ok(())
    }

    /// Which sites of the band take part, where not all of the image's do.
    fn write_weights(
        &mut self,
        commands: &mut Commands<'_>,
        band: &Band,
    ) -> Result<Option<Buffer>> {
        if self.plan.sites().active().is_none() {
            return Ok(None);
        }
        let weight = |site| f32::from(u8::from(self.plan.sites().is_active(site)));
        let weights: Vec<f32> = band.sites().map(weight).collect();
        let buffer = self.weights.get(self.device, "weights", weights.len() as u64)?.clone();
        commands.write(&buffer, &weights);
        Ok(Some(buffer))
    }

    /// First site and number of sites of the band's parts. They begin afresh at
    /// each row of tiles, so that they do not depend on the bands.
    fn parts_of(&self, band: &Band) -> Vec<[u32; 2]> {
        blocks(0..band.rows.len(), self.plan.sites().tile().rows)
            .flat_map(|rows| {
                blocks(rows.start * band.cols..rows.end * band.cols, self.part_sites())
            })
            .map(|part| [part.start as u32, part.len() as u32])
            .collect()
    }

    /// Sites of a part: few where there are few channels, so that enough
    /// workgroups run at once; many where the sums are large.
    fn part_sites(&self) -> usize {
        PIECE * (self.plan.channels() / BLOCK).clamp(2, 32)
    }

    /// The sums over all that was added; the next begin at zero.
    pub(super) fn collect(&mut self, commands: &mut Commands<'_>) -> Result<Moments> {
        let channels = self.plan.channels();
        let mut moments = Moments::zero(channels);
        let totals = self.totals.finish();
        if totals.is_empty() {
            return Ok(moments);
        }
        let back = commands.read_back(&totals)?;
        let sums: Vec<f32> = commands.take(back)?;
        let one = (channels + 1) * (channels + 1);
        sums.chunks_exact(one).for_each(|sums| moments.merge(&widen(sums, channels)));
        Ok(moments)
    }
}

/// Sums `[D + 1][D + 1]` in f64.
fn widen(sum: &[f32], channels: usize) -> Moments {
    let sum = Array2::from_shape_fn((channels + 1, channels + 1), |(i, j)| {
        // Above the diagonal the kernel writes what it likes.
        f64::from(sum[i.max(j) * (channels + 1) + i.min(j)])
    });
    Moments {
        count: sum[(channels, channels)] as u64,
        sum: sum.slice(s![channels, ..channels]).to_owned(),
        products: sum.slice(s![..channels, ..channels]).to_owned(),
    }
}
