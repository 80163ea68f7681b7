//! `model.json` survives the way to disk and back, follows its schema, and finds
//! the same patterns again.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::path::Path;

use ndarray::Array2;
use serde_json::{Value, json};
use stemseg::backend::{Backend, cpu::Cpu};
use stemseg::descriptor::{FamilyParams, translation};
use stemseg::image::micrograph::{Micrograph, NonFinite, PixelSize};
use stemseg::model::Model;
use stemseg::pipeline::{self, Segmentation};
use stemseg::sites::Extent;
use stemseg::{Params, Silent};

fn segmented() -> Segmentation {
    let wave = |x: usize, period: f64| (x as f64 * std::f64::consts::TAU / period).cos();
    let image = Array2::from_shape_fn((90, 130), |(r, c)| {
        let noise = ((r * 31 + c * 17) % 11) as f64 / 11.0;
        noise + if c < 60 { wave(r, 6.0) } else { wave(c, 7.0) * wave(r, 9.0) }
    });
    let family = translation::Params {
        patch: Extent::square(7),
        window: Extent::square(6),
        ..Default::default()
    };
    let params = Params {
        families: vec![FamilyParams::Translation(family)],
        stride: 3,
        clusters: vec![3],
        ..Default::default()
    };
    let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail).unwrap();
    let plan = stemseg::Plan::new(params, &micrograph).unwrap();
    pipeline::segment(&micrograph, plan, &Cpu::new(), &Silent, Default::default()).unwrap()
}

fn model() -> (Segmentation, Model) {
    let found = segmented();
    let size = Some(PixelSize { rows: 0.02, cols: 0.03 });
    let model = Model::new(&found, &found.results[0], size);
    (found, model)
}

fn written(value: &Value) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.json");
    std::fs::write(&path, value.to_string()).unwrap();
    (folder, path)
}

#[test]
fn it_comes_back_as_it_was() {
    let (_, model) = model();
    let (_folder, path) = written(&json!(model));
    assert_eq!(Model::load(&path).unwrap(), model);
}

#[test]
fn it_finds_the_same_labels_in_the_same_features() {
    let (found, model) = model();
    let (_folder, path) = written(&json!(model));
    let model = Model::load(&path).unwrap();
    assert_eq!(model.pca().components, found.pca.components);
    let centroids = model.centroids().mapv(|v| v as f32);
    let sites = found.features.nrows();
    let (mut labels, mut distances) = (vec![0; sites], vec![0.0; sites]);
    let cpu = Cpu::new();
    let mut assign = cpu.assigner(found.features.view()).unwrap();
    assign.step(centroids.view()).unwrap();
    assign.labels(&mut labels, &mut distances).unwrap();
    let expected: Vec<u32> = found.results[0].map.sites.iter().map(|&l| u32::from(l) - 1).collect();
    assert_eq!(labels, expected);
}

#[test]
fn it_follows_the_committed_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/model.schema.json");
    let schema = Model::schema();
    if std::env::var_os("STEMSEG_UPDATE").is_some() {
        std::fs::write(&path, format!("{schema:#}\n")).unwrap();
    }
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(committed, schema, "run the tests with STEMSEG_UPDATE=1 and review the change");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let value = json!(model().1);
    assert!(validator.is_valid(&value), "{:?}", validator.iter_errors(&value).next());
    let mut broken = value;
    broken["patterns"][0]["label"] = json!("one");
    assert!(!validator.is_valid(&broken));
}

#[test]
fn what_is_no_model_is_refused_with_the_reason() {
    let good = json!(model().1);
    let change = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        changed
    };
    let cases = [
        (json!({"a": 1}), "no 'format'"),
        (json!([1, 2]), "no 'format'"),
        (change("format", json!(3)), "use a newer stemseg"),
        (change("format", json!(1)), "fit the model anew"),
        (change("mean", json!([1.0])), "channels has"),
        (change("patterns", json!([])), "no pattern"),
        (change("within_variance", json!([])), "within_variance has 0"),
        (change("surprise", json!(1)), "surprise"),
    ];
    for (value, expected) in cases {
        let (_folder, path) = written(&value);
        let error = Model::load(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("model.json"), "{expected}: {error}");
    }
    let error = Model::load(Path::new("no/such/model.json")).unwrap_err().to_string();
    assert!(error.contains("no/such/model.json"), "{error}");
}
