//! The arguments of `stemseg bench`, and what they mean.

use std::path::PathBuf;

use stemseg::backend::Choice;
use stemseg::bench::{Settings, Stage};
use stemseg::micrograph::Micrograph;
use stemseg::{Params, Result};

use crate::cli::args::{ClusterArgs, TalkArgs};
use crate::cli::descriptor::DescriptorArgs;
use crate::cli::parse;

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

Examples:
  stemseg bench --size 256 --stage descriptors,segment
  stemseg bench --image grain.npy --patch 12 --window 16 --stride 2 --device cpu,gpu
  stemseg bench --image grain.npy --repeats 20 --json
  stemseg bench --image grain.npy --compare before.json";

/// Time every stage of a segmentation on this machine.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Sizes of the simulated images, px.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "512,1024,2048", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) size: Vec<usize>,

    /// An image to take instead.
    #[arg(long, value_name = "FILE", conflicts_with = "size")]
    pub(super) image: Option<PathBuf>,

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
    descriptor: DescriptorArgs,

    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    pub(super) talk: TalkArgs,
}

impl Args {
    /// Checks what can be checked without an image.
    ///
    /// # Errors
    /// As [`DescriptorArgs::check`].
    pub(super) fn check(&self) -> Result<()> {
        self.descriptor.check()
    }

    /// What is to be timed; `micrograph` is what periods are looked for in.
    ///
    /// # Errors
    /// As [`DescriptorArgs::families`].
    pub(super) fn settings(&self, micrograph: &Micrograph) -> Result<Settings> {
        let stages = match self.stage.is_empty() {
            true => Stage::ALL.into(),
            false => self.stage.clone(),
        };
        let params = Params {
            families: self.descriptor.families(micrograph)?,
            weights: self.descriptor.weights(),
            stride: self.descriptor.stride(micrograph.pixel_size())?,
            components: self.cluster.components(),
            clusters: vec![self.clusters],
            starts: self.cluster.starts,
            seed: self.cluster.seed,
            ..Default::default()
        };
        Ok(Settings { params, stages, repeats: self.repeats })
    }
}
