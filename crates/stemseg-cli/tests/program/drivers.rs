//! Other eyes on what llvmpipe runs: a second, independent driver, so that no agreement is
//! by accident, and the Khronos validation layer.
//!
//! SwiftShader comes with Chromium, the layer with Debian's `vulkan-validationlayers`.
//! Where they are missing the trials are ignored with the reason, and fail where `CI` is
//! set. `STEMSEG_TESTS_DRIVERS=off` leaves them out.

use std::path::Path;

use libtest_mimic::Trial;

use crate::job::{stemseg, text};
use stemseg_testing::needs::{self, turned_off};
use stemseg_testing::place::Place;

/// Where Chromium and its like have SwiftShader.
const SWIFTSHADER: [&str; 4] = [
    "/usr/lib/chromium/vk_swiftshader_icd.json",
    "/usr/lib/chromium-browser/vk_swiftshader_icd.json",
    "/opt/google/chrome/vk_swiftshader_icd.json",
    "/usr/share/vulkan/icd.d/vk_swiftshader_icd.json",
];

const VALIDATION: &str = "/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json";

/// The presets with sizes for the scene.
const PRESETS: [(&str, &[&str]); 2] = [
    ("pystem", &["--preset", "pystem", "--patch", "6", "--window", "6", "--stride", "4"]),
    ("auto", &["--preset", "auto"]),
];

pub(crate) fn trials() -> Vec<Trial> {
    let off = turned_off(&["STEMSEG_TESTS_DRIVERS", "STEMSEG_TESTS_GPU"]);
    let driver = SWIFTSHADER.into_iter().find(|path| Path::new(path).is_file());
    let there = |found: bool, what: &str| (!found).then(|| format!("there is no {what}"));
    let no_driver = off.clone().or_else(|| there(driver.is_some(), "SwiftShader (chromium)"));
    let no_layer = off.or_else(|| {
        there(Path::new(VALIDATION).is_file(), "validation layer (vulkan-validationlayers)")
    });
    let driver = driver.unwrap_or_default();
    let mut trials = Vec::new();
    for (preset, arguments) in PRESETS {
        let name = |test: &str| format!("drivers::{test}::{preset}");
        trials.push(needs::trial(
            name("swiftshader_agrees_stage_by_stage"),
            no_driver.as_deref(),
            move || swiftshader_agrees_stage_by_stage(driver, arguments),
        ));
        trials.push(needs::trial(
            name("swiftshader_gives_the_labels_of_the_cpu"),
            no_driver.as_deref(),
            move || swiftshader_gives_the_labels_of_the_cpu(driver, arguments),
        ));
        trials.push(needs::trial(
            name("a_run_keeps_to_the_rules_of_vulkan"),
            no_layer.as_deref(),
            move || a_run_keeps_to_the_rules_of_vulkan(arguments),
        ));
    }
    trials
}

/// The program with no other driver than SwiftShader.
fn swiftshader(driver: &str, place: &Place, arguments: &[&str]) {
    let mut command = stemseg(place);
    command.env("WGPU_BACKEND", "vulkan").env("VK_DRIVER_FILES", driver);
    command.env("VK_ICD_FILENAMES", driver).args(arguments);
    let output = command.args(["--device", "swiftshader"]).output().expect("the program starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

fn swiftshader_agrees_stage_by_stage(driver: &str, arguments: &[&str]) {
    let place = Place::with_scene();
    // The paper's way has no number of patterns to choose from.
    let clusters: &[&str] = if arguments.contains(&"pystem") { &["-k", "2"] } else { &[] };
    swiftshader(driver, &place, &[&["verify", "image.npy"], arguments, clusters].concat());
}

fn swiftshader_gives_the_labels_of_the_cpu(driver: &str, arguments: &[&str]) {
    let place = Place::with_scene();
    let segment = |out| {
        [&["segment", "image.npy", "-k", "2", "--no-report", "--out", out], arguments].concat()
    };
    swiftshader(driver, &place, &[&segment("own")[..], &["--check", "all"]].concat());
    let output = stemseg(&place).args(segment("cpu")).args(["--device", "cpu"]).output();
    assert!(output.expect("the program starts").status.success());
    let device = place.json("own/summary.json")["device"].clone();
    assert!(device["name"].as_str().is_some_and(|name| name.contains("SwiftShader")), "{device}");
    assert!(place.bytes("own/labels.npy") == place.bytes("cpu/labels.npy"), "labels differ");
}

/// What the validation layer reports, synchronisation included.
fn a_run_keeps_to_the_rules_of_vulkan(arguments: &[&str]) {
    let place = Place::with_scene();
    let log = place.path("validation.log");
    let settings = format!(
        "khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG\n\
         khronos_validation.log_filename = {}\n\
         khronos_validation.report_flags = error,warn\n\
         khronos_validation.enables = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT\n",
        log.display()
    );
    place.write("vk_layer_settings.txt", settings);
    let mut command = stemseg(&place);
    command.env("WGPU_BACKEND", "vulkan").env("VK_LOADER_DEBUG", "layer");
    command.env("VK_LAYER_SETTINGS_PATH", place.path("vk_layer_settings.txt"));
    command.env("VK_INSTANCE_LAYERS", "VK_LAYER_KHRONOS_validation");
    command.args(["segment", "image.npy", "-k", "2", "--device", "llvmpipe"]).args(arguments);
    let output = command.output().expect("the program starts");
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("VK_LAYER_KHRONOS_validation"), "the layer was not there: {said}");
    let found = std::fs::read_to_string(&log).unwrap_or_default();
    let errors = found.lines().filter(|line| line.contains("Validation Error"));
    assert_eq!(errors.count(), 0, "{found}");
}
