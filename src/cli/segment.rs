//! `stemseg segment`: micrographs in, label maps out.
//!
//! While one image is computed, the next is read and the one before is written,
//! so that the device has work from file to file.

mod args;
mod job;
mod maps;
mod output;
mod report;
mod report_args;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use stemseg::backend::{self, Backend};
use stemseg::{Error, Progress};

use super::progress::Bar;
use super::{Failure, print};
pub(super) use args::Args;
use job::{Computed, Job};

/// What became of the file of this number.
type Outcome<T> = (usize, Result<T, Failure>);

/// Runs the command. Whatever is wrong with input and parameters shows before
/// anything is computed or written.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let bar = &Bar::new(&args.talk);
    args.check()?;
    bar.stage("read");
    let outcomes = thread::scope(|scope| {
        // Opening a device takes about as long as reading an image.
        let opened = scope.spawn(|| backend::open(&args.device));
        // No queues: one image at most waits for the device, and one to be written.
        let (to_compute, inputs) = sync_channel(0);
        let (to_write, results) = sync_channel(0);
        scope.spawn(move || read_all(args, &to_compute));
        let written = scope.spawn(move || write_all(args, bar, &results));
        let first = inputs.recv();
        let opened = opened.join().unwrap_or_else(|_| Err(no_device()));
        let mut outcomes = match (first, opened) {
            // What is wrong with the only image is said before what is wrong with
            // the device.
            (Ok((index, Err(failure))), _) if args.files.len() == 1 => {
                drop(to_write);
                vec![(index, Err(failure))]
            }
            (_, Err(error)) => {
                drop(to_write);
                vec![(0, Err(error.into()))]
            }
            (first, Ok((backend, why))) => {
                why.iter().for_each(|why| bar.note(why));
                let inputs = first.into_iter().chain(inputs);
                compute_all(args, bar, (&*backend, why.as_deref()), inputs, to_write)
            }
        };
        outcomes.extend(written.join().unwrap_or_default());
        outcomes
    });
    bar.finish();
    match args.files.len() {
        1 => outcomes.into_iter().try_for_each(|(_, outcome)| outcome),
        _ => sum_up(args, bar, outcomes),
    }
}

fn no_device() -> Error {
    Error::NoDevice("the device could not be opened".into())
}

/// Reads the images in their order until nobody wants more.
fn read_all(args: &Args, to_compute: &SyncSender<Outcome<Job>>) {
    for (index, file) in args.files.iter().enumerate() {
        if to_compute.send((index, Job::read(args, file))).is_err() {
            return;
        }
    }
}

/// Segments the images one after the other; gives those that failed.
fn compute_all(
    args: &Args,
    bar: &Bar,
    (backend, why): (&dyn Backend, Option<&str>),
    inputs: impl Iterator<Item = Outcome<Job>>,
    to_write: SyncSender<Outcome<Computed>>,
) -> Vec<Outcome<()>> {
    let mut failed = Vec::new();
    for (index, job) in inputs {
        match job.and_then(|job| job.compute(args, backend, why, bar)) {
            // The receiver goes only after this sender.
            Ok(computed) => drop(to_write.send((index, Ok(computed)))),
            Err(failure) => {
                let stop = matches!(failure, Failure::Interrupted);
                failed.push((index, Err(failure)));
                if stop {
                    break;
                }
            }
        }
    }
    failed
}

/// Writes the results as they come, and says so.
fn write_all(args: &Args, bar: &Bar, results: &Receiver<Outcome<Computed>>) -> Vec<Outcome<()>> {
    let write = |computed: Computed| -> Result<(), Failure> {
        if args.files.len() == 1 {
            bar.stage("write");
        }
        let (summary, words) = computed.write(args, bar)?;
        bar.clear();
        match (args.talk.json, args.talk.quiet) {
            (true, _) => print(&summary),
            (false, true) => Ok(()),
            (false, false) => print(&words),
        }
    };
    let outcome = |(index, computed): Outcome<Computed>| (index, computed.and_then(write));
    results.iter().map(outcome).collect()
}

/// Names the images that failed.
fn sum_up(args: &Args, bar: &Bar, mut outcomes: Vec<Outcome<()>>) -> Result<(), Failure> {
    outcomes.sort_by_key(|(index, _)| *index);
    let (mut failed, total) = (Vec::new(), args.files.len());
    for (index, outcome) in outcomes {
        match outcome {
            Ok(()) => {}
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(Failure::Usage(error) | Failure::Run(error)) => {
                bar.warn(&error.to_string());
                failed.push(args.files[index].display().to_string());
            }
        }
    }
    match failed.len() {
        0 => Ok(()),
        count => {
            let names = failed.join(", ");
            let message = format!("{count} of {total} images were not segmented: {names}");
            Err(Failure::Run(anyhow::anyhow!(message)))
        }
    }
}
