//! Two backends side by side, stage by stage: the trust in a GPU's result.
//!
//! Descriptors are compared family by family, each value against what rounding may do
//! to it (`descriptor/rounding.rs`); moments and features against what follows from
//! that. Bands come and go one by one: but for features and their bounds, nothing is kept
//! of a site.

mod assignment;
mod blocks;
mod moments;
mod worst;

use ndarray::{Array2, s};
use serde::Serialize;

use crate::Result;
use crate::backend::{Backend, Describe, DeviceInfo};
use crate::cluster::kmeans::{self, Options, Pairs};
use crate::image::micrograph::Micrograph;
use crate::pipeline::BAND_BYTES;
use crate::plan::{Params, Plan};
use crate::progress::Progress;
use crate::reduce::pca::Pca;
use crate::sites::Band;
pub(crate) use blocks::Blocks;
pub(crate) use moments::compare as compare_moments;

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
    /// The family whose descriptors were compared, or `moments`, `features`,
    /// `assignment`.
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

/// Runs every stage of a segmentation of `micrograph` on both backends, each
/// stage on the same input, and compares.
///
/// # Errors
/// As [`pipeline::segment`](crate::pipeline::segment); a difference is no error.
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
    let image = image.view();
    let bands = bands(&plan, reference, checked)?;

    let mut one = reference.upload(image, &plan)?;
    let mut other = checked.upload(image, &plan)?;

    progress.stage("describe");
    for (done, band) in bands.iter().enumerate() {
        progress.step(done as u64, bands.len() as u64)?;
        one.accumulate(band)?;
        other.accumulate(band)?;
    }
    let (own, others) = (one.moments()?, other.moments()?);
    let pca = Pca::of_blocks(&own, plan.components(), &plan.blocks())?;

    progress.stage("compare");
    let mut blocks = Blocks::new(&plan, &pca);
    for (done, band) in bands.iter().enumerate() {
        progress.step(done as u64, bands.len() as u64)?;
        let pair = [described(&mut *one, band, &plan)?, described(&mut *other, band, &plan)?];
        blocks.add(image, band, &pair);
        one.project(band, &pca)?;
        other.project(band, &pca)?;
    }
    let mut stages = blocks.stages();
    stages.push(moments::compare(&own, &others, &blocks, &plan));
    let (own, others) = (one.features()?, other.features()?);
    drop((one, other));
    stages.push(blocks.features(&own, &others));
    drop((blocks, others));

    progress.stage("cluster");
    let (points, pairs) = (plan.sites().keep_active(&own), Pairs::of(plan.sites()));
    for &clusters in &plan.params().clusters {
        let options =
            Options { clusters, restarts: plan.params().restarts, seed: plan.params().seed };
        let found = kmeans::cluster(points.view(), &pairs, options, reference, progress)?;
        let centroids = found.centroids.mapv(|v| v as f32);
        stages.push(assignment::compare(points.view(), centroids.view(), reference, checked)?);
    }
    let passed = stages.iter().all(|s| s.passed);
    Ok(Report {
        reference: reference.device().clone(),
        checked: checked.device().clone(),
        stages,
        passed,
    })
}

/// Bands that both backends can do, and of whose descriptors two sets fit.
fn bands(plan: &Plan, reference: &dyn Backend, checked: &dyn Backend) -> Result<Vec<Band>> {
    let bytes = BAND_BYTES.min(plan.budget() / 4);
    let row = 2 * size_of::<f32>() * plan.sites().grid().count.cols * plan.channels();
    let rows = reference.band_rows(plan, bytes)?.min(checked.band_rows(plan, bytes)?);
    Ok(plan.sites().bands(rows.min(bytes as usize / row)))
}

fn described(session: &mut dyn Describe, band: &Band, plan: &Plan) -> Result<Array2<f32>> {
    let mut descriptors = Array2::from_elem((band.len(), plan.channels()), f32::NAN);
    session.describe(band, descriptors.slice_mut(s![.., ..]))?;
    Ok(descriptors)
}

fn site(plan: &Plan, i: usize) -> String {
    let (row, col) = (i / plan.sites().grid().count.cols, i % plan.sites().grid().count.cols);
    format!("site at row {}, column {}", plan.sites().grid().row(row), plan.sites().grid().col(col))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;
    use crate::backend::cpu::Cpu;
    use crate::descriptor::harmonic::Pool;
    use crate::descriptor::{Common, FamilyParams};
    use crate::image::micrograph::NonFinite;
    use crate::sites::Extent;

    /// Images on which sums lose little, and much.
    fn images() -> Vec<(&'static str, Array2<f64>)> {
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / 16_777_216.0 - 0.5
        };
        let plain = Array2::from_shape_fn((76, 84), |(r, c)| {
            100.0 * (0.9 * r as f64).cos() * (0.7 * c as f64 + 0.1 * r as f64).sin()
                + 60.0 * random()
        });
        let with = |change: &dyn Fn(usize, usize) -> f64| {
            &plain + &Array2::from_shape_fn(plain.dim(), |(r, c)| change(r, c))
        };
        vec![
            ("step", with(&|_, c| if c > 45 { 2000.0 } else { 0.0 })),
            ("ramp", with(&|r, c| 8.0 * (r + c) as f64)),
            ("hot pixels", with(&|r, c| if (r * 53 + c) % 1009 == 7 { 20_000.0 } else { 0.0 })),
            ("vacuum", with(&|r, c| if r < 30 { -plain[(r, c)] + 0.1 } else { 0.0 })),
            ("plain", plain),
        ]
    }

    fn params(name: &str) -> Params {
        let power_mean = name == "power-mean";
        let own = if power_mean { "harmonic" } else { name };
        let mut family = FamilyParams::from_name(own).unwrap();
        let window = Extent { rows: 7, cols: 5 };
        let Common { patch, window: own, radius, .. } = family.common();
        patch.into_iter().for_each(|patch| *patch = Extent { rows: 9, cols: 12 });
        own.into_iter().for_each(|own| *own = window);
        radius.into_iter().for_each(|radius| *radius = 9);
        match &mut family {
            FamilyParams::Translation(p) => p.patch = Extent::square(8),
            FamilyParams::Centred(p) => p.width = 5.0,
            FamilyParams::Glide(p) => (p.rings, p.periods) = (12, vec![8.7]),
            FamilyParams::Harmonic(p) if power_mean => p.pool = Pool::PowerMean { width: 3.0 },
            FamilyParams::PowerSpectrum(p) => p.window = Extent { rows: 9, cols: 12 },
            _ => {}
        }
        Params { families: vec![family], stride: 5, ..Default::default() }
    }

    /// What a family's rule allows is more than the CPU needs against the definition, and
    /// less than what a constant that is wrong by a thousandth does.
    #[test]
    fn rounding_explains_the_cpu_and_no_wrong_constant() {
        for (image_name, pixels) in images() {
            let micrograph = Micrograph::new(pixels.view(), None, NonFinite::Fail).unwrap();
            let image = micrograph.standardised().unwrap();
            for name in FamilyParams::NAMES.into_iter().chain(["power-mean"]) {
                let plan = Plan::new(params(name), &micrograph).unwrap();
                let cpu = Cpu::new();
                let mut session = cpu.upload(image, &plan).unwrap();
                let band = &plan.sites().grid().bands(plan.sites().grid().count.rows)[0];
                let own = described(&mut *session, band, &plan).unwrap();
                let exact = image.mapv(f64::from) * plan.deviation();
                let exact =
                    plan.families()[0].by_definition(exact.view(), plan.sites().grid(), None);
                let exact = exact.mapv(|v| v as f32);
                let pca =
                    Pca::new(&moments_of(&mut *session, band), plan.params().components).unwrap();
                let passes = |checked: Array2<f32>| {
                    let mut blocks = Blocks::new(&plan, &pca);
                    blocks.add(image, band, &[exact.clone(), checked]);
                    blocks.stages().remove(0)
                };
                let stage = passes(own.clone());
                assert!(stage.passed, "{image_name}: {stage:#?}");
                // Pixels far brighter than the others may be off by more in centred
                // translations, since the floor of variances is low.
                let bright = (image_name, name) == ("hot pixels", "centred-translation");
                let wrong = if bright { 1.002 } else { 1.001 };
                let stage = passes(own.mapv(|v| wrong * v));
                assert!(!stage.passed, "{image_name}: {stage:#?}");
            }
        }
    }

    fn moments_of(session: &mut dyn Describe, band: &Band) -> crate::reduce::pca::Moments {
        session.accumulate(band).unwrap();
        session.moments().unwrap()
    }

    #[test]
    fn the_cpu_agrees_with_itself() {
        let (_, pixels) = images().remove(0);
        let micrograph = Micrograph::new(pixels.view(), None, NonFinite::Fail).unwrap();
        let report =
            verify(&micrograph, params("harmonic"), &Cpu::new(), &Cpu::new(), &Silent).unwrap();
        assert!(report.passed);
        assert!(report.stages.iter().all(|stage| stage.worst == 0.0 || stage.name == "assignment"));
    }
}
