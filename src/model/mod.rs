//! [`Model`]: what was learnt of one image, or of many, and labels any other of the kind.

mod apply;
mod file;

use std::ops::Range;
use std::path::Path;

use ndarray::{Array1, Array2, s};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::cluster::gap::Gaps;
use crate::image::micrograph::PixelSize;
use crate::pipeline::{Patterns, Segmentation};
use crate::plan::{Params, Plan, Relabelling};
use crate::reduce::pca::{Explained, Pca};

pub use apply::Scale;
pub(crate) use apply::{Like, period};

/// Version of the format that this library writes, and the only one it reads.
pub const FORMAT: u32 = 2;

/// Patterns as they were found, with all that it takes to find them in another image: how
/// that is resampled, the map from descriptors to features, centres, spread and distances of
/// the patterns, how labels are made of them, and their numbers and names.
///
/// A descriptor `x` `[D]` of an image at mean 0 and variance 1 has the features
/// `components (x - mean)` `[q]`; what becomes of these is in
/// [`labels`](crate::labels::regions). `model.json` holds it, with a schema
/// (`assets/model.schema.json`).
///
/// ```
/// # use ndarray::Array2;
/// # let image = |wide: usize| Array2::from_shape_fn((160, 200), |(row, col)| {
/// #     let along = if col < wide { row } else { row + col };
/// #     let noise = ((row * 7919 + col * 104_729) % 1009) as f32 / 5000.0;
/// #     (along as f32 * std::f32::consts::TAU / 8.0).cos()
/// #         + (col as f32 * std::f32::consts::TAU / 8.0).cos() + noise
/// # });
/// # let (first, second) = (image(120), image(60));
/// use stemseg::Segmenter;
///
/// let model = Segmenter::auto().clusters(2).fit(&first)?;
/// let labels = model.predict(&second)?.labels();
/// # assert_eq!((labels[(80, 20)], labels[(80, 180)]), (1, 2));
/// # Ok::<(), stemseg::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Model {
    /// Version of this format.
    pub format: u32,
    /// Version of stemseg that wrote it.
    pub stemseg_version: String,
    /// Parameters that the descriptors were computed with.
    pub parameters: Params,
    /// Size of a pixel of the image that it was fitted to, nm.
    pub pixel_size_nm: Option<PixelSize>,
    /// Period of the crystals in that image, px, where it was looked for and found, or given.
    pub period_px: Option<f64>,
    /// Names of the D channels.
    pub channels: Vec<String>,
    /// Mean descriptor, `[D]`.
    pub mean: Vec<f64>,
    /// Principal components or autocorrelation factors, `[q][D]`.
    pub components: Vec<Vec<f64>>,
    /// Variance along each component; of autocorrelation factors what they vary for a
    /// variance of 1 between neighbours, `[q]`.
    pub explained_variance: Vec<f64>,
    /// The same as a share of that of all, `[q]`.
    pub explained_variance_ratio: Vec<f64>,
    /// Variance of each feature about the centroids, pooled, `[q]`.
    pub within_variance: Vec<f64>,
    /// The patterns by label, 1 to k; several that have one label were merged.
    pub patterns: Vec<Pattern>,
}

/// One pattern.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Pattern {
    /// Its label; its colour follows from that.
    pub label: u16,
    /// What whoever fitted it calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its mean features, `[q]`.
    pub centroid: Vec<f64>,
    /// Share of the image, or images, that it covered.
    pub fraction: f64,
    /// How far it lies from each of the patterns, in their order, in the spread of the two;
    /// nothing for itself, and where there were too many patterns to compare.
    pub separation: Vec<Option<f64>>,
}

/// What a model is made of.
pub(crate) struct Learned<'a> {
    pub(crate) plan: &'a Plan,
    /// The map to all features, and which of these tell the patterns apart.
    pub(crate) pca: &'a Pca,
    pub(crate) columns: Range<usize>,
    /// Mean features of the clusters, `[k, q]`, and the variance about these, `[q]`.
    pub(crate) centroids: &'a Array2<f64>,
    pub(crate) within_variance: &'a Array1<f64>,
    /// Label of each cluster, and the share of the pixels that it covers, `[k]`.
    pub(crate) labels: &'a [u16],
    pub(crate) fractions: Vec<f64>,
    /// How far the clusters lie apart in the order of their labels, `[k, k]`.
    pub(crate) separations: Option<Array2<f64>>,
    /// Period of the crystals, px.
    pub(crate) period: Option<f64>,
    pub(crate) pixel_size: Option<PixelSize>,
}

impl Model {
    /// The model of `patterns`, one result of `found`, in an image with pixels of this size;
    /// where nothing was fitted, the one that labelled it.
    pub fn new(found: &Segmentation, patterns: &Patterns, pixel_size: Option<PixelSize>) -> Self {
        if let Some(model) = &found.model {
            return (**model).clone();
        }
        let Patterns { clustering, map, columns, within_variance, gaps, parts, .. } = patterns;
        let fraction = |&label: &u16| map.areas[usize::from(label) - 1].fraction;
        let (centroids, labels, fractions, gaps) = match parts {
            Some(parts) => (&parts.centroids, &parts.labels, parts.fractions.clone(), &parts.gaps),
            None => {
                let fractions = map.label_of.iter().map(fraction).collect();
                (&clustering.centroids, &map.label_of, fractions, gaps)
            }
        };
        Self::of(Learned {
            plan: &found.plan,
            pca: &found.pca,
            columns: columns.clone(),
            centroids,
            within_variance,
            labels,
            fractions,
            separations: gaps.separations().map(|all| all.to_owned()),
            period: found.repetition.and_then(|repeats| repeats.period_px),
            pixel_size,
        })
    }

    /// The model of what was learnt.
    pub(crate) fn of(learned: Learned<'_>) -> Self {
        let Learned { plan, pca, columns, centroids, labels, .. } = learned;
        let clusters = centroids.nrows();
        let separation = |one: usize, other: usize| {
            let known = learned.separations.as_ref().map(|all| all[(one, other)]);
            known.filter(|separation| separation.is_finite())
        };
        let mut order: Vec<usize> = (0..clusters).collect();
        order.sort_by_key(|&cluster| labels[cluster]);
        let pattern = |(place, &cluster): (usize, &usize)| Pattern {
            label: labels[cluster],
            name: None,
            centroid: centroids.row(cluster).to_vec(),
            fraction: learned.fractions[cluster],
            separation: (0..clusters).map(|other| separation(place, other)).collect(),
        };
        let patterns: Vec<Pattern> = order.iter().enumerate().map(pattern).collect();
        // The features that this number of clusters has.
        let explained = &pca.report;
        let components = pca.components.slice(s![columns.clone(), ..]);
        Self {
            format: FORMAT,
            stemseg_version: env!("CARGO_PKG_VERSION").into(),
            period_px: learned.period,
            parameters: plan.params().of_result(patterns.len()),
            pixel_size_nm: learned.pixel_size,
            channels: plan.channel_names(),
            mean: pca.mean.to_vec(),
            components: components.outer_iter().map(|row| row.to_vec()).collect(),
            explained_variance: explained.explained_variance[columns.clone()].to_vec(),
            explained_variance_ratio: explained.explained_variance_ratio[columns].to_vec(),
            within_variance: learned.within_variance.to_vec(),
            patterns,
        }
    }

    /// Number of patterns, k: of those that were merged one.
    pub fn clusters(&self) -> usize {
        self.patterns.last().map_or(0, |pattern| pattern.label.into())
    }

    /// Label of each of the [`patterns`](Self::patterns).
    pub fn labels(&self) -> Vec<u16> {
        self.patterns.iter().map(|pattern| pattern.label).collect()
    }

    /// What its user calls the pattern of this label.
    pub fn name(&self, label: u16) -> Option<&str> {
        let mut own = self.patterns.iter().filter(|pattern| pattern.label == label);
        own.find_map(|pattern| pattern.name.as_deref())
    }

    /// The same where some of the patterns are one, or are numbered anew.
    ///
    /// # Errors
    /// As [`Relabelling::labels`].
    pub fn relabelled(mut self, relabel: &Relabelling) -> Result<Self> {
        let labels = relabel.labels(self.clusters())?;
        let new = |pattern: &Pattern| labels[usize::from(pattern.label) - 1];
        let mut order: Vec<usize> = (0..self.patterns.len()).collect();
        order.sort_by_key(|&place| new(&self.patterns[place]));
        let pattern = |&place: &usize| {
            let old = &self.patterns[place];
            let separation = order.iter().map(|&other| old.separation[other]).collect();
            Pattern { label: new(old), separation, ..old.clone() }
        };
        self.patterns = order.iter().map(pattern).collect();
        Ok(self)
    }

    /// The map from descriptors to features.
    pub fn pca(&self) -> Pca {
        let (q, d) = (self.components.len(), self.mean.len());
        Pca {
            mean: Array1::from_vec(self.mean.clone()),
            components: Array2::from_shape_fn((q, d), |(c, i)| self.components[c][i]),
            report: Explained {
                explained_variance: self.explained_variance.clone(),
                explained_variance_ratio: self.explained_variance_ratio.clone(),
                scree: self.explained_variance_ratio.clone(),
                skipped: false,
            },
        }
    }

    /// Centroids of the [`patterns`](Self::patterns), `[patterns, q]`.
    pub fn centroids(&self) -> Array2<f64> {
        let (k, q) = (self.patterns.len(), self.components.len());
        Array2::from_shape_fn((k, q), |(p, c)| self.patterns[p].centroid[c])
    }

    /// How far the [`patterns`](Self::patterns) lie apart.
    pub fn gaps(&self) -> Gaps {
        let k = self.patterns.len();
        let compared =
            k == 1 || self.patterns.iter().any(|p| p.separation.iter().any(Option::is_some));
        let separation = |(one, other): (usize, usize)| {
            self.patterns[one].separation[other].unwrap_or(f64::INFINITY)
        };
        Gaps::known(compared.then(|| Array2::from_shape_fn((k, k), separation)))
    }

    /// The same with names for the patterns of labels 1, 2 and on.
    #[must_use]
    pub fn with_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        for pattern in &mut self.patterns {
            let name = names.get(usize::from(pattern.label) - 1).cloned();
            pattern.name = name.or_else(|| pattern.name.take());
        }
        self
    }

    /// Reads a model.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io); [`Error::Unreadable`](crate::Error::Unreadable) for
    /// what is not a model, has another version, or does not fit together.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        file::load(path.as_ref())
    }

    /// Writes the model; the file is whole or not there, and replaces another of the name.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        file::save(self, path.as_ref())
    }

    /// The model in `text`, the content of a model's file; errors name it `place`.
    ///
    /// # Errors
    /// As [`load`](Self::load), except for those of files.
    pub fn from_json(text: &str, place: impl AsRef<Path>) -> Result<Self> {
        file::parse(text, place.as_ref())
    }

    /// What [`save`](Self::save) writes.
    pub fn to_json(&self) -> String {
        file::text(self)
    }

    /// The schema that every `model.json` follows (JSON Schema 2020-12).
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}
