//! Results as arrays of numpy.

use ndarray::{Array2, Array3};
use numpy::{PyArray2, PyArray3};
use pyo3::prelude::*;
use stemseg::image::rows::{self, Rows};
use stemseg::labels::label_map::LabelMap;
use stemseg::pipeline::Patterns;

/// The labels `[rows, cols]` as the program stores them: 8 bits, and 16 above 254 labels.
pub(crate) fn labels<'py>(py: Python<'py>, map: &LabelMap) -> Bound<'py, PyAny> {
    let pixels = py.detach(|| map.pixels());
    match map.largest() {
        // As `LabelType::least`.
        0..=254 => PyArray2::from_owned_array(py, pixels.mapv(|label| label as u8)).into_any(),
        _ => PyArray2::from_owned_array(py, pixels).into_any(),
    }
}

/// How sure each pixel is of its label, `[rows, cols]`.
pub(crate) fn confidence<'py>(py: Python<'py>, found: &Patterns) -> Bound<'py, PyArray2<f32>> {
    let all = py.detach(|| rows::collect(&found.map.confidence(&found.memberships)));
    PyArray2::from_owned_array(py, all)
}

/// Membership of each pixel in each pattern, `[rows, cols, k]`, by label from 1 on.
pub(crate) fn memberships<'py>(py: Python<'py>, found: &Patterns) -> Bound<'py, PyArray3<f32>> {
    PyArray3::from_owned_array(py, py.detach(|| all_memberships(found)))
}

fn all_memberships(found: &Patterns) -> Array3<f32> {
    let map = &found.map;
    let ((rows, cols), k) = (Rows::<u16>::shape(map), map.areas.len());
    let mut all = Array3::zeros((rows, cols, k));
    let (labels, own): (Array2<u16>, Array2<f32>) =
        (map.pixels(), rows::collect(&map.confidence(&found.memberships)));
    for (row, mut to) in all.outer_iter_mut().enumerate() {
        if let Some(of_row) = map.memberships_of_row(row) {
            to.assign(&of_row.t());
            continue;
        }
        // Labels of the nearest site: what is not its own is shared by the others.
        for (col, mut to) in to.outer_iter_mut().enumerate() {
            let label = usize::from(labels[(row, col)]);
            if label > 0 {
                let sure = own[(row, col)];
                to.fill((1.0 - sure) / (k.max(2) - 1) as f32);
                to[label - 1] = sure;
            }
        }
    }
    all
}
