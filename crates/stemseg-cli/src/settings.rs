//! The options that make up the settings of a segmentation.

use clap::{Args, ValueEnum};
use stemseg::Result;
use stemseg::plan::{Mark, Reduce};
use stemseg_run::length::Length;
use stemseg_run::{self as run, Settings};

use super::args::ClusterArgs;
use super::descriptor::DescriptorArgs;
use super::parse::{self, Numbers};

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
    /// Sizes from the lattices in the image (auto), or fixed (pystem).
    ///
    /// auto takes all sizes from the lattices in the image. pystem is the method of pySTEM's paper, with the sizes
    /// that you give or its defaults. The default is auto; it is pystem where --descriptor names families, and
    /// for the timings of bench.
    #[arg(long, value_enum, hide_possible_values = true)]
    preset: Option<Preset>,

    /// Period of the crystals, if the one that is found is wrong.
    ///
    /// With --preset auto the image is resampled so that this period becomes 16 px. (A period that is found
    /// becomes 14 px where a unit cell holds one column, and 21 px where it holds several.) Other lengths in px
    /// are those of the resampled image.
    #[arg(long, value_name = "LENGTH", value_parser = Length::parse, allow_hyphen_values = true)]
    period: Option<Length>,

    /// How descriptors become features [default: maf with --preset auto, pca with pystem].
    ///
    /// pca: principal components. maf: maximum autocorrelation factors, the combinations of principal components
    /// that vary least between neighbouring sites; one for each pattern.
    #[arg(long, value_enum)]
    reduce: Option<ReduceArg>,

    /// How strongly regions are smoothed [default: 1; pystem 0].
    ///
    /// A multiple of what suits most images: less keeps small and thin regions, and 0 keeps every sliver.
    #[arg(long, value_name = "N", value_parser = parse::number, allow_negative_numbers = true)]
    smooth: Option<f64>,

    /// Keep layers a few atoms thick along boundaries as patterns of their own.
    ///
    /// Boundary phases (complexions) are such layers. Otherwise a strip along a boundary is doubted, since
    /// sites there see both sides, and is no pattern unless it is very different.
    #[arg(long)]
    boundary_phases: bool,

    /// Pixel whose label is known, as numbers stand without marks; may be given again. See stemseg refine.
    #[arg(long = "mark", value_name = "ROW,COL=LABEL", value_parser = parse::mark, value_delimiter = ';')]
    marks: Vec<Mark>,

    /// Patterns that are one, as numbers stand without this (2+3, or 1+4,2+3). See stemseg relabel.
    #[arg(long, value_name = "LABELS", value_parser = parse::merged, value_delimiter = ',')]
    merge: Vec<Vec<u16>>,

    /// Leave pixels below this confidence unlabelled [default: 0].
    ///
    /// A share from 0 to 1. On simulated scenes, nine in ten pixels of confidence 0.9 have the right label.
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
    pub(super) fn settings(&self, clusters: Numbers, otherwise: Preset) -> Result<Settings> {
        let PresetArgs {
            preset,
            period,
            reduce,
            smooth,
            boundary_phases,
            marks,
            merge,
            min_confidence,
        } = &self.preset;
        let mut settings = Settings::default();
        settings.descriptor = self.descriptor.settings()?;
        let implied = settings.descriptor.families.is_empty().then_some(otherwise);
        settings.clusters = clusters.given;
        settings.most_clusters = clusters.most.unwrap_or(settings.most_clusters);
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
        settings.boundary_phases = *boundary_phases;
        settings.marks = marks.clone();
        settings.merge = merge.clone();
        settings.least_confidence = *min_confidence;
        Ok(settings)
    }
}
