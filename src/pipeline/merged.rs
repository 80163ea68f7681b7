//! Patterns that are taken for one, and numbered anew.
//!
//! A site is as likely to be in such a pattern as in the likeliest of its parts: so a boundary with
//! another pattern stays where it is.

use std::ops::Range;

use ndarray::{ArcArray2, Array2, ArrayView1, ArrayView2, Axis};

use super::Patterns;
use super::label::{Apart, Clusters};
use crate::Result;
use crate::cluster::gap::Gaps;
use crate::cluster::kmeans::Clustering;
use crate::labels::label_map::Numbering;
use crate::labels::regions::Held;
use crate::lattice::Repetition;
use crate::plan::Plan;

/// What patterns were before some became one: what finds them again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parts {
    /// The label of each part, in their order: several have one.
    pub(crate) labels: Vec<u16>,
    /// Mean features of each, `[parts, q]`.
    pub(crate) centroids: Array2<f64>,
    /// Share of the image that each covers.
    pub(crate) fractions: Vec<f64>,
    /// How far they lie apart.
    pub(crate) gaps: Gaps,
}

/// An image in which patterns are looked for.
#[derive(Clone, Copy)]
pub(super) struct Where<'a> {
    pub(super) plan: &'a Plan,
    /// True where a pixel is absent, `[rows, cols]`.
    pub(super) absent: Option<&'a ArcArray2<bool>>,
    pub(super) repetition: Option<&'a Repetition>,
}

/// `before`, which were found among the `points` `[active sites, q]` of which some are `held`, with the
/// labels that the parameters want.
///
/// # Errors
/// As [`Relabelling::labels`](crate::plan::Relabelling::labels).
pub(super) fn relabelled(
    before: &Patterns,
    points: ArrayView2<'_, f32>,
    held: &[Held],
    place: Where<'_>,
) -> Result<Patterns> {
    let had = &before.map.label_of;
    let labels = place.plan.params().relabel.labels(had.len())?;
    let of_cluster: Vec<u16> = had.iter().map(|&label| labels[usize::from(label) - 1]).collect();
    // Parts by their new label, then by the one that they had.
    let mut order = before.map.order();
    order.sort_by_key(|&cluster| of_cluster[cluster]);
    let by_label: Vec<usize> = order.iter().map(|&c| usize::from(had[c]) - 1).collect();
    let parts = Parts {
        labels: order.iter().map(|&cluster| of_cluster[cluster]).collect(),
        centroids: before.clustering.centroids.select(Axis(0), &order),
        fractions: by_label.iter().map(|&label| before.map.areas[label].fraction).collect(),
        gaps: before.gaps.reordered(&by_label),
    };
    let by_cluster: Vec<usize> = had.iter().map(|&label| usize::from(label) - 1).collect();
    let gaps = before.gaps.reordered(&by_cluster);
    let clusters = Clusters {
        points,
        clustering: &before.clustering,
        within_variance: &before.within_variance,
        numbering: &Numbering::Given(of_cluster.clone()),
        gaps: Apart::Known(&gaps),
        held,
        pattern_of: None,
    };
    let columns = before.columns.clone();
    Ok(Patterns { parts: Some(parts), ..patterns(clusters, (&of_cluster, &gaps), columns, place) })
}

/// The patterns of `clusters` that have the labels `of_cluster` and lie as far apart as `gaps` says.
pub(super) fn patterns(
    clusters: Clusters<'_>,
    (of_cluster, gaps): (&[u16], &Gaps),
    columns: Range<usize>,
    place: Where<'_>,
) -> Patterns {
    let Where { plan, absent, repetition } = place;
    let pattern_of: Vec<usize> = of_cluster.iter().map(|&label| usize::from(label) - 1).collect();
    let count = pattern_of.iter().max().map_or(0, |last| last + 1);
    let held = |held: &Held| Held { pattern: pattern_of[held.pattern], ..*held };
    let held: Vec<Held> = clusters.held.iter().map(held).collect();
    let again = Clusters {
        pattern_of: Some(&pattern_of),
        numbering: &Numbering::Given((1..=count as u16).collect()),
        gaps: Apart::Known(&gaps.merged(&pattern_of)),
        held: &held,
        ..clusters
    };
    let clustering = clustering(&clusters, &pattern_of);
    let labelled = again.label(plan, absent, repetition);
    labelled.patterns(clustering, clusters.within_variance.clone(), columns, plan, repetition)
}

/// `clusters` that are, or are parts of, the patterns that `pattern_of` says.
fn clustering(clusters: &Clusters<'_>, pattern_of: &[usize]) -> Clustering {
    let Clusters { points, clustering, .. } = *clusters;
    let count = pattern_of.iter().max().map_or(0, |last| last + 1);
    let of = |&cluster: &u32| pattern_of[cluster as usize];
    let mut sizes = vec![0.0_f64; pattern_of.len()];
    clustering.labels.iter().for_each(|&cluster| sizes[cluster as usize] += 1.0);
    let mut centroids = Array2::<f64>::zeros((count, clustering.centroids.ncols()));
    let mut weights = vec![0.0; count];
    for (cluster, &pattern) in pattern_of.iter().enumerate() {
        // A pattern without sites has a centre all the same.
        let weight = sizes[cluster].max(1e-6);
        centroids.row_mut(pattern).scaled_add(weight, &clustering.centroids.row(cluster));
        weights[pattern] += weight;
    }
    centroids.outer_iter_mut().zip(&weights).for_each(|(mut sum, &weight)| sum /= weight);
    let away = |(point, cluster): (ArrayView1<'_, f32>, &u32)| -> f64 {
        let centroid = centroids.row(of(cluster));
        point.iter().zip(centroid).map(|(&v, c)| (f64::from(v) - c).powi(2)).sum()
    };
    let inertia = points.outer_iter().zip(&clustering.labels).map(away).sum();
    let labels = clustering.labels.iter().map(|cluster| of(cluster) as u32).collect();
    Clustering { labels, centroids, inertia, ..clustering.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::Cpu;
    use crate::image::micrograph::Micrograph;
    use crate::image::rows;
    use crate::pipeline::Segmentation;
    use crate::pipeline::frames::Frames;
    use crate::plan::{Params, Relabelling};
    use crate::progress::Silent;
    use crate::{Model, Segmenter};

    /// Rows of atoms in the middle; to their left and their right slanted ones.
    fn image() -> Micrograph {
        let pixels = Array2::from_shape_fn((160, 300), |(row, col)| {
            let along = match col {
                0..100 => row + col,
                100..220 => row,
                _ => 2 * row + 600 - col,
            };
            let noise = ((row * 7919 + col * 104_729) % 1009) as f32 / 5000.0;
            let wave = |x: usize| (x as f32 * std::f32::consts::TAU / 8.0).cos();
            wave(along) + wave(col) + noise
        });
        Micrograph::screened(pixels.view(), Default::default()).unwrap()
    }

    fn share(one: &Array2<u16>, other: &Array2<u16>, same: impl Fn(u16, u16) -> bool) -> f64 {
        let equal = one.iter().zip(other).filter(|(one, other)| same(**one, **other)).count();
        equal as f64 / one.len() as f64
    }

    /// Both sides are merged into one pattern, of the three that `segmenter` finds.
    fn check(segmenter: impl Fn() -> Segmenter) -> [Segmentation; 2] {
        let image = image();
        let three = segmenter().clusters(3).segment(&image).unwrap();
        let before = three.labels();
        let [left, middle, right] = [40, 160, 270].map(|col| before[(80, col)]);
        assert!(left != right && left != middle && right != middle, "{left} {middle} {right}");
        let two = segmenter().clusters(3).merge([left, right]).segment(&image).unwrap();
        let after = two.labels();
        let sides = after[(80, 40)];
        assert_eq!((sides, after[(80, 160)]), (after[(80, 270)], 3 - sides));
        // Smoothing between two patterns is not quite that between three.
        let agree = share(&before, &after, |one, two| (one == middle) == (two != sides));
        assert!(agree > 0.995, "{agree}");
        let Patterns { map, clustering, gaps, memberships, .. } = &two.results[0];
        assert_eq!((map.areas.len(), clustering.centroids.nrows()), (2, 2));
        assert_eq!(map.areas.iter().map(|area| area.pixels).sum::<u64>(), 160 * 300);
        assert_eq!(gaps.separations().unwrap().dim(), (2, 2));
        let active = two.plan.sites().active_count();
        assert_eq!((clustering.labels.len(), memberships.len()), (active, active));
        [three, two]
    }

    #[test]
    fn merged_patterns_are_one_and_others_stay() {
        let [three, two] = check(Segmenter::auto);
        let image = image();
        let model = Model::new(&two, &two.results[0], None);
        let after = two.labels();
        assert_eq!((model.clusters(), model.patterns.len()), (2, 3));
        // The parts are found again, also by the model before once it is relabelled.
        let whole = Model::new(&three, &three.results[0], None);
        let relabel = two.plan.params().relabel.clone();
        let written = Model::from_json(&model.to_json(), "model.json").unwrap();
        assert_eq!(written, model);
        for model in [&written, &whole.clone().relabelled(&relabel).unwrap()] {
            let found = model.predict(&image).unwrap();
            assert!(share(&after, &found.labels(), |one, two| one == two) > 0.999);
            let frames = Frames::new(model, image.shape()).unwrap();
            let plan = frames.plan(&image).unwrap();
            let on = (&Cpu::new(), &Silent);
            let sites = frames.memberships(&image, &plan, on.0, on.1).unwrap();
            assert_eq!(rows::collect(&frames.map(sites.maps, None)), found.labels());
            let near = frames.memberships_near(&image, &plan, frames.centroids(), (on.0, on.1));
            assert!(near.unwrap_err().to_string().contains("merged"));
        }
        // Numbered anew: model, labels and names.
        let turned = Relabelling { numbers: vec![3, 1, 2], ..Default::default() };
        let named_before = whole.with_names(["one", "two", "three"]);
        let named = named_before.clone().relabelled(&turned).unwrap();
        assert_eq!([1, 2, 3].map(|label| named.name(label).unwrap()), ["three", "one", "two"]);
        for (one, pattern) in named.patterns.iter().enumerate() {
            let before = |label: u16| usize::from(turned.numbers[usize::from(label) - 1]) - 1;
            for (other, separation) in named.patterns.iter().zip(&pattern.separation) {
                let [own, other] = [before(one as u16 + 1), before(other.label)];
                assert_eq!(*separation, named_before.patterns[own].separation[other]);
            }
        }
        let (old, new) = (three.labels(), named.predict(&image).unwrap().labels());
        assert!(share(&old, &new, |old, new| turned.numbers[new as usize - 1] == old) > 0.999);
    }

    #[test]
    fn labels_of_the_nearest_sites_are_merged_too() {
        let [three, two] = check(|| Segmenter::with(Params { stride: 8, ..Params::default() }));
        // As sure of a pattern as of its parts.
        let [before, after] = [&three, &two].map(|found| &found.results[0].memberships);
        assert!(before.iter().zip(after).all(|(before, after)| after > &(before - 0.01)));
    }

    #[test]
    fn a_merged_pattern_lies_as_far_away_as_the_nearest_of_its_parts() {
        let far = f64::INFINITY;
        let parts = ndarray::array![[far, 2.0, 9.0], [2.0, far, 5.0], [9.0, 5.0, far]];
        let merged = Gaps::known(Some(parts)).merged(&[0, 1, 0]);
        assert_eq!(merged.separations().unwrap(), ndarray::array![[far, 2.0], [2.0, far]]);
    }

    #[test]
    fn labels_that_there_are_not_are_refused() {
        let error = Segmenter::auto().clusters(2).merge([2, 3]).segment(&image()).unwrap_err();
        assert!(error.to_string().contains("no label 3: there are 2"), "{error}");
    }
}
