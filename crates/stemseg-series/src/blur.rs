//! Averages over the surroundings of pixels that cost the same whatever their reach.

use ndarray::{Array2, ArrayViewMut1, Axis};
use rayon::prelude::*;

/// Averages `image` under three boxes in succession, nearly a Gaussian of standard deviation
/// `sigma` px (Wells, IEEE Trans. Pattern Anal. 8, 234, 1986); pixels beyond the border count as
/// the last within.
pub(crate) fn blur(mut image: Array2<f32>, sigma: f64) -> Array2<f32> {
    let half = half_width(sigma);
    if half == 0 {
        return image;
    }
    for axis in [Axis(0), Axis(1)] {
        average_lanes(image.lanes_mut(axis).into_iter().collect(), half);
    }
    image
}

/// Half width of a box: three of `2 h + 1` px have the variance `h (h + 1)`.
fn half_width(sigma: f64) -> usize {
    ((1.0 + 4.0 * sigma * sigma).sqrt() / 2.0 - 0.5).round() as usize
}

/// Averages each of `lanes` under three boxes.
fn average_lanes(lanes: Vec<ArrayViewMut1<'_, f32>>, half: usize) {
    lanes.into_par_iter().with_min_len(32).for_each(|mut lane| {
        let mut values: Vec<f32> = lane.to_vec();
        let mut wider = Vec::with_capacity(values.len() + 2 * half);
        for _ in 0..3 {
            running_mean(&mut values, &mut wider, half);
        }
        lane.iter_mut().zip(&values).for_each(|(to, &value)| *to = value);
    });
}

/// Mean over `half` values on either side of each; `wider` is room for them with what lies beyond
/// their ends.
fn running_mean(values: &mut [f32], wider: &mut Vec<f32>, half: usize) {
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else { return };
    wider.clear();
    wider.resize(half, first);
    wider.extend_from_slice(values);
    wider.resize(values.len() + 2 * half, last);
    let (begin, comes) = wider.split_at(2 * half);
    let scale = 1.0 / (2 * half + 1) as f64;
    let mut sum: f64 = begin.iter().map(|&value| f64::from(value)).sum();
    for ((to, &comes), &goes) in values.iter_mut().zip(comes).zip(&*wider) {
        sum += f64::from(comes);
        *to = (sum * scale) as f32;
        sum -= f64::from(goes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_nearly_a_gaussian_and_keeps_sums() {
        let mut point = Array2::zeros((61, 61));
        point[(30, 30)] = 1.0;
        let sigma = (4.0_f64 * 5.0).sqrt();
        let blurred = blur(point, sigma);
        assert!((blurred.sum() - 1.0).abs() < 1e-4);
        let variance: f64 = blurred
            .indexed_iter()
            .map(|((r, _), &v)| (r as f64 - 30.0).powi(2) * f64::from(v))
            .sum();
        assert!((variance - sigma * sigma).abs() < 1e-3, "{variance}");
        for ((r, c), &value) in blurred.indexed_iter() {
            let squared = (r as f64 - 30.0).powi(2) + (c as f64 - 30.0).powi(2);
            let normal = (-squared / (2.0 * variance)).exp() / (std::f64::consts::TAU * variance);
            assert!(
                (f64::from(value) - normal).abs() < 0.15 / (std::f64::consts::TAU * variance),
                "{r} {c}"
            );
        }
    }

    #[test]
    fn a_constant_image_stays_and_small_ones_work() {
        for shape in [(1, 1), (3, 2), (40, 7)] {
            let image = Array2::from_elem(shape, 2.5);
            assert!(blur(image, 6.0).iter().all(|&v| (v - 2.5).abs() < 1e-6));
        }
        let image = Array2::from_shape_fn((4, 5), |(r, c)| (r * c) as f32);
        assert_eq!(blur(image.clone(), 0.0), image);
    }
}
