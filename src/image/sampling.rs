//! The image as the automatic settings see it: without slow changes of brightness
//! and contrast, and resampled so that its crystals repeat every few pixels, at a fixed period.
//!
//! Descriptors of such an image have the same sizes in pixels whatever the
//! magnification, and cost the same. With `P` the period in the image, px:
//!
//! `f = (I - G_b I) / sqrt(G_c (I - G_b I)^2 + 0.1 mean)`, `b = 5 P`, `c = 1.2 P`
//!
//! where `G_s` is a Gaussian of standard deviation `s` over the pixels that count
//! (normalised convolution: weights of pixels beyond the border or under the mask are
//! 0, and the others make up for them). The resampled image is `f` under a Gaussian of
//! 1.5 of its own pixels, taken at their places: one step smooths and interpolates.

use ndarray::{ArcArray2, Array1, Array2, ArrayView2, ArrayViewMut1, Axis, Zip};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::gaussian::{Weights, weighted};
use crate::image::micrograph::{Micrograph, PixelSize};
use crate::sites::Extent;
use crate::{Error, Result};

/// Standard deviation of the smoothing, px of the resampled image.
const SMOOTHING: f64 = 1.5;
/// Standard deviations within which brightness and contrast are slow, periods.
const BACKGROUND: f64 = 5.0;
const CONTRAST: f64 = 1.2;
/// Share of the mean contrast that is added to each, so that noise stays noise.
const FLOOR: f64 = 0.1;
/// Blocks to a standard deviation where background and contrast are found.
const BLOCKS: f64 = 6.0;

/// How an image is resampled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sampling {
    /// Period of the crystals in the image, px.
    pub period: f64,
    /// Period in the resampled image, px.
    pub target: f64,
}

impl Sampling {
    /// Pixels of the resampled image to one of the image.
    pub fn scale(&self) -> f64 {
        self.target / self.period
    }

    /// # Errors
    /// [`Error::Parameter`] for periods that cannot be.
    pub(crate) fn check(&self) -> Result<()> {
        let limits = 2.0..=1e4;
        for (name, value) in [("period", self.period), ("target", self.target)] {
            if !limits.contains(&value) {
                return Err(Error::parameter(name, value, "a period is 2 to 10000 px"));
            }
        }
        Ok(())
    }
}

/// How the pixels of the image that was read lie on those that are described.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Frame {
    /// Size of the image that was read, px.
    pub image: Extent,
    /// Pixels described to one that was read; pixel `x` of the image lies at `scale x`.
    pub scale: f64,
}

impl Frame {
    /// The frame of an image of `image` px, resampled or as it is.
    pub fn new(image: Extent, sampling: Option<Sampling>) -> Self {
        Self { image, scale: sampling.map_or(1.0, |s| s.scale()) }
    }

    /// Size of what is described, px: no pixel of it lies beyond the last of the image.
    pub fn described(&self) -> Extent {
        let along = |size: usize| match self.scale == 1.0 {
            true => size,
            false => ((size.saturating_sub(1)) as f64 * self.scale).floor() as usize + 1,
        };
        Extent { rows: along(self.image.rows), cols: along(self.image.cols) }
    }

    /// `mask` `[rows, cols]` of the image as one of what is described: that of the
    /// nearest pixel.
    pub fn mask(&self, mask: &ArcArray2<bool>) -> ArcArray2<bool> {
        if self.scale == 1.0 {
            return mask.clone();
        }
        let size = self.described();
        let nearest = |x: usize, size: usize| {
            ((x as f64 / self.scale).round() as usize).min(size.saturating_sub(1))
        };
        Array2::from_shape_fn((size.rows, size.cols), |(r, c)| {
            mask[(nearest(r, self.image.rows), nearest(c, self.image.cols))]
        })
        .into_shared()
    }
}

/// `micrograph` as it is described under `sampling`.
///
/// # Errors
/// [`Error::Image`] for a constant image.
pub fn resampled(micrograph: &Micrograph, sampling: Sampling) -> Result<Micrograph> {
    let mask = micrograph.mask();
    let flat = flattened(micrograph.standardised()?, mask, sampling.period);
    let (rows, cols) = micrograph.shape();
    let frame = Frame::new(Extent { rows, cols }, Some(sampling));
    let size = frame.described();
    let scale = sampling.scale();
    let weights = |from: usize, to: usize| Weights::means(from, to, scale, SMOOTHING / scale);
    let (down, along) = (weights(rows, size.rows), weights(cols, size.cols));
    let mut pixels = weighted(flat.view(), &down, &along);
    drop(flat);
    if let Some(mask) = mask {
        let counts = mask.mapv(|out| if out { 0.0 } else { 1.0 });
        let weights = weighted(counts.view(), &down, &along);
        Zip::from(&mut pixels).and(&weights).par_for_each(|v, &w| {
            *v = if w > 1e-3 { *v / w } else { 0.0 };
        });
    }
    let mask = mask.map(|mask| frame.mask(mask));
    let size = |p: PixelSize| PixelSize { rows: p.rows / scale, cols: p.cols / scale };
    Ok(Micrograph::of_values(pixels, mask)?.with_pixel_size(micrograph.pixel_size().map(size)))
}

/// `image` without slow brightness and contrast; masked pixels are 0.
fn flattened(
    image: ArrayView2<'_, f32>,
    mask: Option<&ArcArray2<bool>>,
    period: f64,
) -> Array2<f32> {
    let background = Slow::of(image, mask, BACKGROUND * period, |v| v);
    let mut flat = Array2::zeros(image.dim());
    background.by_row(&mut flat, |r, row, slow| {
        Zip::from(row).and(image.row(r)).and(slow).for_each(|v, own, slow| *v = own - slow);
    });
    blank(&mut flat, mask);
    let contrast = Slow::of(flat.view(), mask, CONTRAST * period, |v| v * v);
    let floor = (FLOOR * contrast.mean()).max(f64::MIN_POSITIVE) as f32;
    contrast.by_row(&mut flat, |_, row, slow| {
        Zip::from(row).and(slow).for_each(|v, slow| *v /= (slow.max(0.0) + floor).sqrt());
    });
    blank(&mut flat, mask);
    flat
}

fn blank(image: &mut Array2<f32>, mask: Option<&ArcArray2<bool>>) {
    if let Some(mask) = mask {
        Zip::from(image).and(mask).par_for_each(|v, &out| *v = if out { 0.0 } else { *v });
    }
}

/// A local mean that changes slowly, known at the middles of square blocks.
struct Slow {
    /// `[block rows, block cols]`.
    values: Array2<f32>,
    /// Whether a block has pixels that count.
    there: Array2<bool>,
    /// Side of a block, px.
    side: usize,
}

/// Sums of `value` over the pixels of blocks with this `side` that `mask` leaves, and their numbers;
/// these only where there is one.
fn block_sums(
    image: ArrayView2<'_, f32>,
    mask: Option<&ArcArray2<bool>>,
    side: usize,
    value: impl Fn(f32) -> f32 + Sync,
) -> (Array2<f32>, Option<Array2<f32>>) {
    let (rows, cols) = image.dim();
    let blocks = (rows.div_ceil(side), cols.div_ceil(side));
    let fold = |rows_of: &(dyn Fn(usize, &mut [f32]) + Sync)| {
        let mut sums = Array2::zeros(blocks);
        let lines = sums.outer_iter_mut().into_par_iter().enumerate();
        lines.for_each_init(
            || vec![0.0; cols],
            |line, (i, mut sums)| {
                // Down the columns first, which are many side by side.
                line.fill(0.0);
                (i * side..rows.min((i + 1) * side)).for_each(|r| rows_of(r, line));
                for (sum, of) in sums.iter_mut().zip(line.chunks(side)) {
                    *sum = of.iter().sum();
                }
            },
        );
        sums
    };
    let sums = fold(&|r, line| {
        let sums = Zip::from(line).and(image.row(r));
        match mask {
            None => sums.for_each(|sum, &v| *sum += value(v)),
            Some(mask) => sums.and(mask.row(r)).for_each(|sum, &v, &out| {
                *sum += if out { 0.0 } else { value(v) };
            }),
        }
    });
    let counts = mask.map(|mask| {
        fold(&|r, line| {
            Zip::from(line).and(mask.row(r)).for_each(|sum, &out| *sum += f32::from(!out));
        })
    });
    (sums, counts)
}

impl Slow {
    /// Mean of `value` over the pixels that `mask` leaves, under a Gaussian of `sigma` px.
    fn of(
        image: ArrayView2<'_, f32>,
        mask: Option<&ArcArray2<bool>>,
        sigma: f64,
        value: impl Fn(f32) -> f32 + Sync,
    ) -> Self {
        let side = ((sigma / BLOCKS) as usize).max(1);
        let (rows, cols) = image.dim();
        let blocks = (rows.div_ceil(side), cols.div_ceil(side));
        let along = |size: usize| Weights::sums(size, sigma / side as f64);
        let (down, across) = (along(blocks.0), along(blocks.1));
        let (sums, counts) = block_sums(image, mask, side, value);
        let mut values = weighted(sums.view(), &down, &across);
        let there = match counts {
            Some(counts) => {
                let weights = weighted(counts.view(), &down, &across);
                Zip::from(&mut values).and(&weights).par_for_each(|v, &w| {
                    *v = if w > 0.0 { *v / w } else { 0.0 };
                });
                counts.mapv(|count| count > 0.0)
            }
            None => {
                // Every pixel counts: weights of rows times weights of columns.
                let pixels = |size: usize, blocks: usize| {
                    Array1::from_shape_fn(blocks, |i| side.min(size - i * side) as f32)
                };
                let one = Weights::sums(1, 1.0);
                let rows = pixels(rows, blocks.0).insert_axis(Axis(1));
                let cols = pixels(cols, blocks.1).insert_axis(Axis(0));
                let rows = weighted(rows.view(), &down, &one);
                let cols = weighted(cols.view(), &one, &across);
                Zip::indexed(&mut values)
                    .par_for_each(|(r, c), v| *v /= rows[(r, 0)] * cols[(0, c)]);
                Array2::from_elem(blocks, true)
            }
        };
        Self { values, there, side }
    }

    /// Its mean over the blocks that have pixels that count.
    fn mean(&self) -> f64 {
        let there = self.values.iter().zip(&self.there).filter(|(_, there)| **there);
        let (sum, count) =
            there.fold((0.0, 0_usize), |(sum, count), (&v, _)| (sum + f64::from(v), count + 1));
        sum / count.max(1) as f64
    }

    /// Calls `use_row` with the number of each row of `image`, that row, and the mean at its
    /// pixels, linear between the middles of blocks.
    fn by_row(
        &self,
        image: &mut Array2<f32>,
        use_row: impl Fn(usize, ArrayViewMut1<'_, f32>, &[f32]) + Sync,
    ) {
        let (blocks, side) = (self.values.dim(), self.side as f32);
        let between = |x: usize, blocks: usize| {
            let at = ((x as f32 + 0.5) / side - 0.5).clamp(0.0, (blocks - 1) as f32);
            let first = (at as usize).min(blocks.saturating_sub(2));
            (first, (first + 1).min(blocks - 1), at - first as f32)
        };
        let cols: Vec<_> = (0..image.ncols()).map(|c| between(c, blocks.1)).collect();
        image.outer_iter_mut().into_par_iter().enumerate().for_each_init(
            || vec![0.0; cols.len()],
            |slow, (r, row)| {
                let (above, below, down) = between(r, blocks.0);
                let (above, below) = (self.values.row(above), self.values.row(below));
                for (to, &(left, right, along)) in slow.iter_mut().zip(&cols) {
                    let at = |c: usize| above[c] + down * (below[c] - above[c]);
                    *to = at(left) + along * (at(right) - at(left));
                }
                use_row(r, row, slow);
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::micrograph::NonFinite;

    fn waves(period: f64, size: usize) -> Array2<f32> {
        let wave = |x: usize| (x as f64 * std::f64::consts::TAU / period).cos();
        Array2::from_shape_fn((size, size), |(r, c)| (wave(r) + wave(c)) as f32)
    }

    fn micrograph(image: &Array2<f32>, mask: Option<Array2<bool>>) -> Micrograph {
        Micrograph::new(image.view(), mask, NonFinite::Fail).unwrap()
    }

    fn off(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> f32 {
        let rows = a.nrows().min(b.nrows());
        let cols = a.ncols().min(b.ncols());
        let part = |x: ArrayView2<'_, f32>| x.slice(ndarray::s![..rows, ..cols]).to_owned();
        (part(a) - part(b)).mapv(f32::abs).mean().unwrap()
    }

    #[test]
    fn magnification_leaves_no_trace() {
        let sampling = |period| Sampling { period, target: 16.0 };
        let [one, two] = [10.0, 25.0].map(|period| {
            let image = waves(period, (30.0 * period) as usize);
            resampled(&micrograph(&image, None), sampling(period)).unwrap()
        });
        assert_eq!(one.shape(), (479, 479));
        assert_eq!(two.shape(), (480, 480));
        let away = off(one.pixels(), two.pixels());
        assert!(away < 0.02, "{away}");
    }

    #[test]
    fn brightness_and_contrast_that_change_slowly_leave_little() {
        let sampling = Sampling { period: 12.0, target: 16.0 };
        let image = waves(12.0, 300);
        let mut uneven = image.clone();
        uneven.indexed_iter_mut().for_each(|((r, c), v)| {
            *v = 3.0 * r as f32 / 300.0 + *v * (1.0 + c as f32 / 300.0);
        });
        let [even, uneven] =
            [image, uneven].map(|image| resampled(&micrograph(&image, None), sampling).unwrap());
        let away = off(even.pixels(), uneven.pixels());
        assert!(away < 0.15, "{away}");
        // Along the border the mean of a ramp is off its value.
        let inside =
            |image: &Micrograph| image.pixels().slice(ndarray::s![100..300, 100..300]).to_owned();
        let away = off(inside(&even).view(), inside(&uneven).view());
        assert!(away < 0.05, "{away} inside");
    }

    #[test]
    fn what_is_masked_does_not_count() {
        let sampling = Sampling { period: 12.0, target: 18.0 };
        let mut image = waves(12.0, 240);
        let mask = Array2::from_shape_fn((240, 240), |(r, c)| (100..140).contains(&r) && c < 90);
        let [plain, masked] = [1.0, 1e4].map(|value| {
            image.indexed_iter_mut().filter(|(at, _)| mask[*at]).for_each(|(_, v)| *v = value);
            resampled(&micrograph(&image, Some(mask.clone())), sampling).unwrap()
        });
        assert_eq!(plain.pixels(), masked.pixels(), "values under the mask are not looked at");
        assert!(plain.mask().unwrap()[(180, 30)] && !plain.mask().unwrap()[(180, 160)]);
        assert!(plain.pixels().iter().all(|v| v.is_finite()));
    }

    #[test]
    fn a_mask_that_leaves_all_pixels_changes_nothing() {
        // Longer than high, and no whole number of blocks.
        let image = Array2::from_shape_fn((131, 239), |(r, c)| {
            let wave = |x: usize| (x as f64 * std::f64::consts::TAU / 13.0).cos();
            (wave(r) + wave(c) + 0.02 * r as f64 + (0.03 * c as f64).sin()) as f32
        });
        for period in [3.0, 13.0, 30.0] {
            let nothing = Array2::from_elem(image.dim(), false).into_shared();
            let slow = |mask| Slow::of(image.view(), mask, CONTRAST * period, |v| v * v).values;
            let away = off(slow(None).view(), slow(Some(&nothing)).view());
            assert!(away < 1e-5, "{away} of the local mean at {period} px");
            let flat = |mask| flattened(image.view(), mask, period);
            let away = off(flat(None).view(), flat(Some(&nothing)).view());
            assert!(away < 1e-4, "{away} at {period} px");
        }
    }

    #[test]
    fn frames_reach_no_further_than_the_image() {
        let image = Extent { rows: 100, cols: 31 };
        let frame = Frame::new(image, Some(Sampling { period: 10.0, target: 15.0 }));
        assert_eq!(frame.described(), Extent { rows: 149, cols: 46 });
        assert_eq!(Frame::new(image, None).described(), image);
    }
}
