//! Launcher of `shaders/project.wgsl`: features from descriptors.

use std::collections::VecDeque;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use ndarray::Array2;
use wgpu::{Buffer, BufferUsages};

use super::commands::{Commands, ReadBack};
use super::compute_kernel::{Kernel, KernelSource};
use super::device::{Device, Scratch};
use super::shaders::{Wgsl, wgsl};
use crate::Result;
use crate::reduce::pca::Pca;
use crate::sites::{Band, blocks};

/// Its shader.
pub(super) const WGSL: Wgsl = wgsl!(=> "project");

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
    pub first_group: u32,
}

pub(super) fn kernel(device: &Device) -> Result<Arc<Kernel>> {
    device.kernel(&KernelSource {
        name: "project",
        constants: &[],
        threads: [256, 1, 1],
        shared: 0,
    })
}

/// Features of bands, in their order.
pub(super) struct Features<'a> {
    device: &'a Device,
    kernel: Arc<Kernel>,
    map: Option<Map>,
    features: Scratch,
    /// Bands on their way back.
    on_way: VecDeque<ReadBack>,
    /// Features that are back, and how many a site has.
    values: Vec<f32>,
    width: usize,
}

/// A map from descriptors to features on the device.
struct Map {
    pca: Pca,
    mean: Buffer,
    /// `[q / 8][D][8]`.
    components: Buffer,
}

impl Map {
    fn new(device: &Device, pca: &Pca) -> Result<Self> {
        let mean: Vec<f32> = pca.mean.iter().map(|&v| v as f32).collect();
        let (q, channels) = pca.components.dim();
        let mut components = vec![0.0_f32; q.div_ceil(GROUP) * channels * GROUP];
        for ((c, d), &v) in pca.components.indexed_iter() {
            components[(c / GROUP * channels + d) * GROUP + c % GROUP] = v as f32;
        }
        Ok(Self {
            pca: pca.clone(),
            mean: device.upload("mean", &mean, BufferUsages::STORAGE)?,
            components: device.upload("components", &components, BufferUsages::STORAGE)?,
        })
    }
}

impl<'a> Features<'a> {
    pub(super) fn new(device: &'a Device) -> Result<Self> {
        Ok(Self {
            device,
            kernel: kernel(device)?,
            map: None,
            features: Scratch::default(),
            on_way: VecDeque::new(),
            values: Vec::new(),
            width: 0,
        })
    }

    /// Adds the features of the band's sites, with `descriptors` `[D][sites]`;
    /// waits for earlier bands where more than `in_flight` would be on their way.
    pub(super) fn add(
        &mut self,
        commands: &mut Commands<'_>,
        (band, pca): (&Band, &Pca),
        descriptors: &Buffer,
        in_flight: usize,
    ) -> Result<()> {
        let map = match self.map.take().filter(|map| map.pca == *pca) {
            Some(map) => map,
            None => Map::new(self.device, pca)?,
        };
        let map = self.map.insert(map);
        let (sites, q, channels) = (band.len() as u64, pca.features(), pca.mean.len());
        self.width = q;
        let features = self.features.get(self.device, "features", sites * q as u64)?;
        let [per_row, rows] = self.device.rows_of_groups(sites);
        let buffers = [descriptors, &map.mean, &map.components, features];
        let work = sites * (channels * GROUP) as u64;
        let at_once = (self.device.work_per_dispatch() / work).max(1) as usize;
        for groups in blocks(0..q.div_ceil(GROUP), at_once) {
            let params = Params {
                sites: sites as u32,
                channels: channels as u32,
                features: q as u32,
                groups_per_row: per_row,
                first_group: groups.start as u32,
            };
            let (count, work) = (groups.len() as u32, groups.len() as u64 * work);
            let groups = [per_row, rows, count];
            commands.dispatch(&self.kernel, &params, &buffers, groups, work)?;
        }
        let back = commands.read_back(&[(features, 4 * sites * q as u64)])?;
        self.on_way.push_back(back);
        self.take(commands, in_flight)
    }

    /// Takes in bands until at most `rest` are on their way.
    fn take(&mut self, commands: &mut Commands<'_>, rest: usize) -> Result<()> {
        while self.on_way.len() > rest {
            let Some(back) = self.on_way.pop_front() else { break };
            self.values.extend(commands.take::<f32>(back)?);
        }
        Ok(())
    }

    /// All features, `[sites, q]`; the next begin anew.
    pub(super) fn collect(&mut self, commands: &mut Commands<'_>) -> Result<Array2<f32>> {
        self.take(commands, 0)?;
        let values = std::mem::take(&mut self.values);
        Ok(Array2::from_shape_vec((values.len() / self.width.max(1), self.width), values)
            .expect("whole rows of features"))
    }
}
