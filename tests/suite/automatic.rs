//! The settings that follow from the image alone: what they find, and what must change
//! nothing.

use std::f64::consts::TAU;

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma};
use libtest_mimic::{Failed, Trial};
use ndarray::{Array2, s};
use stemseg::backend::{Backend, DeviceChoice, cpu::Cpu};
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::pipeline::{self, Segmentation};
use stemseg::sites::Extent;
use stemseg::{Plan, Segmenter, Silent, plan::automatic};
use stemseg_simulate::{Scene, Settings, Simulated, simulate};

use crate::contract::Random;
use crate::verify::Low;
use stemseg_testing::data::adjusted_rand_index;
use stemseg_testing::devices::Devices;

type Outcome = Result<(), Failed>;

/// Scene, number of patterns: what the settings should find as good as wholly.
const SCENES: [(&str, usize); 6] = [
    ("tilt-boundary", 2),
    ("square-hexagonal", 2),
    ("inversion-domains", 2),
    ("plane-groups p4mm p4", 2),
    ("plane-groups p4gm p4", 2),
    ("plane-groups p6 p3", 2),
];

pub(crate) fn trials(devices: &Devices) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (scene, clusters) in SCENES {
        let name = format!("automatic::finds_{}", scene.replace(' ', "_"));
        trials.extend(devices.each(&name, move |b| finds(b, scene, clusters)));
    }
    for group in ["p4mm", "p2", "p6"] {
        let name = format!("automatic::border_of_one_crystal_of_{group}");
        trials.extend(devices.each(&name, move |b| no_frame(b, group)));
    }
    for times in [0.5, 1.5, 3.0] {
        let name = format!("automatic::magnified_{times}_times");
        trials.extend(devices.each(&name, move |b| magnified(b, times)));
    }
    let mut each = |name: &str, test: fn(&dyn Backend) -> Outcome| {
        trials.extend(devices.each(&format!("automatic::{name}"), test));
    };
    each("bands_change_nothing", bands);
    each("masked_pixels_have_no_label_and_change_little", masked);
    each("uneven_brightness_and_contrast_change_little", uneven);
    trials.push(Trial::test("automatic::boundary_phases_are_kept_where_asked", boundary_phases));
    trials.push(Trial::test(
        "automatic::cells_of_several_columns_are_resampled_to_a_larger_period",
        targets,
    ));
    trials
        .push(devices.gpu_trial("automatic::labels_are_those_of_the_cpu", |gpu| like_the_cpu(gpu)));
    trials
}

/// A square and a hexagonal lattice, and between them a layer of another, this number of
/// periods thick.
fn with_layer(thickness: f64) -> Array2<f32> {
    const PERIOD: f64 = 9.0;
    let wave = |x: f64| (TAU * x / PERIOD).cos();
    let mut random = Random::new(5);
    Array2::from_shape_fn((256, 256), |(row, col)| {
        let (r, c) = (row as f64, col as f64);
        let hexagonal = |a: f64| wave(r * a.cos() + c * a.sin());
        let signal = match (c - 128.0) / PERIOD {
            x if x < -thickness / 2.0 => wave(r) + wave(c),
            x if x < thickness / 2.0 => wave(r / 2.0) + wave(c),
            _ => 0.8 * [1.0, 3.0, 5.0].map(|a| hexagonal(a * TAU / 12.0)).iter().sum::<f64>(),
        };
        (signal + random.unit() - 0.5) as f32
    })
}

fn boundary_phases() -> Outcome {
    for (thickness, kept, patterns) in [(0.0, true, 2), (2.0, false, 2), (2.0, true, 3)] {
        let segmenter = Segmenter::auto().boundary_phases(kept).device(DeviceChoice::Cpu);
        let found = segmenter.segment(&with_layer(thickness))?;
        let labels = found.labels();
        let count = labels.iter().collect::<std::collections::HashSet<_>>().len();
        if count != patterns {
            return Err(format!("{count} patterns with {thickness} periods, kept: {kept}").into());
        }
        // The layer is drawn wider than it is, and no further than its windows reach.
        let layer = (0..256).filter(|&c| {
            let label = labels[(128, c)];
            label != labels[(128, 20)] && label != labels[(128, 235)]
        });
        let place: Vec<usize> = layer.collect();
        let within = place.iter().all(|c| c.abs_diff(128) < 32);
        if patterns == 3 && !(within && place.contains(&128)) {
            return Err(format!("the layer lies in columns {place:?}").into());
        }
    }
    match Segmenter::pystem().boundary_phases(true).segment(&with_layer(2.0)) {
        Err(error) if error.to_string().starts_with("boundary-phases = true") => Ok(()),
        other => Err(format!("{:?}", other.map(|_| "it was segmented")).into()),
    }
}

/// `scene`, with its plane groups, as `stemseg simulate` makes it.
fn simulated(scene: &str, side: usize, seed: u64) -> Result<Simulated, Failed> {
    let mut words = scene.split(' ').map(str::to_owned);
    let name = words.next().unwrap_or_default();
    let scene = Scene::new(&name, &words.collect::<Vec<_>>(), None)?;
    let settings = Settings { size: Extent::square(side), seed, ..Default::default() };
    Ok(simulate(&scene, &settings, &Silent)?)
}

fn segment(
    backend: &dyn Backend,
    image: &Array2<f32>,
    mask: Option<Array2<bool>>,
    clusters: usize,
) -> Result<Segmentation, Failed> {
    let micrograph = Micrograph::new(image.view(), mask, NonFinite::Fail)?;
    let params =
        automatic::params(automatic::sampling(automatic::period(&micrograph)), vec![clusters]);
    let plan = Plan::new(params, &micrograph)?;
    Ok(pipeline::segment(&micrograph, plan, backend, &Silent, Default::default())?)
}

fn labels(
    backend: &dyn Backend,
    image: &Array2<f32>,
    clusters: usize,
) -> Result<Array2<u16>, Failed> {
    Ok(segment(backend, image, None, clusters)?.results[0].map.pixels())
}

/// Share of the pixels with a label in both maps that have another in `b` than most of
/// their label in `a`.
fn differing(a: &Array2<u16>, b: &Array2<u16>) -> f64 {
    let most = |map: &Array2<u16>| usize::from(map.iter().copied().max().unwrap_or(0)) + 1;
    let mut table = Array2::<u64>::zeros((most(a), most(b)));
    for (&a, &b) in a.iter().zip(b).filter(|(a, b)| **a != 0 && **b != 0) {
        table[(usize::from(a), usize::from(b))] += 1;
    }
    let same: u64 = table.rows().into_iter().filter_map(|row| row.iter().copied().max()).sum();
    1.0 - same as f64 / table.sum().max(1) as f64
}

fn rand_index(a: &Array2<u16>, b: &Array2<u16>) -> f64 {
    let [a, b] = [a, b].map(|map| map.iter().copied().collect::<Vec<u16>>());
    adjusted_rand_index(&a, &b)
}

fn finds(backend: &dyn Backend, scene: &str, clusters: usize) -> Outcome {
    let simulated = simulated(scene, 384, 1)?;
    let found = labels(backend, &simulated.image, clusters)?;
    match rand_index(&simulated.labels, &found) {
        0.9.. => Ok(()),
        index => Err(format!("adjusted Rand index {index:.4}").into()),
    }
}

/// Of two patterns in one crystal neither is its border: not nearly all of that has one
/// label and the inside the other.
fn no_frame(backend: &dyn Backend, group: &str) -> Outcome {
    let simulated = simulated(&format!("plane-group {group}"), 320, 1)?;
    let found = labels(backend, &simulated.image, 2)?;
    // A quarter of a cell, and a cell and a half.
    let (thin, deep) = (7, 45);
    let depth = |r: usize, c: usize| r.min(c).min(319 - r).min(319 - c);
    let share = |counts: &dyn Fn(usize) -> bool| {
        let there: Vec<u16> = found
            .indexed_iter()
            .filter(|((r, c), _)| counts(depth(*r, *c)))
            .map(|(_, &label)| label)
            .collect();
        there.iter().filter(|&&label| label == 2).count() as f64 / there.len() as f64
    };
    let (border, inside) = (share(&|d| d < thin), share(&|d| d >= deep));
    match (border - inside).abs() {
        ..0.75 => Ok(()),
        _ => Err(format!("{border:.3} of the border and {inside:.3} of the inside").into()),
    }
}

/// The image `times` as large, pixels of the truth likewise.
fn magnified(backend: &dyn Backend, times: f64) -> Outcome {
    let side = 320_u32;
    let simulated = simulated("tilt-boundary", side as usize, 3)?;
    let to = (f64::from(side) * times) as u32;
    // Values from 0 to 1 are what floats may have there.
    let most = simulated.image.iter().fold(0.0_f32, |most, &v| most.max(v));
    let grey = ImageBuffer::<Luma<f32>, _>::from_fn(side, side, |x, y| {
        Luma([0.1 + 0.8 * simulated.image[(y as usize, x as usize)] / most])
    });
    let large = imageops::resize(&grey, to, to, FilterType::CatmullRom);
    let large = Array2::from_shape_fn((to as usize, to as usize), |(r, c)| {
        large.get_pixel(c as u32, r as u32)[0]
    });
    let from = |x: usize| (((x as f64 + 0.5) / times) as usize).min(side as usize - 1);
    let truth = Array2::from_shape_fn(large.dim(), |(r, c)| simulated.labels[(from(r), from(c))]);
    let plain = rand_index(&simulated.labels, &labels(backend, &simulated.image, 2)?);
    let magnified = rand_index(&truth, &labels(backend, &large, 2)?);
    match (plain - magnified).abs() <= 0.03 && plain > 0.9 {
        true => Ok(()),
        false => Err(format!("adjusted Rand index {magnified:.4}, before {plain:.4}").into()),
    }
}

fn bands(backend: &dyn Backend) -> Outcome {
    let image = simulated("tilt-boundary", 512, 2)?.image;
    let whole = segment(backend, &image, None, 2)?;
    let low = segment(&Low(backend), &image, None, 2)?;
    let rows = pipeline::bands(&low.plan, &Low(backend))?.len();
    if rows < 3 {
        return Err(format!("{rows} bands are too few to show anything").into());
    }
    let same = whole.features == low.features
        && whole.results[0].map.pixels() == low.results[0].map.pixels()
        && whole.results[0].memberships == low.results[0].memberships;
    if same { Ok(()) } else { Err("bands change the result".into()) }
}

/// What is masked has no label, whatever lies under it; the rest keeps its own.
fn masked(backend: &dyn Backend) -> Outcome {
    let mut image = simulated("tilt-boundary", 320, 1)?.image;
    let plain = labels(backend, &image, 2)?;
    let mut mask = Array2::from_elem(image.dim(), false);
    mask.slice_mut(s![..70, 200..]).fill(true);
    mask.slice_mut(s![150..190, 60..130]).fill(true);
    image.indexed_iter_mut().filter(|(at, _)| mask[*at]).for_each(|(_, v)| *v = 1e6);
    let found = segment(backend, &image, Some(mask.clone()), 2)?.results[0].map.pixels();
    if let Some((at, _)) = found.indexed_iter().find(|(at, label)| (**label == 0) != mask[*at]) {
        return Err(format!("the pixel at {at:?} has label {}", found[at]).into());
    }
    match differing(&plain, &found) {
        ..0.01 => Ok(()),
        share => Err(format!("the mask changes {share:.4} of the other pixels").into()),
    }
}

/// A ramp twice as high as the contrast, which doubles from one side to the other.
fn uneven(backend: &dyn Backend) -> Outcome {
    let mut image = simulated("tilt-boundary", 384, 4)?.image;
    let plain = labels(backend, &image, 2)?;
    let (rows, cols) = image.dim();
    let mean = image.mean().unwrap_or_default();
    let deviation = image.std(0.0);
    image.indexed_iter_mut().for_each(|((r, c), v)| {
        let (down, along) = (r as f32 / rows as f32, c as f32 / cols as f32);
        *v = (*v - mean) * (1.0 + along) + 2.0 * deviation * (down + along);
    });
    match differing(&plain, &labels(backend, &image, 2)?) {
        ..0.01 => Ok(()),
        share => Err(format!("{share:.4} of the pixels change their label").into()),
    }
}

/// Labels differ at most where scores are as good as equal.
fn like_the_cpu(gpu: &dyn Backend) -> Outcome {
    for (scene, clusters) in [("tilt-boundary", 2), ("plane-groups p4gm p4", 2)] {
        let image = simulated(scene, 320, 5)?.image;
        let [cpu, gpu] =
            [&Cpu::new() as &dyn Backend, gpu].map(|backend| labels(backend, &image, clusters));
        let (cpu, gpu) = (cpu?, gpu?);
        let share = cpu.iter().zip(&gpu).filter(|(a, b)| a != b).count() as f64 / cpu.len() as f64;
        if share > 0.001 {
            return Err(format!("{scene}: {share:.5} of the pixels differ").into());
        }
    }
    Ok(())
}

fn targets() -> Outcome {
    for (scene, expected) in [
        ("tilt-boundary", automatic::SMALLER_PERIOD),
        ("plane-group p4gm", automatic::LARGER_PERIOD),
    ] {
        let image = simulated(scene, 256, 0)?.image;
        let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
        let found = automatic::period(&micrograph);
        let target = automatic::sampling(found).target;
        if target != expected {
            return Err(format!("{scene}: {target} instead of {expected}: {found:?}").into());
        }
    }
    Ok(())
}
