//! `verify` passes where backends agree, and fails when one constant of one
//! shader is changed.

use libtest_mimic::{Failed, Trial};
use stemseg::backend::cpu::Cpu;
use stemseg::backend::gpu::{Options, Shaders};
use stemseg::descriptor::{FamilyParams, translation};
use stemseg::sites::Extent;
use stemseg::verify::{Report, verify};
use stemseg::{Params, Silent};

use crate::data;
use crate::devices::Devices;

/// Shader, what is changed, and the first stage that must show it.
const MUTATIONS: [(&str, &str, &str, &str); 13] = [
    ("translation", "leave + params.height", "leave + params.height + 1u", "descriptors"),
    ("translation", "select(rho, 1.0, identity)", "select(rho, 0.999, identity)", "descriptors"),
    (
        "translation",
        "clamp(covariance * inverse[norm]",
        "clamp(1.001 * covariance * inverse[norm]",
        "descriptors",
    ),
    ("translation", "column + 1u == params.rest", "column == params.rest", "descriptors"),
    ("translation", "k = folded * params.fold;", "k = folded;", "descriptors"),
    ("moments", "const SITES: u32 = 16u", "const SITES: u32 = 15u", "moments"),
    ("moments", "select(0.0, 1.0, channel", "select(0.0, 2.0, channel", "moments"),
    ("moments", "row2 += x.z * y", "row2 += x.y * y", "moments"),
    ("fold", "sum += partial[at]", "sum += 1.01 * partial[at]", "moments"),
    ("project", "const GROUP: u32 = 8u", "const GROUP: u32 = 2u", "features"),
    ("project", "low[c % 4u], c < 4u", "low[c % 4u], c < 3u", "features"),
    ("assign", "var first = 0u", "var first = 8u", "assignment"),
    ("assign", "low += a * a", "low += 1.01 * a * a", "assignment"),
];

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    for image in ["tilt.npy", "square_hex.npy", "vacuum.npy"] {
        trials.push(devices.gpu_trial(&format!("verify::agrees_on_{image}"), move |gpu| {
            let report = report(image, gpu)?;
            match report.passed {
                true => Ok(()),
                false => Err(format!("{report:#?}").into()),
            }
        }));
    }
    let Devices::Adapter(_) = devices else { return trials };
    for (i, (shader, from, to, stage)) in MUTATIONS.into_iter().enumerate() {
        let gpu = devices.gpu(Options { shaders: mutated(shader, from, to), ..Default::default() });
        trials.push(devices.gpu_trial(
            &format!("verify::mutation_{i}_of_{shader}_shows"),
            move |_| {
                let report = report("tilt.npy", gpu.as_ref().map_err(|e| format!("{e:?}"))?)?;
                let failed = report.stages.iter().find(|s| !s.passed).map(|s| s.name);
                match failed == Some(stage) && !report.passed {
                    true => Ok(()),
                    false => Err(format!("'{to}': the first stage to fail is {failed:?}").into()),
                }
            },
        ));
    }
    trials
}

pub(crate) fn mutated(shader: &str, from: &str, to: &str) -> Shaders {
    let mut shaders = Shaders::default();
    let source = match shader {
        "translation" => &mut shaders.translation,
        "polar" => &mut shaders.polar,
        "pooling" => &mut shaders.pooling,
        "moments" => &mut shaders.moments,
        "project" => &mut shaders.project,
        "repair" => &mut shaders.repair,
        "fold" => &mut shaders.fold,
        "cluster_sums" => &mut shaders.cluster_sums,
        _ => &mut shaders.assign,
    };
    assert_eq!(source.matches(from).count(), 1, "'{from}' must stand once in {shader}.wgsl");
    *source = source.replace(from, to).into();
    shaders
}

fn report(image: &str, gpu: &stemseg::backend::gpu::Gpu) -> Result<Report, Failed> {
    let micrograph = data::micrograph(&data::reference().join(image))?;
    let family = translation::Params {
        patch: Extent::square(9),
        window: Extent::square(8),
        max_points: 81,
        list: None,
    };
    let params = Params {
        families: vec![FamilyParams::Translation(family)],
        stride: 3,
        clusters: vec![2, 3],
        ..Default::default()
    };
    Ok(verify(&micrograph, params, &Cpu::new(), gpu, &Silent)?)
}
