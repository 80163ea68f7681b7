//! Symmetry maps: the scores of the definition, at centres and axes that are known.

use libtest_mimic::{Failed, Trial};
use ndarray::Array2;
use stemseg::backend::Backend;
use stemseg::descriptor::{FamilyParams, glide, reflection, rotation};
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::maps::symmetry::{self, SymmetryMap};
use stemseg::plan::Outline;
use stemseg::sites::Extent;
use stemseg::{Params, Plan, Silent};

use stemseg_testing::data::compare;
use stemseg_testing::devices::Devices;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    for name in ["rotation", "reflection", "glide"] {
        let title = format!("maps::{name}_is_the_best_of_the_definition");
        trials.extend(devices.each(&title, move |b| by_definition(b, name)));
    }
    trials.extend(devices.each("maps::angles_of_turned_mirrors", turned_mirrors));
    trials.extend(devices.each("maps::centres_of_a_crystal", centres));
    trials
}

/// Waves of 16 and 11 px at right angles, turned by `degrees`: mirrors along both.
fn waves(degrees: f64) -> Array2<f64> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let wave = |along: f64, period: f64| (std::f64::consts::TAU * along / period).cos();
    Array2::from_shape_fn((96, 90), |(r, c)| {
        let (row, col) = (r as f64 - 48.0, c as f64 - 45.0);
        wave(col * cos + row * sin, 16.0) + 0.7 * wave(row * cos - col * sin, 11.0)
    })
}

fn family(name: &str) -> FamilyParams {
    let (radius, window, inner_stride) = (9, Extent::square(7), 3);
    match name {
        "rotation" => FamilyParams::Rotation(rotation::Params {
            radius,
            window,
            inner_stride,
            ..Default::default()
        }),
        "reflection" => FamilyParams::Reflection(reflection::Params {
            radius,
            window,
            inner_stride,
            ..Default::default()
        }),
        _ => FamilyParams::Glide(glide::Params {
            radius,
            window,
            inner_stride,
            axes: 6,
            rings: 9,
            periods: vec![12.3],
            ..Default::default()
        }),
    }
}

fn map(
    backend: &dyn Backend,
    image: &Array2<f64>,
    family: &FamilyParams,
) -> Result<SymmetryMap, Failed> {
    let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
    let map = symmetry::of(&micrograph, family, backend, 1 << 28, &Silent)?;
    map.ok_or_else(|| "the family has no map".into())
}

fn by_definition(backend: &dyn Backend, name: &str) -> Result<(), Failed> {
    let noise = crate::contract::noise((60, 72), 5);
    let image = &waves(20.0).slice(ndarray::s![..60, ..72]) + &(0.02 * noise);
    let found = map(backend, &image, &family(name))?;
    // A site with a window that holds the inner site alone, one rank.
    let (window, pool_top) = (Extent::default(), 1);
    let alone = match family(name) {
        FamilyParams::Rotation(p) => {
            FamilyParams::Rotation(rotation::Params { window, pool_top, ..p })
        }
        FamilyParams::Reflection(p) => {
            FamilyParams::Reflection(reflection::Params { window, pool_top, axes: 60, ..p })
        }
        FamilyParams::Glide(p) => FamilyParams::Glide(glide::Params { window, pool_top, ..p }),
        other => other,
    };
    let params = Params { families: vec![alone], stride: 3, ..Default::default() };
    let plan = Plan::new(params, Outline::new(image.dim(), 1.0))?;
    if *plan.sites().grid() != found.grid {
        return Err(format!("{:?} instead of {:?}", found.grid, plan.sites().grid()).into());
    }
    let scores = plan.families()[0].by_definition(image.view(), plan.sites().grid(), None);
    let best: Vec<f64> =
        scores.rows().into_iter().map(|row| row.iter().copied().fold(-1.0, f64::max)).collect();
    compare("best", found.best.as_slice().ok_or("contiguous")?, &best, 1, 1e-5)?;
    for (channel, (order, map)) in found.orders.iter().enumerate() {
        let expected = scores.column(channel).to_vec();
        let name = format!("{order}-fold");
        compare(&name, map.as_slice().ok_or("contiguous")?, &expected, 1, 1e-5)?;
    }
    match (name, found.orders.len()) {
        ("rotation", 4) | ("reflection" | "glide", 0) => Ok(()),
        (_, orders) => Err(format!("{orders} maps of orders").into()),
    }
}

/// Where a mirror is nearly perfect, its angle is right to a degree and a half.
fn turned_mirrors(backend: &dyn Backend) -> Result<(), Failed> {
    for degrees in [0.0, 7.3, 31.0, 58.6] {
        let found = map(backend, &waves(degrees), &family("reflection"))?;
        let mut seen = [0; 2];
        for (&score, &angle) in found.best.iter().zip(&found.of) {
            // The sides of the crystal are the angle and a right angle beyond.
            let off = (f64::from(angle) - degrees).rem_euclid(90.0);
            let off = off.min(90.0 - off);
            if score > 0.98 {
                if off > 1.5 {
                    return Err(format!("{angle} deg for {degrees} scores {score}").into());
                }
                let first = (f64::from(angle) - degrees + 45.0).rem_euclid(180.0) < 90.0;
                seen[usize::from(first)] += 1;
            }
        }
        if seen.contains(&0) {
            return Err(format!("{seen:?} mirrors along either side at {degrees} deg").into());
        }
    }
    Ok(())
}

/// The centre of the waves is a two-fold axis; between its centres there is none.
fn centres(backend: &dyn Backend) -> Result<(), Failed> {
    let found = map(backend, &waves(0.0), &family("rotation"))?;
    let at =
        |row: usize, col: usize| ((row - found.grid.row(0)) / 3, (col - found.grid.col(0)) / 3);
    // (48, 45) is a centre; a quarter of the longer wave next to it nothing is.
    let (centre, beside) = (at(48, 45), at(48, 48));
    if found.best[centre] < 0.999 || found.of[centre] != 2.0 {
        return Err(format!("{} of order {}", found.best[centre], found.of[centre]).into());
    }
    match found.best[beside] {
        ..0.9 => Ok(()),
        score => Err(format!("{score} next to the centre").into()),
    }
}
