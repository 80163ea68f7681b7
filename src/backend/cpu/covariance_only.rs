//! Sums of products without the descriptors before them, for the benchmark.

use rayon::prelude::*;

use super::moments;
use super::session::{Scores, pitch};
use crate::plan::Plan;

/// The sums of all tiles of a plan, of scores that lie in each thread's cache, as
/// they do while an image is accumulated.
pub struct CovarianceOnly {
    channels: usize,
    /// Sites of each tile.
    tiles: Vec<usize>,
    /// Scores `[D][pitch]` of the largest tile, one buffer for each thread.
    scores: Vec<Vec<f32>>,
}

impl CovarianceOnly {
    /// For the tiles of `plan`, with scores of no meaning.
    pub fn new(plan: &Plan) -> Self {
        let channels = plan.channels();
        let bands = plan.sites().bands(plan.sites().grid().count.rows);
        let tiles: Vec<usize> = bands
            .iter()
            .flat_map(|band| plan.sites().tiles(band))
            .map(|tile| tile.count.area())
            .collect();
        let size = channels * pitch(tiles.iter().copied().max().unwrap_or(0));
        let score = |i: usize| (i * 7919 % 2003) as f32 / 1001.0 - 1.0;
        let scores = vec![(0..size).map(score).collect(); rayon::current_num_threads()];
        Self { channels, tiles, scores }
    }

    /// Makes the sums.
    pub fn run(&mut self) {
        let (tiles, threads, channels) = (&self.tiles, self.scores.len(), self.channels);
        self.scores.par_iter_mut().enumerate().for_each(|(first, scores)| {
            for &sites in tiles.iter().skip(first).step_by(threads) {
                let pitch = pitch(sites);
                let values = &mut scores[..channels * pitch];
                std::hint::black_box(moments::of_tile(
                    &Scores { values, pitch, sites },
                    sites as u64,
                ));
            }
        });
    }
}
