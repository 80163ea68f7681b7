//! Strain and rotation inside regions, from the phases of their reflections.
//!
//! What is left of the pixels `f` of a region after its wave `g` is taken off turns slowly: where
//! the crystal is strained, `z = f exp(-2 pi i g x)` has the phase `2 pi (g' - g) x` of the wave `g'`
//! that is there. Averaged under a Gaussian, `A = G * z` (`*` is convolution), the local wave is
//! `g' = g + J^-1 Im(conj(A) grad A) / (2 pi |A|^2)` (geometric phase analysis: Hytch, Snoeck and
//! Kilaas, Quantitative measurement of displacement and strain fields from HREM micrographs,
//! Ultramicroscopy 74, 131, 1998). No pixel of another region counts. So the middle of what counts
//! lies further inside than the Gaussian's near where a region ends, and moves less than that does:
//! `J = 1 + sigma^2 grad grad log m` with the sum of the weights `m = G * w` (exact for weights that
//! are Gaussian themselves).
//!
//! Scan rows that a trembling probe has displaced are put back first (`rows.rs`).
//!
//! All strong waves of the crystal count, `g_j = h_j a* + k_j b*`, by their powers `|A_j|^2`: least
//! squares of `g'_j` give the local `a*` and `b*`, whose direct vectors are `F` times those of the
//! reference. `F = R U`: the rotation `R`, and the strain `U - 1` in the reference's coordinates,
//! whole, not in the limit of small ones.

mod field;
mod rows;
mod sums;

use ndarray::{Array2, ArrayView2};
use stemseg::image::rows::Rows;
use stemseg_regions::{Region, Regions};

use self::field::Field;
use crate::plane::{Vector, area, combined, coordinates, length, minus};
use crate::{Crystals, Lattice};

/// How far a lattice may be from the reference's to be compared with it, relative.
const ALIKE: f64 = 0.15;

/// Strain and rotation at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strain {
    /// Relative change of lengths along the columns' direction (to the right), along the rows'
    /// direction, and the shear of the two with upwards, as displayed.
    pub exx: f64,
    /// See [`exx`](Self::exx).
    pub eyy: f64,
    /// See [`exx`](Self::exx): half the change of the angle between the two, radians.
    pub exy: f64,
    /// Rotation counter-clockwise, as displayed, degrees.
    pub rotation_deg: f64,
    /// Standard error of a strain, and of the rotation in radians, by the noise of the pixels and of
    /// the scan rows.
    pub error: f64,
}

/// The names of the maps, in the order of [`Strain::values`].
pub const MAPS: [&str; 5] = ["exx", "eyy", "exy", "rotation_deg", "error"];

impl Strain {
    /// The values in the order of [`MAPS`].
    pub fn values(&self) -> [f64; 5] {
        [self.exx, self.eyy, self.exy, self.rotation_deg, self.error]
    }
}

/// What strain is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reference {
    /// The mean lattice of each region.
    #[default]
    Own,
    /// The mean lattice of the region of this number, for regions of the same pattern that have
    /// nearly the same; their own for others.
    Region(u32),
}

/// The strain of one region.
///
/// Near where it ends, a place tells the strain of the middle of what counts, up to 0.8 standard
/// deviations of the Gaussian further inside.
#[derive(Debug, Clone)]
pub struct RegionStrain {
    /// Its number.
    pub region: u32,
    /// Number of the region that it is relative to.
    pub reference: u32,
    /// Standard deviation of the Gaussian that it is averaged under, px.
    pub sigma_px: f64,
    /// First row and column of the places, and every how many px these are.
    first: [usize; 2],
    step: usize,
    places: Array2<Option<Strain>>,
}

impl RegionStrain {
    /// Every how many px it is known, along both axes.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Strain at all places where it is known.
    pub fn all(&self) -> impl Iterator<Item = &Strain> {
        self.places.iter().flatten()
    }

    /// The value of one of the [`MAPS`] at a pixel, between the places around; nothing where too
    /// little is known.
    fn at(&self, map: usize, row: usize, col: usize) -> Option<f64> {
        let (rows, cols) = self.places.dim();
        let place =
            [(row, self.first[0], rows), (col, self.first[1], cols)].map(|(at, first, n)| {
                let at = (at as f64 - first as f64) / self.step as f64;
                let below = at.floor().clamp(0.0, (n - 1) as f64);
                (below as usize, at - below)
            });
        let (mut sum, mut weight) = (0.0, 0.0);
        for (dr, dc) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let own = [(0, dr), (1, dc)].map(|(axis, step): (usize, usize)| {
                let (below, part) = place[axis];
                (below + step, if step == 0 { 1.0 - part } else { part })
            });
            let [(r, of_row), (c, of_col)] = own;
            if let Some(Some(known)) = self.places.get((r, c)) {
                let share = of_row * of_col;
                weight += share;
                sum += share * known.values()[map];
            }
        }
        (weight > 0.25).then(|| sum / weight)
    }
}

/// The strain of all regions that have a lattice.
#[derive(Debug, Clone)]
pub struct StrainMaps<'a> {
    regions: &'a Regions,
    /// By region, in their order: nothing of those that have no lattice.
    pub of_regions: Vec<Option<RegionStrain>>,
}

impl<'a> StrainMaps<'a> {
    /// Of the `regions` of `image` `[rows, cols]`, which have these `crystals`.
    ///
    /// # Panics
    /// Where these are not the regions, or the crystals, of the image.
    pub fn new(
        image: ArrayView2<'_, f32>,
        regions: &'a Regions,
        crystals: &Crystals,
        reference: Reference,
    ) -> Self {
        assert_eq!(image.dim(), regions.shape(), "regions of this image");
        let reference = match reference {
            Reference::Own => None,
            Reference::Region(number) => {
                regions.all().iter().zip(&crystals.regions).find_map(|(region, found)| {
                    (region.region == number).then_some((region, found.as_ref().ok()?))
                })
            }
        };
        let of = |(region, found): (&Region, &Result<Lattice, _>)| {
            let lattice = found.as_ref().ok()?;
            let near = |(other, known): (&Region, &Lattice)| {
                let alike = (other.label == region.label).then(|| alike(lattice, known))??;
                Some((alike, other.region))
            };
            let own = (lattice.cell.vectors_px, region.region);
            let (vectors, by) = reference.and_then(near).unwrap_or(own);
            Some(Field::new(lattice).region(image, regions, region, (vectors, by)))
        };
        let of_regions = regions.all().iter().zip(&crystals.regions).map(of).collect();
        Self { regions, of_regions }
    }

    /// One of the [`MAPS`]: NaN where nothing is known.
    ///
    /// # Panics
    /// Where there is no map of that number.
    pub fn map(&self, map: usize) -> StrainMap<'_> {
        assert!(map < MAPS.len(), "map {map}");
        StrainMap { maps: self, map }
    }
}

/// One of the maps, `[rows, cols]`, row by row.
#[derive(Debug, Clone, Copy)]
pub struct StrainMap<'a> {
    maps: &'a StrainMaps<'a>,
    map: usize,
}

impl Rows<f32> for StrainMap<'_> {
    fn shape(&self) -> (usize, usize) {
        self.maps.regions.shape()
    }

    fn fill(&self, row: usize, to: &mut [f32]) {
        let numbers = self.maps.regions.numbers_in([row, 0, row + 1, to.len()]);
        for (col, (to, number)) in to.iter_mut().zip(&numbers).enumerate() {
            let own = number.checked_sub(1).map(|region| &self.maps.of_regions[region as usize]);
            let known = own.and_then(|own| own.as_ref()?.at(self.map, row, col));
            *to = known.map_or(f32::NAN, |value| value as f32);
        }
    }
}

/// The vectors of `known` that are next to those of `lattice`, where the two are nearly the same.
fn alike(lattice: &Lattice, known: &Lattice) -> Option<[Vector; 2]> {
    let other = known.cell.vectors_px;
    let whole = lattice.cell.vectors_px.map(|v| coordinates(other, v).map(f64::round));
    let vectors = whole.map(|whole| combined(other, whole));
    let near = lattice.cell.vectors_px.iter().zip(&vectors);
    let near = near.map(|(&own, &other)| length(minus(own, other)) / length(own));
    (area(whole[0], whole[1]).abs() == 1.0 && near.fold(0.0, f64::max) < ALIKE).then_some(vectors)
}
