//! Glide family: how well the surroundings of a point agree with the mirror image
//! of the surroundings half a period along the mirror.
//!
//! With `P_x` the [`polar`](mod@super::polar) samples around `x`, an axis at the angle
//! `alpha` and `t` half the period along it (real coordinates):
//!
//! `<P_x(theta), P_{x+t}(2 alpha - theta)> / (|P_x| |P_{x+t}|)`
//!
//! or the same with `-t`, whichever is larger. The samples around a point between
//! the pixels are those of the square around the nearest pixel, with rings about
//! the point. A site takes the largest scores of the [inner sites](super::inner_sites)
//! in its window. The score rises on a mirror whose crystal has the period `t` too;
//! together with reflection and translation the combination tells these apart. (The glide
//! is named, but not computed, by Wang et al., *Microsc. Microanal.* 27, 2021.)

use ndarray::{Array2, ArrayView2};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inner_sites::{self, InnerSites};
use super::polar::{Polar, Shift};
use super::reflection;
use super::rounding::{Rounding, Subject};
use super::traits::{Choose, Common, Measure, SMALL_WINDOW};
use crate::image::micrograph::Micrograph;
use crate::lattice;
use crate::sites::{Band, Extent, SiteGrid};
use crate::{Error, Result};

/// What a user chooses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Params {
    /// Half size of the square that is compared, px.
    pub radius: usize,
    /// Half size of the window whose inner sites are pooled, px.
    pub window: Extent,
    /// Number of axes, evenly spread over half a turn from the horizontal on.
    pub axes: usize,
    /// Period of the crystal along the axes, px: one for all, or one for each; an
    /// axis with 0 is left out.
    pub periods: Vec<f64>,
    /// Rings that are sampled.
    pub rings: usize,
    /// Distance of neighbouring inner sites, px.
    pub inner_stride: usize,
    /// How many of the largest scores in the window are kept.
    pub pool_top: usize,
}

impl Default for Params {
    fn default() -> Self {
        let reflection::Params { radius, window, axes, rings, inner_stride, pool_top } =
            Default::default();
        Self { radius, window, axes, periods: Vec::new(), rings, inner_stride, pool_top }
    }
}

impl Choose for Params {
    fn margin_of(&self) -> &'static str {
        "radius, half a glide period and window"
    }

    fn advice(&self, shape: Extent, enough: &dyn Fn(Extent) -> bool) -> String {
        let beyond = self.periods.iter().fold(0.0_f64, |most, &p| most.max(p / 2.0)).ceil();
        let enough = |margin: Extent| enough(margin + Extent::square(beyond as usize));
        inner_sites::smaller(self.radius, self.window, shape, &enough)
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
            axes: 2,
            periods: vec![7.7],
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
        super::checks::at_least("axes", self.axes, 1)?;
        inner_sites::check_pooling(self.inner_stride, self.pool_top, self.axes)?;
        let polar = Polar::new(self.radius, self.rings, "axes", &[2 * self.axes])?;
        // Rings about a point between pixels must stay within the square.
        if self.rings > 2 * (self.radius - 1) {
            let reason =
                format!("at a radius of {} px give at most {}", self.radius, 2 * (self.radius - 1));
            return Err(Error::parameter("rings", self.rings, reason));
        }
        let glides = self.glides(shape)?;
        let beyond = |along: usize| {
            glides.iter().map(|g| g.shift[along].abs().round() as usize).max().unwrap_or(0)
        };
        let margin = Extent { rows: self.radius + beyond(0), cols: self.radius + beyond(1) };
        let inner = InnerSites::new(shape, margin, self.inner_stride, self.window);
        Ok(Family { polar, inner, axes: self.axes, glides, pool_top: self.pool_top })
    }

    fn glides(&self, shape: Extent) -> Result<Vec<Glide>> {
        let count = self.periods.len();
        if count != 1 && count != self.axes {
            let value = if count == 0 { "none".into() } else { format!("{count} periods") };
            let reason = format!("give one period in px for all axes, or {}: one each", self.axes);
            return Err(Error::parameter("glide-period", value, reason));
        }
        let most = shape.rows.max(shape.cols) as f64;
        let good = |p: f64| p == 0.0 || (p >= 2.0 && p <= most);
        if let Some(wrong) = self.periods.iter().find(|&&p| !good(p)) {
            let reason = format!("a period is 2 to {most} px, or 0 to leave the axis out");
            return Err(Error::parameter("glide-period", wrong, reason));
        }
        let glide = |axis: usize| {
            let period = self.periods[axis.min(count - 1)];
            let (sin, cos) = (std::f64::consts::PI * axis as f64 / self.axes as f64).sin_cos();
            Glide { axis, period, shift: [sin, cos].map(|part| part * period / 2.0) }
        };
        let glides: Vec<Glide> = (0..self.axes).map(glide).filter(|g| g.period > 0.0).collect();
        if glides.is_empty() {
            let reason = "no axis has a period; give at least one above 0";
            return Err(Error::parameter("glide-period", 0, reason));
        }
        Ok(glides)
    }
}

/// Degrees by which a lattice vector may be off an axis.
const OFF_AXIS: f64 = 5.0;

/// Periods along `axes` axes from the lattices in the image: the shortest lattice
/// vector within 5 degrees of each, 0 where there is none.
///
/// # Errors
/// [`Error::Parameter`] where no axis has a period.
pub fn periods(micrograph: &Micrograph, axes: usize) -> Result<Vec<f64>> {
    let lattices = lattice::find(micrograph.pixels(), micrograph.mask().map(|mask| mask.view()));
    let period = |axis: usize| {
        let angle = std::f64::consts::PI * axis as f64 / axes as f64;
        let along = |l: &lattice::Lattice| l.period_along(angle, OFF_AXIS.to_radians());
        // The lattice that most windows have comes first.
        lattices.iter().find_map(along).unwrap_or(0.0)
    };
    let periods: Vec<f64> = (0..axes).map(period).collect();
    match periods.iter().any(|&p| p > 0.0) {
        true => Ok(periods),
        false => Err(Error::parameter(
            "glide-period",
            "none",
            "no lattice in the image has a period along one of the axes; give `glide-period`",
        )),
    }
}

/// A glide operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Glide {
    /// Its axis is at the angle `pi axis / axes`.
    pub axis: usize,
    /// Period along the axis, px.
    pub period: f64,
    /// Half of it as rows and columns, px.
    pub shift: [f64; 2],
}

impl Glide {
    /// The pixel nearest to the end of the shift, forwards or backwards, and what is
    /// left from there, at most half a pixel.
    pub fn split(&self, forwards: bool) -> ([isize; 2], [f64; 2]) {
        let shift = self.shift.map(|part| if forwards { part } else { -part });
        (shift.map(|part| part.round() as isize), shift.map(|part| part - part.round()))
    }
}

/// The family ready to compute.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// What is sampled around an inner site.
    pub polar: Polar,
    /// The inner sites and their pooling.
    pub inner: InnerSites,
    /// Number of axes, of which some may be left out.
    pub axes: usize,
    /// The glides, one score each.
    pub glides: Vec<Glide>,
    /// Scores that are kept of each.
    pub pool_top: usize,
}

impl Family {
    /// The sample with which sample 0 of a ring changes places under a glide.
    pub fn turn(&self, glide: &Glide) -> usize {
        glide.axis * self.polar.angles / self.axes
    }

    fn score(
        &self,
        image: ArrayView2<'_, f64>,
        at: (usize, usize),
        here: &Array2<f64>,
        glide: &Glide,
        variance: f64,
    ) -> f64 {
        let angles = self.polar.angles;
        let mirror = |j: usize| (self.turn(glide) + angles - j) % angles;
        let norm = |p: &Array2<f64>| p.iter().map(|v| v * v).sum::<f64>();
        let one_way = |forwards: bool| {
            let ([rows, cols], rest) = glide.split(forwards);
            let place = (at.0.wrapping_add_signed(rows), at.1.wrapping_add_signed(cols));
            let Some(there) = self.polar.samples(image, place, rest, variance) else {
                return 0.0;
            };
            let sum: f64 = here.indexed_iter().map(|((k, j), v)| v * there[(k, mirror(j))]).sum();
            let norms = (norm(here) * norm(&there)).sqrt();
            if norms > 0.0 { sum / norms } else { 0.0 }
        };
        one_way(true).max(one_way(false))
    }
}

impl Measure for Family {
    fn margin(&self) -> Extent {
        self.inner.margin()
    }

    fn channels(&self) -> usize {
        self.pool_top * self.glides.len()
    }

    fn channel_names(&self) -> Vec<String> {
        let name = |glide: &Glide| {
            let degrees = reflection::degrees(glide.axis, self.axes);
            format!("glide {degrees} deg period {} px", (100.0 * glide.period).round() / 100.0)
        };
        let names: Vec<String> = self.glides.iter().map(name).collect();
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
        let mut scores = Array2::zeros((sites.len(), self.glides.len()));
        for (i, mut scores) in scores.rows_mut().into_iter().enumerate() {
            let at = (sites.row(i / sites.count.cols), sites.col(i % sites.count.cols));
            if let Some(here) = self.polar.samples(image, at, [0.0; 2], variance) {
                for (score, glide) in scores.iter_mut().zip(&self.glides) {
                    *score = self.score(image, at, &here, glide, variance);
                }
            }
        }
        self.inner.largest(scores.view(), grid, self.pool_top)
    }

    /// See [`Polar::rounding`].
    fn rounding(&self, subject: Subject<'_>, band: &Band) -> Rounding<'_> {
        let Subject { image, sites, .. } = subject;
        let here = ([0, 0], [0.0; 2]);
        let ways = |glide: &Glide| [true, false].map(|forwards| [here, glide.split(forwards)]);
        let pairs: Vec<[Shift; 2]> = self.glides.iter().flat_map(ways).collect();
        self.polar.rounding(image, (sites, band), &self.inner, &pairs)
    }

    fn symmetry(&self, _scores: &[f32], best: usize) -> f32 {
        180.0 * self.glides[best].axis as f32 / self.axes as f32
    }
}
