//! The families' kernels, and the sources of inner scores that they share.

use std::ops::Range;

use ndarray::ArrayView2;
use wgpu::Buffer;

use super::commands::Commands;
use super::device::Device;
use super::inner::{Maps, Windows};
use super::pixels::Pixels;
use super::{
    centred, glide, harmonic, intensity, maximum, polar, pooling, power_mean, power_spectrum,
    translation,
};
use crate::Result;
use crate::descriptor::inner::Inner;
use crate::descriptor::polar::Polar;
use crate::descriptor::{Family, reflection, rotation};
use crate::plan::Plan;
use crate::sites::Band;

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
    /// Scores of rotations and reflections in the sources: family, source, channels.
    polar: Vec<(usize, usize, Range<usize>)>,
    launchers: Vec<Box<dyn Launch + 'a>>,
}

impl<'a> Kernels<'a> {
    pub(super) fn new(
        device: &'a Device,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> Result<Self> {
        let pixels = Pixels::new(device, image, plan);
        let (sources, polar, launchers) = Default::default();
        let mut kernels = Self { image, pixels, sources, polar, launchers };
        let mut channel = 0;
        for (i, family) in plan.families().iter().enumerate() {
            kernels.add(device, (i, family), plan, channel)?;
            channel += family.channels();
        }
        Ok(kernels)
    }

    fn add(
        &mut self,
        device: &'a Device,
        (index, family): (usize, &'a Family),
        plan: &'a Plan,
        channel: usize,
    ) -> Result<()> {
        let ranked = |inner, (source, channels), top| {
            let ranked = pooling::Ranked { inner, source, channels, top };
            pooling::Launcher::new(device, ranked, plan.sites().grid(), channel)
        };
        let launcher: Box<dyn Launch + 'a> = match family {
            Family::Translation(family) => {
                Box::new(translation::Launcher::new(device, family, plan, channel)?)
            }
            Family::Centred(family) => {
                Box::new(centred::Launcher::new(device, family, plan, channel)?)
            }
            Family::Intensity(family) => {
                Box::new(intensity::Launcher::new(device, family, plan, channel)?)
            }
            Family::PowerSpectrum(family) => {
                Box::new(power_spectrum::Launcher::new(device, family, plan, channel)?)
            }
            Family::Harmonic(family) => {
                let source =
                    self.source(harmonic::Launcher::new(device, family, plan.sites().grid())?);
                if let Some(width) = family.width {
                    let family = (family, width);
                    let launcher =
                        power_mean::Launcher::new(device, family, plan, source, channel)?;
                    self.launchers.push(Box::new(launcher));
                    return Ok(());
                }
                let windows = Windows::new(device, &family.inner, plan.sites().grid());
                Box::new(maximum::Launcher::new(device, family, (source, windows), channel)?)
            }
            Family::Rotation(rotation::Family { polar, inner, pool_top, .. })
            | Family::Reflection(reflection::Family { polar, inner, pool_top, .. }) => {
                let scores = self.polar(device, plan, index, (polar, inner))?;
                Box::new(ranked(inner, scores, *pool_top)?)
            }
            Family::Glide(family) => {
                let source = self.source(glide::Launcher::new(device, family, plan)?);
                let scores = (source, 0..family.glides.len());
                Box::new(ranked(&family.inner, scores, family.pool_top)?)
            }
        };
        self.launchers.push(launcher);
        Ok(())
    }

    /// The source of a family's scores of rotations or reflections, and its channels there;
    /// families with the same samples share one.
    fn polar(
        &mut self,
        device: &'a Device,
        plan: &'a Plan,
        family: usize,
        samples: (&'a Polar, &'a Inner),
    ) -> Result<(usize, Range<usize>)> {
        if !self.polar.iter().any(|(of, ..)| *of == family) {
            let launcher = polar::Launcher::new(device, plan, samples)?;
            let channels = launcher.channels.clone();
            let source = self.source(launcher);
            self.polar.extend(channels.into_iter().map(|(of, range)| (of, source, range)));
        }
        let found = self.polar.iter().find(|(of, ..)| *of == family);
        let (_, source, channels) = found.expect("a source has the family it was made for");
        Ok((*source, channels.clone()))
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
