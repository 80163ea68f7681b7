//! Correlations of centred pairs; see `descriptor/centred.rs`.
//!
//! A task takes a tile and one translation after another, in three steps: means and
//! moments of the cells of the tile and around it, merged down the columns of cells for
//! each row of sites, and along the rows for each site. Sixteen neighbours are computed
//! side by side. Each cell, and each site, is computed by itself, so that tiles change
//! nothing.

mod cells;
mod pixels;

use std::sync::Arc;

use multiversion::multiversion;
use ndarray::ArrayView2;

use super::buffer_pool::BufferPool;
use super::inner_sites::InnerMaps;
use super::tile_kernel::{self, CpuFamily, Describe, Setup};
use super::vector::{LANES, Vector, fma, vector};
use crate::descriptor::centred::{Family, LEAST_SHARE};
use crate::plan::Plan;
use crate::sites::{Band, Extent, SiteGrid, Tile};
use cells::Pairs;
use pixels::{Pixels, Source};

/// Weight, mean of both pixels, and sums of the products of what they are off it: of
/// the first, of both, of the second.
const VALUES: usize = 6;

/// The kernel of one family of one image.
struct Kernel<'a> {
    image: ArrayView2<'a, f32>,
    mask: Option<ArrayView2<'a, bool>>,
    grid: &'a SiteGrid,
    halves: &'a [[i32; 2]],
    floor: f32,
    /// Weights of cells by distance, and of a cell's pixels along an axis.
    taps: Vec<f32>,
    cell: Vec<f32>,
    /// Cells around a site along an axis.
    around: usize,
    /// Distance of the first pixel from the first cell's centre.
    lead: Extent,
    /// Least weight for a score.
    least: f32,
    buffers: Arc<BufferPool<Scratch>>,
}

/// Buffers of one task.
#[derive(Debug, Default)]
struct Scratch {
    pixels: Pixels,
    /// [`VALUES`] planes `[cell rows][pitch]`.
    cells: Vec<f32>,
    /// [`VALUES`] rows of merged cells, `[pitch]`.
    merged: Vec<f32>,
}

/// Cells of a tile.
struct Cells {
    rows: usize,
    /// Columns in whole vectors: of the tile's sites, with those around.
    pitch: usize,
}

impl CpuFamily for Family {
    fn kernel<'a>(&'a self, setup: &mut Setup<'a>) -> Arc<dyn tile_kernel::Kernel<'a> + 'a> {
        Arc::new(Kernel::new(setup, self))
    }

    fn task_bytes(&self, plan: &Plan) -> u64 {
        bytes(self, plan.sites().grid(), plan.sites().tile())
    }

    /// Pixels are read twice, cells down and along.
    fn work_per_site_row(&self, plan: &Plan) -> usize {
        let grid = plan.sites().grid();
        let (cell, taps) = (grid.stride * grid.stride, 2 * self.cells(grid.stride) + 1);
        grid.count.cols * self.halves.len() * (10 * cell + 20 * taps)
    }
}

impl<'a> tile_kernel::Kernel<'a> for Kernel<'a> {
    fn band(self: Arc<Self>, _: &Band, _: &[Arc<InnerMaps>]) -> Box<dyn Describe + 'a> {
        Box::new(self)
    }
}

impl Describe for Kernel<'_> {
    fn scores(&self, _index: usize, tile: &Tile, out: &mut [f32], pitch: usize) {
        self.buffers.with(|scratch| self.tile(tile, scratch, out, pitch));
    }
}

impl<'a> Kernel<'a> {
    fn new(setup: &Setup<'a>, family: &'a Family) -> Self {
        let (image, sites) = (setup.image, setup.plan.sites());
        let (mask, grid) = (sites.mask().map(|mask| mask.view()), sites.grid());
        let stride = grid.stride;
        let half = Extent::square(stride / 2);
        Self {
            image,
            mask,
            grid,
            halves: &family.halves,
            floor: family.floor as f32,
            taps: family.taps(stride).into_iter().map(|v| v as f32).collect(),
            cell: Family::cell(stride).into_iter().map(|v| v as f32).collect(),
            around: family.cells(stride),
            lead: half + family.longest(),
            least: (LEAST_SHARE * family.whole(stride)) as f32,
            buffers: setup.pools.of(),
        }
    }

    /// Writes the scores of the sites of `tile`, one channel each `pitch` values.
    fn tile(&self, tile: &Tile, scratch: &mut Scratch, out: &mut [f32], pitch: usize) {
        let Scratch { pixels, cells: values, merged } = scratch;
        let cells = Cells {
            rows: tile.count.rows + 2 * self.around,
            pitch: (tile.count.cols.next_multiple_of(LANES) + 2 * self.around)
                .next_multiple_of(LANES),
        };
        self.fill(tile, &cells, pixels);
        values.resize(VALUES * cells.rows * cells.pitch, 0.0);
        merged.resize(VALUES * cells.pitch, 0.0);
        for (&half, out) in self.halves.iter().zip(out.chunks_mut(pitch)) {
            let pairs = Pairs::new(self, pixels, half);
            translation(self, tile, &pairs, (&cells, pixels), (&mut *values, &mut *merged), out);
        }
    }

    /// Copies the pixels of `tile` and around it.
    fn fill(&self, tile: &Tile, cells: &Cells, pixels: &mut Pixels) {
        let (stride, lead) = (self.grid.stride, self.lead);
        let first =
            |site: usize, lead: usize| site as isize - (self.around * stride + lead) as isize;
        let top = first(self.grid.row(tile.first.rows), lead.rows);
        let left = first(self.grid.col(tile.first.cols), lead.cols);
        let rows = (cells.rows - 1) * stride + 2 * lead.rows + 1;
        let pitch = cells.pitch + 2 * lead.cols / stride + 1;
        let source = Source { image: self.image, mask: self.mask, first: [top, left] };
        pixels.take(&source, rows, pitch, stride);
        pixels.average(&self.cell);
    }

    /// Scores of one translation.
    #[inline(always)]
    fn translation<const FUSED: bool>(
        &self,
        tile: &Tile,
        pairs: &Pairs,
        (cells, pixels): (&Cells, &Pixels),
        (values, merged): (&mut [f32], &mut [f32]),
        out: &mut [f32],
    ) {
        let plane = cells.rows * cells.pitch;
        for row in 0..cells.rows {
            for first in (0..cells.pitch).step_by(LANES) {
                let cell = match pairs.whole(self, pixels, (row, first)) {
                    true => self.whole_cell::<FUSED>(pixels, pairs, (row, first)),
                    false => self.cell::<FUSED>(pixels, pairs, (row, first)),
                };
                store(&cell, values, plane, row * cells.pitch + first);
            }
        }
        for (i, out) in out[..tile.count.area()].chunks_exact_mut(tile.count.cols).enumerate() {
            for first in (0..cells.pitch).step_by(LANES) {
                let at = i * cells.pitch + first;
                let column = self.merge::<FUSED>(values, plane, at, cells.pitch);
                store(&column, merged, cells.pitch, first);
            }
            for (group, out) in out.chunks_mut(LANES).enumerate() {
                let site = self.merge::<FUSED>(merged, cells.pitch, group * LANES, 1);
                let scores = self.score(&site);
                out.copy_from_slice(&scores[..out.len()]);
            }
        }
    }

    /// Weighted sum of what stands at `at` and each `step` values further in `planes`,
    /// sixteen side by side.
    #[inline(always)]
    fn merge<const FUSED: bool>(
        &self,
        planes: &[f32],
        plane: usize,
        at: usize,
        step: usize,
    ) -> [Vector; VALUES] {
        let taps = 2 * self.around + 1;
        let part = |value: usize, tap: usize| vector(planes, value * plane + at + tap * step);
        let [mut n, mut a, mut b] = [[0.0; LANES]; 3];
        for tap in 0..taps {
            let weight = self.taps[tap.abs_diff(self.around)];
            let (count, own, other) = (part(0, tap), part(1, tap), part(2, tap));
            for lane in 0..LANES {
                let weight = weight * count[lane];
                n[lane] += weight;
                a[lane] = fma::<FUSED>(weight, own[lane], a[lane]);
                b[lane] = fma::<FUSED>(weight, other[lane], b[lane]);
            }
        }
        let (a, b) = (means(&a, &n), means(&b, &n));
        let [mut aa, mut ab, mut bb] = [[0.0; LANES]; 3];
        for tap in 0..taps {
            let weight = self.taps[tap.abs_diff(self.around)];
            let (count, own, other) = (part(0, tap), part(1, tap), part(2, tap));
            let (own_own, own_other, other_other) = (part(3, tap), part(4, tap), part(5, tap));
            for lane in 0..LANES {
                let (own, other) = (own[lane] - a[lane], other[lane] - b[lane]);
                let weighted = [weight * count[lane] * own, weight * count[lane] * other];
                aa[lane] = fma::<FUSED>(weight, own_own[lane], aa[lane]);
                aa[lane] = fma::<FUSED>(weighted[0], own, aa[lane]);
                ab[lane] = fma::<FUSED>(weight, own_other[lane], ab[lane]);
                ab[lane] = fma::<FUSED>(weighted[0], other, ab[lane]);
                bb[lane] = fma::<FUSED>(weight, other_other[lane], bb[lane]);
                bb[lane] = fma::<FUSED>(weighted[1], other, bb[lane]);
            }
        }
        [n, a, b, aa, ab, bb]
    }

    #[inline(always)]
    fn score(&self, [n, _, _, aa, ab, bb]: &[Vector; VALUES]) -> Vector {
        let mut scores = [0.0; LANES];
        for lane in 0..LANES {
            let floor = self.floor * n[lane];
            let score = ab[lane] / ((aa[lane] + floor) * (bb[lane] + floor)).sqrt();
            scores[lane] = if n[lane] < self.least { 0.0 } else { score };
        }
        scores
    }
}

/// Means from sums; 0 where nothing was summed.
#[inline(always)]
fn means(sums: &Vector, n: &Vector) -> Vector {
    let mut means = [0.0; LANES];
    for lane in 0..LANES {
        means[lane] = if n[lane] > 0.0 { sums[lane] / n[lane] } else { 0.0 };
    }
    means
}

/// Puts each of `values` at `at` of its plane.
#[inline(always)]
fn store(values: &[Vector; VALUES], planes: &mut [f32], plane: usize, at: usize) {
    for (i, value) in values.iter().enumerate() {
        planes[i * plane + at..][..LANES].copy_from_slice(value);
    }
}

/// [`Kernel::translation`] compiled for each instruction set.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512dq+avx512bw",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn translation(
    kernel: &Kernel<'_>,
    tile: &Tile,
    pairs: &Pairs,
    cells: (&Cells, &Pixels),
    buffers: (&mut [f32], &mut [f32]),
    out: &mut [f32],
) {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq+avx512bw" => kernel.translation::<true>(tile, pairs, cells, buffers, out),
        "x86_64+avx2+fma" => kernel.translation::<true>(tile, pairs, cells, buffers, out),
        "aarch64+neon" => kernel.translation::<true>(tile, pairs, cells, buffers, out),
        _ => kernel.translation::<false>(tile, pairs, cells, buffers, out),
    }
}

/// Bytes of the buffers of a task on a tile of `count` sites.
fn bytes(family: &Family, grid: &SiteGrid, count: Extent) -> u64 {
    let cells = count + Extent::square(2 * family.cells(grid.stride) + LANES);
    let lead = family.longest() + Extent::square(grid.stride);
    let pixels =
        Extent { rows: cells.rows * grid.stride, cols: cells.cols * grid.stride } + lead + lead;
    (size_of::<f32>() * (2 * pixels.area() + VALUES * (cells.area() + cells.cols))) as u64
}
