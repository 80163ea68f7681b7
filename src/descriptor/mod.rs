//! Descriptor families: what is measured at a site.
//!
//! One file per family holds its parameters, channels, margin, host tables,
//! formula and f64 definition; its kernels are `backend/cpu/NAME.rs` and
//! `shaders/NAME.wgsl` with the launcher `backend/gpu/NAME.rs`. What several
//! families share has files of its own: [`inner`] sites and their pooling,
//! [`polar`] sampling, cubic [`spline`]s, `rounding`.

pub mod centred;
pub mod glide;
pub mod harmonic;
pub mod inner;
pub mod intensity;
pub mod polar;
pub mod power_spectrum;
pub mod reflection;
pub mod rotation;
pub(crate) mod rounding;
pub mod spline;
pub mod translation;

use ndarray::{Array2, ArrayView2};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sites::{Band, Extent, SiteGrid, Sites};
use crate::{Error, Result};
use rounding::Rounding;
pub use translation::Translation;

/// A patch whose variance is below this share of the image's is flat: it
/// correlates with nothing (score 0) but itself.
pub const FLAT_SHARE: f64 = 0.004;

/// Most channels of a family: the covariance has their square of elements (128 MiB).
pub(crate) const MOST_CHANNELS: usize = 4096;

/// Most scores of one tile: what a task keeps in memory, 48 MiB.
pub(crate) const TILE_SCORES: usize = 12 << 20;

/// What sites describe.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The image, `[rows, cols]`, at mean 0 and variance 1.
    pub(crate) image: ArrayView2<'a, f32>,
    /// Its sites.
    pub(crate) sites: &'a Sites,
    /// Its standard deviation in the file's units.
    pub(crate) deviation: f64,
}

/// A family with the parameters that a user gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "family", rename_all = "kebab-case")]
pub enum FamilyParams {
    /// Local correlation map, see [`translation`].
    Translation(translation::Params),
    /// Local correlation map of centred pairs, see [`centred`].
    #[serde(rename = "centred-translation")]
    Centred(centred::Params),
    /// Rotational symmetry, see [`rotation`].
    Rotation(rotation::Params),
    /// Mirror symmetry, see [`reflection`].
    Reflection(reflection::Params),
    /// Glide symmetry, see [`glide`].
    Glide(glide::Params),
    /// Circular harmonics, see [`harmonic`].
    Harmonic(harmonic::Params),
    /// Local power spectra, see [`power_spectrum`].
    PowerSpectrum(power_spectrum::Params),
    /// Mean and spread of the patch, see [`intensity`].
    Intensity(intensity::Params),
}

/// A family ready to compute: parameters checked, tables made.
#[derive(Debug, Clone)]
pub enum Family {
    /// Local correlation map, see [`translation`].
    Translation(translation::Family),
    /// Local correlation map of centred pairs, see [`centred`].
    Centred(centred::Family),
    /// Rotational symmetry, see [`rotation`].
    Rotation(rotation::Family),
    /// Mirror symmetry, see [`reflection`].
    Reflection(reflection::Family),
    /// Glide symmetry, see [`glide`].
    Glide(glide::Family),
    /// Circular harmonics, see [`harmonic`].
    Harmonic(harmonic::Family),
    /// Local power spectra, see [`power_spectrum`].
    PowerSpectrum(power_spectrum::Family),
    /// Mean and spread of the patch, see [`intensity`].
    Intensity(intensity::Family),
}

/// What the parameters of any family can do.
trait Choose {
    /// Checks them against an image of `shape` px and makes the tables.
    fn family(&self, shape: Extent) -> Result<Family>;

    /// The parameters that the margin is made of.
    fn margin_of(&self) -> &'static str;

    /// See [`FamilyParams::smaller`].
    fn advice(&self, shape: Extent, enough: &dyn Fn(Extent) -> bool) -> String;
}

/// What any family tells of itself.
trait Measure {
    /// See [`Family::name`].
    fn name(&self) -> &'static str;

    /// See [`Family::margin`].
    fn margin(&self) -> Extent;

    /// See [`Family::reach`].
    fn reach(&self, _stride: usize) -> Extent {
        self.margin()
    }

    /// See [`Family::channel_names`].
    fn channel_names(&self) -> Vec<String>;

    /// See [`Family::channels`].
    fn channels(&self) -> usize;

    /// See [`Family::tile_size`].
    fn tile_size(&self, stride: usize) -> Extent;

    /// See [`Family::check`].
    fn check(&self, _grid: &SiteGrid) -> Result<()> {
        Ok(())
    }

    /// See [`Family::by_definition`].
    fn by_definition(
        &self,
        image: ArrayView2<'_, f64>,
        grid: &SiteGrid,
        mask: Option<ArrayView2<'_, bool>>,
    ) -> Array2<f64>;

    /// See [`Family::rounding`].
    fn rounding(&self, subject: Subject<'_>, band: &Band) -> Rounding<'_>;
}

impl FamilyParams {
    /// Names of the families.
    pub const NAMES: [&'static str; 8] = [
        "translation",
        "centred-translation",
        "rotation",
        "reflection",
        "glide",
        "harmonic",
        "power-spectrum",
        "intensity",
    ];

    /// The family of this name with its default parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a name that is no family's.
    pub fn from_name(name: &str) -> Result<Self> {
        Ok(match name {
            "translation" => Self::Translation(Default::default()),
            "centred-translation" => Self::Centred(Default::default()),
            "rotation" => Self::Rotation(Default::default()),
            "reflection" => Self::Reflection(Default::default()),
            "glide" => Self::Glide(Default::default()),
            "harmonic" => Self::Harmonic(Default::default()),
            "power-spectrum" => Self::PowerSpectrum(Default::default()),
            "intensity" => Self::Intensity(Default::default()),
            _ => {
                let reason = format!("the families are: {}", Self::NAMES.join(", "));
                return Err(Error::parameter("descriptor", name, reason));
            }
        })
    }

    /// Checks the parameters against an image of `shape` px and makes the tables.
    ///
    /// # Errors
    /// [`Error::Parameter`] for what cannot be.
    pub fn plan(&self, shape: Extent) -> Result<Family> {
        self.choose().family(shape)
    }

    /// The parameters that the family's margin is made of, in words.
    pub fn margin_of(&self) -> &'static str {
        self.choose().margin_of()
    }

    /// What a user can do where an image of `shape` px is too small for the
    /// family; `enough` says whether a margin leaves enough sites.
    pub fn smaller(&self, shape: Extent, enough: &dyn Fn(Extent) -> bool) -> String {
        self.choose().advice(shape, enough)
    }

    fn choose(&self) -> &dyn Choose {
        match self {
            Self::Translation(params) => params,
            Self::Centred(params) => params,
            Self::Rotation(params) => params,
            Self::Reflection(params) => params,
            Self::Glide(params) => params,
            Self::Harmonic(params) => params,
            Self::PowerSpectrum(params) => params,
            Self::Intensity(params) => params,
        }
    }
}

impl Family {
    /// The family's name, as on the command line.
    pub fn name(&self) -> &'static str {
        self.measure().name()
    }

    /// Distance that sites keep from the image's border, px.
    pub fn margin(&self) -> Extent {
        self.measure().margin()
    }

    /// How far the pixels lie that a site depends on, px, where sites are `stride` px
    /// apart: as far as the margin, or farther where what lies beyond the border is
    /// left out.
    pub fn reach(&self, stride: usize) -> Extent {
        self.measure().reach(stride)
    }

    /// Number of channels, D.
    pub fn channels(&self) -> usize {
        self.measure().channels()
    }

    /// Names of the channels, for reports.
    pub fn channel_names(&self) -> Vec<String> {
        self.measure().channel_names()
    }

    /// Sites that it is best computed in together.
    pub fn tile_size(&self, stride: usize) -> Extent {
        self.measure().tile_size(stride)
    }

    /// Checks the family against the sites that all families share.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a site has nothing to pool.
    pub fn check(&self, grid: &SiteGrid) -> Result<()> {
        self.measure().check(grid)
    }

    /// Descriptors of all sites by the definition alone, in f64 with direct sums:
    /// the reference that every backend is tested against. `image` `[rows, cols]`
    /// is in the file's units; `mask` is true where a pixel does not count, which only
    /// the families of margin 0 look at. Gives `[sites, D]`.
    pub fn by_definition(
        &self,
        image: ArrayView2<'_, f64>,
        grid: &SiteGrid,
        mask: Option<ArrayView2<'_, bool>>,
    ) -> Array2<f64> {
        self.measure().by_definition(image, grid, mask)
    }

    /// How far the descriptors of two backends may be apart at the sites of `band`.
    pub(crate) fn rounding(&self, subject: Subject<'_>, band: &Band) -> Rounding<'_> {
        self.measure().rounding(subject, band)
    }

    fn measure(&self) -> &dyn Measure {
        match self {
            Self::Translation(family) => family,
            Self::Centred(family) => family,
            Self::Rotation(family) => family,
            Self::Reflection(family) => family,
            Self::Glide(family) => family,
            Self::Harmonic(family) => family,
            Self::PowerSpectrum(family) => family,
            Self::Intensity(family) => family,
        }
    }
}

/// Checks that a parameter is at least `least`.
fn at_least(name: &'static str, value: usize, least: usize) -> Result<()> {
    match value >= least {
        true => Ok(()),
        false => Err(Error::parameter(name, value, format!("give at least {least}"))),
    }
}

/// A half size that would fit an image of `shape` px and leaves enough sites.
fn smaller_half(
    name: &str,
    half: Extent,
    shape: Extent,
    enough: &dyn Fn(Extent) -> bool,
) -> String {
    let room = |size: usize, less: usize| (size.saturating_sub(1) / 2).saturating_sub(less);
    let fit = |less: usize| Extent {
        rows: half.rows.min(room(shape.rows, less)),
        cols: half.cols.min(room(shape.cols, less)),
    };
    let least = room(shape.rows.min(shape.cols), 0);
    match (0..least).map(fit).find(|&half| enough(half)) {
        Some(half) => format!("this would fit: `{name} = {}`", half.short()),
        None => format!("no {name} leaves enough sites in it"),
    }
}
