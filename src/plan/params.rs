//! What a user chooses for one run: [`Params`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::levels::Strips;
use crate::descriptor::FamilyParams;
use crate::image::sampling::Sampling;
use crate::plan::Relabelling;
pub use crate::reduce::pca::Components;
use crate::{Error, Result};

/// Most clusters: labels are written as 16-bit integers, 0 being taken.
const MOST_CLUSTERS: usize = 65_534;

/// Most clusters that are tried where their number is chosen and no other limit is given.
pub const MOST_CHOSEN: usize = 8;

/// Most clusters that can be asked to be tried there: labels of 8 bits stay what they are.
const LARGEST_CHOSEN: usize = 254;

fn most_chosen() -> usize {
    MOST_CHOSEN
}

/// How many principal components of each family patterns are looked for in, where it has as
/// many channels.
pub(crate) const FAMILY_COMPONENTS: usize = 60;

/// What pixels get that lie outside the cells of the site grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Border {
    /// The nearest site's label.
    #[default]
    Nearest,
    /// 0, not segmented.
    Blank,
}

/// How labels are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// 1 is the pattern that covers most pixels, k the one that covers fewest.
    #[default]
    Size,
    /// pySTEM's order: 1 the smallest, k the largest (pySTEM's labels plus 1,
    /// since 0 is what is not segmented).
    Pystem,
}

/// How descriptors become features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reduce {
    /// The principal components, see [`pca`](crate::reduce::pca).
    #[default]
    Pca,
    /// Maximum autocorrelation factors, made region by region, see
    /// [`split`](crate::cluster::split).
    Maf,
}

impl Reduce {
    /// How many principal components of families with these `channels` are kept where `wanted`
    /// are.
    pub(super) fn components(
        self,
        wanted: Components,
        channels: impl Iterator<Item = usize>,
    ) -> Components {
        match self {
            Self::Pca => wanted,
            Self::Maf => Components::Count(channels.map(|own| own.min(FAMILY_COMPONENTS)).sum()),
        }
    }
}

/// How the labels of sites become those of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Labels {
    /// The label of the nearest site.
    #[default]
    Nearest,
    /// That of the highest score, which is interpolated; see
    /// [`regions`](crate::labels::regions).
    Interpolated {
        /// How much is smoothed, as a multiple of what
        /// [`automatic`](crate::plan::automatic) does; 0 for none.
        smooth: f64,
        /// Pixels whose membership is below this get no label, 0 to 1.
        least_confidence: f64,
    },
}

/// A pixel whose pattern is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// Its row, px of the image.
    pub row: usize,
    /// Its column.
    pub col: usize,
    /// The label of its pattern, as it is without marks; from the number of patterns on, one more each,
    /// those of new ones.
    pub label: u16,
}

/// What a user chooses for one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Params {
    /// Descriptor families, concatenated.
    pub families: Vec<FamilyParams>,
    /// How much each family counts relative to the others, in their order; 1 for all
    /// where it is empty.
    #[serde(default)]
    pub weights: Vec<f64>,
    /// Distance of neighbouring sites, px.
    pub stride: usize,
    /// How many principal components are kept. Autocorrelation factors are made of a fixed
    /// number: of whatever stands here a [`Plan`](crate::Plan) makes what is used.
    pub components: Components,
    /// Numbers of clusters, each giving a label map; empty: one that is
    /// [chosen](crate::cluster::choose).
    pub clusters: Vec<usize>,
    /// Most patterns that there may be where their number is chosen.
    #[serde(default = "most_chosen")]
    pub most_clusters: usize,
    /// Whether layers a few atoms thick along boundaries are patterns of their own as soon as they
    /// differ enough. Otherwise such a strip is doubted: sites near any boundary see both sides. Only
    /// autocorrelation factors tell strips.
    #[serde(default)]
    pub boundary_phases: bool,
    /// Pixels whose pattern is known, of the one image that is segmented.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// Which patterns are one, and how they are numbered then.
    #[serde(default, skip_serializing_if = "Relabelling::is_none")]
    pub relabel: Relabelling,
    /// Restarts of k-means, of which one is kept.
    pub restarts: usize,
    /// Seed of every random choice.
    pub seed: u64,
    /// Labels outside the site grid.
    pub border: Border,
    /// Numbering of labels.
    pub order: Order,
    /// How the image is resampled; as it is where nothing is said.
    #[serde(default)]
    pub sampling: Option<Sampling>,
    /// How descriptors become features.
    #[serde(default)]
    pub reduce: Reduce,
    /// How labels of sites become those of pixels.
    #[serde(default)]
    pub labels: Labels,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{}={}", self.row, self.col, self.label)
    }
}

impl Default for Params {
    fn default() -> Self {
        Self {
            families: vec![FamilyParams::Translation(Default::default())],
            weights: Vec::new(),
            stride: 5,
            components: Components::Count(5),
            clusters: vec![2],
            most_clusters: MOST_CHOSEN,
            boundary_phases: false,
            marks: Vec::new(),
            relabel: Relabelling::default(),
            restarts: 10,
            seed: 0,
            border: Border::default(),
            order: Order::default(),
            sampling: None,
            reduce: Reduce::default(),
            labels: Labels::default(),
        }
    }
}

impl Params {
    /// The largest number of patterns that there can be.
    pub fn most_patterns(&self) -> usize {
        self.clusters.iter().copied().max().unwrap_or(self.most_clusters)
    }

    fn check_marks(&self) -> Result<()> {
        let Some(first) = self.marks.first() else { return Ok(()) };
        let refused = |mark: &Mark, reason| Err(Error::parameter("mark", mark, reason));
        if self.reduce == Reduce::Pca || self.labels == Labels::Nearest {
            return refused(first, "marks need `reduce = maf` and `preset = auto`");
        }
        if self.clusters.len() > 1 {
            return refused(first, "marks belong to one number of `clusters`; give one");
        }
        for (i, mark) in self.marks.iter().enumerate() {
            if mark.label == 0 {
                return refused(mark, "labels of patterns begin with 1; 0 is what has none");
            }
            let same = |other: &&Mark| (other.row, other.col) == (mark.row, mark.col);
            if self.marks[..i].iter().find(same).is_some_and(|other| other.label != mark.label) {
                return refused(mark, "the same pixel is marked with another label too");
            }
        }
        Ok(())
    }

    /// What strips along boundaries are taken for.
    pub(crate) fn strips(&self) -> Strips {
        match self.boundary_phases {
            true => Strips::Kept,
            false => Strips::Doubted,
        }
    }

    /// These for one of the results, which has this number of `clusters`. Marks and new labels speak of
    /// the number that there was without, which stays.
    #[must_use]
    pub fn of_result(&self, clusters: usize) -> Self {
        let clusters = match self.marks.is_empty() && self.relabel.is_none() {
            true => vec![clusters],
            false => self.clusters.clone(),
        };
        Self { clusters, ..self.clone() }
    }

    /// Checks what needs no image.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the parameter and its limit.
    pub(crate) fn check(&self) -> Result<()> {
        let at_least_one = |name, value: usize| match value {
            0 => Err(Error::parameter(name, value, "it must be at least 1")),
            _ => Ok(()),
        };
        at_least_one("stride", self.stride)?;
        at_least_one("restarts", self.restarts)?;
        self.sampling.map_or(Ok(()), |sampling| sampling.check())?;
        if self.families.is_empty() {
            return Err(Error::parameter("descriptor", "", "give at least one family"));
        }
        if !self.weights.is_empty() && self.weights.len() != self.families.len() {
            let reason = format!("give one for each of the {} families", self.families.len());
            return Err(Error::parameter(
                "weights",
                format!("{} weights", self.weights.len()),
                reason,
            ));
        }
        if let Some(weight) = self.weights.iter().find(|w| !(w.is_finite() && **w > 0.0)) {
            return Err(Error::parameter("weights", weight, "a weight is above 0"));
        }
        match self.components {
            Components::Count(count) => at_least_one("components", count)?,
            Components::Variance(share) if share > 0.0 && share <= 1.0 => {}
            Components::Variance(share) => {
                return Err(Error::parameter(
                    "variance",
                    share,
                    "it is a share above 0 and up to 1",
                ));
            }
        }
        if let Labels::Interpolated { smooth, least_confidence } = self.labels {
            if !(0.0..=100.0).contains(&smooth) {
                return Err(Error::parameter("smooth", smooth, "give 0 to 100"));
            }
            if !(0.0..=1.0).contains(&least_confidence) {
                let reason = "it is a share from 0 to 1";
                return Err(Error::parameter("min-confidence", least_confidence, reason));
            }
        }
        if self.clusters.is_empty() && self.reduce == Reduce::Pca {
            let reason = "their number is chosen from autocorrelation factors alone; give one, or \
                          `reduce = maf`";
            return Err(Error::parameter("clusters", "auto", reason));
        }
        if self.boundary_phases && self.reduce == Reduce::Pca {
            let reason =
                "principal components do not tell strips; leave it out, or give `reduce = maf`";
            return Err(Error::parameter("boundary-phases", "true", reason));
        }
        self.check_marks()?;
        self.relabel.check()?;
        if !self.relabel.is_none() && self.clusters.len() > 1 {
            let reason = "patterns of one number of `clusters` are merged; give one";
            return Err(Error::parameter("merge", &self.relabel, reason));
        }
        if !(1..=LARGEST_CHOSEN).contains(&self.most_clusters) {
            let reason = format!("from 1 to {LARGEST_CHOSEN} patterns can be looked for");
            return Err(Error::parameter(
                "clusters",
                format!("auto:{}", self.most_clusters),
                reason,
            ));
        }
        for (i, &k) in self.clusters.iter().enumerate() {
            at_least_one("clusters", k)?;
            if k > MOST_CLUSTERS {
                return Err(Error::parameter(
                    "clusters",
                    k,
                    format!("at most {MOST_CLUSTERS} are possible"),
                ));
            }
            if self.clusters[..i].contains(&k) {
                return Err(Error::parameter("clusters", k, "it is listed twice"));
            }
        }
        Ok(())
    }
}
