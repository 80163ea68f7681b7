//! Arrays of numpy as images, without a copy.

use std::path::PathBuf;

use numpy::{
    Element as NumpyElement, PyArray2, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use stemseg_run::{Element, Input, Read};

use crate::errors::exception;

/// An image that is to be segmented.
pub(crate) enum Source {
    /// In a file.
    File(PathBuf),
    /// An array `[rows, cols]`, with a mask and a name.
    Array { pixels: Py<PyUntypedArray>, mask: Option<Py<PyArray2<bool>>>, name: PathBuf },
}

impl Source {
    /// A path, or an array with its mask and name.
    pub(crate) fn new(
        image: &Bound<'_, PyAny>,
        mask: Option<&Bound<'_, PyArray2<bool>>>,
        name: PathBuf,
    ) -> PyResult<Self> {
        Ok(match image.cast::<PyUntypedArray>() {
            Ok(pixels) => Self::Array {
                pixels: pixels.clone().unbind(),
                mask: mask.map(|m| m.clone().unbind()),
                name,
            },
            Err(_) => Self::File(image.extract()?),
        })
    }

    /// The file, or the name of the array.
    pub(crate) fn name(&self) -> &std::path::Path {
        match self {
            Self::File(path) => path,
            Self::Array { name, .. } => name,
        }
    }

    /// Reads it; on a thread that does not hold the interpreter's lock.
    pub(crate) fn read(&self, options: &Input) -> PyResult<Read> {
        match self {
            Self::File(path) => stemseg_run::read(path, options).map_err(exception),
            Self::Array { pixels, mask, name } => Python::attach(|py| {
                let array = pixels.bind(py);
                let read =
                    Reading { py, mask: mask.as_ref().map(|mask| mask.bind(py)), name, options };
                read.any(array)
            }),
        }
    }
}

/// How an array is read.
struct Reading<'a, 'py> {
    py: Python<'py>,
    mask: Option<&'a Bound<'py, PyArray2<bool>>>,
    name: &'a std::path::Path,
    options: &'a Input,
}

impl<'py> Reading<'_, 'py> {
    fn any(&self, array: &Bound<'py, PyUntypedArray>) -> PyResult<Read> {
        macro_rules! first_of {
            ($($element:ty),*) => {$(
                if let Ok(array) = array.cast::<PyArray2<$element>>() {
                    return self.of(array);
                }
            )*};
        }
        first_of!(f32, u16, u8, f64, i16, i32, u32, i8, i64, u64, half::f16);
        Err(PyTypeError::new_err(format!(
            "an image of {} dimensions and type {} cannot be read; give [rows, cols] of real numbers",
            array.ndim(),
            array.dtype()
        )))
    }

    /// The lock is given back while pixels are looked at.
    fn of<T: Element + NumpyElement>(&self, array: &Bound<'py, PyArray2<T>>) -> PyResult<Read> {
        let array = array.try_readonly()?;
        let mask = self.mask.map(|mask| mask.try_readonly()).transpose()?;
        let (pixels, mask) = (array.as_array(), mask.as_ref().map(|mask| mask.as_array()));
        let (name, options) = (self.name, self.options);
        self.py.detach(|| Read::of_array(pixels, mask, name, options)).map_err(exception)
    }
}
