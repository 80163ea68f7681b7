//! What launchers of kernels with squares share; see `shaders/spline_square.wgsl`.

use bytemuck::{Pod, Zeroable};
use wgpu::Buffer;

use super::device::{Device, Scratch};
use super::pixels::{self, Image};
use crate::Result;
use crate::descriptor::inner_sites::{self, Norms};
use crate::descriptor::polar::{Polar, Tap};

/// Memory that squares of workgroups may take at once where they do not fit the
/// workgroups' own, bytes.
const SLOTS: u64 = 64 << 20;

/// Values that a processor's workgroup memory gives at once, each from its own bank.
const BANKS: usize = 32;

/// `Inner` of the shaders; see there for meanings and units.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[allow(missing_docs, reason = "the shader documents them")]
pub struct Inner {
    pub image: Image,
    pub top: u32,
    pub left: u32,
    pub stride: u32,
    pub first_inner_row: u32,
    pub rows: u32,
    pub cols: u32,
    pub first_row: u32,
    pub first_col: u32,
}

impl Inner {
    /// For `rows` of `inner`, of which a dispatch begins at `[column, row]`.
    pub(super) fn new(
        pixels: &pixels::Rows,
        inner: &inner_sites::InnerSites,
        rows: &std::ops::Range<usize>,
        [first_col, first_row]: [usize; 2],
    ) -> Self {
        Self {
            image: pixels.image(),
            top: inner.grid.margin.rows as u32,
            left: inner.grid.margin.cols as u32,
            stride: inner.grid.stride as u32,
            first_inner_row: rows.start as u32,
            rows: rows.len() as u32,
            cols: inner.grid.count.cols as u32,
            first_row: first_row as u32,
            first_col: first_col as u32,
        }
    }
}

/// Coefficients of a square with those that are mirrored.
pub(super) fn coefficients(polar: &Polar) -> usize {
    (polar.side() + 2) * (polar.side() + 2)
}

/// Constants of the shader for workgroups of this many threads, with `slot` values outside
/// of their memory and `square` coefficients in it.
pub(super) fn constants(
    polar: &Polar,
    threads: usize,
    slot: usize,
    square: usize,
) -> Vec<(&'static str, f64)> {
    let constants = [
        ("THREADS", threads),
        ("SIDE", polar.side()),
        ("WIDTH", polar.side() + 2),
        ("RINGS", polar.rings),
        ("ANGLES", polar.angles),
        ("SPILLS", usize::from(slot > 0)),
        ("SQUARE", square),
        ("SLOT", slot),
    ];
    constants.map(|(name, value)| (name, value as f64)).to_vec()
}

/// Multiply-adds for the samples of a square, about: 5 for each pixel along each
/// axis, 33 for each sample.
pub(super) fn work(polar: &Polar) -> usize {
    10 * coefficients(polar) + 33 * polar.len()
}

/// `taps` of rings as the shader has them. Each `at_once` rings stand together, and
/// within them those of neighbouring threads read different banks of workgroup
/// memory, as far as there are such.
pub(super) fn taps(polar: &Polar, taps: &[Tap], at_once: usize) -> Vec<[u32; 4]> {
    let width = polar.side() + 2;
    let mut all = Vec::with_capacity(taps.len());
    for (part, taps) in taps.chunks(at_once * polar.angles).enumerate() {
        let mut before = [0; BANKS];
        let mut keyed = Vec::with_capacity(taps.len());
        for (i, tap) in taps.iter().enumerate() {
            let at = tap.row * width + tap.col;
            let ring = part * at_once + i / polar.angles;
            let place = ((ring << 16) | (i % polar.angles)) as u32;
            let [down, right] = tap.fractions.map(|t| (t as f32).to_bits());
            keyed.push(((before[at % BANKS], at % BANKS), [at as u32, place, down, right]));
            before[at % BANKS] += 1;
        }
        keyed.sort_by_key(|(key, _)| *key);
        all.extend(keyed.into_iter().map(|(_, tap)| tap));
    }
    all
}

/// Means and inverse norms of squares for the shader.
pub(super) fn norms(norms: &Norms) -> Vec<[f32; 2]> {
    norms.offset.iter().zip(&norms.inverse).map(|(&offset, &inverse)| [offset, inverse]).collect()
}

/// Memory of workgroups whose squares do not fit their own.
#[derive(Default)]
pub(super) struct Slots(Scratch);

impl Slots {
    /// How many slots of `words` values there are for `device`; as many as wanted of
    /// none.
    pub(super) fn count(device: &Device, words: usize) -> usize {
        let most = SLOTS.min(device.binding_limit());
        most.checked_div(4 * words as u64).map_or(usize::MAX, |count| count.max(1) as usize)
    }

    /// Bytes of all slots of `words` values, at most.
    pub(super) const fn bytes(words: usize) -> u64 {
        let slot = 4 * words as u64;
        if slot == 0 || slot > SLOTS { slot } else { SLOTS }
    }

    /// `count` slots of `words` values.
    pub(super) fn get(&mut self, device: &Device, words: usize, count: usize) -> Result<&Buffer> {
        let count = if words == 0 { 1 } else { count };
        self.0.get(device, "squares", (words.max(1) * count) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_stand_in_rounds_of_different_banks() {
        let polar = Polar { radius: 20, rings: 20, angles: 60 };
        let plain = polar.taps([0.0; 2]);
        let dealt = taps(&polar, &plain, 7);
        let mut places: Vec<u32> = dealt.iter().map(|tap| tap[1]).collect();
        for (part, taps) in dealt.chunks(7 * 60).enumerate() {
            assert!(taps.iter().all(|tap| (tap[1] >> 16) as usize / 7 == part));
        }
        let shared = |order: &[[u32; 4]]| {
            let warps = order.chunks(BANKS).map(|warp| {
                let bank = |b: usize| warp.iter().filter(|t| t[0] as usize % BANKS == b).count();
                (0..BANKS).map(bank).max().unwrap_or(0)
            });
            warps.sum::<usize>() as f64 / order.len().div_ceil(BANKS) as f64
        };
        assert!(shared(&dealt) < 2.2, "{} threads share a bank", shared(&dealt));
        places.sort_unstable();
        let expected: Vec<u32> =
            (0..20).flat_map(|ring| (0..60).map(move |angle| (ring << 16) | angle)).collect();
        assert_eq!(places, expected);
    }
}
