//! Launcher of `shaders/project.wgsl`: features from descriptors.

use std::collections::VecDeque;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use ndarray::Array2;
use wgpu::{Buffer, BufferUsages};

use super::commands::{Commands, ReadBack};
use super::compute_kernel::{Kernel, KernelSource};
use super::device::Device;
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
    pub count: u32,
}

/// For all sites of a band, or for a list of them.
pub(super) fn kernel(device: &Device, listed: bool) -> Result<Arc<Kernel>> {
    device.kernel(&KernelSource {
        name: "project",
        constants: &[("LISTED", f64::from(u8::from(listed)))],
        threads: [256, 1, 1],
        shared: 0,
    })
}

/// Most bytes of features that wait on the device until more of them come back at once, and the
/// share of the plan's budget that they may take.
const WAITING: u64 = 64 << 20;
const SHARE: u64 = 8;

/// Features of bands, in their order.
pub(super) struct Features<'a> {
    device: &'a Device,
    /// For all sites, and for some.
    kernels: [Arc<Kernel>; 2],
    map: Option<Map>,
    /// Bytes that may wait on the device.
    room: u64,
    /// Those on the device, with their bytes.
    waiting: Vec<(Buffer, u64)>,
    /// Those on their way back.
    on_way: VecDeque<ReadBack>,
    /// Those that are back, and how many a site has.
    values: Vec<f32>,
    width: usize,
}

/// What is projected: the sites of a band, or some of them by their numbers in it.
#[derive(Clone, Copy)]
pub(super) struct Projected<'a> {
    pub(super) band: &'a Band,
    pub(super) sites: Option<&'a [u32]>,
    /// Of the band, `[D][sites]`.
    pub(super) descriptors: &'a Buffer,
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
    /// Within `budget` bytes for all that is kept.
    pub(super) fn new(device: &'a Device, budget: u64) -> Result<Self> {
        Ok(Self {
            device,
            room: WAITING.min(budget / SHARE),
            kernels: [kernel(device, false)?, kernel(device, true)?],
            map: None,
            waiting: Vec::new(),
            on_way: VecDeque::new(),
            values: Vec::new(),
            width: 0,
        })
    }

    /// Adds the features of what is `projected`; nothing waits for them, unless many are on the
    /// device.
    pub(super) fn add(
        &mut self,
        commands: &mut Commands<'_>,
        pca: &Pca,
        projected: Projected<'_>,
    ) -> Result<()> {
        let Projected { band, sites, descriptors } = projected;
        let map = match self.map.take().filter(|map| map.pca == *pca) {
            Some(map) => map,
            None => Map::new(self.device, pca)?,
        };
        let map = self.map.insert(map);
        let (q, channels) = (pca.features(), pca.mean.len());
        let count = sites.map_or(band.len(), <[u32]>::len) as u64;
        self.width = q;
        if count == 0 {
            return Ok(());
        }
        let list = match sites {
            Some(sites) => self.device.upload("sites", sites, BufferUsages::STORAGE)?,
            // Something must be bound that is not read.
            None => map.mean.clone(),
        };
        let features = self.device.storage("features", count * q as u64)?;
        let [per_row, rows] = self.device.rows_of_groups(count);
        let buffers = [descriptors, &map.mean, &map.components, &list, &features];
        let work = count * (channels * GROUP) as u64;
        let at_once = (self.device.work_per_dispatch() / work).max(1) as usize;
        let kernel = &self.kernels[usize::from(sites.is_some())];
        for groups in blocks(0..q.div_ceil(GROUP), at_once) {
            let params = Params {
                sites: band.len() as u32,
                channels: channels as u32,
                features: q as u32,
                groups_per_row: per_row,
                first_group: groups.start as u32,
                count: count as u32,
            };
            let (layers, work) = (groups.len() as u32, groups.len() as u64 * work);
            commands.dispatch(kernel, &params, &buffers, [per_row, rows, layers], work)?;
        }
        self.waiting.push((features, 4 * count * q as u64));
        if self.waiting.iter().map(|(_, bytes)| bytes).sum::<u64>() > self.room {
            self.send(commands)?;
            self.take(commands, 1)?;
        }
        Ok(())
    }

    /// Sends what is on the device on its way back.
    pub(super) fn send(&mut self, commands: &mut Commands<'_>) -> Result<()> {
        if !self.waiting.is_empty() {
            let all: Vec<_> = self.waiting.iter().map(|(buffer, bytes)| (buffer, *bytes)).collect();
            self.on_way.push_back(commands.read_back(&all)?);
            self.waiting.clear();
        }
        Ok(())
    }

    /// Takes in what is on its way until at most `rest` portions are.
    fn take(&mut self, commands: &mut Commands<'_>, rest: usize) -> Result<()> {
        while self.on_way.len() > rest {
            let Some(back) = self.on_way.pop_front() else { break };
            self.values.extend(commands.take::<f32>(back)?);
        }
        Ok(())
    }

    /// All features, `[sites, q]`; the next begin anew.
    pub(super) fn collect(&mut self, commands: &mut Commands<'_>) -> Result<Array2<f32>> {
        self.send(commands)?;
        self.take(commands, 0)?;
        let values = std::mem::take(&mut self.values);
        Ok(Array2::from_shape_vec((values.len() / self.width.max(1), self.width), values)
            .expect("whole rows of features"))
    }
}
