//! First step: an image on a device, whose sites are described band by band.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use crate::Result;
use crate::backend::{Backend, Describe};
use crate::cluster::split::Field;
use crate::plan::{Plan, Reduce};
use crate::progress::Progress;
use crate::reduce::maf::Differences;
use crate::reduce::pca::{Moments, Pca};
use crate::sites::Band;
#[cfg(doc)]
use crate::sites::Sites;

/// Most memory that one band is worked on in, bytes: a step of progress.
pub const BAND_BYTES: u64 = 256 << 20;

/// Sites whose components are kept until it is known what tells patterns apart; more are
/// described once more.
pub(crate) const MOST_KEPT: usize = 2_000_000;

/// Sites of a sample, about: enough for a covariance that has forty good directions, and for a
/// ratio of sums of squares good to a few percent. One sample for all, since what was described
/// for one is there for the others.
pub(super) const SAMPLE: usize = 16_000;

/// An image on a device: the one place where it is uploaded and its bands are gone through.
///
/// What it gives (descriptors, sums, features) is the same bit for bit whatever the bands.
pub struct Describing<'a> {
    plan: &'a Plan,
    image: ArrayView2<'a, f32>,
    bands: Vec<Band>,
    session: Box<dyn Describe + 'a>,
    buffer: Array2<f32>,
}

impl<'a> Describing<'a> {
    /// Uploads `image` `[rows, cols]`, at mean 0 and variance 1, for which `plan` was made
    /// (see [`Plan::image`]).
    ///
    /// # Errors
    /// What [`Backend::band_rows`] and [`Backend::upload`] report.
    pub fn new(
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
        backend: &'a dyn Backend,
    ) -> Result<Self> {
        let bands = bands(plan, backend)?;
        let session = backend.upload(image, plan)?;
        let buffer = Array2::zeros((0, plan.channels()));
        Ok(Self { plan, image, bands, session, buffer })
    }

    /// What is described, and where.
    pub fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// The image that is described, `[rows, cols]`.
    pub fn image(&self) -> ArrayView2<'a, f32> {
        self.image
    }

    /// Whether descriptors of all sites are kept, so that to describe any of them again
    /// costs next to nothing.
    pub fn keeps(&self) -> bool {
        self.session.keeps()
    }

    /// These `channels` `[channels, sites]` of the sites that a [map](Sites::map_step) shows, row by row, where they
    /// are at hand.
    ///
    /// # Errors
    /// What the backend reports.
    pub(crate) fn mapped(&mut self, channels: &[usize]) -> Result<Option<Array2<f32>>> {
        self.session.mapped(channels)
    }

    /// The sums that mean and covariance follow from: over all sites; where factors are made
    /// of the components anyway, over a sample of single rows of tiles if there are many.
    ///
    /// # Errors
    /// What the backend reports; [`Error::Interrupted`](crate::Error::Interrupted).
    pub fn moments(&mut self, progress: &dyn Progress) -> Result<Moments> {
        let bands = summed(self.plan, &self.bands);
        for (done, band) in bands.iter().enumerate() {
            progress.step(done as u64, bands.len() as u64)?;
            self.session.accumulate(band)?;
        }
        self.session.moments()
    }

    /// The sums that autocorrelation factors follow from, over a sample of the sites if there
    /// are many; with the features `[sites of the sample, q]` that `map` gives these.
    ///
    /// # Errors
    /// As [`moments`](Self::moments).
    pub fn differences(
        &mut self,
        map: &Pca,
        progress: &dyn Progress,
    ) -> Result<(Differences, Array2<f32>)> {
        let sample = Differences::bands(self.plan.sites());
        let features = self.project(&sample, map, progress)?;
        let mut sums = Differences::zero(map.features());
        let mut first = 0;
        for band in &sample {
            let of_band = features.slice(s![first..first + band.len(), ..]);
            sums.add(self.plan.sites(), band, of_band);
            first += band.len();
        }
        Ok((sums, features))
    }

    /// Fills in `field` what `map` gives the sites that it takes.
    pub(crate) fn field(
        &mut self,
        field: &mut Field,
        map: &Pca,
        progress: &dyn Progress,
    ) -> Result<()> {
        field.see(self.image);
        let bands = self.bands.clone();
        for (done, band) in bands.iter().enumerate() {
            progress.step(done as u64, bands.len() as u64)?;
            self.session.project_some(band, &field.taken(band), map)?;
        }
        let components = self.session.features()?;
        let mut first = 0;
        for band in &bands {
            let count = field.taken(band).len();
            field.take(band, components.slice(s![first..first + count, ..]));
            first += count;
        }
        Ok(())
    }

    /// The same, and the components `[sites, q]` of all sites, row by row, where they are `wanted`, or where
    /// it would take long to describe sites once more; of very many sites never.
    pub(crate) fn field_and_components(
        &mut self,
        field: &mut Field,
        map: &Pca,
        wanted: bool,
        progress: &dyn Progress,
    ) -> Result<Option<Array2<f32>>> {
        let needed = wanted || !self.session.will_keep();
        if !needed || self.plan.sites().grid().len() > MOST_KEPT {
            return self.field(field, map, progress).map(|()| None);
        }
        let all = self.features(map, progress)?;
        field.see(self.image);
        for band in &self.bands {
            field.add(band, all.slice(s![band.sites(), ..]));
        }
        Ok(Some(all))
    }

    /// The features of all sites under `map`, `[sites, q]`, sites row by row.
    ///
    /// # Errors
    /// As [`moments`](Self::moments).
    pub fn features(&mut self, map: &Pca, progress: &dyn Progress) -> Result<Array2<f32>> {
        self.project(&self.bands.clone(), map, progress)
    }

    fn project(
        &mut self,
        bands: &[Band],
        map: &Pca,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>> {
        for (done, band) in bands.iter().enumerate() {
            progress.step(done as u64, bands.len() as u64)?;
            self.session.project(band, map)?;
        }
        self.session.features()
    }

    /// Gives the descriptors `[sites of the band, D]` of all sites to `sink`, band by band.
    ///
    /// # Errors
    /// As [`moments`](Self::moments), and what `sink` reports.
    pub fn all(
        &mut self,
        progress: &dyn Progress,
        sink: impl FnMut(&Band, ArrayView2<'_, f32>) -> Result<()>,
    ) -> Result<()> {
        self.each(&self.bands.clone(), progress, sink)
    }

    /// The same of `bands`. Low ones stay in the cache until they are used.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn each(
        &mut self,
        bands: &[Band],
        progress: &dyn Progress,
        mut sink: impl FnMut(&Band, ArrayView2<'_, f32>) -> Result<()>,
    ) -> Result<()> {
        for (done, band) in bands.iter().enumerate() {
            progress.step(done as u64, bands.len() as u64)?;
            if self.buffer.nrows() < band.len() {
                self.buffer = Array2::zeros((band.len(), self.buffer.ncols()));
            }
            let mut part: ArrayViewMut2<'_, f32> = self.buffer.slice_mut(s![..band.len(), ..]);
            self.session.describe(band, part.view_mut())?;
            sink(band, part.view())?;
        }
        Ok(())
    }
}

/// Those of `bands` that mean and covariance are summed over: all; where factors are made of
/// the components anyway, a sample of single rows of tiles if there are many.
pub(crate) fn summed(plan: &Plan, bands: &[Band]) -> Vec<Band> {
    let sites = plan.sites();
    match plan.params().reduce {
        Reduce::Maf if sites.grid().len() > SAMPLE => sites.sample_bands(SAMPLE),
        _ => bands.to_vec(),
    }
}

/// The bands in which `backend` describes the sites of `plan`.
///
/// # Errors
/// As [`Backend::band_rows`].
pub fn bands(plan: &Plan, backend: &dyn Backend) -> Result<Vec<Band>> {
    Ok(plan.sites().bands(backend.band_rows(plan, BAND_BYTES.min(plan.budget() / 4))?))
}
