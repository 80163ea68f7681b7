//! The sites of a film's frames. On a graphics device two frames are under way: while it works on one,
//! the host prepares the next or takes what came back of the one before.

use std::sync::mpsc::{Receiver, SyncSender};

use ndarray::{ArcArray2, Array2, Array3};
use stemseg::backend::DeviceWork;
use stemseg::image::micrograph::Micrograph;
use stemseg::pipeline::frames::{SiteMemberships, Surely};
use stemseg::{Error, Progress, Result};
use stemseg_series::register::Drift;

use super::follow::Following;
use super::source::{Shot, Status, unseen};
use super::stream::{Placed, Stream};
use crate::devices::Done;

/// Frames that a graphics device has before it.
const LANES: usize = 2;

/// A frame whose sites are known.
pub(super) struct Sited {
    pub(super) number: usize,
    pub(super) status: Status,
    pub(super) drift: Option<Drift>,
    pub(super) strangeness: Option<f64>,
    /// Memberships at the specimen's sites; nothing of a frame that shows nothing.
    pub(super) maps: Option<Array3<f32>>,
    /// Sites that the frame shows.
    pub(super) seen: Array2<bool>,
    /// Pixels of the specimen that it does not.
    pub(super) unseen: Option<ArcArray2<bool>>,
    /// The centroids after it, where these follow.
    pub(super) following: Option<Following>,
}

impl Stream<'_> {
    /// How many frames are computed at once. The processor computes one with all its threads, and
    /// centroids that follow the patterns follow from the frame before.
    pub(super) fn lanes(&self) -> usize {
        let room = || self.frames.whole().clone().within(self.budget / LANES as u64, 0).is_ok();
        match self.devices.is_graphics() && !self.adapt && room() {
            true => LANES,
            false => 1,
        }
    }

    /// Computes the sites of each frame, in this much memory.
    ///
    /// # Errors
    /// What reading and computing report.
    pub(super) fn compute(
        &self,
        placed: Receiver<Result<Placed>>,
        to: &SyncSender<Sited>,
        budget: u64,
        following: &mut Option<Following>,
    ) -> Result<()> {
        for placed in placed {
            let mut sited = self.sited(placed?, budget, following.as_mut())?;
            sited.following.clone_from(following);
            if to.send(sited).is_err() {
                // Who labels says why.
                return Ok(());
            }
        }
        Ok(())
    }

    fn sited(
        &self,
        placed: Placed,
        budget: u64,
        following: Option<&mut Following>,
    ) -> Result<Sited> {
        let Placed { shot: Shot { number, status, micrograph }, drift } = placed;
        let whole = self.frames.whole();
        let shift = drift.map_or([0.0; 2], |drift| drift.shift);
        let count = whole.sites().grid().count;
        let mut sited = Sited {
            number,
            status,
            drift,
            strangeness: None,
            maps: None,
            seen: self.seen((count.rows, count.cols), shift),
            unseen: None,
            following: None,
        };
        let Some(micrograph) = micrograph else { return Ok(sited) };
        let Some((found, surely)) = self.memberships(&micrograph, budget, following.as_deref())?
        else {
            return Ok(sited);
        };
        if let (Some(following), Some(surely)) = (following, surely) {
            following.follow(&surely);
        }
        sited.strangeness = Some(found.strangeness);
        sited.maps = Some(match shift {
            [0.0, 0.0] => found.maps,
            shift => self.frames.shifted(found.maps.view(), shift),
        });
        sited.unseen = unseen(micrograph.shape(), shift, micrograph.absent());
        Ok(sited)
    }

    /// Memberships of the sites of a frame, and what surely belongs to each pattern where centroids
    /// are `following`; nothing where too little of it is there.
    fn memberships(
        &self,
        micrograph: &Micrograph,
        budget: u64,
        following: Option<&Following>,
    ) -> Result<Option<(SiteMemberships, Option<Surely>)>> {
        let plan = match self.frames.plan(micrograph) {
            Ok(plan) => plan.within(budget, 0)?,
            Err(Error::TooSmall(_) | Error::Parameter { .. }) if micrograph.absent().is_some() => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let Done { result, warning, .. } = self.devices.run(|backend| {
            let progress = &stemseg::progress::Unseen(self.observer);
            let frames = self.frames;
            match following {
                None => Ok((frames.memberships(micrograph, &plan, backend, progress)?, None)),
                Some(following) => {
                    let centroids = following.centroids();
                    let with = (backend, progress as &dyn Progress);
                    let (found, surely) =
                        frames.memberships_near(micrograph, &plan, centroids, with)?;
                    Ok((found, Some(surely)))
                }
            }
        })?;
        if let Some(warning) = warning {
            self.observer.detail(&warning.text.marked());
        }
        Ok(Some(result))
    }

    /// Which of the specimen's sites lie in a frame, where it lies `shift` px down and right.
    fn seen(&self, (rows, cols): (usize, usize), shift: [f64; 2]) -> Array2<bool> {
        let whole = self.frames.whole();
        let (grid, frame) = (whole.sites().grid(), whole.frame());
        let along = |count: usize, margin: usize, size: usize, shift: f64| -> Vec<bool> {
            let place = |site: usize| (margin + site * grid.stride) as f64 / frame.scale + shift;
            let half = 0.5 * whole.spacing();
            let inside = |place: f64| place >= -half && place <= size as f64 - 1.0 + half;
            (0..count).map(|site| inside(place(site))).collect()
        };
        let down = along(rows, grid.margin.rows, frame.image.rows, shift[0]);
        let right = along(cols, grid.margin.cols, frame.image.cols, shift[1]);
        Array2::from_shape_fn((rows, cols), |(r, c)| down[r] && right[c])
    }
}

/// What a graphics device was asked to do for each of this number of `frames`, in words.
pub(super) fn work_done(frames: usize, work: DeviceWork) -> String {
    let each = |count: u64| count as f64 / frames.max(1) as f64;
    format!(
        "each of {frames} frames took the device {:.1} submissions, {:.1} dispatches and {:.1} new buffers; the \
         host waited {:.1} times and {:.1} ms for it; {:.2} MB went up and {:.2} MB came down",
        each(work.submissions),
        each(work.dispatches),
        each(work.buffers),
        each(work.waits),
        work.waited_ms / frames.max(1) as f64,
        each(work.bytes_up) / 1e6,
        each(work.bytes_down) / 1e6,
    )
}
