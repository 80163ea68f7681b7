//! [`Params`] -> [`Plan`]: everything that follows from the parameters and the
//! image's shape is checked and worked out here, once, on the host. No backend
//! derives geometry.

pub mod automatic;
mod outline;
mod params;
mod relabelling;

use ndarray::{ArcArray2, CowArray, Ix2};

use crate::descriptor::{Family, FamilyParams, MOST_CHANNELS, TILE_SCORES, Translation};
use crate::image::micrograph::Micrograph;
use crate::image::sampling::{self, Frame};
use crate::labels::label_map::{Canvas, Numbering};
use crate::reduce::pca::Block;
use crate::sites::{Extent, SiteGrid, Sites};
use crate::{Error, Result};

pub use self::outline::Outline;
pub(crate) use self::params::FAMILY_COMPONENTS;
pub use self::params::{Border, Components, Labels, MOST_CHOSEN, Mark, Order, Params, Reduce};
pub use self::relabelling::Relabelling;

/// Everything a run needs in addition to pixels.
#[derive(Debug, Clone)]
pub struct Plan {
    sites: Sites,
    families: Vec<Family>,
    frame: Frame,
    budget: u64,
    deviation: f64,
    params: Params,
}

/// Memory unless told otherwise, bytes.
pub const DEFAULT_BUDGET: u64 = 1 << 30;

/// Fewest sites: PCA needs two.
const LEAST_SITES: usize = 2;

impl Plan {
    /// Checks `params` against an image and works out what follows from both: of a
    /// [`Micrograph`], or of the [`Outline`] of one.
    ///
    /// # Errors
    /// [`Error::Parameter`] for what cannot be, [`Error::TooSmall`] where no site
    /// fits, with what would.
    pub fn new(mut params: Params, image: impl Into<Outline>) -> Result<Self> {
        params.check()?;
        let Outline { shape, mask, absent, deviation } = image.into();
        let frame = Frame::new(shape, params.sampling);
        let shape = frame.described();
        let [mask, absent] = [mask, absent].map(|mask| mask.map(|mask| frame.mask(&mask)));
        let families = params.families.iter().map(|f| f.plan(shape)).collect::<Result<Vec<_>>>()?;
        let margin = families.iter().map(Family::margin).fold(Extent::default(), Extent::max);
        let grid = SiteGrid::new(shape, margin, params.stride);
        if grid.is_empty() {
            return Err(too_small(&params, shape, margin));
        }
        families.iter().try_for_each(|f| f.check(&grid))?;
        let channels: usize = families.iter().map(Family::channels).sum();
        if channels > MOST_CHANNELS {
            let reason = format!(
                "together they have more than the {MOST_CHANNELS} channels that are possible"
            );
            return Err(Error::parameter("descriptor", format!("{channels} channels"), reason));
        }
        params.components =
            params.reduce.components(params.components, families.iter().map(Family::channels));
        let tile = tile_size(&families, channels, grid.stride);
        let reach = families.iter().map(|family| family.reach(grid.stride));
        let sites = Sites::new(shape, grid, tile, reach.fold(margin, Extent::max))
            .without(mask, absent.as_ref());
        let plan = Self { sites, families, frame, budget: DEFAULT_BUDGET, deviation, params };
        plan.check_clusters()?;
        Ok(plan)
    }

    /// The plan with this much memory, in bytes, for bands and tiles at work and for what is
    /// kept of them. The result does not depend on it.
    #[must_use]
    pub fn with_budget(self, budget: u64) -> Self {
        Self { budget, ..self }
    }

    /// The plan for these numbers of clusters.
    pub(crate) fn with_clusters(mut self, clusters: Vec<usize>) -> Self {
        self.params.clusters = clusters;
        self
    }

    /// The plan with these marks.
    ///
    /// # Errors
    /// [`Error::Parameter`] for marks that cannot be.
    pub(crate) fn with_marks(&self, marks: Vec<Mark>) -> Result<Self> {
        let params = Params { marks, ..self.params.clone() };
        params.check()?;
        Ok(Self { params, ..self.clone() })
    }

    /// The sites, shared by all families.
    pub fn sites(&self) -> &Sites {
        &self.sites
    }

    /// The families, tables made.
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// How what is described lies on the image that was read.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Distance of neighbouring sites, px of the image that was read.
    pub fn spacing(&self) -> f64 {
        self.sites.grid().stride as f64 / self.frame.scale
    }

    /// What labels of the sites are spread over, in an image whose pixels under `absent` have
    /// none.
    pub fn canvas<'a>(
        &'a self,
        numbering: &'a Numbering,
        absent: Option<&'a ArcArray2<bool>>,
    ) -> Canvas<'a> {
        let border = self.params.border;
        Canvas { sites: &self.sites, frame: &self.frame, border, numbering, absent, held: &[] }
    }

    /// Memory, in bytes, for bands and tiles at work and for what is kept of them; see
    /// [`within`](Self::within).
    pub fn budget(&self) -> u64 {
        self.budget
    }

    /// The image's standard deviation in the file's units: for families that speak them.
    pub fn deviation(&self) -> f64 {
        self.deviation
    }

    /// The checked parameters, as they are used.
    pub fn params(&self) -> &Params {
        &self.params
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

    /// How many principal components are kept.
    pub fn components(&self) -> Components {
        self.params.components
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

    /// The families' channels, whatever their number, each with whether patterns are looked for in
    /// its descriptors alone as well.
    pub(crate) fn families_alone(&self) -> Vec<(Block, bool)> {
        let one = || vec![Block { channels: 0..self.channels(), weight: 1.0 }];
        let blocks = if self.families.len() == 1 { one() } else { self.blocks() };
        // Harmonics see what slow changes of translations hide.
        let alone = self.params.families.iter().map(|f| matches!(f, FamilyParams::Harmonic(_)));
        blocks.into_iter().zip(alone).collect()
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
        self.families.iter().flat_map(Family::translations).collect()
    }

    fn check_clusters(&self) -> Result<()> {
        let sites = self.sites.active_count();
        let place = if self.sites.active().is_some() { " where the image has data" } else { "" };
        let there_are = match sites {
            1 => format!("there is only 1 site{place}"),
            n => format!("there are only {n} sites{place}"),
        };
        let most = self.params.clusters.iter().copied().max().unwrap_or(0);
        if most > sites {
            let reason = format!(
                "{there_are}; give fewer clusters, a smaller `stride`, or a smaller `patch` and `window`"
            );
            return Err(Error::parameter("clusters", most, reason));
        }
        if sites < LEAST_SITES {
            let reason = format!(
                "{there_are}, but it takes {LEAST_SITES}; give a smaller `stride`, or a smaller `patch` and `window`"
            );
            return Err(Error::parameter("stride", self.sites.grid().stride, reason));
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
