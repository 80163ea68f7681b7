//! WGSL sources of the kernels, from `shaders/`.

use std::borrow::Cow;

/// One source per kernel; each is named like its entry point.
#[derive(Debug, Clone)]
pub struct Shaders {
    /// Local correlation map.
    pub translation: Cow<'static, str>,
    /// Scores from the host in place of the device's.
    pub repair: Cow<'static, str>,
    /// Cells of centred pairs.
    pub centred_cells: Cow<'static, str>,
    /// Local correlation of centred pairs.
    pub centred: Cow<'static, str>,
    /// Mean and standard deviation of patches.
    pub intensity: Cow<'static, str>,
    /// Scores of rotations and reflections at inner sites.
    pub polar: Cow<'static, str>,
    /// Scores of glides at inner sites.
    pub glide: Cow<'static, str>,
    /// Largest scores in windows.
    pub pooling: Cow<'static, str>,
    /// Circular harmonics at inner sites.
    pub harmonic: Cow<'static, str>,
    /// Largest projections of harmonics in windows.
    pub maximum: Cow<'static, str>,
    /// Power means of the projections of harmonics in windows.
    pub power_mean: Cow<'static, str>,
    /// Power spectra of windows.
    pub power_spectrum: Cow<'static, str>,
    /// Sums for mean and covariance.
    pub moments: Cow<'static, str>,
    /// Features from descriptors.
    pub project: Cow<'static, str>,
    /// Nearest centroid of each point.
    pub assign: Cow<'static, str>,
    /// Sums over the points of each cluster.
    pub cluster_sums: Cow<'static, str>,
    /// Sums of partial sums.
    pub fold: Cow<'static, str>,
}

/// A kernel with the ledger, and what else stands before it.
macro_rules! kernel {
    ($($name:literal),+) => {
        concat!(
            include_str!("../../../shaders/ledger.wgsl"),
            $(include_str!(concat!("../../../shaders/", $name, ".wgsl"))),+
        )
        .into()
    };
}

impl Default for Shaders {
    fn default() -> Self {
        Self {
            translation: kernel!("translation"),
            repair: kernel!("repair"),
            centred_cells: kernel!("pixels", "centred_cells"),
            centred: kernel!("centred"),
            intensity: kernel!("pixels", "intensity"),
            polar: kernel!("pixels", "square", "polar"),
            glide: kernel!("pixels", "square", "glide"),
            pooling: kernel!("pooling"),
            harmonic: kernel!("pixels", "harmonic"),
            maximum: kernel!("maximum"),
            power_mean: kernel!("power_mean"),
            power_spectrum: kernel!("power_spectrum"),
            moments: kernel!("moments"),
            project: kernel!("project"),
            assign: kernel!("assign"),
            cluster_sums: kernel!("cluster_sums"),
            fold: kernel!("fold"),
        }
    }
}
