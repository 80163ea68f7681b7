//! `stemseg apply`: the patterns of a model, found in other images.

use std::path::PathBuf;

use clap::ValueEnum;
use stemseg::model::Scale;
use stemseg_run::Applied;

use super::run_args::RunArgs;
use super::{Failure, told};

const AFTER_HELP: &str = "\
Every result of stemseg segment has a model.json, which holds all that it takes to find its patterns again.
The results are those of segment, and labels mean the same in all of them.

Examples:
  stemseg apply --model grain.stemseg later.npy
  stemseg apply --model grain.stemseg/model.json day2/*.tif --out results
  stemseg apply --model first.stemseg film.npy --frame 29 --out frame29
  stemseg apply --model grain.stemseg enlarged.tif --scale own";

/// Find the patterns of an earlier result in other images.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ApplyArgs {
    /// The model: a model.json, or a result of stemseg segment, as its folder or its summary.json.
    #[arg(long, value_name = "MODEL|RESULT", help_heading = None)]
    model: PathBuf,

    /// What period the image is resampled by. auto: the model's, by the sizes of pixels where both
    /// are known; else the model's, in pixels, unless the image's own is more than 30 % off, which it takes
    /// then. own: that of the lattices in the image. model: the model's, in pixels.
    #[arg(long, value_enum, default_value = "auto", help_heading = None)]
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
