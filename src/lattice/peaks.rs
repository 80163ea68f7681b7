//! From the peaks of an autocorrelation to a lattice.

use ndarray::Array2;

use super::autocorrelation::{Autocorrelation, Map};
use super::fringes::{Repeats, repeats};
use super::reflections::reflections;
use super::{Vector, Vote, combined, length};

/// A period scores at least this share of the highest peak.
const PERIOD: f64 = 0.85;
/// Lowest mean peak of a lattice; noise has peaks too, but not where they belong.
const LEAST_STRENGTH: f64 = 0.1;
/// Reflections up to which a lattice may be fringes, whose ridges have peaks by chance.
const FEW: f64 = 1.45;
/// Reflections up to which peaks are by chance where the strongest wave is longer than a window.
const ONE: f64 = 1.35;
/// Sine of the least angle between two vectors of a lattice.
const LEAST_SINE: f64 = 0.25;

/// A local maximum.
#[derive(Debug, Clone, Copy)]
struct Peak {
    /// Lag, px.
    at: Vector,
    height: f64,
}

/// What a window may show, in steps of lag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// By the peaks of its autocorrelation.
    pub(super) lattice: Option<Vote>,
    /// By its power spectrum, where that is in doubt.
    pub(super) fringes: Option<Vote>,
}

/// What the window of this autocorrelation shows, of an image smoothed with this standard deviation.
pub(super) fn seen(map: &Map, transform: &Autocorrelation, smoothing: f64) -> Seen {
    let lattice = lattice(map, transform, smoothing);
    let doubtful = |at_most: f64| lattice.is_none_or(|vote| vote.reflections <= at_most);
    if !doubtful(FEW) {
        return Seen { lattice, fringes: None };
    }
    match repeats(map, transform) {
        Repeats::Once(vote) => {
            Seen { lattice, fringes: Some(vote).filter(|vote| vote.strength >= LEAST_STRENGTH) }
        }
        Repeats::Otherwise => Seen { lattice, fringes: None },
        Repeats::Slowly => Seen { lattice: lattice.filter(|_| !doubtful(ONE)), fringes: None },
    }
}

/// The lattice of a window whose autocorrelation has peaks in two directions.
fn lattice(map: &Map, transform: &Autocorrelation, smoothing: f64) -> Option<Vote> {
    let reach = transform.reach as isize;
    let value = |r: isize, c: isize| map.values[((r + reach) as usize, (c + reach) as usize)];
    let half_width = half_width(&map.values, reach);
    let peaks = peaks(&value, reach, half_width.ceil().max(3.0));
    let highest = peaks.iter().map(|p| p.height).fold(0.0, f64::max);
    if highest < LEAST_STRENGTH {
        return None;
    }
    let mut periods: Vec<Peak> =
        peaks.iter().copied().filter(|p| p.height >= PERIOD * highest).collect();
    periods.sort_by(|a, b| length(a.at).total_cmp(&length(b.at)));
    let first = periods.first()?.at;
    let sine = |v: Vector| (first[0] * v[1] - first[1] * v[0]).abs() / (length(first) * length(v));
    // One direction may be weaker than the other (a scan's jitter blurs one of them).
    let second = periods.iter().map(|p| p.at).find(|&v| sine(v) > LEAST_SINE).or_else(|| {
        let beside = peaks.iter().filter(|p| sine(p.at) > LEAST_SINE);
        let best = beside.clone().map(|p| p.height).fold(0.0, f64::max);
        let good = beside.filter(|p| p.height >= PERIOD * best && best > 0.5 * highest);
        good.map(|p| p.at).min_by(|a, b| length(*a).total_cmp(&length(*b)))
    })?;
    let vectors = fitted(super::reduced([first, second]), &peaks);
    let strength = strength(vectors, &peaks)?;
    if strength < LEAST_STRENGTH.max(0.4 * highest) {
        return None;
    }
    let vectors = super::reduced(vectors);
    Some(Vote { vectors, strength, reflections: reflections(map, vectors, smoothing)? })
}

/// Radius where the mean falls to half of that at 1 px: inside, a column correlates with
/// itself. 3 where it does not fall.
fn half_width(values: &Array2<f64>, reach: isize) -> f64 {
    let mut rings = vec![(0.0, 0.0); reach as usize + 1];
    for ((r, c), &v) in values.indexed_iter() {
        let (r, c) = (r as f64 - reach as f64, c as f64 - reach as f64);
        let radius = (r * r + c * c).sqrt() + 0.5;
        if let Some(ring) = rings.get_mut(radius as usize) {
            *ring = (ring.0 + v, ring.1 + 1.0);
        }
    }
    let mean = |k: usize| rings[k].0 / rings[k].1;
    let half = mean(1) / 2.0;
    let below = (2..rings.len()).find(|&k| mean(k) < half);
    below.map_or(3.0, |k| k as f64 - (half - mean(k)) / (mean(k - 1) - mean(k)))
}

/// Local maxima of 5 x 5 lags in one half plane, between the pixels.
fn peaks(value: &dyn Fn(isize, isize) -> f64, reach: isize, core: f64) -> Vec<Peak> {
    let mut found = Vec::new();
    for r in 0..=reach - 2 {
        for c in 2 - reach..=reach - 2 {
            if r == 0 && c <= 0 {
                continue;
            }
            let height = value(r, c);
            if height <= 0.0 || value(r, c + 1) > height || value(r + 1, c) > height {
                continue;
            }
            let radius = (r as f64).hypot(c as f64);
            let near = (-2..=2).flat_map(|i| (-2..=2).map(move |j| (i, j)));
            let top = near.filter(|&d| d != (0, 0)).all(|(i, j)| value(r + i, c + j) <= height);
            if radius > core && radius < reach as f64 && top {
                let between = |before: f64, after: f64| {
                    let bend = before + after - 2.0 * height;
                    if bend < 0.0 {
                        ((before - after) / (2.0 * bend)).clamp(-0.5, 0.5)
                    } else {
                        0.0
                    }
                };
                let row = r as f64 + between(value(r - 1, c), value(r + 1, c));
                let col = c as f64 + between(value(r, c - 1), value(r, c + 1));
                found.push(Peak { at: [row, col], height });
            }
        }
    }
    found
}

/// The peak within `away` px of the lag `v` or its opposite, turned to `v`'s side.
fn near(peaks: &[Peak], v: Vector, away: f64) -> Option<Peak> {
    let turned = peaks.iter().flat_map(|p| [*p, Peak { at: p.at.map(|x| -x), ..*p }]);
    let distance = |p: &Peak| (p.at[0] - v[0]).powi(2) + (p.at[1] - v[1]).powi(2);
    turned.filter(|p| distance(p) <= away * away).min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// Least squares over the peaks at small combinations of the vectors.
fn fitted(vectors: [Vector; 2], peaks: &[Peak]) -> [Vector; 2] {
    let away = (0.2 * length(vectors[0])).max(1.0);
    let [mut ii, mut ij, mut jj] = [0.0; 3];
    let mut right = [[0.0; 2]; 2];
    for i in 0..=2 {
        for j in -2..=2 {
            let times = [f64::from(i), f64::from(j)];
            let Some(peak) = near(peaks, combined(vectors, times), away) else { continue };
            ii += times[0] * times[0];
            ij += times[0] * times[1];
            jj += times[1] * times[1];
            for (right, times) in right.iter_mut().zip(times) {
                *right = [right[0] + times * peak.at[0], right[1] + times * peak.at[1]];
            }
        }
    }
    let determinant = ii * jj - ij * ij;
    if determinant < 1.0 {
        return vectors;
    }
    let solve = |axis: usize| {
        let (a, b) = (right[0][axis], right[1][axis]);
        [(jj * a - ij * b) / determinant, (ii * b - ij * a) / determinant]
    };
    let [rows, cols] = [solve(0), solve(1)];
    [[rows[0], cols[0]], [rows[1], cols[1]]]
}

/// Mean height of the peaks at the vectors, their sum and their difference; a
/// missing one counts 0. Nothing where both vectors have none.
fn strength(vectors: [Vector; 2], peaks: &[Peak]) -> Option<f64> {
    let away = (0.2 * length(vectors[0])).max(1.0);
    let height = |times: [f64; 2]| near(peaks, combined(vectors, times), away).map(|p| p.height);
    let (one, two) = (height([1.0, 0.0])?, height([0.0, 1.0])?);
    // The longer diagonal may lie beyond the map.
    let sum = height([1.0, 1.0]).or_else(|| height([1.0, -1.0])).unwrap_or(0.0);
    Some((one + two + sum) / 3.0)
}
