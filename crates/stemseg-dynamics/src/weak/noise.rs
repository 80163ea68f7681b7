//! Noise, told from motion by how fast it changes: from frame to frame it is independent, and
//! what moves is smooth.

use rayon::prelude::*;

use crate::film::Film;

/// Orders of the differences that are tried.
const ORDERS: [usize; 3] = [2, 4, 6];

/// Differences in time, scaled so that their square has the variance of independent noise as its
/// mean.
#[derive(Debug, Clone)]
pub(crate) struct Differences {
    /// Order of the differences, even; 0 where the film has no noise to be told (labels).
    pub(crate) order: usize,
    /// Weights of `order + 1` frames.
    pub(crate) weights: Vec<f64>,
    /// Mean square over the film.
    pub(crate) variance: f64,
    /// How far a boundary is known to move, px a frame.
    pub(crate) pace: f64,
}

impl Differences {
    /// The order of the smallest mean square: motion, which is no noise, adds to it, the less the
    /// higher the order if it is slow, and the more if it is fast.
    pub(crate) fn of(film: &Film) -> Self {
        let frames = film.dim()[0];
        let fitting = ORDERS.into_iter().filter(|&order| order < frames);
        let measured = fitting.map(|order| {
            let weights = weights(order);
            let variance = mean_square(film, &weights);
            Self { order, weights, variance, pace: 0.0 }
        });
        let none = Self { order: 0, weights: vec![1.0], variance: 0.0, pace: 0.0 };
        measured.min_by(|a, b| a.variance.total_cmp(&b.variance)).unwrap_or(none)
    }

    /// First frame of the difference about `frame`, moved inwards at the ends of `frames`.
    pub(crate) fn first(&self, frame: usize, frames: usize) -> usize {
        frame.saturating_sub(self.order / 2).min(frames - 1 - self.order)
    }

    /// Square of the difference at each pixel of `frame`; none for labels, whose powers are
    /// themselves.
    pub(crate) fn noise(&self, film: &Film, frame: usize) -> Option<Vec<f64>> {
        if film.was_labels() {
            return None;
        }
        Some(squares(film, &self.weights, self.first(frame, film.dim()[0])))
    }
}

/// Binomial weights with alternating signs, of norm 1.
fn weights(order: usize) -> Vec<f64> {
    let mut weights = vec![1.0];
    for _ in 0..order {
        let shifted: Vec<f64> = std::iter::once(0.0).chain(weights.iter().copied()).collect();
        weights.push(0.0);
        weights.iter_mut().zip(shifted).for_each(|(weight, before)| *weight -= before);
    }
    let norm = weights.iter().map(|weight| weight * weight).sum::<f64>().sqrt();
    weights.iter().map(|weight| weight / norm).collect()
}

fn squares(film: &Film, weights: &[f64], first: usize) -> Vec<f64> {
    let [_, rows, cols] = film.dim();
    let mut out = vec![0.0; rows * cols];
    for (i, weight) in weights.iter().enumerate() {
        let frame = film.frame(first + i);
        out.iter_mut().zip(frame).for_each(|(sum, &value)| *sum += weight * f64::from(value));
    }
    out.iter_mut().for_each(|value| *value *= *value);
    out
}

fn mean_square(film: &Film, weights: &[f64]) -> f64 {
    let [frames, rows, cols] = film.dim();
    let starts = frames + 1 - weights.len();
    // Some frames tell as well as all.
    let step = starts.div_ceil(64);
    let sums: Vec<f64> = (0..starts)
        .into_par_iter()
        .step_by(step)
        .map(|first| squares(film, weights, first).iter().sum::<f64>())
        .collect();
    sums.iter().sum::<f64>() / (sums.len() * rows * cols) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phase_field::{Equation, Noise, Settings, simulate};

    #[test]
    fn noise_is_measured_next_to_motion() {
        let settings = Settings {
            noise: Noise::White { deviation: 0.03 },
            ..Settings::new(Equation::Advection { x: 1.0, y: 0.5 })
        };
        let film = Film::new(simulate(&settings).unwrap(), None).unwrap();
        let deviation = Differences::of(&film).variance.sqrt();
        assert!((deviation / 0.03 - 1.0).abs() < 0.01, "{deviation}");
        let clean = Settings { noise: Noise::None, ..settings };
        let film = Film::new(simulate(&clean).unwrap(), None).unwrap();
        let deviation = Differences::of(&film).variance.sqrt();
        assert!(deviation < 1e-3, "{deviation}");
    }

    #[test]
    fn weights_are_those_of_differences() {
        let right = [1.0, -2.0, 1.0].map(|w| w / 6.0_f64.sqrt());
        assert!(weights(2).iter().zip(right).all(|(a, b)| (a - b).abs() < 1e-15));
        for order in ORDERS {
            let sum: f64 = weights(order).iter().sum();
            assert!(sum.abs() < 1e-14, "{order}: {sum}");
        }
    }
}
