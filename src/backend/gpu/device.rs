//! A device with its queue, its buffers and its limits.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use bytemuck::NoUninit;
use wgpu::{Buffer, BufferUsages};

use super::compute_kernel::{Kernel, KernelSource};
use super::counters::Counters;
use super::limits;
use super::pipeline_cache::Cache;
use super::shaders::Shaders;
use super::timer::{self, Times};
use crate::{Error, Result};

/// Knobs of a GPU device for tests.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Pretend that no buffer binding may be larger, bytes.
    pub binding_limit: Option<u64>,
    /// Pretend that a workgroup has no more memory, bytes; kernels that can do
    /// with less do so.
    pub workgroup_memory: Option<u32>,
    /// Do no more multiply-adds in a dispatch than these, where a kernel can do less.
    pub work_per_dispatch: Option<u64>,
    /// Fill buffers with NaN before kernels write them.
    pub poison: bool,
    /// The kernels' sources: a test changes one to see that it shows.
    pub shaders: Shaders,
    /// Folder for compiled pipelines; none are kept without.
    pub pipeline_cache: Option<PathBuf>,
    /// Take what comes back as it is, whether or not all workgroups ran.
    pub trust: bool,
    /// Time every kernel, and wait for each submission.
    pub timed: bool,
}

/// A logical device.
pub(super) struct Device {
    pub(super) inner: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) options: Options,
    pub(super) cache: Cache,
    pub(super) counters: Counters,
    /// What kernels took, where they are timed.
    pub(super) times: Times,
    name: String,
    kind: wgpu::DeviceType,
    failure: Arc<Mutex<Failure>>,
    /// Kernels by name and constants, compiled once.
    kernels: Mutex<HashMap<Key, Arc<Kernel>>>,
}

/// What went wrong on a device.
#[derive(Default)]
struct Failure {
    /// Why the device is gone; it does not come back.
    lost: Option<String>,
    /// The first other thing since the last look.
    other: Option<String>,
}

impl Failure {
    fn of(failure: &Mutex<Self>) -> MutexGuard<'_, Self> {
        failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Name of a kernel and the bits of its constants.
type Key = (&'static str, Vec<u64>);

/// Multiply-adds that one dispatch may do: some 50 ms on a slow integrated GPU.
const WORK_PER_DISPATCH: u64 = 1 << 31;

/// Multiply-adds that are submitted at once, since a watchdog may look at the whole submission: a
/// tenth of a second on a slow integrated GPU, and on a slow one of those that are a card, or that
/// no watchdog looks at.
const WORK_PER_SUBMIT: u64 = 1 << 32;
const WORK_OF_CARDS: u64 = 1 << 35;

/// Largest buffer, bytes: kernels count in 32 bits, and no buffer needs more.
const INDEXABLE: u64 = u32::MAX as u64;

impl Device {
    /// Asks `adapter` for a device with all its limits on buffers and workgroup
    /// memory.
    pub(super) fn new(adapter: &wgpu::Adapter, options: Options) -> Result<Self> {
        let info = adapter.get_info();
        let limits = limits::to_ask_for(&adapter.limits());
        let folder = options.pipeline_cache.as_deref();
        let timing = if options.timed { timer::FEATURES } else { wgpu::Features::empty() };
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("stemseg"),
            required_features: Cache::features(adapter, folder) | timing,
            required_limits: limits,
            ..Default::default()
        });
        let (inner, queue) = pollster::block_on(request).map_err(|e| Error::DeviceFailed {
            device: info.name.clone(),
            reason: e.to_string(),
        })?;
        let failure = Arc::<Mutex<Failure>>::default();
        let sink = Arc::clone(&failure);
        inner.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let words = match error {
                wgpu::Error::OutOfMemory { .. } => "it ran out of memory".to_owned(),
                other => other.to_string(),
            };
            Failure::of(&sink).other.get_or_insert(words);
        }));
        let sink = Arc::clone(&failure);
        inner.set_device_lost_callback(move |_, words: String| {
            Failure::of(&sink).lost.get_or_insert(words);
        });
        let cache = Cache::open(&inner, &info, folder);
        let (kernels, counters, times) = Default::default();
        let (name, kind) = (info.name, info.device_type);
        Ok(Self { inner, queue, options, cache, counters, times, name, kind, failure, kernels })
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> Error {
        Error::Device { device: self.name.clone(), reason: reason.into() }
    }

    /// The device failed.
    pub(super) fn failed(&self, reason: impl Into<String>) -> Error {
        Error::DeviceFailed { device: self.name.clone(), reason: reason.into() }
    }

    /// The device gave a wrong result in `stage`.
    pub(super) fn wrong(&self, stage: &'static str, reason: impl Into<String>) -> Error {
        Error::DeviceWrong { device: self.name.clone(), stage, reason: reason.into() }
    }

    /// The first thing that went wrong on the device since the last look; where it was
    /// lost, at every look.
    pub(super) fn check(&self) -> Result<()> {
        let mut failure = Failure::of(&self.failure);
        if let Some(words) = &failure.lost {
            return Err(self.failed(format!("it was lost ({words})")));
        }
        failure.other.take().map_or(Ok(()), |words| Err(self.failed(words)))
    }

    /// Whether the device is gone for good.
    pub(super) fn lost(&self) -> bool {
        Failure::of(&self.failure).lost.is_some()
    }

    /// Largest buffer that a kernel may see, bytes.
    pub(super) fn binding_limit(&self) -> u64 {
        let limits = self.inner.limits();
        let most = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        self.options.binding_limit.unwrap_or(u64::MAX).min(most).min(INDEXABLE)
    }

    /// Memory that a workgroup may have, bytes.
    pub(super) fn workgroup_memory(&self) -> u32 {
        let most = self.inner.limits().max_compute_workgroup_storage_size;
        self.options.workgroup_memory.map_or(most, |limit| most.min(limit))
    }

    /// Multiply-adds that one dispatch may do, as far as kernels can be parted.
    pub(super) fn work_per_dispatch(&self) -> u64 {
        self.options.work_per_dispatch.unwrap_or(WORK_PER_DISPATCH)
    }

    /// Multiply-adds that are submitted at once.
    pub(super) fn work_per_submit(&self) -> u64 {
        match self.kind {
            wgpu::DeviceType::DiscreteGpu | wgpu::DeviceType::Cpu => WORK_OF_CARDS,
            _ => WORK_PER_SUBMIT,
        }
    }

    /// The kernel of `source`, compiled where this device has not done so before.
    pub(super) fn kernel(&self, source: &KernelSource<'_>) -> Result<Arc<Kernel>> {
        let constants = source.constants.iter().map(|(_, value)| value.to_bits()).collect();
        let key = (source.name, constants);
        let mut kernels = self.kernels.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(found) = kernels.get(&key) {
            return Ok(Arc::clone(found));
        }
        let kernel = Arc::new(source.compile(self)?);
        self.cache.save();
        kernels.insert(key, Arc::clone(&kernel));
        Ok(kernel)
    }

    /// A buffer that holds `data`; at least one element, since none may be empty.
    pub(super) fn upload<T: NoUninit>(
        &self,
        label: &str,
        data: &[T],
        usage: BufferUsages,
    ) -> Result<Buffer> {
        self.counters.up(size_of_val(data) as u64);
        self.filled(label, bytemuck::cast_slice(data), usage)
    }

    /// The same of bytes that are not counted.
    fn filled(&self, label: &str, bytes: &[u8], usage: BufferUsages) -> Result<Buffer> {
        self.fits(label, bytes.len() as u64)?;
        let contents = if bytes.is_empty() { &[0; 16] } else { bytes };
        let buffer = self.buffer(label, contents.len() as u64, usage, true)?;
        // A buffer that was made on a lost device has no memory.
        let view = buffer.get_mapped_range_mut(..);
        let mut view = view.map_err(|error| self.failed(error.to_string()))?;
        view.copy_from_slice(contents);
        drop(view);
        buffer.unmap();
        self.check()?;
        Ok(buffer)
    }

    fn buffer(&self, label: &str, size: u64, usage: BufferUsages, mapped: bool) -> Result<Buffer> {
        let buffer = self.inner.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage: usage | BufferUsages::COPY_DST,
            mapped_at_creation: mapped,
        });
        self.counters.buffer();
        self.check()?;
        Ok(buffer)
    }

    /// A storage buffer of `count` elements of 4 bytes for a kernel to fill.
    pub(super) fn storage(&self, label: &str, count: u64) -> Result<Buffer> {
        let size = 4 * count.max(1);
        self.fits(label, size)?;
        if self.options.poison {
            let rubbish = vec![f32::NAN; count.max(1) as usize];
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC;
            return self.filled(label, bytemuck::cast_slice(&rubbish), usage);
        }
        self.buffer(label, size, BufferUsages::STORAGE | BufferUsages::COPY_SRC, false)
    }

    fn fits(&self, label: &str, bytes: u64) -> Result<()> {
        let most = self.binding_limit();
        if bytes > most {
            return Err(
                self.error(format!("buffer '{label}' needs {bytes} bytes but may have {most}"))
            );
        }
        Ok(())
    }

    /// Workgroups of 256 threads for `count` elements, as rows of a length that
    /// the device can dispatch.
    pub(super) fn rows_of_groups(&self, count: u64) -> [u32; 2] {
        let most = u64::from(self.inner.limits().max_compute_workgroups_per_dimension);
        let groups = count.div_ceil(256).max(1);
        let per_row = groups.min(most);
        [per_row as u32, groups.div_ceil(per_row) as u32]
    }
}

/// A storage buffer that is used again and again, and grows where it must: a new
/// one costs more than to fill it.
#[derive(Default)]
pub(super) struct Scratch {
    buffer: Option<Buffer>,
}

impl Scratch {
    /// The buffer with room for `count` elements of 4 bytes.
    pub(super) fn get(&mut self, device: &Device, label: &str, count: u64) -> Result<&Buffer> {
        let fits = |buffer: &Buffer| buffer.size() >= 4 * count && !device.options.poison;
        let buffer = match self.buffer.take().filter(fits) {
            Some(buffer) => buffer,
            None => device.storage(label, count)?,
        };
        Ok(self.buffer.insert(buffer))
    }
}
