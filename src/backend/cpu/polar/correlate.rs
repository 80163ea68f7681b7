//! Products of rings with themselves, turned or mirrored.

use crate::backend::cpu::vector::{LANES, Vector, fma};

/// Which products are summed, and what scores are made of them.
pub(super) struct Correlations {
    angles: usize,
    /// Rings are rolled by so many samples.
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
    pub(super) fn new(angles: usize) -> Self {
        // The ring with itself first: the norm.
        Self { angles, rolls: vec![0], turns: Vec::new(), scores: Vec::new() }
    }

    /// Number of scores.
    pub(super) fn channels(&self) -> usize {
        self.scores.len()
    }

    /// Number of sums that they are made of.
    pub(super) fn sums(&self) -> usize {
        self.rolls.len() + self.turns.len()
    }

    /// Adds the score of a rotation: a weighted sum over rolled rings.
    pub(super) fn add_rotation(&mut self, rolls: &[(usize, f64)]) {
        let score = rolls
            .iter()
            .map(|&(roll, weight)| (Sum::Roll(place(&mut self.rolls, roll)), weight as f32));
        let score = score.collect();
        self.scores.push(score);
    }

    /// Adds the score of a reflection.
    pub(super) fn add_reflection(&mut self, turn: usize) {
        let turn = place(&mut self.turns, turn);
        self.scores.push(vec![(Sum::Turn(turn), 1.0)]);
    }

    /// Adds the products of one ring of samples, which is there `twice`.
    #[inline(always)]
    pub(super) fn add_ring<const FUSED: bool>(&self, twice: &[Vector], sums: &mut [Vector]) {
        let (rolls, turns) = sums.split_at_mut(self.rolls.len());
        for (&roll, sum) in self.rolls.iter().zip(rolls) {
            add_products::<FUSED>(&twice[..self.angles], &twice[roll..roll + self.angles], sum);
        }
        for (&turn, sum) in self.turns.iter().zip(turns) {
            add_mirrored::<FUSED>(&twice[..=turn], sum);
            add_mirrored::<FUSED>(&twice[turn + 1..self.angles], sum);
        }
    }

    /// Writes the scores, one channel each `pitch` values: sums over the norm, 0
    /// where a square is not `alive`.
    #[inline(always)]
    pub(super) fn finish(&self, sums: &[Vector], alive: &Vector, out: &mut [f32], pitch: usize) {
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

/// Adds the products of `a` and `b`, one by one.
#[inline(always)]
fn add_products<const FUSED: bool>(a: &[Vector], b: &[Vector], sum: &mut Vector) {
    // Two sums, so that additions do not wait for each other.
    let [mut even, mut odd] = [[0.0; LANES]; 2];
    let (a_pairs, a_rest) = a.as_chunks::<2>();
    let (b_pairs, b_rest) = b.as_chunks::<2>();
    for (a, b) in a_pairs.iter().zip(b_pairs) {
        for lane in 0..LANES {
            even[lane] = fma::<FUSED>(a[0][lane], b[0][lane], even[lane]);
        }
        for lane in 0..LANES {
            odd[lane] = fma::<FUSED>(a[1][lane], b[1][lane], odd[lane]);
        }
    }
    for (a, b) in a_rest.iter().zip(b_rest) {
        for lane in 0..LANES {
            even[lane] = fma::<FUSED>(a[lane], b[lane], even[lane]);
        }
    }
    for lane in 0..LANES {
        sum[lane] += even[lane] + odd[lane];
    }
}

/// Adds the products of `part` with itself back to front.
#[inline(always)]
fn add_mirrored<const FUSED: bool>(part: &[Vector], sum: &mut Vector) {
    let half = part.len() / 2;
    let mut total = [0.0; LANES];
    for (a, b) in part[..half].iter().zip(part.iter().rev()) {
        for lane in 0..LANES {
            total[lane] = fma::<FUSED>(a[lane], b[lane], total[lane]);
        }
    }
    // A sample on the axis stands for itself.
    let alone = if part.len() % 2 == 1 { part[half] } else { [0.0; LANES] };
    for lane in 0..LANES {
        sum[lane] += fma::<FUSED>(alone[lane], alone[lane], 2.0 * total[lane]);
    }
}
