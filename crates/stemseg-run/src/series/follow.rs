//! Centroids that follow the patterns of a film as these change slowly: focus, thickness, tilt.
//!
//! After each frame, the centroid of a pattern goes a small part of the way to the mean features of
//! the sites that surely belong to it. Which means are whose is matched to what the patterns were
//! fitted as, by the Hungarian method (Kuhn 1955, Munkres 1957) on squared distances; and a
//! centroid that would come nearer to what another pattern was fitted as than to its own stays. So
//! a label means what it meant in the frame before, and labels never change places.

use ndarray::{Array2, ArrayView1};
use pathfinding::kuhn_munkres::kuhn_munkres_min;
use pathfinding::matrix::Matrix;
use stemseg::pipeline::frames::{Frames, Surely};

/// Part of the way that a centroid goes in a frame: it follows within some twenty frames.
const RATE: f64 = 0.05;
/// Sites that a pattern is followed by, at least.
const LEAST: usize = 20;
/// What the largest squared distance counts as in matching, which is done in whole numbers.
const FINE: f64 = 1e9;

/// The centroids as they are now.
#[derive(Debug, Clone)]
pub(crate) struct Following {
    /// Those of the model, `[k, q]`.
    fitted: Array2<f64>,
    now: Array2<f64>,
    /// Standard deviation of the features about them.
    deviation: f64,
}

impl Following {
    /// Those of the model, or of the frame before, whose [`state`](Self::state) is `before`.
    pub(crate) fn new(frames: &Frames, before: Option<&[u64]>) -> Self {
        let fitted = frames.centroids().clone();
        let mut now = fitted.clone();
        if let Some(before) = before.filter(|before| before.len() == now.len()) {
            now.iter_mut().zip(before).for_each(|(to, &bits)| *to = f64::from_bits(bits));
        }
        Self { fitted, now, deviation: frames.deviation() }
    }

    pub(crate) fn centroids(&self) -> &Array2<f64> {
        &self.now
    }

    /// Follows what a frame showed.
    pub(crate) fn follow(&mut self, found: &Surely) {
        for (mean, k) in self.matched(found) {
            let next = &self.now.row(k) * (1.0 - RATE) + &found.means.row(mean) * RATE;
            let away = |other: usize| distance(next.view(), self.fitted.row(other));
            let own = away(k);
            if (0..self.fitted.nrows()).all(|other| other == k || away(other) > own) {
                self.now.row_mut(k).assign(&next);
            }
        }
    }

    /// The means that are of enough sites, each with the pattern that it is matched to.
    fn matched(&self, found: &Surely) -> Vec<(usize, usize)> {
        let means: Vec<usize> =
            (0..found.counts.len()).filter(|&k| found.counts[k] >= LEAST).collect();
        let squares: Vec<Vec<f64>> = means
            .iter()
            .map(|&mean| {
                let away = |own| distance(found.means.row(mean), own).powi(2);
                self.fitted.outer_iter().map(away).collect()
            })
            .collect();
        let largest = squares.iter().flatten().copied().fold(f64::MIN_POSITIVE, f64::max);
        let whole = |row: &Vec<f64>| row.iter().map(|v| (v / largest * FINE) as i64).collect();
        let Ok(costs) = Matrix::from_rows(squares.iter().map(whole).collect::<Vec<Vec<i64>>>())
        else {
            return Vec::new();
        };
        if means.is_empty() {
            return Vec::new();
        }
        means.into_iter().zip(kuhn_munkres_min(&costs).1).collect()
    }

    /// How far each centroid has moved, in standard deviations of the features about it.
    pub(crate) fn moved(&self) -> Vec<f64> {
        let unit = self.deviation.max(f64::MIN_POSITIVE);
        let rows = self.now.outer_iter().zip(self.fitted.outer_iter());
        rows.map(|(now, fitted)| distance(now, fitted) / unit).collect()
    }

    /// All of it, to the bit.
    pub(crate) fn state(&self) -> Vec<u64> {
        self.now.iter().map(|value| value.to_bits()).collect()
    }
}

fn distance(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn following() -> Following {
        let fitted = array![[0.0, 0.0], [10.0, 0.0]];
        Following { now: fitted.clone(), fitted, deviation: 2.0 }
    }

    #[test]
    fn centroids_follow_what_is_surely_theirs() {
        let mut own = following();
        let found = |counts: [usize; 2]| Surely {
            means: array![[1.0, 0.0], [10.0, 4.0]],
            counts: counts.into(),
        };
        for _ in 0..200 {
            own.follow(&found([500, LEAST - 1]));
        }
        assert!((own.now[(0, 0)] - 1.0).abs() < 1e-3 && own.now.row(1) == own.fitted.row(1));
        own.follow(&found([0, 300]));
        assert!((own.now[(1, 1)] - 4.0 * RATE).abs() < 1e-12);
        let moved = own.moved();
        assert!((moved[0] - 0.5).abs() < 1e-3 && (moved[1] - 2.0 * RATE).abs() < 1e-12);
    }

    #[test]
    fn labels_do_not_change_places() {
        // Each follows the mean that is its own, whatever number that was found under.
        let mut own = following();
        let found = Surely { means: array![[9.0, 0.0], [1.0, 0.0]], counts: vec![500; 2] };
        (0..500).for_each(|_| own.follow(&found));
        assert!((own.now[(0, 0)] - 1.0).abs() < 1e-3 && (own.now[(1, 0)] - 9.0).abs() < 1e-3);
        // Alone, it would go beyond half the way to the other.
        let mut own = following();
        let found = Surely { means: array![[9.0, 0.0], [9.5, 0.0]], counts: vec![500; 2] };
        (0..500).for_each(|_| own.follow(&found));
        assert!(own.now[(0, 0)] < 5.0 && own.now[(1, 0)] > 9.4, "{:?}", own.now);
    }

    #[test]
    fn nothing_is_followed_where_nothing_is_sure() {
        let mut own = following();
        let found = Surely { means: array![[9.0, 0.0], [f64::NAN, 0.0]], counts: vec![0; 2] };
        own.follow(&found);
        assert_eq!(own.now, own.fitted);
    }
}
