//! The arguments of `stemseg bench`, and what they mean.

use std::path::PathBuf;

use stemseg::backend::Choice;
use stemseg::image::micrograph::{Micrograph, PixelSize};
use stemseg::{Params, Result};
use stemseg_bench::timing::{Settings, Stage};
use stemseg_run::length;
use stemseg_simulate::metrics;

use crate::args::TalkArgs;
use crate::parse;
use crate::settings::{Preset, SettingsArgs};

const AFTER_HELP: &str = "\
Stages (on the host: code that all devices share):
  standardise      pixels in f32 to mean 0 and variance 1
  upload           what a device makes of the parameters: tables, a GPU's compiled kernels
  descriptors      all descriptors into memory that is there already, norm maps included
  accumulate       the same, summed up for mean and covariance instead
  covariance       these sums alone, of descriptors that are there
  pca              eigenvectors
  project          features of all sites; the processor describes them again for that
  k-means          one assignment of the features to -k centroids, with the clusters' sums
  k-means-million  the same of a million points of 5 features to 8 centroids
  label-map        labels of sites to labels of pixels
  segment          the whole segmentation, without reading and writing
All stages take turns, after one round that is not counted. Counted operations, whatever a device
really does: descriptors 2 per pixel and translation (pixels of the sites' cells; not counted with
other families), covariance D (D + 1) per site, project 2 q D per site, k-means 3 k q + q per point. 'of limit' sets them against
the f32 multiply-adds of all threads, or the bytes that must move at least against copying memory,
whichever is the larger share.

With --accuracy, all inside the margin: the adjusted Rand index; the mean intersection over union of
true and found labels, matched one to one; the F1 score of boundary pixels that lie within the
tolerance of the other map's; and their mean distance from them.

Examples:
  stemseg bench --size 256 --stage descriptors,segment
  stemseg bench --image grain.npy --patch 12 --window 16 --stride 2 --device cpu,gpu
  stemseg bench --image grain.npy --repeats 20 --json
  stemseg bench --image grain.npy --compare before.json
  stemseg bench --accuracy scenes --descriptor translation+harmonic
  stemseg bench --accuracy scenes --only tilt,twin --stride 3 --json";

/// Time every stage of a segmentation on this machine, or see how well images with true labels are
/// segmented.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Sizes of the simulated images, px.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "512,1024,2048", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) size: Vec<usize>,

    /// An image to take instead.
    #[arg(long, value_name = "FILE", conflicts_with = "size")]
    pub(super) image: Option<PathBuf>,

    /// Size of its pixels, for or instead of what the file says: a length with a unit, or ROWSxCOLS.
    #[arg(long, value_name = "LENGTH|RxC", requires = "image", value_parser = length::pixel_size, allow_hyphen_values = true)]
    pub(super) pixel_size: Option<PixelSize>,

    /// Devices to compare: auto (a real GPU, else the CPU), cpu, gpu, or any part of an adapter's name.
    #[arg(long, value_name = "auto|cpu|gpu|NAME", value_delimiter = ',', default_value = "auto", value_hint = clap::ValueHint::Other)]
    pub(super) device: Vec<Choice>,

    /// Stages to time [default: all].
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    stage: Vec<Stage>,

    /// How often each stage is timed [default: what fits about 15 s, 3 to 30].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    repeats: Option<usize>,

    /// Show how many times faster this is than an earlier run's --json.
    #[arg(long, value_name = "FILE")]
    pub(super) compare: Option<PathBuf>,

    /// Number of patterns.
    #[arg(short = 'k', long, value_name = "K", default_value = "3", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    clusters: usize,

    #[command(flatten)]
    pub(super) accuracy: AccuracyArgs,

    #[command(flatten)]
    pub(super) settings: SettingsArgs,

    #[command(flatten)]
    pub(crate) talk: TalkArgs,
}

/// What is compared with the truth.
#[derive(clap::Args)]
#[command(next_help_heading = "Accuracy")]
pub(super) struct AccuracyArgs {
    /// Instead of timing, segment the images of this folder into as many patterns as they have
    /// true labels, and compare: NAME.npy or TIFF with NAME_labels.npy (or without the last _WORD
    /// of the name), and folders that 'stemseg simulate' has written.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["size", "image", "stage", "repeats", "compare", "clusters"])]
    pub(super) accuracy: Option<PathBuf>,

    /// Only images whose names contain one of these words.
    #[arg(long, value_name = "WORD", value_delimiter = ',', requires = "accuracy")]
    pub(super) only: Vec<String>,

    /// Pixels along every side that do not count.
    #[arg(long, value_name = "PX", default_value = "40", requires = "accuracy", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    margin: usize,

    /// Distance up to which two boundaries are the same, px.
    #[arg(long, value_name = "PX", default_value = "5", requires = "accuracy", value_parser = parse::number, allow_negative_numbers = true)]
    tolerance: f64,
}

impl AccuracyArgs {
    /// What is compared.
    pub(super) fn metrics(&self) -> metrics::Options {
        metrics::Options { margin: self.margin, tolerance: self.tolerance }
    }
}

impl Args {
    /// Checks what can be checked without an image.
    ///
    /// # Errors
    /// As [`stemseg_run::Settings::check`].
    pub(super) fn check(&self) -> Result<()> {
        self.chosen(self.clusters)?.check()
    }

    /// What was chosen, for this number of patterns. The preset where nothing is said: accuracy
    /// is that of what users get, times are those of stages with known sizes.
    fn chosen(&self, clusters: usize) -> Result<stemseg_run::Settings> {
        let preset = match self.accuracy.accuracy {
            Some(_) => Preset::Auto,
            None => Preset::Pystem,
        };
        self.settings.settings(vec![clusters], preset)
    }

    /// Names of the families, for tables.
    ///
    /// # Errors
    /// As [`SettingsArgs::settings`].
    pub(super) fn families(&self) -> Result<String> {
        Ok(self.chosen(self.clusters)?.names().join("+"))
    }

    /// What is to be timed; `micrograph` is what periods are looked for in.
    ///
    /// # Errors
    /// As [`stemseg_run::Settings::choose`].
    pub(super) fn settings(&self, micrograph: &Micrograph) -> Result<Settings> {
        let stages = match self.stage.is_empty() {
            true => Stage::ALL.into(),
            false => self.stage.clone(),
        };
        let params = self.params(micrograph, self.clusters)?;
        Ok(Settings { params, stages, repeats: self.repeats })
    }

    /// The library's parameters.
    ///
    /// # Errors
    /// As [`stemseg_run::Settings::choose`].
    pub(super) fn params(&self, micrograph: &Micrograph, clusters: usize) -> Result<Params> {
        Ok(self.chosen(clusters)?.choose(micrograph)?.params)
    }
}
