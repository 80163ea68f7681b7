//! Fits to several images: all in one place, or step by step where they are.

use stemseg::image::micrograph::Micrograph;
use stemseg::pipeline::many::steps::{Centres, Cover, Kind, Learnt, On, Points, Sites, Sums};
use stemseg::pipeline::many::{Planned, Succession};
use stemseg::{Error, Model, Result, Segmenter};

use crate::Request;
use crate::devices::Devices;
use crate::input::array::ARRAY;
use crate::input::read::{Read, with_path};
use crate::method::Method;
use crate::observer::Observer;
use crate::single::within;

/// The model of the patterns in `images` together, by the settings, the device and the memory of
/// `request`; sizes that follow from an image are those of the first.
///
/// # Errors
/// As [`Segmenter::fit_many`], and for settings that cannot be.
pub fn fit(images: &[Read], request: &Request, observer: &dyn Observer) -> Result<Model> {
    let Some(first) = images.first() else {
        return Err(Error::parameter("images", 0, "give at least one"));
    };
    images.iter().try_for_each(shows)?;
    let micrographs: Vec<Micrograph> = images.iter().map(|i| i.micrograph.clone()).collect();
    segmenter(first, request)?.fit_many_watched(&micrographs, observer)
}

/// A fit in [steps](stemseg::pipeline::many::steps), each of which may be done on another machine,
/// with the same settings: it gives the bits of [`fit`].
pub struct FitSteps<'a> {
    /// The settings, the device and the memory.
    pub request: &'a Request,
    /// Who is told how far it is.
    pub observer: &'a dyn Observer,
}

/// An image that is fitted to, or what was made of it.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// The image.
    pub image: &'a Read,
    /// Whether it is the first.
    pub first: bool,
}

impl FitSteps<'_> {
    /// What the images have in common, by the first.
    ///
    /// # Errors
    /// As [`fit`].
    pub fn kind(&self, first: &Read) -> Result<Kind> {
        shows(first)?;
        segmenter(first, self.request)?.kind(&first.micrograph)
    }

    /// Sums over the sites of an image.
    ///
    /// # Errors
    /// As [`fit`].
    pub fn sums(&self, kind: &Kind, part: Part<'_>) -> Result<Sums> {
        shows(part.image)?;
        self.with(kind, part, |image, on| image.sums(on))
    }

    /// The sites of an image, by the sums of all.
    ///
    /// # Errors
    /// As [`fit`].
    pub fn sites(&self, kind: &Kind, part: Part<'_>, sums: &Sums) -> Result<Sites> {
        self.with(kind, part, |image, on| image.sites(sums, on))
    }

    /// What tells patterns apart, by the sums of all images and the sites of each.
    ///
    /// # Errors
    /// As [`fit`].
    pub fn learnt(&self, kind: &Kind, sums: &Sums, sites: Vec<Sites>) -> Result<Learnt> {
        Learnt::new(kind, sums, sites, self.observer)
    }

    /// The features of the sites of an image.
    ///
    /// # Errors
    /// As [`fit`].
    pub fn points(&self, kind: &Kind, part: Part<'_>, learnt: &Learnt) -> Result<Points> {
        self.with(kind, part, |image, on| image.points(learnt, on))
    }

    /// Where patterns lie, by the features of each image.
    ///
    /// # Errors
    /// As [`fit`].
    pub fn centres(&self, kind: &Kind, learnt: &Learnt, points: &[Points]) -> Result<Centres> {
        let points: Vec<&Points> = points.iter().collect();
        self.on(|on| Centres::new(kind, learnt, &points, on))
    }

    /// What patterns cover in an image with these `points`.
    ///
    /// # Errors
    /// As [`fit`].
    pub fn cover(
        &self,
        kind: &Kind,
        part: Part<'_>,
        points: &Points,
        (learnt, centres): (&Learnt, &Centres),
    ) -> Result<Cover> {
        self.with(kind, part, |image, (backend, _)| image.cover(points, learnt, centres, backend))
    }

    /// The model, by what patterns cover in each image.
    ///
    /// # Errors
    /// As [`fit`].
    pub fn model(
        &self,
        kind: &Kind,
        (learnt, centres): (&Learnt, &Centres),
        cover: &[Cover],
    ) -> Result<Model> {
        learnt.model(kind, centres, cover, Succession::None)
    }

    fn with<T>(
        &self,
        kind: &Kind,
        Part { image, first }: Part<'_>,
        work: impl Fn(&Planned<'_>, On<'_>) -> Result<T>,
    ) -> Result<T> {
        let planned = match first {
            true => kind.first(&image.micrograph)?,
            false => kind.other(&image.micrograph)?,
        };
        let plan = within(planned.plan, self.request.memory)?;
        let planned = Planned { plan, ..planned };
        self.on(|on| work(&planned, on))
    }

    fn on<T>(&self, work: impl Fn(On<'_>) -> Result<T>) -> Result<T> {
        let devices = Devices::open(self.request, &self.request.settings.families())?;
        let done =
            devices.run(|backend| work((backend, &stemseg::progress::Unseen(self.observer))))?;
        Ok(done.result)
    }
}

/// Whether an image shows anything.
fn shows(image: &Read) -> Result<()> {
    let shown = image.micrograph.standardised().map(drop);
    shown.map_err(|error| match image.summary.format {
        ARRAY => error,
        _ => with_path(&image.summary.path, error),
    })
}

/// What fits as `request` says, with the sizes that follow from the `first` image.
fn segmenter(first: &Read, request: &Request) -> Result<Segmenter> {
    let params = request.settings.choose(&first.micrograph)?.params;
    let segmenter = Segmenter::with(params).device(request.device.clone()).check(request.check);
    Ok(match request.memory {
        Some(bytes) => segmenter.memory(bytes),
        None => segmenter,
    })
}
