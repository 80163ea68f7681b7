//! `strain.tif`: how regions are strained and turned inside.

use std::path::Path;

use ndarray::ArrayView2;
use stemseg::image::micrograph::PixelSize;
use stemseg::image::rows::Rows;
use stemseg::{Error, Result};
use stemseg_crystals::Crystals;
use stemseg_crystals::strain::{MAPS, Reference, StrainMaps};
use stemseg_files::write::write_maps_tiff;
use stemseg_regions::Regions;

/// What strain is relative to: the region that has the pixel `at`, where there is one.
///
/// # Errors
/// [`Error::Parameter`] for a pixel that is not in the image, or in no region with a lattice.
pub(crate) fn reference(
    at: Option<[usize; 2]>,
    regions: &Regions,
    crystals: &Crystals,
) -> Result<Reference> {
    let Some([row, col]) = at else { return Ok(Reference::Own) };
    let refused =
        |reason: String| Err(Error::parameter("strain-reference", format!("{row},{col}"), reason));
    let (rows, cols) = regions.shape();
    if row >= rows || col >= cols {
        return refused(format!(
            "the image has rows 0 to {} and columns 0 to {}",
            rows - 1,
            cols - 1
        ));
    }
    let number = regions.numbers_in([row, col, row + 1, col + 1])[(0, 0)];
    match number.checked_sub(1).map(|region| &crystals.regions[region as usize]) {
        Some(Ok(_)) => Ok(Reference::Region(number)),
        Some(Err(without)) => {
            refused(format!("region {number} there cannot be compared with: {}", without.words()))
        }
        None => refused("the pixel there has no label".into()),
    }
}

/// Writes all maps to `path`.
pub(super) fn write(path: &Path, maps: &StrainMaps<'_>, size: Option<PixelSize>) -> Result<()> {
    let all: Vec<_> = (0..MAPS.len()).map(|map| maps.map(map)).collect();
    let named: Vec<(&str, &dyn Rows<f32>)> =
        MAPS.into_iter().zip(&all).map(|(name, map)| (name, map as &dyn Rows<f32>)).collect();
    write_maps_tiff(path, &named, size)
}

/// The maps of `regions` of `image`, relative to the region at a pixel, where one is given.
///
/// # Errors
/// As [`reference()`].
pub(crate) fn maps<'r>(
    image: ArrayView2<'_, f32>,
    regions: &'r Regions,
    crystals: &Crystals,
    at: Option<[usize; 2]>,
) -> Result<(StrainMaps<'r>, Reference)> {
    let reference = reference(at, regions, crystals)?;
    Ok((StrainMaps::new(image, regions, crystals, reference), reference))
}
