//! What was asked of a device: counted where it is asked.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::backend::DeviceWork;

/// Counts since a device was opened, by all threads together.
#[derive(Debug, Default)]
pub(super) struct Counters {
    submissions: AtomicU64,
    dispatches: AtomicU64,
    buffers: AtomicU64,
    uploaded: AtomicU64,
    downloaded: AtomicU64,
    waits: AtomicU64,
    waited_ns: AtomicU64,
}

impl Counters {
    pub(super) fn submitted(&self) {
        self.submissions.fetch_add(1, Relaxed);
    }

    pub(super) fn dispatched(&self) {
        self.dispatches.fetch_add(1, Relaxed);
    }

    /// A buffer was made.
    pub(super) fn buffer(&self) {
        self.buffers.fetch_add(1, Relaxed);
    }

    /// Bytes went to the device.
    pub(super) fn up(&self, bytes: u64) {
        self.uploaded.fetch_add(bytes, Relaxed);
    }

    /// Bytes came back.
    pub(super) fn down(&self, bytes: u64) {
        self.downloaded.fetch_add(bytes, Relaxed);
    }

    /// The host waited for the device.
    pub(super) fn waited(&self, time: Duration) {
        self.waits.fetch_add(1, Relaxed);
        self.waited_ns.fetch_add(time.as_nanos() as u64, Relaxed);
    }

    /// All of it so far.
    pub(super) fn work(&self) -> DeviceWork {
        DeviceWork {
            submissions: self.submissions.load(Relaxed),
            dispatches: self.dispatches.load(Relaxed),
            buffers: self.buffers.load(Relaxed),
            bytes_up: self.uploaded.load(Relaxed),
            bytes_down: self.downloaded.load(Relaxed),
            waits: self.waits.load(Relaxed),
            waited_ms: self.waited_ns.load(Relaxed) as f64 / 1e6,
        }
    }
}
