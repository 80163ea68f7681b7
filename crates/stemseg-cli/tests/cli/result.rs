//! What a run writes: the label maps, the pictures, the report.

use std::io::Cursor;

use ndarray::Array2;
use serde_json::Value;
use stemseg::sites::Extent;
use stemseg_simulate::{Scene, Settings, simulate};
use tiff::decoder::{Decoder, DecodingResult};

use crate::job::{Change, FLAG, Job, text};
use stemseg_testing::place::{COLS, Place, ROWS, names};

/// The values of a TIFF in f32.
pub(crate) fn floats(place: &Place, name: &str) -> Vec<f32> {
    let mut tiff = Decoder::new(Cursor::new(place.bytes(name))).unwrap();
    let DecodingResult::F32(values) = tiff.read_image().unwrap() else { panic!("not f32") };
    values
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn the_regions_are_those_of_the_label_map() {
    let place = Place::with_scene();
    Job::new().with(&[("--pixel-size", "0.02nm")]).succeed(&place);
    let summary = place.json("image.stemseg/summary.json");
    let text = String::from_utf8(place.bytes("image.stemseg/regions.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let column = |name: &str| head.iter().position(|own| *own == name).unwrap();
    let regions: Vec<Vec<&str>> = lines.collect();
    assert!(regions.iter().all(|line| line.len() == head.len()), "{text}");
    let value = |line: &[&str], name: &str| line[column(name)].parse::<f64>().unwrap();
    for label in summary["labels"].as_array().unwrap() {
        let own: Vec<_> =
            regions.iter().filter(|line| value(line, "label") == number(&label["label"])).collect();
        let area: f64 = own.iter().map(|line| value(line, "area_px")).sum();
        assert_eq!(area, number(&label["pixels"]));
        let nm2: f64 = own.iter().map(|line| value(line, "area_nm2")).sum();
        assert!((nm2 / number(&label["area_nm2"]) - 1.0).abs() < 1e-5, "{nm2}");
        let grains = summary["regions"].as_array().unwrap();
        let grains = grains.iter().find(|grains| grains["label"] == label["label"]).unwrap();
        assert_eq!(number(&grains["regions"]), own.len() as f64);
        assert!(grains["astm_grain_size"].is_f64());
    }
    // They fill the image, so each lies next to another, which says so too.
    for line in &regions {
        for other in line[column("neighbours")].split(' ') {
            let other = regions.iter().find(|line| line[0] == other).unwrap();
            assert!(other[column("neighbours")].split(' ').any(|back| back == line[0]), "{text}");
        }
        let diameters = ["feret_diameter_min_nm", "feret_diameter_max_nm"].map(|n| value(line, n));
        assert!(diameters[0] <= diameters[1] && value(line, "solidity") <= 1.0);
    }
}

#[test]
fn regions_that_are_too_small_go_to_their_neighbours() {
    let place = Place::with_scene();
    let job = Job::automatic().with(&[("--smooth", "0"), ("-k", "3")]);
    let areas = |folder: &str| {
        let text = String::from_utf8(place.bytes(format!("{folder}/regions.csv"))).unwrap();
        let area = |line: &str| line.split(',').nth(5).unwrap().parse::<u64>().unwrap();
        let mut areas: Vec<u64> = text.lines().skip(1).map(area).collect();
        areas.sort_unstable();
        areas
    };
    job.clone().set("--out", "rough").succeed(&place);
    let rough = areas("rough");
    assert!(rough.len() >= 3, "{rough:?}");
    let least = rough[rough.len() - 2];
    let tidy = job.clone().with(&[("--out", "tidy"), ("--least-region", &least.to_string())]);
    let said = tidy.succeed(&place);
    assert!(text(&said.stderr).contains("given to neighbours"), "{}", text(&said.stderr));
    assert!(areas("tidy").iter().all(|&area| area >= least), "{:?}", areas("tidy"));
    assert_eq!(areas("tidy").iter().sum::<u64>(), rough.iter().sum::<u64>());
    let (before, after) = (place.labels("rough/labels.npy"), place.labels("tidy/labels.npy"));
    let sure = |folder: &str| floats(&place, &format!("{folder}/confidence.tif"));
    let pixels = before.iter().zip(&after).zip(sure("rough").into_iter().zip(sure("tidy")));
    for ((before, after), (was, is)) in pixels {
        // What was given a label is less sure of it than of the one it had.
        assert!(if before == after { was == is } else { is <= was }, "{before} {after} {was} {is}");
    }
    let summary = place.json("tidy/summary.json");
    assert_eq!(number(&summary["least_region_px"]), least as f64);
    for label in summary["labels"].as_array().unwrap() {
        let own = after.iter().filter(|&&own| f64::from(own) == number(&label["label"]));
        assert_eq!(number(&label["pixels"]), own.count() as f64);
    }
    let again = tidy.clone().set("--resume", FLAG);
    again.succeed(&place);
    let other = again.set("--least-region", "1");
    other.refused(&place, "another", &["least-region was", "--force"]);
    let nm2 = job.with(&[("--out", "nm"), ("--least-region", "4nm2")]);
    nm2.refused(&place, "without a pixel size", &["least-region = 4nm2", "--pixel-size"]);
    assert!(!place.path("nm").exists());
}

#[test]
fn boundary_lines_are_written_for_every_result() {
    let place = Place::with_scene();
    let job = Job::automatic().with(&[("-k", "3"), ("--pixel-size", "0.02nm")]);
    job.clone().set("--out", "out").succeed(&place);
    let table = |name: &str| -> Vec<Vec<String>> {
        let text = String::from_utf8(place.bytes(name)).unwrap();
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    };
    let (lines, points) = (table("out/boundaries.csv"), table("out/triple_points.csv"));
    let column = |name: &str| lines[0].iter().position(|own| own == name).unwrap();
    assert!(lines.len() > 1 && lines.iter().all(|line| line.len() == lines[0].len()), "{lines:?}");
    assert!(points.iter().all(|point| point.len() == points[0].len()), "{points:?}");
    let summary = place.json("out/summary.json");
    assert_eq!(number(&summary["boundary_lines"]["lines"]), (lines.len() - 1) as f64);
    assert_eq!(number(&summary["boundary_lines"]["triple_points"]), (points.len() - 1) as f64);
    let value = |line: &[String], name: &str| line[column(name)].parse::<f64>().unwrap();
    for line in &lines[1..] {
        assert!((value(line, "length_nm") / value(line, "length_px") - 0.02).abs() < 1e-6);
        let ends = ["begins", "ends"].map(|name| &line[column(name)]);
        let known = ends.iter().all(|end| *end == "border" || points.iter().any(|p| p[0] == **end));
        assert!(known || line[column("closed")] == "yes", "{line:?}");
    }
    // Those of two labels are together about as long as Cauchy-Crofton has it.
    for boundary in summary["boundaries"].as_array().unwrap() {
        let labels = ["0", "1"].map(|i| number(&boundary["labels"][i.parse::<usize>().unwrap()]));
        let own = lines[1..]
            .iter()
            .filter(|line| [value(line, "label_1"), value(line, "label_2")] == labels);
        let length: f64 = own.map(|line| value(line, "length_px")).sum();
        let expected = number(&boundary["length_px"]);
        assert!((length / expected - 1.0).abs() < 0.2, "{length} {expected}");
    }
    // Without lattices there are lines, but no planes.
    let without = job.with(&[("--out", "without"), ("--no-lattices", FLAG)]);
    without.clone().succeed(&place);
    let plain = table("without/boundaries.csv");
    assert_eq!(plain.len(), lines.len());
    assert!(plain[1..].iter().all(|line| line[column("plane_1_h")].is_empty()), "{plain:?}");
    assert!(lines[1..].iter().any(|line| !line[column("plane_1_h")].is_empty()), "{lines:?}");
    // Both tables belong to what is looked for before a result is kept.
    std::fs::remove_file(place.path("without/triple_points.csv")).unwrap();
    let again = without.set("--resume", FLAG);
    again.refused(&place, "a part", &["triple_points.csv is missing", "--force"]);
}

#[test]
fn lattices_are_said_for_regions_patterns_and_boundaries() {
    let place = Place::with_scene();
    let said = Job::new().with(&[("--pixel-size", "0.02nm")]).succeed(&place);
    let summary = place.json("image.stemseg/summary.json");
    let lines = |name: &str| {
        let text = String::from_utf8(place.bytes(name)).unwrap();
        text.lines().map(|line| line.split(',').count()).collect::<Vec<_>>()
    };
    let (regions, lattices) =
        (lines("image.stemseg/regions.csv"), lines("image.stemseg/lattices.csv"));
    assert_eq!(regions.len(), lattices.len());
    assert!(lattices.iter().all(|&columns| columns == lattices[0]));
    let patterns = summary["lattices"].as_array().unwrap();
    assert_eq!(patterns.len(), summary["labels"].as_array().unwrap().len());
    let found = patterns.iter().filter(|pattern| pattern["status"] == "found");
    assert!(found.clone().count() > 0, "{patterns:?}");
    for pattern in found.clone() {
        let (px, nm) = (number(&pattern["a_px"]), number(&pattern["a_nm"]));
        assert!((nm / px - 0.02).abs() < 1e-9 && number(&pattern["a_px_error"]) > 0.0);
        assert!(text(&said.stdout).contains("turned by"), "{}", text(&said.stdout));
    }
    if found.count() == patterns.len() {
        let boundary = &summary["boundaries"][0];
        assert!(number(&boundary["length_px"]) > 0.0);
        assert!(number(&boundary["misorientation_deg"]) >= 0.0, "{boundary}");
    }
    Job::new().with(&[("--no-lattices", FLAG), ("--out", "without")]).succeed(&place);
    let summary = place.json("without/summary.json");
    assert!(summary.get("lattices").is_none() && !place.path("without/lattices.csv").exists());
    assert!(summary["boundaries"][0].get("misorientation_deg").is_none());
}

#[test]
fn plane_groups_are_said_where_they_are_told_apart() {
    let place = Place::empty();
    let groups = ["p4mm", "p4"].map(str::to_owned);
    let scene = Scene::new("plane-groups", &groups, None).unwrap();
    let settings = Settings { size: Extent::square(640), seed: 5, ..Settings::default() };
    place.npy("image.npy", &simulate(&scene, &settings, &stemseg::Silent).unwrap().image);
    let said = text(&Job::automatic().succeed(&place).stdout);
    let summary = place.json("image.stemseg/summary.json");
    let mut found: Vec<&str> = Vec::new();
    for lattice in summary["lattices"].as_array().unwrap() {
        let symbol = lattice["plane_group"].as_str().unwrap_or_else(|| panic!("{lattice}"));
        assert_eq!(lattice["plane_groups"][0]["symbol"], symbol);
        assert!(number(&lattice["plane_groups"][0]["weight"]) >= 0.95, "{lattice}");
        assert!(said.contains(&format!(" deg, {symbol}\n")), "{said}");
        found.push(symbol);
    }
    found.sort_unstable();
    assert_eq!(found, ["p4", "p4mm"]);
    let table = String::from_utf8(place.bytes("image.stemseg/lattices.csv")).unwrap();
    assert!(table.lines().next().unwrap().contains("plane_group,plane_group_weight"), "{table}");
    assert!(table.contains(",p4mm,") && table.contains(",p4,"), "{table}");
}

#[test]
fn a_known_lattice_tells_the_size_of_pixels() {
    let place = Place::with_scene();
    let job = Job::new().with(&[("--pixel-size", "0.02nm")]);
    job.succeed(&place);
    let summary = place.json("image.stemseg/summary.json");
    assert!(summary.get("calibration").is_none());
    let lattices = summary["lattices"].as_array().unwrap();
    let lattice = lattices.iter().find(|lattice| lattice["status"] == "found").unwrap();
    let [a, b, gamma] = ["a_nm", "b_nm", "gamma_deg"].map(|name| number(&lattice[name]));
    let known = |times: f64| format!("{}nm,{}nm,{gamma}", times * a, times * b);
    for (times, wrong) in [(1.0, false), (1.1, true)] {
        let out = format!("x{times}");
        let job = job.clone().with(&[("--known-lattice", &known(times)), ("--out", &out)]);
        let said = text(&job.succeed(&place).stdout);
        assert!(said.contains("calibration  by the lattice of label"), "{said}");
        assert_eq!(said.contains("wrong by more than 2 %: take 0.02"), wrong, "{said}");
        let calibration = &place.json(format!("{out}/summary.json"))["calibration"];
        assert_eq!(calibration["file_is_wrong"], wrong);
        for name in ["pixel_width_nm", "pixel_height_nm"] {
            assert!(
                (number(&calibration[name]) / (0.02 * times) - 1.0).abs() < 1e-3,
                "{calibration}"
            );
        }
        let page = String::from_utf8(place.bytes(format!("{out}/report.html"))).unwrap();
        assert!(page.contains("Calibration: by the lattice"));
        let again = job.set("--resume", FLAG);
        again.succeed(&place);
        let other = again.set("--known-lattice", "0.5nm,square");
        other.refused(&place, "another lattice", &["known-lattice was", "--force"]);
    }
    let none = job.clone().with(&[("--known-lattice", "7nm,square"), ("--out", "none")]);
    let none = none.succeed(&place);
    assert!(
        text(&none.stdout).contains("no label has a lattice of 7 nm"),
        "{}",
        text(&none.stdout)
    );
    let job = job.set("--known-lattice", "3,square").set("--out", "never");
    job.clone().refused(&place, "no unit", &["no unit of length", "0.316nm,hexagonal"]);
    let job = job.set("--known-lattice", "0.3nm,square").set("--no-lattices", FLAG);
    job.refused(&place, "no lattices", &["leave --no-lattices out"]);
    assert!(!place.path("never").exists());
}

#[test]
fn strain_is_written_inside_regions() {
    let place = Place::with_scene();
    let job = Job::new().with(&[("--save", "strain"), ("--out", "own")]);
    job.succeed(&place);
    let summary = place.json("own/summary.json");
    let strain = &summary["strain"];
    assert!(
        strain["reference_region"].is_null() && !strain["labels"].as_array().unwrap().is_empty()
    );
    for label in strain["labels"].as_array().unwrap() {
        // Crystals that nobody strained, within the error of the mean.
        let error = number(&label["error"]);
        let mean: Vec<f64> = label["mean"].as_array().unwrap().iter().map(number).collect();
        assert!(error > 0.0 && mean[..3].iter().all(|mean| mean.abs() < 2.0 * error), "{label}");
    }
    let mut tiff = Decoder::new(Cursor::new(place.bytes("own/strain.tif"))).unwrap();
    let labels = place.labels("own/labels.npy");
    let mut known_at = None;
    for page in 0..5 {
        let DecodingResult::F32(values) = tiff.read_image().unwrap() else { panic!("not f32") };
        assert_eq!(values.len(), ROWS * COLS);
        known_at = values.iter().position(|value| value.is_finite());
        let known = values.iter().zip(&labels).filter(|(value, _)| value.is_finite());
        assert!(known.clone().count() > ROWS * COLS / 3 && known.clone().all(|(_, l)| *l > 0));
        assert_eq!(tiff.more_images(), page < 4);
        if page < 4 {
            tiff.next_image().unwrap();
        }
    }
    let again = job.clone().set("--resume", FLAG);
    again.succeed(&place);
    let at = known_at.expect("strain is known somewhere");
    let pixel = format!("{},{}", at / COLS, at % COLS);
    again.clone().set("--strain-reference", &pixel).refused(
        &place,
        "another reference",
        &["strain-reference was", "--force"],
    );
    let compared = job.with(&[("--strain-reference", &pixel)]).set("--out", "compared");
    compared.succeed(&place);
    let summary = place.json("compared/summary.json");
    assert!(number(&summary["strain"]["reference_region"]) >= 1.0);
    for (value, words) in
        [("9999,0", "the image has rows 0 to"), ("3", "ROW,COL"), ("a,2", "ROW,COL")]
    {
        let job = Job::new().with(&[("--save", "strain"), ("--strain-reference", value)]);
        job.set("--out", "none").refused(&place, value, &[words]);
    }
    let alone = Job::new().with(&[("--strain-reference", "1,1"), ("--out", "none")]);
    alone.refused(&place, "without maps", &["--strain-reference 1,1", "--save strain"]);
    let without = Job::new().with(&[("--save", "strain"), ("--no-lattices", FLAG)]);
    without.set("--out", "none").refused(&place, "without lattices", &["leave --no-lattices out"]);
    assert!(!place.path("none").exists());
}

#[test]
fn the_files_are_there_and_agree() {
    let place = Place::with_scene();
    Job::new().succeed(&place);
    let files = names(&place.path("image.stemseg"));
    for file in
        ["labels.npy", "labels.tif", "confidence.tif", "overlay.png", "summary.json", "model.json"]
    {
        assert!(files.contains(&file.to_owned()), "{file} is not in {files:?}");
    }
    let labels = place.labels("image.stemseg/labels.npy");
    assert_eq!(labels.dim(), (ROWS, COLS));

    // The decoder refuses palette images: call it grey.
    let mut bytes = place.bytes("image.stemseg/labels.tif");
    let entry = [262_u16, 3, 1, 0, 3].map(u16::to_ne_bytes).concat();
    let at = bytes.windows(entry.len()).rposition(|window| window == entry).unwrap();
    bytes[at + 8..at + 10].copy_from_slice(&1_u16.to_ne_bytes());
    let mut tiff = Decoder::new(Cursor::new(bytes)).unwrap();
    assert_eq!(tiff.dimensions().unwrap(), (COLS as u32, ROWS as u32));
    let DecodingResult::U8(pixels) = tiff.read_image().unwrap() else { panic!("not u8") };
    assert_eq!(pixels, labels.as_slice().unwrap());

    let overlay = image::open(place.path("image.stemseg/overlay.png")).unwrap();
    assert!(
        overlay.width() >= COLS as u32 && overlay.height() > ROWS as u32,
        "no room for a legend"
    );
}

/// Names of everything below a folder, as `files` of summary.json has them.
fn below(place: &Place, folder: &str) -> Vec<String> {
    let folder = place.path(folder);
    let all = place.snapshot();
    let name = |(path, bytes): (&std::path::PathBuf, &Option<Vec<u8>>)| {
        let below = path.strip_prefix(&folder).ok()?.to_str()?.to_owned();
        (!below.is_empty()).then(|| below + if bytes.is_none() { "/" } else { "" })
    };
    let mut names: Vec<String> = all.iter().filter_map(name).collect();
    names.sort();
    names
}

#[test]
fn the_summary_lists_every_file_and_folder() {
    let place = Place::with_scene();
    let whole = [
        ("--descriptor", "translation+reflection"),
        ("--radius", "6"),
        ("--save", "descriptors,features,maps"),
        ("--format", "tiff,npy,ome-zarr,hspy"),
    ];
    Job::new().with(&whole).succeed(&place);
    Job::new().with(&whole).with(&[("-k", "2,3"), ("--out", "list")]).succeed(&place);
    Job::new().with(&[("--no-report", FLAG), ("--out", "few")]).succeed(&place);
    for folder in ["image.stemseg", "list", "list/k2", "list/k3", "few"] {
        let files = &place.json(format!("{folder}/summary.json"))["files"];
        assert_eq!(*files, Value::from(below(&place, folder)), "{folder}");
    }
    let files = below(&place, "image.stemseg");
    for name in ["summary.json", "report.html", "maps/", "maps/maps.json", "image.ome.zarr/"] {
        assert!(files.contains(&name.to_owned()), "{name} is not in {files:?}");
    }
}

#[test]
fn the_two_lattices_are_told_apart() {
    let place = Place::with_scene();
    Job::new().succeed(&place);
    let labels = place.labels("image.stemseg/labels.npy");
    let (left, right) = (labels[(ROWS / 2, 0)], labels[(ROWS / 2, COLS - 1)]);
    assert_ne!(left, right);
    let wrong = |(at, label): ((usize, usize), &u8)| match at.1 {
        0..40 => *label != left,
        60.. => *label != right,
        _ => false,
    };
    assert_eq!(labels.indexed_iter().filter(|&pixel| wrong(pixel)).count(), 0);
}

#[test]
fn the_summary_holds_what_was_done() {
    let place = Place::with_scene();
    Job::new().set("--components", "3").succeed(&place);
    let summary = place.json("image.stemseg/summary.json");
    let expected = [
        ("/stemseg_version", Value::from(env!("CARGO_PKG_VERSION"))),
        ("/input/path", "image.npy".into()),
        ("/input/shape", vec![ROWS, COLS].into()),
        ("/input/dtype", "float32".into()),
        ("/input/pixel_size_nm", Value::Null),
        ("/parameters/stride", 4.into()),
        ("/parameters/seed", 0.into()),
        ("/parameters/clusters", vec![2].into()),
        ("/parameters/families/0/family", "translation".into()),
        ("/device/kind", "cpu".into()),
        ("/descriptors/families", vec!["translation"].into()),
        ("/descriptors/channels", 49.into()),
        ("/descriptors/sites", (17 * 19).into()),
        ("/kmeans/restarts", 10.into()),
        ("/notes", Value::Array(vec![])),
    ];
    for (pointer, value) in expected {
        assert_eq!(summary.pointer(pointer), Some(&value), "{pointer}");
    }
    for text in ["/device/name", "/device/backend"] {
        assert!(summary.pointer(text).is_some_and(|v| v.as_str() > Some("")), "{text}");
    }
    let ratios = summary["pca"]["explained_variance_ratio"].as_array().unwrap();
    assert_eq!(ratios.len(), 3);
    assert!(ratios.windows(2).all(|r| number(&r[0]) >= number(&r[1])), "{ratios:?}");
    assert!(ratios.iter().map(number).sum::<f64>() <= 1.0 + 1e-9, "{ratios:?}");
    assert!(number(&summary["kmeans"]["inertia"]) > 0.0);
    assert!(number(&summary["kmeans"]["iterations"]) >= 1.0);
    let times = &summary["timings_ms"];
    let stages = ["read", "describe", "pca", "cluster", "upsample", "write"];
    let sum: f64 = stages.iter().map(|stage| number(&times[*stage])).sum();
    assert!(sum > 0.0 && sum <= number(&times["total"]), "{times}");
}

/// Pixels of each label by the summary, checked against the map.
#[track_caller]
fn check_areas(summary: &Value, labels: &Array2<u8>, k: usize) {
    let areas = summary["labels"].as_array().unwrap();
    assert_eq!(areas.len(), k);
    for (i, area) in areas.iter().enumerate() {
        let count = labels.iter().filter(|&&l| usize::from(l) == i + 1).count();
        assert_eq!(area["label"], i + 1);
        assert_eq!(area["pixels"], count, "label {}", i + 1);
        let share = count as f64 / labels.len() as f64;
        assert!((number(&area["fraction"]) - share).abs() < 1e-12, "label {}", i + 1);
    }
    let largest_first = |a: &[Value]| number(&a[0]["pixels"]) >= number(&a[1]["pixels"]);
    assert!(areas.windows(2).all(largest_first), "{areas:?}");
    let labelled = labels.iter().filter(|&&l| l > 0).count();
    assert_eq!(areas.iter().map(|a| number(&a["pixels"])).sum::<f64>(), labelled as f64);
}

#[test]
fn the_areas_are_those_of_the_map() {
    let place = Place::with_scene();
    place.mask("mask.npy", |r, c| r > 20 || c < 50);
    let jobs: [(&str, &[Change<'_>], usize); 4] = [
        ("all", &[], 2),
        ("five", &[("-k", "5")], 5),
        ("masked", &[("--mask", "mask.npy")], 2),
        ("blank", &[("--border", "blank"), ("-k", "3")], 3),
    ];
    for (name, changes, k) in jobs {
        Job::new().with(changes).set("--out", name).succeed(&place);
        let labels = place.labels(format!("{name}/labels.npy"));
        check_areas(&place.json(format!("{name}/summary.json")), &labels, k);
        let zeros = labels.iter().any(|&l| l == 0);
        assert_eq!(zeros, name == "masked" || name == "blank", "{name}");
    }
}

#[test]
fn the_checksum_is_that_of_the_file() {
    // The digest is from Python's hashlib.
    let digest = "07ffea40c97ca1f25f79ae75c3e5c3b889ab1a7aba64cf8448d4aa175f3a92d1";
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (60, 70)}";
    let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    file.extend(format!("{header:117}\n").bytes());
    file.extend((0..60 * 70).map(|i| ((i % 70) * (i % 70) + i / 70 * 3) % 251).map(|v| v as u8));
    let place = Place::empty();
    place.write("image.npy", file);
    Job::new().succeed(&place);
    assert_eq!(place.json("image.stemseg/summary.json")["input"]["sha256"], digest);
}

#[test]
fn a_list_of_clusters_makes_a_folder_for_each() {
    let place = Place::with_scene();
    let printed = Job::new().with(&[("-k", "2,3"), ("--json", FLAG)]).succeed(&place);
    Job::new().set("--out", "two").succeed(&place);
    let folder = place.path("image.stemseg");
    assert_eq!(names(&folder), ["k2", "k3", "report.html", "summary.json"]);
    assert_eq!(names(&folder.join("k2")), names(&folder.join("k3")));
    assert_eq!(names(&folder.join("k2")), names(&place.path("two")));
    assert_eq!(place.bytes("image.stemseg/k2/labels.npy"), place.bytes("two/labels.npy"));
    let whole: Value = serde_json::from_slice(&printed.stdout).unwrap();
    for (i, k) in [2, 3].into_iter().enumerate() {
        let part = place.json(format!("image.stemseg/k{k}/summary.json"));
        assert_eq!(whole["results"][i], part);
        check_areas(&part, &place.labels(format!("image.stemseg/k{k}/labels.npy")), k);
        assert_eq!(part["parameters"]["clusters"], Value::from(vec![k]));
    }
}

#[test]
fn many_labels_get_a_wider_type() {
    let place = Place::with_scene();
    let job = |k: &str| Job::new().with(&[("-k", k), ("--restarts", "1")]).force();
    job("254").succeed(&place);
    let (_, narrow) = place.array::<u8>("image.stemseg/labels.npy");
    assert_eq!(narrow.iter().max(), Some(&254));
    // As many as there are sites.
    job("323").succeed(&place);
    let (shape, wide) = place.array::<u16>("image.stemseg/labels.npy");
    assert_eq!((shape, wide.iter().max()), (vec![ROWS as u64, COLS as u64], Some(&323)));
    let summary = text(&place.bytes("image.stemseg/summary.json"));
    assert!(!summary.contains("NaN") && !summary.contains("inf,"));
    let channels = &place.json("image.stemseg/summary.json")["separability"]["channels"];
    assert!(!channels.to_string().contains("null"), "{channels}");
}

#[test]
fn the_confidence_is_a_membership_and_the_summary_sums_it_up() {
    let place = Place::with_scene();
    Job::new().succeed(&place);
    let values = floats(&place, "image.stemseg/confidence.tif");
    assert_eq!(values.len(), ROWS * COLS);
    // Two clusters: the nearer one has at least about half.
    assert!(values.iter().all(|v| (0.3..=1.0).contains(v)));
    let confidence = &place.json("image.stemseg/summary.json")["confidence"];
    let n = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let sure = values.iter().filter(|v| **v > 0.9).count() as f64 / n;
    assert!((number(&confidence["mean"]) - mean).abs() < 1e-6);
    assert!((number(&confidence["fraction_above_0_9"]) - sure).abs() < 1e-9);
}

#[test]
fn the_best_separating_translations_come_first() {
    let place = Place::with_scene();
    Job::new().succeed(&place);
    let summary = place.json("image.stemseg/summary.json");
    let best = summary["separability"]["best"].as_array().unwrap();
    let values: Vec<f64> = best.iter().map(|channel| number(&channel["value"])).collect();
    assert!(values.is_sorted_by(|a, b| a >= b) && values[0] > 1.0, "{values:?}");
    let names = summary["descriptors"]["channel_names"].as_array().unwrap();
    let all = summary["separability"]["channels"].as_array().unwrap();
    assert_eq!(all.len(), names.len());
    let first = names.iter().position(|name| *name == best[0]["name"]).unwrap();
    assert_eq!(number(&all[first]), values[0]);
}

#[test]
fn the_model_is_one_that_the_library_loads() {
    let place = Place::with_scene();
    Job::new().succeed(&place);
    let model = stemseg::model::Model::load(place.path("image.stemseg/model.json")).unwrap();
    let summary = place.json("image.stemseg/summary.json");
    assert_eq!(model.patterns.len() as f64, number(&summary["kmeans"]["clusters"]));
    assert_eq!(model.patterns[0].fraction, number(&summary["labels"][0]["fraction"]));
}
