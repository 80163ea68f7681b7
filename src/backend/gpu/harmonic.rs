//! Launcher of `shaders/harmonic.wgsl`: circular harmonics at inner sites.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use wgpu::{Buffer, BufferUsages};

use super::commands::{Commands, Rows};
use super::compute_kernel::{Kernel, KernelSource};
use super::device::{Device, Scratch};
use super::inner_sites::{self, Maps, Windows};
use super::launch::{Bytes, GpuFamily, Job, Launch, Measured, Score, Setup};
use super::pixels::{self, Image};
use super::shaders::{Wgsl, wgsl};
use super::{maximum, power_mean};
use crate::Result;
use crate::descriptor::FLAT_SHARE;
use crate::descriptor::harmonic::{Family, Folded};
use crate::plan::Plan;
use crate::sites::SiteGrid;

/// Its shaders.
pub(super) const SHADERS: &[Wgsl] =
    &[wgsl!("pixels", => "harmonic"), maximum::WGSL, power_mean::WGSL];

/// Inner sites of a workgroup.
const SITES: usize = 128;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub image: Image,
    pub top: u32,
    pub left: u32,
    pub stride: u32,
    pub first_inner_row: u32,
    pub rows: u32,
    pub cols: u32,
    pub first_row: u32,
    pub positions: u32,
    pub step: u32,
    pub pixels: f32,
    pub flat: f32,
}

/// The kernel for one family of one plan.
struct Launcher<'a> {
    device: &'a Device,
    kernel: Arc<Kernel>,
    family: &'a Family,
    grid: &'a SiteGrid,
    /// Pixels of the disc, positions of a quarter of it, fours of kernels, channels.
    pixels: usize,
    positions: usize,
    fours: usize,
    channels: usize,
    /// Positions, weights and channels on the device.
    tables: [Buffer; 3],
    maps: Scratch,
}

impl GpuFamily for Family {
    fn launcher<'a>(&'a self, setup: &mut Setup<'a>) -> Result<Box<dyn Launch + 'a>> {
        let Setup { device, plan, channel, .. } = *setup;
        let grid = plan.sites().grid();
        let source = setup.source(Launcher::new(device, self, plan)?);
        Ok(match self.width {
            Some(width) => {
                let family = (self, width);
                Box::new(power_mean::Launcher::new(device, family, plan, source, channel)?)
            }
            None => {
                let windows = Windows::new(device, &self.inner, grid);
                Box::new(maximum::Launcher::new(device, self, (source, windows), channel)?)
            }
        })
    }

    /// Maps, and what counts.
    fn bytes(&self, Measured { plan, rows, .. }: Measured<'_>) -> Bytes {
        let (channels, stride) = (self.part_count() + 1, plan.sites().grid().stride);
        let bytes = inner_sites::bytes(&self.inner, channels, rows, stride);
        Bytes { largest: bytes, all: bytes }
    }
}

impl<'a> Launcher<'a> {
    /// For the sites of `plan`.
    fn new(device: &'a Device, family: &'a Family, plan: &'a Plan) -> Result<Self> {
        let grid = plan.sites().grid();
        let kernel = device.kernel(&KernelSource {
            name: "harmonic",
            constants: &[pixels::constant(plan)],
            threads: [64, 1, 1],
            shared: 0,
        })?;
        let Folded { quarter, classes } = family.folded();
        let fours = classes.iter().map(|class| class.channels.len().div_ceil(4)).max().unwrap_or(0);
        let mut weights = vec![[0.0_f32; 4]; fours * quarter.len() * 4];
        let mut channels = vec![[u32::MAX; 4]; fours * 4];
        for (c, class) in classes.iter().enumerate() {
            let rows = class.weights.chunks_exact(quarter.len());
            for (i, (&channel, row)) in class.channels.iter().zip(rows).enumerate() {
                let (four, lane) = (i / 4, i % 4);
                channels[four * 4 + c][lane] = channel as u32;
                for (p, &weight) in row.iter().enumerate() {
                    weights[(four * quarter.len() + p) * 4 + c][lane] = weight;
                }
            }
        }
        let positions: Vec<[u32; 2]> = quarter.iter().map(|d| d.map(|v| v as u32)).collect();
        let upload = BufferUsages::STORAGE;
        Ok(Self {
            device,
            kernel,
            family,
            grid,
            pixels: family.disc().len(),
            positions: positions.len(),
            fours,
            channels: family.part_count(),
            tables: [
                device.upload("positions", &positions, upload)?,
                device.upload("weights", &weights, upload)?,
                device.upload("channels", &channels, upload)?,
            ],
            maps: Scratch::default(),
        })
    }
}

impl Score for Launcher<'_> {
    fn maps(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<Maps> {
        let inner = &self.family.inner;
        let rows = inner.rows_of(job.band, self.grid);
        let (count, cols) = (rows.len(), inner.grid.count.cols);
        let size = (count * cols * self.channels) as u64;
        let maps = self.maps.get(self.device, "harmonics", size)?.clone();
        let [positions, weights, channels] = &self.tables;
        let buffers = [&job.pixels.buffer, positions, weights, channels, &maps];
        let across = cols.div_ceil(SITES);
        let work = across * SITES * self.fours * self.positions * 40;
        let all = Rows { count, groups: [across as u32, self.fours as u32], work: work as u64 };
        commands.dispatch_rows(&self.kernel, &all, &buffers, |row| Params {
            image: job.pixels.image(),
            top: inner.grid.margin.rows as u32,
            left: inner.grid.margin.cols as u32,
            stride: inner.grid.stride as u32,
            first_inner_row: rows.start as u32,
            rows: count as u32,
            cols: cols as u32,
            first_row: row as u32,
            positions: self.positions as u32,
            step: self.family.first_step() as u32,
            pixels: self.pixels as f32,
            flat: FLAT_SHARE as f32,
        })?;
        Ok(Maps { buffer: maps, rows, cols })
    }
}
