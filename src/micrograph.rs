//! [`Micrograph`]: one image, ready for segmentation.

use ndarray::{Array2, ArrayView2, Zip};
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

/// One 2-D image: `f32` values about an `f64` offset, so that an image at 3e9
/// with a contrast of 100 keeps its digits.
#[derive(Debug, Clone)]
pub struct Micrograph {
    pixels: Array2<f32>,
    offset: f64,
    pixel_size: Option<PixelSize>,
    mask: Option<Array2<bool>>,
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
        let mut replaced = 0;
        let mut narrow = |pixel: T, masked: bool| {
            if masked {
                return 0.0;
            }
            if !pixel.to_f64().is_finite() {
                replaced += 1;
                return 0.0;
            }
            pixel.minus(offset)
        };
        let values = match &mask {
            None => pixels.map(|&p| narrow(p, false)),
            Some(mask) => Zip::from(pixels).and(mask).map_collect(|&p, &m| narrow(p, m)),
        };
        if values.iter().any(|v| !v.is_finite()) {
            return Err(Error::Image(
                "the pixel values span more than f32 can hold (3.4e38)".into(),
            ));
        }
        Ok(Self { pixels: values, offset, pixel_size: None, mask, replaced })
    }

    /// The same image with a pixel size in nm.
    #[must_use]
    pub fn with_pixel_size(mut self, size: Option<PixelSize>) -> Self {
        self.pixel_size = size;
        self
    }

    /// Pixels minus [`offset`](Self::offset), `[rows, cols]`.
    pub fn pixels(&self) -> ArrayView2<'_, f32> {
        self.pixels.view()
    }

    /// What was taken off every pixel, in the file's units.
    pub fn offset(&self) -> f64 {
        self.offset
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
    pub fn mask(&self) -> Option<ArrayView2<'_, bool>> {
        self.mask.as_ref().map(|m| m.view())
    }

    /// How many NaN or infinite pixels were replaced by the mean.
    pub fn replaced(&self) -> usize {
        self.replaced
    }

    /// Pixels `[rows, cols]` at mean 0 and variance 1; masked ones are 0.
    ///
    /// # Errors
    /// [`Error::Image`] if all pixels that count have the same value.
    pub fn standardised(&self) -> Result<Array2<f32>> {
        let moments = self.moments();
        if moments.least == moments.most {
            let value = f64::from(moments.least) + self.offset;
            return Err(Error::Image(format!(
                "the image is constant in single precision: every pixel that counts is {value:?}"
            )));
        }
        let mean = moments.sum / moments.count;
        let deviation = (moments.squares / moments.count - mean * mean).sqrt();
        let scale = |v: f32| ((f64::from(v) - mean) / deviation) as f32;
        Ok(match &self.mask {
            None => Zip::from(&self.pixels).par_map_collect(|&v| scale(v)),
            Some(mask) => Zip::from(&self.pixels)
                .and(mask)
                .par_map_collect(|&v, &out| if out { 0.0 } else { scale(v) }),
        })
    }

    /// Sums over the pixels that count, in f64, rows in a fixed order. Pixels are
    /// near mean 0 already, so that squares lose nothing.
    fn moments(&self) -> Moments {
        let row = |(r, pixels): (usize, ndarray::ArrayView1<'_, f32>)| match &self.mask {
            None => pixels.iter().fold(Moments::NONE, |sum, &v| sum.with(v)),
            Some(mask) => {
                let counted = pixels.iter().zip(mask.row(r)).filter(|(_, out)| !**out);
                counted.fold(Moments::NONE, |sum, (&v, _)| sum.with(v))
            }
        };
        let rows: Vec<_> = self.pixels.outer_iter().enumerate().collect();
        let rows: Vec<Moments> = rows.into_par_iter().map(row).collect();
        rows.into_iter().fold(Moments::NONE, Moments::and)
    }
}

/// What standardising needs of the pixels.
#[derive(Clone, Copy)]
struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
    least: f32,
    most: f32,
}

impl Moments {
    const NONE: Self =
        Self { count: 0.0, sum: 0.0, squares: 0.0, least: f32::INFINITY, most: f32::NEG_INFINITY };

    fn with(self, value: f32) -> Self {
        let wide = f64::from(value);
        self.and(Self { count: 1.0, sum: wide, squares: wide * wide, least: value, most: value })
    }

    fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
            least: self.least.min(other.least),
            most: self.most.max(other.most),
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
    let (mut good, mut bad) = (0_usize, 0_usize);
    let mut first = None;
    let mut sum = 0.0;
    for (at, &pixel) in pixels.indexed_iter() {
        if mask.is_some_and(|m| m[at]) {
            continue;
        }
        let value = pixel.to_f64();
        if value.is_finite() {
            good += 1;
            sum += value;
        } else {
            bad += 1;
            first.get_or_insert((at, value));
        }
    }
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
