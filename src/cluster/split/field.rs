//! The components of descriptors over an image, on a grid that can be gone through many times.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::plan::automatic;
use crate::sites::{Band, Sites};

/// Sites of the grid, about, where the image has more: every second one or fewer are taken.
const MOST_SITES: f64 = 16_384.0;

/// Distance between images side by side, px: more than anything is smoothed or compared over.
const APART: f64 = 128.0;

/// Components of one family of descriptors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Its columns.
    pub(crate) columns: Range<usize>,
    /// How much it counts next to the others.
    pub(crate) weight: f64,
    /// Whether it is looked at by itself too: it may see what slow changes hide in the others.
    pub(crate) alone: bool,
}

/// What is known of the sites.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Field {
    /// Components, `[rows * cols, p]`, zeros where a site takes no part.
    pub(super) values: Array2<f32>,
    /// Which sites take part, `[rows, cols]`.
    pub(super) present: Array2<bool>,
    /// The families.
    pub(super) parts: Vec<Part>,
    /// Every how many sites of the image, along both axes.
    step: usize,
    /// Distance of neighbouring sites, px.
    pub(super) stride: usize,
}

impl Field {
    /// Of `sites`, without their components yet; `all` is the number of sites of all images.
    pub(crate) fn new(sites: &Sites, parts: Vec<Part>, all: usize) -> Self {
        let count = sites.grid().count;
        let step = (all as f64 / MOST_SITES).sqrt().ceil().max(1.0) as usize;
        let dim = (count.rows.div_ceil(step), count.cols.div_ceil(step));
        let site = |(r, c): (usize, usize)| r * step * count.cols + c * step;
        let present = Array2::from_shape_fn(dim, |at| sites.is_active(site(at)));
        let components = parts.last().map_or(0, |part| part.columns.end);
        let values = Array2::zeros((dim.0 * dim.1, components));
        Self { values, present, parts, step, stride: sites.grid().stride * step }
    }

    /// Takes the `components` `[sites of the band, p]` of the sites of `band`.
    pub(crate) fn add(&mut self, band: &Band, components: ArrayView2<'_, f32>) {
        let (step, cols) = (self.step, self.present.ncols());
        for row in band.rows.clone().filter(|row| row.is_multiple_of(step)) {
            for col in 0..cols {
                if self.present[(row / step, col)] {
                    let from = (row - band.rows.start) * band.cols + col * step;
                    let to = row / step * cols + col;
                    self.values.row_mut(to).assign(&components.row(from));
                }
            }
        }
    }

    /// Several images of the same stride side by side, so far apart that none reaches another.
    ///
    /// # Panics
    /// Without an image, or where their components differ.
    pub(crate) fn beside(fields: Vec<Self>) -> Self {
        let rows = fields.iter().map(|field| field.dim().0).max().expect("there is an image");
        let gap = (APART / fields[0].stride as f64).ceil() as usize;
        let cols = fields.iter().map(|field| field.dim().1 + gap).sum::<usize>() - gap;
        let mut present = Array2::from_elem((rows, cols), false);
        let mut values = Array2::zeros((rows * cols, fields[0].values.ncols()));
        let mut first = 0;
        for field in &fields {
            for ((row, col), &there) in field.present.indexed_iter() {
                present[(row, first + col)] = there;
                let from = field.values.row(row * field.dim().1 + col);
                values.row_mut(row * cols + first + col).assign(&from);
            }
            first += field.dim().1 + gap;
        }
        let Self { parts, step, stride, .. } =
            fields.into_iter().next().expect("there is an image");
        Self { values, present, parts, step, stride }
    }

    /// Distance of neighbouring sites as lengths are measured with it, px: on a coarser grid than
    /// usual these reach over as many sites as on the usual one, since noise does not get less.
    pub(super) fn scale(&self) -> usize {
        self.stride.min(automatic::STRIDE)
    }

    /// Number of sites that take part.
    pub(crate) fn sites(&self) -> usize {
        self.present.iter().filter(|&&present| present).count()
    }

    /// Every how many sites of the image, along both axes.
    pub(crate) fn step(&self) -> usize {
        self.step
    }

    /// Rows and columns of the grid.
    pub(crate) fn dim(&self) -> (usize, usize) {
        self.present.dim()
    }
}
