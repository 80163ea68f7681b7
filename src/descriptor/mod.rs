//! Descriptor families: what is measured at a site.
//!
//! One file per family holds its parameters, channels, margin, host tables and
//! formula; its kernels are `backend/cpu/NAME.rs` and `shaders/NAME.wgsl` with
//! the launcher `backend/gpu/NAME.rs`.

pub mod translation;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sites::Extent;
use crate::{Error, Result};
pub use translation::Translation;

/// A family with the parameters that a user gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "family", rename_all = "kebab-case")]
pub enum FamilyParams {
    /// Local correlation map, see [`translation`].
    Translation(translation::Params),
}

/// A family ready to compute: parameters checked, tables made.
#[derive(Debug, Clone)]
pub enum Family {
    /// Local correlation map, see [`translation`].
    Translation(translation::Family),
}

impl FamilyParams {
    /// The family of this name with its default parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a name that is no family's.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "translation" => Ok(Self::Translation(translation::Params::default())),
            _ => Err(Error::parameter("descriptor", name, "the families are: translation")),
        }
    }

    /// Checks the parameters against an image of `shape` px and makes the tables.
    ///
    /// # Errors
    /// [`Error::Parameter`] for what cannot be.
    pub fn plan(&self, shape: Extent) -> Result<Family> {
        match self {
            Self::Translation(params) => params.plan(shape).map(Family::Translation),
        }
    }

    /// What a user can do where an image of `shape` px is too small for the
    /// family; `enough` says whether a margin leaves enough sites.
    pub fn smaller(&self, shape: Extent, enough: &dyn Fn(Extent) -> bool) -> String {
        match self {
            Self::Translation(params) => params.smaller(shape, enough),
        }
    }
}

impl Family {
    /// The family's name, as on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Translation(_) => "translation",
        }
    }

    /// Distance that sites keep from the image's border, px.
    pub fn margin(&self) -> Extent {
        match self {
            Self::Translation(family) => family.margin(),
        }
    }

    /// Number of channels, D.
    pub fn channels(&self) -> usize {
        match self {
            Self::Translation(family) => family.translations.len(),
        }
    }

    /// Names of the channels, for reports.
    pub fn channel_names(&self) -> Vec<String> {
        match self {
            Self::Translation(family) => {
                family.translations.iter().map(|t| format!("translation {t} px")).collect()
            }
        }
    }

    /// Sites that it is best computed in together.
    pub fn tile_size(&self, stride: usize) -> Extent {
        match self {
            Self::Translation(family) => family.tile_size(stride),
        }
    }
}
