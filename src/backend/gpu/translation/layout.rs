//! How tiles, patches and translations are laid over workgroups.

use crate::backend::gpu::device::Device;
use crate::descriptor::translation::{Balance, Family};
use crate::plan::Plan;
use crate::sites::{Extent, Tile};

/// Translations of a thread, one in each lane of a vector.
pub(super) const LANES: usize = 4;

/// Most threads of a workgroup.
const THREADS: usize = 256;

/// Workgroup memory of a thread: three vectors, bytes.
const BYTES: usize = 48;

/// Workgroup memory that is used where there is more: what each device has, so
/// that several workgroups share a processor.
const MEMORY: usize = 16 << 10;

/// Threads that run in step on most devices.
const WAVE: usize = 32;

/// Vertical slab of the patch: `left` px from its left, `whole` blocks of one
/// stride wide and `rest` px more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slab {
    pub(super) left: usize,
    pub(super) whole: usize,
    pub(super) rest: usize,
}

/// Sizes of workgroups for one family of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// Threads in a row: blocks of columns.
    pub(super) blocks: usize,
    /// Rows of threads: vectors of translations.
    pub(super) groups: usize,
    /// Most site columns of a workgroup.
    cols: usize,
    pub(super) slabs: Vec<Slab>,
}

impl Layout {
    pub(super) fn new(device: &Device, family: &Family, plan: &Plan) -> Self {
        let memory = MEMORY.min(device.workgroup_memory() as usize);
        let width = family.patch.full().cols;
        Self::of(
            memory,
            width,
            plan.sites().grid().stride,
            plan.sites().tile().cols,
            family.translations.len(),
        )
    }

    /// For patches `width` px wide at every `stride`-th column, tiles of `cols`
    /// sites, and `memory` bytes for a workgroup.
    fn of(memory: usize, width: usize, stride: usize, cols: usize, translations: usize) -> Self {
        // Too little for even one wave shows when the kernel is compiled.
        let most = (memory / BYTES / WAVE * WAVE).clamp(WAVE, THREADS);
        let slabs = slabs(width, stride, most / 2);
        let whole = slabs.iter().map(|slab| slab.whole).max().unwrap_or(0);
        // Parts of a tile are as wide as each other.
        let parts = cols.div_ceil(most - whole);
        let cols = cols.div_ceil(parts);
        let blocks = (cols + whole).next_multiple_of(WAVE);
        let fitting = (memory / BYTES).min(THREADS) / blocks;
        Self { blocks, groups: fitting.clamp(1, translations.div_ceil(LANES)), cols, slabs }
    }

    /// Workgroup memory, bytes.
    pub(super) fn shared(&self) -> u64 {
        (BYTES * self.blocks * self.groups) as u64
    }

    /// The parts of `tiles` that workgroups take.
    pub(super) fn split(&self, tiles: &[(Tile, Balance)]) -> Vec<(Tile, Balance)> {
        let parts = |&(tile, balance): &(Tile, Balance)| {
            (0..tile.count.cols).step_by(self.cols).map(move |col| {
                let cols = self.cols.min(tile.count.cols - col);
                let first = Extent { cols: tile.first.cols + col, ..tile.first };
                (Tile { first, count: Extent { cols, ..tile.count } }, balance)
            })
        };
        tiles.iter().flat_map(parts).collect()
    }
}

/// Cuts a patch of `width` px into slabs of at most `most` whole blocks, as even
/// as can be; what is left of a block goes with the last.
fn slabs(width: usize, stride: usize, most: usize) -> Vec<Slab> {
    let (whole, rest) = (width / stride, width % stride);
    let count = whole.div_ceil(most).max(1);
    let edge = |i: usize| i * whole / count;
    (0..count)
        .map(|i| Slab {
            left: edge(i) * stride,
            whole: edge(i + 1) - edge(i),
            rest: if i + 1 == count { rest } else { 0 },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slabs_make_up_the_patch() {
        for (width, stride, most) in [(41, 4, 128), (41, 4, 3), (3, 17, 16), (2001, 1, 128)] {
            let slabs = slabs(width, stride, most);
            let mut right = 0;
            for slab in &slabs {
                assert_eq!(slab.left, right);
                assert!(slab.whole <= most);
                right += slab.whole * stride + slab.rest;
            }
            assert_eq!(right, width);
        }
    }

    #[test]
    fn workgroups_fit_threads_and_memory() {
        for memory in [2 << 10, 16 << 10] {
            for (width, stride, cols) in
                [(41, 4, 54), (41, 1, 215), (201, 1, 199), (3, 17, 15), (5, 1, 256), (1, 1, 1)]
            {
                let layout = Layout::of(memory, width, stride, cols, 81);
                assert!(layout.blocks * layout.groups <= THREADS, "{layout:?}");
                assert!(layout.shared() <= memory as u64, "{layout:?}");
                let most = layout.slabs.iter().map(|slab| slab.whole).max().unwrap();
                assert!(layout.cols > 0 && layout.cols + most <= layout.blocks, "{layout:?}");
            }
        }
    }

    #[test]
    fn the_usual_workgroup_holds_sixteen_translations() {
        let layout = Layout::of(MEMORY, 41, 4, 54, 81);
        assert_eq!((layout.blocks, layout.groups, layout.slabs.len()), (64, 4, 1));
    }
}
