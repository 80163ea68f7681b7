//! Which found label stands for which true one.

use ndarray::{Array2, Axis};
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;
use stemseg::cluster::overlaps::Overlaps;

/// Weights of a matching are whole numbers; this is a weight of 1.
const ONE: f64 = (1_i64 << 40) as f64;

/// Intersection over union of each pair of labels.
pub fn ious(overlaps: &Overlaps) -> Array2<f64> {
    let (rows, cols) = (overlaps.counts.sum_axis(Axis(1)), overlaps.counts.sum_axis(Axis(0)));
    let iou =
        |((i, j), &both): ((usize, usize), &u64)| both as f64 / (rows[i] + cols[j] - both) as f64;
    let values = overlaps.counts.indexed_iter().map(iou).collect();
    Array2::from_shape_vec(overlaps.counts.dim(), values).expect("a value for each count")
}

/// The found label that stands for each true one, by their numbers in
/// [`counts`](Overlaps::counts): one to one with the largest sum of intersections
/// over unions. Where fewer labels were found, some true ones have none.
pub fn matching(overlaps: &Overlaps) -> Vec<Option<usize>> {
    let (rows, cols) = overlaps.counts.dim();
    if rows == 0 || cols == 0 {
        return vec![None; rows];
    }
    let ious = ious(overlaps);
    // As many columns as rows at least: the added ones stand for no label.
    let weight = |(i, j)| ious.get((i, j)).map_or(0, |iou| (iou * ONE) as i64);
    let weights = Matrix::from_fn(rows, cols.max(rows), weight);
    let (_, columns) = kuhn_munkres(&weights);
    columns.into_iter().map(|j| (j < cols).then_some(j)).collect()
}

/// Mean over the true labels of the intersection over union with the found
/// label that [stands for it](matching); 0 for one that has none.
pub fn mean_iou(overlaps: &Overlaps) -> f64 {
    let ious = matched_ious(overlaps);
    ious.iter().sum::<f64>() / ious.len().max(1) as f64
}

/// Intersection over union of each true label with the found one that [stands for
/// it](matching); 0 for one that has none.
pub fn matched_ious(overlaps: &Overlaps) -> Vec<f64> {
    let ious = ious(overlaps);
    let matching = matching(overlaps);
    matching.iter().enumerate().map(|(i, j)| j.map_or(0.0, |j| ious[(i, j)])).collect()
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
    fn intersections_over_unions_by_hand() {
        // Label 0 has 3 px, 1 has 5; found 0 has 4 of which 2 are true.
        let overlaps = of(&[0, 0, 0, 1, 1, 1, 1, 1], &[0, 0, 1, 0, 0, 1, 1, 1]);
        assert_eq!(ious(&overlaps), array![[2.0 / 5.0, 1.0 / 6.0], [2.0 / 7.0, 3.0 / 6.0]]);
        assert_eq!(matching(&overlaps), [Some(0), Some(1)]);
        assert!((mean_iou(&overlaps) - (0.4 + 0.5) / 2.0).abs() < 1e-15);
    }

    #[test]
    fn the_matching_has_the_largest_sum() {
        // Taking the best pair first, 6/14, would leave 0 for the others.
        let overlaps = Overlaps { counts: array![[6, 4], [4, 0]] };
        assert_eq!(ious(&overlaps), array![[6.0 / 14.0, 0.4], [0.4, 0.0]]);
        assert_eq!(matching(&overlaps), [Some(1), Some(0)]);
        assert!((mean_iou(&overlaps) - 0.4).abs() < 1e-15);
    }

    #[test]
    fn labels_without_a_counterpart_count_as_nothing() {
        let fewer = of(&[0, 0, 1, 1, 2, 2], &[0, 0, 1, 1, 1, 1]);
        assert_eq!(matching(&fewer).iter().flatten().count(), 2);
        assert!((mean_iou(&fewer) - (1.0 + 0.5) / 3.0).abs() < 1e-15);
        let more = of(&[0, 0, 1, 1], &[0, 0, 2, 3]);
        assert!((mean_iou(&more) - (1.0 + 0.5) / 2.0).abs() < 1e-15);
        assert_eq!(mean_iou(&of(&[], &[])), 0.0);
    }
}
