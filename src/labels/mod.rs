//! From clusters of sites to labels of pixels: the label map, the cores that regions need, and
//! the boundaries between patterns.

pub mod boundary;
pub(crate) mod distance;
pub mod label_map;
pub mod regions;
