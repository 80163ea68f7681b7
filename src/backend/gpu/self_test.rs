//! The self-test: every kernel of the families once on a tiny image, against the CPU's
//! answer.
//!
//! Answers are computed then and there, not stored: they cost a few milliseconds, and
//! follow the kernels' twins when these change. A device that gets one wrong, or fails,
//! is not used.

use ndarray::{Array2, s};

use super::Gpu;
use crate::Result;
use crate::backend::Backend;
use crate::backend::checked::{Check, Checked};
use crate::descriptor::FamilyParams;
use crate::image::micrograph::{Micrograph, NonFinite};
use crate::plan::{Components, Params, Plan};
use crate::reduce::pca::Pca;

/// Size of the image, px.
const SHAPE: (usize, usize) = (56, 64);

/// Runs the kernels of the `families` with these names, or of all where none is named.
///
/// # Errors
/// [`Error::DeviceWrong`](crate::Error::DeviceWrong) that names the stage, or whatever
/// the device reports.
pub(super) fn run(gpu: &Gpu, families: &[&str]) -> Result<()> {
    let checked = Checked::new(gpu, Check::All);
    let image = image();
    let wanted = |name: &str| families.is_empty() || families.contains(&name);
    segment(&checked, &image, small(wanted)?)?;
    if !wanted("translation") {
        return Ok(());
    }
    // A step that f32 sums cannot do: such tiles are repaired.
    let mut step = image;
    step.slice_mut(s![.., SHAPE.1 / 2..]).mapv_inplace(|v| v + 900.0);
    segment(&checked, &step, small(|name| name == "translation")?)
}

/// Waves with noise, the same each time.
fn image() -> Array2<f64> {
    let mut state = 7_u64;
    Array2::from_shape_fn(SHAPE, |(r, c)| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let noise = (state >> 40) as f64 / 16_777_216.0;
        (0.9 * r as f64).cos() * (0.7 * c as f64 + 0.1 * r as f64).sin() + 0.5 * noise
    })
}

/// The families that are `wanted`, small.
fn small(wanted: impl Fn(&str) -> bool) -> Result<Vec<FamilyParams>> {
    let names = FamilyParams::NAMES.into_iter().filter(|name| wanted(name));
    let small = names.map(|name| Ok(FamilyParams::from_name(name)?.small()));
    Ok(small.collect::<Result<Vec<_>>>()?.concat())
}

/// The stages of a segmentation, each checked.
fn segment(gpu: &dyn Backend, image: &Array2<f64>, families: Vec<FamilyParams>) -> Result<()> {
    let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
    let params = Params { families, stride: 6, ..Default::default() };
    let plan = Plan::new(params, &micrograph)?;
    let mut session = gpu.upload(micrograph.standardised()?, &plan)?;
    let band = plan.sites().whole();
    session.accumulate(&band)?;
    let moments = session.moments()?;
    let pca = Pca::of_blocks(&moments, Components::Count(3), &plan.blocks())?;
    session.project(&band, &pca)?;
    let features = session.features()?;
    let mut descriptors = Array2::zeros((band.len(), plan.channels()));
    session.describe(&band, descriptors.view_mut())?;
    drop(session);
    let mut points = gpu.assigner(features.view())?;
    points.step(features.slice(s![..3, ..]))?;
    let (mut labels, mut distances) = (vec![0; band.len()], vec![0.0; band.len()]);
    points.labels(&mut labels, &mut distances)
}
