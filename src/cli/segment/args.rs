//! The arguments of `stemseg segment`, and what they mean.

use std::path::PathBuf;

use clap::ValueEnum;
use stemseg::backend::Choice;
use stemseg::descriptor::{FamilyParams, translation};
use stemseg::micrograph::NonFinite;
use stemseg::plan::{Border, Components, Order};
use stemseg::sites::Extent;
use stemseg::{Params, Result};

use crate::cli::parse::{self, Slice};

const AFTER_HELP: &str = "\
The result is a folder NAME.stemseg/ beside the image:
  labels.npy, labels.tif   one label per pixel: 1 the largest pattern, 2 the next; 0 not segmented
  overlay.png              the image tinted by label, with the area shares
  summary.json             parameters, device, areas, explained variance, timings
With a list of clusters each number has these in a folder of its own (k2/, k3/).

Examples:
  stemseg segment grain.npy -k 2
  stemseg segment grain.tif -k 2,3,4 --patch 12 --window 16 --stride 3
  stemseg segment grain.npy -k 3 --device llvmpipe --save features --json
  stemseg segment scan.npz --image 2 --roi 0:1024,512:1536 --mask vacuum.png";

/// Segment one micrograph.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The image: npy, npz, TIFF, PNG or JPEG, recognised by content.
    #[arg(value_name = "IMAGE")]
    pub(super) file: PathBuf,

    /// Number of patterns, or several (2,3,4) to get a label map for each.
    #[arg(
        short = 'k',
        long,
        value_name = "K",
        value_delimiter = ',',
        required = true,
        allow_negative_numbers = true
    )]
    pub(super) clusters: Vec<usize>,

    /// What computes: auto (a real GPU, else the CPU), cpu, gpu, or any part of an adapter's name.
    #[arg(long, default_value = "auto", value_name = "auto|cpu|gpu|NAME")]
    pub(super) device: Choice,

    /// Descriptor family.
    #[arg(long, default_value = "translation", value_name = "FAMILY", help_heading = "Descriptor")]
    pub(super) descriptor: String,

    /// Half size of the patch, px: N or ROWSxCOLS.
    #[arg(long, default_value = "20", value_name = "N|RxC", value_parser = parse::extent, allow_hyphen_values = true, help_heading = "Descriptor")]
    pub(super) patch: Extent,

    /// Half size of the range of translations, px: N or ROWSxCOLS.
    #[arg(long, default_value = "20", value_name = "N|RxC", value_parser = parse::extent, allow_hyphen_values = true, help_heading = "Descriptor")]
    pub(super) window: Extent,

    /// Distance of neighbouring sites, px.
    #[arg(
        long,
        default_value_t = 5,
        value_name = "PX",
        allow_negative_numbers = true,
        help_heading = "Descriptor"
    )]
    pub(super) stride: usize,

    /// Most translations; they form the finest regular grid in the window that has no more.
    #[arg(
        long,
        default_value_t = 100,
        value_name = "N",
        allow_negative_numbers = true,
        help_heading = "Descriptor"
    )]
    pub(super) max_points: usize,

    /// Translations to use instead, px: a numpy array [n, 2], or text with a row and a column shift a line.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["window", "max_points"], help_heading = "Descriptor")]
    pub(super) translations: Option<PathBuf>,

    /// Features that PCA keeps.
    #[arg(
        long,
        default_value_t = 5,
        value_name = "N",
        allow_negative_numbers = true,
        help_heading = "Clustering"
    )]
    pub(super) components: usize,

    /// Keep the fewest features that explain this share of the variance instead.
    #[arg(long, value_name = "SHARE", conflicts_with = "components", value_parser = parse::share, allow_negative_numbers = true, help_heading = "Clustering")]
    pub(super) variance: Option<f64>,

    /// Starts of k-means; the one of least inertia is kept.
    #[arg(
        long,
        default_value_t = 10,
        value_name = "N",
        allow_negative_numbers = true,
        help_heading = "Clustering"
    )]
    pub(super) starts: usize,

    /// Seed of the random choices.
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Clustering")]
    pub(super) seed: u64,

    /// Pixels outside the site grid: the nearest label, or 0.
    #[arg(long, value_enum, default_value = "nearest", help_heading = "Label map")]
    pub(super) border: BorderArg,

    /// Numbering: size (1 the largest) or pystem (1 the smallest; pySTEM's labels plus 1).
    #[arg(long, value_enum, default_value = "size", help_heading = "Label map")]
    pub(super) order: OrderArg,

    /// Which image of a file that holds several, from 0.
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Input")]
    pub(super) image: Option<usize>,

    /// Part of the image, as two Python slices (100:600,0:512); everything that is written has its size.
    #[arg(long, value_name = "ROWS,COLS", value_parser = parse::region, allow_hyphen_values = true, help_heading = "Input")]
    pub(super) roi: Option<Region>,

    /// Image of the same size whose non-zero pixels do not count (as in numpy.ma); they get label 0.
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub(super) mask: Option<PathBuf>,

    /// NaN and infinite pixels: refuse the image, or take the mean of the others.
    #[arg(long, value_enum, default_value = "fail", help_heading = "Input")]
    pub(super) nan: NanArg,

    /// Folder for the result [default: NAME.stemseg beside the image].
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    pub(super) out: Option<PathBuf>,

    /// Replace an earlier result.
    #[arg(long, help_heading = "Output")]
    pub(super) force: bool,

    /// Also write descriptors.npy [site rows, site cols, D] or features.npy [.., q]; either adds site_labels.npy.
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_enum, help_heading = "Output")]
    pub(super) save: Vec<Save>,

    /// Print summary.json on stdout.
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,

    /// Print nothing but errors (and what --json asks for).
    #[arg(short, long, help_heading = "Output")]
    pub(super) quiet: bool,
}

pub(super) type Region = [Slice; 2];

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum BorderArg {
    Nearest,
    Blank,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum OrderArg {
    Size,
    Pystem,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum NanArg {
    Fail,
    Mean,
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
    /// For an unknown family, and a list of translations that cannot be read.
    pub(super) fn params(&self) -> Result<Params> {
        let list = self.translations.as_deref().map(parse::translations).transpose()?;
        let family = match FamilyParams::from_name(&self.descriptor)? {
            FamilyParams::Translation(_) => FamilyParams::Translation(translation::Params {
                patch: self.patch,
                window: self.window,
                max_points: self.max_points,
                list,
            }),
        };
        Ok(Params {
            families: vec![family],
            stride: self.stride,
            components: match self.variance {
                Some(share) => Components::Variance(share),
                None => Components::Count(self.components),
            },
            clusters: self.clusters.clone(),
            starts: self.starts,
            seed: self.seed,
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

    /// What to do with NaN and infinite pixels.
    pub(super) fn non_finite(&self) -> NonFinite {
        match self.nan {
            NanArg::Fail => NonFinite::Fail,
            NanArg::Mean => NonFinite::Mean,
        }
    }

    /// The folder for the result.
    pub(super) fn target(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| self.file.with_extension("stemseg"))
    }

    /// Whether `what` is to be written too.
    pub(super) fn saves(&self, what: Save) -> bool {
        self.save.contains(&what)
    }
}
