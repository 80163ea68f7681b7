//! In the stead of writers that this build leaves out.

use std::path::Path;

use super::content::{OmeZarr, Signal};
use super::label_type::LabelType;
use crate::features::Feature;
use stemseg::image::rows::Rows;
use stemseg::{Error, Result};

/// Of a build without the feature `hspy`.
///
/// # Errors
/// [`Error::Parameter`], always.
#[cfg_attr(feature = "hspy", allow(dead_code, reason = "tested everywhere"))]
pub fn write_hspy(_: &Path, _: &dyn Rows<u16>, _: LabelType, _: &Signal<'_>) -> Result<()> {
    Err(refusal("hspy", Feature::Hspy, "writes hspy files"))
}

/// Of a build without the feature `zarr`.
///
/// # Errors
/// [`Error::Parameter`], always.
#[cfg_attr(feature = "zarr", allow(dead_code, reason = "tested everywhere"))]
pub fn write_ome_zarr(_: &Path, _: &OmeZarr<'_>) -> Result<()> {
    Err(refusal("ome-zarr", Feature::Zarr, "writes OME-Zarr"))
}

fn refusal(format: &str, feature: Feature, does: &str) -> Error {
    let missing = feature.missing(does);
    Error::parameter("format", format, format!("{missing}; give tiff or npy"))
}
