//! Which families describe the sites, and their options.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use stemseg::descriptor::power_spectrum::{Scale, Spectrum};
use stemseg::descriptor::{
    FamilyParams, glide, harmonic, intensity, power_spectrum, reflection, rotation, translation,
};
use stemseg::micrograph::{Micrograph, PixelSize};
use stemseg::sites::Extent;
use stemseg::{Error, Result};

use super::length::{self, Length, Span, Spans};
use super::parse;

/// What is measured at the sites.
#[derive(Args)]
#[command(next_help_heading = "Descriptor")]
pub(super) struct DescriptorArgs {
    /// Families, joined by +, each with a weight if wanted (translation*2+harmonic): translation, rotation, reflection, glide, harmonic, power-spectrum, intensity.
    #[arg(long, default_value = "translation", value_name = "FAMILIES")]
    descriptor: String,

    /// Distance of neighbouring sites. This and other lengths: px, or with a unit (0.4nm, 12A) where the pixel size is known.
    #[arg(long, default_value = "5", value_name = "LENGTH", value_parser = length::span, allow_hyphen_values = true)]
    stride: Span,

    /// Half size of the range of translations, of the pooled window, of the power spectrum's window: N or ROWSxCOLS [default: 20; harmonic 14].
    #[arg(long, value_name = "N|RxC", value_parser = length::spans, allow_hyphen_values = true)]
    window: Option<Spans>,

    /// translation, intensity: half size of the patch: N or ROWSxCOLS [default: 20].
    #[arg(long, value_name = "N|RxC", value_parser = length::spans, allow_hyphen_values = true)]
    patch: Option<Spans>,

    #[command(flatten)]
    translation: TranslationArgs,

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
    /// Most translations; they form the finest regular grid in the window that has no more [default: 100].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    max_points: Option<usize>,

    /// Translations to use instead: a numpy array [n, 2] in px, or text with a row and a column shift a line, px or with units.
    #[arg(long, value_name = "FILE", conflicts_with = "max_points")]
    translations: Option<PathBuf>,
}

#[derive(Args)]
#[command(next_help_heading = "Descriptor: rotation, reflection, glide, harmonic")]
struct SymmetryArgs {
    /// Radius of what is compared or measured around a point [default: 20; harmonic 14].
    #[arg(long, value_name = "LENGTH", value_parser = length::span, allow_hyphen_values = true)]
    radius: Option<Span>,

    /// Distance of the points whose scores a site pools [default: 2].
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

    /// glide: period of the crystal along the axes: one for all, or one for each (0 leaves the axis out) [default: from the lattices in the image].
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

    /// Number of phases of each order above 0 [default: 12].
    #[arg(long, value_name = "N", value_parser = parse::whole::<usize>, allow_negative_numbers = true)]
    angles: Option<usize>,
}

#[derive(Args)]
#[command(next_help_heading = "Descriptor: power-spectrum")]
struct SpectrumArgs {
    /// Each pair of opposite frequencies once, or all as pySTEM has them [default: half].
    #[arg(long, value_enum, hide_possible_values = false)]
    spectrum: Option<SpectrumArg>,

    /// Logarithm of the power, or the power itself [default: log].
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

const TRANSLATION: &[&str] = &["translation"];
const PATCHES: &[&str] = &["translation", "intensity"];
const WINDOWS: &[&str] =
    &["translation", "rotation", "reflection", "glide", "harmonic", "power-spectrum"];
const RADII: &[&str] = &["rotation", "reflection", "glide", "harmonic"];
const RANKED: &[&str] = &["rotation", "reflection", "glide"];
const ROTATION: &[&str] = &["rotation"];
const AXES: &[&str] = &["reflection", "glide"];
const GLIDE: &[&str] = &["glide"];
const HARMONIC: &[&str] = &["harmonic"];
const SPECTRUM: &[&str] = &["power-spectrum"];

impl DescriptorArgs {
    /// The families; `micrograph` is what periods are looked for in.
    ///
    /// # Errors
    /// For an unknown family, an option of one that is not in use, and a list of
    /// translations that cannot be read.
    pub(super) fn families(&self, micrograph: &Micrograph) -> Result<Vec<FamilyParams>> {
        let terms = self.terms()?;
        let names: Vec<&str> = terms.iter().map(|term| term.name).collect();
        self.check_options(&names)?;
        let family = |term: &Term<'_>| -> Result<FamilyParams> {
            let mut family = FamilyParams::from_name(term.name)?;
            self.choose(&mut family, micrograph)?;
            Ok(family)
        };
        terms.iter().map(family).collect()
    }

    /// Checks what can be checked without an image.
    ///
    /// # Errors
    /// As [`families`](Self::families), but for periods.
    pub(super) fn check(&self) -> Result<()> {
        let names: Vec<&str> = self.terms()?.iter().map(|term| term.name).collect();
        self.check_options(&names)?;
        self.file().map_or(Ok(()), |file| parse::translations(file).map(drop))
    }

    /// The families' names; none where one is unknown.
    pub(super) fn names(&self) -> Vec<&str> {
        self.terms().unwrap_or_default().into_iter().map(|term| term.name).collect()
    }

    /// The families' weights, in the same order.
    pub(super) fn weights(&self) -> Vec<f64> {
        let terms = self.terms().unwrap_or_default();
        match terms.iter().all(|term| term.weight == 1.0) {
            true => Vec::new(),
            false => terms.iter().map(|term| term.weight).collect(),
        }
    }

    /// The families as they were given.
    pub(super) fn text(&self) -> &str {
        &self.descriptor
    }

    /// The file that a list of translations is read from.
    pub(super) fn file(&self) -> Option<&PathBuf> {
        self.translation.translations.as_ref()
    }

    fn terms(&self) -> Result<Vec<Term<'_>>> {
        let terms: Vec<Term<'_>> =
            self.descriptor.split('+').map(Term::parse).collect::<Result<_>>()?;
        for (i, term) in terms.iter().enumerate() {
            if terms[..i].iter().any(|other| other.name == term.name) {
                return Err(Error::parameter("descriptor", term.name, "it is listed twice"));
            }
        }
        Ok(terms)
    }

    /// Refuses options that no family in use has.
    fn check_options(&self, names: &[&str]) -> Result<()> {
        let Self { translation, symmetry, harmonic, spectrum, .. } = self;
        let options = [
            ("patch", self.patch.is_some(), PATCHES),
            ("window", self.window.is_some(), WINDOWS),
            ("max-points", translation.max_points.is_some(), TRANSLATION),
            ("translations", translation.translations.is_some(), TRANSLATION),
            ("radius", symmetry.radius.is_some(), RADII),
            ("inner-stride", symmetry.inner_stride.is_some(), RADII),
            ("pool-top", symmetry.pool_top.is_some(), RANKED),
            ("folds", symmetry.folds.is_some(), ROTATION),
            ("axes", symmetry.axes.is_some(), AXES),
            ("glide-period", symmetry.glide_period.is_some(), GLIDE),
            ("orders", harmonic.orders.is_some(), HARMONIC),
            ("rings", harmonic.rings.is_some(), HARMONIC),
            ("angles", harmonic.angles.is_some(), HARMONIC),
            ("spectrum", spectrum.spectrum.is_some(), SPECTRUM),
            ("spectrum-scale", spectrum.spectrum_scale.is_some(), SPECTRUM),
        ];
        for (option, given, families) in options {
            if given && !families.iter().any(|family| names.contains(family)) {
                let reason = format!(
                    "--{option} is an option of {}; leave it out, or add such a family",
                    families.join(", ")
                );
                return Err(Error::parameter("descriptor", &self.descriptor, reason));
            }
        }
        // A list of translations has its own reach.
        let others = names.iter().any(|name| *name != "translation" && WINDOWS.contains(name));
        match &self.window {
            Some(window) if translation.translations.is_some() && !others => Err(Error::parameter(
                "window",
                window.text(),
                "the translations of --translations have their own window; leave one of them out",
            )),
            _ => Ok(()),
        }
    }

    /// Distance of neighbouring sites, px.
    ///
    /// # Errors
    /// For a length with a unit where `size` is not known.
    pub(super) fn stride(&self, size: Option<PixelSize>) -> Result<usize> {
        self.stride.pixels("stride", size)
    }

    /// Sets what the user chose.
    fn choose(&self, family: &mut FamilyParams, micrograph: &Micrograph) -> Result<()> {
        let size = micrograph.pixel_size();
        match family {
            FamilyParams::Translation(params) => self.choose_translation(params, size)?,
            FamilyParams::Rotation(params) => self.choose_rotation(params, size)?,
            FamilyParams::Reflection(params) => self.choose_reflection(params, size)?,
            FamilyParams::Glide(params) => self.choose_glide(params, micrograph)?,
            FamilyParams::Harmonic(params) => self.choose_harmonic(params, size)?,
            FamilyParams::PowerSpectrum(params) => self.choose_spectrum(params, size)?,
            FamilyParams::Intensity(intensity::Params { patch }) => self.set_patch(patch, size)?,
        }
        Ok(())
    }

    fn set_patch(&self, to: &mut Extent, size: Option<PixelSize>) -> Result<()> {
        let pixels = self.patch.as_ref().map(|patch| patch.pixels("patch", size)).transpose()?;
        set(to, &pixels);
        Ok(())
    }

    fn set_window(&self, to: &mut Extent, size: Option<PixelSize>) -> Result<()> {
        let pixels =
            self.window.as_ref().map(|window| window.pixels("window", size)).transpose()?;
        set(to, &pixels);
        Ok(())
    }

    /// Sets a radius and a distance of inner sites.
    fn set_inner(&self, to: [&mut usize; 2], size: Option<PixelSize>) -> Result<()> {
        let SymmetryArgs { radius, inner_stride, .. } = &self.symmetry;
        let chosen = [("radius", radius), ("inner-stride", inner_stride)];
        for (to, (option, span)) in to.into_iter().zip(chosen) {
            if let Some(span) = span {
                *to = span.pixels(option, size)?;
            }
        }
        Ok(())
    }

    fn choose_translation(
        &self,
        params: &mut translation::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.set_patch(&mut params.patch, size)?;
        self.set_window(&mut params.window, size)?;
        set(&mut params.max_points, &self.translation.max_points);
        if let Some(file) = self.file() {
            let list = parse::translations(file)?;
            params.list = Some(length::translations(&list, size)?);
        }
        Ok(())
    }

    fn choose_rotation(
        &self,
        params: &mut rotation::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.set_window(&mut params.window, size)?;
        self.set_inner([&mut params.radius, &mut params.inner_stride], size)?;
        set(&mut params.pool_top, &self.symmetry.pool_top);
        set(&mut params.folds, &self.symmetry.folds);
        Ok(())
    }

    fn choose_reflection(
        &self,
        params: &mut reflection::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.set_window(&mut params.window, size)?;
        self.set_inner([&mut params.radius, &mut params.inner_stride], size)?;
        set(&mut params.pool_top, &self.symmetry.pool_top);
        set(&mut params.axes, &self.symmetry.axes);
        Ok(())
    }

    fn choose_glide(&self, params: &mut glide::Params, micrograph: &Micrograph) -> Result<()> {
        let size = micrograph.pixel_size();
        self.set_window(&mut params.window, size)?;
        self.set_inner([&mut params.radius, &mut params.inner_stride], size)?;
        set(&mut params.pool_top, &self.symmetry.pool_top);
        set(&mut params.axes, &self.symmetry.axes);
        params.rings = params.rings.min(2 * params.radius.saturating_sub(1));
        params.periods = match &self.symmetry.glide_period {
            Some(periods) => length::periods(periods, params.axes, size)?,
            None => glide::periods(micrograph, params.axes)?,
        };
        Ok(())
    }

    fn choose_harmonic(
        &self,
        params: &mut harmonic::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.set_window(&mut params.window, size)?;
        self.set_inner([&mut params.radius, &mut params.inner_stride], size)?;
        set(&mut params.orders, &self.harmonic.orders);
        set(&mut params.rings, &self.harmonic.rings);
        set(&mut params.angles, &self.harmonic.angles);
        Ok(())
    }

    fn choose_spectrum(
        &self,
        params: &mut power_spectrum::Params,
        size: Option<PixelSize>,
    ) -> Result<()> {
        self.set_window(&mut params.window, size)?;
        match self.spectrum.spectrum {
            Some(SpectrumArg::Half) => params.spectrum = Spectrum::Half,
            Some(SpectrumArg::Full) => params.spectrum = Spectrum::Full,
            None => {}
        }
        match self.spectrum.spectrum_scale {
            Some(ScaleArg::Log) => params.scale = Scale::Log,
            Some(ScaleArg::Linear) => params.scale = Scale::Linear,
            None => {}
        }
        Ok(())
    }
}

fn set<T: Clone>(to: &mut T, chosen: &Option<T>) {
    if let Some(value) = chosen {
        to.clone_from(value);
    }
}

/// A family with its weight: `harmonic*2`.
struct Term<'a> {
    name: &'a str,
    weight: f64,
}

impl<'a> Term<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let (name, weight) = match text.split_once('*') {
            None => (text.trim(), 1.0),
            Some((name, weight)) => match weight.trim().parse::<f64>() {
                Ok(number) if number > 0.0 && number.is_finite() => (name.trim(), number),
                _ => {
                    let reason = "a weight is a number above 0, as in translation*2+harmonic";
                    return Err(Error::parameter("descriptor", text.trim(), reason));
                }
            },
        };
        // For its complaint about names.
        FamilyParams::from_name(name)?;
        Ok(Self { name, weight })
    }
}
