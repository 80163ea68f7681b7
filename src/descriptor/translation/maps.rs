//! Host tables of an image, shared by all backends: norm maps, and what each
//! tile of sites takes off its pixels.

use std::ops::Range;

use multiversion::multiversion;
use ndarray::ArrayView2;
use rayon::prelude::*;

use super::{Family, Norms};
use crate::sites::{SiteGrid, Tile};

/// Largest `|mu - c| max(|mu - c|, |mu|) / var` of patches that f32 is trusted
/// with: the first factor is what sums of products lose, the second what the
/// stored mean does. Keeps scores within 1e-5 of f64 (`tests/suite/precision.rs`).
pub(crate) const F32_CONDITION: f32 = 40.0;

/// How the pixels of a tile are balanced about 0 before they are summed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Balance {
    /// Constant taken off every pixel, in the image's standard deviations.
    pub(crate) centre: f32,
    /// Largest `|mu - c| max(|mu - c|, |mu|) / var` of the tile's patches: how
    /// many times more digits than a balanced patch's f32 sums lose.
    pub(crate) condition: f32,
}

impl Balance {
    /// Whether f32 sums would lose too many digits here.
    pub(crate) fn ill_conditioned(&self) -> bool {
        self.condition > F32_CONDITION
    }
}

/// What both backends need of an image in addition to its pixels, for some rows of sites.
#[derive(Debug)]
pub(crate) struct Maps {
    pub(crate) norms: Norms,
    /// The tiles row by row, each with its balance.
    pub(crate) tiles: Vec<(Tile, Balance)>,
}

impl Maps {
    /// Norm maps and balances for `tiles`, which cover the sites of `rows`, in
    /// `image` `[rows, cols]` (mean 0, variance 1).
    pub(crate) fn new(
        image: ArrayView2<'_, f32>,
        family: &Family,
        grid: &SiteGrid,
        rows: Range<usize>,
        tiles: Vec<Tile>,
    ) -> Self {
        let norms = Norms::new(image, family, grid, rows);
        let n = family.patch.full().area() as f32;
        let balances = tiles.into_par_iter().map(|tile| (tile, norms.balance(&tile, n))).collect();
        Self { norms, tiles: balances }
    }

    /// Bytes of the tables.
    pub(crate) fn bytes(&self) -> u64 {
        (size_of_val(&self.norms.mean[..]) + size_of_val(&self.norms.inverse[..])) as u64
    }
}

impl Norms {
    /// The constant is the mean of the patches' means; the condition looks at
    /// every patch of `n` pixels that a site or a translated site may use.
    fn balance(&self, tile: &Tile, n: f32) -> Balance {
        let (first, count) = (tile.first, tile.count);
        let mut sum = 0.0;
        for i in first.rows..first.rows + count.rows {
            let at = self.index(i as isize, first.cols as isize);
            sum += self.mean[at..at + count.cols].iter().map(|&m| f64::from(m)).sum::<f64>();
        }
        let centre = (sum / count.area() as f64) as f32;
        let rows = first.rows..first.rows + count.rows;
        let mut worst = [[0.0; LANES]; 2];
        for part in self.around(rows, first.cols..first.cols + count.cols) {
            worst_ratios(&self.mean[part.clone()], &self.inverse[part], centre, &mut worst);
        }
        let [offset, mean] = worst.map(|lanes| lanes.into_iter().fold(0.0, f32::max));
        Balance { centre, condition: offset * offset.max(mean) * n }
    }
}

const LANES: usize = 16;

/// Largest `|mu - centre| / sqrt(n var)` and `|mu| / sqrt(n var)` by lane.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn worst_ratios(mean: &[f32], inverse: &[f32], centre: f32, worst: &mut [[f32; LANES]; 2]) {
    let [offset, whole] = worst;
    for (mean, inverse) in mean.chunks(LANES).zip(inverse.chunks(LANES)) {
        for (lane, (&m, &r)) in mean.iter().zip(inverse).enumerate() {
            let (about_centre, about_zero) = ((m - centre).abs() * r, m.abs() * r);
            offset[lane] = if about_centre > offset[lane] { about_centre } else { offset[lane] };
            whole[lane] = if about_zero > whole[lane] { about_zero } else { whole[lane] };
        }
    }
}
