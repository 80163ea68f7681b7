//! Arguments that several subcommands share, and what they mean.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use stemseg::image::micrograph::{NonFinite, Outliers, PixelSize};
use stemseg::plan::Components;
use stemseg_files::read::Frame;
use stemseg_run::{Input, Mask, Region, length, region};

use super::parse;

/// How an image is read.
#[derive(Args)]
#[command(next_help_heading = "Input")]
pub(super) struct InputArgs {
    /// Which image of a file that holds several, from 0.
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) image: Option<usize>,

    /// Which frame of a stack, from 0, or the mean of all [default: the first].
    #[arg(long, value_name = "N|mean", value_parser = parse::frame, allow_negative_numbers = true)]
    pub(super) frame: Option<Frame>,

    /// Size of a pixel, for or instead of what the file says: a length with a unit, or ROWSxCOLS (0.015nm, 0.15Ax0.16A).
    #[arg(long, value_name = "LENGTH|RxC", value_parser = length::pixel_size, allow_hyphen_values = true)]
    pub(super) pixel_size: Option<PixelSize>,

    /// Part of the image, as two Python slices (100:600,0:512).
    #[arg(long, value_name = "ROWS,COLS", value_parser = region, allow_hyphen_values = true)]
    pub(super) roi: Option<Region>,

    /// Image of the same size whose non-zero pixels do not count (as in numpy.ma): they get label 0.
    #[arg(long, value_name = "FILE")]
    pub(super) mask: Option<PathBuf>,

    /// The mask's non-zero pixels are those that do count.
    #[arg(long, requires = "mask")]
    pub(super) mask_invert: bool,

    /// NaN and infinite pixels: leave them out with label 0 (mask), take the mean of the others (mean), or refuse
    /// the image (fail).
    #[arg(long, value_enum, default_value = "mask")]
    nan: NanArg,

    /// Pixels that are no data by their values. auto: hot pixels, saturated rows, sentinels and others far outside
    /// the range of all the rest count in no sum and are labelled from their surroundings, and borders of one
    /// constant value get label 0. keep: all pixels are taken as they are.
    #[arg(long, value_enum, default_value = "auto")]
    outliers: OutliersArg,
}

#[derive(Clone, Copy, ValueEnum)]
enum NanArg {
    Mask,
    Mean,
    Fail,
}

#[derive(Clone, Copy, ValueEnum)]
enum OutliersArg {
    Auto,
    Keep,
}

impl InputArgs {
    /// How an image is read.
    pub(super) fn input(&self) -> Input {
        let mut input = Input::default();
        input.image = self.image;
        input.frame = self.frame;
        input.pixel_size = self.pixel_size;
        input.region = self.roi;
        let inverted = self.mask_invert;
        input.mask = self.mask.clone().map(|file| Mask { file, inverted });
        input.non_finite = match self.nan {
            NanArg::Mask => NonFinite::Mask,
            NanArg::Mean => NonFinite::Mean,
            NanArg::Fail => NonFinite::Fail,
        };
        input.outliers = match self.outliers {
            OutliersArg::Auto => Outliers::Auto,
            OutliersArg::Keep => Outliers::Keep,
        };
        input
    }
}

/// How descriptors become features and features patterns.
#[derive(Args)]
#[command(next_help_heading = "Clustering")]
pub(super) struct ClusterArgs {
    /// Features that PCA keeps [default: 5].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    components: Option<usize>,

    /// Keep the fewest features that explain this share of the variance instead.
    #[arg(long, value_name = "SHARE", conflicts_with = "components", value_parser = parse::share, allow_negative_numbers = true)]
    variance: Option<f64>,

    /// Restarts of k-means; of those of low inertia, the one whose patterns best predict neighbouring sites is kept.
    #[arg(long, default_value = "10", value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) restarts: usize,

    /// Seed of the random choices.
    #[arg(long, default_value = "0", value_name = "N", value_parser = parse::whole::<u64>, allow_negative_numbers = true)]
    pub(super) seed: u64,
}

impl ClusterArgs {
    /// How many features to keep, where that was said.
    pub(super) fn components(&self) -> Option<Components> {
        self.variance.map(Components::Variance).or(self.components.map(Components::Count))
    }
}

/// What is said on the terminal.
#[derive(Args)]
#[command(next_help_heading = "Messages")]
pub(super) struct TalkArgs {
    /// Print JSON on stdout.
    #[arg(long)]
    pub(super) json: bool,

    /// Print nothing but errors (and what --json asks for).
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// Say what was decided and why, on stderr.
    #[arg(short, long)]
    pub(super) verbose: bool,
}
