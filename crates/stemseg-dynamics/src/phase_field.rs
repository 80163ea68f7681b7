//! Films whose equation of motion is known.
//!
//! Diffusion is exact (each wave decays by itself) and reactions are stepped by Runge and Kutta's
//! rule of fourth order, in turns that are symmetric in time (Strang, SIAM J. Numer. Anal. 5
//! (1968) 506). Advection and curvature flow have closed solutions.

mod heat;
mod noise;

use ndarray::{Array2, Array3, Axis, s};
use serde::Serialize;

use self::heat::Heat;
use crate::random::Random;
use crate::{Error, Result};

pub use self::noise::Noise;

/// What moves, and how. x counts columns and y rows; lengths are in units of the spacing's unit
/// and times in that of the interval's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Equation {
    /// `Phi_t = diffusivity Phi_xx - Phi^3 + (1 + threshold) Phi^2 - threshold Phi` along one
    /// line, from a sharp step: a wave that becomes steady, of the speed
    /// `sqrt(diffusivity / 2) (2 threshold - 1)`.
    TravellingWave {
        /// Diffusivity, length^2 / time.
        diffusivity: f64,
        /// Value of `Phi` from which it grows, 0 to 1.
        threshold: f64,
    },
    /// `Phi_t = diffusivity (Phi_xx + Phi_yy) - rate (2 Phi^3 - 3 Phi^2 + Phi)`.
    AllenCahn {
        /// Diffusivity, length^2 / time.
        diffusivity: f64,
        /// Rate of the reaction, 1 / time.
        rate: f64,
    },
    /// `Phi_t = mobility kappa |grad Phi|`, kappa the curvature: a disc that shrinks.
    Curvature {
        /// Speed over curvature, length^2 / time.
        mobility: f64,
    },
    /// `Phi_t = diffusivity (Phi_xx + Phi_yy)`.
    Diffusion {
        /// Diffusivity, length^2 / time.
        diffusivity: f64,
    },
    /// `Phi_t = -x Phi_x - y Phi_y`: a wavy boundary that is carried along.
    Advection {
        /// Velocity along x, length / time.
        x: f64,
        /// Velocity along y, length / time.
        y: f64,
    },
}

/// A film to be simulated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Settings {
    /// What moves, and how.
    pub equation: Equation,
    /// Rows and columns, px; one row for a film of a line.
    pub size: [usize; 2],
    /// Frames.
    pub frames: usize,
    /// Distance of two pixels.
    pub spacing: f64,
    /// Time between two frames.
    pub interval: f64,
    /// Time before the first frame.
    pub begin: f64,
    /// What is added to the film.
    pub noise: Noise,
    /// Seed of shapes and noise.
    pub seed: u64,
}

impl Settings {
    /// Films that show `equation` well: 500 px and 500 frames 0.02 apart of a line, 128 x 128 px
    /// and 40 frames of an image.
    pub fn new(equation: Equation) -> Self {
        let line = matches!(equation, Equation::TravellingWave { .. });
        Self {
            equation,
            size: if line { [1, 500] } else { [128, 128] },
            frames: if line { 500 } else { 40 },
            spacing: 1.0,
            interval: if line { 0.02 } else { 1.0 },
            begin: 0.0,
            noise: Noise::None,
            seed: 0,
        }
    }

    fn check(&self) -> Result<()> {
        let [rows, cols] = self.size;
        let line = matches!(self.equation, Equation::TravellingWave { .. });
        let size = || format!("{rows}x{cols}");
        if line && rows != 1 {
            return Err(Error::parameter(
                "size",
                size(),
                "the travelling wave is a film of a line; give 1 row",
            ));
        }
        if cols < 16 || (!line && rows < 16) {
            return Err(Error::parameter("size", size(), "give 16 px or more along each axis"));
        }
        let most = 1_usize << 30;
        let values = rows.checked_mul(cols).and_then(|pixels| pixels.checked_mul(self.frames));
        if values.is_none_or(|values| values > most) {
            return Err(Error::parameter(
                "frames",
                self.frames,
                format!("with this size give at most {} frames", most / (rows * cols).max(1)),
            ));
        }
        if self.frames < crate::LEAST_FRAMES {
            let reason = format!("give {} frames or more", crate::LEAST_FRAMES);
            return Err(Error::parameter("frames", self.frames, reason));
        }
        let positive = |name, value: f64| match value > 0.0 && value < 1e9 {
            true => Ok(()),
            false => Err(Error::parameter(name, value, "give a number above 0")),
        };
        positive("dx", self.spacing)?;
        positive("dt", self.interval)?;
        if !(self.begin >= 0.0 && self.begin / self.interval < 1e6) {
            return Err(Error::parameter("begin", self.begin, "give 0 to 1000000 intervals"));
        }
        match self.equation {
            Equation::TravellingWave { diffusivity, threshold } => {
                positive("diffusivity", diffusivity)?;
                match (0.0..=1.0).contains(&threshold) {
                    true => Ok(()),
                    false => Err(Error::parameter("threshold", threshold, "give 0 to 1")),
                }
            }
            Equation::AllenCahn { diffusivity, rate } => {
                positive("diffusivity", diffusivity)?;
                positive("rate", rate)
            }
            Equation::Curvature { mobility } => positive("mobility", mobility),
            Equation::Diffusion { diffusivity } => positive("diffusivity", diffusivity),
            Equation::Advection { x, y } => match x.is_finite() && y.is_finite() {
                true => Ok(()),
                false => {
                    Err(Error::parameter("velocity", format!("{x},{y}"), "give finite numbers"))
                }
            },
        }?;
        self.noise.check()
    }
}

/// The film `[frames, rows, columns]`.
///
/// # Errors
/// [`Error::Parameter`] for settings that are out of range.
pub fn simulate(settings: &Settings) -> Result<Array3<f32>> {
    settings.check()?;
    let Settings { spacing, interval, .. } = *settings;
    // Lengths in px and times in intervals from here on.
    let spread = |diffusivity: f64| diffusivity * interval / (spacing * spacing);
    let mut film = match settings.equation {
        Equation::TravellingWave { diffusivity, threshold } => {
            let rates = [-threshold, 1.0 + threshold, -1.0].map(|rate| rate * interval);
            wave(settings, spread(diffusivity), rates)
        }
        Equation::AllenCahn { diffusivity, rate } => {
            let rates = [-1.0, 3.0, -2.0].map(|part| part * rate * interval);
            react(settings, blobs(settings), spread(diffusivity), rates, 1)
        }
        Equation::Diffusion { diffusivity } => {
            react(settings, blobs(settings), spread(diffusivity), [0.0; 3], 1)
        }
        Equation::Curvature { mobility } => shrinking(settings, spread(mobility)),
        Equation::Advection { x, y } => {
            carried(settings, [x, y].map(|velocity| velocity * interval / spacing))
        }
    };
    settings.noise.add(&mut film, settings.seed);
    Ok(film.mapv(|value| value as f32))
}

/// Pixels of the computation for one of the film of a line, so that a sharp step is resolved.
const FINER: usize = 4;

/// A sharp step in the middle of a line; see [`react`].
fn wave(settings: &Settings, spread: f64, rates: [f64; 3]) -> Array3<f64> {
    let cols = settings.size[1] * FINER;
    let line = Array2::from_shape_fn((1, cols), |(_, c)| f64::from(u8::from(2 * c < cols)));
    react(settings, line, spread * (FINER * FINER) as f64, rates, FINER)
}

/// Diffusion of `spread` px^2 a frame and the reaction `rates` . (Phi, Phi^2, Phi^3) from an
/// `image`, every `finer` of whose pixels are one of the film.
fn react(
    settings: &Settings,
    mut image: Array2<f64>,
    spread: f64,
    rates: [f64; 3],
    finer: usize,
) -> Array3<f64> {
    // Fast reactions are stepped finely: an eighth of the largest rate in a step.
    let steps = (8.0 * rates.iter().map(|rate| rate.abs()).sum::<f64>()).ceil().clamp(2.0, 1e4);
    let part = 1.0 / steps;
    let size = [image.nrows(), image.ncols()];
    let (whole, half) = (Heat::new(size, spread * part), Heat::new(size, 0.5 * spread * part));
    let rate = |value: f64| ((rates[2] * value + rates[1]) * value + rates[0]) * value;
    let step = |value: &mut f64| {
        let a = rate(*value);
        let b = rate(*value + 0.5 * part * a);
        let c = rate(*value + 0.5 * part * b);
        let d = rate(*value + part * c);
        *value += part / 6.0 * (a + 2.0 * b + 2.0 * c + d);
    };
    let frame = |image: &mut Array2<f64>| {
        half.diffuse(image);
        for _ in 1..steps as usize {
            image.iter_mut().for_each(step);
            whole.diffuse(image);
        }
        image.iter_mut().for_each(step);
        half.diffuse(image);
    };
    let before = (settings.begin / settings.interval).round() as usize;
    (0..before).for_each(|_| frame(&mut image));
    let [rows, cols] = settings.size;
    let mut film = Array3::zeros((settings.frames, rows, cols));
    for mut out in film.axis_iter_mut(Axis(0)) {
        match finer {
            1 => out.assign(&image),
            // The middle of a pixel lies between two fine ones.
            _ => {
                let sides = [finer / 2 - 1, finer / 2];
                let [left, right] = sides.map(|first| image.slice(s![.., first..;finer]));
                out.assign(&((&left + &right) * 0.5));
            }
        }
        frame(&mut image);
    }
    film
}

/// Smooth random patches between 0 and 1.
fn blobs(settings: &Settings) -> Array2<f64> {
    let [rows, cols] = settings.size;
    let mut random = Random::new(settings.seed, 0);
    let mut image = Array2::from_shape_simple_fn((rows, cols), || random.normal());
    let radius = 0.06 * rows.min(cols) as f64;
    Heat::new([rows, cols], 0.5 * radius * radius).diffuse(&mut image);
    let deviation = image.std(0.0).max(f64::MIN_POSITIVE);
    image.mapv(|value| 1.0 / (1.0 + libm::exp(-2.5 * value / deviation)))
}

/// Levels are circles; of radius r they shrink as `r^2 = r0^2 - 2 mobility t`.
fn shrinking(settings: &Settings, mobility: f64) -> Array3<f64> {
    let [rows, cols] = settings.size;
    let side = rows.min(cols) as f64;
    let (radius, width) = (0.38 * side, 0.035 * side);
    let begin = settings.begin / settings.interval;
    Array3::from_shape_fn((settings.frames, rows, cols), |(t, r, c)| {
        let (y, x) = (r as f64 - 0.5 * (rows - 1) as f64, c as f64 - 0.48 * (cols - 1) as f64);
        let first = (x * x + y * y + 2.0 * mobility * (t as f64 + begin)).sqrt();
        0.5 - 0.5 * libm::tanh((first - radius) / width)
    })
}

/// A wavy boundary at `velocity` [x, y] px a frame, so placed that it stays inside the film.
fn carried(settings: &Settings, velocity: [f64; 2]) -> Array3<f64> {
    let [rows, cols] = settings.size;
    let side = rows.min(cols) as f64;
    let (width, height, period) = (0.04 * side, 0.08 * side, 0.5 * side);
    let travel = velocity[0] * settings.frames as f64;
    let start = 0.5 * (cols as f64 - travel);
    let begin = settings.begin / settings.interval;
    Array3::from_shape_fn((settings.frames, rows, cols), |(t, r, c)| {
        let time = t as f64 + begin;
        let (y, x) = (r as f64 - velocity[1] * time, c as f64 - velocity[0] * time);
        let turn = std::f64::consts::TAU * y / period;
        let edge = start + height * (libm::sin(turn) + 0.4 * libm::cos(1.6 * turn));
        0.5 - 0.5 * libm::tanh((x - edge) / width)
    })
}

#[cfg(test)]
mod tests;
