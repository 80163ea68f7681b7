use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use super::sides::described;
use super::*;
use crate::Silent;
use crate::backend::cpu::Cpu;
use crate::backend::{Assign, Backend, Describe, Step};
use crate::descriptor::harmonic::Pool;
use crate::descriptor::{Common, FamilyParams};
use crate::image::micrograph::NonFinite;
use crate::plan::automatic;
use crate::reduce::pca::Moments;
use crate::sites::{Band, Extent};

/// Images on which sums lose little, and much.
fn images() -> Vec<(&'static str, Array2<f64>)> {
    let mut state = 7_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f64 / 16_777_216.0 - 0.5
    };
    let plain = Array2::from_shape_fn((76, 84), |(r, c)| {
        100.0 * (0.9 * r as f64).cos() * (0.7 * c as f64 + 0.1 * r as f64).sin() + 60.0 * random()
    });
    let with = |change: &dyn Fn(usize, usize) -> f64| {
        &plain + &Array2::from_shape_fn(plain.dim(), |(r, c)| change(r, c))
    };
    vec![
        ("step", with(&|_, c| if c > 45 { 2000.0 } else { 0.0 })),
        ("ramp", with(&|r, c| 8.0 * (r + c) as f64)),
        ("hot pixels", with(&|r, c| if (r * 53 + c) % 1009 == 7 { 20_000.0 } else { 0.0 })),
        ("vacuum", with(&|r, c| if r < 30 { -plain[(r, c)] + 0.1 } else { 0.0 })),
        ("plain", plain),
    ]
}

fn params(name: &str) -> Params {
    let power_mean = name == "power-mean";
    let own = if power_mean { "harmonic" } else { name };
    let mut family = FamilyParams::from_name(own).unwrap();
    let window = Extent { rows: 7, cols: 5 };
    let Common { patch, window: own, radius, .. } = family.common();
    patch.into_iter().for_each(|patch| *patch = Extent { rows: 9, cols: 12 });
    own.into_iter().for_each(|own| *own = window);
    radius.into_iter().for_each(|radius| *radius = 9);
    match &mut family {
        FamilyParams::Translation(p) => p.patch = Extent::square(8),
        FamilyParams::Centred(p) => p.width = 5.0,
        FamilyParams::Glide(p) => (p.rings, p.periods) = (12, vec![8.7]),
        FamilyParams::Harmonic(p) if power_mean => p.pool = Pool::PowerMean { width: 3.0 },
        FamilyParams::PowerSpectrum(p) => p.window = Extent { rows: 9, cols: 12 },
        _ => {}
    }
    Params { families: vec![family], stride: 5, ..Default::default() }
}

/// What a family's rule allows is more than the CPU needs against the definition, and
/// less than what a constant that is wrong by a thousandth does.
#[test]
fn rounding_explains_the_cpu_and_no_wrong_constant() {
    for (image_name, pixels) in images() {
        let micrograph = Micrograph::new(pixels.view(), None, NonFinite::Fail).unwrap();
        let image = micrograph.standardised().unwrap();
        for name in FamilyParams::NAMES.into_iter().chain(["power-mean"]) {
            let plan = Plan::new(params(name), &micrograph).unwrap();
            let cpu = Cpu::new();
            let mut session = cpu.upload(image, &plan).unwrap();
            let band = &plan.sites().grid().bands(plan.sites().grid().count.rows)[0];
            let own = described(&mut *session, band, &plan).unwrap();
            let exact = image.mapv(f64::from) * plan.deviation();
            let exact = plan.families()[0].by_definition(exact.view(), plan.sites().grid(), None);
            let exact = exact.mapv(|v| v as f32);
            let pca = Pca::new(&moments_of(&mut *session, band), plan.params().components).unwrap();
            let passes = |checked: Array2<f32>| {
                let mut blocks = Blocks::new(&plan, &pca);
                blocks.add(image, band, &[exact.clone(), checked]);
                blocks.stages().remove(0)
            };
            let stage = passes(own.clone());
            assert!(stage.passed, "{image_name}: {stage:#?}");
            // Pixels far brighter than the others may be off by more in centred
            // translations, since the floor of variances is low.
            let bright = (image_name, name) == ("hot pixels", "centred-translation");
            let wrong = if bright { 1.002 } else { 1.001 };
            let stage = passes(own.mapv(|v| wrong * v));
            assert!(!stage.passed, "{image_name}: {stage:#?}");
        }
    }
}

fn moments_of(session: &mut dyn Describe, band: &Band) -> crate::reduce::pca::Moments {
    session.accumulate(band).unwrap();
    session.moments().unwrap()
}

#[test]
fn the_cpu_agrees_with_itself() {
    let (_, pixels) = images().remove(0);
    let micrograph = Micrograph::new(pixels.view(), None, NonFinite::Fail).unwrap();
    let report =
        verify(&micrograph, params("harmonic"), &Cpu::new(), &Cpu::new(), &Silent).unwrap();
    assert!(report.passed);
    assert!(report.stages.iter().all(|stage| stage.worst == 0.0 || stage.name == "assignment"));
}

/// A backend that is off in one thing that a device gives.
struct Off<F: Fn(&mut Array2<f32>) + Send + Sync> {
    cpu: Cpu,
    /// What becomes of features `[sites, q]`.
    features: F,
    /// What the labels and sums of an assignment are off by.
    assignment: Assignment,
}

/// How an assignment is wrong.
#[derive(Clone, Copy, PartialEq)]
enum Assignment {
    Right,
    /// One point has another label, the sums are those of the labels.
    Label,
    /// One sum is off.
    Sum,
}

impl<F: Fn(&mut Array2<f32>) + Send + Sync> Backend for Off<F> {
    fn device(&self) -> &DeviceInfo {
        self.cpu.device()
    }

    fn band_rows(&self, plan: &Plan, budget: u64) -> Result<usize> {
        self.cpu.band_rows(plan, budget)
    }

    fn upload<'a>(
        &'a self,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> Result<Box<dyn Describe + 'a>> {
        let inner = self.cpu.upload(image, plan)?;
        Ok(Box::new(OffSession { inner, features: &self.features }))
    }

    fn assigner<'a>(&'a self, points: ArrayView2<'a, f32>) -> Result<Box<dyn Assign + 'a>> {
        let inner = self.cpu.assigner(points)?;
        Ok(Box::new(OffPoints { inner, assignment: self.assignment, points, clusters: 0 }))
    }
}

struct OffSession<'a, F> {
    inner: Box<dyn Describe + 'a>,
    features: &'a F,
}

impl<F: Fn(&mut Array2<f32>)> Describe for OffSession<'_, F> {
    fn describe(&mut self, band: &Band, out: ArrayViewMut2<'_, f32>) -> Result<()> {
        self.inner.describe(band, out)
    }

    fn accumulate(&mut self, band: &Band) -> Result<()> {
        self.inner.accumulate(band)
    }

    fn moments(&mut self) -> Result<Moments> {
        self.inner.moments()
    }

    fn project(&mut self, band: &Band, pca: &Pca) -> Result<()> {
        self.inner.project(band, pca)
    }

    fn project_some(&mut self, band: &Band, sites: &[u32], pca: &Pca) -> Result<()> {
        self.inner.project_some(band, sites, pca)
    }

    fn features(&mut self) -> Result<Array2<f32>> {
        let mut features = self.inner.features()?;
        (self.features)(&mut features);
        Ok(features)
    }
}

struct OffPoints<'a> {
    inner: Box<dyn Assign + 'a>,
    assignment: Assignment,
    points: ArrayView2<'a, f32>,
    clusters: usize,
}

impl OffPoints<'_> {
    /// The point that has a wrong label.
    fn wrong(&self) -> usize {
        self.points.nrows() / 3
    }

    fn own(&mut self) -> Result<(Vec<u32>, Vec<f32>)> {
        let count = self.points.nrows();
        let (mut labels, mut distances) = (vec![0; count], vec![0.0; count]);
        self.inner.labels(&mut labels, &mut distances)?;
        Ok((labels, distances))
    }
}

impl Assign for OffPoints<'_> {
    fn step(&mut self, centroids: ArrayView2<'_, f32>) -> Result<Step> {
        let mut step = self.inner.step(centroids)?;
        self.clusters = centroids.nrows();
        match self.assignment {
            Assignment::Right => {}
            Assignment::Sum => step.sums[(0, 0)] += 0.01 * step.sums[(0, 0)].abs() + 1.0,
            Assignment::Label => {
                let wrong = self.wrong();
                let from = self.own()?.0[wrong] as usize;
                let to = (from + 1) % self.clusters;
                let point = self.points.row(wrong).mapv(f64::from);
                step.sums.row_mut(from).zip_mut_with(&point, |sum, p| *sum -= p);
                step.sums.row_mut(to).zip_mut_with(&point, |sum, p| *sum += p);
                step.counts[from] -= 1;
                step.counts[to] += 1;
            }
        }
        Ok(step)
    }

    fn labels(&mut self, labels: &mut [u32], distances: &mut [f32]) -> Result<()> {
        self.inner.labels(labels, distances)?;
        if self.assignment == Assignment::Label {
            let label = &mut labels[self.wrong()];
            *label = (*label + 1) % self.clusters as u32;
        }
        Ok(())
    }
}

/// Waves that run down on the left and along on the right, and noise.
fn two_crystals() -> Micrograph {
    let mut state = 7_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f64 / 16_777_216.0 - 0.5
    };
    let pixels = Array2::from_shape_fn((176, 208), |(r, c)| {
        let wave = |x: f64| (x * std::f64::consts::TAU / 16.0).cos();
        let (r, c) = (r as f64, c as f64);
        let pattern = if c < 104.0 { wave(r) * wave(c) } else { wave(0.7 * (r + c)) + wave(r - c) };
        100.0 * pattern + 30.0 * random()
    });
    Micrograph::new(pixels.view(), None, NonFinite::Fail).unwrap()
}

/// The automatic settings; for a number of patterns that is chosen.
fn automatic(micrograph: &Micrograph, clusters: Vec<usize>) -> Params {
    let period = automatic::period(micrograph);
    automatic::params(automatic::sampling(period), clusters)
}

/// The stages of the automatic settings, and those that a backend which is off so fails.
fn failed(
    params: Params,
    features: impl Fn(&mut Array2<f32>) + Send + Sync,
    assignment: Assignment,
) -> (Vec<&'static str>, Vec<&'static str>) {
    let checked = Off { cpu: Cpu::new(), features, assignment };
    let report = verify(&two_crystals(), params, &Cpu::new(), &checked, &Silent).unwrap();
    let name = |stage: &Stage| stage.name;
    let failed: Vec<&str> = report.stages.iter().filter(|stage| !stage.passed).map(name).collect();
    assert_eq!(report.passed, failed.is_empty());
    (report.stages.iter().map(name).collect(), failed)
}

#[test]
fn all_that_segment_does_by_default_is_verified() {
    let params = automatic(&two_crystals(), Vec::new());
    let (stages, failed) = failed(params, |_| {}, Assignment::Right);
    let up_to_features =
        ["centred-translation", "harmonic", "moments", "components", "choice", "features"];
    let patterns = ["assignment", "sums", "scores", "labels", "confidence"];
    assert_eq!(stages, [&up_to_features[..], &patterns[..]].concat());
    assert_eq!(failed, [""; 0]);
}

/// That `expected` are among the stages that a backend whose features are off so fails.
fn shows(params: Params, features: impl Fn(&mut Array2<f32>) + Send + Sync, expected: &[&str]) {
    let (_, failed) = failed(params, features, Assignment::Right);
    for stage in expected {
        assert!(failed.contains(stage), "{stage} is not among {failed:?}");
    }
}

/// Each stage shows what is wrong there, or was before.
#[test]
fn every_new_stage_shows_a_backend_that_is_wrong() {
    let params = || automatic(&two_crystals(), vec![2]);
    // The first component of harmonics is off by a tenth, at every site.
    let first = 24;
    let scaled = move |f: &mut Array2<f32>| f.column_mut(first).mapv_inplace(|v| 1.1 * v);
    shows(params(), scaled, &["components", "features", "scores"]);
    // It differs from site to site.
    let jittered = move |f: &mut Array2<f32>| {
        f.column_mut(first)
            .iter_mut()
            .enumerate()
            .for_each(|(i, v)| *v *= 1.0 + 0.1 * (i % 3) as f32);
    };
    shows(params(), jittered, &["components", "features"]);
    // Patterns lie nearer to each other; labels change only where they may by rounding too.
    let halved = |f: &mut Array2<f32>| f.mapv_inplace(|v| 0.5 * v);
    shows(params(), halved, &["scores"]);
    // What is given back to averages makes the bounds of confidence wider.
    let quartered = |f: &mut Array2<f32>| f.mapv_inplace(|v| 0.25 * v);
    shows(params(), quartered, &["scores", "labels", "confidence"]);
    // Each site has the features of the one opposite.
    let exchanged = |f: &mut Array2<f32>| {
        let turned = f.slice(s![..;-1, ..]).to_owned();
        f.assign(&turned);
    };
    shows(params(), exchanged, &["scores", "labels"]);
    // Nothing but noise has one pattern.
    let noise = |f: &mut Array2<f32>| {
        let mut state = 11_u64;
        f.mapv_inplace(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32
        });
    };
    shows(automatic(&two_crystals(), Vec::new()), noise, &["choice"]);
    // Labels and sums by which clusters are made.
    let (_, all) = failed(params(), |_| {}, Assignment::Sum);
    assert_eq!(all, ["sums"]);
    let (_, all) = failed(params(), |_| {}, Assignment::Label);
    assert_eq!(all[0], "assignment", "{all:?}");
    // The paper's way has the labels of sites.
    let (stages, all) = failed(self::params("translation"), |_| {}, Assignment::Label);
    assert!(!stages.contains(&"scores") && all.contains(&"labels"), "{all:?} of {stages:?}");
}

/// What rounding does to labels is within the bounds, and what is a little more is not.
#[test]
fn features_within_their_bounds_pass_to_the_end() {
    let params = || automatic(&two_crystals(), vec![2]);
    let by = |share: f32| {
        move |f: &mut Array2<f32>| {
            let signs = [1.0, -1.0, -1.0, 1.0, -1.0];
            f.iter_mut().enumerate().for_each(|(i, v)| *v *= 1.0 + share * signs[i % 5]);
        }
    };
    let (_, all) = failed(params(), by(f32::EPSILON), Assignment::Right);
    assert_eq!(all, [""; 0]);
    let (_, all) = failed(params(), by(1e-2), Assignment::Right);
    assert_eq!(all[0], "components", "{all:?}");
}
