//! `stemseg apply`: the patterns of a model, found in other images.

use std::path::PathBuf;

use clap::ValueEnum;
use stemseg::model::Scale;
use stemseg_run::Applied;

use super::run_args::RunArgs;
use super::{Failure, told};

const EXAMPLES: &str = "\
Examples:
  stemseg apply --model grain.stemseg later.npy
  stemseg apply --model grain.stemseg/model.json day2/*.tif --out results";

const AFTER_HELP: &str = "\
Every result of stemseg segment has a model.json, which holds all that is needed to find its patterns again.
The results are like those of segment, and a label means the same in all of them.

Examples:
  stemseg apply --model grain.stemseg later.npy
  stemseg apply --model grain.stemseg/model.json day2/*.tif --out results
  stemseg apply --model first.stemseg film.npy --frame 29 --out frame29
  stemseg apply --model grain.stemseg enlarged.tif --scale own";

/// Find the patterns of an earlier result in other images.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = AFTER_HELP)]
pub(crate) struct ApplyArgs {
    /// A result (its folder or summary.json), or a model.json.
    #[arg(long, value_name = "MODEL", help_heading = None)]
    model: PathBuf,

    /// Period to resample by: auto, own (the image's) or model.
    ///
    /// auto: the model's period as a length where both pixel sizes are known. Otherwise the model's in pixels,
    /// or, if the image's own differs from it by more than 30 %, the image's. own: that of the lattices in the
    /// image. model: the model's, in pixels.
    #[arg(long, value_enum, default_value = "auto", hide_possible_values = true, help_heading = None)]
    scale: ScaleArg,

    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum ScaleArg {
    Auto,
    Own,
    Model,
}

/// Runs the command.
pub(crate) fn run(args: &ApplyArgs) -> Result<(), Failure> {
    let scale = match args.scale {
        ScaleArg::Auto => Scale::Auto,
        ScaleArg::Own => Scale::Own,
        ScaleArg::Model => Scale::Model,
    };
    told(&args.run.talk, |terminal| {
        let applied = Applied::load(&args.model, scale)?;
        stemseg_run::run_by(&args.run.request(), &applied, terminal)
    })
}
