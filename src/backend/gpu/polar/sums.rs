//! Which products of rings a kernel adds up, and what scores are made of them.

use bytemuck::NoUninit;

use crate::descriptor::polar::{Product, Score};

/// Neighbouring lags of a block.
const LAGS: usize = 8;

/// `Block` of the shader; see there for meanings.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, NoUninit)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Block {
    pub step: u32,
    pub first: u32,
    pub mirrored: u32,
    pub unused: u32,
}

/// `Entry` of the shader; see there for meanings.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, NoUninit)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Entry {
    pub sum: u32,
    pub weight: f32,
}

/// Scores as sums of products over their norm.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sums {
    pub(super) blocks: Vec<Block>,
    /// `[score][per_score]`.
    pub(super) entries: Vec<Entry>,
    pub(super) per_score: usize,
    /// The sum of squares.
    pub(super) norm: usize,
}

impl Sums {
    /// For `scores`, each some products with their weights, on rings of this many
    /// samples.
    pub(super) fn new(angles: usize, scores: &[Score]) -> Self {
        let products = || scores.iter().flatten().map(|(product, _)| *product);
        let mut rolls = vec![0];
        rolls.extend(
            products().filter_map(|p| if let Product::Roll(n) = p { Some(n) } else { None }),
        );
        let turns: Vec<usize> = products()
            .filter_map(|p| if let Product::Turn(n) = p { Some(n) } else { None })
            .collect();
        let step = |of: &[usize]| of.iter().fold(angles, |a, &b| gcd(a, b));
        let turn_step = step(&turns);
        // The norm alone has no step of its own.
        let roll_step = if rolls.len() == 1 { turn_step } else { step(&rolls) };
        let mut blocks = blocks(&rolls, roll_step, 0);
        blocks.extend(self::blocks(&turns, turn_step, 1));
        let place = |product: Product| {
            let (lag, mirrored) = match product {
                Product::Roll(lag) => (lag as u32, 0),
                Product::Turn(lag) => (lag as u32, 1),
            };
            let holds = |block: &Block| {
                let end = block.first + LAGS as u32 * block.step;
                block.mirrored == mirrored && (block.first..end).contains(&lag)
            };
            let block = blocks.iter().position(holds).expect("every product has a block");
            block * LAGS + ((lag - blocks[block].first) / blocks[block].step) as usize
        };
        let per_score = scores.iter().map(Vec::len).max().unwrap_or(0);
        let mut entries = Vec::new();
        for (i, score) in scores.iter().enumerate() {
            let entry = |&(product, weight): &(Product, f64)| Entry {
                sum: place(product) as u32,
                weight: weight as f32,
            };
            entries.extend(score.iter().map(entry));
            entries.resize((i + 1) * per_score, Entry { sum: 0, weight: 0.0 });
        }
        let norm = place(Product::Roll(0));
        Self { blocks, entries, per_score, norm }
    }

    /// Number of sums.
    pub(super) fn len(&self) -> usize {
        self.blocks.len() * LAGS
    }

    /// Number of scores.
    pub(super) fn scores(&self) -> usize {
        self.entries.len().checked_div(self.per_score).unwrap_or(0)
    }
}

/// Blocks that have all of `lags`, which are multiples of `step`.
fn blocks(lags: &[usize], step: usize, mirrored: u32) -> Vec<Block> {
    let mut lags = lags.to_vec();
    lags.sort_unstable();
    let mut blocks: Vec<Block> = Vec::new();
    for lag in lags {
        let end = blocks.last().map_or(0, |b| b.first as usize + LAGS * step);
        if lag >= end {
            blocks.push(Block { step: step as u32, first: lag as u32, mirrored, unused: 0 });
        }
    }
    blocks
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_blocks_have_all_products() {
        let scores = |rolls: &[usize], turns: &[usize]| -> Vec<Vec<(Product, f64)>> {
            let rolls = rolls.iter().map(|&n| vec![(Product::Roll(n), 1.0)]);
            rolls.chain(turns.iter().map(|&n| vec![(Product::Turn(n), 1.0)])).collect()
        };
        let axes: Vec<usize> = (0..10).map(|a| 6 * a).collect();
        for (rolls, turns, count) in [
            (vec![30, 20, 15, 10], axes.clone(), 3),
            (vec![30, 20, 15, 10], vec![], 1),
            (vec![], axes, 3),
            (vec![], vec![0], 2),
            (vec![7, 29, 30], vec![], 2),
        ] {
            let sums = Sums::new(60, &scores(&rolls, &turns));
            assert_eq!(sums.blocks.len(), count, "{rolls:?} {turns:?}");
            assert_eq!(sums.scores(), rolls.len() + turns.len());
            let lags = rolls.iter().map(|&n| (n, 0)).chain(turns.iter().map(|&n| (n, 1)));
            for ((lag, mirrored), entry) in lags.zip(&sums.entries) {
                let block = sums.blocks[entry.sum as usize / LAGS];
                let found = block.first + block.step * (entry.sum % LAGS as u32);
                assert_eq!((found as usize, block.mirrored), (lag, mirrored));
            }
            assert_eq!(sums.blocks[sums.norm / LAGS].first, 0);
        }
    }
}
