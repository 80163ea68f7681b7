//! The moire of sites and lattice, which is no pattern.
//!
//! Descriptors vary a little with where in the unit cell their site lies: by waves of the reciprocal
//! lattice, of high orders too, since they are powers and maxima. On sites `s` px apart a wave `g` looks
//! like one of `s g` less whole numbers, cycles per site, and where that is next to nothing it is as slow
//! as the change from one crystal to another, and as clear. The lattices are known from the image
//! ([`waves`]). Where a feature has such a wave ([`still`]), and it stands out of those next to it, it is taken
//! off, with an amplitude that may change over the region: scans are never quite straight.

mod lattices;

use std::f64::consts::TAU;

use ndarray::{Array1, Array2, ArrayView2, s};
use rayon::prelude::*;
use stemseg_numerics::fourier::Complex64;
use stemseg_numerics::linear::{Mat, least_squares};

use lattices::{lattices, peaks};

/// Largest side of a part of the image that reflections are looked for in, px.
const SIDE: usize = 1024;
/// Shortest wave of a lattice that counts, cycles per px.
const REACH: f64 = 0.55;
/// Fastest wave on the grid of sites, cycles per site, that smoothing leaves something of.
const FASTEST: f64 = 0.16;
/// Fewest periods across a region: with fewer it could be anything.
const PERIODS: f64 = 3.0;
/// Power of a wave that is there, in terms of the largest of those next to it; and how far these are, along the
/// axes and along the wave, in waves that the region can tell apart.
const STANDS: f64 = 4.0;
const NEXT: f64 = 2.5;
const ALONG: [f64; 3] = [1.5, 2.5, 3.5];
/// Waves that are taken off a feature, at most, and sites for each number that is fitted, at least.
const MOST: usize = 4;
const FOR_EACH: usize = 10;

/// A wave on the grid of sites, cycles per site along rows and columns.
pub(super) type Wave = [f64; 2];

/// The slow waves that the lattices in `image` make on sites `stride` px apart.
pub(super) fn waves(image: ArrayView2<'_, f32>, stride: usize) -> Vec<Wave> {
    let (rows, cols) = image.dim();
    let sides = [rows, cols].map(|side| fast_size(side.min(SIDE)));
    if sides.iter().any(|&side| side < 64) {
        return Vec::new();
    }
    let starts = |whole: usize, side: usize| match whole > 3 * side / 2 {
        true => vec![0, whole - side],
        false => vec![(whole - side) / 2],
    };
    let parts: Vec<(usize, usize)> = starts(rows, sides[0])
        .into_iter()
        .flat_map(|r| starts(cols, sides[1]).into_iter().map(move |c| (r, c)))
        .collect();
    let of = |&(r, c): &(usize, usize)| {
        let part = image.slice(s![r..r + sides[0], c..c + sides[1]]);
        lattices(peaks(part), sides[0].min(sides[1]))
    };
    let all: Vec<[Wave; 2]> = parts.par_iter().flat_map_iter(of).collect();
    let step = [rows, cols].map(|side| 0.5 * stride as f64 / side as f64);
    let mut kept: Vec<Wave> = Vec::new();
    for wave in all.into_iter().flat_map(|lattice| slow(lattice, stride)) {
        let same = |other: &Wave| (0..2).all(|i| (other[i] - wave[i]).abs() < step[i]);
        if !kept.iter().any(same) {
            kept.push(wave);
        }
    }
    kept
}

/// The waves of the reciprocal lattice of `[a, b]`, cycles per px, that are slow on the grid of sites.
fn slow([a, b]: [Wave; 2], stride: usize) -> Vec<Wave> {
    const ORDERS: i32 = 24;
    let mut all = Vec::new();
    for h in 0..=ORDERS {
        for k in -ORDERS..=ORDERS {
            let wave = [0, 1].map(|i| f64::from(h) * a[i] + f64::from(k) * b[i]);
            // A wave and its opposite are one.
            if (h == 0 && k <= 0) || wave[0] * wave[0] + wave[1] * wave[1] > REACH * REACH {
                continue;
            }
            let folded = wave.map(|x| stride as f64 * x - (stride as f64 * x).round());
            if folded[0].abs().max(folded[1].abs()) <= FASTEST {
                all.push(if folded[1] < 0.0 { folded.map(|x| -x) } else { folded });
            }
        }
    }
    all
}

/// Largest number up to `most` without prime factors above 5: transforms of such lengths are fast.
fn fast_size(most: usize) -> usize {
    let left = |mut n: usize| {
        for factor in [2, 3, 5] {
            while n > 0 && n.is_multiple_of(factor) {
                n /= factor;
            }
        }
        n
    };
    (1..=most).rev().find(|&n| left(n) == 1).unwrap_or(1)
}

/// A feature whose `values` the sites at these `places` have, without those of the `waves` that stand out;
/// nothing where none does.
pub(super) fn still(values: &[f32], places: &[[usize; 2]], waves: &[Wave]) -> Option<Vec<f32>> {
    let ends = |axis: usize| {
        let along = places.iter().map(|place| place[axis] as f64);
        along.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], x| [low.min(x), high.max(x)])
    };
    let ends = [ends(0), ends(1)];
    let extent = ends.map(|[low, high]| (high - low).max(1.0));
    let across = |wave: &Wave| wave[0].abs() * extent[0] + wave[1].abs() * extent[1];
    let slow: Vec<Wave> = waves.iter().copied().filter(|wave| across(wave) >= PERIODS).collect();
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len().max(1) as f64;
    let values: Vec<f64> = values.iter().map(|&v| f64::from(v) - mean).collect();
    let there = standing(&values, places, &slow, extent);
    let columns = 3 + 6 * there.len();
    if there.is_empty() || places.len() < FOR_EACH * columns {
        return None;
    }
    // Each wave with an amplitude that changes linearly, next to what is no wave at all.
    let middle = |axis: usize, x: f64| (2.0 * x - ends[axis][0] - ends[axis][1]) / extent[axis];
    let mut model = Array2::<f64>::zeros((places.len(), columns));
    for (place, mut to) in places.iter().zip(model.outer_iter_mut()) {
        let [r, c] = place.map(|x| x as f64);
        let slopes = [1.0, middle(0, r), middle(1, c)];
        let phases = there.iter().map(|wave| TAU * (wave[0] * r + wave[1] * c));
        let waves = phases.flat_map(|phase| [phase.cos(), phase.sin()]);
        let terms = std::iter::once(1.0).chain(waves).flat_map(|x| slopes.map(|slope| x * slope));
        to.iter_mut().zip(terms).for_each(|(to, x)| *to = x);
    }
    let values = Array1::from(values);
    let gram = model.t().dot(&model);
    let right = model.t().dot(&values);
    let ridge = 1e-6 * places.len() as f64;
    let gram =
        Mat::from_fn(columns, columns, |i, j| gram[(i, j)] + if i == j { ridge } else { 0.0 });
    let mut found = Array1::from(least_squares(&gram, right.as_slice().expect("a new array")));
    found.slice_mut(s![..3]).fill(0.0);
    let rest = &values - &model.dot(&found);
    rest.iter().all(|x| x.is_finite()).then(|| rest.iter().map(|&x| (x + mean) as f32).collect())
}

/// Those of `waves` that `values` have more of than of the waves next to them, which sites over `extent` can
/// tell apart: the strongest.
fn standing(values: &[f64], places: &[[usize; 2]], waves: &[Wave], extent: [f64; 2]) -> Vec<Wave> {
    let most = [0, 1].map(|axis| places.iter().map(|place| place[axis]).max().unwrap_or(0));
    let power = |wave: Wave| -> f64 {
        let along = |axis: usize| -> Vec<Complex64> {
            let step = Complex64::cis(-TAU * wave[axis]);
            let next = |at: &Complex64| Some(at * step);
            std::iter::successors(Some(Complex64::ONE), next).take(most[axis] + 1).collect()
        };
        let (down, right) = (along(0), along(1));
        let terms = places.iter().zip(values).map(|(&[r, c], v)| down[r] * right[c] * v);
        terms.sum::<Complex64>().norm_sqr()
    };
    let of = |&wave: &Wave| {
        let own = power(wave);
        let stands = |by: Wave| own > STANDS * power([wave[0] + by[0], wave[1] + by[1]]);
        let [down, right] = [0, 1].map(|i| NEXT / extent[i]);
        let across = wave[0].abs() * extent[0] + wave[1].abs() * extent[1];
        // Straight boundaries make waves of all lengths across them.
        let longer = ALONG.iter().flat_map(|by| [by / across, -by / across]);
        let along = longer.map(|share| wave.map(|x| share * x));
        let aside = [[down, 0.0], [-down, 0.0], [0.0, right], [0.0, -right]];
        aside.into_iter().chain(along).all(stands).then_some((own, wave))
    };
    let mut all: Vec<(f64, Wave)> = waves.par_iter().filter_map(of).collect();
    all.sort_by(|one, other| other.0.total_cmp(&one.0));
    all.into_iter().take(MOST).map(|(_, wave)| wave).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_of_the_reciprocal_lattice_alias_on_the_grid() {
        // The ninth order of 0.0551 cycles per px has 0.4959, on sites 8 px apart 3.9672.
        let basis = [[0.0551, 0.0], [0.0, 0.0703]];
        let slow = slow(basis, 8);
        let has = |wave: Wave| {
            slow.iter().any(|own| (0..2).all(|i| (own[i].abs() - wave[i].abs()).abs() < 1e-9))
        };
        assert!(has([0.0328, 0.0]), "{slow:?}");
        assert!(slow.iter().all(|wave| wave.iter().all(|x| x.abs() <= FASTEST)));
    }

    #[test]
    fn a_wave_is_taken_off_and_a_step_stays() {
        let wave = [0.05, 0.013];
        let all: Vec<[usize; 2]> = (0..90)
            .flat_map(|r| (0..90).map(move |c| [r, c]))
            .filter(|[r, c]| r + c > 20)
            .collect();
        let at = |[r, c]: [usize; 2]| {
            let phase = TAU * (wave[0] * r as f64 + wave[1] * c as f64);
            let noise = ((r * 7919 + c * 104_729 + r * c) % 1009) as f64 / 1009.0;
            // Of an amplitude that changes, and slightly bent.
            ((1.0 + 0.004 * r as f64) * (phase + 0.3).cos(), noise)
        };
        let spread = |values: &[f32]| {
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / values.len() as f32
        };
        let moire: Vec<f32> = all.iter().map(|&place| (at(place).0 + at(place).1) as f32).collect();
        let found = still(&moire, &all, &[wave, [0.1, 0.1]]).expect("a wave");
        assert!(spread(&moire) > 0.5 && spread(&found) < 0.1, "{}", spread(&found));
        // Bands have waves of the same length, but of others too.
        let bands: Vec<f32> = all
            .iter()
            .map(|&[r, c]| {
                let across = (r as f64 + 0.26 * c as f64) / 20.0;
                if across < 1.6 || (2.2..2.7).contains(&across) { 1.0 } else { 0.0 }
            })
            .collect();
        assert_eq!(still(&bands, &all, &[wave]), None);
        // Another wave than those of the lattice may be what crystals are like, and so may a step.
        assert_eq!(still(&moire, &all, &[[0.1, 0.1]]), None);
        let step =
            |&[r, c]: &[usize; 2]| if c < 40 { 0.0 } else { 1.0 + 0.1 * at([r, c]).1 as f32 };
        let step: Vec<f32> = all.iter().map(step).collect();
        assert_eq!(still(&step, &all, &[wave, [0.1, 0.1], [0.0, 0.05]]), None);
    }
}
