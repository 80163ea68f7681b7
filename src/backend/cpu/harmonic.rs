//! Circular harmonics at inner sites; see `descriptor/harmonic.rs`.
//!
//! Kernels are even or odd under a change of sign of rows and columns, so the four
//! pixels that mirrors bring together are added and subtracted first: a quarter of
//! the products remains. Sixteen inner sites are computed side by side. The maps
//! hold real and imaginary parts; a tile turns them to each phase and takes the
//! largest values of the windows, first down the columns, then along the rows.

use std::ops::Range;
use std::sync::Arc;

use multiversion::multiversion;
use ndarray::ArrayView2;

use super::inner_sites::{InnerMaps, Phased, mean_and_inverse};
use super::maximum::Maxima;
use super::power_mean::PowerMeans;
use super::table_memory::{self, TableMemory};
use super::tile_kernel::{self, CpuFamily, Score, Setup};
use super::vector::{LANES, Line, Vector, matrix_products, vector};
use crate::descriptor::harmonic::{Family, Folded};
use crate::plan::Plan;
use crate::sites::{Band, SiteGrid};

/// Real and imaginary parts of one family of one image.
struct Kernel<'a> {
    image: ArrayView2<'a, f32>,
    family: &'a Family,
    grid: &'a SiteGrid,
    folded: Folded,
    channels: usize,
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    /// `[class][position]`.
    folded: Vec<Line>,
    sums: Vec<Line>,
}

impl CpuFamily for Family {
    fn kernel<'a>(&'a self, setup: &mut Setup<'a>) -> Arc<dyn tile_kernel::Kernel<'a> + 'a> {
        let source = setup.source(Kernel::new(setup, self));
        match self.width {
            Some(width) => Arc::new(PowerMeans::new(setup, self, width, source)),
            None => Arc::new(Maxima::new(setup, self, source)),
        }
    }

    fn tables(&self, plan: &Plan, rows: usize) -> TableMemory {
        TableMemory::maps(plan, rows, &self.inner, 2 * self.orders.len() * self.rings)
    }

    fn work_per_site_row(&self, plan: &Plan) -> usize {
        let products = self.radius * self.radius * self.orders.len() * self.rings;
        2 * table_memory::inner_sites(plan, &self.inner) * products
    }
}

impl Score for Kernel<'_> {
    fn maps(&self, band: &Band) -> InnerMaps {
        self.rows(self.family.inner.rows_of(band, self.grid))
    }
}

impl<'a> Kernel<'a> {
    fn new(setup: &Setup<'a>, family: &'a Family) -> Self {
        let (image, grid) = (setup.image, setup.plan.sites().grid());
        Self { image, family, grid, folded: family.folded(), channels: family.part_count() }
    }

    /// Real and imaginary parts for `rows` of inner sites.
    fn rows(&self, rows: Range<usize>) -> InnerMaps {
        let grid = &self.family.inner.grid;
        let top = grid.row(rows.start) - self.family.radius;
        let bottom = grid.row(rows.end.max(1) - 1) + self.family.radius + 1;
        let image = Phased::new(self.image, top..bottom, grid.stride);
        let inner = &self.family.inner;
        InnerMaps::new(inner, rows, self.channels, |row, scratch: &mut Scratch, out| {
            let pitch = out.len() / self.channels;
            for first in (0..grid.count.cols).step_by(LANES) {
                group(
                    self,
                    &image,
                    (grid.row(row), grid.col(first)),
                    scratch,
                    &mut out[first..],
                    pitch,
                );
            }
        })
    }

    /// Coefficients of sixteen inner sites, the first at `(row, col)`.
    #[inline(always)]
    fn coefficients<const FUSED: bool>(
        &self,
        image: &Phased,
        (row, col): (usize, usize),
        scratch: &mut Scratch,
        out: &mut [f32],
        pitch: usize,
    ) {
        let (mean, inverse) = self.norms(image, (row, col));
        let count = self.folded.quarter.len();
        scratch.folded.resize(4 * count, Line::default());
        scratch.sums.resize(self.channels, Line::default());
        for (i, &[r, c]) in self.folded.quarter.iter().enumerate() {
            let (above, below) = (image.row(row - r), image.row(row + r));
            let (left, right) = (image.at(col - c), image.at(col + c));
            let [a, b] = [left, right].map(|at| vector(below, at));
            let [d, e] = [left, right].map(|at| vector(above, at));
            let mut folded = [[0.0; LANES]; 4];
            for lane in 0..LANES {
                let (same, change) = (b[lane] + a[lane], b[lane] - a[lane]);
                let (same_above, change_above) = (e[lane] + d[lane], e[lane] - d[lane]);
                folded[0][lane] = (same - 2.0 * mean[lane]) + (same_above - 2.0 * mean[lane]);
                folded[1][lane] = change + change_above;
                folded[2][lane] = same - same_above;
                folded[3][lane] = change - change_above;
            }
            for (class, folded) in folded.iter().enumerate() {
                scratch.folded[class * count + i] = Line(*folded);
            }
        }
        for (class, folded) in self.folded.classes.iter().zip(scratch.folded.chunks_exact(count)) {
            let sums = &mut scratch.sums[..class.channels.len()];
            let put = |row: usize, [sum]: [Vector; 1]| sums[row] = Line(sum);
            matrix_products::<1, FUSED>(&class.weights, class.channels.len(), [folded], put);
            for (&channel, sum) in class.channels.iter().zip(sums.iter()) {
                let out = &mut out[channel * pitch..][..LANES];
                for lane in 0..LANES {
                    out[lane] = sum[lane] * inverse[lane];
                }
            }
        }
    }

    /// Mean of the discs and `1 / sqrt(n var)`, 0 where they are flat. Rows of a disc
    /// are summed in f32, about a pixel of it, and the rows in f64.
    #[inline(always)]
    fn norms(&self, image: &Phased, (row, col): (usize, usize)) -> (Vector, Vector) {
        let radius = self.family.radius;
        let centre = *vector(image.row(row), image.at(col));
        let [mut sum, mut squares] = [[0.0_f64; LANES]; 2];
        let mut n = 0;
        for r in 0..=2 * radius {
            let pixels = image.row(row + r - radius);
            let reach = self.family.reach(r.abs_diff(radius));
            let [mut line, mut line_squares] = [[0.0; LANES]; 2];
            for c in col - reach..=col + reach {
                let values = vector(pixels, image.at(c));
                for lane in 0..LANES {
                    let v = values[lane] - centre[lane];
                    line[lane] += v;
                    line_squares[lane] += v * v;
                }
            }
            n += 2 * reach + 1;
            for lane in 0..LANES {
                sum[lane] += f64::from(line[lane]);
                squares[lane] += f64::from(line_squares[lane]);
            }
        }
        let [mut mean, mut inverse] = [[0.0; LANES]; 2];
        for lane in 0..LANES {
            let (m, i) = mean_and_inverse(sum[lane], squares[lane], n as f64);
            mean[lane] = centre[lane] + m as f32;
            inverse[lane] = i as f32;
        }
        (mean, inverse)
    }
}

/// [`Kernel::coefficients`] compiled for each instruction set.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512dq+avx512bw",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn group(
    kernel: &Kernel<'_>,
    image: &Phased,
    at: (usize, usize),
    scratch: &mut Scratch,
    out: &mut [f32],
    pitch: usize,
) {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq+avx512bw" => kernel.coefficients::<true>(image, at, scratch, out, pitch),
        "x86_64+avx2+fma" => kernel.coefficients::<true>(image, at, scratch, out, pitch),
        "aarch64+neon" => kernel.coefficients::<true>(image, at, scratch, out, pitch),
        _ => kernel.coefficients::<false>(image, at, scratch, out, pitch),
    }
}
