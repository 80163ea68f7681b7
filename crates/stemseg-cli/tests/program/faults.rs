//! GPUs that fail: a Vulkan layer (`tests/faults/vulkan`) makes a software adapter leave
//! out dispatches, get lost, run out of memory, or lack something.
//!
//! The layer works on the program as a whole, in processes of its own, with llvmpipe as
//! the device. Where a compiler, Vulkan's headers or llvmpipe are missing, the trials are
//! ignored with the reason; where `CI` is set they fail. `STEMSEG_TESTS_FAULTS=off` leaves
//! them out.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::job::{stemseg, text};
use crate::series::{differing, film};
use stemseg_testing::needs::{self, turned_off};
use stemseg_testing::place::{Place, scene};

/// Name that the layer gives the device.
const NAME: &str = "Faulty GPU";

/// Settings whose runs are tried: few sites, all kernels.
const KINDS: [(&str, &[&str]); 3] = [
    ("pystem", &["--preset", "pystem", "--patch", "6", "--window", "6", "--stride", "4"]),
    ("auto", &[]),
    (
        "families",
        &[
            "--descriptor",
            "rotation+reflection+glide+harmonic+power-spectrum+intensity",
            "--glide-period",
            "9px",
            "--radius",
            "6",
            "--rings",
            "5",
            "--axes",
            "3",
            "--folds",
            "2,3",
            "--orders",
            "0,2",
            "--inner-stride",
            "4",
            "--pool-top",
            "2",
            "--window",
            "6",
            "--stride",
            "8",
        ],
    ),
];

/// How long a run may take: everything is a program here, and machines are busy.
const PATIENCE: Duration = Duration::from_secs(600);

/// Where drivers of llvmpipe are listed.
const DRIVERS: [&str; 2] = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

pub(crate) fn trials() -> Vec<Trial> {
    let missing = turned_off(&["STEMSEG_TESTS_FAULTS", "STEMSEG_TESTS_GPU"])
        .or_else(|| layer().as_ref().err().cloned());
    let mut trials = Vec::new();
    let mut add = |name: String, test: Box<dyn Fn() + Send + Sync>| {
        trials.push(needs::trial(format!("faults::{name}"), missing.as_deref(), test));
    };
    for (kind, arguments) in KINDS {
        add(
            format!("every_nth_dispatch_left_out_is_noticed::{kind}"),
            Box::new(move || every_nth_dispatch_left_out_is_noticed(arguments)),
        );
        add(
            format!("auto_repeats_on_the_cpu_what_was_wrong::{kind}"),
            Box::new(move || auto_repeats_on_the_cpu_what_was_wrong(arguments)),
        );
        add(
            format!("all_of_a_sound_run_agrees::{kind}"),
            Box::new(move || all_of_a_sound_run_agrees(arguments)),
        );
    }
    let simple: [(&str, fn()); 8] = [
        ("short_dispatches_are_noticed", short_dispatches_are_noticed),
        ("a_device_that_fails_its_self_test_is_passed_over", failed_self_test),
        ("a_lost_device_is_no_panic_and_the_cpu_goes_on", lost_device),
        ("memory_that_runs_out_is_no_panic_and_the_cpu_goes_on", no_memory),
        ("in_a_batch_the_other_images_are_done", batch),
        ("a_film_goes_on_with_the_frames_that_were_under_way", film_goes_on),
        ("an_adapter_below_the_limits_is_passed_over", below_the_limits),
        ("devices_says_why_auto_passes_over_an_adapter", devices_says_why),
    ];
    for (name, test) in simple {
        add(name.into(), Box::new(test));
    }
    trials
}

/// What the trials need.
struct Layer {
    folder: PathBuf,
    driver: PathBuf,
}

/// Compiles the layer, once.
fn layer() -> &'static Result<Layer, String> {
    static LAYER: OnceLock<Result<Layer, String>> = OnceLock::new();
    LAYER.get_or_init(|| {
        let named = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lvp_icd"))
        };
        let drivers = DRIVERS.iter().filter_map(|folder| std::fs::read_dir(folder).ok());
        let driver = drivers.flatten().filter_map(|entry| Some(entry.ok()?.path())).find(named);
        let driver = driver.ok_or("there is no llvmpipe (mesa-vulkan-drivers)")?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/vulkan");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");
        std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
        std::fs::copy(source.join("faults.json"), folder.join("faults.json"))
            .map_err(|e| e.to_string())?;
        let output = Command::new("cc")
            .args(["-std=c11", "-Wall", "-O1", "-shared", "-fPIC", "-o"])
            .args([folder.join("libfaults.so"), source.join("faults.c")])
            .output()
            .map_err(|e| format!("there is no C compiler (cc: {e})"))?;
        if !output.status.success() {
            return Err("the layer does not compile (libvulkan-dev)".into());
        }
        Ok(Layer { folder, driver })
    })
}

impl Layer {
    /// The program with the layer, which poses as a discrete GPU.
    fn command(&self, place: &Place, knobs: &[(&str, String)]) -> assert_cmd::Command {
        let mut command = stemseg(place);
        command.env("WGPU_BACKEND", "vulkan").env("VK_LAYER_PATH", &self.folder);
        command.env("VK_DRIVER_FILES", &self.driver).env("VK_ICD_FILENAMES", &self.driver);
        command.env("VK_INSTANCE_LAYERS", "VK_LAYER_stemseg_faults").env("FAULTS_DISCRETE", "1");
        command.env("RAYON_NUM_THREADS", "2").timeout(PATIENCE);
        command.envs(knobs.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Dispatches, submissions, allocations and waits of `segment` on `image`.
    fn counts(&self, place: &Place, image: &str, arguments: &[&str]) -> [u64; 4] {
        let file = place.path("counts.txt");
        let mut command = self.command(place, &[("FAULTS_COUNTS", file.display().to_string())]);
        command.args(["segment", image, "-k", "2", "--force", "--no-report"]).args(arguments);
        let said = command.output().map(|output| text(&output.stderr)).expect("it starts");
        let counts = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{e}: {said}"));
        let numbers: Vec<u64> = counts.split(' ').filter_map(|word| word.parse().ok()).collect();
        numbers.try_into().unwrap_or_else(|_| panic!("{counts}: {said}"))
    }
}

/// What the self-test alone takes: a device is opened while an image is read that is too
/// small.
fn spare(arguments: &[&str]) -> [u64; 4] {
    let place = Place::empty();
    place.npy("small.npy", &scene(8, 8));
    let layer = layer().as_ref().expect("trials run where it is");
    let counts = layer.counts(&place, "small.npy", arguments);
    assert!(counts[0] > 0, "there is a self-test: {counts:?}");
    counts
}

/// `stemseg segment` with the layer's `knobs`.
fn segment(place: &Place, arguments: &[&str], knobs: &[(&str, String)]) -> Output {
    let layer = layer().as_ref().expect("trials run where it is");
    let mut command = layer.command(place, knobs);
    command.args(["segment", "image.npy", "-k", "2", "--force", "--no-report"]).args(arguments);
    let output = command.output().expect("the program starts");
    let said = text(&output.stderr);
    assert!(output.status.code().is_some(), "{knobs:?}: it was killed: {said}");
    assert!(!said.contains("panicked"), "{knobs:?}: {said}");
    output
}

/// Leaves out every `n`-th dispatch after the first `spare`.
fn dropping(n: u64, spare: u64) -> [(&'static str, String); 2] {
    [("FAULTS_DROP_EVERY", n.to_string()), ("FAULTS_SPARE", spare.to_string())]
}

fn named<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--device", NAME]].concat()
}

/// Labels of a run on the CPU.
fn labels_of_the_cpu(place: &Place, arguments: &[&str]) -> Vec<u8> {
    let output = segment(place, &[arguments, &["--device", "cpu"]].concat(), &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    place.bytes("image.stemseg/labels.npy")
}

/// The warning that a device failed.
fn failure(summary: &Value) -> Option<&Value> {
    summary["warnings"].as_array()?.iter().find(|warning| warning["code"] == "device-failed")
}

/// A sentence of summary.json as the terminal has it, where settings are options.
fn with_options(sentence: &str) -> String {
    let options = [
        ("device = cpu", "--device cpu"),
        ("larger stride", "larger --stride"),
        ("smaller patch", "smaller --patch"),
        ("smaller window", "smaller --window"),
    ];
    options.iter().fold(sentence.to_owned(), |text, (plain, option)| text.replace(plain, option))
}

/// Checks that the CPU did what `device` was to do, and that the result says why.
#[track_caller]
fn the_cpu_went_on(place: &Place, output: &Output, expected: &[u8], words: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let summary = place.json("image.stemseg/summary.json");
    assert_eq!(summary["device"]["kind"], "cpu", "{said}");
    let warning = failure(&summary).unwrap_or_else(|| panic!("no warning: {summary}"));
    let written = warning["text"].as_str().unwrap_or_default();
    for word in words {
        assert!(written.contains(word), "'{word}' is not in: {written}");
    }
    assert!(said.contains(&format!("warning: {}", with_options(written))), "{said}");
    assert!(place.bytes("image.stemseg/labels.npy") == expected, "labels differ: {written}");
}

fn every_nth_dispatch_left_out_is_noticed(arguments: &[&str]) {
    let place = Place::with_scene();
    let [spare, ..] = spare(arguments);
    for n in 2..=12 {
        let output = segment(&place, &named(arguments), &dropping(n, spare));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "every {n}th: {said}");
        let words = "Faulty GPU gave a wrong result in stage ";
        assert!(said.contains(words) && said.contains("workgroups"), "every {n}th: {said}");
    }
    // It is the check that notices: without it the program knows nothing.
    let arguments = [&named(arguments)[..], &["--check", "off"]].concat();
    let output = segment(&place, &arguments, &dropping(12, spare));
    let said = text(&output.stderr);
    assert!(!said.contains("workgroups"), "{said}");
}

fn auto_repeats_on_the_cpu_what_was_wrong(arguments: &[&str]) {
    let place = Place::with_scene();
    let expected = labels_of_the_cpu(&place, arguments);
    let [spare, ..] = spare(arguments);
    for n in [2, 7, 12] {
        let output = segment(&place, arguments, &dropping(n, spare));
        the_cpu_went_on(&place, &output, &expected, &["wrong result in stage", "workgroups"]);
    }
}

fn all_of_a_sound_run_agrees(arguments: &[&str]) {
    let place = Place::with_scene();
    for check in ["on", "all"] {
        let output = segment(&place, &[arguments, &["--check", check]].concat(), &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{check}: {said}");
        let summary = place.json("image.stemseg/summary.json");
        assert_eq!(summary["device"]["name"], NAME, "{check}: {said}");
        assert!(!said.contains("self-test"), "{said}");
    }
}

fn short_dispatches_are_noticed() {
    let place = Place::with_scene();
    for (_, arguments) in KINDS {
        let spare = spare(arguments)[0].to_string();
        let knobs = [("FAULTS_SHORTEN", "1".to_owned()), ("FAULTS_SPARE", spare)];
        let output = segment(&place, &named(arguments), &knobs);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("workgroups of kernel"), "{said}");
    }
}

fn failed_self_test() {
    let place = Place::with_scene();
    let (_, arguments) = KINDS[0];
    let expected = labels_of_the_cpu(&place, arguments);
    let knobs = [("FAULTS_DROP_EVERY", "5".to_owned())];
    let output = segment(&place, arguments, &knobs);
    the_cpu_went_on(&place, &output, &expected, &["failed its self-test", "workgroups"]);
    // One that was named is refused.
    let output = segment(&place, &named(arguments), &knobs);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("wrong result") && said.lines().count() == 1, "{said}");
}

/// The program with a device that fails from event `knob` number n on, for some n from the
/// first to the last of a run.
fn fails_at(knob: &str, counts: fn([u64; 4]) -> u64, word: &str) {
    let (_, arguments) = KINDS[0];
    let place = Place::with_scene();
    let layer = layer().as_ref().expect("trials run where it is");
    let expected = labels_of_the_cpu(&place, arguments);
    let last = counts(layer.counts(&place, "image.npy", arguments));
    let test = counts(spare(arguments));
    assert!(test < last, "{test} of {last}");
    let within = |from: u64, to: u64| (0..4).map(move |i| from + i * (to - from) / 4);
    for at in [1, test].into_iter().chain(within(2, test)).chain(within(test + 1, last)) {
        let knobs = [(knob, at.to_string())];
        let output = segment(&place, arguments, &knobs);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{knobs:?}: {said}");
        let summary = place.json("image.stemseg/summary.json");
        // What fails after the last result came back does not matter.
        if summary["device"]["kind"] == "cpu" {
            the_cpu_went_on(&place, &output, &expected, &[]);
            // Who names the device has the same result, or an error.
            let output = segment(&place, &named(arguments), &knobs);
            match output.status.code() {
                Some(0) => the_cpu_went_on(&place, &output, &expected, &[word]),
                code => assert_eq!(code, Some(1), "{}", text(&output.stderr)),
            }
        }
    }
}

fn lost_device() {
    fails_at("FAULTS_LOST_AT_SUBMISSION", |counts| counts[1], "lost");
    fails_at("FAULTS_LOST_AT_WAIT", |counts| counts[3], "lost");
}

fn no_memory() {
    fails_at("FAULTS_NO_MEMORY_AT", |counts| counts[2], "");
}

fn batch() {
    let place = Place::with_scene();
    place.npy("other.npy", &scene(84, 96));
    let layer = layer().as_ref().expect("trials run where it is");
    let (_, arguments) = KINDS[0];
    let spare = spare(arguments);
    let lost = vec![("FAULTS_LOST_AT_SUBMISSION", (spare[1] + 8).to_string())];
    for knobs in [lost, dropping(9, spare[0]).to_vec()] {
        let mut command = layer.command(&place, &knobs);
        command.args(["segment", "image.npy", "other.npy", "-k", "2", "--out", "r", "--force"]);
        let output = command.args(arguments).output().expect("the program starts");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        for image in ["image", "other"] {
            let summary = place.json(format!("r/{image}.stemseg/summary.json"));
            assert_eq!(summary["device"]["kind"], "cpu", "{said}");
            assert!(failure(&summary).is_some(), "{summary}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
}

/// A device that is lost while two frames are under way.
fn film_goes_on() {
    const FRAMES: u64 = 8;
    let place = Place::empty();
    place.npy("film.npy", &film(FRAMES as usize));
    let layer = layer().as_ref().expect("trials run where it is");
    let counts = place.path("counts.txt").display().to_string();
    let run = |out: &str, device: &str, knobs: &[(&str, String)]| {
        let mut command = layer.command(&place, knobs);
        command.args(["series", "film.npy", "-k", "2", "--fit", "3", "--no-report"]);
        let output = command.args(["--out", out, "--device", device]).output().expect("it starts");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{knobs:?}: {said}");
        assert!(!said.contains("panicked"), "{knobs:?}: {said}");
    };
    run("processor", "cpu", &[]);
    run("sound", "auto", &[("FAULTS_COUNTS", counts)]);
    let counts = place.bytes("counts.txt");
    let counts = String::from_utf8_lossy(&counts);
    let last: u64 = counts.split(' ').filter_map(|word| word.parse().ok()).nth(1).expect("a count");
    for at in [last - FRAMES + 1, last - FRAMES / 2, last] {
        let out = format!("lost_{at}");
        run(&out, "auto", &[("FAULTS_LOST_AT_SUBMISSION", at.to_string())]);
        assert_eq!(differing(&place, ["processor", &out]), 0.0, "lost at submission {at}");
        assert_eq!(place.json(format!("{out}/summary.json"))["series"]["frames"]["ok"], FRAMES);
    }
}

/// Knobs of the layer, and what is then said.
const LIMITS: [(&str, &str, &str); 4] = [
    ("FAULTS_STORAGE_BUFFERS", "4", "max_storage_buffers_per_shader_stage is 4, but 8 are needed"),
    (
        "FAULTS_BINDING_BYTES",
        "1000000",
        "max_storage_buffer_binding_size is 1000000, but 134217728",
    ),
    ("FAULTS_WORKGROUP_BYTES", "8192", "max_compute_workgroup_storage_size is 8192, but 16384"),
    ("FAULTS_WORKGROUP_THREADS", "128", "max_compute_invocations_per_workgroup is 128, but 256"),
];

fn below_the_limits() {
    let place = Place::with_scene();
    let (_, arguments) = KINDS[0];
    for (knob, value, words) in LIMITS {
        let knobs = [(knob, value.to_owned())];
        let output = segment(&place, arguments, &knobs);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let summary = place.json("image.stemseg/summary.json");
        assert_eq!(summary["device"]["kind"], "cpu", "{said}");
        let notes = summary["notes"].as_array().expect("notes");
        let note = notes.iter().filter_map(Value::as_str).find(|note| note.contains(words));
        let note = note.unwrap_or_else(|| panic!("{words}: {notes:?}"));
        assert!(
            note.contains("passed over") && said.contains(&with_options(note)),
            "{note}: {said}"
        );
        assert!(failure(&summary).is_none(), "nothing is wrong with it: {summary}");
        let output = segment(&place, &named(arguments), &knobs);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words) && said.lines().count() == 1, "{said}");
    }
}

fn devices_says_why() {
    let place = Place::empty();
    let layer = layer().as_ref().expect("trials run where it is");
    let listing = |knobs: &[(&str, String)]| -> Value {
        let output = layer.command(&place, knobs).args(["devices", "--json"]).output();
        let output = output.expect("the program starts");
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let sound = listing(&[]);
    assert_eq!(sound["devices"][0]["passes"], true, "{sound}");
    assert_eq!(sound["auto"]["name"], NAME, "{sound}");
    let (knob, value, words) = LIMITS[0];
    let small = [(knob, value.to_owned())];
    let broken = [("FAULTS_DROP_EVERY", "5".to_owned())];
    for (knobs, words) in [(&small[..], words), (&broken[..], "workgroups of kernel")] {
        let found = listing(knobs);
        assert_eq!(found["devices"][0]["passes"], false, "{found}");
        let reason = found["devices"][0]["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("passes it over") && reason.contains(words), "{reason}");
        assert_eq!(found["auto"]["kind"], "cpu", "{found}");
    }
}
