//! Which families describe the sites, and their options.

mod args;
mod choice;

use std::path::PathBuf;

use stemseg::descriptor::{Common, FamilyParams};
use stemseg::image::micrograph::{Micrograph, PixelSize};
use stemseg::{Error, Result};

use super::parse;
pub(super) use args::DescriptorArgs;
use args::PoolArg;

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

fn with_window() -> Vec<&'static str> {
    having(|common| common.window.is_some())
}

impl DescriptorArgs {
    /// The families, those that were named or else `otherwise`, with what was chosen for
    /// them; `micrograph` is what periods are looked for in, `size` that of a pixel
    /// described.
    ///
    /// # Errors
    /// For an unknown family, an option of one that is not in use, and a list of
    /// translations that cannot be read.
    pub(super) fn families(
        &self,
        micrograph: &Micrograph,
        size: Option<PixelSize>,
        otherwise: Vec<FamilyParams>,
    ) -> Result<Vec<FamilyParams>> {
        let mut families = match &self.descriptor {
            None => otherwise,
            Some(_) => {
                let terms = self.terms()?;
                let family = |term: &Term<'_>| FamilyParams::from_name(term.name);
                terms.iter().map(family).collect::<Result<_>>()?
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
    /// As [`families`](Self::families), but for periods.
    pub(super) fn check(&self, names: &[&str]) -> Result<()> {
        self.terms()?;
        self.check_options(names)?;
        self.file().map_or(Ok(()), |file| parse::translations(file).map(drop))
    }

    /// Whether a size of those that follow from the period by default was given.
    pub(super) fn gives_sizes(&self) -> bool {
        let pairs = self.centred.pair_width.is_some() || self.centred.pair_spacing.is_some();
        pairs || self.symmetry.radius.is_some() || self.window.is_some()
    }

    /// The families that were named; nothing where none were, or one is unknown.
    pub(super) fn names(&self) -> Option<Vec<&str>> {
        self.descriptor.as_ref()?;
        Some(self.terms().unwrap_or_default().into_iter().map(|term| term.name).collect())
    }

    /// The families' weights, in the same order.
    pub(super) fn weights(&self) -> Vec<f64> {
        let terms = self.terms().unwrap_or_default();
        match terms.iter().all(|term| term.weight == 1.0) {
            true => Vec::new(),
            false => terms.iter().map(|term| term.weight).collect(),
        }
    }

    /// The file that a list of translations is read from.
    pub(super) fn file(&self) -> Option<&PathBuf> {
        self.translation.translations.as_ref()
    }

    fn terms(&self) -> Result<Vec<Term<'_>>> {
        let Some(text) = &self.descriptor else { return Ok(Vec::new()) };
        let terms: Vec<Term<'_>> = text.split('+').map(Term::parse).collect::<Result<_>>()?;
        for (i, term) in terms.iter().enumerate() {
            if terms[..i].iter().any(|other| other.name == term.name) {
                return Err(Error::parameter("descriptor", term.name, "it is listed twice"));
            }
        }
        Ok(terms)
    }

    /// Refuses options that no family in use has.
    fn check_options(&self, names: &[&str]) -> Result<()> {
        let Self { translation, centred, symmetry, harmonic, spectrum, .. } = self;
        let options = [
            ("patch", self.patch.is_some(), having(|own| own.patch.is_some())),
            ("window", self.window.is_some(), with_window()),
            ("max-points", translation.max_points.is_some(), TRANSLATION.to_vec()),
            ("translations", translation.translations.is_some(), TRANSLATION.to_vec()),
            ("pair-width", centred.pair_width.is_some(), CENTRED.to_vec()),
            ("pair-spacing", centred.pair_spacing.is_some(), CENTRED.to_vec()),
            ("radius", symmetry.radius.is_some(), having(|own| own.radius.is_some())),
            (
                "inner-stride",
                symmetry.inner_stride.is_some(),
                having(|own| own.inner_stride.is_some()),
            ),
            ("pool-top", symmetry.pool_top.is_some(), having(|own| own.pool_top.is_some())),
            ("folds", symmetry.folds.is_some(), ROTATION.to_vec()),
            ("axes", symmetry.axes.is_some(), having(|own| own.axes.is_some())),
            ("glide-period", symmetry.glide_period.is_some(), GLIDE.to_vec()),
            ("orders", harmonic.orders.is_some(), HARMONIC.to_vec()),
            ("rings", harmonic.rings.is_some(), HARMONIC.to_vec()),
            ("angles", harmonic.angles.is_some(), HARMONIC.to_vec()),
            ("pool", harmonic.pool.is_some(), HARMONIC.to_vec()),
            ("pool-width", harmonic.pool_width.is_some(), HARMONIC.to_vec()),
            ("spectrum", spectrum.spectrum.is_some(), SPECTRUM.to_vec()),
            ("spectrum-scale", spectrum.spectrum_scale.is_some(), SPECTRUM.to_vec()),
        ];
        for (option, given, families) in options {
            if given && !families.iter().any(|family| names.contains(family)) {
                let reason = format!(
                    "--{option} is an option of {}; leave it out, or add such a family \
                     (translation alone is --preset pystem)",
                    families.join(", ")
                );
                return Err(Error::parameter("descriptor", names.join("+"), reason));
            }
        }
        self.check_window(names)?;
        match &harmonic.pool_width {
            Some(_)
                if harmonic.pool == Some(PoolArg::Maximum)
                    || (harmonic.pool.is_none() && self.descriptor.is_some()) =>
            {
                Err(Error::parameter(
                    "pool-width",
                    "given",
                    "only a power mean has weights; add --pool power-mean, or leave it out",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a window where all that have one follow from other options.
    fn check_window(&self, names: &[&str]) -> Result<()> {
        let Some(window) = &self.window else { return Ok(()) };
        let (list, mean) = (self.file().is_some(), self.harmonic.pool == Some(PoolArg::PowerMean));
        let needs = |name: &&str| match *name {
            "translation" => !list,
            "harmonic" => !mean,
            other => with_window().contains(&other),
        };
        if names.iter().any(needs) {
            return Ok(());
        }
        let reason = match names.contains(&"translation") {
            true => {
                "the translations of --translations have their own window; leave one of them out"
            }
            false => "the window of a power mean follows from --pool-width; leave one of them out",
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
