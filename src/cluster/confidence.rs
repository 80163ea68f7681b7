//! How sure a label is, and which channels tell patterns apart.

use ndarray::{Array1, Array2, ArrayView2};
use rayon::prelude::*;

use crate::cluster::gap::Mixing;
use crate::cluster::kmeans::Clustering;

/// Sites that one task takes.
const CHUNK: usize = 4096;

/// Membership of each point in the cluster of its label, `[N]`, 0 to 1: the
/// softmax over clusters of `-d^2 / 2`, with `d^2` the squared distance from the
/// centroid in units of the pooled within-cluster `variance` of each feature
/// (`points` `[N, q]`, `variance` `[q]`). Clusters are, or are parts of, the patterns
/// `pattern_of` them; of the membership in each pattern (row) that share is one in another (column)
/// which `mixing` says.
pub fn memberships(
    points: ArrayView2<'_, f32>,
    clustering: &Clustering,
    variance: &Array1<f64>,
    (mixing, pattern_of): (&Mixing, &[usize]),
) -> Vec<f32> {
    let weight = variance.mapv(|v| if v > 0.0 { 0.5 / v } else { 0.0 });
    clustering
        .labels
        .par_iter()
        .enumerate()
        .with_min_len(CHUNK)
        .map(|(i, &label)| {
            let exponent = |c: usize| -> f64 {
                let centroid = clustering.centroids.row(c);
                let terms = points.row(i).into_iter().zip(centroid).zip(&weight);
                terms.map(|((&p, c), w)| (f64::from(p) - c).powi(2) * w).sum()
            };
            let own = exponent(label as usize);
            let pattern = pattern_of[label as usize];
            let (mut mixed, mut all) = (0.0, 0.0);
            for (c, &other) in pattern_of.iter().enumerate() {
                let likelihood = (own - exponent(c)).exp();
                mixed += likelihood * f64::from(mixing.share(other, pattern));
                all += likelihood;
            }
            (mixed / all) as f32
        })
        .collect()
}

/// Variance of each feature of `points` `[N, q]` about the centroid of its point, `[q]`.
pub fn within_variance(points: ArrayView2<'_, f32>, clustering: &Clustering) -> Array1<f64> {
    let mut sum = Array1::zeros(points.ncols());
    for (point, &label) in points.rows().into_iter().zip(&clustering.labels) {
        let centroid = clustering.centroids.row(label as usize);
        for ((s, &p), c) in sum.iter_mut().zip(point).zip(centroid) {
            *s += (f64::from(p) - c).powi(2);
        }
    }
    sum / points.nrows().max(1) as f64
}

/// Sums over the sites of each cluster from which the separability of channels
/// follows; bands of sites add up.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassSums {
    count: Array1<f64>,
    sum: Array2<f64>,
    squares: Array1<f64>,
}

impl ClassSums {
    /// No sites yet of `clusters` clusters and `channels` channels.
    pub fn zero(clusters: usize, channels: usize) -> Self {
        Self {
            count: Array1::zeros(clusters),
            sum: Array2::zeros((clusters, channels)),
            squares: Array1::zeros(channels),
        }
    }

    /// Adds one site's descriptor `[D]` to its cluster.
    pub fn add<'a>(&mut self, cluster: usize, descriptor: impl IntoIterator<Item = &'a f32>) {
        self.count[cluster] += 1.0;
        let sums = self.sum.row_mut(cluster);
        for ((&v, s), q) in descriptor.into_iter().zip(sums).zip(&mut self.squares) {
            let v = f64::from(v);
            *s += v;
            *q += v * v;
        }
    }

    /// Adds the sums of other sites.
    pub fn merge(&mut self, other: &Self) {
        self.count += &other.count;
        self.sum += &other.sum;
        self.squares += &other.squares;
    }

    /// Fisher separability of each channel, `[D]`: the sum of squares between
    /// classes over that within them (0 for 0/0), as pySTEM's paper uses it to
    /// select translations.
    pub fn separability(&self) -> Array1<f64> {
        let total = self.count.sum();
        let grand = self.sum.sum_axis(ndarray::Axis(0)) / total.max(1.0);
        let mut between = Array1::<f64>::zeros(self.squares.len());
        let mut explained = Array1::<f64>::zeros(self.squares.len());
        for (sums, &n) in self.sum.rows().into_iter().zip(&self.count) {
            if n == 0.0 {
                continue;
            }
            let mean = &sums / n;
            between += &((&mean - &grand).mapv(|d| d * d) * n);
            explained += &(&mean * &sums);
        }
        // What rounding leaves of a channel that never varies is not a variation.
        let floor = &self.squares * 1e-12;
        let within = &self.squares - &explained;
        ndarray::Zip::from(&between)
            .and(&within)
            .and(&floor)
            .map_collect(|&b, &w, &floor| if b > floor { b / w.max(floor) } else { 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clusters on a line at 0 and 10 with variance 1, and a point half-way.
    fn clustering() -> (Array2<f32>, Clustering) {
        let points = ndarray::array![[-1.0], [1.0], [9.0], [11.0], [5.0]];
        let clustering = Clustering {
            labels: vec![0, 0, 1, 1, 0],
            centroids: ndarray::array![[0.0], [10.0]],
            inertia: 29.0,
            iterations: 1,
            restarts: 1,
            converged: true,
        };
        (points, clustering)
    }

    #[test]
    fn membership_is_the_softmax_of_scaled_distances() {
        let (points, clustering) = clustering();
        let variance = within_variance(points.view(), &clustering);
        let found = memberships(points.view(), &clustering, &variance, (&Mixing::none(), &[0, 1]));
        let variance = 29.0_f64 / 5.0;
        let expected =
            |x: f64| 1.0 / (1.0 + ((x * x - (x - 10.0).powi(2)) / (2.0 * variance)).exp());
        for (i, x) in [-1.0, 1.0].into_iter().enumerate() {
            assert!((f64::from(found[i]) - expected(x)).abs() < 1e-6);
        }
        assert!((found[4] - 0.5).abs() < 1e-6, "half-way");
        let mixing = Mixing::of(ndarray::array![[0.75, 0.25], [0.25, 0.75]]);
        let variance = within_variance(points.view(), &clustering);
        let mixed = memberships(points.view(), &clustering, &variance, (&mixing, &[0, 1]));
        assert!(mixed.iter().zip(&found).all(|(m, f)| (m - (0.25 + 0.5 * f)).abs() < 1e-6));
    }

    #[test]
    fn separability_is_between_over_within() {
        let mut sums = ClassSums::zero(2, 3);
        // Channel 0 separates, channel 1 does not, channel 2 never varies.
        for (cluster, x) in [
            (0, [0.0, 1.0, 4.0]),
            (0, [2.0, 3.0, 4.0]),
            (1, [10.0, 1.0, 4.0]),
            (1, [12.0, 3.0, 4.0]),
        ] {
            sums.add(cluster, &x);
        }
        let found = sums.separability();
        // Means 1 and 11 about 6: between 4 * 25, within 4 * 1.
        assert!((found[0] - 25.0).abs() < 1e-9, "{found}");
        assert_eq!((found[1], found[2]), (0.0, 0.0));
    }
}
