//! The GPU backend: WGSL compute shaders through wgpu.
//!
//! Descriptors live on the device as `[D][sites of the band]`, so that
//! neighbouring threads touch neighbouring values; only sums and features come
//! back, and descriptors where somebody asks for them.

pub mod adapter;
mod all_shaders;
pub mod assign;
mod band_memory;
pub mod centroids;
pub mod choose;
pub mod cluster_sums;
mod commands;
mod compute_kernel;
mod counters;
mod device;
mod families;
pub mod fold;
mod inner_sites;
mod launch;
mod ledger;
mod limits;
pub mod maximum;
pub mod moments;
mod peaks;
mod pipeline_cache;
pub mod pixels;
pub mod polar;
pub mod power_mean;
pub mod project;
pub mod rank_pooling;
pub mod repair;
mod self_test;
mod session;
mod shaders;
pub mod spline_square;
mod timer;

use ndarray::ArrayView2;

use super::{Assign, Backend, Describe, DeviceInfo, DeviceWork};
use crate::descriptor::{declare_modules, families};
use crate::plan::Plan;
use crate::{Error, Result};
use device::Device;
pub use device::Options;
pub use peaks::Peaks;
pub use shaders::Shaders;
pub use timer::KernelTime;

families!(declare_modules pub);

/// A graphics adapter, opened.
pub struct Gpu {
    info: DeviceInfo,
    device: Device,
}

impl Gpu {
    /// Opens `adapter`. Compiled kernels are kept in the user's folder for caches,
    /// unless `STEMSEG_PIPELINE_CACHE` is `off`.
    ///
    /// # Errors
    /// [`Error::Device`] if it lacks what kernels need, [`Error::DeviceFailed`] if it gives
    /// no device or a kernel does not compile.
    pub fn new(adapter: &wgpu::Adapter) -> Result<Self> {
        let pipeline_cache = pipeline_cache::folder();
        Self::with_options(adapter, Options { pipeline_cache, ..Options::default() })
    }

    /// Opens `adapter` with options for tests.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_options(adapter: &wgpu::Adapter, options: Options) -> Result<Self> {
        if let Some(reason) = adapter::lacking(adapter) {
            let device = adapter.get_info().name;
            return Err(Error::Device { device, reason });
        }
        let device = Device::new(adapter, options)?;
        // What needs no plan is compiled now, so that its faults show at once.
        moments::kernel(&device)?;
        project::kernel(&device, false)?;
        assign::kernel(&device)?;
        Ok(Self { info: adapter::device_info(&adapter.get_info()), device })
    }

    /// Opens `adapter` so that it times each of its kernels, which makes it slower: the host waits for
    /// every submission, and takes what comes back as it is.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::Device`] too where it has no timestamps.
    pub fn timed(adapter: &wgpu::Adapter) -> Result<Self> {
        if !adapter.features().contains(timer::FEATURES) {
            let device = adapter.get_info().name;
            let reason = "it has no timestamps to time kernels by".into();
            return Err(Error::Device { device, reason });
        }
        let pipeline_cache = pipeline_cache::folder();
        let options = Options { pipeline_cache, timed: true, trust: true, ..Options::default() };
        Self::with_options(adapter, options)
    }

    /// What the kernels of a [timed](Self::timed) device took since this was last asked, the longest
    /// first; nothing where it is not timed.
    pub fn kernel_times(&self) -> Vec<KernelTime> {
        self.device.times.take()
    }

    /// What a [timed](Self::timed) device can do at most.
    ///
    /// # Errors
    /// [`Error::DeviceFailed`]; [`Error::Device`] where it is not timed.
    pub fn peaks(&self) -> Result<Peaks> {
        match self.device.options.timed {
            true => peaks::measure(&self.device),
            false => Err(self.device.error("its kernels are not timed")),
        }
    }

    /// The same; whether all workgroups ran is not looked at any more.
    pub(crate) fn trusted(mut self) -> Self {
        self.device.options.trust = true;
        self
    }
}

impl Backend for Gpu {
    fn device(&self) -> &DeviceInfo {
        &self.info
    }

    fn band_rows(&self, plan: &Plan, budget: u64) -> Result<usize> {
        band_memory::band_rows(&self.device, plan, budget)
    }

    fn upload<'a>(
        &'a self,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> Result<Box<dyn Describe + 'a>> {
        Ok(Box::new(session::Session::new(&self.device, image, plan)?))
    }

    fn assigner<'a>(&'a self, points: ArrayView2<'a, f32>) -> Result<Box<dyn Assign + 'a>> {
        Ok(Box::new(assign::Points::new(&self.device, points)?))
    }

    fn usable(&self) -> bool {
        !self.device.lost()
    }

    fn work(&self) -> Option<DeviceWork> {
        Some(self.device.counters.work())
    }
}
