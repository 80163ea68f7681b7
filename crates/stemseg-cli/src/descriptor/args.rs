//! Options of descriptors.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use stemseg::descriptor::FamilyParams;

use crate::length::{self, Length, Span, Spans};
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
    pub(super) descriptor: Option<String>,

    /// Distance of neighbouring sites. This and other lengths: px, or with a unit (0.4nm, 12A) where the pixel size is known [default: auto 8, pystem 5].
    #[arg(long, value_name = "LENGTH", value_parser = length::span, allow_hyphen_values = true)]
    pub(super) stride: Option<Span>,

    /// Half size of the range of translations, of the pooled window, of the power spectrum's window: N or ROWSxCOLS [default: 20; harmonic 14, auto 19].
    #[arg(long, value_name = "N|RxC", value_parser = length::spans, allow_hyphen_values = true)]
    pub(super) window: Option<Spans>,

    /// translation, intensity: half size of the patch: N or ROWSxCOLS [default: 20].
    #[arg(long, value_name = "N|RxC", value_parser = length::spans, allow_hyphen_values = true)]
    pub(super) patch: Option<Spans>,

    #[command(flatten)]
    pub(super) translation: TranslationArgs,

    #[command(flatten)]
    pub(super) centred: CentredArgs,

    #[command(flatten)]
    pub(super) symmetry: SymmetryArgs,

    #[command(flatten)]
    pub(super) harmonic: HarmonicArgs,

    #[command(flatten)]
    pub(super) spectrum: SpectrumArgs,
}

#[derive(Args)]
#[command(next_help_heading = "Descriptor: translation")]
pub(super) struct TranslationArgs {
    /// Most translations; they form the finest regular grid in the window that has no more [default: 100].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) max_points: Option<usize>,

    /// Translations to use instead: a numpy array [n, 2] in px, or text with a row and a column shift a line, px or with units.
    #[arg(long, value_name = "FILE", conflicts_with = "max_points")]
    pub(super) translations: Option<PathBuf>,
}

#[derive(Args)]
#[command(next_help_heading = "Descriptor: centred-translation")]
pub(super) struct CentredArgs {
    /// Standard deviation of the Gaussian window that pairs of pixels are averaged over [default: auto 11, otherwise 11.2].
    #[arg(long, value_name = "LENGTH", value_parser = Length::parse, allow_hyphen_values = true)]
    pub(super) pair_width: Option<Length>,

    /// Distance of neighbouring translations [default: 4.4].
    #[arg(long, value_name = "LENGTH", value_parser = Length::parse, allow_hyphen_values = true)]
    pub(super) pair_spacing: Option<Length>,
}

#[derive(Args)]
#[command(next_help_heading = "Descriptor: rotation, reflection, glide, harmonic")]
pub(super) struct SymmetryArgs {
    /// Radius of what is compared or measured around a point [default: 20; harmonic 14, auto 0.4 periods].
    #[arg(long, value_name = "LENGTH", value_parser = length::span, allow_hyphen_values = true)]
    pub(super) radius: Option<Span>,

    /// Distance of the points whose scores a site pools [default: 2].
    #[arg(long, value_name = "LENGTH", value_parser = length::span, allow_hyphen_values = true)]
    pub(super) inner_stride: Option<Span>,

    /// rotation, reflection, glide: how many of the largest scores a site keeps [default: 10].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) pool_top: Option<usize>,

    /// rotation: orders of the axes [default: 2,3,4,6].
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) folds: Option<Vec<usize>>,

    /// reflection, glide: number of axes, evenly spread over half a turn [default: 10].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) axes: Option<usize>,

    /// glide: period of the crystal along the axes: one for all, or one for each (0 leaves the axis out) [default: from the lattices in the image].
    #[arg(long, value_name = "LENGTH,...", value_delimiter = ',', value_parser = Length::parse, allow_hyphen_values = true)]
    pub(super) glide_period: Option<Vec<Length>>,
}

#[derive(Args)]
#[command(next_help_heading = "Descriptor: harmonic")]
pub(super) struct HarmonicArgs {
    /// Angular orders [default: 0,1,2,3,4,6].
    #[arg(long, value_name = "M,...", value_delimiter = ',', value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) orders: Option<Vec<usize>>,

    /// Number of rings [default: 3].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) rings: Option<usize>,

    /// Number of phases of each order above 0 [default: auto 8, otherwise 12].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    pub(super) angles: Option<usize>,

    /// The largest score in a site's window, or a Gaussian power mean, which averages over noise and goes to the image's border [default: auto power-mean, otherwise maximum].
    #[arg(long, value_enum, hide_possible_values = false)]
    pub(super) pool: Option<PoolArg>,

    /// power-mean: standard deviation of the Gaussian [default: auto 5.8, otherwise 3.6].
    #[arg(long, value_name = "LENGTH", value_parser = Length::parse, allow_hyphen_values = true)]
    pub(super) pool_width: Option<Length>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum PoolArg {
    Maximum,
    PowerMean,
}

#[derive(Args)]
#[command(next_help_heading = "Descriptor: power-spectrum")]
pub(super) struct SpectrumArgs {
    /// Each pair of opposite frequencies once, or all as pySTEM has them [default: half].
    #[arg(long, value_enum, hide_possible_values = false)]
    pub(super) spectrum: Option<SpectrumArg>,

    /// Logarithm of the power, or the power itself [default: log].
    #[arg(long, value_enum)]
    pub(super) spectrum_scale: Option<ScaleArg>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum SpectrumArg {
    Half,
    Full,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ScaleArg {
    Log,
    Linear,
}
