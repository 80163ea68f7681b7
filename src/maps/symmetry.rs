//! Symmetry scores as they are before pooling: where in the image the centres and
//! axes lie.
//!
//! An inner site that pools no window but itself, and keeps one score, is its own
//! map: so these come from the families' kernels as they are, on any backend.
//!
//! ```
//! use ndarray::Array2;
//! use stemseg::descriptor::{FamilyParams, reflection};
//! use stemseg::image::micrograph::{Micrograph, NonFinite};
//! use stemseg::{Silent, backend::cpu::Cpu, maps::symmetry};
//!
//! // A wave of 12 px: its mirrors are the columns 0, 6, 12, ...
//! let wave = |c: usize| (std::f64::consts::TAU * c as f64 / 12.0).cos();
//! let image = Array2::from_shape_fn((70, 80), |(_, c)| wave(c) as f32);
//! let micrograph = Micrograph::new(image.view(), None, NonFinite::Fail)?;
//! let family = FamilyParams::Reflection(reflection::Params { radius: 14, ..Default::default() });
//! let map = symmetry::of(&micrograph, &family, &Cpu::new(), 1 << 30, &Silent)?
//!     .expect("reflections have a map");
//! // Inner sites lie every 2 px from 14 px on: number 5 lies at column 24.
//! assert!(map.best[(3, 5)] > 0.99);
//! # Ok::<(), stemseg::Error>(())
//! ```

use ndarray::{Array2, ArrayView2, s};

use crate::Result;
use crate::backend::Backend;
use crate::descriptor::{Family, FamilyParams};
use crate::image::micrograph::Micrograph;
use crate::pipeline::Describing;
use crate::plan::{Components, Params, Plan};
use crate::progress::Progress;
use crate::sites::SiteGrid;

/// Scores of one family at its inner sites, not pooled.
#[derive(Debug, Clone, PartialEq)]
pub struct SymmetryMap {
    /// The family's name.
    pub family: &'static str,
    /// The inner sites.
    pub grid: SiteGrid,
    /// The largest score of each inner site, -1 to 1, `[inner rows, inner cols]`.
    pub best: Array2<f32>,
    /// What the largest score is of: the order of the axis for rotations, else the
    /// angle of the axis in degrees, 0 to 180, from the horizontal on clockwise as
    /// the image is drawn. `[inner rows, inner cols]`.
    pub of: Array2<f32>,
    /// For rotations the scores of each order, `(order, [inner rows, inner cols])`.
    pub orders: Vec<(usize, Array2<f32>)>,
}

/// The map of `family` in `micrograph`, in about `memory` bytes in addition to the image and
/// the map itself; nothing for families that have no centres or axes.
///
/// Reflections are scored about at least 60 axes here, whatever the family's number of
/// them, and the angle is that of the parabola through the best and its neighbours.
///
/// # Errors
/// As [`Plan::new`] and [`Backend`].
pub fn of(
    micrograph: &Micrograph,
    family: &FamilyParams,
    backend: &dyn Backend,
    memory: u64,
    progress: &dyn Progress,
) -> Result<Option<SymmetryMap>> {
    let Some((family, stride)) = family.unpooled() else { return Ok(None) };
    let params = Params {
        families: vec![family],
        stride,
        components: Components::Count(1),
        clusters: vec![1],
        ..Default::default()
    };
    let plan = Plan::new(params, micrograph)?.with_budget(memory);
    let mut map = SymmetryMap::empty(&plan);
    let image = plan.image(micrograph)?;
    let mut sites = Describing::new(image.view(), &plan, backend)?;
    progress.stage("maps");
    sites.all(progress, |band, scores| {
        map.fill(&plan.families()[0], band.rows.start, scores);
        Ok(())
    })?;
    Ok(Some(map))
}

impl SymmetryMap {
    fn empty(plan: &Plan) -> Self {
        let (family, grid) = (&plan.families()[0], plan.sites().grid());
        let map = || Array2::zeros((grid.count.rows, grid.count.cols));
        let orders = family.orders().iter().map(|&order| (order, map())).collect();
        Self { family: family.name(), best: map(), of: map(), orders, grid: *grid }
    }

    /// Takes the scores `[sites, channels]` of the rows from `first` on.
    fn fill(&mut self, family: &Family, first: usize, scores: ArrayView2<'_, f32>) {
        let cols = self.grid.count.cols;
        for (site, scores) in scores.rows().into_iter().enumerate() {
            let at = (first + site / cols, site % cols);
            let better = |best: usize, i: usize| if scores[i] > scores[best] { i } else { best };
            let best = (0..scores.len()).fold(0, better);
            self.best[at] = scores[best];
            let scores = scores.as_slice().expect("rows of a fresh array are contiguous");
            self.of[at] = family.symmetry(scores, best);
        }
        let rows = scores.nrows() / cols;
        for (channel, (_, map)) in self.orders.iter_mut().enumerate() {
            let scores = scores.column(channel);
            let scores = scores.to_shape((rows, cols)).expect("bands are whole rows");
            map.slice_mut(s![first..first + rows, ..]).assign(&scores);
        }
    }
}
