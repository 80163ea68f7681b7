//! Launcher of `shaders/polar.wgsl`: scores of rotations and reflections at inner
//! sites, for all families with the same samples.

mod layout;
mod sums;

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use wgpu::{Buffer, BufferUsages};

use super::commands::{Commands, Grid};
use super::compute_kernel::{Kernel, KernelSource};
use super::device::{Device, Scratch};
use super::inner_sites::{self, Maps};
use super::launch::{Bytes, Job, Measured, Score, Setup};
use super::pixels;
use super::shaders::{Wgsl, wgsl};
use super::spline_square::{self, Slots};
use crate::Result;
use crate::descriptor::Family;
use crate::descriptor::inner_sites::{InnerSites, Norms};
use crate::descriptor::polar::{Polar, PolarScores, SharedScores};
use crate::plan::Plan;
use crate::sites::SiteGrid;
use layout::Layout;
use sums::Sums;
pub use sums::{Block, Entry};

/// Its shader.
pub(super) const WGSL: Wgsl = wgsl!("pixels", "spline_square", => "polar");

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub inner: spline_square::Inner,
    pub blocks: u32,
    pub scores: u32,
    pub entries: u32,
    pub norm: u32,
}

/// The source of the scores of the family whose launcher is being made, and its channels
/// there; families with the same samples share one.
pub(super) fn source(setup: &mut Setup<'_>) -> Result<(usize, Range<usize>)> {
    let own = setup.family;
    if !setup.shared.iter().any(|(of, ..)| *of == own)
        && let Some(all) = scores(setup.plan, own)
    {
        let source = setup.source(Launcher::new(setup.device, setup.plan, &all.of)?);
        setup.shared.extend(all.channels.into_iter().map(|(of, range)| (of, source, range)));
    }
    let found = setup.shared.iter().find(|(of, ..)| *of == own);
    let (_, source, channels) = found.expect("only families with polar scores ask for a source");
    Ok((*source, channels.clone()))
}

/// The scores of family `own` and of all with the same samples.
fn scores(plan: &Plan, own: usize) -> Option<SharedScores<'_>> {
    SharedScores::with(plan.families().iter().map(Family::polar_scores), own)
}

/// The kernel for families of one plan.
struct Launcher<'a> {
    device: &'a Device,
    kernel: Arc<Kernel>,
    polar: &'a Polar,
    inner: &'a InnerSites,
    grid: &'a SiteGrid,
    layout: Layout,
    sums: Sums,
    /// Taps, blocks and entries on the device.
    tables: [Buffer; 3],
    norms: Scratch,
    slots: Slots,
    maps: Scratch,
}

impl<'a> Launcher<'a> {
    /// For these scores.
    fn new(device: &'a Device, plan: &'a Plan, of: &PolarScores<'a>) -> Result<Self> {
        let PolarScores { polar, inner, scores } = of;
        let (polar, inner) = (*polar, *inner);
        let sums = Sums::new(polar.angles, scores);
        let layout = Layout::new(device.workgroup_memory(), polar, &sums);
        let mut constants = layout.constants(polar);
        constants.push(pixels::constant(plan));
        let kernel = device.kernel(&KernelSource {
            name: "polar",
            constants: &constants,
            threads: [layout.threads as u32, 1, 1],
            shared: layout.shared(),
        })?;
        let taps = spline_square::taps(polar, &polar.taps([0.0; 2]), layout.at_once);
        let tables = [
            device.upload("taps", &taps, BufferUsages::STORAGE)?,
            device.upload("blocks", &sums.blocks, BufferUsages::STORAGE)?,
            device.upload("entries", &sums.entries, BufferUsages::STORAGE)?,
        ];
        Ok(Self {
            device,
            kernel,
            polar,
            inner,
            grid: plan.sites().grid(),
            layout,
            sums,
            tables,
            norms: Scratch::default(),
            slots: Slots::default(),
            maps: Scratch::default(),
        })
    }
}

impl Score for Launcher<'_> {
    fn maps(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<Maps> {
        let rows = self.inner.rows_of(job.band, self.grid);
        let (count, cols) = (rows.len(), self.inner.grid.count.cols);
        let reach = vec![self.polar.radius; self.polar.radius + 1];
        let norms = Norms::new(job.image, self.inner, rows.clone(), &reach);
        let sites = (count * cols) as u64;
        let norm_buffer = self.norms.get(self.device, "norms", 2 * sites)?;
        commands.write(norm_buffer, &spline_square::norms(&norms));
        let size = sites * self.sums.scores() as u64;
        let maps = self.maps.get(self.device, "scores", size)?.clone();
        // A product is a multiply-add, and about two more to move it.
        let products = 3 * self.sums.len() * self.polar.len();
        let all = Grid {
            groups: [cols, count, 1],
            work: (spline_square::work(self.polar) + products) as u64,
            most: Slots::count(self.device, self.layout.slot),
        };
        let slots = self.slots.get(self.device, self.layout.slot, all.at_once(self.device))?;
        let [taps, blocks, entries] = &self.tables;
        let buffers = [&job.pixels.buffer, norm_buffer, taps, slots, blocks, entries, &maps];
        commands.dispatch_grid(&self.kernel, &all, &buffers, |[col, row, _]| Params {
            inner: spline_square::Inner::new(job.pixels, self.inner, &rows, [col, row]),
            blocks: self.sums.blocks.len() as u32,
            scores: self.sums.scores() as u32,
            entries: self.sums.per_score as u32,
            norm: self.sums.norm as u32,
        })?;
        Ok(Maps { buffer: maps, rows, cols })
    }
}

/// Buffers that a family shares with others; nothing where another stands for them.
pub(super) fn bytes(Measured { device, plan, family, rows }: Measured<'_>) -> Bytes {
    let Some(all) = scores(plan, family).filter(|all| all.begin_with(family)) else {
        return Bytes::default();
    };
    let PolarScores { polar, inner, scores } = all.of;
    let sums = Sums::new(polar.angles, &scores);
    let layout = Layout::new(device.workgroup_memory(), polar, &sums);
    let of_channels =
        |channels| inner_sites::bytes(inner, channels, rows, plan.sites().grid().stride);
    let (maps, norms) = (of_channels(scores.len()), of_channels(2));
    Bytes { largest: maps.max(norms), all: maps + norms + Slots::bytes(layout.slot) }
}
