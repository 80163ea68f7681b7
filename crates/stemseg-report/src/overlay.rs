//! The overlay: the micrograph in grey, labels as tints or boundary lines, a legend
//! and a scale bar.

pub(super) mod layers;
mod legend;
mod lines;
mod resample;
pub(super) mod scale_bar;
mod shape;

use std::ops::Range;

use image::{GrayImage, RgbImage};
use ndarray::ArrayView2;
use rayon::prelude::*;
use serde::Serialize;

use self::resample::Scaled;
use super::{colours, text};
use stemseg::image::micrograph::PixelSize;
use stemseg::image::rows::Rows;
use stemseg::{Error, Result};

pub use self::legend::area_shares;
pub(crate) use self::resample::drawn_shape;

/// Background of the legend, and of what a narrow image leaves free.
const PAPER: [u8; 3] = [255; 3];

/// How labels are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// Each pixel tinted with its label's colour.
    #[default]
    Tint,
    /// A line along each boundary, on either side in the colour of the label there.
    Lines,
    /// Tints and lines.
    Both,
}

/// How [`overlay`] draws.
#[derive(Debug, Clone, Copy)]
pub struct OverlayOptions {
    /// How labels are shown.
    pub style: Style,
    /// Share of the label's colour in a tinted pixel, 0 to 1.
    pub alpha: f32,
    /// Draws a scale bar. It measures columns: pixels are drawn as stored.
    pub pixel_size: Option<PixelSize>,
}

impl OverlayOptions {
    /// Share of the colour in a tinted pixel unless told otherwise.
    pub const ALPHA: f32 = 0.45;
}

impl Default for OverlayOptions {
    fn default() -> Self {
        Self { style: Style::Tint, alpha: Self::ALPHA, pixel_size: None }
    }
}

/// Draws `image` `[rows, cols]` in grey (0.5 to 99.5 percentile) with `labels`
/// `[rows, cols]` (0 stays grey) in colour, and the area shares below.
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
    Paint::new(options, shares.len(), size).fill(&mut drawing, &scaled, left);
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
    let size = text_size(rows, cols);
    Paint::new(&OverlayOptions::default(), 1, size).fill(&mut drawing, &scaled, 0);
    if let Some(pixel) = pixel_size {
        let nm = pixel.cols / scaled.factor();
        scale_bar::draw(&mut drawing, (rows, cols), 0, nm, size);
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

/// Rows that are painted together: few enough for every core to have some, many
/// enough for the rows around them, which lines look at, to cost little.
const BAND: usize = 32;

/// Colours labels, and how strongly.
struct Paint {
    colours: Vec<[u8; 3]>,
    /// Share of the colour in a pixel.
    tint: f32,
    /// Half the width of boundary lines, px; 0 for none.
    half: usize,
}

impl Paint {
    /// For labels below `labels`; `size` px per line of text.
    fn new(options: &OverlayOptions, labels: usize, size: f32) -> Self {
        Self {
            colours: (0..labels).map(colours::colour).collect(),
            tint: if options.style == Style::Lines { 0.0 } else { options.alpha },
            half: if options.style == Style::Tint { 0 } else { half_width(size) },
        }
    }

    /// Fills the upper rows of `drawing` with the image, from column `left` on.
    fn fill(&self, drawing: &mut RgbImage, scaled: &Scaled<'_>, left: usize) {
        let grey = Stretch::of(scaled.sample(Stretch::SAMPLES));
        let (rows, cols) = scaled.shape();
        let width = 3 * drawing.width() as usize;
        let lines: &mut [u8] = drawing;
        let bands = lines[..rows * width].par_chunks_mut(BAND * width).enumerate();
        bands.for_each(|(band, lines)| {
            let first = band * BAND;
            let marked = self.marked(scaled, first..first + lines.len() / width);
            for (i, line) in lines.chunks_exact_mut(width).enumerate() {
                let line = &mut line[3 * left..3 * (left + cols)];
                let marked = marked.get(i).map(Vec::as_slice);
                self.fill_row(line, scaled.row(first + i), grey, marked);
            }
        });
    }

    /// The pixels of `band` that belong to boundary lines; nothing where none are drawn.
    fn marked(&self, scaled: &Scaled<'_>, band: Range<usize>) -> Vec<Vec<bool>> {
        if self.half == 0 {
            return Vec::new();
        }
        let first = band.start.saturating_sub(self.half);
        let end = scaled.shape().0.min(band.end + self.half);
        let labels: Vec<Vec<u16>> = (first..end).map(|row| scaled.drawn_labels(row)).collect();
        lines::beside_another(&labels, band.start - first..band.end - first, self.half)
    }

    fn fill_row(
        &self,
        line: &mut [u8],
        (values, labels, repeat): (Vec<f32>, Vec<u16>, usize),
        grey: Stretch,
        marked: Option<&[bool]>,
    ) {
        let pixels = line.chunks_exact_mut(3 * repeat);
        for (i, (pixels, (&value, &label))) in pixels.zip(values.iter().zip(&labels)).enumerate() {
            let below = grey.apply(value);
            let colour = self.colours[usize::from(label)];
            let alpha = if label == 0 { 0.0 } else { self.tint };
            let tinted = colour.map(|over| text::mix(below, over, alpha));
            for (j, pixel) in pixels.chunks_exact_mut(3).enumerate() {
                let on_line = marked.is_some_and(|marked| marked[i * repeat + j]);
                pixel.copy_from_slice(if on_line { &colour } else { &tinted });
            }
        }
    }
}

/// Half the width of boundary lines for `size` px per line of text.
fn half_width(size: f32) -> usize {
    (size / 12.0).round().max(1.0) as usize
}

/// From values to grey levels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stretch {
    low: f32,
    high: f32,
}

impl Stretch {
    /// Pixels looked at, about: enough for percentiles good to a grey level.
    const SAMPLES: usize = 1 << 17;

    /// The 0.5 and 99.5 percentiles, or all there is where those coincide.
    pub(crate) fn of(mut values: Vec<f32>) -> Self {
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

    /// Middle grey for a constant image, black for what is not a number.
    pub(crate) fn apply(self, value: f32) -> u8 {
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
