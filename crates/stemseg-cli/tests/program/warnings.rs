//! What a reader is warned of, and how sure labels say to be, on images with a known answer.

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::job::{stemseg, text};
use stemseg_testing::data;
use stemseg_testing::place::Place;

type Outcome = Result<(), Failed>;

/// Single crystals and noise, which two patterns are a cut through.
const ONE: [&str; 9] = [
    "kinds/one_bent.npy",
    "kinds/one_strained.npy",
    "kinds/one_wedge.npy",
    "kinds/one_spot.npy",
    "kinds/one_drift_4.npy",
    "kinds/one_drift_8.npy",
    "kinds/one_flyback.npy",
    "kinds/noise.npy",
    "real/atomsegnet_Si110_5nmX25us_03_none_none.png",
];

/// Two patterns each, and labels that are right.
const TWO: [&str; 8] = [
    "kinds/two_bent.npy",
    "kinds/two_drift_8.npy",
    "kinds/two_low_angle.npy",
    "kinds/polar_180.npy",
    "kinds/lamellae.npy",
    "kinds/weak_inversion.npy",
    "sim/f_L12_precipitates_high.npy",
    "sim/c_homometric_p3m1_p6mm_high.npy",
];

/// An image, arguments, and the codes that it must and must not raise.
type Case = (&'static str, Words, Words, Words);
type Words = &'static [&'static str];

const CODES: [Case; 10] = [
    ("kinds/one_drift_8.npy", &["-k", "2"], &["no-gap", "scan-rows"], &["no-lattice"]),
    ("kinds/one_drift_4.npy", &["-k", "2"], &["no-gap", "scan-rows"], &[]),
    ("kinds/one_flyback.npy", &["-k", "2"], &["no-gap", "scan-rows"], &[]),
    // Layers and lamellae along the rows, with a gap.
    ("sim/e_twin_stacking_fault_mid.npy", &["-k", "3"], &[], &["no-gap", "scan-rows"]),
    ("sim/g_crystal_amorphous_vacuum_mid.npy", &["-k", "3"], &[], &["no-gap", "scan-rows"]),
    (
        "sim/a_tilt_gb_fcc110_mid.npy",
        &["-k", "2", "--pixel-size", "0.02nm"],
        &[],
        &["period", "scan-distortion"],
    ),
    ("real/render_CuGB_full.png", &[], &["scan-distortion"], &["no-lattice"]),
    ("cases/c16_white_noise.npy", &[], &["no-lattice"], &["no-gap"]),
    ("cases/c13_cell_in_metres.mrc", &["-k", "2"], &["pixel-size"], &["period"]),
    ("cases/c00_two_grains.npy", &["--period", "40px", "-k", "2"], &["settings"], &[]),
];

pub(crate) fn trials() -> Vec<Trial> {
    data::needs_shared("warnings::all", || {
        let mut trials = Vec::new();
        let name = |group: &str, file: &str| {
            format!("warnings::{group}_{}", file.rsplit(['/', '.']).nth(1).unwrap_or(file))
        };
        for file in ONE {
            trials.push(Trial::test(name("unsure_of", file), move || unsure(file)));
        }
        for file in TWO {
            trials.push(Trial::test(name("sure_of", file), move || sure(file)));
        }
        for case in CODES {
            trials.push(Trial::test(name("codes_of", case.0), move || codes(case)));
        }
        trials.push(Trial::test("warnings::one_pattern_in_noise", one_pattern));
        trials
    })
}

/// The summary of a run.
fn summary(file: &str, arguments: &[&str]) -> Result<Value, Failed> {
    let place = Place::empty();
    let file = data::shared().join("data").join(file);
    let mut command = stemseg(&place);
    command.args(["segment", "--json", "--device", "cpu", "--no-report", "--out", "r"]);
    let output = command.arg(&file).args(arguments).output()?;
    if !output.status.success() {
        return Err(text(&output.stderr).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn confidence(file: &str) -> Result<f64, Failed> {
    let summary = summary(file, &["-k", "2"])?;
    Ok(summary["confidence"]["mean"].as_f64().ok_or("no confidence")?)
}

fn unsure(file: &str) -> Outcome {
    match confidence(file)? {
        found if found < 0.6 => Ok(()),
        found => Err(format!("{found} sure of a cut through one crystal").into()),
    }
}

fn sure(file: &str) -> Outcome {
    match confidence(file)? {
        found if found > 0.85 => Ok(()),
        found => Err(format!("{found} sure of two patterns").into()),
    }
}

fn codes((file, arguments, must, must_not): (&str, &[&str], &[&str], &[&str])) -> Outcome {
    let warnings = summary(file, arguments)?["warnings"].clone();
    let has = |code: &&&str| {
        warnings.as_array().is_some_and(|all| all.iter().any(|warning| warning["code"] == **code))
    };
    let missing: Vec<_> = must.iter().filter(|code| !has(code)).collect();
    let wrong: Vec<_> = must_not.iter().filter(|code| has(code)).collect();
    if missing.is_empty() && wrong.is_empty() {
        return Ok(());
    }
    Err(format!("missing {missing:?}, wrong {wrong:?} in {warnings:#}").into())
}

fn one_pattern() -> Outcome {
    let summary = summary("cases/c16_white_noise.npy", &[])?;
    let (k, source) = (&summary["kmeans"]["clusters"], &summary["lattice"]["period_source"]);
    match (k.as_u64(), source.as_str()) {
        (Some(1), Some("none")) => Ok(()),
        _ => Err(format!("{k} patterns, period: {source}").into()),
    }
}
