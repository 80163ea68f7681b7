//! The power spectrum of a piece of a region: its floor, and the peaks that stand out.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use stemseg_numerics::fourier::{Complex64, forward, forward_real};

use crate::plane::{Vector, minus};
use crate::window::Piece;

/// Fewest values of a ring of equal frequency that tell its floor.
const FEWEST: usize = 200;
/// How many times the floor a peak must have: the highest of a million values of noise has 14.
const BEYOND_NOISE: f64 = 20.0;
/// Share of the strongest peak's power below which others may be what its side lobes and displaced
/// scan rows leave.
const LEAST_SHARE: f64 = 1e-3;
/// Most peaks that are looked at, and how many of the highest are, to find them.
const MOST: usize = 40;
const HIGHEST: usize = 400;
/// How many times the amplitude of side lobes a peak must have.
pub(crate) const BEYOND_LOBES: f64 = 1.5;
/// Side of the squares of pixels whose weights tell side lobes, px.
const COARSE: usize = 4;
/// Columns that are transformed abreast: as many as share what memory fetches at once.
const ABREAST: usize = 8;
/// Fewest periods across the piece.
pub(crate) const FEWEST_PERIODS: f64 = 3.0;

/// Power of the waves in a piece.
pub(crate) struct Spectrum {
    /// `[n, m / 2 + 1]`, of `n x m` values.
    power: Array2<f64>,
    columns: usize,
    /// Of the weights alone, relative to that of no wave: the side lobes of each wave.
    lobes: Array2<f64>,
    /// What noise has on average, by frequency.
    floor: Floor,
}

/// A wave that stands out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Peak {
    /// Cycles per px.
    pub(crate) wave: Vector,
    pub(crate) power: f64,
}

impl Spectrum {
    pub(crate) fn new(piece: &Piece<'_>) -> Self {
        let [top, left, bottom, right] = piece.place;
        // Twice as fine as the piece needs: one with a hole has side lobes next to narrow tops, which
        // lie between values otherwise.
        let [rows, columns] =
            [bottom - top, right - left].map(|side| COARSE * fast((2 * side).div_ceil(COARSE)));
        let (power, lobes) = rayon::join(
            || powers(values(piece).view(), [rows, columns]),
            || {
                let lobes = powers(weights(piece).view(), [rows / COARSE, columns / COARSE]);
                let whole = lobes[(0, 0)];
                lobes / whole
            },
        );
        let floor = Floor::new(&power, columns);
        Self { power, columns, lobes, floor }
    }

    /// Frequency of a value, cycles per px.
    fn wave(&self, [i, j]: [f64; 2]) -> Vector {
        let n = self.power.nrows() as f64;
        let down = if i > n / 2.0 { i - n } else { i };
        [down / n, j / self.columns as f64]
    }

    /// What noise has on average at a wave.
    pub(crate) fn floor(&self, wave: Vector) -> f64 {
        self.floor.at(wave)
    }

    /// The largest power of the values about a wave.
    pub(crate) fn about(&self, wave: Vector) -> f64 {
        let place = [wave[0] * self.power.nrows() as f64, wave[1] * self.columns as f64];
        around(&self.power, place, 0)
    }

    /// Power at `wave` of the side lobes of waves with these powers, where they add up.
    pub(crate) fn lobes(&self, wave: Vector, of: &[Peak]) -> f64 {
        let amplitude = |peak: &Peak| {
            let opposite = [wave[0] + peak.wave[0], wave[1] + peak.wave[1]];
            // Peaks are known to part of a step, and lobes change within one.
            let lobes = [minus(wave, peak.wave), opposite];
            let lobes = lobes.map(|by| self.lobe(by));
            peak.power.sqrt() * (lobes[0].sqrt() + lobes[1].sqrt())
        };
        of.iter().map(amplitude).sum::<f64>().powi(2)
    }

    /// The largest of the side lobes this far from a wave and up to a step further; none far away,
    /// since weights are smooth.
    fn lobe(&self, by: Vector) -> f64 {
        let i = by[0] * self.power.nrows() as f64;
        let j = by[1] * self.columns as f64;
        let (rows, cols) = self.lobes.dim();
        if i.abs() > rows as f64 / 2.0 - 2.0 || j.abs() > cols as f64 - 3.0 {
            return 0.0;
        }
        around(&self.lobes, [i, j], 1)
    }

    /// The peaks that stand out, the strongest first, each wave once with its opposite.
    pub(crate) fn peaks(&self, piece: &Piece<'_>) -> Vec<Peak> {
        let (rows, cols) = self.power.dim();
        let highest = |i: usize, j: usize| {
            let own = self.power[(i, j)];
            (-1..=1).all(|di: isize| {
                (-1..=1).all(|dj: isize| {
                    let row = (i as isize + di).rem_euclid(rows as isize) as usize;
                    let col = j as isize + dj;
                    let other = self.value(row, col);
                    (di, dj) == (0, 0) || own > other || (own == other && (di, dj) > (0, 0))
                })
            })
        };
        let of_row = |i: usize| {
            let mut found = Vec::new();
            for j in 0..cols {
                let wave = self.wave([i as f64, j as f64]);
                // Of two opposite waves the one that goes down.
                let twice = (j == 0 || 2 * j == self.columns) && wave[0] <= 0.0;
                let power = self.power[(i, j)];
                if !twice
                    && power > BEYOND_NOISE * self.floor.at(wave)
                    && piece.periods(wave) >= FEWEST_PERIODS
                    && highest(i, j)
                {
                    found.push(self.between(i, j));
                }
            }
            found
        };
        let mut peaks: Vec<Peak> = (0..rows).into_par_iter().flat_map_iter(of_row).collect();
        peaks.sort_by(|a, b| b.power.total_cmp(&a.power));
        let least = peaks.first().map_or(0.0, |peak| LEAST_SHARE * peak.power);
        peaks.retain(|peak| peak.power >= least);
        let mut kept: Vec<Peak> = Vec::new();
        for peak in peaks.into_iter().take(HIGHEST) {
            let own = peak.power > BEYOND_LOBES * BEYOND_LOBES * self.lobes(peak.wave, &kept);
            if own && kept.len() < MOST {
                kept.push(peak);
            }
        }
        kept
    }

    /// Power at a row of values and a column that may be one before the first or after the last.
    fn value(&self, row: usize, col: isize) -> f64 {
        let (rows, cols) = self.power.dim();
        // Opposite waves have equal powers.
        let opposite = (rows - row) % rows;
        match col {
            -1 => self.power[(opposite, 1.min(cols - 1))],
            col if col as usize == cols => {
                self.power[(opposite, (self.columns - cols).min(cols - 1))]
            }
            col => self.power[(row, col as usize)],
        }
    }

    /// The top of a peak, by parabolas through the logarithms of three values along each axis.
    fn between(&self, i: usize, j: usize) -> Peak {
        let rows = self.power.nrows();
        let own = self.power[(i, j)];
        let top = |before: f64, after: f64| {
            let [a, b, c] = [before, own, after].map(|v| v.max(own * 1e-12).ln());
            let bend = a - 2.0 * b + c;
            if bend < 0.0 { (0.5 * (a - c) / bend).clamp(-0.5, 0.5) } else { 0.0 }
        };
        let down = top(self.power[((i + rows - 1) % rows, j)], self.power[((i + 1) % rows, j)]);
        let right = top(self.value(i, j as isize - 1), self.value(i, j as isize + 1));
        let step = [down / rows as f64, right / self.columns as f64];
        let wave = self.wave([i as f64, j as f64]);
        Peak { wave: [wave[0] + step[0], wave[1] + step[1]], power: own }
    }
}

/// The largest of the four values about a place among powers of waves, and of those this many steps
/// further; opposite waves have equal powers.
fn around(power: &Array2<f64>, place: [f64; 2], further: isize) -> f64 {
    let n = power.nrows() as isize;
    let [i, j] = if place[1] < 0.0 { place.map(|x| -x) } else { place };
    let mut most = 0.0_f64;
    for i in i.floor() as isize - further..=i.ceil() as isize + further {
        for j in j.floor() as isize - further..=j.ceil() as isize + further {
            let i = if j < 0 { -i } else { i };
            let place = (i.rem_euclid(n) as usize, j.unsigned_abs());
            most = most.max(power.get(place).copied().unwrap_or(0.0));
        }
    }
    most
}

/// The weighted pixels of a piece.
fn values(piece: &Piece<'_>) -> Array2<f64> {
    let [top, left, bottom, right] = piece.place;
    let mut all = Array2::zeros((bottom - top, right - left));
    let lines: Vec<_> = all.axis_iter_mut(Axis(0)).collect();
    lines.into_par_iter().zip(top..bottom).for_each(|(mut line, row)| {
        let mut weights = vec![0.0; line.len()];
        piece.row(row, &mut weights, line.as_slice_mut().expect("rows are contiguous"));
    });
    all
}

/// Sums of the weights of a piece over squares of [`COARSE`] px.
fn weights(piece: &Piece<'_>) -> Array2<f64> {
    let [top, left, bottom, right] = piece.place;
    let shape = [bottom - top, right - left].map(|side| side.div_ceil(COARSE));
    let mut all = Array2::zeros(shape);
    let lines: Vec<_> = all.axis_iter_mut(Axis(0)).collect();
    lines.into_par_iter().zip((top..bottom).into_par_iter().step_by(COARSE)).for_each(
        |(mut line, first)| {
            let mut weights = vec![0.0; right - left];
            for row in first..(first + COARSE).min(bottom) {
                piece.weights(row, &mut weights);
                for (to, own) in line.iter_mut().zip(weights.chunks(COARSE)) {
                    *to += own.iter().sum::<f64>();
                }
            }
        },
    );
    all
}

/// Power of the waves in `values`, followed by zeros up to this shape.
fn powers(values: ArrayView2<'_, f64>, [rows, columns]: [usize; 2]) -> Array2<f64> {
    let mut waves = Array2::<Complex64>::default((rows, columns / 2 + 1));
    let along = forward_real(columns);
    let lines: Vec<_> = waves.axis_iter_mut(Axis(0)).take(values.nrows()).collect();
    lines.into_par_iter().zip(values.axis_iter(Axis(0)).into_par_iter()).for_each(|(to, from)| {
        let mut line: Vec<f64> = from.to_vec();
        line.resize(columns, 0.0);
        let to = to.into_slice().expect("rows are contiguous");
        along.process(&mut line, to).expect("lengths fit");
    });
    let down = forward(rows);
    let mut power = Array2::zeros(waves.dim());
    let columns_of = power.axis_chunks_iter_mut(Axis(1), ABREAST).into_par_iter();
    columns_of.zip(waves.axis_chunks_iter(Axis(1), ABREAST).into_par_iter()).for_each(
        |(mut to, from)| {
            let mut lines = vec![Complex64::default(); rows * from.ncols()];
            for (i, row) in from.axis_iter(Axis(0)).enumerate().take(values.nrows()) {
                row.iter().enumerate().for_each(|(j, value)| lines[j * rows + i] = *value);
            }
            down.process(&mut lines);
            for (i, mut row) in to.axis_iter_mut(Axis(0)).enumerate() {
                let column = |j: usize| lines[j * rows + i].norm_sqr();
                row.iter_mut().enumerate().for_each(|(j, power)| *power = column(j));
            }
        },
    );
    power
}

/// The mean power of noise by frequency: from medians over rings, which peaks do not change.
struct Floor {
    /// Of rings of this width, cycles per px.
    width: f64,
    rings: Vec<f64>,
}

impl Floor {
    fn new(power: &Array2<f64>, columns: usize) -> Self {
        let rows = power.nrows();
        let width = (4.0 / rows.min(columns) as f64).max(0.01);
        let mut rings: Vec<Vec<f64>> = vec![Vec::new(); (0.75 / width) as usize + 1];
        for ((i, j), &value) in power.indexed_iter() {
            let down = i.min(rows - i) as f64 / rows as f64;
            let right = j as f64 / columns as f64;
            let radius = (down * down + right * right).sqrt();
            rings[(radius / width) as usize].push(value);
        }
        let total: f64 = power.iter().copied().fold(0.0, f64::max);
        let median = |at: usize| {
            let mut reach = 0;
            loop {
                let near = at.saturating_sub(reach)..(at + reach + 1).min(rings.len());
                let mut values: Vec<f64> = rings[near.clone()].concat();
                if values.len() >= FEWEST || near.len() == rings.len() {
                    let middle = values.len() / 2;
                    let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
                    // Powers of noise are spread exponentially.
                    return (*median / std::f64::consts::LN_2).max(1e-12 * total);
                }
                reach += 1;
            }
        };
        Self { width, rings: (0..rings.len()).map(median).collect() }
    }

    fn at(&self, wave: Vector) -> f64 {
        let ring = ((wave[0] * wave[0] + wave[1] * wave[1]).sqrt() / self.width) as usize;
        self.rings[ring.min(self.rings.len() - 1)]
    }
}

/// The next even number that has no prime factors above 5.
fn fast(least: usize) -> usize {
    let is_fast = |mut n: usize| {
        for factor in [2, 3, 5] {
            while n.is_multiple_of(factor) {
                n /= factor;
            }
        }
        n == 1
    };
    (least.max(8)..).find(|&n| n.is_multiple_of(2) && is_fast(n)).unwrap_or(least)
}
