//! A fit in steps, each of which may run in a process of its own: what they give each other are
//! bytes (CBOR), in which floats keep every bit.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use stemseg::pipeline::many::steps::{Kind, Learnt, Points, Sums};
use stemseg_run::{FitSteps, Part, Request};

use crate::errors::exception;
use crate::found::{Options, request};
use crate::model::Model;
use crate::pixels::Source;
use crate::watch::{self, Watch};

/// The settings of a fit, as every process makes them for itself.
#[pyclass(frozen, module = "stemseg._core")]
pub(crate) struct Steps(Arc<Request>);

/// What a step gives another.
type Bytes = PyBackedBytes;

#[pymethods]
impl Steps {
    #[new]
    fn new(options: Options) -> PyResult<Self> {
        let request = request("array".as_ref(), &options)?;
        request.check(&request.settings).map_err(exception)?;
        Ok(Self(Arc::new(request)))
    }

    /// What all images have in common, by the first.
    fn kind<'py>(&self, py: Python<'py>, first: &Bound<'py, PyAny>) -> Answer<'py> {
        self.of(py, Some(first), |steps, image| steps.kind(image.expect("given").image))
    }

    /// Sums over an image; `first` says whether it is the first.
    fn sums<'py>(
        &self,
        py: Python<'py>,
        image: &Bound<'py, PyAny>,
        first: bool,
        kind: Bytes,
    ) -> Answer<'py> {
        let kind = read::<Kind>(&kind)?;
        self.of_part(py, image, first, move |steps, part| steps.sums(&kind, part))
    }

    /// Those of two parts of the images.
    #[staticmethod]
    fn merged<'py>(py: Python<'py>, one: Bytes, other: Bytes) -> Answer<'py> {
        let bytes = py.detach(|| written(&read::<Sums>(&one)?.merged(&read(&other)?)))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The sites of an image, by the sums of all.
    fn sites<'py>(
        &self,
        py: Python<'py>,
        image: &Bound<'py, PyAny>,
        first: bool,
        kind: Bytes,
        sums: Bytes,
    ) -> Answer<'py> {
        let (kind, sums) = (read::<Kind>(&kind)?, read(&sums)?);
        self.of_part(py, image, first, move |steps, part| steps.sites(&kind, part, &sums))
    }

    /// What tells patterns apart, by the sites of each image.
    fn learnt<'py>(
        &self,
        py: Python<'py>,
        kind: Bytes,
        sums: Bytes,
        sites: Vec<Bytes>,
    ) -> Answer<'py> {
        let (kind, sums, sites) = (read::<Kind>(&kind)?, read(&sums)?, read_all(&sites)?);
        self.of(py, None, move |steps, _| steps.learnt(&kind, &sums, sites))
    }

    /// The features of the sites of an image.
    fn points<'py>(
        &self,
        py: Python<'py>,
        image: &Bound<'py, PyAny>,
        first: bool,
        kind: Bytes,
        learnt: Bytes,
    ) -> Answer<'py> {
        let (kind, learnt) = (read::<Kind>(&kind)?, read(&learnt)?);
        self.of_part(py, image, first, move |steps, part| steps.points(&kind, part, &learnt))
    }

    /// Where patterns lie, by the features of each image.
    fn centres<'py>(
        &self,
        py: Python<'py>,
        kind: Bytes,
        learnt: Bytes,
        points: Vec<Bytes>,
    ) -> Answer<'py> {
        let (kind, learnt) = (read::<Kind>(&kind)?, read(&learnt)?);
        let points: Vec<Points> = read_all(&points)?;
        self.of(py, None, move |steps, _| steps.centres(&kind, &learnt, &points))
    }

    /// What patterns cover in an image with these points.
    #[expect(clippy::too_many_arguments, reason = "each is what another step gave")]
    fn cover<'py>(
        &self,
        py: Python<'py>,
        image: &Bound<'py, PyAny>,
        first: bool,
        kind: Bytes,
        learnt: Bytes,
        centres: Bytes,
        points: Bytes,
    ) -> Answer<'py> {
        let (kind, learnt) = (read::<Kind>(&kind)?, read::<Learnt>(&learnt)?);
        let (centres, points) = (read(&centres)?, read(&points)?);
        self.of_part(py, image, first, move |steps, part| {
            steps.cover(&kind, part, &points, (&learnt, &centres))
        })
    }

    /// The model, by what patterns cover in each image.
    fn model(
        &self,
        py: Python<'_>,
        kind: Bytes,
        learnt: Bytes,
        centres: Bytes,
        cover: Vec<Bytes>,
    ) -> PyResult<Model> {
        let (kind, learnt) = (read::<Kind>(&kind)?, read::<Learnt>(&learnt)?);
        let (centres, cover) = (read(&centres)?, read_all(&cover)?);
        let request = self.0.clone();
        watch::run(py, None, false, move |watch| {
            let steps = FitSteps { request: &request, observer: watch };
            let model = steps.model(&kind, (&learnt, &centres), &cover);
            model.map(Model).map_err(exception)
        })
    }
}

impl Steps {
    /// What `work` gives, with an image or without, as bytes.
    fn of<'py, T: Serialize>(
        &self,
        py: Python<'py>,
        image: Option<&Bound<'py, PyAny>>,
        work: impl FnOnce(&FitSteps<'_>, Option<Part<'_>>) -> stemseg::Result<T> + Send + 'static,
    ) -> Answer<'py> {
        let source = |image: &Bound<'_, PyAny>| Source::new(image, None, "array".into());
        let source = image.map(source).transpose()?;
        let request = self.0.clone();
        let bytes = watch::run(py, None, false, move |watch: &Watch| {
            let image = source.map(|source| source.read(&request.input)).transpose()?;
            let steps = FitSteps { request: &request, observer: watch };
            let part = image.as_ref().map(|image| Part { image, first: false });
            written(&work(&steps, part).map_err(exception)?)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn of_part<'py, T: Serialize>(
        &self,
        py: Python<'py>,
        image: &Bound<'py, PyAny>,
        first: bool,
        work: impl FnOnce(&FitSteps<'_>, Part<'_>) -> stemseg::Result<T> + Send + 'static,
    ) -> Answer<'py> {
        self.of(py, Some(image), move |steps, part| {
            work(steps, Part { first, ..part.expect("an image is given") })
        })
    }
}

type Answer<'py> = PyResult<Bound<'py, PyBytes>>;

fn written(value: &impl Serialize) -> PyResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let written = ciborium::into_writer(value, &mut bytes);
    written.map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(bytes)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> PyResult<T> {
    ciborium::from_reader(bytes).map_err(|error| {
        PyValueError::new_err(format!(
            "this is not what a step of a fit gives in this version of stemseg ({error}); all \
             workers need the same"
        ))
    })
}

fn read_all<T: DeserializeOwned>(all: &[Bytes]) -> PyResult<Vec<T>> {
    all.iter().map(|bytes| read(bytes)).collect()
}
