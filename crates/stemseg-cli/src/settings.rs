//! The options that make up the settings of a segmentation.

use clap::{Args, ValueEnum};
use stemseg::Result;
use stemseg::plan::Reduce;
use stemseg_run::length::Length;
use stemseg_run::{self as run, Settings};

use super::args::ClusterArgs;
use super::descriptor::DescriptorArgs;
use super::parse;

/// Everything that makes up the library's parameters but the number of clusters.
#[derive(Args)]
pub(super) struct SettingsArgs {
    #[command(flatten)]
    preset: PresetArgs,

    #[command(flatten)]
    descriptor: DescriptorArgs,

    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Where settings come from.
#[derive(Args)]
#[command(next_help_heading = "Settings")]
struct PresetArgs {
    /// auto takes all sizes from the lattices in the image; pystem is the method of pySTEM's paper, with the
    /// sizes given [default: auto; pystem where --descriptor names families, and for timings].
    #[arg(long, value_enum)]
    preset: Option<Preset>,

    /// auto: period of the crystals, instead of what their lattices say. The image is resampled so that it
    /// becomes 16 px (one that is found: 14 px where a cell holds one column, 21 px where it holds several);
    /// other lengths in px are those of the resampled image.
    #[arg(long, value_name = "LENGTH", value_parser = Length::parse, allow_hyphen_values = true)]
    period: Option<Length>,

    /// How descriptors become features: principal components, or combinations of them that vary little from
    /// site to site (maximum autocorrelation factors, one for each pattern) [default: auto maf, pystem pca].
    #[arg(long, value_enum)]
    reduce: Option<ReduceArg>,

    /// How much regions are smoothed, as a multiple of what suits most: 0 keeps every sliver [default: auto 1,
    /// pystem 0].
    #[arg(long, value_name = "N", value_parser = parse::number, allow_negative_numbers = true)]
    smooth: Option<f64>,

    /// Pixels that are less sure of their label get none, 0 to 1 [default: 0].
    #[arg(long, value_name = "SHARE", value_parser = parse::fraction, allow_negative_numbers = true)]
    min_confidence: Option<f64>,
}

/// A set of defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Preset {
    Auto,
    Pystem,
}

#[derive(Clone, Copy, ValueEnum)]
enum ReduceArg {
    Pca,
    Maf,
}

impl SettingsArgs {
    /// The settings for these numbers of patterns; `otherwise` is the preset where neither it
    /// nor families are given.
    ///
    /// # Errors
    /// As [`DescriptorArgs::settings`].
    pub(super) fn settings(&self, clusters: Vec<usize>, otherwise: Preset) -> Result<Settings> {
        let PresetArgs { preset, period, reduce, smooth, min_confidence } = &self.preset;
        let mut settings = Settings::default();
        settings.descriptor = self.descriptor.settings()?;
        let implied = settings.descriptor.families.is_empty().then_some(otherwise);
        settings.clusters = clusters;
        settings.preset = preset.or(implied).map(|preset| match preset {
            Preset::Auto => run::Preset::Auto,
            Preset::Pystem => run::Preset::Pystem,
        });
        settings.period = *period;
        settings.reduce = reduce.map(|reduce| match reduce {
            ReduceArg::Pca => Reduce::Pca,
            ReduceArg::Maf => Reduce::Maf,
        });
        settings.components = self.cluster.components();
        settings.restarts = self.cluster.restarts;
        settings.seed = self.cluster.seed;
        settings.smooth = *smooth;
        settings.least_confidence = *min_confidence;
        Ok(settings)
    }
}
