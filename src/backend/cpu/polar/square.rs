//! Squares around neighbouring inner sites: from pixels to samples.

use multiversion::multiversion;

use crate::backend::cpu::inner::{Phased, mean_and_inverse};
use crate::backend::cpu::vector::{LANES, Vector, fma, vector};
use crate::descriptor::polar::{Polar, Tap};
use crate::descriptor::spline;

/// All columns of the image over the rows of one row of squares, by stride phase.
#[derive(Default)]
pub(in crate::backend::cpu) struct Strip {
    /// Spline coefficients down the columns, `[row][column]`.
    coefficients: Vec<f64>,
    /// Sums of the pixels and of their squares over the rows.
    sum: Vec<f64>,
    squares: Vec<f64>,
    line: usize,
}

impl Strip {
    /// Takes in the `side` rows from `top` on.
    pub(in crate::backend::cpu) fn fill(&mut self, image: &Phased, top: usize, side: usize) {
        self.line = image.line;
        self.coefficients.resize(side * self.line, 0.0);
        self.sum.resize(self.line, 0.0);
        self.squares.resize(self.line, 0.0);
        let rows: Vec<&[f32]> = (top..top + side).map(|row| image.row(row)).collect();
        let weights = spline::start_weights(side);
        fill_strip(&rows, &weights, &mut self.coefficients, &mut self.sum, &mut self.squares);
    }
}

/// Columns that are filtered together: their values of all rows stay in the cache.
const COLUMNS: usize = 16;

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2+fma", "aarch64+neon"))]
fn fill_strip(
    rows: &[&[f32]],
    weights: &[f64],
    coefficients: &mut [f64],
    sum: &mut [f64],
    squares: &mut [f64],
) {
    let (side, line) = (rows.len(), sum.len());
    let mut column = |at: usize| {
        let pixel = |k: usize| -> &[f32; COLUMNS] {
            rows[k][at..].first_chunk().expect("lines are whole vectors")
        };
        let [mut total, mut total_squares, mut value] = [[0.0; COLUMNS]; 3];
        for (k, &weight) in weights.iter().enumerate() {
            for (c, &v) in pixel(k).iter().enumerate() {
                let v = f64::from(v);
                total[c] += v;
                total_squares[c] += v * v;
                value[c] += weight * v;
            }
        }
        sum[at..at + COLUMNS].copy_from_slice(&total);
        squares[at..at + COLUMNS].copy_from_slice(&total_squares);
        coefficients[at..at + COLUMNS].copy_from_slice(&value);
        for k in 1..side {
            for (c, &v) in pixel(k).iter().enumerate() {
                value[c] = f64::from(v) + spline::POLE * value[c];
            }
            coefficients[k * line + at..][..COLUMNS].copy_from_slice(&value);
        }
        let before: [f64; COLUMNS] =
            std::array::from_fn(|c| coefficients[(side - 2) * line + at + c]);
        for c in 0..COLUMNS {
            value[c] = spline::end_weight() * (value[c] + spline::POLE * before[c]);
        }
        for k in (0..side).rev() {
            let to = &mut coefficients[k * line + at..][..COLUMNS];
            for (to, value) in to.iter_mut().zip(&mut value) {
                if k + 1 < side {
                    *value = spline::POLE * (*value - *to);
                }
                *to = spline::GAIN * *value;
            }
        }
    };
    (0..line).step_by(COLUMNS).for_each(&mut column);
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
        mean: &[f64; LANES],
        row: usize,
    ) {
        let side = places.len();
        let width = self.width;
        let lines = &mut self.values[(row + 1) * width..(row + 1 + B) * width];
        for b in 0..B {
            let from = &strip.coefficients[(row + b) * strip.line..(row + b + 1) * strip.line];
            let to = &mut lines[b * width + 1..][..side];
            for (to, &place) in to.iter_mut().zip(places) {
                let from = vector(from, place);
                for lane in 0..LANES {
                    to[lane] = (from[lane] - mean[lane]) as f32;
                }
            }
        }
        let pole = spline::POLE as f32;
        let mut values = [[0.0_f32; LANES]; B];
        for (k, &weight) in self.start.iter().enumerate() {
            for b in 0..B {
                let v = &lines[b * width + 1 + k];
                for lane in 0..LANES {
                    values[b][lane] = fma::<FUSED>(weight, v[lane], values[b][lane]);
                }
            }
        }
        for b in 0..B {
            lines[b * width + 1] = values[b];
        }
        for k in 1..side {
            for b in 0..B {
                let v = &mut lines[b * width + 1 + k];
                for lane in 0..LANES {
                    values[b][lane] = fma::<FUSED>(pole, values[b][lane], v[lane]);
                }
                *v = values[b];
            }
        }
        let end = spline::end_weight() as f32;
        for b in 0..B {
            let before = lines[b * width + side - 1];
            for lane in 0..LANES {
                values[b][lane] = end * fma::<FUSED>(pole, before[lane], values[b][lane]);
            }
        }
        for k in (0..side).rev() {
            for b in 0..B {
                let v = &mut lines[b * width + 1 + k];
                for lane in 0..LANES {
                    if k + 1 < side {
                        values[b][lane] = pole * (values[b][lane] - v[lane]);
                    }
                    v[lane] = spline::GAIN as f32 * values[b][lane];
                }
            }
        }
        for b in 0..B {
            lines[b * width] = lines[b * width + 2];
            lines[b * width + side + 1] = lines[b * width + side - 1];
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
                let mut line = [0.0; LANES];
                for lane in 0..LANES {
                    line[lane] = tap.cols[0] * four[0][lane];
                }
                for c in 1..4 {
                    for lane in 0..LANES {
                        line[lane] = fma::<FUSED>(tap.cols[c], four[c][lane], line[lane]);
                    }
                }
                for lane in 0..LANES {
                    total[lane] = fma::<FUSED>(down, line[lane], total[lane]);
                }
            }
            *sample = total;
        }
    }
}

/// Means of the squares with columns at `places`, and 1 for each that has contrast.
#[inline(always)]
fn means(strip: &Strip, places: &[usize]) -> ([f64; LANES], Vector) {
    let [mut sum, mut squares] = [[0.0; LANES]; 2];
    for &place in places {
        let (a, b) = (vector(&strip.sum, place), vector(&strip.squares, place));
        for lane in 0..LANES {
            sum[lane] += a[lane];
            squares[lane] += b[lane];
        }
    }
    let n = (places.len() * places.len()) as f64;
    let mut mean = [0.0; LANES];
    let mut alive = [0.0; LANES];
    for lane in 0..LANES {
        let (m, inverse) = mean_and_inverse(sum[lane], squares[lane], n);
        mean[lane] = m;
        alive[lane] = if inverse > 0.0 { 1.0 } else { 0.0 };
    }
    (mean, alive)
}
