//! What f32 loses of the samples of a square.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use super::{Polar, Tap};
use crate::descriptor::checks::FLAT_SHARE;
use crate::descriptor::inner_sites::InnerSites;
use crate::descriptor::rounding::{self, EPS, Rounding};
use crate::descriptor::spline;
use crate::sites::Sites;
use crate::sites::{Band, SiteGrid};

/// Operations on the way from a pixel to a coefficient: two for each of the two
/// directions of both axes. The recursion hands an error on, `|pole|` times smaller at
/// each step, once forwards and once backwards.
const FILTER: f64 = 8.0 / ((1.0 + spline::POLE) * (1.0 + spline::POLE));

/// Operations on the way from coefficients to a sample: root of sixteen terms, and the
/// weights themselves.
const SAMPLE: f64 = 4.0 + 2.0;

/// A square to be sampled about the pixel this many rows and columns from a site, with
/// rings displaced by a part of a pixel.
pub(crate) type Shift = ([isize; 2], [f64; 2]);

impl Polar {
    /// Norm of what f32 loses of the samples of each site of `rows` of `sites`, as a
    /// share of the samples' norm, `[rows][columns]` for each of `shifts`; 0 where the
    /// square is flat in `image` of variance 1.
    ///
    /// Samples are sums of coefficients that may be larger than the sum: so the sum of
    /// their sizes counts. The mean is taken off pixels about the centre.
    pub(crate) fn losses(
        &self,
        image: ArrayView2<'_, f32>,
        sites: &SiteGrid,
        rows: Range<usize>,
        shifts: &[Shift],
    ) -> Vec<Vec<f64>> {
        let of_shift = |&([down, right], rest): &Shift| -> Vec<f64> {
            let taps = self.taps(rest);
            let cols = sites.count.cols;
            let places = (rows.start * cols..rows.end * cols).into_par_iter();
            let loss = |site: usize| {
                let row = sites.row(site / cols).wrapping_add_signed(down);
                let col = sites.col(site % cols).wrapping_add_signed(right);
                self.loss(image, (row, col), &taps)
            };
            places.map(loss).collect()
        };
        shifts.iter().map(of_shift).collect()
    }

    fn loss(&self, image: ArrayView2<'_, f32>, (row, col): (usize, usize), taps: &[Tap]) -> f64 {
        let (side, radius) = (self.side(), self.radius);
        let (top, left) = (row - radius, col - radius);
        let square = image.slice(s![top..top + side, left..left + side]).mapv(f64::from);
        let mean = square.sum() / square.len() as f64;
        if square.var(0.0) < FLAT_SHARE {
            return 0.0;
        }
        let centre = (mean - f64::from(image[(row, col)])).abs();
        let deviation = square.var(0.0).sqrt();
        let coefficients = padded(spline::coefficients((&square - mean).view()).view());
        let (mut norm, mut sizes, mut weights) = (0.0, 0.0, 0.0);
        for tap in taps {
            let [mut value, mut size] = [0.0; 2];
            for (i, &down) in tap.rows.iter().enumerate() {
                for (j, &right) in tap.cols.iter().enumerate() {
                    let term = down * right * coefficients[(tap.row + i, tap.col + j)];
                    value += term;
                    size += term.abs();
                }
            }
            let ring = tap.rows.iter().sum::<f64>();
            norm += value * value;
            sizes += size * size;
            weights += ring * ring;
        }
        if norm == 0.0 {
            return 0.0;
        }
        let pixels = 2.0 * (centre + deviation) * weights.sqrt();
        EPS * ((FILTER + SAMPLE) * sizes.sqrt() + pixels) / norm.sqrt()
    }
}

impl Polar {
    /// How far pooled scores `<P, Q> / (|P| |Q|)` may be apart at the sites of a band: P
    /// and Q are samples about an inner site displaced by the one and the other of one of
    /// `pairs`. Each sample set is off by its loss; sums over all samples lose
    /// `eps sqrt(N)` of the product of the norms, and three more operations make a score
    /// of them. A site is off by no more than the worst inner site of its window.
    pub(in crate::descriptor) fn rounding(
        &self,
        image: ArrayView2<'_, f32>,
        (sites, band): (&Sites, &Band),
        inner: &InnerSites,
        pairs: &[[Shift; 2]],
    ) -> Rounding<'static> {
        let rows = inner.rows_of(band, sites.grid());
        let mut shifts: Vec<Shift> = Vec::new();
        let mut place = |shift: Shift| {
            shifts.iter().position(|&s| s == shift).unwrap_or_else(|| {
                shifts.push(shift);
                shifts.len() - 1
            })
        };
        let pairs: Vec<[usize; 2]> = pairs.iter().map(|pair| pair.map(&mut place)).collect();
        let losses = self.losses(image, &inner.grid, rows.clone(), &shifts);
        let terms = self.len();
        let worst = |site: usize| {
            let pair = |&[p, q]: &[usize; 2]| losses[p][site] + losses[q][site];
            let loss = pairs.iter().map(pair).fold(0.0, f64::max);
            2.0 * (loss + rounding::sum(terms) + 3.0 * EPS)
        };
        let bounds: Vec<f64> = (0..rows.len() * inner.grid.count.cols).map(worst).collect();
        let reason = format!(
            "2 (losses of both samples + eps (sqrt({terms} samples) + 3)), the worst of the window"
        );
        Rounding::of_sites(reason, inner.worst(&bounds, &rows, band, sites.grid()))
    }
}

/// With one mirrored coefficient all around.
fn padded(coefficients: ArrayView2<'_, f64>) -> Array2<f64> {
    let (rows, cols) = coefficients.dim();
    let at = |i: usize, length: usize| spline::mirrored(i as isize - 1, length);
    Array2::from_shape_fn((rows + 2, cols + 2), |(r, c)| coefficients[(at(r, rows), at(c, cols))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sites::Extent;

    /// The samples in f32, pixel by pixel and tap by tap, are off by less.
    #[test]
    fn samples_in_f32_lose_no_more() {
        let shape = Extent { rows: 40, cols: 44 };
        let image = Array2::from_shape_fn((shape.rows, shape.cols), |(r, c)| {
            let wave = (r as f32 * 0.9).sin() * (c as f32 * 0.7 + r as f32 * 0.1).cos();
            1.4 * wave + if c > 24 { 3.0 } else { 0.0 }
        });
        let polar = Polar { radius: 8, rings: 7, angles: 60 };
        let sites = SiteGrid::new(shape, Extent::square(10), 3);
        for shift in [([0, 0], [0.0, 0.0]), ([1, -2], [0.3, -0.5])] {
            let losses = &polar.losses(image.view(), &sites, 0..sites.count.rows, &[shift])[0];
            for (site, &loss) in losses.iter().enumerate() {
                let [row, col] =
                    [sites.row(site / sites.count.cols), sites.col(site % sites.count.cols)];
                let at = (row.wrapping_add_signed(shift.0[0]), col.wrapping_add_signed(shift.0[1]));
                let exact = polar.samples(image.mapv(f64::from).view(), at, shift.1, 1.0).unwrap();
                let found = narrow(&polar, image.view(), at, shift.1);
                let norm =
                    |all: &mut dyn Iterator<Item = f64>| all.map(|v| v * v).sum::<f64>().sqrt();
                let off = norm(&mut exact.iter().zip(&found).map(|(a, b)| a - f64::from(*b)));
                let share = off / norm(&mut exact.iter().copied());
                assert!(share < loss && loss < 1e-5, "{share:e} of {loss:e}");
            }
        }
    }

    fn narrow(
        polar: &Polar,
        image: ArrayView2<'_, f32>,
        (row, col): (usize, usize),
        shift: [f64; 2],
    ) -> Vec<f32> {
        let (side, radius) = (polar.side(), polar.radius);
        let square = image.slice(s![row - radius..=row + radius, col - radius..=col + radius]);
        let mean = (square.mapv(f64::from).sum() / (side * side) as f64) as f32;
        let mut all = &square - mean;
        for axis in [ndarray::Axis(0), ndarray::Axis(1)] {
            for mut line in all.lanes_mut(axis) {
                let start = spline::start_weights(side);
                let pole = spline::POLE as f32;
                line[0] = line.iter().zip(start).map(|(v, w)| v * w as f32).sum();
                (1..side).for_each(|k| line[k] += pole * line[k - 1]);
                line[side - 1] =
                    spline::end_weight() as f32 * (line[side - 1] + pole * line[side - 2]);
                (0..side - 1).rev().for_each(|k| line[k] = pole * (line[k + 1] - line[k]));
                line.mapv_inplace(|v| spline::GAIN as f32 * v);
            }
        }
        let all = padded(all.mapv(f64::from).view()).mapv(|v| v as f32);
        let sample = |tap: &Tap| {
            let mut sum = 0.0;
            for (i, &down) in tap.rows.iter().enumerate() {
                for (j, &right) in tap.cols.iter().enumerate() {
                    sum += down as f32 * (right as f32 * all[(tap.row + i, tap.col + j)]);
                }
            }
            sum
        };
        polar.taps(shift).iter().map(sample).collect()
    }
}
