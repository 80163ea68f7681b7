//! `stemseg refine`: an earlier result under marks.

use clap::ArgAction;
use stemseg::Error;
use stemseg::plan::Mark;
use stemseg_run::Again;

use super::run_args::RunArgs;
use super::{Failure, told};
use crate::parse;

const EXAMPLES: &str = "\
Examples:
  stemseg refine grain.stemseg --mark 120,340=2
  stemseg refine grain.stemseg --mark 120,340=2 --mark 400,60=4 --out better";

const AFTER_HELP: &str = "\
A mark says that the pixel at ROW,COL of the label map has this label, as numbers stand in RESULT. The next number
after those in RESULT makes a new pattern of what looks like the surroundings of the mark. Patterns follow: their
centres are found anew with the marked sites held, then everything is labelled by them.
Marks are given each time, all of them; to undo one, leave it out. The new result is NAME.refined.stemseg next to
RESULT, one that is made of that NAME.refined-2.stemseg; it says where one more mark would help most.

Examples:
  stemseg refine grain.stemseg --mark 120,340=2
  stemseg refine grain.stemseg --mark 120,340=2 --mark 400,60=4 --out better
  stemseg refine grain.stemseg --mark 120,340=2 --force";

/// Correct an earlier result by a few marked pixels.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = AFTER_HELP)]
pub(crate) struct RefineArgs {
    /// Pixel whose label is known; may be given again, or several joined by semicolons.
    #[arg(long, value_name = "ROW,COL=LABEL", value_parser = parse::mark, value_delimiter = ';', required = true, help_heading = None)]
    mark: Vec<Mark>,

    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// As its arguments are in help: there is one result in the place of images, which says how its
/// image was read.
pub(crate) fn arguments(command: clap::Command) -> clap::Command {
    of_a_result(command, "refined")
}

/// The same for what makes NAME.`changed`.stemseg of a result.
pub(super) fn of_a_result(command: clap::Command, changed: &'static str) -> clap::Command {
    let read = ["image", "frame", "pixel_size", "roi", "mask", "mask_invert", "nan", "outliers"];
    let batch = ["recursive", "jobs", "resume", "table"];
    command
        .mut_arg("files", |arg| {
            let help = "A result of stemseg segment: its folder or summary.json";
            let one = arg.value_name("RESULT").num_args(1).action(ArgAction::Set);
            one.help(help).long_help(help)
        })
        .mut_arg("out", |arg| {
            let help = format!(
                "Folder for the new result [default: NAME.{changed}.stemseg next to RESULT]"
            );
            arg.help(help.clone()).long_help(help)
        })
        .mut_args(move |arg| {
            let id = arg.get_id().as_str();
            let known = read.contains(&id) || batch.contains(&id);
            if known { arg.hide(true) } else { arg }
        })
}

/// Runs the command.
pub(crate) fn run(args: &RefineArgs) -> Result<(), Failure> {
    told(&args.run.talk, |terminal| {
        let mut request = args.run.request();
        let [result] = &request.images[..] else {
            return Err(Error::parameter("images", request.images.len(), "give one result"));
        };
        let refined = Again::refined(result, args.mark.clone())?;
        refined.choose(&mut request);
        stemseg_run::run_by(&request, &refined, terminal)
    })
}
