//! Crystals: the lattices of the regions of a label map, and how those that touch are related.
//!
//! [`Crystals::new`] looks at each region by itself: its pixels have weights that rise smoothly from
//! its end, the peaks of their spectrum tell which two waves span the reciprocal lattice, and these
//! are moved to where the power of all reflections together is largest. Standard errors come from
//! what the crystal leaves of each band of scan rows: they hold counts and displaced rows, but not
//! how a whole scan is stretched, sheared or bent ([`DISTORTION`]). Regions that are too small, and
//! those that repeat in one direction alone or not at all, say so ([`Without`]).
//!
//! [`Calibration`] is what a known lattice says of the scan, [`ScanDistortion`] what crystals of one symmetry say that are
//! turned against each other. [`strain::StrainMaps`] tells how regions are strained and turned inside.
//!
//! Vectors are rows (down) and columns (to the right), in px; angles go counter-clockwise from the
//! right as displayed, in degrees. Where pixels have a size, angles, the reduced cell and the types of
//! lattices are those in nm, whatever the shape of a pixel.
//!
//! ```
//! use ndarray::Array2;
//! use stemseg_crystals::{Crystals, LatticeType};
//! use stemseg_regions::Regions;
//!
//! let wave = |x: usize| (x as f32 * std::f32::consts::TAU / 9.0).cos();
//! let image = Array2::from_shape_fn((128, 128), |(r, c)| wave(r) + wave(c));
//! let labels = Array2::<u16>::ones((128, 128));
//! let regions = Regions::new(&labels.view(), None, None);
//! let crystals = Crystals::new(image.view(), &regions, None);
//! let cell = crystals.patterns[0].found.as_ref().unwrap().cell;
//! assert_eq!(cell.lattice_type, LatticeType::Square);
//! assert!((cell.lengths_px[0].value - 9.0).abs() < 1e-3);
//! ```

mod average;
mod boundary;
mod calibration;
mod cell;
mod indexing;
mod lattice;
mod pattern;
mod plane;
mod plane_group;
mod refine;
mod relation;
mod scan;
mod spectrum;
pub mod strain;
mod sums;
mod window;

use std::collections::BTreeMap;

use ndarray::ArrayView2;
use rayon::prelude::*;
use stemseg::image::micrograph::PixelSize;
use stemseg_regions::Regions;
use stemseg_regions::lines::BoundaryLine;

pub use average::Average;
pub use boundary::Interface;
pub use calibration::{Calibration, KnownLattice};
pub use cell::{Cell, DISTORTION, LatticeType, Measured};
pub use lattice::{Lattice, Without};
pub use pattern::{CellNumbers, Common, Numbers, Pattern, PlaneGroupNumbers, Repeating};
pub use plane::Vector;
pub use plane_group::PlaneGroups;
pub use relation::{Relation, Shared};
pub use scan::ScanDistortion;

/// The lattices of the regions of a label map.
#[derive(Debug, Clone, PartialEq)]
pub struct Crystals {
    /// Of each region, in their order.
    pub regions: Vec<Result<Lattice, Without>>,
    /// What the regions of each label have in common, the lowest label first.
    pub patterns: Vec<Pattern>,
    /// What the boundaries are like, by the labels of their sides, the lower first.
    pub interfaces: BTreeMap<[u16; 2], Interface>,
}

impl Crystals {
    /// Of the `regions` of `image` `[rows, cols]`.
    ///
    /// # Panics
    /// Where the regions are those of an image of another shape.
    pub fn new(
        image: ArrayView2<'_, f32>,
        regions: &Regions,
        pixel_size: Option<PixelSize>,
    ) -> Self {
        assert_eq!(image.dim(), regions.shape(), "regions of this image");
        let of = |region| lattice::of_region(image, regions, region, pixel_size);
        let found: Vec<_> = regions.all().par_iter().map(of).collect();
        let patterns = Pattern::all(regions, &found, pixel_size);
        let pixel = pixel_size.map_or([1.0; 2], |size| [size.rows, size.cols]);
        let cell = |label: u16| {
            let own = patterns.iter().find(|pattern| pattern.label == label)?;
            own.found.as_ref().ok().map(|common| &common.cell)
        };
        let interfaces = boundary::directions(regions, pixel)
            .into_iter()
            .map(|(labels, directions)| (labels, Interface::new(directions, labels.map(cell))))
            .collect();
        Self { regions: found, patterns, interfaces }
    }

    /// Indices `h k` of the planes of both crystals along a line, by its mean normal, the larger 1 or
    /// -1: of the cells of its regions, or else of their patterns. Nothing where one has no cell, and
    /// for a line that goes in all directions.
    pub fn planes_along(&self, line: &BoundaryLine) -> Option<[[f64; 2]; 2]> {
        let normal = line.normal_deg?.to_radians();
        let normal = [-normal.sin(), normal.cos()];
        let plane = |side: usize| {
            let own = self.regions.get(line.regions[side] as usize - 1);
            let own = own.and_then(|found| found.as_ref().ok()).map(|lattice| &lattice.cell);
            let pattern = || {
                let of_label = self.patterns.iter().find(|own| own.label == line.labels[side])?;
                of_label.found.as_ref().ok().map(|common| &common.cell)
            };
            own.or_else(pattern).map(|cell| relation::miller(cell, normal))
        };
        Some([plane(0)?, plane(1)?])
    }
}
