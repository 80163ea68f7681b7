//! Micrographs of a specimen whose phases move, with the truth of each.

use std::path::Path;

use ndarray::{Array2, Array3, ArrayView2, Axis};
use serde_json::{Map, Value, json};
use stemseg::{Error, Progress, Result};
use stemseg_files::write::{FrameFile, ResultFolder};
use stemseg_simulate::Settings;
use stemseg_simulate::film::{Film, Frame};

use super::super::Args;
use super::super::args::Format;
use super::{grey, save, strip};
use crate::progress::Bar;

/// Names of what the result will hold.
pub(super) const NAMES: [&str; 5] =
    ["film.npy", "labels.npy", "truth.csv", "film.png", "summary.json"];
/// Frames unless told otherwise, and how far the specimen drifts, px.
const FRAMES: usize = 30;
const DRIFT: f64 = 6.0;
/// Mean counts of a pixel from which on they may not fit 16 bits.
const MOST_DOSE: f64 = 2000.0;

/// Simulates the film frame by frame and writes its files into `folder`; gives what goes into
/// summary.json.
pub(super) fn run(args: &Args, folder: &ResultFolder, bar: &Bar) -> Result<Map<String, Value>> {
    if args.format == Format::Tiff {
        return Err(Error::parameter("format", "tiff", "films are written as npy; leave it out"));
    }
    let settings = args.settings();
    let options = &args.film;
    let frames = options.frames.unwrap_or(FRAMES);
    let film = Film::new(options.motion(), &settings, frames, options.drift.unwrap_or(DRIFT))?;
    let shape = [frames, settings.size.rows, settings.size.cols];
    let mut file = Pixels::open(&folder.path("film.npy"), &settings, shape)?;
    let mut labels = FrameFile::<u8>::open(&folder.path("labels.npy"), &shape)?;
    let path = folder.path("truth.csv");
    let mut truth = vec![head(&film)];
    let mut shown = Array3::zeros((3, shape[1], shape[2]));
    bar.stage("simulate");
    for number in 0..frames {
        bar.step(number as u64, frames as u64)?;
        let frame = film.frame(number, &stemseg::Silent)?;
        file.write(number, frame.image.view())?;
        labels.write(number, frame.labels.mapv(|label| label as u8).view())?;
        truth.push(line(&film, number, &frame));
        for (at, _) in [0, frames / 2, frames - 1].iter().enumerate().filter(|(_, n)| **n == number)
        {
            shown.index_axis_mut(Axis(0), at).assign(&bright(&frame.image));
        }
    }
    bar.stage("write");
    std::fs::write(&path, truth.join("\n") + "\n").map_err(Error::io(&path))?;
    save(&grey(strip(&shown).view()), &folder.path("film.png"))?;
    Ok(summary(&film, &settings, file.dtype(), shape))
}

/// The film, in whole counts or in the ideal signal.
enum Pixels {
    Counts(FrameFile<u16>),
    Ideal(FrameFile<f32>),
}

impl Pixels {
    fn open(path: &Path, settings: &Settings, shape: [usize; 3]) -> Result<Self> {
        Ok(match settings.dose {
            Some(dose) if dose <= MOST_DOSE => Self::Counts(FrameFile::open(path, &shape)?),
            _ => Self::Ideal(FrameFile::open(path, &shape)?),
        })
    }

    fn dtype(&self) -> &'static str {
        match self {
            Self::Counts(_) => "uint16",
            Self::Ideal(_) => "float32",
        }
    }

    fn write(&mut self, number: usize, image: ArrayView2<'_, f32>) -> Result<()> {
        match self {
            Self::Counts(file) => file.write(number, image.mapv(|count| count as u16).view()),
            Self::Ideal(file) => file.write(number, image),
        }
    }
}

fn head(film: &Film) -> String {
    let areas = (1..=film.phases().len()).map(|label| format!("label_{label}_px"));
    let names = ["frame", "drift_rows_px", "drift_cols_px"].map(str::to_owned);
    names.into_iter().chain(areas).collect::<Vec<_>>().join(",")
}

/// What is true of a frame.
fn line(film: &Film, number: usize, frame: &Frame) -> String {
    let [down, right] = frame.drift;
    let area = |label: usize| frame.labels.iter().filter(|l| usize::from(**l) == label).count();
    let areas = (1..=film.phases().len()).map(|label| area(label).to_string());
    let places = [number.to_string(), format!("{down:.6}"), format!("{right:.6}")];
    places.into_iter().chain(areas).collect::<Vec<_>>().join(",")
}

/// From black to white.
fn bright(image: &Array2<f32>) -> Array2<f32> {
    let most = image.fold(f32::MIN_POSITIVE, |most, &value| most.max(value));
    image / most
}

/// No times in it: the same arguments give the same bytes.
fn summary(film: &Film, settings: &Settings, dtype: &str, shape: [usize; 3]) -> Map<String, Value> {
    let labels = film.phases().into_iter().enumerate().map(|(i, phase)| {
        json!({
            "label": i + 1,
            "name": phase.name,
            "plane_group": phase.group,
            "lattice_px": phase.lattice,
        })
    });
    let summary = json!({
        "stemseg_version": env!("CARGO_PKG_VERSION"),
        "scene": "film",
        "motion": film.motion(),
        "parameters": Settings { cell: Some(film.cell()), ..settings.clone() },
        "film": { "file": "film.npy", "shape": shape, "dtype": dtype },
        "speed_px_per_frame": film.speed(),
        "labels": labels.collect::<Vec<_>>(),
    });
    match summary {
        Value::Object(summary) => summary,
        _ => Map::new(),
    }
}
