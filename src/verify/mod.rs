//! Two backends next to each other, stage by stage: the trust in a GPU's result.
//!
//! All that [`segment`](crate::pipeline::segment) makes of an image up to the labels of pixels
//! is made of what both backends give, and compared. What backends compute, they compute from
//! the same input: descriptors, sums, features, assignments, each value against what rounding
//! may do to it (`descriptor/rounding.rs`). What the host makes of that (the choice of
//! k, scores, labels, confidence) it makes once of either backend's features, against what
//! follows from the bounds of these. Both describe the same image: where it is resampled, the
//! host has done that for both.
//!
//! Bands come and go one by one: except for features and their bounds, nothing is kept
//! of a site.

mod assignment;
mod blocks;
mod choice;
mod features;
mod labels;
mod moments;
mod scores;
mod sides;
#[cfg(test)]
mod tests;
mod worst;

use ndarray::s;
use serde::Serialize;

use crate::Result;
use crate::backend::{Backend, DeviceInfo};
use crate::image::micrograph::Micrograph;
use crate::pipeline::fit::{self, Basis, Found, Number};
use crate::plan::{Params, Plan, Reduce};
use crate::progress::Progress;
use crate::reduce::pca::Pca;
pub(crate) use blocks::Blocks;
use features::Features;
pub(crate) use moments::compare as compare_moments;
use sides::Sides;

/// What came of a comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The backend that is trusted.
    pub reference: DeviceInfo,
    /// The backend that is checked.
    pub checked: DeviceInfo,
    /// The stages in their order.
    pub stages: Vec<Stage>,
    /// Whether all stages agree.
    pub passed: bool,
}

/// One stage.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    /// The family whose descriptors were compared; or `moments`; `components` and `choice`
    /// where regions are parted; `features`; and for each k
    /// `assignment`, `sums` of its clusters, `scores` where labels are interpolated, `labels`
    /// and `confidence`.
    pub name: &'static str,
    /// How many values were compared.
    pub values: u64,
    /// The difference that comes closest to its bound, or is farthest beyond it;
    /// infinite where a value is not finite.
    pub worst: f64,
    /// Where it is.
    pub place: String,
    /// The trusted and the checked value there.
    pub pair: [f64; 2],
    /// What rounding can explain there.
    pub bound: f64,
    /// How the bound comes about.
    pub reason: String,
    /// Whether all differences are within their bounds.
    pub passed: bool,
}

/// Runs every stage of a segmentation of `micrograph` up to its labels on both backends, and
/// compares.
///
/// # Errors
/// As [`pipeline::segment`](crate::pipeline::segment); a difference is not an error.
pub fn verify(
    micrograph: &Micrograph,
    params: Params,
    reference: &dyn Backend,
    checked: &dyn Backend,
    progress: &dyn Progress,
) -> Result<Report> {
    let plan = Plan::new(params, micrograph)?;
    // Both backends have a share, and descriptors lie here for a while.
    let budget = plan.budget() / 4;
    let plan = plan.with_budget(budget);
    let image = plan.image(micrograph)?;

    let (mut stages, features, numbers) =
        features(&plan, image.view(), [reference, checked], progress)?;

    progress.stage("cluster");
    for number in &numbers {
        let features = features.of(&plan, s![.., number.columns.clone()]);
        let points = features.values[0].view();
        let (found, variance) = fit::clusters(points, number, &plan, reference, progress)?;
        let centroids = found.centroids.mapv(|v| v as f32);
        stages.extend(assignment::compare(points, centroids.view(), reference, checked)?);
        let clarities = number.clarities.as_ref();
        let patterns = labels::Patterns { found, variance, clarities, features, plan: &plan };
        stages.extend(patterns.compare(micrograph.absent(), checked)?);
    }
    let passed = stages.iter().all(|s| s.passed);
    Ok(Report {
        reference: reference.device().clone(),
        checked: checked.device().clone(),
        stages,
        passed,
    })
}

/// The stages up to the features of all sites, these, and the numbers of patterns.
fn features(
    plan: &Plan,
    image: ndarray::ArrayView2<'_, f32>,
    backends: [&dyn Backend; 2],
    progress: &dyn Progress,
) -> Result<(Vec<Stage>, Features, Vec<Number>)> {
    progress.stage("describe");
    let mut sides = Sides::new(image, plan, backends)?;
    let moments = sides.moments(progress)?;
    let basis = match plan.params().reduce {
        Reduce::Pca => None,
        Reduce::Maf => Some(Basis::new(&moments[0], plan)?),
    };
    let pca = match &basis {
        None => Pca::of_blocks(&moments[0], plan.components(), &plan.blocks())?,
        Some(basis) => basis.pca.clone(),
    };

    progress.stage("compare");
    let mut blocks = Blocks::new(plan, &pca).with_summed(&sides.summed);
    sides.each(progress, |band, pair| blocks.add(image, band, pair))?;
    let mut stages = blocks.stages();
    stages.push(compare_moments(&moments[0], &moments[1], &blocks, plan));
    let [own, others] = sides.features(&pca, progress)?;
    let mut stage = blocks.features(&own, &others);
    let components = Features { values: [own, others], bounds: blocks.into_bounds() };
    let Some(basis) = basis else {
        stages.push(stage);
        return Ok((stages, components, Found::of_components(pca, plan).numbers));
    };
    stage.name = "components";
    stages.push(stage);
    progress.stage("choose");
    let found = [0, 1].map(|side| components.found(side, &basis, (plan, image), progress));
    let [own, others] = found;
    let (own, others) = (own?, others?);
    stages.push(choice::compare(&own, &others));
    let (stage, features) = components.combined(&own, plan);
    stages.push(stage);
    Ok((stages, features, own.numbers))
}

fn site(plan: &Plan, i: usize) -> String {
    let (row, col) = (i / plan.sites().grid().count.cols, i % plan.sites().grid().count.cols);
    format!("site at row {}, column {}", plan.sites().grid().row(row), plan.sites().grid().col(col))
}
