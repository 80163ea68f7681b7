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
use crate::descriptor::harmonic::Pool;
use crate::descriptor::{
    FamilyParams, Translation, centred, glide, harmonic, intensity, power_spectrum, reflection,
    rotation, translation,
};
use crate::image::micrograph::{Micrograph, NonFinite};
use crate::plan::{Components, Params, Plan};
use crate::reduce::pca::Pca;
use crate::sites::Extent;

/// Size of the image, px.
const SHAPE: (usize, usize) = (56, 64);

/// Half size of windows, px.
const WINDOW: Extent = Extent { rows: 6, cols: 5 };

/// Runs the kernels of the `families` with these names, or of all where none is named.
///
/// # Errors
/// [`Error::DeviceWrong`](crate::Error::DeviceWrong) that names the stage, or whatever
/// the device reports.
pub(super) fn run(gpu: &Gpu, families: &[&str]) -> Result<()> {
    let checked = Checked::new(gpu, Check::All);
    let image = image();
    let wanted = |name: &str| families.is_empty() || families.contains(&name);
    let own = all().into_iter().filter(|(name, _)| wanted(name)).map(|(_, family)| family);
    segment(&checked, &image, own.collect())?;
    if !wanted("translation") {
        return Ok(());
    }
    // A step that f32 sums cannot do: such tiles are repaired.
    let mut step = image;
    step.slice_mut(s![.., SHAPE.1 / 2..]).mapv_inplace(|v| v + 900.0);
    segment(&checked, &step, vec![translations()])
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

fn translations() -> FamilyParams {
    let shift = |rows, cols| Translation { rows, cols };
    let list = Some(vec![shift(-3, 2), shift(0, 0), shift(1, 5), shift(2, -4), shift(0, 1)]);
    let patch = Extent::square(6);
    FamilyParams::Translation(translation::Params {
        patch,
        window: WINDOW,
        list,
        ..Default::default()
    })
}

/// All of them, small.
fn all() -> Vec<(&'static str, FamilyParams)> {
    let (radius, rings, window, pool_top) = (6, 6, WINDOW, 2);
    let inner_stride = 4;
    let harmonic = harmonic::Params {
        radius,
        window,
        orders: vec![0, 2, 3],
        rings: 2,
        angles: 4,
        inner_stride,
        pool: Pool::Maximum,
    };
    let means = harmonic::Params { pool: Pool::PowerMean { width: 3.0 }, ..harmonic.clone() };
    let centred = centred::Params { width: 4.0, reach: 2.0, ..Default::default() };
    let rotation =
        rotation::Params { radius, window, folds: vec![2, 3], rings, inner_stride, pool_top };
    let reflection = reflection::Params { radius, window, axes: 3, rings, inner_stride, pool_top };
    let periods = vec![7.7];
    let glide = glide::Params { radius, window, axes: 2, periods, rings, inner_stride, pool_top };
    let spectrum = power_spectrum::Params { window, ..Default::default() };
    vec![
        ("translation", translations()),
        ("centred-translation", FamilyParams::Centred(centred)),
        ("rotation", FamilyParams::Rotation(rotation)),
        ("reflection", FamilyParams::Reflection(reflection)),
        ("glide", FamilyParams::Glide(glide)),
        ("harmonic", FamilyParams::Harmonic(harmonic)),
        ("harmonic", FamilyParams::Harmonic(means)),
        ("power-spectrum", FamilyParams::PowerSpectrum(spectrum)),
        ("intensity", FamilyParams::Intensity(intensity::Params { patch: window })),
    ]
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
