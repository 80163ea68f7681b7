//! The arguments that `stemseg segment` and `stemseg apply` share: which images are read and how,
//! what computes, what is written and said.

use std::path::PathBuf;

use clap::ValueEnum;
use stemseg::backend::{Check, Choice};
use stemseg_run::{self as run, Request};

use super::batch::BatchArgs;
use super::formats::FormatArgs;
use super::report_args::ReportArgs;
use crate::args::{InputArgs, TalkArgs};
use crate::parse;

/// All but how an image is segmented.
#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// The images: instruments' files (dm3, dm4, ser, emd, mrc, hspy), TIFF, npy, PNG and others, recognised
    /// by content; folders of them; patterns in quotes ('day*/**/*.tif'). With several, a file that cannot be
    /// segmented is named at the end, and the others are done.
    #[arg(value_name = "IMAGE", required = true, help_heading = "Input")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    input: InputArgs,

    /// What computes: auto (a real GPU, else the CPU), cpu, gpu, or any part of an adapter's name.
    #[arg(long, default_value = "auto", value_name = "auto|cpu|gpu|NAME", value_hint = clap::ValueHint::Other, help_heading = None)]
    device: Choice,

    /// How much of a GPU's work is computed once more on the CPU: nothing; what costs next to nothing
    /// and a sample (under 2 % of the run); or all.
    #[arg(long, value_enum, default_value = "on", value_name = "off|on|all", hide_possible_values = true, help_heading = None)]
    check: CheckArg,

    /// Memory for all that the run holds, such as 512MiB or 2GB: images, the resampled ones too, features,
    /// bands, pictures; not what a graphics driver takes [default: what images need, and a quarter of what
    /// the machine, the container and ulimit leave, at most 2 GiB].
    #[arg(long, value_name = "SIZE", value_parser = parse::memory, help_heading = None)]
    memory: Option<u64>,

    /// Folder for the result, with several images or a folder for one NAME.stemseg each
    /// [default: NAME.stemseg beside the image].
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    out: Option<PathBuf>,

    /// Replace an earlier result: the files that its summary.json lists, nothing else. What else lies in its
    /// folder stays there; a folder that is no whole result is refused.
    #[arg(long, help_heading = "Output")]
    force: bool,

    /// Also write descriptors.npy [site rows, site cols, D] or features.npy [.., q], either with site_labels.npy; or maps/: symmetry scores before pooling, best order or axis angle (rotation, reflection, glide).
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_enum, help_heading = "Output")]
    save: Vec<Save>,

    #[command(flatten)]
    report: ReportArgs,

    #[command(flatten)]
    formats: FormatArgs,

    #[command(flatten)]
    batch: BatchArgs,

    #[command(flatten)]
    pub(crate) talk: TalkArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum CheckArg {
    Off,
    On,
    All,
}

#[derive(Clone, Copy, ValueEnum)]
enum Save {
    Descriptors,
    Features,
    Maps,
}

impl RunArgs {
    /// The request that they make, with the default settings.
    pub(super) fn request(&self) -> Request {
        let mut request = Request::new(&self.files);
        request.recursive = self.batch.recursive;
        request.input = self.input.input();
        request.output.place = self.out.clone();
        request.output.force = self.force;
        let save = |save: &Save| match save {
            Save::Descriptors => run::Save::Descriptors,
            Save::Features => run::Save::Features,
            Save::Maps => run::Save::Maps,
        };
        request.output.save = self.save.iter().map(save).collect();
        self.formats.choose(&mut request.output);
        self.report.choose(&mut request.output);
        request.device = self.device.clone();
        request.check = match self.check {
            CheckArg::Off => Check::Off,
            CheckArg::On => Check::On,
            CheckArg::All => Check::All,
        };
        request.memory = self.memory;
        request.jobs = self.batch.jobs;
        request.resume = self.batch.resume;
        request.table = self.batch.table.clone();
        request
    }
}
