//! Descriptor families: what is measured at a site.
//!
//! One file per family holds its parameters, channels, margin, host tables,
//! formula and f64 definition; its kernels are `backend/cpu/NAME.rs` and
//! `shaders/NAME.wgsl` with the launcher `backend/gpu/NAME.rs`. `list.rs` has a line for
//! each, from which all else follows; CONTRIBUTING.md has the recipe for another. What
//! several families share has files of its own: [`inner_sites`] and their pooling,
//! [`polar`] sampling, cubic [`spline`]s, `rounding`.

mod checks;
mod family;
pub mod inner_sites;
mod list;
pub mod polar;
pub(crate) mod rounding;
pub mod spline;
mod traits;

pub use checks::FLAT_SHARE;
pub(crate) use checks::{MOST_CHANNELS, TILE_SCORES};
pub use family::{Family, FamilyParams};
pub(crate) use list::{declare_modules, each, families};
pub(crate) use rounding::Subject;
pub use traits::Common;
pub use translation::Translation;

families!(declare_modules pub);
