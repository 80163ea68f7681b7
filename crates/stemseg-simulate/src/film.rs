//! Films: specimens whose phases move, one scan after the other, with the truth of each frame.
//!
//! The specimen drifts through the image; its phases and its atom columns are laid out in its own
//! coordinates, those of the image in the first frame. So is the true label map of a frame, which
//! says of every pixel of the specimen what was there at that time, seen or not.

use std::f64::consts::TAU;

use libm::{sin, sqrt};
use ndarray::Array2;
use serde::Serialize;

use super::crystal::Crystal;
use super::lattice::{Lattice, Vector, vector};
use super::random::{Random, Stream};
use super::region::Warp;
use super::scenes::fcc_110;
use super::specimen::{Layout, Specimen, Stage};
use super::{Phase, Settings, check, render};
use stemseg::sites::Extent;
use stemseg::{Error, Progress, Result};

/// Frames that a film has at least, and at most.
const FRAMES: [usize; 2] = [2, 1_000_000];
/// Lattice parameter unless said otherwise, px, and the width of a column relative to it.
const CELL: f64 = 12.0;
const WIDTH: f64 = 0.17;
/// Share of the film after which the vanishing grain is gone.
const GONE: f64 = 0.75;
/// Precipitates, and the share of the film in which they nucleate.
const NUCLEI: usize = 7;
const NUCLEATION: f64 = 0.5;

/// What moves in a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Motion {
    /// The boundary between a square and a hexagonal lattice, at a steady speed.
    MovingFront,
    /// Hexagonal precipitates in a square lattice that nucleate at different times, grow, and
    /// merge where they meet.
    Precipitates,
    /// A round grain of fcc along \[110\] in another, which shrinks by its curvature and vanishes.
    VanishingGrain,
}

impl Motion {
    /// All, with their names and what they are.
    pub const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::MovingFront, "moving-front", "a square lattice that a hexagonal one replaces"),
        (Self::Precipitates, "precipitates", "precipitates that nucleate, grow and merge"),
        (Self::VanishingGrain, "vanishing-grain", "a round grain that shrinks and vanishes"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(motion, ..)| *motion == self).map_or("", |(_, name, _)| name)
    }
}

/// A film whose frames are made one at a time.
pub struct Film {
    motion: Motion,
    settings: Settings,
    frames: usize,
    cell: f64,
    /// Farthest that the specimen drifts along an axis, px.
    drift: f64,
    course: Course,
    crystals: Vec<(String, &'static str, Crystal)>,
}

/// One frame with its truth.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Frame {
    /// The image `[rows, cols]`, as [`Simulated::image`](super::Simulated::image).
    pub image: Array2<f32>,
    /// The true label of each pixel of the specimen, in its own coordinates, `[rows, cols]`.
    pub labels: Array2<u16>,
    /// How far down and right the specimen lies of where it was in the first frame, px.
    pub drift: [f64; 2],
}

/// Where the phases are, over time. Times are shares of the film, 0 to 1.
#[derive(Debug, Clone)]
enum Course {
    Front {
        /// Direction of the motion, of length 1.
        normal: Vector,
        /// Where the boundary is on it in the first frame and in the last, px.
        from: f64,
        to: f64,
        warp: Warp,
    },
    Discs {
        /// Centre, time of birth and largest radius, px.
        all: Vec<(Vector, f64, f64)>,
        warp: Warp,
    },
    Grain {
        centre: Vector,
        /// Radius in the first frame, px.
        radius: f64,
    },
}

impl Course {
    /// Index of the phase at a place.
    fn phase(&self, place: Vector, time: f64) -> usize {
        match self {
            Self::Front { normal, from, to, warp } => {
                let front = from + (to - from) * time;
                usize::from(warp.apply(place).dot(*normal) < front)
            }
            Self::Discs { all, warp } => {
                let place = warp.apply(place);
                usize::from(all.iter().any(|&(centre, born, most)| {
                    // By diffusion: the radius grows as the square root of the age.
                    let age = ((time - born) / (1.0 - born)).max(0.0);
                    (place - centre).length() < most * sqrt(age)
                }))
            }
            Self::Grain { centre, radius } => {
                let now = radius * sqrt((1.0 - time / GONE).max(0.0));
                usize::from((place - *centre).length() < now)
            }
        }
    }
}

impl Film {
    /// A film of `frames` frames of `motion`, in which the specimen drifts up to `drift` px along
    /// either axis. The scan and the noise of each frame are its own.
    ///
    /// # Errors
    /// [`Error::Parameter`] for settings that are out of range.
    pub fn new(motion: Motion, settings: &Settings, frames: usize, drift: f64) -> Result<Self> {
        let cell = settings.cell.unwrap_or(CELL);
        check(settings, cell, WIDTH)?;
        if !(FRAMES[0]..=FRAMES[1]).contains(&frames) {
            let reason = format!("give {} to {} frames", FRAMES[0], FRAMES[1]);
            return Err(Error::parameter("frames", frames, reason));
        }
        let most = settings.size.rows.min(settings.size.cols) as f64 / 4.0;
        // Written so that NaN fails.
        if !(drift >= 0.0 && drift <= most) {
            let reason = format!("give 0 to {most} px, a quarter of the image");
            return Err(Error::parameter("drift", drift, reason));
        }
        let mut stage = stage(settings, cell);
        let (course, crystals) = built(motion, &mut stage);
        Ok(Self { motion, settings: settings.clone(), frames, cell, drift, course, crystals })
    }

    /// What moves.
    pub fn motion(&self) -> Motion {
        self.motion
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Rows and columns of a frame.
    pub fn size(&self) -> Extent {
        self.settings.size
    }

    /// Lattice parameter, px.
    pub fn cell(&self) -> f64 {
        self.cell
    }

    /// What the labels mean.
    pub fn phases(&self) -> Vec<Phase> {
        let phase = |(name, group, crystal): &(String, &'static str, Crystal)| {
            Phase::crystal(name.clone(), group, &crystal.lattice)
        };
        self.crystals.iter().map(phase).collect()
    }

    /// The speed of the front along its normal, px a frame, where it is the same throughout.
    pub fn speed(&self) -> Option<f64> {
        match &self.course {
            Course::Front { from, to, .. } => Some((to - from) / (self.frames - 1) as f64),
            _ => None,
        }
    }

    /// How far down and right the specimen lies in a frame, px.
    pub fn drift(&self, frame: usize) -> [f64; 2] {
        let time = self.time(frame);
        // A steady drift and a slow swing that begins at nothing.
        let swing = sin(1.5 * TAU * time);
        [0.7 * time + 0.3 * swing, -0.5 * time + 0.5 * swing].map(|share| self.drift * share)
    }

    fn time(&self, frame: usize) -> f64 {
        frame as f64 / (self.frames - 1) as f64
    }

    /// Makes a frame.
    ///
    /// # Errors
    /// [`Error::Interrupted`] as `progress` says.
    ///
    /// # Panics
    /// Beyond the last frame.
    pub fn frame(&self, number: usize, progress: &dyn Progress) -> Result<Frame> {
        assert!(number < self.frames, "a frame of the film");
        let (time, drift) = (self.time(number), self.drift(number));
        let shift = vector(drift[1], drift[0]);
        let settings = Settings { seed: seed(self.settings.seed, number), ..self.settings.clone() };
        let stage = stage(&settings, self.cell);
        let moved = |(name, group, crystal): &(String, &'static str, Crystal)| {
            (name.clone(), *group, crystal.clone().at(crystal.origin + shift))
        };
        let course = self.course.clone();
        let layout: Layout = Box::new(move |place| course.phase(place - shift, time));
        let apart = 0.6 * self.cell;
        let specimen = stage.crystals(self.crystals.iter().map(moved).collect(), layout, apart);
        let image = render::image(&specimen, &settings, WIDTH * self.cell, progress)?;
        let course = self.course.clone();
        let still = Specimen {
            layout: Box::new(move |place| course.phase(place, time)),
            columns: Vec::new(),
            ..specimen
        };
        let labels = render::labels(&still, &settings, progress)?;
        Ok(Frame { image, labels, drift })
    }

    /// The true label map of a frame alone.
    ///
    /// # Panics
    /// Beyond the last frame.
    pub fn labels(&self, number: usize) -> Array2<u16> {
        assert!(number < self.frames, "a frame of the film");
        let (time, Extent { rows, cols }) = (self.time(number), self.settings.size);
        Array2::from_shape_fn((rows, cols), |(r, c)| {
            self.course.phase(vector(c as f64, r as f64), time) as u16 + 1
        })
    }
}

fn stage(settings: &Settings, cell: f64) -> Stage<'_> {
    Stage {
        settings,
        cell,
        width: WIDTH * cell,
        geometry: Random::new(settings.seed, Stream::Geometry),
        motif: Random::new(settings.seed, Stream::Motif),
    }
}

/// The seed of the scan and noise of a frame: the finaliser of splitmix64 (Steele, Lea and Flood,
/// OOPSLA 2014), which has no two frames alike.
fn seed(seed: u64, frame: usize) -> u64 {
    let mut z = seed.wrapping_add((frame as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn built(motion: Motion, stage: &mut Stage<'_>) -> (Course, Vec<(String, &'static str, Crystal)>) {
    let size = stage.size();
    let (width, height) = (size.cols as f64, size.rows as f64);
    let side = width.min(height);
    let course = match motion {
        Motion::MovingFront => {
            let degrees = stage.geometry.between(-14.0, 14.0);
            let normal = vector(1.0, 0.0).turned(degrees);
            let middle = stage.centre().dot(normal);
            let way = 0.28 * width;
            Course::Front { normal, from: middle - way, to: middle + way, warp: stage.warp() }
        }
        Motion::Precipitates => {
            let all = (0..NUCLEI).map(|number| {
                let share = |random: &mut Random| random.between(0.12, 0.88);
                let (x, y) = (share(&mut stage.geometry), share(&mut stage.geometry));
                // The first is there soon, so that the film has something to show.
                let born = NUCLEATION * number as f64 / NUCLEI as f64 + 0.02;
                let most = side * stage.geometry.between(0.14, 0.24);
                (vector(x * width, y * height), born, most)
            });
            let all: Vec<_> = all.collect();
            Course::Discs { all, warp: stage.warp() }
        }
        Motion::VanishingGrain => {
            let swing = |random: &mut Random| 0.06 * side * random.between(-1.0, 1.0);
            let offset = vector(swing(&mut stage.geometry), swing(&mut stage.geometry));
            Course::Grain { centre: stage.centre() + offset, radius: 0.3 * side }
        }
    };
    (course, crystals(motion, stage))
}

fn crystals(motion: Motion, stage: &mut Stage<'_>) -> Vec<(String, &'static str, Crystal)> {
    let tilt = stage.tilt();
    if motion == Motion::VanishingGrain {
        // Of the width that columns have, the rows of fcc are the nearer ones.
        let a = 1.4 * stage.cell;
        return [("grain around", -15.0), ("vanishing grain", 15.0)]
            .map(|(name, turn)| {
                (name.to_owned(), "c2mm", fcc_110(a).turned(tilt + turn).at(stage.origin()))
            })
            .into();
    }
    let a = stage.cell;
    let (names, wider) = match motion {
        Motion::MovingFront => (["square", "hexagonal"], a * sqrt(2.0 / sqrt(3.0))),
        _ => (["matrix", "precipitate"], a * sqrt(2.0 / sqrt(3.0))),
    };
    let lattices = [Lattice::Square.primitive(a), Lattice::Hexagonal.primitive(wider)];
    let groups = ["p4mm", "p6mm"];
    let of = |((name, lattice), group): ((&str, _), &'static str)| {
        let crystal = Crystal::new(lattice, &[(0.0, 0.0, 1.0)]);
        (name.to_owned(), group, crystal.turned(tilt).at(stage.origin()))
    };
    names.into_iter().zip(lattices).zip(groups).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stemseg::Silent;

    fn film(motion: Motion, frames: usize, drift: f64) -> Film {
        let settings =
            Settings { size: Extent { rows: 120, cols: 150 }, seed: 3, ..Default::default() };
        Film::new(motion, &settings, frames, drift).unwrap()
    }

    fn area(labels: &Array2<u16>) -> usize {
        labels.iter().filter(|label| **label == 2).count()
    }

    #[test]
    fn a_front_moves_at_its_speed() {
        let film = film(Motion::MovingFront, 11, 0.0);
        let swept = area(&film.labels(8)) as f64 - area(&film.labels(3)) as f64;
        // Along the rows, where the boundary is as long as the image is high.
        let Course::Front { normal, .. } = &film.course else { panic!("a front") };
        let expected = 5.0 * film.speed().unwrap() / normal.x * 120.0;
        assert!((swept / expected - 1.0).abs() < 0.08, "{swept} {expected}");
    }

    #[test]
    fn precipitates_come_one_after_the_other_and_grow() {
        let film = film(Motion::Precipitates, 21, 0.0);
        let areas: Vec<usize> = (0..21).map(|frame| area(&film.labels(frame))).collect();
        assert_eq!(areas[0], 0);
        assert!(areas.windows(2).all(|pair| pair[0] <= pair[1]) && areas[20] > 3000, "{areas:?}");
    }

    #[test]
    fn a_grain_shrinks_by_the_same_area_in_each_frame_and_is_gone() {
        let film = film(Motion::VanishingGrain, 21, 0.0);
        let areas: Vec<f64> = (0..21).map(|frame| area(&film.labels(frame)) as f64).collect();
        let lost = areas[0] / 15.0;
        for (frame, pair) in areas.windows(2).enumerate().take(14) {
            assert!(((pair[0] - pair[1]) / lost - 1.0).abs() < 0.2, "{frame}: {areas:?}");
        }
        assert!(areas[16..].iter().all(|area| *area == 0.0));
    }

    #[test]
    fn the_specimen_drifts_with_its_columns() {
        let settings = Settings {
            size: Extent::square(96),
            dose: None,
            jitter: 0.0,
            gradient: 0.0,
            ..Default::default()
        };
        let film = Film::new(Motion::MovingFront, &settings, 2, 8.0).unwrap();
        let frames = [0, 1].map(|frame| film.frame(frame, &Silent).unwrap());
        assert_eq!(frames[0].drift, [0.0; 2]);
        let [down, right] = frames[1].drift;
        assert!((down - 5.6).abs() < 1e-9 && (right + 4.0).abs() < 1e-9, "{down} {right}");
        // To the right of the last front nothing changes but by the drift, here of 4 whole columns.
        let still = Film::new(Motion::MovingFront, &settings, 2, 0.0).unwrap();
        let still = still.frame(1, &Silent).unwrap();
        assert_eq!(still.labels, frames[1].labels);
        let at = |image: &Array2<f32>, r: f64, c: usize| {
            let (row, part) = (r.floor() as usize, r.fract() as f32);
            image[(row, c)] * (1.0 - part) + image[(row + 1, c)] * part
        };
        let mut off = 0.0_f32;
        for r in 20..80 {
            for c in 70..88 {
                let moved = at(&frames[1].image, r as f64 + down, c - 4);
                off = off.max((moved - still.image[(r, c)]).abs());
            }
        }
        assert!(off < 0.12, "{off}");
    }

    #[test]
    fn frames_have_noise_of_their_own_and_the_same_again() {
        let film = film(Motion::VanishingGrain, 40, 0.0);
        let [first, second] = [38, 39].map(|frame| film.frame(frame, &Silent).unwrap());
        assert_eq!(first.labels, second.labels);
        assert_ne!(first.image, second.image);
        assert_eq!(film.frame(38, &Silent).unwrap(), first);
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let of = |frames, drift| {
            Film::new(Motion::MovingFront, &Settings::default(), frames, drift).map(drop)
        };
        assert!(of(1, 0.0).unwrap_err().to_string().contains("frames = 1"));
        assert!(of(9, f64::NAN).unwrap_err().to_string().contains("drift = NaN"));
        assert!(of(9, 200.0).unwrap_err().to_string().contains("a quarter of the image"));
        assert!(of(9, 10.0).is_ok());
    }
}
