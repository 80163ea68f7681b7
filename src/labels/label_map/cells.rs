//! Which site each pixel takes its value from.

use ndarray::{ArcArray2, Array2};
use num_traits::Zero;

use super::Canvas;
use crate::plan::Border;

/// Which site each pixel takes its value from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cells {
    /// Site row of each pixel row, site column of each pixel column.
    pub(super) rows: Vec<Option<usize>>,
    pub(super) cols: Vec<Option<usize>>,
    /// True where a pixel is absent, `[rows, cols]`.
    absent: Option<ArcArray2<bool>>,
}

impl Cells {
    pub(super) fn new(canvas: &Canvas<'_>) -> Self {
        let (grid, image) = (canvas.sites.grid(), canvas.frame.image);
        let (scale, border) = (canvas.frame.scale, canvas.border);
        let along =
            |size, margin, count| nearest(size, (scale, margin, grid.stride), count, border);
        Self {
            rows: along(image.rows, grid.margin.rows, grid.count.rows),
            cols: along(image.cols, grid.margin.cols, grid.count.cols),
            absent: canvas.absent.cloned(),
        }
    }

    pub(super) fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.cols.len())
    }

    /// Values of a pixel row from those of the sites, 0 where nothing is segmented.
    pub(super) fn fill<T: Copy + Zero>(&self, sites: &Array2<T>, row: usize, to: &mut [T]) {
        let Some(i) = self.rows[row] else { return to.fill(T::zero()) };
        let values = sites.row(i);
        for (to, j) in to.iter_mut().zip(&self.cols) {
            *to = j.map_or(T::zero(), |j| values[j]);
        }
        self.blank_absent(row, to);
    }

    /// Sets what is not segmented to 0.
    pub(super) fn blank<T: Copy + Zero>(&self, row: usize, to: &mut [T]) {
        if self.rows[row].is_none() {
            return to.fill(T::zero());
        }
        // What is not segmented lies at the ends.
        let before = self.cols.iter().take_while(|j| j.is_none()).count();
        let behind = self.cols[before..].iter().rev().take_while(|j| j.is_none()).count();
        let end = to.len() - behind;
        to[..before].fill(T::zero());
        to[end..].fill(T::zero());
        self.blank_absent(row, to);
    }

    pub(super) fn blank_absent<T: Copy + Zero>(&self, row: usize, to: &mut [T]) {
        if let Some(absent) = &self.absent {
            for (to, &absent) in to.iter_mut().zip(absent.row(row)) {
                *to = if absent { T::zero() } else { *to };
            }
        }
    }

    /// Number of pixels that take their value from each site, `[site rows, site cols]`.
    pub(super) fn pixels(&self, sites: (usize, usize)) -> Array2<u64> {
        let Some(absent) = &self.absent else {
            let along = |of: &[Option<usize>], count: usize| {
                let mut counts = vec![0; count];
                of.iter().flatten().for_each(|&site| counts[site] += 1);
                counts
            };
            let (rows, cols) = (along(&self.rows, sites.0), along(&self.cols, sites.1));
            return Array2::from_shape_fn(sites, |(i, j)| rows[i] * cols[j]);
        };
        let mut count = Array2::zeros(sites);
        for (r, i) in self.rows.iter().enumerate() {
            let Some(i) = i else { continue };
            let mut line = count.row_mut(*i);
            let counted = self.cols.iter().zip(absent.row(r)).filter(|(_, out)| !**out);
            counted.filter_map(|(j, _)| *j).for_each(|j| line[j] += 1);
        }
        count
    }

    /// Pixels of each cluster, 1 to `clusters`.
    pub(super) fn areas(&self, sites: &Array2<u16>, clusters: usize) -> Vec<u64> {
        let mut sizes = vec![0; clusters + 1];
        let pixels = self.pixels(sites.dim());
        sites.iter().zip(&pixels).for_each(|(&label, &n)| sizes[usize::from(label)] += n);
        sizes.split_off(1)
    }
}

/// Nearest site along one axis for each pixel, half-way the lower; `None`
/// outside the cells of the sites under [`Border::Blank`].
pub(super) fn nearest(
    size: usize,
    (scale, margin, stride): (f64, usize, usize),
    count: usize,
    border: Border,
) -> Vec<Option<usize>> {
    // A site's cell reaches from above half-way to the site before to half-way
    // to the one after.
    let cell = |x: usize| ((x as f64 * scale - margin as f64) / stride as f64 - 0.5).ceil() as i64;
    (0..size)
        .map(|x| match cell(x) {
            i if (0..count as i64).contains(&i) => Some(i as usize),
            _ if border == Border::Blank => None,
            i if i < 0 => Some(0),
            _ => Some(count - 1),
        })
        .collect()
}
