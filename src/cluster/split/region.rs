//! What varies over a region much and from site to site little: factors made from the sites
//! of the region alone.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, s};
use rayon::prelude::*;
use stemseg_numerics::linear::{Mat, between, eigen, product};

use super::field::{Field, Part};
use crate::reduce::maf;

/// How many principal components factors are made of.
const COMPONENTS: usize = 40;
/// Factors of each kind that are looked at.
const FACTORS: usize = 3;
/// Shares of the mean noise that are added to that of every direction, see [`maf`]: little
/// noise finds what differs weakly, more of it what is certain.
pub(super) const REGULARISERS: [f64; 2] = [maf::REGULARISER, 0.03];

/// Covariance of the components in a region, and half that of their differences between
/// sites about a period apart.
pub(super) struct Sums {
    covariance: Mat<f64>,
    noise: Mat<f64>,
}

/// Rows of sites that one task sums up; fixed, so that sums do not depend on threads.
const ROWS_PER_TASK: usize = 8;

/// What some rows of sites add to the sums.
struct Totals {
    count: f64,
    pairs: f64,
    sum: Vec<f64>,
    products: Array2<f64>,
    differences: Array2<f64>,
}

/// What one row of sites adds to the sums.
struct Row {
    count: f64,
    pairs: f64,
    sum: Vec<f64>,
    products: Array2<f32>,
    differences: Array2<f32>,
}

impl Sums {
    /// Over the sites of `field` in `region` `[rows, cols]`; nothing where no two of them are a
    /// period apart.
    pub(super) fn of(field: &Field, region: &Array2<bool>) -> Option<Self> {
        let p = field.values.ncols();
        let rows: Vec<usize> = (0..field.dim().0).collect();
        let tasks: Vec<Totals> = rows
            .par_chunks(ROWS_PER_TASK)
            .map(|rows| {
                let mut totals = Totals::zero(p);
                rows.iter().filter_map(|&row| Row::of(field, region, row)).for_each(|row| {
                    totals.add(&row);
                });
                totals
            })
            .collect();
        let mut all = Totals::zero(p);
        tasks.iter().filter(|task| task.count > 0.0).for_each(|task| all.merge(task));
        let Totals { count, pairs, sum, products, differences } = all;
        if count < 2.0 || pairs < 2.0 {
            return None;
        }
        let mean: Vec<f64> = sum.iter().map(|v| v / count).collect();
        let covariance = Mat::from_fn(p, p, |i, j| products[(i, j)] / count - mean[i] * mean[j]);
        let noise = Mat::from_fn(p, p, |i, j| differences[(i, j)] / (2.0 * pairs));
        Some(Self { covariance, noise })
    }

    /// The principal components of `parts`, each scaled by its whole variance in the region:
    /// `[p, q]`, with the scales in them.
    fn components(&self, parts: &[&Part]) -> Option<Mat<f64>> {
        let p = self.covariance.nrows();
        // Columns of the parts, and their scales.
        let mut own: Vec<(usize, f64)> = Vec::with_capacity(p);
        for part in parts {
            let total: f64 = part.columns.clone().map(|i| self.covariance[(i, i)]).sum();
            let scale = if total > 0.0 { part.weight / total.sqrt() } else { 0.0 };
            own.extend(part.columns.clone().map(|i| (i, scale)));
        }
        let scaled =
            |(i, si): (usize, f64), (j, sj): (usize, f64)| si * sj * self.covariance[(i, j)];
        let scaled = Mat::from_fn(own.len(), own.len(), |i, j| scaled(own[i], own[j]));
        let (vectors, variances) = eigen(&scaled)?;
        let counts = |&c: &usize| variances[c] > 1e-12 * variances[0];
        let kept = (0..own.len().min(COMPONENTS)).take_while(counts).count();
        let mut components = Mat::zeros(p, kept);
        for (at, &(i, scale)) in own.iter().enumerate() {
            (0..kept).for_each(|c| components[(i, c)] = scale * vectors[(at, c)]);
        }
        (kept > 0).then_some(components)
    }

    /// The leading factors of `parts` under each of [`REGULARISERS`]: `[p, factors]`.
    pub(super) fn factors(&self, parts: &[&Part]) -> Vec<Mat<f64>> {
        let Some(components) = self.components(parts) else { return Vec::new() };
        let of = |&regulariser: &f64| self.leading(&components, regulariser, FACTORS);
        REGULARISERS.iter().filter_map(of).collect()
    }

    /// So many leading factors of all `parts` under the usual regulariser: `[p, factors]`.
    pub(super) fn usual_factors(&self, parts: &[&Part], count: usize) -> Option<Mat<f64>> {
        self.leading(&self.components(parts)?, REGULARISERS[0], count)
    }

    fn leading(&self, components: &Mat<f64>, regulariser: f64, count: usize) -> Option<Mat<f64>> {
        let whitening = whitening(&between(&self.noise, components), regulariser)?;
        let covariance = between(&self.covariance, components);
        let (vectors, _) = eigen(&between(&covariance, &whitening))?;
        let kept = count.min(vectors.ncols());
        let vectors = Mat::from_fn(vectors.nrows(), kept, |i, j| vectors[(i, j)]);
        Some(product(product(components.as_ref(), whitening.as_ref()).as_ref(), vectors.as_ref()))
    }

    /// How much the combination `along` `[p]` of the components varies for what it differs by from
    /// site to site.
    pub(super) fn variation(&self, along: ArrayView1<'_, f64>) -> f64 {
        let of = |matrix: &Mat<f64>| -> f64 {
            let row = |i: usize| -> f64 {
                along.iter().enumerate().map(|(j, w)| matrix[(i, j)] * w).sum()
            };
            along.iter().enumerate().map(|(i, w)| w * row(i)).sum()
        };
        of(&self.covariance) / of(&self.noise).max(f64::MIN_POSITIVE)
    }

    /// The principal components of all parts in units of their noise: `[p, q]`.
    pub(super) fn whitened(&self, parts: &[&Part], regulariser: f64) -> Option<Mat<f64>> {
        let components = self.components(parts)?;
        let noise = between(&self.noise, &components);
        Some(product(components.as_ref(), whitening(&noise, regulariser)?.as_ref()))
    }
}

/// Directions, in columns, in which `noise` and so much of its mean is 1.
fn whitening(noise: &Mat<f64>, regulariser: f64) -> Option<Mat<f64>> {
    let q = noise.nrows();
    let ridge = regulariser * (0..q).map(|i| noise[(i, i)]).sum::<f64>() / q as f64;
    let regular = Mat::from_fn(q, q, |i, j| noise[(i, j)] + if i == j { ridge } else { 0.0 });
    let (vectors, values) = eigen(&regular)?;
    let least = *values.last()?;
    (least > 0.0).then(|| Mat::from_fn(q, q, |i, j| vectors[(i, j)] / values[j].sqrt()))
}

impl Totals {
    fn zero(p: usize) -> Self {
        let (products, differences) = (Array2::zeros((p, p)), Array2::zeros((p, p)));
        Self { count: 0.0, pairs: 0.0, sum: vec![0.0; p], products, differences }
    }

    fn add(&mut self, row: &Row) {
        self.products.zip_mut_with(&row.products, |to, &v| *to += f64::from(v));
        self.differences.zip_mut_with(&row.differences, |to, &v| *to += f64::from(v));
        self.sum.iter_mut().zip(&row.sum).for_each(|(to, v)| *to += v);
        self.count += row.count;
        self.pairs += row.pairs;
    }

    fn merge(&mut self, other: &Self) {
        self.products += &other.products;
        self.differences += &other.differences;
        self.sum.iter_mut().zip(&other.sum).for_each(|(to, v)| *to += v);
        self.count += other.count;
        self.pairs += other.pairs;
    }
}

impl Row {
    /// Of a row of `region`; nothing where that has no site.
    fn of(field: &Field, region: &Array2<bool>, row: usize) -> Option<Self> {
        let (rows, cols) = field.dim();
        let p = field.values.ncols();
        let own: Vec<usize> = (0..cols).filter(|&c| region[(row, c)]).collect();
        if own.is_empty() {
            return None;
        }
        let at = |r: usize, c: usize| field.values.row(r * cols + c);
        let mut lines = Array2::<f32>::zeros((own.len(), p));
        for (mut line, &c) in lines.outer_iter_mut().zip(&own) {
            line.assign(&at(row, c));
        }
        let sum = lines.columns().into_iter().map(|v| v.iter().map(|&v| f64::from(v)).sum());
        let mut this = Self {
            count: own.len() as f64,
            pairs: 0.0,
            sum: sum.collect(),
            products: Array2::zeros((p, p)),
            differences: Array2::zeros((p, p)),
        };
        general_mat_mul(1.0, &lines.t(), &lines, 1.0, &mut this.products);
        for (down, right) in maf::steps(field.stride) {
            let mut pairs = 0;
            for &c in &own {
                let Some(other) = c.checked_add_signed(right).filter(|&c| c < cols) else {
                    continue;
                };
                if row + down >= rows || !region[(row + down, other)] {
                    continue;
                }
                let (one, other) = (at(row, c), at(row + down, other));
                let differences = one.iter().zip(other).map(|(a, b)| a - b);
                lines.row_mut(pairs).iter_mut().zip(differences).for_each(|(to, v)| *to = v);
                pairs += 1;
            }
            this.pairs += pairs as f64;
            let lines = lines.slice(s![..pairs, ..]);
            general_mat_mul(1.0, &lines.t(), &lines, 1.0, &mut this.differences);
        }
        Some(this)
    }
}
