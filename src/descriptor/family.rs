//! Any of the families, with the parameters that a user gives or ready to compute.

use ndarray::{Array2, ArrayView2};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::{each, families};
use super::polar::PolarScores;
use super::rounding::{Rounding, Subject};
use super::traits::{Choose, Common, Measure};
use super::translation::Translation;
use crate::sites::{Band, Extent, SiteGrid};
use crate::{Error, Result};

macro_rules! declare_enums {
    ([] $($(#[cfg($cfg:meta)])? $variant:ident $name:literal $module:ident $what:literal;)*) => {
        $($(#[cfg($cfg)])? use super::$module;)*

        /// A family with the parameters that a user gives.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "family")]
        #[non_exhaustive]
        pub enum FamilyParams {
            $(
                #[doc = $what]
                #[serde(rename = $name)]
                // No file has what only tests have.
                $(#[cfg($cfg)] #[schemars(skip)])?
                $variant($module::Params),
            )*
        }

        /// A family ready to compute: parameters checked, tables made.
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub enum Family {
            $(
                #[doc = $what]
                $(#[cfg($cfg)])?
                $variant($module::Family),
            )*
        }

        const COUNT: usize = [$($(#[cfg($cfg)])? $name),*].len();

        impl FamilyParams {
            /// Names of the families.
            pub const NAMES: [&'static str; COUNT] = [$($(#[cfg($cfg)])? $name),*];

            /// The family of this name with its default parameters.
            ///
            /// # Errors
            /// [`Error::Parameter`] for a name that is not a family's.
            pub fn from_name(name: &str) -> Result<Self> {
                match name {
                    $($(#[cfg($cfg)])? $name => Ok(Self::$variant(Default::default())),)*
                    _ => {
                        let reason = format!("the families are: {}", Self::NAMES.join(", "));
                        Err(Error::parameter("descriptor", name, reason))
                    }
                }
            }

            /// The family's name.
            pub fn name(&self) -> &'static str {
                match self {
                    $($(#[cfg($cfg)])? Self::$variant(_) => $name,)*
                }
            }

            /// Checks the parameters against an image of `shape` px and makes the tables.
            ///
            /// # Errors
            /// [`Error::Parameter`] for what cannot be.
            pub fn plan(&self, shape: Extent) -> Result<Family> {
                match self {
                    $($(#[cfg($cfg)])? Self::$variant(own) => own.plan(shape).map(Family::$variant),)*
                }
            }

            /// Parameters for an image of some 50 px, once for each kernel that the family
            /// may run.
            pub(crate) fn small(&self) -> Vec<Self> {
                match self {
                    $($(#[cfg($cfg)])? Self::$variant(own) => {
                        own.small().into_iter().map(Self::$variant).collect()
                    })*
                }
            }

            /// The family at its inner sites, not pooled, and their distance in px; nothing
            /// for a family whose scores have no centres or axes.
            pub(crate) fn unpooled(&self) -> Option<(Self, usize)> {
                match self {
                    $($(#[cfg($cfg)])? Self::$variant(own) => {
                        own.unpooled().map(|(own, stride)| (Self::$variant(own), stride))
                    })*
                }
            }
        }

        impl Family {
            /// The family's name, as files have it.
            pub fn name(&self) -> &'static str {
                match self {
                    $($(#[cfg($cfg)])? Self::$variant(_) => $name,)*
                }
            }
        }
    };
}

families!(declare_enums);

impl FamilyParams {
    /// The parameters that the family's margin is made of, in words.
    pub fn margin_of(&self) -> &'static str {
        families!(each self, FamilyParams, own => own.margin_of())
    }

    /// What a user can do where an image of `shape` px is too small for the
    /// family; `enough` says whether a margin leaves enough sites.
    pub fn smaller(&self, shape: Extent, enough: &dyn Fn(Extent) -> bool) -> String {
        families!(each self, FamilyParams, own => own.advice(shape, enough))
    }

    /// Those of its parameters that other families may have too.
    pub fn common(&mut self) -> Common<'_> {
        families!(each self, FamilyParams, own => own.common())
    }

    /// Distance of neighbouring inner sites, px, where the family has such.
    pub(crate) fn inner_stride(&self) -> Option<usize> {
        self.clone().common().inner_stride.copied()
    }

    /// Parameters that have to span a period of the crystal, with their half sizes in px.
    pub(crate) fn spans(&self) -> Vec<(&'static str, usize)> {
        families!(each self, FamilyParams, own => own.spans())
    }
}

impl Family {
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

    /// The translation of each channel that is one, `[D]`, px.
    pub fn translations(&self) -> Vec<Option<Translation>> {
        self.measure().translations()
    }

    /// Additions and multiplications of the definition at all sites of `sites`, the pixels of a
    /// window shared by those it belongs to; nothing where they do not say what the work is.
    pub fn operations(&self, sites: &SiteGrid) -> Option<f64> {
        self.measure().operations(sites)
    }

    /// Orders of the axes whose scores the channels are; none where they are of
    /// something else.
    pub fn orders(&self) -> &[usize] {
        self.measure().orders()
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

    /// Its scores, where they are sums of products of polar samples.
    pub(crate) fn polar_scores(&self) -> Option<PolarScores<'_>> {
        self.measure().polar_scores()
    }

    /// What the largest of the `scores` of an inner site, number `best`, is of: the order
    /// of the axis, or its angle in degrees, 0 to 180.
    pub(crate) fn symmetry(&self, scores: &[f32], best: usize) -> f32 {
        self.measure().symmetry(scores, best)
    }

    fn measure(&self) -> &dyn Measure {
        families!(each self, Family, own => own)
    }
}
