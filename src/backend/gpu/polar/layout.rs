//! How a workgroup divides its memory and its threads.

use super::sums::Sums;
use crate::backend::gpu::spline_square;
use crate::descriptor::polar::Polar;

/// Sums of a block, and threads whose sums are added first.
const LAGS: usize = 8;
const PART: usize = 8;

/// Sizes of the shader, in values and threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) threads: usize,
    /// Threads for one block of sums.
    pub(super) team: usize,
    /// Rings that are sampled at a time.
    pub(super) at_once: usize,
    /// Coefficients in workgroup memory.
    square: usize,
    /// Samples there, or sums of threads.
    samples: usize,
    /// Where sums of threads begin.
    partial: usize,
    sums: usize,
    /// Values of a slot outside of it, 0 where all fit.
    pub(super) slot: usize,
}

impl Layout {
    /// For workgroups that have `memory` bytes: the first of these that fits, else the
    /// last.
    pub(super) fn new(memory: u32, polar: &Polar, sums: &Sums) -> Self {
        let here = |threads| {
            let rings = (1..=polar.rings).rev();
            let layouts = rings.map(move |at_once| Self::of(threads, polar, sums, Some(at_once)));
            layouts.into_iter().find(|layout| layout.shared() <= u64::from(memory))
        };
        let spilt = |threads| Self::of(threads, polar, sums, None);
        let fits = |layout: &Self| layout.shared() <= u64::from(memory);
        here(128)
            .or_else(|| here(64))
            .or_else(|| Some(spilt(128)).filter(fits))
            .unwrap_or(spilt(64))
    }

    /// With this many rings at a time in workgroup memory, or everything in a slot.
    fn of(threads: usize, polar: &Polar, sums: &Sums, at_once: Option<usize>) -> Self {
        let blocks = sums.len() / LAGS;
        let teams = blocks.next_power_of_two().min(threads / PART);
        let partial_sums = LAGS * (threads + 1);
        let coefficients = spline_square::coefficients(polar);
        let samples = at_once.map_or(0, |rings| rings * polar.angles);
        // Sums of threads take the samples' place where nobody needs them any more.
        let partial = if blocks > teams { samples } else { 0 };
        Self {
            threads,
            team: threads / teams,
            at_once: at_once.unwrap_or(polar.rings),
            square: if at_once.is_some() { coefficients } else { 1 },
            samples: samples.max(partial + partial_sums),
            partial,
            sums: sums.len(),
            slot: if at_once.is_some() { 0 } else { coefficients + polar.len() },
        }
    }

    /// Workgroup memory, bytes.
    pub(super) const fn shared(&self) -> u64 {
        4 * (self.square + self.samples + self.threads + self.sums) as u64
    }

    /// The shader's constants.
    pub(super) fn constants(&self, polar: &Polar) -> Vec<(&'static str, f64)> {
        let mut constants = spline_square::constants(polar, self.threads, self.slot, self.square);
        constants.extend(
            [
                ("AT_ONCE", self.at_once),
                ("TEAM", self.team),
                ("SAMPLES", self.samples),
                ("PARTIAL", self.partial),
                ("SUMS", self.sums),
            ]
            .map(|(name, value)| (name, value as f64)),
        );
        constants
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::polar::Product;

    fn turns(axes: usize) -> Vec<Vec<(Product, f64)>> {
        (0..axes).map(|axis| vec![(Product::Turn(2 * axis), 1.0)]).collect()
    }

    #[test]
    fn memory_of_every_device_is_enough() {
        const LEAST: u32 = 16 << 10;
        let layout = |radius, rings, axes: usize| {
            let polar = Polar { radius, rings, angles: 2 * axes };
            Layout::new(LEAST, &polar, &Sums::new(polar.angles, &turns(axes)))
        };
        let default = layout(20, 20, 30);
        assert_eq!((default.slot, default.at_once, default.threads), (0, 20, 128));
        let few_rings = layout(26, 20, 30);
        assert!(few_rings.slot == 0 && few_rings.at_once < 20, "{few_rings:?}");
        assert!(layout(40, 20, 30).slot > 0);
        let polar = Polar { radius: 8, rings: 20, angles: 60 };
        let small = Layout::new(6300, &polar, &Sums::new(60, &turns(10)));
        assert!(small.slot == 0 && small.at_once < 20, "{small:?}");
        for layout in [default, few_rings, layout(2, 1, 1260), layout(300, 300, 1260)] {
            assert!(layout.shared() <= u64::from(LEAST), "{layout:?}");
            assert!(layout.team >= PART && layout.threads % layout.team == 0, "{layout:?}");
        }
    }
}
