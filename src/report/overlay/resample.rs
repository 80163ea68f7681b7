//! The image and its labels at the size they are drawn in.

use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2};
use rayon::prelude::*;

use crate::rows::{self, Rows};

/// Longest side that is drawn.
const LONGEST: usize = 8192;

/// Narrower images are enlarged, so that legend and scale bar find room.
const NARROWEST: usize = 240;

/// An image and its labels, reduced or enlarged by a whole factor.
pub(super) struct Scaled<'a> {
    image: CowArray<'a, f32, Ix2>,
    labels: Array2<u16>,
    reduced: usize,
    enlarged: usize,
}

impl<'a> Scaled<'a> {
    /// `image` and `labels` `[rows, cols]`, of one shape and not empty.
    pub(super) fn new(image: ArrayView2<'a, f32>, labels: &dyn Rows<u16>) -> Self {
        let (rows, cols) = image.dim();
        let reduced = rows.max(cols).div_ceil(LONGEST);
        if reduced > 1 {
            let image = reduce(&image, reduced, mean).into();
            let labels = reduce(labels, reduced, majority);
            return Self { image, labels, reduced, enlarged: 1 };
        }
        let enlarged = NARROWEST.div_ceil(cols).min(LONGEST / rows).max(1);
        Self { image: image.into(), labels: rows::collect(labels), reduced, enlarged }
    }

    /// Rows and columns as drawn.
    pub(super) fn shape(&self) -> (usize, usize) {
        let (rows, cols) = self.image.dim();
        (rows * self.enlarged, cols * self.enlarged)
    }

    /// Drawn pixels per stored pixel, along one axis.
    pub(super) fn factor(&self) -> f64 {
        self.enlarged as f64 / self.reduced as f64
    }

    /// The image before it is enlarged.
    pub(super) fn image(&self) -> ArrayView2<'_, f32> {
        self.image.view()
    }

    /// The labels before they are enlarged.
    pub(super) fn labels(&self) -> ArrayView2<'_, u16> {
        self.labels.view()
    }

    /// Values and labels of one drawn row.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = (f32, u16)> {
        let row = row / self.enlarged;
        let pairs = self.image.row(row).into_iter().zip(self.labels.row(row));
        pairs.flat_map(|(&value, &label)| std::iter::repeat_n((value, label), self.enlarged))
    }
}

/// An image by blocks of `factor` px (smaller at the far edges), each given to
/// `summary`, which may reorder its values.
fn reduce<T: Copy + Default + Send + Sync>(
    image: &dyn Rows<T>,
    factor: usize,
    summary: impl Fn(&mut [T]) -> T + Sync,
) -> Array2<T> {
    let (rows, cols) = image.shape();
    let mut small = Array2::default((rows.div_ceil(factor), cols.div_ceil(factor)));
    small.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(i, line)| {
        let band = i * factor..rows.min((i + 1) * factor);
        let mut lines = vec![T::default(); band.len() * cols];
        band.zip(lines.chunks_exact_mut(cols)).for_each(|(row, to)| image.fill(row, to));
        let mut block = Vec::with_capacity(factor * factor);
        for (j, value) in line.into_iter().enumerate() {
            block.clear();
            for line in lines.chunks_exact(cols) {
                block.extend_from_slice(&line[j * factor..cols.min((j + 1) * factor)]);
            }
            *value = summary(&mut block);
        }
    });
    small
}

/// Mean of the finite values, NaN where there are none.
fn mean(block: &mut [f32]) -> f32 {
    let finite = block.iter().copied().filter(|v| v.is_finite()).map(f64::from);
    let (sum, count) = finite.fold((0.0, 0_u32), |(sum, count), v| (sum + v, count + 1));
    (sum / f64::from(count)) as f32
}

/// The most frequent label, the lowest of several.
fn majority(block: &mut [u16]) -> u16 {
    block.sort_unstable();
    let runs = block.chunk_by(|a, b| a == b);
    let longest = runs.reduce(|best, run| if run.len() > best.len() { run } else { best });
    longest.map_or(0, |run| run[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn scaled(rows: usize, cols: usize) -> ((usize, usize), f64) {
        let (image, labels) = (Array2::zeros((rows, cols)), Array2::zeros((rows, cols)));
        let scaled = Scaled::new(image.view(), &labels.view());
        (scaled.shape(), scaled.factor())
    }

    #[test]
    fn only_extreme_sizes_are_changed() {
        assert_eq!(scaled(300, 240), ((300, 240), 1.0));
        assert_eq!(scaled(8192, 8192), ((8192, 8192), 1.0));
        assert_eq!(scaled(60, 60), ((240, 240), 4.0));
        assert_eq!(scaled(1, 239), ((2, 478), 2.0));
        assert_eq!(scaled(3, 8193), ((2, 4097), 0.5));
        assert_eq!(scaled(16385, 2), ((5462, 1), 1.0 / 3.0));
        assert_eq!(scaled(4000, 1), ((8000, 2), 2.0));
    }

    #[test]
    fn blocks_are_averaged_and_labels_voted_on() {
        let image = array![[1.0_f32, 3.0, 7.0], [5.0, 7.0, f32::NAN], [2.0, 4.0, f32::INFINITY]];
        let small = reduce(&image.view(), 2, mean);
        assert_eq!(small.dim(), (2, 2));
        assert_eq!((small[(0, 0)], small[(0, 1)], small[(1, 0)]), (4.0, 7.0, 3.0));
        assert!(small[(1, 1)].is_nan());
        let labels = array![[2_u16, 1, 9], [9, 2, 4], [5, 3, 0]];
        assert_eq!(reduce(&labels.view(), 2, majority), array![[2, 4], [3, 0]]);
    }

    #[test]
    fn enlarged_rows_repeat_each_pixel() {
        let (image, labels) = (array![[1.0_f32, 2.0], [3.0, 4.0]], array![[1_u16, 2], [3, 4]]);
        let scaled = Scaled::new(image.view(), &labels.view());
        let row: Vec<_> = scaled.row(120).collect();
        assert_eq!(row.len(), 240);
        assert_eq!((row[119], row[120]), ((3.0, 3), (4.0, 4)));
        assert_eq!(scaled.row(119).next(), Some((1.0, 1)));
    }
}
