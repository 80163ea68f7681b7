//! The shaders of all stages.

use super::shaders::{Shaders, Wgsl};
use super::{assign, centroids, cluster_sums, fold, moments, project};
use crate::descriptor::families;

macro_rules! shaders_of_families {
    ([] $($(#[$cfg:meta])? $variant:ident $name:literal $module:ident $what:literal;)*) => {
        /// Those that the families run; some share one.
        const OF_FAMILIES: &[&[Wgsl]] = &[$($(#[$cfg])? super::$module::SHADERS),*];
    };
}

families!(shaders_of_families);

/// Those of all other stages.
const OTHERS: &[Wgsl] =
    &[moments::WGSL, fold::WGSL, project::WGSL, assign::WGSL, cluster_sums::WGSL, centroids::WGSL];

impl Default for Shaders {
    fn default() -> Self {
        Self::of(OF_FAMILIES.iter().copied().chain([OTHERS]).flatten().copied())
    }
}
