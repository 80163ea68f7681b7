//! What a reader of a result must be warned of: see [`Code`](crate::remarks::Code).
//!
//! [`image`] looks at the image and the settings, before anything is computed;
//! [`patterns`] at what came of it.

pub mod image;
pub mod patterns;
