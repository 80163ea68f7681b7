//! Images that are not in memory as a whole.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

/// An image `[rows, cols]` that gives its rows when they are asked for, so that
/// maps of one value per pixel need not be stored to be written or drawn.
pub trait Rows<T>: Sync {
    /// `(rows, cols)`.
    fn shape(&self) -> (usize, usize);

    /// Writes row `row` into `to` `[cols]`.
    fn fill(&self, row: usize, to: &mut [T]);
}

impl<T: Copy + Sync> Rows<T> for ArrayView2<'_, T> {
    fn shape(&self) -> (usize, usize) {
        self.dim()
    }

    fn fill(&self, row: usize, to: &mut [T]) {
        to.iter_mut().zip(self.row(row)).for_each(|(to, &v)| *to = v);
    }
}

/// All rows of an image.
pub fn collect<T: Copy + Default + Send + Sync>(rows: &dyn Rows<T>) -> Array2<T> {
    let mut all = Array2::default(rows.shape());
    let cols = rows.shape().1.max(1);
    let values = all.as_slice_mut().expect("a fresh array is contiguous");
    values.par_chunks_exact_mut(cols).enumerate().for_each(|(row, to)| rows.fill(row, to));
    all
}

/// Folds every row of an image into a value of its own thread's, and those into
/// one; `fold` and `merge` must not depend on the order.
pub fn fold<T, A>(
    rows: &dyn Rows<T>,
    start: impl Fn() -> A + Sync + Send,
    fold: impl Fn(&mut A, &[T]) + Sync + Send,
    merge: impl Fn(A, A) -> A + Sync + Send,
) -> A
where
    T: Copy + Default + Send,
    A: Send,
{
    let (count, cols) = rows.shape();
    let lines = (0..count).into_par_iter();
    let folded = lines.fold(
        || (start(), vec![T::default(); cols]),
        |(mut value, mut line), row| {
            rows.fill(row, &mut line);
            fold(&mut value, &line);
            (value, line)
        },
    );
    folded.map(|(value, _)| value).reduce(&start, merge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_array_are_its_rows() {
        let array = Array2::from_shape_fn((7, 5), |(r, c)| 10 * r + c);
        let turned = array.t();
        assert_eq!(collect(&array.view()), array);
        assert_eq!(collect(&turned), turned);
        assert_eq!(collect(&Array2::<u8>::zeros((0, 3)).view()).dim(), (0, 3));
    }

    #[test]
    fn every_row_is_folded_once() {
        let array = Array2::from_shape_fn((100, 5), |(r, c)| 10 * r + c);
        let sum =
            fold(&array.view(), || 0, |sum, line| *sum += line.iter().sum::<usize>(), |a, b| a + b);
        assert_eq!(sum, array.sum());
    }
}
