//! Outlines of regions for programs that draw: regions of interest for Fiji, GeoJSON, SVG.

mod geojson;
mod lines;
mod roi;
mod svg;

use std::path::Path;

use stemseg::image::micrograph::PixelSize;
use stemseg::{Error, Result};

pub use geojson::write_geojson;
pub use lines::{Line, Lines, write_lines_geojson, write_lines_svg};
pub use roi::write_rois;
pub use svg::write_svg;

/// A ring of corners of pixels, as row and column; the last leads back to the first.
pub type Ring = Vec<[u32; 2]>;

/// The regions of an image.
#[derive(Debug, Clone)]
pub struct Outlines<'a> {
    /// Name of the image without its ending.
    pub name: &'a str,
    /// Rows and columns of the image, px.
    pub shape: (usize, usize),
    /// Size of a pixel, where it is known.
    pub pixel_size: Option<PixelSize>,
    /// The regions, by label.
    pub regions: Vec<OutlinedRegion>,
}

/// One region.
#[derive(Debug, Clone)]
pub struct OutlinedRegion {
    /// Its number, from 1.
    pub region: u32,
    /// Its label.
    pub label: u16,
    /// The label's name, where it has one.
    pub name: Option<String>,
    /// The label's colour.
    pub colour: [u8; 3],
    /// Number of its pixels.
    pub area_px: u64,
    /// Mean of the confidence of its pixels, where that is known.
    pub confidence: Option<f64>,
    /// First the outer ring, clockwise on the image, then those of holes, counter-clockwise.
    pub rings: Vec<Ring>,
}

impl OutlinedRegion {
    /// What its pattern is called.
    fn pattern(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("pattern {}", self.label))
    }
}

/// `bytes` as the file at `path`.
fn save(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(Error::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring of pixels in label 1 about a pixel of label 2, in an image of 4 x 5 px.
    pub(super) fn ring_and_pixel() -> Outlines<'static> {
        let region = |region, label, area_px, rings| OutlinedRegion {
            region,
            label,
            name: (label == 2).then(|| "a \"<b>\"".to_owned()),
            colour: [230, 159, label as u8],
            area_px,
            confidence: Some(0.5),
            rings,
        };
        let outer = vec![[0, 1], [0, 4], [3, 4], [3, 1]];
        let hole = vec![[1, 2], [2, 2], [2, 3], [1, 3]];
        let inside = vec![[1, 2], [1, 3], [2, 3], [2, 2]];
        Outlines {
            name: "image",
            shape: (4, 5),
            pixel_size: Some(PixelSize { rows: 0.02, cols: 0.01 }),
            regions: vec![region(1, 1, 8, vec![outer, hole]), region(2, 2, 1, vec![inside])],
        }
    }

    pub(super) fn written(write: impl Fn(&Path, &Outlines<'_>) -> Result<()>) -> Vec<u8> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        write(&path, &ring_and_pixel()).unwrap();
        std::fs::read(path).unwrap()
    }
}
