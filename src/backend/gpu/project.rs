//! Launcher of `shaders/project.wgsl`: features from descriptors.

use bytemuck::{Pod, Zeroable};
use ndarray::Array2;
use wgpu::{Buffer, BufferUsages};

use super::device::{Device, Kernel};
use crate::Result;
use crate::pca::Pca;
use crate::sites::Band;

/// Components that one thread sums.
const GROUP: usize = 8;

/// `Params` of the shader; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Params {
    pub sites: u32,
    pub channels: u32,
    pub features: u32,
    pub groups_per_row: u32,
}

pub(super) fn kernel(device: &Device) -> Result<Kernel> {
    device.kernel("project", &device.options.shaders.project, &[], 0)
}

/// Features `[sites, q]` of the band from `descriptors` `[D][sites]`.
pub(super) fn project(
    device: &Device,
    kernel: &Kernel,
    band: &Band,
    pca: &Pca,
    descriptors: &Buffer,
) -> Result<Array2<f32>> {
    let narrow =
        |values: &mut dyn Iterator<Item = &f64>| values.map(|&v| v as f32).collect::<Vec<_>>();
    let mean = device.upload("mean", &narrow(&mut pca.mean.iter()), BufferUsages::STORAGE)?;
    let components = narrow(&mut pca.components.iter());
    let components = device.upload("components", &components, BufferUsages::STORAGE)?;
    let (sites, q) = (band.len(), pca.features());
    let features = device.storage("features", (sites * q) as u64)?;
    let [per_row, rows] = device.rows_of_groups(sites as u64);
    let params = Params {
        sites: sites as u32,
        channels: pca.mean.len() as u32,
        features: q as u32,
        groups_per_row: per_row,
    };
    let buffers = [descriptors, &mean, &components, &features];
    device.run(kernel, &params, &buffers, [per_row, rows, q.div_ceil(GROUP) as u32])?;
    let values = device.read(&features, sites * q)?;
    Ok(Array2::from_shape_vec((sites, q), values).expect("as many values as were asked for"))
}
