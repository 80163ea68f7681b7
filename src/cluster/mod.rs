//! From features of sites to clusters: k-means, how many clusters there are, and how sure each
//! site is of its own.

pub mod choose;
pub mod confidence;
pub mod gap;
pub mod kmeans;
pub mod levels;
pub mod overlaps;
pub mod split;
