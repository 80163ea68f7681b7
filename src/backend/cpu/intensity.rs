//! Mean and standard deviation of patches, in f64; see `descriptor/intensity.rs`.

use std::sync::Arc;

use multiversion::multiversion;
use ndarray::ArrayView2;

use super::buffer_pool::BufferPool;
use super::inner_sites::InnerMaps;
use super::tile_kernel::{CpuFamily, Describe, Kernel, Setup};
use crate::descriptor::intensity::Family;
use crate::sites::{Band, SiteGrid, Tile};

/// The kernel of one family of one image.
struct Patches<'a> {
    image: ArrayView2<'a, f32>,
    family: &'a Family,
    grid: &'a SiteGrid,
    buffers: Arc<BufferPool<Scratch>>,
}

/// Buffers of one task: sums over the patch's rows, per column.
#[derive(Debug, Default)]
struct Scratch {
    sum: Vec<f64>,
    squares: Vec<f64>,
}

impl CpuFamily for Family {
    fn kernel<'a>(&'a self, setup: &mut Setup<'a>) -> Arc<dyn Kernel<'a> + 'a> {
        let (grid, buffers) = (setup.plan.sites().grid(), setup.pools.of());
        Arc::new(Patches { image: setup.image, family: self, grid, buffers })
    }
}

impl<'a> Kernel<'a> for Patches<'a> {
    fn band(self: Arc<Self>, _: &Band, _: &[Arc<InnerMaps>]) -> Box<dyn Describe + 'a> {
        Box::new(self)
    }
}

impl Describe for Patches<'_> {
    fn scores(&self, _index: usize, tile: &Tile, out: &mut [f32], pitch: usize) {
        let Self { image, family, grid, .. } = self;
        self.buffers.with(|scratch| scores(*image, family, grid, tile, scratch, out, pitch));
    }
}

/// Writes mean and deviation of the sites of `tile`, `pitch` values each.
fn scores(
    image: ArrayView2<'_, f32>,
    family: &Family,
    grid: &SiteGrid,
    tile: &Tile,
    scratch: &mut Scratch,
    out: &mut [f32],
    pitch: usize,
) {
    let full = family.patch.full();
    let first = grid.col(tile.first.cols) - family.patch.cols;
    let width = (tile.count.cols - 1) * grid.stride + full.cols;
    let n = full.area() as f64;
    for i in 0..tile.count.rows {
        let top = grid.row(tile.first.rows + i) - family.patch.rows;
        scratch.sum.clear();
        scratch.sum.resize(width, 0.0);
        scratch.squares.clear();
        scratch.squares.resize(width, 0.0);
        for row in top..top + full.rows {
            let row = image.row(row);
            let pixels = row.to_slice().expect("rows of images are contiguous");
            add(&pixels[first..first + width], &mut scratch.sum, &mut scratch.squares);
        }
        for j in 0..tile.count.cols {
            let part = j * grid.stride..j * grid.stride + full.cols;
            let mean = scratch.sum[part.clone()].iter().sum::<f64>() / n;
            let variance = scratch.squares[part].iter().sum::<f64>() / n - mean * mean;
            let at = i * tile.count.cols + j;
            out[at] = mean as f32;
            out[pitch + at] = variance.max(0.0).sqrt() as f32;
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn add(pixels: &[f32], sum: &mut [f64], squares: &mut [f64]) {
    for ((&v, sum), squares) in pixels.iter().zip(sum).zip(squares) {
        let v = f64::from(v);
        *sum += v;
        *squares += v * v;
    }
}
