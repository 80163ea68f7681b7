//! Some sites with their surroundings, as an image of their own: what the CPU computes
//! once more of a large image.

use std::borrow::Cow;
use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2, CowArray, Ix2, s};

use crate::Result;
use crate::backend::cpu::Cpu;
use crate::backend::{Backend, Describe};
use crate::descriptor::FamilyParams;
use crate::plan::{Outline, Params, Plan};
use crate::reduce::pca::{Explained, Pca};
use crate::sites::Band;
use crate::verify::{Blocks, Stage};

/// A block of sites in an image that holds all they depend on.
pub(super) struct Window<'a> {
    image: CowArray<'a, f32, Ix2>,
    plan: Cow<'a, Plan>,
    /// Site rows of the block in `plan`.
    rows: Range<usize>,
    /// Sites of the block, by their numbers among those of its rows.
    sites: Vec<usize>,
}

impl<'a> Window<'a> {
    /// The site `rows` of all of `image`.
    pub(super) fn rows(image: ArrayView2<'a, f32>, plan: &'a Plan, rows: Range<usize>) -> Self {
        let sites = (0..rows.len() * plan.sites().grid().count.cols).collect();
        Self { image: image.into(), plan: Cow::Borrowed(plan), rows, sites }
    }

    /// These `sites` of all of `image`, which lie in few rows.
    pub(super) fn some(image: ArrayView2<'a, f32>, plan: &'a Plan, sites: &[usize]) -> Self {
        let cols = plan.sites().grid().count.cols;
        let row = |at: Option<&usize>| at.map_or(0, |site| site / cols);
        // As tiles begin, whose sums depend on where.
        let tile = plan.sites().tile().rows;
        let first = row(sites.iter().min()) / tile * tile;
        let last = (first + tile).max(row(sites.iter().max()) + 1);
        let rows = first..last.min(plan.sites().grid().count.rows);
        let sites = sites.iter().map(|site| site - first * cols).collect();
        Self { sites, ..Self::rows(image, plan, rows) }
    }

    /// The sites of `rows` and `cols` with as much of `image` around them as they see; all
    /// of it where the families cannot do with that.
    pub(super) fn around(
        image: ArrayView2<'a, f32>,
        plan: &'a Plan,
        (rows, cols): (Range<usize>, Range<usize>),
    ) -> Self {
        let sites = block(&rows, &cols, plan.sites().grid().count.cols);
        let whole = Self { sites, ..Self::rows(image, plan, rows.clone()) };
        Self::part(image, plan, (rows, cols)).unwrap_or(whole)
    }

    fn part(
        image: ArrayView2<'a, f32>,
        plan: &Plan,
        (rows, cols): (Range<usize>, Range<usize>),
    ) -> Result<Self> {
        let (grid, reach) = (plan.sites().grid(), plan.sites().reach());
        // Sites and inner sites have to lie where they lay.
        let align = plan
            .params()
            .families
            .iter()
            .filter_map(FamilyParams::inner_stride)
            .fold(grid.stride, lcm);
        let pixels = |first: usize, last: usize, reach: usize, size: usize| {
            let start = first.saturating_sub(reach);
            start - start % align..(last + reach + 1).min(size)
        };
        let down = pixels(
            grid.row(rows.start),
            grid.row(rows.end - 1),
            reach.rows,
            plan.sites().shape().rows,
        );
        let along = pixels(
            grid.col(cols.start),
            grid.col(cols.end - 1),
            reach.cols,
            plan.sites().shape().cols,
        );
        let part = s![down.clone(), along.clone()];
        let mask = plan.sites().mask().map(|mask| mask.slice(part).to_owned().into_shared());
        // The image was resampled before.
        let params = Params { sampling: None, clusters: vec![1], ..plan.params().clone() };
        let outline = Outline::new((down.len(), along.len()), plan.deviation()).without(mask);
        let part_plan = Plan::new(params, outline)?.with_budget(BUDGET);
        let moved = |sites: Range<usize>, by: usize| {
            sites.start - by / grid.stride..sites.end - by / grid.stride
        };
        let (rows, cols) = (moved(rows, down.start), moved(cols, along.start));
        Ok(Self {
            image: image.slice(part).to_owned().into(),
            sites: block(&rows, &cols, part_plan.sites().grid().count.cols),
            plan: Cow::Owned(part_plan),
            rows,
        })
    }

    fn band(&self) -> Band {
        Band { rows: self.rows.clone(), cols: self.plan.sites().grid().count.cols }
    }

    /// `own`, `[sites of the band, _]`, with what the device `got` in place of the block.
    fn replaced(&self, own: &Array2<f32>, got: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut other = own.clone();
        for (&site, got) in self.sites.iter().zip(got.rows()) {
            other.row_mut(site).assign(&got);
        }
        other
    }

    fn described(&self, session: &mut dyn Describe) -> Result<Array2<f32>> {
        let band = self.band();
        let mut own = Array2::zeros((band.len(), self.plan.channels()));
        session.describe(&band, own.view_mut())?;
        Ok(own)
    }

    /// Compares the descriptors `[sites of the block, D]` that a device `got`, family by
    /// family.
    pub(super) fn descriptors(&self, cpu: &Cpu, got: ArrayView2<'_, f32>) -> Result<Vec<Stage>> {
        let mut session = cpu.upload(self.image.view(), &self.plan)?;
        let own = self.described(&mut *session)?;
        let other = self.replaced(&own, got);
        let pca = no_features(self.plan.channels());
        let mut blocks = Blocks::new(&self.plan, &pca);
        blocks.add(self.image.view(), &self.band(), &[own, other]);
        Ok(blocks.stages())
    }

    /// Compares the features `[sites of the block, q]` that a device `got` with `pca`.
    pub(super) fn features(&self, cpu: &Cpu, pca: &Pca, got: ArrayView2<'_, f32>) -> Result<Stage> {
        let mut session = cpu.upload(self.image.view(), &self.plan)?;
        let own = self.described(&mut *session)?;
        let band = self.band();
        session.project(&band, pca)?;
        let features = session.features()?;
        let other = self.replaced(&features, got);
        let mut blocks = Blocks::new(&self.plan, pca);
        blocks.add(self.image.view(), &band, &[own.clone(), own]);
        let placed = |of_band: &Array2<f32>| {
            let mut all = Array2::zeros((self.plan.sites().grid().len(), pca.features()));
            all.slice_mut(s![band.sites(), ..]).assign(of_band);
            all
        };
        Ok(blocks.features(&placed(&features), &placed(&other)))
    }
}

/// The sites of `cols` in each of `rows` of `all` sites, by their numbers among those of the rows.
fn block(rows: &Range<usize>, cols: &Range<usize>, all: usize) -> Vec<usize> {
    (0..rows.len()).flat_map(|row| cols.clone().map(move |col| row * all + col)).collect()
}

/// Memory for the bands and tiles of a window, bytes.
const BUDGET: u64 = 64 << 20;

/// A map to no features.
pub(super) fn no_features(channels: usize) -> Pca {
    map(Array2::zeros((0, channels)))
}

/// The map with these `components` `[q, D]`.
pub(super) fn map(components: Array2<f64>) -> Pca {
    let none = || Vec::new();
    let report = Explained {
        explained_variance: none(),
        explained_variance_ratio: none(),
        scree: none(),
        skipped: false,
    };
    Pca { mean: Array1::zeros(components.ncols()), components, report }
}

fn lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    a / x.max(1) * b
}
