//! Launcher of `shaders/repair.wgsl`: tiles that f32 cannot do are summed in f64
//! on the host and put in place.

use std::sync::Arc;

use bytemuck::{NoUninit, Pod, Zeroable};
use ndarray::ArrayView2;
use rayon::prelude::*;
use wgpu::Buffer;

use super::commands::Commands;
use super::compute_kernel::{Kernel, KernelSource};
use super::device::{Device, Scratch};
use super::shaders::{Wgsl, wgsl};
use crate::Result;
use crate::backend::cpu;
use crate::descriptor::translation::{Balance, Family, Norms};
use crate::plan::Plan;
use crate::sites::{Band, Tile};

/// Its shader.
pub(super) const WGSL: Wgsl = wgsl!(=> "repair");

/// Most bytes of scores that are made at once, unless one tile has more.
const AT_ONCE: u64 = 32 << 20;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub sites: u32,
    pub site_cols: u32,
    pub first_site_row: u32,
    pub first_channel: u32,
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
    pub first_score: u32,
}

/// The kernel with its buffers.
#[derive(Default)]
pub(super) struct Repair {
    scores: Scratch,
    tiles: Scratch,
}

/// One band of one family.
pub(super) struct Job<'a> {
    pub(super) device: &'a Device,
    pub(super) image: ArrayView2<'a, f32>,
    pub(super) plan: &'a Plan,
    pub(super) family: &'a Family,
    pub(super) norms: &'a Norms,
    pub(super) band: &'a Band,
    pub(super) first_channel: usize,
}

impl Repair {
    /// Replaces the scores of the ill-conditioned of `tiles` in `descriptors`
    /// `[D][sites of the band]`.
    pub(super) fn run(
        &mut self,
        commands: &mut Commands<'_>,
        job: &Job<'_>,
        tiles: &[(Tile, Balance)],
        descriptors: &Buffer,
    ) -> Result<()> {
        let ill: Vec<&(Tile, Balance)> =
            tiles.iter().filter(|(_, balance)| balance.ill_conditioned()).collect();
        let Some(largest) = ill.iter().map(|(tile, _)| tile.count.area()).max() else {
            return Ok(());
        };
        let kernel = kernel(job.device)?;
        let channels = job.family.translations.len();
        let most = AT_ONCE.min(job.device.binding_limit()) / (4 * channels * largest) as u64;
        for ill in ill.chunks(most.clamp(1, 1 << 15) as usize) {
            let (scores, places) = job.scores(ill);
            let on_device = self.scores.get(job.device, "scores", scores.len() as u64)?;
            commands.write(on_device, &scores);
            let count = size_of_val(&places[..]) as u64 / 4;
            let tiles = self.tiles.get(job.device, "tiles", count)?;
            commands.write(tiles, &places);
            let params = Params {
                sites: job.band.len() as u32,
                site_cols: job.band.cols as u32,
                first_site_row: job.band.rows.start as u32,
                first_channel: job.first_channel as u32,
            };
            let groups = [largest.div_ceil(256) as u32, channels as u32, ill.len() as u32];
            let buffers = [on_device, tiles, descriptors];
            commands.dispatch(&kernel, &params, &buffers, groups, scores.len() as u64)?;
        }
        Ok(())
    }
}

impl Job<'_> {
    /// Scores of `tiles` in succession, and where they belong.
    fn scores(&self, tiles: &[&(Tile, Balance)]) -> (Vec<f32>, Vec<GpuTile>) {
        let grid = self.plan.sites().grid();
        let of = |tile: &&(Tile, Balance)| {
            cpu::repair(self.image, self.family, self.norms, grid, tile).into_raw_vec_and_offset().0
        };
        let parts: Vec<Vec<f32>> = tiles.par_iter().map(of).collect();
        let mut first_score = 0;
        let place = |((tile, _), scores): (&&(Tile, Balance), &Vec<f32>)| {
            let place = GpuTile {
                first_row: tile.first.rows as u32,
                first_col: tile.first.cols as u32,
                rows: tile.count.rows as u32,
                cols: tile.count.cols as u32,
                first_score,
            };
            first_score += scores.len() as u32;
            place
        };
        let places = tiles.iter().zip(&parts).map(place).collect();
        (parts.concat(), places)
    }
}

fn kernel(device: &Device) -> Result<Arc<Kernel>> {
    device.kernel(&KernelSource { name: "repair", constants: &[], threads: [256, 1, 1], shared: 0 })
}
