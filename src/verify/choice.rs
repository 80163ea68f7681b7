//! The numbers of patterns that either backend's components show.

use super::Stage;
use crate::pipeline::fit::{Found, Number};

/// The stage.
pub(super) fn compare(own: &Found, other: &Found) -> Stage {
    let most = |found: &Found| found.numbers.iter().map(|number| number.clusters).max();
    let pair = [own, other].map(|found| most(found).unwrap_or_default() as f64);
    // Whether regions were parted or clusters looked for.
    let parted = |number: &Number| (number.clusters, number.centroids.is_some());
    let same = own.numbers.iter().map(parted).eq(other.numbers.iter().map(parted));
    Stage {
        name: "choice",
        values: own.numbers.len() as u64,
        worst: (pair[0] - pair[1]).abs(),
        place: "the number of patterns, and how they were found".into(),
        pair,
        bound: 0.0,
        reason: "a whole number, which stays unless a boundary's clarity is within rounding of its limit"
            .into(),
        passed: same,
    }
}
