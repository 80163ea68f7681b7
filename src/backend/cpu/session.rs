//! An image on the CPU: tiles described in parallel, each consumed at once.

use std::rc::Rc;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, ArrayViewMut3, Axis};
use rayon::prelude::*;

use super::buffer_pool::{BufferPool, BufferPools};
use super::families::{self, Families};
use super::kept_tiles::KeptTiles;
use super::tile_kernel;
use super::{moments, project};
use crate::Result;
use crate::backend::{Describe, KeptBands};
use crate::plan::Plan;
use crate::reduce::pca::{Moments, Pca};
use crate::sites::{Band, Tile};

/// Most bytes of partial sums that are alive at once.
const PARTIAL_SUMS: usize = 256 << 20;

/// Most bytes of scores that are alive at once, where a tile has less.
const TILES: usize = 128 << 20;

/// Values of a vector: channels begin at its multiples.
const LANES: usize = 16;

pub(super) struct Session<'a> {
    tiles: Tiles<'a>,
    tables: KeptBands<Tables<'a>>,
    moments: Moments,
    /// Features so far, and how many a site has.
    features: Vec<f32>,
    width: usize,
}

/// What describes the tiles of a band, family by family.
type Tables<'a> = Vec<Box<dyn tile_kernel::Describe + 'a>>;

/// What describes tiles.
struct Tiles<'a> {
    plan: &'a Plan,
    families: Families<'a>,
    scores: Arc<BufferPool<Vec<f32>>>,
    kept: KeptTiles,
}

/// Descriptors of a tile, `[D][pitch]`: the sites of a channel row by row, then
/// zeros up to whole vectors.
pub(super) struct Scores<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) pitch: usize,
    pub(super) sites: usize,
}

/// Distance of the channels of a tile of `sites`: an odd number of cache lines,
/// so that channels do not share few cache sets.
pub(super) fn pitch(sites: usize) -> usize {
    (sites.div_ceil(LANES) | 1) * LANES
}

impl<'a> Session<'a> {
    pub(super) fn new(image: ArrayView2<'a, f32>, plan: &'a Plan, pools: &'a BufferPools) -> Self {
        let budget = plan.budget() / 4;
        let room = if families::worth_keeping(plan) { budget } else { 0 };
        let kept = KeptTiles::new(room, plan.sites().map_step());
        let (families, scores) = (Families::new(image, plan, pools), pools.of());
        Self {
            tiles: Tiles { plan, families, scores, kept },
            tables: KeptBands::new(budget),
            moments: Moments::zero(plan.channels()),
            features: Vec::new(),
            width: 0,
        }
    }

    fn tables(&mut self, band: &Band) -> Result<Rc<Tables<'a>>> {
        let tiles = &self.tiles;
        match tiles.kept.have(&tiles.plan.sites().tiles(band)) {
            true => Ok(Rc::default()),
            false => self.tables.get(band, || Ok(tiles.families.band(band))),
        }
    }
}

impl Tiles<'_> {
    /// Describes `tile`, number `index` of its band, or finds it kept, and hands its
    /// scores on; keeps them `all` where they are wanted again.
    fn describe<R>(
        &self,
        tables: &Tables<'_>,
        (index, tile): (usize, &Tile),
        all: bool,
        use_scores: impl FnOnce(Scores<'_>) -> R,
    ) -> R {
        let sites = tile.count.area();
        let pitch = pitch(sites);
        let size = self.plan.channels() * pitch;
        self.scores.with(|scores| {
            scores.resize(scores.len().max(size), 0.0);
            let values = &mut scores[..size];
            if self.kept.copy(tile, values) {
                return use_scores(Scores { values, pitch, sites });
            }
            values.chunks_mut(pitch).for_each(|channel| channel[sites..].fill(0.0));
            let mut rest = &mut *values;
            for (own, family) in tables.iter().zip(self.plan.families()) {
                let (part, others) = rest.split_at_mut(family.channels() * pitch);
                rest = others;
                own.scores(index, tile, part, pitch);
            }
            self.kept.keep(tile, values, all);
            use_scores(Scores { values, pitch, sites })
        })
    }

    /// How many tiles may be worked on at once.
    fn at_once(&self) -> usize {
        let scores = size_of::<f32>() * self.plan.sites().tile().area() * self.plan.channels();
        let tile = scores + families::bytes_of_task(self.plan) as usize;
        (TILES.min(self.plan.budget() as usize / 4) / tile).max(1)
    }

    /// Describes all tiles of `band` in parallel; each fills its piece of `out`
    /// `[band rows, cols, _]`.
    fn fill(
        &self,
        tables: &Tables<'_>,
        band: &Band,
        out: ArrayViewMut3<'_, f32>,
        write: impl Fn(Scores<'_>, ArrayViewMut3<'_, f32>) + Sync,
    ) {
        let tiles = self.plan.sites().tiles(band);
        let pieces = tiles.iter().zip(split(out, &tiles)).enumerate();
        self.each(tables, pieces.map(|(i, (tile, piece))| (i, tile, piece)).collect(), write);
    }

    /// Describes these tiles, by their numbers in their band, in parallel; each fills its piece.
    fn each<P: Send>(
        &self,
        tables: &Tables<'_>,
        mut work: Vec<(usize, &Tile, P)>,
        write: impl Fn(Scores<'_>, P) + Sync,
    ) {
        while !work.is_empty() {
            let batch = work.drain(..self.at_once().min(work.len()));
            batch.collect::<Vec<_>>().into_par_iter().for_each(|(i, tile, piece)| {
                self.describe(tables, (i, tile), false, |scores| write(scores, piece));
            });
        }
    }

    /// Sums of one tile's active sites.
    fn sums(&self, tile: &Tile, scores: Scores<'_>) -> Moments {
        let mut count = scores.sites;
        if self.plan.sites().active().is_some() {
            for site in 0..scores.sites {
                let (i, j) = (site / tile.count.cols, site % tile.count.cols);
                let row = (tile.first.rows + i) * self.plan.sites().grid().count.cols;
                if !self.plan.sites().is_active(row + tile.first.cols + j) {
                    count -= 1;
                    let channels = scores.values[site..].iter_mut().step_by(scores.pitch);
                    channels.for_each(|v| *v = 0.0);
                }
            }
        }
        moments::of_tile(&scores, count as u64)
    }
}

impl Describe for Session<'_> {
    fn describe(&mut self, band: &Band, out: ArrayViewMut2<'_, f32>) -> Result<()> {
        let tables = self.tables(band)?;
        let shape = (band.rows.len(), band.cols, self.tiles.plan.channels());
        let out = out.into_shape_with_order(shape).expect("rows of [sites, D] are contiguous");
        self.tiles.fill(&tables, band, out, |scores, piece| transpose(&scores, piece));
        Ok(())
    }

    fn accumulate(&mut self, band: &Band) -> Result<()> {
        let tables = self.tables(band)?;
        let partial = 8 * self.moments.products.len();
        let sums = PARTIAL_SUMS.min(self.tiles.plan.budget() as usize / 4);
        let batch = (sums / partial).clamp(1, self.tiles.at_once());
        let (tiles, tables) = (&self.tiles, &*tables);
        let all: Vec<(usize, Tile)> =
            tiles.plan.sites().tiles(band).into_iter().enumerate().collect();
        for batch in all.chunks(batch) {
            let sums: Vec<Moments> = batch
                .par_iter()
                .map(|(i, tile)| {
                    // What is summed is projected later.
                    tiles.describe(tables, (*i, tile), true, |scores| tiles.sums(tile, scores))
                })
                .collect();
            // One by one in the order of the tiles, whatever the bands.
            sums.iter().for_each(|sum| self.moments.merge(sum));
        }
        Ok(())
    }

    fn moments(&mut self) -> Result<Moments> {
        Ok(std::mem::replace(&mut self.moments, Moments::zero(self.tiles.plan.channels())))
    }

    fn project(&mut self, band: &Band, pca: &Pca) -> Result<()> {
        let tables = self.tables(band)?;
        let q = pca.features();
        self.width = q;
        let mut features = std::mem::take(&mut self.features);
        if features.is_empty() {
            features.reserve_exact(self.tiles.plan.sites().grid().len() * q);
        }
        let first = features.len();
        features.resize(first + band.len() * q, 0.0);
        let shape = (band.rows.len(), band.cols, q);
        let out = ArrayViewMut3::from_shape(shape, &mut features[first..])
            .expect("as many values as were made room for");
        let write = |scores: Scores<'_>, piece: ArrayViewMut3<'_, f32>| {
            project::project(&scores, pca, piece);
        };
        self.tiles.fill(&tables, band, out, write);
        self.features = features;
        Ok(())
    }

    fn project_some(&mut self, band: &Band, sites: &[u32], pca: &Pca) -> Result<()> {
        let tables = self.tables(band)?;
        let q = pca.features();
        self.width = q;
        let tiles = self.tiles.plan.sites().tiles(band);
        // Of each tile, its sites by their numbers in it, with their places among all.
        let own = |tile: &Tile| -> Vec<(usize, usize)> {
            let inside = |site: usize| {
                let row = (band.rows.start + site / band.cols).checked_sub(tile.first.rows)?;
                let col = (site % band.cols).checked_sub(tile.first.cols)?;
                let there = row < tile.count.rows && col < tile.count.cols;
                there.then_some(row * tile.count.cols + col)
            };
            let all = sites.iter().enumerate();
            all.filter_map(|(at, &site)| Some((inside(site as usize)?, at))).collect()
        };
        let mut found: Vec<_> =
            tiles.par_iter().map(own).map(|own| (vec![0.0_f32; own.len() * q], own)).collect();
        let work = tiles.iter().zip(&mut found).enumerate();
        let work = work.filter(|(_, (_, (_, own)))| !own.is_empty());
        let work = work.map(|(i, (tile, piece))| (i, tile, piece)).collect();
        self.tiles.each(&tables, work, |scores, (to, own)| {
            let mut values = picked(&scores, own.iter().map(|(site, _)| *site));
            let scores = Scores { values: &mut values, pitch: pitch(own.len()), sites: own.len() };
            let piece = ArrayViewMut3::from_shape((1, own.len(), q), &mut to[..]);
            project::project(&scores, pca, piece.expect("as many values as there are sites"));
        });
        let first = self.features.len();
        self.features.resize(first + sites.len() * q, 0.0);
        for (values, own) in &found {
            for (values, (_, at)) in values.chunks_exact(q.max(1)).zip(own) {
                self.features[first + at * q..][..q].copy_from_slice(values);
            }
        }
        Ok(())
    }

    fn keeps(&self) -> bool {
        let plan = self.tiles.plan;
        self.tiles.kept.have(&plan.sites().tiles(&plan.sites().whole()))
    }

    fn mapped(&mut self, channels: &[usize]) -> Result<Option<Array2<f32>>> {
        Ok(self.tiles.kept.mapped(self.tiles.plan.sites(), channels))
    }

    fn features(&mut self) -> Result<Array2<f32>> {
        let features = std::mem::take(&mut self.features);
        Ok(Array2::from_shape_vec((features.len() / self.width.max(1), self.width), features)
            .expect("whole rows of features"))
    }
}

/// The scores of these sites, `[D][pitch]`.
fn picked(scores: &Scores<'_>, sites: impl ExactSizeIterator<Item = usize> + Clone) -> Vec<f32> {
    let pitch = pitch(sites.len());
    let channels = scores.values.chunks_exact(scores.pitch);
    let mut values = vec![0.0; channels.len() * pitch];
    for (to, from) in values.chunks_exact_mut(pitch).zip(channels) {
        to.iter_mut().zip(sites.clone()).for_each(|(to, site)| *to = from[site]);
    }
    values
}

/// Writes scores `[D][sites]` into `piece` `[site rows, site cols, D]`, in blocks that
/// are whole cache lines on both sides.
fn transpose(scores: &Scores<'_>, mut piece: ArrayViewMut3<'_, f32>) {
    let lanes = piece.lanes_mut(Axis(2)).into_iter();
    let mut sites: Vec<&mut [f32]> =
        lanes.map(|site| site.into_slice().expect("channels are contiguous")).collect();
    for (group, sites) in sites.chunks_mut(LANES).enumerate() {
        for (block, channels) in scores.values.chunks(LANES * scores.pitch).enumerate() {
            for (site, out) in sites.iter_mut().enumerate() {
                let of_site = channels[group * LANES + site..].iter().step_by(scores.pitch);
                let out = &mut out[block * LANES..];
                out.iter_mut().zip(of_site).for_each(|(out, &score)| *out = score);
            }
        }
    }
}

/// Cuts `out` into the views of `tiles`, which come row by row of tiles.
fn split<'a>(out: ArrayViewMut3<'a, f32>, tiles: &[Tile]) -> Vec<ArrayViewMut3<'a, f32>> {
    let mut pieces = Vec::with_capacity(tiles.len());
    let mut below = out;
    for row in tiles.chunk_by(|a, b| a.first.rows == b.first.rows) {
        let (mut right, rest) = below.split_at(Axis(0), row[0].count.rows);
        below = rest;
        for tile in row {
            let (piece, rest) = right.split_at(Axis(1), tile.count.cols);
            pieces.push(piece);
            right = rest;
        }
    }
    pieces
}
