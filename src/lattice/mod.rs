//! The crystal lattices in an image: period vectors from local autocorrelation.
//!
//! Windows all over the image vote. In each, the autocorrelation (of the smoothed
//! window under a Hann window, divided by that window's own) has its highest peaks
//! at the periods; the two shortest independent ones span a lattice, which is fitted
//! to all its peaks. Windows with the same lattice make a crystal; a lattice that
//! few windows agree on is chance.
//!
//! ```
//! use ndarray::Array2;
//!
//! let wave = |x: usize, period: f64| (x as f64 * std::f64::consts::TAU / period).cos();
//! let image = Array2::from_shape_fn((200, 200), |(r, c)| (wave(r, 9.0) + wave(c, 14.0)) as f32);
//! let lattices = stemseg::lattice::find(image.view(), None);
//! assert_eq!(lattices.len(), 1);
//! assert!((lattices[0].vectors[0][0].abs() - 9.0).abs() < 0.1);
//! ```

mod autocorrelation;
mod fringes;
mod peaks;
mod period;
mod reflections;
mod repetition;

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;
use serde::Serialize;

use crate::image::gaussian;
use autocorrelation::Autocorrelation;
pub use period::{Period, Survey, period, survey};
pub use repetition::{Repetition, Source};

/// A vector as rows and columns, px.
pub type Vector = [f64; 2];

/// Smallest image side that is looked at, px.
const LEAST: usize = 32;
/// Most windows along one axis.
const MOST_WINDOWS: usize = 10;
/// Pixels show nothing shorter, px.
const LEAST_PERIOD: f64 = 2.0;
/// Share of the largest contrast of a window below which another's may be rounding.
const ROUNDING: f64 = 1e-8;
/// Lags along one axis that are looked at, at most.
const REACH: usize = 46;
/// Fewest windows that make a crystal, the share of all of them from which on they are many, and
/// fewest where they are not.
const LEAST_VOTES: usize = 2;
const MANY: f64 = 0.06;
const LEAST_FEW: usize = 3;
/// How many times the autocorrelation of noise in a window, root mean square, a lattice of one
/// window must have at its shortest vectors: the highest of the hundred or so independent
/// lags of noise have 3 times. The more windows agree, the less is chance.
const BEYOND_CHANCE: f64 = 5.0;
/// The same where a few of many windows agree, which some do by chance.
const FAR_BEYOND_CHANCE: f64 = 10.0;
/// What each window must have where lags are finer than pixels, unless this share of the windows
/// agree: noise has a ring about each pixel there, at two or three of them.
const EACH_BEYOND_CHANCE: f64 = 5.5;
const MOST_OF_THEM: f64 = 0.25;
/// Share of the windows from which on those that repeat in one direction alone are fringes.
const FRINGES: f64 = 0.25;

/// One crystal lattice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Lattice {
    /// The two shortest vectors that span it, the shorter first, px.
    pub vectors: [Vector; 2],
    /// Share of the image's windows that have it.
    pub share: f64,
    /// Mean autocorrelation at its shortest vectors, 0 to 1.
    pub strength: f64,
    /// How many pairs of Bragg reflections carry its contrast, `(sum p)^2 / sum p^2` of
    /// their powers: 2 to 3.7 where a cell holds one column, and exactly 1 for
    /// [fringes](Self::is_fringes).
    pub reflections: f64,
}

impl Lattice {
    /// The same in an image with this many times the pixels along an axis.
    fn enlarged(self, times: f64) -> Self {
        Self { vectors: self.vectors.map(|v| v.map(|x| times * x)), ..self }
    }

    /// Whether it repeats in one direction alone. One vector is the distance of the fringes across
    /// them; the other, as long along them, stands for nothing in the image.
    pub fn is_fringes(&self) -> bool {
        self.reflections == 1.0
    }

    /// The shortest lattice vector within `tolerance` radians of the line at `angle`
    /// (`row = r sin`, `col = r cos`), by its length in px.
    pub fn period_along(&self, angle: f64, tolerance: f64) -> Option<f64> {
        let (sin, cos) = angle.sin_cos();
        // Mirrors and glides of a plane group lie along one of these.
        let combinations = (-2..=2).flat_map(|i| (-2..=2).map(move |j| [i, j]));
        let lengths = combinations.filter(|&c| c != [0, 0]).filter_map(|[i, j]: [i32; 2]| {
            let v = combined(self.vectors, [f64::from(i), f64::from(j)]);
            let across = (v[0] * cos - v[1] * sin).abs();
            (across <= length(v) * tolerance.sin()).then(|| length(v))
        });
        lengths.min_by(f64::total_cmp)
    }
}

/// How finely an image is looked at. Lengths in px.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// Side of a window.
    side: usize,
    /// Steps of lag that a pixel has: peaks can be told apart from about 5 steps on.
    steps: usize,
    /// Standard deviation of the smoothing that takes noise out.
    smoothing: f64,
    /// Standard deviation of the Gaussian whose mean is taken off: what changes more slowly
    /// than any lattice whose vectors the lags reach.
    background: Option<f64>,
}

/// Periods of 5 to 45 px.
const WHOLE: Look = Look { side: 96, steps: 1, smoothing: 1.2, background: None };
/// Of 2.5 to 22 px, and of 2 to 11 px.
const FINER: [Look; 2] = [
    Look { side: 64, steps: 2, smoothing: 0.6, background: Some(8.0) },
    Look { side: 48, steps: 4, smoothing: 0.45, background: Some(4.0) },
];

impl Look {
    /// The lattices of `image`; lengths in px.
    fn lattices(
        &self,
        image: ArrayView2<'_, f32>,
        mask: Option<ArrayView2<'_, bool>>,
    ) -> Vec<Lattice> {
        let (rows, cols) = image.dim();
        let side = self.side.min(rows).min(cols);
        if side < LEAST {
            return Vec::new();
        }
        // Rounding is relative to the values, and would be all there is of an even image.
        let level = image.mean().unwrap_or_default();
        let starts = |size: usize| -> Vec<usize> {
            let room = size - side;
            let count = (room.div_ceil(side / 2) + 1).min(MOST_WINDOWS);
            (0..count).map(|i| i * room / count.saturating_sub(1).max(1)).collect()
        };
        let along = starts(cols);
        let places: Vec<[usize; 2]> =
            starts(rows).iter().flat_map(|&r| along.iter().map(move |&c| [r, c])).collect();
        let transform = Autocorrelation::new(side, self.steps, REACH);
        // Of a large image windows are a small part: the rest need not be smoothed.
        let whole = (rows * cols <= places.len() * (side + 2 * self.reach()).pow(2))
            .then(|| self.smooth(image, mask, level));
        let windows = places.par_iter().filter_map(|&[r, c]| {
            let place = s![r..r + side, c..c + side];
            let window = match &whole {
                Some(smooth) => smooth.slice(place).to_owned(),
                None => self.window((image, mask), level, [r, c], side),
            };
            let window = window.mapv(f64::from);
            let mask = mask.as_ref().map(|mask| mask.slice(place));
            match mask.filter(|mask| mask.iter().any(|&out| out)) {
                Some(mask) => transform.of_part(window.view(), mask),
                None => Some(transform.of(window.view())),
            }
        });
        let windows: Vec<_> = windows.collect();
        if windows.is_empty() {
            return Vec::new();
        }
        let votes = votes(&windows, &transform, self.smoothing * self.steps as f64);
        let found = crystals(votes, windows.len(), self.chance(side), self.steps > 1);
        let found = found.into_iter().map(|lattice| lattice.enlarged(1.0 / self.steps as f64));
        found.filter(|lattice| length(lattice.vectors[0]) >= LEAST_PERIOD).collect()
    }

    /// `image` less its `level`, without its noise and what changes slowly.
    fn smooth(
        &self,
        image: ArrayView2<'_, f32>,
        mask: Option<ArrayView2<'_, bool>>,
        level: f32,
    ) -> Array2<f32> {
        let image = image.mapv(|v| v - level);
        let mut smooth = gaussian::smoothed_but(image.view(), mask, self.smoothing);
        if let Some(sigma) = self.background {
            smooth -= &gaussian::smoothed_but(image.view(), mask, sigma);
        }
        smooth
    }

    /// How far away pixels lie that the smoothed ones depend on.
    fn reach(&self) -> usize {
        gaussian::reach(self.background.unwrap_or(self.smoothing))
    }

    /// The window of `side` px from row `r` and column `c` on, as [`smooth`](Self::smooth) has it of
    /// the whole image.
    fn window(
        &self,
        (image, mask): (ArrayView2<'_, f32>, Option<ArrayView2<'_, bool>>),
        level: f32,
        [r, c]: [usize; 2],
        side: usize,
    ) -> Array2<f32> {
        let around = |start: usize, size: usize| {
            start.saturating_sub(self.reach())..(start + side + self.reach()).min(size)
        };
        let (rows, cols) = (around(r, image.nrows()), around(c, image.ncols()));
        let (top, left) = (r - rows.start, c - cols.start);
        let part = s![rows, cols];
        let mask = mask.as_ref().map(|mask| mask.slice(part));
        let smooth = self.smooth(image.slice(part), mask, level);
        smooth.slice_move(s![top..top + side, left..left + side])
    }

    /// Autocorrelation, root mean square, of noise in a window of `side` px: one over the root
    /// of its independent pixels, of which a Gaussian makes one of `2 pi smoothing^2`, and of
    /// which the Hann window leaves the share `(3/8)^4 / (35/128)^2`.
    fn chance(&self, side: usize) -> f64 {
        let hann = (3.0_f64 / 8.0).powi(4) / (35.0_f64 / 128.0).powi(2);
        let each = (std::f64::consts::TAU * self.smoothing * self.smoothing).max(1.0);
        (each / (hann * (side * side) as f64)).sqrt()
    }
}

/// The lattices of `image` `[rows, cols]` (any mean and variance), the one that most
/// windows have first; none where nothing repeats. Pixels where `mask` `[rows, cols]` is
/// true are left out, and windows of which they are most do not vote.
pub fn find(image: ArrayView2<'_, f32>, mask: Option<ArrayView2<'_, bool>>) -> Vec<Lattice> {
    WHOLE.lattices(image, mask)
}

/// A window's lattice.
#[derive(Debug, Clone, Copy)]
struct Vote {
    vectors: [Vector; 2],
    strength: f64,
    reflections: f64,
}

/// The lattices of the windows that have contrast and repeat, of an image smoothed with this
/// standard deviation in steps of lag.
fn votes(
    windows: &[autocorrelation::Map],
    transform: &Autocorrelation,
    smoothing: f64,
) -> Vec<Vote> {
    let mut energies: Vec<f64> = windows.iter().map(|w| w.energy).collect();
    energies.sort_by(f64::total_cmp);
    let most = energies.last().copied().unwrap_or_default();
    let least = (0.2 * energies[energies.len() / 2]).max(ROUNDING * most);
    let lively = windows.par_iter().filter(|w| w.energy > least && w.energy > 0.0);
    let seen: Vec<peaks::Seen> = lively.map(|map| peaks::seen(map, transform, smoothing)).collect();
    // A crystal seen along its rows has windows like fringes too, but not all over the image.
    let once = seen.iter().filter(|seen| seen.fringes.is_some()).count();
    let fringes = once as f64 >= FRINGES * windows.len() as f64;
    let vote = |seen: &peaks::Seen| seen.fringes.filter(|_| fringes).or(seen.lattice);
    let found: Vec<Vote> = seen.iter().filter_map(vote).collect();
    let mut strengths: Vec<f64> = found.iter().map(|v| v.strength).collect();
    strengths.sort_by(f64::total_cmp);
    let Some(&strong) = strengths.get(strengths.len() * 9 / 10) else { return found };
    found.into_iter().filter(|v| v.strength >= 0.5 * strong).collect()
}

/// Lattices that enough votes agree on, the most frequent first; `chance` is the
/// autocorrelation that noise has in a window, which lags finer than pixels (`between`) show
/// more of. Lattices of few windows count where there are no others.
fn crystals(mut votes: Vec<Vote>, windows: usize, chance: f64, between: bool) -> Vec<Lattice> {
    let many = (MANY * windows as f64).ceil() as usize;
    let (mut frequent, mut rare) = (Vec::new(), Vec::new());
    loop {
        let agreeing = |vote: &Vote| votes.iter().filter(|v| agree(vote, v).is_some()).count();
        // The first of equals.
        let best = votes.iter().map(|v| (agreeing(v), v)).rev().max_by_key(|(count, _)| *count);
        let least = LEAST_VOTES.min(windows);
        let Some((count, &seed)) = best.filter(|(count, _)| *count >= least) else {
            return if frequent.is_empty() { rare } else { frequent };
        };
        let mean = mean_lattice(&seed, &votes);
        let (share, few) = (count as f64 / windows as f64, count < many);
        let beyond = if between || few { FAR_BEYOND_CHANCE } else { BEYOND_CHANCE };
        let each = if between && share < MOST_OF_THEM { EACH_BEYOND_CHANCE } else { 0.0 };
        let least = (beyond / (count as f64).sqrt()).max(each) * chance;
        if mean.strength >= least && !(few && count < LEAST_FEW) {
            let found = if few { &mut rare } else { &mut frequent };
            found.push(Lattice { share, ..mean });
        }
        votes.retain(|vote| agree(&seed, vote).is_none());
    }
}

/// The votes' median in the terms of `seed`.
fn mean_lattice(seed: &Vote, votes: &[Vote]) -> Lattice {
    let aligned = votes.iter().filter_map(|v| Some(Vote { vectors: agree(seed, v)?, ..*v }));
    let aligned: Vec<Vote> = aligned.collect();
    let median = |value: &dyn Fn(&Vote) -> f64| {
        let mut values: Vec<f64> = aligned.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let vector = |i: usize| [0, 1].map(|axis| median(&|v| v.vectors[i][axis]));
    let vectors = reduced([vector(0), vector(1)]);
    Lattice {
        vectors,
        share: 0.0,
        strength: median(&|v| v.strength),
        reflections: median(&|v| v.reflections),
    }
}

/// The vectors of `other` nearest to those of `seed`, where both span the same
/// lattice.
fn agree(seed: &Vote, other: &Vote) -> Option<[Vector; 2]> {
    let area = |[a, b]: [Vector; 2]| (a[0] * b[1] - a[1] * b[0]).abs();
    let ratio = area(seed.vectors) / area(other.vectors);
    if !(0.88..=1.14).contains(&ratio) {
        return None;
    }
    let mut aligned = [[0.0; 2]; 2];
    for (to, &v) in aligned.iter_mut().zip(&seed.vectors) {
        let whole = coordinates(other.vectors, v).map(f64::round);
        *to = combined(other.vectors, whole);
        let away = length([v[0] - to[0], v[1] - to[1]]);
        if away > (0.06 * length(v)).max(0.6) {
            return None;
        }
    }
    Some(aligned)
}

fn length(v: Vector) -> f64 {
    v[0].hypot(v[1])
}

fn combined([a, b]: [Vector; 2], [i, j]: [f64; 2]) -> Vector {
    [i * a[0] + j * b[0], i * a[1] + j * b[1]]
}

/// `v` in the terms of two vectors.
fn coordinates([a, b]: [Vector; 2], v: Vector) -> [f64; 2] {
    let area = a[0] * b[1] - a[1] * b[0];
    [(v[0] * b[1] - v[1] * b[0]) / area, (a[0] * v[1] - a[1] * v[0]) / area]
}

/// The two shortest vectors that span the same lattice (Lagrange and Gauss), with an
/// angle of at most 90 degrees, the first to the right or straight down.
fn reduced([mut a, mut b]: [Vector; 2]) -> [Vector; 2] {
    for _ in 0..64 {
        if length(b) < length(a) {
            std::mem::swap(&mut a, &mut b);
        }
        let times = ((a[0] * b[0] + a[1] * b[1]) / (a[0] * a[0] + a[1] * a[1])).round();
        if times == 0.0 || !times.is_finite() {
            break;
        }
        b = combined([b, a], [1.0, -times]);
    }
    if a[1] < 0.0 || (a[1] == 0.0 && a[0] < 0.0) {
        a = a.map(|v| -v);
    }
    if a[0] * b[0] + a[1] * b[1] < 0.0 {
        b = b.map(|v| -v);
    }
    [a, b]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lattice_is_reduced_whatever_spans_it() {
        let lattice = [[10.0, 1.0], [-2.0, 12.0]];
        let other = [combined(lattice, [3.0, 1.0]), combined(lattice, [2.0, 1.0])];
        let [a, b] = reduced(other);
        assert!((length(a) - length(lattice[0])).abs() < 1e-9, "{a:?}");
        assert!((length(b) - length(lattice[1])).abs() < 1e-9, "{b:?}");
    }

    #[test]
    fn noise_and_small_images_have_no_lattice() {
        let mut state = 9_u64;
        let noise = Array2::from_shape_fn((300, 260), |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32
        });
        assert_eq!(find(noise.view(), None), []);
        assert_eq!(find(Array2::<f32>::ones((200, 200)).view(), None), []);
        assert_eq!(find(noise.slice(s![..20, ..]).view(), None), []);
    }

    #[test]
    fn a_window_of_noise_is_no_crystal() {
        // One or a few windows each, which no others can contradict.
        for seed in 1..40_u64 {
            let mut state = seed;
            let noise = Array2::from_shape_fn((64 + (seed as usize % 3) * 32, 64), |_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 40) as f32
            });
            assert_eq!(find(noise.view(), None), [], "{seed}");
        }
    }

    #[test]
    fn windows_of_a_large_image_are_smoothed_as_the_whole_would_be() {
        let look = FINER[1];
        let side = 10 * (look.side + 2 * look.reach()) + 40;
        let image = Array2::from_shape_fn((side, side + 30), |(r, c)| {
            let wave = |x: usize| (x as f64 * std::f64::consts::TAU / 7.3).cos();
            let noise = ((r * 7919 + c * 104_729 + r * c) % 1009) as f64 / 1009.0;
            (wave(r) + wave(c) + noise) as f32
        });
        let mask = Array2::from_shape_fn(image.dim(), |(r, c)| r < 40 || (r * 31 + c) % 97 == 0);
        for mask in [None, Some(mask.view())] {
            let whole = look.smooth(image.view(), mask, 0.5);
            for [r, c] in [[0, 0], [100, 310], [side - look.side, side + 30 - look.side]] {
                let found = look.window((image.view(), mask), 0.5, [r, c], look.side);
                let expected = whole.slice(s![r..r + look.side, c..c + look.side]);
                assert_eq!(found, expected, "{r} {c}, bit for bit");
            }
        }
        // Large enough that windows are smoothed one by one, and the lattice is there.
        let found = look.lattices(image.view(), None);
        let period = found.first().map(|lattice| length(lattice.vectors[0]));
        assert!(period.is_some_and(|period| (period - 7.3).abs() < 0.1), "{period:?}");
    }

    #[test]
    fn periods_along_lines() {
        let vectors = [[0.0, 10.0], [20.0, 0.0]];
        let lattice = Lattice { vectors, share: 1.0, strength: 1.0, reflections: 2.0 };
        let along = |degrees: f64| lattice.period_along(degrees.to_radians(), 0.08);
        assert_eq!(along(0.0), Some(10.0));
        assert_eq!(along(91.0), Some(20.0));
        assert!((along(63.4).unwrap() - 500_f64.sqrt()).abs() < 1e-9);
        assert_eq!(along(20.0), None);
    }
}
