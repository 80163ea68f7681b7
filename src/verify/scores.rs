//! How far averaged scores may be apart: what [`regions`] makes of scores, made of their
//! bounds.

use ndarray::{Array2, Array3, Axis, Zip};

use super::labels::NEGLIGIBLE;
use crate::descriptor::rounding::{self, EPS};
use crate::image::gaussian;
use crate::labels::label_map::on_grid;
use crate::labels::regions::{self, GIVEN_BACK, LEAST, SHARPNESS, SURE, TEMPER};
use crate::sites::Sites;

/// Bounds `[k, site rows, site cols]` of the `averaged` scores, from the raw scores of the
/// active sites and what these may be apart, both `[k, active sites]`, under a Gaussian of
/// `sigma` sites.
///
/// Of scores that are off by at most `off`, memberships are off by the factor `exp(2 TEMPER
/// off)`; averages of memberships by the averages of that; what is given back to these by the same
/// and by what its share is off; and logarithms of all that by their share in it.
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
    let smoothed = |maps: &Array3<f32>| {
        let mut to = maps.clone();
        for (mut to, map) in to.outer_iter_mut().zip(maps.outer_iter()) {
            to.assign(&gaussian::smoothed(map, sigma));
        }
        to
    };
    let means = smoothed(&memberships);
    let share = regions::given_back(memberships.view(), means.view());
    let sites = (off.len() / off.dim().0.max(1)) as f64;
    let of_share = GIVEN_BACK / (SURE[1] - SURE[0]) * f64::from(off.sum()) / sites;
    let again = smoothed(&means);
    let of_means = smoothed(&off);
    let of_again = smoothed(&of_means);
    Zip::indexed(&mut off).and(averaged).for_each(|at, off, &score| {
        let value = regions::returned(means[at], again[at], share).max(LEAST);
        let (mean, again) = (f64::from(means[at]), f64::from(again[at]));
        let (of_mean, of_again) = (f64::from(of_means[at]), f64::from(of_again[at]));
        let back = f64::from(share);
        let apart = (1.0 + back) * (of_mean + sums * mean)
            + back * (of_again + 2.0 * sums * again)
            + of_share * (mean - again).abs();
        let rounding = 4.0 * EPS * f64::from(score.abs());
        *off = (f64::from(SHARPNESS) * (apart / f64::from(value)).ln_1p() + rounding) as f32;
    });
    off
}
