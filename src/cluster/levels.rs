//! Two crystals, or one that changes slowly: what tells a step from a slope.
//!
//! A bent, strained or drifting crystal, a wedge and contamination make features that change
//! over the whole image, often by more than two phases differ. What they cannot make are two
//! **levels**: a feature that is the same deep inside either part and goes from one value to the
//! other where they meet.
//!
//! The two classes of a feature over the sites are those of Otsu (A threshold selection
//! method from gray-level histograms, IEEE Transactions on Systems, Man, and Cybernetics 9,
//! 62-66, 1979) of the smoothed feature, with the threshold made anew from the classes'
//! cores; [`Levels`] is how far apart they are, how sharp the step is, and how deep both
//! reach.

use std::f64::consts::PI;

use ndarray::{Array2, ArrayView2, Zip, s};
use serde::Serialize;

use crate::image::gaussian;
use crate::labels::distance;

/// Standard deviation that features are smoothed with, depth of a core, and how far from the
/// boundary a site still shows what happens there, px of the resampled image.
const SMOOTHING: f64 = 16.0;
pub(crate) const CORE: f64 = 17.6;
const NEAR: f64 = 25.6;
/// Where the lines through a class begin and end that are carried on to the boundary, px from it:
/// beyond what descriptors see of both sides.
const BEYOND: [f64; 2] = [12.0, 120.0];
/// What the jump between these lines counts for next to the step near the boundary.
const JUMP: f64 = 0.62;
/// Depth that strips count as having where they are kept. With more, sites that see both sides of an
/// ordinary boundary are a layer more often; with less, layers two periods thick are none.
const DEPTH_OF_STRIPS: f64 = 0.4;
/// Sites of a core, at least.
pub(crate) const CORE_SITES: usize = 12;
/// How much of the variance of a core counts that is not a trend across it.
const DISORDER: f64 = 0.7;
/// How many times the threshold is made anew.
const ROUNDS: usize = 3;
/// Bins of the histogram, and share of the sites beyond either end of it.
const BINS: usize = 256;
const TAIL: f64 = 0.001;

/// What the two classes of a feature are like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Levels {
    /// Distance of the means of the classes' cores, in the root of their mean variance,
    /// smoothed. A trend across a core counts for all of that, disorder for less: two levels may
    /// be as rough as they like, but what changes steadily has none.
    pub separation: f64,
    /// The share of that distance which is gone through at the boundary: 1 for a step, a little for
    /// a slope. It is what the sites near the boundary differ by; or part of the jump between lines
    /// through those further inside, where that is more: lattices that hold on to each other are
    /// strained where they meet, and what lies there is like neither.
    pub step: f64,
    /// Share of a class that is core, the lesser of both: small for strips and slivers.
    pub depth: f64,
    /// Share of the cores' variance that is a trend across them: what changes steadily from
    /// place to place, 0 to 1. The rest is disorder.
    pub trend: f64,
}

impl Levels {
    /// All of it in one number: high only where the levels are far apart, the step is sharp
    /// and neither class is made of strips, unless these are kept.
    pub fn strength(&self, strips: Strips) -> f64 {
        let depth = match strips {
            Strips::Doubted => self.depth,
            Strips::Kept => self.depth.max(DEPTH_OF_STRIPS),
        };
        self.separation * self.step * depth.powi(2)
    }
}

/// What strips along boundaries are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strips {
    /// The sites there see both sides, and need not be a pattern.
    #[default]
    Doubted,
    /// A layer of its own, as boundary phases are: what counts is how far it differs.
    Kept,
}

/// A region in two.
#[derive(Debug, Clone)]
pub(crate) struct Division {
    /// What the two classes are like.
    pub(crate) levels: Levels,
    /// The sites of the class with the higher values, `[site rows, site cols]`.
    pub(crate) high: Array2<bool>,
}

/// The classes of a feature over the sites, `[site rows, site cols]`, of which those that are
/// `present` take part; they are `stride` px apart. Nothing where there are no two classes with
/// cores.
pub(crate) fn division(
    feature: &Array2<f32>,
    present: &Array2<bool>,
    stride: f64,
) -> Option<Division> {
    // Only the rows and columns of the region are looked at.
    let (rows, cols) = distance::bounds(present)?;
    let window = Window { first: [rows.start, cols.start], whole: feature.dim(), stride };
    let part = s![rows, cols];
    let present = present.slice(part);
    let raw = Zip::from(feature.slice(part)).and(present);
    let raw = raw.map_collect(|&v, &p| if p { v } else { 0.0 });
    let smooth = smoothed(&raw, present, SMOOTHING / stride);
    let values: Vec<f32> =
        smooth.iter().zip(present).filter_map(|(&v, &p)| p.then_some(v)).collect();
    let mut threshold = otsu(values)?;
    let mut found = None;
    for _ in 0..ROUNDS {
        let high = Zip::from(&smooth).and(present).map_collect(|&v, &p| p && v > threshold);
        let low = Zip::from(&smooth).and(present).map_collect(|&v, &p| p && v <= threshold);
        let [low, high] = [low, high].map(|own| Core::new(own, &smooth, window));
        let (low, high) = (low?, high?);
        threshold = ((low.mean + high.mean) / 2.0) as f32;
        found = Some((low, high));
    }
    let (low, high) =
        found.map(|(low, high)| (Class::new(low, stride), Class::new(high, stride)))?;
    let apart = high.mean - low.mean;
    let spread = (0.5 * (low.spread() + high.spread())).sqrt();
    let (below, above) = (low.side(&high, &raw, window), high.side(&low, &raw, window));
    let jump = below.carried_on.zip(above.carried_on).map_or(0.0, |(low, high)| high - low);
    let step = ((above.near - below.near) / apart).max(JUMP * (jump / apart).min(1.0));
    let levels = Levels {
        separation: apart / spread.max(1e-9 * apart),
        step: step.min(1.0),
        depth: low.depth.min(high.depth),
        trend: (low.trend + high.trend) / (low.variance + high.variance).max(f64::MIN_POSITIVE),
    };
    let mut all = Array2::from_elem(window.whole, false);
    all.slice_mut(part).assign(&high.own);
    Some(Division { levels, high: all })
}

/// The sites that are looked at: where the first lies in the whole grid, the size of that, and how
/// far apart sites are, px.
#[derive(Debug, Clone, Copy)]
struct Window {
    first: [usize; 2],
    whole: (usize, usize),
    stride: f64,
}

impl Window {
    /// How many sites the nearest border of the whole grid is away, the site's own counted.
    fn border(&self, (r, c): (usize, usize)) -> usize {
        let (r, c) = (r + self.first[0], c + self.first[1]);
        let (rows, cols) = self.whole;
        (r + 1).min(rows - r).min(c + 1).min(cols - c)
    }
}

/// The sites of one class, and those deep inside it.
struct Core {
    own: Array2<bool>,
    /// The feature at the latter, smoothed, and where these are.
    values: Vec<f64>,
    places: Vec<[f64; 2]>,
    mean: f64,
    /// How many there would be if there were no other class.
    inside: usize,
}

impl Core {
    /// The sites of the `window` deeper than [`CORE`], from the image's border as well; nothing where
    /// they are too few.
    fn new(own: Array2<bool>, smooth: &Array2<f32>, window: Window) -> Option<Self> {
        let radius = CORE / window.stride;
        let depth = distance::depth(&own);
        let (mut values, mut places, mut inside) = (Vec::new(), Vec::new(), 0);
        for ((r, c), _) in own.indexed_iter().filter(|(_, own)| **own) {
            if f64::from(depth[(r, c)]) > radius {
                values.push(f64::from(smooth[(r, c)]));
                places.push([r as f64, c as f64]);
            }
            // Where there is no other class, all of these would be core.
            inside += usize::from(window.border((r, c)) as f64 > radius);
        }
        if values.len() < CORE_SITES {
            return None;
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Some(Self { own, values, places, mean, inside })
    }
}

/// The sites of one class.
struct Class {
    own: Array2<bool>,
    mean: f64,
    variance: f64,
    /// The part of the variance that a trend explains.
    trend: f64,
    depth: f64,
}

impl Class {
    /// The variance of its core, of which disorder counts for less than a trend.
    fn spread(&self) -> f64 {
        self.trend + DISORDER * (self.variance - self.trend)
    }

    /// Of a class with this `core`; sites are `stride` px apart.
    fn new(core: Core, stride: f64) -> Self {
        let Core { own, values, places, mean, inside } = core;
        let n = values.len() as f64;
        // Neighbours share what they are smoothed over; of few values that are independent, the
        // spread comes out too small.
        let independent = n * stride.powi(2) / (PI * SMOOTHING.powi(2));
        let biased = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        let variance = biased * (1.0 + 1.0 / independent);
        let trend = variance * trend(&values, &places);
        Self { own, mean, variance, trend, depth: (n / inside as f64).min(1.0) }
    }

    /// The feature `raw`, unsmoothed, of this side of the boundary with `other`.
    fn side(&self, other: &Self, raw: &Array2<f32>, window: Window) -> Side {
        let stride = window.stride;
        let depth = distance::distance(&other.own).expect("a class has sites");
        let inside = |at| window.border(at) as f64 > (CORE / stride).ceil();
        let own = |at: &(usize, usize)| self.own[*at] && inside(*at);
        let (mut near, mut count, mut line) = (0.0, 0, Line::default());
        for (at, &value) in raw.indexed_iter().filter(|(at, _)| own(at)) {
            let (away, value) = (f64::from(depth[at]), f64::from(value));
            if away <= NEAR / stride {
                near += value;
                count += 1;
            }
            // The boundary runs between two sites.
            let away = (away - 0.5) * stride;
            if BEYOND[0] < away && away <= BEYOND[1] {
                line.add(away, value);
            }
        }
        let near = if count > 0 { near / f64::from(count) } else { self.mean };
        Side { near, carried_on: line.at_zero(stride) }
    }
}

/// A feature on one side of a boundary.
struct Side {
    /// Its mean near the boundary; that of the core where there is no such site.
    near: f64,
    /// Its value at the boundary by the line through the sites further inside; nothing where these
    /// are too few.
    carried_on: Option<f64>,
}

/// Sums that a line of least squares follows from.
#[derive(Default)]
struct Line {
    count: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
}

impl Line {
    fn add(&mut self, x: f64, y: f64) {
        self.count += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.xy += x * y;
    }

    /// Where the line meets x = 0; nothing for too few points, or if they spread over less than
    /// `apart`.
    fn at_zero(&self, apart: f64) -> Option<f64> {
        let (x, y) = (self.x / self.count, self.y / self.count);
        let variance = self.xx / self.count - x * x;
        let enough = self.count >= CORE_SITES as f64 && variance > 0.25 * apart * apart;
        enough.then(|| y - x * (self.xy / self.count - x * y) / variance)
    }
}

/// Share of the variance of `values` that a polynomial of second order in their `places`
/// explains, beyond what it explains of noise.
fn trend(values: &[f64], places: &[[f64; 2]]) -> f64 {
    const TERMS: usize = 6;
    let n = values.len() as f64;
    let mean = |of: &dyn Fn(usize) -> f64| (0..values.len()).map(of).sum::<f64>() / n;
    let centre = [mean(&|i| places[i][0]), mean(&|i| places[i][1])];
    let spread = [0, 1].map(|axis| {
        mean(&|i| (places[i][axis] - centre[axis]).powi(2)).sqrt().max(f64::MIN_POSITIVE)
    });
    let terms = |i: usize| {
        let [r, c] = [0, 1].map(|axis| (places[i][axis] - centre[axis]) / spread[axis]);
        [1.0, r, c, r * r, r * c, c * c]
    };
    // Orthogonal terms by Gram and Schmidt, so that shares add up.
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(TERMS);
    for term in 0..TERMS {
        let mut of: Vec<f64> = (0..values.len()).map(|i| terms(i)[term]).collect();
        for known in &basis {
            let along: f64 = of.iter().zip(known).map(|(a, b)| a * b).sum();
            of.iter_mut().zip(known).for_each(|(a, b)| *a -= along * b);
        }
        let norm = of.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm > 1e-6 * n.sqrt() {
            basis.push(of.into_iter().map(|v| v / norm).collect());
        }
    }
    let average = mean(&|i| values[i]);
    let total: f64 = values.iter().map(|v| (v - average).powi(2)).sum();
    let of = |term: &Vec<f64>| -> f64 {
        term.iter().zip(values).map(|(t, v)| t * v).sum::<f64>().powi(2)
    };
    let explained: f64 = basis.iter().skip(1).map(of).sum();
    if total <= 0.0 { 0.0 } else { (explained / total).min(1.0) }
}

/// `values` under a Gaussian of `sigma` sites, over the sites that are `present`.
fn smoothed(values: &Array2<f32>, present: ArrayView2<'_, bool>, sigma: f64) -> Array2<f32> {
    let mut smooth = gaussian::smoothed(values.view(), sigma);
    if present.iter().any(|present| !present) {
        let weight = present.mapv(|present| if present { 1.0 } else { 0.0 });
        let weight = gaussian::smoothed(weight.view(), sigma);
        smooth.zip_mut_with(&weight, |value, &weight| *value /= weight.max(1e-6));
    }
    smooth
}

/// The threshold between two classes of `values` that lie furthest apart for their sizes.
fn otsu(mut values: Vec<f32>) -> Option<f32> {
    let last = values.len().checked_sub(1)?;
    let mut quantile = |share: f64| {
        let place = (share * last as f64) as usize;
        *values.select_nth_unstable_by(place, f32::total_cmp).1
    };
    let (least, most) = (quantile(TAIL), quantile(1.0 - TAIL));
    let width = f64::from(most - least) / BINS as f64;
    if width.is_nan() || width <= 0.0 {
        return None;
    }
    let mut bins = [0.0_f64; BINS];
    for &value in values.iter().filter(|value| (least..=most).contains(value)) {
        bins[((f64::from(value - least) / width) as usize).min(BINS - 1)] += 1.0;
    }
    let total: f64 = bins.iter().sum();
    let moment: f64 = bins.iter().enumerate().map(|(i, n)| i as f64 * n).sum();
    let (mut below, mut sum, mut best) = (0.0, 0.0, (0.0, 0));
    for (i, n) in bins.iter().enumerate().take(BINS - 1) {
        below += n;
        sum += i as f64 * n;
        let above = total - below;
        if below > 0.0 && above > 0.0 {
            let between = (moment * below / total - sum).powi(2) / (below * above);
            if between > best.0 {
                best = (between, i);
            }
        }
    }
    Some((f64::from(least) + width * (best.1 + 1) as f64) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A feature over 64 x 64 sites with a little noise.
    fn feature(value: impl Fn(f64, f64) -> f64) -> Array2<f32> {
        let mut state = 3_u64;
        Array2::from_shape_fn((64, 64), |(r, c)| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let noise = (state >> 40) as f64 / (1 << 24) as f64 - 0.5;
            (value(r as f64 / 63.0, c as f64 / 63.0) + 0.5 * noise) as f32
        })
    }

    fn strength(feature: &Array2<f32>) -> f64 {
        let present = Array2::from_elem(feature.dim(), true);
        division(feature, &present, 8.0).map_or(0.0, |d| d.levels.strength(Strips::Doubted))
    }

    #[test]
    fn two_levels_are_two_crystals_and_slopes_are_one() {
        let two = feature(|_, c| if c < 0.4 { 0.0 } else { 1.0 });
        let present = Array2::from_elem(two.dim(), true);
        let Division { levels, high } = division(&two, &present, 8.0).unwrap();
        assert!(levels.separation > 10.0 && levels.step > 0.9 && levels.depth > 0.9, "{levels:?}");
        assert!(high.indexed_iter().all(|((_, c), &high)| high == (c as f64 / 63.0 >= 0.4)));
        // Bend, strain, drift, and a spot.
        let spot = |r: f64, c: f64| (-((r - 0.5).powi(2) + (c - 0.4).powi(2)) / 0.03).exp();
        for slow in [feature(|r, c| r + 0.5 * c), feature(|r, _| (5.0 * r).cos()), feature(spot)] {
            let (slow, two) = (strength(&slow), strength(&two));
            assert!(slow < 2.5 && two > 10.0, "{slow} and {two}");
        }
        assert_eq!(strength(&Array2::ones((64, 64))), 0.0, "nothing varies");
        // Bands are no crystals, however far apart their levels lie.
        let bands = strength(&feature(|_, c| if (64.0 * c) as usize % 16 < 5 { 0.0 } else { 9.0 }));
        assert!(bands < 2.5, "{bands}");
    }

    #[test]
    fn a_strained_boundary_is_no_slope() {
        let strained = feature(|_, c| {
            let side = if c < 0.4 { -0.5 } else { 0.5 };
            side * (1.0 - 1.2 * (-(c - 0.4).abs() / 0.05).exp())
        });
        let present = Array2::from_elem(strained.dim(), true);
        let levels = division(&strained, &present, 8.0).unwrap().levels;
        assert!((0.3..0.62).contains(&levels.step), "{levels:?}");
        assert!(levels.strength(Strips::Doubted) > 3.0, "{levels:?}");
    }

    #[test]
    fn strips_may_be_kept() {
        // Of a thin layer: what its sites see of both sides is wider.
        let layer = feature(|_, c| (-((c - 0.5) / 0.035).powi(4)).exp());
        let present = Array2::from_elem(layer.dim(), true);
        let levels = division(&layer, &present, 8.0).unwrap().levels;
        let [doubted, kept] = [Strips::Doubted, Strips::Kept].map(|strips| levels.strength(strips));
        assert!(levels.depth < 0.35, "{levels:?}");
        assert!(kept > 1.2 * doubted, "{kept} and {doubted}");
        // What is deep on both sides is as clear either way.
        let two = feature(|_, c| if c < 0.4 { 0.0 } else { 1.0 });
        let levels = division(&two, &present, 8.0).unwrap().levels;
        assert_eq!(levels.strength(Strips::Kept), levels.strength(Strips::Doubted));
    }

    #[test]
    fn absent_sites_do_not_count() {
        let mut with_hole = feature(|_, c| if c < 0.5 { 0.0 } else { 1.0 });
        let mut present = Array2::from_elem(with_hole.dim(), true);
        let whole = division(&with_hole, &present, 8.0).unwrap().levels;
        with_hole.slice_mut(ndarray::s![10..20, 25..40]).fill(f32::NAN);
        present.slice_mut(ndarray::s![10..20, 25..40]).fill(false);
        let found = division(&with_hole, &present, 8.0).unwrap().levels;
        assert!((found.step - whole.step).abs() < 0.1, "{found:?} instead of {whole:?}");
    }
}
