//! Reflection family: how well the surroundings of a point agree with their
//! mirror image.
//!
//! With `P` the [`polar`](mod@super::polar) samples around an inner site and axes at
//! the angles `alpha_a = pi a / n`:
//!
//! `<P(theta), P(2 alpha_a - theta)> / <P, P>`
//!
//! A site takes the largest scores of the [inner sites](super::inner_sites) in its
//! window (the point-group descriptors of Wang et al., *Microsc. Microanal.* 27,
//! 2021; mirrors are found on a finer grid here).

use ndarray::{Array2, ArrayView2};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inner_sites::{self, InnerSites};
use super::polar::{Polar, PolarScores, Product};
use super::rounding::{Rounding, Subject};
use super::traits::{Choose, Common, Measure, SMALL_WINDOW};
use crate::Result;
use crate::sites::{Band, Extent, SiteGrid};

/// Fewest axes of a map of inner sites, so that its angles are fine ones.
const LEAST_AXES: usize = 60;

/// What a user chooses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Params {
    /// Half size of the square that is compared, px.
    pub radius: usize,
    /// Half size of the window whose inner sites are pooled, px.
    pub window: Extent,
    /// Number of axes, evenly spread over half a turn from the horizontal on.
    pub axes: usize,
    /// Rings that are sampled.
    pub rings: usize,
    /// Distance of neighbouring inner sites, px.
    pub inner_stride: usize,
    /// How many of the largest scores in the window are kept.
    pub pool_top: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            radius: 20,
            window: Extent::square(20),
            axes: 10,
            rings: 20,
            inner_stride: super::rotation::INNER_STRIDE,
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
            axes: Some(&mut self.axes),
            ..Default::default()
        }
    }

    fn small(&self) -> Vec<Self> {
        vec![Self {
            radius: 6,
            window: SMALL_WINDOW,
            axes: 3,
            rings: 6,
            inner_stride: 4,
            pool_top: 2,
        }]
    }

    fn spans(&self) -> Vec<(&'static str, usize)> {
        vec![("radius", self.radius)]
    }

    fn unpooled(&self) -> Option<(Self, usize)> {
        let axes = self.axes * LEAST_AXES.div_ceil(self.axes.max(1));
        let own = Self { window: Extent::default(), pool_top: 1, axes, ..self.clone() };
        Some((own, self.inner_stride))
    }
}

impl Params {
    /// Checks the parameters against an image of `shape` px.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) naming the parameter and its limit.
    pub fn plan(&self, shape: Extent) -> Result<Family> {
        super::checks::at_least("axes", self.axes, 1)?;
        inner_sites::check_pooling(self.inner_stride, self.pool_top, self.axes)?;
        Ok(Family {
            polar: Polar::new(self.radius, self.rings, "axes", &[2 * self.axes])?,
            inner: InnerSites::new(
                shape,
                Extent::square(self.radius),
                self.inner_stride,
                self.window,
            ),
            axes: self.axes,
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
    /// Number of axes, one score each.
    pub axes: usize,
    /// Scores that are kept of each.
    pub pool_top: usize,
}

impl Family {
    /// The sample with which sample 0 of a ring changes places: sample `j` changes
    /// places with this minus `j`.
    pub fn turn(&self, axis: usize) -> usize {
        axis * self.polar.angles / self.axes
    }

    fn score(&self, samples: &Array2<f64>, axis: usize) -> f64 {
        let angles = self.polar.angles;
        let mirror = |j: usize| (self.turn(axis) + angles - j) % angles;
        let norm: f64 = samples.iter().map(|v| v * v).sum();
        let sum: f64 = samples.indexed_iter().map(|((k, j), v)| v * samples[(k, mirror(j))]).sum();
        if norm > 0.0 { sum / norm } else { 0.0 }
    }
}

/// Angle of an axis in degrees, as short as it is.
pub(super) fn degrees(axis: usize, axes: usize) -> String {
    let hundredths = (18_000.0 * axis as f64 / axes as f64).round();
    format!("{}", hundredths / 100.0)
}

impl Measure for Family {
    fn margin(&self) -> Extent {
        self.inner.margin()
    }

    fn channels(&self) -> usize {
        self.pool_top * self.axes
    }

    fn channel_names(&self) -> Vec<String> {
        let name = |axis| format!("reflection {} deg", degrees(axis, self.axes));
        let names: Vec<String> = (0..self.axes).map(name).collect();
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
        let mut scores = Array2::zeros((sites.len(), self.axes));
        for (i, mut scores) in scores.rows_mut().into_iter().enumerate() {
            let at = (sites.row(i / sites.count.cols), sites.col(i % sites.count.cols));
            if let Some(samples) = self.polar.samples(image, at, [0.0; 2], variance) {
                for (axis, score) in scores.iter_mut().enumerate() {
                    *score = self.score(&samples, axis);
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
        let score = |axis| vec![(Product::Turn(self.turn(axis)), 1.0)];
        let scores = (0..self.axes).map(score).collect();
        Some(PolarScores { polar: &self.polar, inner: &self.inner, scores })
    }

    /// The angle of the parabola's top through the score and its neighbours.
    fn symmetry(&self, scores: &[f32], best: usize) -> f32 {
        let n = scores.len();
        let [before, at, after] = [n - 1, 0, 1].map(|step| scores[(best + step) % n]);
        let bend = before - 2.0 * at + after;
        let beyond = if bend < 0.0 { 0.5 * (before - after) / bend } else { 0.0 };
        (180.0 * (best as f32 + beyond) / n as f32).rem_euclid(180.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_lie_between_axes_and_go_round() {
        let family = Params::default().plan(Extent::square(90)).unwrap();
        let wave = |at: f32| move |i: usize| (2.0 * (i as f32 * 3.0 - at).to_radians()).cos();
        for at in [0.0, 1.0, 44.4, 89.0, 178.7] {
            let scores: Vec<f32> = (0..60).map(wave(at)).collect();
            let best = (0..60).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
            let found = family.symmetry(&scores, best);
            let apart = (found - at + 90.0).rem_euclid(180.0) - 90.0;
            assert!(apart.abs() < 0.05, "{found} for {at}");
            assert!((0.0..180.0).contains(&found));
        }
        assert_eq!(family.symmetry(&[0.0; 4], 0), 0.0, "no axis is better than another");
    }
}
