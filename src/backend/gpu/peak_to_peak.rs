//! Launcher of `shaders/peak_to_peak.wgsl`: largest pixel minus smallest of patches.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::commands::{Commands, Rows};
use super::compute_kernel::{Kernel, KernelSource};
use super::launch::{GpuFamily, Job, Launch, Setup};
use super::pixels::{self, Image};
use super::shaders::{Wgsl, wgsl};
use crate::Result;
use crate::descriptor::peak_to_peak::Family;
use crate::plan::Plan;

/// Its shaders.
pub(super) const SHADERS: &[Wgsl] = &[wgsl!("pixels", => "peak_to_peak")];

/// Sites of a workgroup.
const SITES: usize = 64;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub image: Image,
    pub height: u32,
    pub width: u32,
    pub top: u32,
    pub left: u32,
    pub stride: u32,
    pub sites: u32,
    pub site_cols: u32,
    pub first_row: u32,
    pub channel: u32,
}

/// The kernel for one family of one plan.
struct Launcher<'a> {
    kernel: Arc<Kernel>,
    family: &'a Family,
    plan: &'a Plan,
    channel: usize,
}

impl GpuFamily for Family {
    fn launcher<'a>(&'a self, setup: &mut Setup<'a>) -> Result<Box<dyn Launch + 'a>> {
        let Setup { plan, channel, .. } = *setup;
        let kernel = setup.device.kernel(&KernelSource {
            name: "peak_to_peak",
            constants: &[pixels::constant(plan)],
            threads: [SITES as u32, 1, 1],
            shared: 0,
        })?;
        Ok(Box::new(Launcher { kernel, family: self, plan, channel }))
    }
}

impl Launch for Launcher<'_> {
    fn describe(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<()> {
        let (grid, half, band) = (self.plan.sites().grid(), self.family.patch, job.band);
        let across = band.cols.div_ceil(SITES);
        let work = (across * SITES * half.full().area()) as u64;
        let rows = Rows { count: band.rows.len(), groups: [across as u32, 1], work };
        commands.dispatch_rows(&self.kernel, &rows, &[&job.pixels.buffer, job.descriptors], |row| {
            Params {
                image: job.pixels.image(),
                height: half.full().rows as u32,
                width: half.full().cols as u32,
                top: (grid.row(band.rows.start) - half.rows) as u32,
                left: (grid.col(0) - half.cols) as u32,
                stride: grid.stride as u32,
                sites: band.len() as u32,
                site_cols: band.cols as u32,
                first_row: row as u32,
                channel: self.channel as u32,
            }
        })
    }
}
