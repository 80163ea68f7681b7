//! [`Micrograph`]: one image, ready for segmentation.

use ndarray::{ArcArray2, Array2, ArrayView1, ArrayView2, ArrayViewMut1, Zip};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::screening::{self, Screened};
pub use crate::image::screening::{Excluded, NonFinite, Outliers, Screening};
use crate::{Error, Result};

/// Size of one pixel in nanometres.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PixelSize {
    /// Distance of neighbouring rows, nm.
    pub rows: f64,
    /// Distance of neighbouring columns, nm.
    pub cols: f64,
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
    /// What has no label, and what does not count: the same where there are no outliers.
    absent: Option<ArcArray2<bool>>,
    mask: Option<ArcArray2<bool>>,
    outliers: Vec<(usize, usize)>,
    excluded: Excluded,
    replaced: usize,
}

/// A pixel type that can give up a common offset exactly.
///
/// Integers of 64 bits subtract in 128, all others in f64, which is as exact for those of 32 bits
/// and fewer: the difference is narrowed to f32 only once it is small.
pub trait Pixel: Copy + Send + Sync {
    /// The value as f64 (rounded for integers beyond 2^53).
    fn to_f64(self) -> f64;
    /// `self - offset`; `offset` is a whole number for integer types.
    fn minus(self, offset: f64) -> f32;
    /// True for integer types, whose offset is rounded to a whole number.
    const INTEGER: bool;
}

macro_rules! pixel {
    ($integer:literal: $($t:ty),*) => {$(
        impl Pixel for $t {
            const INTEGER: bool = $integer;
            fn to_f64(self) -> f64 { f64::from(self) }
            fn minus(self, offset: f64) -> f32 { (f64::from(self) - offset) as f32 }
        }
    )*};
}
pixel!(true: u8, i8, u16, i16, u32, i32);
pixel!(false: half::f16, f32, f64);

macro_rules! wide_pixel {
    ($($t:ty),*) => {$(
        impl Pixel for $t {
            const INTEGER: bool = true;
            fn to_f64(self) -> f64 { self as f64 }
            fn minus(self, offset: f64) -> f32 { (i128::from(self) - offset as i128) as f32 }
        }
    )*};
}
wide_pixel!(u64, i64);

impl Micrograph {
    /// Takes the mean off `pixels` `[rows, cols]` in their own type and narrows
    /// the rest to f32. `mask` `[rows, cols]` is true where a pixel does **not**
    /// count (as in `numpy.ma`); such pixels become the mean and may be NaN. Finite pixels
    /// are taken as they are; [`screened`](Self::screened) looks for those without data.
    ///
    /// # Errors
    /// As [`screened`](Self::screened).
    pub fn new<T: Pixel>(
        pixels: ArrayView2<'_, T>,
        mask: Option<Array2<bool>>,
        non_finite: NonFinite,
    ) -> Result<Self> {
        Self::screened(pixels, Screening { mask, non_finite, outliers: Outliers::Keep })
    }

    /// The micrograph of `pixels` `[rows, cols]`, of which those without data count
    /// nowhere: neither in mean and deviation nor in anything that comes after.
    ///
    /// # Errors
    /// [`Error::Image`] for an empty image, a mask of another shape or one that
    /// leaves nothing, NaN or infinite pixels under [`NonFinite::Fail`], and a
    /// range that f32 cannot hold.
    pub fn screened<T: Pixel>(pixels: ArrayView2<'_, T>, screening: Screening) -> Result<Self> {
        let (rows, cols) = pixels.dim();
        if rows == 0 || cols == 0 {
            return Err(Error::Image(format!(
                "the image has no pixels: its shape is {rows} x {cols}"
            )));
        }
        let Screened { absent, outliers, excluded } = screening::screen(pixels, screening)?;
        let absent: Option<ArcArray2<bool>> = absent.map(Into::into);
        let mask = with_outliers(absent.as_ref(), &outliers, pixels.dim());
        let offset = offset_of(pixels, mask.as_ref())?;
        let (values, sums) = narrow(pixels, mask.as_ref(), offset);
        let mut this = Self::scaled(values, offset, sums, mask)?;
        if let Some(mask) = &this.mask {
            screening::fill(&mut this.pixels, &outliers, |at| mask[at]);
        }
        Ok(Self { absent, outliers, excluded, ..this })
    }

    /// The micrograph of finite `values` `[rows, cols]`, in the memory that they are in; those
    /// under `mask` are absent.
    ///
    /// # Errors
    /// [`Error::Image`] where the mask leaves nothing, and for a range that f32 cannot hold.
    pub(crate) fn of_values(
        mut values: Array2<f32>,
        mask: Option<ArcArray2<bool>>,
    ) -> Result<Self> {
        let offset = offset_of(values.view(), mask.as_ref())?;
        let sums = shift(&mut values, mask.as_ref(), offset);
        Self::scaled(values, offset, sums, mask)
    }

    /// The micrograph of pixels from which `offset` was taken and which have these `sums`; those
    /// under `mask` are absent.
    fn scaled(
        mut values: Array2<f32>,
        offset: f64,
        sums: Sums,
        mask: Option<ArcArray2<bool>>,
    ) -> Result<Self> {
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
        Ok(Self {
            pixels: values,
            mean: offset + mean,
            deviation,
            pixel_size: None,
            absent: mask.clone(),
            mask,
            outliers: Vec::new(),
            excluded: Excluded::default(),
            replaced: sums.replaced,
        })
    }

    /// The same image with a pixel size in nm.
    #[must_use]
    pub fn with_pixel_size(mut self, size: Option<PixelSize>) -> Self {
        self.pixel_size = size;
        self
    }

    /// Pixels at mean 0 and variance 1, `[rows, cols]`; absent ones are 0, as is
    /// the whole of a constant image, and outliers have values from their surroundings.
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

    /// Mask `[rows, cols]`, true where a pixel does not count: absent ones and outliers.
    pub fn mask(&self) -> Option<&ArcArray2<bool>> {
        self.mask.as_ref()
    }

    /// Mask `[rows, cols]`, true where a pixel has neither label nor area.
    pub fn absent(&self) -> Option<&ArcArray2<bool>> {
        self.absent.as_ref()
    }

    /// Rows and columns of the pixels far outside the range of all others, row by row.
    pub fn outliers(&self) -> &[(usize, usize)] {
        &self.outliers
    }

    /// How many pixels do not count, and why.
    pub fn excluded(&self) -> Excluded {
        self.excluded
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
                "the image is constant in single precision: every pixel that is not left out has the value {:?}",
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

/// `absent` and `outliers` in one.
fn with_outliers(
    absent: Option<&ArcArray2<bool>>,
    outliers: &[(usize, usize)],
    shape: (usize, usize),
) -> Option<ArcArray2<bool>> {
    if outliers.is_empty() {
        return absent.cloned();
    }
    let mut mask = absent.map_or_else(|| Array2::from_elem(shape, false), |a| a.to_owned());
    outliers.iter().for_each(|&at| mask[at] = true);
    Some(mask.into_shared())
}

/// The pixels minus `offset`, and their sums; what does not count becomes 0.
fn narrow<T: Pixel>(
    pixels: ArrayView2<'_, T>,
    mask: Option<&ArcArray2<bool>>,
    offset: f64,
) -> (Array2<f32>, Sums) {
    let mut values = Array2::zeros(pixels.dim());
    let lines = values.outer_iter_mut().into_par_iter().zip(pixels.outer_iter().into_par_iter());
    let sums: Vec<Sums> = lines
        .enumerate()
        .map(|(row, (line, pixels))| {
            narrow_line(line, pixels, mask.map(|mask| mask.row(row)), offset)
        })
        .collect();
    (values, sums.into_iter().fold(Sums::of(&[]), Sums::and))
}

/// The same of `values` in their own place.
fn shift(values: &mut Array2<f32>, mask: Option<&ArcArray2<bool>>, offset: f64) -> Sums {
    let lines = values.outer_iter_mut().into_par_iter().enumerate();
    let sums: Vec<Sums> = lines
        .map_init(Vec::new, |own: &mut Vec<f32>, (row, line)| {
            own.clear();
            own.extend(&line);
            narrow_line(line, own.as_slice().into(), mask.map(|mask| mask.row(row)), offset)
        })
        .collect();
    sums.into_iter().fold(Sums::of(&[]), Sums::and)
}

/// Writes a row of `pixels` minus `offset` into `line`, and sums it up.
fn narrow_line<T: Pixel>(
    mut line: ArrayViewMut1<'_, f32>,
    pixels: ArrayView1<'_, T>,
    mask: Option<ArrayView1<'_, bool>>,
    offset: f64,
) -> Sums {
    let mut replaced = 0;
    let mut narrow = |value: &mut f32, pixel: T| {
        let finite = pixel.to_f64().is_finite();
        *value = if finite { pixel.minus(offset) } else { 0.0 };
        replaced += usize::from(!finite);
    };
    let Some(mask) = mask else {
        line.iter_mut().zip(pixels).for_each(|(value, &pixel)| narrow(value, pixel));
        let counted = line.as_slice().expect("rows of a fresh array are contiguous");
        return Sums { replaced, ..Sums::of(counted) };
    };
    let mut counted = Vec::with_capacity(pixels.len());
    for ((value, &pixel), &out) in line.iter_mut().zip(pixels).zip(mask) {
        match out {
            true => *value = 0.0,
            false => {
                narrow(value, pixel);
                counted.push(*value);
            }
        }
    }
    Sums { replaced, ..Sums::of(&counted) }
}

/// Sets masked pixels to 0.
fn blank(values: &mut Array2<f32>, mask: Option<&ArcArray2<bool>>) {
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
        let (mut least, mut most) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
        let mut add = |lane: usize, v: f32| {
            let wide = f64::from(v);
            sums[0][lane] += wide;
            sums[1][lane] += wide * wide;
            least[lane] = if v < least[lane] { v } else { least[lane] };
            most[lane] = if v > most[lane] { v } else { most[lane] };
        };
        let (chunks, rest) = values.as_chunks::<LANES>();
        for chunk in chunks {
            chunk.iter().enumerate().for_each(|(lane, &v)| add(lane, v));
        }
        rest.iter().enumerate().for_each(|(lane, &v)| add(lane, v));
        let [sum, squares] = sums.map(|lanes| lanes.iter().sum());
        let least = least.into_iter().fold(f32::INFINITY, f32::min);
        let most = most.into_iter().fold(f32::NEG_INFINITY, f32::max);
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

/// Mean of the finite pixels that count, a whole number for integer types.
fn offset_of<T: Pixel>(pixels: ArrayView2<'_, T>, mask: Option<&ArcArray2<bool>>) -> Result<f64> {
    let rows: Vec<_> = pixels.outer_iter().enumerate().collect();
    let of_row = |(row, pixels): (usize, ArrayView1<'_, T>)| {
        // Several sums at once, in an order that does not depend on the machine.
        const LANES: usize = 8;
        // Counts are numbers of the same kind as sums, so that both fill vectors alike.
        let (mut counts, mut sums) = ([0.0_f64; LANES], [0.0_f64; LANES]);
        let add = |count: &mut f64, sum: &mut f64, pixel: T| {
            let value = pixel.to_f64();
            let finite = value.abs() < f64::INFINITY;
            *count += if finite { 1.0 } else { 0.0 };
            *sum += if finite { value } else { 0.0 };
        };
        match (mask.map(|mask| mask.row(row)), pixels.to_slice()) {
            (None, Some(pixels)) => {
                let (chunks, rest) = pixels.as_chunks::<LANES>();
                for chunk in chunks {
                    for lane in 0..LANES {
                        add(&mut counts[lane], &mut sums[lane], chunk[lane]);
                    }
                }
                for (lane, &pixel) in rest.iter().enumerate() {
                    add(&mut counts[lane], &mut sums[lane], pixel);
                }
            }
            (mask, _) => {
                let out = |col: usize| mask.as_ref().is_some_and(|mask| mask[col]);
                let values = pixels.iter().enumerate().filter(|(col, _)| !out(*col));
                values.for_each(|(col, &pixel)| {
                    add(&mut counts[col % LANES], &mut sums[col % LANES], pixel);
                });
            }
        }
        (counts.iter().sum::<f64>() as usize, sums.iter().sum::<f64>())
    };
    let parts: Vec<(usize, f64)> = rows.into_par_iter().map(of_row).collect();
    let (count, sum) = parts.into_iter().fold((0, 0.0), |(n, sum), (m, s)| (n + m, sum + s));
    if count == 0 {
        return Err(Error::Image("no pixel with a finite value is left".into()));
    }
    let mean = sum / count as f64;
    Ok(if T::INTEGER { mean.round() } else { mean })
}
