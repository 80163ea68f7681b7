//! The ledger: how many workgroups of each kernel the host asked for, and how many ran
//! (`shaders/ledger.wgsl`).

use std::num::NonZeroU64;

use wgpu::{BindingResource, Buffer, BufferBinding, BufferUsages};

use super::compute_kernel::Groups;
use super::device::Device;
use crate::Result;

/// The ledger's binding, in every kernel.
pub(super) const BINDING: u32 = 15;

/// Most kernels of one session.
const PLACES: u64 = 32;

/// Workgroups that were asked for, by kernel: those of the first place first.
pub(super) type Asked = Vec<(&'static str, u32)>;

/// Counts of the kernels of one session.
pub(super) struct Ledger {
    buffer: Buffer,
    /// Bytes from one place to the next.
    place: u64,
    asked: Asked,
}

impl Ledger {
    pub(super) fn new(device: &Device) -> Self {
        let place = u64::from(device.inner.limits().min_storage_buffer_offset_alignment);
        // Buffers are 0 at first.
        let buffer = device.inner.create_buffer(&wgpu::BufferDescriptor {
            label: Some("ledger"),
            size: place * PLACES,
            usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        device.counters.buffer();
        Self { buffer, place, asked: Vec::new() }
    }

    /// Puts down that `kernel` is to run over `groups`; gives the place where it counts.
    pub(super) fn enter(
        &mut self,
        kernel: &'static str,
        groups: Groups,
    ) -> Option<BindingResource<'_>> {
        // It wraps around as that of the device does.
        let count = groups.into_iter().fold(1, u32::wrapping_mul);
        let place = match self.asked.iter().position(|(name, _)| *name == kernel) {
            Some(place) => place,
            None => {
                self.asked.push((kernel, 0));
                self.asked.len() - 1
            }
        };
        self.asked[place].1 = self.asked[place].1.wrapping_add(count);
        let offset = self.place * place as u64;
        (offset < self.buffer.size()).then_some(BindingResource::Buffer(BufferBinding {
            buffer: &self.buffer,
            offset,
            size: NonZeroU64::new(4),
        }))
    }

    /// What is to be read back, and its bytes.
    pub(super) fn counts(&self) -> (&Buffer, u64) {
        (&self.buffer, self.place * self.asked.len() as u64)
    }

    /// What was asked for so far.
    pub(super) fn asked(&self) -> Asked {
        self.asked.clone()
    }
}

/// Compares what was `asked` for with the `counts` that came back.
///
/// # Errors
/// [`Error::DeviceWrong`](crate::Error::DeviceWrong) that names the first kernel of which
/// another number of workgroups ran.
pub(super) fn compare(device: &Device, asked: &Asked, counts: &[u8]) -> Result<()> {
    let place = counts.len() / asked.len().max(1);
    for (&(kernel, asked), ran) in asked.iter().zip(counts.chunks_exact(place.max(4))) {
        let ran = u32::from_le_bytes([ran[0], ran[1], ran[2], ran[3]]);
        if ran != asked {
            let reason = format!("{ran} of {asked} workgroups of kernel {kernel} ran");
            return Err(device.wrong(kernel, reason));
        }
    }
    Ok(())
}
