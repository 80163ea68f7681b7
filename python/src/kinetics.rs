//! The tables of a film that is labelled already.

use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::PyReadonlyArray2;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use stemseg::image::micrograph::PixelSize;
use stemseg_run::series::LabelKinetics;

use crate::errors::exception;
use crate::watch;

/// Takes label maps one after the other, and gives the tables.
#[pyclass(frozen, module = "stemseg._core")]
pub(crate) struct Kinetics(Mutex<Option<LabelKinetics>>);

#[pymethods]
impl Kinetics {
    #[new]
    #[pyo3(signature = (patterns, *, period=None, pixel_size=None, interval=None))]
    fn new(
        patterns: usize,
        period: Option<f64>,
        pixel_size: Option<(f64, f64)>,
        interval: Option<f64>,
    ) -> PyResult<Self> {
        // Maps are gone through by all threads.
        watch::begin()?;
        let size = pixel_size.map(|(rows, cols)| PixelSize { rows, cols });
        let made = LabelKinetics::new(patterns, period, size, interval).map_err(exception)?;
        Ok(Self(Mutex::new(Some(made))))
    }

    fn add(&self, py: Python<'_>, labels: PyReadonlyArray2<'_, u16>) -> PyResult<()> {
        let labels = labels.as_array().to_owned();
        py.detach(|| match &mut *self.lock() {
            Some(kinetics) => kinetics.add(labels).map_err(exception),
            None => Err(finished()),
        })
    }

    /// The texts of kinetics.csv and domains.csv.
    fn finish(&self, py: Python<'_>) -> PyResult<(String, String)> {
        let kinetics = self.lock().take().ok_or_else(finished)?;
        let [frames, domains] = py.detach(|| kinetics.finish()).map_err(exception)?;
        Ok((frames, domains))
    }
}

impl Kinetics {
    fn lock(&self) -> MutexGuard<'_, Option<LabelKinetics>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn finished() -> PyErr {
    PyValueError::new_err("the tables were given already")
}
