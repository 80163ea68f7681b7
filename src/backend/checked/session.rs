//! An image on a device that is looked over.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::evidence;
use super::window::{Window, no_features};
use super::{Check, SLACK, Watch};
use crate::Result;
use crate::backend::{Backend, Describe};
use crate::plan::Plan;
use crate::reduce::pca::{Moments, Pca};
use crate::sites::{Band, blocks};
use crate::verify::{self, Blocks};

/// Site rows and columns of a sample, and sites for each of which there is one.
const SAMPLE: (usize, usize) = (2, 4);
const SITES_PER_SAMPLE: usize = 100_000;

/// The sites of a band, or some of them by their numbers in it.
struct Projected {
    band: Band,
    sites: Option<Vec<u32>>,
}

impl Projected {
    fn len(&self) -> usize {
        self.sites.as_ref().map_or(self.band.len(), Vec::len)
    }
}

pub(super) struct Session<'a> {
    inner: Box<dyn Describe + 'a>,
    watch: &'a Watch,
    image: ArrayView2<'a, f32>,
    plan: &'a Plan,
    random: ChaCha8Rng,
    /// Bands whose sums are under way, and what their descriptors are projected by.
    summed: Vec<Band>,
    projections: Pca,
    /// Bands whose features are under way, all of them or these, by this map.
    projected: Vec<Projected>,
    pca: Option<Pca>,
    /// Sites that may still be described before the next sample is taken.
    unseen: usize,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        inner: Box<dyn Describe + 'a>,
        watch: &'a Watch,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(plan.params().seed);
        let projections = evidence::projections(plan.channels(), &mut random);
        let (summed, projected) = Default::default();
        let (pca, unseen) = (None, 0);
        Self { inner, watch, image, plan, random, summed, projections, projected, pca, unseen }
    }

    /// A block of sites in the rows of one of `bands`, with its place among their sites.
    fn sample(&mut self, bands: &[Band]) -> Option<(Range<usize>, Range<usize>, usize)> {
        let sites: usize = bands.iter().map(Band::len).sum();
        let mut at = (self.random.next_u64() % sites.max(1) as u64) as usize;
        let mut first = 0;
        for band in bands {
            if at < band.len() {
                let (rows, cols) = (SAMPLE.0.min(band.rows.len()), SAMPLE.1.min(band.cols));
                let row = (at / band.cols).min(band.rows.len() - rows);
                let col = (at % band.cols).min(band.cols - cols);
                let down = band.rows.start + row;
                return Some((down..down + rows, col..col + cols, first + row * band.cols + col));
            }
            at -= band.len();
            first += band.len();
        }
        None
    }

    /// The rows of tiles in `bands`, with the place of each among the bands' sites.
    fn tile_rows(&self, bands: &[Band]) -> Vec<(Band, usize)> {
        let mut first = 0;
        let mut all = Vec::new();
        for Band { rows, cols } in bands {
            for rows in blocks(rows.clone(), self.plan.sites().tile().rows) {
                let band = Band { rows, cols: *cols };
                first += band.len();
                all.push((band.clone(), first - band.len()));
            }
        }
        all
    }

    /// Compares blocks of sites of `bands`, whose values are `got`.
    fn compare(
        &mut self,
        bands: &[Band],
        got: ArrayView2<'_, f32>,
        agrees: impl Fn(&Watch, &Window<'_>, ArrayView2<'_, f32>, f64) -> Result<()>,
    ) -> Result<()> {
        let (watch, image, plan) = (self.watch, self.image, self.plan);
        if watch.check == Check::All {
            return self.tile_rows(bands).into_iter().try_for_each(|(band, first)| {
                let got = got.slice(s![first..first + band.len(), ..]);
                agrees(watch, &Window::rows(image, plan, band.rows), got, 1.0)
            });
        }
        for _ in 0..got.nrows().div_ceil(SITES_PER_SAMPLE) {
            let Some((rows, cols, first)) = self.sample(bands) else { break };
            let all = plan.sites().grid().count.cols;
            let sites = (0..rows.len()).flat_map(|r| cols.clone().map(move |c| (r, c)));
            let sites: Vec<usize> =
                sites.map(|(row, col)| first + row * all + col - cols.start).collect();
            let got = got.select(ndarray::Axis(0), &sites);
            agrees(watch, &Window::around(image, plan, (rows, cols)), got.view(), SLACK)?;
        }
        Ok(())
    }

    /// Compares some of the sites that are `projected`, one by one, whose values are `got`.
    fn compare_some(
        &mut self,
        projected: &[Projected],
        got: ArrayView2<'_, f32>,
        agrees: impl Fn(&Watch, &Window<'_>, ArrayView2<'_, f32>, f64) -> Result<()>,
    ) -> Result<()> {
        let (watch, image, plan) = (self.watch, self.image, self.plan);
        let cols = plan.sites().grid().count.cols;
        let of_band = |Projected { band, sites }: &Projected| {
            let (first, sites) = (band.rows.start * cols, sites.as_deref().unwrap_or_default());
            sites.iter().map(move |&site| first + site as usize).collect::<Vec<_>>()
        };
        let sites: Vec<usize> = projected.iter().flat_map(of_band).collect();
        if watch.check == Check::All {
            let mut places: Vec<usize> = (0..sites.len()).collect();
            places.sort_by_key(|&at| sites[at]);
            // Together those of a row of tiles.
            let row_of_tiles = |&at: &usize| sites[at] / cols / plan.sites().tile().rows;
            for places in places.chunk_by(|one, other| row_of_tiles(one) == row_of_tiles(other)) {
                let own: Vec<usize> = places.iter().map(|&at| sites[at]).collect();
                let got = got.select(ndarray::Axis(0), places);
                agrees(watch, &Window::some(image, plan, &own), got.view(), 1.0)?;
            }
            return Ok(());
        }
        for _ in 0..SAMPLE.0 * SAMPLE.1 * sites.len().div_ceil(SITES_PER_SAMPLE) {
            let at = (self.random.next_u64() % sites.len().max(1) as u64) as usize;
            let (row, col) = (sites[at] / cols, sites[at] % cols);
            let got = got.slice(s![at..at + 1, ..]);
            agrees(watch, &Window::around(image, plan, (row..row + 1, col..col + 1)), got, SLACK)?;
        }
        Ok(())
    }

    /// Compares the sums of `bands` with the CPU's.
    fn compare_moments(&self, bands: &[Band], got: &Moments) -> Result<()> {
        let none = no_features(self.plan.channels());
        let mut blocks = Blocks::new(self.plan, &none);
        let mut session = self.watch.cpu.upload(self.image, self.plan)?;
        for (band, _) in self.tile_rows(bands) {
            let mut own = Array2::zeros((band.len(), self.plan.channels()));
            session.describe(&band, own.view_mut())?;
            session.accumulate(&band)?;
            blocks.add(self.image, &band, &[own.clone(), own]);
        }
        let stage = verify::compare_moments(&session.moments()?, got, &blocks, self.plan);
        self.watch.agrees(&stage, 1.0)
    }
}

impl Session<'_> {
    fn project_by(&mut self, pca: &Pca, projected: Projected) {
        self.projected.push(projected);
        if self.pca.as_ref() != Some(pca) {
            self.pca = Some(pca.clone());
        }
    }
}

impl Describe for Session<'_> {
    fn describe(&mut self, band: &Band, mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        self.watch.heard(self.inner.describe(band, out.view_mut()))?;
        let finite = out.iter().all(|v| v.is_finite());
        self.watch.require(finite, "descriptors", || "one is not finite".into())?;
        if self.watch.check == Check::On && self.unseen >= band.len() {
            self.unseen -= band.len();
            return Ok(());
        }
        self.unseen = SITES_PER_SAMPLE;
        self.compare(std::slice::from_ref(band), out.view(), |watch, window, got, slack| {
            let stages = window.descriptors(&watch.cpu, got)?;
            stages.iter().try_for_each(|stage| watch.agrees(stage, slack))
        })
    }

    fn accumulate(&mut self, band: &Band) -> Result<()> {
        self.watch.heard(self.inner.accumulate(band))?;
        self.watch.heard(self.inner.project(band, &self.projections))?;
        self.summed.push(band.clone());
        Ok(())
    }

    fn moments(&mut self) -> Result<Moments> {
        let moments = self.watch.heard(self.inner.moments())?;
        let projected = self.watch.heard(self.inner.features())?;
        let bands = std::mem::take(&mut self.summed);
        let evidence = (&self.projections, projected.view());
        evidence::check(self.watch, self.plan, (&moments, &bands), evidence)?;
        if self.watch.check == Check::All {
            self.compare_moments(&bands, &moments)?;
        }
        Ok(moments)
    }

    fn project(&mut self, band: &Band, pca: &Pca) -> Result<()> {
        self.watch.heard(self.inner.project(band, pca))?;
        self.project_by(pca, Projected { band: band.clone(), sites: None });
        Ok(())
    }

    fn project_some(&mut self, band: &Band, sites: &[u32], pca: &Pca) -> Result<()> {
        self.watch.heard(self.inner.project_some(band, sites, pca))?;
        self.project_by(pca, Projected { band: band.clone(), sites: Some(sites.to_vec()) });
        Ok(())
    }

    fn keeps(&self) -> bool {
        self.inner.keeps()
    }

    fn will_keep(&self) -> bool {
        self.inner.will_keep()
    }

    fn mapped(&mut self, channels: &[usize]) -> Result<Option<Array2<f32>>> {
        let mapped = self.watch.heard(self.inner.mapped(channels))?;
        let finite = mapped.iter().flatten().all(|v| v.is_finite());
        self.watch.require(finite, "descriptors", || "one is not finite".into())?;
        Ok(mapped)
    }

    fn features(&mut self) -> Result<Array2<f32>> {
        let features = self.watch.heard(self.inner.features())?;
        let projected = std::mem::take(&mut self.projected);
        let sites: usize = projected.iter().map(Projected::len).sum();
        self.watch.require(features.nrows() == sites, "features", || {
            format!("there are those of {} sites instead of {sites}", features.nrows())
        })?;
        let finite = features.iter().all(|v| v.is_finite());
        self.watch.require(finite, "features", || "one is not finite".into())?;
        let Some(pca) = self.pca.take() else { return Ok(features) };
        let agrees = |watch: &Watch, window: &Window<'_>, got: ArrayView2<'_, f32>, slack| {
            watch.agrees(&window.features(&watch.cpu, &pca, got)?, slack)
        };
        let mut first = 0;
        // Bands that were projected alike, one after another.
        for alike in projected.chunk_by(|one, other| one.sites.is_none() == other.sites.is_none()) {
            let count: usize = alike.iter().map(Projected::len).sum();
            let got = features.slice(s![first..first + count, ..]);
            first += count;
            if alike[0].sites.is_some() {
                self.compare_some(alike, got, agrees)?;
                continue;
            }
            let bands: Vec<Band> = alike.iter().map(|projected| projected.band.clone()).collect();
            self.compare(&bands, got, agrees)?;
        }
        Ok(features)
    }
}
