//! Descriptors, family by family, and the features that follow from them.

use ndarray::{Array1, Array2, ArrayView2};

use super::worst::Worst;
use super::{Stage, site};
use crate::descriptor::Family;
use crate::descriptor::Subject;
use crate::descriptor::rounding::{self, EPS, Rounding};
use crate::plan::Plan;
use crate::reduce::pca::Pca;
use crate::sites::Band;

/// What has been compared so far.
pub(crate) struct Blocks<'a> {
    plan: &'a Plan,
    pca: &'a Pca,
    families: Vec<Block>,
    /// Whether the sites of each site row count in the sums; all where it is empty.
    summed: Vec<bool>,
    /// Of each channel, the sum of the bounds' squares over the sites that take part in
    /// PCA, and how many these are.
    squares: Vec<f64>,
    active: u64,
    /// Bounds of the features, `[sites, q]`.
    features: Array2<f32>,
}

/// The channels of one family.
struct Block {
    worst: Worst,
    /// How the bounds of the worst's band came about.
    reason: String,
}

impl<'a> Blocks<'a> {
    pub(crate) fn new(plan: &'a Plan, pca: &'a Pca) -> Self {
        let block = |_| Block { worst: Worst::default(), reason: String::new() };
        Self {
            plan,
            pca,
            families: plan.families().iter().map(block).collect(),
            summed: Vec::new(),
            squares: vec![0.0; plan.channels()],
            active: 0,
            features: Array2::zeros((plan.sites().grid().len(), pca.features())),
        }
    }

    /// The same where only the sites of `bands` are in the sums.
    pub(crate) fn with_summed(mut self, bands: &[Band]) -> Self {
        self.summed = vec![false; self.plan.sites().grid().count.rows];
        bands.iter().for_each(|band| self.summed[band.rows.clone()].fill(true));
        self
    }

    /// Compares the descriptors `[sites, D]` that two backends have of `band` of `image`.
    pub(crate) fn add(&mut self, image: ArrayView2<'_, f32>, band: &Band, pair: &[Array2<f32>; 2]) {
        let plan = self.plan;
        let subject = Subject { image, sites: plan.sites(), deviation: plan.deviation() };
        let roundings: Vec<Rounding<'_>> =
            plan.families().iter().map(|family| family.rounding(subject, band)).collect();
        let mut bounds = Array1::zeros(plan.channels());
        let rows = pair[0].rows().into_iter().zip(pair[1].rows());
        for ((i, (own, other)), site) in rows.enumerate().zip(band.sites()) {
            let own = own.to_slice().expect("rows of a fresh array are contiguous");
            let all = bounds.as_slice_mut().expect("a fresh array is contiguous");
            let mut first = 0;
            for ((family, block), rounding) in
                plan.families().iter().zip(&mut self.families).zip(&roundings)
            {
                let channels = first..first + family.channels();
                first = channels.end;
                rounding.bounds(i, &own[channels.clone()], &mut all[channels.clone()]);
                for d in channels {
                    if block.worst.add([own[d], other[d]].map(f64::from), all[d], (site, d)) {
                        block.reason.clone_from(&rounding.reason);
                    }
                }
            }
            self.follow(site, own, &bounds);
        }
    }

    /// Takes in what follows from the bounds of a site's descriptors.
    ///
    /// A feature is off by what its channels are off by, times their loadings, and by
    /// what a running sum over D terms loses, to which distances from the mean and
    /// loadings are rounded.
    fn follow(&mut self, site: usize, values: &[f32], bounds: &Array1<f64>) {
        let row = site / self.plan.sites().grid().count.cols;
        let summed = self.summed.get(row).copied().unwrap_or(true);
        if summed && self.plan.sites().is_active(site) {
            self.active += 1;
            self.squares.iter_mut().zip(bounds).for_each(|(sum, bound)| *sum += bound * bound);
        }
        let sums = rounding::sum(values.len()) + 2.0 * EPS;
        let own = |((&value, &mean), bound): ((&f32, &f64), &f64)| {
            bound + 2.0 * (sums * (f64::from(value) - mean).abs() + EPS * mean.abs())
        };
        let off: Array1<f64> = values.iter().zip(&self.pca.mean).zip(bounds).map(own).collect();
        for (to, loadings) in self.features.row_mut(site).iter_mut().zip(self.pca.components.rows())
        {
            let terms = loadings.iter().zip(&off);
            *to = terms.map(|(loading, off)| loading.abs() * off).sum::<f64>() as f32;
        }
    }

    /// How far the features may be apart, `[sites, q]`.
    pub(crate) fn into_bounds(self) -> Array2<f32> {
        self.features
    }

    /// Root of the mean square of a channel's bounds.
    pub(crate) fn spread(&self, channel: usize) -> f64 {
        (self.squares[channel] / self.active.max(1) as f64).sqrt()
    }

    /// One stage for each family.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let names = self.plan.channel_names();
        let stage = |(family, block): (&Family, &Block)| {
            block.worst.stage(family.name(), block.reason.clone(), |(i, d)| {
                format!("{}, {}", site(self.plan, i), names[d])
            })
        };
        self.plan.families().iter().zip(&self.families).map(stage).collect()
    }

    /// Compares the features `[sites, q]` of two backends.
    pub(crate) fn features(&self, one: &Array2<f32>, other: &Array2<f32>) -> Stage {
        let mut worst = Worst::default();
        for (((at, &a), &b), &bound) in one.indexed_iter().zip(other).zip(&self.features) {
            worst.add([a.into(), b.into()], bound.into(), at);
        }
        let channels = self.plan.channels();
        let reason = format!(
            "sum over channels of loading x (bound + 2 eps ((sqrt({channels} channels) + 2) \
             distance from the mean + mean))"
        );
        worst.stage("features", reason, |(i, c)| format!("{}, feature {c}", site(self.plan, i)))
    }
}
