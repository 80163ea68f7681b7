//! Sums against projections: a second way to the covariance of the same descriptors.
//!
//! With `y_a = r_a x` for a few vectors `r`, the sums over sites of `y_a` and `y_a y_b`
//! follow from those of `x` and `x x^T`. The device makes both, with different kernels. One
//! vector is of ones, which sees what all channels share; the others are of random signs.

use ndarray::{Array2, ArrayView2};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::Watch;
use super::window::map;
use crate::Result;
use crate::descriptor::rounding::{self, EPS};
use crate::plan::Plan;
use crate::reduce::pca::{Moments, PIECE, Pca};
use crate::sites::Band;

/// Vectors, that of ones among them.
const VECTORS: usize = 3;

/// A map of `channels` to sums of them.
pub(super) fn projections(channels: usize, random: &mut ChaCha8Rng) -> Pca {
    let mut sign = || if random.next_u32().is_multiple_of(2) { 1.0 } else { -1.0 };
    let vector = |(vector, _)| if vector == 0 { 1.0 } else { sign() };
    map(Array2::from_shape_fn((VECTORS, channels), vector))
}

/// Checks `moments` of `bands` against `projected` `[sites of the bands, 3]`, the
/// descriptors as `map` projects them.
pub(super) fn check(
    watch: &Watch,
    plan: &Plan,
    (moments, bands): (&Moments, &[Band]),
    (map, projected): (&Pca, ArrayView2<'_, f32>),
) -> Result<()> {
    let wrong = |holds: bool, reason: &dyn Fn() -> String| watch.require(holds, "moments", reason);
    let channels = moments.sum.len();
    let sites = || bands.iter().flat_map(Band::sites);
    let active = sites().filter(|&site| plan.sites().is_active(site)).count() as u64;
    wrong(moments.count == active, &|| {
        format!("they are of {} sites instead of {active}", moments.count)
    })?;
    let finite = moments.sum.iter().chain(&moments.products).all(|v| v.is_finite());
    wrong(finite, &|| "a sum is not finite".into())?;
    let all = sites().count();
    wrong(projected.nrows() == all, &|| {
        format!("{} sites were projected instead of {all}", projected.nrows())
    })?;

    // Column VECTORS is 1 everywhere.
    let mut sums = [[0.0; VECTORS + 1]; VECTORS + 1];
    for (_, row) in sites().zip(projected.rows()).filter(|(site, _)| plan.sites().is_active(*site))
    {
        let values: [f64; VECTORS + 1] =
            std::array::from_fn(|a| if a == VECTORS { 1.0 } else { f64::from(row[a]) });
        for (sums, a) in sums.iter_mut().zip(values) {
            sums.iter_mut().zip(values).for_each(|(sum, b)| *sum += a * b);
        }
    }
    let n = moments.count as f64;
    let size: f64 = (0..channels).map(|d| moments.products[(d, d)].max(0.0).sqrt()).sum();
    let lost = [PIECE, PIECES, PARTS].map(rounding::sum).iter().sum::<f64>()
        + rounding::sum(channels)
        + 2.0 * EPS;
    let r = &map.components;
    for (a, sums) in sums.iter().enumerate().take(VECTORS) {
        for (b, &sum) in sums.iter().enumerate().skip(a) {
            let (expected, size) = match b == VECTORS {
                true => (r.row(a).dot(&moments.sum), size * n.sqrt()),
                false => (quadratic(moments, r.row(a), r.row(b)), size * size),
            };
            let bound = 4.0 * lost * size;
            wrong((sum - expected).abs() <= bound, &|| {
                format!(
                    "a projection of them is {expected}, but of the descriptors {sum}, where \
                     rounding explains {bound:.1e}"
                )
            })?;
        }
    }
    Ok(())
}

/// Sums of pieces, and of parts of these, that a GPU adds up in f32 at most
/// (`shaders/moments.wgsl`, `shaders/fold.wgsl`).
const PIECES: usize = 32;
const PARTS: usize = 64;

/// `r_a^T P r_b`, of which the lower triangle is there.
fn quadratic(
    moments: &Moments,
    a: ndarray::ArrayView1<'_, f64>,
    b: ndarray::ArrayView1<'_, f64>,
) -> f64 {
    let products = &moments.products;
    let row = |i: usize| -> f64 {
        let below: f64 = (0..i).map(|j| products[(i, j)] * (a[i] * b[j] + a[j] * b[i])).sum();
        below + products[(i, i)] * a[i] * b[i]
    };
    (0..a.len()).map(row).sum()
}
