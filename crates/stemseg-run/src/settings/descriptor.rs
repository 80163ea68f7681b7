//! [`DescriptorSettings`]: which families describe the sites, and what was chosen for them.

use std::path::PathBuf;

use stemseg::descriptor::power_spectrum::{Scale, Spectrum};
use stemseg::descriptor::{Common, FamilyParams};
use stemseg::image::micrograph::{Micrograph, PixelSize};
use stemseg::{Error, Result};

use crate::input::translations::translations;
use crate::length::{Length, Span, Spans};

/// Which families describe the sites, and what was chosen for them. What is `None` is what the
/// preset has; a family that does not have it must not be the only one in use.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DescriptorSettings {
    /// The families; those of the preset where there are none.
    pub families: Families,
    /// Distance of neighbouring sites.
    pub stride: Option<Span>,
    /// Half size of the range of translations, of the pooled window, of the power spectrum's
    /// window.
    pub window: Option<Spans>,
    /// translation, intensity: half size of the patch.
    pub patch: Option<Spans>,
    /// translation: most translations.
    pub max_points: Option<usize>,
    /// translation: a file with the translations to use, see
    /// [`translations`].
    pub translations: Option<PathBuf>,
    /// centred-translation: standard deviation of the Gaussian window that pairs of pixels are
    /// averaged over.
    pub pair_width: Option<Length>,
    /// centred-translation: distance of neighbouring translations.
    pub pair_spacing: Option<Length>,
    /// rotation, reflection, glide, harmonic: radius of what is compared.
    pub radius: Option<Span>,
    /// rotation, reflection, glide, harmonic: distance of neighbouring inner sites.
    pub inner_stride: Option<Span>,
    /// rotation, reflection, glide: how many of the largest scores a site keeps.
    pub pool_top: Option<usize>,
    /// rotation: orders of the axes.
    pub folds: Option<Vec<usize>>,
    /// reflection, glide: number of axes, evenly spread over half a turn.
    pub axes: Option<usize>,
    /// glide: period of the crystal along the axes: one for all, or one for each.
    pub glide_period: Option<Vec<Length>>,
    /// harmonic: angular orders.
    pub orders: Option<Vec<usize>>,
    /// harmonic: number of rings.
    pub rings: Option<usize>,
    /// harmonic: number of phases of each order above 0.
    pub angles: Option<usize>,
    /// harmonic: what a site takes of the scores in its window.
    pub pool: Option<Pool>,
    /// harmonic: standard deviation of the Gaussian of a power mean.
    pub pool_width: Option<Length>,
    /// power-spectrum: which frequencies.
    pub spectrum: Option<Spectrum>,
    /// power-spectrum: which scale.
    pub spectrum_scale: Option<Scale>,
}

/// What a site takes of the scores in its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// The largest.
    Maximum,
    /// A Gaussian power mean.
    PowerMean,
}

/// Families with their weights, each family once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Families(Vec<WeightedFamily>);

/// A family with its weight.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightedFamily {
    /// Name of the family.
    pub name: String,
    /// How much it counts relative to the others, above 0.
    pub weight: f64,
}

impl Families {
    /// These families.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a family that does not exist or is listed twice, and for a
    /// weight that is not above 0.
    pub fn new(list: impl IntoIterator<Item = WeightedFamily>) -> Result<Self> {
        let list: Vec<WeightedFamily> = list.into_iter().collect();
        for (i, WeightedFamily { name, weight }) in list.iter().enumerate() {
            // For its complaint about names.
            FamilyParams::from_name(name)?;
            if !(weight.is_finite() && *weight > 0.0) {
                return Err(not_a_weight(&format!("{name}*{weight}")));
            }
            if list[..i].iter().any(|other| other.name == *name) {
                return Err(Error::parameter("descriptor", name, "it is listed twice"));
            }
        }
        Ok(Self(list))
    }

    /// Names joined by `+`, each with a weight if wanted: `translation*2+harmonic`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn parse(text: &str) -> Result<Self> {
        let term = |text: &str| match text.split_once('*') {
            None => Ok(WeightedFamily { name: text.trim().into(), weight: 1.0 }),
            Some((name, weight)) => {
                let weight = weight.trim().parse().map_err(|_| not_a_weight(text.trim()))?;
                Ok(WeightedFamily { name: name.trim().into(), weight })
            }
        };
        Self::new(text.split('+').map(term).collect::<Result<Vec<_>>>()?)
    }

    /// Whether none were named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their names.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|family| &*family.name).collect()
    }

    /// Their weights; none where all are 1.
    pub fn weights(&self) -> Vec<f64> {
        match self.0.iter().all(|family| family.weight == 1.0) {
            true => Vec::new(),
            false => self.0.iter().map(|family| family.weight).collect(),
        }
    }
}

fn not_a_weight(text: &str) -> Error {
    Error::parameter(
        "descriptor",
        text,
        "a weight is a number above 0, as in translation*2+harmonic",
    )
}

const TRANSLATION: &[&str] = &["translation"];
const ROTATION: &[&str] = &["rotation"];
const CENTRED: &[&str] = &["centred-translation"];
const GLIDE: &[&str] = &["glide"];
const HARMONIC: &[&str] = &["harmonic"];
const SPECTRUM: &[&str] = &["power-spectrum"];

/// Names of the families that have one of the parameters that several have.
fn having(parameter: fn(Common<'_>) -> bool) -> Vec<&'static str> {
    let has = |name: &&str| {
        FamilyParams::from_name(name).is_ok_and(|mut family| parameter(family.common()))
    };
    FamilyParams::NAMES.into_iter().filter(has).collect()
}

impl DescriptorSettings {
    /// The families, those that were named or else `otherwise`, with what was chosen for
    /// them; `micrograph` is what periods are looked for in, `size` that of a pixel
    /// described.
    ///
    /// # Errors
    /// For a list of translations that cannot be read, and lengths with a unit where `size`
    /// is not known.
    pub(super) fn chosen(
        &self,
        micrograph: &Micrograph,
        size: Option<PixelSize>,
        otherwise: Vec<FamilyParams>,
    ) -> Result<Vec<FamilyParams>> {
        let mut families = match self.families.is_empty() {
            true => otherwise,
            false => {
                let family = |family: &WeightedFamily| FamilyParams::from_name(&family.name);
                self.families.0.iter().map(family).collect::<Result<_>>()?
            }
        };
        for family in &mut families {
            self.choose(family, micrograph, size)?;
        }
        Ok(families)
    }

    /// Checks what can be checked without an image, for families with these `names`.
    ///
    /// # Errors
    /// For an option of a family that is not in use, and a list of translations that cannot
    /// be read.
    pub(super) fn check(&self, names: &[&str]) -> Result<()> {
        self.check_options(names)?;
        self.translations.as_deref().map_or(Ok(()), |file| translations(file).map(drop))
    }

    /// Whether a size of those that follow from the period by default was given.
    pub(super) fn gives_sizes(&self) -> bool {
        let pairs = self.pair_width.is_some() || self.pair_spacing.is_some();
        pairs || self.radius.is_some() || self.window.is_some()
    }

    /// Refuses options that no family in use has.
    fn check_options(&self, names: &[&str]) -> Result<()> {
        let options = [
            ("patch", self.patch.is_some(), having(|own| own.patch.is_some())),
            ("window", self.window.is_some(), having(|own| own.window.is_some())),
            ("max-points", self.max_points.is_some(), TRANSLATION.to_vec()),
            ("translations", self.translations.is_some(), TRANSLATION.to_vec()),
            ("pair-width", self.pair_width.is_some(), CENTRED.to_vec()),
            ("pair-spacing", self.pair_spacing.is_some(), CENTRED.to_vec()),
            ("radius", self.radius.is_some(), having(|own| own.radius.is_some())),
            ("inner-stride", self.inner_stride.is_some(), having(|own| own.inner_stride.is_some())),
            ("pool-top", self.pool_top.is_some(), having(|own| own.pool_top.is_some())),
            ("folds", self.folds.is_some(), ROTATION.to_vec()),
            ("axes", self.axes.is_some(), having(|own| own.axes.is_some())),
            ("glide-period", self.glide_period.is_some(), GLIDE.to_vec()),
            ("orders", self.orders.is_some(), HARMONIC.to_vec()),
            ("rings", self.rings.is_some(), HARMONIC.to_vec()),
            ("angles", self.angles.is_some(), HARMONIC.to_vec()),
            ("pool", self.pool.is_some(), HARMONIC.to_vec()),
            ("pool-width", self.pool_width.is_some(), HARMONIC.to_vec()),
            ("spectrum", self.spectrum.is_some(), SPECTRUM.to_vec()),
            ("spectrum-scale", self.spectrum_scale.is_some(), SPECTRUM.to_vec()),
        ];
        for (option, given, families) in options {
            if given && !families.iter().any(|family| names.contains(family)) {
                let reason = format!(
                    "`{option}` is an option of {}; leave it out, or add such a family \
                     (translation alone is `preset = pystem`)",
                    families.join(", ")
                );
                return Err(Error::parameter("descriptor", names.join("+"), reason));
            }
        }
        self.check_window(names)?;
        match &self.pool_width {
            Some(_)
                if self.pool == Some(Pool::Maximum)
                    || (self.pool.is_none() && !self.families.is_empty()) =>
            {
                Err(Error::parameter(
                    "pool-width",
                    "given",
                    "only a power mean has weights; add `pool = power-mean`, or leave it out",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a window where all that have one follow from other options.
    fn check_window(&self, names: &[&str]) -> Result<()> {
        let Some(window) = &self.window else { return Ok(()) };
        let (list, mean) = (self.translations.is_some(), self.pool == Some(Pool::PowerMean));
        let needs = |name: &&str| match *name {
            "translation" => !list,
            "harmonic" => !mean,
            other => having(|own| own.window.is_some()).contains(&other),
        };
        if names.iter().any(needs) {
            return Ok(());
        }
        let reason = match names.contains(&"translation") {
            true => "what `translations` lists has its own window; leave one of them out",
            false => "the window of a power mean follows from `pool-width`; leave one of them out",
        };
        Err(Error::parameter("window", window.text(), reason))
    }

    /// Distance of neighbouring sites, px, where it was given.
    ///
    /// # Errors
    /// For a length with a unit where `size` is not known.
    pub(super) fn stride(&self, size: Option<PixelSize>) -> Result<Option<usize>> {
        self.stride.as_ref().map(|stride| stride.pixels("stride", size)).transpose()
    }
}
