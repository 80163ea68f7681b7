//! Launcher of `shaders/intensity.wgsl`: mean and standard deviation of patches.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::commands::{Commands, Rows};
use super::compute_kernel::{Kernel, KernelSource};
use super::device::Device;
use super::launch::{GpuFamily, Job, Launch, Setup};
use super::pixels::{self, Image};
use super::shaders::{Wgsl, wgsl};
use crate::Result;
use crate::descriptor::intensity::Family;
use crate::plan::Plan;

/// Its shaders.
pub(super) const SHADERS: &[Wgsl] = &[wgsl!("pixels", => "intensity")];

/// Sites of a workgroup.
const SITES: usize = 64;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub image: Image,
    pub half_rows: u32,
    pub half_cols: u32,
    pub height: u32,
    pub width: u32,
    pub top: u32,
    pub left: u32,
    pub stride: u32,
    pub sites: u32,
    pub site_cols: u32,
    pub first_site_row: u32,
    pub first_row: u32,
    pub first_channel: u32,
}

/// The kernel for one family of one plan.
struct Launcher<'a> {
    kernel: Arc<Kernel>,
    family: &'a Family,
    plan: &'a Plan,
    first_channel: usize,
}

impl GpuFamily for Family {
    fn launcher<'a>(&'a self, setup: &mut Setup<'a>) -> Result<Box<dyn Launch + 'a>> {
        Ok(Box::new(Launcher::new(setup.device, self, setup.plan, setup.channel)?))
    }
}

impl<'a> Launcher<'a> {
    fn new(
        device: &Device,
        family: &'a Family,
        plan: &'a Plan,
        first_channel: usize,
    ) -> Result<Self> {
        let kernel = device.kernel(&KernelSource {
            name: "intensity",
            constants: &[pixels::constant(plan)],
            threads: [SITES as u32, 1, 1],
            shared: 2 * 256 * 4,
        })?;
        Ok(Self { kernel, family, plan, first_channel })
    }
}

impl Launch for Launcher<'_> {
    fn describe(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<()> {
        let (grid, full, band) = (self.plan.sites().grid(), self.family.patch.full(), job.band);
        let across = band.cols.div_ceil(SITES);
        let pixels = across * (SITES * grid.stride + full.cols) * full.rows;
        let rows =
            Rows { count: band.rows.len(), groups: [across as u32, 1], work: 4 * pixels as u64 };
        commands.dispatch_rows(&self.kernel, &rows, &[&job.pixels.buffer, job.descriptors], |row| {
            Params {
                image: job.pixels.image(),
                half_rows: self.family.patch.rows as u32,
                half_cols: self.family.patch.cols as u32,
                height: full.rows as u32,
                width: full.cols as u32,
                top: grid.margin.rows as u32,
                left: grid.margin.cols as u32,
                stride: grid.stride as u32,
                sites: band.len() as u32,
                site_cols: band.cols as u32,
                first_site_row: band.rows.start as u32,
                first_row: row as u32,
                first_channel: self.first_channel as u32,
            }
        })
    }
}
