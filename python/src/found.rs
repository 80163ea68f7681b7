//! One segmentation.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use numpy::{PyArray2, PyArray3};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use stemseg::model::Scale;
use stemseg_report::overlay::{OverlayOptions, overlay};
use stemseg_run::{Also, Applied, Method, Output, Request, Single};

use crate::errors::{exception, refused, words};
use crate::model::Model;
use crate::pixels::Source;
use crate::{arrays, watch};

/// Options of the program with their values.
pub(crate) type Options = Vec<(String, Option<String>)>;

type Way = Arc<dyn Method + Send + Sync>;

/// What was found in an image, and by what.
#[pyclass(frozen, module = "stemseg._core")]
pub(crate) struct Found {
    single: Arc<Mutex<Single>>,
    method: Way,
    request: Arc<Request>,
}

/// The request that `options` make for an image of this name.
pub(crate) fn request(name: &std::path::Path, options: &Options) -> PyResult<Request> {
    stemseg_cli::request(name, options).map_err(refused)?.map_err(exception)
}

/// Segments `image`, a path or an array `[rows, cols]`, by settings or by a `model`.
#[pyfunction]
#[pyo3(signature = (image, options, *, mask=None, name="array".into(), model=None, scale="auto", descriptors=false, progress=None))]
#[expect(clippy::too_many_arguments, reason = "they are keywords")]
pub(crate) fn segment(
    py: Python<'_>,
    image: &Bound<'_, PyAny>,
    options: Options,
    mask: Option<&Bound<'_, PyArray2<bool>>>,
    name: PathBuf,
    model: Option<&Bound<'_, Model>>,
    scale: &str,
    descriptors: bool,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Found> {
    let source = Source::new(image, mask, name)?;
    let request = Arc::new(request(source.name(), &options)?);
    let method: Way = match model {
        Some(model) => {
            let model = model.get().0.clone();
            Arc::new(Applied::of(model, "model".as_ref(), parse_scale(scale)?))
        }
        None => Arc::new(request.settings.clone()),
    };
    // What is wrong with settings shows before pixels are looked at.
    request.check(&*method).map_err(exception)?;
    let (own_method, own_request) = (method.clone(), request.clone());
    let single = watch::run(py, progress, false, move |watch| {
        let input = source.read(&own_request.input)?;
        let also = Also { descriptors, channel_maps: false, refinable: true };
        Single::segment(input, &*own_method, &own_request, also, watch).map_err(exception)
    })?;
    Ok(Found { single: Arc::new(Mutex::new(single)), method, request })
}

fn parse_scale(scale: &str) -> PyResult<Scale> {
    match scale {
        "auto" => Ok(Scale::Auto),
        "own" => Ok(Scale::Own),
        "model" => Ok(Scale::Model),
        other => Err(PyValueError::new_err(format!(
            "scale=\"{other}\": give \"auto\", \"own\" or \"model\""
        ))),
    }
}

impl Found {
    fn with<T>(&self, give: impl FnOnce(&Single) -> T) -> T {
        give(&self.single.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[pymethods]
impl Found {
    fn labels<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.with(|single| arrays::labels(py, &single.found.results[0].map))
    }

    fn confidence<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f32>> {
        self.with(|single| arrays::confidence(py, &single.found.results[0]))
    }

    fn memberships<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray3<f32>> {
        self.with(|single| arrays::memberships(py, &single.found.results[0]))
    }

    /// The same with these options, which differ by their marks alone, in a fraction of the time; None
    /// where what that takes was not kept.
    fn refine(&self, py: Python<'_>, options: Options) -> PyResult<Option<Self>> {
        let name = self.with(|single| single.input.summary.path.clone());
        let request = Arc::new(request(&name, &options)?);
        let (before, own) = (self.single.clone(), request.clone());
        let single = watch::run(py, None, false, move |watch| {
            let before = before.lock().unwrap_or_else(PoisonError::into_inner);
            if !before.is_refinable() || own.settings.marks.is_empty() {
                return Ok(None);
            }
            before.refine(&own, watch).map(Some).map_err(exception)
        })?;
        let method: Way = Arc::new(request.settings.clone());
        Ok(single.map(|single| Self { single: Arc::new(Mutex::new(single)), method, request }))
    }

    /// exx, eyy, exy, rotation and error, `[rows, cols]` each.
    #[pyo3(signature = (reference=None))]
    fn strain<'py>(
        &self,
        py: Python<'py>,
        reference: Option<[usize; 2]>,
    ) -> PyResult<Vec<Bound<'py, PyArray2<f32>>>> {
        let single = self.single.clone();
        let maps = watch::run(py, None, false, move |_| {
            let single = single.lock().unwrap_or_else(PoisonError::into_inner);
            single.strain(reference).map_err(exception)
        })?;
        Ok(maps.map(|map| PyArray2::from_owned_array(py, map)).into())
    }

    /// The regions as JSON, and the number of each pixel's, `[rows, cols]`.
    fn regions<'py>(&self, py: Python<'py>) -> (String, Bound<'py, PyArray2<u32>>) {
        self.with(|single| {
            let (json, numbers) = py.detach(|| {
                let regions = single.regions();
                (serde_json::json!(regions.all()).to_string(), regions.numbers())
            });
            (json, PyArray2::from_owned_array(py, numbers))
        })
    }

    /// The lines along which regions meet and their triple points, as JSON.
    fn boundary_lines(&self, py: Python<'_>) -> String {
        self.with(|single| py.detach(|| serde_json::json!(single.boundary_lines()).to_string()))
    }

    /// Labels of the sites, `[site rows, site cols]`.
    fn site_labels<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<u16>> {
        self.with(|single| PyArray2::from_array(py, &single.found.results[0].map.sites))
    }

    /// Features of the sites, `[sites, q]`.
    fn features<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f32>> {
        self.with(|single| PyArray2::from_array(py, &single.found.features))
    }

    /// Descriptors of the sites, `[sites, D]`, where they were wanted.
    fn descriptors<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray2<f32>>> {
        let of = |single: &Single| {
            single.descriptors.as_ref().map(|descriptors| PyArray2::from_array(py, descriptors))
        };
        self.with(of)
    }

    /// Centroids `[k, q]` by cluster, their inertia, and the label of each cluster.
    fn clustering<'py>(&self, py: Python<'py>) -> (Bound<'py, PyArray2<f64>>, f64, Vec<u16>) {
        self.with(|single| {
            let result = &single.found.results[0];
            let centroids = PyArray2::from_array(py, &result.clustering.centroids);
            (centroids, result.clustering.inertia, result.map.label_of.clone())
        })
    }

    /// Mean `[D]` and components `[q, D]` that make features of descriptors.
    fn components<'py>(
        &self,
        py: Python<'py>,
    ) -> (Bound<'py, numpy::PyArray1<f64>>, Bound<'py, PyArray2<f64>>) {
        self.with(|single| {
            let pca = &single.found.pca;
            (numpy::PyArray1::from_array(py, &pca.mean), PyArray2::from_array(py, &pca.components))
        })
    }

    /// What summary.json says, as JSON.
    fn summary(&self) -> String {
        let mut output = Output::default();
        output.lattices = self.request.output.lattices;
        output.known_lattice = self.request.output.known_lattice;
        self.with(|single| single.summary(&output).to_string())
    }

    /// Notes and warnings, each warning with its code, in which settings are keywords.
    fn remarks(&self) -> (Vec<String>, Vec<(String, String)>) {
        self.with(|single| {
            let remarks = &single.input.remarks;
            let warnings = remarks.warnings.iter().chain(&single.found.results[0].warnings);
            let notes = remarks.notes.iter().map(words).collect();
            (notes, warnings.map(|w| (w.code.name().to_owned(), words(&w.text))).collect())
        })
    }

    fn model(&self) -> Model {
        self.with(|single| {
            let (found, size) = (&single.found, single.input.micrograph.pixel_size());
            Model(stemseg::Model::new(found, &found.results[0], size))
        })
    }

    /// The overlay as a PNG.
    fn overlay(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        py.detach(|| {
            self.with(|single| {
                let pixel_size = single.input.micrograph.pixel_size();
                let options = OverlayOptions { pixel_size, ..OverlayOptions::default() };
                let map = &single.found.results[0].map;
                let picture =
                    overlay(single.input.micrograph.pixels(), map, &options).map_err(exception)?;
                let mut bytes = Vec::new();
                let png = PngEncoder::new_with_quality(
                    &mut bytes,
                    CompressionType::Fast,
                    FilterType::Sub,
                );
                let encoded = picture.write_with_encoder(png);
                encoded.map_err(|error| PyValueError::new_err(error.to_string()))?;
                Ok(bytes)
            })
        })
    }

    /// Writes the result folder `path`; gives its place. `options` are those of output. A report
    /// needs maps, which are made by segmenting the image once more, to the same bits.
    #[pyo3(signature = (path, options, report, progress=None))]
    fn save(
        &self,
        py: Python<'_>,
        path: PathBuf,
        options: Options,
        report: bool,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PathBuf> {
        let mut output = request("array".as_ref(), &options)?.output;
        output.report = report;
        output.lattices = self.request.output.lattices;
        output.known_lattice = self.request.output.known_lattice;
        output.command = Vec::new();
        let (single, method, request) =
            (self.single.clone(), self.method.clone(), self.request.clone());
        watch::run(py, progress, true, move |watch| {
            let mut single = single.lock().unwrap_or_else(PoisonError::into_inner);
            if report {
                single.make_channel_maps(&*method, &request, watch).map_err(exception)?;
            }
            let (place, _) = single.write(&path, &output, watch).map_err(exception)?;
            Ok(place)
        })
    }
}
