//! Two backends side by side, stage by stage: the trust in a GPU's result.

use ndarray::{Array2, ArrayView2, Axis, s};
use serde::Serialize;

use crate::Result;
use crate::backend::{Backend, DeviceInfo};
use crate::descriptor::Family;
use crate::kmeans::{self, Options};
use crate::micrograph::Micrograph;
use crate::pca::{Moments, PIECE, Pca};
use crate::plan::{Params, Plan};
use crate::progress::Progress;

/// Rounding of one f32 operation.
const EPS: f64 = f32::EPSILON as f64 / 2.0;

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
    /// Its name.
    pub name: &'static str,
    /// How many values were compared.
    pub values: u64,
    /// Worst absolute difference; infinite where a value is not finite.
    pub worst: f64,
    /// Where it is.
    pub place: String,
    /// The trusted and the checked value there.
    pub pair: [f64; 2],
    /// What rounding can explain.
    pub bound: f64,
    /// How the bound comes about.
    pub reason: String,
    /// Whether the difference is within the bound.
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
    let plan = Plan::of(params, micrograph)?;
    let image = micrograph.standardised()?;
    let bound = descriptor_bound(image, &plan);

    progress.stage("describe");
    let one = Described::new(reference, image, &plan, None, progress)?;
    let pca = Pca::of_blocks(&one.moments, plan.params.components, &plan.blocks())?;
    let one = Described::new(reference, image, &plan, Some(&pca), progress)?;
    let other = Described::new(checked, image, &plan, Some(&pca), progress)?;
    let mut stages = vec![descriptors(&one, &other, &plan, &bound)];
    stages.push(moments(&one, &other, &bound));
    stages.push(features(&one, &other, &pca, &plan, &bound));

    progress.stage("cluster");
    let points = plan.keep_active(&one.features);
    for &clusters in &plan.params.clusters {
        let options = Options { clusters, starts: plan.params.starts, seed: plan.params.seed };
        let found = kmeans::cluster(points.view(), options, reference, progress)?;
        let centroids = found.centroids.mapv(|v| v as f32);
        stages.push(assignment(points.view(), centroids.view(), reference, checked)?);
    }
    let passed = stages.iter().all(|s| s.passed);
    Ok(Report {
        reference: reference.device().clone(),
        checked: checked.device().clone(),
        stages,
        passed,
    })
}

/// What one backend makes of the image.
struct Described {
    descriptors: Array2<f32>,
    moments: Moments,
    features: Array2<f32>,
}

impl Described {
    fn new(
        backend: &dyn Backend,
        image: ArrayView2<'_, f32>,
        plan: &Plan,
        pca: Option<&Pca>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let mut session = backend.upload(image, plan)?;
        let mut descriptors = Array2::zeros((0, 0));
        let mut features = Array2::zeros((0, 0));
        let bands = plan.bands(backend.band_rows(plan, plan.budget)?);
        for band in &bands {
            progress.check()?;
            session.accumulate(band)?;
        }
        let moments = session.moments()?;
        if let Some(pca) = pca {
            descriptors = Array2::zeros((plan.grid.len(), plan.channels()));
            for band in &bands {
                progress.check()?;
                session.describe(band, descriptors.slice_mut(s![band.sites(), ..]))?;
                session.project(band, pca)?;
            }
            features = session.features()?;
        }
        Ok(Self { descriptors, moments, features })
    }
}

/// What rounding may do to a descriptor.
struct Bound {
    value: f64,
    reason: String,
}

/// A running sum of T products loses about `eps sqrt(T)` of the sum of their
/// sizes, which is `1 + kappa` times the covariance's scale, where kappa is the
/// condition of the worst tile that is summed in f32. Both backends may.
fn descriptor_bound(image: ArrayView2<'_, f32>, plan: &Plan) -> Bound {
    let mut worst = Bound { value: 0.0, reason: String::new() };
    for family in &plan.families {
        // The GPU backend has no other family yet.
        let Family::Translation(family) = family else { continue };
        let kappa = family.condition(image, &plan.grid, plan.tile);
        let terms = family.terms(plan.grid.stride, plan.tile);
        // Three more operations normalise a score.
        let value = 2.0 * EPS * ((terms as f64).sqrt() * (1.0 + kappa) + 3.0);
        if value > worst.value {
            let reason = format!("2 eps (sqrt({terms} terms) (1 + {kappa:.1}) + 3)");
            worst = Bound { value, reason };
        }
    }
    worst
}

fn descriptors(one: &Described, other: &Described, plan: &Plan, bound: &Bound) -> Stage {
    let names = plan.channel_names();
    compare(
        "descriptors",
        &one.descriptors,
        &other.descriptors,
        bound.value,
        bound.reason.clone(),
        |i, d| format!("{}, {}", site(plan, i), names[d]),
    )
}

/// Second moments per site, which are at most 1 for scores.
fn moments(one: &Described, other: &Described, bound: &Bound) -> Stage {
    let n = one.moments.count.max(1) as f64;
    let lower = |m: &Moments| {
        Array2::from_shape_fn(m.products.dim(), |(i, j)| {
            (m.products[(i.max(j), i.min(j))] / n) as f32
        })
    };
    let value = 2.0 * bound.value + 2.0 * EPS * (PIECE as f64).sqrt();
    let reason = format!("2 x descriptors + 2 eps sqrt({PIECE} sites)");
    let mut stage =
        compare("moments", &lower(&one.moments), &lower(&other.moments), value, reason, |i, j| {
            format!("channels {i} and {j}")
        });
    if one.moments.count != other.moments.count {
        stage.pair = [one.moments.count as f64, other.moments.count as f64];
        stage.place = "number of sites".into();
        stage.passed = false;
    }
    stage
}

/// A feature is off by at most the norm of what D channels are off by, times the
/// component's norm (1, but for the scales of several families).
fn features(one: &Described, other: &Described, pca: &Pca, plan: &Plan, bound: &Bound) -> Stage {
    let channels = (plan.channels() as f64).sqrt();
    let norms = pca.components.rows().into_iter().map(|row| row.dot(&row).sqrt());
    let norm = norms.fold(1.0, f64::max);
    let value = norm * channels * (bound.value + 2.0 * EPS * channels);
    let reason =
        format!("{norm:.3} sqrt({} channels) (descriptors + 2 eps sqrt({0}))", plan.channels());
    compare("features", &one.features, &other.features, value, reason, |i, c| {
        format!("{}, feature {c}", site(plan, i))
    })
}

/// Labels may differ only where two distances tie within rounding: what counts
/// is how much farther the checked backend's choice is than the nearest.
fn assignment(
    points: ArrayView2<'_, f32>,
    centroids: ArrayView2<'_, f32>,
    reference: &dyn Backend,
    checked: &dyn Backend,
) -> Result<Stage> {
    let count = points.nrows();
    let run = |backend: &dyn Backend| -> Result<(Vec<u32>, Vec<f32>)> {
        let (mut labels, mut distances) = (vec![u32::MAX; count], vec![f32::NAN; count]);
        let mut assigner = backend.assigner(points)?;
        assigner.step(centroids)?;
        assigner.labels(&mut labels, &mut distances)?;
        Ok((labels, distances))
    };
    let ((labels, _), (others, distances)) = (run(reference)?, run(checked)?);
    let to = |i: usize, label: u32| -> f64 {
        match centroids.axis_iter(Axis(0)).nth(label as usize) {
            Some(c) => points.row(i).iter().zip(c).map(|(p, c)| f64::from(p - c).powi(2)).sum(),
            None => f64::INFINITY,
        }
    };
    let table = |values: &dyn Fn(usize) -> f64| {
        Array2::from_shape_fn((count, 1), |(i, _)| values(i) as f32)
    };
    let nearest = table(&|i| to(i, labels[i]));
    // The distance that was reported, and that of the label that was reported.
    let chosen = table(&|i| {
        let (own, said) = (to(i, others[i]), f64::from(distances[i]));
        if (own - said).abs() > (to(i, labels[i]) - own).abs() { said } else { own }
    });
    let largest = nearest.iter().fold(0.0_f32, |a, &b| a.max(b));
    let q = points.ncols();
    let bound = 2.0 * EPS * (q as f64 + 2.0) * f64::from(largest);
    let reason = format!("2 eps ({q} features + 2) x largest squared distance");
    let clusters = centroids.nrows();
    Ok(compare("assignment", &nearest, &chosen, bound, reason, |i, _| {
        format!("point {i}, k = {clusters}")
    }))
}

fn site(plan: &Plan, i: usize) -> String {
    let (row, col) = (i / plan.grid.count.cols, i % plan.grid.count.cols);
    format!("site at row {}, column {}", plan.grid.row(row), plan.grid.col(col))
}

fn compare(
    name: &'static str,
    one: &Array2<f32>,
    other: &Array2<f32>,
    bound: f64,
    reason: String,
    place: impl Fn(usize, usize) -> String,
) -> Stage {
    let mut worst = (-1.0, (0, 0));
    for ((at, &a), &b) in one.indexed_iter().zip(other) {
        let difference = (f64::from(a) - f64::from(b)).abs();
        let difference = if difference.is_nan() { f64::INFINITY } else { difference };
        if difference > worst.0 {
            worst = (difference, at);
        }
    }
    let (worst, at) = worst;
    let pair = [one, other].map(|values| values.get(at).map_or(f64::NAN, |&v| v.into()));
    let passed = one.dim() == other.dim() && worst <= bound;
    Stage {
        name,
        values: one.len() as u64,
        worst,
        place: place(at.0, at.1),
        pair,
        bound,
        reason,
        passed,
    }
}
