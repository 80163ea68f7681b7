//! The frames of a film on their way: while some are [computed](super::compute), the next is read and
//! placed on the specimen, and those before are averaged along time, labelled and written. What is in
//! memory does not depend on the length of the film.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use ndarray::{Array2, Array3};
use stemseg::image::rows::{self, Rows};
use stemseg::pipeline::frames::Frames;
use stemseg::threads::try_beside;
use stemseg::{Error, Result};
use stemseg_files::write::{FrameFile, LabelFrames};
use stemseg_series::register::{Drift, Registration};
use stemseg_series::smooth::{self, Pair, Sites};

use super::account::Account;
use super::compute::Sited;
use super::follow::Following;
use super::source::{Shot, Source};
use super::work::{Line, Work};
use crate::devices::Devices;
use crate::observer::Observer;

/// Every which row the confidence of a frame is taken from: its mean is good to a percent.
const ROWS: usize = 4;

/// A frame that was read and placed.
pub(super) struct Placed {
    pub(super) shot: Shot,
    pub(super) drift: Option<Drift>,
}

/// How frames are labelled.
pub(crate) struct Stream<'a> {
    pub(crate) frames: &'a Frames,
    pub(crate) devices: &'a Devices,
    pub(crate) observer: &'a dyn Observer,
    /// Period of the crystals, px, by which the drift is looked for; nothing: it is not.
    pub(crate) registered: Option<Option<f64>>,
    /// Frames that memberships are averaged over, standard deviation.
    pub(crate) smooth_time: f64,
    /// Whether centroids follow the patterns.
    pub(crate) adapt: bool,
    /// Memory that a frame may take, bytes.
    pub(crate) budget: u64,
    pub(crate) count: usize,
}

/// Where labels go.
pub(crate) struct Sink<'a> {
    pub(crate) work: &'a mut Work,
    pub(crate) account: &'a mut Account,
    pub(crate) labels: LabelFrames,
    pub(crate) confidence: Option<FrameFile<f32>>,
    pub(crate) memberships: Option<FrameFile<f32>>,
}

impl Stream<'_> {
    /// Labels the frames of `source` that `sink` does not have.
    ///
    /// # Errors
    /// What reading, computing and writing report; [`Error::Interrupted`]. Frames that are done
    /// stay done.
    pub(crate) fn run(&self, source: &mut Source, sink: &mut Sink<'_>) -> Result<()> {
        let done = sink.work.done.len();
        let mut reading = Reading::new(self, source, done);
        let before = reading.first.checked_sub(1).and_then(|last| sink.work.done.get(last));
        let before = before.and_then(|line| line.centroids.as_deref());
        let mut following = self.adapt.then(|| Following::new(self.frames, before));
        let mut labelling = Labelling { stream: self, sink, ring: VecDeque::new(), next: done };
        let lanes = self.lanes();
        thread::scope(|scope| {
            let (to_compute, placed) = channels::<Result<Placed>>(lanes);
            let (to_label, sited) = channels::<Sited>(lanes);
            let read = move || {
                for lane in to_compute.iter().cycle() {
                    let Some(placed) = reading.next() else { return };
                    if lane.send(placed).is_err() {
                        return;
                    }
                }
            };
            let label = move || {
                for lane in sited.iter().cycle() {
                    let Ok(sited) = lane.recv() else { break };
                    labelling.add(sited)?;
                }
                labelling.end()
            };
            let Ok(labelled) = try_beside(scope, label) else { return Err(no_thread()) };
            let Ok(_) = try_beside(scope, read) else { return Err(no_thread()) };
            let ends = placed.into_iter().zip(to_label).collect();
            let computed = self.compute_in_lanes(scope, ends, &mut following);
            joined(labelled).and(computed)
        })
    }

    /// Computes what comes of `ends`, one of them here and each of the others in a thread of its own.
    fn compute_in_lanes<'scope, 'env>(
        &'env self,
        scope: &'scope thread::Scope<'scope, 'env>,
        ends: Vec<(Receiver<Result<Placed>>, SyncSender<Sited>)>,
        following: &mut Option<Following>,
    ) -> Result<()> {
        let budget = self.budget / ends.len().max(1) as u64;
        let mut ends = ends.into_iter();
        let own = ends.next();
        let beside = |(placed, to): (Receiver<Result<Placed>>, SyncSender<Sited>)| {
            try_beside(scope, move || self.compute(placed, &to, budget, &mut None))
        };
        let others: Vec<_> = ends.map(beside).collect();
        let computed =
            own.map_or(Ok(()), |(placed, to)| self.compute(placed, &to, budget, following));
        let others = others.into_iter().map(|other| other.map_or(Err(no_thread()), joined));
        others.fold(computed, Result::and)
    }
}

/// The frames as they are read, each placed by those before.
struct Reading<'a> {
    stream: &'a Stream<'a>,
    source: &'a mut Source,
    registration: Option<Registration>,
    next: usize,
    /// The first that is handed on.
    first: usize,
    failed: bool,
}

impl<'a> Reading<'a> {
    /// Of a film whose first frames are `done`.
    fn new(stream: &'a Stream<'a>, source: &'a mut Source, done: usize) -> Self {
        let registration =
            stream.registered.map(|period| Registration::new(source.shape(), period));
        // What is averaged with the first frame to come.
        let first = done.saturating_sub(smooth::reach(stream.smooth_time));
        // Without drift nothing has to be known of frames that are done.
        let next = if registration.is_some() { 0 } else { first };
        Self { stream, source, registration, next, first, failed: false }
    }

    fn next(&mut self) -> Option<Result<Placed>> {
        while self.next < self.stream.count && !self.failed {
            let number = self.next;
            self.next += 1;
            let shot = self.stream.observer.check().and_then(|()| self.source.read(number));
            let placed = shot.map(|shot| self.placed(shot));
            self.failed = placed.is_err();
            if self.failed || number >= self.first {
                return Some(placed);
            }
        }
        None
    }

    fn placed(&mut self, shot: Shot) -> Placed {
        let drift = self.registration.as_mut().map(|registration| match &shot.micrograph {
            Some(micrograph) => {
                let absent = micrograph.absent().map(|absent| absent.view());
                registration.add(micrograph.pixels(), absent)
            }
            None => registration.skip(),
        });
        Placed { shot, drift }
    }
}

/// Averages along time, labels and writes.
struct Labelling<'a, 's> {
    stream: &'a Stream<'a>,
    sink: &'a mut Sink<'s>,
    ring: VecDeque<Sited>,
    /// The frame that is labelled next.
    next: usize,
}

impl Labelling<'_, '_> {
    /// Takes the next frame, and labels those for which enough is known.
    fn add(&mut self, sited: Sited) -> Result<()> {
        let last = sited.number;
        self.ring.push_back(sited);
        let reach = smooth::reach(self.stream.smooth_time);
        while last >= self.next + reach {
            self.finish(self.next)?;
        }
        Ok(())
    }

    /// Labels the last frames, which no others follow, if all have come.
    fn end(&mut self) -> Result<()> {
        let last = self.ring.back().map(|sited| sited.number);
        while last.is_some_and(|last| last + 1 == self.stream.count && self.next <= last) {
            self.finish(self.next)?;
        }
        Ok(())
    }

    /// Labels and writes frame `number`.
    fn finish(&mut self, number: usize) -> Result<()> {
        let Self { stream, sink, ring, .. } = self;
        let first = ring.front().map_or(0, |sited| sited.number);
        let at = |number: usize| number.checked_sub(first).and_then(|place| ring.get(place));
        let own = at(number).expect("it arrived");
        let mut line = Line {
            frame: number,
            status: own.status,
            drift: own.drift.map_or([0.0; 2], |drift| drift.shift),
            agreement: own.drift.map(|drift| drift.agreement),
            confidence: None,
            strangeness: own.strangeness,
            moved: own.following.as_ref().map(Following::moved),
            centroids: own.following.as_ref().map(Following::state),
        };
        let mut labels = None;
        if let Some(maps) = &own.maps {
            let averaged = stream.averaged(own, maps, &at);
            let map = stream.frames.map(averaged, own.unseen.clone());
            let found: Array2<u16> = rows::collect(&map);
            sink.labels.write(number, found.view())?;
            line.confidence = mean_confidence(&map.confidence(), &found);
            if let Some(file) = &mut sink.confidence {
                file.write(number, rows::collect(&map.confidence()).view())?;
            }
            if let Some(file) = &mut sink.memberships {
                let patterns = maps.dim().0;
                let shape = found.dim();
                let mut all = Array3::zeros((patterns, shape.0, shape.1));
                for (pattern, mut to) in all.outer_iter_mut().enumerate() {
                    to.assign(&rows::collect(&map.membership(pattern as u16 + 1)));
                }
                file.write(number, all.view())?;
            }
            labels = Some(found);
        }
        sink.work.note(line.clone())?;
        sink.account.add(line, labels)?;
        self.next = number + 1;
        let reach = smooth::reach(self.stream.smooth_time);
        while self.ring.front().is_some_and(|first| first.number + reach < self.next) {
            self.ring.pop_front();
        }
        self.stream.observer.step(self.next as u64, self.stream.count as u64)
    }
}

impl Stream<'_> {
    /// Memberships of a frame, averaged with those before and after it.
    fn averaged<'r>(
        &self,
        own: &'r Sited,
        maps: &'r Array3<f32>,
        at: &dyn Fn(usize) -> Option<&'r Sited>,
    ) -> Array3<f32> {
        let reach = smooth::reach(self.smooth_time);
        let sites = |sited: &'r Sited| {
            let maps = sited.maps.as_ref()?;
            Some(Sites { maps: maps.view(), seen: sited.seen.view() })
        };
        let pair = |distance: usize| {
            let before = own.number.checked_sub(distance).and_then(at).and_then(sites)?;
            let after = at(own.number + distance).and_then(sites)?;
            Some(Pair { distance, before, after })
        };
        let pairs: Vec<Pair<'_>> = (1..=reach).filter_map(pair).collect();
        if pairs.is_empty() {
            return maps.clone();
        }
        let centre = Sites { maps: maps.view(), seen: own.seen.view() };
        smooth::averaged(centre, &pairs, self.smooth_time)
    }
}

/// What a thread came to.
fn joined(thread: thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// This number of channels, each with room for one value.
fn channels<T>(count: usize) -> (Vec<SyncSender<T>>, Vec<Receiver<T>>) {
    (0..count).map(|_| sync_channel(1)).unzip()
}

fn no_thread() -> Error {
    Error::Machine(
        "no thread could be started next to the one that computes; end other programs, or raise the \
         limit on processes (ulimit -u)"
            .into(),
    )
}

/// Mean of `confidence` over pixels with a label; nothing where there are none.
fn mean_confidence(confidence: &dyn Rows<f32>, labels: &Array2<u16>) -> Option<f64> {
    let (rows, cols) = labels.dim();
    let mut line = vec![0.0; cols];
    let (mut sum, mut count) = (0.0, 0_u64);
    for row in (0..rows).step_by(ROWS) {
        confidence.fill(row, &mut line);
        let labelled = line.iter().zip(labels.row(row)).filter(|(_, label)| **label != 0);
        for (sure, _) in labelled {
            sum += f64::from(*sure);
            count += 1;
        }
    }
    (count > 0).then(|| sum / count as f64)
}
