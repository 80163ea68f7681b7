//! Launcher of `shaders/translation.wgsl`: the local correlation map.

use bytemuck::{NoUninit, Pod, Zeroable};
use ndarray::ArrayView2;
use wgpu::{Buffer, BufferUsages};

use super::device::{Device, Kernel};
use crate::Result;
use crate::backend::cpu;
use crate::descriptor::translation::{Balance, Family, Maps, Norms};
use crate::plan::Plan;
use crate::sites::{Band, Tile};

const THREADS: u32 = 256;

/// Products that one dispatch may form: a few ms on a slow integrated GPU.
const PRODUCTS_PER_DISPATCH: u64 = 1 << 28;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub image_cols: u32,
    pub first_row: u32,
    pub margin_rows: u32,
    pub margin_cols: u32,
    pub stride: u32,
    pub patch_rows: u32,
    pub patch_cols: u32,
    pub norm_first: u32,
    pub norm_line: u32,
    pub sites: u32,
    pub site_cols: u32,
    pub first_site_row: u32,
    pub first_tile: u32,
    pub first_translation: u32,
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
pub(super) struct Launcher<'a> {
    device: &'a Device,
    kernel: Kernel,
    family: &'a Family,
    plan: &'a Plan,
    /// The family's first channel among all.
    first_channel: usize,
}

impl<'a> Launcher<'a> {
    pub(super) fn new(
        device: &'a Device,
        family: &'a Family,
        plan: &'a Plan,
        first_channel: usize,
    ) -> Result<Self> {
        let (columns, blocks) = workgroup_sizes(family, plan);
        let constants = [
            ("THREADS", f64::from(THREADS)),
            ("COLUMNS", columns as f64),
            ("BLOCKS", blocks as f64),
        ];
        let shared = 4 * (columns + 2 * blocks);
        let kernel = device.kernel(
            "translation",
            &device.options.shaders.translation,
            &constants,
            shared as u64,
        )?;
        Ok(Self { device, kernel, family, plan, first_channel })
    }

    /// Fills the family's channels of `descriptors` `[D][sites of the band]`.
    /// `pixels` holds the band's pixel rows of `image`.
    pub(super) fn describe(
        &self,
        image: ArrayView2<'_, f32>,
        band: &Band,
        pixels: &Buffer,
        descriptors: &Buffer,
    ) -> Result<()> {
        let (rows, tiles) = (band.rows.clone(), self.plan.tiles(band));
        let Maps { norms, tiles } = Maps::new(image, self.family, &self.plan.grid, rows, tiles);
        let translations: Vec<[i32; 4]> = self
            .family
            .translations
            .iter()
            .map(|t| [t.rows, t.cols, norms.shift(t) as i32, 0])
            .collect();
        let translations =
            self.device.upload("translations", &translations, BufferUsages::STORAGE)?;
        let mean = self.device.upload("mean", &norms.mean, BufferUsages::STORAGE)?;
        let inverse = self.device.upload("inverse", &norms.inverse, BufferUsages::STORAGE)?;
        let on_device: Vec<GpuTile> = tiles.iter().map(gpu_tile).collect();
        let tile_buffer = self.device.upload("tiles", &on_device, BufferUsages::STORAGE)?;
        let buffers = [pixels, &mean, &inverse, &translations, &tile_buffer, descriptors];

        let params = self.params(band, &norms);
        let channels = self.family.translations.len() as u32;
        for [first_tile, tile_count, first_translation, count] in self.dispatches(&tiles, channels)
        {
            let params = Params { first_tile, first_translation, ..params };
            self.device.run(&self.kernel, &params, &buffers, [tile_count, count, 1])?;
        }
        let ill = tiles.iter().filter(|(_, balance)| balance.ill_conditioned());
        self.repair(image, band, &norms, ill, descriptors)
    }

    fn params(&self, band: &Band, norms: &Norms) -> Params {
        let (grid, patch) = (&self.plan.grid, self.family.patch);
        Params {
            image_cols: self.plan.shape.cols as u32,
            first_row: self.plan.pixel_rows(band).start as u32,
            margin_rows: grid.margin.rows as u32,
            margin_cols: grid.margin.cols as u32,
            stride: grid.stride as u32,
            patch_rows: patch.rows as u32,
            patch_cols: patch.cols as u32,
            norm_first: norms.index(band.rows.start as isize, 0) as u32,
            norm_line: norms.line() as u32,
            sites: band.len() as u32,
            site_cols: band.cols as u32,
            first_site_row: band.rows.start as u32,
            first_tile: 0,
            first_translation: 0,
            first_channel: self.first_channel as u32,
            patch_pixels: patch.full().area() as f32,
        }
    }

    /// `[first tile, tiles, first translation, translations]` of short dispatches.
    fn dispatches(&self, tiles: &[(Tile, Balance)], translations: u32) -> Vec<[u32; 4]> {
        let (columns, _) = workgroup_sizes(self.family, self.plan);
        let rows = self.plan.tile.rows * self.plan.grid.stride + self.family.patch.full().rows;
        let pairs = (PRODUCTS_PER_DISPATCH / (2 * columns * rows) as u64).max(1);
        let count = translations.min(pairs.min(1 << 12) as u32);
        let tile_count = (pairs / u64::from(count)).clamp(1, 1 << 15) as u32;
        let total = tiles.len() as u32;
        (0..total)
            .step_by(tile_count as usize)
            .flat_map(|tile| (0..translations).step_by(count as usize).map(move |t| (tile, t)))
            .map(|(tile, t)| [tile, tile_count.min(total - tile), t, count.min(translations - t)])
            .collect()
    }

    /// Puts f64 sums made on the host in place of the tiles that f32 cannot do.
    fn repair<'t>(
        &self,
        image: ArrayView2<'_, f32>,
        band: &Band,
        norms: &Norms,
        tiles: impl Iterator<Item = &'t (Tile, Balance)>,
        descriptors: &Buffer,
    ) -> Result<()> {
        for tile in tiles {
            let scores = cpu::repair(image, self.family, norms, &self.plan.grid, tile);
            let (tile, _) = tile;
            let (rows, cols) = (tile.count.rows, tile.count.cols);
            let values = scores.as_slice().unwrap_or_default();
            let staging = self.device.upload("repair", values, BufferUsages::COPY_SRC)?;
            let mut encoder = self.device.inner.create_command_encoder(&Default::default());
            for t in 0..self.family.translations.len() {
                for row in 0..rows {
                    let site =
                        (tile.first.rows + row - band.rows.start) * band.cols + tile.first.cols;
                    let to = (self.first_channel + t) * band.len() + site;
                    let from = (t * rows + row) * cols;
                    encoder.copy_buffer_to_buffer(
                        &staging,
                        4 * from as u64,
                        descriptors,
                        4 * to as u64,
                        4 * cols as u64,
                    );
                }
            }
            self.device.queue.submit([encoder.finish()]);
        }
        self.device.check()
    }
}

/// Pixel columns of the widest tile, and blocks of one stride in them.
fn workgroup_sizes(family: &Family, plan: &Plan) -> (usize, usize) {
    let (tile, full, stride) = (plan.tile, family.patch.full(), plan.grid.stride);
    ((tile.cols - 1) * stride + full.cols, tile.cols + full.cols / stride)
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
