//! The averaged cell: all pixels of a region folded onto one unit cell, and the columns in it.

use ndarray::Array2;
use rayon::prelude::*;

use crate::plane::{Vector, dot, length, minus};
use crate::window::{Piece, ROWS};

/// Fewest and most places along a vector of the cell; between them one a pixel.
const PLACES: [usize; 2] = [6, 64];
/// A column stands out of its surroundings by this share of the whole contrast, and by this many
/// times the noise.
const STANDS: f64 = 0.12;
const BEYOND_NOISE: f64 = 6.0;
/// Skewness of the cell from which on columns are bright spots on a dark ground.
const BRIGHT: f64 = 0.15;

/// A unit cell averaged over a region.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Average {
    /// Mean of the pixels at each place `[places along a, places along b]`, in terms of the image's
    /// standard deviation, without the slow changes of the image. The brightest place is the first.
    pub values: Array2<f64>,
    /// Standard error of each, on average.
    pub error: f64,
}

impl Average {
    /// Of the pixels of `piece` and the cell of `vectors` with these `reciprocal` ones; `noise` is
    /// the variance of a pixel.
    pub(crate) fn new(
        piece: &Piece<'_>,
        vectors: [Vector; 2],
        reciprocal: [Vector; 2],
        noise: f64,
    ) -> Self {
        let places = vectors.map(|v| (length(v).round() as usize).clamp(PLACES[0], PLACES[1]));
        let [top, left, bottom, _] = piece.place;
        let starts: Vec<usize> = (top..bottom).step_by(4 * ROWS).collect();
        let of_band = |start: usize| {
            let mut sums = vec![[0.0; 2]; places[0] * places[1]];
            let (mut weights, mut values) = (vec![0.0; piece.width()], vec![0.0; piece.width()]);
            for row in start..(start + 4 * ROWS).min(bottom) {
                piece.row(row, &mut weights, &mut values);
                for (c, (&w, &v)) in weights.iter().zip(&values).enumerate() {
                    if w > 0.0 {
                        let at = minus([row as f64, (left + c) as f64], piece.centre);
                        let u = [0, 1].map(|i| dot(at, reciprocal[i]) * places[i] as f64);
                        put(&mut sums, places, u, [w, v]);
                    }
                }
            }
            sums
        };
        let bands: Vec<Vec<[f64; 2]>> = starts.into_par_iter().map(of_band).collect();
        let mut sums = vec![[0.0; 2]; places[0] * places[1]];
        for band in bands {
            sums.iter_mut().zip(band).for_each(|(to, own)| {
                to[0] += own[0];
                to[1] += own[1];
            });
        }
        let values = means(sums, places);
        // Weights of independent pixels, of which a place has its share.
        let each = piece.sum * piece.sum / piece.squares / values.len() as f64;
        let error = (noise / each.max(1.0)).sqrt();
        Self { values: from_the_brightest(&values), error }
    }

    /// The value at these multiples of `a` and `b` from the brightest place, between places by their
    /// distances; cells repeat.
    pub fn at(&self, multiples: Vector) -> f64 {
        let (rows, cols) = self.values.dim();
        let u = [multiples[0] * rows as f64, multiples[1] * cols as f64];
        let floor = u.map(f64::floor);
        let [p, q] = minus(u, floor);
        let place = |i: i64, j: i64| {
            let around =
                |at: f64, by: i64, n: usize| (at as i64 + by).rem_euclid(n as i64) as usize;
            self.values[(around(floor[0], i, rows), around(floor[1], j, cols))]
        };
        let along = |i: i64| (1.0 - q) * place(i, 0) + q * place(i, 1);
        (1.0 - p) * along(0) + p * along(1)
    }

    /// The number of columns in the cell, where it shows bright spots on a darker ground: nothing
    /// where columns may as well be dark, or none stands out.
    pub fn columns(&self) -> Option<usize> {
        let n = self.values.len() as f64;
        let mean = self.values.sum() / n;
        let moment = |k: i32| self.values.iter().map(|v| (v - mean).powi(k)).sum::<f64>() / n;
        let deviation = moment(2).sqrt();
        if deviation < BEYOND_NOISE * self.error / 2.0 || moment(3) < BRIGHT * deviation.powi(3) {
            return None;
        }
        let whole = self.values.fold(f64::NEG_INFINITY, |a, &b| a.max(b))
            - self.values.fold(f64::INFINITY, |a, &b| a.min(b));
        let least = (STANDS * whole).max(BEYOND_NOISE * self.error);
        let count = heights(&self.values).into_iter().filter(|&height| height > least).count();
        (count > 0).then_some(count)
    }
}

/// Adds a pixel at `u` places to the four around it.
fn put(sums: &mut [[f64; 2]], places: [usize; 2], u: Vector, pixel: [f64; 2]) {
    // Whole numbers by way of those above 0, which needs no function.
    const ABOVE: f64 = (1_u64 << 32) as f64;
    let whole = u.map(|x| (x + ABOVE) as i64 - (1 << 32));
    let part = [0, 1].map(|i| u[i] - whole[i] as f64);
    let first = [0, 1].map(|i| whole[i].rem_euclid(places[i] as i64) as usize);
    for (di, share) in [1.0 - part[0], part[0]].into_iter().enumerate() {
        for (dj, along) in [1.0 - part[1], part[1]].into_iter().enumerate() {
            let place = [(first[0] + di) % places[0], (first[1] + dj) % places[1]];
            let to = &mut sums[place[0] * places[1] + place[1]];
            to[0] += share * along * pixel[0];
            to[1] += share * along * pixel[1];
        }
    }
}

/// Means of the places; of those without a pixel the mean of the others around them.
fn means(sums: Vec<[f64; 2]>, places: [usize; 2]) -> Array2<f64> {
    let sums = Array2::from_shape_vec((places[0], places[1]), sums).expect("one for each place");
    let total: f64 = sums.iter().map(|[w, _]| w).sum();
    let least = 1e-3 * total / sums.len() as f64;
    Array2::from_shape_fn(sums.dim(), |(i, j)| {
        let mut reach = 0;
        loop {
            let (mut w, mut v) = (0.0, 0.0);
            for di in 0..=2 * reach {
                for dj in 0..=2 * reach {
                    let around = |at: usize, by: usize, n: usize| (at + by + n * reach - reach) % n;
                    let own = sums[(around(i, di, places[0]), around(j, dj, places[1]))];
                    w += own[0];
                    v += own[1];
                }
            }
            if w > least || reach >= places[0].max(places[1]) {
                break if w > 0.0 { v / w } else { 0.0 };
            }
            reach += 1;
        }
    })
}

/// The same cell with its brightest place first.
fn from_the_brightest(values: &Array2<f64>) -> Array2<f64> {
    let mut best = ((0, 0), f64::NEG_INFINITY);
    for (at, &value) in values.indexed_iter() {
        if value > best.1 {
            best = (at, value);
        }
    }
    let (rows, cols) = values.dim();
    let (r, c) = best.0;
    Array2::from_shape_fn((rows, cols), |(i, j)| values[((i + r) % rows, (j + c) % cols)])
}

/// How high each top of a periodic picture stands above the saddle that leads to a higher one; the
/// highest above the lowest value.
fn heights(values: &Array2<f64>) -> Vec<f64> {
    let (rows, cols) = values.dim();
    let mut order: Vec<usize> = (0..values.len()).collect();
    let all: Vec<f64> = values.iter().copied().collect();
    order.sort_by(|&a, &b| all[b].total_cmp(&all[a]).then(a.cmp(&b)));
    // Each place joins the highest top of those around it that are done.
    let mut top = vec![usize::MAX; all.len()];
    let mut above: Vec<usize> = (0..all.len()).collect();
    fn root(above: &mut [usize], mut at: usize) -> usize {
        while above[at] != at {
            above[at] = above[above[at]];
            at = above[at];
        }
        at
    }
    let mut found = Vec::new();
    for &at in &order {
        let (i, j) = (at / cols, at % cols);
        let mut tops = Vec::new();
        for di in [rows - 1, 0, 1] {
            for dj in [cols - 1, 0, 1] {
                let other = (i + di) % rows * cols + (j + dj) % cols;
                if other != at && top[other] != usize::MAX {
                    tops.push(root(&mut above, top[other]));
                }
            }
        }
        tops.sort_by(|&a, &b| all[b].total_cmp(&all[a]).then(a.cmp(&b)));
        tops.dedup();
        let Some(&highest) = tops.first() else {
            top[at] = at;
            continue;
        };
        top[at] = highest;
        for &lower in &tops[1..] {
            found.push(all[lower] - all[at]);
            above[lower] = highest;
        }
    }
    let (first, last) = (order[0], order[order.len() - 1]);
    found.push(all[first] - all[last]);
    found
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn tops_stand_above_the_saddles_between_them() {
        let wave = |x: usize, n: usize| (TAU * x as f64 / n as f64).cos();
        let two = Array2::from_shape_fn((16, 24), |(i, j)| wave(i, 16) + wave(2 * j, 24));
        let mut found = heights(&two);
        found.sort_by(f64::total_cmp);
        assert_eq!(found.len(), 2);
        assert!((found[0] - 2.0).abs() < 1e-9 && (found[1] - 4.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn values_between_places_are_between_theirs() {
        let average =
            Average { values: ndarray::array![[4.0, 0.0], [1.0, 2.0], [0.0, 0.0]], error: 0.1 };
        assert_eq!([average.at([0.0; 2]), average.at([3.0, -2.0])], [4.0, 4.0]);
        assert!((average.at([1.0 / 6.0, 0.25]) - 1.75).abs() < 1e-12);
        assert!((average.at([-1.0 / 6.0, 0.0]) - 2.0).abs() < 1e-12);
    }

    #[test]
    fn columns_are_counted_where_they_are_bright_alone() {
        let spots = Array2::from_shape_fn((20, 20), |(i, j)| {
            let spot = |r: f64, c: f64| {
                let away = |x: usize, at: f64| {
                    let d = (x as f64 - at).rem_euclid(20.0);
                    d.min(20.0 - d)
                };
                (-(away(i, r).powi(2) + away(j, c).powi(2)) / 8.0).exp()
            };
            spot(2.0, 3.0) + 0.5 * spot(12.0, 13.0)
        });
        let of = |values: Array2<f64>| Average { values, error: 0.01 }.columns();
        assert_eq!(of(spots.clone()), Some(2));
        assert_eq!(of(-spots), None);
        assert_eq!(of(Array2::zeros((8, 8))), None);
    }
}
