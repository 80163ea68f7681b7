//! [`Micrograph`]: one image, ready for segmentation.

use ndarray::{ArcArray2, Array2, ArrayView1, ArrayView2, Zip};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Size of one pixel in nanometres.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PixelSize {
    /// Distance of neighbouring rows, nm.
    pub rows: f64,
    /// Distance of neighbouring columns, nm.
    pub cols: f64,
}

/// What to do with pixels that are NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NonFinite {
    /// Refuse the image, naming their count and the first position.
    #[default]
    Fail,
    /// Replace each by the mean of the finite pixels.
    Mean,
}

/// One 2-D image at mean 0 and variance 1, with the mean and deviation that lead
/// back to the file's values. An image at 3e9 with a contrast of 100 keeps its
/// digits, since the mean is taken off before values are narrowed to f32.
#[derive(Debug, Clone)]
pub struct Micrograph {
    pixels: Array2<f32>,
    mean: f64,
    deviation: f64,
    pixel_size: Option<PixelSize>,
    mask: Option<ArcArray2<bool>>,
    replaced: usize,
}

/// A pixel type that can give up a common offset exactly.
///
/// Integers subtract in 128-bit integers, floats in f64: the difference is
/// narrowed to f32 only once it is small.
pub trait Pixel: Copy + Send + Sync {
    /// The value as f64 (rounded for integers beyond 2^53).
    fn to_f64(self) -> f64;
    /// `self - offset`; `offset` is a whole number for integer types.
    fn minus(self, offset: f64) -> f32;
    /// True for integer types, whose offset is rounded to a whole number.
    const INTEGER: bool;
}

macro_rules! integer_pixel {
    ($($t:ty),*) => {$(
        impl Pixel for $t {
            const INTEGER: bool = true;
            fn to_f64(self) -> f64 { self as f64 }
            fn minus(self, offset: f64) -> f32 { (i128::from(self) - offset as i128) as f32 }
        }
    )*};
}
integer_pixel!(u8, i8, u16, i16, u32, i32, u64, i64);

macro_rules! float_pixel {
    ($($t:ty),*) => {$(
        impl Pixel for $t {
            const INTEGER: bool = false;
            fn to_f64(self) -> f64 { f64::from(self) }
            fn minus(self, offset: f64) -> f32 { (f64::from(self) - offset) as f32 }
        }
    )*};
}
float_pixel!(half::f16, f32, f64);

impl Micrograph {
    /// Takes the mean off `pixels` `[rows, cols]` in their own type and narrows
    /// the rest to f32. `mask` `[rows, cols]` is true where a pixel does **not**
    /// count (as in `numpy.ma`); such pixels become the mean and may be NaN.
    ///
    /// # Errors
    /// [`Error::Image`] for an empty image, a mask of another shape or one that
    /// leaves nothing, NaN or infinite pixels under [`NonFinite::Fail`], and a
    /// range that f32 cannot hold.
    pub fn new<T: Pixel>(
        pixels: ArrayView2<'_, T>,
        mask: Option<Array2<bool>>,
        non_finite: NonFinite,
    ) -> Result<Self> {
        let (rows, cols) = pixels.dim();
        if rows == 0 || cols == 0 {
            return Err(Error::Image(format!(
                "the image has no pixels: its shape is {rows} x {cols}"
            )));
        }
        let mask = mask.map(|m| checked_mask(m, (rows, cols))).transpose()?.flatten();
        let offset = offset_of(pixels, mask.as_ref(), non_finite)?;
        let (mut values, sums) = narrow(pixels, mask.as_ref(), offset);
        if !(sums.least.is_finite() && sums.most.is_finite()) {
            return Err(Error::Image(
                "the pixel values span more than f32 can hold (3.4e38)".into(),
            ));
        }
        let (mean, deviation) = sums.mean_and_deviation();
        if deviation > 0.0 {
            values.par_mapv_inplace(|v| ((f64::from(v) - mean) / deviation) as f32);
            blank(&mut values, mask.as_ref());
        }
        let replaced = sums.replaced;
        Ok(Self {
            pixels: values,
            mean: offset + mean,
            deviation,
            pixel_size: None,
            mask: mask.map(Into::into),
            replaced,
        })
    }

    /// The same image with a pixel size in nm.
    #[must_use]
    pub fn with_pixel_size(mut self, size: Option<PixelSize>) -> Self {
        self.pixel_size = size;
        self
    }

    /// Pixels at mean 0 and variance 1, `[rows, cols]`; masked ones are 0, as is
    /// the whole of a constant image.
    pub fn pixels(&self) -> ArrayView2<'_, f32> {
        self.pixels.view()
    }

    /// Mean of the pixels that count, in the file's units.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Standard deviation of the pixels that count, in the file's units.
    pub fn deviation(&self) -> f64 {
        self.deviation
    }

    /// `(rows, cols)`.
    pub fn shape(&self) -> (usize, usize) {
        self.pixels.dim()
    }

    /// Pixel size in nm, where the file gives one.
    pub fn pixel_size(&self) -> Option<PixelSize> {
        self.pixel_size
    }

    /// Mask `[rows, cols]`, true where a pixel does not count.
    pub fn mask(&self) -> Option<&ArcArray2<bool>> {
        self.mask.as_ref()
    }

    /// How many NaN or infinite pixels were replaced by the mean.
    pub fn replaced(&self) -> usize {
        self.replaced
    }

    /// The pixels of an image that shows something.
    ///
    /// # Errors
    /// [`Error::Image`] if all pixels that count have the same value.
    pub fn standardised(&self) -> Result<ArrayView2<'_, f32>> {
        if self.deviation == 0.0 {
            return Err(Error::Image(format!(
                "the image is constant in single precision: every pixel that counts is {:?}",
                self.mean
            )));
        }
        Ok(self.pixels.view())
    }

    /// The same without the rest.
    ///
    /// # Errors
    /// As [`standardised`](Self::standardised).
    pub(crate) fn into_standardised(self) -> Result<Array2<f32>> {
        self.standardised()?;
        Ok(self.pixels)
    }
}

/// The pixels minus `offset`, and their sums; what does not count becomes 0.
fn narrow<T: Pixel>(
    pixels: ArrayView2<'_, T>,
    mask: Option<&Array2<bool>>,
    offset: f64,
) -> (Array2<f32>, Sums) {
    let mut values = Array2::zeros(pixels.dim());
    let lines = values.outer_iter_mut().into_par_iter().zip(pixels.outer_iter().into_par_iter());
    let sums: Vec<Sums> = lines
        .enumerate()
        .map(|(row, (mut line, pixels))| {
            let mask = mask.map(|m| m.row(row));
            let mut replaced = 0;
            let mut counted = Vec::with_capacity(pixels.len());
            for (col, (value, &pixel)) in line.iter_mut().zip(pixels).enumerate() {
                if mask.is_some_and(|m| m[col]) {
                    continue;
                }
                if pixel.to_f64().is_finite() {
                    *value = pixel.minus(offset);
                } else {
                    replaced += 1;
                }
                counted.push(*value);
            }
            Sums { replaced, ..Sums::of(&counted) }
        })
        .collect();
    (values, sums.into_iter().fold(Sums::of(&[]), Sums::and))
}

/// Sets masked pixels to 0.
fn blank(values: &mut Array2<f32>, mask: Option<&Array2<bool>>) {
    if let Some(mask) = mask {
        Zip::from(values).and(mask).par_for_each(|v, &out| *v = if out { 0.0 } else { *v });
    }
}

/// What standardising needs of the pixels that count. They are near mean 0
/// already, so that squares lose nothing.
#[derive(Clone, Copy)]
struct Sums {
    count: f64,
    sum: f64,
    squares: f64,
    least: f32,
    most: f32,
    /// Pixels that were NaN or infinite.
    replaced: usize,
}

impl Sums {
    fn of(values: &[f32]) -> Self {
        // Several sums at once, in an order that does not depend on the machine.
        const LANES: usize = 8;
        let mut sums = [[0.0_f64; LANES]; 2];
        for chunk in values.chunks(LANES) {
            for (lane, &v) in chunk.iter().enumerate() {
                let wide = f64::from(v);
                sums[0][lane] += wide;
                sums[1][lane] += wide * wide;
            }
        }
        let [sum, squares] = sums.map(|lanes| lanes.iter().sum());
        let (least, most) = values
            .iter()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(l, m), &v| (l.min(v), m.max(v)));
        Self { count: values.len() as f64, sum, squares, least, most, replaced: 0 }
    }

    fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
            least: self.least.min(other.least),
            most: self.most.max(other.most),
            replaced: self.replaced + other.replaced,
        }
    }

    /// Mean and standard deviation, the latter 0 where all values are equal.
    fn mean_and_deviation(&self) -> (f64, f64) {
        let mean = self.sum / self.count;
        match self.least == self.most {
            true => (mean, 0.0),
            false => (mean, (self.squares / self.count - mean * mean).max(0.0).sqrt()),
        }
    }
}

/// The mask if it takes anything out, after a check of its shape.
fn checked_mask(mask: Array2<bool>, shape: (usize, usize)) -> Result<Option<Array2<bool>>> {
    if mask.dim() != shape {
        let ((mr, mc), (r, c)) = (mask.dim(), shape);
        return Err(Error::Image(format!(
            "the mask has {mr} x {mc} pixels but the image {r} x {c}; they must agree"
        )));
    }
    if mask.iter().all(|&m| m) {
        return Err(Error::Image(
            "the mask leaves no pixel: non-zero means 'does not count'".into(),
        ));
    }
    Ok(mask.iter().any(|&m| m).then_some(mask))
}

/// Mean of the finite pixels that count, a whole number for integer types.
fn offset_of<T: Pixel>(
    pixels: ArrayView2<'_, T>,
    mask: Option<&Array2<bool>>,
    non_finite: NonFinite,
) -> Result<f64> {
    let rows: Vec<_> = pixels.outer_iter().enumerate().collect();
    let parts: Vec<Finite> = rows
        .into_par_iter()
        .map(|(row, pixels)| Finite::of_row(row, pixels, mask.map(|m| m.row(row))))
        .collect();
    let Finite { good, bad, sum, first } = parts.into_iter().fold(Finite::default(), Finite::and);
    if good == 0 {
        return Err(Error::Image("no pixel that counts is a finite number".into()));
    }
    if let (Some(((row, col), value)), NonFinite::Fail) = (first, non_finite) {
        return Err(Error::Image(format!(
            "{bad} of {} pixels are NaN or infinite, the first ({value}) at row {row}, column {col}; \
             give --nan mean to replace them by the mean of the others, or a --mask that covers them",
            pixels.len()
        )));
    }
    let mean = sum / good as f64;
    Ok(if T::INTEGER { mean.round() } else { mean })
}

/// Finite pixels and others.
#[derive(Default)]
struct Finite {
    good: usize,
    bad: usize,
    sum: f64,
    /// The first pixel that is not finite.
    first: Option<((usize, usize), f64)>,
}

impl Finite {
    fn of_row<T: Pixel>(
        row: usize,
        pixels: ArrayView1<'_, T>,
        mask: Option<ArrayView1<'_, bool>>,
    ) -> Self {
        let mut found = Self::default();
        for (col, &pixel) in pixels.iter().enumerate() {
            if mask.is_some_and(|m| m[col]) {
                continue;
            }
            let value = pixel.to_f64();
            if value.is_finite() {
                found.good += 1;
                found.sum += value;
            } else {
                found.bad += 1;
                found.first.get_or_insert(((row, col), value));
            }
        }
        found
    }

    fn and(self, next: Self) -> Self {
        Self {
            good: self.good + next.good,
            bad: self.bad + next.bad,
            sum: self.sum + next.sum,
            first: self.first.or(next.first),
        }
    }
}
