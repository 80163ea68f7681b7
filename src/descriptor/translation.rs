//! Translation family: the local correlation map.
//!
//! For a site `x` and a translation `t`: the Pearson correlation of the patch at
//! `x` with the patch at `x + t` (Wang, Freysoldt, Zhang, Liebscher & Neugebauer,
//! *Microsc. Microanal.* 27, 2021, "local correlation map"). With `B` the box sum
//! over the patch, `n` its pixels, `mu` and `var` a patch's mean and variance:
//!
//! `rho_t(x) = (B[I I_t](x) - n mu(x) mu(x+t)) / (n sqrt(var(x) var(x+t)))`
//!
//! Two things are done on the host in f64, once a band, for both backends: the
//! norm maps `mu` and `1 / sqrt(n var)`, and the choice of tiles where f32 is
//! not enough. Sums lose digits where a patch's mean is large against its own
//! spread, so each tile of sites subtracts its own constant (which changes no
//! score), and tiles that stay ill-conditioned are summed in f64.

mod definition;
mod maps;
mod norms;

use ndarray::{Array2, ArrayView2};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::{FLAT_SHARE, MOST_CHANNELS, TILE_SCORES};
use super::rounding::{self, EPS, Rounding, Subject};
use super::traits::{Choose, Common, Measure};
use crate::sites::{Band, Extent, SiteGrid};
use crate::{Error, Result};

pub use definition::by_definition;
pub(crate) use maps::{Balance, Maps};
pub(crate) use norms::Norms;

/// Displacement of the second patch from the first, px.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Translation {
    /// Downwards.
    pub rows: i32,
    /// To the right.
    pub cols: i32,
}

impl Translation {
    /// The translation back.
    pub fn opposite(self) -> Self {
        Self { rows: -self.rows, cols: -self.cols }
    }
}

impl std::fmt::Display for Translation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({:+}, {:+})", self.rows, self.cols)
    }
}

/// What a user chooses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Params {
    /// Half size of the patch, px.
    pub patch: Extent,
    /// Half size of the range of translations, px; ignored where a list is given.
    pub window: Extent,
    /// Most translations that the regular sub-grid may have.
    pub max_points: usize,
    /// Translations to use instead of the regular sub-grid.
    pub list: Option<Vec<Translation>>,
}

impl Default for Params {
    fn default() -> Self {
        Self { patch: Extent::square(20), window: Extent::square(20), max_points: 100, list: None }
    }
}

impl Params {
    /// Checks the parameters against an image of `shape` px.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the parameter and its limit.
    pub fn plan(&self, shape: Extent) -> Result<Family> {
        if self.patch.area() == 0 && self.patch == Extent::default() {
            return Err(Error::parameter(
                "patch",
                self.patch,
                "a patch of one pixel has no pattern; give at least 1",
            ));
        }
        let translations = match &self.list {
            Some(list) => checked_list(list, shape)?,
            None => self.regular()?,
        };
        let reach = |along: fn(&Translation) -> i32| {
            translations.iter().map(|t| along(t).unsigned_abs() as usize).max().unwrap_or(0)
        };
        let window = match self.list {
            Some(_) => Extent { rows: reach(|t| t.rows), cols: reach(|t| t.cols) },
            None => self.window,
        };
        Ok(Family { patch: self.patch, window, translations })
    }

    /// The sub-grid of the smallest step that has at most `max_points` points,
    /// from `-window` on, row by row.
    fn regular(&self) -> Result<Vec<Translation>> {
        let Extent { rows, cols } = self.window;
        if rows == 0 && cols == 0 {
            return Err(Error::parameter(
                "window",
                self.window,
                "it must allow a translation; give at least 1",
            ));
        }
        if self.max_points == 0 {
            return Err(Error::parameter("max-points", 0, "give at least 1"));
        }
        let points = |step: usize| (2 * rows / step + 1) * (2 * cols / step + 1);
        let step = (1..).find(|&step| points(step) <= self.max_points).unwrap_or(1);
        if points(step) > MOST_CHANNELS {
            return Err(Error::parameter("max-points", self.max_points, too_many(points(step))));
        }
        let axis = |half: usize| (0..=2 * half).step_by(step).map(move |d| d as i32 - half as i32);
        Ok(axis(rows)
            .flat_map(|rows| axis(cols).map(move |cols| Translation { rows, cols }))
            .collect())
    }
}

impl Choose for Params {
    fn margin_of(&self) -> &'static str {
        "patch and window"
    }

    /// A patch and window that would fit an image of `shape` px and whose margin
    /// leaves `enough` sites.
    fn advice(&self, shape: Extent, enough: &dyn Fn(Extent) -> bool) -> String {
        if self.list.is_some() {
            return "give a smaller `patch` or shorter translations".into();
        }
        let room = |size: usize| size.saturating_sub(1) / 2;
        let fit = |half: Extent, share: fn(usize) -> usize, less: usize| Extent {
            rows: half.rows.min(share(room(shape.rows).saturating_sub(less))),
            cols: half.cols.min(share(room(shape.cols).saturating_sub(less))),
        };
        let least = room(shape.rows).min(room(shape.cols));
        // Both keep at least one pixel in each direction.
        let fitting = (0..least.saturating_sub(1))
            .map(|less| (fit(self.patch, |r| r / 2, less), fit(self.window, |r| r - r / 2, less)))
            .find(|&(patch, window)| enough(patch + window));
        match fitting {
            Some((patch, window)) => {
                format!(
                    "these would fit: `patch = {}` and `window = {}`",
                    patch.short(),
                    window.short()
                )
            }
            None => "no patch and window leave enough sites in it".into(),
        }
    }

    fn common(&mut self) -> Common<'_> {
        Common {
            patch: Some(&mut self.patch),
            window: Some(&mut self.window),
            ..Default::default()
        }
    }

    fn small(&self) -> Vec<Self> {
        let shift = |rows, cols| Translation { rows, cols };
        let list = vec![shift(-3, 2), shift(0, 0), shift(1, 5), shift(2, -4), shift(0, 1)];
        vec![Self { patch: Extent::square(6), list: Some(list), ..self.clone() }]
    }

    fn spans(&self) -> Vec<(&'static str, usize)> {
        let patch = ("patch", self.patch.rows.min(self.patch.cols));
        let window = ("window", self.window.rows.min(self.window.cols));
        // The window of a list is its own.
        if self.list.is_some() { vec![patch] } else { vec![patch, window] }
    }
}

fn too_many(channels: usize) -> String {
    format!("that makes {channels} translations, but at most {MOST_CHANNELS} are possible")
}

fn checked_list(list: &[Translation], shape: Extent) -> Result<Vec<Translation>> {
    if list.is_empty() {
        return Err(Error::parameter("translations", "empty", "give at least one translation"));
    }
    if list.len() > MOST_CHANNELS {
        return Err(Error::parameter("translations", list.len(), too_many(list.len())));
    }
    let inside = |t: &&Translation| {
        (t.rows.unsigned_abs() as usize) < shape.rows
            && (t.cols.unsigned_abs() as usize) < shape.cols
    };
    match list.iter().find(|t| !inside(t)) {
        Some(t) => Err(Error::parameter(
            "translations",
            t,
            format!("it leads out of the image of {shape} px"),
        )),
        None => Ok(list.to_vec()),
    }
}

/// The family ready to compute.
#[derive(Debug, Clone)]
pub struct Family {
    /// Half size of the patch, px.
    pub patch: Extent,
    /// Largest translation on each axis, px.
    pub window: Extent,
    /// One channel each.
    pub translations: Vec<Translation>,
}

impl Family {
    /// Both patches of every site lie within the image.
    pub fn margin(&self) -> Extent {
        Measure::margin(self)
    }

    /// Products that go through one running sum of a tile of `tile` sites, at most.
    fn terms(&self, stride: usize, tile: Extent) -> usize {
        let height = self.patch.full().rows;
        match stride < height {
            true => height + 2 * stride * (tile.rows - 1),
            false => height,
        }
    }
}

impl Measure for Family {
    /// Both patches of every site lie within the image.
    fn margin(&self) -> Extent {
        self.patch + self.window
    }

    fn channels(&self) -> usize {
        self.translations.len()
    }

    fn channel_names(&self) -> Vec<String> {
        self.translations.iter().map(|t| format!("translation {t} px")).collect()
    }

    fn by_definition(
        &self,
        image: ArrayView2<'_, f64>,
        grid: &SiteGrid,
        _mask: Option<ArrayView2<'_, bool>>,
    ) -> Array2<f64> {
        by_definition(image, self, grid)
    }

    /// A running sum of the tile loses `eps sqrt(T)` of the sum of its products' sizes,
    /// which is `1 + kappa` times the scale of the covariance, kappa being the tile's
    /// condition; three more operations make a score of it. Tiles that f64 sums keep
    /// the rounding of the score alone.
    fn rounding(&self, subject: Subject<'_>, band: &Band) -> Rounding<'_> {
        let Subject { image, sites, .. } = subject;
        let terms = self.terms(sites.grid().stride, sites.tile());
        let maps = Maps::new(image, self, sites.grid(), band.rows.clone(), sites.tiles(band));
        let mut bounds = vec![0.0; band.len()];
        for (tile, balance) in &maps.tiles {
            let loss = match balance.ill_conditioned() {
                true => 0.0,
                false => rounding::sum(terms) * (1.0 + f64::from(balance.condition)),
            };
            for row in tile.first.rows..tile.first.rows + tile.count.rows {
                let first = (row - band.rows.start) * band.cols + tile.first.cols;
                bounds[first..first + tile.count.cols].fill(2.0 * (loss + 3.0 * EPS));
            }
        }
        let reason = format!("2 eps (sqrt({terms} terms) (1 + kappa of the tile) + 3)");
        Rounding::of_sites(reason, bounds)
    }

    /// Sites per tile. A tile has about 200 x 400 px (what a core's cache holds),
    /// and at least four times the patch, so that the halo costs less than the tile
    /// itself however large the patch. Along a row, the sites, those next to the
    /// tile that `-t` needs, and the blocks of one stride in a patch make whole
    /// vectors of 16. Scores of a tile stay within [`TILE_SCORES`].
    fn tile_size(&self, stride: usize) -> Extent {
        let full = self.patch.full();
        let sites = |px: usize, patch: usize| ((px.max(4 * patch) - patch) / stride + 1).min(256);
        let most = (TILE_SCORES / self.translations.len()).max(1);
        let beside = full.cols / stride + self.window.cols / stride;
        let cols = sites(400, full.cols).min((most / 16).max(16));
        let total = cols + beside;
        let vectors = if total - total % 16 > beside { total / 16 } else { total.div_ceil(16) };
        let cols = (16 * vectors - beside).min(256);
        Extent { rows: sites(200, full.rows).max(16).min((most / cols).max(16)), cols }
    }

    fn translations(&self) -> Vec<Option<Translation>> {
        self.translations.iter().copied().map(Some).collect()
    }

    /// A product for each pixel of the sites' cells and translation.
    fn operations(&self, sites: &SiteGrid) -> Option<f64> {
        let cell = (sites.stride * sites.stride) as f64;
        Some(2.0 * sites.len() as f64 * cell * self.translations.len() as f64)
    }
}
