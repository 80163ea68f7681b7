//! Circular harmonics at inner sites; see `descriptor/harmonic.rs`.
//!
//! Kernels are even or odd under a change of sign of rows and columns, so the four
//! pixels that mirrors bring together are added and subtracted first: a quarter of
//! the products remains. The same four give mean and variance of the disc. Sixteen inner
//! sites are computed side by side.

use std::ops::Range;
use std::sync::Arc;

use multiversion::multiversion;
use ndarray::ArrayView2;

use super::inner_sites::{InnerMaps, Phased, mean_and_inverse};
use super::maximum::Maxima;
use super::power_mean::PowerMeans;
use super::table_memory::{self, TableMemory};
use super::tile_kernel::{self, CpuFamily, Score, Setup};
use super::vector::{LANES, Line, Vector, fma, vector};
use crate::descriptor::harmonic::{Class, Family, Folded};
use crate::plan::Plan;
use crate::sites::{Band, SiteGrid};

impl CpuFamily for Family {
    fn kernel<'a>(&'a self, setup: &mut Setup<'a>) -> Arc<dyn tile_kernel::Kernel<'a> + 'a> {
        match self.width {
            Some(width) => Arc::new(PowerMeans::new(setup, self, width)),
            None => {
                let source = setup.source(Maps::new(setup, self));
                Arc::new(Maxima::new(setup, self, source))
            }
        }
    }

    fn tables(&self, plan: &Plan, rows: usize) -> TableMemory {
        match self.width {
            Some(_) => TableMemory::default(),
            None => TableMemory::maps(plan, rows, &self.inner, self.part_count()),
        }
    }

    fn task_bytes(&self, plan: &Plan) -> u64 {
        self.width.map_or(0, |_| super::power_mean::bytes(self, plan))
    }

    fn work_per_site_row(&self, plan: &Plan) -> usize {
        let products = self.radius * self.radius * self.orders.len() * self.rings;
        2 * table_memory::inner_sites(plan, &self.inner) * products
    }
}

/// Makes maps of the real and imaginary parts of one family of one image.
struct Maps<'a> {
    image: ArrayView2<'a, f32>,
    family: &'a Family,
    grid: &'a SiteGrid,
    coefficients: Coefficients,
}

impl<'a> Maps<'a> {
    fn new(setup: &Setup<'a>, family: &'a Family) -> Self {
        let (image, grid) = (setup.image, setup.plan.sites().grid());
        Self { image, family, grid, coefficients: Coefficients::new(family) }
    }
}

impl Score for Maps<'_> {
    fn maps(&self, band: &Band) -> InnerMaps {
        let (inner, coefficients) = (&self.family.inner, &self.coefficients);
        let (grid, rows) = (&inner.grid, inner.rows_of(band, self.grid));
        let pixels = coefficients.pixels(grid, rows.clone());
        let image = Phased::new(self.image, pixels, grid.stride);
        let places = coefficients.places(&image, grid.margin.cols);
        let channels = coefficients.channels;
        InnerMaps::new(inner, rows, channels, |row, scratch: &mut Scratch, out| {
            let pitch = out.len() / channels;
            for first in (0..grid.count.cols).step_by(LANES) {
                let at = At { row: grid.row(row), places: &places, first };
                group(coefficients, &image, at, scratch, &mut out[first..], pitch);
            }
        })
    }
}

/// What coefficients are made with: the kernels of one family.
pub(super) struct Coefficients {
    radius: usize,
    /// Positions of a quarter of the disc.
    positions: usize,
    /// Of each class of kernels that are even or odd alike, in the order of [`Folded::classes`].
    blocks: [Vec<Block>; 4],
    /// Half the width of the disc, by distance from its centre row.
    reach: Vec<usize>,
    /// Pixels of the disc.
    pixels: f64,
    /// Real and imaginary parts.
    pub(super) channels: usize,
}

/// Kernels that are summed up at once: as many as registers hold, and stragglers.
const BLOCK: usize = 6;
const HALF: usize = 3;

/// Some kernels of a class.
struct Block {
    /// Their channels.
    channels: Vec<usize>,
    /// Their weights, `[position][channel]`.
    weights: Vec<f32>,
}

impl Block {
    /// The kernels of `class`, which have weights for this many `positions`.
    fn all(class: &Class, positions: usize) -> Vec<Self> {
        let mut blocks = Vec::new();
        let mut first = 0;
        while first < class.channels.len() {
            let size = match class.channels.len() - first {
                BLOCK.. => BLOCK,
                HALF.. => HALF,
                _ => 1,
            };
            let channels = first..first + size;
            let weight = |i: usize| move |channel: usize| class.weights[channel * positions + i];
            let weights = (0..positions).flat_map(|i| channels.clone().map(weight(i))).collect();
            blocks.push(Self { channels: class.channels[channels.clone()].to_vec(), weights });
            first += size;
        }
        blocks
    }

    /// Writes the sums of sixteen inner sites, each times its `scale`.
    #[inline(always)]
    fn products<const R: usize, const FUSED: bool>(
        &self,
        folded: &[Line],
        scale: &Vector,
        out: &mut [f32],
        pitch: usize,
    ) {
        let mut sums = [[0.0; LANES]; R];
        for (weights, folded) in self.weights.chunks_exact(R).zip(folded) {
            for (sum, &weight) in sums.iter_mut().zip(weights) {
                for lane in 0..LANES {
                    sum[lane] = fma::<FUSED>(weight, folded[lane], sum[lane]);
                }
            }
        }
        for (&channel, mut sum) in self.channels.iter().zip(sums) {
            for lane in 0..LANES {
                sum[lane] *= scale[lane];
            }
            out[channel * pitch..][..LANES].copy_from_slice(&sum);
        }
    }
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// `[class][position]`.
    folded: Vec<Line>,
}

/// Sixteen neighbouring inner sites of a row.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    /// Their pixel row.
    pub(super) row: usize,
    /// Where the pixels of a disc about the row's first inner site stand in a row of pixels, from
    /// the leftmost on.
    pub(super) places: &'a [usize],
    /// The first of the sixteen.
    pub(super) first: usize,
}

impl Coefficients {
    pub(super) fn new(family: &Family) -> Self {
        let reach = (0..=family.radius).map(|r| family.reach(r)).collect();
        let pixels = family.disc().len() as f64;
        let Folded { quarter, classes } = family.folded();
        Self {
            radius: family.radius,
            positions: quarter.len(),
            blocks: classes.map(|class| Block::all(&class, quarter.len())),
            reach,
            pixels,
            channels: family.part_count(),
        }
    }

    /// The pixel rows that `rows` of inner sites see.
    pub(super) fn pixels(&self, grid: &SiteGrid, rows: Range<usize>) -> Range<usize> {
        grid.row(rows.start) - self.radius..grid.row(rows.end.max(1) - 1) + self.radius + 1
    }

    /// Where the pixels of a disc about column `col` stand in a row of `pixels`: those about the
    /// columns whole strides further stand as many values further.
    pub(super) fn places(&self, pixels: &Phased, col: usize) -> Vec<usize> {
        (col - self.radius..=col + self.radius).map(|col| pixels.at(col)).collect()
    }

    /// Writes the real and imaginary parts of sixteen inner sites into `out`, each `pitch` values.
    #[inline(always)]
    pub(super) fn group<const FUSED: bool>(
        &self,
        pixels: &Phased,
        at: At<'_>,
        scratch: &mut Scratch,
        out: &mut [f32],
        pitch: usize,
    ) {
        let count = self.positions;
        scratch.folded.resize(4 * count, Line::default());
        let (offset, inverse) = self.fold::<FUSED>(pixels, at, &mut scratch.folded);
        // What is even both ways sees four times the mean; all others none of it.
        for folded in &mut scratch.folded[..count] {
            folded.0.iter_mut().zip(offset).for_each(|(folded, offset)| *folded -= 4.0 * offset);
        }
        for (blocks, folded) in self.blocks.iter().zip(scratch.folded.chunks_exact(count)) {
            for block in blocks {
                match block.channels.len() {
                    BLOCK => block.products::<BLOCK, FUSED>(folded, &inverse, out, pitch),
                    HALF => block.products::<HALF, FUSED>(folded, &inverse, out, pitch),
                    _ => block.products::<1, FUSED>(folded, &inverse, out, pitch),
                }
            }
        }
    }

    /// Brings the pixels of the discs together, less their mean as f32 has it, `[class][position]`;
    /// gives what that mean is off, and `1 / sqrt(n var)`, 0 where the discs are flat. Rows of a
    /// disc are summed in f32, and the rows in f64.
    #[inline(always)]
    fn fold<const FUSED: bool>(
        &self,
        pixels: &Phased,
        at: At<'_>,
        folded: &mut [Line],
    ) -> (Vector, Vector) {
        let At { row, places, first } = at;
        let count = folded.len() / 4;
        let (even, rest) = folded.split_at_mut(count);
        let (even_odd, rest) = rest.split_at_mut(count);
        let (odd_even, odd) = rest.split_at_mut(count);
        let about = self.about::<FUSED>(pixels, at);
        let [mut sum, mut squares] = [[0.0_f64; LANES]; 2];
        let mut i = 0;
        for (r, &reach) in self.reach.iter().enumerate() {
            let (above, below) = (pixels.row(row - r), pixels.row(row + r));
            let [mut line, mut line_squares] = [[0.0_f32; LANES]; 2];
            // Pixels on the axes are met twice, the centre four times.
            let once = if r == 0 { 0.5 } else { 1.0 };
            for c in 0..=reach {
                let once = if c == 0 { 0.5 * once } else { once };
                let (left, right) =
                    (places[self.radius - c] + first, places[self.radius + c] + first);
                let (a, b) = (vector(below, left), vector(below, right));
                let (d, e) = (vector(above, left), vector(above, right));
                for lane in 0..LANES {
                    let (a, b) = (a[lane] - about[lane], b[lane] - about[lane]);
                    let (d, e) = (d[lane] - about[lane], e[lane] - about[lane]);
                    let (same, change, same_above, change_above) = (b + a, b - a, e + d, e - d);
                    even[i].0[lane] = same + same_above;
                    even_odd[i].0[lane] = change + change_above;
                    odd_even[i].0[lane] = same - same_above;
                    odd[i].0[lane] = change - change_above;
                    let own = fma::<FUSED>(a, a, b * b) + fma::<FUSED>(d, d, e * e);
                    line[lane] = fma::<FUSED>(once, same + same_above, line[lane]);
                    line_squares[lane] = fma::<FUSED>(once, own, line_squares[lane]);
                }
                i += 1;
            }
            for lane in 0..LANES {
                sum[lane] += f64::from(line[lane]);
                squares[lane] += f64::from(line_squares[lane]);
            }
        }
        let [mut offset, mut inverse] = [[0.0; LANES]; 2];
        for lane in 0..LANES {
            let (m, i) = mean_and_inverse(sum[lane], squares[lane], self.pixels);
            (offset[lane], inverse[lane]) = (m as f32, i as f32);
        }
        (offset, inverse)
    }

    /// The means of the discs, about: whatever one pixel is, the others lie near it.
    #[inline(always)]
    fn about<const FUSED: bool>(
        &self,
        pixels: &Phased,
        At { row, places, first }: At<'_>,
    ) -> Vector {
        let mut sum = [0.0; LANES];
        for (r, &reach) in self.reach.iter().enumerate() {
            let (above, below) = (pixels.row(row - r), pixels.row(row + r));
            let once = if r == 0 { 0.5 } else { 1.0 };
            for c in 0..=reach {
                let once = if c == 0 { 0.5 * once } else { once };
                let (left, right) =
                    (places[self.radius - c] + first, places[self.radius + c] + first);
                let (a, b) = (vector(below, left), vector(below, right));
                let (d, e) = (vector(above, left), vector(above, right));
                for lane in 0..LANES {
                    let own = (a[lane] + b[lane]) + (d[lane] + e[lane]);
                    sum[lane] = fma::<FUSED>(once, own, sum[lane]);
                }
            }
        }
        sum.iter_mut().for_each(|sum| *sum /= self.pixels as f32);
        sum
    }
}

/// [`Coefficients::group`] compiled for each instruction set.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512dq+avx512bw",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn group(
    coefficients: &Coefficients,
    image: &Phased,
    at: At<'_>,
    scratch: &mut Scratch,
    out: &mut [f32],
    pitch: usize,
) {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq+avx512bw" => coefficients.group::<true>(image, at, scratch, out, pitch),
        "x86_64+avx2+fma" => coefficients.group::<true>(image, at, scratch, out, pitch),
        "aarch64+neon" => coefficients.group::<true>(image, at, scratch, out, pitch),
        _ => coefficients.group::<false>(image, at, scratch, out, pitch),
    }
}
