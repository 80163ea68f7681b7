//! Launcher of `shaders/power_mean.wgsl`: power means of the projections of harmonics in
//! the windows of sites.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use wgpu::{Buffer, BufferUsages};

use super::commands::{Commands, Rows};
use super::compute_kernel::{Kernel, KernelSource};
use super::device::{Device, Scratch};
use super::inner_sites::Windows;
use super::launch::{Job, Launch};
use super::maximum;
use super::shaders::{Wgsl, wgsl};
use crate::Result;
use crate::descriptor::harmonic::{Family, power_mean};
use crate::plan::Plan;

/// Its shader.
pub(super) const WGSL: Wgsl = wgsl!(=> "power_mean");

/// Sites of a workgroup.
const SITES: usize = 64;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub rows: u32,
    pub cols: u32,
    pub sites: u32,
    pub site_cols: u32,
    pub first_row: u32,
    pub top: u32,
    pub left: u32,
    pub stride: u32,
    pub inner_top: u32,
    pub inner_left: u32,
    pub inner_stride: u32,
}

/// The kernel for one family of one plan.
pub(super) struct Launcher<'a> {
    device: &'a Device,
    kernel: Arc<Kernel>,
    family: &'a Family,
    plan: &'a Plan,
    /// Which of the sources has the harmonics.
    source: usize,
    windows: Windows<'a>,
    phases: Buffer,
    fours: usize,
    weights: Buffer,
    counts: Scratch,
}

impl<'a> Launcher<'a> {
    /// For weights of `width` px.
    pub(super) fn new(
        device: &'a Device,
        (family, width): (&'a Family, f64),
        plan: &'a Plan,
        source: usize,
        first_channel: usize,
    ) -> Result<Self> {
        let kernel = device.kernel(&KernelSource {
            name: "power_mean",
            constants: &[("MASKED", f64::from(u8::from(plan.sites().mask().is_some())))],
            threads: [SITES as u32, 1, 1],
            shared: 256 * (16 + 4),
        })?;
        let windows = Windows::new(device, &family.inner, plan.sites().grid());
        let table = maximum::table(family, first_channel);
        let phases = device.upload("phases", &table, BufferUsages::STORAGE)?;
        let weights = power_mean::weights(&family.inner, width);
        let weights: Vec<f32> = weights.into_iter().map(|v| v as f32).collect();
        let weights = device.upload("pool weights", &weights, BufferUsages::STORAGE)?;
        let (fours, counts) = (table.len(), Scratch::default());
        Ok(Self { device, kernel, family, plan, source, windows, phases, fours, weights, counts })
    }
}

impl Launch for Launcher<'_> {
    fn describe(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<()> {
        let (maps, band, grid) = (&job.maps[self.source], job.band, self.plan.sites().grid());
        let inner = &self.family.inner;
        let [row_windows, col_windows] = self.windows.get(band, maps)?;
        // Where all count, something must be bound that is not read.
        let counts = match self.plan.sites().mask() {
            None => &self.weights,
            Some(mask) => {
                let all = self.family.counts(Some(mask.view()), maps.rows.clone(), 0..maps.cols);
                let counts = self.counts.get(self.device, "counts", all.len() as u64)?;
                commands.write(counts, &all);
                counts
            }
        };
        let buffers = [
            &maps.buffer,
            &row_windows,
            &col_windows,
            &self.phases,
            &self.weights,
            counts,
            job.descriptors,
        ];
        let across = band.cols.div_ceil(SITES);
        let full = inner.window.full();
        let columns = across * full.cols / inner.grid.stride + maps.cols;
        let work = self.fours * 32 * columns * (full.rows / inner.grid.stride + 1);
        let groups = [across as u32, self.fours as u32];
        let rows = Rows { count: band.rows.len(), groups, work: work as u64 };
        commands.dispatch_rows(&self.kernel, &rows, &buffers, |row| Params {
            rows: maps.rows.len() as u32,
            cols: maps.cols as u32,
            sites: band.len() as u32,
            site_cols: band.cols as u32,
            first_row: row as u32,
            top: grid.row(band.rows.start) as u32,
            left: grid.margin.cols as u32,
            stride: grid.stride as u32,
            inner_top: inner.grid.row(maps.rows.start) as u32,
            inner_left: inner.grid.margin.cols as u32,
            inner_stride: inner.grid.stride as u32,
        })
    }
}
