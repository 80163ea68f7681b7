//! Autocorrelation factors, and the features that they are.
//!
//! A factor `v` is a combination of components; its value is `v' C v / v' (N + r I) v`, with
//! the covariances of the components and of their differences. To first order, and with the
//! denominator 1, that is off by `v' dC v - lambda v' (dN + dr I) v`: by what the features `v'
//! y` of the sites are off by, times their spread, as roots of mean squares over the sites. A
//! difference of two sites is off by what both are.

use ndarray::{Array2, ArrayView2, Axis, Ix2, SliceInfo, SliceInfoElem};

use super::sides::Sides;
use super::worst::Worst;
use super::{Stage, site};
use crate::Result;
use crate::descriptor::rounding::{self, EPS};
use crate::pipeline::fit;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::reduce::maf::Differences;
use crate::reduce::pca::Pca;

/// Features of sites that two backends have, and how far they may be apart.
pub(super) struct Features {
    /// `[sites, q]`, of the trusted backend and of the checked one.
    pub(super) values: [Array2<f32>; 2],
    /// `[sites, q]`.
    pub(super) bounds: Array2<f32>,
    /// The map that they follow from, with what each feature explains on either backend.
    pub(super) maps: [Pca; 2],
}

/// Which rows and columns of features.
type Part = SliceInfo<[SliceInfoElem; 2], Ix2, Ix2>;

impl Features {
    /// What both backends projected by `pca`.
    pub(super) fn of_components(values: [Array2<f32>; 2], bounds: Array2<f32>, pca: &Pca) -> Self {
        Self { values, bounds, maps: [pca.clone(), pca.clone()] }
    }

    /// Some of the features, of the sites of `plan` that take part.
    pub(super) fn of(&self, plan: &Plan, part: Part) -> Self {
        let of = |all: &Array2<f32>| {
            let active = plan.sites().keep_active(all);
            active.slice(part).as_standard_layout().into_owned()
        };
        let [one, other] = &self.values;
        Self { values: [of(one), of(other)], bounds: of(&self.bounds), maps: self.maps.clone() }
    }

    /// The stages `factors` and `features` of the factors that these components of `pca` have,
    /// and the features.
    pub(super) fn combined(
        &self,
        pca: &Pca,
        sides: &mut Sides<'_>,
        progress: &dyn Progress,
    ) -> Result<([Stage; 2], Self)> {
        let plan = sides.plan();
        let sums = [0, 1].map(|side| differences(&self.values[side], plan));
        let (factors, own) = sums[0].factors(plan.factors())?;
        let (_, others) = sums[1].factors(plan.factors())?;
        let maps = [&own, &others].map(|values| pca.combined(&factors, values));

        let bounds = self.bounds_of(&factors);
        let stage = compare(
            [&own[..factors.nrows()], &others[..factors.nrows()]],
            &bounds,
            self.noise_off(plan, sums[0].noise()),
            plan,
        );
        let sampled = Differences::bands(plan.sites()).iter().map(|band| band.len()).sum::<usize>();
        let values = match sampled == plan.sites().grid().len() {
            true => [0, 1].map(|side| fit::combined(&self.values[side], &factors, pca, &maps[0])),
            false => sides.features(&maps[0], progress)?,
        };
        let mut worst = Worst::default();
        for (((at, &a), &b), &bound) in values[0].indexed_iter().zip(&values[1]).zip(&bounds) {
            worst.add([a.into(), b.into()], bound.into(), at);
        }
        let components = self.bounds.ncols();
        let reason = format!(
            "sum over components of weight x (bound + 2 eps (sqrt({components} components) + 2) value)"
        );
        let features =
            worst.stage("features", reason, |(i, f)| format!("{}, feature {f}", site(plan, i)));
        Ok(([stage, features], Self { values, bounds, maps }))
    }

    /// How far the combinations `factors` `[f, q]` of these features may be apart, `[sites, f]`.
    fn bounds_of(&self, factors: &Array2<f64>) -> Array2<f32> {
        let weights = factors.mapv(|weight| weight.abs() as f32);
        let sums = (rounding::sum(factors.ncols()) + 2.0 * EPS) as f32;
        let mut off = self.values[0].mapv(|value| 2.0 * sums * value.abs());
        off += &self.bounds;
        off.dot(&weights.t())
    }

    /// How far the mean `noise` of all these components may be apart, as a share of it.
    fn noise_off(&self, plan: &Plan, noise: f64) -> f64 {
        let square: f64 = spreads(&self.bounds, plan).iter().map(|off| 2.0 * off * off).sum();
        (2.0 * square.sqrt() * noise.sqrt() + square) / noise.max(f64::MIN_POSITIVE)
    }
}

/// Sums over differences of these `components` `[sites, p]`.
fn differences(components: &Array2<f32>, plan: &Plan) -> Differences {
    let mut sums = Differences::zero(components.ncols());
    for band in Differences::bands(plan.sites()) {
        sums.add(plan.sites(), &band, components.slice(ndarray::s![band.sites(), ..]));
    }
    sums
}

/// Compares the `values` of factors whose features may be off by `bounds` `[sites, f]`; the
/// regulariser may be off by the share `noise_off`.
fn compare(values: [&[f64]; 2], bounds: &Array2<f32>, noise_off: f64, plan: &Plan) -> Stage {
    let mut worst = Worst::default();
    for (f, off) in spreads(bounds, plan).into_iter().enumerate() {
        let pair = [values[0][f], values[1][f]];
        let value = pair[0].max(0.0);
        let covariance = 2.0 * value.sqrt() * off + off * off;
        let noise = 2.0 * 2.0_f64.sqrt() * off + 2.0 * off * off + noise_off;
        worst.add(pair, covariance + value * noise, (f, 0));
    }
    let reason = "2 spread x off + off^2, and value x (2 sqrt(2) off + 2 off^2 + the noise's share), with off \
                  the features' bound (roots of mean squares over the sites)";
    worst.stage("factors", reason.into(), |(f, _)| format!("factor {f}"))
}

/// Roots of the mean squares of `bounds` `[sites, _]` over the sites that take part.
fn spreads(bounds: &Array2<f32>, plan: &Plan) -> Vec<f64> {
    let active = plan.sites().keep_active(bounds);
    let count = active.nrows().max(1) as f64;
    let square = |column: ndarray::ArrayView1<'_, f32>| -> f64 {
        column.iter().map(|&off| f64::from(off).powi(2)).sum()
    };
    let view: ArrayView2<'_, f32> = active.view();
    view.axis_iter(Axis(1)).map(|column| (square(column) / count).sqrt()).collect()
}
