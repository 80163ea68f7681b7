//! Local power spectra; see `descriptor/power_spectrum.rs`.
//!
//! Sixteen sites side by side are transformed by the sums of the definition, first
//! along the rows, then down the columns: windows of some tens of pixels gain more
//! from whole vectors than from a fast transform. Places are counted from the
//! window's centre, which changes no amplitude: then cosines need the even part of a
//! line only, and sines the odd one.

use multiversion::multiversion;

use super::inner::Phased;
use super::vector::{LANES, Vector, ln, matrix_products, vector};
use crate::descriptor::power_spectrum::{Family, Scale};
use crate::sites::{Extent, SiteGrid, Tile};

/// Spectra of one family of one image.
pub(super) struct Kernel<'a> {
    family: &'a Family,
    grid: &'a SiteGrid,
    /// Square of the image's standard deviation, in the file's units.
    scale: f32,
    rows: Axis,
    cols: Axis,
}

/// One axis of the window.
struct Axis {
    /// Half size.
    half: usize,
    /// Square root of the Hann window.
    taper: Vec<f32>,
    /// Cosines `[frequency 0 ..= half][place 0 ..= half]`, and sines.
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// Buffers of one task.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Even and odd parts of a line.
    even: [Vec<Vector>; 2],
    odd: [Vec<Vector>; 2],
    /// Transformed lines: `[real or imaginary][frequency]`.
    line: [Vec<Vector>; 2],
    /// The rows' transforms `[frequency of the columns][real or imaginary][row]`.
    half: Vec<Vector>,
    /// Cosine and sine sums of a column.
    sums: [Vec<Vector>; 4],
    /// Power `[row][frequency of the columns]`, in the spectrum's order.
    power: Vec<Vector>,
}

impl Axis {
    fn new(half: usize) -> Self {
        let n = 2 * half + 1;
        let table = |part: fn((f64, f64)) -> f64| {
            let value = |k: usize, i: usize| {
                let turn = ((k * i) % n) as f64 / n as f64;
                part((std::f64::consts::TAU * turn).sin_cos()) as f32
            };
            (0..=half).flat_map(|k| (0..=half).map(move |i| value(k, i))).collect()
        };
        let taper = Family::taper(n).into_iter().map(|v| v as f32).collect();
        Self { half, taper, cos: table(|(_, cos)| cos), sin: table(|(sin, _)| sin) }
    }
}

impl<'a> Kernel<'a> {
    pub(super) fn new(family: &'a Family, grid: &'a SiteGrid, deviation: f64) -> Self {
        let scale = (deviation * deviation).min(f32::MAX.into()) as f32;
        let Extent { rows, cols } = family.window;
        Self { family, grid, scale, rows: Axis::new(rows), cols: Axis::new(cols) }
    }

    /// Writes the spectra of the sites of `tile`, one channel each `pitch` values.
    pub(super) fn scores(
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
                let channels = self.family.frequencies.iter().zip(out.chunks_mut(pitch));
                for (&[row, col], channel) in channels {
                    let power = &scratch.power[self.place(row, col)];
                    channel[at..at + count].copy_from_slice(&power[..count]);
                }
            }
        }
    }

    /// Where the power of a frequency stands, or that of the opposite one.
    fn place(&self, row: usize, col: usize) -> usize {
        let full = self.family.window.full();
        let (row, col) = match col <= self.cols.half {
            true => (row, col),
            false => ((full.rows - row) % full.rows, full.cols - col),
        };
        row * (self.cols.half + 1) + col
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
        scratch.half.resize(2 * frequencies * height, [0.0; LANES]);
        for r in 0..height {
            self.row::<FUSED>(image.row(top + r), self.rows.taper[r], &places, &mean, scratch);
            for (part, line) in scratch.line.iter().enumerate() {
                for (k, &value) in line.iter().enumerate() {
                    scratch.half[(2 * k + part) * height + r] = value;
                }
            }
        }
        scratch.power.resize(height * frequencies, [0.0; LANES]);
        for k in 0..frequencies {
            self.column::<FUSED>(k, scratch);
        }
    }

    /// Transforms one row of the windows into `scratch.line`.
    #[inline(always)]
    fn row<const FUSED: bool>(
        &self,
        pixels: &[f32],
        down: f32,
        places: &[usize],
        mean: &Vector,
        scratch: &mut Scratch,
    ) {
        let half = self.cols.half;
        let value = |c: usize| -> Vector {
            let pixel = vector(pixels, places[c]);
            let weight = down * self.cols.taper[c];
            std::array::from_fn(|lane| weight * (pixel[lane] - mean[lane]))
        };
        let Scratch { even, odd, line, .. } = scratch;
        split(half, value, &mut even[0], &mut odd[0]);
        line.iter_mut().for_each(|line| line.resize(half + 1, [0.0; LANES]));
        matrix_products::<FUSED>(&self.cols.cos, &even[0], &mut line[0]);
        matrix_products::<FUSED>(&self.cols.sin, &odd[0], &mut line[1]);
        // The transform is even minus i odd.
        line[1].as_flattened_mut().iter_mut().for_each(|v| *v = -*v);
    }

    /// Transforms column `k` of the rows' transforms, and its power.
    #[inline(always)]
    fn column<const FUSED: bool>(&self, k: usize, scratch: &mut Scratch) {
        let (half, height) = (self.rows.half, 2 * self.rows.half + 1);
        let Scratch { even, odd, half: lines, sums, power, .. } = scratch;
        sums.iter_mut().for_each(|s| s.resize(half + 1, [0.0; LANES]));
        for part in 0..2 {
            let line = &lines[(2 * k + part) * height..][..height];
            split(half, |r| line[r], &mut even[part], &mut odd[part]);
            matrix_products::<FUSED>(&self.rows.cos, &even[part], &mut sums[part]);
            matrix_products::<FUSED>(&self.rows.sin, &odd[part], &mut sums[2 + part]);
        }
        let width = self.cols.half + 1;
        for f in 0..=half {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| sums[i][f]);
            let [mut plus, mut minus] = [[0.0; LANES]; 2];
            for lane in 0..LANES {
                // (a + i b) - i (c + i d), and for the opposite frequency + i.
                let (re, im) = (a[lane] + d[lane], b[lane] - c[lane]);
                plus[lane] = self.finish(re * re + im * im);
                let (re, im) = (a[lane] - d[lane], b[lane] + c[lane]);
                minus[lane] = self.finish(re * re + im * im);
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

/// Even and odd part of a line about its middle, from there on.
#[inline(always)]
fn split(
    half: usize,
    value: impl Fn(usize) -> Vector,
    even: &mut Vec<Vector>,
    odd: &mut Vec<Vector>,
) {
    even.resize(half + 1, [0.0; LANES]);
    odd.resize(half + 1, [0.0; LANES]);
    even[0] = value(half);
    odd[0] = [0.0; LANES];
    for i in 1..=half {
        let (before, after) = (value(half - i), value(half + i));
        for lane in 0..LANES {
            even[i][lane] = after[lane] + before[lane];
            odd[i][lane] = after[lane] - before[lane];
        }
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
    std::array::from_fn(|lane| first[lane] + (sum[lane] / n) as f32)
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
