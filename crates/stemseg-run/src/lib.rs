//! From a request to result folders: what the program `stemseg` does, without a command line.
//!
//! A [`Request`] says which images are read and how ([`Input`]), by which settings they are
//! segmented ([`Settings`]), and what is written where ([`Output`]). [`run()`] does it, tells
//! an [`Observer`] about it, and says what became of each image ([`Outcomes`]).
//!
//! ```
//! use stemseg_run::{Outcome, Request, Silent, run};
//!
//! let place = tempfile::tempdir()?;
//! // Rows of atoms 6 px apart on the left, columns on the right.
//! let image = ndarray::Array2::from_shape_fn((96, 144), |(row, col)| {
//!     let along = if col < 72 { row } else { col };
//!     100.0 * (along as f32 * std::f32::consts::TAU / 6.0).cos()
//! });
//! stemseg_files::write::write_npy(&place.path().join("grain.npy"), image.view())?;
//!
//! let mut request = Request::new([place.path().join("grain.npy")]);
//! request.settings.clusters = vec![2];
//! request.output.report = false;
//! let outcomes = run(&request, &Silent)?;
//! assert!(matches!(outcomes.images[0].outcome, Outcome::Done));
//! assert!(place.path().join("grain.stemseg/labels.npy").exists());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Each image is read, computed and written. What computes it is a [`Method`]: [`Settings`], which
//! find patterns, or any other that [`run_by`] is given.

mod again;
mod applied;
mod area;
mod batch;
mod devices;
mod fit;
mod input;
mod known;
pub mod length;
mod method;
mod notes;
mod observer;
mod request;
mod result;
pub mod series;
mod settings;
mod single;
mod steps;
mod tidy;

pub use again::Again;
pub use applied::Applied;
pub use area::Area;
pub use batch::images::{Image, Images, Search};
pub use batch::outcomes::{ImageOutcome, Outcome, Outcomes};
pub use batch::together::{Together, run_together};
pub use batch::{run, run_by, sweep_beside};
pub use fit::{FitSteps, Part, fit};
pub use input::array::Element;
pub use input::read::{Read, read, single_image, with_path};
pub use input::region::{Region, Slice, region};
pub use input::translations::translations;
pub use input::{Input, Mask};
pub use known::known_lattice;
pub use method::{Method, Prepared};
pub use observer::{Finished, Observer, Segmented};
pub use request::Request;
pub use result::formats::Format;
pub use result::{Output, Save};
pub use settings::descriptor::{DescriptorSettings, Families, Pool, WeightedFamily};
pub use settings::{Chosen, Preset, Settings};
pub use single::{Also, Single};
pub use stemseg::Silent;
pub use stemseg_crystals::KnownLattice;
