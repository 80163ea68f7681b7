//! The stages that are timed.

use serde::Serialize;

use stemseg::{Error, Result};

/// A stage of a segmentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Pixels in f32 to mean 0 and variance 1.
    Standardise,
    /// What a backend makes of a plan before the first band: tables, and on a GPU
    /// its compiled kernels.
    Upload,
    /// Descriptors of all sites, norm maps included, into a buffer `[sites, D]`
    /// that is there already (on a GPU with the way back).
    Descriptors,
    /// Descriptors as before, but summed up for mean and covariance.
    Accumulate,
    /// These sums alone, of descriptors that are there: on the processor tile by
    /// tile in its cache, as `accumulate` does; on a GPU those it keeps.
    Covariance,
    /// Eigenvectors from the sums.
    Pca,
    /// Features of all sites; the processor describes them again for that.
    Project,
    /// One assignment of the features to k centroids, with the clusters' sums.
    KMeans,
    /// The same of a million points of 5 features to 8 centroids.
    KMeansMillion,
    /// From one label per site to one per pixel, ordered and counted.
    LabelMap,
    /// All of [`pipeline::segment`](stemseg::pipeline::segment).
    Segment,
    /// A frame of a film whose model is there: from pixels to labels and confidence, by
    /// [`Frames`](stemseg::pipeline::frames::Frames).
    Frame,
}

impl Stage {
    /// All stages, in their order.
    pub const ALL: [Self; 12] = [
        Self::Standardise,
        Self::Upload,
        Self::Descriptors,
        Self::Accumulate,
        Self::Covariance,
        Self::Pca,
        Self::Project,
        Self::KMeans,
        Self::KMeansMillion,
        Self::LabelMap,
        Self::Segment,
        Self::Frame,
    ];

    /// Its name, as on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standardise => "standardise",
            Self::Upload => "upload",
            Self::Descriptors => "descriptors",
            Self::Accumulate => "accumulate",
            Self::Covariance => "covariance",
            Self::Pca => "pca",
            Self::Project => "project",
            Self::KMeans => "k-means",
            Self::KMeansMillion => "k-means-million",
            Self::LabelMap => "label-map",
            Self::Segment => "segment",
            Self::Frame => "frame",
        }
    }

    /// The operations that are counted, the same for every device and version
    /// whatever it really does; nothing where a count would say little.
    pub fn counted(self) -> Option<&'static str> {
        match self {
            Self::Descriptors => Some(
                "per pixel of the sites' cells 2 for a translation, 8 for a centred one; per pixel \
                 of a disc 2 for each part of a harmonic",
            ),
            Self::Accumulate => Some("those of descriptors and covariance"),
            Self::Covariance => Some("D (D + 1) per site"),
            Self::Project => Some("2 q D per site, with those of descriptors where they are made"),
            Self::KMeans | Self::KMeansMillion => Some("3 k q + q per point"),
            _ => None,
        }
    }
}

impl std::str::FromStr for Stage {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let names = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|stage| stage.name() == text);
        found.ok_or_else(|| Error::parameter("stage", text, format!("the stages are: {names}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_the_stages_and_are_those_of_json() {
        for stage in Stage::ALL {
            assert_eq!(stage.name().parse::<Stage>().unwrap(), stage);
            assert_eq!(serde_json::json!(stage), stage.name());
        }
        assert!("descriptor".parse::<Stage>().unwrap_err().to_string().contains("descriptors"));
    }
}
