//! The arguments of `stemseg bench`, and what they mean.

use std::path::PathBuf;

use stemseg::backend::DeviceChoice;
use stemseg::image::micrograph::{Micrograph, PixelSize};
use stemseg::plan::Reduce;
use stemseg::{Params, Result};
use stemseg_bench::timing::{Settings, Stage};
use stemseg_run::length;
use stemseg_simulate::metrics;

use crate::args::TalkArgs;
use crate::parse::{self, Numbers};
use crate::settings::{Preset, SettingsArgs};

const EXAMPLES: &str = "\
Examples:
  stemseg bench --size 256 --stage descriptors,segment
  stemseg bench --image grain.npy --device cpu,gpu
  stemseg bench --accuracy scenes --descriptor translation+harmonic";

const AFTER_HELP: &str = "\
Stages:
  standardise      pixels in f32 to mean 0 and variance 1
  upload           preparation of a device: tables, and a GPU's compiled kernels
  descriptors      all descriptors, norm maps included, into memory that is already allocated
  accumulate       descriptors again, summed for mean and covariance instead of kept
  covariance       these sums alone, from descriptors in memory
  pca              eigenvectors
  project          features of all sites; the CPU computes their descriptors again for it
  k-means          one assignment of the features to -k centroids, with the sums of clusters
  k-means-million  as k-means, with a million points of 5 features and 8 centroids
  label-map        from labels of sites to labels of pixels
  segment          the whole segmentation, without reading and writing
  frame            a frame of a film whose model is fitted: from pixels to labels and confidence
All stages take turns, after one round that is not counted.

'of limit' is the share of this machine's peak that a stage reaches: of the f32 multiply-adds of all
threads, or of the speed of copying memory, whichever is larger. The operations counted are those that
the formulas need, whatever a device does: descriptors per pixel 2 for a translation, 8 for a centred one,
and 2 for each pixel of a disc and part of a harmonic (other families are not counted), covariance
D (D + 1) per site, project 2 q D per site, k-means 3 k q + q per point.

With --kernels, GFLOP/s are two for each multiply-add by the estimate that work is parted by, and GB/s the bytes
of all buffers that a kernel is given, each counted once, against multiply-adds out of registers and copying
from buffer to buffer on the same device.

With --accuracy, the label maps are compared with the truth inside the margin: adjusted Rand index, mean
intersection over union of labels matched one to one, F1 score of boundary pixels (right if the other
map has a boundary within the tolerance), and mean distance between the boundaries.

Examples:
  stemseg bench --size 256 --stage descriptors,segment
  stemseg bench --image grain.npy --patch 12 --window 16 --stride 2 --device cpu,gpu
  stemseg bench --image grain.npy --repeats 20 --json
  stemseg bench --image grain.npy --compare before.json
  stemseg bench --kernels --device gpu --image grain.npy
  stemseg bench --accuracy scenes --descriptor translation+harmonic
  stemseg bench --accuracy scenes --only tilt,twin --stride 3 --json";

/// Time every stage of a segmentation, or measure its accuracy.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Sizes of the simulated images, px.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "512,1024,2048", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) size: Vec<usize>,

    /// An image to time instead of simulated ones.
    #[arg(long, value_name = "FILE", conflicts_with = "size")]
    pub(super) image: Option<PathBuf>,

    /// Pixel size of this image, if the file has none or a wrong one (0.015nm, 0.15Ax0.16A).
    #[arg(long, value_name = "LENGTH", requires = "image", value_parser = length::pixel_size, allow_hyphen_values = true)]
    pub(super) pixel_size: Option<PixelSize>,

    /// Devices to compare: auto, cpu, gpu, or any part of an adapter's name.
    #[arg(long, value_name = "DEVICE", value_delimiter = ',', default_value = "auto", value_hint = clap::ValueHint::Other)]
    pub(super) device: Vec<DeviceChoice>,

    /// Stages to time [default: all].
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    stage: Vec<Stage>,

    /// How many times each stage is timed [default: as many as fit into about 15 s, 3 to 30].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) repeats: Option<usize>,

    /// Time each kernel of a graphics device in whole segmentations (--preset auto) instead.
    ///
    /// The device must have timestamps. Waiting for each submission makes these runs longer than others.
    #[arg(long, conflicts_with_all = ["stage", "compare"])]
    pub(super) kernels: bool,

    /// Show how many times faster each stage is than in an earlier run (its --json output).
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
    /// Instead of timing, compare label maps of the images in this folder with the truth.
    ///
    /// Each image is segmented into as many patterns as it has true labels. The folder holds NAME.npy or NAME.tif
    /// with NAME_labels.npy (NAME_WORD.npy may share these), or folders that stemseg simulate has written.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["size", "image", "stage", "repeats", "kernels", "compare", "clusters"])]
    pub(super) accuracy: Option<PathBuf>,

    /// Take only images whose names contain one of these words.
    #[arg(long, value_name = "WORD", value_delimiter = ',', requires = "accuracy")]
    pub(super) only: Vec<String>,

    /// Width of the margin along every side that is not compared, px.
    #[arg(long, value_name = "PX", default_value = "40", requires = "accuracy", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    margin: usize,

    /// Distance up to which two boundaries agree, px.
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
    /// and times of kernels are those of what users get, others are those of stages with known sizes.
    fn chosen(&self, clusters: usize) -> Result<stemseg_run::Settings> {
        let preset = match self.accuracy.accuracy.is_some() || self.kernels {
            true => Preset::Auto,
            false => Preset::Pystem,
        };
        self.settings.settings(Numbers::of(clusters), preset)
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

    /// The parameters for `micrograph` and this number of patterns; for none, those with which it is
    /// chosen, where the method does so.
    ///
    /// # Errors
    /// As [`params`](Self::params).
    pub(super) fn params_to_judge(
        &self,
        micrograph: &Micrograph,
        clusters: Option<usize>,
    ) -> Result<Option<Params>> {
        let params = self.params(micrograph, clusters.unwrap_or(1))?;
        Ok(match clusters {
            Some(_) => Some(params),
            None if params.reduce == Reduce::Pca => None,
            None => Some(Params { clusters: Vec::new(), ..params }),
        })
    }
}
