//! Launcher of `shaders/translation.wgsl`: the local correlation map.

mod layout;

use std::sync::Arc;

use bytemuck::{NoUninit, Pod, Zeroable};
use wgpu::{Buffer, BufferUsages};

use super::commands::Commands;
use super::compute_kernel::{Kernel, KernelSource};
use super::device::{Device, Scratch};
use super::launch::{GpuFamily, Job, Launch, Measured, Setup};
use super::pixels::Rows;
use super::repair::{self, Repair};
use super::shaders::{Wgsl, wgsl};
use crate::Result;
use crate::descriptor::translation::{Balance, Family, Maps, Norms};
use crate::plan::Plan;
use crate::sites::{Band, Tile};
use layout::{LANES, Layout, Slab};

/// Its shaders.
pub(super) const SHADERS: &[Wgsl] = &[wgsl!(=> "translation"), repair::WGSL];

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub first_row: u32,
    pub pitch: u32,
    pub top: u32,
    pub left: u32,
    pub stride: u32,
    pub height: u32,
    pub whole: u32,
    pub rest: u32,
    pub fold: u32,
    pub begins: u32,
    pub ends: u32,
    pub norm_first: u32,
    pub norm_line: u32,
    pub sites: u32,
    pub site_cols: u32,
    pub first_site_row: u32,
    pub first_tile: u32,
    pub first_four: u32,
    pub translations: u32,
    pub first_channel: u32,
    pub patch_pixels: f32,
}

/// `Tile` of the shader.
#[repr(C)]
#[derive(Debug, Clone, Copy, NoUninit)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct GpuTile {
    pub first_row: u32,
    pub first_col: u32,
    pub rows: u32,
    pub cols: u32,
    pub centre: f32,
}

/// The kernel for one family of one plan.
struct Launcher<'a> {
    device: &'a Device,
    kernel: Arc<Kernel>,
    layout: Layout,
    family: &'a Family,
    plan: &'a Plan,
    /// The family's first channel among all.
    first_channel: usize,
    translations: Option<Buffer>,
    mean: Scratch,
    inverse: Scratch,
    tiles: Scratch,
    repair: Repair,
}

impl GpuFamily for Family {
    fn launcher<'a>(&'a self, setup: &mut Setup<'a>) -> Result<Box<dyn Launch + 'a>> {
        Ok(Box::new(Launcher::new(setup.device, self, setup.plan, setup.channel)?))
    }

    fn by_phase(&self) -> bool {
        true
    }

    fn norms(&self, Measured { plan, rows, .. }: Measured<'_>) -> u64 {
        4 * Norms::<f32>::most_values(self, plan.sites().grid(), rows) as u64
    }
}

impl<'a> Launcher<'a> {
    fn new(
        device: &'a Device,
        family: &'a Family,
        plan: &'a Plan,
        first_channel: usize,
    ) -> Result<Self> {
        let layout = Layout::new(device, family, plan);
        let (blocks, groups) = (layout.blocks, layout.groups);
        let kernel = device.kernel(&KernelSource {
            name: "translation",
            constants: &[
                ("BLOCKS", blocks as f64),
                ("GROUPS", groups as f64),
                ("ALL", (blocks * groups) as f64),
            ],
            threads: [blocks as u32, groups as u32, 1],
            shared: layout.shared(),
        })?;
        Ok(Self {
            device,
            kernel,
            layout,
            family,
            plan,
            first_channel,
            translations: None,
            mean: Scratch::default(),
            inverse: Scratch::default(),
            tiles: Scratch::default(),
            repair: Repair::default(),
        })
    }

    /// The translations on the device, in whole vectors; they are the same for all
    /// bands.
    fn translations(&mut self, norms: &Norms) -> Result<Buffer> {
        if let Some(buffer) = &self.translations {
            return Ok(buffer.clone());
        }
        let of = |t: &crate::descriptor::Translation| [t.rows, t.cols, norms.shift(t) as i32, 0];
        let mut values: Vec<[i32; 4]> = self.family.translations.iter().map(of).collect();
        // Lanes beyond the last work like the first, and are not stored.
        values.resize(values.len().next_multiple_of(LANES), values[0]);
        let buffer = self.device.upload("translations", &values, BufferUsages::STORAGE)?;
        Ok(self.translations.insert(buffer).clone())
    }

    fn params(&self, band: &Band, pixels: &Rows, slab: &Slab) -> Params {
        let (grid, patch) = (self.plan.sites().grid(), self.family.patch);
        Params {
            first_row: pixels.first as u32,
            pitch: pixels.pitch as u32,
            top: (grid.margin.rows - patch.rows) as u32,
            left: (grid.margin.cols - patch.cols + slab.left) as u32,
            stride: grid.stride as u32,
            height: patch.full().rows as u32,
            whole: slab.whole as u32,
            rest: slab.rest as u32,
            fold: slab.whole.isqrt().max(1) as u32,
            sites: band.len() as u32,
            site_cols: band.cols as u32,
            first_site_row: band.rows.start as u32,
            translations: self.family.translations.len() as u32,
            first_channel: self.first_channel as u32,
            patch_pixels: patch.full().area() as f32,
            ..Params::zeroed()
        }
    }

    /// Runs the kernel over `tiles` tiles and all translations, in short dispatches.
    fn launch(
        &self,
        commands: &mut Commands<'_>,
        params: Params,
        buffers: &[&Buffer],
        tiles: usize,
    ) -> Result<()> {
        let (tile, stride) = (self.plan.sites().tile(), self.plan.sites().grid().stride);
        let rows = 2 * tile.rows * stride + params.height as usize;
        let threads = self.layout.blocks * self.layout.groups;
        let work = (threads * LANES * rows * stride.min(params.height as usize)) as u64;
        let vectors = self.family.translations.len().div_ceil(LANES);
        let across = vectors.div_ceil(self.layout.groups);
        let pairs = (self.device.work_per_dispatch() / work).max(1) as usize;
        let at_once = across.min(pairs);
        let tiles_at_once = (pairs / at_once).clamp(1, 1 << 15);
        for first_tile in (0..tiles).step_by(tiles_at_once) {
            for first in (0..across).step_by(at_once) {
                let first_four = (first * self.layout.groups) as u32;
                let params = Params { first_tile: first_tile as u32, first_four, ..params };
                let count = tiles_at_once.min(tiles - first_tile);
                let across = at_once.min(across - first);
                let groups = [across as u32, count as u32, 1];
                let work = work * (across * count) as u64;
                commands.dispatch(&self.kernel, &params, buffers, groups, work)?;
            }
        }
        Ok(())
    }
}

impl Launch for Launcher<'_> {
    fn describe(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<()> {
        let Job { image, pixels, band, descriptors, .. } = *job;
        let (rows, tiles) = (band.rows.clone(), self.plan.sites().tiles(band));
        let Maps { norms, tiles } =
            Maps::new(image, self.family, self.plan.sites().grid(), rows, tiles);
        // What lies before the band's own norms is not needed there.
        let own = norms.around(band.rows.clone(), 0..band.cols).next().map_or(0, |r| r.start);
        let mean = self.mean.get(self.device, "mean", (norms.mean.len() - own) as u64)?.clone();
        commands.write(&mean, &norms.mean[own..]);
        let count = (norms.inverse.len() - own) as u64;
        let inverse = self.inverse.get(self.device, "inverse", count)?.clone();
        commands.write(&inverse, &norms.inverse[own..]);
        let parts: Vec<GpuTile> = self.layout.split(&tiles).iter().map(gpu_tile).collect();
        let size = size_of_val(&parts[..]) as u64 / 4;
        let tile_buffer = self.tiles.get(self.device, "tiles", size)?.clone();
        commands.write(&tile_buffer, &parts);
        let translations = self.translations(&norms)?;
        let buffers = [&pixels.buffer, &mean, &inverse, &translations, &tile_buffer, descriptors];

        let last = self.layout.slabs.len() - 1;
        for (i, slab) in self.layout.slabs.iter().enumerate() {
            let params = Params {
                begins: u32::from(i == 0),
                ends: u32::from(i == last),
                norm_first: (norms.index(band.rows.start as isize, 0) - own) as u32,
                norm_line: norms.line() as u32,
                ..self.params(band, pixels, slab)
            };
            self.launch(commands, params, &buffers, parts.len())?;
        }
        let job = repair::Job {
            device: self.device,
            image,
            plan: self.plan,
            family: self.family,
            norms: &norms,
            band,
            first_channel: self.first_channel,
        };
        self.repair.run(commands, &job, &tiles, descriptors)
    }
}

fn gpu_tile((tile, balance): &(Tile, Balance)) -> GpuTile {
    GpuTile {
        first_row: tile.first.rows as u32,
        first_col: tile.first.cols as u32,
        rows: tile.count.rows as u32,
        cols: tile.count.cols as u32,
        centre: balance.centre,
    }
}
