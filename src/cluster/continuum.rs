//! Two crystals, or one that changes slowly: what tells a step from a slope.
//!
//! A bent, strained or drifting crystal, a wedge and contamination make features that change
//! over the whole image, often by more than two phases differ. k-means cuts such a continuum
//! as it cuts two crystals. What it cannot make are two **levels**: a feature that is the
//! same deep inside either part and goes from one value to the other where they meet.
//!
//! The two classes of a feature over the sites are those of Otsu (A threshold selection
//! method from gray-level histograms, IEEE Transactions on Systems, Man, and Cybernetics 9,
//! 62-66, 1979) of the smoothed feature, with the threshold made anew from the classes'
//! cores; [`Levels`] is how far apart they are, how sharp the step is, and how deep both
//! reach. [`Evidence`] says when there is but one crystal.

use ndarray::{Array2, Zip};
use serde::Serialize;

use crate::image::gaussian::{self, Weights};
use crate::image::micrograph::Micrograph;
use crate::labels::regions;
use crate::plan::Plan;

/// Features that are looked at, best first.
pub(crate) const FEATURES: usize = 4;

/// Strength of the clearest levels below which there may be but one crystal, where it changes
/// from place to place and where it follows the brightness. Scenes of two and more crystals
/// have 2.5 and more; those that bend, strain or drift 0.6 to 1.2 (2 under flyback),
/// contamination leaves 1.8; a few real images of two phases have 1.2 to 2, so that it takes
/// a sign of a slope besides.
const CLEAR: f64 = 1.4;
const CLEAR_OF_BRIGHTNESS: f64 = 1.9;
/// A step of the first feature below this is a slope (0.09 to 0.28 in crystals that are bent,
/// strained or drift; 0.33 and more across real boundaries, blurred by the windows of sites).
const SLOPE: f64 = 0.3;
/// Share of the first feature's variance that brightness explains where it follows it, and
/// strength below which brightness itself has no levels.
const FOLLOWS: f64 = 0.4;
const SLOW: f64 = 1.0;
/// Standard deviation that brightness is averaged with, periods.
const BRIGHTNESS: f64 = 1.2;

/// Standard deviation that features are smoothed with, depth of a core, and how far from the
/// boundary a site still shows what happens there, px of the resampled image.
const SMOOTHING: f64 = 16.0;
const CORE: f64 = 17.6;
const NEAR: f64 = 25.6;
/// Sites of a core, at least.
const CORE_SITES: usize = 12;
/// How many times the threshold is made anew.
const ROUNDS: usize = 3;
/// Bins of the histogram, and share of the sites beyond either end of it.
const BINS: usize = 256;
const TAIL: f64 = 0.001;

/// What the two classes of a feature are like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Levels {
    /// Distance of the means of the classes' cores, in the root of their mean variance,
    /// smoothed.
    pub separation: f64,
    /// The share of that distance which is gone through near the boundary: 1 for a step, a
    /// little for a slope.
    pub step: f64,
    /// Share of a class that is core, the lesser of both: small for strips and slivers.
    pub depth: f64,
}

impl Levels {
    /// All of it in one number: high only where the levels are far apart, the step is sharp
    /// and neither class is made of strips.
    pub fn strength(&self) -> f64 {
        self.separation * self.step * self.depth.powi(2)
    }
}

/// What speaks for one crystal that changes slowly.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// Levels of the leading features, best first; none where a feature has no two classes
    /// with cores.
    pub levels: Vec<Option<Levels>>,
    /// Share of the first feature's variance that is a smooth function of the brightness
    /// around the site, where brightness changes slowly.
    pub follows_brightness: f64,
}

/// A number, and the limit that it is held against.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// What it is of: a number of clusters, a factor, or a few words.
    pub of: String,
    /// The number.
    pub value: f64,
    /// The limit.
    pub limit: f64,
    /// Whether it speaks for the number of patterns that was chosen.
    pub decides: bool,
}

/// How a single crystal changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slope {
    /// Steadily from place to place: bend, strain, drift.
    Place,
    /// With the brightness: contamination, thickness.
    Brightness,
}

impl Evidence {
    /// How the image changes, where it shows a single crystal.
    pub fn slope(&self) -> Option<Slope> {
        let first = (*self.levels.first()?)?;
        let clearest = self.clearest();
        if clearest < CLEAR && first.step < SLOPE {
            Some(Slope::Place)
        } else if clearest < CLEAR_OF_BRIGHTNESS && self.follows_brightness >= FOLLOWS {
            Some(Slope::Brightness)
        } else {
            None
        }
    }

    /// What it takes for `slope`: the clearest levels, and how steadily the features change.
    pub(super) fn measures(&self, slope: Slope) -> Vec<Measure> {
        let clearest = self.clearest();
        let clear = match slope {
            Slope::Place => CLEAR,
            Slope::Brightness => CLEAR_OF_BRIGHTNESS,
        };
        let levels = Measure {
            of: "clearest step between two levels".into(),
            value: clearest,
            limit: clear,
            decides: clearest < clear,
        };
        let (step, follows) = (self.first_step(), self.follows_brightness);
        let slope = match slope {
            Slope::Brightness => Measure {
                of: "share that follows the brightness".into(),
                value: follows,
                limit: FOLLOWS,
                decides: follows >= FOLLOWS,
            },
            Slope::Place => Measure {
                of: "share of the change near the boundary".into(),
                value: step,
                limit: SLOPE,
                decides: step < SLOPE,
            },
        };
        vec![levels, slope]
    }

    /// The strength of the clearest levels.
    fn clearest(&self) -> f64 {
        let strength = |levels: &Option<Levels>| levels.map_or(0.0, |levels| levels.strength());
        self.levels.iter().map(strength).fold(0.0, f64::max)
    }

    /// The step of the first feature; 1 where it has no levels.
    fn first_step(&self) -> f64 {
        self.levels.first().copied().flatten().map_or(1.0, |levels| levels.step)
    }

    /// From the first of `features`, maps over the sites, none where a site is absent;
    /// `brightness` is one like them. Sites are `stride` px apart.
    pub(crate) fn new(
        features: &[Array2<Option<f32>>],
        brightness: Option<&Array2<Option<f32>>>,
        stride: f64,
    ) -> Self {
        let levels = features.iter().map(|feature| levels(feature, stride)).collect();
        let slow = |map: &&Array2<Option<f32>>| {
            self::levels(map, stride).is_none_or(|levels| levels.strength() < SLOW)
        };
        let follows_brightness = match (features.first(), brightness.filter(slow)) {
            (Some(feature), Some(brightness)) => explained(feature, brightness),
            _ => 0.0,
        };
        Self { levels, follows_brightness }
    }
}

/// Mean brightness around each site of `plan`, `[site rows, site cols]`, in standard
/// deviations of the image; nothing where sites keep a margin.
pub(crate) fn brightness(micrograph: &Micrograph, plan: &Plan) -> Option<Array2<f32>> {
    let (grid, period) = (plan.sites().grid(), plan.params().sampling?.period);
    if grid.margin.rows + grid.margin.cols > 0 {
        return None;
    }
    let (rows, cols) = micrograph.shape();
    let along = |size: usize, sites: usize| {
        Weights::means(size, sites, plan.frame().scale / grid.stride as f64, BRIGHTNESS * period)
    };
    let (down, along) = (along(rows, grid.count.rows), along(cols, grid.count.cols));
    Some(gaussian::weighted(micrograph.pixels(), &down, &along))
}

/// Share of the variance of `feature` that a cubic function of `other` explains.
fn explained(feature: &Array2<Option<f32>>, other: &Array2<Option<f32>>) -> f64 {
    let pairs = || {
        feature.iter().zip(other).filter_map(|(y, x)| Some((f64::from((*y)?), f64::from((*x)?))))
    };
    let n = pairs().count() as f64;
    let mean = |value: &dyn Fn((f64, f64)) -> f64| pairs().map(value).sum::<f64>() / n.max(1.0);
    let (y0, x0) = (mean(&|(y, _)| y), mean(&|(_, x)| x));
    let deviation = mean(&|(_, x)| (x - x0).powi(2)).sqrt();
    let variance = mean(&|(y, _)| (y - y0).powi(2));
    if !(deviation > 0.0 && variance > 0.0) {
        return 0.0;
    }
    // Orthogonal polynomials by Gram and Schmidt, so that shares add up.
    let z: Vec<[f64; 2]> = pairs().map(|(y, x)| [y - y0, (x - x0) / deviation]).collect();
    let mut basis: Vec<Vec<f64>> = vec![vec![1.0; z.len()]];
    let mut share = 0.0;
    for power in 1..=3 {
        let mut term: Vec<f64> = z.iter().map(|[_, x]| x.powi(power)).collect();
        for known in &basis {
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let along = dot(&term, known) / dot(known, known);
            term.iter_mut().zip(known).for_each(|(t, k)| *t -= along * k);
        }
        let norm: f64 = term.iter().map(|t| t * t).sum();
        if norm < 1e-9 * n {
            break;
        }
        let along: f64 = term.iter().zip(&z).map(|(t, [y, _])| t * y).sum();
        share += along * along / norm / (n * variance);
        basis.push(term);
    }
    share
}

/// The levels of a feature over the sites, `[site rows, site cols]`, none where a site is
/// absent; sites are `stride` px apart. Nothing where there are no two classes with cores.
pub(crate) fn levels(feature: &Array2<Option<f32>>, stride: f64) -> Option<Levels> {
    let present = feature.mapv(|value| value.is_some());
    let raw = feature.mapv(|value| value.unwrap_or(0.0));
    let smooth = smoothed(&raw, &present, SMOOTHING / stride);
    let values: Vec<f32> =
        smooth.iter().zip(&present).filter_map(|(&v, &p)| p.then_some(v)).collect();
    let mut threshold = otsu(values)?;
    let mut found = None;
    for _ in 0..ROUNDS {
        let high = Zip::from(&smooth).and(&present).map_collect(|&v, &p| p && v > threshold);
        let low = Zip::from(&smooth).and(&present).map_collect(|&v, &p| p && v <= threshold);
        let [low, high] = [low, high].map(|own| Class::new(own, &smooth, CORE / stride));
        let (low, high) = (low?, high?);
        threshold = ((low.mean + high.mean) / 2.0) as f32;
        found = Some((low, high));
    }
    let (low, high) = found?;
    let apart = high.mean - low.mean;
    let spread = (0.5 * (low.variance + high.variance)).sqrt();
    let step = high.mean_near(&low, &raw, stride) - low.mean_near(&high, &raw, stride);
    Some(Levels {
        separation: apart / spread.max(1e-9 * apart),
        step: step / apart,
        depth: low.depth.min(high.depth),
    })
}

/// The sites of one class.
struct Class {
    own: Array2<bool>,
    mean: f64,
    variance: f64,
    depth: f64,
}

impl Class {
    /// Its core is deeper than `radius` sites, from the image's border as well.
    fn new(own: Array2<bool>, smooth: &Array2<f32>, radius: f64) -> Option<Self> {
        let (rows, cols) = own.dim();
        let mut others = Array2::from_elem((rows + 2, cols + 2), true);
        others.slice_mut(ndarray::s![1..=rows, 1..=cols]).assign(&own.mapv(|own| !own));
        let depth = regions::distance(&others)?;
        let (mut core, mut inside) = (Vec::new(), 0);
        for ((r, c), _) in own.indexed_iter().filter(|(_, own)| **own) {
            if f64::from(depth[(r + 1, c + 1)]) > radius {
                core.push(f64::from(smooth[(r, c)]));
            }
            inside += usize::from(is_inside((r, c), own.dim(), radius));
        }
        if core.len() < CORE_SITES {
            return None;
        }
        let n = core.len() as f64;
        let mean = core.iter().sum::<f64>() / n;
        let variance = core.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        Some(Self { own, mean, variance, depth: (n / inside.max(1) as f64).min(1.0) })
    }

    /// Mean of the feature `raw`, unsmoothed, near the boundary with `other`; that of the core
    /// where there is no such site.
    fn mean_near(&self, other: &Self, raw: &Array2<f32>, stride: f64) -> f64 {
        let depth = regions::distance(&other.own).expect("a class has sites");
        let near = |at: (usize, usize)| {
            let inside = is_inside(at, depth.dim(), CORE / stride);
            self.own[at] && inside && f64::from(depth[at]) <= NEAR / stride
        };
        let values = raw.indexed_iter().filter(|(at, _)| near(*at)).map(|(_, &v)| f64::from(v));
        let (count, sum) = values.fold((0, 0.0), |(count, sum), v| (count + 1, sum + v));
        if count > 0 { sum / f64::from(count) } else { self.mean }
    }
}

/// Whether a site lies `margin` sites or more from the border.
fn is_inside((r, c): (usize, usize), (rows, cols): (usize, usize), margin: f64) -> bool {
    r.min(rows - 1 - r).min(c).min(cols - 1 - c) as f64 >= margin.ceil()
}

/// `values` under a Gaussian of `sigma` sites, over the sites that are `present`.
fn smoothed(values: &Array2<f32>, present: &Array2<bool>, sigma: f64) -> Array2<f32> {
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
    values.sort_by(f32::total_cmp);
    let quantile = |share: f64| values.get((share * (values.len() - 1) as f64) as usize).copied();
    let (least, most) = (quantile(TAIL)?, quantile(1.0 - TAIL)?);
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
    fn feature(value: impl Fn(f64, f64) -> f64) -> Array2<Option<f32>> {
        let mut state = 3_u64;
        Array2::from_shape_fn((64, 64), |(r, c)| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let noise = (state >> 40) as f64 / (1 << 24) as f64 - 0.5;
            Some((value(r as f64 / 63.0, c as f64 / 63.0) + 0.5 * noise) as f32)
        })
    }

    fn slope(features: &[Array2<Option<f32>>], brightness: &Array2<Option<f32>>) -> Option<Slope> {
        Evidence::new(features, Some(brightness), 8.0).slope()
    }

    #[test]
    fn two_levels_are_two_crystals_and_slopes_are_one() {
        let even = feature(|_, _| 0.0);
        let two = feature(|_, c| if c < 0.4 { 0.0 } else { 1.0 });
        let found = levels(&two, 8.0).unwrap();
        assert!(found.separation > 10.0 && found.step > 0.9 && found.depth > 0.9, "{found:?}");
        assert_eq!(slope(std::slice::from_ref(&two), &even), None);
        // Bend, strain and drift.
        for ramp in [feature(|r, c| r + 0.5 * c), feature(|r, _| (5.0 * r).cos())] {
            assert_eq!(slope(std::slice::from_ref(&ramp), &even), Some(Slope::Place));
            let with_a_step = [ramp, two.clone()];
            assert_eq!(slope(&with_a_step, &even), None, "a later feature has levels");
        }
        assert_eq!(slope(&[], &even), None);
        assert_eq!(slope(&[even.mapv(|_| Some(1.0))], &even), None, "nothing varies");
    }

    #[test]
    fn what_follows_slow_brightness_is_one_crystal() {
        let spot = |r: f64, c: f64| (-((r - 0.5).powi(2) + (c - 0.4).powi(2)) / 0.03).exp();
        let (follows, bright) = (feature(|r, c| 2.0 * spot(r, c)), feature(spot));
        let evidence = Evidence::new(std::slice::from_ref(&follows), Some(&bright), 8.0);
        assert!(evidence.follows_brightness > 0.6, "{evidence:?}");
        // A phase that is brighter is one of its own.
        let phase = |r: f64, c: f64| if spot(r, c) > 0.5 { 1.0 } else { 0.0 };
        let bright = feature(|r, c| 4.0 * phase(r, c));
        assert_eq!(Evidence::new(&[follows], Some(&bright), 8.0).follows_brightness, 0.0);
    }

    #[test]
    fn absent_sites_do_not_count() {
        let mut with_hole = feature(|_, c| if c < 0.5 { 0.0 } else { 1.0 });
        let whole = levels(&with_hole, 8.0).unwrap();
        with_hole.slice_mut(ndarray::s![10..20, 25..40]).fill(None);
        let found = levels(&with_hole, 8.0).unwrap();
        assert!((found.step - whole.step).abs() < 0.1, "{found:?} instead of {whole:?}");
    }
}
