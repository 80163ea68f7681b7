//! How two lattices are related: turned, coincident, with vectors in common.
//!
//! Coincidence in the plane: turning a square lattice by twice the angle of `m + n i`, and a
//! hexagonal one by twice that of `m + n w` with the sixth root of one `w`, leaves one point in
//! `Sigma = m m + n n`, or `m m + m n + n n`, where it was (Ranganathan, On the geometry of
//! coincidence-site lattices, Acta Crystallographica 21, 1966; Baake, Solution of the coincidence
//! problem in dimensions d <= 4, 1997). How far a boundary may be from that: Brandon, The structure
//! of high-angle grain boundaries, Acta Metallurgica 14, 1966.

use serde::Serialize;

use crate::cell::{Cell, DISTORTION, LatticeType};
use crate::plane::{Vector, combined, coordinates, length, minus};

/// Angle within which a boundary with `Sigma = 1` counts as one, degrees (Brandon).
const BRANDON_DEG: f64 = 15.0;
/// Largest Sigma that is looked for.
const MOST_SIGMA: i64 = 49;
/// Lengths of equal lattices differ by less, relative.
const EQUAL: f64 = 2.0 * DISTORTION;
/// Vectors within this share of their length are in common.
const SHARED: f64 = 0.03;
/// Largest multiples of the cell's vectors that are looked at, and how many shared ones are listed.
const REACH: i32 = 4;
const LISTED: usize = 3;

/// How two lattices are related.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Relation {
    /// The smallest turn that brings the vector `a` of one lattice along that of the other, among
    /// those that are the same by the symmetry of either, degrees.
    pub misorientation_deg: f64,
    /// Its standard error.
    pub misorientation_deg_error: f64,
    /// Number of lattice points to one in common, for equal square or hexagonal lattices within
    /// Brandon's limit.
    pub sigma: Option<u32>,
    /// How far the turn is from that of the coincidence, degrees.
    pub sigma_departure_deg: Option<f64>,
    /// The vectors of the second cell by those of the first: `a2 = m[0][0] a1 + m[0][1] b1`.
    pub orientation_relationship: [[f64; 2]; 2],
    /// Short vectors that both lattices have, nearly, the shortest first.
    pub shared_vectors: Vec<Shared>,
}

/// A vector that two lattices have, nearly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Shared {
    /// Its multiples of `a` and `b` in the first and in the second lattice.
    pub multiples: [[i32; 2]; 2],
    /// Its length in the first, px.
    pub length_px: f64,
    /// How far the second's is away, relative to its length.
    pub mismatch: f64,
}

impl Relation {
    /// Of two cells of one image.
    pub fn new(one: &Cell, other: &Cell) -> Self {
        let turns = [one, other].map(|cell| cell.lattice_type.turn_deg());
        // The greatest common part of both turns.
        let turn = gcd(turns[0] as u64, turns[1] as u64) as f64;
        let away = (other.orientation_deg.value - one.orientation_deg.value).rem_euclid(turn);
        let misorientation_deg = away.min(turn - away);
        let error = one.orientation_deg.error.hypot(other.orientation_deg.error);
        let coincidence = coincidence(one, other, misorientation_deg, turn);
        let physical = one.physical();
        Self {
            misorientation_deg,
            misorientation_deg_error: error,
            sigma: coincidence.map(|(sigma, _)| sigma),
            sigma_departure_deg: coincidence.map(|(_, away)| away),
            orientation_relationship: other.physical().map(|v| coordinates(physical, v)),
            shared_vectors: shared(one, other),
        }
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The coincidence that is nearest in terms of its limit, and how far it is, degrees.
fn coincidence(one: &Cell, other: &Cell, turned: f64, turn: f64) -> Option<(u32, f64)> {
    let kind = one.lattice_type;
    let symmetric = matches!(kind, LatticeType::Square | LatticeType::Hexagonal);
    if kind != other.lattice_type || !symmetric {
        return None;
    }
    let [a, b] = [one, other].map(|cell| length(cell.physical()[0]));
    if (b / a - 1.0).abs() > EQUAL {
        return None;
    }
    let limit = |sigma: u32| BRANDON_DEG / f64::from(sigma).sqrt();
    let near = coincidences(kind).into_iter().map(|(sigma, angle)| {
        let angle = angle.rem_euclid(turn);
        (sigma, (turned - angle.min(turn - angle)).abs())
    });
    let within = near.filter(|&(sigma, away)| away <= limit(sigma));
    within.min_by(|a, b| (a.1 / limit(a.0)).total_cmp(&(b.1 / limit(b.0))))
}

/// Sigma and turn, degrees, of all coincidences of a square or hexagonal lattice.
fn coincidences(kind: LatticeType) -> Vec<(u32, f64)> {
    let hexagonal = kind == LatticeType::Hexagonal;
    let mut all = vec![(1, 0.0)];
    for m in 1..=7_i64 {
        for n in 1..m {
            let norm = if hexagonal { m * m + m * n + n * n } else { m * m + n * n };
            // The others are these times a symmetry.
            let own = if hexagonal { norm % 3 != 0 } else { norm % 2 != 0 };
            if own && norm <= MOST_SIGMA && gcd(m as u64, n as u64) == 1 {
                let (x, y) = (m as f64, n as f64);
                let place = if hexagonal { (x + y / 2.0, y * 0.75_f64.sqrt()) } else { (x, y) };
                all.push((norm as u32, 2.0 * place.1.atan2(place.0).to_degrees()));
            }
        }
    }
    all
}

/// Short vectors that both have, each with its opposite once.
fn shared(one: &Cell, other: &Cell) -> Vec<Shared> {
    let (first, second) = (one.physical(), other.physical());
    let mut all = Vec::new();
    for i in -REACH..=REACH {
        for j in -REACH..=REACH {
            if (i, j) <= (0, 0) {
                continue;
            }
            let v: Vector = combined(first, [i, j].map(f64::from));
            let whole = coordinates(second, v).map(f64::round);
            let away = length(minus(v, combined(second, whole))) / length(v);
            if away <= SHARED && whole.iter().all(|x| x.abs() <= f64::from(REACH)) {
                let pixels = [0, 1].map(|axis| v[axis] / one.pixel[axis]);
                all.push(Shared {
                    multiples: [[i, j], whole.map(|x| x as i32)],
                    length_px: length(pixels),
                    mismatch: away,
                });
            }
        }
    }
    all.sort_by(|a, b| a.length_px.total_cmp(&b.length_px));
    // Not the multiples of one.
    let mut kept: Vec<Shared> = Vec::new();
    for shared in all {
        let [i, j] = shared.multiples[0];
        let multiple = kept.iter().any(|k| k.multiples[0][0] * j == k.multiples[0][1] * i);
        if !multiple && kept.len() < LISTED {
            kept.push(shared);
        }
    }
    kept
}

/// Indices `h k` of the lattice planes of `cell` that lie along a boundary with this normal, as rows
/// and columns in the units of [`Cell::physical`]: the larger is 1 or -1, and the first not negative.
pub(crate) fn miller(cell: &Cell, normal: Vector) -> [f64; 2] {
    // The product of the normal with the direct vectors.
    let [a, b] = cell.physical();
    let indices = [a, b].map(|v| v[0] * normal[0] + v[1] * normal[1]);
    let largest = indices[0].abs().max(indices[1].abs());
    let sign = if indices[0] < 0.0 { -1.0 } else { 1.0 };
    indices.map(|x| sign * x / largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coincidences_are_those_of_the_tables() {
        // Turns about [001] and [111] of cubic crystals, whose planes these lattices are.
        let of = |kind: LatticeType, sigma: u32| {
            let turn = kind.turn_deg();
            let found = coincidences(kind).into_iter().filter(|c| c.0 == sigma);
            let mut angles: Vec<f64> =
                found.map(|(_, angle)| angle.rem_euclid(turn)).map(|a| a.min(turn - a)).collect();
            angles.sort_by(f64::total_cmp);
            angles.iter().map(|a| (a * 100.0).round() / 100.0).collect::<Vec<_>>()
        };
        assert_eq!(of(LatticeType::Square, 5), [36.87]);
        assert_eq!(of(LatticeType::Square, 13), [22.62]);
        assert_eq!(of(LatticeType::Square, 17), [28.07]);
        assert_eq!(of(LatticeType::Square, 25), [16.26]);
        assert_eq!(of(LatticeType::Hexagonal, 7), [21.79]);
        assert_eq!(of(LatticeType::Hexagonal, 13), [27.8]);
        assert_eq!(of(LatticeType::Hexagonal, 19), [13.17]);
    }
}
