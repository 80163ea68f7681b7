//! The settings of a segmentation: chosen by the image, by a preset, by the user.

use clap::{Args, ValueEnum};
use stemseg::image::micrograph::{Micrograph, PixelSize};
use stemseg::image::sampling::Sampling;
use stemseg::lattice::Repetition;
use stemseg::plan::{Components, Labels, Reduce};
use stemseg::remarks::Remarks;
use stemseg::{Error, Params, Result, plan::automatic};

use super::args::ClusterArgs;
use super::descriptor::DescriptorArgs;
use super::length::{self, Length};
use super::parse;

/// Everything that makes up the library's parameters but the number of clusters.
#[derive(Args)]
pub(super) struct SettingsArgs {
    #[command(flatten)]
    preset: PresetArgs,

    #[command(flatten)]
    pub(super) descriptor: DescriptorArgs,

    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Where settings come from.
#[derive(Args)]
#[command(next_help_heading = "Settings")]
struct PresetArgs {
    /// auto takes all sizes from the lattices in the image; pystem is the method of pySTEM's paper, with the
    /// sizes given [default: auto; pystem where --descriptor names families; with verify and for timings pystem].
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

/// The library's parameters, and what is to be said about them.
pub(super) struct Settings {
    pub(super) params: Params,
    pub(super) remarks: Remarks,
    /// How the image repeats, where it was looked for.
    pub(super) repetition: Option<Repetition>,
}

impl SettingsArgs {
    /// The parameters for `micrograph`; `otherwise` is the preset where neither it nor
    /// a descriptor is given.
    ///
    /// # Errors
    /// As [`DescriptorArgs::families`], and for options that do not go together.
    pub(super) fn settings(
        &self,
        micrograph: &Micrograph,
        clusters: Vec<usize>,
        otherwise: Preset,
    ) -> Result<Settings> {
        let Settings { mut params, remarks, repetition } = match self.preset(otherwise) {
            Preset::Auto => self.automatic(micrograph, clusters)?,
            Preset::Pystem => self.plain(micrograph, clusters)?,
        };
        params.starts = self.cluster.starts;
        params.seed = self.cluster.seed;
        params.weights = self.descriptor.weights();
        match self.preset.reduce {
            Some(ReduceArg::Pca) => params.reduce = Reduce::Pca,
            Some(ReduceArg::Maf) => params.reduce = Reduce::Maf,
            None => {}
        }
        if let Some(components) = self.cluster.components() {
            if params.reduce == Reduce::Maf {
                let reason = "autocorrelation factors are as many as the patterns; leave it out, \
                              or give --reduce pca";
                let (name, value) = match components {
                    Components::Count(count) => ("components", count as f64),
                    Components::Variance(share) => ("variance", share),
                };
                return Err(Error::parameter(name, value, reason));
            }
            params.components = components;
        }
        self.set_labels(&mut params.labels)?;
        Ok(Settings { params, remarks, repetition })
    }

    /// Checks what can be checked without an image.
    ///
    /// # Errors
    /// As [`DescriptorArgs::check`].
    pub(super) fn check(&self, otherwise: Preset) -> Result<()> {
        if self.preset.period.is_some() && self.preset(otherwise) == Preset::Pystem {
            let reason = "only --preset auto takes sizes from a period; leave it out, or add that";
            return Err(Error::parameter("period", "given", reason));
        }
        self.descriptor.check(&self.names(otherwise))
    }

    /// Checks the numbers of patterns, none standing for one that is chosen.
    ///
    /// # Errors
    /// Where there are none, and nothing to choose it from.
    pub(super) fn check_clusters(&self, clusters: &[usize], otherwise: Preset) -> Result<()> {
        let factors = match self.preset.reduce {
            None => self.preset(otherwise) == Preset::Auto,
            Some(ReduceArg::Pca) => false,
            Some(ReduceArg::Maf) => true,
        };
        if clusters.is_empty() && !factors {
            let reason = "the number of patterns is chosen from the factors of --preset auto; give it, as -k 3";
            return Err(Error::parameter("clusters", "auto", reason));
        }
        Ok(())
    }

    /// Names of the families.
    pub(super) fn names(&self, otherwise: Preset) -> Vec<&str> {
        match (self.descriptor.names(), self.preset(otherwise)) {
            (Some(names), _) => names,
            (None, Preset::Auto) => vec!["centred-translation", "harmonic"],
            (None, Preset::Pystem) => vec!["translation"],
        }
    }

    fn preset(&self, otherwise: Preset) -> Preset {
        let implied = if self.descriptor.names().is_some() { Preset::Pystem } else { otherwise };
        self.preset.preset.unwrap_or(implied)
    }

    fn plain(&self, micrograph: &Micrograph, clusters: Vec<usize>) -> Result<Settings> {
        let size = micrograph.pixel_size();
        let default = Params::default();
        let families = self.descriptor.families(micrograph, size, default.families)?;
        let stride = self.descriptor.stride(size)?.unwrap_or(default.stride);
        let params = Params { families, stride, clusters, ..Params::default() };
        Ok(Settings { params, remarks: Remarks::default(), repetition: None })
    }

    fn automatic(&self, micrograph: &Micrograph, clusters: Vec<usize>) -> Result<Settings> {
        let given = length::fraction(&self.preset.period, "period", micrograph.pixel_size())?;
        let mut remarks = Remarks::default();
        // Looked for in any case: one that was given may be far from it.
        let found = automatic::period(micrograph);
        let sampling = match given {
            Some(period) => Sampling { period, target: automatic::PERIOD },
            None => automatic::sampling(found),
        };
        if given.is_none() {
            remarks.note(found_in_words(found.is_some(), sampling));
        }
        let repetition = Some(Repetition::new(found, given));
        let automatic = automatic::params(sampling, clusters);
        let scale = automatic.sampling.map_or(1.0, |sampling: Sampling| sampling.scale());
        let size = micrograph.pixel_size();
        let size = size.map(|p| PixelSize { rows: p.rows / scale, cols: p.cols / scale });
        let families = self.descriptor.families(micrograph, size, automatic.families)?;
        let stride = self.descriptor.stride(size)?.unwrap_or(automatic.stride);
        let params = Params { families, stride, ..automatic };
        Ok(Settings { params, remarks, repetition })
    }

    /// `error`, in words about the image where it is about a size that nobody gave, which
    /// followed from the period under `sampling`.
    pub(super) fn of_the_image(
        &self,
        error: Error,
        micrograph: &Micrograph,
        sampling: Option<Sampling>,
    ) -> Error {
        const SIZES: [&str; 4] = ["pair-width", "pair-spacing", "radius", "window"];
        match (error, sampling) {
            (Error::Parameter { name, .. }, Some(Sampling { period, .. }))
                if SIZES.contains(&name) && !self.descriptor.gives_sizes() =>
            {
                let (rows, cols) = micrograph.shape();
                Error::TooSmall(format!(
                    "the image has {rows}x{cols} px, which is too small for sizes that follow from a period of \
                     {period:.1} px; give --period where that is not right, or --preset pystem with a small \
                     --patch and --window"
                ))
            }
            (other, _) => other,
        }
    }

    fn set_labels(&self, labels: &mut Labels) -> Result<()> {
        let PresetArgs { smooth, min_confidence, .. } = &self.preset;
        if smooth.is_none() && min_confidence.is_none() {
            return Ok(());
        }
        let (before, least) = match *labels {
            Labels::Nearest => (0.0, 0.0),
            Labels::Interpolated { smooth, least_confidence } => (smooth, least_confidence),
        };
        let (smooth, least_confidence) =
            (smooth.unwrap_or(before), min_confidence.unwrap_or(least));
        if !(0.0..=100.0).contains(&smooth) {
            return Err(Error::parameter("smooth", smooth, "give 0 to 100"));
        }
        *labels = Labels::Interpolated { smooth, least_confidence };
        Ok(())
    }
}

fn found_in_words(found: bool, sampling: Sampling) -> String {
    let Sampling { period, target } = sampling;
    match found {
        true => format!(
            "crystals repeat every {period:.1} px; the image is resampled by {:.2}, so that it is {target} px",
            sampling.scale()
        ),
        false => {
            format!("no crystal lattice was found: sizes are fixed, as for a period of {target} px")
        }
    }
}
