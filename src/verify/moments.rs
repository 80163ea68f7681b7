//! Sums for mean and covariance.

use super::Stage;
use super::blocks::Blocks;
use super::worst::Worst;
use crate::descriptor::rounding::EPS;
use crate::plan::Plan;
use crate::reduce::pca::{Moments, PIECE};

/// Sums of pieces that are added up in f32, at most: those of a part, then those of 64
/// parts (`shaders/moments.wgsl`, `shaders/fold.wgsl`).
const PIECES: usize = 32;
const PARTS: usize = 64;

/// Compares moments per site, and means, of which the number of sites is one.
///
/// A product of two channels is off by each channel's size times the other's bound; by
/// Cauchy and Schwarz the mean over the sites is at most the product of their roots of
/// mean squares. Sums lose as running sums do.
pub(crate) fn compare(one: &Moments, other: &Moments, blocks: &Blocks<'_>, plan: &Plan) -> Stage {
    let n = one.count.max(1) as f64;
    let channels = plan.channels();
    // Channel D is 1 everywhere.
    let size = |d: usize| match d == channels {
        true => 1.0,
        false => (one.products[(d, d)] / n).max(0.0).sqrt(),
    };
    let off = |d: usize| if d == channels { 0.0 } else { blocks.spread(d) };
    let sizes: Vec<[f64; 2]> = (0..=channels).map(|d| [size(d), off(d)]).collect();
    let sums = [PIECE, PIECES, PARTS].map(|terms| (terms as f64).sqrt()).iter().sum::<f64>() * EPS;
    let value = |m: &Moments, i: usize, j: usize| match i == channels {
        true => m.sum[j] / n,
        false => m.products[(i, j)] / n,
    };
    let mut worst = Worst::default();
    for i in 0..=channels {
        for j in 0..=i.min(channels - 1) {
            let [[x, dx], [y, dy]] = [sizes[i], sizes[j]];
            let bound = x * dy + y * dx + dx * dy + 2.0 * sums * x * y;
            worst.add([value(one, i, j), value(other, i, j)], bound, (i, j));
        }
    }
    let reason = format!(
        "each channel x the other's bound + 2 eps (sqrt({PIECE} sites) + sqrt({PIECES} pieces) + \
         sqrt({PARTS} parts)) of both, as roots of mean squares"
    );
    let mut stage = worst.stage("moments", reason, |(i, j)| match i == channels {
        true => format!("mean of channel {j}"),
        false => format!("channels {i} and {j}"),
    });
    if one.count != other.count {
        stage.pair = [one.count as f64, other.count as f64];
        stage.place = "number of sites".into();
        stage.passed = false;
    }
    stage
}
