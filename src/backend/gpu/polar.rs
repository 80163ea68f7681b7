//! Launcher of `shaders/polar.wgsl`: scores of rotations and reflections at inner
//! sites, for all families with the same samples.

mod layout;
mod sums;

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use wgpu::{Buffer, BufferUsages};

use super::commands::{Commands, Grid};
use super::device::{Device, Scratch};
use super::inner::{self, Maps};
use super::kernel::{Kernel, Source};
use super::kernels::{Job, Score};
use super::square::{self, Slots};
use crate::Result;
use crate::descriptor::Family;
use crate::descriptor::inner::{Inner, Norms};
use crate::descriptor::polar::Polar;
use crate::plan::Plan;
use crate::sites::SiteGrid;
use layout::Layout;
pub use sums::{Block, Entry};
use sums::{Product, Sums};

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub inner: square::Inner,
    pub blocks: u32,
    pub scores: u32,
    pub entries: u32,
    pub norm: u32,
}

/// Samples and inner sites of a family that this kernel scores.
fn samples(family: &Family) -> Option<(&Polar, &Inner)> {
    match family {
        Family::Rotation(family) => Some((&family.polar, &family.inner)),
        Family::Reflection(family) => Some((&family.polar, &family.inner)),
        _ => None,
    }
}

/// The families of `plan` with these samples.
fn alike(plan: &Plan, own: (&Polar, &Inner)) -> impl Iterator<Item = usize> {
    (0..plan.families().len()).filter(move |&i| samples(&plan.families()[i]) == Some(own))
}

/// Products that a family's scores of an inner site are made of, and their weights.
fn scores(family: &Family) -> Vec<Vec<(Product, f64)>> {
    match family {
        Family::Rotation(family) => {
            let roll = |(samples, weight)| (Product::Roll(samples), weight);
            let score = |&fold: &usize| family.rolls(fold).into_iter().map(roll).collect();
            family.folds.iter().map(score).collect()
        }
        Family::Reflection(family) => {
            (0..family.axes).map(|axis| vec![(Product::Turn(family.turn(axis)), 1.0)]).collect()
        }
        _ => Vec::new(),
    }
}

/// The kernel for families of one plan.
pub(super) struct Launcher<'a> {
    device: &'a Device,
    kernel: Arc<Kernel>,
    polar: &'a Polar,
    inner: &'a Inner,
    grid: &'a SiteGrid,
    layout: Layout,
    sums: Sums,
    /// Which families, and their channels in the maps.
    pub(super) channels: Vec<(usize, Range<usize>)>,
    /// Taps, blocks and entries on the device.
    tables: [Buffer; 3],
    norms: Scratch,
    slots: Slots,
    maps: Scratch,
}

impl<'a> Launcher<'a> {
    /// For all families of `plan` with these samples.
    pub(super) fn new(
        device: &'a Device,
        plan: &'a Plan,
        (polar, inner): (&'a Polar, &'a Inner),
    ) -> Result<Self> {
        let (mut all, mut channels) = (Vec::new(), Vec::new());
        for i in alike(plan, (polar, inner)) {
            let first = all.len();
            all.extend(scores(&plan.families()[i]));
            channels.push((i, first..all.len()));
        }
        let sums = Sums::new(polar.angles, &all);
        let layout = Layout::new(device.workgroup_memory(), polar, &sums);
        let kernel = device.kernel(&Source {
            name: "polar",
            wgsl: &device.options.shaders.polar,
            constants: &layout.constants(polar),
            threads: [layout.threads as u32, 1, 1],
            shared: layout.shared(),
        })?;
        let taps = square::taps(polar, &polar.taps([0.0; 2]), layout.at_once);
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
            channels,
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
        commands.write(norm_buffer, &square::norms(&norms));
        let size = sites * self.sums.scores() as u64;
        let maps = self.maps.get(self.device, "scores", size)?.clone();
        // A product is a multiply-add, and about two more to move it.
        let products = 3 * self.sums.len() * self.polar.len();
        let all = Grid {
            groups: [cols, count, 1],
            work: (square::work(self.polar) + products) as u64,
            most: Slots::count(self.device, self.layout.slot),
        };
        let slots = self.slots.get(self.device, self.layout.slot, all.at_once(self.device))?;
        let [taps, blocks, entries] = &self.tables;
        let buffers = [&job.pixels.buffer, norm_buffer, taps, slots, blocks, entries, &maps];
        commands.dispatch_grid(&self.kernel, &all, &buffers, |[col, row, _]| Params {
            inner: square::Inner::new(job.pixels, self.inner, &rows, [col, row]),
            blocks: self.sums.blocks.len() as u32,
            scores: self.sums.scores() as u32,
            entries: self.sums.per_score as u32,
            norm: self.sums.norm as u32,
        })?;
        Ok(Maps { buffer: maps, rows, cols })
    }
}

/// Bytes of the maps that family `of` of `plan` shares with others, and of everything
/// for them together, for a band of `rows` site rows; nothing where another family
/// stands for them.
pub(super) fn bytes(device: &Device, plan: &Plan, of: usize, rows: usize) -> Option<(u64, u64)> {
    let (polar, inner) = samples(&plan.families()[of])?;
    let alike = || alike(plan, (polar, inner));
    if alike().next() != Some(of) {
        return None;
    }
    let scores: Vec<_> = alike().flat_map(|i| scores(&plan.families()[i])).collect();
    let sums = Sums::new(polar.angles, &scores);
    let layout = Layout::new(device.workgroup_memory(), polar, &sums);
    let of_channels = |channels| inner::bytes(inner, channels, rows, plan.sites().grid().stride);
    let (maps, norms) = (of_channels(scores.len()), of_channels(2));
    Some((maps.max(norms), maps + norms + Slots::bytes(layout.slot)))
}
