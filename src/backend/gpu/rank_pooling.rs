//! Launcher of `shaders/rank_pooling.wgsl`: the largest scores in the windows of sites.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::commands::{Commands, Grid};
use super::compute_kernel::{Kernel, KernelSource};
use super::device::Device;
use super::inner_sites::Windows;
use super::launch::{Job, Launch, Setup};
use super::shaders::{Wgsl, wgsl};
use crate::Result;
use crate::descriptor::inner_sites::InnerSites;
use crate::sites::{SiteGrid, blocks};

/// Its shader.
pub(super) const WGSL: Wgsl = wgsl!(=> "rank_pooling");

/// Sites of a workgroup, columns whose scores it sorts at once, and ranks that
/// a dispatch can find.
const SITES: usize = 64;
const COLUMNS: u64 = 128;
const RANKS: usize = 16;

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
    pub first_group: u32,
    pub first_score: u32,
    pub scores: u32,
    pub map: u32,
    pub channel: u32,
    pub first_rank: u32,
    pub ranks: u32,
}

/// What is pooled.
struct Ranked<'a> {
    inner: &'a InnerSites,
    /// Which of the sources has the scores, and in which channels.
    source: usize,
    channels: Range<usize>,
    /// Scores that are kept of each.
    top: usize,
}

/// Keeps the `top` largest of each of the scores that are `channels` of `source`.
pub(super) fn launcher<'a>(
    setup: &Setup<'a>,
    inner: &'a InnerSites,
    (source, channels): (usize, Range<usize>),
    top: usize,
) -> Result<Box<dyn Launch + 'a>> {
    let ranked = Ranked { inner, source, channels, top };
    let grid = setup.plan.sites().grid();
    Ok(Box::new(Launcher::new(setup.device, ranked, grid, setup.channel)?))
}

/// The kernel for one family of one plan.
struct Launcher<'a> {
    kernel: Arc<Kernel>,
    ranked: Ranked<'a>,
    windows: Windows<'a>,
    first_channel: usize,
}

impl<'a> Launcher<'a> {
    /// For sites of `grid`.
    fn new(
        device: &'a Device,
        ranked: Ranked<'a>,
        grid: &'a SiteGrid,
        first_channel: usize,
    ) -> Result<Self> {
        let fours = ranked.top.min(RANKS).div_ceil(4);
        let kernel = device.kernel(&KernelSource {
            name: "rank_pooling",
            constants: &[("FOURS", fours as f64)],
            threads: [SITES as u32, 1, 1],
            shared: COLUMNS * 4 * RANKS as u64,
        })?;
        let windows = Windows::new(device, ranked.inner, grid);
        Ok(Self { kernel, ranked, windows, first_channel })
    }

    /// Multiply-adds of a workgroup, about: two comparisons for each rank and score.
    fn work(&self, first_rank: usize) -> usize {
        let Ranked { inner, top, .. } = &self.ranked;
        let full = inner.window.full();
        let [rows, cols] = [full.rows, full.cols].map(|size| size.div_ceil(inner.grid.stride));
        let columns = if first_rank == 0 { cols + 2 * top } else { rows * cols };
        // Columns that neighbouring sites share are sorted once.
        let sorted =
            if first_rank == 0 { (inner.grid.count.cols).min(SITES * cols) * rows } else { 0 };
        2 * RANKS.min(*top) * (SITES * columns + sorted)
    }
}

impl Launch for Launcher<'_> {
    fn describe(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<()> {
        let Ranked { source, channels, top, .. } = &self.ranked;
        let (maps, band) = (&job.maps[*source], job.band);
        let [row_windows, col_windows] = self.windows.get(band, maps)?;
        let buffers = [&maps.buffer, &row_windows, &col_windows, job.descriptors];
        for ranks in blocks(0..*top, RANKS) {
            let groups = [band.cols.div_ceil(SITES), band.rows.len(), channels.len()];
            let grid = Grid { groups, work: self.work(ranks.start) as u64, most: usize::MAX };
            commands.dispatch_grid(&self.kernel, &grid, &buffers, |[group, row, score]| {
                Params {
                    rows: maps.rows.len() as u32,
                    cols: maps.cols as u32,
                    sites: band.len() as u32,
                    site_cols: band.cols as u32,
                    first_row: row as u32,
                    first_group: group as u32,
                    first_score: score as u32,
                    scores: channels.len() as u32,
                    map: channels.start as u32,
                    channel: self.first_channel as u32,
                    first_rank: ranks.start as u32,
                    ranks: *top as u32,
                }
            })?;
        }
        Ok(())
    }
}
