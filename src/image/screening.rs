//! Which pixels of an image have no data.
//!
//! Two kinds are kept apart. **Absent** pixels show nothing of the specimen: those of a
//! mask, NaN and infinite ones, and borders of one constant value ([`Screening`]). They
//! have no label and no area. **Outliers** lie where the specimen is but say something
//! else: saturated rows, gaps of a detector, hot and dead pixels, sentinels. They are
//! labelled like what surrounds them. Neither takes part in any sum.

mod borders;
mod filling;
mod flood;
mod outliers;

use ndarray::{Array2, ArrayView2, Zip};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub(crate) use self::filling::fill;
use crate::image::micrograph::Pixel;
use crate::{Error, Result};

/// What to do with pixels that are NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NonFinite {
    /// Refuse the image, naming their count and the first position.
    Fail,
    /// They are absent.
    #[default]
    Mask,
    /// Replace each by the mean of the finite pixels.
    Mean,
}

/// Whether pixels without data are looked for by their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outliers {
    /// Pixels far outside the range of all others, with sharp edges, are outliers; borders
    /// and corners of one constant value are absent.
    #[default]
    Auto,
    /// All pixels are taken as they are.
    Keep,
}

/// How pixels without data are recognised.
#[derive(Debug, Clone, Default)]
pub struct Screening {
    /// True where a pixel does not count, `[rows, cols]` (as in `numpy.ma`); what lies there
    /// is not looked at.
    pub mask: Option<Array2<bool>>,
    /// NaN and infinite pixels.
    pub non_finite: NonFinite,
    /// Pixels whose values are not data.
    pub outliers: Outliers,
}

/// How many pixels do not count, each under the first that applies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Excluded {
    /// Under the mask: absent.
    pub masked: usize,
    /// NaN or infinite: absent.
    pub non_finite: usize,
    /// In a border or corner of one constant value: absent.
    pub constant: usize,
    /// Far outside the range of all others.
    pub outliers: usize,
}

impl Excluded {
    /// How many have no label.
    pub fn absent(&self) -> usize {
        self.masked + self.non_finite + self.constant
    }
}

/// What [`screen`] finds.
#[derive(Debug, Default)]
pub(crate) struct Screened {
    /// `[rows, cols]`, true where a pixel has no label; nothing where all have one.
    pub(crate) absent: Option<Array2<bool>>,
    /// Rows and columns of the outliers, row by row.
    pub(crate) outliers: Vec<(usize, usize)>,
    pub(crate) excluded: Excluded,
}

/// Tells which pixels of an image have no data.
///
/// # Errors
/// [`Error::Image`] for a mask of another shape or one that leaves nothing, and for NaN
/// and infinite pixels under [`NonFinite::Fail`].
pub(crate) fn screen<T: Pixel>(
    pixels: ArrayView2<'_, T>,
    screening: Screening,
) -> Result<Screened> {
    let mask = screening.mask.map(|mask| checked(mask, pixels.dim())).transpose()?.flatten();
    let mut found = Screened { absent: mask, ..Screened::default() };
    found.excluded.masked = found.count();
    if !T::INTEGER {
        found.non_finite(pixels, screening.non_finite)?;
    }
    if screening.outliers == Outliers::Auto {
        borders::find(pixels, &mut found.absent);
        found.excluded.constant = found.count() - found.excluded.absent();
        found.outliers = outliers::find(pixels, found.absent.as_ref());
        found.excluded.outliers = found.outliers.len();
    }
    Ok(found)
}

impl Screened {
    /// How many are absent.
    fn count(&self) -> usize {
        let rows = self.absent.as_ref().map(|absent| absent.par_iter());
        rows.map_or(0, |all| all.filter(|&&out| out).count())
    }

    fn non_finite<T: Pixel>(&mut self, pixels: ArrayView2<'_, T>, rule: NonFinite) -> Result<()> {
        let absent = self.absent.as_ref();
        let counts = |at: (usize, usize)| absent.is_none_or(|absent| !absent[at]);
        let bad = |(row, line): (usize, ndarray::ArrayView1<'_, T>)| {
            let bad = |(col, v): (usize, &T)| !v.to_f64().is_finite() && counts((row, col));
            let mut cols = line.iter().enumerate().filter(|&(col, v)| bad((col, v)));
            let first = cols.next().map(|(col, v)| ((row, col), v.to_f64()));
            (usize::from(first.is_some()) + cols.count(), first)
        };
        let lines: Vec<_> = pixels.outer_iter().enumerate().collect();
        let lines: Vec<_> = lines.into_par_iter().map(bad).collect();
        let count: usize = lines.iter().map(|(count, _)| count).sum();
        let Some(((row, col), value)) = lines.into_iter().find_map(|(_, first)| first) else {
            return Ok(());
        };
        match rule {
            NonFinite::Mean => {}
            NonFinite::Mask => {
                let absent =
                    self.absent.get_or_insert_with(|| Array2::from_elem(pixels.dim(), false));
                Zip::from(absent).and(pixels).par_for_each(|out, pixel| {
                    *out |= !pixel.to_f64().is_finite();
                });
                self.excluded.non_finite = count;
            }
            NonFinite::Fail => {
                return Err(Error::Image(format!(
                    "{count} of {} pixels are NaN or infinite, the first ({value}) at row {row}, \
                     column {col}; give `nan = mask` to leave them out, `nan = mean` to replace them by \
                     the mean of the others, or a `mask` that covers them",
                    pixels.len()
                )));
            }
        }
        Ok(())
    }
}

/// The mask if it takes anything out, after a check of its shape.
fn checked(mask: Array2<bool>, shape: (usize, usize)) -> Result<Option<Array2<bool>>> {
    if mask.dim() != shape {
        let ((mr, mc), (r, c)) = (mask.dim(), shape);
        return Err(Error::Image(format!(
            "the mask has {mr} x {mc} pixels, but the image has {r} x {c}; they must agree"
        )));
    }
    if mask.iter().all(|&m| m) {
        return Err(Error::Image(
            "the mask leaves no pixel: its non-zero pixels are left out".into(),
        ));
    }
    Ok(mask.iter().any(|&m| m).then_some(mask))
}

/// Most pixels that quantiles are taken from.
const SAMPLE: usize = 1 << 16;

/// Values of pixels all over the image that are finite and not absent: all of them, or
/// about [`SAMPLE`], which lie where multiples of the golden ratio do, so that neither
/// rows nor lattices favour some.
fn sample<T: Pixel>(pixels: ArrayView2<'_, T>, absent: Option<&Array2<bool>>) -> Vec<f64> {
    let (count, cols) = (pixels.len() as u64, pixels.ncols() as u64);
    let step = (0.618_034 * count as f64) as u64;
    let step = (step.max(1)..).find(|&step| gcd(step, count) == 1).unwrap_or(1);
    let place = |i: u64| {
        let at = i * step % count;
        ((at / cols) as usize, (at % cols) as usize)
    };
    let counts = |at: &(usize, usize)| absent.is_none_or(|absent| !absent[*at]);
    let places = (0..count.min(SAMPLE as u64)).map(place).filter(counts);
    places.map(|at| pixels[at].to_f64()).filter(|v| v.is_finite()).collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Pixels next to `at` along the axes, each with the way to it.
fn beside(
    at: (usize, usize),
    shape: (usize, usize),
) -> impl Iterator<Item = ([isize; 2], Option<(usize, usize)>)> {
    const WAYS: [[isize; 2]; 4] = [[-1, 0], [0, -1], [0, 1], [1, 0]];
    WAYS.into_iter().map(move |way| (way, towards(at, way, 1, shape)))
}

/// The pixel `steps` from `at`, if it is in the image.
fn towards(
    at: (usize, usize),
    [down, along]: [isize; 2],
    steps: isize,
    (rows, cols): (usize, usize),
) -> Option<(usize, usize)> {
    let row = at.0.checked_add_signed(steps * down).filter(|&row| row < rows)?;
    let col = at.1.checked_add_signed(steps * along).filter(|&col| col < cols)?;
    Some((row, col))
}

/// The median of `values`, nothing where there are none.
fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f64::total_cmp).1)
}
