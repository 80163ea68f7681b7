//! An image on the device: bands described, summed and projected there.
//!
//! Nothing but `describe`, `moments` and `features` waits for results, as long as these are few. The host
//! makes the tables of one band while the device works on those before, of which
//! at most [`IN_FLIGHT`] are there at once.

use std::collections::{HashMap, VecDeque};

use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use wgpu::{Buffer, SubmissionIndex};

use super::commands::Commands;
use super::device::{Device, Scratch};
use super::families::Families;
use super::project::Projected;
use super::{moments, project};
use crate::Result;
use crate::backend::Describe;
use crate::plan::Plan;
use crate::reduce::pca::{Moments, Pca};
use crate::sites::Band;

/// Bands that the device may have before it.
pub(super) const IN_FLIGHT: usize = 2;

/// The same of bands that the host has next to nothing to write for, bytes: they take no memory.
const LIGHT: u64 = 1 << 20;
const LIGHT_IN_FLIGHT: usize = 8;

pub(super) struct Session<'a> {
    device: &'a Device,
    plan: &'a Plan,
    commands: Commands<'a>,
    submitted: VecDeque<SubmissionIndex>,
    families: Families<'a>,
    descriptors: Descriptors,
    moments: moments::Sums<'a>,
    features: project::Features<'a>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        device: &'a Device,
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
    ) -> Result<Self> {
        Ok(Self {
            device,
            plan,
            commands: Commands::new(device),
            submitted: VecDeque::new(),
            families: Families::new(device, image, plan)?,
            descriptors: Descriptors::new(plan.budget()),
            moments: moments::Sums::new(device, plan)?,
            features: project::Features::new(device, plan.budget())?,
        })
    }

    /// The band's descriptors, `[D][sites]`: those that were kept, or new ones.
    fn descriptors(&mut self, band: &Band) -> Result<Buffer> {
        let channels = self.plan.channels();
        let count = (band.len() * channels) as u64;
        if let Some((kept, whole)) = self.descriptors.with(band) {
            if whole == *band {
                return Ok(kept);
            }
            let part = self.descriptors.part.get(self.device, "part of a band", count)?.clone();
            let before = (band.rows.start - whole.rows.start) * band.cols;
            for channel in 0..channels {
                let from = 4 * (channel * whole.len() + before) as u64;
                let to = 4 * (channel * band.len()) as u64;
                self.commands.copy((&kept, from), (&part, to), 4 * band.len() as u64);
            }
            return Ok(part);
        }
        let descriptors = self.descriptors.room(self.device, band, count)?;
        self.families.describe(&mut self.commands, band, &descriptors)?;
        Ok(descriptors)
    }

    /// Submits the band, with those before if they are little work; waits for earlier ones where too
    /// many are under way.
    fn end_band(&mut self) -> Result<()> {
        // The image itself comes with the first of them.
        let (submitted, in_flight) = match self.commands.written() {
            0..LIGHT => (self.commands.submit_much(), LIGHT_IN_FLIGHT),
            _ => (self.commands.submit(), IN_FLIGHT),
        };
        self.submitted.extend(submitted);
        while self.submitted.len() > in_flight {
            let Some(oldest) = self.submitted.pop_front() else { break };
            self.commands.wait(oldest)?;
        }
        Ok(())
    }
}

impl Describe for Session<'_> {
    fn describe(&mut self, band: &Band, mut out: ArrayViewMut2<'_, f32>) -> Result<()> {
        let descriptors = self.descriptors(band)?;
        let (sites, channels) = (band.len(), self.plan.channels());
        let values = self.commands.read(&descriptors, sites * channels)?;
        let by_channel = Array2::from_shape_vec((channels, sites), values);
        out.assign(&by_channel.expect("as many values as were asked for").t());
        Ok(())
    }

    fn accumulate(&mut self, band: &Band) -> Result<()> {
        let descriptors = self.descriptors(band)?;
        self.moments.add(&mut self.commands, band, &descriptors)?;
        self.end_band()
    }

    fn moments(&mut self) -> Result<Moments> {
        // Features come back at the same time.
        self.features.send(&mut self.commands)?;
        self.moments.collect(&mut self.commands)
    }

    fn project(&mut self, band: &Band, pca: &Pca) -> Result<()> {
        let projected = Projected { band, sites: None, descriptors: &self.descriptors(band)? };
        self.features.add(&mut self.commands, pca, projected)?;
        self.end_band()
    }

    fn project_some(&mut self, band: &Band, sites: &[u32], pca: &Pca) -> Result<()> {
        let descriptors = &self.descriptors(band)?;
        let projected = Projected { band, sites: Some(sites), descriptors };
        self.features.add(&mut self.commands, pca, projected)?;
        self.end_band()
    }

    fn keeps(&self) -> bool {
        self.descriptors.cover(self.plan.sites().grid().count.rows)
    }

    fn will_keep(&self) -> bool {
        let sites = self.plan.sites().grid().len() * self.plan.channels();
        self.keeps() || 4 * sites as u64 <= self.descriptors.budget
    }

    fn mapped(&mut self, channels: &[usize]) -> Result<Option<Array2<f32>>> {
        let (count, step) = (self.plan.sites().grid().count, self.plan.sites().map_step());
        let rows: Vec<usize> = (0..count.rows).step_by(step).collect();
        let values = channels.len() * rows.len() * count.cols;
        if !self.keeps() || 4 * values as u64 > self.device.binding_limit() {
            return Ok(None);
        }
        // Rows of the channels that are asked for, not all of the descriptors.
        let all = self.device.storage("rows of a map", values as u64)?;
        let line = 4 * count.cols as u64;
        for (i, &row) in rows.iter().enumerate() {
            let band = Band { rows: row..row + 1, cols: count.cols };
            let Some((kept, whole)) = self.descriptors.with(&band) else { return Ok(None) };
            for (k, &channel) in channels.iter().enumerate() {
                let from = channel * whole.rows.len() + row - whole.rows.start;
                let to = k * rows.len() + i;
                self.commands.copy((&kept, line * from as u64), (&all, line * to as u64), line);
            }
        }
        let lines = self.commands.read::<f32>(&all, values)?;
        let cols = count.cols.div_ceil(step);
        let thinned = lines.chunks_exact(count.cols).flat_map(|line| line.iter().step_by(step));
        let mapped =
            Array2::from_shape_vec((channels.len(), rows.len() * cols), thinned.copied().collect());
        Ok(Some(mapped.expect("as many values as were asked for")))
    }

    fn features(&mut self) -> Result<Array2<f32>> {
        self.features.collect(&mut self.commands)
    }
}

/// Descriptors of bands: kept while they fit a budget, so that nobody need make again what
/// somebody did, for these or some of their rows; else in a buffer for one band after another.
struct Descriptors {
    kept: HashMap<Band, Buffer>,
    budget: u64,
    scratch: Scratch,
    /// Rows of a band that is kept.
    part: Scratch,
}

impl Descriptors {
    fn new(budget: u64) -> Self {
        let (scratch, part) = Default::default();
        Self { kept: HashMap::new(), budget, scratch, part }
    }

    /// What is kept of `band`, or of the smallest that holds its rows.
    fn with(&self, band: &Band) -> Option<(Buffer, Band)> {
        let holds =
            |kept: &Band| kept.rows.start <= band.rows.start && band.rows.end <= kept.rows.end;
        let all = self.kept.iter().filter(|(kept, _)| holds(kept));
        let (kept, buffer) = all.min_by_key(|(kept, _)| kept.rows.len())?;
        Some((buffer.clone(), kept.clone()))
    }

    /// Whether all of the first `rows` site rows are kept.
    fn cover(&self, rows: usize) -> bool {
        let mut row = 0;
        while row < rows {
            let ends = self.kept.keys().filter(|kept| kept.rows.contains(&row));
            let Some(end) = ends.map(|kept| kept.rows.end).max() else { return false };
            row = end;
        }
        true
    }

    /// Room for `count` descriptors of `band`.
    fn room(&mut self, device: &Device, band: &Band, count: u64) -> Result<Buffer> {
        let bytes = 4 * count;
        if bytes > self.budget {
            return Ok(self.scratch.get(device, "descriptors", count)?.clone());
        }
        let buffer = device.storage("descriptors", count)?;
        self.budget -= bytes;
        self.kept.insert(band.clone(), buffer.clone());
        Ok(buffer)
    }
}
