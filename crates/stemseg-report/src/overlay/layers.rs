//! The parts of an overlay each by itself, for a page that lays them over each other.

use image::GrayImage;
use ndarray::ArrayView2;
use rayon::prelude::*;

use super::resample::Scaled;
use super::{BAND, NoLabels, Stretch, lines};
use stemseg::image::rows::Rows;

/// Longest side of a layer, px.
const LONGEST: usize = 1024;

/// Lines are drawn at least this wide, so that those of a small image are not beams.
const NARROWEST: usize = 512;

/// Labels as they are drawn, one for each pixel, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layer {
    /// Pixels in a row.
    pub(crate) cols: usize,
    /// Labels; 0 where nothing is drawn.
    pub(crate) labels: Vec<u16>,
}

/// The micrograph `[rows, cols]` in grey.
pub(crate) fn grey(image: ArrayView2<'_, f32>) -> GrayImage {
    let labels = NoLabels(image.dim());
    let scaled = Scaled::within(LONGEST, 1, image, &labels);
    let stretch = Stretch::of(scaled.sample(Stretch::SAMPLES));
    let (rows, cols) = scaled.shape();
    let mut grey = GrayImage::new(cols as u32, rows as u32);
    let pixels: &mut [u8] = &mut grey;
    pixels.par_chunks_exact_mut(cols).enumerate().for_each(|(row, to)| {
        let (values, ..) = scaled.row(row);
        to.iter_mut().zip(values).for_each(|(to, value)| *to = stretch.apply(value));
    });
    grey
}

/// The label of each pixel, of the same size as [`grey`].
pub(crate) fn tint(labels: &dyn Rows<u16>) -> Layer {
    without_image(labels, 1, |scaled| {
        let (rows, cols) = scaled.shape();
        let rows = (0..rows).into_par_iter().map(|row| scaled.drawn_labels(row));
        Layer { cols, labels: rows.flatten_iter().collect() }
    })
}

/// The label of each pixel that lies on a boundary line, 0 elsewhere.
pub(crate) fn boundary_lines(labels: &dyn Rows<u16>) -> Layer {
    without_image(labels, NARROWEST, |scaled| {
        let (rows, cols) = scaled.shape();
        let bands = (0..rows).into_par_iter().step_by(BAND);
        let bands = bands.map(|first| lines_of(scaled, first, rows.min(first + BAND)));
        Layer { cols, labels: bands.flatten_iter().collect() }
    })
}

/// The boundary lines of rows `first` to `end`.
fn lines_of(scaled: &Scaled<'_>, first: usize, end: usize) -> Vec<u16> {
    let (top, bottom) = (first.saturating_sub(1), scaled.shape().0.min(end + 1));
    let labels: Vec<Vec<u16>> = (top..bottom).map(|row| scaled.drawn_labels(row)).collect();
    let marked = lines::beside_another(&labels, first - top..end - top, 1);
    let labels = labels[first - top..].iter().flatten();
    let line = |(&label, marked): (&u16, bool)| if marked { label } else { 0 };
    labels.zip(marked.into_iter().flatten()).map(line).collect()
}

/// Labels scaled as [`Scaled`] does, where the micrograph does not matter.
fn without_image<T>(
    labels: &dyn Rows<u16>,
    narrowest: usize,
    draw: impl FnOnce(&Scaled<'_>) -> T,
) -> T {
    let nothing = ndarray::aview0(&0.0);
    let image = nothing.broadcast(labels.shape()).expect("one value has any shape");
    draw(&Scaled::within(LONGEST, narrowest, image, labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn labels(rows: usize, cols: usize) -> Array2<u16> {
        Array2::from_shape_fn((rows, cols), |(r, c)| 1 + u16::from(c + r / 4 >= cols / 2))
    }

    #[test]
    fn layers_have_one_size_or_a_multiple() {
        for (rows, cols) in [(100, 130), (1024, 900), (2050, 700), (1, 1)] {
            let image = Array2::from_shape_fn((rows, cols), |(r, c)| (r + c) as f32);
            let labels = labels(rows, cols);
            let (grey, tint) = (grey(image.view()), tint(&labels.view()));
            let lines = boundary_lines(&labels.view());
            assert_eq!((grey.width() as usize, grey.len()), (tint.cols, tint.labels.len()));
            assert!(grey.width().max(grey.height()) <= 1024);
            let factor = lines.cols / tint.cols;
            assert_eq!(lines.labels.len(), factor * factor * tint.labels.len());
        }
    }

    #[test]
    fn lines_are_where_labels_meet_whatever_the_band() {
        let labels = labels(600, 700);
        let (tint, lines) = (tint(&labels.view()), boundary_lines(&labels.view()));
        assert_eq!(tint.labels, labels.iter().copied().collect::<Vec<_>>());
        for (at, &line) in lines.labels.iter().enumerate() {
            let (row, col) = (at / 700, at % 700);
            let around = [(0, 1), (1, 0), (1, 2), (2, 1), (0, 0), (0, 2), (2, 0), (2, 2)];
            let beside = around.iter().any(|&(r, c)| {
                let other = (row + r).checked_sub(1).zip((col + c).checked_sub(1));
                other.and_then(|at| labels.get(at)).is_some_and(|&l| l != labels[(row, col)])
            });
            assert_eq!(line, if beside { labels[(row, col)] } else { 0 }, "{row}, {col}");
        }
    }
}
