//! From descriptors to features: principal components, or maximum autocorrelation factors of
//! them. Both follow from sums over sites, which can be added up over bands, images and
//! machines.

pub mod maf;
pub mod pca;
