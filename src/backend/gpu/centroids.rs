//! Launcher of `shaders/centroids.wgsl`: centroids of the next step, so that steps follow one
//! another on the device.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use wgpu::Buffer;

use super::commands::Commands;
use super::compute_kernel::{Kernel, KernelSource};
use super::device::Device;
use super::shaders::{Wgsl, wgsl};
use crate::Result;

/// Its shader.
pub(super) const WGSL: Wgsl = wgsl!(=> "centroids");

/// Threads of a workgroup.
const THREADS: usize = 256;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub features: u32,
    pub clusters: u32,
    pub totals: u32,
    pub first: u32,
}

pub(super) fn kernel(device: &Device) -> Result<Arc<Kernel>> {
    device.kernel(&KernelSource {
        name: "centroids",
        constants: &[],
        threads: [THREADS as u32, 1, 1],
        shared: 0,
    })
}

/// Puts the means of clusters in the place of their `centroids` `[k / 8][q][8]`; `sums` has what
/// `params` says.
pub(super) fn update(
    kernel: &Kernel,
    commands: &mut Commands<'_>,
    params: Params,
    (sums, centroids): (&Buffer, &Buffer),
) -> Result<()> {
    let count = params.clusters as usize * params.features as usize;
    let groups = [count.div_ceil(THREADS) as u32, 1, 1];
    let work = count as u64 * u64::from(params.totals);
    commands.dispatch(kernel, &params, &[sums, centroids], groups, work)
}
