//! How windows are laid over threads and workgroup memory.

/// Threads of a workgroup.
pub(super) const THREADS: usize = 128;

/// Frequencies of a thread: what it can keep sums of in registers.
pub(super) const EIGHT: usize = 8;

/// Workgroup memory that is used where there is more: what each device has, so
/// that several workgroups share a processor. Bytes.
const MEMORY: usize = 16 << 10;

/// Bytes of a vector, and of the threads' partial sums.
const VECTOR: usize = 16;
const PARTIAL: usize = 4 * THREADS;

/// Sizes of workgroups for windows of one size; see the shader's `Params`. The
/// pixels of a quarter of the window are `long` x `short`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) long: usize,
    pub(super) short: usize,
    /// Sites of a workgroup.
    pub(super) at_once: usize,
    /// Vectors of workgroup memory of a site.
    pub(super) memory: usize,
    /// Whether that holds the whole quarter of the window.
    pub(super) whole: bool,
    /// A tile of the window: lines, pixels of a line, vectors from line to line.
    pub(super) lines: usize,
    pub(super) pixels: usize,
    pub(super) pitch: usize,
    /// A slice of frequencies: eights, where its sums begin, vectors from line to
    /// line.
    pub(super) eights: usize,
    pub(super) sums_at: usize,
    pub(super) sums_pitch: usize,
}

impl Layout {
    /// For workgroups of at most `memory` bytes; nothing where they are too few.
    pub(super) fn new(long: usize, short: usize, memory: usize) -> Option<Self> {
        let vectors = memory.min(MEMORY).saturating_sub(PARTIAL) / VECTOR;
        Self::whole(long, short, vectors).or_else(|| {
            let slices = (1..=long.div_ceil(EIGHT)).filter_map(|eights| {
                let layout = Self::sliced(long, short, eights, vectors)?;
                Some((layout.cost(), layout))
            });
            slices.min_by_key(|&(cost, _)| cost).map(|(_, layout)| layout)
        })
    }

    /// The window as a whole, each line with eight frequencies for one thread.
    fn whole(long: usize, short: usize, vectors: usize) -> Option<Self> {
        let eights = long.div_ceil(EIGHT);
        // Odd, so that the threads of a load do not meet in one bank.
        let pitch = long | 1;
        let memory = (short * pitch) | 1;
        let at_once = (THREADS / (short * eights)).min(vectors / memory);
        (at_once > 0).then_some(Self {
            long,
            short,
            at_once,
            memory,
            whole: true,
            lines: short,
            pixels: long,
            pitch,
            eights,
            sums_at: 0,
            sums_pitch: pitch,
        })
    }

    /// A slice of this many `eights` of frequencies at a time, the window in tiles.
    fn sliced(long: usize, short: usize, eights: usize, vectors: usize) -> Option<Self> {
        let sums_pitch = (EIGHT * eights).min(long) | 1;
        let left = vectors.checked_sub(short * sums_pitch)?;
        let lines = short.min(THREADS / eights).min(left);
        // An odd number of pixels, which is their pitch too.
        let pixels = (left.checked_div(lines)? - 1) / 2 * 2 + 1;
        (lines > 0).then_some(Self {
            long,
            short,
            at_once: 1,
            memory: vectors,
            whole: false,
            lines,
            pixels: pixels.min(long),
            pitch: pixels,
            eights,
            sums_at: vectors - short * sums_pitch,
            sums_pitch,
        })
    }

    /// About how many instructions one thread runs for a site, barriers included.
    fn cost(&self) -> usize {
        const BARRIER: usize = 50;
        const FOLD: usize = 40;
        let tiles = self.long.div_ceil(self.pixels);
        let folds = (self.lines * self.pixels).div_ceil(THREADS);
        let block = tiles * (2 * BARRIER + FOLD * folds) + 4 * EIGHT * self.long;
        let tasks = (EIGHT * self.eights).min(self.long) * self.short.div_ceil(EIGHT);
        let across = tasks.div_ceil(THREADS) * 4 * EIGHT * self.short;
        let slices = self.long.div_ceil(EIGHT * self.eights);
        slices * (self.short.div_ceil(self.lines) * block + across)
    }

    /// Threads of a site.
    pub(super) fn threads(&self) -> usize {
        THREADS / self.at_once
    }

    /// Vectors of a workgroup's memory.
    pub(super) fn vectors(&self) -> usize {
        self.at_once * self.memory
    }

    /// Workgroup memory, bytes.
    pub(super) fn shared(&self) -> u64 {
        (VECTOR * self.vectors() + PARTIAL) as u64
    }

    /// Multiply-adds of a workgroup, about.
    pub(super) fn work(&self) -> u64 {
        let [long, short] = [self.long, self.short].map(|n| n.next_multiple_of(EIGHT));
        let slices = if self.whole { 1 } else { self.long.div_ceil(EIGHT * self.eights) + 1 };
        let sums = 4 * self.short * self.long * (long + short);
        (self.at_once * (sums + 12 * slices * self.short * self.long)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every window that may be: at most 4096 channels of half a spectrum.
    fn quarters() -> impl Iterator<Item = (usize, usize)> {
        let most = |short: usize| (2 * 4096 / (2 * short - 1)).div_ceil(2);
        (2..=45).flat_map(move |short| (short..=most(short)).map(move |long| (long, short)))
    }

    #[test]
    fn every_window_fits() {
        for memory in [4 << 10, MEMORY, 64 << 10] {
            for (long, short) in quarters() {
                // The sums of one slice must fit, at least.
                let least = VECTOR * (short * (EIGHT.min(long) | 1) + 1) + PARTIAL;
                let Some(layout) = Layout::new(long, short, memory) else {
                    assert!(memory < least, "{long} x {short} in {memory} bytes");
                    continue;
                };
                assert!(layout.shared() <= memory.min(MEMORY) as u64, "{layout:?}");
                check(&layout);
            }
        }
    }

    fn check(layout: &Layout) {
        assert!(layout.at_once > 0 && layout.threads() * layout.at_once <= THREADS);
        assert!(layout.lines > 0 && layout.pixels > 0, "{layout:?}");
        assert!(layout.lines * layout.eights <= layout.threads(), "{layout:?}");
        assert!(layout.pixels <= layout.pitch, "{layout:?}");
        let sums = layout.sums_at + layout.short * layout.sums_pitch;
        assert!(sums <= layout.memory, "{layout:?}");
        assert!(layout.sums_pitch >= (EIGHT * layout.eights).min(layout.long));
        if layout.whole {
            assert!(layout.lines == layout.short && layout.pixels == layout.long);
            assert!(layout.eights == layout.long.div_ceil(EIGHT));
        } else {
            assert!(layout.lines * layout.pitch <= layout.sums_at, "{layout:?}");
        }
    }

    #[test]
    fn the_usual_window_is_there_as_a_whole_for_two_sites() {
        let layout = Layout::new(21, 21, MEMORY).unwrap();
        assert!(layout.whole && layout.at_once == 2, "{layout:?}");
        assert!(layout.lines * layout.eights == 63, "one thread idles: {layout:?}");
    }
}
