//! Launcher of `shaders/moments.wgsl`: sums for mean and covariance.

use bytemuck::{Pod, Zeroable};
use ndarray::{Array2, s};
use wgpu::{Buffer, BufferUsages};

use super::device::{Device, Kernel};
use crate::Result;
use crate::pca::{Moments, PIECE};
use crate::plan::Plan;
use crate::sites::{Band, blocks};

/// Channels on a side of a workgroup's block.
const BLOCK: usize = 16;

/// Partial sums that are read back at once, bytes.
const READ_BACK: u64 = 64 << 20;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub sites: u32,
    pub channels: u32,
    pub first_piece: u32,
}

pub(super) fn kernel(device: &Device) -> Result<Kernel> {
    device.kernel("moments", &device.options.shaders.moments, &[], 2 * 4 * (BLOCK * BLOCK) as u64)
}

/// Moments of the band's active sites from `descriptors` `[D][sites]`.
pub(super) fn accumulate(
    device: &Device,
    kernel: &Kernel,
    plan: &Plan,
    band: &Band,
    descriptors: &Buffer,
) -> Result<Moments> {
    let channels = plan.channels();
    let size = channels + 1;
    let weights: Vec<f32> = band.sites().map(|i| f32::from(u8::from(plan.is_active(i)))).collect();
    let weights = device.upload("weights", &weights, BufferUsages::STORAGE)?;
    let pieces: Vec<[u32; 2]> = (0..band.rows.len())
        .flat_map(|row| blocks(row * band.cols..(row + 1) * band.cols, PIECE))
        .map(|piece| [piece.start as u32, piece.len() as u32])
        .collect();
    let piece_buffer = device.upload("pieces", &pieces, BufferUsages::STORAGE)?;
    let block_rows = size.div_ceil(BLOCK);
    let block_count = block_rows * (block_rows + 1) / 2;

    let bytes = 4 * (size * size) as u64;
    let at_once = (READ_BACK.min(device.binding_limit()) / bytes).clamp(1, 1 << 15) as usize;
    let mut total = Moments::zero(channels);
    let partial = device.storage("products", (at_once.min(pieces.len()) * size * size) as u64)?;
    for batch in blocks(0..pieces.len(), at_once) {
        let params = Params {
            sites: band.len() as u32,
            channels: channels as u32,
            first_piece: batch.start as u32,
        };
        let buffers = [descriptors, &weights, &piece_buffer, &partial];
        device.run(kernel, &params, &buffers, [batch.len() as u32, block_count as u32, 1])?;
        let sums: Vec<f32> = device.read(&partial, batch.len() * size * size)?;
        for sum in sums.chunks_exact(size * size) {
            total.add(&widen(sum, channels));
        }
    }
    Ok(total)
}

/// One piece's sums `[D + 1][D + 1]` in f64.
fn widen(sum: &[f32], channels: usize) -> Moments {
    let sum = Array2::from_shape_fn((channels + 1, channels + 1), |(i, j)| {
        // Above the diagonal the kernel writes what it likes.
        f64::from(sum[i.max(j) * (channels + 1) + i.min(j)])
    });
    Moments {
        count: sum[(channels, channels)] as u64,
        sum: sum.slice(s![channels, ..channels]).to_owned(),
        products: sum.slice(s![..channels, ..channels]).to_owned(),
    }
}
