//! What turning and mirroring an image does to each family.

use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, ArrayView2};
use stemseg::backend::Backend;
use stemseg::descriptor::{
    FamilyParams, centred, glide, harmonic, power_spectrum, reflection, rotation, translation,
};
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::sites::Extent;
use stemseg::{Params, Plan};

use crate::contract::{describe, noise};
use crate::families::sized;
use stemseg_testing::data::compare;
use stemseg_testing::devices::Devices;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in FamilyParams::NAMES {
        for (what, change) in [("turned", &TURNED), ("mirrored", &MIRRORED)] {
            let title = format!("symmetry::{name}_of_a_{what}_image");
            trials.extend(devices.each(&title, move |b| changed(b, name, change)));
        }
    }
    trials
}

const ANGLES: usize = 12;
const AXES: usize = 10;

/// Bound of the differences, as a share of the largest value.
pub(crate) const BOUND: f64 = 2e-5;

/// Small enough for a small image.
pub(crate) fn family(name: &str) -> FamilyParams {
    let (radius, window, inner_stride, pool_top) = (7, Extent::square(4), 2, 2);
    match name {
        "translation" => FamilyParams::Translation(translation::Params {
            patch: Extent::square(radius),
            window,
            max_points: 49,
            list: None,
        }),
        "centred-translation" => {
            FamilyParams::Centred(centred::Params { width: 4.0, ..Default::default() })
        }
        "rotation" => FamilyParams::Rotation(rotation::Params {
            radius,
            window,
            inner_stride,
            pool_top,
            ..Default::default()
        }),
        "reflection" => FamilyParams::Reflection(reflection::Params {
            radius,
            window,
            axes: AXES,
            inner_stride,
            pool_top,
            ..Default::default()
        }),
        "glide" => FamilyParams::Glide(glide::Params {
            radius,
            window,
            axes: AXES,
            periods: vec![7.4],
            rings: 9,
            inner_stride,
            pool_top,
        }),
        "harmonic" => FamilyParams::Harmonic(harmonic::Params {
            radius,
            window,
            angles: ANGLES,
            inner_stride,
            ..Default::default()
        }),
        "power-spectrum" => FamilyParams::PowerSpectrum(power_spectrum::Params {
            window: Extent::square(radius),
            // Logarithms show the rounding of the strongest frequency in the weakest.
            scale: power_spectrum::Scale::Linear,
            ..Default::default()
        }),
        other => sized(other, Extent::square(radius), radius, [inner_stride, pool_top]),
    }
}

/// A change of a square image of which site `(row, col)` of `n x n` was `site`, pixels
/// likewise.
struct Change {
    site: fn([usize; 2], usize) -> [usize; 2],
    /// What axis the axis was, and what phase the phase of an order.
    axis: fn(usize) -> usize,
    phase: fn(usize, usize) -> usize,
    /// What displacement, or frequency, `[rows, cols]` was.
    vector: fn([i32; 2]) -> [i32; 2],
    /// Whether it makes a left hand of a right one.
    swaps_hands: bool,
}

/// A quarter of a turn takes the angle 90 degrees to 0.
static TURNED: Change = Change {
    site: |[row, col], n| [col, n - 1 - row],
    axis: |axis| (axis + AXES / 2) % AXES,
    phase: |order, phase| (phase + order * ANGLES / 4) % ANGLES,
    vector: |[rows, cols]| [cols, -rows],
    swaps_hands: false,
};

/// A mirror changes the sign of angles.
static MIRRORED: Change = Change {
    site: |[row, col], n| [n - 1 - row, col],
    axis: |axis| (AXES - axis) % AXES,
    phase: |_, phase| (ANGLES - phase) % ANGLES,
    vector: |[rows, cols]| [-rows, cols],
    swaps_hands: true,
};

/// The two whole numbers in the name of a channel, `translation (+8, -10) px`.
fn vector(name: &str) -> Option<[i32; 2]> {
    let (_, rest) = name.split_once('(')?;
    let (rows, rest) = rest.split_once(", ")?;
    let (cols, _) = rest.split_once(')')?;
    Some([rows.parse().ok()?, cols.parse().ok()?])
}

/// The channel of the original that has the values of channel `c` of the changed image.
fn partner(family: &str, names: &[String], c: usize, change: &Change) -> Option<usize> {
    match family {
        "translation" | "centred-translation" | "power-spectrum" => {
            let [rows, cols] = (change.vector)(vector(&names[c])?);
            let at = |v| names.iter().position(|name| vector(name) == Some(v));
            // Of opposite frequencies, or centred translations, one is there.
            at([rows, cols]).or_else(|| at([-rows, -cols]).filter(|_| family != "translation"))
        }
        "reflection" | "glide" => Some(c / AXES * AXES + (change.axis)(c % AXES)),
        "harmonic" => {
            // Order 0 has two phases on each of three rings, then orders 1, 2, 3, 4, 6.
            let Some(rest) = c.checked_sub(6) else { return Some(c) };
            let order = [1, 2, 3, 4, 6][rest / (3 * ANGLES)];
            Some(6 + rest / ANGLES * ANGLES + (change.phase)(order, rest % ANGLES))
        }
        _ => Some(c),
    }
}

/// Descriptors of a square image `[site row, site col][channel]`.
fn described(
    backend: &dyn Backend,
    name: &str,
    image: ArrayView2<'_, f64>,
) -> Result<(Plan, Array2<f32>), Failed> {
    let params = Params { families: vec![family(name)], stride: 4, ..Default::default() };
    let micrograph = Micrograph::new(image, None, NonFinite::Fail)?;
    let plan = Plan::new(params, &micrograph)?;
    let found = describe(backend, micrograph.standardised()?, &plan, usize::MAX)?;
    Ok((plan, found))
}

/// Margins are 15 px for glides, 7 for power and intensity, 11 for the others but centred
/// translations, which have none; sites are 4 px apart, inner sites 2: so the last is as
/// far from the border as the first.
fn changed(backend: &dyn Backend, name: &'static str, change: &Change) -> Result<(), Failed> {
    let side = if name == "centred-translation" { 57 } else { 59 };
    let image = noise((side, side), 31);
    let moved = Array2::from_shape_fn((side, side), |(r, c)| {
        let [row, col] = (change.site)([r, c], side);
        image[(row, col)]
    });
    let (plan, original) = described(backend, name, image.view())?;
    let (_, found) = described(backend, name, moved.view())?;
    let (names, n) = (plan.channel_names(), plan.sites().grid().count.rows);
    let partners: Option<Vec<usize>> =
        (0..names.len()).map(|c| partner(name, &names, c, change)).collect();
    let partners = partners.ok_or("a channel has no partner")?;
    let largest = original.iter().fold(1.0, |most: f32, v| most.max(v.abs()));
    let agrees = |partners: &[usize]| {
        let expected = Array2::from_shape_fn(found.dim(), |(site, c)| {
            let [row, col] = (change.site)([site / n, site % n], n);
            f64::from(original[(row * n + col, partners[c])])
        });
        let (found, expected) = (found.as_slice(), expected.as_slice());
        let (found, expected) = (found.ok_or("contiguous")?, expected.ok_or("contiguous")?);
        compare(name, found, expected, names.len(), BOUND * f64::from(largest))
    };
    agrees(&partners)?;
    // One hand is told from the other.
    let unchanged: Vec<usize> = (0..names.len()).collect();
    match change.swaps_hands && name == "harmonic" && agrees(&unchanged).is_ok() {
        true => Err("harmonics do not show that hands are swapped".into()),
        false => Ok(()),
    }
}
