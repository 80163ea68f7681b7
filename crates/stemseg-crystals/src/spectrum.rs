//! The power spectrum of a piece of a region: its floor, and the peaks that stand out.

use ndarray::{Array2, Axis};
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
        let (rows, columns) = (fast(2 * (bottom - top)), fast(2 * (right - left)));
        let (power, mut lobes) = rayon::join(
            || powers(piece, [rows, columns], |_, values| values),
            || powers(piece, [rows, columns], |weights, _| weights),
        );
        let whole = lobes[(0, 0)];
        lobes.mapv_inplace(|power| power / whole);
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
        self.largest(&self.power, wave, 0)
    }

    /// Power at `wave` of the side lobes of waves with these powers, where they add up.
    pub(crate) fn lobes(&self, wave: Vector, of: &[Peak]) -> f64 {
        let amplitude = |peak: &Peak| {
            let opposite = [wave[0] + peak.wave[0], wave[1] + peak.wave[1]];
            // Peaks are known to part of a step, and lobes change within one.
            let lobes = [minus(wave, peak.wave), opposite];
            let lobes = lobes.map(|by| self.largest(&self.lobes, by, 1));
            peak.power.sqrt() * (lobes[0].sqrt() + lobes[1].sqrt())
        };
        of.iter().map(amplitude).sum::<f64>().powi(2)
    }

    /// The largest of the four values about a wave, and of those this many steps further.
    fn largest(&self, power: &Array2<f64>, wave: Vector, further: isize) -> f64 {
        let wave = if wave[1] < 0.0 { wave.map(|x| -x) } else { wave };
        let n = self.power.nrows() as isize;
        let (i, j) = (wave[0] * n as f64, wave[1] * self.columns as f64);
        let mut most = 0.0_f64;
        for i in i.floor() as isize - further..=i.ceil() as isize + further {
            for j in j.floor() as isize - further..=j.ceil() as isize + further {
                // The other side of no columns has the opposite rows.
                let i = if j < 0 { -i } else { i };
                let place = (i.rem_euclid(n) as usize, j.unsigned_abs());
                most = most.max(power.get(place).copied().unwrap_or(0.0));
            }
        }
        most
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

/// Power of the waves of what `of` the weights and values of each row chooses.
fn powers(
    piece: &Piece<'_>,
    [rows, columns]: [usize; 2],
    of: impl Fn(Vec<f64>, Vec<f64>) -> Vec<f64> + Sync,
) -> Array2<f64> {
    let mut waves = Array2::<Complex64>::default((rows, columns / 2 + 1));
    let along = forward_real(columns);
    let lines: Vec<_> = waves.axis_iter_mut(Axis(0)).collect();
    lines.into_par_iter().zip(piece.place[0]..piece.place[2]).for_each(|(mut line, row)| {
        let (mut weights, mut values) = (vec![0.0; piece.width()], vec![0.0; piece.width()]);
        piece.row(row, &mut weights, &mut values);
        let mut chosen = of(weights, values);
        chosen.resize(columns, 0.0);
        let mut spectrum = along.make_output_vec();
        along.process(&mut chosen, &mut spectrum).expect("lengths fit");
        line.iter_mut().zip(spectrum).for_each(|(to, value)| *to = value);
    });
    let down = forward(rows);
    let mut power = Array2::zeros(waves.dim());
    let columns_of = power.axis_iter_mut(Axis(1)).into_par_iter();
    columns_of.zip(waves.axis_iter(Axis(1)).into_par_iter()).for_each(|(mut to, from)| {
        let mut line = from.to_vec();
        down.process(&mut line);
        to.iter_mut().zip(line).for_each(|(to, value)| *to = value.norm_sqr());
    });
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
            let radius = down.hypot(j as f64 / columns as f64);
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
        let ring = (wave[0].hypot(wave[1]) / self.width) as usize;
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
