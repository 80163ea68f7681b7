//! Products of rings with themselves, turned or mirrored.

use crate::backend::cpu::vector::{LANES, Line, Vector, fma, lanes};
use crate::descriptor::polar::{Product, Score};

/// Which products are summed, and what scores are made of them.
pub(super) struct Correlations {
    /// Rings are rolled by this many samples.
    rolls: Vec<usize>,
    /// Sample `j` changes places with these minus `j`.
    turns: Vec<usize>,
    /// Scores as weighted sums.
    scores: Vec<Vec<(Sum, f32)>>,
}

/// One of the sums.
#[derive(Clone, Copy)]
enum Sum {
    Roll(usize),
    Turn(usize),
}

impl Correlations {
    /// For these `scores`.
    pub(super) fn new(scores: &[Score]) -> Self {
        // The ring with itself first: the norm.
        let (mut rolls, mut turns) = (vec![0], Vec::new());
        let mut term = |&(product, weight): &(Product, f64)| {
            let sum = match product {
                Product::Roll(roll) => Sum::Roll(place(&mut rolls, roll)),
                Product::Turn(turn) => Sum::Turn(place(&mut turns, turn)),
            };
            (sum, weight as f32)
        };
        let scores = scores.iter().map(|score| score.iter().map(&mut term).collect()).collect();
        Self { rolls, turns, scores }
    }

    /// Number of scores.
    pub(super) fn channels(&self) -> usize {
        self.scores.len()
    }

    /// Number of sums that they are made of.
    pub(super) fn sums(&self) -> usize {
        self.rolls.len() + self.turns.len()
    }

    /// Adds the products of one ring of samples.
    #[inline(always)]
    pub(super) fn add_ring<const FUSED: bool>(&self, ring: &[Line], sums: &mut [Line]) {
        let (rolls, turns) = sums.split_at_mut(self.rolls.len());
        for (&roll, sum) in self.rolls.iter().zip(rolls) {
            add_rolled::<FUSED>(ring, roll, sum);
        }
        for (&turn, sum) in self.turns.iter().zip(turns) {
            add_mirrored::<FUSED>(&ring[..=turn], sum);
            add_mirrored::<FUSED>(&ring[turn + 1..], sum);
        }
    }

    /// Writes the scores, one channel each `pitch` values: sums over the norm, 0
    /// where a square is not `alive`.
    #[inline(always)]
    pub(super) fn finish(&self, sums: &[Line], alive: &Vector, out: &mut [f32], pitch: usize) {
        let mut inverse = [0.0; LANES];
        for lane in 0..LANES {
            let norm = sums[0][lane];
            inverse[lane] = if norm > 0.0 { alive[lane] / norm } else { 0.0 };
        }
        for (score, out) in self.scores.iter().zip(out.chunks_mut(pitch)) {
            let mut total = [0.0; LANES];
            for &(sum, weight) in score {
                let sum = match sum {
                    Sum::Roll(i) => &sums[i],
                    Sum::Turn(i) => &sums[self.rolls.len() + i],
                };
                for lane in 0..LANES {
                    total[lane] += weight * sum[lane];
                }
            }
            for (lane, out) in out.iter_mut().take(LANES).enumerate() {
                *out = (total[lane] * inverse[lane]).clamp(-1.0, 1.0);
            }
        }
    }
}

/// Index of `value`, which is added where it is new.
fn place(list: &mut Vec<usize>, value: usize) -> usize {
    list.iter().position(|&v| v == value).unwrap_or_else(|| {
        list.push(value);
        list.len() - 1
    })
}

/// Adds the products of `ring` with itself, rolled.
#[inline(always)]
fn add_rolled<const FUSED: bool>(ring: &[Line], roll: usize, sum: &mut Line) {
    let total = match 2 * roll == ring.len() {
        // The other half has the same products.
        true => {
            let half = products::<FUSED>(&ring[..roll], &ring[roll..]);
            lanes(|i| 2.0 * half[i])
        }
        false => {
            let there = ring.len() - roll;
            let before = products::<FUSED>(&ring[..there], &ring[roll..]);
            let after = products::<FUSED>(&ring[there..], &ring[..roll]);
            lanes(|i| before[i] + after[i])
        }
    };
    *sum = Line(lanes(|i| sum[i] + total[i]));
}

/// Products of `a` and `b`, one by one, summed.
#[inline(always)]
fn products<const FUSED: bool>(a: &[Line], b: &[Line]) -> Vector {
    // Two sums, so that additions do not wait for each other.
    let [mut even, mut odd] = [[0.0; LANES]; 2];
    let (a_pairs, a_rest) = a.as_chunks::<2>();
    let (b_pairs, b_rest) = b.as_chunks::<2>();
    for (a, b) in a_pairs.iter().zip(b_pairs) {
        even = lanes(|i| fma::<FUSED>(a[0][i], b[0][i], even[i]));
        odd = lanes(|i| fma::<FUSED>(a[1][i], b[1][i], odd[i]));
    }
    for (a, b) in a_rest.iter().zip(b_rest) {
        even = lanes(|i| fma::<FUSED>(a[i], b[i], even[i]));
    }
    lanes(|i| even[i] + odd[i])
}

/// Adds the products of `part` with itself back to front.
#[inline(always)]
fn add_mirrored<const FUSED: bool>(part: &[Line], sum: &mut Line) {
    let half = part.len() / 2;
    let (first, last) = (&part[..half], &part[part.len() - half..]);
    // Two sums, as above.
    let [mut even, mut odd] = [[0.0; LANES]; 2];
    let (a_pairs, a_rest) = first.as_chunks::<2>();
    let (b_rest, b_pairs) = last.as_rchunks::<2>();
    for (a, b) in a_pairs.iter().zip(b_pairs.iter().rev()) {
        even = lanes(|i| fma::<FUSED>(a[0][i], b[1][i], even[i]));
        odd = lanes(|i| fma::<FUSED>(a[1][i], b[0][i], odd[i]));
    }
    for (a, b) in a_rest.iter().zip(b_rest) {
        even = lanes(|i| fma::<FUSED>(a[i], b[i], even[i]));
    }
    // A sample on the axis stands for itself.
    let alone = if part.len() % 2 == 1 { part[half] } else { Line::default() };
    *sum = Line(lanes(|i| sum[i] + fma::<FUSED>(alone[i], alone[i], 2.0 * (even[i] + odd[i]))));
}
