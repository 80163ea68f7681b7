//! [`Lanes`]: all images of a run on their way through reading, computing and writing.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use serde_json::Value;
use stemseg::threads::try_beside;
use stemseg::{Error, Result};

use super::images::Image;
use super::outcomes::Ended;
use super::table::{Record, Status};
use crate::devices::Devices;
use crate::observer::{Finished, Segmented};
use crate::steps::{Computed, Opened, Opening, Shared, Written};

/// The devices, once they are open.
type Ready = Result<Devices>;

/// The images and their outcomes.
pub(super) struct Lanes<'a> {
    shared: &'a Shared<'a>,
    images: &'a [Image],
    next: AtomicUsize,
    /// Set where it makes no sense to go on.
    stop: AtomicBool,
    outcomes: Mutex<Vec<Option<Result<Record>>>>,
}

impl<'a> Lanes<'a> {
    pub(super) fn new(shared: &'a Shared<'a>, images: &'a [Image]) -> Self {
        let outcomes = Mutex::new(images.iter().map(|_| None).collect());
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { shared, images, next, stop, outcomes }
    }

    /// Takes the images in their order through the lanes.
    ///
    /// # Errors
    /// Where there is no device. What is wrong with the only image comes before.
    pub(super) fn all(&self) -> Result<()> {
        let device = OnceLock::new();
        let Shared { request, method, .. } = self.shared;
        let open = || device.get_or_init(|| Devices::open(request, &method.families()));
        thread::scope(|scope| {
            // Opening a device takes about as long as reading an image. Without a thread of
            // its own it is opened when it is needed, and lanes that have no image are not missed.
            let _ = try_beside(scope, open);
            for _ in 1..self.shared.jobs {
                let _ = try_beside(scope, || self.lane(&open));
            }
            self.lane(&open);
        });
        match device.into_inner() {
            Some(Err(error)) if self.shared.batch || self.is_open(0) => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads one image, computes another and writes a third; in succession where
    /// the system refuses threads.
    fn lane<'d>(&self, device: &dyn Fn() -> &'d Ready) {
        thread::scope(|scope| {
            // No queues: one image at most waits for the device, and one to be written.
            let (to_compute, opened) = sync_channel(0);
            let (to_write, results) = sync_channel(0);
            let read = move || {
                while let Some(next) = self.read() {
                    if to_compute.send(next).is_err() {
                        return;
                    }
                }
            };
            let write = move || {
                for (index, computed) in results {
                    self.write(index, computed);
                }
            };
            let opened: Box<dyn Iterator<Item = (usize, Box<Opened>)>> =
                match try_beside(scope, read) {
                    Ok(_) => Box::new(opened.into_iter()),
                    Err(_) => Box::new(std::iter::from_fn(|| self.read())),
                };
            match try_beside(scope, write) {
                // The receiver goes only after this sender.
                Ok(_) => self.compute(device, opened, &|index, computed| {
                    drop(to_write.send((index, computed)));
                }),
                Err(_) => {
                    self.compute(device, opened, &|index, computed| self.write(index, computed))
                }
            }
        });
    }

    /// The number of the next image, unless the run ends.
    fn next(&self) -> Option<usize> {
        if self.stop.load(Ordering::Relaxed) || self.shared.observer.check().is_err() {
            return None;
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (index < self.images.len()).then_some(index)
    }

    /// The next image that is to be segmented.
    fn read(&self) -> Option<(usize, Box<Opened>)> {
        while let Some(index) = self.next() {
            let image = &self.images[index];
            match Opened::read(self.shared, image) {
                Ok(Opening::Opened(opened)) => return Some((index, opened)),
                Ok(Opening::Kept(earlier)) => {
                    self.finished(index, &image.target, earlier.summary(), None);
                }
                Err(error) => self.failed(index, error),
            }
        }
        None
    }

    fn compute<'d>(
        &self,
        device: &dyn Fn() -> &'d Ready,
        images: impl Iterator<Item = (usize, Box<Opened>)>,
        hand_on: &dyn Fn(usize, Computed),
    ) {
        let mut told = false;
        for (index, opened) in images {
            let Ok(devices) = device() else {
                self.stop.store(true, Ordering::Relaxed);
                return;
            };
            if !told {
                let observer = self.shared.observer;
                devices.remarks.notes.iter().for_each(|note| observer.note(None, note));
                let warning = |warning| observer.warning(None, warning);
                devices.remarks.warnings.iter().for_each(warning);
                told = true;
            }
            match opened.compute(self.shared, devices) {
                Ok(computed) => hand_on(index, computed),
                Err(error) => self.failed(index, error),
            }
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    fn write(&self, index: usize, computed: Computed) {
        if !self.shared.batch {
            self.shared.observer.stage("write");
        }
        match computed.write(self.shared) {
            Ok(Written { place, summary, segmented }) => {
                self.finished(index, &place, &summary, Some(&segmented));
            }
            Err(error) => self.failed(index, error),
        }
    }

    /// Tells that there is a result; an earlier one where nothing was segmented.
    fn finished(&self, index: usize, place: &Path, summary: &Value, segmented: Option<&Segmented>) {
        let (image, observer) = (&self.images[index], self.shared.observer);
        let status = if segmented.is_some() { Status::Done } else { Status::Kept };
        match observer.finished(&Finished { image, place, summary, segmented }) {
            Ok(()) => self.set(index, Ok(Record::of(status, summary))),
            Err(error) => self.tell(index, error),
        }
    }

    /// Ends the run where another image would fare no better.
    fn failed(&self, index: usize, error: Error) {
        if is_full(&error) {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.tell(index, error);
    }

    /// Tells what went wrong.
    fn tell(&self, index: usize, error: Error) {
        if matches!(error, Error::Interrupted) {
            self.stop.store(true, Ordering::Relaxed);
            return;
        }
        self.shared.observer.failed(&self.images[index], &error);
        self.set(index, Err(error));
    }

    fn set(&self, index: usize, outcome: Result<Record>) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes[index] = Some(outcome);
    }

    /// Whether there is no outcome of an image.
    fn is_open(&self, index: usize) -> bool {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes[index].is_none()
    }

    /// What became of the images.
    pub(super) fn ended(self) -> Ended {
        let list = self.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let open = list.iter().any(Option::is_none);
        let interrupted = open && self.shared.observer.check().is_err();
        Ended { list, interrupted }
    }
}

/// Whether a disk is full: no other image would fare better.
fn is_full(error: &Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    let full = |kind| matches!(kind, StorageFull | QuotaExceeded);
    matches!(error, Error::Io { source, .. } if full(source.kind()))
}
