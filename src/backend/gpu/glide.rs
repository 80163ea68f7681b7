//! Launcher of `shaders/glide.wgsl`: scores of glides at inner sites.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use wgpu::{Buffer, BufferUsages};

use super::commands::{Commands, Grid};
use super::compute_kernel::{Kernel, KernelSource};
use super::device::{Device, Scratch};
use super::inner_sites::{self, Maps};
use super::launch::{Bytes, GpuFamily, Job, Launch, Measured, Score, Setup};
use super::pixels;
use super::rank_pooling;
use super::session::IN_FLIGHT;
use super::shaders::{Wgsl, wgsl};
use super::spline_square::{self, Slots};
use crate::Result;
use crate::descriptor::glide::Family;
use crate::descriptor::inner_sites::{InnerSites, Norms};
use crate::descriptor::polar::Polar;
use crate::plan::Plan;
use crate::sites::{Extent, SiteGrid};

/// Its shaders.
pub(super) const SHADERS: &[Wgsl] =
    &[wgsl!("pixels", "spline_square", => "glide"), rank_pooling::WGSL];

/// Threads of a workgroup.
const THREADS: usize = 128;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub inner: spline_square::Inner,
    pub norm_row: u32,
    pub norm_cols: u32,
    pub glides: u32,
    pub at_once: u32,
    pub first_part: u32,
}

/// `Move` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Move {
    pub rows: i32,
    pub cols: i32,
    pub turn: u32,
    pub unused: u32,
}

/// Values that a workgroup keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    /// Coefficients and samples in its own memory, at least one each.
    square: usize,
    samples: usize,
    /// Values of a slot outside of it, 0 where all fit.
    slot: usize,
}

impl Layout {
    /// For workgroups that have `memory` bytes.
    fn new(memory: u32, polar: &Polar) -> Self {
        let (square, samples) = (spline_square::coefficients(polar), polar.len());
        let here = Self { square, samples, slot: 0 };
        match here.shared() <= u64::from(memory) {
            true => here,
            false => Self { square: 1, samples: 1, slot: square + samples },
        }
    }

    /// Workgroup memory, bytes.
    const fn shared(&self) -> u64 {
        4 * (self.square + self.samples + 2 * THREADS) as u64
    }
}

/// Both directions of each glide.
fn moves(family: &Family) -> Vec<Move> {
    let one = |turn: usize, [rows, cols]: [isize; 2]| Move {
        rows: rows as i32,
        cols: cols as i32,
        turn: turn as u32,
        unused: 0,
    };
    let both =
        |glide| [true, false].map(|forwards| one(family.turn(glide), glide.split(forwards).0));
    family.glides.iter().flat_map(both).collect()
}

/// Taps of an inner site's own square, then of those that each glide leads to.
fn taps(family: &Family) -> Vec<[u32; 4]> {
    let polar = &family.polar;
    let rests = family.glides.iter().flat_map(|glide| [true, false].map(|way| glide.split(way).1));
    let all = std::iter::once([0.0; 2]).chain(rests);
    all.flat_map(|rest| spline_square::taps(polar, &polar.taps(rest), polar.rings)).collect()
}

/// Centres of all squares of an image of `shape` px.
fn centres(polar: &Polar, shape: Extent) -> InnerSites {
    InnerSites::new(shape, Extent::square(polar.radius), 1, Extent::default())
}

/// Pixel rows around which there are squares of `rows` inner rows.
fn centre_rows(family: &Family, rows: &Range<usize>) -> Range<usize> {
    let grid = &family.inner.grid;
    let beyond = grid.margin.rows - family.polar.radius;
    grid.row(rows.start) - beyond..grid.row(rows.end.max(1) - 1) + beyond + 1
}

/// Glides whose squares an inner site can compare within `work` multiply-adds, its own
/// square included; at least one.
fn at_once(family: &Family, work: u64) -> usize {
    let squares = work / spline_square::work(&family.polar) as u64;
    (squares.saturating_sub(1) / 2).clamp(1, family.glides.len() as u64) as usize
}

/// The kernel for one family of one plan.
struct Launcher<'a> {
    device: &'a Device,
    kernel: Arc<Kernel>,
    family: &'a Family,
    grid: &'a SiteGrid,
    layout: Layout,
    /// Every pixel that a square can be around.
    centres: InnerSites,
    /// Taps and moves on the device.
    tables: [Buffer; 2],
    norms: Scratch,
    slots: Slots,
    maps: Scratch,
}

impl GpuFamily for Family {
    fn launcher<'a>(&'a self, setup: &mut Setup<'a>) -> Result<Box<dyn Launch + 'a>> {
        let source = setup.source(Launcher::new(setup.device, self, setup.plan)?);
        rank_pooling::launcher(setup, &self.inner, (source, 0..self.glides.len()), self.pool_top)
    }

    fn bytes(&self, Measured { device, plan, rows, .. }: Measured<'_>) -> Bytes {
        let (inner, polar) = (&self.inner, &self.polar);
        let maps = inner_sites::bytes(inner, self.glides.len(), rows, plan.sites().grid().stride);
        let most = inner.most_rows(rows, plan.sites().grid().stride);
        let around = centre_rows(self, &(0..most)).len();
        let norms = 8 * (around * centres(polar, plan.sites().shape()).grid.count.cols) as u64;
        let slots = Slots::bytes(Layout::new(device.workgroup_memory(), polar).slot);
        let taps = 16 * ((2 * self.glides.len() + 1) * polar.len()) as u64;
        // Those of bands before are still on their way.
        let all = maps + (1 + IN_FLIGHT as u64) * norms + slots + taps;
        // The largest that grows with the band.
        Bytes { largest: maps.max(norms), all }
    }
}

impl<'a> Launcher<'a> {
    /// For sites of `plan`.
    fn new(device: &'a Device, family: &'a Family, plan: &'a Plan) -> Result<Self> {
        let polar = &family.polar;
        let layout = Layout::new(device.workgroup_memory(), polar);
        let mut constants = spline_square::constants(polar, THREADS, layout.slot, layout.square);
        constants.extend([("SAMPLES", layout.samples as f64), pixels::constant(plan)]);
        let kernel = device.kernel(&KernelSource {
            name: "glide",
            constants: &constants,
            threads: [THREADS as u32, 1, 1],
            shared: layout.shared(),
        })?;
        let tables = [
            device.upload("taps", &taps(family), BufferUsages::STORAGE)?,
            device.upload("moves", &moves(family), BufferUsages::STORAGE)?,
        ];
        Ok(Self {
            device,
            kernel,
            family,
            grid: plan.sites().grid(),
            layout,
            centres: centres(polar, plan.sites().shape()),
            tables,
            norms: Scratch::default(),
            slots: Slots::default(),
            maps: Scratch::default(),
        })
    }
}

impl Score for Launcher<'_> {
    fn maps(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<Maps> {
        let (polar, inner) = (&self.family.polar, &self.family.inner);
        let rows = inner.rows_of(job.band, self.grid);
        let (count, cols) = (rows.len(), inner.grid.count.cols);
        let around = centre_rows(self.family, &rows);
        let reach = vec![polar.radius; polar.radius + 1];
        let of_grid = around.start - polar.radius..around.end - polar.radius;
        let norms = Norms::new(job.image, &self.centres, of_grid, &reach);
        let size = 2 * norms.offset.len() as u64;
        let norm_buffer = self.norms.get(self.device, "norms", size)?;
        commands.write(norm_buffer, &spline_square::norms(&norms));
        let glides = self.family.glides.len();
        let size = (count * cols * glides) as u64;
        let maps = self.maps.get(self.device, "scores", size)?.clone();
        let at_once = at_once(self.family, self.device.work_per_dispatch());
        let all = Grid {
            groups: [cols, count, glides.div_ceil(at_once)],
            work: ((2 * at_once + 1) * spline_square::work(polar)) as u64,
            most: Slots::count(self.device, self.layout.slot),
        };
        let slots = self.slots.get(self.device, self.layout.slot, all.at_once(self.device))?;
        let [taps, moves] = &self.tables;
        let buffers = [&job.pixels.buffer, norm_buffer, taps, slots, moves, &maps];
        commands.dispatch_grid(&self.kernel, &all, &buffers, |[col, row, part]| Params {
            inner: spline_square::Inner::new(job.pixels, inner, &rows, [col, row]),
            norm_row: around.start as u32,
            norm_cols: self.centres.grid.count.cols as u32,
            glides: glides as u32,
            at_once: at_once as u32,
            first_part: part as u32,
        })?;
        Ok(Maps { buffer: maps, rows, cols })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_every_device_is_enough() {
        const LEAST: u32 = 16 << 10;
        let layout = |radius, angles| {
            let polar = Polar { radius, rings: 20, angles };
            Layout::new(LEAST, &polar)
        };
        assert_eq!(layout(20, 60).slot, 0);
        for large in [layout(26, 60), layout(20, 120), layout(300, 2520)] {
            assert!(large.slot > 0 && large.shared() <= u64::from(LEAST), "{large:?}");
        }
    }
}
