//! The overlay: the micrograph in grey, labels as tints, a legend and a scale bar.

mod legend;
mod resample;
mod scale_bar;
mod shape;

use image::{GrayImage, RgbImage};
use ndarray::ArrayView2;
use rayon::prelude::*;

use self::resample::Scaled;
use super::{colours, text};
use crate::micrograph::PixelSize;
use crate::rows::Rows;
use crate::{Error, Result};

pub use self::legend::area_shares;

/// Background of the legend, and of what a narrow image leaves free.
const PAPER: [u8; 3] = [255; 3];

/// How [`overlay`] draws.
#[derive(Debug, Clone, Copy)]
pub struct OverlayOptions {
    /// Share of the label's colour in a tinted pixel, 0 to 1.
    pub alpha: f32,
    /// Draws a scale bar. It measures columns: pixels are drawn as stored.
    pub pixel_size: Option<PixelSize>,
}

impl Default for OverlayOptions {
    fn default() -> Self {
        Self { alpha: 0.45, pixel_size: None }
    }
}

/// Draws `image` `[rows, cols]` in grey (0.5 to 99.5 percentile) tinted by
/// `labels` `[rows, cols]` (0 stays grey), with the area shares below.
///
/// Sides above 8192 px are reduced by block averages, images narrower than 240
/// px enlarged by a whole factor.
///
/// # Errors
/// [`Error::Image`] for an empty image and for labels of another shape.
pub fn overlay(
    image: ArrayView2<'_, f32>,
    labels: &dyn Rows<u16>,
    options: &OverlayOptions,
) -> Result<RgbImage> {
    check_shapes(image.dim(), labels.shape())?;
    let shares = area_shares(labels);
    let scaled = Scaled::new(image, labels);
    let (rows, cols) = scaled.shape();
    let size = text_size(rows, cols);
    let legend = legend::Legend::new(&shares, cols, size);
    let width = cols.max(legend.width());
    let paper = image::Rgb(PAPER);
    let mut drawing = RgbImage::from_pixel(width as u32, (rows + legend.height()) as u32, paper);
    let left = (width - cols) / 2;
    tint(&mut drawing, &scaled, left, shares.len(), options.alpha);
    if let Some(pixel) = options.pixel_size {
        let nm = pixel.cols / scaled.factor();
        scale_bar::draw(&mut drawing, (rows, cols), left, nm, size);
    }
    legend.draw(&mut drawing, rows);
    Ok(drawing)
}

/// Draws `image` `[rows, cols]` as [`overlay`] does, without tints and legend.
///
/// # Errors
/// [`Error::Image`] for an empty image.
pub fn picture(image: ArrayView2<'_, f32>, pixel_size: Option<PixelSize>) -> Result<GrayImage> {
    check_shapes(image.dim(), image.dim())?;
    let labels = NoLabels(image.dim());
    let scaled = Scaled::new(image, &labels);
    let (rows, cols) = scaled.shape();
    let mut drawing = RgbImage::new(cols as u32, rows as u32);
    tint(&mut drawing, &scaled, 0, 1, 0.0);
    if let Some(pixel) = pixel_size {
        let nm = pixel.cols / scaled.factor();
        scale_bar::draw(&mut drawing, (rows, cols), 0, nm, text_size(rows, cols));
    }
    Ok(image::DynamicImage::ImageRgb8(drawing).into_luma8())
}

fn check_shapes(image: (usize, usize), labels: (usize, usize)) -> Result<()> {
    let ((rows, cols), (label_rows, label_cols)) = (image, labels);
    if image != labels {
        return Err(Error::Image(format!(
            "the label map has {label_rows} x {label_cols} pixels but the image {rows} x {cols}"
        )));
    }
    if rows == 0 || cols == 0 {
        return Err(Error::Image(format!("no overlay of an image of {rows} x {cols} pixels")));
    }
    Ok(())
}

/// Pixels per line of text: readable when the whole drawing is seen at once.
fn text_size(rows: usize, cols: usize) -> f32 {
    let side = (rows as f32 * cols as f32).sqrt();
    (side / 50.0).round().max(14.0)
}

/// Label 0 everywhere.
struct NoLabels((usize, usize));

impl Rows<u16> for NoLabels {
    fn shape(&self) -> (usize, usize) {
        self.0
    }

    fn fill(&self, _: usize, to: &mut [u16]) {
        to.fill(0);
    }
}

/// Fills the upper rows of `drawing` with the image, from column `left` on;
/// `labels` is their number, 0 among them.
fn tint(drawing: &mut RgbImage, scaled: &Scaled<'_>, left: usize, labels: usize, alpha: f32) {
    let grey = Stretch::of(scaled.sample(Stretch::SAMPLES));
    let colours: Vec<[u8; 3]> = (0..labels).map(colours::colour).collect();
    let (_, cols) = scaled.shape();
    let width = 3 * drawing.width() as usize;
    let lines: &mut [u8] = drawing;
    lines.par_chunks_exact_mut(width).take(scaled.shape().0).enumerate().for_each(|(row, line)| {
        let line = &mut line[3 * left..3 * (left + cols)];
        let (values, labels, repeat) = scaled.row(row);
        let pixels = line.chunks_exact_mut(3 * repeat);
        for (pixels, (&value, &label)) in pixels.zip(values.iter().zip(&labels)) {
            let below = grey.apply(value);
            let alpha = if label == 0 { 0.0 } else { alpha };
            let tinted = colours[usize::from(label)].map(|over| text::mix(below, over, alpha));
            pixels.chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&tinted));
        }
    });
}

/// From values to grey levels.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stretch {
    low: f32,
    high: f32,
}

impl Stretch {
    /// Pixels looked at, about: enough for percentiles good to a grey level.
    const SAMPLES: usize = 1 << 17;

    /// The 0.5 and 99.5 percentiles, or all there is where those coincide.
    fn of(mut values: Vec<f32>) -> Self {
        values.retain(|v| v.is_finite());
        if values.is_empty() {
            return Self { low: 0.0, high: 0.0 };
        }
        let last = values.len() - 1;
        let mut percentile = |share: f64| {
            let at = (share * last as f64).round() as usize;
            *values.select_nth_unstable_by(at, f32::total_cmp).1
        };
        let (low, high) = (percentile(0.005), percentile(0.995));
        if low < high {
            return Self { low, high };
        }
        Self { low: percentile(0.0), high: percentile(1.0) }
    }

    /// Middle grey for a constant image, black for what is no number.
    fn apply(self, value: f32) -> u8 {
        if self.low >= self.high {
            return 128;
        }
        // In f64, where the range of any two f32 is finite.
        let (low, high) = (f64::from(self.low), f64::from(self.high));
        ((f64::from(value) - low) / (high - low) * 255.0 + 0.5) as u8
    }
}

#[cfg(test)]
#[path = "overlay/tests.rs"]
mod tests;
