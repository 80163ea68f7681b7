//! The number of patterns that is chosen from either backend's features.

use super::Stage;
use super::factors::Features;
use crate::Result;
use crate::image::micrograph::Micrograph;
use crate::pipeline::fit;
use crate::plan::Plan;
use crate::progress::Progress;

/// The stage, and the number that the trusted backend's features show.
pub(super) fn compare(
    micrograph: &Micrograph,
    plan: &Plan,
    features: &Features,
    progress: &dyn Progress,
) -> Result<(Stage, usize)> {
    let choose = |side: usize| {
        let points = plan.sites().keep_active(&features.values[side]);
        let map = &features.maps[side];
        fit::number_of_patterns(micrograph, plan, map, points.view(), progress)
    };
    let [own, other] = [choose(0)?, choose(1)?];
    let pair = [own.clusters, other.clusters].map(|clusters| clusters as f64);
    let stage = Stage {
        name: "choice",
        values: 1,
        worst: (pair[0] - pair[1]).abs(),
        place: format!("the number of patterns, decided by {:?}", own.decided_by).to_lowercase(),
        pair,
        bound: 0.0,
        reason: "a whole number, which stays unless a criterion is within rounding of its limit"
            .into(),
        passed: own.clusters == other.clusters,
    };
    Ok((stage, own.clusters))
}
