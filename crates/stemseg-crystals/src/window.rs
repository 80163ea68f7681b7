//! Which pixels of a region count, and how much: none near where it ends, and those within by
//! weights that rise smoothly, so that its waves have no side lobes to speak of.

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;
use stemseg_numerics::linear::{Mat, solve};
use stemseg_regions::{Region, Regions};

use crate::plane::Vector;

/// Steps of the distances of neighbours along an axis and across (Borgefors, Distance
/// transformations in digital images, Computer Vision, Graphics and Image Processing 34, 1986).
const ALONG: i16 = 3;
const ACROSS: i16 = 4;
/// Rows that one task looks at.
pub(crate) const ROWS: usize = 16;

/// How far each pixel lies inside its region, right to 8 %.
pub(crate) struct Distances(Array2<i16>);

impl Distances {
    /// From the `numbers` of the regions `[rows, cols]`, 0 where there is none. The border of the
    /// image is one of every region.
    pub(crate) fn new(numbers: &Array2<u32>) -> Self {
        let (rows, cols) = numbers.dim();
        let mut steps = Array2::from_elem((rows, cols), i16::MAX / 2);
        for r in 0..rows {
            let line = |r: usize| numbers.slice(s![r, ..]).to_slice().expect("rows are contiguous");
            let (own, above) = (line(r), line(r.saturating_sub(1)));
            let below = line((r + 1).min(rows - 1));
            let border = r == 0 || r + 1 == rows;
            for (c, to) in steps.row_mut(r).iter_mut().enumerate() {
                let here = own[c];
                let within = !border
                    && c > 0
                    && c + 1 < cols
                    && above[c] == here
                    && below[c] == here
                    && own[c - 1] == here
                    && own[c + 1] == here;
                if here == 0 {
                    *to = 0;
                } else if !within {
                    *to = ALONG;
                }
            }
        }
        spread(&mut steps);
        Self(steps)
    }

    /// The largest distance in the region of this number, px.
    pub(crate) fn depth(&self, numbers: &Array2<u32>, number: u32) -> f64 {
        let own = self.0.iter().zip(numbers).filter(|(_, own)| **own == number);
        f64::from(own.map(|(steps, _)| *steps).max().unwrap_or(0)) / f64::from(ALONG)
    }
}

/// Lets distances grow from pixel to pixel, down and up again.
fn spread(steps: &mut Array2<i16>) {
    let (rows, cols) = steps.dim();
    if rows == 0 || cols == 0 {
        return;
    }
    let all = steps.as_slice_mut().expect("a fresh array is contiguous");
    for r in 0..rows {
        let (before, own) = all.split_at_mut(r * cols);
        let own = &mut own[..cols];
        if r > 0 {
            from_row(&before[(r - 1) * cols..], own);
        }
        for c in 1..cols {
            own[c] = own[c].min(own[c - 1] + ALONG);
        }
    }
    for r in (0..rows).rev() {
        let (own, after) = all.split_at_mut((r + 1) * cols);
        let own = &mut own[r * cols..];
        if r + 1 < rows {
            from_row(&after[..cols], own);
        }
        for c in (0..cols - 1).rev() {
            own[c] = own[c].min(own[c + 1] + ALONG);
        }
    }
}

/// Lets distances grow from one row to its neighbour.
fn from_row(from: &[i16], to: &mut [i16]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = (*to).min(from + ALONG);
    }
    for (to, from) in to[1..].iter_mut().zip(from) {
        *to = (*to).min(from + ACROSS);
    }
    for (to, from) in to.iter_mut().zip(&from[1..]) {
        *to = (*to).min(from + ACROSS);
    }
}

/// A part of an image, and the regions in it.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// The pixels `[rows, cols]`.
    pub(crate) image: ArrayView2<'a, f32>,
    /// The number of each pixel's region.
    pub(crate) numbers: &'a Array2<u32>,
    pub(crate) distances: &'a Distances,
}

/// Where weights begin, px from the end of the region, and over how many px they rise to 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rim {
    pub(crate) begins: f64,
    pub(crate) rises: f64,
}

impl Rim {
    /// Weights by the steps of a distance; those beyond the last are 1.
    fn table(self) -> Vec<f64> {
        let last = ((self.begins + self.rises) * f64::from(ALONG)).ceil() as usize;
        let weight = |steps: usize| {
            let inside = steps as f64 / f64::from(ALONG) - self.begins;
            let t = (inside / self.rises).clamp(0.0, 1.0);
            // The smoothest step of degree five.
            t * t * t * (10.0 + t * (6.0 * t - 15.0))
        };
        (0..=last).map(weight).collect()
    }
}

/// A part of a region with weights, and its level and slow changes, which are taken off.
#[derive(Clone)]
pub(crate) struct Piece<'a> {
    scene: Scene<'a>,
    number: u32,
    /// Weights by distance.
    table: Vec<f64>,
    /// Distances of the columns from the ends of the part, which is one of the region too.
    ends: Vec<i16>,
    /// First row and column, and those after the last.
    pub(crate) place: [usize; 4],
    /// Coefficients of `1, x, y, xx, xy, yy` of what is taken off.
    level: [f64; 6],
    /// Sum of the weights, and of their squares.
    pub(crate) sum: f64,
    pub(crate) squares: f64,
    /// Mean of the rows and columns of the pixels, by their weights, px.
    pub(crate) centre: Vector,
    /// Mean of the products of the distances from it: rows with rows, rows with columns, columns
    /// with columns, px^2.
    pub(crate) moments: [f64; 3],
}

/// Sums over the columns of a row: weights times powers of the column, and the same times the pixel.
type RowSums = ([f64; 5], [f64; 3], f64);

impl<'a> Piece<'a> {
    /// The part of the region of this `number` within `place` of the scene; nothing where no pixel has a weight.
    pub(crate) fn new(scene: Scene<'a>, number: u32, place: [usize; 4], rim: Rim) -> Option<Self> {
        let mut piece = Self {
            scene,
            number,
            table: rim.table(),
            ends: (place[1]..place[3]).map(|col| steps_within(col, place[1], place[3])).collect(),
            place,
            level: [0.0; 6],
            sum: 0.0,
            squares: 0.0,
            centre: [0.0; 2],
            moments: [0.0; 3],
        };
        let [top, _, bottom, _] = place;
        let rows: Vec<RowSums> =
            (top..bottom).into_par_iter().map(|row| piece.sums_of(row)).collect();
        piece.measure(&rows);
        (piece.sum > 0.0 && piece.moments[0] > 0.0 && piece.moments[2] > 0.0).then_some(piece)
    }

    /// Columns.
    pub(crate) fn width(&self) -> usize {
        self.place[3] - self.place[1]
    }

    /// Column and row of a pixel in units that keep powers small.
    fn unit(&self, at: usize, axis: usize) -> f64 {
        let (first, end) = (self.place[axis], self.place[axis + 2]);
        (2.0 * (at as f64 - first as f64) + 1.0) / (end - first) as f64 - 1.0
    }

    /// Weights of the pixels of `row` of the image.
    pub(crate) fn weights(&self, row: usize, to: &mut [f64]) {
        let columns = self.place[1]..self.place[3];
        let numbers = self.scene.numbers.slice(s![row, columns.clone()]);
        let steps = self.scene.distances.0.slice(s![row, columns]);
        let end = steps_within(row, self.place[0], self.place[2]);
        let places = numbers.iter().zip(steps).zip(&self.ends);
        for (to, ((&number, &steps), &across)) in to.iter_mut().zip(places) {
            let steps = steps.min(across).min(end);
            let own = self.table.get(steps as usize).copied().unwrap_or(1.0);
            *to = if number == self.number { own } else { 0.0 };
        }
    }

    /// Writes the weights of the pixels of `row` to `weights`, and these times the pixels without
    /// their level to `values`, `[cols]` each.
    pub(crate) fn row(&self, row: usize, weights: &mut [f64], values: &mut [f64]) {
        self.weights(row, weights);
        let y = self.unit(row, 0);
        let [one, x1, y1, xx, xy, yy] = self.level;
        let (constant, slope) = (one + y1 * y + yy * y * y, x1 + xy * y);
        let columns = self.place[1]..self.place[3];
        let step = 2.0 / (columns.end - columns.start) as f64;
        let pixels = self.scene.image.slice(s![row, columns]);
        for (i, ((value, &weight), &pixel)) in
            values.iter_mut().zip(&*weights).zip(pixels).enumerate()
        {
            let x = (i as f64 + 0.5) * step - 1.0;
            let level = constant + x * (slope + x * xx);
            *value = weight * (f64::from(pixel) - level);
        }
    }

    fn sums_of(&self, row: usize) -> RowSums {
        let mut weights = vec![0.0; self.width()];
        self.weights(row, &mut weights);
        let pixels = self.scene.image.row(row);
        let (mut s, mut t, mut squares) = ([0.0; 5], [0.0; 3], 0.0);
        for (i, &w) in weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            let col = self.place[1] + i;
            let (x, pixel) = (self.unit(col, 1), f64::from(pixels[col]));
            let mut power = w;
            for k in 0..5 {
                s[k] += power;
                if k < 3 {
                    t[k] += power * pixel;
                }
                power *= x;
            }
            squares += w * w;
        }
        (s, t, squares)
    }

    /// Sums, moments and level from the sums over the rows.
    fn measure(&mut self, rows: &[RowSums]) {
        // Powers of x and y of the terms.
        const TERMS: [[usize; 2]; 6] = [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]];
        let mut products = [[0.0; 5]; 5];
        let mut right = [0.0; 6];
        for (i, (s, t, squares)) in rows.iter().enumerate() {
            let y = self.unit(self.place[0] + i, 0);
            for (j, line) in products.iter_mut().enumerate() {
                let power = y.powi(j as i32);
                line.iter_mut().zip(s).for_each(|(sum, s)| *sum += power * s);
            }
            for (right, [x, j]) in right.iter_mut().zip(TERMS) {
                *right += y.powi(j as i32) * t[x];
            }
            self.squares += squares;
        }
        self.sum = products[0][0];
        if self.sum <= 0.0 {
            return;
        }
        let mean = |y: usize, x: usize| products[y][x] / self.sum;
        let half = [0, 1].map(|axis| (self.place[axis + 2] - self.place[axis]) as f64 / 2.0);
        let (my, mx) = (mean(1, 0), mean(0, 1));
        self.centre = [self.place[0] as f64 + half[0] * (my + 1.0) - 0.5, 0.0];
        self.centre[1] = self.place[1] as f64 + half[1] * (mx + 1.0) - 0.5;
        self.moments = [
            half[0] * half[0] * (mean(2, 0) - my * my),
            half[0] * half[1] * (mean(1, 1) - my * mx),
            half[1] * half[1] * (mean(0, 2) - mx * mx),
        ];
        // A little on the diagonal: a region of one row has no slope down.
        let matrix = Mat::from_fn(6, 6, |i, j| {
            let [x, y] = [0, 1].map(|k| TERMS[i][k] + TERMS[j][k]);
            products[y][x] + if i == j { 1e-9 * self.sum } else { 0.0 }
        });
        let right = Mat::from_fn(6, 1, |i, _| right[i]);
        let level = solve(&matrix, right.as_ref());
        self.level = std::array::from_fn(|i| level[(i, 0)]);
    }

    /// Length of `wave`, cycles per px, in terms of how sharply it is known in this piece: 1 is
    /// that of one period across the piece.
    pub(crate) fn periods(&self, wave: Vector) -> f64 {
        let [rr, rc, cc] = self.moments;
        let square = wave[0] * wave[0] * rr + 2.0 * wave[0] * wave[1] * rc + wave[1] * wave[1] * cc;
        // A uniform piece of side L has moments of L^2 / 12.
        (12.0 * square.max(0.0)).sqrt()
    }
}

/// Distance of a row or column from those outside `first` to before `end`.
fn steps_within(at: usize, first: usize, end: usize) -> i16 {
    let away = (at + 1 - first).min(end - at);
    ALONG.saturating_mul(i16::try_from(away).unwrap_or(i16::MAX))
}

/// The part of at most `side` px along each axis of `region` in which most of it lies.
pub(crate) fn densest(regions: &Regions, region: &Region, side: usize) -> [usize; 4] {
    const CELL: usize = 16;
    let [top, left, bottom, right] = region.bbox_px;
    if bottom - top <= side && right - left <= side {
        return region.bbox_px;
    }
    let (rows, cols) = ((bottom - top).div_ceil(CELL), (right - left).div_ceil(CELL));
    // Numbers of pixels in all cells above and to the left.
    let mut sums = Array2::<u64>::zeros((rows + 1, cols + 1));
    for r in 0..rows {
        let first = top + r * CELL;
        let band = regions.numbers_in([first, left, (first + CELL).min(bottom), right]);
        for ((_, c), _) in band.indexed_iter().filter(|(_, own)| **own == region.region) {
            sums[(r + 1, c / CELL + 1)] += 1;
        }
    }
    for r in 1..=rows {
        for c in 1..=cols {
            let before = sums[(r - 1, c)] + sums[(r, c - 1)] - sums[(r - 1, c - 1)];
            sums[(r, c)] += before;
        }
    }
    let (height, width) = ((side / CELL).min(rows), (side / CELL).min(cols));
    let mut best = (0, [0, 0]);
    for r in 0..=rows - height {
        for c in 0..=cols - width {
            let (below, after) = (r + height, c + width);
            let inside = sums[(below, after)] + sums[(r, c)] - sums[(r, after)] - sums[(below, c)];
            if inside > best.0 {
                best = (inside, [r, c]);
            }
        }
    }
    let [r, c] = best.1.map(|cell| cell * CELL);
    let (r, c) = (top + r, left + c);
    [r, c, bottom.min(r + height * CELL), right.min(c + width * CELL)]
}
