//! How long each kernel took on the device: two timestamps about every dispatch.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard};

use serde::Serialize;
use wgpu::{
    Buffer, BufferUsages, CommandEncoder, ComputePassTimestampWrites, Features, MapMode, PollType,
    QuerySet, QuerySetDescriptor, QueryType,
};

use super::commands::SLOTS;
use super::device::Device;
use crate::Result;

/// What a device is asked for to time its kernels.
pub(super) const FEATURES: Features = Features::TIMESTAMP_QUERY;

/// Bytes of a timestamp.
const BYTES: u64 = 8;

/// What a kernel did on a device that times its kernels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KernelTime {
    /// Name of the kernel, and of its shader.
    pub name: &'static str,
    /// How often it ran.
    pub dispatches: u64,
    /// How long all of them took on the device, ms.
    pub ms: f64,
    /// Multiply-adds that they did, about: what work was parted by.
    pub multiply_adds: u64,
    /// Bytes of the buffers that they read and wrote, each counted once for a kernel that goes through it.
    pub bytes: u64,
}

/// What a dispatch does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dispatch {
    pub(super) kernel: &'static str,
    pub(super) multiply_adds: u64,
    pub(super) bytes: u64,
}

/// Times of all kernels of a device, by their names.
#[derive(Debug, Default)]
pub(super) struct Times(Mutex<BTreeMap<&'static str, KernelTime>>);

impl Times {
    fn all(&self) -> MutexGuard<'_, BTreeMap<&'static str, KernelTime>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn add(&self, dispatch: Dispatch, ns: f64) {
        let Dispatch { kernel: name, multiply_adds, bytes } = dispatch;
        let none = KernelTime { name, dispatches: 0, ms: 0.0, multiply_adds: 0, bytes: 0 };
        let mut all = self.all();
        let time = all.entry(name).or_insert(none);
        time.dispatches += 1;
        time.ms += ns / 1e6;
        time.multiply_adds += multiply_adds;
        time.bytes += bytes;
    }

    /// Those since the last call, the longest first.
    pub(super) fn take(&self) -> Vec<KernelTime> {
        let mut all: Vec<KernelTime> = std::mem::take(&mut *self.all()).into_values().collect();
        all.sort_by(|one, other| other.ms.total_cmp(&one.ms));
        all
    }
}

/// Timestamps of the dispatches that are recorded and not yet submitted.
pub(super) struct Timer {
    queries: QuerySet,
    resolved: Buffer,
    read: Buffer,
    recorded: Vec<Dispatch>,
}

impl Timer {
    pub(super) fn new(device: &Device) -> Self {
        let size = 2 * BYTES * SLOTS as u64;
        let buffer = |label, usage| {
            let mapped_at_creation = false;
            let label = Some(label);
            device.inner.create_buffer(&wgpu::BufferDescriptor {
                label,
                size,
                usage,
                mapped_at_creation,
            })
        };
        let queries = device.inner.create_query_set(&QuerySetDescriptor {
            label: Some("times of kernels"),
            ty: QueryType::Timestamp,
            count: 2 * SLOTS as u32,
        });
        let resolved = buffer("timestamps", BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC);
        let read = buffer("times", BufferUsages::MAP_READ | BufferUsages::COPY_DST);
        Self { queries, resolved, read, recorded: Vec::new() }
    }

    /// Where the next dispatch writes when it begins and ends.
    pub(super) fn enter(&mut self, dispatch: Dispatch) -> ComputePassTimestampWrites<'_> {
        let first = 2 * self.recorded.len() as u32;
        self.recorded.push(dispatch);
        ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        }
    }

    /// Records that the timestamps are to be read, behind all that is in `encoder`.
    pub(super) fn end(&self, encoder: &mut CommandEncoder) {
        let count = 2 * self.recorded.len() as u32;
        if count > 0 {
            encoder.resolve_query_set(&self.queries, 0..count, &self.resolved, 0);
            let bytes = BYTES * u64::from(count);
            encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.read, 0, bytes);
        }
    }

    /// Waits for what was submitted, and takes its times down.
    ///
    /// # Errors
    /// [`Error::DeviceFailed`](crate::Error::DeviceFailed).
    pub(super) fn collect(&mut self, device: &Device) -> Result<()> {
        let recorded = std::mem::take(&mut self.recorded);
        if recorded.is_empty() {
            return Ok(());
        }
        let bytes = 2 * BYTES * recorded.len() as u64;
        let (sender, mapped) = channel();
        self.read.map_async(MapMode::Read, ..bytes, move |result| {
            let _ = sender.send(result);
        });
        device
            .inner
            .poll(PollType::wait_indefinitely())
            .map_err(|error| device.failed(error.to_string()))?;
        match mapped.recv() {
            Ok(Ok(())) => {}
            _ => return Err(device.failed("it gave no times of kernels")),
        }
        let view = self.read.get_mapped_range(..bytes);
        let view = view.map_err(|error| device.failed(error.to_string()))?;
        let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&view);
        drop(view);
        self.read.unmap();
        let period = f64::from(device.queue.get_timestamp_period());
        for (dispatch, [begun, ended]) in recorded.into_iter().zip(ticks.as_chunks().0) {
            // A device whose clock was reset in between has none for this one.
            device.times.add(dispatch, ended.saturating_sub(*begun) as f64 * period);
        }
        Ok(())
    }
}
