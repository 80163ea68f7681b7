//! Maximum autocorrelation factors: of the principal components, those combinations
//! that vary least from a site to its neighbours for what they vary in all.
//!
//! Classes reach over many sites, noise does not: with `C` the covariance of the
//! `p` features and `N` half the mean covariance of their differences between sites about a
//! period apart (down, right and both diagonals), the factors solve
//!
//! `C v = lambda (N + REGULARISER tr(N) / p I) v`
//!
//! (Switzer and Green, Min/max autocorrelation factors for multivariate spatial imagery,
//! Stanford University, 1984). They are a linear map of descriptors like the components, and
//! take their place.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use stemseg_numerics::linear::{Mat, between, eigen, product};

use crate::sites::Band;
use crate::sites::Sites;
use crate::{Error, Result};

/// Share of the mean noise that is added to the noise of every direction: without it, a
/// direction in which hardly anything varies, the noise least of all, would come first. The
/// limit by which a number of patterns is chosen ([`crate::cluster::split::CLEAR`]) was set on
/// factors with this share; whoever changes it has to set that anew.
pub(crate) const REGULARISER: f64 = 0.5;
/// Distance of the other site of a difference, px: about a period.
const LAG: f64 = 18.0;
/// Sites that differences are taken at, about, where there are more.
const SAMPLE: usize = 200_000;
/// Sites whose features and differences are summed, about: some rows where there are more.
const ENOUGH: usize = 40_000;

/// Covariance of features and of their differences, from bands of sites.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Differences {
    count: f64,
    /// Sum of products of the features, `[p, p]`.
    all: Array2<f64>,
    pairs: f64,
    /// Sum of products of the differences, `[p, p]`.
    differences: Array2<f64>,
    /// Sum of the features, `[p]`.
    sum: Array1<f64>,
}

impl Differences {
    /// Nothing yet, of `features` features.
    pub fn zero(features: usize) -> Self {
        let square = || Array2::zeros((features, features));
        let sum = Array1::zeros(features);
        Self { count: 0.0, all: square(), pairs: 0.0, differences: square(), sum }
    }

    /// The bands that differences are taken in: whatever the bands of the run, so that
    /// the result is the same.
    pub fn bands(sites: &Sites) -> Vec<Band> {
        sites.sample_bands(SAMPLE)
    }

    /// Adds the features `[sites, p]` of `band`. Masked sites, and pairs with one, do
    /// not count.
    pub fn add(&mut self, sites: &Sites, band: &Band, features: ArrayView2<'_, f32>) {
        let (rows, cols) = (band.rows.len(), band.cols);
        let active = |r: usize, c: usize| sites.is_active((band.rows.start + r) * cols + c);
        let steps = steps(sites.grid().stride);
        // The covariance of forty features needs no more.
        let every = sites.grid().len().div_ceil(ENOUGH);
        let parts: Vec<Self> = (0..rows)
            .into_par_iter()
            .filter(|row| (band.rows.start + row).is_multiple_of(every))
            .map(|row| {
                let mut part = Self::zero(features.ncols());
                let of_row: Vec<usize> = (0..cols).filter(|&c| active(row, c)).collect();
                let at = |r: usize, c: usize| {
                    features.row(r * cols + c).to_slice().expect("rows of features are contiguous")
                };
                let mut lines = Array2::zeros((of_row.len(), features.ncols()));
                for (mut line, &c) in lines.outer_iter_mut().zip(&of_row) {
                    line.iter_mut().zip(at(row, c)).for_each(|(to, &v)| *to = f64::from(v));
                }
                part.count = of_row.len() as f64;
                part.sum = lines.sum_axis(Axis(0));
                general_mat_mul(1.0, &lines.t(), &lines, 1.0, &mut part.all);
                for (down, right) in steps {
                    let others = of_row.iter().filter_map(|&c| {
                        let other = c.checked_add_signed(right).filter(|&other| other < cols)?;
                        (row + down < rows && active(row + down, other)).then_some((c, other))
                    });
                    let mut pairs = 0;
                    for ((c, other), mut line) in others.zip(lines.outer_iter_mut()) {
                        let differences = at(row, c).iter().zip(at(row + down, other));
                        line.iter_mut().zip(differences).for_each(|(to, (a, b))| {
                            *to = f64::from(*a) - f64::from(*b);
                        });
                        pairs += 1;
                    }
                    part.pairs += pairs as f64;
                    let lines = lines.slice(s![..pairs, ..]);
                    general_mat_mul(1.0, &lines.t(), &lines, 1.0, &mut part.differences);
                }
                part
            })
            .collect();
        // One by one, so that nothing depends on threads.
        parts.iter().for_each(|part| self.merge(part));
    }

    /// Adds the sums of other sites, of the same features: of another band, image or machine.
    ///
    /// # Panics
    /// Where the features are not as many.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += &other.sum;
        self.all += &other.all;
        self.pairs += other.pairs;
        self.differences += &other.differences;
    }

    /// The factors `[f, p]` of these features, at most `keep` of them, best first, and
    /// how much each of all varies for a noise of 1.
    ///
    /// # Errors
    /// [`Error::Image`] where there are no pairs of sites, or nothing varies.
    pub fn factors(&self, keep: usize) -> Result<(Array2<f64>, Vec<f64>)> {
        if self.pairs < 2.0 {
            return Err(Error::Image(
                "there are too few neighbouring sites for `reduce = maf`; give a smaller `stride`, or `reduce = pca`".into(),
            ));
        }
        let p = self.sum.len();
        let mean = &self.sum / self.count;
        let covariance = |i: usize, j: usize| self.all[(i, j)] / self.count - mean[i] * mean[j];
        let noise = |i: usize, j: usize| self.differences[(i, j)] / (2.0 * self.pairs);
        let trace: f64 = (0..p).map(|i| noise(i, i)).sum();
        let ridge = REGULARISER * trace / p as f64;
        let noise = Mat::from_fn(p, p, |i, j| noise(i, j) + if i == j { ridge } else { 0.0 });
        let (vectors, values) = falling(&noise)?;
        if values.last().is_none_or(|&least| least <= 0.0) {
            return Err(Error::Image("neighbouring sites do not differ at all".into()));
        }
        // With N = U S U' and W = U S^-1/2, the factors are W times the eigenvectors of W' C W.
        let whitening = Mat::from_fn(p, p, |i, j| vectors[(i, j)] / values[j].sqrt());
        let covariance = Mat::from_fn(p, p, covariance);
        let (vectors, values) = falling(&between(&covariance, &whitening))?;
        let vectors = product(whitening.as_ref(), vectors.as_ref());
        Ok((Array2::from_shape_fn((keep.min(p), p), |(f, i)| vectors[(i, f)]), values))
    }
}

/// How many sites of stride `stride` are about a period.
pub(crate) fn lag(stride: usize) -> usize {
    sites(LAG, stride)
}

fn sites(px: f64, stride: usize) -> usize {
    (px / stride as f64).round().max(1.0) as usize
}

/// Steps to the other sites of differences, for sites `stride` px apart: down, right and
/// along both diagonals.
pub(crate) fn steps(stride: usize) -> [(usize, isize); 4] {
    let (straight, aslant) = (lag(stride), sites(LAG / std::f64::consts::SQRT_2, stride));
    let right = |sites: usize| sites as isize;
    [(straight, 0), (0, right(straight)), (aslant, right(aslant)), (aslant, -right(aslant))]
}

/// Eigenvectors of a symmetric matrix, in columns, and eigenvalues, falling.
pub(crate) fn falling(matrix: &Mat<f64>) -> Result<(Mat<f64>, Vec<f64>)> {
    eigen(matrix).ok_or_else(|| Error::Image("no autocorrelation factors were found".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Params;
    use crate::plan::Components;
    use crate::plan::{Outline, Plan};
    use crate::reduce::pca::{Moments, Pca};

    /// A plan with 12 x 30 sites.
    fn plan() -> Plan {
        let params = Params { stride: 5, ..Default::default() };
        Plan::new(params, Outline::new((136, 226), 1.0)).unwrap()
    }

    #[test]
    fn what_reaches_over_many_sites_comes_before_what_is_loud() {
        let plan = plan();
        let count = plan.sites().grid().count;
        let mut state = 5_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        // Feature 0 is noise that varies more than feature 1, a step between two halves with
        // a little noise. (The regulariser is a share of the noise: were that ten times as
        // loud, it would hide the step.)
        let mut features = Array2::zeros((count.area(), 2));
        for (site, mut row) in features.outer_iter_mut().enumerate() {
            let step = if site % count.cols < count.cols / 2 { 0.0 } else { 1.0 };
            row[0] = 2.0 * noise();
            row[1] = step + 0.3 * noise();
        }
        let x = features.mapv(f64::from);
        let moments =
            Moments { count: x.nrows() as u64, sum: x.sum_axis(Axis(0)), products: x.t().dot(&x) };
        let pca = Pca::new(&moments, Components::Count(2)).unwrap();
        let mut sums = Differences::zero(2);
        for band in Differences::bands(plan.sites()) {
            sums.add(plan.sites(), &band, features.slice(ndarray::s![band.sites(), ..]));
        }
        let factors = |keep| {
            let (factors, values) = sums.factors(keep).unwrap();
            pca.combined(&factors, &values)
        };
        let found = factors(1);
        assert_eq!(found.features(), 1);
        let [loud, step] = [0, 1].map(|i| found.components[(0, i)].abs());
        assert!(step > 5.0 * loud, "{step} of the step, {loud} of the noise");
        let all = factors(7);
        assert_eq!(all.features(), 2, "no more than there are");
        let values = &all.report.explained_variance;
        assert!(values[0] > 2.0 * values[1], "{values:?}");
    }

    #[test]
    fn factors_solve_the_equation_that_is_documented() {
        let documented = include_str!("maf.rs").lines().filter(|line| line.starts_with("//!"));
        let equation = documented.filter(|line| line.contains("C v =")).collect::<String>();
        assert_eq!(equation, "//! `C v = lambda (N + REGULARISER tr(N) / p I) v`");

        // C and N of three features, from sums over ten sites and ten pairs.
        let c = ndarray::array![[9.0, 2.0, 0.5], [2.0, 4.0, 1.0], [0.5, 1.0, 1.0]];
        let n = ndarray::array![[1.0, 0.3, 0.0], [0.3, 2.0, 0.1], [0.0, 0.1, 0.01]];
        let (count, pairs) = (10.0, 10.0);
        let sum = ndarray::Array1::zeros(3);
        let sums =
            Differences { count, all: count * &c, pairs, differences: 2.0 * pairs * &n, sum };
        let (factors, values) = sums.factors(3).unwrap();
        let noise = &n + REGULARISER * n.diag().sum() / 3.0 * Array2::<f64>::eye(3);
        for (v, lambda) in factors.outer_iter().zip(values) {
            let off = c.dot(&v) - lambda * noise.dot(&v);
            assert!(off.iter().all(|off| off.abs() < 1e-12), "{off} at {lambda}");
        }
    }

    #[test]
    fn masked_sites_take_no_part() {
        let mask = Array2::from_shape_fn((103, 139), |(_, c)| c < 60);
        let params = Params { stride: 2, ..Default::default() };
        let plan =
            Plan::new(params, Outline::new((103, 139), 1.0).without(Some(mask.into_shared())))
                .unwrap();
        let band = &plan.sites().bands(plan.sites().grid().count.rows)[0];
        let sums = |masked: f32| {
            let features = Array2::from_shape_fn((plan.sites().grid().len(), 2), |(site, f)| {
                if plan.sites().is_active(site) { ((3 * site + f) % 7) as f32 } else { masked }
            });
            let mut sums = Differences::zero(2);
            sums.add(plan.sites(), band, features.view());
            (sums.count, sums.pairs, sums.differences)
        };
        assert_eq!(sums(0.0), sums(1e6));
        assert_eq!(sums(0.0).0 as usize, plan.sites().active_count());
    }
}
