//! The families' kernels, and the sources of inner scores that they share.

use ndarray::ArrayView2;
use wgpu::Buffer;

use super::commands::Commands;
use super::device::Device;
use super::inner::{Maps, Windows};
use super::pixels::Pixels;
use super::{harmonic, intensity, maximum, power_spectrum, translation};
use crate::descriptor::Family;
use crate::plan::Plan;
use crate::sites::Band;
use crate::{Error, Result};

/// One band: what every kernel is given.
#[derive(Clone, Copy)]
pub(super) struct Job<'j> {
    pub(super) image: ArrayView2<'j, f32>,
    pub(super) pixels: &'j super::pixels::Rows,
    pub(super) band: &'j Band,
    /// `[D][sites of the band]`.
    pub(super) descriptors: &'j Buffer,
    /// One for each source.
    pub(super) maps: &'j [Maps],
}

/// Makes the scores of the inner sites that a band pools.
pub(super) trait Score {
    /// The scores, `job.maps` being empty as yet.
    fn maps(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<Maps>;
}

/// Makes the descriptors of one family.
pub(super) trait Launch {
    /// Fills the family's channels of `job.descriptors`.
    fn describe(&mut self, commands: &mut Commands<'_>, job: &Job<'_>) -> Result<()>;
}

/// The kernels of all families of a plan.
pub(super) struct Kernels<'a> {
    image: ArrayView2<'a, f32>,
    pixels: Pixels<'a>,
    sources: Vec<Box<dyn Score + 'a>>,
    launchers: Vec<Box<dyn Launch + 'a>>,
}

/// What to say where there is no kernel for `family`.
pub(super) fn missing(device: &Device, family: &Family) -> Error {
    let name = family.name();
    device.error(format!("the family {name} is not yet on the GPU, use --device cpu"))
}

impl<'a> Kernels<'a> {
    pub(super) fn new(
        device: &'a Device,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> Result<Self> {
        let pixels = Pixels::new(device, image, plan);
        let mut kernels = Self { image, pixels, sources: Vec::new(), launchers: Vec::new() };
        let mut channel = 0;
        for family in &plan.families {
            kernels.add(device, family, plan, channel)?;
            channel += family.channels();
        }
        Ok(kernels)
    }

    fn add(
        &mut self,
        device: &'a Device,
        family: &'a Family,
        plan: &'a Plan,
        channel: usize,
    ) -> Result<()> {
        let launcher: Box<dyn Launch + 'a> = match family {
            Family::Translation(family) => {
                Box::new(translation::Launcher::new(device, family, plan, channel)?)
            }
            Family::Intensity(family) => {
                Box::new(intensity::Launcher::new(device, family, plan, channel)?)
            }
            Family::PowerSpectrum(family) => {
                Box::new(power_spectrum::Launcher::new(device, family, plan, channel)?)
            }
            Family::Harmonic(family) => {
                let source = self.source(harmonic::Launcher::new(device, family, &plan.grid)?);
                let windows = Windows::new(device, &family.inner, &plan.grid);
                Box::new(maximum::Launcher::new(device, family, (source, windows), channel)?)
            }
            other => return Err(missing(device, other)),
        };
        self.launchers.push(launcher);
        Ok(())
    }

    /// Adds a source, and says which it is.
    fn source(&mut self, source: impl Score + 'a) -> usize {
        self.sources.push(Box::new(source));
        self.sources.len() - 1
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
