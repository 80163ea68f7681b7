//! The launchers of all families of a plan, and the sources of inner scores that they share.

use ndarray::ArrayView2;
use wgpu::Buffer;

use super::commands::Commands;
use super::device::Device;
use super::inner_sites::Maps;
use super::launch::{GpuFamily, Job, Launch, Score, Setup};
use super::pixels::Pixels;
use crate::Result;
use crate::descriptor::{Family, each, families};
use crate::plan::Plan;
use crate::sites::Band;

/// What `family` is on the GPU.
pub(super) fn on_gpu(family: &Family) -> &dyn GpuFamily {
    families!(each family, Family, own => own)
}

/// The launchers of all families of a plan.
pub(super) struct Families<'a> {
    image: ArrayView2<'a, f32>,
    pixels: Pixels<'a>,
    sources: Vec<Box<dyn Score + 'a>>,
    launchers: Vec<Box<dyn Launch + 'a>>,
}

impl<'a> Families<'a> {
    pub(super) fn new(
        device: &'a Device,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> Result<Self> {
        let (sources, shared) = Default::default();
        let mut setup = Setup { device, plan, family: 0, channel: 0, sources, shared };
        let mut launchers = Vec::new();
        for (i, family) in plan.families().iter().enumerate() {
            setup.family = i;
            launchers.push(on_gpu(family).launcher(&mut setup)?);
            setup.channel += family.channels();
        }
        let pixels = Pixels::new(device, image, plan);
        Ok(Self { image, pixels, sources: setup.sources, launchers })
    }

    /// Fills `descriptors` `[D][sites of the band]`.
    pub(super) fn describe(
        &mut self,
        commands: &mut Commands<'_>,
        band: &Band,
        descriptors: &Buffer,
    ) -> Result<()> {
        let pixels = self.pixels.rows(commands, band)?;
        let job = Job { image: self.image, pixels: &pixels, band, descriptors, maps: &[] };
        let maps = self.sources.iter_mut().map(|source| source.maps(commands, &job));
        let maps = maps.collect::<Result<Vec<Maps>>>()?;
        let job = Job { maps: &maps, ..job };
        self.launchers.iter_mut().try_for_each(|launcher| launcher.describe(commands, &job))
    }
}
