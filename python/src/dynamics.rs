//! The equation of motion of a film.

use numpy::{PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray3};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use stemseg::wording::Text;
use stemseg::{Error, Progress};
use stemseg_dynamics::term::Term;
use stemseg_dynamics::{Film, Options, Units, find};

use crate::errors::{exception, words};
use crate::watch;

/// Distances of two columns, two rows and two frames, the names of their units, and whether the
/// answer is given in these first.
type InUnits = (f64, f64, f64, String, bool);

/// What the answer says as JSON, the simulated film where there is one, and the map of residuals.
type Answered<'py> = (String, Option<Bound<'py, PyArray3<f32>>>, Bound<'py, PyArray2<f32>>);

/// The equation of motion of a film `[frames, rows, cols]`, of a single row for u(t, x).
#[pyfunction]
#[pyo3(signature = (film, *, more_terms, drift, label=None, terms=None, units=None, seed=0, progress=None))]
#[expect(clippy::too_many_arguments, reason = "keywords")]
pub(crate) fn dynamics<'py>(
    py: Python<'py>,
    film: PyReadonlyArray3<'py, f32>,
    more_terms: Vec<String>,
    drift: (f64, f64),
    label: Option<u16>,
    terms: Option<Vec<String>>,
    units: Option<InUnits>,
    seed: u64,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Answered<'py>> {
    let options = Options {
        terms: terms.map(|terms| parsed("terms", &terms)).transpose()?,
        more_terms: parsed("more_terms", &more_terms)?,
        drift: [drift.0, drift.1],
        units: units.map(|(x, y, t, name, first)| Units { x, y, t, name, first }),
        seed,
    };
    let values = film.to_owned_array();
    let found = watch::run(py, progress, false, move |watch| {
        watch.stage("dynamics");
        let film = Film::new(values, label).map_err(refused)?;
        find(&film, &options, &|| watch.check().is_err()).map_err(refused)
    })?;
    let text = serde_json::to_string(&found.answer)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    let simulated = found.simulated.map(|film| PyArray3::from_owned_array(py, film));
    Ok((text, simulated, PyArray2::from_owned_array(py, found.residuals)))
}

fn parsed(name: &'static str, terms: &[String]) -> PyResult<Vec<Term>> {
    let term = |text: &String| {
        text.parse::<Term>().map_err(|reason| PyValueError::new_err(format!("{name}: {reason}")))
    };
    terms.iter().map(term).collect()
}

/// The exception of an error of the search.
fn refused(error: stemseg_dynamics::Error) -> PyErr {
    match error {
        stemseg_dynamics::Error::Parameter { name, value, reason } => {
            exception(Error::Parameter { name, value, reason })
        }
        stemseg_dynamics::Error::Interrupted => exception(Error::Interrupted),
        other => PyValueError::new_err(words(&Text::from(&*other.to_string()))),
    }
}
