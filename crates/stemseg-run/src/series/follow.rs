//! Centroids that follow the patterns of a film as these change slowly: focus, thickness, tilt.
//!
//! After each frame, the centroid of a pattern goes a small part of the way to the mean features of
//! the sites that surely belong to it. So a label means what it meant in the frame before; and one
//! that would come nearer to what another pattern was fitted as than to its own stays, so that
//! labels never change places.

use ndarray::{Array2, ArrayView1};
use stemseg::pipeline::frames::{Frames, Surely};

/// Part of the way that a centroid goes in a frame: it follows within some twenty frames.
const RATE: f64 = 0.05;
/// Sites that a pattern is followed by, at least.
const LEAST: usize = 20;

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
        for (k, _) in found.counts.iter().enumerate().filter(|(_, count)| **count >= LEAST) {
            let next = &self.now.row(k) * (1.0 - RATE) + &found.means.row(k) * RATE;
            let away = |other: usize| distance(next.view(), self.fitted.row(other));
            let own = away(k);
            if (0..self.fitted.nrows()).all(|other| other == k || away(other) > own) {
                self.now.row_mut(k).assign(&next);
            }
        }
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
        let mut own = following();
        let found = Surely { means: array![[9.0, 0.0], [1.0, 0.0]], counts: vec![500; 2] };
        (0..500).for_each(|_| own.follow(&found));
        assert!(own.now[(0, 0)] < 5.0 && own.now[(1, 0)] > 5.0, "{:?}", own.now);
    }
}
