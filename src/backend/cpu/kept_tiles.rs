//! Scores of tiles, kept while they fit a budget, of families that cost more to compute again
//! than to fetch from memory: all of them where they are asked for again, else those of the
//! sites that a map shows.

use std::collections::HashMap;
use std::sync::RwLock;

use ndarray::Array2;

use super::session::pitch;
use crate::sites::{Extent, Sites, Tile};

/// Scores of tiles, by the tile's place.
#[derive(Debug, Default)]
pub(super) struct KeptTiles {
    tiles: RwLock<Store>,
    /// Every how many rows and columns of sites a map has one.
    step: usize,
}

#[derive(Debug, Default)]
struct Store {
    tiles: HashMap<[usize; 4], Kept>,
    /// Bytes that there is room for.
    left: u64,
}

/// What is kept of a tile.
#[derive(Debug)]
enum Kept {
    /// All scores, `[D][pitch]`.
    Whole(Box<[f32]>),
    /// Those of the sites that a map shows, `[D][sites]`.
    Mapped(Box<[f32]>),
}

/// First site and size of `tile`.
fn place(tile: &Tile) -> [usize; 4] {
    let Extent { rows, cols } = tile.first;
    [rows, cols, tile.count.rows, tile.count.cols]
}

impl KeptTiles {
    /// Nothing yet, of at most `budget` bytes; a map has one of every `step` rows and columns
    /// of sites.
    pub(super) fn new(budget: u64, step: usize) -> Self {
        Self { tiles: RwLock::new(Store { left: budget, ..Default::default() }), step }
    }

    /// Whether all scores of all of `tiles` are here.
    pub(super) fn have(&self, tiles: &[Tile]) -> bool {
        let store = self.tiles.read().expect("no task panics with the lock");
        let whole = |tile| matches!(store.tiles.get(&place(tile)), Some(Kept::Whole(_)));
        !store.tiles.is_empty() && tiles.iter().all(whole)
    }

    /// Copies the scores of `tile` to `values` `[D][pitch]`; false where they are not all here.
    pub(super) fn copy(&self, tile: &Tile, values: &mut [f32]) -> bool {
        let store = self.tiles.read().expect("no task panics with the lock");
        let Some(Kept::Whole(scores)) = store.tiles.get(&place(tile)) else { return false };
        values.copy_from_slice(scores);
        true
    }

    /// Keeps the scores `values` `[D][pitch]` of `tile`, if there is room: `all` of them, or those
    /// that a map shows.
    pub(super) fn keep(&self, tile: &Tile, values: &[f32], all: bool) {
        if self.tiles.read().expect("no task panics with the lock").left == 0 {
            return;
        }
        let kept = match all || self.step == 1 {
            true => Kept::Whole(values.into()),
            false => {
                let sites: Vec<usize> = self.mapped_sites(tile).collect();
                let channels = values.chunks_exact(pitch(tile.count.area()));
                Kept::Mapped(channels.flat_map(|own| sites.iter().map(|&i| own[i])).collect())
            }
        };
        let mut store = self.tiles.write().expect("no task panics with the lock");
        let had = store.tiles.get(&place(tile)).map_or(0, Kept::bytes);
        let bytes = kept.bytes();
        if had < bytes
            && let Some(left) = (store.left + had).checked_sub(bytes)
        {
            store.left = left;
            store.tiles.insert(place(tile), kept);
        }
    }

    /// The sites of `tile`, by their numbers in it, that a map shows, row by row.
    fn mapped_sites<'a>(&'a self, tile: &'a Tile) -> impl Iterator<Item = usize> + 'a {
        let in_map = |first: usize, count: usize| {
            let before = first.next_multiple_of(self.step) - first;
            (before..count).step_by(self.step)
        };
        let (cols, width) = (in_map(tile.first.cols, tile.count.cols), tile.count.cols);
        in_map(tile.first.rows, tile.count.rows)
            .flat_map(move |row| cols.clone().map(move |col| row * width + col))
    }

    /// These `channels` `[channels, sites]` of the `sites` that a map shows, row by row, if they are
    /// here.
    pub(super) fn mapped(&self, sites: &Sites, channels: &[usize]) -> Option<Array2<f32>> {
        let store = self.tiles.read().expect("no task panics with the lock");
        let (count, step) = (sites.grid().count, self.step);
        let cols = count.cols.div_ceil(step);
        let mut values = Array2::zeros((channels.len(), count.rows.div_ceil(step) * cols));
        for tile in sites.tiles(&sites.whole()) {
            let own: Vec<usize> = self.mapped_sites(&tile).collect();
            if own.is_empty() {
                continue;
            }
            let kept = store.tiles.get(&place(&tile))?;
            for (at, &site) in own.iter().enumerate() {
                let row = tile.first.rows + site / tile.count.cols;
                let col = tile.first.cols + site % tile.count.cols;
                let mut to = values.column_mut(row / step * cols + col / step);
                for (to, &channel) in to.iter_mut().zip(channels) {
                    *to = match kept {
                        Kept::Whole(scores) => scores[channel * pitch(tile.count.area()) + site],
                        Kept::Mapped(scores) => scores[channel * own.len() + at],
                    };
                }
            }
        }
        Some(values)
    }
}

impl Kept {
    fn bytes(&self) -> u64 {
        let (Self::Whole(scores) | Self::Mapped(scores)) = self;
        size_of_val(&**scores) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sites::SiteGrid;

    /// 3 x 2 sites, whose channels are 16 values apart.
    fn tile(row: usize) -> Tile {
        Tile { first: Extent { rows: row, cols: 3 }, count: Extent { rows: 3, cols: 2 } }
    }

    #[test]
    fn what_fits_is_kept() {
        let kept = KeptTiles::new(160, 2);
        assert!(!kept.have(&[tile(0)]) && !kept.have(&[]));
        kept.keep(&tile(0), &[1.0; 16], true);
        kept.keep(&tile(0), &[1.0; 16], true);
        kept.keep(&tile(3), &[2.0; 16], true);
        kept.keep(&tile(6), &[3.0; 16], true);
        let mut values = [0.0; 16];
        assert!(kept.copy(&tile(3), &mut values), "the first counts once");
        assert_eq!(values, [2.0; 16]);
        assert!(!kept.copy(&tile(6), &mut values), "there was no room");
        assert!(kept.have(&[tile(0), tile(3)]) && !kept.have(&[tile(3), tile(6)]));
        kept.keep(&tile(6), &[3.0; 16], false);
        assert!(!kept.have(&[tile(6)]), "a part of it is");
    }

    #[test]
    fn maps_have_every_so_many_sites_of_all_tiles() {
        let shape = Extent { rows: 80, cols: 50 };
        let grid = SiteGrid::new(shape, Extent::square(0), 10);
        let sites = Sites::new(shape, grid, Extent { rows: 3, cols: 2 }, Extent::square(0));
        let (rows, cols) = (grid.count.rows, grid.count.cols);
        for step in [1, 2, 3] {
            let kept = KeptTiles::new(1 << 20, step);
            let tiles = sites.tiles(&sites.whole());
            assert_eq!(kept.mapped(&sites, &[0]), None, "nothing is there yet");
            for (i, tile) in tiles.iter().enumerate() {
                // Two channels, the second the opposite of the first.
                let pitch = pitch(tile.count.area());
                let mut values = vec![0.0; 2 * pitch];
                for site in 0..tile.count.area() {
                    let row = tile.first.rows + site / tile.count.cols;
                    let col = tile.first.cols + site % tile.count.cols;
                    values[site] = (row * cols + col) as f32;
                    values[pitch + site] = -values[site];
                }
                kept.keep(tile, &values, i % 4 == 0);
            }
            let found = kept.mapped(&sites, &[1]).expect("all tiles are there");
            let expected = (0..rows).step_by(step).flat_map(|row| {
                (0..cols).step_by(step).map(move |col| -((row * cols + col) as f32))
            });
            assert_eq!(found.row(0).to_vec(), expected.collect::<Vec<_>>(), "{step}");
        }
    }
}
