//! A fit to several images, from what each of them gives.
//!
//! The [steps] are values that can be written, read and merged: images of a film, or on many
//! machines, give the same model, bit for bit, as all images in one place.
//!
//! 1. [Sums] of each image, [merged](steps::Sums::tree): the components of each family.
//! 2. The images' [sites](steps::Sites), side by side, are parted into patterns.
//! 3. The features of the images' sites, evenly taken from all, are [clustered](steps::Centres).
//! 4. What the patterns [cover](steps::Cover) in all images gives the order of the labels.
//!
//! [Sums]: steps::Sums

pub mod steps;

use crate::backend::Backend;
use crate::image::micrograph::Micrograph;
use crate::lattice::Repetition;
use crate::model::Model;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::{Error, Result};
use steps::{Centres, Kind, Learnt, Points, Sums};

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
    let kind = Kind::new(first.micrograph, &first.plan, first.repetition);
    let on = (backend, progress);
    progress.stage("describe");
    let sums = each(images, progress, |image| image.sums(on))?;
    let sums = Sums::tree(sums).expect("there is an image");
    progress.stage("pca");
    let sites = each(images, progress, |image| image.sites(&sums, on))?;
    progress.stage("choose");
    let learnt = Learnt::new(&kind, &sums, sites, progress)?;
    progress.stage("pca");
    let points = each(images, progress, |image| image.points(&learnt, on))?;
    progress.stage("cluster");
    let all: Vec<&Points> = points.iter().collect();
    let centres = Centres::new(&kind, &learnt, &all, on)?;
    let mut points = points.iter();
    let cover = each(images, progress, |image| {
        let points = points.next().expect("each image has points");
        image.cover(points, &learnt, &centres, backend)
    })?;
    learnt.model(&kind, &centres, &cover, succession)
}

/// What `give` gives of each image, in succession.
fn each<'a, T>(
    images: &'a [Planned<'a>],
    progress: &dyn Progress,
    mut give: impl FnMut(&'a Planned<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let of = |image| {
        progress.check()?;
        give(image)
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
