//! Where descriptors are computed: [`Sites`].
//!
//! Whoever only has to know where sites are, and which of them take part, takes `&Sites`.

mod grid;

use std::ops::Range;

use ndarray::{ArcArray2, Array2, Axis, CowArray, Ix2};

pub use grid::{Band, Extent, SiteGrid, Tile, blocks};

/// Most sites along the longer side of a map that is only looked at.
pub(crate) const LONGEST_MAP: usize = 240;

/// The sites of an image: their grid, the tiles and bands in which they are worked on, and
/// which of them take part in what is learnt of the image.
///
/// A site is named by its place in the grid, row and column, or by its index `row * cols +
/// col`; an *active* site also by its number among the active ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Sites {
    shape: Extent,
    grid: SiteGrid,
    tile: Extent,
    reach: Extent,
    mask: Option<ArcArray2<bool>>,
    active: Option<Array2<bool>>,
}

impl Sites {
    /// All sites of `grid` in an image of `shape` px, in tiles of at most `tile` sites; a site
    /// depends on pixels up to `reach` px away.
    pub fn new(shape: Extent, grid: SiteGrid, tile: Extent, reach: Extent) -> Self {
        Self { shape, grid, tile, reach, mask: None, active: None }
    }

    /// These sites in an image whose pixels under `mask` do not count, and of which those under
    /// `absent`, both `[rows, cols]`, are not there at all: sites on them take no part.
    #[must_use]
    pub fn without(self, mask: Option<ArcArray2<bool>>, absent: Option<&ArcArray2<bool>>) -> Self {
        let grid = self.grid;
        let there = |absent: &ArcArray2<bool>| {
            Array2::from_shape_fn((grid.count.rows, grid.count.cols), |(i, j)| {
                !absent[(grid.row(i), grid.col(j))]
            })
        };
        Self { mask, active: absent.map(there), ..self }
    }

    /// Size of what is described, px: the image, or the image resampled.
    pub fn shape(&self) -> Extent {
        self.shape
    }

    /// The grid that the sites form.
    pub fn grid(&self) -> &SiteGrid {
        &self.grid
    }

    /// Most sites of a tile.
    pub fn tile(&self) -> Extent {
        self.tile
    }

    /// How far the pixels lie that the descriptors of a site depend on, px.
    pub fn reach(&self) -> Extent {
        self.reach
    }

    /// `[rows, cols]`, true where a pixel does not count, absent ones and outliers: for
    /// families that leave such pixels out. Others see 0 in place of what is absent, and
    /// values from their surroundings in place of outliers.
    pub fn mask(&self) -> Option<&ArcArray2<bool>> {
        self.mask.as_ref()
    }

    /// `[site rows, site cols]`, false where the site's pixel is absent; such sites are
    /// described but take no part in what is learnt of the image. Nothing where all take part.
    pub fn active(&self) -> Option<&Array2<bool>> {
        self.active.as_ref()
    }

    /// Number of sites that take part.
    pub fn active_count(&self) -> usize {
        self.active.as_ref().map_or(self.grid.len(), |a| a.iter().filter(|&&a| a).count())
    }

    /// Whether site `index` takes part.
    pub fn is_active(&self, index: usize) -> bool {
        let cols = self.grid.count.cols;
        self.active.as_ref().is_none_or(|active| active[(index / cols, index % cols)])
    }

    /// The indices of the sites that take part, in their order.
    pub fn active_indices(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.grid.len()).filter(|&index| self.is_active(index))
    }

    /// What `values` have for each active site, in their order, at its place in the grid;
    /// nothing at the places of others: `[site rows, site cols]`.
    ///
    /// # Panics
    /// Where there are fewer values than active sites.
    pub fn placed<T>(&self, values: impl IntoIterator<Item = T>) -> Array2<Option<T>> {
        let mut values = values.into_iter();
        let mut value = || values.next().expect("a value for each active site");
        let at = |(i, j)| self.is_active(i * self.grid.count.cols + j).then(&mut value);
        Array2::from_shape_fn((self.grid.count.rows, self.grid.count.cols), at)
    }

    /// The number of each active site among the active ones, at its place in the grid.
    pub fn active_numbers(&self) -> Array2<Option<usize>> {
        self.placed(0..)
    }

    /// The rows of `values` `[sites, _]` whose sites take part.
    pub fn keep_active<'v, T: Clone>(&self, values: &'v Array2<T>) -> CowArray<'v, T, Ix2> {
        if self.active.is_none() {
            return values.view().into();
        }
        let rows: Vec<usize> = self.active_indices().collect();
        values.select(Axis(0), &rows).into()
    }

    /// Bands of at most `rows` site rows, rounded to whole tiles (one at least).
    pub fn bands(&self, rows: usize) -> Vec<Band> {
        self.grid.bands((rows / self.tile.rows).max(1) * self.tile.rows)
    }

    /// All sites as one band.
    pub fn whole(&self) -> Band {
        Band { rows: 0..self.grid.count.rows, cols: self.grid.count.cols }
    }

    /// The tiles of `band`, row by row of tiles. They lie at the same places
    /// whatever the bands, so that values do not depend on them.
    pub fn tiles(&self, band: &Band) -> Vec<Tile> {
        self.grid.tiles(band.rows.clone(), self.tile)
    }

    /// Bands of single rows of tiles, evenly spread, with about `sites` sites in all: a
    /// sample where all of them would be too many.
    pub fn sample_bands(&self, sites: usize) -> Vec<Band> {
        let every = self.grid.len().div_ceil(sites.max(1)).max(1);
        self.bands(1).into_iter().step_by(every).collect()
    }

    /// Every how many rows, and columns, of sites a map has one that is only looked at.
    pub fn map_step(&self) -> usize {
        self.grid.count.rows.max(self.grid.count.cols).div_ceil(LONGEST_MAP)
    }

    /// The pixel rows that the descriptors of `band` depend on.
    pub fn pixel_rows(&self, band: &Band) -> Range<usize> {
        let last = self.grid.row(band.rows.end - 1);
        self.grid.row(band.rows.start).saturating_sub(self.reach.rows)
            ..(last + self.reach.rows + 1).min(self.shape.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(shape: (usize, usize), tile: usize) -> Sites {
        let shape = Extent { rows: shape.0, cols: shape.1 };
        let grid = SiteGrid::new(shape, Extent::square(40), 1);
        Sites::new(shape, grid, Extent::square(tile), Extent::square(40))
    }

    #[test]
    fn a_sample_of_bands_is_spread_and_within_its_size() {
        let sites = sites((900, 200), 32);
        let all = sites.bands(1);
        assert_eq!(sites.sample_bands(sites.grid().len()), all, "all of them where they are few");
        let most = sites.grid().len() / 3;
        let sample = sites.sample_bands(most);
        let taken: usize = sample.iter().map(Band::len).sum();
        assert!(taken <= most + all[0].len() && taken > most / 2, "{taken} of {most}");
        assert!(sample.iter().all(|band| all.contains(band)));
        assert!(sample.last().unwrap().rows.start > sites.grid().count.rows / 2);
    }

    #[test]
    fn active_sites_are_numbered_in_their_order() {
        let absent = Array2::from_shape_fn((90, 84), |(row, col)| row == 41 && col > 41);
        let sites = sites((90, 84), 8).without(None, Some(&absent.into_shared()));
        assert_eq!((sites.grid().len(), sites.active_count()), (40, 38));
        let numbers = sites.active_numbers();
        assert_eq!(numbers[(1, 1)], Some(5));
        assert_eq!(numbers[(1, 2)], None);
        assert_eq!(numbers[(2, 0)], Some(6));
        let of_sites = Array2::from_shape_fn((40, 1), |(site, _)| site);
        let kept = sites.keep_active(&of_sites);
        for (number, index) in sites.active_indices().enumerate() {
            assert_eq!(kept[(number, 0)], index);
            assert_eq!(numbers[(index / 4, index % 4)], Some(number));
        }
    }
}
