//! How far averaged scores may be apart: what [`regions`](crate::labels::regions) makes of scores, made of their
//! bounds.

use ndarray::{Array2, Array3, Axis, Zip};

use super::labels::NEGLIGIBLE;
use crate::descriptor::rounding::{self, EPS};
use crate::image::gaussian;
use crate::labels::label_map::on_grid;
use crate::labels::regions::{LEAST, SHARPNESS, TEMPER};
use crate::sites::Sites;

/// Bounds `[k, site rows, site cols]` of the `averaged` scores, from the raw scores of the
/// active sites and what these may be apart, both `[k, active sites]`, under a Gaussian of
/// `sigma` sites.
///
/// Of scores that are off by at most `off`, memberships are off by the factor `exp(2 TEMPER
/// off)`; averages of memberships by the averages of that; and logarithms of averages by its
/// share in them.
pub(super) fn smoothed(
    [raw, off]: [&Array2<f32>; 2],
    averaged: &Array3<f32>,
    sigma: f64,
    sites: &Sites,
) -> Array3<f32> {
    let [raw, mut off] = [raw, off].map(|values| on_grid(values.view(), sites));
    if sigma <= 0.0 {
        return off;
    }
    let mut memberships = raw;
    Zip::from(memberships.lanes_mut(Axis(0))).and(off.lanes_mut(Axis(0))).for_each(
        |mut scores, mut off| {
            let temper = f64::from(TEMPER);
            let highest = f64::from(scores.fold(f32::NEG_INFINITY, |a, &b| a.max(b)));
            let below = scores.mapv(|score| temper * (highest - f64::from(score)));
            let counts = below.iter().zip(&off).filter(|(below, _)| **below <= NEGLIGIBLE);
            let largest = counts.map(|(_, &off)| f64::from(off)).fold(0.0, f64::max);
            let sum: f64 = below.iter().map(|below| (-below).exp()).sum();
            for ((score, off), &below) in scores.iter_mut().zip(&mut off).zip(&below) {
                let membership = (-below).exp() / sum;
                let functions = 2.0 * EPS * (3.0 * below.min(NEGLIGIBLE) + 4.0);
                let factor = (2.0 * temper * largest + functions).exp_m1();
                *score = membership as f32;
                *off = (membership * factor).min(1.0) as f32;
            }
        },
    );
    let taps = (7.0 * sigma).ceil() as usize + 1;
    let sums = 2.0 * (2.0 * rounding::sum(taps) + 4.0 * EPS);
    for (k, mut off) in off.outer_iter_mut().enumerate() {
        let mean = gaussian::smoothed(memberships.index_axis(Axis(0), k), sigma);
        let of_mean = gaussian::smoothed(off.view(), sigma);
        Zip::from(&mut off).and(&mean).and(&of_mean).and(averaged.index_axis(Axis(0), k)).for_each(
            |off, &mean, &of_mean, &score| {
                let share = f64::from(of_mean) / f64::from(mean.max(LEAST)) + sums;
                let rounding = 4.0 * EPS * f64::from(score.abs());
                *off = (f64::from(SHARPNESS) * share.ln_1p() + rounding) as f32;
            },
        );
    }
    off
}
