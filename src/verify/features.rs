//! What tells patterns apart: combinations of the components of sites.

use ndarray::{Array2, ArrayView2, Ix2, SliceInfo, SliceInfoElem};

use super::worst::Worst;
use super::{Stage, site};
use crate::Result;
use crate::descriptor::rounding::{self, EPS};
use crate::pipeline::fit::{Basis, Found};
use crate::plan::Plan;
use crate::progress::Progress;

/// Features of sites that two backends have, and how far they may be apart.
pub(super) struct Features {
    /// `[sites, q]`, of the trusted backend and of the checked one.
    pub(super) values: [Array2<f32>; 2],
    /// `[sites, q]`.
    pub(super) bounds: Array2<f32>,
}

/// Which rows and columns of features.
type Part = SliceInfo<[SliceInfoElem; 2], Ix2, Ix2>;

impl Features {
    /// Some of the features, of the sites of `plan` that take part.
    pub(super) fn of(&self, plan: &Plan, part: Part) -> Self {
        let of = |all: &Array2<f32>| {
            let active = plan.sites().keep_active(all);
            active.slice(part).as_standard_layout().into_owned()
        };
        let [one, other] = &self.values;
        Self { values: [of(one), of(other)], bounds: of(&self.bounds) }
    }

    /// What these components of `basis` on one side show of `image`.
    pub(super) fn found(
        &self,
        side: usize,
        basis: &Basis,
        (plan, image): (&Plan, ArrayView2<'_, f32>),
        progress: &dyn Progress,
    ) -> Result<Found> {
        let sites = plan.sites();
        let mut field = basis.field(plan, sites.grid().len());
        field.see(image);
        field.add(&sites.whole(), self.values[side].view());
        Found::new(&field, basis, plan, progress)
    }

    /// The stage `features` of the combinations of these components that were `found`, and these.
    pub(super) fn combined(&self, found: &Found, plan: &Plan) -> (Stage, Self) {
        let values = [0, 1].map(|side| found.combined(&self.values[side]));
        let bounds = self.bounds_of(&found.directions);
        let mut worst = Worst::default();
        for (((at, &a), &b), &bound) in values[0].indexed_iter().zip(&values[1]).zip(&bounds) {
            worst.add([a.into(), b.into()], bound.into(), at);
        }
        let components = self.bounds.ncols();
        let reason = format!(
            "sum over components of weight x (bound + 2 eps (sqrt({components} components) + 2) value)"
        );
        let stage =
            worst.stage("features", reason, |(i, f)| format!("{}, feature {f}", site(plan, i)));
        (stage, Self { values, bounds })
    }

    /// How far the combinations `directions` `[f, q]` of these features may be apart, `[sites, f]`.
    fn bounds_of(&self, directions: &Array2<f64>) -> Array2<f32> {
        let weights = directions.mapv(|weight| weight.abs() as f32);
        let sums = (rounding::sum(directions.ncols()) + 2.0 * EPS) as f32;
        let mut off = self.values[0].mapv(|value| 2.0 * sums * value.abs());
        off += &self.bounds;
        off.dot(&weights.t())
    }
}
