//! A film whose equation of motion is known.

use std::path::Path;

use ndarray::{Array3, Axis};
use serde_json::{Map, Value, json};
use stemseg::{Progress, Result};
use stemseg_dynamics::phase_field::{Noise, Settings, simulate};
use stemseg_files::write::{ResultFolder, write_npy};

use super::super::Args;
use super::{grey, save, strip};
use crate::Failure;
use crate::progress::Bar;

/// Radius over which the noise of a soft segmentation is smooth, px.
const NOISE_RADIUS: f64 = 3.0;

/// Names of what the result will hold.
pub(super) const NAMES: [&str; 3] = ["film.npy", "film.png", "summary.json"];

/// The film's settings.
fn settings(args: &Args) -> Settings {
    let film = &args.film;
    let usual = Settings::new(film.equation());
    let line = usual.size[0] == 1;
    let noise = match (film.noise, film.soft_noise) {
        (Some(deviation), _) => Noise::White { deviation },
        (None, Some(deviation)) => Noise::Soft { deviation, radius: NOISE_RADIUS },
        (None, None) => Noise::None,
    };
    Settings {
        size: args.size.map_or(usual.size, |size| [if line { 1 } else { size.rows }, size.cols]),
        frames: film.frames.unwrap_or(usual.frames),
        spacing: film.dx.unwrap_or(usual.spacing),
        interval: film.dt.unwrap_or(usual.interval),
        begin: film.begin.unwrap_or(usual.begin),
        noise,
        seed: args.seed,
        ..usual
    }
}

/// Simulates the film and writes its files into `folder`; gives what goes into summary.json.
pub(super) fn run(
    args: &Args,
    folder: &ResultFolder,
    bar: &Bar,
) -> Result<Map<String, Value>, Failure> {
    let settings = settings(args);
    bar.stage("simulate");
    let film = simulate(&settings).map_err(crate::dynamics::film_error(Path::new("film")))?;
    bar.check()?;
    bar.stage("write");
    Ok(write(folder, &settings, &film).map_err(|error| folder.named(error))?)
}

fn write(
    folder: &ResultFolder,
    settings: &Settings,
    film: &Array3<f32>,
) -> Result<Map<String, Value>> {
    let path = folder.path("film.npy");
    let line = settings.size[0] == 1;
    match line {
        true => write_npy(&path, film.index_axis(Axis(1), 0))?,
        false => write_npy(&path, film.view())?,
    }
    let path = folder.path("film.png");
    let picture = if line { grey(film.index_axis(Axis(1), 0)) } else { grey(strip(film).view()) };
    save(&picture, &path)?;
    let shape: Vec<usize> = film.shape().iter().copied().filter(|&n| n > 1).collect();
    let summary = json!({
        "stemseg_version": env!("CARGO_PKG_VERSION"),
        "scene": "film",
        "parameters": settings,
        "film": { "file": "film.npy", "shape": shape, "dtype": "float32" },
    });
    match summary {
        Value::Object(summary) => Ok(summary),
        _ => Ok(Map::new()),
    }
}
