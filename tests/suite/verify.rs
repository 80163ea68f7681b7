//! `verify` passes where backends agree, and fails when one constant of one
//! shader is changed.

use libtest_mimic::{Failed, Trial};
use ndarray::ArrayView2;
use stemseg::backend::cpu::Cpu;
use stemseg::backend::gpu::{Gpu, Options, Shaders};
use stemseg::backend::{Assign, Backend, Describe, DeviceInfo};
use stemseg::descriptor::harmonic::Pool;
use stemseg::descriptor::{Common, FamilyParams};
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::sites::Extent;
use stemseg::verify::{Report, verify};
use stemseg::{Params, Plan, Silent};

use crate::contract::noise;
use stemseg_testing::data;
use stemseg_testing::devices::Devices;

/// Shader, what is changed, the families that are verified, and the first stage that
/// must show it.
type Mutation = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// One constant each; where it is a factor, it is wrong by a thousandth.
const MUTATIONS: [Mutation; 28] = [
    ("translation", "leave + params.height", "leave + params.height + 1u", "translation", ""),
    (
        "translation",
        "select(rho, 1.0, identity)",
        "select(rho, 0.999, identity)",
        "translation",
        "",
    ),
    (
        "translation",
        "clamp(covariance * inverse[norm]",
        "clamp(1.001 * covariance * inverse[norm]",
        "translation",
        "",
    ),
    ("translation", "column + 1u == params.rest", "column == params.rest", "translation", ""),
    ("translation", "k = folded * params.fold;", "k = folded;", "translation", ""),
    ("intensity", "= centre + mean", "= centre + 1.001 * mean", "intensity", ""),
    ("intensity", "sqrt(square / f32", "sqrt(1.002 * square / f32", "intensity", ""),
    ("polar", "clamp(total / norm", "clamp(1.001 * total / norm", "rotation", ""),
    ("polar", "select(2.0, 1.0, alone)", "select(2.002, 1.0, alone)", "reflection", ""),
    ("glide", "clamp(sum.x", "clamp(1.001 * sum.x", "glide", ""),
    ("glide", "* ANGLES + mirror)", "* ANGLES + mirror / 2u)", "rotation+glide", "glide"),
    (
        "harmonic",
        "let values = sums * inverse",
        "let values = 1.001 * sums * inverse",
        "harmonic",
        "",
    ),
    ("harmonic", "sums_one[3] += a.w * z", "sums_one[3] += 1.001 * a.w * z", "harmonic", ""),
    ("maximum", "phase.cos * re", "1.001 * phase.cos * re", "translation+harmonic", "harmonic"),
    ("maximum", "phase.sin * im", "1.001 * phase.sin * im", "harmonic", ""),
    ("power_mean", "sum / norm)", "1.01 * sum / norm)", "power-mean", "harmonic"),
    ("centred", "score = all.both", "score = 1.001 * all.both", "centred-translation", ""),
    ("centred_cells", "both += weight *", "both += 1.002 * weight *", "centred-translation", ""),
    ("power_spectrum", "= 4.0 * total", "= 4.004 * total", "power-spectrum", ""),
    ("power_spectrum", "dot(same, same)", "1.001 * dot(same, same)", "power-spectrum", ""),
    ("moments", "const SITES: u32 = 16u", "const SITES: u32 = 15u", "translation", "moments"),
    ("moments", "select(0.0, 1.0, channel", "select(0.0, 2.0, channel", "translation", "moments"),
    ("moments", "row2 += x.z * y", "row2 += 1.001 * x.z * y", "power-spectrum", "moments"),
    ("fold", "sum += partial[at]", "sum += 1.001 * partial[at]", "translation", "moments"),
    ("project", "const GROUP: u32 = 8u", "const GROUP: u32 = 2u", "translation", "features"),
    ("project", "low += x * ", "low += 1.001 * x * ", "power-spectrum", "features"),
    ("assign", "var first = 0u", "var first = 8u", "translation", "assignment"),
    ("assign", "low += a * a", "low += 1.01 * a * a", "translation", "assignment"),
];

/// What is verified of each family, and of several together.
const TOGETHER: [&str; 7] = [
    "power-mean",
    "rotation+glide",
    "centred-translation+power-mean",
    "translation+harmonic",
    "harmonic+intensity+power-spectrum",
    "power-spectrum+translation",
    "translation+rotation+reflection+glide",
];

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    for families in FamilyParams::NAMES.into_iter().chain(TOGETHER) {
        for image in ["tilt.npy", "square_hex.npy", "vacuum.npy"] {
            let name = format!("verify::agrees_on_{families}_of_{image}");
            trials.push(devices.gpu_trial(&name, move |gpu| agrees(families, image, gpu)));
        }
    }
    trials.push(devices.gpu_trial("verify::bands_change_no_verdict", bands_change_no_verdict));
    for (i, (shader, from, to, families, stage)) in MUTATIONS.into_iter().enumerate() {
        trials.push(devices.gpu_trial_with(
            &format!("verify::mutation_{i}_of_{shader}_shows"),
            move || Options { shaders: mutated(shader, from, to), ..Default::default() },
            move |gpu| {
                let report = report(families, "tilt.npy", gpu)?;
                let failed = report.stages.iter().find(|s| !s.passed).map(|s| s.name);
                let stage = if stage.is_empty() { families } else { stage };
                match failed == Some(stage) && !report.passed {
                    true => Ok(()),
                    false => Err(format!("'{to}': {report:#?}").into()),
                }
            },
        ));
    }
    trials
}

fn agrees(families: &str, image: &str, gpu: &Gpu) -> Result<(), Failed> {
    let report = report(families, image, gpu)?;
    if !report.passed {
        return Err(format!("{report:#?}").into());
    }
    let names: Vec<&str> = report.stages.iter().map(|s| s.name).collect();
    let patterns = ["assignment", "sums", "labels", "confidence"];
    let stages = ["moments", "features"].into_iter().chain(patterns).chain(patterns);
    let expected: Vec<&str> = families.split('+').map(name).chain(stages).collect();
    match names == expected {
        true => Ok(()),
        false => Err(format!("stages {names:?} instead of {expected:?}").into()),
    }
}

pub(crate) fn mutated(shader: &str, from: &str, to: &str) -> Shaders {
    let shaders = Shaders::default();
    assert_eq!(
        shaders[shader].matches(from).count(),
        1,
        "'{from}' must stand once in {shader}.wgsl"
    );
    shaders.replaced(shader, from, to)
}

/// Name of the family; `power-mean` is the harmonic one so pooled.
fn name(family: &str) -> &str {
    if family == "power-mean" { "harmonic" } else { family }
}

fn params(families: &str) -> Result<Params, Failed> {
    let family = |name: &str| -> Result<FamilyParams, Failed> {
        let mut family = FamilyParams::from_name(self::name(name))?;
        let Common { patch, window, radius, .. } = family.common();
        patch.into_iter().for_each(|patch| *patch = Extent::square(9));
        window.into_iter().for_each(|window| *window = Extent::square(8));
        radius.into_iter().for_each(|radius| *radius = 9);
        match &mut family {
            FamilyParams::Centred(p) => p.width = 5.0,
            FamilyParams::Harmonic(p) if name == "power-mean" => {
                p.pool = Pool::PowerMean { width: 3.0 };
            }
            FamilyParams::Translation(p) => p.max_points = 81,
            FamilyParams::Glide(p) => (p.rings, p.periods) = (12, vec![9.3]),
            FamilyParams::PowerSpectrum(p) => p.window = Extent { rows: 9, cols: 11 },
            _ => {}
        }
        Ok(family)
    };
    let families = families.split('+').map(family).collect::<Result<_, _>>()?;
    Ok(Params { families, stride: 3, clusters: vec![2, 3], ..Default::default() })
}

fn report(families: &str, image: &str, gpu: &Gpu) -> Result<Report, Failed> {
    let micrograph = data::micrograph(&data::reference().join(image))?;
    Ok(verify(&micrograph, params(families)?, &Cpu::new(), gpu, &Silent)?)
}

/// A backend that can do one row of tiles at a time.
pub(crate) struct Low<'a>(pub(crate) &'a dyn Backend);

impl Backend for Low<'_> {
    fn device(&self) -> &DeviceInfo {
        self.0.device()
    }

    fn band_rows(&self, _: &Plan, _: u64) -> stemseg::Result<usize> {
        Ok(1)
    }

    fn upload<'a>(
        &'a self,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> stemseg::Result<Box<dyn Describe + 'a>> {
        self.0.upload(image, plan)
    }

    fn assigner<'a>(
        &'a self,
        points: ArrayView2<'a, f32>,
    ) -> stemseg::Result<Box<dyn Assign + 'a>> {
        self.0.assigner(points)
    }
}

/// The worst values are the same, whatever the bands.
fn bands_change_no_verdict(gpu: &Gpu) -> Result<(), Failed> {
    let families = "intensity+power-spectrum";
    let micrograph = Micrograph::new(noise((160, 90), 8).view(), None, NonFinite::Fail)?;
    let run = |checked: &dyn Backend| {
        verify(&micrograph, params(families)?, &Cpu::new(), checked, &Silent).map_err(Failed::from)
    };
    let (whole, low) = (run(gpu)?, run(&Low(gpu))?);
    for (a, b) in whole.stages.iter().zip(&low.stages) {
        if (a.worst, a.pair, &a.place, a.values) != (b.worst, b.pair, &b.place, b.values) {
            return Err(format!("{a:#?} or {b:#?}").into());
        }
    }
    match whole.passed && low.passed {
        true => Ok(()),
        false => Err(format!("{low:#?}").into()),
    }
}
