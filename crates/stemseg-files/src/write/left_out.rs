//! In the stead of writers that this build leaves out.

#[cfg(not(feature = "hspy"))]
mod hspy {
    use std::path::Path;

    use super::super::{LabelType, Signal};
    use crate::Feature;
    use stemseg::Result;
    use stemseg::image::rows::Rows;

    /// In a build without the feature `hspy`.
    ///
    /// # Errors
    /// [`Error::Parameter`](stemseg::Error::Parameter), always.
    pub fn write_hspy(_: &Path, _: &dyn Rows<u16>, _: LabelType, _: &Signal<'_>) -> Result<()> {
        Err(Feature::Hspy.not_written())
    }
}

#[cfg(not(feature = "zarr"))]
mod ome_zarr {
    use std::path::Path;

    use super::super::{OmeZarr, OmeZarrFilm, OmeZarrFrame};
    use crate::Feature;
    use stemseg::Result;

    /// In a build without the feature `zarr`.
    ///
    /// # Errors
    /// [`Error::Parameter`](stemseg::Error::Parameter), always.
    pub fn write_ome_zarr(_: &Path, _: &OmeZarr<'_>) -> Result<()> {
        Err(Feature::Zarr.not_written())
    }

    /// In a build without the feature `zarr`.
    ///
    /// # Errors
    /// [`Error::Parameter`](stemseg::Error::Parameter), always.
    pub fn write_ome_zarr_film(
        _: &Path,
        _: &OmeZarrFilm<'_>,
        _: &mut dyn FnMut(usize) -> Result<OmeZarrFrame>,
    ) -> Result<()> {
        Err(Feature::Zarr.not_written())
    }
}

#[cfg(not(feature = "hspy"))]
pub use hspy::write_hspy;
#[cfg(not(feature = "zarr"))]
pub use ome_zarr::{write_ome_zarr, write_ome_zarr_film};
