//! The image and its labels at the size they are drawn in.

use ndarray::ArrayView2;
use rayon::prelude::*;

use stemseg::image::rows::Rows;

/// Longest side that is drawn.
const LONGEST: usize = 8192;

/// Narrower images are enlarged, so that legend and scale bar find room.
const NARROWEST: usize = 240;

/// An image and its labels, reduced or enlarged by a whole factor, row by row.
pub(super) struct Scaled<'a> {
    image: ArrayView2<'a, f32>,
    labels: &'a dyn Rows<u16>,
    reduced: usize,
    enlarged: usize,
}

impl<'a> Scaled<'a> {
    /// `image` and `labels` `[rows, cols]`, of one shape and not empty.
    pub(super) fn new(image: ArrayView2<'a, f32>, labels: &'a dyn Rows<u16>) -> Self {
        Self::within(LONGEST, NARROWEST, image, labels)
    }

    /// The same with no side above `longest` px, and enlarged to at least `narrowest`
    /// columns where that leaves it within.
    pub(super) fn within(
        longest: usize,
        narrowest: usize,
        image: ArrayView2<'a, f32>,
        labels: &'a dyn Rows<u16>,
    ) -> Self {
        let (reduced, enlarged) = factors(longest, narrowest, image.dim());
        Self { image, labels, reduced, enlarged }
    }

    /// Rows and columns before they are enlarged.
    fn small(&self) -> (usize, usize) {
        let (rows, cols) = self.image.dim();
        (rows.div_ceil(self.reduced), cols.div_ceil(self.reduced))
    }

    /// Rows and columns as drawn.
    pub(super) fn shape(&self) -> (usize, usize) {
        let (rows, cols) = self.small();
        (rows * self.enlarged, cols * self.enlarged)
    }

    /// Drawn pixels per stored pixel, along one axis.
    pub(super) fn factor(&self) -> f64 {
        self.enlarged as f64 / self.reduced as f64
    }

    /// About `count` values, or all where there are fewer: whole rows.
    pub(super) fn sample(&self, count: usize) -> Vec<f32> {
        let (rows, cols) = self.small();
        let step = (rows * cols / count).max(1);
        // Not evenly spaced, which would beat with a lattice.
        let row = |i: usize| (i * step + i * 7919 % step).min(rows - 1);
        let rows: Vec<usize> = (0..rows.div_ceil(step)).map(row).collect();
        rows.into_par_iter().flat_map_iter(|row| self.values(row)).collect()
    }

    /// Values and labels of one drawn row, and how often each is drawn.
    pub(super) fn row(&self, row: usize) -> (Vec<f32>, Vec<u16>, usize) {
        let row = row / self.enlarged;
        (self.values(row), self.labels(row), self.enlarged)
    }

    /// Labels of one drawn row, one for each drawn pixel.
    pub(super) fn drawn_labels(&self, row: usize) -> Vec<u16> {
        let labels = self.labels(row / self.enlarged);
        if self.enlarged == 1 {
            return labels;
        }
        labels.into_iter().flat_map(|label| std::iter::repeat_n(label, self.enlarged)).collect()
    }

    fn values(&self, row: usize) -> Vec<f32> {
        reduced_row(&self.image, row, self.reduced, mean)
    }

    fn labels(&self, row: usize) -> Vec<u16> {
        reduced_row(self.labels, row, self.reduced, majority)
    }
}

/// By which an image of `rows` and `cols`, not empty, is reduced, and by which it is enlarged.
fn factors(longest: usize, narrowest: usize, (rows, cols): (usize, usize)) -> (usize, usize) {
    let reduced = rows.max(cols).div_ceil(longest);
    let enlarged = match reduced {
        1 => narrowest.div_ceil(cols).min(longest / rows).max(1),
        _ => 1,
    };
    (reduced, enlarged)
}

/// Rows and columns in which an image of `shape` is drawn; none of an empty one.
pub(crate) fn drawn_shape(shape: (usize, usize)) -> (usize, usize) {
    if shape.0.min(shape.1) == 0 {
        return (0, 0);
    }
    let (reduced, enlarged) = factors(LONGEST, NARROWEST, shape);
    (shape.0.div_ceil(reduced) * enlarged, shape.1.div_ceil(reduced) * enlarged)
}

/// Row `row` of an image by blocks of `factor` px (smaller at the far edges), each
/// given to `summary`, which may reorder its values.
fn reduced_row<T: Copy + Default>(
    image: &dyn Rows<T>,
    row: usize,
    factor: usize,
    summary: impl Fn(&mut [T]) -> T,
) -> Vec<T> {
    let (rows, cols) = image.shape();
    let band = row * factor..rows.min((row + 1) * factor);
    let mut lines = vec![T::default(); band.len() * cols];
    band.zip(lines.chunks_exact_mut(cols)).for_each(|(row, to)| image.fill(row, to));
    if factor == 1 {
        return lines;
    }
    let mut block = Vec::with_capacity(factor * factor);
    let mut of_block = |first: usize| {
        block.clear();
        for line in lines.chunks_exact(cols) {
            block.extend_from_slice(&line[first..cols.min(first + factor)]);
        }
        summary(&mut block)
    };
    (0..cols).step_by(factor).map(&mut of_block).collect()
}

/// Mean of the finite values, NaN where there are none.
fn mean(block: &mut [f32]) -> f32 {
    let finite = block.iter().copied().filter(|v| v.is_finite()).map(f64::from);
    let (sum, count) = finite.fold((0.0, 0_u32), |(sum, count), v| (sum + v, count + 1));
    (sum / f64::from(count)) as f32
}

/// The most frequent label, the lowest of several.
fn majority(block: &mut [u16]) -> u16 {
    // As most blocks are.
    if let [first, rest @ ..] = &*block
        && rest.iter().all(|label| label == first)
    {
        return *first;
    }
    block.sort_unstable();
    let runs = block.chunk_by(|a, b| a == b);
    let longest = runs.reduce(|best, run| if run.len() > best.len() { run } else { best });
    longest.map_or(0, |run| run[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    fn scaled(rows: usize, cols: usize) -> ((usize, usize), f64) {
        let (image, labels) = (Array2::zeros((rows, cols)), Array2::zeros((rows, cols)));
        let labels = labels.view();
        let scaled = Scaled::new(image.view(), &labels);
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
        let row = |row| reduced_row(&image.view(), row, 2, mean);
        assert_eq!(row(0), [4.0, 7.0]);
        assert!(row(1)[0] == 3.0 && row(1)[1].is_nan());
        let labels = array![[2_u16, 1, 9], [9, 2, 4], [5, 3, 0]];
        let row = |row| reduced_row(&labels.view(), row, 2, majority);
        assert_eq!([row(0), row(1)], [[2, 4], [3, 0]]);
    }

    #[test]
    fn a_sample_has_all_phases_of_a_lattice() {
        let image = Array2::from_shape_fn((4096, 64), |(r, _)| (r % 16) as f32);
        let labels = Array2::zeros(image.dim());
        let labels = labels.view();
        let scaled = Scaled::new(image.view(), &labels);
        let sample = scaled.sample(1 << 14);
        for phase in 0..16 {
            let share = sample.iter().filter(|&&v| v == phase as f32).count() as f64;
            assert!((share / sample.len() as f64 - 1.0 / 16.0).abs() < 0.02, "phase {phase}");
        }
        assert_eq!(scaled.sample(usize::MAX).len(), image.len());
    }

    #[test]
    fn enlarged_rows_repeat_each_pixel() {
        let (image, labels) = (array![[1.0_f32, 2.0], [3.0, 4.0]], array![[1_u16, 2], [3, 4]]);
        let labels = labels.view();
        let scaled = Scaled::new(image.view(), &labels);
        assert_eq!(scaled.shape(), (240, 240));
        assert_eq!(scaled.row(119), (vec![1.0, 2.0], vec![1, 2], 120));
        assert_eq!(scaled.row(120), (vec![3.0, 4.0], vec![3, 4], 120));
    }
}
