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

/// A kernel that reads single pixels, with what else stands before it.
macro_rules! with_pixels {
    ($($name:literal),+) => {
        concat!(
            include_str!("../../../shaders/pixels.wgsl"),
            $(include_str!(concat!("../../../shaders/", $name, ".wgsl"))),+
        )
        .into()
    };
}

impl Default for Shaders {
    fn default() -> Self {
        Self {
            translation: include_str!("../../../shaders/translation.wgsl").into(),
            repair: include_str!("../../../shaders/repair.wgsl").into(),
            centred_cells: with_pixels!("centred_cells"),
            centred: include_str!("../../../shaders/centred.wgsl").into(),
            intensity: with_pixels!("intensity"),
            polar: with_pixels!("square", "polar"),
            glide: with_pixels!("square", "glide"),
            pooling: include_str!("../../../shaders/pooling.wgsl").into(),
            harmonic: with_pixels!("harmonic"),
            maximum: include_str!("../../../shaders/maximum.wgsl").into(),
            power_mean: include_str!("../../../shaders/power_mean.wgsl").into(),
            power_spectrum: include_str!("../../../shaders/power_spectrum.wgsl").into(),
            moments: include_str!("../../../shaders/moments.wgsl").into(),
            project: include_str!("../../../shaders/project.wgsl").into(),
            assign: include_str!("../../../shaders/assign.wgsl").into(),
            cluster_sums: include_str!("../../../shaders/cluster_sums.wgsl").into(),
            fold: include_str!("../../../shaders/fold.wgsl").into(),
        }
    }
}
