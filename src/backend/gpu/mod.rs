//! The GPU backend: WGSL compute shaders through wgpu.
//!
//! Descriptors live on the device as `[D][sites of the band]`, so that
//! neighbouring threads touch neighbouring values; only sums and features come
//! back, and descriptors where somebody asks for them.

pub mod adapter;
pub mod assign;
mod device;
pub mod moments;
pub mod project;
mod shaders;
pub mod translation;

use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use wgpu::{Buffer, BufferUsages};

use super::{Assign, Backend, Describe, DeviceInfo, Kept};
use crate::Result;
use crate::descriptor::Family;
use crate::pca::{Moments, Pca};
use crate::plan::Plan;
use crate::sites::Band;
pub use device::Options;
use device::{Device, Kernel};
pub use shaders::Shaders;

/// A graphics adapter, opened.
pub struct Gpu {
    info: DeviceInfo,
    device: Device,
    moments: Kernel,
    project: Kernel,
    assign: Kernel,
}

impl Gpu {
    /// Opens `adapter`.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if it gives no device or a kernel
    /// does not compile.
    pub fn new(adapter: &wgpu::Adapter) -> Result<Self> {
        Self::with_options(adapter, Options::default())
    }

    /// Opens `adapter` with options for tests.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_options(adapter: &wgpu::Adapter, options: Options) -> Result<Self> {
        let device = Device::new(adapter, options)?;
        Ok(Self {
            info: adapter::device_info(&adapter.get_info()),
            moments: moments::kernel(&device)?,
            project: project::kernel(&device)?,
            assign: assign::kernel(&device)?,
            device,
        })
    }
}

impl Backend for Gpu {
    fn device(&self) -> &DeviceInfo {
        &self.info
    }

    fn band_rows(&self, plan: &Plan, budget: u64) -> Result<usize> {
        let limit = self.device.binding_limit();
        let grid = &plan.grid;
        let descriptors = 4 * (grid.count.cols * plan.channels()) as u64;
        // Norm maps are as wide as the image rounded up to whole strides.
        let line = 4 * (plan.shape.cols + grid.stride) as u64;
        let margin = (2 * grid.margin.rows + 1) as u64;
        let by_descriptors = limit.min(budget) / descriptors;
        let by_pixels = (limit / line).saturating_sub(margin) / grid.stride as u64 + 1;
        let rows = by_descriptors.min(by_pixels);
        let block = plan.tile.rows.min(grid.count.rows) as u64;
        let need = (block * descriptors).max((block * grid.stride as u64 + margin) * line);
        if need > limit {
            return Err(self.device.error(format!(
                "{block} rows of sites need a buffer of {need} bytes but the device binds {limit}; \
                 give a larger --stride, fewer channels, or use --device cpu"
            )));
        }
        Ok(rows.max(1) as usize)
    }

    fn upload<'a>(
        &'a self,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> Result<Box<dyn Describe + 'a>> {
        let mut launchers = Vec::new();
        let mut channel = 0;
        for family in &plan.families {
            launchers.push(match family {
                Family::Translation(family) => Launcher::Translation(translation::Launcher::new(
                    &self.device,
                    family,
                    plan,
                    channel,
                )?),
            });
            channel += family.channels();
        }
        Ok(Box::new(Session {
            gpu: self,
            image,
            plan,
            launchers,
            kept: Kept::new(plan.budget / 2),
            moments: Moments::zero(plan.channels()),
            features: Vec::new(),
            width: 0,
        }))
    }

    fn assigner<'a>(&'a self, points: ArrayView2<'a, f32>) -> Result<Box<dyn Assign + 'a>> {
        Ok(Box::new(assign::Points::new(&self.device, &self.assign, points)?))
    }
}

/// The kernel of one family.
enum Launcher<'a> {
    Translation(translation::Launcher<'a>),
}

struct Session<'a> {
    gpu: &'a Gpu,
    image: ArrayView2<'a, f32>,
    plan: &'a Plan,
    launchers: Vec<Launcher<'a>>,
    kept: Kept<Buffer>,
    moments: Moments,
    /// Features so far, and how many a site has.
    features: Vec<f32>,
    width: usize,
}

impl Session<'_> {
    /// The band's descriptors on the device, `[D][sites]`.
    fn descriptors(&mut self, band: &Band) -> Result<std::rc::Rc<Buffer>> {
        let count = (band.len() * self.plan.channels()) as u64;
        let (gpu, image, plan, launchers) = (self.gpu, self.image, self.plan, &self.launchers);
        self.kept.get(band, || {
            let descriptors = gpu.device.storage("descriptors", count)?;
            let rows = plan.pixel_rows(band);
            let part = image.slice(ndarray::s![rows, ..]);
            let part = part.as_standard_layout();
            let values = part.as_slice().unwrap_or_default();
            let pixels = gpu.device.upload("image", values, BufferUsages::STORAGE)?;
            for launcher in launchers {
                match launcher {
                    Launcher::Translation(launcher) => {
                        launcher.describe(image, band, &pixels, &descriptors)?;
                    }
                }
            }
            Ok((descriptors, 4 * count))
        })
    }
}

impl Describe for Session<'_> {
    fn describe(&mut self, band: &Band, mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        let descriptors = self.descriptors(band)?;
        let (sites, channels) = (band.len(), self.plan.channels());
        let values = self.gpu.device.read(&descriptors, sites * channels)?;
        let by_channel = Array2::from_shape_vec((channels, sites), values);
        out.assign(&by_channel.expect("as many values as were asked for").t());
        Ok(())
    }

    fn accumulate(&mut self, band: &Band) -> Result<()> {
        let descriptors = self.descriptors(band)?;
        let gpu = self.gpu;
        let sum = moments::accumulate(&gpu.device, &gpu.moments, self.plan, band, &descriptors)?;
        self.moments.add(&sum);
        Ok(())
    }

    fn moments(&mut self) -> Result<Moments> {
        Ok(std::mem::replace(&mut self.moments, Moments::zero(self.plan.channels())))
    }

    fn project(&mut self, band: &Band, pca: &Pca) -> Result<()> {
        let descriptors = self.descriptors(band)?;
        let gpu = self.gpu;
        let features = project::project(&gpu.device, &gpu.project, band, pca, &descriptors)?;
        self.width = features.ncols();
        self.features.extend(features);
        Ok(())
    }

    fn features(&mut self) -> Result<Array2<f32>> {
        let features = std::mem::take(&mut self.features);
        Ok(Array2::from_shape_vec((features.len() / self.width.max(1), self.width), features)
            .expect("whole rows of features"))
    }
}
