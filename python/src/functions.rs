//! Functions: reading, lattices, devices, simulations, measures, fits to several images.

use std::ffi::OsString;
use std::path::PathBuf;

use numpy::{PyArray1, PyArray2, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::{Value, json};
use stemseg::backend::cpu::Cpu;
use stemseg::cluster::kmeans::{self as clustering, Pairs};
use stemseg::lattice;
use stemseg::sites::Extent;
use stemseg_files::read::{self as files, Frame, Pixels};
use stemseg_report::colours;
use stemseg_run::{Input, Read};
use stemseg_simulate::{Boundary, Scene, Settings, metrics};

use crate::errors::exception;
use crate::found::{Options, request};
use crate::model::Model;
use crate::pixels::Source;
use crate::watch;

/// The version of stemseg.
#[pyfunction]
pub(crate) fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Runs the program with these words, its name first; gives its exit code.
#[pyfunction]
pub(crate) fn command(py: Python<'_>, words: Vec<OsString>) -> u8 {
    py.detach(|| stemseg_cli::run(words))
}

/// The colour of a label, red, green and blue from 0 to 255.
#[pyfunction]
pub(crate) fn colour(label: usize) -> [u8; 3] {
    colours::colour(label)
}

/// What `stemseg devices --json` prints.
#[pyfunction]
pub(crate) fn devices(py: Python<'_>) -> PyResult<String> {
    watch::run(py, None, false, |_| {
        stemseg_cli::devices().map(|listing| listing.to_string()).map_err(exception)
    })
}

/// The format of a file, and the images in it as JSON.
#[pyfunction]
pub(crate) fn entries(py: Python<'_>, path: PathBuf) -> PyResult<(&'static str, String)> {
    let (format, entries) = py.detach(|| files::list(&path)).map_err(exception)?;
    let entry = |entry: &files::Entry| {
        let nm = entry.pixel_size().map(|size| [size.rows, size.cols]);
        json!({
            "name": entry.name, "shape": entry.shape, "dtype": entry.dtype, "colour": entry.colour,
            "pixel_size_nm": nm, "frame_interval_s": entry.frame_interval_s,
            "instrument": entry.instrument, "date": entry.date, "refused": entry.refused,
        })
    };
    Ok((format, Value::from_iter(entries.iter().map(entry)).to_string()))
}

/// The pixels of an image as a file stores them, and what is known of it as JSON.
#[pyfunction]
#[pyo3(signature = (path, image=None, frame=None))]
pub(crate) fn read<'py>(
    py: Python<'py>,
    path: PathBuf,
    image: Option<usize>,
    frame: Option<isize>,
) -> PyResult<(Bound<'py, PyAny>, String)> {
    let frame = match frame {
        // The mean over all.
        Some(-1) => Some(Frame::Mean),
        Some(number) => Some(Frame::Number(number.try_into()?)),
        None => None,
    };
    let loaded = watch::run(py, None, false, move |_| {
        files::read_frame(&path, image, frame).map_err(exception)
    })?;
    let size = loaded.entry.pixel_size().map(|size| [size.rows, size.cols]);
    let about = json!({
        "format": loaded.format, "name": loaded.entry.name, "image": loaded.image,
        "frame": loaded.frame, "pixel_size_nm": size, "date": loaded.entry.date,
        "instrument": loaded.entry.instrument, "notes": loaded.notes,
    });
    macro_rules! array {
        ($($variant:ident),*) => {
            match loaded.pixels {
                $(Pixels::$variant(array) => PyArray2::from_owned_array(py, array).into_any(),)*
            }
        };
    }
    let pixels = array!(U8, I8, U16, I16, U32, I32, U64, I64, F16, F32, F64);
    Ok((pixels, about.to_string()))
}

/// The crystal lattices in an image, as JSON.
#[pyfunction]
#[pyo3(signature = (image, *, mask=None, progress=None))]
pub(crate) fn lattices(
    py: Python<'_>,
    image: &Bound<'_, PyAny>,
    mask: Option<&Bound<'_, PyArray2<bool>>>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let source = Source::new(image, mask, "array".into())?;
    watch::run(py, progress, false, move |_| {
        let Read { micrograph, .. } = source.read(&Input::default())?;
        let mask = micrograph.mask();
        let found = lattice::survey(micrograph.pixels(), mask.map(|mask| mask.view()));
        let size = micrograph.pixel_size().map(|size| [size.rows, size.cols]);
        let period = found.period.map(|period| period.length);
        let text = json!({ "lattices": found.lattices, "period": period, "pixel_size_nm": size });
        Ok(text.to_string())
    })
}

/// A simulated micrograph: image, labels, and what they mean as JSON.
#[pyfunction]
#[pyo3(signature = (scene, *, size, groups, grains, cell, dose, jitter, background, gradient, straight, seed))]
#[expect(clippy::too_many_arguments, reason = "they are keywords")]
pub(crate) fn simulate<'py>(
    py: Python<'py>,
    scene: &str,
    size: (usize, usize),
    groups: Vec<String>,
    grains: Option<usize>,
    cell: Option<f64>,
    dose: Option<f64>,
    jitter: f64,
    background: f64,
    gradient: f64,
    straight: bool,
    seed: u64,
) -> PyResult<Made<'py>> {
    let scene = Scene::new(scene, &groups, grains).map_err(exception)?;
    let boundary = if straight { Boundary::Straight } else { Boundary::Curved };
    let size = Extent { rows: size.0, cols: size.1 };
    let settings = Settings { size, cell, dose, jitter, background, gradient, boundary, seed };
    let made = watch::run(py, None, false, move |watch| {
        stemseg_simulate::simulate(&scene, &settings, watch).map_err(exception)
    })?;
    let about = json!({ "phases": made.phases, "cell": made.cell }).to_string();
    let image = PyArray2::from_owned_array(py, made.image);
    Ok((image, PyArray2::from_owned_array(py, made.labels), about))
}

/// How well two label maps agree, as JSON.
#[pyfunction]
pub(crate) fn scores(
    truth: PyReadonlyArray2<'_, u16>,
    found: PyReadonlyArray2<'_, u16>,
    margin: usize,
    tolerance: f64,
) -> PyResult<String> {
    let options = metrics::Options { margin, tolerance };
    let scores = metrics::score(truth.as_array(), found.as_array(), &options).map_err(exception)?;
    Ok(json!(scores).to_string())
}

/// The model of several images together.
#[pyfunction]
#[pyo3(signature = (images, options, *, progress=None))]
pub(crate) fn fit(
    py: Python<'_>,
    images: Vec<Given<'_>>,
    options: Options,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Model> {
    let source = |(image, mask): &Given<'_>| Source::new(image, mask.as_ref(), "array".into());
    let sources = images.iter().map(source).collect::<PyResult<Vec<_>>>()?;
    let Some(first) = sources.first() else {
        return Err(PyValueError::new_err("there is no image; give at least one"));
    };
    let request = request(first.name(), &options)?;
    request.check(&request.settings).map_err(exception)?;
    watch::run(py, progress, false, move |watch| {
        let read = |source: &Source| source.read(&request.input);
        let inputs = sources.iter().map(read).collect::<PyResult<Vec<_>>>()?;
        stemseg_run::fit(&inputs, &request, watch).map(Model).map_err(exception)
    })
}

/// k-means of `points` `[N, q]`, from `centroids` `[k, q]` where they are given: the cluster of each
/// point, the centroids, the inertia and the number of iterations.
#[pyfunction]
#[pyo3(signature = (points, clusters, *, restarts=10, seed=0, centroids=None))]
pub(crate) fn kmeans<'py>(
    py: Python<'py>,
    points: PyReadonlyArray2<'py, f32>,
    clusters: usize,
    restarts: usize,
    seed: u64,
    centroids: Option<PyReadonlyArray2<'py, f64>>,
) -> PyResult<Clustered<'py>> {
    let points = points.as_array().to_owned();
    let centroids = centroids.map(|centroids| centroids.as_array().to_owned());
    let found = watch::run(py, None, false, move |watch| {
        let cpu = Cpu::new();
        let options = clustering::Options { clusters, restarts, seed };
        let found = match centroids {
            Some(centroids) => clustering::from(points.view(), centroids, &cpu, watch),
            None => clustering::cluster(points.view(), &Pairs::default(), options, &cpu, watch),
        };
        found.map_err(exception)
    })?;
    let labels = PyArray1::from_vec(py, found.labels);
    let centroids = PyArray2::from_owned_array(py, found.centroids);
    Ok((labels, centroids, found.inertia, found.iterations))
}

/// What [`simulate`] gives.
type Made<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray2<u16>>, String);

/// An image, a path or an array, with its mask.
type Given<'py> = (Bound<'py, PyAny>, Option<Bound<'py, PyArray2<bool>>>);

/// What [`kmeans`] gives.
type Clustered<'py> = (Bound<'py, PyArray1<u32>>, Bound<'py, PyArray2<f64>>, f64, usize);
