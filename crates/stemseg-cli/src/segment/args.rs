//! The arguments of `stemseg segment`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use stemseg::backend::{Check, Choice};
use stemseg::image::micrograph::Micrograph;
use stemseg::lattice::Repetition;
use stemseg::plan::{Border, Order};
use stemseg::remarks::Remarks;
use stemseg::{Error, Params, Plan, Result, memory, plan::automatic, remarks::warnings};

use super::batch::BatchArgs;
use super::formats::FormatArgs;
use super::inputs::{Inputs, Search};
use crate::args::{InputArgs, TalkArgs};
use crate::parse::{self, Clusters};
use crate::segment::maps;
use crate::segment::report_args::ReportArgs;
use crate::settings::{Preset, Settings, SettingsArgs};

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
    pub(super) input: InputArgs,

    /// Number of patterns, several (2,3,4) to get a label map for each, or auto: what the image shows.
    #[arg(short = 'k', long, value_name = "auto|K", value_delimiter = ',', default_value = "auto", value_parser = parse::clusters, allow_negative_numbers = true, help_heading = None)]
    clusters: Vec<Clusters>,

    /// What computes: auto (a real GPU, else the CPU), cpu, gpu, or any part of an adapter's name.
    #[arg(long, default_value = "auto", value_name = "auto|cpu|gpu|NAME", value_hint = clap::ValueHint::Other, help_heading = None)]
    pub(super) device: Choice,

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
    pub(super) force: bool,

    /// Also write descriptors.npy [site rows, site cols, D] or features.npy [.., q], either with site_labels.npy; or maps/: symmetry scores before pooling, best order or axis angle (rotation, reflection, glide).
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_enum, help_heading = "Output")]
    pub(super) save: Vec<Save>,

    #[command(flatten)]
    pub(super) report: ReportArgs,

    #[command(flatten)]
    pub(super) formats: FormatArgs,

    #[command(flatten)]
    pub(super) batch: BatchArgs,

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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Save {
    Descriptors,
    Features,
    Maps,
}

impl Args {
    /// The library's parameters, and what is to be said about them.
    ///
    /// # Errors
    /// As [`SettingsArgs::settings`].
    fn params(&self, micrograph: &Micrograph) -> Result<Settings> {
        let settings = self.settings.settings(micrograph, self.clusters()?, Preset::Auto)?;
        let border = match self.border {
            BorderArg::Nearest => Border::Nearest,
            BorderArg::Blank => Border::Blank,
        };
        let order = match self.order {
            OrderArg::Size => Order::Size,
            OrderArg::Pystem => Order::Pystem,
        };
        Ok(Settings { params: Params { border, order, ..settings.params }, ..settings })
    }

    /// The numbers of patterns; none where the image says.
    ///
    /// # Errors
    /// For `auto` among numbers.
    pub(super) fn clusters(&self) -> Result<Vec<usize>> {
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

    /// Checks what can be checked without an image.
    ///
    /// # Errors
    /// As [`SettingsArgs::check`] and [`FormatArgs::check`].
    pub(super) fn check(&self) -> Result<()> {
        let clusters = self.clusters()?;
        self.settings.check(Preset::Auto)?;
        self.settings.check_clusters(&clusters, Preset::Auto)?;
        if self.saves(Save::Maps) {
            maps::check(&self.settings.names(Preset::Auto))?;
        }
        self.report.check()?;
        self.formats.check(&clusters)
    }

    /// The images, each with a place for its result.
    ///
    /// # Errors
    /// As [`Inputs::find`].
    pub(super) fn inputs(&self) -> Result<Inputs> {
        let search = Search {
            given: &self.files,
            recursive: self.batch.recursive,
            out: self.out.as_deref(),
            besides: self.besides().collect(),
        };
        Inputs::find(&search)
    }

    /// The place for the table of all images, if there is to be one.
    pub(super) fn table(&self, batch: bool) -> Option<PathBuf> {
        let within = || self.out.as_ref().filter(|_| batch).map(|out| out.join("summary.csv"));
        self.batch.table.clone().or_else(within)
    }

    /// The plan for an image, one of several (`batch`), within the memory that was given to
    /// each of `jobs` jobs, what is to be said about it, and how the image repeats.
    ///
    /// # Errors
    /// As [`SettingsArgs::settings`], [`Plan::of`], [`Plan::within`] and [`Plan::usual_memory`].
    pub(super) fn plan(
        &self,
        micrograph: &Micrograph,
        jobs: usize,
        batch: bool,
    ) -> Result<(Plan, Remarks, Repetition)> {
        let Settings { params, mut remarks, repetition } = self.params(micrograph)?;
        let look = || Repetition::new(automatic::period(micrograph), None);
        let repetition = repetition.unwrap_or_else(look);
        remarks.warnings.extend(warnings::image::image(&repetition, micrograph.pixel_size()));
        remarks.warnings.extend(warnings::image::settings(&repetition, &params));
        let sampling = params.sampling;
        let plan = Plan::new(params, micrograph)
            .map_err(|error| self.settings.of_the_image(error, micrograph, sampling))?;
        let others = if batch { plan.neighbours() } else { 0 };
        let budget = match self.memory_of_each(jobs) {
            Some(bytes) => bytes,
            None => {
                let available = memory::available().map(|bytes| bytes / jobs as u64);
                plan.usual_memory(available, others)?
            }
        };
        let plan = plan.within(budget, others).map_err(|error| shared(error, jobs))?;
        Ok((plan, remarks, repetition))
    }

    /// How much of a device's work is looked over.
    pub(super) fn check_of_device(&self) -> Check {
        match self.check {
            CheckArg::Off => Check::Off,
            CheckArg::On => Check::On,
            CheckArg::All => Check::All,
        }
    }

    /// Names of the families whose kernels run.
    pub(super) fn families(&self) -> Vec<&str> {
        self.settings.names(Preset::Auto)
    }

    /// The memory that was given to each of `jobs` jobs.
    pub(super) fn memory_of_each(&self, jobs: usize) -> Option<u64> {
        self.memory.map(|bytes| bytes / jobs as u64)
    }

    /// Files that are read beside the images.
    pub(super) fn besides(&self) -> impl Iterator<Item = &Path> {
        let all = [self.input.mask.as_ref(), self.settings.descriptor.file()];
        all.into_iter().flatten().map(PathBuf::as_path)
    }

    /// Whether `what` is to be written too.
    pub(super) fn saves(&self, what: Save) -> bool {
        self.save.contains(&what)
    }
}

/// An error about the memory of one of `jobs` jobs, which says that they share it.
pub(super) fn shared(error: Error, jobs: usize) -> Error {
    match error {
        Error::Parameter { name: "memory", value, reason } if jobs > 1 => {
            let reason = format!("{reason}; {jobs} --jobs share what is given");
            Error::Parameter { name: "memory", value, reason }
        }
        other => other,
    }
}
