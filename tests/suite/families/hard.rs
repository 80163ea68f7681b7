//! Images and parameters at which a kernel of one family has to take another way: windows
//! that no workgroup holds, values that cancel or overflow, centres that are rare.

use ndarray::{Array2, s};
use stemseg::backend::Backend;
use stemseg::descriptor::power_spectrum::{Scale, Spectrum};
use stemseg::descriptor::{
    FLAT_SHARE, FamilyParams, glide, harmonic, power_spectrum, reflection, rotation,
};
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::sites::Extent;
use stemseg::{Params, Plan};

use super::{BOUND, Outcome, follows, image, pool};
use crate::contract::{describe, noise};
use stemseg_testing::data::compare;

/// Windows of power spectra from the smallest to the most channels there may be, also
/// those that no workgroup holds as a whole, and spectra of all frequencies.
pub(crate) fn windows_of_spectra(backend: &dyn Backend) -> Outcome {
    let extents = [(1, 1), (2, 1), (1, 9), (7, 8), (12, 12), (20, 20), (30, 31), (33, 40)];
    for (i, (rows, cols)) in extents.into_iter().enumerate() {
        let spectrum = if i % 2 == 0 { Spectrum::Full } else { Spectrum::Half };
        check_window(backend, Extent { rows, cols }, spectrum)?;
    }
    check_window(backend, Extent { rows: 1300, cols: 1 }, Spectrum::Half)?;
    check_window(backend, Extent { rows: 2, cols: 800 }, Spectrum::Half)
}

/// Those of them that little workgroup memory is enough for.
pub(crate) fn small_windows_of_spectra(backend: &dyn Backend) -> Outcome {
    for (rows, cols) in [(3, 4), (12, 12), (9, 30), (70, 2)] {
        check_window(backend, Extent { rows, cols }, Spectrum::Full)?;
    }
    Ok(())
}

fn check_window(backend: &dyn Backend, window: Extent, spectrum: Spectrum) -> Outcome {
    let full = window.full();
    let scale = if full.area() % 4 == 1 { Scale::Log } else { Scale::Linear };
    let family = power_spectrum::Params { window, spectrum, scale };
    let families = vec![FamilyParams::PowerSpectrum(family)];
    let params = Params { families, stride: 2, ..Default::default() };
    let image = noise((full.rows + 4, full.cols + 9), full.area() as u64);
    follows(backend, params, &image, BOUND)
}

/// Discs with a pixel in their centre that is far brighter than what is around it: sums
/// about the centre lose digits unless the mean is taken off first.
pub(crate) fn bright_centres(backend: &dyn Backend) -> Outcome {
    let window = Extent::square(1);
    let family = harmonic::Params { window, inner_stride: 1, ..Default::default() };
    let families = vec![FamilyParams::Harmonic(family)];
    let params = Params { families, stride: 5, ..Default::default() };
    let mut image = noise((90, 100), 6);
    for (row, col) in [(20, 20), (20, 60), (60, 20), (60, 60)] {
        image[(row, col)] = 60_000.0;
    }
    follows(backend, params, &image, 0.15 * BOUND)
}

/// Discs with half and with twice the variance below which they are flat.
pub(crate) fn about_flat(backend: &dyn Backend) -> Outcome {
    let family = harmonic::Params { inner_stride: 3, ..Default::default() };
    let families = vec![FamilyParams::Harmonic(family)];
    let params = Params { families, stride: 5, ..Default::default() };
    let mut image = noise((90, 260), 8);
    for (columns, times) in [(80..170, 0.5_f64), (170..260, 2.0)] {
        // Of the whole, a third has all the variance.
        let share = (times * FLAT_SHARE * 80.0 / 260.0).sqrt();
        image.slice_mut(s![.., columns]).mapv_inplace(|v| share * v);
    }
    follows(backend, params, &image, BOUND)
}

/// Spots in weak noise at both ends of the inner columns that workgroups look at
/// together, and between: each counts for the sites whose windows hold it, for no other.
pub(crate) fn spots(backend: &dyn Backend) -> Outcome {
    let (radius, inner_stride) = (5, 1);
    let window = Extent { rows: 1, cols: 130 };
    let (orders, rings, angles) = (vec![0, 1], 2, 4);
    let family = harmonic::Params {
        radius,
        window,
        orders,
        rings,
        angles,
        inner_stride,
        ..Default::default()
    };
    let families = vec![FamilyParams::Harmonic(family)];
    let params = Params { families, stride: 5, ..Default::default() };
    let mut image = noise((14, 620), 4).mapv(|v| 0.1 * v);
    // Counted in inner columns.
    for column in [30, 255, 256, 390, 511] {
        for ((r, c), v) in image.indexed_iter_mut() {
            let (down, right) = (r as f64 - 6.0, c as f64 - (radius + column) as f64);
            *v += (3.0 * column as f64) * (-(down * down + right * right) / 6.0).exp();
        }
    }
    follows(backend, params, &image, BOUND)
}

/// Spots on flat ground, which the power mean of sites does not see unless their windows
/// hold one, whatever little weight it has there.
pub(crate) fn lonely_spots(backend: &dyn Backend) -> Outcome {
    let (radius, inner_stride, width) = (5, 1, 20.0);
    let (orders, rings, angles) = (vec![0, 1], 2, 4);
    let pool = pool("power-mean", width);
    let window = Extent::default();
    let family = harmonic::Params { radius, window, orders, rings, angles, inner_stride, pool };
    let families = vec![FamilyParams::Harmonic(family)];
    let params = Params { families, stride: 5, ..Default::default() };
    let image = Array2::from_shape_fn((14, 620), |(r, c)| {
        let spot = |column: f64| {
            let (down, right) = (r as f64 - 6.0, c as f64 - column);
            (-(down * down + right * right) / 6.0).exp()
        };
        spot(60.0) + spot(255.0) + spot(395.0) + spot(516.0)
    });
    follows(backend, params, &image, BOUND)
}

/// Powers beyond what f32 holds are its largest value.
pub(crate) fn powers_that_overflow(backend: &dyn Backend) -> Outcome {
    for scale in [Scale::Linear, Scale::Log] {
        let window = Extent { rows: 4, cols: 6 };
        let family = power_spectrum::Params { window, scale, ..Default::default() };
        let families = vec![FamilyParams::PowerSpectrum(family)];
        let params = Params { families, stride: 5, ..Default::default() };
        let image = noise((40, 44), 9).mapv(|v| v * 4e16);
        let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
        let plan = Plan::new(params, &micrograph)?;
        let got = describe(backend, micrograph.standardised()?, &plan, usize::MAX)?;
        let largest = |v: f64| match scale {
            Scale::Linear => v.min(f32::MAX.into()),
            Scale::Log => v.min(f64::from(f32::MAX).ln()),
        };
        let expected =
            plan.families()[0].by_definition(image.view(), plan.sites().grid(), None).mapv(largest);
        let clipped = expected.iter().filter(|&&v| v == largest(f64::INFINITY)).count();
        if clipped == 0 || clipped == expected.len() {
            return Err(format!("{clipped} powers of {} overflow", expected.len()).into());
        }
        let most = largest(f64::INFINITY);
        let got: Vec<f32> = got.iter().map(|&v| (f64::from(v) / most) as f32).collect();
        let expected: Vec<f64> = expected.iter().map(|v| v / most).collect();
        compare("power-spectrum", &got, &expected, plan.channels(), 1e-5)?;
    }
    Ok(())
}

/// Rotations and reflections, which share their samples.
fn symmetries(
    backend: &dyn Backend,
    (rotation, reflection): (rotation::Params, reflection::Params),
    (shape, stride): ((usize, usize), usize),
) -> Outcome {
    let families = vec![FamilyParams::Rotation(rotation), FamilyParams::Reflection(reflection)];
    let params = Params { families, stride, ..Default::default() };
    follows(backend, params, &image(shape, 2), BOUND)
}

pub(crate) fn default_symmetries(backend: &dyn Backend) -> Outcome {
    symmetries(backend, Default::default(), ((100, 109), 4))
}

/// Squares so small that they are mirrored more than once.
pub(crate) fn small_symmetries(backend: &dyn Backend) -> Outcome {
    let window = Extent::square(4);
    let rotation = rotation::Params { radius: 2, window, rings: 3, ..Default::default() };
    let reflection = reflection::Params { radius: 2, window, rings: 3, ..Default::default() };
    symmetries(backend, (rotation, reflection), ((30, 37), 3))
}

/// As many samples as little workgroup memory holds in two parts.
pub(crate) fn many_rings(backend: &dyn Backend) -> Outcome {
    let window = Extent::square(5);
    let rotation = rotation::Params { radius: 8, window, rings: 20, ..Default::default() };
    let reflection = reflection::Params { radius: 8, window, rings: 20, ..Default::default() };
    symmetries(backend, (rotation, reflection), ((50, 47), 3))
}

/// More sums than a workgroup adds at once.
pub(crate) fn many_axes_and_folds(backend: &dyn Backend) -> Outcome {
    let window = Extent { rows: 3, cols: 5 };
    let (radius, rings, pool_top) = (6, 3, 2);
    let folds = vec![2, 4, 5, 7, 8, 10, 14, 20, 28, 35];
    let rotation = rotation::Params { radius, window, folds, rings, pool_top, inner_stride: 3 };
    let reflection =
        reflection::Params { radius, window, axes: 140, rings, pool_top, inner_stride: 3 };
    symmetries(backend, (rotation, reflection), ((40, 51), 5))
}

/// More ranks than a pass of a GPU finds, and than some windows have scores.
pub(crate) fn many_ranks(backend: &dyn Backend) -> Outcome {
    let pooled = |window, pool_top| {
        let rotation = rotation::Params {
            radius: 4,
            window,
            folds: vec![2, 3],
            pool_top,
            ..Default::default()
        };
        let reflection =
            reflection::Params { radius: 4, window, axes: 2, pool_top: 17, ..Default::default() };
        symmetries(backend, (rotation, reflection), ((60, 190), 1))
    };
    pooled(Extent { rows: 6, cols: 7 }, 53)?;
    pooled(Extent { rows: 3, cols: 4 }, 25)
}

pub(crate) fn default_glides(backend: &dyn Backend) -> Outcome {
    let family = glide::Params { periods: vec![14.7], inner_stride: 4, ..Default::default() };
    let families = vec![FamilyParams::Glide(family)];
    let params = Params { families, stride: 9, ..Default::default() };
    follows(backend, params, &image((121, 134), 3), BOUND)
}

/// Glides that lead to squares around other pixels than inner sites are, and off their
/// middles; some of the squares are flat, here or there.
pub(crate) fn glides(backend: &dyn Backend) -> Outcome {
    let family = glide::Params {
        radius: 7,
        window: Extent { rows: 2, cols: 3 },
        axes: 4,
        periods: vec![7.4, 0.0, 11.3, 6.0],
        rings: 9,
        inner_stride: 3,
        pool_top: 2,
    };
    let families = vec![FamilyParams::Glide(family)];
    let params = Params { families, stride: 3, ..Default::default() };
    follows(backend, params, &image((58, 75), 2), BOUND)
}
