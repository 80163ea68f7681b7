//! [`Params`] -> [`Plan`]: everything that follows from the parameters and the
//! image's shape is checked and worked out here, once, on the host. No backend
//! derives geometry.

pub mod automatic;
pub mod memory;
mod params;
pub mod sites;

use ndarray::{ArcArray2, Array2, CowArray, Ix2};

pub use self::params::{Border, Components, Labels, Order, Params, Reduce};
use crate::cluster::choose;
use crate::descriptor::{Family, FamilyParams, MOST_CHANNELS, TILE_SCORES, Translation};
use crate::image::micrograph::Micrograph;
use crate::image::sampling::{self, Frame};
use crate::plan::sites::{Band, Extent, SiteGrid, Tile};
use crate::reduce::maf;
use crate::reduce::pca::Block;
use crate::{Error, Result};

/// Everything a run needs beside pixels.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Size of what is described, px: the image, or the image resampled.
    pub shape: Extent,
    /// How it lies on the image that was read.
    pub frame: Frame,
    /// The sites, shared by all families.
    pub grid: SiteGrid,
    /// The families, tables made.
    pub families: Vec<Family>,
    /// Most sites of a tile.
    pub tile: Extent,
    /// `[rows, cols]`, true where a pixel does not count, absent ones and outliers: for
    /// families that leave such pixels out. Others see 0 in place of what is absent, and
    /// values from their surroundings in place of outliers.
    pub mask: Option<ArcArray2<bool>>,
    /// `[site rows, site cols]`, false where the site's pixel is absent; such
    /// sites are described but take no part in PCA and clustering.
    pub active: Option<Array2<bool>>,
    /// Memory, in bytes, for bands and tiles at work and for what is kept of
    /// them; see [`within`](Self::within).
    pub budget: u64,
    /// The image's standard deviation in the file's units: for families that
    /// speak them.
    pub deviation: f64,
    /// The checked parameters.
    pub params: Params,
}

/// Memory unless told otherwise, bytes.
pub const DEFAULT_BUDGET: u64 = 1 << 30;

/// Fewest sites: PCA needs two.
const LEAST_SITES: usize = 2;

impl Plan {
    /// Checks `params` against an image of `shape` px whose absent pixels are those of
    /// `mask` `[rows, cols]` (true where a pixel does not count).
    ///
    /// # Errors
    /// [`Error::Parameter`] for what cannot be, [`Error::TooSmall`] where no site
    /// fits, with what would.
    pub fn new(
        params: Params,
        shape: (usize, usize),
        mask: Option<&ArcArray2<bool>>,
    ) -> Result<Self> {
        Self::with_masks(params, shape, mask, mask)
    }

    /// The plan for an image whose pixels under `mask` do not count, those under `absent`
    /// have no label.
    fn with_masks(
        params: Params,
        shape: (usize, usize),
        mask: Option<&ArcArray2<bool>>,
        absent: Option<&ArcArray2<bool>>,
    ) -> Result<Self> {
        params.check()?;
        let image = Extent { rows: shape.0, cols: shape.1 };
        let frame = Frame::new(image, params.sampling);
        let shape = frame.described();
        let [mask, absent] = [mask, absent].map(|mask| mask.map(|mask| frame.mask(mask)));
        let families = params.families.iter().map(|f| f.plan(shape)).collect::<Result<Vec<_>>>()?;
        let margin = families.iter().map(Family::margin).fold(Extent::default(), Extent::max);
        let grid = SiteGrid::new(shape, margin, params.stride);
        if grid.is_empty() {
            return Err(too_small(&params, shape, margin));
        }
        let active = absent.map(|absent| {
            Array2::from_shape_fn((grid.count.rows, grid.count.cols), |(i, j)| {
                !absent[(grid.row(i), grid.col(j))]
            })
        });
        families.iter().try_for_each(|f| f.check(&grid))?;
        let channels: usize = families.iter().map(Family::channels).sum();
        if channels > MOST_CHANNELS {
            let reason = format!(
                "together they have more than the {MOST_CHANNELS} channels that are possible"
            );
            return Err(Error::parameter("descriptor", format!("{channels} channels"), reason));
        }
        let tile = tile_size(&families, channels, grid.stride);
        let (budget, deviation) = (DEFAULT_BUDGET, 1.0);
        let plan =
            Self { shape, frame, grid, families, tile, mask, active, budget, deviation, params };
        plan.check_clusters()?;
        Ok(plan)
    }

    /// [`new`](Self::new) for an image that is there.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of(params: Params, micrograph: &Micrograph) -> Result<Self> {
        let (mask, absent) = (micrograph.mask(), micrograph.absent());
        let plan = Self::with_masks(params, micrograph.shape(), mask, absent)?;
        Ok(Self { deviation: micrograph.deviation(), ..plan })
    }

    /// The image as it is described: `micrograph`, or `micrograph` resampled.
    ///
    /// # Errors
    /// [`Error::Image`] for a constant image.
    pub fn image<'m>(&self, micrograph: &'m Micrograph) -> Result<CowArray<'m, f32, Ix2>> {
        Ok(match self.params.sampling {
            None => micrograph.standardised()?.into(),
            Some(sampling) => {
                sampling::resampled(micrograph, sampling)?.into_standardised()?.into()
            }
        })
    }

    /// How many features are kept of descriptors, at most; of more clusters more.
    pub fn components(&self) -> Components {
        match self.params.reduce {
            Reduce::Pca => self.params.components,
            Reduce::Maf => Components::Count(maf::COMPONENTS),
        }
    }

    /// How many autocorrelation factors are kept: one for each cluster, two at least.
    pub(crate) fn factors(&self) -> usize {
        match self.params.clusters.is_empty() {
            true => choose::MOST,
            false => self.params.clusters.iter().copied().fold(2, usize::max),
        }
    }

    /// How many of `features` count where there are `clusters`.
    pub(crate) fn features_for(&self, clusters: usize, features: usize) -> usize {
        match self.params.reduce {
            Reduce::Pca => features,
            Reduce::Maf => features.min(clusters.max(2)),
        }
    }

    /// The families' channels, which PCA balances against each other; none where
    /// there is one family alone.
    pub fn blocks(&self) -> Vec<Block> {
        if self.families.len() == 1 {
            return Vec::new();
        }
        let weights = self.params.weights.iter().copied().chain(std::iter::repeat(1.0));
        let mut first = 0;
        let block = |(family, weight): (&Family, f64)| {
            let channels = first..first + family.channels();
            first = channels.end;
            Block { channels, weight }
        };
        self.families.iter().zip(weights).map(block).collect()
    }

    /// Number of channels of all families together, D.
    pub fn channels(&self) -> usize {
        self.families.iter().map(Family::channels).sum()
    }

    /// Names of all channels.
    pub fn channel_names(&self) -> Vec<String> {
        self.families.iter().flat_map(Family::channel_names).collect()
    }

    /// The translation of each channel that is one, `[D]`, px of what is described.
    pub fn translations(&self) -> Vec<Option<Translation>> {
        let of_family = |family: &Family| match family {
            Family::Translation(family) => family.translations.iter().copied().map(Some).collect(),
            Family::Centred(family) => family.translations().map(Some).collect(),
            other => vec![None; other.channels()],
        };
        self.families.iter().flat_map(of_family).collect()
    }

    /// Number of sites that take part in PCA and clustering.
    pub fn active_sites(&self) -> usize {
        self.active.as_ref().map_or(self.grid.len(), |a| a.iter().filter(|&&a| a).count())
    }

    /// Whether site `index` (`row * cols + col`) takes part.
    pub fn is_active(&self, index: usize) -> bool {
        self.active
            .as_ref()
            .is_none_or(|a| a[(index / self.grid.count.cols, index % self.grid.count.cols)])
    }

    /// The rows of `values` `[sites, _]` whose sites take part.
    pub fn keep_active<'v, T: Clone>(&self, values: &'v Array2<T>) -> CowArray<'v, T, Ix2> {
        if self.active.is_none() {
            return values.view().into();
        }
        let rows: Vec<usize> = (0..values.nrows()).filter(|&i| self.is_active(i)).collect();
        values.select(ndarray::Axis(0), &rows).into()
    }

    /// Bands of at most `rows` site rows, rounded to whole tiles (one at least).
    pub fn bands(&self, rows: usize) -> Vec<Band> {
        self.grid.bands((rows / self.tile.rows).max(1) * self.tile.rows)
    }

    /// All sites as one band.
    pub(crate) fn whole(&self) -> Band {
        Band { rows: 0..self.grid.count.rows, cols: self.grid.count.cols }
    }

    /// The tiles of `band`, row by row of tiles. They lie at the same places
    /// whatever the bands, so that values do not depend on them.
    pub fn tiles(&self, band: &Band) -> Vec<Tile> {
        self.grid.tiles(band.rows.clone(), self.tile)
    }

    /// Bands of single rows of tiles, evenly spread, with about `sites` sites in all: a
    /// sample where all of them would be too many.
    pub fn sample_bands(&self, sites: usize) -> Vec<Band> {
        let blocks = self.bands(1);
        let every = self.grid.len().div_ceil(sites.max(1)).max(1);
        blocks.into_iter().step_by(every).collect()
    }

    /// The pixel rows that the descriptors of `band` depend on.
    pub fn pixel_rows(&self, band: &Band) -> std::ops::Range<usize> {
        let reach = self.reach().rows;
        let last = self.grid.row(band.rows.end - 1);
        self.grid.row(band.rows.start).saturating_sub(reach)
            ..(last + reach + 1).min(self.shape.rows)
    }

    /// How far the pixels lie that the descriptors of a site depend on, px.
    pub fn reach(&self) -> Extent {
        let reach = self.families.iter().map(|family| family.reach(self.grid.stride));
        reach.fold(self.grid.margin, Extent::max)
    }

    fn check_clusters(&self) -> Result<()> {
        let sites = self.active_sites();
        let place = if self.active.is_some() { " where the image has data" } else { "" };
        let there_are = match sites {
            1 => format!("there is only 1 site{place}"),
            n => format!("there are only {n} sites{place}"),
        };
        let most = self.params.clusters.iter().copied().max().unwrap_or(0);
        if most > sites {
            let reason = format!(
                "{there_are}; give fewer clusters, a smaller --stride, or a smaller --patch and --window"
            );
            return Err(Error::parameter("clusters", most, reason));
        }
        if sites < LEAST_SITES {
            let reason = format!(
                "{there_are}, but it takes {LEAST_SITES}; give a smaller --stride, or a smaller --patch and --window"
            );
            return Err(Error::parameter("stride", self.grid.stride, reason));
        }
        Ok(())
    }
}

/// Sites of a tile: what suits every one of `families`, and few enough for the
/// scores of all `channels` together.
fn tile_size(families: &[Family], channels: usize, stride: usize) -> Extent {
    let tile = families.iter().map(|f| f.tile_size(stride)).fold(Extent::square(1), Extent::max);
    if families.len() == 1 {
        return tile;
    }
    let most = TILE_SCORES / channels;
    let cols = tile.cols.min((most / 16).max(16));
    Extent { rows: tile.rows.min((most / cols).max(16)), cols }
}

fn too_small(params: &Params, shape: Extent, margin: Extent) -> Error {
    let need = margin.full();
    let sites = params.clusters.iter().copied().fold(LEAST_SITES, usize::max);
    let enough = |margin: Extent| SiteGrid::new(shape, margin, params.stride).len() >= sites;
    let mut advice: Vec<String> =
        params.families.iter().map(|f| f.smaller(shape, &enough)).collect();
    advice.dedup();
    let mut sizes: Vec<&str> = params.families.iter().map(FamilyParams::margin_of).collect();
    sizes.dedup();
    Error::TooSmall(format!(
        "the image has {shape} px, but {} together need at least {need} px; {}",
        sizes.join(" or "),
        advice.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_of_bands_is_spread_and_within_its_size() {
        let params = Params { stride: 1, clusters: vec![1], ..Default::default() };
        let plan = Plan::new(params, (900, 200), None).unwrap();
        let all = plan.bands(1);
        assert_eq!(plan.sample_bands(plan.grid.len()), all, "all of them where they are few");
        let sites = plan.grid.len() / 3;
        let sample = plan.sample_bands(sites);
        let taken: usize = sample.iter().map(Band::len).sum();
        assert!(taken <= sites + all[0].len() && taken > sites / 2, "{taken} of {sites}");
        assert!(sample.windows(2).all(|pair| pair[0].rows.end < pair[1].rows.start), "spread");
    }
}
