//! `stemseg segment`: micrographs in, label maps out.

mod args;
mod batch;
mod formats;
mod outcomes;
mod report_args;
mod terminal;

use super::Failure;
use super::progress::Bar;
pub(super) use args::Args;
use terminal::Terminal;

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let bar = &Bar::new(&args.talk);
    let terminal = Terminal { bar, talk: &args.talk };
    let outcomes = args.request().and_then(|request| stemseg_run::run(&request, &terminal));
    bar.finish();
    outcomes::sum_up(outcomes?, bar)
}
