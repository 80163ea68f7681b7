//! Compiled kernels, and the checks that they fit the device: drivers do not all
//! refuse what is beyond their limits.

use wgpu::{Buffer, ComputePipeline, Limits};

use super::device::Device;
use crate::Result;

/// Workgroups on each axis.
pub(super) type Groups = [u32; 3];

/// What a kernel is made of.
pub(super) struct KernelSource<'a> {
    /// Name of the kernel, of its shader and of its entry point.
    pub(super) name: &'static str,
    /// Values of its `override` constants.
    pub(super) constants: &'a [(&'static str, f64)],
    /// Threads of a workgroup on each axis.
    pub(super) threads: [u32; 3],
    /// Workgroup memory, bytes.
    pub(super) shared: u64,
}

/// A compiled kernel.
pub(super) struct Kernel {
    pub(super) name: &'static str,
    pub(super) pipeline: ComputePipeline,
}

impl KernelSource<'_> {
    /// Compiles the kernel for `device`.
    pub(super) fn compile(&self, device: &Device) -> Result<Kernel> {
        if let Some(reason) = self.too_large(&device.inner.limits()) {
            return Err(device.error(format!(
                "kernel {} needs {reason}; give a smaller `patch` or use `device = cpu`",
                self.name
            )));
        }
        let wgsl = device.options.shaders.get(self.name);
        let wgsl = wgsl.ok_or_else(|| device.error(format!("there is no shader {}", self.name)))?;
        let module = device.inner.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(self.name),
            source: wgpu::ShaderSource::Wgsl(wgsl.into()),
        });
        let pipeline = device.inner.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(self.name),
            layout: None,
            module: &module,
            entry_point: Some(self.name),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: self.constants,
                // Every kernel writes its workgroup memory before it reads it.
                zero_initialize_workgroup_memory: false,
            },
            cache: device.cache.pipelines(),
        });
        device.check()?;
        Ok(Kernel { name: self.name, pipeline })
    }

    /// What of the kernel is beyond `limits`.
    fn too_large(&self, limits: &Limits) -> Option<String> {
        let [x, y, z] = self.threads;
        let beyond = |need: u64, most: u32, what: &str| {
            (need > u64::from(most)).then(|| format!("{need} {what}, but {most} are possible"))
        };
        beyond(self.shared, limits.max_compute_workgroup_storage_size, "bytes of workgroup memory")
            .or_else(|| {
                let all = u64::from(x) * u64::from(y) * u64::from(z);
                beyond(all, limits.max_compute_invocations_per_workgroup, "threads in a workgroup")
            })
            .or_else(|| beyond(x.into(), limits.max_compute_workgroup_size_x, "threads in a row"))
            .or_else(|| beyond(y.into(), limits.max_compute_workgroup_size_y, "rows of threads"))
            .or_else(|| beyond(z.into(), limits.max_compute_workgroup_size_z, "layers of threads"))
    }
}

impl Kernel {
    /// Whether `device` can run the kernel with `buffers` over `groups`.
    pub(super) fn check(&self, device: &Device, buffers: &[&Buffer], groups: Groups) -> Result<()> {
        let (name, limits) = (self.name, device.inner.limits());
        let most = limits.max_compute_workgroups_per_dimension;
        if let Some(count) = groups.into_iter().find(|&count| count > most) {
            return Err(device.error(format!(
                "kernel {name} asks for {count} workgroups in a row; {most} are possible"
            )));
        }
        let most = limits.max_storage_buffers_per_shader_stage as usize;
        // The ledger is bound too.
        let count = buffers.len() + 1;
        if count > most {
            return Err(
                device.error(format!("kernel {name} binds {count} buffers; {most} are possible"))
            );
        }
        let most = limits.max_storage_buffer_binding_size;
        if let Some(buffer) = buffers.iter().find(|buffer| buffer.size() > most) {
            let size = buffer.size();
            return Err(device.error(format!(
                "kernel {name} binds a buffer of {size} bytes; {most} are possible"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(threads: [u32; 3], shared: u64) -> KernelSource<'static> {
        KernelSource { name: "one", constants: &[], threads, shared }
    }

    #[test]
    fn what_is_beyond_the_limits_is_named() {
        let limits = Limits::default();
        let reason = |threads, shared| source(threads, shared).too_large(&limits);
        assert_eq!(reason([256, 1, 1], 16384), None);
        assert_eq!(
            reason([256, 1, 1], 16388).as_deref(),
            Some("16388 bytes of workgroup memory, but 16384 are possible")
        );
        assert!(reason([32, 32, 1], 0).is_some_and(|r| r.starts_with("1024 threads")));
        assert!(reason([257, 1, 1], 0).is_some());
        assert!(reason([1, 1, 65], 0).is_some_and(|r| r.contains("layers")));
    }
}
