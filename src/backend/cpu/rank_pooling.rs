//! Pooling: the largest scores of the inner sites in a site's window.
//!
//! For each row of sites the largest scores down each inner column are sorted
//! first, neighbouring columns side by side in vectors; then sorted lists of 1, 2,
//! 4, ... columns are merged, and windows from them. Exact, whatever the order.

use std::ops::Range;
use std::sync::Arc;

use multiversion::multiversion;

use super::buffer_pool::BufferPool;
use super::inner_sites::InnerMaps;
use super::tile_kernel::{Describe, Kernel, Setup};
use super::vector::{LANES, Vector, lanes};
use crate::descriptor::inner_sites::InnerSites;
use crate::sites::{Band, SiteGrid, Tile};

/// Sorted lists `[rank][pitch]` of neighbouring columns, largest first.
#[derive(Debug, Default)]
struct Lists {
    values: Vec<f32>,
    /// How many ranks count.
    ranks: usize,
    /// Values of a rank: whole vectors, and room to read a window beyond.
    pitch: usize,
}

impl Lists {
    /// Makes room for `ranks` of `width` columns; values are whatever they were.
    fn resize(&mut self, ranks: usize, width: usize) {
        self.ranks = ranks;
        self.pitch = 2 * width.next_multiple_of(LANES);
        self.values.resize(self.values.len().max(ranks * self.pitch), 0.0);
    }

    /// Writes the ranks that count, of sixteen columns from `at` on.
    #[inline(always)]
    fn put(&mut self, at: usize, best: &[Vector]) {
        for (rank, best) in best.iter().take(self.ranks).enumerate() {
            self.values[rank * self.pitch + at..][..LANES].copy_from_slice(best);
        }
    }

    /// Rank `rank` of sixteen columns from `at` on.
    #[inline(always)]
    fn vector(&self, rank: usize, at: usize) -> &Vector {
        let values = &self.values[rank * self.pitch + at..];
        values.first_chunk().expect("there is room beyond the last column")
    }
}

/// Buffers of one task.
#[derive(Debug, Default)]
struct Scratch {
    /// Lists over 1, 2, 4, ... columns.
    doubled: Vec<Lists>,
    window: Lists,
    spare: Lists,
}

/// The kernel of a family that pools ranked scores.
pub(super) struct Ranked<'a> {
    inner: &'a InnerSites,
    grid: &'a SiteGrid,
    /// Which of the sources has the scores, and in which channels.
    source: usize,
    channels: Range<usize>,
    /// Scores that are kept of each.
    top: usize,
    buffers: Arc<BufferPool<Scratch>>,
}

/// The kernel with the scores of a band.
struct Pooled<'a> {
    ranked: Arc<Ranked<'a>>,
    maps: Arc<InnerMaps>,
}

impl<'a> Ranked<'a> {
    /// Keeps the `top` largest of each of the scores that are `channels` of `source`.
    pub(super) fn kernel(
        setup: &Setup<'a>,
        inner: &'a InnerSites,
        (source, channels): (usize, Range<usize>),
        top: usize,
    ) -> Arc<dyn Kernel<'a> + 'a> {
        let (grid, buffers) = (setup.plan.sites().grid(), setup.pools.of());
        Arc::new(Self { inner, grid, source, channels, top, buffers })
    }
}

impl<'a> Kernel<'a> for Ranked<'a> {
    fn band(self: Arc<Self>, _: &Band, maps: &[Arc<InnerMaps>]) -> Box<dyn Describe + 'a> {
        let maps = Arc::clone(&maps[self.source]);
        Box::new(Pooled { ranked: self, maps })
    }
}

impl Describe for Pooled<'_> {
    fn scores(&self, _index: usize, tile: &Tile, out: &mut [f32], pitch: usize) {
        let Self { ranked, maps } = self;
        ranked.buffers.with(|scratch| ranked.pool(maps, tile, scratch, out, pitch));
    }
}

impl Ranked<'_> {
    /// Writes the largest scores of the sites of `tile`, rank by rank, one channel
    /// each `pitch` values.
    fn pool(
        &self,
        maps: &InnerMaps,
        tile: &Tile,
        scratch: &mut Scratch,
        out: &mut [f32],
        pitch: usize,
    ) {
        let grid = self.grid;
        let cols: Vec<Range<usize>> =
            (0..tile.count.cols).map(|j| self.inner.cols(grid.col(tile.first.cols + j))).collect();
        let (first, last) = match (cols.first(), cols.last()) {
            (Some(first), Some(last)) => (first.start, last.end),
            _ => return,
        };
        let count = self.channels.len();
        for i in 0..tile.count.rows {
            let rows = self.inner.rows(grid.row(tile.first.rows + i));
            for (c, channel) in self.channels.clone().enumerate() {
                let lines: Vec<&[f32]> =
                    rows.clone().map(|row| &maps.row(row, channel)[first..last]).collect();
                let ranks = self.top.min(rows.len());
                column_lists(&lines, ranks, list(&mut scratch.doubled, 0));
                self.windows(&cols, first, last - first, scratch, |j, rank, value| {
                    out[(rank * count + c) * pitch + i * tile.count.cols + j] = value;
                });
            }
        }
    }

    /// Merges lists of columns to windows; `put` takes site, rank and score.
    fn windows(
        &self,
        cols: &[Range<usize>],
        first: usize,
        width: usize,
        scratch: &mut Scratch,
        mut put: impl FnMut(usize, usize, f32),
    ) {
        let Scratch { doubled, window, spare } = scratch;
        let longest = cols.iter().map(|c| c.len()).max().unwrap_or(0);
        let mut level = 0;
        while 2 << level <= longest {
            list(doubled, level + 1);
            let (below, above) = doubled.split_at_mut(level + 1);
            merge(&below[level], &below[level], 1 << level, width, self.top, &mut above[0]);
            level += 1;
        }
        // Windows at the border of the image, or between inner sites, differ by few.
        let mut lengths: Vec<usize> = cols.iter().map(|c| c.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        for length in lengths {
            window.resize(0, width);
            let mut offset = 0;
            for bit in (0..=level).rev().filter(|bit| length >> bit & 1 == 1) {
                merge(window, &doubled[bit], offset, width, self.top, spare);
                std::mem::swap(window, spare);
                offset += 1 << bit;
            }
            for (j, col) in cols.iter().enumerate().filter(|(_, col)| col.len() == length) {
                for rank in 0..self.top {
                    let at = rank.min(window.ranks - 1) * window.pitch + col.start - first;
                    put(j, rank, window.values[at]);
                }
            }
        }
    }
}

fn list(lists: &mut Vec<Lists>, index: usize) -> &mut Lists {
    lists.resize_with(lists.len().max(index + 1), Lists::default);
    &mut lists[index]
}

/// The `ranks` largest values down the `lines`, sorted, for each column.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn column_lists(lines: &[&[f32]], ranks: usize, lists: &mut Lists) {
    let width = lines.first().map_or(0, |line| line.len());
    lists.resize(ranks, width);
    let mut many = vec![[0.0; LANES]; ranks];
    for at in (0..width).step_by(LANES) {
        // Few ranks stay in registers.
        match ranks {
            0..=4 => lists.put(at, &sorted(lines, at, [[0.0; LANES]; 4])),
            5..=10 => lists.put(at, &sorted(lines, at, [[0.0; LANES]; 10])),
            _ => {
                sort(lines, at, &mut many);
                lists.put(at, &many);
            }
        }
    }
}

#[inline(always)]
fn sorted<const N: usize>(lines: &[&[f32]], at: usize, mut best: [Vector; N]) -> [Vector; N] {
    sort(lines, at, &mut best);
    best
}

/// The largest values of sixteen columns from `at` on: each line sinks into the
/// list as far as it can.
#[inline(always)]
fn sort(lines: &[&[f32]], at: usize, best: &mut [Vector]) {
    best.fill([f32::NEG_INFINITY; LANES]);
    for line in lines {
        let mut new = [f32::NEG_INFINITY; LANES];
        match line[at..].first_chunk() {
            Some(values) => new = *values,
            None => new[..line.len() - at].copy_from_slice(&line[at..]),
        }
        for best in &mut *best {
            let (a, b) = (*best, new);
            *best = lanes(|i| if a[i] > b[i] { a[i] } else { b[i] });
            new = lanes(|i| if a[i] < b[i] { a[i] } else { b[i] });
        }
    }
}

/// Merges the lists of `a` with those of `b` that begin `offset` columns further:
/// rank `r` of the union is the largest of the lesser of `a`'s and `b`'s ranks that
/// have `r` ranks before them.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn merge(a: &Lists, b: &Lists, offset: usize, width: usize, top: usize, out: &mut Lists) {
    out.resize((a.ranks + b.ranks).min(top), width);
    for at in (0..width).step_by(LANES) {
        for rank in 0..out.ranks {
            let mut best = [f32::NEG_INFINITY; LANES];
            // This many of a's, the others of b's, together rank + 1.
            let least = (rank + 1).saturating_sub(b.ranks);
            for from_a in least..=(rank + 1).min(a.ranks) {
                let mut lesser = [f32::INFINITY; LANES];
                if from_a > 0 {
                    lesser = *a.vector(from_a - 1, at);
                }
                if from_a < rank + 1 {
                    let other = b.vector(rank - from_a, at + offset);
                    let one = lesser;
                    lesser = lanes(|i| if one[i] < other[i] { one[i] } else { other[i] });
                }
                let one = best;
                best = lanes(|i| if one[i] > lesser[i] { one[i] } else { lesser[i] });
            }
            out.values[rank * out.pitch + at..][..LANES].copy_from_slice(&best);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_lists_are_those_of_the_union() {
        let column = |n: usize, c: usize| ((n * 37 + c * 11 + n * c * 5) % 101) as f32;
        for (rows, cols, top) in [(3, 7, 10), (5, 4, 10), (1, 9, 4), (12, 2, 3), (2, 1, 10)] {
            let lines: Vec<Vec<f32>> =
                (0..rows).map(|n| (0..40).map(|c| column(n, c)).collect()).collect();
            let lines: Vec<&[f32]> = lines.iter().map(|l| &l[..]).collect();
            let (mut lists, mut window, mut spare) =
                (Lists::default(), Lists::default(), Lists::default());
            column_lists(&lines, top.min(rows), &mut lists);
            for c in 0..cols {
                merge(&window, &lists, c, 40, top, &mut spare);
                std::mem::swap(&mut window, &mut spare);
            }
            for at in 0..40 - cols {
                let mut all: Vec<f32> =
                    (0..rows).flat_map(|n| (at..at + cols).map(move |c| column(n, c))).collect();
                all.sort_by(|a, b| b.total_cmp(a));
                all.truncate(top);
                let found: Vec<f32> =
                    (0..window.ranks).map(|r| window.values[r * window.pitch + at]).collect();
                assert_eq!(found, all, "{rows} {cols} {top} at {at}");
            }
        }
    }
}
