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
    /// Image of a file that holds several, counted from 0.
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) image: Option<usize>,

    /// Frame of a stack, counted from 0, or mean: the mean of all [default: 0].
    #[arg(long, value_name = "N|mean", value_parser = parse::frame, allow_negative_numbers = true)]
    pub(super) frame: Option<Frame>,

    /// Pixel size, if the file has none or a wrong one (0.015nm, 0.15Ax0.16A).
    ///
    /// A length with a unit, or one for the rows and one for the columns.
    #[arg(long, value_name = "LENGTH", value_parser = length::pixel_size, allow_hyphen_values = true)]
    pub(super) pixel_size: Option<PixelSize>,

    /// Part of the image, as two Python slices (100:600,0:512).
    #[arg(long, value_name = "ROWS,COLS", value_parser = region, allow_hyphen_values = true)]
    pub(super) roi: Option<Region>,

    /// Image of the same size; its non-zero pixels are left out (label 0).
    ///
    /// A mask means what it means in numpy.ma; --mask-invert reverses it.
    #[arg(long, value_name = "FILE")]
    pub(super) mask: Option<PathBuf>,

    /// Keep the mask's non-zero pixels, and leave the others out.
    #[arg(long, requires = "mask")]
    pub(super) mask_invert: bool,

    /// What to do with NaN and infinite pixels.
    ///
    /// mask: leave them out; they get label 0. mean: replace them by the mean of the others. fail: refuse the
    /// image.
    #[arg(long, value_enum, default_value = "mask")]
    nan: NanArg,

    /// What to do with outliers and constant borders.
    ///
    /// auto: hot pixels, saturated rows, sentinels and other values far outside the range of the image enter no
    /// sum and are labelled from their surroundings; borders of one constant value are left out and get label 0.
    /// keep: take all pixels as they are.
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
    /// Number of principal components to keep [default: 5].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    components: Option<usize>,

    /// Keep as few principal components as explain this share of the variance.
    #[arg(long, value_name = "SHARE", conflicts_with = "components", value_parser = parse::share, allow_negative_numbers = true)]
    variance: Option<f64>,

    /// Number of restarts of k-means.
    ///
    /// Of the restarts of low inertia, the one whose patterns best predict neighbouring sites is kept.
    #[arg(long, default_value = "10", value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) restarts: usize,

    /// Seed of the random numbers.
    #[arg(long, default_value = "0", value_name = "N", value_parser = parse::whole::<u64>, allow_negative_numbers = true)]
    pub(super) seed: u64,
}

impl ClusterArgs {
    /// How many features to keep, where that was said.
    pub(super) fn components(&self) -> Option<Components> {
        self.variance.map(Components::Variance).or(self.components.map(Components::Count))
    }
}

/// What is printed on the terminal.
#[derive(Args)]
#[command(next_help_heading = "Messages")]
pub(super) struct TalkArgs {
    /// Print JSON on stdout.
    #[arg(long)]
    pub(super) json: bool,

    /// Print nothing but errors (and JSON, with --json).
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// Explain on stderr what was decided, and why.
    #[arg(short, long)]
    pub(super) verbose: bool,
}
