//! What a plan has to know of an image: [`Outline`].

use ndarray::ArcArray2;

use crate::image::micrograph::Micrograph;
use crate::sites::Extent;

/// The size of an image, which of its pixels count, and how its values are scaled.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    pub(super) shape: Extent,
    pub(super) mask: Option<ArcArray2<bool>>,
    pub(super) absent: Option<ArcArray2<bool>>,
    pub(super) deviation: f64,
}

impl Outline {
    /// An image of `rows x cols` px, all of which count, with values that deviate by
    /// `deviation` from their mean, in the file's units (rms): 1 for what is standardised.
    pub fn new((rows, cols): (usize, usize), deviation: f64) -> Self {
        Self { shape: Extent { rows, cols }, mask: None, absent: None, deviation }
    }

    /// The image without the pixels under `mask` `[rows, cols]`: they do not count, and have
    /// no label.
    #[must_use]
    pub fn without(self, mask: Option<ArcArray2<bool>>) -> Self {
        Self { absent: mask.clone(), mask, ..self }
    }
}

impl From<&Micrograph> for Outline {
    fn from(micrograph: &Micrograph) -> Self {
        Self {
            mask: micrograph.mask().cloned(),
            absent: micrograph.absent().cloned(),
            ..Self::new(micrograph.shape(), micrograph.deviation())
        }
    }
}
