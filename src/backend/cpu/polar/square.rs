//! Squares around neighbouring inner sites: from pixels to samples.

use multiversion::multiversion;

use crate::backend::cpu::inner::{Phased, mean_and_inverse};
use crate::backend::cpu::vector::{LANES, Vector, fma, vector};
use crate::descriptor::polar::{Polar, Tap};
use crate::descriptor::spline;

/// All columns of the image over the rows of one row of squares, by stride phase.
#[derive(Default)]
pub(in crate::backend::cpu) struct Strip {
    /// Spline coefficients down the columns, `[row][column]`: what f32 holds of
    /// them, and the rest.
    coarse: Vec<f32>,
    fine: Vec<f32>,
    /// Sums of the pixels and of their squares over the rows.
    sum: Vec<f64>,
    squares: Vec<f64>,
    line: usize,
}

impl Strip {
    /// Takes in the `side` rows from `top` on.
    pub(in crate::backend::cpu) fn fill(&mut self, image: &Phased, top: usize, side: usize) {
        self.line = image.line;
        self.coarse.resize(side * self.line, 0.0);
        self.fine.resize(side * self.line, 0.0);
        self.sum.resize(self.line, 0.0);
        self.squares.resize(self.line, 0.0);
        let rows: Vec<&[f32]> = (top..top + side).map(|row| image.row(row)).collect();
        let weights = spline::start_weights(side);
        fill_strip(&rows, &weights, self);
    }

    /// Coefficients of sixteen columns of row `k`, from `at` on, less means.
    #[inline(always)]
    fn less(&self, k: usize, at: usize, [mean, rest]: &[Vector; 2]) -> Vector {
        let at = k * self.line + at;
        let (coarse, fine) = (vector(&self.coarse, at), vector(&self.fine, at));
        std::array::from_fn(|i| (coarse[i] - mean[i]) + (fine[i] - rest[i]))
    }

    /// Keeps the coefficients of some columns of row `k`, from `at` on.
    #[inline(always)]
    fn put(&mut self, k: usize, at: usize, values: &[f64; COLUMNS]) {
        let at = k * self.line + at;
        let coarse: [f32; COLUMNS] = values.map(|v| v as f32);
        self.coarse[at..at + COLUMNS].copy_from_slice(&coarse);
        let fine = &mut self.fine[at..at + COLUMNS];
        for (fine, (v, coarse)) in fine.iter_mut().zip(values.iter().zip(coarse)) {
            *fine = (v - f64::from(coarse)) as f32;
        }
    }
}

/// Columns that are filtered together: their values of all rows stay in the cache.
const COLUMNS: usize = LANES;

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
fn fill_strip(rows: &[&[f32]], weights: &[f64], strip: &mut Strip) {
    let side = rows.len();
    let mut forward = vec![[0.0; COLUMNS]; side];
    for at in (0..strip.line).step_by(COLUMNS) {
        let pixel = |k: usize| vector(rows[k], at);
        let [mut sum, mut squares, mut start] = [[0.0; COLUMNS]; 3];
        for (k, &weight) in weights.iter().enumerate() {
            for (c, &v) in pixel(k).iter().enumerate() {
                let v = f64::from(v);
                sum[c] += v;
                squares[c] += v * v;
                start[c] += weight * v;
            }
        }
        strip.sum[at..at + COLUMNS].copy_from_slice(&sum);
        strip.squares[at..at + COLUMNS].copy_from_slice(&squares);
        forward[0] = start;
        for k in 1..side {
            let (before, pixel) = (forward[k - 1], pixel(k));
            forward[k] = std::array::from_fn(|c| f64::from(pixel[c]) + spline::POLE * before[c]);
        }
        let (last, before) = (forward[side - 1], forward[side - 2]);
        let mut value: [f64; COLUMNS] =
            std::array::from_fn(|c| spline::end_weight() * (last[c] + spline::POLE * before[c]));
        strip.put(side - 1, at, &value.map(|v| spline::GAIN * v));
        for k in (0..side - 1).rev() {
            value = std::array::from_fn(|c| spline::POLE * (value[c] - forward[k][c]));
            strip.put(k, at, &value.map(|v| spline::GAIN * v));
        }
    }
}

/// Where and with which weights samples are taken, ring by ring.
pub(in crate::backend::cpu) struct Taps(Vec<Weighted>);

#[derive(Clone, Copy)]
pub(in crate::backend::cpu) struct Weighted {
    /// First coefficient in the padded square.
    at: usize,
    rows: [f32; 4],
    cols: [f32; 4],
}

impl Taps {
    pub(in crate::backend::cpu) fn new(polar: &Polar, shift: [f64; 2]) -> Self {
        let width = polar.side() + 2;
        let weighted = |tap: &Tap| Weighted {
            at: tap.row * width + tap.col,
            rows: tap.rows.map(|w| w as f32),
            cols: tap.cols.map(|w| w as f32),
        };
        Self(polar.taps(shift).iter().map(weighted).collect())
    }

    /// Those of all rings.
    pub(in crate::backend::cpu) fn all(&self) -> &[Weighted] {
        &self.0
    }

    /// Those of ring `k`.
    pub(super) fn of_ring(&self, k: usize, angles: usize) -> &[Weighted] {
        &self.0[k * angles..(k + 1) * angles]
    }
}

/// Spline coefficients of sixteen squares side by side, with one mirrored
/// coefficient all around.
#[derive(Default)]
pub(in crate::backend::cpu) struct Squares {
    values: Vec<Vector>,
    width: usize,
    /// Weights with which a row begins, as far as f32 can tell.
    start: Vec<f32>,
}

/// Rows that are filtered together, so that the recursion does not wait for itself.
const ROWS: usize = 4;

impl Squares {
    /// Takes in the squares whose left columns are `left`, `left + stride`, ...; gives
    /// 1 for each that has contrast, 0 for each that is flat.
    #[inline(always)]
    pub(in crate::backend::cpu) fn load<const FUSED: bool>(
        &mut self,
        strip: &Strip,
        image: &Phased,
        left: usize,
        side: usize,
    ) -> Vector {
        self.prepare(side);
        let places: Vec<usize> = (left..left + side).map(|col| image.at(col)).collect();
        let (mean, alive) = means(strip, &places);
        let mut row = 0;
        while row < side {
            let rows = if side - row >= ROWS { ROWS } else { 1 };
            match rows {
                ROWS => self.load_rows::<ROWS, FUSED>(strip, &places, &mean, row),
                _ => self.load_rows::<1, FUSED>(strip, &places, &mean, row),
            }
            row += rows;
        }
        let width = self.width;
        self.values.copy_within(2 * width..3 * width, 0);
        self.values.copy_within((side - 1) * width..side * width, (side + 1) * width);
        alive
    }

    fn prepare(&mut self, side: usize) {
        if self.width == side + 2 {
            return;
        }
        self.width = side + 2;
        self.values.resize(self.width * self.width, [0.0; LANES]);
        let weights = spline::start_weights(side);
        let few = weights.iter().rposition(|w| w.abs() > 1e-9).map_or(1, |last| last + 1);
        self.start = weights[..few].iter().map(|&w| w as f32).collect();
    }

    /// Takes in and filters `B` rows from `row` on.
    #[inline(always)]
    fn load_rows<const B: usize, const FUSED: bool>(
        &mut self,
        strip: &Strip,
        places: &[usize],
        mean: &[Vector; 2],
        row: usize,
    ) {
        let (side, width) = (places.len(), self.width);
        let pole = spline::POLE as f32;
        let mut lines = self.values[(row + 1) * width..].chunks_exact_mut(width);
        let lines: [&mut [Vector]; B] = std::array::from_fn(|_| {
            &mut lines.next().expect("as many rows as the square has")[1..]
        });
        let mut values = [[0.0_f32; LANES]; B];
        for (k, &weight) in self.start.iter().enumerate() {
            for (b, value) in values.iter_mut().enumerate() {
                let v = strip.less(row + b, places[k], mean);
                *value = std::array::from_fn(|i| fma::<FUSED>(weight, v[i], value[i]));
            }
        }
        for b in 0..B {
            lines[b][0] = values[b];
        }
        for k in 1..side {
            for b in 0..B {
                let (before, v) = (values[b], strip.less(row + b, places[k], mean));
                values[b] = std::array::from_fn(|i| fma::<FUSED>(pole, before[i], v[i]));
                lines[b][k] = values[b];
            }
        }
        let end = spline::end_weight() as f32;
        for b in 0..B {
            let (last, before) = (values[b], lines[b][side - 2]);
            values[b] = std::array::from_fn(|i| end * fma::<FUSED>(pole, before[i], last[i]));
            lines[b][side - 1] = values[b].map(|v| spline::GAIN as f32 * v);
        }
        for k in (0..side - 1).rev() {
            for b in 0..B {
                let (after, v) = (values[b], lines[b][k]);
                values[b] = std::array::from_fn(|i| pole * (after[i] - v[i]));
                lines[b][k] = values[b].map(|v| spline::GAIN as f32 * v);
            }
        }
        for line in lines {
            line[side] = line[side - 2];
        }
        for b in row + 1..row + 1 + B {
            self.values[b * width] = self.values[b * width + 2];
        }
    }

    /// Samples at `taps`, one vector each.
    #[inline(always)]
    pub(in crate::backend::cpu) fn sample<const FUSED: bool>(
        &self,
        taps: &[Weighted],
        samples: &mut [Vector],
    ) {
        for (tap, sample) in taps.iter().zip(samples) {
            let mut total = [0.0; LANES];
            for (i, &down) in tap.rows.iter().enumerate() {
                let four: &[Vector; 4] = self.values[tap.at + i * self.width..]
                    .first_chunk()
                    .expect("taps lie within the padded square");
                let [a, b, c, d] = tap.cols;
                let mut line = four[0].map(|v| a * v);
                line = std::array::from_fn(|i| fma::<FUSED>(b, four[1][i], line[i]));
                line = std::array::from_fn(|i| fma::<FUSED>(c, four[2][i], line[i]));
                line = std::array::from_fn(|i| fma::<FUSED>(d, four[3][i], line[i]));
                total = std::array::from_fn(|i| fma::<FUSED>(down, line[i], total[i]));
            }
            *sample = total;
        }
    }
}

/// Means of the squares with columns at `places` (what f32 holds of them, and the
/// rest), and 1 for each that has contrast.
#[inline(always)]
fn means(strip: &Strip, places: &[usize]) -> ([Vector; 2], Vector) {
    let [mut sum, mut squares] = [[0.0; LANES]; 2];
    for &place in places {
        let (a, b) = (vector(&strip.sum, place), vector(&strip.squares, place));
        sum = std::array::from_fn(|i| sum[i] + a[i]);
        squares = std::array::from_fn(|i| squares[i] + b[i]);
    }
    let n = (places.len() * places.len()) as f64;
    let [mut mean, mut rest, mut alive] = [[0.0; LANES]; 3];
    for lane in 0..LANES {
        let (m, inverse) = mean_and_inverse(sum[lane], squares[lane], n);
        mean[lane] = m as f32;
        rest[lane] = (m - f64::from(mean[lane])) as f32;
        alive[lane] = if inverse > 0.0 { 1.0 } else { 0.0 };
    }
    ([mean, rest], alive)
}
