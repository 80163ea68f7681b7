//! Which device computes. Nothing here depends on the adapters of the machine:
//! they are hidden, or taken as `stemseg devices` lists them.

use serde_json::Value;

use crate::job::{Job, stemseg, text};
use crate::place::Place;

const HOW_TO_GET_ONE: &[&str] =
    &["no graphics adapter was found", "install", "Vulkan", "llvmpipe", "--device cpu"];

/// `stemseg devices --json`.
fn listing() -> Value {
    let output = stemseg(&Place::empty()).args(["devices", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Names and kinds of the adapters of this machine.
fn adapters() -> Vec<(String, String)> {
    let listing = listing();
    let word = |device: &Value, key: &str| device[key].as_str().unwrap().to_owned();
    let devices = listing["devices"].as_array().unwrap();
    let adapters = devices.iter().filter(|device| device["kind"] != "cpu");
    adapters.map(|device| (word(device, "name"), word(device, "kind"))).collect()
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
    let verify = ["verify", "image.npy", "--patch", "6", "--window", "6"];
    let mut command = stemseg(&place);
    command.args(verify).env("WGPU_BACKEND", "vulkan").env("VK_DRIVER_FILES", "/dev/null");
    let output = command.env("VK_ICD_FILENAMES", "/dev/null").output().unwrap();
    crate::job::check_failure("verify", &output, 2, HOW_TO_GET_ONE);
}

#[test]
fn a_name_that_no_adapter_has_is_refused_with_those_there_are() {
    let adapters = adapters();
    if adapters.is_empty() {
        eprintln!("skipped: this machine has no adapter that could be listed");
        return;
    }
    let place = Place::with_scene();
    let names: Vec<&str> = adapters.iter().map(|(name, _)| name.as_str()).collect();
    Job::new().set("--device", "no such adapter").refused(&place, "name", &names);
    if adapters.iter().all(|(_, kind)| kind == "software-gpu") {
        let words = [names[0], "install", "--device cpu"];
        Job::new().set("--device", "gpu").refused(&place, "no real GPU", &words);
        let output = Job::new().set("--device", "auto").succeed(&place);
        assert!(text(&output.stderr).contains(names[0]), "{}", text(&output.stderr));
        assert_eq!(place.json("image.stemseg/summary.json")["device"]["kind"], "cpu");
    }
}

#[test]
fn an_adapter_is_found_by_part_of_its_name() {
    let Some((name, kind)) = adapters().into_iter().next() else {
        eprintln!("skipped: this machine has no adapter");
        return;
    };
    let part = name.split(' ').next().unwrap().to_uppercase();
    let place = Place::with_scene();
    Job::new().set("--device", &part).succeed(&place);
    let device = &place.json("image.stemseg/summary.json")["device"];
    let found = device["name"].as_str().unwrap();
    assert!(found.to_uppercase().contains(&part), "{part} gave {found}");
    assert!(found != name || device["kind"] == kind.as_str());
    assert_eq!(place.labels("image.stemseg/labels.npy").iter().filter(|&&l| l == 0).count(), 0);
}
