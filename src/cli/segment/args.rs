//! The arguments of `stemseg segment`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use stemseg::backend::Choice;
use stemseg::micrograph::Micrograph;
use stemseg::plan::{Border, Order};
use stemseg::{Error, Params, Plan, Result, memory};

use crate::cli::args::{ClusterArgs, InputArgs, TalkArgs};
use crate::cli::descriptor::DescriptorArgs;
use crate::cli::parse;
use crate::cli::segment::report_args::ReportArgs;

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

Examples:
  stemseg segment grain.npy -k 2
  stemseg segment day1/*.tif -k 2 --out results
  stemseg segment grain.tif -k 2,3,4 --patch 12 --window 16 --stride 3
  stemseg segment grain.npy -k 3 --device llvmpipe --save features --json
  stemseg segment grain.npy -k 2 --descriptor translation*2+harmonic --radius 12
  stemseg segment scan.npz --image 2 --roi 0:1024,512:1536 --mask vacuum.png -k 2";

/// Segment micrographs.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The images: npy, npz, TIFF, PNG or JPEG, recognised by content. With several, a file that
    /// cannot be segmented is named at the end, and the others are done.
    #[arg(value_name = "IMAGE", required = true, help_heading = "Input")]
    pub(super) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) input: InputArgs,

    /// Number of patterns, or several (2,3,4) to get a label map for each.
    #[arg(short = 'k', long, value_name = "K", value_delimiter = ',', required = true, value_parser = parse::whole::<usize>, allow_negative_numbers = true, help_heading = None)]
    clusters: Vec<usize>,

    /// What computes: auto (a real GPU, else the CPU), cpu, gpu, or any part of an adapter's name.
    #[arg(long, default_value = "auto", value_name = "auto|cpu|gpu|NAME", value_hint = clap::ValueHint::Other, help_heading = None)]
    pub(super) device: Choice,

    /// Memory beside the image, such as 512MiB or 2GB [default: a quarter of what is free, at most 2 GiB].
    #[arg(long, value_name = "SIZE", value_parser = parse::memory, help_heading = None)]
    memory: Option<u64>,

    #[command(flatten)]
    descriptor: DescriptorArgs,

    #[command(flatten)]
    cluster: ClusterArgs,

    /// Pixels outside the site grid: the nearest label, or 0.
    #[arg(long, value_enum, default_value = "nearest", help_heading = "Label map")]
    border: BorderArg,

    /// Numbering: size (1 the largest) or pystem (1 the smallest; pySTEM's labels plus 1).
    #[arg(long, value_enum, default_value = "size", help_heading = "Label map")]
    order: OrderArg,

    /// Folder for the result, with several images for one NAME.stemseg each [default: NAME.stemseg beside the image].
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    out: Option<PathBuf>,

    /// Replace an earlier result.
    #[arg(long, help_heading = "Output")]
    pub(super) force: bool,

    /// Also write descriptors.npy [site rows, site cols, D] or features.npy [.., q]; either adds site_labels.npy.
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_enum, help_heading = "Output")]
    pub(super) save: Vec<Save>,

    #[command(flatten)]
    pub(super) report: ReportArgs,

    #[command(flatten)]
    pub(super) talk: TalkArgs,
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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Save {
    Descriptors,
    Features,
}

impl Args {
    /// The library's parameters.
    ///
    /// # Errors
    /// As [`DescriptorArgs::families`].
    fn params(&self, micrograph: &Micrograph) -> Result<Params> {
        Ok(Params {
            families: self.descriptor.families(micrograph)?,
            weights: self.descriptor.weights(),
            stride: self.descriptor.stride,
            components: self.cluster.components(),
            clusters: self.clusters.clone(),
            starts: self.cluster.starts,
            seed: self.cluster.seed,
            border: match self.border {
                BorderArg::Nearest => Border::Nearest,
                BorderArg::Blank => Border::Blank,
            },
            order: match self.order {
                OrderArg::Size => Order::Size,
                OrderArg::Pystem => Order::Pystem,
            },
        })
    }

    /// Checks what can be checked without an image.
    ///
    /// # Errors
    /// As [`DescriptorArgs::check`]; two images whose results would have one name.
    pub(super) fn check(&self) -> Result<()> {
        self.descriptor.check()?;
        self.report.check()?;
        let mut targets = std::collections::HashMap::new();
        for file in &self.files {
            if let Some(other) = targets.insert(self.target(file), file) {
                let reason = format!(
                    "{} and {} would both have it as their result; segment them one by one",
                    other.display(),
                    file.display()
                );
                return Err(Error::parameter("out", self.target(file).display(), reason));
            }
        }
        Ok(())
    }

    /// The plan for an image, within the memory that was given.
    ///
    /// # Errors
    /// As [`DescriptorArgs::families`], [`Plan::of`] and [`Plan::within`].
    pub(super) fn plan(&self, micrograph: &Micrograph) -> Result<Plan> {
        let plan = Plan::of(self.params(micrograph)?, micrograph)?;
        let free = || memory::default_budget().max(plan.least_memory());
        let budget = self.memory.unwrap_or_else(free);
        plan.within(budget)
    }

    /// The folder for the result of `file`.
    pub(super) fn target(&self, file: &Path) -> PathBuf {
        let beside = file.with_extension("stemseg");
        match (&self.out, self.files.len()) {
            (None, _) => beside,
            (Some(out), 1) => out.clone(),
            (Some(out), _) => beside.file_name().map_or_else(|| out.clone(), |name| out.join(name)),
        }
    }

    /// Every file that is read.
    pub(super) fn all_files(&self) -> impl Iterator<Item = &Path> {
        let others = [self.input.mask.as_ref(), self.descriptor.file()];
        self.files.iter().chain(others.into_iter().flatten()).map(PathBuf::as_path)
    }

    /// Whether `what` is to be written too.
    pub(super) fn saves(&self, what: Save) -> bool {
        self.save.contains(&what)
    }
}
