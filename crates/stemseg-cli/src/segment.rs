//! `stemseg segment`: micrographs in, label maps out.
//!
//! While one image is computed, the next is read and the one before is written,
//! so that the device has work from file to file. With `--jobs N` there are N such
//! lanes on one device.

mod args;
mod batch;
mod device;
mod earlier;
mod formats;
mod inputs;
mod job;
mod maps;
mod outcomes;
mod output;
mod report;
mod report_args;
mod run;
mod table;

use std::path::PathBuf;

use super::progress::Bar;
use super::{Failure, sweep_beside};
pub(super) use args::Args;
use job::Shared;
use run::Run;
use stemseg::Progress;
use table::Table;

/// Runs the command. Whatever is wrong with input and parameters shows before
/// anything is computed or written.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let bar = &Bar::new(&args.talk);
    args.check()?;
    bar.stage("read");
    let inputs = args.inputs()?;
    let targets = inputs.images.iter().map(|image| &*image.target);
    let own_table = args.table(inputs.batch);
    sweep_beside(targets.chain(own_table.as_deref()), bar);
    let table = own_table.map(Table::at).transpose()?;
    inputs.notes.iter().for_each(|note| bar.note(note));
    let images = inputs.images.iter().map(|image| image.file.clone());
    let files: Vec<PathBuf> = images.chain(args.besides().map(PathBuf::from)).collect();
    let shared = Shared {
        args,
        bar,
        batch: inputs.batch,
        jobs: args.batch.jobs.min(inputs.images.len()),
        files: &files,
    };
    if inputs.batch {
        bar.count(inputs.images.len() as u64);
    }
    let run = Run::new(&shared, &inputs.images);
    let done = run.all();
    bar.finish();
    done?;
    run.outcomes().sum_up(table.as_ref(), inputs.batch, bar)
}
