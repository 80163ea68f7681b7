//! Errors of the library as Python's, with settings as keywords.

use pyo3::exceptions::{
    PyFileExistsError, PyKeyboardInterrupt, PyMemoryError, PyOSError, PyRuntimeError, PyTypeError,
    PyValueError,
};
use pyo3::prelude::*;
use stemseg::Error;
use stemseg::wording::{Setting, Text};
use stemseg_cli::Refused;

/// Settings whose keywords have other names than the options, as scikit-learn calls them.
const RENAMED: [(&str, &str); 8] = [
    ("clusters", "n_patterns"),
    ("components", "n_components"),
    ("force", "overwrite"),
    ("image", "image_index"),
    ("mark", "marks"),
    ("out", "path"),
    ("restarts", "n_init"),
    ("seed", "random_state"),
];

/// The keyword of an option.
pub(crate) fn keyword(option: &str) -> String {
    let renamed = RENAMED.iter().find(|(own, _)| *own == option);
    renamed.map_or_else(|| option.replace('-', "_"), |(_, name)| (*name).to_owned())
}

/// A setting as a keyword argument.
fn argument(setting: &Setting) -> String {
    let name = keyword(setting.name);
    match setting.value.as_deref() {
        None => name,
        Some("true") => format!("{name}=True"),
        Some(value) if value.parse::<f64>().is_ok() => format!("{name}={value}"),
        Some(value) => format!("{name}=\"{value}\""),
    }
}

/// A sentence in which settings are keywords.
pub(crate) fn words(text: &Text) -> String {
    text.spelled(&argument)
}

/// What is wrong, in a sentence in which settings are keywords.
fn sentence(error: &Error) -> String {
    match error {
        Error::Parameter { name, value, reason } => {
            format!("{}={value}: {}", keyword(name), words(&Text::from(reason)))
        }
        other => words(&other.text()),
    }
}

/// The exception of `error`.
pub(crate) fn exception(error: Error) -> PyErr {
    let sentence = sentence(&error);
    match error {
        Error::Io { path, source } => {
            // Python makes the class of the number: FileNotFoundError and others.
            let said = words(&Error::Io { path: path.clone(), source: copy(&source) }.text());
            let said = said.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&said);
            let number = source.raw_os_error().unwrap_or(5);
            PyOSError::new_err((number, said.to_owned(), shown(&path)))
        }
        Error::Unreadable { path, reason } => unreadable(path, &words(&Text::from(reason))),
        Error::Exists(path) => {
            let said = sentence.strip_prefix(&format!("{} ", path.display())).unwrap_or(&sentence);
            PyFileExistsError::new_err((17, said.to_owned(), shown(&path)))
        }
        Error::Busy(path) => PyOSError::new_err((16, sentence, shown(&path))),
        Error::Interrupted => PyKeyboardInterrupt::new_err("interrupted"),
        Error::Machine(_) => PyMemoryError::new_err(sentence),
        Error::NoDevice(_)
        | Error::Device { .. }
        | Error::DeviceFailed { .. }
        | Error::DeviceWrong { .. } => PyRuntimeError::new_err(sentence),
        _ => PyValueError::new_err(sentence),
    }
}

/// The name of a file, as text.
fn shown(path: &std::path::Path) -> String {
    path.display().to_string()
}

/// An error of the system once more: it cannot be cloned.
fn copy(error: &std::io::Error) -> std::io::Error {
    match error.raw_os_error() {
        Some(number) => std::io::Error::from_raw_os_error(number),
        None => std::io::Error::new(error.kind(), error.to_string()),
    }
}

/// `stemseg.UnreadableError`, which is an `OSError` and a `ValueError`.
fn unreadable(path: std::path::PathBuf, reason: &str) -> PyErr {
    Python::attach(|py| {
        let made = py
            .import("stemseg._errors")
            .and_then(|module| module.getattr("UnreadableError"))
            .and_then(|class| class.call1((22, reason, shown(&path))));
        match made {
            Ok(error) => PyErr::from_value(error),
            Err(error) => error,
        }
    })
}

/// The exception of an option that is refused.
pub(crate) fn refused(refused: Refused) -> PyErr {
    let Refused { option, value, reason, unknown } = refused;
    let name = option.as_deref().map(keyword);
    match (name, value) {
        (Some(name), _) if unknown => {
            PyTypeError::new_err(format!("there is no keyword argument '{name}'"))
        }
        (Some(name), Some(value)) => PyValueError::new_err(format!("{name}={value}: {reason}")),
        (Some(name), None) => PyValueError::new_err(format!("{name}: {reason}")),
        (None, _) => PyValueError::new_err(reason),
    }
}
