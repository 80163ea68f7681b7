//! [`Settings`]: chosen by the image, by a preset, by the user.

pub(crate) mod descriptor;
mod families;

use stemseg::image::micrograph::{Micrograph, PixelSize};
use stemseg::image::sampling::Sampling;
use stemseg::lattice::Repetition;
use stemseg::plan::{Border, Components, Labels, Mark, Order, Reduce};
use stemseg::remarks::Remarks;
use stemseg::{Error, Params, Result, plan::automatic};

use self::descriptor::DescriptorSettings;
use crate::length::{self, Length};

/// How images are segmented. What is `None` is what the preset has.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Numbers of patterns, each of which gives a label map; where there are none, as by
    /// default, each image shows how many there are.
    pub clusters: Vec<usize>,
    /// Most patterns that there may be where the image shows how many, 8 by default.
    pub most_clusters: usize,
    /// Whether layers a few atoms thick along boundaries are patterns of their own, not doubted.
    pub boundary_phases: bool,
    /// Pixels whose label is known, of a single image.
    pub marks: Vec<Mark>,
    /// Labels of patterns that are one, as numbers stand without this.
    pub merge: Vec<Vec<u16>>,
    /// Where all else comes from; by default [`Preset::Auto`], or [`Preset::Pystem`] where
    /// families are named.
    pub preset: Option<Preset>,
    /// Auto: period of the crystals, instead of what their lattices say.
    pub period: Option<Length>,
    /// What is measured at the sites.
    pub descriptor: DescriptorSettings,
    /// How descriptors become features.
    pub reduce: Option<Reduce>,
    /// How many features PCA keeps.
    pub components: Option<Components>,
    /// How many k-means there are, of which the best is kept: 10 by default.
    pub restarts: usize,
    /// Seed of the random choices, 0 by default.
    pub seed: u64,
    /// How much regions are smoothed, as a multiple of what suits most, 0 to 100.
    pub smooth: Option<f64>,
    /// Pixels whose labels are less sure than this get label 0, 0 to 1.
    pub least_confidence: Option<f64>,
    /// What pixels get that lie outside the site grid: the nearest label by default.
    pub border: Border,
    /// How labels are numbered: the largest pattern has 1 by default.
    pub order: Order,
}

impl Default for Settings {
    fn default() -> Self {
        let Params { most_clusters, restarts, seed, border, order, .. } = Params::default();
        Self {
            clusters: Vec::new(),
            most_clusters,
            boundary_phases: false,
            marks: Vec::new(),
            merge: Vec::new(),
            preset: None,
            period: None,
            descriptor: DescriptorSettings::default(),
            reduce: None,
            components: None,
            restarts,
            seed,
            smooth: None,
            least_confidence: None,
            border,
            order,
        }
    }
}

/// A set of defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// All sizes follow from the lattices in the image.
    Auto,
    /// The method of pySTEM's paper, with the sizes given.
    Pystem,
}

/// The library's parameters for an image, and what is to be said about them.
#[derive(Debug)]
pub struct Chosen {
    /// The parameters.
    pub params: Params,
    /// What is to be said about them.
    pub remarks: Remarks,
    /// How the image repeats, where it was looked for.
    pub repetition: Option<Repetition>,
}

impl Settings {
    /// The parameters for `micrograph`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for lengths with a unit where the pixel size is not known, and
    /// settings that do not go together; and for a list of translations that cannot be read.
    pub fn choose(&self, micrograph: &Micrograph) -> Result<Chosen> {
        let Chosen { mut params, remarks, repetition } = match self.preset() {
            Preset::Auto => self.automatic(micrograph)?,
            Preset::Pystem => self.plain(micrograph)?,
        };
        params.most_clusters = self.most_clusters;
        params.boundary_phases = self.boundary_phases;
        params.marks = self.marks.clone();
        params.relabel.merge = self.merge.clone();
        params.restarts = self.restarts;
        params.seed = self.seed;
        params.border = self.border;
        params.order = self.order;
        params.weights = self.descriptor.families.weights();
        params.reduce = self.reduce.unwrap_or(params.reduce);
        if let Some(components) = self.components {
            if params.reduce == Reduce::Maf {
                let reason = "autocorrelation factors are as many as the patterns; leave it out, \
                              or give `reduce = pca`";
                let (name, value) = match components {
                    Components::Count(count) => ("components", count as f64),
                    Components::Variance(share) => ("variance", share),
                };
                return Err(Error::parameter(name, value, reason));
            }
            params.components = components;
        }
        self.set_labels(&mut params.labels)?;
        Ok(Chosen { params, remarks, repetition })
    }

    /// Checks what can be checked without an image.
    ///
    /// # Errors
    /// [`Error::Parameter`] for settings that do not go together, and for no number of patterns
    /// where there is nothing to choose it from; and for a list of translations that cannot be
    /// read.
    pub fn check(&self) -> Result<()> {
        if self.period.is_some() && self.preset() == Preset::Pystem {
            let reason =
                "only `preset = auto` takes sizes from a period; leave it out, or add that";
            return Err(Error::parameter("period", "given", reason));
        }
        self.descriptor.check(&self.names())?;
        let factors = match self.reduce {
            None => self.preset() == Preset::Auto,
            Some(Reduce::Pca) => false,
            Some(Reduce::Maf) => true,
        };
        if self.clusters.is_empty() && !factors {
            let reason = "the number of patterns is chosen from the factors of `preset = auto`; give it, as `clusters = 3`";
            return Err(Error::parameter("clusters", "auto", reason));
        }
        Ok(())
    }

    /// Names of the families.
    pub fn names(&self) -> Vec<&str> {
        match (self.descriptor.families.names(), self.preset()) {
            (names, _) if !names.is_empty() => names,
            (_, Preset::Auto) => vec!["centred-translation", "harmonic"],
            (_, Preset::Pystem) => vec!["translation"],
        }
    }

    /// The preset, where it was given or follows from the families.
    pub fn preset(&self) -> Preset {
        let implied = match self.descriptor.families.is_empty() {
            true => Preset::Auto,
            false => Preset::Pystem,
        };
        self.preset.unwrap_or(implied)
    }

    fn plain(&self, micrograph: &Micrograph) -> Result<Chosen> {
        let size = micrograph.pixel_size();
        let default = Params::default();
        let families = self.descriptor.chosen(micrograph, size, default.families)?;
        let stride = self.descriptor.stride(size)?.unwrap_or(default.stride);
        let clusters = self.clusters.clone();
        let params = Params { families, stride, clusters, ..Params::default() };
        Ok(Chosen { params, remarks: Remarks::default(), repetition: None })
    }

    fn automatic(&self, micrograph: &Micrograph) -> Result<Chosen> {
        let given = length::fraction(&self.period, "period", micrograph.pixel_size())?;
        let mut remarks = Remarks::default();
        // Looked for in any case: one that was given may be far from it.
        let found = automatic::period(micrograph);
        let sampling = automatic::sampling_for(given, found);
        if given.is_none() {
            remarks.note(found_in_words(found.is_some(), sampling));
        }
        let repetition = Some(Repetition::new(found, given));
        let automatic = automatic::params(sampling, self.clusters.clone());
        let scale = automatic.sampling.map_or(1.0, |sampling: Sampling| sampling.scale());
        let size = micrograph.pixel_size();
        let size = size.map(|p| PixelSize { rows: p.rows / scale, cols: p.cols / scale });
        let families = self.descriptor.chosen(micrograph, size, automatic.families)?;
        let stride = self.descriptor.stride(size)?.unwrap_or(automatic.stride);
        let params = Params { families, stride, ..automatic };
        Ok(Chosen { params, remarks, repetition })
    }

    /// `error`, in words about the image where it is about a size that nobody gave, which
    /// followed from the period under `sampling`.
    pub(crate) fn of_the_image(
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
                     {period:.1} px; give `period` where that is not right, or `preset = pystem` with a small \
                     `patch` and `window`"
                ))
            }
            (other, _) => other,
        }
    }

    fn set_labels(&self, labels: &mut Labels) -> Result<()> {
        let Self { smooth, least_confidence: given, .. } = self;
        if smooth.is_none() && given.is_none() {
            return Ok(());
        }
        let (before, least) = match *labels {
            Labels::Nearest => (0.0, 0.0),
            Labels::Interpolated { smooth, least_confidence } => (smooth, least_confidence),
        };
        let (smooth, least_confidence) = (smooth.unwrap_or(before), given.unwrap_or(least));
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
