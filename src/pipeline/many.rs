//! A fit to several images, from sums over all of them.
//!
//! Everything that is summed is a value that can be written, read, and
//! [merged](crate::reduce::pca::Moments::merge) with others: the sums of the images of a film,
//! or of chunks on many machines, give the same model as those of all images in one place.
//!
//! 1. [`Describing::moments`] of each image, merged: the components of each family.
//! 2. The images' sites, side by side, are parted into patterns.
//! 3. The features of the images' sites, evenly taken from all, are clustered.
//! 4. The images are labelled with that, which gives the order of the labels.

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};

use super::fit::{Basis, Found, Number};
use super::label::Apart;
use super::{Clusters, Describing, Segmentation, fit};
use crate::backend::Backend;
use crate::cluster::gap::Gaps;
use crate::cluster::kmeans::{self, Clustering, SUBSAMPLE};
use crate::cluster::split::Field;
use crate::image::micrograph::Micrograph;
use crate::labels::label_map::Numbering;
use crate::lattice::Repetition;
use crate::model::Model;
use crate::plan::{Order, Plan, Reduce};
use crate::progress::Progress;
use crate::reduce::pca::{Moments, Pca};
use crate::{Error, Result};

/// An image, what is computed for it, and how it repeats.
pub struct Planned<'a> {
    /// The image.
    pub micrograph: &'a Micrograph,
    /// What is computed: with the same channels for all images.
    pub plan: Plan,
    /// How the image repeats.
    pub repetition: Repetition,
}

/// In which order the patterns of several images are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Succession {
    /// By what they cover of all images together: these have no order.
    #[default]
    None,
    /// Those that are in the first image come first, then those that appear in the second, and
    /// so on; each by what they cover of all: images are frames of a film.
    Time,
}

/// Share of an image that a pattern covers where it is there.
const THERE: f64 = 0.002;

/// The model of the patterns in `images`, which are numbered by what they cover of all.
///
/// # Errors
/// As [`segment`](super::segment); [`Error::Parameter`] where there is no image, or images
/// have different channels.
pub fn fit(
    images: &[Planned<'_>],
    backend: &dyn Backend,
    progress: &dyn Progress,
) -> Result<Model> {
    fit_in(images, Succession::None, backend, progress)
}

/// The same with patterns in the order of `succession`.
///
/// # Errors
/// As [`fit()`].
pub fn fit_in(
    images: &[Planned<'_>],
    succession: Succession,
    backend: &dyn Backend,
    progress: &dyn Progress,
) -> Result<Model> {
    let Some(first) = images.first() else {
        return Err(Error::parameter("images", 0, "give at least one"));
    };
    let names = first.plan.channel_names();
    if images.iter().any(|image| image.plan.channel_names() != names) {
        let reason = "they do not have the same channels; give all the same parameters";
        return Err(Error::parameter("images", images.len(), reason));
    }
    progress.stage("describe");
    let mut moments = Moments::zero(first.plan.channels());
    for of_image in each(images, backend, progress, |sites| sites.moments(progress))? {
        moments.merge(&of_image);
    }
    progress.stage("pca");
    let found = found(images, &moments, backend, progress)?;
    let [number] = &found.numbers[..] else {
        let reason = "give one number; a model has one";
        return Err(Error::parameter("clusters", found.numbers.len(), reason));
    };
    let features = each(images, backend, progress, |sites| sites.features(&found.pca, progress))?;
    let points: Vec<Array2<f32>> = images
        .iter()
        .zip(&features)
        .map(|(image, features)| {
            let active = image.plan.sites().keep_active(features);
            active.slice(s![.., number.columns.clone()]).to_owned()
        })
        .collect();

    progress.stage("cluster");
    let sample = sample(&points);
    let (clustering, within_variance) =
        fit::clusters(sample.view(), number, &first.plan, backend, progress)?;
    let found = (&found.pca, number);
    numbered((images, succession), &points, found, &clustering, within_variance, backend)
}

/// What tells the patterns of all images apart.
fn found(
    images: &[Planned<'_>],
    moments: &Moments,
    backend: &dyn Backend,
    progress: &dyn Progress,
) -> Result<Found> {
    let plan = &images[0].plan;
    if plan.params().reduce == Reduce::Pca {
        let pca = Pca::of_blocks(moments, plan.components(), &plan.blocks())?;
        return Ok(Found::of_components(pca, plan));
    }
    let basis = Basis::new(moments, plan)?;
    let sites = images.iter().map(|image| image.plan.sites().grid().len()).sum();
    let fields = each(images, backend, progress, |described| {
        let mut field = basis.field(described.plan(), sites);
        described.field(&mut field, &basis.pca, progress)?;
        Ok(field)
    })?;
    progress.stage("choose");
    Found::new(&Field::beside(fields), &basis, plan, progress)
}

/// What `give` gives of the sites of each image, in succession.
fn each<T>(
    images: &[Planned<'_>],
    backend: &dyn Backend,
    progress: &dyn Progress,
    give: impl Fn(&mut Describing<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let of = |image: &Planned<'_>| {
        progress.check()?;
        let pixels = image.plan.image(image.micrograph)?;
        give(&mut Describing::new(pixels.view(), &image.plan, backend)?)
    };
    images.iter().map(of).collect()
}

/// The labels of clusters, which are `by_size`, in the order in which they appear.
fn in_succession(by_size: &[u16], appears: &[usize]) -> Vec<u16> {
    let mut order: Vec<usize> = (0..by_size.len()).collect();
    order.sort_by_key(|&cluster| (appears[cluster], by_size[cluster]));
    let mut labels = vec![0; by_size.len()];
    (1..).zip(order).for_each(|(label, cluster)| labels[cluster] = label);
    labels
}

/// Points of all images, `[N, q]`, evenly taken where they are many.
fn sample(points: &[Array2<f32>]) -> Array2<f32> {
    let all: usize = points.iter().map(|points| points.nrows()).sum();
    let every = all.div_ceil(SUBSAMPLE).max(1);
    let some: Vec<ArrayView2<'_, f32>> =
        points.iter().map(|points| points.slice(s![..;every, ..])).collect();
    concatenate(Axis(0), &some).expect("all have the same features")
}

/// The model with the labels in the order of what the patterns cover in all images, and with
/// the largest distances that patterns have in any.
fn numbered(
    (images, succession): (&[Planned<'_>], Succession),
    points: &[Array2<f32>],
    (pca, number): (&Pca, &Number),
    clustering: &Clustering,
    within_variance: Array1<f64>,
    backend: &dyn Backend,
) -> Result<Model> {
    let clusters = clustering.centroids.nrows();
    let mut areas = vec![0; clusters];
    // The image in which each appears.
    let mut appears = vec![usize::MAX; clusters];
    let mut separations = Array2::<f64>::zeros((clusters, clusters));
    let as_they_are = Numbering::Given((1..=clusters as u16).collect());
    let mut last = None;
    for (place, (image, points)) in images.iter().zip(points).enumerate() {
        let Planned { micrograph, plan, repetition } = image;
        let own = kmeans::assign(points.view(), clustering.centroids.clone(), backend)?;
        let found = Clusters {
            points: points.view(),
            clustering: &own,
            within_variance: &within_variance,
            numbering: &as_they_are,
            gaps: Apart::Measured(number.clarities.as_ref()),
        };
        let labelled = found.label(plan, micrograph.absent(), Some(repetition));
        for area in &labelled.map.areas {
            let cluster = usize::from(area.label) - 1;
            areas[cluster] += area.pixels;
            if area.fraction >= THERE {
                appears[cluster] = appears[cluster].min(place);
            }
        }
        if let Some(of_image) = labelled.gaps.separations() {
            separations.zip_mut_with(&of_image, |most, &own| *most = most.max(own));
        }
        last = Some((labelled, own));
    }
    let (labelled, own) = last.expect("there is an image");
    let first = &images[0];
    let mut patterns =
        labelled.patterns(own, within_variance, number.columns.clone(), &first.plan, None);
    // By size, as one image's are; names of the first numbering become those of the second.
    let by_size = Numbering::Order(first.plan.params().order).labels(&areas);
    let numbers = match (succession, first.plan.params().order) {
        (Succession::Time, Order::Size) => in_succession(&by_size, &appears),
        _ => by_size,
    };
    let mut order: Vec<usize> = (0..clusters).collect();
    order.sort_by_key(|&cluster| numbers[cluster]);
    patterns.gaps = Gaps::known(Some(separations)).reordered(&order);
    let all = areas.iter().sum::<u64>().max(1) as f64;
    let by_label = |&cluster: &usize| {
        let (label, pixels) = (numbers[cluster], areas[cluster]);
        crate::labels::label_map::Area { label, pixels, fraction: pixels as f64 / all }
    };
    patterns.map.areas = order.iter().map(by_label).collect();
    patterns.map.label_of = numbers;
    let found = Segmentation {
        plan: first.plan.clone(),
        features: Array2::zeros((0, 0)),
        pca: pca.clone(),
        results: Vec::new(),
        choice: None,
        channel_maps: Vec::new(),
        repetition: Some(first.repetition),
        model: None,
        timings: Default::default(),
        device_work: None,
    };
    Ok(Model::new(&found, &patterns, first.micrograph.pixel_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_appear_later_have_the_next_numbers() {
        // The largest appears last, and one hardly ever.
        let by_size = [3, 1, 2, 4];
        assert_eq!(in_succession(&by_size, &[0, 4, 0, usize::MAX]), [2, 3, 1, 4]);
        assert_eq!(in_succession(&by_size, &[0; 4]), by_size);
    }
}
