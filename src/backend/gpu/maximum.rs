//! Launcher of `shaders/maximum.wgsl`: the largest projections of harmonics in
//! the windows of sites.

use std::sync::Arc;

use bytemuck::{NoUninit, Pod, Zeroable};
use wgpu::{Buffer, BufferUsages};

use super::commands::{Commands, Rows};
use super::compute_kernel::{Kernel, KernelSource};
use super::device::Device;
use super::inner_sites::Windows;
use super::launch::{Job, Launch};
use super::shaders::{Wgsl, wgsl};
use crate::Result;
use crate::descriptor::harmonic::Family;

/// Its shader.
pub(super) const WGSL: Wgsl = wgsl!(=> "maximum");

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
}

/// `Phases` of the shader.
#[repr(C)]
#[derive(Debug, Clone, Copy, NoUninit)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Phases {
    pub cos: [f32; 4],
    pub sin: [f32; 4],
    pub re: u32,
    pub im: u32,
    pub channel: u32,
    pub count: u32,
}

/// The kernel for one family of one plan.
pub(super) struct Launcher<'a> {
    kernel: Arc<Kernel>,
    family: &'a Family,
    /// Which of the sources has the harmonics.
    source: usize,
    windows: Windows<'a>,
    phases: Buffer,
    fours: usize,
}

impl<'a> Launcher<'a> {
    pub(super) fn new(
        device: &'a Device,
        family: &'a Family,
        (source, windows): (usize, Windows<'a>),
        first_channel: usize,
    ) -> Result<Self> {
        let kernel = device.kernel(&KernelSource {
            name: "maximum",
            constants: &[],
            threads: [SITES as u32, 1, 1],
            shared: 256 * 16,
        })?;
        let table = table(family, first_channel);
        let phases = device.upload("phases", &table, BufferUsages::STORAGE)?;
        Ok(Self { kernel, family, source, windows, phases, fours: table.len() })
    }
}

/// The phases of all kernels in fours, those of a kernel next to each other.
pub(super) fn table(family: &Family, first_channel: usize) -> Vec<Phases> {
    let mut table = Vec::new();
    let mut channel = first_channel as u32;
    for (kernel, (re, im)) in family.parts().into_iter().enumerate() {
        for four in family.phases(family.orders[kernel / family.rings]).chunks(4) {
            let part = |of: usize| {
                std::array::from_fn(|i| four.get(i).map_or(0.0, |phase| phase[of] as f32))
            };
            table.push(Phases {
                cos: part(0),
                sin: part(1),
                re: re as u32,
                // Without imaginary part, sines are 0.
                im: im.unwrap_or(re) as u32,
                channel,
                count: four.len() as u32,
            });
            channel += four.len() as u32;
        }
    }
    table
}

impl Launch for Launcher<'_> {
    fn describe(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<()> {
        let (maps, band) = (&job.maps[self.source], job.band);
        let [row_windows, col_windows] = self.windows.get(band, maps)?;
        let buffers = [&maps.buffer, &row_windows, &col_windows, &self.phases, job.descriptors];
        let across = band.cols.div_ceil(SITES);
        let full = self.family.inner.window.full();
        let inner_stride = self.family.inner.grid.stride;
        let columns = across * full.cols / inner_stride + maps.cols;
        let work = self.fours * 8 * columns * (full.rows / inner_stride + 1);
        let groups = [across as u32, self.fours as u32];
        let rows = Rows { count: band.rows.len(), groups, work: work as u64 };
        commands.dispatch_rows(&self.kernel, &rows, &buffers, |row| Params {
            rows: maps.rows.len() as u32,
            cols: maps.cols as u32,
            sites: band.len() as u32,
            site_cols: band.cols as u32,
            first_row: row as u32,
        })
    }
}
