//! Principal components of descriptors, from their moments.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, Axis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemseg_numerics::linear::{Mat, eigen};

use crate::{Error, Result};

/// How many features PCA keeps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Components {
    /// This many (fewer where there are fewer channels).
    Count(usize),
    /// The fewest that explain at least this share of the variance, 0 to 1.
    Variance(f64),
}

/// Sites that are summed in f32 before the sum is widened to f64 (on a GPU: before
/// it is added to those of other pieces). Pieces begin at fixed sites, so they are
/// the same whatever the bands.
pub(crate) const PIECE: usize = 1024;

/// Sums over sites from which mean and covariance follow; bands add up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Number of sites.
    pub count: u64,
    /// Sum of the descriptors, `[D]`.
    pub sum: Array1<f64>,
    /// Sum of their outer products, `[D, D]`; the lower triangle is what counts.
    pub products: Array2<f64>,
}

impl Moments {
    /// No sites of `channels` channels.
    pub fn zero(channels: usize) -> Self {
        Self {
            count: 0,
            sum: Array1::zeros(channels),
            products: Array2::zeros((channels, channels)),
        }
    }

    /// Adds the moments of other sites, of the same channels: of another band, image or machine.
    ///
    /// # Panics
    /// Where the channels are not as many.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += &other.sum;
        self.products += &other.products;
    }
}

/// Channels of one family, to be balanced against those of others.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Its channels.
    pub channels: Range<usize>,
    /// How much it counts: standard deviation of the whole block after scaling.
    pub weight: f64,
}

/// A linear map from descriptors to features: `(x - mean) components^T`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pca {
    /// Mean descriptor, `[D]`.
    pub mean: Array1<f64>,
    /// Rows by falling variance, `[q, D]`: orthonormal in the scaled channels (the
    /// channels themselves where nothing is scaled), times the channels' scales;
    /// the largest loading of each is positive.
    pub components: Array2<f64>,
    /// What each component explains.
    pub report: Explained,
}

/// How much of the variance the components explain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// Variance along each component, over N - 1; of autocorrelation factors what they vary
    /// for a variance of 1 between neighbours.
    pub explained_variance: Vec<f64>,
    /// The same as a share of that of all.
    pub explained_variance_ratio: Vec<f64>,
    /// The shares of the first components, those that are not kept among them.
    pub scree: Vec<f64>,
    /// True where there were no more channels than components, so that the
    /// channels themselves are the features.
    pub skipped: bool,
}

impl Pca {
    /// Components of the sites that `moments` sums up.
    ///
    /// # Errors
    /// [`Error::Image`] if fewer than two sites or a sum that is not finite.
    pub fn new(moments: &Moments, keep: Components) -> Result<Self> {
        Self::of_blocks(moments, keep, &[])
    }

    /// The same for the channels of several families: each block is divided by the
    /// square root of its total variance and multiplied by its weight first, so
    /// that no family counts more for its many channels or their spread. The scales
    /// become part of the components.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_blocks(moments: &Moments, keep: Components, blocks: &[Block]) -> Result<Self> {
        let channels = moments.sum.len();
        if moments.count < 2 {
            return Err(Error::Image(format!(
                "{} site takes part, but PCA needs two; give a smaller `stride`",
                moments.count
            )));
        }
        if moments.products.iter().any(|v| !v.is_finite()) {
            return Err(Error::Image("the descriptors' covariance is not finite".into()));
        }
        let mean = &moments.sum / moments.count as f64;
        let mut covariance = covariance(moments, &mean);
        let scales = scales(&covariance, &mean, blocks);
        for j in 0..channels {
            (0..channels).for_each(|i| covariance[(i, j)] *= scales[i] * scales[j]);
        }
        let total: f64 = (0..channels).map(|i| covariance[(i, i)]).sum();
        if matches!(keep, Components::Count(q) if channels <= q) {
            return Ok(Self::identity(mean, &covariance, total, &scales));
        }
        let (vectors, values) = eigen(&covariance)
            .ok_or_else(|| Error::Image("no eigenvectors of the covariance were found".into()))?;
        // Rounding may leave the least below zero.
        let variance: Vec<f64> = values.iter().map(|v| v.max(0.0)).collect();
        let kept = count(keep, &variance, total);
        let components = Array2::from_shape_fn((kept, channels), |(c, d)| vectors[(d, c)]);
        let components = fix_signs(components) * &scales;
        Ok(Self { mean, components, report: Explained::new(&variance, kept, total, false) })
    }

    /// The components of each family by itself, at most `most` of each, one family after the
    /// other: `blocks` names their channels. Nothing is scaled.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn of_each(moments: &Moments, most: usize, blocks: &[Block]) -> Result<Self> {
        let own = |Block { channels, .. }: &Block| {
            let part = ndarray::s![channels.clone()];
            let own = Moments {
                count: moments.count,
                sum: moments.sum.slice(part).to_owned(),
                products: moments
                    .products
                    .slice(ndarray::s![channels.clone(), channels.clone()])
                    .to_owned(),
            };
            Self::new(&own, Components::Count(most))
        };
        let each = blocks.iter().map(own).collect::<Result<Vec<_>>>()?;
        let kept = each.iter().map(Self::features).sum();
        let mut components = Array2::zeros((kept, moments.sum.len()));
        let (mut first, mut values) = (0, Vec::with_capacity(kept));
        for (own, Block { channels, .. }) in each.iter().zip(blocks) {
            let part = ndarray::s![first..first + own.features(), channels.clone()];
            components.slice_mut(part).assign(&own.components);
            first += own.features();
            values.extend(&own.report.explained_variance);
        }
        let total = values.iter().sum();
        let mean = &moments.sum / moments.count as f64;
        Ok(Self { mean, components, report: Explained::new(&values, kept, total, false) })
    }

    /// Scaled channels as they are: where there are no more of them than components.
    fn identity(
        mean: Array1<f64>,
        covariance: &Mat<f64>,
        total: f64,
        scales: &Array1<f64>,
    ) -> Self {
        let variance: Vec<f64> = (0..mean.len()).map(|i| covariance[(i, i)]).collect();
        Self {
            components: Array2::from_diag(scales),
            mean,
            report: Explained::new(&variance, variance.len(), total, true),
        }
    }

    /// The map to the combinations `factors` `[f, q]` of these features, of which each
    /// explains as much as its one of `values`, falling, some of which may be of factors
    /// that are not kept.
    pub(crate) fn combined(&self, factors: &Array2<f64>, values: &[f64]) -> Self {
        let values: Vec<f64> = values.iter().map(|v| v.max(0.0)).collect();
        let report = Explained::new(&values, factors.nrows(), values.iter().sum(), false);
        let components = fix_signs(factors.dot(&self.components));
        Self { mean: self.mean.clone(), components, report }
    }

    /// Number of features, q.
    pub fn features(&self) -> usize {
        self.components.nrows()
    }

    /// Features `[sites, q]` of descriptors `[sites, D]`, in f64.
    pub fn project(&self, descriptors: ArrayView2<'_, f32>) -> Array2<f64> {
        let centred = &descriptors.mapv(f64::from) - &self.mean.view().insert_axis(Axis(0));
        centred.dot(&self.components.t())
    }
}

impl Explained {
    /// Most components in `scree`, where no more are kept.
    const SCREE: usize = 20;

    /// The first `kept` of all components' `variance`.
    fn new(variance: &[f64], kept: usize, total: f64, skipped: bool) -> Self {
        let share = |v: &f64| if total > 0.0 { v / total } else { 0.0 };
        let shares: Vec<f64> = variance.iter().map(share).collect();
        Self {
            explained_variance: variance[..kept].to_vec(),
            explained_variance_ratio: shares[..kept].to_vec(),
            scree: shares[..shares.len().min(kept.max(Self::SCREE))].to_vec(),
            skipped,
        }
    }
}

fn covariance(moments: &Moments, mean: &Array1<f64>) -> Mat<f64> {
    let n = moments.count as f64;
    Mat::from_fn(mean.len(), mean.len(), |i, j| {
        // The lower triangle, mirrored.
        let (i, j) = (i.max(j), i.min(j));
        (moments.products[(i, j)] - n * mean[i] * mean[j]) / (n - 1.0)
    })
}

/// What each channel is multiplied by: its block's weight over the square root of
/// the block's total variance; 0 where a block does not vary, 1 without blocks.
fn scales(covariance: &Mat<f64>, mean: &Array1<f64>, blocks: &[Block]) -> Array1<f64> {
    let mut scales = Array1::ones(covariance.nrows());
    for Block { channels, weight } in blocks {
        let total: f64 = channels.clone().map(|i| covariance[(i, i)]).sum();
        // What rounding leaves of a block that does not vary.
        let rounding: f64 = 1e-12 * channels.clone().map(|i| mean[i] * mean[i]).sum::<f64>();
        let scale = if total > rounding { weight / total.sqrt() } else { 0.0 };
        channels.clone().for_each(|i| scales[i] = scale);
    }
    scales
}

/// Number of components to keep of those with `variance`, falling.
fn count(keep: Components, variance: &[f64], total: f64) -> usize {
    match keep {
        Components::Count(q) => q.min(variance.len()),
        Components::Variance(share) => {
            let mut explained = 0.0;
            // The sum of all may fall short of the total by rounding.
            let enough = |v: &f64| {
                explained += v;
                explained >= share * total * (1.0 - 1e-12)
            };
            variance.iter().position(enough).map_or(variance.len(), |i| i + 1)
        }
    }
}

/// Turns each row so that its largest loading (the first of equals) is positive.
fn fix_signs(mut components: Array2<f64>) -> Array2<f64> {
    for mut row in components.rows_mut() {
        let largest =
            row.iter().fold(0.0_f64, |best, &v| if v.abs() > best.abs() { v } else { best });
        if largest < 0.0 {
            row.mapv_inplace(|v| -v);
        }
    }
    components
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments_of(x: &Array2<f32>) -> Moments {
        let x = x.mapv(f64::from);
        Moments { count: x.nrows() as u64, sum: x.sum_axis(Axis(0)), products: x.t().dot(&x) }
    }

    /// 300 sites of 12 channels with a spread that falls from channel to channel.
    fn sample() -> Array2<f32> {
        let mut state = 1_u64;
        Array2::from_shape_fn((300, 12), |(_, d)| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 40) as f32 / 16_777_216.0 - 0.5) / (1 + d) as f32 + 3.0
        })
    }

    #[test]
    fn all_components_reconstruct_the_descriptors() {
        let x = sample();
        let pca = Pca::new(&moments_of(&x), Components::Variance(1.0)).unwrap();
        let back = pca.project(x.view()).dot(&pca.components) + &pca.mean;
        let worst = (&back - &x.mapv(f64::from)).mapv(f64::abs).fold(0.0, |a: f64, &b| a.max(b));
        assert!(worst < 1e-12 * 12.0, "{worst}");
        let gram = pca.components.dot(&pca.components.t());
        assert!((&gram - &Array2::<f64>::eye(12)).iter().all(|v| v.abs() < 1e-12));
    }

    #[test]
    fn features_have_the_explained_variance_and_are_uncorrelated() {
        let x = sample();
        let pca = Pca::new(&moments_of(&x), Components::Count(4)).unwrap();
        let y = pca.project(x.view());
        let covariance = y.t().dot(&y) / (x.nrows() as f64 - 1.0);
        for i in 0..4 {
            for j in 0..4 {
                let expected = if i == j { pca.report.explained_variance[i] } else { 0.0 };
                assert!((covariance[(i, j)] - expected).abs() < 1e-12, "{i} {j}");
            }
        }
        assert!(pca.report.explained_variance.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn a_share_of_variance_keeps_the_fewest() {
        let variance = [4.0, 3.0, 2.0, 1.0];
        assert_eq!(count(Components::Variance(0.7), &variance, 10.0), 2);
        assert_eq!(count(Components::Variance(0.71), &variance, 10.0), 3);
        assert_eq!(count(Components::Variance(1.0), &variance, 10.0), 4);
    }

    #[test]
    fn few_channels_are_features_as_they_are() {
        let x = sample();
        let pca = Pca::new(&moments_of(&x), Components::Count(12)).unwrap();
        assert!(pca.report.skipped);
        assert_eq!(pca.components, Array2::<f64>::eye(12));
    }

    #[test]
    fn blocks_count_by_their_weights_alone() {
        let x = sample();
        let mut loud = x.clone();
        loud.slice_mut(ndarray::s![.., ..4]).mapv_inplace(|v| 100.0 * v);
        let blocks =
            [Block { channels: 0..4, weight: 1.0 }, Block { channels: 4..12, weight: 2.0 }];
        let pca = |x: &Array2<f32>| {
            Pca::of_blocks(&moments_of(x), Components::Variance(1.0), &blocks).unwrap()
        };
        let (one, two) = (pca(&x), pca(&loud));
        let total: f64 = one.report.explained_variance.iter().sum();
        assert!((total - 5.0).abs() < 1e-9, "1 + 2^2, not {total}");
        let difference = one.project(x.view()) - two.project(loud.view());
        assert!(difference.iter().all(|d| d.abs() < 1e-4), "loudness changes features");
        let few = Pca::of_blocks(&moments_of(&x), Components::Count(12), &blocks).unwrap();
        let y = few.project(x.view());
        let spread: f64 = (0..4).map(|c| y.column(c).var(1.0)).sum();
        assert!(few.report.skipped && (spread - 1.0).abs() < 1e-6, "{spread}");
    }

    #[test]
    fn signs_do_not_depend_on_the_solver() {
        let rows = ndarray::array![[0.1, -0.9, 0.2], [0.6, -0.6, 0.1]];
        let fixed = fix_signs(rows);
        assert_eq!(fixed.row(0).to_vec(), [-0.1, 0.9, -0.2]);
        assert_eq!(fixed.row(1).to_vec(), [0.6, -0.6, 0.1]);
    }
}
