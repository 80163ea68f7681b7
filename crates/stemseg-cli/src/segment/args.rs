//! The arguments of `stemseg segment`, and the request that they make.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use stemseg::Result;
use stemseg::model::Scale;
use stemseg::plan::{Border, Order};
use stemseg_run::{Applied, Request, Together};

use super::run_args::RunArgs;
use crate::parse::{self, Clusters, Numbers};
use crate::settings::{Preset, SettingsArgs};

const EXAMPLES: &str = "\
Examples:
  stemseg segment grain.npy
  stemseg segment grain.npy -k 2 --out two
  stemseg segment day1/*.tif -k 2 --out results --resume
  stemseg segment later/*.tif --like grain.stemseg --out results

The result is a folder: look at report.html or overlay.png in it.";

const AFTER_HELP: &str = "\
The result is a folder NAME.stemseg/ next to the image:
  labels.npy, labels.tif   one label per pixel: 1 the largest pattern, 2 the next; 0 unlabelled
  confidence.tif           how sure the label of each pixel is, 0 to 1
  regions.csv              each connected region: area, diameters, place, shape, neighbours
  boundaries.csv           each line between two regions: length, normal, roughness, curvature
  triple_points.csv        where three regions meet, and at which angles
  lattices.csv             the unit cell of each region, with standard errors
  report.html              everything on one page, to open in a browser
  overlay.png              the image tinted by label, with area shares and a scale bar
  features.png             maps of the features
  channels.png             maps of the channels that separate the patterns best
  summary.json             parameters, device, areas, warnings, explained variance, timings
  model.json               the patterns, for stemseg apply and --like
With several numbers of patterns (-k 2,3) each has a folder of its own, k2/ and k3/.
With --roi, maps have the size of that part; masked pixels get label 0.
--format chooses the files of the label map: NAME.ome.zarr for napari and labels.hspy for HyperSpy, too.
With several images, the --out folder gets summary.csv, with a line for each image, and index.html, which shows them all.

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
  stemseg segment later/*.tif --like grain.stemseg --out results
  stemseg segment day1/*.tif -k 2 --model all --out results";

/// Segment micrographs into patterns of local symmetry.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Number of patterns, several (2,3), or auto to find it.
    ///
    /// auto takes as many as the image shows, up to 8; auto:6 up to 6. Several numbers give a label map each; descriptors are computed once.
    #[arg(short = 'k', long, value_name = "auto|K", value_delimiter = ',', default_value = "auto", value_parser = parse::clusters, allow_negative_numbers = true, help_heading = None)]
    clusters: Vec<Clusters>,

    /// Find the patterns of an earlier result, with the same labels.
    ///
    /// Nothing is fitted, and numbers and colours of labels are those of that result. Give a result (its folder or summary.json), or a model.json. stemseg apply does the same.
    #[arg(long, value_name = "RESULT", help_heading = None)]
    like: Option<PathBuf>,

    /// Share one model among images: first, all, or a RESULT.
    ///
    /// It is fitted to the first image, to all, or is that of an earlier result. A label then means the same in all images, and a column of summary.csv the same in all lines. A result is given as with --like; one in a folder named first or all is ./first or ./all. By default each image has its own.
    #[arg(long, value_name = "MODEL", hide_short_help = true, conflicts_with = "like", help_heading = None)]
    model: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) run: RunArgs,

    #[command(flatten)]
    settings: SettingsArgs,

    /// Pixels outside the site grid: the nearest label (nearest), or 0 (blank).
    #[arg(long, value_enum, default_value = "nearest", help_heading = "Label map")]
    border: BorderArg,

    /// How labels are numbered: by size, 1 the largest, or as in pySTEM.
    ///
    /// pystem: 1 the smallest; pySTEM's labels plus 1.
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

/// What `--model` says of the images that are fitted to; nothing for a result.
pub(crate) fn together(model: &Path) -> Option<Together> {
    match model.to_str() {
        Some("first") => Some(Together::First),
        Some("all") => Some(Together::All),
        _ => None,
    }
}

impl Args {
    /// The request that they make.
    ///
    /// # Errors
    /// As [`SettingsArgs::settings`], and for `auto` among numbers of patterns.
    pub(crate) fn request(&self) -> Result<Request> {
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

    /// The images that a model for all is fitted to, where there is to be one.
    pub(super) fn together(&self) -> Option<Together> {
        self.model.as_deref().and_then(together)
    }

    /// The model that labels the images, where nothing is to be fitted.
    ///
    /// # Errors
    /// As [`Applied::load`].
    pub(super) fn applied(&self) -> Result<Option<Applied>> {
        let result = self.model.as_deref().filter(|model| together(model).is_none());
        let place = self.like.as_deref().or(result);
        place.map(|place| Applied::load(place, Scale::Auto)).transpose()
    }

    /// The numbers of patterns; none where the image says.
    ///
    /// # Errors
    /// For `auto` among numbers.
    fn clusters(&self) -> Result<Numbers> {
        parse::numbers(&self.clusters)
    }
}
