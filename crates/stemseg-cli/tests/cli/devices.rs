//! Which device computes. Nothing here depends on the adapters of the machine; what
//! needs one is among the trials of `tests/suite`.

use serde_json::Value;

use crate::job::{Job, stemseg, text};
use stemseg_testing::place::Place;

const HOW_TO_GET_ONE: &[&str] =
    &["no graphics adapter was found", "install", "Vulkan", "llvmpipe", "--device cpu"];

/// `stemseg devices --json`.
fn listing() -> Value {
    let output = stemseg(&Place::empty()).args(["devices", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn devices_lists_the_cpu_last_and_what_auto_takes() {
    let listing = listing();
    let devices = listing["devices"].as_array().unwrap();
    assert_eq!(devices.last().unwrap()["kind"], "cpu");
    for device in devices {
        assert!(["name", "kind", "backend"].iter().all(|key| device[*key].is_string()), "{device}");
        assert_eq!(device["limits"].is_object(), device["kind"] != "cpu", "{device}");
    }
    assert_ne!(listing["auto"]["kind"], "software-gpu", "the CPU is faster");
    assert!(listing["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    let output = stemseg(&Place::empty()).arg("devices").output().unwrap();
    let said = text(&output.stdout);
    for device in devices {
        assert!(said.contains(device["name"].as_str().unwrap()), "{device} is not in: {said}");
    }
    assert!(said.contains("--device auto takes"), "{said}");
}

#[test]
fn without_adapters_the_cpu_computes_and_says_so() {
    let place = Place::with_scene();
    let output = Job::new().without_adapters().set("--device", "auto").succeed(&place);
    let note = text(&output.stderr);
    assert!(note.starts_with("note: no graphics adapter"), "{note}");
    assert!(note.contains("CPU") && note.lines().count() == 1, "{note}");
    let summary = place.json("image.stemseg/summary.json");
    assert_eq!(summary["device"]["kind"], "cpu");
    assert_eq!(format!("note: {}\n", summary["notes"][0].as_str().unwrap()), note);
}

#[test]
fn a_gpu_that_is_not_there_is_refused_with_what_to_do() {
    let place = Place::with_scene();
    for device in ["gpu", "GPU", "llvmpipe", "no such adapter", ""] {
        let job = Job::new().without_adapters().set("--device", device);
        job.refused(&place, &format!("--device '{device}'"), HOW_TO_GET_ONE);
    }
    let verify = ["verify", "image.npy"];
    let mut command = stemseg(&place);
    command.args(verify).env("WGPU_BACKEND", "vulkan").env("VK_DRIVER_FILES", "/dev/null");
    let output = command.env("VK_ICD_FILENAMES", "/dev/null").output().unwrap();
    crate::job::check_failure("verify", &output, 2, HOW_TO_GET_ONE);
}
