//! The plane group of a crystal, by how well its reflections agree with each of the 17.
//!
//! The reflections `F(h)` of a region, in units of their errors, are those of a picture `f(u)` of one
//! cell. What an operation `u -> W u + w` of the plane makes of it has the overlap
//!
//! `C(W, w) = sum conj(F(W' h)) F(h) exp(2 pi i h w)`
//!
//! with the picture itself. The picture that is nearest to it and has the symmetry of a group of `n`
//! operations with its origin at `o` has the power `P = sum C(W, t + (1 - W) o) / n`, whence the misfit of
//! the group is `J = sum |F|^2 - P` where `o` makes `P` largest: a chi-square. A group of more symmetry
//! fits worse, with fewer free numbers `d = trace of the projection + those of the origin`. Akaike's
//! criterion `J + 2 d`, here known as the geometric one, weighs both (K. Kanatani, Geometric information
//! criterion for model selection, International Journal of Computer Vision 26, 171-189, 1998;
//! P. Moeck, Towards generalized noise-level dependent crystallographic symmetry classifications of
//! more or less periodic crystal patterns, Symmetry 10, 133, 2018), and `exp(-difference / 2)` are the
//! weights of all groups.
//!
//! Errors are what there is between reflections, above and below each of them, and a share of its
//! amplitude: a tilted crystal, an astigmatic probe and displaced scan rows make equal reflections differ.

mod groups;
mod reflections;

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use stemseg_numerics::fourier::Complex64;

use crate::cell::Cell;
use groups::{GROUPS, Operation};
pub(crate) use reflections::Reflections;

/// A rotation or reflection of places in terms of `a` and `b`.
type Turn = [[i32; 2]; 2];

/// The order of a wave, and its amplitude.
type Wave = ([i32; 2], Complex64);

/// Fewest reflections, opposite ones counted once, that tell groups apart.
const FEWEST: usize = 4;
/// Places along `a` and `b` that origins are looked for at.
const PLACES: usize = 32;
/// Steps of Newton's to the best origin.
const STEPS: usize = 4;
/// Weight below which a group is not named, and from which on there is no doubt of it; and misfit up
/// to which it holds.
const NAMED: f64 = 0.01;
const SURE: f64 = 0.95;
const HOLDS: f64 = 2.0;

/// Plane groups of a crystal, the likeliest first.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PlaneGroups {
    /// Those with a weight of a hundredth and more: their symbols, and how likely each is next to the
    /// others, 0 to 1 in all.
    pub groups: Vec<(&'static str, f64)>,
    /// Misfit of the first for its degrees of freedom: about 1, or less, where it holds within errors.
    pub misfit: f64,
    /// Number of reflections that stand out of the noise, opposite ones counted once.
    pub reflections: usize,
}

impl PlaneGroups {
    /// The first, where it is the only one that fits. It is never `p1`: that is what is left where none
    /// fits, as of two crystals in one.
    pub fn sure(&self) -> Option<&'static str> {
        let (symbol, weight) = *self.groups.first()?;
        let fits = weight >= SURE && self.misfit <= HOLDS && symbol != GROUPS[0].symbol;
        fits.then_some(symbol)
    }

    /// By the `reflections` of the lattice of `cell`; nothing where they are too few.
    pub(crate) fn new(cell: &Cell, reflections: &Reflections) -> Option<Self> {
        let overlaps = Overlaps::new(cell, reflections);
        let reflections = overlaps.reflections;
        if reflections < FEWEST {
            return None;
        }
        let fits = GROUPS.iter().filter_map(|group| {
            let fits = group.settings(cell).into_iter().map(|operations| overlaps.fit(&operations));
            let best = fits.min_by(|one, other| one.criterion().total_cmp(&other.criterion()))?;
            Some((group.symbol, best))
        });
        let fits: Vec<(&str, Fit)> = fits.collect();
        let least = fits.iter().map(|(_, fit)| fit.criterion()).fold(f64::INFINITY, f64::min);
        let likelihood = |fit: &Fit| (0.5 * (least - fit.criterion())).exp();
        let sum: f64 = fits.iter().map(|(_, fit)| likelihood(fit)).sum();
        let mut order: Vec<usize> = (0..fits.len()).collect();
        order.sort_by(|&i, &j| fits[i].1.criterion().total_cmp(&fits[j].1.criterion()));
        let named = |&i: &usize| (fits[i].0, likelihood(&fits[i].1) / sum);
        let groups = order.iter().map(named).take_while(|(_, weight)| *weight >= NAMED).collect();
        let first = fits[order[0]].1;
        let free = 2.0 * reflections as f64 - first.parameters;
        let misfit = if free > 0.5 { first.misfit / free } else { 0.0 };
        Some(Self { groups, misfit, reflections })
    }
}

/// How well a group fits.
#[derive(Debug, Clone, Copy)]
struct Fit {
    misfit: f64,
    parameters: f64,
}

impl Fit {
    fn criterion(self) -> f64 {
        self.misfit + 2.0 * self.parameters
    }
}

/// How a picture overlaps with what turns and reflections make of it.
struct Overlaps {
    /// For each turn: its waves `h`, opposite ones once, and `2 conj(F(W' h)) F(h)`.
    turns: BTreeMap<Turn, Vec<Wave>>,
    /// The overlap at each place `w` of a grid `[PLACES, PLACES]`.
    maps: BTreeMap<Turn, Vec<f64>>,
    /// Squares of all amplitudes, opposite ones too.
    total: f64,
    /// Number of reflections, opposite ones counted once.
    reflections: usize,
}

impl Overlaps {
    fn new(cell: &Cell, reflections: &Reflections) -> Self {
        let all = GROUPS.iter().flat_map(|group| group.settings(cell)).flatten();
        let turns: std::collections::BTreeSet<_> = all.map(|operation| operation.turn).collect();
        let own = reflections.closed(turns.iter().copied());
        let of = |turn: Turn| {
            let product = |&(order, amplitude): &Wave| {
                let turned = own.at(transposed(turn, order)).unwrap_or_default();
                (order, 2.0 * turned.conj() * amplitude)
            };
            own.half().iter().map(product).collect::<Vec<_>>()
        };
        let turns: BTreeMap<_, _> = turns.into_iter().map(|turn| (turn, of(turn))).collect();
        let maps = turns.iter().map(|(turn, terms)| (*turn, map(terms))).collect();
        let half = own.half();
        let total = 2.0 * half.iter().map(|(_, amplitude)| amplitude.norm_sqr()).sum::<f64>();
        Self { turns, maps, total, reflections: half.len() }
    }

    /// Of the group of these `operations`.
    fn fit(&self, operations: &[Operation]) -> Fit {
        let share = 1.0 / operations.len() as f64;
        // Waves that an operation leaves where they are, by its phase.
        let trace = operations.iter().map(|operation| {
            let fixed = self.turns[&operation.turn].iter().map(|(order, _)| *order);
            let fixed = fixed.filter(|&order| transposed(operation.turn, order) == order);
            let phase = |[h, k]: [i32; 2]| h * operation.halves[0] + k * operation.halves[1];
            fixed.map(|order| if phase(order) % 2 == 0 { 2.0 } else { -2.0 }).sum::<f64>()
        });
        let trace = share * trace.sum::<f64>();
        // The origin is free across mirrors, and in both directions for turns.
        let free = operations.iter().map(|operation| operation.turn);
        let free = match (free.clone().count(), free.clone().any(|turn| turn == [[-1, 0], [0, -1]]))
        {
            (1, _) => 0.0,
            (2, false) => 1.0,
            _ => 2.0,
        };
        let power = self.best(operations);
        Fit { misfit: (self.total - power).max(0.0), parameters: trace + free }
    }

    /// The largest power over all origins.
    fn best(&self, operations: &[Operation]) -> f64 {
        let share = 1.0 / operations.len() as f64;
        let mut first = ([0.0; 2], f64::NEG_INFINITY);
        for i in 0..PLACES as i32 {
            for j in 0..PLACES as i32 {
                let at = |operation: &Operation| {
                    let [p, q] = moved(operation.turn, [i, j]);
                    let by = operation.halves.map(|half| half * (PLACES as i32 / 2));
                    let place =
                        [p + by[0], q + by[1]].map(|x| x.rem_euclid(PLACES as i32) as usize);
                    self.maps[&operation.turn][place[0] * PLACES + place[1]]
                };
                let power = share * operations.iter().map(at).sum::<f64>();
                if power > first.1 {
                    first = ([i, j].map(|x| f64::from(x) / PLACES as f64), power);
                }
            }
        }
        let (mut origin, mut best) = first;
        for _ in 0..STEPS {
            let [_, [gr, gc], [rr, rc], [_, cc]] = {
                let (value, gradient, bend) = self.about(operations, origin);
                best = best.max(share * value);
                [[value, 0.0], gradient, bend[0], bend[1]]
            };
            // Uphill also where it does not matter along one direction.
            let ridge = 1e-9 + 1e-3 * (rr.abs() + cc.abs());
            let (a, b, d) = (ridge - rr, -rc, ridge - cc);
            let whole = a * d - b * b;
            if whole <= 0.0 {
                break;
            }
            let step = [(d * gr - b * gc) / whole, (a * gc - b * gr) / whole];
            let far = step[0].hypot(step[1]) * PLACES as f64;
            origin = [0, 1].map(|i| origin[i] + step[i] / far.max(1.0));
        }
        best.max(share * self.about(operations, origin).0)
    }

    /// The sum of the overlaps for an `origin`, its gradient and its second derivatives.
    fn about(&self, operations: &[Operation], origin: [f64; 2]) -> (f64, [f64; 2], [[f64; 2]; 2]) {
        let (mut value, mut gradient, mut bend) = (0.0, [0.0; 2], [[0.0; 2]; 2]);
        for operation in operations {
            for &(order, product) in &self.turns[&operation.turn] {
                // h (1 - W) o is what the origin adds to the phase.
                let turned = transposed(operation.turn, order);
                let slope = [0, 1].map(|i| TAU * f64::from(order[i] - turned[i]));
                let halves = order[0] * operation.halves[0] + order[1] * operation.halves[1];
                let phase =
                    0.5 * TAU * f64::from(halves) + slope[0] * origin[0] + slope[1] * origin[1];
                let wave = product * Complex64::cis(phase);
                value += wave.re;
                for i in 0..2 {
                    gradient[i] -= slope[i] * wave.im;
                    for j in 0..2 {
                        bend[i][j] -= slope[i] * slope[j] * wave.re;
                    }
                }
            }
        }
        (value, gradient, bend)
    }
}

/// The overlap of these terms at all places of the grid.
fn map(terms: &[Wave]) -> Vec<f64> {
    let wave = |x: usize| Complex64::cis(TAU * x as f64 / PLACES as f64);
    let waves: Vec<Complex64> = (0..PLACES).map(wave).collect();
    let turn =
        |order: i32, at: usize| waves[(order * at as i32).rem_euclid(PLACES as i32) as usize];
    let mut map = vec![0.0; PLACES * PLACES];
    for (row, line) in map.chunks_exact_mut(PLACES).enumerate() {
        let own: Vec<_> = terms.iter().map(|([h, k], f)| (*k, f * turn(*h, row))).collect();
        for (col, to) in line.iter_mut().enumerate() {
            *to = own.iter().map(|&(k, f)| (f * turn(k, col)).re).sum();
        }
    }
    map
}

/// `(1 - W) o`.
fn moved(turn: Turn, [i, j]: [i32; 2]) -> [i32; 2] {
    [i - turn[0][0] * i - turn[0][1] * j, j - turn[1][0] * i - turn[1][1] * j]
}

/// `W' h`.
fn transposed(turn: Turn, [h, k]: [i32; 2]) -> [i32; 2] {
    [turn[0][0] * h + turn[1][0] * k, turn[0][1] * h + turn[1][1] * k]
}
