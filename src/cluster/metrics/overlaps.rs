//! Measures of the areas that labels share.

use ndarray::{Array2, ArrayView2, Axis};
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

use super::same_shape;
use crate::Result;

/// How many pixels each pair of labels shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlaps {
    /// Pixels, `[true labels, found labels]`, both without those that do not occur,
    /// by rising label.
    pub counts: Array2<u64>,
}

/// Weights of a matching are whole numbers; this is a weight of 1.
const ONE: f64 = (1_i64 << 40) as f64;

impl Overlaps {
    /// Of two label maps `[rows, cols]`.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) where the shapes differ.
    pub fn new(truth: ArrayView2<'_, u16>, found: ArrayView2<'_, u16>) -> Result<Self> {
        same_shape(truth, found)?;
        let (rows, cols) = (Numbers::of(truth), Numbers::of(found));
        let mut counts = Array2::zeros((rows.count, cols.count));
        for (&first, &second) in truth.iter().zip(&found) {
            counts[(rows.number(first), cols.number(second))] += 1;
        }
        Ok(Self { counts })
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

    /// Intersection over union of each pair of labels.
    pub fn ious(&self) -> Array2<f64> {
        let (rows, cols) = (self.counts.sum_axis(Axis(1)), self.counts.sum_axis(Axis(0)));
        let iou = |((i, j), &both): ((usize, usize), &u64)| {
            both as f64 / (rows[i] + cols[j] - both) as f64
        };
        let values = self.counts.indexed_iter().map(iou).collect();
        Array2::from_shape_vec(self.counts.dim(), values).expect("a value for each count")
    }

    /// The found label that stands for each true one, by their numbers in
    /// [`counts`](Self::counts): one to one with the largest sum of intersections
    /// over unions. Where fewer labels were found, some true ones have none.
    pub fn matching(&self) -> Vec<Option<usize>> {
        let (rows, cols) = self.counts.dim();
        if rows == 0 || cols == 0 {
            return vec![None; rows];
        }
        let ious = self.ious();
        // As many columns as rows at least: the added ones stand for no label.
        let weight = |(i, j)| ious.get((i, j)).map_or(0, |iou| (iou * ONE) as i64);
        let weights = Matrix::from_fn(rows, cols.max(rows), weight);
        let (_, columns) = kuhn_munkres(&weights);
        columns.into_iter().map(|j| (j < cols).then_some(j)).collect()
    }

    /// Mean over the true labels of the intersection over union with the found
    /// label that [stands for it](Self::matching); 0 for one that has none.
    pub fn mean_iou(&self) -> f64 {
        let ious = self.ious();
        let matching = self.matching();
        let shared = matching.iter().enumerate().filter_map(|(i, j)| j.map(|j| ious[(i, j)]));
        shared.sum::<f64>() / matching.len().max(1) as f64
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

    #[test]
    fn intersections_over_unions_by_hand() {
        // Label 0 has 3 px, 1 has 5; found 0 has 4 of which 2 are true.
        let overlaps = of(&[0, 0, 0, 1, 1, 1, 1, 1], &[0, 0, 1, 0, 0, 1, 1, 1]);
        assert_eq!(overlaps.ious(), array![[2.0 / 5.0, 1.0 / 6.0], [2.0 / 7.0, 3.0 / 6.0]]);
        assert_eq!(overlaps.matching(), [Some(0), Some(1)]);
        assert!((overlaps.mean_iou() - (0.4 + 0.5) / 2.0).abs() < 1e-15);
    }

    #[test]
    fn the_matching_has_the_largest_sum() {
        // Taking the best pair first, 6/14, would leave 0 for the others.
        let overlaps = Overlaps { counts: array![[6, 4], [4, 0]] };
        assert_eq!(overlaps.ious(), array![[6.0 / 14.0, 0.4], [0.4, 0.0]]);
        assert_eq!(overlaps.matching(), [Some(1), Some(0)]);
        assert!((overlaps.mean_iou() - 0.4).abs() < 1e-15);
    }

    #[test]
    fn labels_without_a_counterpart_count_as_nothing() {
        let fewer = of(&[0, 0, 1, 1, 2, 2], &[0, 0, 1, 1, 1, 1]);
        assert_eq!(fewer.matching().iter().flatten().count(), 2);
        assert!((fewer.mean_iou() - (1.0 + 0.5) / 3.0).abs() < 1e-15);
        let more = of(&[0, 0, 1, 1], &[0, 0, 2, 3]);
        assert!((more.mean_iou() - (1.0 + 0.5) / 2.0).abs() < 1e-15);
        assert_eq!(of(&[], &[]).mean_iou(), 0.0);
    }
}
