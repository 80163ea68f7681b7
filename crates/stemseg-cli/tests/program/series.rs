//! A film whose truth is known: labels, drift, front.

use std::path::Path;

use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, Array3, ArrayView2, Axis};
use serde_json::Value;
use stemseg::backend::Backend;
use stemseg::cluster::overlaps::Overlaps;

use crate::job::{stemseg, text};
use stemseg_testing::data;
use stemseg_testing::devices::Devices;
use stemseg_testing::place::Place;
use stemseg_testing::wrong::wrong;

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = data::needs_shared("series::a_film_with_truth", || {
        vec![Trial::test("series::a_film_with_truth", film_with_truth)]
    });
    trials.push(devices.gpu_trial("series::frames_on_a_device", |gpu| on_a_device(gpu)));
    trials
}

/// A film of `frames` frames: rows of atoms left of a front that moves by 4 px a frame, slanted ones
/// right of it.
pub(crate) fn film(frames: usize) -> Array3<f32> {
    Array3::from_shape_fn((frames, 96, 128), |(t, r, c)| {
        let along = if c < 40 + 4 * t { r } else { r + c };
        let wave = |x: usize| (x as f32 * std::f32::consts::TAU / 8.0).cos();
        let noise = ((r * 7919 + c * 104_729 + t * 1_299_709) % 1009) as f32 / 2000.0;
        wave(along) + wave(c) + noise
    })
}

/// Shares of the labels in two results of one film that differ.
pub(crate) fn differing(place: &Place, results: [&str; 2]) -> f64 {
    let [one, other] = results.map(|name| place.array::<u8>(format!("{name}/labels.npy")));
    assert_eq!(one.0, other.0);
    let differ = one.1.iter().zip(&other.1).filter(|(a, b)| a != b).count();
    differ as f64 / one.1.len() as f64
}

/// Two frames are under way on a device, each of which it is given once; they come out in their order,
/// as on the processor.
fn on_a_device(gpu: &dyn Backend) -> Result<(), Failed> {
    const FRAMES: usize = 9;
    let place = Place::empty();
    place.npy("film.npy", &film(FRAMES));
    let run = |device: &str, out: &str| -> Result<String, Failed> {
        let output = stemseg(&place)
            .args(["series", "film.npy", "-k", "2", "--fit", "3", "--no-report", "--verbose"])
            .args(["--check", "off", "--device", device, "--out", out])
            .output()?;
        let said = text(&output.stderr);
        check(output.status.success(), &said)?;
        Ok(said)
    };
    run("cpu", "processor")?;
    let said = run(&gpu.device().name, "device")?;
    let differ = differing(&place, ["processor", "device"]);
    check(differ < 1e-4, format_args!("{differ} of the labels differ"))?;
    let once = format!("each of {FRAMES} frames took the device 1.0 submissions");
    check(said.contains(&once), &said)?;
    check(said.contains("the host waited 1.0 times"), &said)?;
    // A pattern that follows from frame to frame needs the frame before.
    let output = stemseg(&place)
        .args(["series", "film.npy", "-k", "2", "--fit", "3", "--no-report", "--adapt"])
        .args(["--device", &gpu.device().name, "--out", "adapted"])
        .output()?;
    check(output.status.success(), text(&output.stderr))?;
    let differ = differing(&place, ["processor", "adapted"]);
    check(differ < 0.02, format_args!("{differ} of the labels differ where centroids follow"))
}

/// What the manifest says of the film.
struct Truth {
    drift: Vec<[f64; 2]>,
    front: Vec<f64>,
    /// In the image's coordinates, `[frames, rows, cols]`, 1 left of the front.
    labels: Array3<f64>,
}

impl Truth {
    fn read(folder: &Path) -> Result<Self, Failed> {
        let manifest: Value =
            serde_json::from_slice(&std::fs::read(folder.join("manifest.json"))?)?;
        let number = |value: &Value| value.as_f64().ok_or_else(|| Failed::from("not a number"));
        let (mut drift, mut front) = (Vec::new(), Vec::new());
        for frame in manifest["frames"].as_array().ok_or("no frames")? {
            let moved = &frame["drift_yx_px"];
            drift.push([number(&moved[0])?, number(&moved[1])?]);
            front.push(number(&frame["front_x_px_specimen"])?);
        }
        let labels = data::load(&folder.join("j_moving_boundary_labels.npy"))?;
        Ok(Self { drift, front, labels: labels.into_dimensionality().map_err(|e| e.to_string())? })
    }

    /// The true labels of a frame at the specimen's pixels, nothing where it does not show them.
    fn in_specimen(&self, frame: usize) -> Array2<Option<u16>> {
        let map = self.labels.index_axis(Axis(0), frame);
        let [down, right] = self.drift[frame];
        Array2::from_shape_fn(map.dim(), |(r, c)| {
            let at = ((r as f64 + down).round(), (c as f64 + right).round());
            let there = at.0 >= 0.0 && at.1 >= 0.0;
            let value = there.then(|| map.get((at.0 as usize, at.1 as usize))).flatten();
            value.map(|&label| label as u16)
        })
    }

    /// Mean column of the front: what the manifest gives and a wave of 10 px about it.
    fn mean_front(&self, frame: usize, rows: usize) -> f64 {
        let wave = |row: usize| 10.0 * (row as f64 / 37.0 + 0.05 * frame as f64).sin();
        self.front[frame] + (0..rows).map(wave).sum::<f64>() / rows as f64
    }
}

/// The adjusted Rand index where both maps have a label.
fn index(truth: &Array2<Option<u16>>, found: ArrayView2<'_, u8>) -> Result<f64, Failed> {
    let both = truth.iter().zip(found).filter_map(|(truth, &found)| {
        truth.filter(|_| found > 0).map(|truth| (truth, u16::from(found)))
    });
    let (truth, found): (Vec<u16>, Vec<u16>) = both.unzip();
    let row = |labels: Vec<u16>| Array2::from_shape_vec((1, labels.len()), labels);
    Ok(Overlaps::new(row(truth)?.view(), row(found)?.view())?.adjusted_rand_index())
}

fn check(holds: bool, words: impl std::fmt::Display) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(wrong(words)) }
}

fn film_with_truth() -> Result<(), Failed> {
    let folder = data::shared().join("data/video");
    let truth = Truth::read(&folder)?;
    let place = Place::empty();
    let film = folder.join("j_moving_boundary.npy");
    let output = stemseg(&place)
        .args(["series", "-k", "2", "--device", "cpu", "--out", "film", "--no-report"])
        .args(["--format", "npy"])
        .arg(&film)
        .output()?;
    check(output.status.success(), text(&output.stderr))?;

    let (shape, labels) = place.array::<u8>("film/labels.npy");
    check(shape == [30, 256, 256], format_args!("{shape:?}"))?;
    let labels = Array3::from_shape_vec((30, 256, 256), labels)?;
    let table = csv::Reader::from_path(place.path("film/kinetics.csv"))?
        .deserialize()
        .collect::<Result<Vec<std::collections::HashMap<String, String>>, _>>()?;
    let number = |frame: usize, name: &str| -> Result<f64, Failed> {
        let value = table[frame].get(name).ok_or_else(|| format!("no column {name}"))?;
        Ok(value.parse::<f64>()?)
    };

    // Labels, with one meaning throughout.
    let mut indices = Vec::new();
    let (mut changes, mut looked_at) = (Array2::<i32>::zeros((256, 256)), 0_u64);
    let mut agree = [0_u64; 2];
    let mut before: Option<(Array2<Option<u16>>, usize)> = None;
    for frame in 0..30 {
        let (true_map, map) = (truth.in_specimen(frame), labels.index_axis(Axis(0), frame));
        indices.push(index(&true_map, map)?);
        for (truth, &found) in true_map.iter().zip(map) {
            if let (Some(truth), 1..) = (truth, found) {
                agree[usize::from(u16::from(found) == 2 - truth)] += 1;
            }
        }
        // How often labels change, found and true.
        if let Some((earlier, number)) = before {
            let map_before = labels.index_axis(Axis(0), number);
            for ((at, a), b) in earlier.indexed_iter().zip(&true_map) {
                let (Some(a), Some(b)) = (a, b) else { continue };
                if map_before[at] > 0 && map[at] > 0 {
                    looked_at += 1;
                    changes[at] += i32::from(map_before[at] != map[at]) - i32::from(a != b);
                }
            }
        }
        before = Some((true_map, frame));
    }
    let mean = indices.iter().sum::<f64>() / 30.0;
    let least = indices.iter().copied().fold(1.0, f64::min);
    check(mean >= 0.965, format_args!("mean index {mean}"))?;
    check(least >= 0.93, format_args!("least index {least}: {indices:?}"))?;
    let one_meaning = agree[0].max(agree[1]) as f64 / (agree[0] + agree[1]) as f64;
    check(one_meaning > 0.98, format_args!("labels agree in {one_meaning}"))?;
    // Those that are found in addition to the true ones, for each pixel and frame: a front that
    // passes a pixel a frame early flickers nowhere.
    let flicker =
        f64::from(changes.iter().map(|more| more.max(&0)).sum::<i32>()) / looked_at as f64;
    check(flicker < 0.002, format_args!("false flicker {flicker}"))?;

    // Drift.
    for frame in 0..30 {
        let found = [number(frame, "drift_row_px")?, number(frame, "drift_col_px")?];
        let off = [0, 1].map(|axis| (found[axis] - truth.drift[frame][axis]).abs());
        check(
            off[0].max(off[1]) <= 0.3,
            format_args!("frame {frame}: drift {found:?}, off by {off:?}"),
        )?;
    }

    // The front and its velocity.
    let mut off = 0.0;
    for frame in 0..30 {
        let found = number(frame, "boundary_1_2_col_px")?;
        off += (found - truth.mean_front(frame, 256)).abs() / 30.0;
    }
    check(off <= 1.5, format_args!("the front is off by {off} px on average"))?;
    let summary = place.json("film/summary.json");
    let boundary = &summary["boundaries"][0];
    let velocity = boundary["velocity_px_per_frame"].as_f64().ok_or("no velocity")?.abs();
    // Along the normal of a front that waves: what the columns see, over how much longer it is.
    let slope =
        |row: usize, frame: usize| 10.0 / 37.0 * (row as f64 / 37.0 + 0.05 * frame as f64).cos();
    let length =
        |frame: usize| (0..256).map(|row| slope(row, frame).hypot(1.0)).sum::<f64>() / 256.0;
    let longer = (0..30).map(length).sum::<f64>() / 30.0;
    let expected = (truth.mean_front(29, 256) - truth.mean_front(0, 256)) / 29.0 / longer;
    check(
        (velocity / expected - 1.0).abs() <= 0.05,
        format_args!("velocity {velocity}, expected {expected}"),
    )
}
