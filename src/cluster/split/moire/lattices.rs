//! The lattices of a part of an image, by its reflections.

use std::f64::consts::TAU;

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use stemseg_numerics::fourier::{Complex64, forward, forward_real};

use super::Wave;

/// Power of a reflection, in terms of the median of waves of its length.
const BEYOND: f64 = 50.0;
/// Width of the rings that medians are taken of, cycles per px, and every how many waves of them.
const RING: f64 = 0.01;
const SPARSE: usize = 5;
/// Distance of two reflections, in waves that the part can tell apart: side lobes are nearer.
const APART: f64 = 4.0;
/// Most reflections of a part; those that may span a lattice; most lattices, and fewest reflections of one.
const MOST_PEAKS: usize = 64;
const SPANNING: usize = 24;
const LATTICES: usize = 8;
const FEWEST: usize = 3;
/// Largest unit cell, px^2, and how far reflections are from where a lattice has them, in waves that the
/// part can tell apart.
const LARGEST: f64 = 3600.0;
const OFF: f64 = 1.0;
/// The reflections of a part of an image, cycles per px, the strongest first; opposite ones once.
pub(super) fn peaks(part: ArrayView2<'_, f32>) -> Vec<Wave> {
    let power = power(part);
    let (rows, half) = power.dim();
    let cols = part.ncols();
    let down = |r: usize| if 2 * r > rows { r as f64 - rows as f64 } else { r as f64 };
    let length =
        |(r, c): (usize, usize)| square([down(r) / rows as f64, c as f64 / cols as f64]).sqrt();
    let mut rings: Vec<Vec<f64>> = vec![Vec::new(); (0.75 / RING) as usize];
    // Of medians, a part of the waves says enough.
    for r in 0..rows {
        for c in (r % SPARSE..half).step_by(SPARSE) {
            rings[(length((r, c)) / RING) as usize].push(power[(r, c)]);
        }
    }
    let median = |ring: &mut Vec<f64>| {
        let middle = ring.len() / 2;
        ring.get(middle)?;
        Some(*ring.select_nth_unstable_by(middle, f64::total_cmp).1)
    };
    let medians: Vec<f64> = rings.iter_mut().map(|ring| median(ring).unwrap_or(0.0)).collect();
    let at = |r: usize, dr: usize, c: usize, dc: usize| {
        power[((r + rows + dr - 1) % rows, (c + dc).saturating_sub(1).min(half - 1))]
    };
    let least = BEYOND * medians.iter().copied().filter(|&m| m > 0.0).fold(f64::INFINITY, f64::min);
    let mut found: Vec<(f64, [f64; 2])> = Vec::new();
    for ((r, c), &own) in power.indexed_iter().filter(|(_, own)| **own > least) {
        let long = length((r, c));
        if c == 0 && down(r) <= 0.0 || c + 1 >= half || long * rows.min(cols) as f64 <= APART {
            continue;
        }
        let highest = || (0..9).all(|i| i == 4 || at(r, i / 3, c, i % 3) <= own);
        if own > BEYOND * medians[(long / RING) as usize] && highest() {
            let top = |before: f64, after: f64| {
                let [a, b, d] = [before, own, after].map(|x| x.max(f64::MIN_POSITIVE).ln());
                0.5 * (a - d) / (a - 2.0 * b + d).min(-1e-9)
            };
            let by = [top(at(r, 0, c, 1), at(r, 2, c, 1)), top(at(r, 1, c, 0), at(r, 1, c, 2))];
            found
                .push((own, [down(r) + by[0].clamp(-1.0, 1.0), c as f64 + by[1].clamp(-1.0, 1.0)]));
        }
    }
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut kept: Vec<(f64, [f64; 2])> = Vec::new();
    for (power, place) in found {
        let near =
            |(_, other): &(f64, [f64; 2])| (other[0] - place[0]).hypot(other[1] - place[1]) < APART;
        if !kept.iter().any(near) {
            kept.push((power, place));
        }
    }
    kept.truncate(MOST_PEAKS);
    kept.into_iter().map(|(_, [r, c])| [r / rows as f64, c / cols as f64]).collect()
}

/// Power of the waves of `part` under a Hann window, `[rows, cols / 2 + 1]`.
fn power(part: ArrayView2<'_, f32>) -> Array2<f64> {
    let (rows, cols) = part.dim();
    let hann = |at: usize, n: usize| 0.5 - 0.5 * (TAU * (at as f64 + 0.5) / n as f64).cos();
    let taper: Vec<f64> = (0..cols).map(|c| hann(c, cols)).collect();
    let along = forward_real(cols);
    let mut waves = Array2::<Complex64>::zeros((rows, cols / 2 + 1));
    let lines = part.axis_iter(Axis(0)).into_par_iter().zip(waves.axis_iter_mut(Axis(0)));
    lines.enumerate().for_each(|(r, (line, mut to))| {
        let own = hann(r, rows);
        let mut values: Vec<f64> =
            line.iter().zip(&taper).map(|(&v, taper)| f64::from(v) * own * taper).collect();
        let to = to.as_slice_mut().expect("rows of a new array");
        along.process(&mut values, to).expect("buffers of the plan's length");
    });
    let down = forward(rows);
    let mut power = Array2::zeros(waves.dim());
    let lines = waves.axis_iter(Axis(1)).into_par_iter().zip(power.axis_iter_mut(Axis(1)));
    lines.for_each(|(line, mut to)| {
        let mut values = line.to_vec();
        down.process(&mut values);
        to.iter_mut().zip(values).for_each(|(to, value)| *to = value.norm_sqr());
    });
    power
}

/// Pairs of waves that span the reciprocal lattices of these reflections, strongest first, of a part of
/// that `side`: each time those that most of the rest belong to.
pub(super) fn lattices(mut peaks: Vec<Wave>, side: usize) -> Vec<[Wave; 2]> {
    let off = OFF / side as f64;
    let mut found = Vec::new();
    while found.len() < LATTICES && peaks.len() >= FEWEST {
        let own = |basis: &[Wave; 2]| {
            peaks.iter().filter(|peak| order(basis, peak, off).is_some()).count()
        };
        let mut best: Option<(f64, [Wave; 2])> = None;
        let spanning = &peaks[..peaks.len().min(SPANNING)];
        let pairs: Vec<[Wave; 2]> = spanning
            .iter()
            .enumerate()
            .flat_map(|(i, &a)| spanning[i + 1..].iter().map(move |&b| [a, b]))
            .collect();
        let scored = |pair: &[Wave; 2]| {
            let basis = reduced(*pair);
            let area = cross(basis[0], basis[1]).abs();
            // Any lattice has some by chance, a fine one more.
            let chance = peaks.len() as f64 * std::f64::consts::PI * off * off / area;
            let large = area >= 1.0 / LARGEST;
            large.then(|| (own(&basis) as f64 - 3.0 * chance, basis))
        };
        let scored: Vec<_> = pairs.par_iter().map(scored).collect();
        for (score, basis) in scored.into_iter().flatten() {
            if best.is_none_or(|(most, _)| score > most + 1e-9) {
                best = Some((score, basis));
            }
        }
        let Some((_, basis)) = best.filter(|(_, basis)| own(basis) >= FEWEST) else { break };
        found.push(fitted(&basis, &peaks, off));
        peaks.retain(|peak| order(&basis, peak, off).is_none());
    }
    found
}

/// Whole numbers of the two waves of `basis` that are this `peak`, but for `off`.
fn order([a, b]: &[Wave; 2], peak: &Wave, off: f64) -> Option<[f64; 2]> {
    let area = cross(*a, *b);
    let order = [cross(*peak, *b) / area, cross(*a, *peak) / area].map(f64::round);
    let away = [0, 1].map(|i| order[0] * a[i] + order[1] * b[i] - peak[i]);
    (square(away) <= off * off).then_some(order)
}

/// The basis by least squares of all `peaks` that are its own.
fn fitted(basis: &[Wave; 2], peaks: &[Wave], off: f64) -> [Wave; 2] {
    let (mut gram, mut right) = ([0.0; 3], [[0.0; 2]; 2]);
    for peak in peaks {
        let Some([h, k]) = order(basis, peak, off) else { continue };
        gram = [gram[0] + h * h, gram[1] + h * k, gram[2] + k * k];
        for i in 0..2 {
            right[0][i] += h * peak[i];
            right[1][i] += k * peak[i];
        }
    }
    let whole = gram[0] * gram[2] - gram[1] * gram[1];
    if whole < 0.5 {
        return *basis;
    }
    let [hh, hk, kk] = gram;
    [
        [0, 1].map(|i| (kk * right[0][i] - hk * right[1][i]) / whole),
        [0, 1].map(|i| (hh * right[1][i] - hk * right[0][i]) / whole),
    ]
}

fn square(wave: Wave) -> f64 {
    wave[0] * wave[0] + wave[1] * wave[1]
}

fn cross(a: Wave, b: Wave) -> f64 {
    a[0] * b[1] - a[1] * b[0]
}

/// The shortest waves that span the same lattice (Lagrange and Gauss).
fn reduced([mut a, mut b]: [Wave; 2]) -> [Wave; 2] {
    for _ in 0..32 {
        if square(a) > square(b) {
            (a, b) = (b, a);
        }
        let times = ((a[0] * b[0] + a[1] * b[1]) / (a[0] * a[0] + a[1] * a[1])).round();
        if times == 0.0 {
            break;
        }
        b = [0, 1].map(|i| b[i] - times * a[i]);
    }
    [a, b]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random, 0 to 1.
    fn random(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (*state >> 40) as f64 / (1 << 24) as f64
    }

    /// A crystal of `side` px square whose reciprocal vectors are these, cycles per px.
    fn crystal(side: usize, [a, b]: [Wave; 2]) -> Array2<f32> {
        let mut state = 11;
        Array2::from_shape_fn((side, side), |(r, c)| {
            let phase = |wave: Wave| TAU * (wave[0] * r as f64 + wave[1] * c as f64);
            let (u, v, noise) = (phase(a), phase(b), random(&mut state));
            (u.cos() + v.cos() + 0.5 * (u + v).cos() + 0.3 * (2.0 * u).cos() + noise) as f32
        })
    }

    #[test]
    fn lattices_are_those_of_the_image() {
        for basis in [[[0.071, 0.003], [-0.004, 0.0702]], [[0.05, 0.05], [-0.061, 0.032]]] {
            let found = lattices(peaks(crystal(512, basis).view()), 512);
            // The same lattice by other vectors has whole numbers of these.
            let same = |[a, b]: &[Wave; 2]| {
                [a, b].iter().all(|wave| order(&basis, wave, 2e-4).is_some())
                    && (cross(*a, *b) / cross(basis[0], basis[1])).abs().round() == 1.0
            };
            assert!(found.first().is_some_and(same), "{found:?}");
        }
        let mut state = 5;
        let noise = Array2::from_shape_simple_fn((512, 512), || random(&mut state) as f32);
        assert_eq!(lattices(peaks(noise.view()), 512), Vec::<[Wave; 2]>::new());
    }
}
