//! Local power spectra; see `descriptor/power_spectrum.rs`.
//!
//! Sixteen sites side by side are transformed by the sums of the definition, first
//! along the rows, then down the columns: windows of some tens of pixels gain more
//! from whole vectors than from a fast transform. Places are counted from the
//! window's centre, which changes no amplitude: then cosines need the even part of a
//! line only, and sines the odd one. So windows are folded about their middle row and
//! column first: even and odd parts down, of each the even and odd parts along.

use std::sync::Arc;

use multiversion::multiversion;
use ndarray::ArrayView2;

use super::buffer_pool::BufferPool;
use super::inner_sites::{InnerMaps, Phased};
use super::table_memory::TableMemory;
use super::tile_kernel::{self, CpuFamily, Describe, Setup};
use super::vector::{LANES, Line, Vector, lanes, ln, matrix_products, vector};
use crate::descriptor::power_spectrum::{Family, Scale};
use crate::plan::Plan;
use crate::sites::{Band, Extent, SiteGrid, Tile};

/// Spectra of one family of one image.
struct Kernel<'a> {
    image: ArrayView2<'a, f32>,
    family: &'a Family,
    plan: &'a Plan,
    grid: &'a SiteGrid,
    /// Square of the image's standard deviation, in the file's units.
    scale: f32,
    rows: Axis,
    cols: Axis,
    /// Where the power of each channel stands.
    places: Vec<usize>,
    buffers: Arc<BufferPool<Scratch>>,
}

/// The kernel with the pixels of a band, by the stride of the sites.
struct Spectra<'a> {
    kernel: Arc<Kernel<'a>>,
    pixels: Phased,
}

/// One axis of the window.
struct Axis {
    /// Half size.
    half: usize,
    /// Square root of the Hann window.
    taper: Vec<f32>,
    /// Cosines `[frequency 0 ..= half][place 0 ..= half]`.
    cos: Vec<f32>,
    /// Sines `[frequency 1 ..= half][place 1 ..= half]`; the others are 0.
    sin: Vec<f32>,
}

/// Buffers of one task.
#[derive(Debug, Default)]
struct Scratch {
    /// Even and odd parts down of a row and the one opposite.
    rows: [Vec<Line>; 2],
    /// Of these the even and odd parts along, from the middle on.
    even: [Vec<Line>; 2],
    odd: [Vec<Line>; 2],
    /// The rows' transforms `[part down][part along][frequency of the columns][row]`,
    /// in succession.
    half: Vec<Line>,
    /// Sums down a column: for each part down and each along.
    sums: [[Vec<Line>; 2]; 2],
    /// Power `[row][frequency of the columns]`, in the spectrum's order.
    power: Vec<Line>,
}

impl Axis {
    fn new(half: usize) -> Self {
        let n = 2 * half + 1;
        let table = |first: usize, part: fn((f64, f64)) -> f64| {
            let value = |k: usize, i: usize| {
                let turn = ((k * i) % n) as f64 / n as f64;
                part((std::f64::consts::TAU * turn).sin_cos()) as f32
            };
            (first..=half).flat_map(|k| (first..=half).map(move |i| value(k, i))).collect()
        };
        let taper = Family::taper(n).into_iter().map(|v| v as f32).collect();
        Self { half, taper, cos: table(0, |(_, cos)| cos), sin: table(1, |(sin, _)| sin) }
    }
}

impl CpuFamily for Family {
    fn kernel<'a>(&'a self, setup: &mut Setup<'a>) -> Arc<dyn tile_kernel::Kernel<'a> + 'a> {
        Arc::new(Kernel::new(setup, self))
    }

    fn tables(&self, plan: &Plan, rows: usize) -> TableMemory {
        TableMemory::pixels(plan, rows)
    }

    fn work_per_site_row(&self, plan: &Plan) -> usize {
        let full = self.window.full();
        plan.sites().grid().count.cols * full.area() * (full.rows + full.cols) / 2
    }
}

impl<'a> tile_kernel::Kernel<'a> for Kernel<'a> {
    fn band(self: Arc<Self>, band: &Band, _: &[Arc<InnerMaps>]) -> Box<dyn Describe + 'a> {
        let rows = self.plan.sites().pixel_rows(band);
        let pixels = Phased::new(self.image, rows, self.grid.stride);
        Box::new(Spectra { kernel: self, pixels })
    }
}

impl Describe for Spectra<'_> {
    fn bytes(&self) -> u64 {
        self.pixels.bytes()
    }

    fn scores(&self, _index: usize, tile: &Tile, out: &mut [f32], pitch: usize) {
        let Self { kernel, pixels } = self;
        kernel.buffers.with(|scratch| kernel.tile(pixels, tile, scratch, out, pitch));
    }
}

impl<'a> Kernel<'a> {
    fn new(setup: &Setup<'a>, family: &'a Family) -> Self {
        let Setup { image, plan, .. } = *setup;
        let (grid, deviation) = (plan.sites().grid(), plan.deviation());
        let scale = (deviation * deviation).min(f32::MAX.into()) as f32;
        let Extent { rows, cols } = family.window;
        let places = family.frequencies.iter().map(|&[row, col]| place(family, row, col)).collect();
        let (rows, cols, buffers) = (Axis::new(rows), Axis::new(cols), setup.pools.of());
        Self { image, family, plan, grid, scale, rows, cols, places, buffers }
    }

    /// Writes the spectra of the sites of `tile`, one channel each `pitch` values.
    fn tile(
        &self,
        image: &Phased,
        tile: &Tile,
        scratch: &mut Scratch,
        out: &mut [f32],
        pitch: usize,
    ) {
        for i in 0..tile.count.rows {
            let top = self.grid.row(tile.first.rows + i) - self.rows.half;
            for j in (0..tile.count.cols).step_by(LANES) {
                let left = self.grid.col(tile.first.cols + j) - self.cols.half;
                transform(self, image, (top, left), scratch);
                let count = LANES.min(tile.count.cols - j);
                let at = i * tile.count.cols + j;
                for (&place, channel) in self.places.iter().zip(out.chunks_mut(pitch)) {
                    let power = &scratch.power[place];
                    match channel[at..].first_chunk_mut() {
                        Some(all) if count == LANES => *all = **power,
                        _ => channel[at..at + count].copy_from_slice(&power[..count]),
                    }
                }
            }
        }
    }

    /// Spectra of sixteen windows, the first at `(top, left)`.
    #[inline(always)]
    fn spectra<const FUSED: bool>(
        &self,
        image: &Phased,
        (top, left): (usize, usize),
        scratch: &mut Scratch,
    ) {
        let (height, width) = (2 * self.rows.half + 1, 2 * self.cols.half + 1);
        let places: Vec<usize> = (left..left + width).map(|col| image.at(col)).collect();
        let mean = mean(image, top..top + height, &places);
        let frequencies = self.cols.half + 1;
        scratch.half.resize(4 * frequencies * (self.rows.half + 1), Line::default());
        for r in 0..=self.rows.half {
            self.rows_at::<FUSED>(image, top + self.rows.half, r, &places, &mean, scratch);
        }
        scratch.power.resize(height * frequencies, Line::default());
        for k in 0..frequencies {
            self.column::<FUSED>(k, scratch);
        }
    }

    /// Transforms the rows `r` above and below the `middle` one of the windows, folded
    /// upon each other, into `scratch.half`.
    #[inline(always)]
    fn rows_at<const FUSED: bool>(
        &self,
        image: &Phased,
        middle: usize,
        r: usize,
        places: &[usize],
        mean: &Vector,
        scratch: &mut Scratch,
    ) {
        let Scratch { rows: [both, apart], even, odd, half: out, .. } = scratch;
        let (above, below) = (image.row(middle - r), image.row(middle + r));
        let down = self.rows.taper[self.rows.half + r];
        // The middle row is there once.
        let weight = if r == 0 { down / 2.0 } else { down };
        both.resize(places.len(), Line::default());
        apart.resize(places.len(), Line::default());
        for (c, &place) in places.iter().enumerate() {
            let (a, b) = (vector(above, place), vector(below, place));
            let taper = self.cols.taper[c];
            let (sum, difference) = (taper * weight, taper * down);
            both[c] = Line(lanes(|i| sum * ((b[i] - mean[i]) + (a[i] - mean[i]))));
            apart[c] = Line(lanes(|i| difference * (b[i] - a[i])));
        }
        let half = self.cols.half;
        for (part, line) in [&*both, &*apart].into_iter().enumerate() {
            split(half, line, &mut even[part], &mut odd[part]);
        }
        let (frequencies, height) = (half + 1, self.rows.half + 1);
        let at = |down: usize, along: usize, k: usize| {
            ((2 * down + along) * frequencies + k) * height + r
        };
        let columns = [&even[0][..], &even[1][..]];
        matrix_products::<2, FUSED>(&self.cols.cos, frequencies, columns, |k, [both, apart]| {
            out[at(0, 0, k)] = Line(both);
            out[at(1, 0, k)] = Line(apart);
        });
        let columns = [&odd[0][1..], &odd[1][1..]];
        matrix_products::<2, FUSED>(&self.cols.sin, half, columns, |k, [both, apart]| {
            out[at(0, 1, k + 1)] = Line(both);
            out[at(1, 1, k + 1)] = Line(apart);
        });
        out[at(0, 1, 0)] = Line::default();
        out[at(1, 1, 0)] = Line::default();
    }

    /// Transforms column `k` of the rows' transforms, and its power.
    #[inline(always)]
    fn column<const FUSED: bool>(&self, k: usize, scratch: &mut Scratch) {
        let (half, width) = (self.rows.half, self.cols.half + 1);
        let height = 2 * half + 1;
        let Scratch { half: lines, sums: [cos, sin], power, .. } = scratch;
        cos.iter_mut().chain(&mut *sin).for_each(|s| s.resize(half + 1, Line::default()));
        let line = |down: usize, along: usize| {
            &lines[((2 * down + along) * width + k) * (half + 1)..][..half + 1]
        };
        let columns = [line(0, 0), line(0, 1)];
        matrix_products::<2, FUSED>(&self.rows.cos, half + 1, columns, |f, [even, odd]| {
            (cos[0][f], cos[1][f]) = (Line(even), Line(odd));
        });
        let columns = [&line(1, 0)[1..], &line(1, 1)[1..]];
        matrix_products::<2, FUSED>(&self.rows.sin, half, columns, |f, [even, odd]| {
            (sin[0][f + 1], sin[1][f + 1]) = (Line(even), Line(odd));
        });
        for f in 0..=half {
            let [a, b, c, d] = [&cos[0][f], &cos[1][f], &sin[0][f], &sin[1][f]];
            let [mut plus, mut minus] = [Line::default(); 2];
            for lane in 0..LANES {
                // (a - i b) - i (c - i d), and for the opposite frequency + i.
                let (re, im) = (a[lane] - d[lane], b[lane] + c[lane]);
                plus.0[lane] = self.finish(re * re + im * im);
                let (re, im) = (a[lane] + d[lane], b[lane] - c[lane]);
                minus.0[lane] = self.finish(re * re + im * im);
            }
            power[f * width + k] = plus;
            if f > 0 {
                power[(height - f) * width + k] = minus;
            }
        }
    }

    #[inline(always)]
    fn finish(&self, power: f32) -> f32 {
        let power = (power * self.scale).min(f32::MAX);
        match self.family.scale {
            Scale::Log => ln((power + 1.0).min(f32::MAX)),
            Scale::Linear => power,
        }
    }
}

/// Where the power of a frequency stands, or that of the opposite one.
fn place(family: &Family, row: usize, col: usize) -> usize {
    let full = family.window.full();
    let (row, col) = match col <= family.window.cols {
        true => (row, col),
        false => ((full.rows - row) % full.rows, full.cols - col),
    };
    row * (family.window.cols + 1) + col
}

/// Even and odd part of a line about its middle, from there on.
#[inline(always)]
fn split(half: usize, line: &[Line], even: &mut Vec<Line>, odd: &mut Vec<Line>) {
    even.resize(half + 1, Line::default());
    odd.resize(half + 1, Line::default());
    even[0] = line[half];
    odd[0] = Line::default();
    for i in 1..=half {
        let (before, after) = (&line[half - i], &line[half + i]);
        even[i] = Line(lanes(|lane| after[lane] + before[lane]));
        odd[i] = Line(lanes(|lane| after[lane] - before[lane]));
    }
}

/// Means of sixteen windows: rows in f32 about a pixel of them, then in f64.
#[inline(always)]
fn mean(image: &Phased, rows: std::ops::Range<usize>, places: &[usize]) -> Vector {
    let first = *vector(image.row(rows.start), places[0]);
    let n = (rows.len() * places.len()) as f64;
    let mut sum = [0.0_f64; LANES];
    for row in rows {
        let pixels = image.row(row);
        let mut line = [0.0; LANES];
        for &place in places {
            let values = vector(pixels, place);
            for lane in 0..LANES {
                line[lane] += values[lane] - first[lane];
            }
        }
        for lane in 0..LANES {
            sum[lane] += f64::from(line[lane]);
        }
    }
    lanes(|lane| first[lane] + (sum[lane] / n) as f32)
}

/// [`Kernel::spectra`] compiled for each instruction set.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512dq+avx512bw",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn transform(kernel: &Kernel<'_>, image: &Phased, at: (usize, usize), scratch: &mut Scratch) {
    multiversion::target::match_target! {
        "x86_64+avx512f+avx512vl+avx512dq+avx512bw" => kernel.spectra::<true>(image, at, scratch),
        "x86_64+avx2+fma" => kernel.spectra::<true>(image, at, scratch),
        "aarch64+neon" => kernel.spectra::<true>(image, at, scratch),
        _ => kernel.spectra::<false>(image, at, scratch),
    }
}
