//! Where descriptors are computed: the regular grid of sites, and the bands
//! of site rows in which the work is done.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Extent on both axes, in px or sites: half size of a patch or window, a margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub struct Extent {
    /// Along the rows' direction (vertical).
    pub rows: usize,
    /// Along the columns' direction (horizontal).
    pub cols: usize,
}

impl Extent {
    /// The same extent on both axes.
    pub const fn square(size: usize) -> Self {
        Self { rows: size, cols: size }
    }

    /// `2 half + 1` on both axes: the full size of a patch or window in px.
    pub const fn full(self) -> Self {
        Self { rows: 2 * self.rows + 1, cols: 2 * self.cols + 1 }
    }

    /// Number of elements, `rows * cols`.
    pub const fn area(self) -> usize {
        self.rows * self.cols
    }

    /// `N` where both are equal, else `RxC`: as on the command line.
    pub fn short(self) -> String {
        if self.rows == self.cols { self.rows.to_string() } else { self.to_string() }
    }

    /// The larger of the two on each axis.
    pub fn max(self, other: Self) -> Self {
        Self { rows: self.rows.max(other.rows), cols: self.cols.max(other.cols) }
    }
}

impl std::ops::Add for Extent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, cols: self.cols + other.cols }
    }
}

impl std::fmt::Display for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.rows, self.cols)
    }
}

/// Sites at `margin + i * stride` while `< size - margin`, on both axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SiteGrid {
    /// Row and column of the first site, px.
    pub margin: Extent,
    /// Distance of neighbouring sites, px.
    pub stride: usize,
    /// Number of site rows and columns.
    pub count: Extent,
}

impl SiteGrid {
    /// The grid of an image of `shape` px; either count is 0 where nothing fits.
    pub fn new(shape: Extent, margin: Extent, stride: usize) -> Self {
        let along = |size: usize, margin: usize| size.saturating_sub(2 * margin).div_ceil(stride);
        let count =
            Extent { rows: along(shape.rows, margin.rows), cols: along(shape.cols, margin.cols) };
        Self { margin, stride, count }
    }

    /// Number of sites.
    pub const fn len(&self) -> usize {
        self.count.area()
    }

    /// True where no site fits.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pixel row of site row `i`.
    pub const fn row(&self, i: usize) -> usize {
        self.margin.rows + i * self.stride
    }

    /// Pixel column of site column `j`.
    pub const fn col(&self, j: usize) -> usize {
        self.margin.cols + j * self.stride
    }

    /// The sites of `rows` in tiles of at most `size` sites, row by row of tiles.
    pub fn tiles(&self, rows: Range<usize>, size: Extent) -> Vec<Tile> {
        let along_row = |rows: Range<usize>| {
            blocks(0..self.count.cols, size.cols).map(move |cols| Tile {
                first: Extent { rows: rows.start, cols: cols.start },
                count: Extent { rows: rows.len(), cols: cols.len() },
            })
        };
        blocks(rows, size.rows).flat_map(along_row).collect()
    }

    /// Bands of `height` site rows (the last may be lower) that cover the grid.
    pub fn bands(&self, height: usize) -> Vec<Band> {
        blocks(0..self.count.rows, height)
            .map(|rows| Band { rows, cols: self.count.cols })
            .collect()
    }
}

/// Consecutive site rows over the full width: the unit of memory, progress and
/// cancellation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Band {
    /// Site rows.
    pub rows: Range<usize>,
    /// Number of sites in a row.
    pub cols: usize,
}

impl Band {
    /// Number of sites.
    pub fn len(&self) -> usize {
        self.rows.len() * self.cols
    }

    /// True for a band without sites.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The band's sites as a range of `row * cols + col`.
    pub fn sites(&self) -> Range<usize> {
        self.rows.start * self.cols..self.rows.end * self.cols
    }
}

/// A rectangle of sites that is computed together: the unit of parallel work,
/// and where running sums start afresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// First site row and column.
    pub first: Extent,
    /// Number of site rows and columns.
    pub count: Extent,
}

/// Cuts `range` into pieces of `size`, the last one shorter where need be.
pub fn blocks(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(size.max(1)).map(move |start| start..(start + size.max(1)).min(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_stop_before_the_far_margin() {
        let grid = SiteGrid::new(Extent { rows: 128, cols: 45 }, Extent::square(22), 5);
        assert_eq!(grid.count, Extent { rows: 17, cols: 1 });
        assert!(grid.row(16) < 128 - 22 && grid.row(17) >= 128 - 22);
        assert!(SiteGrid::new(Extent::square(44), Extent::square(22), 5).is_empty());
    }

    #[test]
    fn bands_cover_every_row_once() {
        let grid = SiteGrid::new(Extent::square(100), Extent::square(10), 3);
        let rows: Vec<usize> = grid.bands(4).into_iter().flat_map(|b| b.rows).collect();
        assert_eq!(rows, (0..grid.count.rows).collect::<Vec<_>>());
    }
}
