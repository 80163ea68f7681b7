//! Unsupervised segmentation of atomic-resolution STEM micrographs by local
//! symmetry, on any GPU or none.
//!
//! At a grid of sites, each patch of the image is compared with its displaced
//! self; the scores are reduced by PCA and clustered by k-means; each cluster is
//! one crystal pattern, and every pixel gets the label of its nearest site.
//!
//! ```
//! use ndarray::Array2;
//! use crate::descriptor::{FamilyParams, translation};
//! use crate::image::micrograph::{Micrograph, NonFinite};
//! use crate::sites::Extent;
//! use crate::{Params, Plan, Silent, backend, pipeline};
//!
//! // Two crystals: rows of atoms 6 px apart on the left, columns on the right.
//! let image = Array2::from_shape_fn((80, 120), |(row, col)| {
//!     let along = if col < 60 { row } else { col };
//!     ((along as f64 * std::f64::consts::TAU / 6.0).cos() * 100.0 + 1e6) as u32
//! });
//! let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
//! let params = Params {
//!     families: vec![FamilyParams::Translation(translation::Params {
//!         patch: Extent::square(8),
//!         window: Extent::square(6),
//!         ..Default::default()
//!     })],
//!     clusters: vec![2],
//!     ..Default::default()
//! };
//! let (backend, _) = backend::open(&backend::Choice::Cpu, backend::Check::On, &[])?;
//! let plan = Plan::new(params, &micrograph)?;
//! let result = pipeline::segment(&micrograph, plan, &*backend, &Silent, Default::default())?;
//! let labels = result.results[0].map.pixels();
//! assert_ne!(labels[(40, 20)], labels[(40, 100)]);
//! # Ok::<(), crate::Error>(())
//! ```
//!
//! The data goes one way: [`io::read`] gives a [`micrograph::Micrograph`];
//! [`plan::Plan`] is worked out from [`Params`] and the image's shape; a
//! [`backend::Backend`] describes the sites; [`pca`], [`kmeans`] and
//! [`label_map`] make labels of them; [`io::write`] and [`report`] write them
//! down. [`pipeline::segment`] shows all of it on one screen.

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
pub mod sites;
pub mod threads;
pub mod verify;

pub use error::{Error, Result};
pub use plan::{Params, Plan};
pub use progress::{Progress, Silent};
