//! The arguments of `stemseg segment`, and the request that they make.

use std::path::PathBuf;

use clap::ValueEnum;
use stemseg::backend::{Check, Choice};
use stemseg::plan::{Border, Order};
use stemseg::{Error, Result};
use stemseg_run::{self as run, Request};

use super::batch::BatchArgs;
use super::formats::FormatArgs;
use crate::args::{InputArgs, TalkArgs};
use crate::parse::{self, Clusters};
use crate::segment::report_args::ReportArgs;
use crate::settings::{Preset, SettingsArgs};

const AFTER_HELP: &str = "\
The result is a folder NAME.stemseg/ beside the image:
  labels.npy, labels.tif   one label per pixel: 1 the largest pattern, 2 the next; 0 not segmented
  confidence.tif           how clearly each pixel belongs to its pattern and not to another, 0 to 1
  report.html              all of it on one page, to open in a browser
  overlay.png              the image with its labels in colour, area shares and a scale bar
  features.png             maps of the features; channels.png of the channels that separate best
  summary.json             parameters, device, areas, explained variance, separability, timings
  model.json               PCA and centroids, for the library (no command reads it yet)
With a list of clusters each number has these in a folder of its own (k2/, k3/).
With --roi they have its size; masked pixels get label 0.
--format writes NAME.ome.zarr and labels.hspy, for napari and HyperSpy, beside these or instead.
With several images or a folder, --out gets summary.csv, a line for each image that has a result or failed.

Examples:
  stemseg segment grain.npy
  stemseg segment grain.npy -k 2
  stemseg segment day1/*.tif -k 2 --out results
  stemseg segment micrographs --recursive -k 2 --out results --jobs 2 --resume
  stemseg segment grain.npy -k 2 --format tiff,ome-zarr,hspy --labels u32
  stemseg segment grain.tif -k 2,3,4 --preset pystem --patch 12 --window 16 --stride 3
  stemseg segment grain.npy -k 3 --device llvmpipe --save features --json
  stemseg segment grain.npy -k 2 --descriptor translation*2+harmonic --radius 12
  stemseg segment scan.npz --image 2 --roi 0:1024,512:1536 --mask vacuum.png -k 2";

/// Segment micrographs.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The images: instruments' files (dm3, dm4, ser, emd, mrc, hspy), TIFF, npy, PNG and others, recognised
    /// by content; folders of them; patterns in quotes ('day*/**/*.tif'). With several, a file that cannot be
    /// segmented is named at the end, and the others are done.
    #[arg(value_name = "IMAGE", required = true, help_heading = "Input")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    input: InputArgs,

    /// Number of patterns, several (2,3,4) to get a label map for each, or auto: what the image shows.
    #[arg(short = 'k', long, value_name = "auto|K", value_delimiter = ',', default_value = "auto", value_parser = parse::clusters, allow_negative_numbers = true, help_heading = None)]
    clusters: Vec<Clusters>,

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

    #[command(flatten)]
    settings: SettingsArgs,

    /// Pixels outside the site grid: the nearest label, or 0.
    #[arg(long, value_enum, default_value = "nearest", help_heading = "Label map")]
    border: BorderArg,

    /// Numbering: size (1 the largest) or pystem (1 the smallest; pySTEM's labels plus 1).
    #[arg(long, value_enum, default_value = "size", help_heading = "Label map")]
    order: OrderArg,

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
enum BorderArg {
    Nearest,
    Blank,
}

#[derive(Clone, Copy, ValueEnum)]
enum OrderArg {
    Size,
    Pystem,
}

#[derive(Clone, Copy, ValueEnum)]
enum Save {
    Descriptors,
    Features,
    Maps,
}

impl Args {
    /// The request that they make.
    ///
    /// # Errors
    /// As [`SettingsArgs::settings`], and for `auto` among numbers of patterns.
    pub(super) fn request(&self) -> Result<Request> {
        let mut request = Request::new(&self.files);
        request.recursive = self.batch.recursive;
        request.input = self.input.input();
        request.settings = self.settings.settings(self.clusters()?, Preset::Auto)?;
        request.settings.border = match self.border {
            BorderArg::Nearest => Border::Nearest,
            BorderArg::Blank => Border::Blank,
        };
        request.settings.order = match self.order {
            OrderArg::Size => Order::Size,
            OrderArg::Pystem => Order::Pystem,
        };
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
        Ok(request)
    }

    /// The numbers of patterns; none where the image says.
    fn clusters(&self) -> Result<Vec<usize>> {
        let number = |given: &Clusters| match given {
            Clusters::Auto => None,
            Clusters::Number(number) => Some(*number),
        };
        let numbers: Vec<usize> = self.clusters.iter().filter_map(number).collect();
        if numbers.len() < self.clusters.len() && self.clusters.len() > 1 {
            let reason = "auto stands alone: leave it out, or the numbers";
            return Err(Error::parameter("clusters", "auto", reason));
        }
        Ok(numbers)
    }
}
