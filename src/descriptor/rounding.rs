//! What rounding may do to descriptors: how far two backends may be apart that
//! compute the same in f32.
//!
//! Each operation rounds by at most [`EPS`] of its result. A running sum of `T` terms
//! loses about `eps sqrt(T)` of the sum of their sizes, since its roundings point
//! either way; what counts as well is how large the terms are against the result, the
//! condition. Every family says in its own file what that comes to; nothing is fitted
//! to what some device was seen to do. Functions of WGSL may be less exact than an
//! operation: quotients and roots by 3 units in the last place, logarithms by 3 or, for
//! values up to 2, by `2^-21` (WGSL specification, "Accuracy of Built-in Functions").

use std::ops::Range;

use ndarray::{ArrayView2, Axis, s};

use super::inner_sites::InnerSites;
use crate::sites::Sites;
use crate::sites::{Band, SiteGrid};

/// Largest relative error of one f32 operation, `2^-24`.
pub(crate) const EPS: f64 = f32::EPSILON as f64 / 2.0;

/// What sites describe.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The image, `[rows, cols]`, at mean 0 and variance 1.
    pub(crate) image: ArrayView2<'a, f32>,
    /// Its sites.
    pub(crate) sites: &'a Sites,
    /// Its standard deviation in the file's units.
    pub(crate) deviation: f64,
}

/// Fills in the bounds of a site's values: which site of the band, and its values.
type Of<'a> = dyn Fn(usize, &[f32], &mut [f64]) + 'a;

/// How far the descriptors of one family at the sites of a band may be apart.
pub(crate) struct Rounding<'a> {
    /// How the bounds come about.
    pub(crate) reason: String,
    of: Box<Of<'a>>,
}

impl<'a> Rounding<'a> {
    /// Bounds that depend on a site's values.
    pub(crate) fn new(
        reason: impl Into<String>,
        of: impl Fn(usize, &[f32], &mut [f64]) + 'a,
    ) -> Self {
        Self { reason: reason.into(), of: Box::new(of) }
    }

    /// One bound for all channels of each site of the band.
    pub(crate) fn of_sites(reason: impl Into<String>, bounds: Vec<f64>) -> Self {
        Self::new(reason, move |site, _, out| out.fill(bounds[site]))
    }

    /// Writes the bounds of the channels of site `site` of the band, which has
    /// `values`.
    pub(crate) fn bounds(&self, site: usize, values: &[f32], out: &mut [f64]) {
        (self.of)(site, values, out);
    }
}

/// What a running sum of `terms` loses of the sum of their sizes.
pub(crate) fn sum(terms: usize) -> f64 {
    EPS * (terms as f64).sqrt()
}

/// Difference of the largest and the least pixel that the sites of `band` see.
pub(crate) fn range(image: ArrayView2<'_, f32>, sites: &Sites, band: &Band) -> f64 {
    let pixels = image.slice(s![sites.pixel_rows(band), ..]);
    let ends = |(low, high): (f32, f32), &v: &f32| (low.min(v), high.max(v));
    let (low, high) = pixels.iter().fold((f32::INFINITY, f32::NEG_INFINITY), ends);
    f64::from(high) - f64::from(low)
}

/// The largest mean size of pixels in a block of `side` x `side` px that the sites of `band`
/// see.
pub(crate) fn largest_mean(
    image: ArrayView2<'_, f32>,
    sites: &Sites,
    band: &Band,
    side: usize,
) -> f64 {
    let pixels = image.slice(s![sites.pixel_rows(band), ..]);
    let mean = |block: ArrayView2<'_, f32>| {
        block.iter().map(|&v| f64::from(v.abs())).sum::<f64>() / block.len() as f64
    };
    let rows = pixels.axis_chunks_iter(Axis(0), side);
    let largest = |rows: ArrayView2<'_, f32>| {
        rows.axis_chunks_iter(Axis(1), side).map(mean).fold(0.0, f64::max)
    };
    rows.map(largest).fold(0.0, f64::max)
}

impl InnerSites {
    /// The largest of `values`, `[inner rows][inner columns]` of `rows`, in the window
    /// of each site of `band`: scores that are pooled are off by no more than the
    /// worst of them.
    pub(crate) fn worst(
        &self,
        values: &[f64],
        rows: &Range<usize>,
        band: &Band,
        grid: &SiteGrid,
    ) -> Vec<f64> {
        let cols = self.grid.count.cols;
        let mut all = Vec::with_capacity(band.len());
        let mut down = vec![0.0_f64; cols];
        for i in band.rows.clone() {
            down.fill(0.0);
            for row in self.rows(grid.row(i)) {
                let line = &values[(row - rows.start) * cols..][..cols];
                down.iter_mut().zip(line).for_each(|(most, &v)| *most = most.max(v));
            }
            all.extend((0..band.cols).map(|j| {
                down[self.cols(grid.col(j))].iter().fold(0.0_f64, |most, &v| most.max(v))
            }));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::sites::Extent;

    #[test]
    fn the_worst_of_a_window_is_found() {
        let shape = Extent { rows: 40, cols: 33 };
        let inner = InnerSites::new(shape, Extent::square(3), 2, Extent { rows: 5, cols: 4 });
        let grid = SiteGrid::new(shape, inner.margin(), 3);
        let band = Band { rows: 1..grid.count.rows, cols: grid.count.cols };
        let scores = Array2::from_shape_fn((inner.grid.len(), 1), |(i, _)| ((i * 37) % 101) as f64);
        let expected = inner.largest(scores.view(), &grid, 1);
        let rows = inner.rows_of(&band, &grid);
        let from = rows.start * inner.grid.count.cols;
        let values: Vec<f64> = scores.iter().skip(from).copied().collect();
        let found = inner.worst(&values, &rows, &band, &grid);
        assert_eq!(found, expected.iter().skip(band.cols).copied().collect::<Vec<_>>());
    }
}
