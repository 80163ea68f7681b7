//! Simulated images with truth: at least as good as pySTEM with the same settings.

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use stemseg::backend::Backend;
use stemseg::descriptor::{FamilyParams, translation};
use stemseg::sites::Extent;
use stemseg::{Params, Silent, pipeline};

use stemseg_testing::data::{self, adjusted_rand_index, load2};
use stemseg_testing::devices::Devices;

/// Scenes that translations separate.
const SCENES: [&str; 6] = [
    "a_tilt_gb_fcc110",
    "b_square_hexagonal",
    "b_rectangular_oblique",
    "c_p4mm_p4",
    "d_chiral_mirror_domains",
    "i_pm_pg",
];

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    data::needs_shared("scenes", || {
        let run = |scene: &'static str| {
            devices.each(&format!("scenes::{scene}"), move |b| as_good_as_pystem(b, scene))
        };
        SCENES.into_iter().flat_map(run).collect()
    })
}

/// pySTEM's own result: the row of its local correlation map at mid noise.
fn baseline(scene: &str) -> Result<Value, Failed> {
    let text = std::fs::read_to_string(data::shared().join("data/baseline.json"))?;
    let all: Value = serde_json::from_str(&text)?;
    let rows = all["results"].as_array().ok_or("baseline.json has results")?;
    let fits = |row: &&Value| {
        row["case"] == scene
            && row["run"] == "local_correlation_map"
            && row["noise"] == "mid"
            && row["settings"]["stride"] == 5
    };
    rows.iter().find(fits).cloned().ok_or_else(|| format!("no row for {scene}").into())
}

fn as_good_as_pystem(backend: &dyn Backend, scene: &str) -> Result<(), Failed> {
    let row = baseline(scene)?;
    let number = |v: &Value| v.as_u64().map(|n| n as usize).ok_or("a number");
    let setting = |name: &str| number(&row["settings"][name]);
    let family = translation::Params {
        patch: Extent { rows: setting("patch_x")?, cols: setting("patch_y")? },
        window: Extent { rows: setting("window_x")?, cols: setting("window_y")? },
        ..Default::default()
    };
    let params = Params {
        families: vec![FamilyParams::Translation(family)],
        stride: setting("stride")?,
        clusters: vec![number(&row["n_classes"])?],
        ..Default::default()
    };
    let folder = data::shared().join("data/sim");
    let micrograph = data::micrograph(&folder.join(format!("{scene}_mid.npy")))?;
    let truth = load2(&folder.join(format!("{scene}_labels.npy")))?;
    let plan = stemseg::Plan::new(params, &micrograph)?;
    let found = pipeline::segment(&micrograph, plan, backend, &Silent, Default::default())?;
    let margin = number(&row["margin_px"])?;
    let inside = ndarray::s![margin..truth.nrows() - margin, margin..truth.ncols() - margin];
    let labels: Vec<u16> = found.results[0].map.pixels().slice(inside).iter().copied().collect();
    let truth: Vec<u64> = truth.slice(inside).iter().map(|&v| v as u64).collect();
    let index = adjusted_rand_index(&labels, &truth);
    let theirs = row["ari_interior"].as_f64().ok_or("a number")?;
    match index >= theirs - 0.01 {
        true => Ok(()),
        false => {
            Err(format!("interior adjusted Rand index {index:.4}, pySTEM's is {theirs}").into())
        }
    }
}
