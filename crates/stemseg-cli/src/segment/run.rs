//! All images of a run on their way through the lanes, and what became of them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use serde_json::Value;
use stemseg::threads::try_beside;
use stemseg::{Error, Progress, Result};
use stemseg_report::visible;

use super::device::Devices;
use super::inputs::Image;
use super::job::{Computed, Job, Opened, Shared};
use super::outcomes::{Outcome, Outcomes};
use super::table::{Record, Status};
use crate::{Failure, print, print_words};

/// The devices, once they are open.
type Ready = Result<Devices>;

/// The images and their outcomes.
pub(super) struct Run<'a> {
    shared: &'a Shared<'a>,
    images: &'a [Image],
    next: AtomicUsize,
    /// Set where it makes no sense to go on.
    stop: AtomicBool,
    outcomes: Mutex<Vec<Option<Outcome>>>,
}

impl<'a> Run<'a> {
    pub(super) fn new(shared: &'a Shared<'a>, images: &'a [Image]) -> Self {
        let outcomes = Mutex::new(images.iter().map(|_| None).collect());
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { shared, images, next, stop, outcomes }
    }

    /// Takes the images in their order through the lanes.
    ///
    /// # Errors
    /// Where there is no device. What is wrong with the only image comes before.
    pub(super) fn all(&self) -> Result<(), Failure> {
        let device = OnceLock::new();
        let open = || device.get_or_init(|| Devices::open(self.shared.args));
        thread::scope(|scope| {
            // Opening a device takes about as long as reading an image. Without a thread of
            // its own it is opened when it is needed, and lanes that get none are not missed.
            let _ = try_beside(scope, open);
            for _ in 1..self.shared.jobs {
                let _ = try_beside(scope, || self.lane(&open));
            }
            self.lane(&open);
        });
        match device.into_inner() {
            Some(Err(error)) if self.shared.batch || self.is_open(0) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Reads one image, computes another and writes a third; one after the other where
    /// the system refuses threads.
    fn lane<'d>(&self, device: &dyn Fn() -> &'d Ready) {
        thread::scope(|scope| {
            // No queues: one image at most waits for the device, and one to be written.
            let (to_compute, jobs) = sync_channel(0);
            let (to_write, results) = sync_channel(0);
            let read = move || {
                while let Some(job) = self.read() {
                    if to_compute.send(job).is_err() {
                        return;
                    }
                }
            };
            let write = move || {
                for (index, computed) in results {
                    self.write(index, computed);
                }
            };
            let jobs: Box<dyn Iterator<Item = (usize, Box<Job>)>> = match try_beside(scope, read) {
                Ok(_) => Box::new(jobs.into_iter()),
                Err(_) => Box::new(std::iter::from_fn(|| self.read())),
            };
            match try_beside(scope, write) {
                // The receiver goes only after this sender.
                Ok(_) => self.compute(device, jobs, &|index, computed| {
                    drop(to_write.send((index, computed)));
                }),
                Err(_) => {
                    self.compute(device, jobs, &|index, computed| self.write(index, computed))
                }
            }
        });
    }

    /// The number of the next image, unless the run ends.
    fn next(&self) -> Option<usize> {
        if self.stop.load(Ordering::Relaxed) || self.shared.bar.check().is_err() {
            return None;
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (index < self.images.len()).then_some(index)
    }

    /// The next image that is to be segmented.
    fn read(&self) -> Option<(usize, Box<Job>)> {
        while let Some(index) = self.next() {
            match Job::read(self.shared, &self.images[index]) {
                Ok(Opened::Job(job)) => return Some((index, job)),
                Ok(Opened::Kept(earlier)) => {
                    let words = format!("{}  kept", visible::path(&self.images[index].target));
                    self.done(index, Status::Kept, earlier.summary(), &words);
                }
                Err(failure) => self.failed(index, failure),
            }
        }
        None
    }

    fn compute<'d>(
        &self,
        device: &dyn Fn() -> &'d Ready,
        jobs: impl Iterator<Item = (usize, Box<Job>)>,
        hand_on: &dyn Fn(usize, Computed),
    ) {
        let mut told = false;
        for (index, job) in jobs {
            let Ok(devices) = device() else {
                self.stop.store(true, Ordering::Relaxed);
                return;
            };
            if !told {
                self.shared.bar.remarks(&devices.remarks);
                told = true;
            }
            match job.compute(self.shared, devices) {
                Ok(computed) => hand_on(index, computed),
                Err(failure) => self.failed(index, failure),
            }
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    fn write(&self, index: usize, computed: Computed) {
        if !self.shared.batch {
            self.shared.bar.stage("write");
        }
        match computed.write(self.shared) {
            Ok((summary, words)) => self.done(index, Status::Done, &summary, &words),
            Err(failure) => self.failed(index, failure),
        }
    }

    /// Says that there is a result.
    fn done(&self, index: usize, status: Status, summary: &Value, words: &str) {
        let talk = &self.shared.args.talk;
        let say = || match (talk.json, talk.quiet) {
            (true, _) if self.shared.batch => print(&summary.to_string()),
            (true, _) => print(&format!("{summary:#}")),
            (false, true) => Ok(()),
            (false, false) => print_words(words),
        };
        let said = self.shared.bar.aside(say);
        match said {
            Ok(()) => self.set(index, Outcome::Result(Record::of(status, summary))),
            Err(failure) => self.failed(index, failure),
        }
    }

    /// Names what went wrong; of several images at once.
    fn failed(&self, index: usize, failure: Failure) {
        match &failure {
            Failure::Interrupted | Failure::Stopped(_) => {
                self.stop.store(true, Ordering::Relaxed);
                return;
            }
            Failure::Usage(error) | Failure::Run(error) => {
                if is_full(error) {
                    self.stop.store(true, Ordering::Relaxed);
                }
                if self.shared.batch {
                    self.shared.bar.warn(&named(&self.images[index], error));
                }
            }
        }
        self.set(index, Outcome::Failure(failure));
    }

    fn set(&self, index: usize, outcome: Outcome) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes[index] = Some(outcome);
        self.shared.bar.image_done();
    }

    /// Whether there is no outcome of an image.
    fn is_open(&self, index: usize) -> bool {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes[index].is_none()
    }

    /// What became of the images.
    pub(super) fn outcomes(self) -> Outcomes<'a> {
        let list = self.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let open = list.iter().any(Option::is_none);
        let interrupted = open && self.shared.bar.check().is_err();
        Outcomes { images: self.images, list, interrupted }
    }
}

/// An error with the name of the image, which some have in them.
fn named(image: &Image, error: &anyhow::Error) -> String {
    let (file, error) = (image.file.display().to_string(), error.to_string());
    if error.contains(&file) { error } else { format!("{file}: {error}") }
}

/// Whether a disk is full: no other image would fare better.
fn is_full(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    let full = |kind| matches!(kind, StorageFull | QuotaExceeded);
    matches!(error.downcast_ref(), Some(Error::Io { source, .. }) if full(source.kind()))
}
