//! Options of descriptors.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use stemseg::Result;
use stemseg::descriptor::FamilyParams;
use stemseg::descriptor::power_spectrum::{Scale, Spectrum};
use stemseg_run::length::{self, Length, Span, Spans};
use stemseg_run::{DescriptorSettings, Families, Pool};

use crate::parse;

/// Help on the families.
fn families() -> String {
    format!(
        "Families, joined by +, each with a weight if wanted (translation*2+harmonic): {} \
         [default: what the preset has]",
        FamilyParams::NAMES.join(", ")
    )
}

/// What is measured at the sites.
#[derive(Args)]
#[command(next_help_heading = "Descriptor")]
pub(crate) struct DescriptorArgs {
    #[arg(long, value_name = "FAMILIES", help = families())]
    descriptor: Option<String>,

    /// Distance between neighbouring sites [default: auto 8, pystem 5].
    ///
    /// Like all lengths in px, or with a unit (0.4nm, 12A) where the pixel size is known.
    #[arg(long, value_name = "LENGTH", value_parser = length::span, allow_hyphen_values = true)]
    stride: Option<Span>,

    /// Half size of the window: N or ROWSxCOLS [default: 20; harmonic 14, auto 19].
    ///
    /// translation: the range of displacements. rotation, reflection, glide, harmonic: the window whose scores a
    /// site pools. power-spectrum: the window that is transformed.
    #[arg(long, value_name = "N|RxC", value_parser = length::spans, allow_hyphen_values = true)]
    window: Option<Spans>,

    /// translation, intensity: half size of the patch, N or ROWSxCOLS [default: 20].
    #[arg(long, value_name = "N|RxC", value_parser = length::spans, allow_hyphen_values = true)]
    patch: Option<Spans>,

    #[command(flatten)]
    translation: TranslationArgs,

    #[command(flatten)]
    centred: CentredArgs,

    #[command(flatten)]
    symmetry: SymmetryArgs,

    #[command(flatten)]
    harmonic: HarmonicArgs,

    #[command(flatten)]
    spectrum: SpectrumArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Descriptor: translation")]
struct TranslationArgs {
    /// Largest number of translations [default: 100].
    ///
    /// They form the finest regular grid in the window that has no more than these.
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    max_points: Option<usize>,

    /// Translations to use instead, from a file.
    ///
    /// A numpy array [n, 2] in px, or text with a row shift and a column shift on each line, in px or with units.
    #[arg(long, value_name = "FILE", conflicts_with = "max_points")]
    translations: Option<PathBuf>,
}

#[derive(Args)]
#[command(next_help_heading = "Descriptor: centred-translation")]
struct CentredArgs {
    /// Standard deviation of the Gaussian over which pairs of pixels are averaged [default: auto 11, otherwise 11.2].
    #[arg(long, value_name = "LENGTH", value_parser = Length::parse, allow_hyphen_values = true)]
    pair_width: Option<Length>,

    /// Distance between neighbouring translations [default: 4.4].
    #[arg(long, value_name = "LENGTH", value_parser = Length::parse, allow_hyphen_values = true)]
    pair_spacing: Option<Length>,
}

#[derive(Args)]
#[command(next_help_heading = "Descriptor: rotation, reflection, glide, harmonic")]
struct SymmetryArgs {
    /// Radius of the disc that is compared or measured around an inner site [default: 20; harmonic 14, auto 0.4 periods].
    #[arg(long, value_name = "LENGTH", value_parser = length::span, allow_hyphen_values = true)]
    radius: Option<Span>,

    /// Distance between the inner sites whose scores a site pools [default: 2].
    #[arg(long, value_name = "LENGTH", value_parser = length::span, allow_hyphen_values = true)]
    inner_stride: Option<Span>,

    /// rotation, reflection, glide: how many of the largest scores a site keeps [default: 10].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pool_top: Option<usize>,

    /// rotation: orders of the axes [default: 2,3,4,6].
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    folds: Option<Vec<usize>>,

    /// reflection, glide: number of axes, evenly spread over half a turn [default: 10].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    axes: Option<usize>,

    /// glide: period of the crystal along the axes [default: from the lattices in the image].
    ///
    /// One for all axes, or one for each; 0 leaves an axis out.
    #[arg(long, value_name = "LENGTH,...", value_delimiter = ',', value_parser = Length::parse, allow_hyphen_values = true)]
    glide_period: Option<Vec<Length>>,
}

#[derive(Args)]
#[command(next_help_heading = "Descriptor: harmonic")]
struct HarmonicArgs {
    /// Angular orders [default: 0,1,2,3,4,6].
    #[arg(long, value_name = "M,...", value_delimiter = ',', value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    orders: Option<Vec<usize>>,

    /// Number of rings [default: 3].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    rings: Option<usize>,

    /// Number of phases of each order above 0 [default: auto 8, otherwise 12].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    angles: Option<usize>,

    /// How a site pools the scores in its window [default: auto power-mean, otherwise maximum].
    ///
    /// maximum: the largest score. power-mean: a Gaussian power mean, which averages over noise and reaches the
    /// border of the image.
    #[arg(long, value_enum)]
    pool: Option<PoolArg>,

    /// power-mean: standard deviation of the Gaussian [default: auto 5.8, otherwise 3.6].
    #[arg(long, value_name = "LENGTH", value_parser = Length::parse, allow_hyphen_values = true)]
    pool_width: Option<Length>,
}

#[derive(Clone, Copy, ValueEnum)]
enum PoolArg {
    Maximum,
    PowerMean,
}

#[derive(Args)]
#[command(next_help_heading = "Descriptor: power-spectrum")]
struct SpectrumArgs {
    /// Each pair of opposite frequencies once (half), or all, as in pySTEM (full) [default: half].
    #[arg(long, value_enum)]
    spectrum: Option<SpectrumArg>,

    /// The logarithm of the power (log), or the power itself (linear) [default: log].
    #[arg(long, value_enum)]
    spectrum_scale: Option<ScaleArg>,
}

#[derive(Clone, Copy, ValueEnum)]
enum SpectrumArg {
    Half,
    Full,
}

#[derive(Clone, Copy, ValueEnum)]
enum ScaleArg {
    Log,
    Linear,
}

impl DescriptorArgs {
    /// What was chosen.
    ///
    /// # Errors
    /// As [`Families::parse`].
    pub(crate) fn settings(&self) -> Result<DescriptorSettings> {
        let Self { translation, centred, symmetry, harmonic, spectrum, .. } = self;
        let mut chosen = DescriptorSettings::default();
        if let Some(text) = &self.descriptor {
            chosen.families = Families::parse(text)?;
        }
        chosen.stride = self.stride.clone();
        chosen.window = self.window.clone();
        chosen.patch = self.patch.clone();
        chosen.max_points = translation.max_points;
        chosen.translations = translation.translations.clone();
        chosen.pair_width = centred.pair_width;
        chosen.pair_spacing = centred.pair_spacing;
        chosen.radius = symmetry.radius.clone();
        chosen.inner_stride = symmetry.inner_stride.clone();
        chosen.pool_top = symmetry.pool_top;
        chosen.folds = symmetry.folds.clone();
        chosen.axes = symmetry.axes;
        chosen.glide_period = symmetry.glide_period.clone();
        chosen.orders = harmonic.orders.clone();
        chosen.rings = harmonic.rings;
        chosen.angles = harmonic.angles;
        chosen.pool = harmonic.pool.map(|pool| match pool {
            PoolArg::Maximum => Pool::Maximum,
            PoolArg::PowerMean => Pool::PowerMean,
        });
        chosen.pool_width = harmonic.pool_width;
        chosen.spectrum = spectrum.spectrum.map(|spectrum| match spectrum {
            SpectrumArg::Half => Spectrum::Half,
            SpectrumArg::Full => Spectrum::Full,
        });
        chosen.spectrum_scale = spectrum.spectrum_scale.map(|scale| match scale {
            ScaleArg::Log => Scale::Log,
            ScaleArg::Linear => Scale::Linear,
        });
        Ok(chosen)
    }
}
