//! Regions: the connected pixels of one label, and what materials scientists ask of them.
//!
//! [`Regions::new`] goes through a label map once, row by row: runs of equal labels are joined
//! with those of the row before, so that memory grows with the boundaries, not with the pixels.
//! Names are those of scikit-image's `regionprops`, of which the formulas are too, except
//! where it is said: `area`, `equivalent_diameter`, `axis_major_length`, `feret_diameter_max`,
//! `solidity`. [`grains`] makes size distributions of them. [`lines`] follows the boundaries between
//! them at sub-pixel, and [`junctions`] says at which angles these meet.

mod absorb;
mod chains;
pub mod grains;
mod hull;
pub mod junctions;
pub mod lines;
pub mod outline;
mod path;
mod runs;
mod shape;
mod sides;

use ndarray::Array2;
use serde::Serialize;
use stemseg::image::micrograph::PixelSize;
use stemseg::image::rows::Rows;

pub use runs::Connected;
pub use shape::Shape;

/// Row and column, px; centres of pixels are at whole numbers.
pub type Point = [f64; 2];

/// One region.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Region {
    /// Its number, from 1: by label, the largest first.
    pub region: u32,
    /// Its label.
    pub label: u16,
    /// Number of its pixels.
    pub area_px: u64,
    /// Row and column of its centre, px.
    pub centroid_px: [f64; 2],
    /// First row and column, and those after the last.
    pub bbox_px: [usize; 4],
    /// Whether it touches the image's border or pixels without a label: it may reach further.
    pub touches_border: bool,
    /// Numbers of the regions that share a side of a pixel with it.
    pub neighbours: Vec<u32>,
    /// Mean of the confidence of its pixels, where that is known.
    pub confidence: Option<f64>,
    /// Its size and shape, px.
    pub shape: Shape,
    /// The same in nm, where the size of a pixel is known, which may differ along the axes.
    pub shape_nm: Option<Shape>,
}

/// The regions of a label map.
#[derive(Debug, Clone, PartialEq)]
pub struct Regions {
    all: Vec<Region>,
    connected: Connected,
    shape: (usize, usize),
}

impl Regions {
    /// Of `labels` `[rows, cols]`, of which 0 is none: pixels of one label that touch along a side.
    /// `confidence` `[rows, cols]` is averaged over each.
    ///
    /// # Panics
    /// Where the confidence has another shape.
    pub fn new(
        labels: &dyn Rows<u16>,
        confidence: Option<&dyn Rows<f32>>,
        pixel_size: Option<PixelSize>,
    ) -> Self {
        let shape = labels.shape();
        let connected = Connected::new(labels, confidence);
        let all = connected.regions(shape, pixel_size);
        Self { all, connected, shape }
    }

    /// All of them, by label, the largest first.
    pub fn all(&self) -> &[Region] {
        &self.all
    }

    /// Those of one label.
    pub fn of(&self, label: u16) -> impl Iterator<Item = &Region> {
        self.all.iter().filter(move |region| region.label == label)
    }

    /// The number of each pixel's region, `[rows, cols]`, 0 where it has none.
    pub fn numbers(&self) -> Array2<u32> {
        self.connected.numbers(self.shape)
    }

    /// The number of each pixel's region, 0 where it has none, from the first row and column of
    /// `place` to those before its third and fourth.
    ///
    /// # Panics
    /// Where the place reaches out of the image.
    pub fn numbers_in(&self, place: [usize; 4]) -> Array2<u32> {
        let [_, _, bottom, right] = place;
        assert!(bottom <= self.shape.0 && right <= self.shape.1, "{place:?} of {:?}", self.shape);
        self.connected.numbers_in(place)
    }

    /// Rows and columns of the image, px.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }
}
