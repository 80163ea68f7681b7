//! Settings that follow from the image alone.
//!
//! Everything is measured in periods of the crystals: the image is resampled so that
//! they repeat every [`PERIOD`] pixels ([`crate::image::sampling`]), and all sizes are fixed
//! there. Sites are described by centred translations, which put boundaries where they
//! are, and by harmonics, which see what no autocorrelation does; the image is parted
//! region by region ([`crate::cluster::split`]), and regions need a core
//! ([`crate::labels::regions`]). What each step is worth is measured in `ACCURACY.md`.

use crate::descriptor::harmonic::Pool;
use crate::descriptor::{FamilyParams, centred, harmonic};
use crate::image::micrograph::Micrograph;
use crate::image::sampling::Sampling;
use crate::labels::regions::Smoothing;
use crate::lattice::{self, Period};
use crate::plan::{Labels, Params, Reduce};
use crate::sites::Extent;

/// Period that images are resampled to where nothing is known about their cells, px.
pub const PERIOD: f64 = 16.0;
/// The same where a cell holds one column: noise counts for more than detail.
pub const SMALLER_PERIOD: f64 = 14.0;
/// The same where it holds several: windows may hold less of a period.
pub const LARGER_PERIOD: f64 = 21.0;
/// Reflections up to which a cell holds one column, and from which on it holds several.
/// Those of simulated scenes that hold one have 2.3 to 3.65, others 3.9 to 15, or 3.5 and
/// more where the image is too coarse to show them.
const ONE_COLUMN: f64 = 3.4;
const SEVERAL: f64 = 3.9;
/// Periods that differ by a smaller share are one.
const SAME: f64 = 0.03;
/// How many times as long as the shortest period in the image a cell of several is.
const LONGER: f64 = 1.35;
/// Clarity of the lattices from which on windows hold less of a period: where crystals are
/// distorted, or rare, they have to average over more (0.8 to 1 in simulated scenes, 0.2 in
/// a high-entropy alloy).
const CLEAR: f64 = 0.5;

/// Distance of neighbouring sites, px of the resampled image.
pub(crate) const STRIDE: usize = 8;
/// Standard deviation of the window of translations, and their distance, px.
const WINDOW: f64 = 11.0;
const SPACING: f64 = 1.1 * PERIOD / 4.0;
/// Radius of harmonics, periods, and standard deviation of the window that they are pooled
/// in, px.
const RADIUS: f64 = 0.4;
const POOL: f64 = 5.8;
/// Number of phases of harmonics.
const ANGLES: usize = 8;

/// Standard deviation that memberships are averaged with, radius of the cores of regions,
/// and how much longer than that the way to a core may be, px.
const AVERAGE: f64 = 18.0;
pub(crate) const CORE: f64 = 0.6 * PERIOD + 8.0;
const SLACK: f64 = 8.0;

/// What `smooth` times the usual smoothing is for sites `stride` px apart.
pub fn smoothing(smooth: f64, stride: usize) -> Smoothing {
    let in_sites = |length: f64| length / stride as f64;
    Smoothing {
        sigma: smooth * in_sites(AVERAGE),
        core: smooth * in_sites(CORE),
        slack: in_sites(SLACK),
    }
}

/// The period of the crystals in `micrograph` as [`lattice::period`] finds it.
pub fn period(micrograph: &Micrograph) -> Option<Period> {
    lattice::period(micrograph.pixels(), micrograph.mask().map(|mask| mask.view()))
}

/// How an image whose crystals have this `period` is resampled; nothing: none was found,
/// and the image is taken as it is, as if they had [`PERIOD`].
pub fn sampling(period: Option<Period>) -> Sampling {
    match period {
        None => Sampling { period: PERIOD, target: PERIOD },
        Some(period) => Sampling { period: period.length, target: target(period) },
    }
}

/// The same where `given` is the period, px, and another may have been found: one that is the
/// found one changes nothing.
pub fn sampling_for(given: Option<f64>, found: Option<Period>) -> Sampling {
    let Some(period) = given else { return sampling(found) };
    let same = |found: &Period| (period / found.length - 1.0).abs() < SAME;
    Sampling { period, target: found.filter(same).map_or(PERIOD, target) }
}

/// Period to resample to, whole px: the larger, the more a cell holds, resolved or not.
fn target(Period { length, reflections, shortest, clarity, .. }: Period) -> f64 {
    let several = match length > LONGER * shortest {
        true => 1.0,
        false => ((reflections - ONE_COLUMN) / (SEVERAL - ONE_COLUMN)).clamp(0.0, 1.0),
    };
    let largest = if clarity < CLEAR { PERIOD } else { LARGER_PERIOD };
    (SMALLER_PERIOD + several * (largest - SMALLER_PERIOD)).round()
}

/// The settings for an image that is resampled like that, and these numbers of `clusters`.
pub fn params(sampling: Sampling, clusters: Vec<usize>) -> Params {
    let harmonic = harmonic::Params {
        radius: (RADIUS * sampling.target).round() as usize,
        window: Extent::square((3.2 * POOL).ceil() as usize),
        angles: ANGLES,
        pool: Pool::PowerMean { width: POOL },
        ..Default::default()
    };
    let centred = centred::Params { width: WINDOW, spacing: SPACING, ..Default::default() };
    Params {
        families: vec![FamilyParams::Centred(centred), FamilyParams::Harmonic(harmonic)],
        stride: STRIDE,
        clusters,
        sampling: Some(sampling),
        reduce: Reduce::Maf,
        labels: Labels::Interpolated { smooth: 1.0, least_confidence: 0.0 },
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_one_column_and_several_is_resampled_to_what_lies_between() {
        assert_eq!(sampling(None).scale(), 1.0);
        // What lies in between, and a phase whose cell is two of the others'.
        let period =
            Period { length: 10.0, reflections: 3.6, shortest: 10.0, clarity: 0.8, share: 1.0 };
        assert_eq!(target(period), 17.0);
        assert_eq!(target(Period { length: 20.0, ..period }), LARGER_PERIOD);
        assert_eq!(target(Period { length: 20.0, clarity: 0.3, ..period }), PERIOD);
    }
}
