//! Scores of tiles, kept while they fit a budget: of families that cost more to compute
//! again than to fetch from memory.

use std::collections::HashMap;
use std::sync::RwLock;

use crate::sites::{Extent, Tile};

/// Scores of tiles `[D][pitch]`, by the tile's place.
#[derive(Debug, Default)]
pub(super) struct KeptTiles {
    tiles: RwLock<Store>,
}

#[derive(Debug, Default)]
struct Store {
    tiles: HashMap<[usize; 4], Box<[f32]>>,
    /// Bytes that there is room for.
    left: u64,
}

/// First site and size of `tile`.
fn place(tile: &Tile) -> [usize; 4] {
    let Extent { rows, cols } = tile.first;
    [rows, cols, tile.count.rows, tile.count.cols]
}

impl KeptTiles {
    /// Nothing yet, of at most `budget` bytes.
    pub(super) fn new(budget: u64) -> Self {
        Self { tiles: RwLock::new(Store { left: budget, ..Default::default() }) }
    }

    /// Whether all of `tiles` are here.
    pub(super) fn have(&self, tiles: &[Tile]) -> bool {
        let store = self.tiles.read().expect("no task panics with the lock");
        !store.tiles.is_empty() && tiles.iter().all(|tile| store.tiles.contains_key(&place(tile)))
    }

    /// Copies the scores of `tile` to `values`; false where they are not here.
    pub(super) fn copy(&self, tile: &Tile, values: &mut [f32]) -> bool {
        let store = self.tiles.read().expect("no task panics with the lock");
        let found = store.tiles.get(&place(tile));
        found.is_some_and(|scores| {
            values.copy_from_slice(scores);
            true
        })
    }

    /// Keeps the scores of `tile` if there is room.
    pub(super) fn keep(&self, tile: &Tile, values: &[f32]) {
        let bytes = size_of_val(values) as u64;
        if self.tiles.read().expect("no task panics with the lock").left < bytes {
            return;
        }
        let scores = values.into();
        let mut store = self.tiles.write().expect("no task panics with the lock");
        if let Some(left) = store.left.checked_sub(bytes)
            && store.tiles.insert(place(tile), scores).is_none()
        {
            store.left = left;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(row: usize) -> Tile {
        Tile { first: Extent { rows: row, cols: 3 }, count: Extent { rows: 2, cols: 2 } }
    }

    #[test]
    fn what_fits_is_kept() {
        let kept = KeptTiles::new(40);
        assert!(!kept.have(&[tile(0)]) && !kept.have(&[]));
        kept.keep(&tile(0), &[1.0; 4]);
        kept.keep(&tile(0), &[1.0; 4]);
        kept.keep(&tile(2), &[2.0; 4]);
        kept.keep(&tile(4), &[3.0; 4]);
        let mut values = [0.0; 4];
        assert!(kept.copy(&tile(2), &mut values), "the first counts once");
        assert_eq!(values, [2.0; 4]);
        assert!(!kept.copy(&tile(4), &mut values), "there was no room");
        assert!(kept.have(&[tile(0), tile(2)]) && !kept.have(&[tile(2), tile(4)]));
    }
}
