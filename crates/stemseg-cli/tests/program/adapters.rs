//! The command line where it needs a graphics adapter.

use libtest_mimic::Trial;
use serde_json::Value;
use stemseg::backend::gpu::adapter::{self, is_real};
use stemseg::sites::Extent;
use stemseg_simulate::{Scene, Settings, simulate};

use crate::job::{Job, stemseg, text};
use stemseg_testing::devices::Devices;
use stemseg_testing::place::Place;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let trial = |name: &str, test: fn()| {
        devices.gpu_trial(&format!("cli::{name}"), move |_| {
            // A failed assertion is a failed trial.
            test();
            Ok(())
        })
    };
    vec![
        trial("a_name_that_no_adapter_has_is_refused_with_those_there_are", unknown_name),
        trial("an_adapter_is_found_by_part_of_its_name", part_of_a_name),
        trial("verify_reports_every_stage", verify_reports_every_stage),
        trial("verify_passes_automatic_settings", verify_passes_automatic_settings),
        trial("bench_sets_an_adapter_beside_the_cpu", bench_beside_the_cpu),
        trial("bench_times_kernels", bench_times_kernels),
    ]
}

fn unknown_name() {
    let adapters: Vec<_> = adapter::adapters().iter().map(|a| a.get_info()).collect();
    let names: Vec<&str> = adapters.iter().map(|info| info.name.as_str()).collect();
    let place = Place::with_scene();
    Job::new().set("--device", "no such adapter").refused(&place, "name", &names);
    if !adapters.iter().any(is_real) {
        let words = [names[0], "install", "--device cpu"];
        Job::new().set("--device", "gpu").refused(&place, "no real GPU", &words);
        let output = Job::new().set("--device", "auto").succeed(&place);
        assert!(text(&output.stderr).contains(names[0]), "{}", text(&output.stderr));
        assert_eq!(place.json("image.stemseg/summary.json")["device"]["kind"], "cpu");
    }
}

fn part_of_a_name() {
    let name = adapter::adapters()[0].get_info().name;
    let part = name.split(' ').next().unwrap_or_default().to_uppercase();
    let place = Place::with_scene();
    Job::new().set("--device", &part).succeed(&place);
    let device = place.json("image.stemseg/summary.json")["device"].clone();
    let found = device["name"].as_str().unwrap_or_default().to_uppercase();
    assert!(found.contains(&part), "{part} gave {device}");
    assert_ne!(device["kind"], "cpu", "{device}");
    assert!(place.labels("image.stemseg/labels.npy").iter().all(|&label| label > 0));
}

fn verify_reports_every_stage() {
    let place = Place::with_scene();
    let sizes = ["-k", "2", "--preset", "pystem", "--patch", "6", "--window", "6", "--stride", "4"];
    let run = |more: &[&str]| {
        let mut command = stemseg(&place);
        let output = command.args(["verify", "image.npy"]).args(sizes).args(more).output();
        let output = output.expect("the program starts");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let table = run(&[]);
    let json: Value = serde_json::from_str(&run(&["--json"])).expect("JSON");
    assert_eq!(json["passed"], true);
    let stages = json["stages"].as_array().expect("stages");
    let names: Vec<&str> = stages.iter().filter_map(|s| s["name"].as_str()).collect();
    let of_patterns = ["assignment", "sums", "labels", "confidence"];
    assert_eq!(names, [&["translation", "moments", "features"][..], &of_patterns].concat());
    for stage in stages {
        assert!(stage["worst"].as_f64() <= stage["bound"].as_f64(), "{stage}");
    }
    assert!(names.iter().all(|name| table.contains(name)), "{table}");
    assert_eq!(run(&["--quiet"]), "");
}

fn bench_times_kernels() {
    let place = Place::with_scene();
    let name = adapter::adapters()[0].get_info().name;
    // A name may have a comma, which parts devices.
    let device = name.split([' ', ',']).next().unwrap_or_default().to_owned();
    let run = |device: &str, more: &[&str]| {
        let mut command = stemseg(&place);
        command.args(["bench", "--kernels", "--size", "200", "--repeats", "1", "--device", device]);
        command.args(more).output().expect("the program starts")
    };
    let output = run("cpu", &[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("name an adapter"), "{}", text(&output.stderr));
    if !adapter::adapters()[0].features().contains(wgpu::Features::TIMESTAMP_QUERY) {
        let output = run(&device, &[]);
        assert!(text(&output.stderr).contains("timestamps"), "{}", text(&output.stderr));
        return;
    }
    let output = run(&device, &["--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let json: Value = serde_json::from_str(&text(&output.stdout)).expect("JSON");
    let [report] = &json["devices"].as_array().expect("devices")[..] else { panic!("{json}") };
    assert_eq!(report["device"]["name"], *name);
    let image = &report["images"][0];
    assert_eq!(image["size"], serde_json::json!([200, 200]));
    let rows = image["rows"].as_array().expect("kernels");
    let sum: f64 = rows.iter().filter_map(|row| row["ms"].as_f64()).sum();
    let kernels = image["kernels_ms"].as_f64().expect("a time");
    assert!((sum - kernels).abs() < 1e-6 * kernels, "{image}");
    assert!(kernels <= image["segment_ms"].as_f64().expect("a time"), "{image}");
    let table = text(&run(&device, &[]).stdout);
    for row in rows {
        let name = row["kernel"].as_str().expect("a name");
        assert!(table.contains(name) && row["gflops"].as_f64() > Some(0.0), "{name}: {table}");
    }
}

fn bench_beside_the_cpu() {
    let name = adapter::adapters()[0].get_info().name;
    let place = Place::with_scene();
    let sizes = ["--image", "image.npy", "--patch", "6", "--window", "6", "--restarts", "1"];
    let stages = ["--stage", "upload,descriptors,covariance,project", "--repeats", "1", "--json"];
    // A comma would part the name in two.
    let device = format!("cpu,{}", name.split(',').next().unwrap_or_default());
    let mut command = stemseg(&place);
    command.arg("bench").args(sizes).args(stages).args(["--device", &device]);
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 8, "{report}");
    for row in rows {
        let here = row["device"]["kind"] == "cpu";
        assert_eq!(here, row["device"]["name"] != name.as_str(), "{row}");
        assert!(row["median_ms"].as_f64() > Some(0.0), "{row}");
        assert!(here || row["share_of_peak"].is_null(), "the CPU's limits are not a GPU's: {row}");
    }
}

#[expect(clippy::unwrap_used, reason = "a trial fails by panicking")]
fn verify_passes_automatic_settings() {
    let place = Place::empty();
    let scene = Scene::new("tilt-boundary", &[], None).unwrap();
    let settings = Settings { size: Extent::square(256), seed: 1, ..Default::default() };
    place.npy("image.npy", &simulate(&scene, &settings, &stemseg::Silent).unwrap().image);
    let mut command = stemseg(&place);
    command.args(["verify", "image.npy", "--json"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> =
        report["stages"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    // What `segment` does where nothing is said, up to the labels.
    let expected = [
        "centred-translation",
        "harmonic",
        "moments",
        "components",
        "choice",
        "features",
        "assignment",
        "sums",
        "scores",
        "labels",
        "confidence",
    ];
    assert_eq!(names, expected);
    assert_eq!(report["passed"], true, "{report:#}");
    let stage = |name: &str| {
        let of_name = |stage: &&Value| stage["name"] == name;
        report["stages"].as_array().and_then(|all| all.iter().find(of_name)).expect("the stage")
    };
    assert_eq!(stage("labels")["values"], 256 * 256, "every pixel");
    let chosen = stage("choice")["pair"].clone();
    Job::automatic().set("--device", "cpu").succeed(&place);
    let summary = place.json("image.stemseg/summary.json");
    let clusters = summary["kmeans"]["clusters"].as_f64();
    assert_eq!(chosen, serde_json::json!([clusters, clusters]), "the number that segment takes");
}
