//! The arguments of `stemseg segment`, and the request that they make.

use std::path::PathBuf;

use clap::ValueEnum;
use stemseg::Result;
use stemseg::model::Scale;
use stemseg::plan::{Border, Order};
use stemseg_run::{Applied, Request};

use super::run_args::RunArgs;
use crate::parse::{self, Clusters};
use crate::settings::{Preset, SettingsArgs};

const AFTER_HELP: &str = "\
The result is a folder NAME.stemseg/ beside the image:
  labels.npy, labels.tif   one label per pixel: 1 the largest pattern, 2 the next; 0 not segmented
  confidence.tif           how clearly each pixel belongs to its pattern and not to another, 0 to 1
  report.html              all of it on one page, to open in a browser
  overlay.png              the image with its labels in colour, area shares and a scale bar
  features.png             maps of the features; channels.png of the channels that separate best
  summary.json             parameters, device, areas, explained variance, separability, timings
  model.json               the patterns, for stemseg apply and --like
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
  stemseg segment scan.npz --image 2 --roi 0:1024,512:1536 --mask vacuum.png -k 2
  stemseg segment later/*.tif --like grain.stemseg --out results";

/// Segment micrographs.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) run: RunArgs,

    /// Number of patterns, several (2,3,4) to get a label map for each, or auto: what the image shows.
    #[arg(short = 'k', long, value_name = "auto|K", value_delimiter = ',', default_value = "auto", value_parser = parse::clusters, allow_negative_numbers = true, help_heading = None)]
    clusters: Vec<Clusters>,

    /// Fit nothing, but find the patterns of an earlier result, with its numbers and colours of labels: a
    /// model.json, or a result as its folder or summary.json (stemseg apply does the same).
    #[arg(long, value_name = "RESULT|MODEL", help_heading = None)]
    like: Option<PathBuf>,

    #[command(flatten)]
    settings: SettingsArgs,

    /// Pixels outside the site grid: the nearest label, or 0.
    #[arg(long, value_enum, default_value = "nearest", help_heading = "Label map")]
    border: BorderArg,

    /// Numbering: size (1 the largest) or pystem (1 the smallest; pySTEM's labels plus 1).
    #[arg(long, value_enum, default_value = "size", help_heading = "Label map")]
    order: OrderArg,
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

impl Args {
    /// The request that they make.
    ///
    /// # Errors
    /// As [`SettingsArgs::settings`], and for `auto` among numbers of patterns.
    pub(super) fn request(&self) -> Result<Request> {
        let mut request = self.run.request();
        request.settings = self.settings.settings(self.clusters()?, Preset::Auto)?;
        request.settings.border = match self.border {
            BorderArg::Nearest => Border::Nearest,
            BorderArg::Blank => Border::Blank,
        };
        request.settings.order = match self.order {
            OrderArg::Size => Order::Size,
            OrderArg::Pystem => Order::Pystem,
        };
        Ok(request)
    }

    /// The model that labels the images, where nothing is to be fitted.
    ///
    /// # Errors
    /// As [`Applied::load`].
    pub(super) fn applied(&self) -> Result<Option<Applied>> {
        self.like.as_deref().map(|place| Applied::load(place, Scale::Auto)).transpose()
    }

    /// The numbers of patterns; none where the image says.
    ///
    /// # Errors
    /// For `auto` among numbers.
    fn clusters(&self) -> Result<Vec<usize>> {
        parse::numbers(&self.clusters)
    }
}
