//! A device with its queue, and the few things that every kernel needs of it.

use std::sync::{Arc, Mutex};

use bytemuck::{AnyBitPattern, NoUninit};
use wgpu::util::DeviceExt;
use wgpu::{Buffer, BufferUsages, ComputePipeline};

use super::shaders::Shaders;
use crate::{Error, Result};

/// Knobs of a GPU device for tests.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Pretend that no buffer binding may be larger, bytes.
    pub binding_limit: Option<u64>,
    /// Fill buffers with NaN before kernels write them.
    pub poison: bool,
    /// The kernels' sources: a test changes one to see that it shows.
    pub shaders: Shaders,
}

/// A logical device.
pub(super) struct Device {
    pub(super) inner: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    name: String,
    pub(super) options: Options,
    failure: Arc<Mutex<Option<String>>>,
}

/// A compiled kernel.
pub(super) struct Kernel {
    name: &'static str,
    pipeline: ComputePipeline,
}

/// Workgroups on each axis.
pub(super) type Groups = [u32; 3];

impl Device {
    /// Asks `adapter` for a device with all its limits on buffers and workgroups.
    pub(super) fn new(adapter: &wgpu::Adapter, options: Options) -> Result<Self> {
        let name = adapter.get_info().name;
        let has = adapter.limits();
        let limits = wgpu::Limits {
            max_buffer_size: has.max_buffer_size,
            max_storage_buffer_binding_size: has.max_storage_buffer_binding_size,
            max_compute_workgroup_storage_size: has.max_compute_workgroup_storage_size,
            ..wgpu::Limits::default()
        };
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("stemseg"),
            required_limits: limits,
            ..Default::default()
        });
        let (inner, queue) = pollster::block_on(request)
            .map_err(|e| Error::Device { device: name.clone(), reason: e.to_string() })?;
        let failure = Arc::new(Mutex::new(None));
        let sink = Arc::clone(&failure);
        inner.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let mut slot = sink.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            slot.get_or_insert_with(|| error.to_string());
        }));
        Ok(Self { inner, queue, name, options, failure })
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> Error {
        Error::Device { device: self.name.clone(), reason: reason.into() }
    }

    /// The first thing that went wrong on the device since the last look.
    pub(super) fn check(&self) -> Result<()> {
        let mut slot = self.failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        slot.take().map_or(Ok(()), |reason| Err(self.error(reason)))
    }

    /// Largest buffer that a kernel may see, bytes.
    pub(super) fn binding_limit(&self) -> u64 {
        let limits = self.inner.limits();
        let most = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        self.options.binding_limit.map_or(most, |limit| most.min(limit))
    }

    /// A kernel from WGSL with its `override` constants; `shared` is what a
    /// workgroup needs of workgroup memory, bytes, which drivers do not all check.
    pub(super) fn kernel(
        &self,
        name: &'static str,
        source: &str,
        constants: &[(&str, f64)],
        shared: u64,
    ) -> Result<Kernel> {
        let most = u64::from(self.inner.limits().max_compute_workgroup_storage_size);
        if shared > most {
            return Err(self.error(format!(
                "kernel {name} needs {shared} bytes of workgroup memory but there are {most}; \
                 give a smaller --patch or use --device cpu"
            )));
        }
        let module = self.inner.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = self.inner.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module: &module,
            entry_point: Some(name),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants,
                // Every kernel writes its workgroup memory before it reads it.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        self.check()?;
        Ok(Kernel { name, pipeline })
    }

    /// A buffer that holds `data`; at least one element, since none may be empty.
    pub(super) fn upload<T: NoUninit>(
        &self,
        label: &str,
        data: &[T],
        usage: BufferUsages,
    ) -> Result<Buffer> {
        self.fits(label, size_of_val(data) as u64)?;
        let bytes: &[u8] = bytemuck::cast_slice(data);
        let contents = if bytes.is_empty() { &[0; 16] } else { bytes };
        let usage = usage | BufferUsages::COPY_DST;
        Ok(self.inner.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some(label),
            contents,
            usage,
        }))
    }

    /// A storage buffer of `count` elements of 4 bytes for a kernel to fill.
    pub(super) fn storage(&self, label: &str, count: u64) -> Result<Buffer> {
        let size = 4 * count.max(1);
        self.fits(label, size)?;
        if self.options.poison {
            let rubbish = vec![f32::NAN; count.max(1) as usize];
            return self.upload(label, &rubbish, BufferUsages::STORAGE | BufferUsages::COPY_SRC);
        }
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        Ok(self.inner.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: false,
        }))
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

    /// Runs `kernel` over `groups` with `params` as binding 0 and `buffers` as
    /// bindings 1 and on.
    pub(super) fn run<P: NoUninit>(
        &self,
        kernel: &Kernel,
        params: &P,
        buffers: &[&Buffer],
        groups: Groups,
    ) -> Result<()> {
        let most = self.inner.limits().max_compute_workgroups_per_dimension;
        if let Some(&count) = groups.iter().find(|&&g| g > most) {
            let name = kernel.name;
            return Err(self.error(format!(
                "kernel {name} asks for {count} workgroups in a row; {most} are possible"
            )));
        }
        let params = self.upload("params", std::slice::from_ref(params), BufferUsages::UNIFORM)?;
        let entries: Vec<wgpu::BindGroupEntry<'_>> = std::iter::once(&params)
            .chain(buffers.iter().copied())
            .zip(0..)
            .map(|(buffer, binding)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let bindings = self.inner.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.name),
            layout: &kernel.pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut encoder = self.inner.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&kernel.pipeline);
            pass.set_bind_group(0, &bindings, &[]);
            pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
        }
        self.queue.submit([encoder.finish()]);
        self.check()
    }

    /// Workgroups of 256 threads for `count` elements, as rows of a length that
    /// the device can dispatch.
    pub(super) fn rows_of_groups(&self, count: u64) -> [u32; 2] {
        let most = u64::from(self.inner.limits().max_compute_workgroups_per_dimension);
        let groups = count.div_ceil(256).max(1);
        let per_row = groups.min(most);
        [per_row as u32, groups.div_ceil(per_row) as u32]
    }

    /// The first `count` elements of `buffer`, once everything submitted is done.
    pub(super) fn read<T: AnyBitPattern>(&self, buffer: &Buffer, count: usize) -> Result<Vec<T>> {
        let size = (count * size_of::<T>()) as u64;
        let staging = self.inner.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read back"),
            size,
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.inner.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, size);
        self.queue.submit([encoder.finish()]);
        let (sender, receiver) = std::sync::mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // The receiver waits below; it cannot be gone.
            let _ = sender.send(result);
        });
        self.inner
            .poll(wgpu::PollType::wait_indefinitely())
            .map_err(|e| self.error(e.to_string()))?;
        self.check()?;
        // Another thread's poll may be the one that runs the callback: wait for it.
        match receiver.recv() {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(self.error(e.to_string())),
            Err(_) => return Err(self.error("the device was lost while it computed")),
        }
        let view = staging.get_mapped_range(..).map_err(|e| self.error(e.to_string()))?;
        Ok(bytemuck::cast_slice(&view).to_vec())
    }
}
