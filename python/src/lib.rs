//! What the Python module `stemseg` is made of: the package next to this crate is the front that
//! people see, and calls `_core`.
//!
//! Settings come as the options of the program, in names and words ([`stemseg_cli::request()`]), so
//! that both have the same ones with the same meaning.

mod arrays;
mod dynamics;
mod errors;
mod found;
mod functions;
mod kinetics;
mod model;
mod pixels;
mod steps;
mod watch;

use pyo3::prelude::*;

/// As the program's: where memory is refused, the process ends with a sentence.
#[global_allocator]
static ALLOCATOR: stemseg_cli::Careful = stemseg_cli::Careful;

#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::dynamics::dynamics;
    #[pymodule_export]
    use super::found::{Found, segment};
    #[pymodule_export]
    use super::functions::{
        colour, command, devices, entries, fit, kmeans, lattices, read, scores, simulate, version,
    };
    #[pymodule_export]
    use super::kinetics::Kinetics;
    #[pymodule_export]
    use super::model::Model;
    #[pymodule_export]
    use super::steps::Steps;
}
