//! A model on another image.

use super::Model;
use crate::backend::Backend;
use crate::image::micrograph::{Micrograph, PixelSize};
use crate::image::sampling::Sampling;
use crate::lattice::{Period, Repetition};
use crate::pipeline::{self, Also, Known, Segmentation};
use crate::plan::{Params, Plan, automatic};
use crate::progress::{Progress, Silent};
use crate::segmenter::Image;
use crate::{Error, Result, backend};

/// How far an image's period may be from the model's: what is farther is another crystal, or
/// another magnification.
const FARTHEST: f64 = 1.3;

/// What says how an image is resampled, so that its crystals repeat like those that a model
/// was fitted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Scale {
    /// The pixel sizes, where the model and the image have one. Else the model's period where
    /// the image's own is near it, since images of one magnification repeat alike except for the
    /// phases in them; else the image's own.
    #[default]
    Auto,
    /// The period of the lattices in the image itself, as in a fit.
    Own,
    /// The model's period, in px of the image that it was fitted to.
    Model,
}

impl Model {
    /// Labels `image`, a [`Micrograph`] or an array `[rows, cols]`, on the device that
    /// [`backend::DeviceChoice::Auto`] takes: numbers, names and colours of labels are the model's.
    ///
    /// # Errors
    /// As [`predict_on`](Self::predict_on); [`Error::NoDevice`].
    pub fn predict<I: Image + ?Sized>(&self, image: &I) -> Result<Segmentation> {
        let micrograph = image.micrograph()?;
        let (plan, repetition) = self.plan(&micrograph, Scale::Auto)?;
        let families: Vec<&str> = plan.families().iter().map(|family| family.name()).collect();
        let (backend, _) = backend::open(&Default::default(), Default::default(), &families)?;
        let also = Also { repetition: Some(repetition), ..Also::default() };
        self.predict_on(&micrograph, plan, &*backend, &Silent, also)
    }

    /// Labels `micrograph`, for which [`plan`](Self::plan) made `plan`, on `backend`.
    ///
    /// # Errors
    /// As [`pipeline::segment`].
    pub fn predict_on(
        &self,
        micrograph: &Micrograph,
        plan: Plan,
        backend: &dyn Backend,
        progress: &dyn Progress,
        also: Also<'_>,
    ) -> Result<Segmentation> {
        let known = Known {
            pca: self.pca(),
            centroids: self.centroids(),
            labels: self.labels(),
            within_variance: self.within_variance.iter().copied().collect(),
            gaps: &self.gaps(),
        };
        let found = pipeline::predict(micrograph, plan, known, backend, progress, also)?;
        Ok(Segmentation { model: Some(Box::new(self.clone())), ..found })
    }

    /// What is computed to label `micrograph`, resampled as `scale` says, and how the image
    /// repeats.
    ///
    /// # Errors
    /// [`Error::Parameter`] named `model` where it does not fit the image: a period or pixels
    /// that are more than 30 % off, other channels. As [`Plan::new`].
    pub fn plan(&self, micrograph: &Micrograph, scale: Scale) -> Result<(Plan, Repetition)> {
        let own = automatic::period(micrograph);
        let sampling = self.sampling(micrograph.pixel_size(), own, scale)?;
        // Marks speak of pixels of the image that it was fitted to, and patterns have their labels.
        let (marks, relabel) = Default::default();
        let params = Params { sampling, marks, relabel, ..self.parameters.clone() };
        let plan = Plan::new(params, micrograph)?;
        self.check_channels(&plan)?;
        let given = sampling.map(|sampling| sampling.period).filter(|_| scale != Scale::Own);
        Ok((plan, Repetition::new(own, given.filter(|_| self.period_px.is_some()))))
    }

    /// How an image with pixels of `size`, whose lattices have the period `own`, is resampled.
    fn sampling(
        &self,
        size: Option<PixelSize>,
        own: Option<Period>,
        scale: Scale,
    ) -> Result<Option<Sampling>> {
        let sizes = self.pixel_size_nm.zip(size);
        let Some(fitted) = self.parameters.sampling else {
            return self.check_sizes(sizes).map(|()| None);
        };
        match period(fitted.period, sizes, own, scale)? {
            Like::Period(period) => Ok(Some(Sampling { period, ..fitted })),
            Like::Other { model, image } => Err(self.off(model, image)),
        }
    }

    /// The error of crystals that repeat every given number of nm in the model and in the image.
    fn off(&self, model: f64, image: f64) -> Error {
        let reason = format!(
            "its crystals repeat every {model:.3} nm, but those in the image every {image:.3} nm, which is \
             more than {:.0} % off; check the pixel sizes, or take the image's own period (`scale = own`)",
            100.0 * (FARTHEST - 1.0)
        );
        Error::parameter("model", self.clusters_in_words(), reason)
    }

    /// Where nothing is resampled, pixels have to be of about the same size.
    fn check_sizes(&self, sizes: Option<(PixelSize, PixelSize)>) -> Result<()> {
        let Some((model, image)) = sizes.map(|(model, image)| (mean(model), mean(image))) else {
            return Ok(());
        };
        if ratio(model, image) <= FARTHEST {
            return Ok(());
        }
        let reason = format!(
            "it was fitted to pixels of {model:.4} nm without resampling, but those of the image have \
             {image:.4} nm, which is more than {:.0} % off",
            100.0 * (FARTHEST - 1.0)
        );
        Err(Error::parameter("model", self.clusters_in_words(), reason))
    }

    fn check_channels(&self, plan: &Plan) -> Result<()> {
        let channels = plan.channel_names();
        if channels == self.channels {
            return Ok(());
        }
        let differs = channels.iter().zip(&self.channels).find(|(own, others)| own != others);
        let reason = match differs {
            Some((own, other)) => {
                format!("it has the channel '{other}' where this stemseg computes '{own}'")
            }
            None => format!(
                "it has {} channels, but this stemseg computes {} of its families",
                self.channels.len(),
                channels.len()
            ),
        };
        Err(Error::parameter("model", self.clusters_in_words(), reason))
    }

    fn clusters_in_words(&self) -> String {
        match self.clusters() {
            1 => "1 pattern".into(),
            k => format!("{k} patterns"),
        }
    }
}

/// The period of an image that is to be resampled like another.
pub(crate) enum Like {
    /// It, px.
    Period(f64),
    /// By the pixel sizes the two are too far apart; both, nm.
    Other { model: f64, image: f64 },
}

/// The period of an image whose lattices have the period `own`, if it is of the kind of one
/// that repeats every `fitted` px; `sizes` are those of the pixels of both, where they are
/// known.
pub(crate) fn period(
    fitted: f64,
    sizes: Option<(PixelSize, PixelSize)>,
    own: Option<Period>,
    scale: Scale,
) -> Result<Like> {
    // Px of the image, if crystals repeat like those of the other.
    let by_size = sizes.map(|(model, image)| fitted * mean(model) / mean(image));
    let expected = by_size.unwrap_or(fitted);
    let near = |period: f64| ratio(period, expected) <= FARTHEST;
    Ok(Like::Period(match (scale, own) {
        (Scale::Own, Some(own)) => own.length,
        (Scale::Own, None) => {
            let reason = "the image has no lattice whose period could be taken; take the model's";
            return Err(Error::parameter("scale", "own", reason));
        }
        (Scale::Auto, Some(own)) if !near(own.length) && !near(own.shortest) => match sizes {
            Some((model, image)) => {
                let (model, image) = (fitted * mean(model), own.length * mean(image));
                return Ok(Like::Other { model, image });
            }
            None => own.length,
        },
        (Scale::Model | Scale::Auto, _) => expected,
    }))
}

/// Edge of a square with the area of a pixel of this size, nm.
fn mean(size: PixelSize) -> f64 {
    (size.rows * size.cols).sqrt()
}

/// The larger by the smaller.
fn ratio(a: f64, b: f64) -> f64 {
    (a / b).max(b / a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FORMAT;

    fn model(sampling: Option<Sampling>, nm: Option<f64>) -> Model {
        Model {
            format: FORMAT,
            stemseg_version: String::new(),
            parameters: Params { sampling, ..Params::default() },
            pixel_size_nm: nm.map(square),
            period_px: None,
            channels: Vec::new(),
            mean: Vec::new(),
            components: Vec::new(),
            explained_variance: Vec::new(),
            explained_variance_ratio: Vec::new(),
            within_variance: Vec::new(),
            patterns: Vec::new(),
        }
    }

    fn square(nm: f64) -> PixelSize {
        PixelSize { rows: nm, cols: nm }
    }

    fn period(length: f64) -> Period {
        Period { length, reflections: 3.0, shortest: length, clarity: 1.0, share: 1.0 }
    }

    #[test]
    fn an_image_is_resampled_by_pixel_sizes_or_its_own_period() {
        let fitted = Some(Sampling { period: 10.0, target: 14.0 });
        let of = |nm: (Option<f64>, Option<f64>), own: Option<f64>, scale| {
            let own = own.map(period);
            let found = model(fitted, nm.0).sampling(nm.1.map(square), own, scale);
            found.map(|sampling| sampling.unwrap().period).map_err(|error| error.to_string())
        };
        let no_sizes = (None, None);
        // Of one magnification: what the lattices of other phases say does not count.
        assert_eq!(of(no_sizes, Some(11.5), Scale::Auto), Ok(10.0));
        assert_eq!(of(no_sizes, None, Scale::Auto), Ok(10.0));
        // Enlarged.
        assert_eq!(of(no_sizes, Some(15.0), Scale::Auto), Ok(15.0));
        assert_eq!(of(no_sizes, Some(15.0), Scale::Model), Ok(10.0));
        assert_eq!(of(no_sizes, Some(11.5), Scale::Own), Ok(11.5));
        assert!(of(no_sizes, None, Scale::Own).unwrap_err().contains("no lattice"));
        // Known by the pixels.
        let halved = (Some(0.02), Some(0.01));
        assert_eq!(of(halved, Some(21.0), Scale::Auto), Ok(20.0));
        assert_eq!(of(halved, None, Scale::Auto), Ok(20.0));
        let error = of(halved, Some(10.0), Scale::Auto).unwrap_err();
        assert!(error.contains("0.200 nm") && error.contains("0.100 nm"), "{error}");
        assert_eq!(of(halved, Some(10.0), Scale::Own), Ok(10.0));
    }

    #[test]
    fn without_resampling_pixels_have_to_be_alike() {
        let of = |nm: f64| model(None, Some(0.02)).sampling(Some(square(nm)), None, Scale::Auto);
        assert_eq!(of(0.025).unwrap(), None);
        let error = of(0.03).unwrap_err().to_string();
        assert!(error.contains("0.0200 nm") && error.contains("0.0300 nm"), "{error}");
        assert!(model(None, None).sampling(Some(square(1.0)), None, Scale::Auto).is_ok());
    }
}
