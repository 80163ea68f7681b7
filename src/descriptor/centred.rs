//! Centred translation family: local correlation of pairs of pixels that lie
//! symmetrically about the site's surroundings, weighted by a Gaussian window.
//!
//! The translations are `t = 2 h` with `h = (round(g i / 2), round(g j / 2))` over the
//! half plane of the whole `i`, `j` with `i^2 + j^2 <= reach^2`. At a site, a pixel `u`
//! counts where both pixels `u - h` and `u + h` exist: within the image, and not masked.
//! With averages over these weighted by the window,
//!
//! `score = cov(a, b) / sqrt((var(a) + floor) (var(b) + floor))`,
//! `a = I(u - h)`, `b = I(u + h)`,
//!
//! in an image of variance 1; 0 where pixels of less than [`LEAST_SHARE`] of the whole
//! weight count. Averages are over what exists, so the image's border and masked
//! regions leave no trace, and sites go to the border; being centred, a pair does not
//! displace the boundaries of domains.
//!
//! The window is a Gaussian in steps of the site grid: each *cell* of `stride x stride`
//! px about a grid point (for an even stride of `stride + 1` px along an axis, of which
//! the first and the last count half) has the weight of its centre, up to
//! [`cells`](Family::cells) grid points away along each axis.
//!
//! Sums are never taken as they are: means and centred second moments of pixels, of
//! rows of cells, and of cells in a row are merged (Chan, Golub and LeVeque 1983), so
//! that nothing cancels where the local mean is large relative to the contrast.

use ndarray::{Array2, ArrayView2};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::MOST_CHANNELS;
use super::rounding::{self, EPS, Rounding, Subject};
use super::traits::{Choose, Common, Measure};
use super::translation::Translation;
use crate::sites::{Band, Extent, SiteGrid};
use crate::{Error, Result};

/// Share of the window's whole weight below which a score is 0.
pub const LEAST_SHARE: f64 = 1e-3;

/// Where the Gaussian ends, in its standard deviations.
const END: f64 = 3.2;

/// Sites that are best computed in together: few enough that their cells stay in the
/// cache, many relative to the cells around them.
const TILE: Extent = Extent { rows: 32, cols: 64 };

/// What a user chooses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Params {
    /// Standard deviation of the Gaussian window, px.
    pub width: f64,
    /// Distance of neighbouring translations, px: `g` of the definition.
    pub spacing: f64,
    /// Radius of the disc of translations, in spacings.
    pub reach: f64,
    /// Added to each variance, in units of the image's: what has less contrast
    /// correlates little.
    pub floor: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { width: 11.2, spacing: 4.4, reach: 4.1, floor: 0.02 }
    }
}

impl Choose for Params {
    fn margin_of(&self) -> &'static str {
        "pair-spacing"
    }

    /// There is no margin.
    fn advice(&self, _shape: Extent, _enough: &dyn Fn(Extent) -> bool) -> String {
        "give a larger image".into()
    }

    fn common(&mut self) -> Common<'_> {
        Common::default()
    }

    fn small(&self) -> Vec<Self> {
        vec![Self { width: 4.0, reach: 2.0, ..self.clone() }]
    }
}

impl Params {
    /// Checks the parameters against an image of `shape` px.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the parameter and its limit.
    pub fn plan(&self, shape: Extent) -> Result<Family> {
        let Self { width, spacing, reach, floor } = *self;
        let checked = |name, value: f64, least: f64, most: f64, of: &str| match value {
            value if value >= least && value <= most => Ok(()),
            value => Err(Error::parameter(name, value, format!("give {least} to {most}{of}"))),
        };
        let side = shape.rows.max(shape.cols) as f64;
        let fits = |name, value, least: f64| {
            let of = format!(" in an image of {shape} px, or take a larger one");
            checked(name, value, least, side.max(least), &of)
        };
        let within = |name, value, least, most| checked(name, value, least, most, "");
        fits("pair-width", width, 0.5)?;
        fits("pair-spacing", spacing, 1.0)?;
        within("reach", reach, 1.0, 50.0)?;
        within("floor", floor, 1e-4, 1e4)?;
        let halves = self.halves();
        if halves.len() > MOST_CHANNELS {
            let reason = format!(
                "{} translations are more than the {MOST_CHANNELS} channels that are possible",
                halves.len()
            );
            return Err(Error::parameter("reach", reach, reason));
        }
        let reaches = |[r, c]: [i32; 2]| {
            2 * r.unsigned_abs() < shape.rows as u32 && 2 * c.unsigned_abs() < shape.cols as u32
        };
        if let Some([r, c]) = halves.iter().copied().find(|&half| !reaches(half)) {
            let longest = Translation { rows: 2 * r, cols: 2 * c };
            let reason = format!(
                "translations reach {reach} times as far, {longest} px, but the image has {shape} px"
            );
            return Err(Error::parameter("pair-spacing", spacing, reason));
        }
        Ok(Family { width, floor, halves })
    }

    /// Half translations: rows first, 0 and what is listed already left out.
    fn halves(&self) -> Vec<[i32; 2]> {
        let most = self.reach.floor() as i32;
        let mut halves = Vec::new();
        for (i, j) in (0..=most).flat_map(|i| (-most..=most).map(move |j| (i, j))) {
            let (r, c) = (f64::from(i), f64::from(j));
            if (i == 0 && j <= 0) || r * r + c * c > self.reach * self.reach {
                continue;
            }
            let half = [r, c].map(|v| (self.spacing * v / 2.0).round() as i32);
            if half != [0, 0] && !halves.contains(&half) {
                halves.push(half);
            }
        }
        halves
    }
}

/// The family ready to compute.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Standard deviation of the window, px.
    pub width: f64,
    /// Added to each variance.
    pub floor: f64,
    /// Half of each translation: rows and columns, px.
    pub halves: Vec<[i32; 2]>,
}

impl Family {
    /// The translations, px.
    pub(crate) fn translations(&self) -> impl Iterator<Item = Translation> + '_ {
        self.halves.iter().map(|&[r, c]| Translation { rows: 2 * r, cols: 2 * c })
    }

    /// How many cells the window reaches along each axis, of sites `stride` px apart.
    pub fn cells(&self, stride: usize) -> usize {
        (END * self.width / stride as f64).ceil() as usize
    }

    /// The Gaussian's weights of the cells from the site's own on.
    pub(crate) fn taps(&self, stride: usize) -> Vec<f64> {
        let weight = |k: usize| {
            let distance = (k * stride) as f64 / self.width;
            (-distance * distance / 2.0).exp()
        };
        (0..=self.cells(stride)).map(weight).collect()
    }

    /// Weights of the pixels of a cell along an axis, `stride / 2` px to each side of
    /// its centre.
    pub(crate) fn cell(stride: usize) -> Vec<f64> {
        let mut weights = vec![1.0; 2 * (stride / 2) + 1];
        if stride.is_multiple_of(2) {
            (weights[0], weights[stride]) = (0.5, 0.5);
        }
        weights
    }

    /// Weight of the whole window.
    pub(crate) fn whole(&self, stride: usize) -> f64 {
        let taps = self.taps(stride);
        (stride as f64 * (2.0 * taps.iter().sum::<f64>() - taps[0])).powi(2)
    }

    /// Rows and columns of the longest half translation, px.
    pub(crate) fn longest(&self) -> Extent {
        let along = |axis: usize| self.halves.iter().map(|h| h[axis].unsigned_abs() as usize).max();
        Extent { rows: along(0).unwrap_or(0), cols: along(1).unwrap_or(0) }
    }

    /// Weights of the window's pixels along an axis, from the farthest on.
    fn window(&self, stride: usize) -> Vec<f64> {
        let (taps, cell, cells) = (self.taps(stride), Self::cell(stride), self.cells(stride));
        let mut weights = vec![0.0; 2 * cells * stride + cell.len()];
        for k in 0..=2 * cells {
            let pixels = weights[k * stride..].iter_mut().zip(&cell);
            pixels.for_each(|(to, weight)| *to += taps[k.abs_diff(cells)] * weight);
        }
        weights
    }
}

/// Pixels that exist at a site, in pairs: weight and both values.
fn pairs(
    (image, counts): (&Array2<f64>, &Array2<bool>),
    (row, col): (usize, usize),
    [r, c]: [i32; 2],
    weights: &[f64],
) -> Vec<(f64, f64, f64)> {
    let value = |row: isize, col: isize| {
        let at = (usize::try_from(row).ok()?, usize::try_from(col).ok()?);
        counts.get(at).is_some_and(|&counts| counts).then(|| image[at])
    };
    let half = (weights.len() / 2) as isize;
    let (r, c) = (r as isize, c as isize);
    let mut pairs = Vec::new();
    for (i, down) in weights.iter().enumerate() {
        let row = row as isize + i as isize - half;
        if row < r.abs() || row + r.abs() >= image.nrows() as isize {
            continue;
        }
        for (j, along) in weights.iter().enumerate() {
            let col = col as isize + j as isize - half;
            if let (Some(a), Some(b)) = (value(row - r, col - c), value(row + r, col + c)) {
                pairs.push((down * along, a, b));
            }
        }
    }
    pairs
}

/// The score of weighted pairs.
fn score(pairs: &[(f64, f64, f64)], floor: f64, least: f64) -> f64 {
    let n = pairs.iter().map(|(w, ..)| w).sum::<f64>();
    if n < least {
        return 0.0;
    }
    let mean = |of: fn(&(f64, f64, f64)) -> f64| pairs.iter().map(|p| p.0 * of(p)).sum::<f64>() / n;
    let (a, b) = (mean(|p| p.1), mean(|p| p.2));
    let [mut aa, mut bb, mut ab] = [0.0; 3];
    for (w, own, other) in pairs {
        aa += w * (own - a) * (own - a);
        bb += w * (other - b) * (other - b);
        ab += w * (own - a) * (other - b);
    }
    ab / n / ((aa / n + floor) * (bb / n + floor)).sqrt()
}

impl Measure for Family {
    fn margin(&self) -> Extent {
        Extent::default()
    }

    fn reach(&self, stride: usize) -> Extent {
        Extent::square(self.cells(stride) * stride + stride / 2) + self.longest()
    }

    fn channels(&self) -> usize {
        self.halves.len()
    }

    fn channel_names(&self) -> Vec<String> {
        self.translations().map(|t| format!("centred translation {t} px")).collect()
    }

    fn tile_size(&self, stride: usize) -> Extent {
        // As many sites as there are cells around them, within reason.
        let around = 2 * self.cells(stride);
        TILE.max(Extent { rows: around.min(64), cols: around.min(128) })
    }

    fn by_definition(
        &self,
        image: ArrayView2<'_, f64>,
        grid: &SiteGrid,
        mask: Option<ArrayView2<'_, bool>>,
    ) -> Array2<f64> {
        let counts = Array2::from_shape_fn(image.dim(), |at| mask.is_none_or(|mask| !mask[at]));
        let pixels: Vec<f64> =
            image.iter().zip(&counts).filter(|(_, c)| **c).map(|p| *p.0).collect();
        let n = pixels.len() as f64;
        let mean = pixels.iter().sum::<f64>() / n;
        let variance = pixels.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
        let image = image.mapv(|v| (v - mean) / variance.sqrt());
        let weights = self.window(grid.stride);
        let least = LEAST_SHARE * self.whole(grid.stride);
        Array2::from_shape_fn((grid.len(), self.channels()), |(site, channel)| {
            let at = (grid.row(site / grid.count.cols), grid.col(site % grid.count.cols));
            let pairs = pairs((&image, &counts), at, self.halves[channel], &weights);
            score(&pairs, self.floor, least)
        })
    }

    /// Three levels of weighted sums, which lose a share `s`: of a second moment, and of the
    /// means it is taken about. The means' part is a share of `sqrt(var (mean^2 + var))`, of
    /// a score `1 + |mean| / (2 sqrt(floor))` at most for each of both pixels; the mean of a
    /// window is about that of its densest block of twice the Gaussian's width. Weights are
    /// rounded on each level, quotients and the root once.
    fn rounding(&self, subject: Subject<'_>, band: &Band) -> Rounding<'_> {
        let Subject { image, sites, .. } = subject;
        let stride = sites.grid().stride;
        let (cell, taps) = (Self::cell(stride).len(), 2 * self.cells(stride) + 1);
        let sums = rounding::sum(cell * cell) + 2.0 * rounding::sum(taps) + 6.0 * EPS;
        let side = (2.0 * self.width).ceil() as usize;
        let most = rounding::largest_mean(image, sites, band, side);
        let own = 2.0 * sums + 8.0 * EPS;
        let means = sums * most / self.floor.sqrt();
        let reason = format!(
            "2 s (2 |score| + 1 + largest mean {most:.1} / sqrt(floor)) + 16 eps, s = eps (sqrt({} px) + \
             2 sqrt({taps} cells) + 6)",
            cell * cell
        );
        Rounding::new(reason, move |_, values, out| {
            for (out, &value) in out.iter_mut().zip(values) {
                *out = 2.0 * (own * f64::from(value).abs() + sums + means + 8.0 * EPS);
            }
        })
    }

    /// For each pixel of the sites' cells and translation what both pixels are off their means,
    /// three products and their sums.
    fn operations(&self, sites: &SiteGrid) -> Option<f64> {
        let cell = (sites.stride * sites.stride) as f64;
        Some(8.0 * sites.len() as f64 * cell * self.halves.len() as f64)
    }

    fn translations(&self) -> Vec<Option<Translation>> {
        self.translations().map(Some).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_24_translations_by_default() {
        let family = Params::default().plan(Extent::square(64)).unwrap();
        let names = family.channel_names();
        assert_eq!(names.len(), 24);
        assert_eq!(names[0], "centred translation (+0, +4) px");
        assert!(names.contains(&"centred translation (+14, -8) px".to_owned()), "{names:?}");
    }

    #[test]
    fn close_translations_are_listed_once() {
        let params = Params { spacing: 1.0, ..Default::default() };
        let halves = params.halves();
        for (i, half) in halves.iter().enumerate() {
            assert!(!halves[..i].contains(half) && *half != [0, 0]);
        }
        assert!(halves.contains(&[0, 1]) && halves.len() < 24);
    }

    #[test]
    fn the_window_is_a_gaussian_of_cells() {
        for stride in [1, 3, 4] {
            let family = Params::default().plan(Extent::square(64)).unwrap();
            let window = family.window(stride);
            assert!(
                (window.iter().sum::<f64>().powi(2) / family.whole(stride) - 1.0).abs() < 1e-12
            );
            assert_eq!(window.len(), 2 * (family.reach(stride).rows - family.longest().rows) + 1);
            let middle = window.len() / 2;
            assert!((window[middle] - 1.0).abs() < 1e-12 && window[0] < 0.01);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let plan = |params: Params, side| params.plan(Extent::square(side)).map(drop);
        let named = |params: Params, side| plan(params, side).unwrap_err().to_string();
        let default = Params::default;
        assert!(named(Params { width: f64::NAN, ..default() }, 64).contains("pair-width"));
        assert!(named(Params { spacing: 0.5, ..default() }, 64).contains("pair-spacing"));
        assert!(named(Params { reach: 60.0, ..default() }, 64).contains("reach"));
        assert!(named(Params { floor: 0.0, ..default() }, 64).contains("floor"));
        assert!(named(default(), 18).contains("the image has 18x18 px"));
        assert!(plan(default(), 19).is_ok());
    }
}
