//! `stemseg segment`: micrographs in, label maps out.

mod apply;
mod args;
mod batch;
pub(crate) mod formats;
mod outcomes;
mod refine;
mod relabel;
pub(crate) mod report_args;
pub(crate) mod run_args;
pub(crate) mod terminal;

use stemseg::Result;
use stemseg_run::Outcomes;

use super::Failure;
use super::args::TalkArgs;
use super::progress::Bar;
pub(super) use apply::{ApplyArgs, run as apply};
pub(super) use args::{Args, together};
pub(super) use refine::{RefineArgs, arguments as refine_arguments, run as refine};
pub(super) use relabel::{RelabelArgs, arguments as relabel_arguments, run as relabel};
use terminal::Terminal;

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    told(&args.run.talk, |terminal| {
        let request = args.request()?;
        match (args.applied()?, args.together()) {
            (Some(applied), _) => stemseg_run::run_by(&request, &applied, terminal),
            (None, Some(together)) => stemseg_run::run_together(&request, together, terminal),
            (None, None) => stemseg_run::run(&request, terminal),
        }
    })
}

/// Does what `work` does, and tells of it on the terminal.
fn told(
    talk: &TalkArgs,
    work: impl FnOnce(&Terminal<'_>) -> Result<Outcomes>,
) -> Result<(), Failure> {
    let bar = &Bar::new(talk);
    let outcomes = work(&Terminal { bar, talk });
    bar.finish();
    outcomes::sum_up(outcomes?, bar)
}
