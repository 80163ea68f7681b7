//! Launcher of `shaders/peaks.wgsl`: what a device can do at most.

use bytemuck::{Pod, Zeroable};
use serde::Serialize;
use wgpu::{Buffer, BufferUsages, ComputePipeline};

use super::device::Device;
use super::shaders::file;
use super::timer::{Dispatch, Timer};
use crate::Result;

/// Most that a device was seen to do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Peaks {
    /// Multiply-adds in f32 out of registers, each counted as two operations, 1e9 per s.
    pub gflops: f64,
    /// Bytes that are read and written in copying between buffers, 1e9 per s.
    pub copy_gigabytes_per_s: f64,
}

/// Attempts, of which the best counts.
const ATTEMPTS: usize = 8;
/// Workgroups that multiply and add, and threads of each.
const GROUPS: u32 = 4096;
const THREADS: u64 = 256;
/// Multiply-adds of a thread in a round.
const IN_ROUND: u64 = 32;
/// Rounds of the first attempt, which each one after doubles until an attempt takes so long, ms.
const ROUNDS: u32 = 16;
const LONG: f64 = 4.0;
/// Largest buffer that is copied, bytes: beyond all caches, and what every device may bind.
const LARGEST: u64 = 128 << 20;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rounds: u32,
    factor: f32,
    vectors: u32,
    row: u32,
}

/// Measures them on a `device` that times its kernels.
///
/// # Errors
/// [`Error::DeviceFailed`](crate::Error::DeviceFailed).
pub(super) fn measure(device: &Device) -> Result<Peaks> {
    let bytes = LARGEST.min(device.binding_limit()) / 16 * 16;
    let [source, target] =
        [device.storage("source", bytes / 4)?, device.storage("target", bytes / 4)?];
    let module = device.inner.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("peaks"),
        source: wgpu::ShaderSource::Wgsl(file!("peaks").into()),
    });
    let pipeline = |entry: &'static str| {
        device.inner.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry),
            layout: None,
            module: &module,
            entry_point: Some(entry),
            compilation_options: Default::default(),
            cache: device.cache.pipelines(),
        })
    };
    let bench = Bench { device, source: &source, target: &target };
    let (multiply_add, copy) = (pipeline("multiply_add"), pipeline("copy"));
    device.check()?;

    let vectors = (bytes / 16) as u32;
    let [row, rows] = device.rows_of_groups(u64::from(vectors));
    let (mut gflops, mut copied, mut rounds) = (0.0_f64, 0.0_f64, ROUNDS);
    for _ in 0..ATTEMPTS {
        let params = Params { rounds, factor: 0.5, vectors: 0, row: 0 };
        let ms = bench.run(&multiply_add, params, [GROUPS, 1, 1], &[&target])?;
        let operations = 2 * IN_ROUND * u64::from(rounds) * THREADS * u64::from(GROUPS);
        gflops = gflops.max(operations as f64 / ms / 1e6);
        rounds *= if ms < LONG { 2 } else { 1 };
        let params = Params { rounds: 0, factor: 0.5, vectors, row: row * THREADS as u32 };
        let ms = bench.run(&copy, params, [row, rows, 1], &[&source, &target])?;
        copied = copied.max((2 * bytes) as f64 / ms / 1e6);
    }
    Ok(Peaks { gflops, copy_gigabytes_per_s: copied })
}

/// What the two kernels run on.
struct Bench<'a> {
    device: &'a Device,
    source: &'a Buffer,
    target: &'a Buffer,
}

impl Bench<'_> {
    /// How long `pipeline` takes over `groups`, ms.
    fn run(
        &self,
        pipeline: &ComputePipeline,
        params: Params,
        groups: [u32; 3],
        bound: &[&Buffer],
    ) -> Result<f64> {
        let Self { device, source, target } = *self;
        let uniform = device.upload("params", &[params], BufferUsages::UNIFORM)?;
        let all = [(1, source), (2, target)];
        let used = all.into_iter().filter(|(_, buffer)| bound.contains(buffer));
        let entries = std::iter::once((0, &uniform)).chain(used).map(|(binding, buffer)| {
            wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() }
        });
        let bindings = device.inner.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("peaks"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries.collect::<Vec<_>>(),
        });
        let mut timer = Timer::new(device);
        let mut encoder = device.inner.create_command_encoder(&Default::default());
        let dispatch = Dispatch { kernel: "peaks", multiply_adds: 0, bytes: 0 };
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("peaks"),
            timestamp_writes: Some(timer.enter(dispatch)),
        });
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
        drop(pass);
        timer.end(&mut encoder);
        device.queue.submit([encoder.finish()]);
        timer.collect(device)?;
        let ms = device.times.take().iter().map(|time| time.ms).sum::<f64>();
        Ok(ms.max(1e-6))
    }
}
