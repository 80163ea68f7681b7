//! Power mean of the projections in a site's window:
//!
//! `(sum_i w_i max(0, Re(a_i exp(i phi)))^8 / sum_i w_i)^(1/8)`,
//! `w_i = exp(-|x_i - x|^2 / (2 width^2))`
//!
//! over the inner sites `x_i` whose disc lies within the image and touches no masked
//! pixel; 0 where there is none. It follows the largest projections as a maximum does,
//! but averages over noise, and weights end softly. Sites go to the border: the window
//! reaches beyond the inner sites that are nearest to it.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::Family;
use crate::descriptor::inner_sites::InnerSites;
use crate::descriptor::rounding::{self, EPS, Rounding};
use crate::sites::{Extent, SiteGrid};
use crate::{Error, Result};

/// Where the Gaussian ends, in its standard deviations.
const END: f64 = 3.2;

/// Projections are this many times as large before they are raised to their power, so
/// that f32 holds the power of all that counts.
pub(crate) const SCALE: f32 = 256.0;

/// How many standard deviations away an inner site may be: its weight, and the power of
/// its projection so weighted, is then one that f32 holds.
const FARTHEST: f64 = 6.0;

/// Checks the `width` of weights, and that an image of `shape` px holds a disc of `radius`
/// with inner sites `inner_stride` px apart.
pub(super) fn check(
    width: f64,
    (radius, inner_stride): (usize, usize),
    shape: Extent,
) -> Result<()> {
    let most = shape.rows.max(shape.cols) as f64;
    if !(width >= 0.5 && width <= most.max(0.5)) {
        return Err(Error::parameter("pool-width", width, format!("give 0.5 to {most} px")));
    }
    let farthest = radius.saturating_add(inner_stride);
    if farthest as f64 > FARTHEST * width {
        let least = (10.0 * farthest as f64 / FARTHEST).ceil() / 10.0;
        let reason = format!(
            "sites at the border see nothing nearer than {farthest} px; give at least {least}, or a \
             smaller `radius` or `inner-stride`"
        );
        return Err(Error::parameter("pool-width", width, reason));
    }
    if shape.rows.min(shape.cols) < 2 * radius + 1 {
        return Err(Error::TooSmall(format!(
            "the image has {shape} px, but a disc of radius {radius} px needs at least {} px; give a \
             smaller `radius`",
            Extent::square(radius).full()
        )));
    }
    Ok(())
}

/// Half size of the window: where weights end, but no less than what leads from the
/// image's corners to an inner site.
pub(super) fn window(width: f64, radius: usize, inner_stride: usize) -> Extent {
    Extent::square(((END * width).ceil() as usize).max(radius + inner_stride))
}

/// Weights by distance along an axis, px, up to the window's half size.
pub(crate) fn weights(inner: &InnerSites, width: f64) -> Vec<f64> {
    let weight = |distance: usize| {
        let distance = distance as f64 / width;
        (-distance * distance / 2.0).exp()
    };
    (0..=inner.window.rows.max(inner.window.cols)).map(weight).collect()
}

impl Family {
    /// 1 for the inner sites of `rows` and `cols` whose disc touches no masked pixel, else
    /// 0, `[inner row][inner col]`.
    pub(crate) fn counts(
        &self,
        mask: Option<ArrayView2<'_, bool>>,
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Vec<f32> {
        let mut counts = vec![1.0; rows.len() * cols.len()];
        let Some(mask) = mask.filter(|_| !counts.is_empty()) else { return counts };
        let grid = &self.inner.grid;
        let left = grid.col(cols.start) - self.radius;
        let right = grid.col(cols.end - 1) + self.radius;
        counts.par_chunks_mut(cols.len()).zip(rows).for_each(|(counts, row)| {
            // Of each column, where the next masked pixel of the row lies.
            let mut next = vec![usize::MAX; right - left + 2];
            for r in 0..=2 * self.radius {
                let line = mask.row(grid.row(row) + r - self.radius);
                for i in (0..=right - left).rev() {
                    next[i] = if line[left + i] { i } else { next[i + 1] };
                }
                let reach = self.reach(r.abs_diff(self.radius));
                for (count, col) in counts.iter_mut().zip(cols.clone()) {
                    let centre = grid.col(col) - left;
                    if next[centre - reach] <= centre + reach {
                        *count = 0.0;
                    }
                }
            }
        });
        counts
    }
}

/// The power means of `scores` `[inner sites, channels]` of those that `counts` says.
pub(super) fn by_definition(
    inner: &InnerSites,
    scores: ArrayView2<'_, f64>,
    counts: &[f32],
    grid: &SiteGrid,
    width: f64,
) -> Array2<f64> {
    let weights = weights(inner, width);
    let mut pooled = Array2::<f64>::zeros((grid.len(), scores.ncols()));
    for (site, mut out) in pooled.rows_mut().into_iter().enumerate() {
        let (row, col) = (grid.row(site / grid.count.cols), grid.col(site % grid.count.cols));
        let mut n = 0.0;
        for (i, j) in inner.rows(row).flat_map(|i| inner.cols(col).map(move |j| (i, j))) {
            let at = i * inner.grid.count.cols + j;
            let down = weights[inner.grid.row(i).abs_diff(row)];
            let weight = down * weights[inner.grid.col(j).abs_diff(col)] * f64::from(counts[at]);
            n += weight;
            out.iter_mut()
                .zip(scores.row(at))
                .for_each(|(sum, &score)| *sum += weight * score.max(0.0).powi(8));
        }
        out.mapv_inplace(|sum| if n > 0.0 { (sum / n).powf(0.125) } else { 0.0 });
    }
    pooled
}

/// Projections that are off by `worst` at most, as `reason` says, and the mean's own
/// rounding: powers by three products, weights and their sums down and along, of which
/// the eighth root takes an eighth; three roots.
pub(super) fn rounding(inner: &InnerSites, reason: &str, worst: Vec<f64>) -> Rounding<'static> {
    let full = inner.window.full();
    let (rows, cols) = (full.rows / inner.grid.stride + 1, full.cols / inner.grid.stride + 1);
    let sums = 2.0 * (rounding::sum(rows) + rounding::sum(cols));
    let own = (7.0 * EPS + 6.0 * EPS + sums + 6.0 * EPS) / 8.0 + 6.0 * EPS * 1.75;
    let reason = format!(
        "{reason}, and 2 eps ((19 + 2 sqrt({rows} rows) + 2 sqrt({cols} columns)) / 8 + 11) mean"
    );
    Rounding::new(reason, move |site, values, out| {
        for (out, &value) in out.iter_mut().zip(values) {
            *out = worst[site] + 2.0 * own * f64::from(value) + 1e-7;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Params, Pool};
    use super::*;

    fn family(radius: usize, inner_stride: usize, width: f64) -> Family {
        let pool = Pool::PowerMean { width };
        let params = Params { radius, inner_stride, pool, ..Default::default() };
        params.plan(Extent { rows: 41, cols: 37 }).unwrap()
    }

    #[test]
    fn every_site_finds_an_inner_site() {
        for (radius, inner_stride) in [(3, 1), (4, 2), (6, 5), (2, 7)] {
            let family = family(radius, inner_stride, (radius + inner_stride) as f64 / FARTHEST);
            let grid = SiteGrid::new(Extent { rows: 41, cols: 37 }, Extent::default(), 1);
            assert!(family.inner.check(&grid).is_ok(), "{radius} {inner_stride}");
        }
    }

    #[test]
    fn discs_that_touch_a_masked_pixel_do_not_count() {
        let family = family(4, 3, 2.0);
        let grid = family.inner.grid;
        let mut mask = Array2::from_elem((41, 37), false);
        (mask[(0, 0)], mask[(17, 20)], mask[(18, 33)]) = (true, true, true);
        let counts = family.counts(Some(mask.view()), 1..grid.count.rows, 0..grid.count.cols);
        for (k, &count) in counts.iter().enumerate() {
            let (row, col) = (grid.row(1 + k / grid.count.cols), grid.col(k % grid.count.cols));
            let near = |&((r, c), _): &((usize, usize), &bool)| {
                family.in_disc(r as isize - row as isize, c as isize - col as isize)
            };
            let masked = mask.indexed_iter().filter(near).any(|(_, &masked)| masked);
            assert_eq!(count, if masked { 0.0 } else { 1.0 }, "({row}, {col})");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let plan = |width, side| {
            let params = Params { pool: Pool::PowerMean { width }, ..Default::default() };
            params.plan(Extent::square(side)).map(drop).map_err(|e| e.to_string())
        };
        assert!(plan(f64::NAN, 64).unwrap_err().contains("pool-width"));
        assert!(plan(65.0, 64).unwrap_err().contains("pool-width"));
        assert!(plan(2.6, 64).unwrap_err().contains("give at least 2.7"));
        assert!(plan(3.0, 28).unwrap_err().contains("radius 14 px needs at least 29x29 px"));
        assert!(plan(3.0, 29).is_ok());
    }
}
