//! Work for the queue: recorded, submitted in portions, read back.

use std::collections::HashSet;
use std::num::NonZeroU64;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use bytemuck::{AnyBitPattern, NoUninit};
use wgpu::{
    BindGroupEntry, BindingResource, Buffer, BufferBinding, BufferUsages, CommandEncoder,
    ComputePassDescriptor, PollType, SubmissionIndex,
};

use super::compute_kernel::{Groups, Kernel};
use super::device::Device;
use super::ledger::{self, Asked, Ledger};
use super::timer::{Dispatch, Timer};
use crate::Result;
use crate::panics;
use crate::sites::blocks;

/// Dispatches that are submitted at once, each with its own place for parameters.
pub(super) const SLOTS: usize = 64;

/// Records work in the order it is to be done.
pub(super) struct Commands<'a> {
    device: &'a Device,
    encoder: Option<CommandEncoder>,
    /// The buffers of what is in it.
    recorded: HashSet<Buffer>,
    /// Parameters of the dispatches in the encoder, one slot each.
    slots: Vec<u8>,
    slot: usize,
    params: Buffer,
    ledger: Ledger,
    /// Where kernels are timed.
    timer: Option<Timer>,
    work: u64,
    /// Bytes that were given to the queue to write since this was last asked.
    written: u64,
    /// Buffers for reading back that are free again.
    spare: Vec<Buffer>,
}

/// Rows of workgroups, each of which does as much as the others.
pub(super) struct Rows {
    pub(super) count: usize,
    /// Workgroups of a row on the axes x and z.
    pub(super) groups: [u32; 2],
    /// Multiply-adds of a row, about.
    pub(super) work: u64,
}

/// Workgroups on three axes, each of which does as much as the others.
pub(super) struct Grid {
    pub(super) groups: [usize; 3],
    /// Multiply-adds of one workgroup, about.
    pub(super) work: u64,
    /// Workgroups that one dispatch may have, where there is room for few.
    pub(super) most: usize,
}

impl Grid {
    /// Workgroups of the largest dispatch on `device`.
    pub(super) fn at_once(&self, device: &Device) -> usize {
        self.part(device.work_per_dispatch()).iter().product()
    }

    /// Workgroups on each axis of a dispatch of at most `work` multiply-adds.
    fn part(&self, work: u64) -> [usize; 3] {
        let within_work = (work / self.work.max(1)).max(1) as usize;
        let mut left = self.most.clamp(1, within_work);
        self.groups.map(|count| {
            let part = count.clamp(1, left.min(1 << 15));
            left /= part;
            part
        })
    }
}

/// Values on their way back.
pub(super) struct ReadBack {
    staging: Buffer,
    /// Bytes of the values, after which the ledger's counts stand, and those of both.
    values: u64,
    bytes: u64,
    asked: Asked,
    submission: SubmissionIndex,
    mapped: Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
}

impl<'a> Commands<'a> {
    pub(super) fn new(device: &'a Device) -> Self {
        let slot = device.inner.limits().min_uniform_buffer_offset_alignment as usize;
        let params = device.inner.create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size: (slot * SLOTS) as u64,
            usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        device.counters.buffer();
        let (slots, spare, ledger) = (Vec::new(), Vec::new(), Ledger::new(device));
        let (encoder, recorded) = (None, HashSet::new());
        let timer = device.options.timed.then(|| Timer::new(device));
        Self {
            device,
            encoder,
            recorded,
            slots,
            slot,
            params,
            ledger,
            timer,
            work: 0,
            written: 0,
            spare,
        }
    }

    fn encoder(&mut self) -> &mut CommandEncoder {
        let device = &self.device.inner;
        self.encoder.get_or_insert_with(|| device.create_command_encoder(&Default::default()))
    }

    /// Puts `data` into `buffer`, after all that was recorded before.
    pub(super) fn write<T: NoUninit>(&mut self, buffer: &Buffer, data: &[T]) {
        // The queue writes before the commands that are submitted next: those that were recorded
        // have to go first if they know the buffer.
        if self.recorded.contains(buffer) {
            self.submit();
        }
        let bytes: &[u8] = bytemuck::cast_slice(data);
        self.device.counters.up(bytes.len() as u64);
        self.written += bytes.len() as u64;
        self.device.queue.write_buffer(buffer, 0, bytes);
    }

    /// Bytes that were given to the queue to write since this was last asked.
    pub(super) fn written(&mut self) -> u64 {
        std::mem::take(&mut self.written)
    }

    /// Runs `kernel` over `groups` with `params` as binding 0 and `buffers` as
    /// bindings 1 and on; `work` is about how many multiply-adds that is.
    pub(super) fn dispatch<P: NoUninit>(
        &mut self,
        kernel: &Kernel,
        params: &P,
        buffers: &[&Buffer],
        groups: Groups,
        work: u64,
    ) -> Result<()> {
        self.dispatch_part(kernel, params, buffers, groups, (work, 1.0))
    }

    /// The same of a part of the work that goes through all buffers: this share of it.
    fn dispatch_part<P: NoUninit>(
        &mut self,
        kernel: &Kernel,
        params: &P,
        buffers: &[&Buffer],
        groups: Groups,
        (work, share): (u64, f64),
    ) -> Result<()> {
        kernel.check(self.device, buffers, groups)?;
        let full = self.slots.len() == self.slot * SLOTS;
        if full || (self.work > 0 && self.work + work > self.device.work_per_submit()) {
            self.submit();
        }
        self.work += work;
        self.recorded.extend(buffers.iter().copied().cloned());
        let offset = self.slots.len();
        self.slots.extend_from_slice(bytemuck::bytes_of(params));
        self.slots.resize(offset + self.slot, 0);
        let counts = self.ledger.enter(kernel.name, groups);
        let counts = counts.ok_or_else(|| self.device.error("too many kernels for the ledger"))?;
        let counts = BindGroupEntry { binding: ledger::BINDING, resource: counts };
        let params = BindingResource::Buffer(BufferBinding {
            buffer: &self.params,
            offset: offset as u64,
            size: NonZeroU64::new(size_of::<P>() as u64),
        });
        let entries: Vec<BindGroupEntry<'_>> = std::iter::once(params)
            .chain(buffers.iter().map(|buffer| buffer.as_entire_binding()))
            .zip(0..)
            .map(|(resource, binding)| BindGroupEntry { binding, resource })
            .chain([counts])
            .collect();
        let bindings = self.device.inner.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.name),
            layout: &kernel.pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let device = &self.device.inner;
        let encoder =
            self.encoder.get_or_insert_with(|| device.create_command_encoder(&Default::default()));
        let timestamp_writes = self.timer.as_mut().map(|timer| {
            let bytes = buffers.iter().map(|buffer| buffer.size()).sum::<u64>();
            let bytes = (share * bytes as f64) as u64;
            timer.enter(Dispatch { kernel: kernel.name, multiply_adds: work, bytes })
        });
        let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor {
            label: Some(kernel.name),
            timestamp_writes,
        });
        pass.set_pipeline(&kernel.pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
        drop(pass);
        self.device.counters.dispatched();
        self.device.check()
    }

    /// Runs `kernel` over `rows` in short dispatches; `params` takes the first row of
    /// one, and y counts from there.
    pub(super) fn dispatch_rows<P: NoUninit>(
        &mut self,
        kernel: &Kernel,
        rows: &Rows,
        buffers: &[&Buffer],
        params: impl Fn(usize) -> P,
    ) -> Result<()> {
        let [x, z] = rows.groups;
        let at_once = (self.device.work_per_dispatch() / rows.work.max(1)).clamp(1, 1 << 15);
        for part in blocks(0..rows.count, at_once as usize) {
            let work = rows.work * part.len() as u64;
            let groups = [x, part.len() as u32, z];
            let share = part.len() as f64 / rows.count as f64;
            self.dispatch_part(kernel, &params(part.start), buffers, groups, (work, share))?;
        }
        Ok(())
    }

    /// Runs `kernel` over `grid` in short dispatches; `params` takes the first workgroup
    /// of one, from which it counts.
    pub(super) fn dispatch_grid<P: NoUninit>(
        &mut self,
        kernel: &Kernel,
        grid: &Grid,
        buffers: &[&Buffer],
        params: impl Fn([usize; 3]) -> P,
    ) -> Result<()> {
        let [x, y, z] = grid.part(self.device.work_per_dispatch());
        for z in blocks(0..grid.groups[2], z) {
            for y in blocks(0..grid.groups[1], y) {
                for x in blocks(0..grid.groups[0], x) {
                    let groups = [&x, &y, &z].map(|part| part.len() as u32);
                    let count = groups.map(u64::from).iter().product::<u64>();
                    let share = count as f64 / grid.groups.iter().product::<usize>() as f64;
                    let params = params([x.start, y.start, z.start]);
                    let work = (grid.work * count, share);
                    self.dispatch_part(kernel, &params, buffers, groups, work)?;
                }
            }
        }
        Ok(())
    }

    /// Copies `bytes` of a buffer from a byte on to another.
    pub(super) fn copy(
        &mut self,
        (from, at): (&Buffer, u64),
        (to, to_at): (&Buffer, u64),
        bytes: u64,
    ) {
        self.recorded.extend([from.clone(), to.clone()]);
        self.encoder().copy_buffer_to_buffer(from, at, to, to_at, bytes);
    }

    /// Sets all of a buffer to 0.
    pub(super) fn clear(&mut self, buffer: &Buffer) {
        self.recorded.insert(buffer.clone());
        self.encoder().clear_buffer(buffer, 0, None);
    }

    /// Gives what was recorded to the queue.
    pub(super) fn submit(&mut self) -> Option<SubmissionIndex> {
        let mut encoder = self.encoder.take()?;
        if let Some(timer) = &self.timer {
            timer.end(&mut encoder);
        }
        if !self.slots.is_empty() {
            self.device.counters.up(self.slots.len() as u64);
            self.device.queue.write_buffer(&self.params, 0, &self.slots);
        }
        self.slots.clear();
        self.recorded.clear();
        self.work = 0;
        self.device.counters.submitted();
        let submission = self.device.queue.submit([encoder.finish()]);
        if let Some(timer) = &mut self.timer {
            // What fails here fails again where results are waited for.
            let _ = timer.collect(self.device);
        }
        Some(submission)
    }

    /// The same if it is work enough for a submission of its own.
    pub(super) fn submit_much(&mut self) -> Option<SubmissionIndex> {
        let much = self.work >= self.device.work_per_submit() / 2;
        much.then(|| self.submit()).flatten()
    }

    /// Waits until `submission` and all before it are done.
    pub(super) fn wait(&self, submission: SubmissionIndex) -> Result<()> {
        wait(self.device, submission)
    }

    /// Begins to read this number of bytes of each of `buffers`, after all
    /// that was recorded before.
    pub(super) fn read_back(&mut self, buffers: &[(&Buffer, u64)]) -> Result<ReadBack> {
        let values = buffers.iter().map(|(_, bytes)| bytes).sum::<u64>();
        let (counts, of_counts) = self.ledger.counts();
        let (counts, bytes, asked) = (counts.clone(), values + of_counts, self.ledger.asked());
        let staging = self.staging(bytes)?;
        let mut at = 0;
        for (buffer, bytes) in buffers.iter().copied().chain([(&counts, of_counts)]) {
            self.copy((buffer, 0), (&staging, at), bytes);
            at += bytes;
        }
        let submission = self.submit().ok_or_else(|| self.device.error("nothing to read back"))?;
        let (sender, mapped) = channel();
        staging.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
            // Nobody waits any more where a session ended early.
            let _ = sender.send(result);
        });
        self.device.check()?;
        Ok(ReadBack { staging, values, bytes, asked, submission, mapped })
    }

    fn staging(&mut self, bytes: u64) -> Result<Buffer> {
        if let Some(at) = self.spare.iter().position(|buffer| buffer.size() >= bytes) {
            return Ok(self.spare.swap_remove(at));
        }
        let most = self.device.inner.limits().max_buffer_size;
        if bytes > most {
            return Err(self
                .device
                .error(format!("{bytes} bytes are to be read back but {most} are possible")));
        }
        let buffer = self.device.inner.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read back"),
            size: bytes.max(4),
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.device.counters.buffer();
        self.device.check()?;
        Ok(buffer)
    }

    /// The values of `read_back`, once they are there.
    pub(super) fn take<T: NoUninit + AnyBitPattern>(&mut self, back: ReadBack) -> Result<Vec<T>> {
        let ReadBack { staging, values, bytes, asked, submission, mapped } = back;
        self.device.check()?;
        // They are there if what was recorded later was waited for.
        let mapped = match mapped.try_recv() {
            Ok(mapped) => Ok(mapped),
            Err(_) => {
                wait(self.device, submission)?;
                // Another thread's poll may be the one that runs the callback: wait for it.
                mapped.recv()
            }
        };
        self.device.counters.down(bytes);
        match mapped {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(self.device.failed(e.to_string())),
            Err(_) => return Err(self.device.failed("it gave no results")),
        }
        let view =
            staging.get_mapped_range(..bytes).map_err(|e| self.device.failed(e.to_string()))?;
        let (values, counts) = view.split_at(values as usize);
        let compared = match self.device.options.trust {
            true => Ok(()),
            false => ledger::compare(self.device, &asked, counts),
        };
        let values = bytemuck::pod_collect_to_vec::<u8, T>(values);
        drop(view);
        staging.unmap();
        self.spare.push(staging);
        compared.map(|()| values)
    }

    /// The first `count` elements of `buffer`, once all that was recorded is done.
    pub(super) fn read<T: NoUninit + AnyBitPattern>(
        &mut self,
        buffer: &Buffer,
        count: usize,
    ) -> Result<Vec<T>> {
        let back = self.read_back(&[(buffer, (count * size_of::<T>()) as u64)])?;
        self.take(back)
    }
}

fn wait(device: &Device, submission: SubmissionIndex) -> Result<()> {
    device.check()?;
    let wait = PollType::Wait { submission_index: Some(submission), timeout: None };
    let begun = Instant::now();
    // It panics where the device is lost.
    let waited = panics::caught(|| device.inner.poll(wait));
    device.counters.waited(begun.elapsed());
    // What went wrong on the device says more than that waiting failed.
    device.check()?;
    match waited {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(device.failed(error.to_string())),
        Err(words) => Err(device.failed(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispatches_stay_within_work_and_room() {
        let part = |groups, work, most| Grid { groups, work, most }.part(1 << 31);
        assert_eq!(part([2000, 300, 4], 1 << 10, usize::MAX), [2000, 300, 3]);
        assert_eq!(part([2000, 300, 4], 1 << 11, 5000), [2000, 2, 1]);
        assert_eq!(part([2000, 300, 4], 1 << 31, 7), [1, 1, 1]);
        assert_eq!(part([70_000, 300, 1], 1 << 10, usize::MAX), [1 << 15, 64, 1]);
        assert_eq!(part([70_000, 300, 1], 1 << 40, 0), [1, 1, 1]);
    }
}
