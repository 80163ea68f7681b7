//! `stemseg relabel`: an earlier result with other labels.

use stemseg::Error;
use stemseg::plan::Relabelling;
use stemseg_run::Again;

use super::refine::of_a_result;
use super::run_args::RunArgs;
use super::{Failure, told};
use crate::parse;

const EXAMPLES: &str = "\
Examples:
  stemseg relabel grain.stemseg --merge 2+3
  stemseg relabel grain.stemseg --merge 1+4,2+3 --numbers 2,1 --out better";

const AFTER_HELP: &str = "\
Labels are those in RESULT. Patterns that become one keep the smallest of their labels, and those above move up. A
pixel belongs to such a pattern as to the likeliest of its parts, so that boundaries with other patterns stay;
regions, lattices, confidence and the report are those of the new patterns. --numbers then numbers what is left: 2,1
makes 1 of label 2, and 2 of label 1.
The new result is NAME.relabelled.stemseg next to RESULT, one that is made of that NAME.relabelled-2.stemseg. Its model
finds the same labels in other images, and has the parts in it; RESULT stays as it is.

Examples:
  stemseg relabel grain.stemseg --merge 2+3
  stemseg relabel grain.stemseg --merge 1+4,2+3 --numbers 2,1 --out better
  stemseg relabel grain.stemseg --numbers 3,1,2";

/// Merge patterns of an earlier result, or number them anew.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = AFTER_HELP)]
pub(crate) struct RelabelArgs {
    /// Labels of patterns that are one (2+3, or 1+4,2+3).
    #[arg(
        long,
        value_name = "LABELS",
        value_parser = parse::merged,
        value_delimiter = ',',
        required_unless_present = "numbers",
        help_heading = None
    )]
    merge: Vec<Vec<u16>>,

    /// The labels that are left, in the order in which they become 1, 2 and on.
    #[arg(long, value_name = "LABEL,...", value_delimiter = ',', help_heading = None)]
    numbers: Vec<u16>,

    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// As its arguments are in help.
pub(crate) fn arguments(command: clap::Command) -> clap::Command {
    of_a_result(command, "relabelled")
}

/// Runs the command.
pub(crate) fn run(args: &RelabelArgs) -> Result<(), Failure> {
    told(&args.run.talk, |terminal| {
        let mut request = args.run.request();
        let [result] = &request.images[..] else {
            return Err(Error::parameter("images", request.images.len(), "give one result"));
        };
        let relabel = Relabelling { merge: args.merge.clone(), numbers: args.numbers.clone() };
        let again = Again::relabelled(result, &relabel)?;
        again.choose(&mut request);
        stemseg_run::run_by(&request, &again, terminal)
    })
}
