//! A backend that is wrong in one way, and what looks over it.

use std::cell::Cell;

use ndarray::{Array2, ArrayViewMut2, s};

use super::*;
use crate::backend::Step;
use crate::descriptor::{FamilyParams, centred, harmonic, rotation, translation};
use crate::image::micrograph::{Micrograph, NonFinite};
use crate::plan::{Components, Params};
use crate::reduce::pca::{Moments, Pca};
use crate::sites::{Band, Extent};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Nothing,
    /// All values by a thousandth.
    Descriptors,
    /// One site's.
    Descriptor,
    NoNumber,
    Sites,
    /// As if a hundredth of the sites were missing.
    Products,
    Features,
    Feature,
    FewFeatures,
    Count,
    Sum,
    Label,
    LabelBeyond,
}

struct Faulty {
    cpu: Cpu,
    fault: Fault,
}

struct FaultySession<'a>(Box<dyn Describe + 'a>, Fault, Cell<usize>);

struct FaultyPoints<'a>(Box<dyn Assign + 'a>, Fault);

impl Backend for Faulty {
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
        Ok(Box::new(FaultySession(inner, self.fault, Cell::new(0))))
    }

    fn assigner<'a>(&'a self, points: ArrayView2<'a, f32>) -> Result<Box<dyn Assign + 'a>> {
        Ok(Box::new(FaultyPoints(self.cpu.assigner(points)?, self.fault)))
    }
}

impl Describe for FaultySession<'_> {
    fn describe(&mut self, band: &Band, mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        self.0.describe(band, out.view_mut())?;
        match self.1 {
            Fault::Descriptors => out.mapv_inplace(|v| 0.999 * v - 1e-3),
            Fault::Descriptor => out[(3, 1)] += 0.01,
            Fault::NoNumber => out[(3, 1)] = f32::NAN,
            _ => {}
        }
        Ok(())
    }

    fn accumulate(&mut self, band: &Band) -> Result<()> {
        self.0.accumulate(band)
    }

    fn moments(&mut self) -> Result<Moments> {
        let mut moments = self.0.moments()?;
        match self.1 {
            Fault::Sites => moments.count -= 1,
            Fault::Products => moments.products *= 0.99,
            _ => {}
        }
        Ok(moments)
    }

    fn project(&mut self, band: &Band, pca: &Pca) -> Result<()> {
        self.0.project(band, pca)
    }

    fn project_some(&mut self, band: &Band, sites: &[u32], pca: &Pca) -> Result<()> {
        self.0.project_some(band, sites, pca)
    }

    fn features(&mut self) -> Result<Array2<f32>> {
        let mut features = self.0.features()?;
        // The first are the random projections.
        if self.2.replace(self.2.get() + 1) == 0 {
            return Ok(features);
        }
        match self.1 {
            Fault::Features => features.mapv_inplace(|v| 0.999 * v - 1e-3),
            Fault::Feature => features[(7, 0)] += 0.01,
            Fault::FewFeatures => features = features.slice(s![1.., ..]).to_owned(),
            _ => {}
        }
        Ok(features)
    }
}

impl Assign for FaultyPoints<'_> {
    fn step(&mut self, centroids: ArrayView2<'_, f32>) -> Result<Step> {
        let mut step = self.0.step(centroids)?;
        match self.1 {
            Fault::Count => {
                step.counts[0] += 1;
                step.counts[1] -= 1;
            }
            Fault::Sum => step.sums[(0, 0)] += 10.0,
            _ => {}
        }
        Ok(step)
    }

    fn labels(&mut self, labels: &mut [u32], distances: &mut [f32]) -> Result<()> {
        self.0.labels(labels, distances)?;
        match self.1 {
            Fault::Label => labels.iter_mut().for_each(|label| *label = 1 - *label),
            Fault::LabelBeyond => labels[5] = 2,
            _ => {}
        }
        Ok(())
    }
}

fn image() -> Array2<f32> {
    let mut state = 7_u64;
    Array2::from_shape_fn((100, 110), |(r, c)| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let noise = (state >> 40) as f32 / 16_777_216.0;
        (0.9 * r as f32).cos() * (0.7 * c as f32 + 0.1 * r as f32).sin() + 0.5 * noise
    })
}

/// Families with a margin and without.
fn families(margin: bool) -> Vec<FamilyParams> {
    let window = Extent::square(6);
    let harmonic = harmonic::Params {
        radius: 5,
        window,
        rings: 1,
        angles: 4,
        pool: harmonic::Pool::PowerMean { width: 3.0 },
        ..Default::default()
    };
    match margin {
        false => vec![
            FamilyParams::Centred(centred::Params { width: 5.0, ..Default::default() }),
            FamilyParams::Harmonic(harmonic),
        ],
        true => vec![
            FamilyParams::Translation(translation::Params {
                patch: Extent::square(7),
                window,
                ..Default::default()
            }),
            FamilyParams::Rotation(rotation::Params { radius: 8, window, ..Default::default() }),
        ],
    }
}

/// All stages on a faulty backend.
fn run(fault: Fault, check: Check, margin: bool, masked: bool) -> Result<()> {
    let mask = masked.then(|| Array2::from_shape_fn((100, 110), |(r, c)| r > 70 && c < 50));
    let micrograph = Micrograph::new(image().view(), mask, NonFinite::Fail)?;
    let params = Params { families: families(margin), stride: 5, ..Default::default() };
    let plan = Plan::new(params, &micrograph)?;
    let checked = Checked::new(Faulty { cpu: Cpu::new(), fault }, check);
    let outcome = stages(&checked, &micrograph, &plan);
    assert_eq!(checked.usable(), outcome.is_ok());
    outcome
}

fn stages(checked: &dyn Backend, micrograph: &Micrograph, plan: &Plan) -> Result<()> {
    let image = micrograph.standardised()?;
    let bands = plan.sites().bands(1);
    let mut session = checked.upload(image, plan)?;
    bands.iter().try_for_each(|band| session.accumulate(band))?;
    let moments = session.moments()?;
    let pca = Pca::of_blocks(&moments, Components::Count(3), &plan.blocks())?;
    bands.iter().try_for_each(|band| session.project(band, &pca))?;
    let features = session.features()?;
    for band in &bands {
        let mut out = Array2::zeros((band.len(), plan.channels()));
        session.describe(band, out.view_mut())?;
    }
    let mut points = checked.assigner(features.view())?;
    let mut first = true;
    for _ in 0..2 {
        let step = points.step(features.slice(s![..2, ..]))?;
        assert!(!std::mem::take(&mut first) || step.changed > 0);
    }
    let count = features.nrows();
    points.labels(&mut vec![0; count], &mut vec![0.0; count])
}

#[test]
fn what_is_sound_passes() {
    for check in [Check::Off, Check::On, Check::All] {
        for (margin, masked) in [(false, false), (true, false), (false, true), (true, true)] {
            run(Fault::Nothing, check, margin, masked).unwrap();
        }
    }
}

#[test]
fn every_fault_shows_with_its_stage() {
    let always = [
        (Fault::Descriptors, ""),
        (Fault::NoNumber, "descriptors"),
        (Fault::Sites, "moments"),
        (Fault::Products, "moments"),
        (Fault::Features, "features"),
        (Fault::FewFeatures, "features"),
        (Fault::Count, "k-means"),
        (Fault::Sum, "k-means"),
        (Fault::Label, "k-means"),
        (Fault::LabelBeyond, "k-means"),
    ];
    let with_all = [(Fault::Descriptor, ""), (Fault::Feature, "features")];
    let on = always.iter().map(|case| (case, Check::On));
    let all = always.iter().chain(&with_all).map(|case| (case, Check::All));
    for (&(fault, stage), check) in on.chain(all) {
        // Both kinds of windows are cut out where there is a sample.
        for margin in [false, true].into_iter().filter(|margin| !margin || check == Check::On) {
            let found = run(fault, check, margin, true);
            let Err(Error::DeviceWrong { stage: found, reason, .. }) = found else {
                panic!("{fault:?} with {check:?} is not seen: {found:?}");
            };
            // Of descriptors it is the family's name.
            let families = ["translation", "rotation", "centred-translation", "harmonic"];
            let named = if stage.is_empty() { families.contains(&found) } else { found == stage };
            assert!(named, "{fault:?} with {check:?}: {found}: {reason}");
        }
    }
}
