//! The arguments of `stemseg simulate`, and what they mean.

use std::path::PathBuf;

use clap::ValueEnum;
use stemseg::Result;
use stemseg::image::micrograph::PixelSize;
use stemseg::sites::Extent;
use stemseg_run::length;
use stemseg_simulate::{Boundary, Scene, Settings};

use super::film::FilmArgs;
use crate::args::TalkArgs;
use crate::parse;

const EXAMPLES: &str = "\
Examples:
  stemseg simulate --list
  stemseg simulate polycrystal --grains 8 --seed 3
  stemseg simulate plane-groups p4mm p4 --out pair.sim
  stemseg simulate film --motion precipitates";

const AFTER_HELP: &str = "\
The result is a folder SCENE.sim/:
  image.npy or image.tif   the micrograph: counts as u16, or f32 if they do not fit or have no noise
  labels.npy, labels.tif   the true label of each pixel, from 1
  image.png, overlay.png   pictures to look at, plain and tinted by label
  summary.json             scene, parameters, meaning of the labels, lattice vectors
The scene film is a recording of a specimen whose phases move (--motion), for stemseg series: its
folder film.sim/ holds film.npy and labels.npy [frames, rows, cols] (labels in the specimen's own
coordinates, those of the first frame), truth.csv with drift and areas, and film.png. With an
--equation it is a film Phi(frame, row, column) or u(t, x), for stemseg dynamics.
The same arguments give the same files on every machine.

Examples:
  stemseg simulate --list
  stemseg simulate tilt-boundary --size 256 --dose 20 --format tiff
  stemseg simulate polycrystal --grains 8 --seed 3
  stemseg simulate plane-groups p4mm p4 --boundary straight --out pair.sim
  stemseg simulate film --motion precipitates --frames 100 --dose 20
  stemseg simulate film --equation travelling-wave --noise 0.02
  stemseg simulate film --equation advection --velocity 1.5,0.7 --soft-noise 0.5 --out carried.sim";

/// Simulate a micrograph whose true label map is known.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    /// What to simulate (see --list).
    #[arg(value_name = "SCENE", required_unless_present = "list")]
    scene: Option<String>,

    /// Plane groups, for the scenes plane-group and plane-groups.
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,

    /// List the scenes.
    #[arg(long, exclusive = true)]
    pub(super) list: bool,

    /// Size of the image, px: N or ROWSxCOLS [default: 512].
    ///
    /// Of a film with an equation 128, of one of a line 500.
    #[arg(long, value_name = "N|RxC", value_parser = size, allow_hyphen_values = true, help_heading = "Specimen")]
    pub(super) size: Option<Extent>,

    /// Lattice parameter, px [default: depends on the scene].
    #[arg(long, value_name = "PX", allow_negative_numbers = true, help_heading = "Specimen")]
    cell: Option<f64>,

    /// Number of grains of the polycrystal [default: 6].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true, help_heading = "Specimen")]
    grains: Option<usize>,

    /// Shape of the boundaries: straight or curved.
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        default_value = "curved",
        help_heading = "Specimen"
    )]
    boundary: BoundaryArg,

    /// Seed of the random numbers: shapes, motifs, noise.
    #[arg(
        long,
        default_value = "0",
        value_name = "N",
        value_parser = parse::whole::<u64>,
        allow_negative_numbers = true,
        help_heading = "Specimen"
    )]
    pub(super) seed: u64,

    /// Mean electrons per pixel, or none for an image without noise.
    #[arg(long, default_value = "50", value_name = "N|none", value_parser = dose, allow_hyphen_values = true, help_heading = "Microscope")]
    dose: Dose,

    /// Random displacement of scan rows, px rms.
    #[arg(
        long,
        default_value_t = 0.3,
        value_name = "PX",
        allow_negative_numbers = true,
        help_heading = "Microscope"
    )]
    jitter: f64,

    /// Background, relative to the brightest column.
    #[arg(
        long,
        default_value_t = 0.25,
        value_name = "LEVEL",
        allow_negative_numbers = true,
        help_heading = "Microscope"
    )]
    background: f64,

    /// Slow change of brightness from centre to corner, relative.
    #[arg(
        long,
        default_value_t = 0.1,
        value_name = "SHARE",
        allow_negative_numbers = true,
        help_heading = "Microscope"
    )]
    gradient: f64,

    #[command(flatten)]
    pub(super) film: FilmArgs,

    /// Pixel size, nm.
    #[arg(long, default_value = "0.02", value_name = "NM", value_parser = pixel_size, allow_hyphen_values = true, help_heading = "Output")]
    pub(super) pixel_size: PixelSize,

    /// Format of the image; only TIFF keeps the pixel size.
    #[arg(long, value_enum, default_value = "npy", help_heading = "Output")]
    pub(super) format: Format,

    /// Folder for the result [default: SCENE.sim in the working folder].
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    pub(super) out: Option<PathBuf>,

    /// Replace an earlier result: only the files that its summary.json lists.
    #[arg(long, help_heading = "Output")]
    pub(super) force: bool,

    #[command(flatten)]
    pub(crate) talk: TalkArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum BoundaryArg {
    Straight,
    Curved,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Npy,
    Tiff,
}

/// `none`, or a number of electrons. (An `Option` itself means an argument that
/// may be left out.)
#[derive(Clone, Copy)]
struct Dose(Option<f64>);

impl Args {
    /// Whether a film is wanted, not a micrograph.
    ///
    /// # Errors
    /// For options of a film where none is wanted, and those of another kind of film.
    pub(super) fn is_film(&self) -> Result<bool> {
        let film = self.scene.as_deref() == Some("film");
        self.film.check(film)?;
        Ok(film)
    }

    /// The scene.
    ///
    /// # Errors
    /// For a scene or a plane group that does not exist.
    pub(super) fn scene(&self) -> Result<Scene> {
        Scene::new(self.scene.as_deref().unwrap_or_default(), &self.groups, self.grains)
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            size: self.size.unwrap_or(Extent::square(512)),
            cell: self.cell,
            dose: self.dose.0,
            jitter: self.jitter,
            background: self.background,
            gradient: self.gradient,
            boundary: match self.boundary {
                BoundaryArg::Straight => Boundary::Straight,
                BoundaryArg::Curved => Boundary::Curved,
            },
            seed: self.seed,
        }
    }

    /// The folder for the result.
    pub(super) fn target(&self, scene: &Scene) -> PathBuf {
        self.out.clone().unwrap_or_else(|| format!("{}.sim", scene.name()).into())
    }
}

fn size(text: &str) -> Result<Extent, String> {
    let size = length::spans(text)?;
    size.pixels("size", None).map_err(|_| "give the size in px, for example 512 or 512x768".into())
}

fn dose(text: &str) -> Result<Dose, String> {
    match text {
        "none" => Ok(Dose(None)),
        _ => text.parse().map(|dose| Dose(Some(dose))).map_err(|_| {
            format!("'{text}' is not a number; give electrons per pixel, for example 50, or none")
        }),
    }
}

fn pixel_size(text: &str) -> Result<PixelSize, String> {
    match text.parse::<f64>() {
        Ok(nm) if (1e-6..=1e6).contains(&nm) => Ok(PixelSize { rows: nm, cols: nm }),
        _ => Err("give the size of a pixel in nm, for example 0.02".into()),
    }
}
