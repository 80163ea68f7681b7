//! How fast stemseg is, and how right: [`timing`] sets every stage against what the machine can
//! do, [`kernels`] those of a graphics device, [`accuracy`] label maps against the truth.

pub mod accuracy;
pub mod kernels;
pub mod timing;
