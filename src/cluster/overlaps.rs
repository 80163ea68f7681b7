//! The areas that the labels of two maps share.

use ndarray::{Array2, ArrayView2, Axis};

use crate::{Error, Result};

/// How many pixels each pair of labels shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlaps {
    /// Pixels, `[true labels, found labels]`, both without those that do not occur,
    /// by rising label.
    pub counts: Array2<u64>,
}

impl Overlaps {
    /// Of two label maps `[rows, cols]`.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the shapes differ.
    pub fn new(truth: ArrayView2<'_, u16>, found: ArrayView2<'_, u16>) -> Result<Self> {
        Self::check_shapes(truth, found)?;
        let (rows, cols) = (Numbers::of(truth), Numbers::of(found));
        let mut counts = Array2::zeros((rows.count, cols.count));
        for (&first, &second) in truth.iter().zip(&found) {
            counts[(rows.number(first), cols.number(second))] += 1;
        }
        Ok(Self { counts })
    }

    /// Refuses label maps that are not of one image.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the shapes differ.
    pub fn check_shapes(truth: ArrayView2<'_, u16>, found: ArrayView2<'_, u16>) -> Result<()> {
        let ((rows, cols), (other_rows, other_cols)) = (truth.dim(), found.dim());
        match truth.dim() == found.dim() {
            true => Ok(()),
            false => Err(Error::parameter(
                "labels",
                format!("{other_rows} x {other_cols} px"),
                format!("the true labels have {rows} x {cols} px; they must agree"),
            )),
        }
    }

    /// Adjusted Rand index (Hubert and Arabie 1985): 1 for the same partition, 0 on
    /// average for labels by chance; 1 where both maps have one label only.
    pub fn adjusted_rand_index(&self) -> f64 {
        let pairs = |count: u64| count as f64 * (count as f64 - 1.0) / 2.0;
        let sum = |counts: &mut dyn Iterator<Item = u64>| counts.map(pairs).sum::<f64>();
        let both = sum(&mut self.counts.iter().copied());
        let first = sum(&mut self.counts.sum_axis(Axis(1)).into_iter());
        let second = sum(&mut self.counts.sum_axis(Axis(0)).into_iter());
        let expected = first * second / pairs(self.counts.sum()).max(1.0);
        let most = (first + second) / 2.0;
        if most == expected { 1.0 } else { (both - expected) / (most - expected) }
    }
}

/// Labels that occur, numbered from 0 by rising label.
struct Numbers {
    number: Vec<Option<usize>>,
    count: usize,
}

impl Numbers {
    fn of(labels: ArrayView2<'_, u16>) -> Self {
        let mut occurs = vec![false; 1 << 16];
        labels.iter().for_each(|&label| occurs[usize::from(label)] = true);
        let mut count = 0;
        let next = |occurs: bool| {
            let number = occurs.then_some(count);
            count += usize::from(occurs);
            number
        };
        let number = occurs.into_iter().map(next).collect();
        Self { number, count }
    }

    fn number(&self, label: u16) -> usize {
        self.number[usize::from(label)].expect("a label that occurs")
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn of(truth: &[u16], found: &[u16]) -> Overlaps {
        let line = |labels: &[u16]| Array2::from_shape_vec((1, labels.len()), labels.to_vec());
        Overlaps::new(line(truth).unwrap().view(), line(found).unwrap().view()).unwrap()
    }

    #[test]
    fn counts_have_a_row_for_each_true_label() {
        let overlaps = of(&[5, 5, 5, 9, 9], &[0, 2, 2, 2, 65_535]);
        assert_eq!(overlaps.counts, array![[1, 2, 0], [0, 1, 1]]);
    }

    #[test]
    fn the_adjusted_rand_index_is_that_of_scikit_learn() {
        // sklearn.metrics.adjusted_rand_score 1.9
        let cases: [(&[u16], &[u16], f64); 6] = [
            (&[0, 0, 1, 2], &[0, 0, 1, 1], 0.5714285714285714),
            (&[0, 0, 1, 1], &[0, 1, 0, 1], -0.5),
            (&[0, 0, 0, 1, 1, 1, 2, 2, 2, 2], &[1, 1, 2, 2, 2, 2, 0, 0, 0, 1], 0.4318181818181818),
            (&[0, 0, 0, 0], &[0, 1, 2, 3], 0.0),
            (&[3, 3, 1, 1, 2], &[1, 1, 7, 7, 9], 1.0),
            (&[4, 4, 4], &[1, 1, 1], 1.0),
        ];
        for (truth, found, expected) in cases {
            let index = of(truth, found).adjusted_rand_index();
            assert!((index - expected).abs() < 1e-15, "{truth:?} {found:?}: {index}");
            let turned = of(found, truth).adjusted_rand_index();
            assert!((turned - expected).abs() < 1e-15, "symmetric");
        }
    }
}
