//! One image on two backends.

use ndarray::{Array2, ArrayView2, s};

use crate::Result;
use crate::backend::{Backend, Describe};
use crate::pipeline::{self, BAND_BYTES};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::reduce::pca::{Moments, Pca};
use crate::sites::Band;

/// The trusted backend's session, and that of the checked one.
pub(super) struct Sides<'a> {
    plan: &'a Plan,
    bands: Vec<Band>,
    /// The bands that mean and covariance are summed over.
    pub(super) summed: Vec<Band>,
    sessions: [Box<dyn Describe + 'a>; 2],
}

impl<'a> Sides<'a> {
    /// Uploads `image` to both.
    pub(super) fn new(
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
        backends: [&'a dyn Backend; 2],
    ) -> Result<Self> {
        let bands = bands(plan, backends)?;
        let [one, other] = backends.map(|backend| backend.upload(image, plan));
        let summed = pipeline::summed(plan, &bands);
        Ok(Self { plan, bands, summed, sessions: [one?, other?] })
    }

    /// The sums of either.
    pub(super) fn moments(&mut self, progress: &dyn Progress) -> Result<[Moments; 2]> {
        for (done, band) in self.summed.iter().enumerate() {
            progress.step(done as u64, self.summed.len() as u64)?;
            self.sessions.iter_mut().try_for_each(|session| session.accumulate(band))?;
        }
        let [one, other] = &mut self.sessions;
        Ok([one.moments()?, other.moments()?])
    }

    /// Gives the descriptors `[sites, D]` that both have of each band to `sink`.
    pub(super) fn each(
        &mut self,
        progress: &dyn Progress,
        mut sink: impl FnMut(&Band, &[Array2<f32>; 2]),
    ) -> Result<()> {
        for (done, band) in self.bands.iter().enumerate() {
            progress.step(done as u64, self.bands.len() as u64)?;
            let [one, other] = &mut self.sessions;
            let pair = [
                described(&mut **one, band, self.plan)?,
                described(&mut **other, band, self.plan)?,
            ];
            sink(band, &pair);
        }
        Ok(())
    }

    /// The features of all sites under `map`, `[sites, q]`.
    pub(super) fn features(
        &mut self,
        map: &Pca,
        progress: &dyn Progress,
    ) -> Result<[Array2<f32>; 2]> {
        for (done, band) in self.bands.iter().enumerate() {
            progress.step(done as u64, self.bands.len() as u64)?;
            self.sessions.iter_mut().try_for_each(|session| session.project(band, map))?;
        }
        let [one, other] = &mut self.sessions;
        Ok([one.features()?, other.features()?])
    }
}

/// Bands that both backends can do, and of whose descriptors two sets fit.
fn bands(plan: &Plan, backends: [&dyn Backend; 2]) -> Result<Vec<Band>> {
    let bytes = BAND_BYTES.min(plan.budget() / 4);
    let row = 2 * size_of::<f32>() * plan.sites().grid().count.cols * plan.channels();
    let [one, other] = backends.map(|backend| backend.band_rows(plan, bytes));
    Ok(plan.sites().bands(one?.min(other?).min(bytes as usize / row)))
}

/// The descriptors of `band`, `[sites, D]`.
pub(super) fn described(
    session: &mut dyn Describe,
    band: &Band,
    plan: &Plan,
) -> Result<Array2<f32>> {
    let mut descriptors = Array2::from_elem((band.len(), plan.channels()), f32::NAN);
    session.describe(band, descriptors.slice_mut(s![.., ..]))?;
    Ok(descriptors)
}
