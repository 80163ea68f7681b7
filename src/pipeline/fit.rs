//! Second step: what is learnt of an image. A map from descriptors to features, how many
//! patterns there are, and where their centres lie.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Describing;
use crate::backend::Backend;
use crate::cluster::choose::Choice;
use crate::cluster::confidence;
use crate::cluster::kmeans::{self, Clustering, Options, Pairs};
use crate::cluster::levels::Strips;
use crate::cluster::split::{self, Field, Part, Tree};
use crate::labels::regions::Held;
use crate::plan::{FAMILY_COMPONENTS, Params, Plan, Reduce};
use crate::progress::Progress;
use crate::reduce::pca::{Block, Moments, Pca};
use crate::{Error, Result};

/// Sites that one task multiplies.
const CHUNK: usize = 1024;

/// Patterns that were found, and what they were found in.
pub(crate) struct Fitted {
    pub(crate) found: Found,
    /// Features of all sites, `[sites, q]`.
    pub(crate) features: Array2<f32>,
    /// Nothing where features are plain principal components.
    pub(crate) evidence: Option<Evidence>,
}

/// What patterns are found in: marks that are to change them need it again.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) field: Field,
    pub(crate) basis: Basis,
    /// Components of all sites, `[sites, p]`, where they are few enough to be kept.
    pub(crate) components: Option<Array2<f32>>,
}

/// What tells the patterns of an image apart, and the features `[sites, q]` of all sites, from
/// the `moments` of the descriptors.
///
/// # Errors
/// What [`Pca::of_blocks`] and the backend report; [`Error::Image`] where nothing varies;
/// [`Error::Interrupted`].
pub fn patterns(
    moments: &Moments,
    sites: &mut Describing<'_>,
    progress: &dyn Progress,
) -> Result<(Found, Array2<f32>)> {
    let Fitted { found, features, .. } = fitted(moments, sites, false, progress)?;
    Ok((found, features))
}

/// As [`patterns`], with the evidence, which has the components of all sites if these are `wanted` and
/// not too many.
pub(crate) fn fitted(
    moments: &Moments,
    sites: &mut Describing<'_>,
    wanted: bool,
    progress: &dyn Progress,
) -> Result<Fitted> {
    let plan = sites.plan();
    if plan.params().reduce == Reduce::Pca {
        let pca = Pca::of_blocks(moments, plan.components(), &plan.blocks())?;
        let features = sites.features(&pca, progress)?;
        return Ok(Fitted { found: Found::of_components(pca, plan), features, evidence: None });
    }
    let basis = Basis::new(moments, plan)?;
    let mut field = basis.field(plan, plan.sites().grid().len());
    let components = sites.field_and_components(&mut field, &basis.pca, wanted, progress)?;
    progress.stage("choose");
    let found = Found::new(&field, &basis, plan, progress)?;
    let evidence = Evidence { field, basis, components };
    let features = evidence.features(&found, sites, progress)?;
    Ok(Fitted { found, features, evidence: Some(evidence) })
}

impl Evidence {
    /// The features `[sites, q]` of all `sites` by which patterns were `found`.
    pub(crate) fn features(
        &self,
        found: &Found,
        sites: &mut Describing<'_>,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>> {
        match &self.components {
            // All sites are there: no need to describe them once more.
            Some(components) => Ok(found.combined(components)),
            None => sites.features(&found.pca, progress),
        }
    }
}

/// 1 or -1 for each factor: with which sign it became a component of `reduced`.
fn signs(factors: &Array2<f64>, pca: &Pca, reduced: &Pca) -> Array2<f64> {
    let products = factors.dot(&pca.components) * &reduced.components;
    products.sum_axis(Axis(1)).mapv(f64::signum).insert_axis(Axis(1))
}

/// `features` `[sites, p]` times `factors` `[f, p]`: `[sites, f]`.
fn products(features: &Array2<f32>, factors: &Array2<f32>) -> Array2<f32> {
    let mut to = Array2::zeros((features.nrows(), factors.nrows()));
    let chunks = features.axis_chunks_iter(Axis(0), CHUNK).into_par_iter();
    chunks
        .zip(to.axis_chunks_iter_mut(Axis(0), CHUNK))
        .for_each(|(from, mut to)| to.assign(&from.dot(&factors.t())));
    to
}

/// A basis of the descriptors that patterns are looked for in, and what is known of the sites.
#[derive(Debug)]
pub(crate) struct Basis {
    /// The components of each family by itself.
    pub(crate) pca: Pca,
    parts: Vec<Part>,
}

impl Basis {
    /// From the `moments` of the descriptors of `plan`.
    ///
    /// # Errors
    /// As [`Pca::new`].
    pub(crate) fn new(moments: &Moments, plan: &Plan) -> Result<Self> {
        let (blocks, alone): (Vec<_>, Vec<_>) = plan.families_alone().into_iter().unzip();
        let pca = Pca::of_each(moments, FAMILY_COMPONENTS, &blocks)?;
        let mut first = 0;
        let part = |(block, alone): (&Block, bool)| {
            let columns = first..first + block.channels.len().min(FAMILY_COMPONENTS);
            first = columns.end;
            Part { columns, weight: block.weight, alone }
        };
        let parts = blocks.iter().zip(alone).map(part).collect();
        Ok(Self { pca, parts })
    }

    /// The sites of `plan` as they are looked at for patterns, without their components, where all
    /// images together have this many `sites`.
    pub(crate) fn field(&self, plan: &Plan, sites: usize) -> Field {
        Field::new(plan.sites(), self.parts.clone(), sites)
    }
}

/// What tells patterns apart.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Found {
    /// The numbers of patterns.
    pub numbers: Vec<Number>,
    /// Why this number, where it was chosen.
    pub choice: Option<Choice>,
    /// The map from descriptors to all features.
    pub pca: Pca,
    /// The same as combinations of the basis, `[q, p]`.
    pub(crate) directions: Array2<f64>,
}

/// Pairs of the active sites of `plan` that tell which clusters are right.
pub(crate) fn pairs(plan: &Plan) -> Pairs {
    match plan.params().reduce {
        Reduce::Pca => Pairs::of(plan.sites()),
        // Factors vary little from site to site anyway: there the least inertia is right.
        Reduce::Maf => Pairs::default(),
    }
}

/// One number of patterns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Number {
    /// The number.
    pub clusters: usize,
    /// Which of the features tell the patterns apart.
    pub columns: Range<usize>,
    /// Their centres along these, `[k, q]`, where regions were split; else clusters are looked for.
    pub centroids: Option<Array2<f64>>,
    /// Strength of the cut between each two of these, `[k, k]`.
    pub clarities: Option<Array2<f64>>,
}

impl Found {
    /// The principal components, all of which count whatever the number.
    pub(crate) fn of_components(pca: Pca, plan: &Plan) -> Self {
        let columns = 0..pca.features();
        let number = |&clusters: &usize| Number {
            clusters,
            columns: columns.clone(),
            centroids: None,
            clarities: None,
        };
        let numbers = plan.params().clusters.iter().map(number).collect();
        Self { numbers, choice: None, directions: Array2::eye(pca.features()), pca }
    }

    /// The features `[sites, q]` of `components` `[sites, p]` of the basis.
    pub(crate) fn combined(&self, components: &Array2<f32>) -> Array2<f32> {
        products(components, &self.directions.mapv(|v| v as f32))
    }

    /// For the `clusters` that are asked for, or as many as the sites of `field` show.
    ///
    /// # Errors
    /// [`Error::Image`] where nothing varies;
    /// [`Error::Interrupted`].
    pub(crate) fn new(
        field: &Field,
        basis: &Basis,
        plan: &Plan,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let mut numbers = plan.params().clusters.clone();
        let mut tree = Tree::new(field, plan.params().strips());
        let mut choice = None;
        if numbers.is_empty() {
            let most = split::most(field.sites(), plan.params().most_clusters);
            tree.grow(most, split::CLEAR, progress)?;
            let chosen = Choice::new(tree.splits.clone(), tree.next(), most);
            numbers.push(chosen.clusters);
            choice = Some(chosen);
        } else {
            let most = numbers.iter().copied().max().unwrap_or(1);
            tree.grow(most, split::LEAST, progress)?;
        }
        let mut rows: Vec<Array2<f64>> = Vec::new();
        let mut first = 0;
        let mut of = |clusters: usize| -> Result<Number> {
            let refined = tree.patterns(clusters);
            let (directions, centroids) = match refined {
                Some(refined) => (refined.directions, Some(refined.centroids)),
                None => (tree.factors(clusters.max(2)).ok_or_else(nothing_varies)?, None),
            };
            let columns = first..first + directions.nrows();
            first = columns.end;
            rows.push(directions);
            let clarities = centroids.is_some().then(|| tree.clarities(clusters));
            Ok(Number { clusters, columns, centroids, clarities })
        };
        let numbers = numbers.into_iter().map(&mut of).collect::<Result<Vec<_>>>()?;
        // Two that can be drawn against each other, whatever the number.
        if first < 2
            && let Some(factors) = tree.factors(2)
        {
            rows.push(factors.slice(s![factors.nrows().saturating_sub(1).., ..]).to_owned());
        }
        Ok(Self::assembled(&rows, numbers, choice, (basis, &tree)))
    }

    /// Of the directions in `rows`, by which each of the `numbers` has its columns.
    fn assembled(
        rows: &[Array2<f64>],
        mut numbers: Vec<Number>,
        choice: Option<Choice>,
        (basis, tree): (&Basis, &Tree<'_>),
    ) -> Self {
        let views: Vec<_> = rows.iter().map(|rows| rows.view()).collect();
        let directions = concatenate(Axis(0), &views).expect("all are combinations of the basis");
        let pca = basis.pca.combined(&directions, &tree.variations(&directions));
        let signs = signs(&directions, &basis.pca, &pca);
        for Number { columns, centroids, .. } in &mut numbers {
            if let Some(centroids) = centroids {
                *centroids *= &signs.slice(s![columns.clone(), ..]).t();
            }
        }
        Self { numbers, choice, pca, directions: &directions * &signs }
    }

    /// The `patterns` of the sites of the `evidence`, which had these `labels` `[rows, cols]` of its field, where those
    /// that are `held` keep theirs; nothing where one has no sites left, or none differs.
    pub(crate) fn marked(
        evidence: &Evidence,
        labels: Array2<u16>,
        patterns: usize,
        held: &[Held],
    ) -> Option<Self> {
        let tree = Tree::uncut(&evidence.field, Strips::Doubted);
        let refined = tree.marked(labels, patterns, held)?;
        let columns = 0..refined.directions.nrows();
        let mut rows = vec![refined.directions];
        if columns.len() < 2
            && let Some(factors) = tree.factors(2)
        {
            rows.push(factors.slice(s![factors.nrows().saturating_sub(1).., ..]).to_owned());
        }
        let centroids = Some(refined.centroids);
        let numbers = vec![Number { clusters: patterns, columns, centroids, clarities: None }];
        Some(Self::assembled(&rows, numbers, None, (&evidence.basis, &tree)))
    }
}

fn nothing_varies() -> Error {
    Error::Image(
        "neighbouring sites do not differ, or there are too few of them; give a smaller `stride`, or \
         `reduce = pca`"
            .into(),
    )
}

/// Clusters of `points` `[active sites, q]`, the features that tell this `number` of patterns
/// apart, and the variance of each about their centroids, `[q]`.
///
/// # Errors
/// As [`kmeans::cluster`].
pub fn clusters(
    points: ArrayView2<'_, f32>,
    number: &Number,
    plan: &Plan,
    backend: &dyn Backend,
    progress: &dyn Progress,
) -> Result<(Clustering, Array1<f64>)> {
    clusters_by(points, number, (&pairs(plan), plan.params()), backend, progress)
}

/// The same of points that may be those of several images, some `pairs` of which tell the right
/// clusters where they are looked for.
pub(crate) fn clusters_by(
    points: ArrayView2<'_, f32>,
    number: &Number,
    (pairs, params): (&Pairs, &Params),
    backend: &dyn Backend,
    progress: &dyn Progress,
) -> Result<(Clustering, Array1<f64>)> {
    let clustering = match &number.centroids {
        Some(centroids) => kmeans::from(points, centroids.clone(), backend, progress)?,
        None => {
            let Params { restarts, seed, .. } = *params;
            let options = Options { clusters: number.clusters, restarts, seed };
            kmeans::cluster(points, pairs, options, backend, progress)?
        }
    };
    let within_variance = confidence::within_variance(points, &clustering);
    Ok((clustering, within_variance))
}
