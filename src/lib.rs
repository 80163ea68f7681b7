//! Unsupervised segmentation of atomic-resolution STEM micrographs by local
//! symmetry, on any GPU or none.
//!
//! An image is resampled so that its crystals repeat every few pixels, at a fixed period. At a grid of sites,
//! the patch around each is described by how well it matches its displaced self and by its
//! harmonics; what varies most between sites a period apart becomes a few features, k-means
//! finds the patterns in them, and every pixel gets the label of the most likely one. All
//! sizes, and the number of patterns unless it is given, follow from the image:
//!
//! ```
//! # let image = ndarray::Array2::from_shape_fn((160, 200), |(row, col)| {
//! #     let along = if col < 120 { row } else { row + col };
//! #     let noise = ((row * 7919 + col * 104_729) % 1009) as f32 / 5000.0;
//! #     (along as f32 * std::f32::consts::TAU / 8.0).cos()
//! #         + (col as f32 * std::f32::consts::TAU / 8.0).cos() + noise
//! # });
//! use stemseg::Segmenter;
//!
//! let segmentation = Segmenter::auto().clusters(2).segment(&image)?;
//! let labels = segmentation.labels(); // [rows, cols], 1 the largest pattern
//! # assert_ne!(labels[(80, 20)], labels[(80, 180)]);
//! # Ok::<(), stemseg::Error>(())
//! ```
//!
//! What is learnt of one image, or of many, is a [`Model`], which labels others of the kind:
//! [`Segmenter::fit`], [`Model::predict`].
//!
//! # The layer below
//!
//! [`Params`] say what is computed, and a [`Plan`] is worked out from these and an image, with
//! everything checked. A [`backend::Backend`] describes the [`sites`] band by band, and
//! [`pipeline::segment`] shows the way of the data on one screen. Here it is with the method of
//! pySTEM's paper, local correlation maps of the image as it is:
//!
//! ```
//! use stemseg::backend::cpu::Cpu;
//! use stemseg::descriptor::{FamilyParams, translation};
//! use stemseg::ndarray::Array2;
//! use stemseg::sites::Extent;
//! use stemseg::{Micrograph, Params, Plan, Silent, pipeline};
//!
//! // Two crystals: rows of atoms 6 px apart on the left, columns on the right.
//! let image = Array2::from_shape_fn((80, 120), |(row, col)| {
//!     let along = if col < 60 { row } else { col };
//!     ((along as f64 * std::f64::consts::TAU / 6.0).cos() * 100.0 + 1e6) as u32
//! });
//! let micrograph = Micrograph::screened(image.view(), Default::default())?;
//! let translations = translation::Params {
//!     patch: Extent::square(8),
//!     window: Extent::square(6),
//!     ..Default::default()
//! };
//! let families = vec![FamilyParams::Translation(translations)];
//! let plan = Plan::new(Params { families, ..Default::default() }, &micrograph)?;
//! let found = pipeline::segment(&micrograph, plan, &Cpu::new(), &Silent, Default::default())?;
//! let labels = found.labels();
//! assert_ne!(labels[(40, 20)], labels[(40, 100)]);
//! # Ok::<(), stemseg::Error>(())
//! ```
//!
//! # Where things are
//!
//! | module | what |
//! | --- | --- |
//! | [`image`] | one image: pixels, which of them have no data, calibration, resampling |
//! | [`lattice`] | crystal lattices in an image, and its period |
//! | [`sites`] | the grid of sites, its tiles and bands |
//! | [`descriptor`] | what is measured at a site, one file a family |
//! | [`plan`], [`memory`] | parameters checked against an image; what a run may hold |
//! | [`backend`] | what computes: the CPU and GPUs, one file a kernel |
//! | [`reduce`] | descriptors to features, from sums that add up |
//! | [`cluster`] | features to clusters: k-means, how many, how sure |
//! | [`labels`] | clusters of sites to labels of pixels; boundaries |
//! | [`maps`] | maps to look at: symmetries, the best channels |
//! | [`pipeline`], [`model`] | describe, fit, label; and what was fitted |
//! | [`verify`] | two backends next to each other, with bounds from rounding |
//! | [`remarks`] | what a reader of a result must be told |
//!
//! Reading and writing files, reports, simulated images and the command line are crates of
//! their own (`stemseg-files`, `stemseg-report`, `stemseg-simulate`, `stemseg-run`,
//! `stemseg-cli`).

pub mod backend;
pub mod cluster;
pub mod descriptor;
mod error;
pub mod image;
pub mod labels;
pub mod lattice;
pub mod maps;
pub mod memory;
pub mod model;
pub mod panics;
pub mod pipeline;
pub mod plan;
pub mod progress;
pub mod reduce;
pub mod remarks;
mod segmenter;
pub mod sites;
pub mod threads;
pub mod verify;
pub mod wording;

pub use ndarray;

pub use error::{Error, Result};
pub use image::micrograph::Micrograph;
pub use model::Model;
pub use pipeline::Segmentation;
pub use plan::{Params, Plan};
pub use progress::{Progress, Silent};
pub use segmenter::{Image, Segmenter};
