//! Rotation family: how well the surroundings of a point agree with themselves
//! turned by a fraction of a full turn.
//!
//! With `P` the [`polar`](mod@super::polar) samples around an inner site, the score of
//! an `f`-fold axis is the mean over its rotations:
//!
//! `mean over m = 1 .. f-1 of <P, P rolled by m n_t / f> / <P, P>`
//!
//! A site takes the largest scores of the [inner sites](super::inner_sites) in its
//! window (the point-group descriptors of Wang et al., *Microsc. Microanal.* 27,
//! 2021; centres are found on a finer grid here).

use ndarray::{Array2, ArrayView2};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inner_sites::{self, InnerSites};
use super::polar::{Polar, PolarScores, Product};
use super::rounding::{Rounding, Subject};
use super::traits::{Choose, Common, Measure, SMALL_WINDOW};
use crate::sites::{Band, Extent, SiteGrid};
use crate::{Error, Result};

/// What a user chooses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Params {
    /// Half size of the square that is compared, px.
    pub radius: usize,
    /// Half size of the window whose inner sites are pooled, px.
    pub window: Extent,
    /// Orders of the axes, one score each.
    pub folds: Vec<usize>,
    /// Rings that are sampled.
    pub rings: usize,
    /// Distance of neighbouring inner sites, px.
    pub inner_stride: usize,
    /// How many of the largest scores in the window are kept.
    pub pool_top: usize,
}

/// Default distance of inner sites of rotations and reflections, px.
///
/// A score falls by half where the centre is missed by about the width of an atom
/// column, 2 px in many micrographs; every 2 px it is missed by at most 1.4 px. On
/// the simulated scenes that these families separate, 2 px beat 3 and 5 px (adjusted
/// Rand index of a homometric pair 0.93, 0.68 and 0.65), at 2.2 times the cost of 3.
pub const INNER_STRIDE: usize = 2;

impl Default for Params {
    fn default() -> Self {
        Self {
            radius: 20,
            window: Extent::square(20),
            folds: vec![2, 3, 4, 6],
            rings: 20,
            inner_stride: INNER_STRIDE,
            pool_top: 10,
        }
    }
}

impl Choose for Params {
    fn margin_of(&self) -> &'static str {
        "radius and window"
    }

    fn advice(&self, shape: Extent, enough: &dyn Fn(Extent) -> bool) -> String {
        inner_sites::smaller(self.radius, self.window, shape, enough)
    }

    fn common(&mut self) -> Common<'_> {
        Common {
            window: Some(&mut self.window),
            radius: Some(&mut self.radius),
            inner_stride: Some(&mut self.inner_stride),
            pool_top: Some(&mut self.pool_top),
            ..Default::default()
        }
    }

    fn small(&self) -> Vec<Self> {
        vec![Self {
            radius: 6,
            window: SMALL_WINDOW,
            folds: vec![2, 3],
            rings: 6,
            inner_stride: 4,
            pool_top: 2,
        }]
    }

    fn spans(&self) -> Vec<(&'static str, usize)> {
        vec![("radius", self.radius)]
    }

    fn unpooled(&self) -> Option<(Self, usize)> {
        let own = Self { window: Extent::default(), pool_top: 1, ..self.clone() };
        Some((own, self.inner_stride))
    }
}

impl Params {
    /// Checks the parameters against an image of `shape` px.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the parameter and its limit.
    pub fn plan(&self, shape: Extent) -> Result<Family> {
        if self.folds.is_empty() {
            return Err(Error::parameter("folds", "none", "give at least one, for example 2,3"));
        }
        for (i, &fold) in self.folds.iter().enumerate() {
            if fold < 2 {
                return Err(Error::parameter("folds", fold, "an axis is at least 2-fold"));
            }
            if self.folds[..i].contains(&fold) {
                return Err(Error::parameter("folds", fold, "it is listed twice"));
            }
        }
        inner_sites::check_pooling(self.inner_stride, self.pool_top, self.folds.len())?;
        Ok(Family {
            polar: Polar::new(self.radius, self.rings, "folds", &self.folds)?,
            inner: InnerSites::new(
                shape,
                Extent::square(self.radius),
                self.inner_stride,
                self.window,
            ),
            folds: self.folds.clone(),
            pool_top: self.pool_top,
        })
    }
}

/// The family ready to compute.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// What is sampled around an inner site.
    pub polar: Polar,
    /// The inner sites and their pooling.
    pub inner: InnerSites,
    /// Orders of the axes, one score each.
    pub folds: Vec<usize>,
    /// Scores that are kept of each.
    pub pool_top: usize,
}

impl Family {
    /// By how many samples a ring is rolled for each rotation of a fold, as
    /// (samples, at most half a ring; weight): the mean over the rotations of
    /// `<P, P rolled>`, each pair of opposite rotations taken once.
    pub fn rolls(&self, fold: usize) -> Vec<(usize, f64)> {
        let step = self.polar.angles / fold;
        let weight = |m: usize| if 2 * m == fold { 1.0 } else { 2.0 };
        (1..=fold / 2).map(|m| (m * step, weight(m) / (fold - 1) as f64)).collect()
    }

    fn score(&self, samples: &Array2<f64>, fold: usize) -> f64 {
        let angles = self.polar.angles;
        let product = |roll: usize| -> f64 {
            samples.indexed_iter().map(|((k, j), v)| v * samples[(k, (j + roll) % angles)]).sum()
        };
        let sum: f64 = (1..fold).map(|m| product(m * angles / fold)).sum();
        let norm = product(0);
        if norm > 0.0 { sum / (fold - 1) as f64 / norm } else { 0.0 }
    }
}

impl Measure for Family {
    fn margin(&self) -> Extent {
        self.inner.margin()
    }

    fn channels(&self) -> usize {
        self.pool_top * self.folds.len()
    }

    fn channel_names(&self) -> Vec<String> {
        let names: Vec<String> = self.folds.iter().map(|f| format!("rotation {f}-fold")).collect();
        inner_sites::ranked_names(&names, self.pool_top)
    }

    fn tile_size(&self, _stride: usize) -> Extent {
        inner_sites::TILE
    }

    fn check(&self, grid: &SiteGrid) -> Result<()> {
        self.inner.check(grid)
    }

    fn by_definition(
        &self,
        image: ArrayView2<'_, f64>,
        grid: &SiteGrid,
        _mask: Option<ArrayView2<'_, bool>>,
    ) -> Array2<f64> {
        let variance = image.var(0.0);
        let sites = &self.inner.grid;
        let mut scores = Array2::zeros((sites.len(), self.folds.len()));
        for (i, mut scores) in scores.rows_mut().into_iter().enumerate() {
            let at = (sites.row(i / sites.count.cols), sites.col(i % sites.count.cols));
            if let Some(samples) = self.polar.samples(image, at, [0.0; 2], variance) {
                for (score, &fold) in scores.iter_mut().zip(&self.folds) {
                    *score = self.score(&samples, fold);
                }
            }
        }
        self.inner.largest(scores.view(), grid, self.pool_top)
    }

    /// See [`Polar::rounding`].
    fn rounding(&self, subject: Subject<'_>, band: &Band) -> Rounding<'_> {
        let Subject { image, sites, .. } = subject;
        let here = ([0, 0], [0.0; 2]);
        self.polar.rounding(image, (sites, band), &self.inner, &[[here, here]])
    }

    fn polar_scores(&self) -> Option<PolarScores<'_>> {
        let roll = |(samples, weight)| (Product::Roll(samples), weight);
        let score = |&fold: &usize| self.rolls(fold).into_iter().map(roll).collect();
        let scores = self.folds.iter().map(score).collect();
        Some(PolarScores { polar: &self.polar, inner: &self.inner, scores })
    }

    fn orders(&self) -> &[usize] {
        &self.folds
    }

    fn symmetry(&self, _scores: &[f32], best: usize) -> f32 {
        self.folds[best] as f32
    }
}
