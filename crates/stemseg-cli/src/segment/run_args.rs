//! The arguments that `stemseg segment` and `stemseg apply` share: which images are read and how,
//! what computes, what is written and said.

use std::path::PathBuf;

use clap::ValueEnum;
use stemseg::backend::{Check, DeviceChoice};
use stemseg_run::{self as run, Area, Request};

use super::batch::BatchArgs;
use super::formats::FormatArgs;
use super::report_args::ReportArgs;
use crate::args::{InputArgs, TalkArgs};
use crate::parse;

/// All but how an image is segmented.
#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// Images, folders of images, or file name patterns in quotes ('day*/*.tif').
    ///
    /// Formats are recognised by content: instruments' files (dm3, dm4, ser, emd, mrc, hspy), TIFF, npy, PNG and
    /// others. Of several images, those that cannot be segmented are named at the end, and the others are done.
    #[arg(value_name = "IMAGE", required = true)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    input: InputArgs,

    #[command(flatten)]
    device: DeviceArgs,

    #[command(flatten)]
    place: PlaceArgs,

    /// Also write any of descriptors,features,strain,figures,maps.
    ///
    /// descriptors: descriptors.npy [site rows, site cols, D]. features: features.npy [site rows, site cols, q].
    /// Either comes with site_labels.npy. strain: strain.tif with exx, eyy, exy, rotation and error inside regions. figures: a folder with the figures of the report one by one, plots as SVG and maps as PNG. maps: a folder with the scores of rotation, reflection and glide before
    /// pooling, and the order or the angle of the best axis.
    #[arg(
        long,
        value_name = "WHAT",
        value_delimiter = ',',
        value_enum,
        hide_possible_values = true,
        help_heading = "Output"
    )]
    save: Vec<Save>,

    /// Pixel in the region that strain is relative to [default: the mean lattice of each region].
    ///
    /// It counts for regions of the same pattern that have nearly the same lattice.
    #[arg(long, value_name = "ROW,COL", value_parser = parse::pixel, help_heading = "Output")]
    strain_reference: Option<[usize; 2]>,

    /// Give regions below this area to neighbours, such as 200 (px) or 4nm2.
    ///
    /// The smallest first, each to the one with which it shares the longest boundary. How sure its pixels are
    /// becomes their membership in that pattern.
    #[arg(long, value_name = "AREA", value_parser = Area::parse, allow_negative_numbers = true, help_heading = "Output")]
    least_region: Option<Area>,

    /// Lattice that some crystal has, such as 0.316nm,hexagonal: tells the size of pixels and how the scan is skewed.
    ///
    /// One or two lengths, then square, hexagonal, rectangular or the angle in degrees: 0.5nm,0.6nm,97.5. Pixel sizes in
    /// the file that are more than 2 % off are told; calibration in summary.json has an affine correction.
    #[arg(long, value_name = "LATTICE", value_parser = run::known_lattice, help_heading = "Output")]
    known_lattice: Option<run::KnownLattice>,

    /// Leave out lattices.csv, and what summary.json says of lattices and of how crystals are related.
    #[arg(long, help_heading = "Output")]
    no_lattices: bool,

    #[command(flatten)]
    report: ReportArgs,

    #[command(flatten)]
    formats: FormatArgs,

    #[command(flatten)]
    batch: BatchArgs,

    #[command(flatten)]
    pub(crate) talk: TalkArgs,
}

/// What computes, and with how much memory.
#[derive(clap::Args)]
pub(crate) struct DeviceArgs {
    /// What computes: auto, cpu, gpu, or part of a GPU's name.
    ///
    /// auto takes a GPU that passes its self-test, or else the CPU; stemseg devices shows which. It also lists the
    /// names, those of software adapters too.
    #[arg(long, default_value = "auto", value_name = "DEVICE", value_hint = clap::ValueHint::Other, help_heading = None)]
    device: DeviceChoice,

    /// How much of a GPU's work is recomputed on the CPU: off, on (a sample) or all.
    ///
    /// on takes less than 2 % of the run: it recomputes a sample, and whatever costs next to nothing.
    #[arg(long, value_enum, default_value = "on", value_name = "HOW", hide_possible_values = true, help_heading = None)]
    check: CheckArg,

    /// Memory that the run may take, such as 512MiB or 2GB.
    ///
    /// It counts images, resampled images too, features, bands and pictures, but not what a graphics driver takes.
    /// Default: what the images need, and a quarter of what the machine, the container and ulimit leave, at most
    /// 2 GiB.
    #[arg(long, value_name = "SIZE", value_parser = parse::memory, help_heading = None)]
    memory: Option<u64>,
}

/// Where the result goes.
#[derive(clap::Args)]
pub(crate) struct PlaceArgs {
    /// Folder for the result [default: NAME.stemseg next to the image].
    ///
    /// With several images, or a folder of them, a NAME.stemseg for each is made in it.
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    out: Option<PathBuf>,

    /// Replace an earlier result.
    ///
    /// Only the files that its summary.json lists are replaced; anything else in its folder stays. A folder that
    /// is not a complete result is refused.
    #[arg(long, help_heading = "Output")]
    force: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum CheckArg {
    Off,
    On,
    All,
}

#[derive(Clone, Copy, ValueEnum)]
enum Save {
    Descriptors,
    Features,
    Strain,
    Figures,
    Maps,
}

impl RunArgs {
    /// The request that they make, with the default settings.
    pub(super) fn request(&self) -> Request {
        let mut request = Request::new(&self.files);
        request.recursive = self.batch.recursive;
        request.input = self.input.input();
        request.least_region = self.least_region;
        self.place.choose(&mut request);
        let save = |save: &Save| match save {
            Save::Descriptors => run::Save::Descriptors,
            Save::Features => run::Save::Features,
            Save::Strain => run::Save::Strain,
            Save::Figures => run::Save::Figures,
            Save::Maps => run::Save::Maps,
        };
        request.output.save = self.save.iter().map(save).collect();
        request.output.strain_reference = self.strain_reference;
        request.output.known_lattice = self.known_lattice;
        request.output.lattices = !self.no_lattices;
        self.formats.choose(&mut request.output);
        self.report.choose(&mut request.output);
        self.device.choose(&mut request);
        request.jobs = self.batch.jobs;
        request.resume = self.batch.resume;
        request.table = self.batch.table.clone();
        request
    }
}

impl DeviceArgs {
    /// Says in `request` what was asked for.
    pub(crate) fn choose(&self, request: &mut Request) {
        request.device = self.device.clone();
        request.check = match self.check {
            CheckArg::Off => Check::Off,
            CheckArg::On => Check::On,
            CheckArg::All => Check::All,
        };
        request.memory = self.memory;
    }
}

impl PlaceArgs {
    /// Says in `request` what was asked for.
    pub(crate) fn choose(&self, request: &mut Request) {
        request.output.place = self.out.clone();
        request.output.force = self.force;
    }
}
