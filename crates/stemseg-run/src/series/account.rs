//! [`Account`]: what is known of the film so far, from its label maps alone. So whoever goes on with
//! a film gets the same from the maps that are there as whoever made them.

use std::fs::File;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use stemseg::{Error, Result};
use stemseg_series::boundary::{Element, elements};
use stemseg_series::domains::{Event, Tracked, Tracker};
use stemseg_series::kinetics::{self, Boundary, Pair, Swept, Velocity};

use super::work::Line;

/// What the label map of one frame says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    pub(crate) line: Line,
    /// Pixels of label 0, 1 and on.
    pub(crate) areas: Vec<u64>,
    pub(crate) boundaries: Vec<Boundary>,
    /// How fast boundaries moved to this frame, px a frame.
    pub(crate) velocities: Vec<Velocity>,
    /// Number of domains of each label, from 1.
    pub(crate) domains: Vec<usize>,
}

/// The whole.
#[derive(Debug)]
pub(crate) struct Account {
    /// The number of patterns.
    patterns: u16,
    /// Side of the squares that velocities are compared in, px.
    side: usize,
    /// The last frame that has labels.
    before: Option<(usize, Array2<u16>, Vec<Element>)>,
    tracker: Tracker,
    domains: Domains,
    pub(crate) frames: Vec<Measured>,
    /// What boundaries swept in all of the film.
    pub(crate) swept: Swept,
}

/// The table of domains, written as the film goes on.
#[derive(Debug)]
struct Domains {
    path: PathBuf,
    table: csv::Writer<File>,
    interval: Option<f64>,
    /// Area of a pixel, nm^2.
    pixel: Option<f64>,
}

/// What an account is kept in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Units {
    pub(crate) patterns: usize,
    /// Period of the crystals, px.
    pub(crate) period: f64,
    /// Time between frames, s.
    pub(crate) interval: Option<f64>,
    /// Area of a pixel, nm^2.
    pub(crate) pixel: Option<f64>,
}

impl Account {
    /// Of a film without frames yet, whose domains are written to the table at `domains`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn new(units: Units, domains: &Path) -> Result<Self> {
        let Units { patterns, period, interval, pixel } = units;
        let side = (2.0 * period).round().max(8.0) as usize;
        // A domain has a unit cell at least.
        let least = (period * period).round().max(4.0) as u64;
        let file = File::create(domains).map_err(Error::io(domains))?;
        let mut domains = Domains {
            path: domains.into(),
            table: csv::Writer::from_writer(file),
            interval,
            pixel,
        };
        domains.head()?;
        Ok(Self {
            patterns: u16::try_from(patterns).unwrap_or(u16::MAX),
            side,
            before: None,
            tracker: Tracker::new(least),
            domains,
            frames: Vec::new(),
            swept: Swept::none(side),
        })
    }

    /// The number of patterns.
    pub(crate) fn patterns(&self) -> u16 {
        self.patterns
    }

    /// Adds the next frame, with its labels `[rows, cols]` where it has any.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn add(&mut self, line: Line, labels: Option<Array2<u16>>) -> Result<()> {
        let mut measured = Measured {
            areas: vec![0; usize::from(self.patterns) + 1],
            boundaries: Vec::new(),
            velocities: Vec::new(),
            domains: vec![0; usize::from(self.patterns)],
            line,
        };
        if let Some(labels) = labels {
            let number = measured.line.frame;
            let pieces = elements(labels.view());
            measured.areas = kinetics::areas(labels.view(), self.patterns);
            measured.boundaries = kinetics::boundaries(&pieces);
            if let Some((before, map, earlier)) = &self.before {
                let swept = Swept::new((map.view(), earlier), (labels.view(), &pieces), self.side);
                let frames = (number - before) as f64;
                let mut velocities = swept.velocities();
                for velocity in &mut velocities {
                    velocity.mean /= frames;
                    velocity.error = velocity.error.map(|error| error / frames);
                }
                measured.velocities = velocities;
                self.swept.merge(&swept, frames);
            }
            let tracked = self.tracker.add(labels.view());
            for tracked in tracked.iter().filter(|tracked| tracked.domain.area > 0) {
                let label = usize::from(tracked.domain.label);
                if let Some(count) = measured.domains.get_mut(label - 1) {
                    *count += 1;
                }
            }
            self.domains.add(number, &tracked)?;
            self.before = Some((number, labels, pieces));
        }
        self.frames.push(measured);
        Ok(())
    }

    /// Ends the table of domains.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.domains.table.flush().map_err(Error::io(&self.domains.path))
    }

    /// All boundaries that were ever there.
    pub(crate) fn pairs(&self) -> Vec<Pair> {
        let mut pairs: Vec<Pair> =
            self.frames.iter().flat_map(|frame| frame.boundaries.iter().map(|b| b.pair)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }
}

impl Domains {
    fn head(&mut self) -> Result<()> {
        self.record(&[
            "domain", "label", "frame", "time_s", "area_px", "area_nm2", "row_px", "col_px", "cut",
            "event", "with",
        ])
    }

    fn add(&mut self, frame: usize, tracked: &[Tracked]) -> Result<()> {
        for Tracked { number, domain, events, .. } in tracked {
            let time = self.interval.map(|interval| interval * frame as f64);
            let area = self.pixel.map(|pixel| pixel * domain.area as f64);
            let digits = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.6}"));
            let (event, with) = match events.first() {
                None => ("", Vec::new()),
                Some(Event::Birth) => ("birth", Vec::new()),
                Some(Event::Death) => ("death", Vec::new()),
                Some(Event::Merge(others)) => ("merge", others.clone()),
                Some(Event::Merged(into)) => ("merged", vec![*into]),
                Some(Event::Split(from)) => ("split", vec![*from]),
            };
            let with: Vec<String> = with.iter().map(u64::to_string).collect();
            let fields = [
                number.to_string(),
                domain.label.to_string(),
                frame.to_string(),
                digits(time),
                domain.area.to_string(),
                digits(area),
                format!("{:.2}", domain.centre[0]),
                format!("{:.2}", domain.centre[1]),
                u8::from(domain.cut).to_string(),
                event.to_owned(),
                with.join(" "),
            ];
            self.record(&fields.each_ref().map(String::as_str))?;
        }
        Ok(())
    }

    fn record(&mut self, fields: &[&str]) -> Result<()> {
        self.table.write_record(fields).map_err(|error| {
            let source = match error.into_kind() {
                csv::ErrorKind::Io(source) => source,
                other => std::io::Error::other(format!("{other:?}")),
            };
            Error::Io { path: self.path.clone(), source }
        })
    }
}
