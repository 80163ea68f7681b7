//! Squares around neighbouring inner sites: from pixels to samples.

use multiversion::multiversion;

use crate::backend::cpu::inner_sites::{Phased, mean_and_inverse};
use crate::backend::cpu::vector::{LANES, Line, Vector, fma, lanes, vector};
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
        lanes(|i| (coarse[i] - mean[i]) + (fine[i] - rest[i]))
    }

    /// Keeps the coefficients of some columns of row `k`, from `at` on.
    #[inline(always)]
    fn put(&mut self, k: usize, at: usize, values: &[f64; COLUMNS]) {
        let at = k * self.line + at;
        let coarse = lanes(|c| values[c] as f32);
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
            forward[k] = lanes(|c| f64::from(pixel[c]) + spline::POLE * before[c]);
        }
        let (last, before) = (forward[side - 1], forward[side - 2]);
        let mut value: [f64; COLUMNS] =
            lanes(|c| spline::end_weight() * (last[c] + spline::POLE * before[c]));
        strip.put(side - 1, at, &lanes(|i| spline::GAIN * value[i]));
        for k in (0..side - 1).rev() {
            value = lanes(|c| spline::POLE * (value[c] - forward[k][c]));
            strip.put(k, at, &lanes(|i| spline::GAIN * value[i]));
        }
    }
}

/// Where and with which weights samples are taken.
pub(in crate::backend::cpu) struct Taps {
    weighted: Vec<Weighted>,
    /// How much further the opposite sample of each stands, where it has one: the
    /// same weights, back to front.
    opposite: Option<usize>,
}

#[derive(Clone, Copy)]
struct Weighted {
    /// First coefficient in the padded square.
    at: usize,
    /// Which sample it is.
    to: usize,
    rows: [f32; 4],
    cols: [f32; 4],
}

/// Samples are taken sector by sector of a half turn, so that the coefficients of a
/// sector and of the opposite one stay in the first cache.
const SECTORS: usize = 4;

impl Taps {
    /// Samples of `polar`, its centre displaced by `shift`.
    pub(in crate::backend::cpu) fn new(polar: &Polar, shift: [f64; 2]) -> Self {
        let width = polar.side() + 2;
        let angles = polar.angles;
        let symmetric = shift == [0.0; 2] && angles.is_multiple_of(2);
        let some = if symmetric { angles / 2 } else { angles };
        let weighted = |(to, tap): (usize, &Tap)| Weighted {
            at: tap.row * width + tap.col,
            to,
            rows: tap.rows.map(|w| (w * spline::GAIN) as f32),
            cols: tap.cols.map(|w| w as f32),
        };
        let taps = polar.taps(shift);
        let taps = taps.iter().enumerate().filter(|(to, _)| to % angles < some);
        let mut weighted: Vec<Weighted> = taps.map(weighted).collect();
        weighted.sort_by_key(|tap| (2 * SECTORS * (tap.to % angles) / angles, tap.to));
        Self { weighted, opposite: symmetric.then_some(angles / 2) }
    }
}

/// Spline coefficients of sixteen squares side by side, except for one factor of
/// [`spline::GAIN`], with one mirrored coefficient all around.
#[derive(Default)]
pub(in crate::backend::cpu) struct Squares {
    values: Vec<Line>,
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
        self.values.resize(self.width * self.width, Line::default());
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
        let lines: [&mut [Line]; B] = std::array::from_fn(|_| {
            &mut lines.next().expect("as many rows as the square has")[1..]
        });
        let mut values = [[0.0_f32; LANES]; B];
        for (k, &weight) in self.start.iter().enumerate() {
            for (b, value) in values.iter_mut().enumerate() {
                let v = strip.less(row + b, places[k], mean);
                *value = lanes(|i| fma::<FUSED>(weight, v[i], value[i]));
            }
        }
        // Kept times minus the pole, so that the way back waits for one operation a
        // value.
        for b in 0..B {
            lines[b][0] = Line(lanes(|i| -pole * values[b][i]));
        }
        for k in 1..side {
            for b in 0..B {
                let v = strip.less(row + b, places[k], mean);
                values[b] = lanes(|i| fma::<FUSED>(pole, values[b][i], v[i]));
                lines[b][k] = Line(lanes(|i| -pole * values[b][i]));
            }
        }
        let end = spline::end_weight() as f32;
        for b in 0..B {
            let (last, before) = (values[b], lines[b][side - 2]);
            values[b] = lanes(|i| end * (last[i] - before[i]));
            lines[b][side - 1] = Line(values[b]);
        }
        for k in (0..side - 1).rev() {
            for b in 0..B {
                let kept = lines[b][k];
                values[b] = lanes(|i| fma::<FUSED>(pole, values[b][i], kept[i]));
                lines[b][k] = Line(values[b]);
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
        taps: &Taps,
        samples: &mut [Line],
    ) {
        let end = self.values.len();
        for tap in &taps.weighted {
            let row = |i: usize| tap.at + i * self.width;
            let [one, other] = match taps.opposite {
                Some(_) => self.both::<FUSED>(tap, row, |i| end - 4 - row(i)),
                None => [self.one::<FUSED>(tap, row), Line::default()],
            };
            samples[tap.to] = one;
            if let Some(opposite) = taps.opposite {
                samples[tap.to + opposite] = other;
            }
        }
    }

    /// A sample and the opposite one, whose rows of four coefficients are where
    /// `row` and `back` say, the latter back to front.
    #[inline(always)]
    fn both<const FUSED: bool>(
        &self,
        tap: &Weighted,
        row: impl Fn(usize) -> usize,
        back: impl Fn(usize) -> usize,
    ) -> [Line; 2] {
        let mut totals = [[0.0; LANES]; 2];
        let cols = tap.cols.map(|w| [w; LANES]);
        for (i, &down) in tap.rows.iter().enumerate() {
            let (one, other) = (self.four(row(i)), self.four(back(i)));
            let w = &cols[0];
            let mut lines =
                [lanes(|lane| w[lane] * one[0][lane]), lanes(|lane| w[lane] * other[3][lane])];
            for j in 1..4 {
                let w = &cols[j];
                lines = [
                    lanes(|lane| fma::<FUSED>(w[lane], one[j][lane], lines[0][lane])),
                    lanes(|lane| fma::<FUSED>(w[lane], other[3 - j][lane], lines[1][lane])),
                ];
            }
            totals = [
                lanes(|lane| fma::<FUSED>(down, lines[0][lane], totals[0][lane])),
                lanes(|lane| fma::<FUSED>(down, lines[1][lane], totals[1][lane])),
            ];
        }
        totals.map(Line)
    }

    /// One sample.
    #[inline(always)]
    fn one<const FUSED: bool>(&self, tap: &Weighted, row: impl Fn(usize) -> usize) -> Line {
        let mut total = [0.0; LANES];
        for (i, &down) in tap.rows.iter().enumerate() {
            let four = self.four(row(i));
            let [a, b, c, d] = tap.cols;
            let mut line = lanes(|lane| a * four[0][lane]);
            line = lanes(|lane| fma::<FUSED>(b, four[1][lane], line[lane]));
            line = lanes(|lane| fma::<FUSED>(c, four[2][lane], line[lane]));
            line = lanes(|lane| fma::<FUSED>(d, four[3][lane], line[lane]));
            total = lanes(|lane| fma::<FUSED>(down, line[lane], total[lane]));
        }
        Line(total)
    }

    /// Four neighbouring coefficients, from `at` on.
    #[inline(always)]
    fn four(&self, at: usize) -> &[Line; 4] {
        self.values[at..].first_chunk().expect("taps lie within the padded square")
    }
}

/// Means of the squares with columns at `places` (what f32 holds of them, and the
/// rest), and 1 for each that has contrast.
#[inline(always)]
fn means(strip: &Strip, places: &[usize]) -> ([Vector; 2], Vector) {
    let [mut sum, mut squares] = [[0.0; LANES]; 2];
    for &place in places {
        let (a, b) = (vector(&strip.sum, place), vector(&strip.squares, place));
        sum = lanes(|i| sum[i] + a[i]);
        squares = lanes(|i| squares[i] + b[i]);
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
