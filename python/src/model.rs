//! A model, as Python holds it.

use std::path::PathBuf;

use pyo3::prelude::*;

use crate::errors::exception;

/// A fitted model; `stemseg.Model` has it.
#[pyclass(frozen, module = "stemseg._core")]
pub(crate) struct Model(pub(crate) stemseg::Model);

#[pymethods]
impl Model {
    /// The model in a file, or in a result folder.
    #[staticmethod]
    fn load(path: PathBuf) -> PyResult<Self> {
        let applied = stemseg_run::Applied::load(&path, Default::default()).map_err(exception)?;
        Ok(Self(applied.model().clone()))
    }

    /// The model in the content of such a file.
    #[staticmethod]
    fn from_json(text: &str, place: PathBuf) -> PyResult<Self> {
        stemseg::Model::from_json(text, place).map(Self).map_err(exception)
    }

    fn to_json(&self) -> String {
        self.0.to_json()
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(path)).map_err(exception)
    }

    fn with_names(&self, names: Vec<String>) -> Self {
        Self(self.0.clone().with_names(names))
    }
}
