//! Translation family: the local correlation map.
//!
//! For a site `x` and a translation `t`: the Pearson correlation of the patch at
//! `x` with the patch at `x + t` (Wang, Freysoldt, Zhang, Liebscher & Neugebauer,
//! *Microsc. Microanal.* 27, 2021, "local correlation map"). With `B` the box sum
//! over the patch, `n` its pixels, `mu` and `var` a patch's mean and variance:
//!
//! `rho_t(x) = (B[I I_t](x) - n mu(x) mu(x+t)) / (n sqrt(var(x) var(x+t)))`
//!
//! Two things are done once, on the host and in f64, for both backends: the
//! norm maps `mu` and `1 / sqrt(n var)`, and the choice of tiles where f32 is
//! not enough. Sums lose digits where a patch's mean is large against its own
//! spread, so each tile of sites subtracts its own constant (which changes no
//! score), and tiles that stay ill-conditioned are summed in f64.

use ndarray::{Array2, ArrayView2};
use num_traits::{AsPrimitive, Float};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sites::{Extent, SiteGrid, blocks};
use crate::{Error, Result};

/// A patch whose variance is below this share of the image's is flat: it
/// correlates with nothing (score 0) but itself.
pub const FLAT_SHARE: f64 = 0.004;

/// Largest `|mu - c| max(|mu - c|, |mu|) / var` of patches that f32 is trusted
/// with: the first factor is what sums of products lose, the second what the
/// stored mean does. Keeps scores within 1e-5 of f64 (`tests/suite/precision.rs`).
pub(crate) const F32_CONDITION: f32 = 40.0;

/// Displacement of the second patch from the first, px.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Translation {
    /// Downwards.
    pub rows: i32,
    /// To the right.
    pub cols: i32,
}

impl std::fmt::Display for Translation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({:+}, {:+})", self.rows, self.cols)
    }
}

/// What a user chooses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Params {
    /// Half size of the patch, px.
    pub patch: Extent,
    /// Half size of the range of translations, px; ignored where a list is given.
    pub window: Extent,
    /// Most translations that the regular sub-grid may have.
    pub max_points: usize,
    /// Translations to use instead of the regular sub-grid.
    pub list: Option<Vec<Translation>>,
}

impl Default for Params {
    fn default() -> Self {
        Self { patch: Extent::square(20), window: Extent::square(20), max_points: 100, list: None }
    }
}

impl Params {
    /// Checks the parameters against an image of `shape` px.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the parameter and its limit.
    pub fn plan(&self, shape: Extent) -> Result<Family> {
        if self.patch.area() == 0 && self.patch == Extent::default() {
            return Err(Error::parameter(
                "patch",
                self.patch,
                "a patch of one pixel has no pattern; give at least 1",
            ));
        }
        let translations = match &self.list {
            Some(list) => checked_list(list, shape)?,
            None => self.regular()?,
        };
        let reach = |along: fn(&Translation) -> i32| {
            translations.iter().map(|t| along(t).unsigned_abs() as usize).max().unwrap_or(0)
        };
        let window = match self.list {
            Some(_) => Extent { rows: reach(|t| t.rows), cols: reach(|t| t.cols) },
            None => self.window,
        };
        Ok(Family { patch: self.patch, window, translations })
    }

    /// The sub-grid of the smallest step that has at most `max_points` points,
    /// from `-window` on, row by row.
    fn regular(&self) -> Result<Vec<Translation>> {
        let Extent { rows, cols } = self.window;
        if rows == 0 && cols == 0 {
            return Err(Error::parameter(
                "window",
                self.window,
                "it must allow a translation; give at least 1",
            ));
        }
        if self.max_points == 0 {
            return Err(Error::parameter("max-points", 0, "give at least 1"));
        }
        let points = |step: usize| (2 * rows / step + 1) * (2 * cols / step + 1);
        let step = (1..).find(|&step| points(step) <= self.max_points).unwrap_or(1);
        let axis = |half: usize| (0..=2 * half).step_by(step).map(move |d| d as i32 - half as i32);
        Ok(axis(rows)
            .flat_map(|rows| axis(cols).map(move |cols| Translation { rows, cols }))
            .collect())
    }

    /// A patch and window that would fit an image of `shape` px.
    pub(crate) fn smaller(&self, shape: Extent) -> String {
        let room = |size: usize| size.saturating_sub(1) / 2;
        let room = Extent { rows: room(shape.rows), cols: room(shape.cols) };
        let fit = |half: Extent, share: fn(usize) -> usize| Extent {
            rows: half.rows.min(share(room.rows)),
            cols: half.cols.min(share(room.cols)),
        };
        if room.rows.min(room.cols) < 2 {
            return "no patch and window fit".into();
        }
        match &self.list {
            Some(_) => "give a smaller --patch or shorter translations".into(),
            None => {
                let (patch, window) = (fit(self.patch, |r| r / 2), fit(self.window, |r| r - r / 2));
                format!("these would fit: --patch {patch} --window {window}")
            }
        }
    }
}

fn checked_list(list: &[Translation], shape: Extent) -> Result<Vec<Translation>> {
    if list.is_empty() {
        return Err(Error::parameter("translations", "empty", "give at least one translation"));
    }
    let inside = |t: &&Translation| {
        (t.rows.unsigned_abs() as usize) < shape.rows
            && (t.cols.unsigned_abs() as usize) < shape.cols
    };
    match list.iter().find(|t| !inside(t)) {
        Some(t) => Err(Error::parameter(
            "translations",
            t,
            format!("it leads out of the image of {shape} px"),
        )),
        None => Ok(list.to_vec()),
    }
}

/// The family ready to compute.
#[derive(Debug, Clone)]
pub struct Family {
    /// Half size of the patch, px.
    pub patch: Extent,
    /// Largest translation on each axis, px.
    pub window: Extent,
    /// One channel each.
    pub translations: Vec<Translation>,
}

impl Family {
    /// Both patches of every site lie within the image.
    pub fn margin(&self) -> Extent {
        self.patch + self.window
    }

    /// Condition of the worst tile of `image` (mean 0, variance 1) that is
    /// summed in f32.
    pub(crate) fn condition(&self, image: ArrayView2<'_, f32>, grid: &SiteGrid) -> f64 {
        let tiles = Maps::new(image, self, grid).tiles;
        let narrow = tiles.iter().filter(|t| !t.ill_conditioned());
        narrow.map(|t| t.condition).fold(0.0, f32::max).into()
    }

    /// Products that go through one running sum, at most.
    pub(crate) fn terms(&self, stride: usize) -> usize {
        let height = self.patch.full().rows;
        match stride < height {
            true => height + 2 * stride * (self.tile_size(stride).rows - 1),
            false => height,
        }
    }

    /// Sites per tile. A tile has about 256 px a row (a workgroup's width, and
    /// its sums fit a core's cache), and at least twice the patch, so that the
    /// halo costs no more than the tile itself however large the patch.
    pub(crate) fn tile_size(&self, stride: usize) -> Extent {
        let full = self.patch.full();
        let sites = |px: usize, patch: usize| ((px.max(2 * patch) - patch) / stride + 1).min(256);
        Extent { rows: sites(160, full.rows).max(16), cols: sites(256, full.cols) }
    }
}

/// A block of sites that is summed together, in site indices.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tile {
    /// First site row and column.
    pub(crate) first: Extent,
    /// Number of site rows and columns.
    pub(crate) count: Extent,
    /// Constant taken off every pixel before it is summed, in the image's
    /// standard deviations.
    pub(crate) centre: f32,
    /// Largest `|mu - c| max(|mu - c|, |mu|) / var` of its patches: how many
    /// times more digits than a balanced patch's f32 sums lose.
    pub(crate) condition: f32,
}

impl Tile {
    /// Whether f32 sums would lose too many digits here.
    pub(crate) fn ill_conditioned(&self) -> bool {
        self.condition > F32_CONDITION
    }
}

/// What both backends need of an image besides its pixels.
#[derive(Debug)]
pub(crate) struct Maps {
    pub(crate) norms: Norms,
    /// Tiles row by row; all tiles of a row of tiles share their site rows.
    pub(crate) tiles: Vec<Tile>,
}

impl Maps {
    /// Norm maps and tiles of `image` `[rows, cols]` (mean 0, variance 1).
    pub(crate) fn new(image: ArrayView2<'_, f32>, family: &Family, grid: &SiteGrid) -> Self {
        let norms = Norms::new(image, family.patch, grid.stride);
        let size = family.tile_size(grid.stride);
        let corners: Vec<_> = blocks(0..grid.count.rows, size.rows)
            .flat_map(|r| blocks(0..grid.count.cols, size.cols).map(move |c| (r.clone(), c)))
            .collect();
        let tiles = corners
            .into_par_iter()
            .map(|(rows, cols)| {
                let first = Extent { rows: rows.start, cols: cols.start };
                let count = Extent { rows: rows.len(), cols: cols.len() };
                norms.tile(first, count, family, grid)
            })
            .collect();
        Self { norms, tiles }
    }

    /// The tiles whose site rows lie within `rows`.
    pub(crate) fn tiles_in(&self, rows: std::ops::Range<usize>) -> impl Iterator<Item = &Tile> {
        self.tiles.iter().filter(move |t| rows.contains(&t.first.rows))
    }
}

/// Mean and inverse norm of the patch around every pixel that can hold one.
///
/// Stored by stride phase, `[pixel row][col mod stride][col / stride]`, so that
/// the sites of a row, and the sites displaced by any translation, read
/// neighbouring values.
#[derive(Debug)]
pub(crate) struct Norms<F = f32> {
    patch: Extent,
    stride: usize,
    /// Number of `col / stride` values, padded.
    pub(crate) pitch: usize,
    /// Number of pixel rows.
    pub(crate) rows: usize,
    /// Number of pixel columns.
    pub(crate) cols: usize,
    /// Patch mean, in the image's standard deviations.
    pub(crate) mean: Vec<F>,
    /// `1 / sqrt(n var)`; 0 marks a flat patch.
    pub(crate) inverse: Vec<F>,
}

/// Rows that one task sums; its running sums start afresh, so the result does
/// not depend on the number of threads.
const STRIP: usize = 64;

impl<F: Float + Send + 'static> Norms<F>
where
    f64: AsPrimitive<F>,
{
    /// Norm maps of `image` `[rows, cols]` (mean 0, variance 1), or of a part of it.
    pub(crate) fn new(image: ArrayView2<'_, f32>, patch: Extent, stride: usize) -> Self {
        let full = patch.full();
        let (rows, cols) = (image.nrows() + 1 - full.rows, image.ncols() + 1 - full.cols);
        let pitch = cols.div_ceil(stride);
        let line = pitch * stride;
        let mut mean = vec![F::zero(); rows * line];
        let mut inverse = vec![F::zero(); rows * line];
        mean.par_chunks_mut(STRIP * line)
            .zip(inverse.par_chunks_mut(STRIP * line))
            .enumerate()
            .for_each(|(strip, (mean, inverse))| {
                let mut sums = ColumnSums::new(image, full.rows, strip * STRIP);
                for (mean, inverse) in mean.chunks_mut(line).zip(inverse.chunks_mut(line)) {
                    sums.next_row();
                    sums.finish(full, |col, m, v| {
                        let at = col % stride * pitch + col / stride;
                        mean[at] = m.as_();
                        inverse[at] = match v < FLAT_SHARE {
                            true => F::zero(),
                            false => (1.0 / (v * full.area() as f64).sqrt()).as_(),
                        };
                    });
                }
            });
        Self { patch, stride, pitch, rows, cols, mean, inverse }
    }
}

impl<F> Norms<F> {
    /// Values per pixel row.
    pub(crate) fn line(&self) -> usize {
        self.pitch * self.stride
    }

    /// Where the values of the patch centred on pixel (`row`, `col`) stand; those
    /// of `col + stride`, `col + 2 stride`, ... follow.
    pub(crate) fn index(&self, row: usize, col: usize) -> usize {
        let (row, col) = (row - self.patch.rows, col - self.patch.cols);
        row * self.line() + col % self.stride * self.pitch + col / self.stride
    }
}

impl Norms {
    /// The tile with its constant and condition. The constant is the mean of
    /// its patches' means; the condition looks at every patch that a site or a
    /// translated site may use.
    fn tile(&self, first: Extent, count: Extent, family: &Family, grid: &SiteGrid) -> Tile {
        let mut sum = 0.0;
        for i in first.rows..first.rows + count.rows {
            let at = self.index(grid.row(i), grid.col(first.cols));
            sum += self.mean[at..at + count.cols].iter().map(|&m| f64::from(m)).sum::<f64>();
        }
        let centre = (sum / count.area() as f64) as f32;
        let reach = |from: usize, count: usize, half: usize, limit: usize| {
            from - half..(from + (count - 1) * grid.stride + half + 1).min(limit)
        };
        let top = grid.row(first.rows) - self.patch.rows;
        let left = grid.col(first.cols) - self.patch.cols;
        let rows = reach(top, count.rows, family.window.rows, self.rows);
        let cols = reach(left, count.cols, family.window.cols, self.cols);
        let [offset, mean] = rows
            .map(|row| self.worst_conditions(row, cols.clone(), centre))
            .fold([0.0; 2], |a, b| [a[0].max(b[0]), a[1].max(b[1])]);
        let n = family.patch.full().area() as f32;
        Tile { first, count, centre, condition: offset * offset.max(mean) * n }
    }

    /// Largest `|mu - centre| / sqrt(n var)` and `|mu| / sqrt(n var)` over columns
    /// of one row. Whole phases are read: a few columns more do no harm.
    fn worst_conditions(&self, row: usize, cols: std::ops::Range<usize>, centre: f32) -> [f32; 2] {
        let (from, to) = (cols.start / self.stride, cols.end.div_ceil(self.stride));
        let mut worst = [0.0_f32; 2];
        for phase in 0..self.stride {
            let at = row * self.line() + phase * self.pitch;
            let pairs = self.mean[at + from..at + to].iter().zip(&self.inverse[at + from..at + to]);
            for (&m, &r) in pairs {
                worst[0] = worst[0].max((m - centre).abs() * r);
                worst[1] = worst[1].max(m.abs() * r);
            }
        }
        worst
    }
}

/// Running sums of pixels and squares over `height` rows, for every column.
struct ColumnSums<'a> {
    image: ArrayView2<'a, f32>,
    height: usize,
    next: usize,
    fresh: bool,
    sum: Vec<f64>,
    squares: Vec<f64>,
}

impl<'a> ColumnSums<'a> {
    fn new(image: ArrayView2<'a, f32>, height: usize, first: usize) -> Self {
        let zeros = vec![0.0; image.ncols()];
        Self { image, height, next: first, fresh: true, sum: zeros.clone(), squares: zeros }
    }

    /// Moves on to the sums of rows `next .. next + height`.
    fn next_row(&mut self) {
        let last = self.next + self.height - 1;
        if std::mem::take(&mut self.fresh) {
            (self.next..=last).for_each(|row| self.add(row, 1.0));
        } else {
            self.add(last, 1.0);
            self.add(self.next - 1, -1.0);
        }
        self.next += 1;
    }

    fn add(&mut self, row: usize, sign: f64) {
        let pixels = self.image.row(row);
        for ((&v, s1), s2) in pixels.iter().zip(&mut self.sum).zip(&mut self.squares) {
            let v = f64::from(v);
            *s1 += sign * v;
            *s2 += sign * v * v;
        }
    }

    /// Gives `(column, mean, variance)` of every patch of this row.
    fn finish(&self, full: Extent, mut give: impl FnMut(usize, f64, f64)) {
        let n = full.area() as f64;
        let (mut s1, mut s2) = (0.0, 0.0);
        for col in 0..self.sum.len() {
            s1 += self.sum[col];
            s2 += self.squares[col];
            if col + 1 >= full.cols {
                let mean = s1 / n;
                give(col + 1 - full.cols, mean, (s2 / n - mean * mean).max(0.0));
                s1 -= self.sum[col + 1 - full.cols];
                s2 -= self.squares[col + 1 - full.cols];
            }
        }
    }
}

/// Descriptors of all sites by the definition alone, in f64 with direct sums:
/// the reference that every backend is tested against. `image` `[rows, cols]`
/// may have any mean and variance; gives `[sites, D]`.
pub fn by_definition(image: ArrayView2<'_, f64>, family: &Family, grid: &SiteGrid) -> Array2<f64> {
    let variance = image.var(0.0);
    let patch = |row: usize, col: usize| {
        let (r, c) = (row - family.patch.rows, col - family.patch.cols);
        let full = family.patch.full();
        image.slice(ndarray::s![r..r + full.rows, c..c + full.cols])
    };
    let score = |site: usize, t: &Translation| {
        if t.rows == 0 && t.cols == 0 {
            return 1.0;
        }
        let (row, col) = (grid.row(site / grid.count.cols), grid.col(site % grid.count.cols));
        let a = patch(row, col);
        let b = patch(
            row.wrapping_add_signed(t.rows as isize),
            col.wrapping_add_signed(t.cols as isize),
        );
        let (va, vb) = (a.var(0.0), b.var(0.0));
        if va.min(vb) < FLAT_SHARE * variance {
            return 0.0;
        }
        let (ma, mb) = (a.sum() / a.len() as f64, b.sum() / b.len() as f64);
        let products: f64 = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum();
        products / (a.len() as f64 * (va * vb).sqrt())
    };
    Array2::from_shape_fn((grid.len(), family.translations.len()), |(site, d)| {
        score(site, &family.translations[d])
    })
}
