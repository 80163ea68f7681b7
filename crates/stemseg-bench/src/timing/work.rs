//! What the stages do, counted by rules that hold for every device and version.
//!
//! Operations are what the definition asks for, not what a kernel makes of it:
//! the same work done with fewer operations shows as more of them per second.
//! Bytes are what must come from memory and go there at least once.

use super::Stage;
use stemseg::descriptor::Family;
use stemseg::plan::Plan;

/// Operations and bytes of one run of a stage; 0 where they say little.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Work {
    pub(super) flops: f64,
    pub(super) bytes: f64,
}

/// Bytes of an f32.
const F32: f64 = 4.0;

impl Work {
    /// Of `stage` on an image, where PCA keeps `features`. With `kept` the device
    /// keeps descriptors for the stages that need them again.
    pub(super) fn of(stage: Stage, plan: &Plan, features: usize, kept: bool) -> Self {
        let pixels = plan.sites().shape().area() as f64;
        let (sites, channels) = (plan.sites().grid().len() as f64, plan.channels() as f64);
        let image = F32 * pixels;
        let operations = |family: &Family| family.operations(plan.sites().grid());
        let describe: Option<f64> = plan.families().iter().map(operations).sum();
        let (describe, counted) = (describe.unwrap_or_default(), describe.is_some());
        let covariance = sites * channels * (channels + 1.0);
        let project = 2.0 * sites * channels * features as f64;
        let (flops, bytes) = match stage {
            Stage::Standardise => (0.0, 2.0 * image),
            Stage::Descriptors => (describe, image + F32 * sites * channels),
            Stage::Accumulate => (describe + covariance, image),
            Stage::Covariance => (covariance, 0.0),
            Stage::Project if kept => (project, F32 * sites * (channels + features as f64)),
            Stage::Project => (describe + project, image + F32 * sites * features as f64),
            // A label of 32 bits comes, one of 16 goes.
            Stage::LabelMap => (0.0, 4.0 * sites + 2.0 * pixels),
            _ => (0.0, 0.0),
        };
        let describes = match stage {
            Stage::Descriptors | Stage::Accumulate => true,
            Stage::Project => !kept,
            _ => false,
        };
        match describes && !counted {
            true => Self { flops: 0.0, bytes },
            false => Self { flops, bytes },
        }
    }

    /// Of one assignment of points to centroids: differences, squares, sums, and
    /// the clusters' sums; labels and distances go to memory.
    pub(super) fn of_k_means(points: usize, features: usize, clusters: usize) -> Self {
        let (points, q) = (points as f64, features as f64);
        Self { flops: points * q * (3 * clusters + 1) as f64, bytes: F32 * points * (q + 2.0) }
    }
}
