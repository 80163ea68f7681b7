//! `model.json`: what it takes to find the same patterns in another image.

use std::path::Path;

use ndarray::{Array1, Array2};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::micrograph::PixelSize;
use crate::pipeline::{Patterns, Segmentation};
use crate::plan::Params;
use crate::reduce::pca::{Explained, Pca};
use crate::{Error, Result};

/// Version of the format that this library writes, and the only one it reads.
pub const FORMAT: u32 = 1;

/// Patterns as they were found in one image.
///
/// A descriptor `x` `[D]` of an image at mean 0 and variance 1 has the features
/// `components (x - mean)` `[q]` and the label of the nearest centroid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Version of this format.
    pub format: u32,
    /// Version of stemseg that wrote it.
    pub stemseg_version: String,
    /// Parameters that the descriptors were computed with.
    pub parameters: Params,
    /// Size of a pixel of that image, nm.
    pub pixel_size_nm: Option<PixelSize>,
    /// Names of the D channels.
    pub channels: Vec<String>,
    /// Mean descriptor, `[D]`.
    pub mean: Vec<f64>,
    /// Principal components, `[q][D]`.
    pub components: Vec<Vec<f64>>,
    /// Variance along each component; of autocorrelation factors what they vary for a
    /// variance of 1 between neighbours, `[q]`.
    pub explained_variance: Vec<f64>,
    /// The same as a share of that of all, `[q]`.
    pub explained_variance_ratio: Vec<f64>,
    /// Variance of each feature about the centroids, pooled, `[q]`.
    pub within_variance: Vec<f64>,
    /// The patterns by label, 1 to k.
    pub patterns: Vec<Pattern>,
}

/// One pattern.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// Its label.
    pub label: u16,
    /// Its mean features, `[q]`.
    pub centroid: Vec<f64>,
    /// Share of the image that it covered.
    pub fraction: f64,
}

impl Model {
    /// The model of `patterns`, one result of `found`.
    pub fn new(found: &Segmentation, patterns: &Patterns, pixel_size: Option<PixelSize>) -> Self {
        let Patterns { clustering, map, within_variance, .. } = patterns;
        let mut list: Vec<Pattern> = map
            .label_of
            .iter()
            .zip(clustering.centroids.rows())
            .map(|(&label, centroid)| Pattern {
                label,
                centroid: centroid.to_vec(),
                fraction: map.areas[usize::from(label) - 1].fraction,
            })
            .collect();
        list.sort_by_key(|p| p.label);
        let params = found.plan.params().clone();
        // The features that this number of clusters has.
        let features = within_variance.len();
        let explained = &found.pca.report;
        Self {
            format: FORMAT,
            stemseg_version: env!("CARGO_PKG_VERSION").into(),
            parameters: Params { clusters: vec![list.len()], ..params },
            pixel_size_nm: pixel_size,
            channels: found.plan.channel_names(),
            mean: found.pca.mean.to_vec(),
            components: found
                .pca
                .components
                .rows()
                .into_iter()
                .take(features)
                .map(|r| r.to_vec())
                .collect(),
            explained_variance: explained.explained_variance[..features].to_vec(),
            explained_variance_ratio: explained.explained_variance_ratio[..features].to_vec(),
            within_variance: within_variance.to_vec(),
            patterns: list,
        }
    }

    /// Reads a model.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Unreadable`] for what is no model, has another
    /// version, or does not fit together.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let value: serde_json::Value = serde_json::from_str(&text)
            .map_err(|e| Error::unreadable(path, format!("it is not JSON: {e}")))?;
        match value["format"].as_u64() {
            Some(version) if version == u64::from(FORMAT) => {}
            Some(version) => {
                let reason = format!(
                    "it is a model of format {version}, but this stemseg reads format {FORMAT}"
                );
                return Err(Error::unreadable(path, reason));
            }
            None => {
                return Err(Error::unreadable(
                    path,
                    "it is not a stemseg model (it has no 'format')",
                ));
            }
        }
        let model: Self = serde_json::from_value(value)
            .map_err(|e| Error::unreadable(path, format!("it is not a whole model: {e}")))?;
        model.check().map_err(|reason| Error::unreadable(path, reason))?;
        Ok(model)
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

    /// Centroids in the order of the labels, `[k, q]`; row 0 is label 1.
    pub fn centroids(&self) -> Array2<f64> {
        let (k, q) = (self.patterns.len(), self.components.len());
        Array2::from_shape_fn((k, q), |(p, c)| self.patterns[p].centroid[c])
    }

    /// The schema that every `model.json` follows (JSON Schema 2020-12).
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    fn check(&self) -> Result<(), String> {
        let (d, q) = (self.mean.len(), self.components.len());
        let same = |what: &str, got: usize, expected: usize| match got == expected {
            true => Ok(()),
            false => Err(format!("its {what} has {got} values instead of {expected}")),
        };
        same("channels", self.channels.len(), d)?;
        self.components.iter().try_for_each(|c| same("components", c.len(), d))?;
        same("explained_variance", self.explained_variance.len(), q)?;
        same("explained_variance_ratio", self.explained_variance_ratio.len(), q)?;
        same("within_variance", self.within_variance.len(), q)?;
        if self.patterns.is_empty() {
            return Err("it holds no pattern".into());
        }
        for (i, pattern) in self.patterns.iter().enumerate() {
            same("centroid", pattern.centroid.len(), q)?;
            if usize::from(pattern.label) != i + 1 {
                return Err(format!("pattern {} has the label {}", i + 1, pattern.label));
            }
        }
        Ok(())
    }
}
