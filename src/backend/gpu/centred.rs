//! Launcher of `shaders/centred_cells.wgsl` and `shaders/centred.wgsl`: correlations of
//! centred pairs.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use ndarray::ArrayView2;
use wgpu::{Buffer, BufferUsages};

use super::commands::{Commands, Rows};
use super::compute_kernel::{Kernel, KernelSource};
use super::device::{Device, Scratch};
use super::launch::{Bytes, GpuFamily, Job, Launch, Measured, Setup};
use super::pixels::{self, Image};
use super::shaders::{Wgsl, wgsl};
use crate::Result;
use crate::descriptor::centred::{Family, LEAST_SHARE};
use crate::plan::Plan;
use crate::sites::blocks;

/// Its shaders.
pub(super) const SHADERS: &[Wgsl] = &[wgsl!("pixels", => "centred_cells"), wgsl!(=> "centred")];

/// Sites, or cells, of a workgroup.
const SITES: usize = 64;

/// Most bytes of the larger buffer of cells: translations are taken a few at a time.
const MOST: u64 = 64 << 20;

/// `Params` of `centred_cells`; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct CellParams {
    pub image: Image,
    pub height: i32,
    pub width: i32,
    pub top: i32,
    pub left: i32,
    pub rows: u32,
    pub cols: u32,
    pub first_row: u32,
    pub first_half: u32,
    pub mask_words: u32,
}

/// `Params` of `centred`; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub rows: u32,
    pub cols: u32,
    pub around: u32,
    pub sites: u32,
    pub site_cols: u32,
    pub first_row: u32,
    pub first_channel: u32,
    pub floor: f32,
    pub least: f32,
}

/// The kernels for one family of one plan.
struct Launcher<'a> {
    device: &'a Device,
    cells: Arc<Kernel>,
    kernel: Arc<Kernel>,
    family: &'a Family,
    plan: &'a Plan,
    first_channel: usize,
    /// Half translations, weights by distance, mask, and words of a row of it.
    halves: Buffer,
    taps: Buffer,
    mask: Buffer,
    mask_words: usize,
    means: Scratch,
    products: Scratch,
}

impl<'a> Launcher<'a> {
    fn new(
        device: &'a Device,
        family: &'a Family,
        plan: &'a Plan,
        first_channel: usize,
    ) -> Result<Self> {
        let source = |name, constants: &[_], shared| {
            let threads = [SITES as u32, 1, 1];
            device.kernel(&KernelSource { name, constants, threads, shared })
        };
        let masked = f64::from(u8::from(plan.sites().mask().is_some()));
        let stride = plan.sites().grid().stride as f64;
        let constants = [pixels::constant(plan), ("STRIDE", stride), ("MASKED", masked)];
        let taps: Vec<f32> =
            family.taps(plan.sites().grid().stride).iter().map(|&v| v as f32).collect();
        let (words, mask_words) =
            plan.sites().mask().as_ref().map_or((vec![0], 0), |m| bits(m.view()));
        let usage = BufferUsages::STORAGE;
        Ok(Self {
            device,
            cells: source("centred_cells", &constants, 0)?,
            kernel: source("centred", &[], 256 * 24)?,
            family,
            plan,
            first_channel,
            halves: device.upload("half translations", &family.halves, usage)?,
            taps: device.upload("taps", &taps, usage)?,
            mask: device.upload("mask", &words, usage)?,
            mask_words,
            means: Scratch::default(),
            products: Scratch::default(),
        })
    }
}

/// A bit for each pixel of a mask, rows of whole words, and how many words a row has.
fn bits(mask: ArrayView2<'_, bool>) -> (Vec<u32>, usize) {
    let words = mask.ncols().div_ceil(32);
    let mut all = vec![0_u32; mask.nrows() * words];
    for ((row, col), &masked) in mask.indexed_iter() {
        all[row * words + col / 32] |= u32::from(masked) << (col % 32);
    }
    (all, words)
}

impl Launch for Launcher<'_> {
    fn describe(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<()> {
        let rows = job.band.rows.len();
        let (at_once, count) =
            (at_once(self.device, self.family, self.plan, rows), self.family.halves.len());
        let cells = (at_once * cells(self.family, self.plan, rows)) as u64;
        let means = self.means.get(self.device, "means of cells", 4 * cells)?.clone();
        let products = self.products.get(self.device, "products of cells", 2 * cells)?.clone();
        blocks(0..count, at_once).try_for_each(|part| {
            self.cells(commands, job, &part, [&means, &products])?;
            self.merge(commands, job, &part, [&means, &products])
        })
    }
}

impl Launcher<'_> {
    /// Cells of some translations.
    fn cells(
        &self,
        commands: &mut Commands<'_>,
        job: &Job<'_>,
        part: &std::ops::Range<usize>,
        [means, products]: [&Buffer; 2],
    ) -> Result<()> {
        let (grid, shape) = (self.plan.sites().grid(), self.plan.sites().shape());
        let around = self.family.cells(grid.stride);
        let (count, cols) = (job.band.rows.len() + 2 * around, job.band.cols + 2 * around);
        let across = cols.div_ceil(SITES);
        let side = Family::cell(grid.stride).len();
        let work = across * SITES * part.len() * side * side * 16;
        let groups = [across as u32, part.len() as u32];
        let rows = Rows { count, groups, work: work as u64 };
        let buffers = [&job.pixels.buffer, &self.mask, &self.halves, means, products];
        let first = |site: usize| site as i32 - (around * grid.stride) as i32;
        commands.dispatch_rows(&self.cells, &rows, &buffers, |row| CellParams {
            image: job.pixels.image(),
            height: shape.rows as i32,
            width: shape.cols as i32,
            top: first(grid.row(job.band.rows.start)),
            left: first(grid.col(0)),
            rows: count as u32,
            cols: cols as u32,
            first_row: row as u32,
            first_half: part.start as u32,
            mask_words: self.mask_words as u32,
        })
    }

    /// Scores of some translations from their cells.
    fn merge(
        &self,
        commands: &mut Commands<'_>,
        job: &Job<'_>,
        part: &std::ops::Range<usize>,
        [means, products]: [&Buffer; 2],
    ) -> Result<()> {
        let (band, stride) = (job.band, self.plan.sites().grid().stride);
        let around = self.family.cells(stride);
        let across = band.cols.div_ceil(SITES);
        let merges = across * (2 * SITES + 2 * around) * (2 * around + 1);
        let work = part.len() * merges * 16;
        let groups = [across as u32, part.len() as u32];
        let rows = Rows { count: band.rows.len(), groups, work: work as u64 };
        let buffers = [means, products, &self.taps, job.descriptors];
        commands.dispatch_rows(&self.kernel, &rows, &buffers, |row| Params {
            rows: (band.rows.len() + 2 * around) as u32,
            cols: (band.cols + 2 * around) as u32,
            around: around as u32,
            sites: band.len() as u32,
            site_cols: band.cols as u32,
            first_row: row as u32,
            first_channel: (self.first_channel + part.start) as u32,
            floor: self.family.floor as f32,
            least: (LEAST_SHARE * self.family.whole(stride)) as f32,
        })
    }
}

impl GpuFamily for Family {
    fn launcher<'a>(&'a self, setup: &mut Setup<'a>) -> Result<Box<dyn Launch + 'a>> {
        Ok(Box::new(Launcher::new(setup.device, self, setup.plan, setup.channel)?))
    }

    fn bytes(&self, Measured { device, plan, rows, .. }: Measured<'_>) -> Bytes {
        let cells = at_once(device, self, plan, rows) * cells(self, plan, rows);
        // The mask stays with the device.
        let mask = plan.sites().mask().as_ref().map_or(0, |mask| mask.len() as u64 / 8);
        let largest = 16 * cells as u64;
        Bytes { largest: largest.max(mask), all: largest + largest / 2 + mask }
    }
}

/// Cells of one translation for a band of `rows` site rows.
fn cells(family: &Family, plan: &Plan, rows: usize) -> usize {
    let around = 2 * family.cells(plan.sites().grid().stride);
    (rows + around) * (plan.sites().grid().count.cols + around)
}

/// Translations whose cells the device holds at once.
fn at_once(device: &Device, family: &Family, plan: &Plan, rows: usize) -> usize {
    let one = 16 * cells(family, plan, rows) as u64;
    (MOST.min(device.binding_limit()) / one).clamp(1, family.halves.len() as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_a_bit_for_each_pixel() {
        let mut mask = ndarray::Array2::from_elem((2, 35), false);
        (mask[(0, 1)], mask[(1, 31)], mask[(1, 34)]) = (true, true, true);
        assert_eq!(bits(mask.view()), (vec![2, 0, 1 << 31, 4], 2));
    }
}
