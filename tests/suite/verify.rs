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
const MUTATIONS: [(&str, &str, &str, &str); 8] = [
    ("translation", "2u * params.patch_rows + 1u", "2u * params.patch_rows + 2u", "descriptors"),
    ("translation", "select(rho, 1.0, identity)", "select(rho, 0.999, identity)", "descriptors"),
    (
        "translation",
        "clamp(covariance * inverse[a]",
        "clamp(1.001 * covariance * inverse[a]",
        "descriptors",
    ),
    ("moments", "const BLOCK: u32 = 16u", "const BLOCK: u32 = 15u", "moments"),
    ("moments", "select(0.0, 1.0, channel", "select(0.0, 2.0, channel", "moments"),
    ("project", "const GROUP: u32 = 8u", "const GROUP: u32 = 2u", "features"),
    ("assign", "var c = 0u", "var c = 1u", "assignment"),
    ("assign", "distance += d * d", "distance += 1.01 * d * d", "assignment"),
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

fn mutated(shader: &str, from: &str, to: &str) -> Shaders {
    let mut shaders = Shaders::default();
    let source = match shader {
        "translation" => &mut shaders.translation,
        "moments" => &mut shaders.moments,
        "project" => &mut shaders.project,
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
