//! Simulated micrographs with their true label maps.
//!
//! A [`Scene`] says which crystals lie where; [`simulate`] fills them with atom
//! columns, scans them and counts electrons. The same scene, settings and seed
//! give the same bytes on every platform, with any number of threads.
//!
//! ```
//! use stemseg_simulate::{Scene, Settings, simulate};
//! use stemseg::sites::Extent;
//!
//! let settings = Settings { size: Extent::square(128), ..Default::default() };
//! let scene = Scene::new("plane-groups", &["p4mm".into(), "p4".into()], None)?;
//! let simulated = simulate(&scene, &settings, &stemseg::Silent)?;
//! assert_eq!(simulated.image.dim(), (128, 128));
//! assert_eq!(simulated.phases[usize::from(simulated.labels[(64, 3)]) - 1].name, "p4mm");
//! # Ok::<(), stemseg::Error>(())
//! ```

mod crystal;
pub mod film;
mod groups;
mod lattice;
pub mod metrics;
mod motif;
mod random;
mod region;
mod render;
mod scene;
mod scenes;
mod similarity;
mod specimen;

use ndarray::Array2;
use serde::Serialize;

use self::lattice::{Basis, Vector};
use self::random::{Random, Stream};
use self::specimen::Stage;
use stemseg::sites::Extent;
use stemseg::{Error, Progress, Result};

pub use self::groups::{Operation, PLANE_GROUPS, PlaneGroup};
pub use self::lattice::Lattice;
pub use self::scene::Scene;

/// Narrowest column that its pixels can show, standard deviation in px.
const NARROWEST: f64 = 0.75;
/// Lattice parameters that an image must be wide and high.
const CELLS: f64 = 4.0;
/// Largest image, px.
const MOST_PIXELS: usize = 1 << 30;

/// How a scene is looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// Rows and columns of the image, px.
    pub size: Extent,
    /// Lattice parameter, px; each scene has its own unless said otherwise.
    pub cell: Option<f64>,
    /// Mean number of electrons counted in a pixel, which makes Poisson noise.
    /// Without it the image is the ideal one, 1 at the top of the brightest column.
    pub dose: Option<f64>,
    /// Displacement of the rows by the scan, px rms.
    pub jitter: f64,
    /// What lies under the columns, relative to the height of the brightest.
    pub background: f64,
    /// Slow change of the whole signal, relative, from the middle of the image to
    /// the corner where it is largest.
    pub gradient: f64,
    /// Course of the boundaries.
    pub boundary: Boundary,
    /// Seed of every random choice: shapes, motifs, noise.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            size: Extent::square(512),
            cell: None,
            dose: Some(50.0),
            jitter: 0.3,
            background: 0.25,
            gradient: 0.1,
            boundary: Boundary::Curved,
            seed: 0,
        }
    }
}

/// Course of the boundaries between phases (twin boundaries are always planes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Boundary {
    /// Straight lines; precipitates are squares.
    Straight,
    /// Smooth curves.
    #[default]
    Curved,
}

/// A simulated micrograph.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulated {
    /// The image `[rows, cols]`: counts (whole numbers), or the ideal signal.
    pub image: Array2<f32>,
    /// The true label of each pixel `[rows, cols]`, from 1 in the order of
    /// `phases`. The displacement by the scan is not in it.
    pub labels: Array2<u16>,
    /// What the labels mean; those of a small image need not all occur.
    pub phases: Vec<Phase>,
    /// Lattice parameter that was taken, px.
    pub cell: f64,
}

/// What a label means.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Plane group of a crystal.
    pub group: Option<&'static str>,
    /// Two vectors that span the lattice of a crystal, each as rows and columns, px.
    pub lattice: Option<[[f64; 2]; 2]>,
}

impl Phase {
    fn crystal(name: String, group: &'static str, lattice: &Basis) -> Self {
        let rows_and_columns = |edge: Vector| [edge.y, edge.x];
        let lattice = Some([lattice.a, lattice.b].map(rows_and_columns));
        Self { name, group: Some(group), lattice }
    }

    fn without_lattice(name: &str) -> Self {
        Self { name: name.to_owned(), group: None, lattice: None }
    }
}

/// Simulates a micrograph of `scene`.
///
/// # Errors
/// [`Error::Parameter`] for settings that are out of range, for plane groups
/// without a common lattice and where no motif is found;
/// [`Error::Interrupted`] as `progress` says.
pub fn simulate(scene: &Scene, settings: &Settings, progress: &dyn Progress) -> Result<Simulated> {
    let kind = scene.kind();
    let cell = settings.cell.unwrap_or(kind.cell);
    check(settings, cell, kind.width)?;
    let mut stage = Stage {
        settings,
        cell,
        width: kind.width * cell,
        geometry: Random::new(settings.seed, Stream::Geometry),
        motif: Random::new(settings.seed, Stream::Motif),
    };
    progress.stage("build");
    let specimen = scenes::build(scene, &mut stage)?;
    progress.check()?;
    let image = render::image(&specimen, settings, stage.width, progress)?;
    let labels = render::labels(&specimen, settings, progress)?;
    Ok(Simulated { image, labels, phases: specimen.phases, cell })
}

/// Checks everything a user can get wrong; `cell` in px, `width` of a column
/// relative to it.
fn check(settings: &Settings, cell: f64, width: f64) -> Result<()> {
    let within = |name, value: f64, low: f64, high: f64, reason: &str| {
        // Written so that NaN fails.
        match value >= low && value <= high {
            true => Ok(()),
            false => Err(Error::parameter(name, value, reason)),
        }
    };
    let least = (10.0 * NARROWEST / width).ceil() / 10.0;
    let reason =
        format!("give {least} px or more: atomic columns would be narrower than the pixels");
    within("cell", cell, least, f64::from(1_u16 << 12), &reason)?;
    let Extent { rows, cols } = settings.size;
    let side = (CELLS * cell).ceil();
    if (rows.min(cols) as f64) < side {
        let reason = format!("give {side} or more: four lattice parameters of {cell} px");
        return Err(Error::parameter("size", settings.size, reason));
    }
    if rows.checked_mul(cols).is_none_or(|pixels| pixels > MOST_PIXELS) {
        let reason = format!("at most {MOST_PIXELS} pixels, for example 32768x32768");
        return Err(Error::parameter("size", settings.size, reason));
    }
    if let Some(dose) = settings.dose {
        within("dose", dose, 1e-3, 1e6, "give 0.001 to 1000000 electrons per pixel, or none")?;
    }
    within("jitter", settings.jitter, 0.0, 5.0, "give 0 to 5 px rms")?;
    within(
        "background",
        settings.background,
        0.0,
        100.0,
        "give 0 to 100 times the brightest column",
    )?;
    within("gradient", settings.gradient, 0.0, 0.9, "give 0 to 0.9")
}
