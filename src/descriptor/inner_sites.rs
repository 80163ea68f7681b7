//! Inner sites: where scores are taken that are pooled over a window afterwards.
//!
//! The score of a symmetry depends on where the centre lies in the unit cell. So
//! it is taken on a fine grid of inner sites, and a site gets the largest scores
//! of the inner sites in the window around it, wherever in the cell they are.

pub(crate) mod norms;

use std::ops::Range;

use ndarray::{Array2, ArrayView2};

use crate::sites::{Band, Extent, SiteGrid};
use crate::{Error, Result};
pub(crate) use norms::Norms;

/// Sites of pooled families that are best computed in together: whole vectors a
/// row, and few enough that their scores stay in the cache.
pub(super) const TILE: Extent = Extent { rows: 16, cols: 64 };

/// Inner sites of an image and the window that a site pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InnerSites {
    /// The inner sites: all that have their surroundings within the image, from
    /// the first one on.
    pub grid: SiteGrid,
    /// Half size of the window, px.
    pub window: Extent,
}

impl InnerSites {
    /// Inner sites every `stride` px whose surroundings reach `margin` px.
    pub fn new(shape: Extent, margin: Extent, stride: usize, window: Extent) -> Self {
        Self { grid: SiteGrid::new(shape, margin, stride), window }
    }

    /// Inner rows in the window of a site at pixel row `row`, ends included.
    pub fn rows(&self, row: usize) -> Range<usize> {
        let grid = &self.grid;
        within(grid.margin.rows, grid.stride, grid.count.rows, row, self.window.rows)
    }

    /// Inner columns in the window of a site at pixel column `col`, ends included.
    pub fn cols(&self, col: usize) -> Range<usize> {
        let grid = &self.grid;
        within(grid.margin.cols, grid.stride, grid.count.cols, col, self.window.cols)
    }

    /// Inner rows that the sites of `band` pool.
    pub fn rows_of(&self, band: &Band, grid: &SiteGrid) -> Range<usize> {
        let (first, last) = (grid.row(band.rows.start), grid.row(band.rows.end - 1));
        self.rows(first).start..self.rows(last).end
    }

    /// Most inner rows that `rows` neighbouring rows of sites `stride` px apart pool.
    pub(crate) fn most_rows(&self, rows: usize, stride: usize) -> usize {
        let extent = rows.saturating_sub(1) * stride + 2 * self.window.rows + 1;
        (extent / self.grid.stride + 1).min(self.grid.count.rows)
    }

    /// Distance that sites keep from the border, px.
    pub fn margin(&self) -> Extent {
        self.grid.margin + self.window
    }

    /// Checks that every site of `grid` has an inner site in its window.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn check(&self, grid: &SiteGrid) -> Result<()> {
        let empty_row = (0..grid.count.rows).any(|i| self.rows(grid.row(i)).is_empty());
        let empty_col = (0..grid.count.cols).any(|j| self.cols(grid.col(j)).is_empty());
        if !(empty_row || empty_col) {
            return Ok(());
        }
        let least = 2 * self.window.rows.min(self.window.cols) + 1;
        Err(Error::parameter(
            "inner-stride",
            self.grid.stride,
            format!(
                "a window of half size {} px then holds no inner site; give at most {least}, or a \
                 larger `window`",
                self.window.short()
            ),
        ))
    }

    /// The `top` largest scores of every site's window, by the definition: from
    /// `scores` `[inner sites, channels]` to `[sites, top * channels]`, rank by
    /// rank. Where a window holds fewer, its last score repeats.
    pub fn largest(&self, scores: ArrayView2<'_, f64>, grid: &SiteGrid, top: usize) -> Array2<f64> {
        let channels = scores.ncols();
        let mut pooled = Array2::zeros((grid.len(), top * channels));
        for (site, mut out) in pooled.rows_mut().into_iter().enumerate() {
            let row = grid.row(site / grid.count.cols);
            let col = grid.col(site % grid.count.cols);
            for channel in 0..channels {
                let in_row = |i| {
                    self.cols(col).map(move |j| scores[(i * self.grid.count.cols + j, channel)])
                };
                let mut all: Vec<f64> = self.rows(row).flat_map(in_row).collect();
                all.sort_by(|a, b| b.total_cmp(a));
                for rank in 0..top {
                    out[rank * channels + channel] = all[rank.min(all.len() - 1)];
                }
            }
        }
        pooled
    }
}

/// Indices `i < count` with `|first + i stride - at| <= half`.
fn within(first: usize, stride: usize, count: usize, at: usize, half: usize) -> Range<usize> {
    let start = (at.saturating_sub(half).saturating_sub(first)).div_ceil(stride);
    let end = (at + half).checked_sub(first).map_or(0, |reach| reach / stride + 1).min(count);
    start.min(end)..end
}

/// Checks what every pooled family lets the user choose.
pub(super) fn check_pooling(inner_stride: usize, top: usize, channels: usize) -> Result<()> {
    super::checks::at_least("inner-stride", inner_stride, 1)?;
    super::checks::at_least("pool-top", top, 1)?;
    let most = super::checks::MOST_CHANNELS;
    if top.saturating_mul(channels) > most {
        let reason = format!(
            "with {channels} scores each that makes more than the {most} channels that are possible"
        );
        return Err(Error::parameter("pool-top", top, reason));
    }
    Ok(())
}

/// Names of ranked channels, rank by rank.
pub(super) fn ranked_names(names: &[String], top: usize) -> Vec<String> {
    (1..=top).flat_map(|rank| names.iter().map(move |name| format!("{name} #{rank}"))).collect()
}

/// A radius and window that would fit an image of `shape` px and whose margin
/// leaves enough sites.
pub(super) fn smaller(
    radius: usize,
    window: Extent,
    shape: Extent,
    enough: &dyn Fn(Extent) -> bool,
) -> String {
    let room = shape.rows.min(shape.cols).saturating_sub(1) / 2;
    let fit = |less: usize| {
        let room = room.saturating_sub(less);
        let radius = radius.min(room / 2).max(1);
        let left = room.saturating_sub(radius);
        (radius, Extent { rows: window.rows.min(left), cols: window.cols.min(left) })
    };
    let fitting = (0..room.saturating_sub(1)).map(fit).find(|&(radius, window)| {
        window.rows.min(window.cols) > 0 && enough(Extent::square(radius) + window)
    });
    match fitting {
        Some((radius, window)) => {
            format!("these would fit: `radius = {radius}` and `window = {}`", window.short())
        }
        None => "no radius and window leave enough sites in it".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_what_is_near_enough() {
        for (first, stride, count, half) in
            [(3, 2, 20, 5), (7, 5, 6, 2), (4, 1, 9, 0), (2, 3, 8, 9)]
        {
            for at in 0..60 {
                let found: Vec<usize> = within(first, stride, count, at, half).collect();
                let near = |i: &usize| (first + i * stride).abs_diff(at) <= half;
                let expected: Vec<usize> = (0..count).filter(near).collect();
                assert_eq!(found, expected, "{first} {stride} {count} {half} at {at}");
            }
        }
    }

    #[test]
    fn a_window_without_inner_site_is_refused() {
        let shape = Extent::square(100);
        let inner = |stride, half: usize| {
            InnerSites::new(shape, Extent::square(10), stride, Extent::square(half))
        };
        let sites = |stride, half: usize| SiteGrid::new(shape, Extent::square(10 + half), stride);
        assert!(inner(5, 2).check(&sites(3, 2)).is_ok());
        assert!(inner(5, 0).check(&sites(5, 0)).is_ok(), "each site is an inner site");
        let error = inner(6, 2).check(&sites(5, 2)).unwrap_err().to_string();
        assert!(error.contains("inner-stride = 6") && error.contains("at most 5"), "{error}");
    }

    #[test]
    fn missing_ranks_repeat_the_last_score() {
        let inner = InnerSites::new(Extent::square(9), Extent::square(4), 3, Extent::default());
        let scores = ndarray::array![[0.5, 0.25]];
        let sites = SiteGrid::new(Extent::square(9), Extent::square(4), 1);
        let pooled = inner.largest(scores.view(), &sites, 3);
        assert_eq!(pooled, ndarray::array![[0.5, 0.25, 0.5, 0.25, 0.5, 0.25]]);
    }
}
