//! Each stage by itself, through the public API: `cargo bench --bench stages`.
//!
//! Criterion compares with its own last run. `stemseg bench` sets the same stages
//! against what the machine can do, and against other devices.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array2, s};
use stemseg::backend::Backend;
use stemseg::backend::cpu::Cpu;
use stemseg::descriptor::{FamilyParams, translation};
use stemseg::image::micrograph::{Micrograph, NonFinite};
use stemseg::labels::label_map::{LabelMap, Numbering};
use stemseg::pipeline::bands;
use stemseg::plan::{Components, Order, Outline};
use stemseg::reduce::pca::Pca;
use stemseg::sites::Extent;
use stemseg::{Params, Plan, Silent};
use stemseg_simulate::{Scene, Settings, simulate};

const SIZE: usize = 512;
const CLUSTERS: usize = 3;

/// Pixels of a polycrystal.
fn pixels() -> Array2<f32> {
    let scene = Scene::new("polycrystal", &[], Some(5)).unwrap();
    let settings = Settings { size: Extent::square(SIZE), ..Default::default() };
    simulate(&scene, &settings, &Silent).unwrap().image
}

fn micrograph(pixels: &Array2<f32>) -> Micrograph {
    Micrograph::new(pixels.view(), None, NonFinite::Fail).unwrap()
}

/// Patch and window of `half` px, sites every `stride` px.
fn plan(half: usize, stride: usize) -> Plan {
    let family = translation::Params {
        patch: Extent::square(half),
        window: Extent::square(half),
        ..Default::default()
    };
    let families = vec![FamilyParams::Translation(family)];
    let params = Params { families, stride, clusters: vec![CLUSTERS], ..Default::default() };
    Plan::new(params, Outline::new((SIZE, SIZE), 1.0)).unwrap()
}

/// Patch and stride of the cases: the defaults, dense sites, large patches.
const CASES: [(usize, usize); 3] = [(20, 5), (20, 1), (60, 2)];

fn standardise(criterion: &mut Criterion) {
    let pixels = pixels();
    let mut group = criterion.benchmark_group("standardise");
    group.throughput(Throughput::Elements(pixels.len() as u64));
    group.bench_function("f32", |b| b.iter(|| micrograph(black_box(&pixels))));
    let counts = pixels.mapv(|v| v as u16);
    let new = || Micrograph::new(black_box(counts.view()), None, NonFinite::Fail).unwrap();
    group.bench_function("u16", |b| b.iter(new));
}

/// Norm maps and descriptors: what comes first needs the maps too, what comes
/// again finds them there.
fn descriptors(criterion: &mut Criterion) {
    let (cpu, micrograph) = (Cpu::new(), micrograph(&pixels()));
    for (name, warm) in [("translation with norm maps", false), ("translation alone", true)] {
        let mut group = criterion.benchmark_group(name);
        for (half, stride) in CASES {
            let plan = plan(half, stride);
            let bands = bands(&plan, &cpu).unwrap();
            let mut out = Array2::zeros((plan.sites().grid().len(), plan.channels()));
            group.throughput(Throughput::Elements(plan.sites().grid().len() as u64));
            let mut describe = |session: &mut dyn stemseg::backend::Describe| {
                for band in &bands {
                    session.describe(band, out.slice_mut(s![band.sites(), ..])).unwrap();
                }
            };
            let upload = || cpu.upload(micrograph.pixels(), &plan).unwrap();
            let id = BenchmarkId::from_parameter(format!("patch {half} stride {stride}"));
            group.bench_function(id, |b| match warm {
                true => {
                    let mut session = upload();
                    b.iter(|| describe(&mut *session));
                }
                false => b.iter_batched_ref(
                    upload,
                    |session| describe(&mut **session),
                    BatchSize::PerIteration,
                ),
            });
        }
    }
}

fn moments(criterion: &mut Criterion) {
    let (cpu, micrograph) = (Cpu::new(), micrograph(&pixels()));
    let mut group = criterion.benchmark_group("moments with translation");
    for (half, stride) in CASES {
        let plan = plan(half, stride);
        let bands = bands(&plan, &cpu).unwrap();
        let mut session = cpu.upload(micrograph.pixels(), &plan).unwrap();
        group.throughput(Throughput::Elements(plan.sites().grid().len() as u64));
        let id = BenchmarkId::from_parameter(format!("patch {half} stride {stride}"));
        group.bench_function(id, |b| {
            b.iter(|| {
                bands.iter().for_each(|band| session.accumulate(band).unwrap());
                session.moments().unwrap()
            });
        });
    }
}

fn pca(criterion: &mut Criterion) {
    let (cpu, micrograph, plan) = (Cpu::new(), micrograph(&pixels()), plan(20, 5));
    let bands = bands(&plan, &cpu).unwrap();
    let mut session = cpu.upload(micrograph.pixels(), &plan).unwrap();
    bands.iter().for_each(|band| session.accumulate(band).unwrap());
    let moments = session.moments().unwrap();
    let solve = || Pca::new(black_box(&moments), Components::Count(5)).unwrap();
    criterion.bench_function("pca of 81 channels", |b| b.iter(solve));
    let pca = solve();
    criterion.bench_function("projection with translation", |b| {
        b.iter(|| {
            bands.iter().for_each(|band| session.project(band, &pca).unwrap());
            session.features().unwrap()
        });
    });
}

fn k_means(criterion: &mut Criterion) {
    let cpu = Cpu::new();
    let mut group = criterion.benchmark_group("k-means step");
    for (count, features, clusters) in [(10_000, 5, 3), (1_000_000, 5, 8)] {
        let value = |(i, f): (usize, usize)| ((i * 31 + f * 17) % 1009) as f32 / 1009.0;
        let points = Array2::from_shape_fn((count, features), value);
        let centroids = points.slice(s![..clusters, ..]).to_owned();
        let mut assign = cpu.assigner(points.view()).unwrap();
        group.throughput(Throughput::Elements(count as u64));
        let id = BenchmarkId::from_parameter(format!("{count} x {features}, k = {clusters}"));
        group.bench_function(id, |b| b.iter(|| assign.step(centroids.view()).unwrap()));
    }
}

fn upsampling(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("label map");
    group.throughput(Throughput::Elements((SIZE * SIZE) as u64));
    for stride in [1, 5] {
        let plan = plan(20, stride);
        let labels: Vec<u32> =
            (0..plan.sites().grid().len()).map(|site| (site / 50 % CLUSTERS) as u32).collect();
        let numbering = Numbering::Order(Order::Size);
        let map = || LabelMap::new(black_box(&labels), CLUSTERS, plan.canvas(&numbering, None));
        group.bench_function(format!("stride {stride}"), |b| b.iter(map));
        let (values, labels) = (vec![0.5; plan.sites().grid().len()], map());
        let spread = || labels.spread(black_box(&values));
        group.bench_function(format!("confidence, stride {stride}"), |b| b.iter(spread));
    }
}

/// Short enough that all of them take a minute or two.
fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = stages;
    config = short();
    targets = standardise, descriptors, moments, pca, k_means, upsampling
}
criterion_main!(stages);
