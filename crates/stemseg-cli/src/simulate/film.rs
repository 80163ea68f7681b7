//! `stemseg simulate film`: micrographs of a specimen whose phases move, or a film whose equation of
//! motion is known.

mod equation;
mod motion;

use std::path::Path;

use clap::ValueEnum;
use image::GrayImage;
use ndarray::{Array2, Array3, ArrayView2, Axis, s};
use serde_json::Value;
use stemseg::{Error, Result};
use stemseg_dynamics::phase_field::Equation;
use stemseg_files::write::ResultFolder;
use stemseg_report::visible;
use stemseg_run::sweep_beside;
use stemseg_simulate::film::Motion;

use super::Args;
use crate::progress::Bar;
use crate::{Failure, parse, print, print_words};

/// The film.
#[derive(clap::Args)]
#[command(next_help_heading = "Film")]
pub(super) struct FilmArgs {
    /// What moves: moving-front, precipitates, or vanishing-grain.
    ///
    /// The film is one of micrographs; without --motion and --equation it is that of the moving front.
    /// moving-front: a square lattice that a hexagonal one replaces, at a steady speed. precipitates: hexagonal ones
    /// that nucleate, grow and merge. vanishing-grain: a round grain that shrinks and vanishes.
    #[arg(long, value_enum, hide_possible_values = true, conflicts_with = "equation")]
    motion: Option<MotionArg>,

    /// How far the specimen drifts along an axis, px [default: 6].
    #[arg(long, value_name = "PX", value_parser = parse::number, allow_negative_numbers = true)]
    drift: Option<f64>,

    /// A film Phi(t, y, x) of this equation of motion instead (see --help).
    ///
    /// travelling-wave: u_t = d u_xx - u^3 + (1 + a) u^2 - a u along a line, from a sharp step. allen-cahn: Phi_t
    /// = d (Phi_xx + Phi_yy) - r (2 Phi^3 - 3 Phi^2 + Phi). curvature: Phi_t = d kappa |grad Phi|. diffusion:
    /// Phi_t = d (Phi_xx + Phi_yy). advection: Phi_t = -x Phi_x - y Phi_y.
    #[arg(long, value_enum, hide_possible_values = true)]
    equation: Option<EquationArg>,

    /// Number of frames [default: 40, of a line 500, of micrographs 30].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    frames: Option<usize>,

    /// The coefficient d: diffusivity, or mobility of a curved boundary [default: 10, 1.5 or 1].
    #[arg(long, hide_short_help = true, value_name = "D", value_parser = parse::number, allow_negative_numbers = true)]
    diffusivity: Option<f64>,

    /// The coefficient a of the travelling wave, 0 to 1 [default: 0.9].
    #[arg(long, hide_short_help = true, value_name = "A", value_parser = parse::number, allow_negative_numbers = true)]
    threshold: Option<f64>,

    /// The coefficient r of the Allen-Cahn equation [default: 0.12].
    #[arg(long, hide_short_help = true, value_name = "R", value_parser = parse::number, allow_negative_numbers = true)]
    rate: Option<f64>,

    /// Velocity of advection: X,Y [default: 1,0.5].
    #[arg(long, hide_short_help = true, value_name = "X,Y", value_parser = parse::pair, allow_hyphen_values = true)]
    velocity: Option<[f64; 2]>,

    /// Distance of two pixels [default: 1].
    #[arg(long, hide_short_help = true, value_name = "X", value_parser = parse::number, allow_negative_numbers = true)]
    dx: Option<f64>,

    /// Time between two frames [default: 1, of a line 0.02].
    #[arg(long, hide_short_help = true, value_name = "T", value_parser = parse::number, allow_negative_numbers = true)]
    dt: Option<f64>,

    /// Time before the first frame [default: 0].
    #[arg(long, hide_short_help = true, value_name = "T", value_parser = parse::number, allow_negative_numbers = true)]
    begin: Option<f64>,

    /// Standard deviation of white noise.
    #[arg(long, hide_short_help = true, value_name = "S", value_parser = parse::number, allow_negative_numbers = true)]
    noise: Option<f64>,

    /// Standard deviation of the noise of a soft segmentation, on the scale of ln(Phi / (1 - Phi)).
    #[arg(long, hide_short_help = true, value_name = "S", value_parser = parse::number, allow_negative_numbers = true, conflicts_with = "noise")]
    soft_noise: Option<f64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum EquationArg {
    TravellingWave,
    AllenCahn,
    Curvature,
    Diffusion,
    Advection,
}

#[derive(Clone, Copy, ValueEnum)]
enum MotionArg {
    MovingFront,
    Precipitates,
    VanishingGrain,
}

impl FilmArgs {
    /// Refuses options that have no use.
    pub(super) fn check(&self, film: bool) -> Result<()> {
        let coefficients = [
            ("diffusivity", self.diffusivity.is_some()),
            ("threshold", self.threshold.is_some()),
            ("rate", self.rate.is_some()),
            ("velocity", self.velocity.is_some()),
        ];
        let of_equations = [
            ("equation", self.equation.is_some()),
            ("dx", self.dx.is_some()),
            ("dt", self.dt.is_some()),
            ("begin", self.begin.is_some()),
            ("noise", self.noise.is_some()),
            ("soft-noise", self.soft_noise.is_some()),
        ];
        let of_motions = [("motion", self.motion.is_some()), ("drift", self.drift.is_some())];
        let frames = [("frames", self.frames.is_some())];
        let given =
            |all: &[(&'static str, bool)]| all.iter().find(|(_, is)| *is).map(|(name, _)| *name);
        if !film {
            let all = [&coefficients[..], &of_equations, &of_motions, &frames].concat();
            let name = given(&all);
            return name.map_or(Ok(()), |name| {
                Err(Error::parameter(name, "given", "only the scene film has it; leave it out"))
            });
        }
        let other = match self.equation {
            None => given(&[&coefficients[..], &of_equations].concat()),
            Some(_) => given(&of_motions),
        };
        if let Some(name) = other {
            let reason = match self.equation {
                None => "only films with an --equation have it; leave it out, or give one",
                Some(_) => "films with an --equation do not have it; leave it out",
            };
            return Err(Error::parameter(name, "given", reason));
        }
        let used: &[&str] = match self.equation {
            None => &[],
            Some(EquationArg::TravellingWave) => &["diffusivity", "threshold"],
            Some(EquationArg::AllenCahn) => &["diffusivity", "rate"],
            Some(EquationArg::Curvature | EquationArg::Diffusion) => &["diffusivity"],
            Some(EquationArg::Advection) => &["velocity"],
        };
        let unused: Vec<(&'static str, bool)> =
            coefficients.into_iter().filter(|(name, _)| !used.contains(name)).collect();
        given(&unused).map_or(Ok(()), |name| {
            Err(Error::parameter(
                name,
                "given",
                "this equation has no such coefficient; leave it out",
            ))
        })
    }

    fn equation(&self) -> Equation {
        let d = |usual: f64| self.diffusivity.unwrap_or(usual);
        match self.equation {
            Some(EquationArg::TravellingWave) => Equation::TravellingWave {
                diffusivity: d(10.0),
                threshold: self.threshold.unwrap_or(0.9),
            },
            Some(EquationArg::AllenCahn) => {
                Equation::AllenCahn { diffusivity: d(1.5), rate: self.rate.unwrap_or(0.12) }
            }
            Some(EquationArg::Curvature) => Equation::Curvature { mobility: d(1.0) },
            Some(EquationArg::Diffusion) => Equation::Diffusion { diffusivity: d(1.5) },
            Some(EquationArg::Advection) | None => {
                let [x, y] = self.velocity.unwrap_or([1.0, 0.5]);
                Equation::Advection { x, y }
            }
        }
    }
}

impl FilmArgs {
    /// What moves.
    fn motion(&self) -> Motion {
        match self.motion {
            None | Some(MotionArg::MovingFront) => Motion::MovingFront,
            Some(MotionArg::Precipitates) => Motion::Precipitates,
            Some(MotionArg::VanishingGrain) => Motion::VanishingGrain,
        }
    }
}

/// Simulates the film and writes its folder.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let bar = Bar::new(&args.talk);
    let target = args.out.clone().unwrap_or_else(|| "film.sim".into());
    sweep_beside([&*target], &|note| bar.note(note));
    let of_equation = args.film.equation.is_some();
    let names: &[&str] = if of_equation { &equation::NAMES } else { &motion::NAMES };
    let planned: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let folder = ResultFolder::create(&target, args.force, &planned)?;
    let mut summary = match of_equation {
        true => equation::run(args, &folder, &bar)?,
        false => motion::run(args, &folder, &bar).map_err(|error| folder.named(error))?,
    };
    let place = folder.commit(&mut summary)?;
    bar.finish();
    match (args.talk.json, args.talk.quiet) {
        (true, _) => print(&format!("{:#}", Value::from(summary))),
        (false, true) => Ok(()),
        (false, false) => print_words(&visible::path(&place)),
    }
}

fn save(picture: &GrayImage, path: &Path) -> Result<()> {
    picture.save(path).map_err(|e| Error::io(path)(std::io::Error::other(e)))
}

/// The first, middle and last frame side by side.
fn strip(film: &Array3<f32>) -> Array2<f32> {
    let (frames, rows, cols) = film.dim();
    let mut out = Array2::ones((rows, 3 * cols + 8));
    for (i, frame) in [0, frames / 2, frames - 1].into_iter().enumerate() {
        let first = i * (cols + 4);
        out.slice_mut(s![.., first..first + cols]).assign(&film.index_axis(Axis(0), frame));
    }
    out
}

/// Values from 0 to 1 as grey.
fn grey(values: ArrayView2<'_, f32>) -> GrayImage {
    let (rows, cols) = values.dim();
    GrayImage::from_fn(cols as u32, rows as u32, |x, y| {
        image::Luma([(255.0 * values[(y as usize, x as usize)].clamp(0.0, 1.0)).round() as u8])
    })
}
