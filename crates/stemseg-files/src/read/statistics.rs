//! Least, largest and mean value of an image or of all frames of a stack.

use ndarray::Array2;
use serde::Serialize;

use super::{ImageFile, Pixels};
use stemseg::image::micrograph::Pixel;
use stemseg::{Progress, Result};

/// What the pixels of an image, or of all frames of a stack, are like; colour as
/// luma and complex numbers as moduli, as they are read.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Statistics {
    /// The least value; nothing where a pixel is NaN or infinite, as for the others.
    pub min: Option<f64>,
    /// The largest value.
    pub max: Option<f64>,
    /// The mean.
    pub mean: Option<f64>,
    /// How many pixels are NaN or infinite.
    pub non_finite: usize,
}

impl ImageFile {
    /// Statistics over all frames of the image of this number.
    ///
    /// # Errors
    /// As [`read`](super::read), and [`Error::Interrupted`](stemseg::Error::Interrupted)
    /// where `progress` stops it.
    pub fn statistics(&mut self, image: usize, progress: &dyn Progress) -> Result<Statistics> {
        let image = self.choose(Some(image))?;
        let count = self.entries()[image].frames().unwrap_or(1);
        let mut sums = Sums::default();
        for frame in 0..count {
            progress.step(frame as u64, count as u64)?;
            let (pixels, _) = self.load_unchecked(image, frame)?;
            sums.add(&pixels);
        }
        Ok(sums.statistics())
    }
}

#[derive(Clone, Copy)]
struct Sums {
    least: f64,
    most: f64,
    sum: f64,
    count: usize,
    non_finite: usize,
}

impl Default for Sums {
    fn default() -> Self {
        Self { least: f64::INFINITY, most: f64::NEG_INFINITY, sum: 0.0, count: 0, non_finite: 0 }
    }
}

impl Sums {
    fn add(&mut self, pixels: &Pixels) {
        super::pixels::with_array!(pixels, array => self.add_array(array));
    }

    /// Adds row by row, so that sums of many pixels keep their digits.
    fn add_array<T: Pixel>(&mut self, pixels: &Array2<T>) {
        for row in pixels.outer_iter() {
            let mut sum = 0.0;
            for value in row.iter().map(|pixel| pixel.to_f64()) {
                self.least = self.least.min(value);
                self.most = self.most.max(value);
                self.non_finite += usize::from(!value.is_finite());
                sum += value;
            }
            self.sum += sum;
            self.count += row.len();
        }
    }

    fn statistics(self) -> Statistics {
        let known = |value: f64| (self.non_finite == 0 && self.count > 0).then_some(value);
        Statistics {
            min: known(self.least),
            max: known(self.most),
            mean: known(self.sum / self.count as f64),
            non_finite: self.non_finite,
        }
    }
}
