//! The components of descriptors over an image, on a grid that can be gone through many times.
//!
//! Of a large image a cell of the grid stands for several sites, one of which is taken. Descriptors
//! vary a little with where in the unit cell their site lies. Every n-th site would meet the lattice
//! at places that change slowly from cell to cell, a moire pattern as clear as a crystal of its own.
//! The site is therefore another one in each cell (R. L. Cook, Stochastic sampling in computer
//! graphics, ACM Transactions on Graphics 5, 51-72, 1986): what would be a pattern becomes noise.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::moire::{self, Wave};
use crate::plan::automatic;
use crate::sites::{Band, Extent, Sites};

/// Cells of the grid, about, where the image has more sites.
const MOST_CELLS: f64 = 16_384.0;

/// Cells that one task multiplies.
const CHUNK: usize = 1024;

/// Distance between images side by side, px: more than anything is smoothed or compared over.
const APART: f64 = 128.0;

/// Components of one family of descriptors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Its columns.
    pub(crate) columns: Range<usize>,
    /// How much it counts next to the others.
    pub(crate) weight: f64,
    /// Whether it is looked at by itself too: it may see what slow changes hide in the others.
    pub(crate) alone: bool,
}

/// One of the images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Image {
    /// Its columns of the grid.
    cols: Range<usize>,
    /// Its rows and columns of sites.
    sites: Extent,
    /// What its lattices make of the sites.
    waves: Vec<Wave>,
}

/// What is known of the sites.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Field {
    /// Components, `[rows * cols, p]`, zeros where a cell takes no part.
    pub(super) values: Array2<f32>,
    /// Which cells take part, `[rows, cols]`.
    pub(super) present: Array2<bool>,
    /// The families.
    pub(super) parts: Vec<Part>,
    /// The images next to each other, from the left.
    images: Vec<Image>,
    /// Of how many sites along both axes a cell takes one.
    step: usize,
    /// Distance of neighbouring cells, px.
    pub(super) stride: usize,
}

impl Field {
    /// Of `sites`, without their components yet; `all` is the number of sites of all images.
    pub(crate) fn new(sites: &Sites, parts: Vec<Part>, all: usize) -> Self {
        let count = sites.grid().count;
        let step = (all as f64 / MOST_CELLS).sqrt().ceil().max(1.0) as usize;
        let dim = (count.rows.div_ceil(step), count.cols.div_ceil(step));
        let site = |cell| {
            let (row, col) = site_of(cell, step, count);
            row * count.cols + col
        };
        let present = Array2::from_shape_fn(dim, |cell| sites.is_active(site(cell)));
        let components = parts.last().map_or(0, |part| part.columns.end);
        let values = Array2::zeros((dim.0 * dim.1, components));
        let images = vec![Image { cols: 0..dim.1, sites: count, waves: Vec::new() }];
        Self { values, present, parts, images, step, stride: sites.grid().stride * step }
    }

    /// Takes note of what the lattices of the `image` that is described make of its sites.
    pub(crate) fn see(&mut self, image: ArrayView2<'_, f32>) {
        self.images[0].waves = moire::waves(image, self.stride / self.step);
    }

    /// The `feature` `[rows, cols]` without the moire of sites and lattices that the cells of `own` have of
    /// it; nothing where there is none.
    pub(super) fn without_moire(
        &self,
        feature: &Array2<f32>,
        own: &Array2<bool>,
    ) -> Option<Array2<f32>> {
        let mut still: Option<Array2<f32>> = None;
        for Image { cols, sites, waves } in &self.images {
            let part = own.slice(s![.., cols.clone()]);
            let cells: Vec<(usize, usize)> =
                part.indexed_iter().filter(|(_, own)| **own).map(|(cell, _)| cell).collect();
            let place =
                |&cell: &(usize, usize)| <[usize; 2]>::from(site_of(cell, self.step, *sites));
            let places: Vec<[usize; 2]> = cells.iter().map(place).collect();
            let values: Vec<f32> =
                cells.iter().map(|&(r, c)| feature[(r, c + cols.start)]).collect();
            let Some(values) = moire::still(&values, &places, waves) else { continue };
            let to = still.get_or_insert_with(|| feature.clone());
            for ((r, c), value) in cells.into_iter().zip(values) {
                to[(r, c + cols.start)] = value;
            }
        }
        still
    }

    /// Combinations `map` `[p, f]` of the components of these cells, by their numbers: `[cells, f]`.
    pub(super) fn along(&self, cells: &[usize], map: &Array2<f32>) -> Array2<f32> {
        let mut all = Array2::zeros((cells.len(), map.ncols()));
        let chunks = all.axis_chunks_iter_mut(Axis(0), CHUNK).into_par_iter();
        chunks.zip(cells.par_chunks(CHUNK)).for_each(|(mut to, cells)| {
            to.assign(&self.values.select(Axis(0), cells).dot(map));
        });
        all
    }

    /// The cells that take a site of `band`, by their numbers, and the number of that site in the band.
    fn taking<'a>(&'a self, band: &'a Band) -> impl Iterator<Item = (usize, u32)> + 'a {
        let cols = self.present.ncols();
        let rows = band.rows.start / self.step..band.rows.end.div_ceil(self.step);
        let cells = rows.flat_map(move |row| (0..cols).map(move |col| (row, col)));
        cells.filter(|&cell| self.present[cell]).filter_map(move |(row, col)| {
            let site = self.site_of((row, col));
            let of_band = || (site.0 - band.rows.start) * band.cols + site.1;
            band.rows.contains(&site.0).then(|| (row * cols + col, of_band() as u32))
        })
    }

    /// The sites of `band` whose components are taken, by their numbers in it.
    pub(crate) fn taken(&self, band: &Band) -> Vec<u32> {
        self.taking(band).map(|(_, site)| site).collect()
    }

    /// Takes the `components` `[taken sites, p]` of the [taken](Self::taken) sites of `band`.
    pub(crate) fn take(&mut self, band: &Band, components: ArrayView2<'_, f32>) {
        let cells: Vec<usize> = self.taking(band).map(|(cell, _)| cell).collect();
        for (cell, components) in cells.into_iter().zip(components.rows()) {
            self.values.row_mut(cell).assign(&components);
        }
    }

    /// Takes what it does of the `components` `[sites of the band, p]` of all sites of `band`.
    pub(crate) fn add(&mut self, band: &Band, components: ArrayView2<'_, f32>) {
        let taken: Vec<usize> = self.taken(band).into_iter().map(|site| site as usize).collect();
        self.take(band, components.select(Axis(0), &taken).view());
    }

    /// Row and column of the site that a cell of the grid of one image takes.
    pub(crate) fn site_of(&self, cell: (usize, usize)) -> (usize, usize) {
        site_of(cell, self.step, self.images[0].sites)
    }

    /// The cell of the grid that the site at this row and column lies in.
    pub(crate) fn cell_of(&self, (row, col): (usize, usize)) -> (usize, usize) {
        (row / self.step, col / self.step)
    }

    /// Several images of the same stride side by side, so far apart that none reaches another.
    ///
    /// # Panics
    /// Without an image, or where their components differ.
    pub(crate) fn beside(fields: Vec<Self>) -> Self {
        let rows = fields.iter().map(|field| field.dim().0).max().expect("there is an image");
        let gap = (APART / fields[0].stride as f64).ceil() as usize;
        let cols = fields.iter().map(|field| field.dim().1 + gap).sum::<usize>() - gap;
        let mut present = Array2::from_elem((rows, cols), false);
        let mut values = Array2::zeros((rows * cols, fields[0].values.ncols()));
        let (mut first, mut images) = (0, Vec::new());
        for field in &fields {
            for ((row, col), &there) in field.present.indexed_iter() {
                present[(row, first + col)] = there;
                let from = field.values.row(row * field.dim().1 + col);
                values.row_mut(row * cols + first + col).assign(&from);
            }
            let placed = |image: &Image| Image {
                cols: first + image.cols.start..first + image.cols.end,
                ..image.clone()
            };
            images.extend(field.images.iter().map(placed));
            first += field.dim().1 + gap;
        }
        let Self { parts, step, stride, .. } =
            fields.into_iter().next().expect("there is an image");
        Self { values, present, parts, images, step, stride }
    }

    /// Distance of neighbouring cells as lengths are measured with it, px: on a coarser grid than
    /// usual these reach over as many sites as on the usual one, since noise does not get less.
    pub(super) fn scale(&self) -> usize {
        self.stride.min(automatic::STRIDE)
    }

    /// Number of cells that take part.
    pub(crate) fn sites(&self) -> usize {
        self.present.iter().filter(|&&present| present).count()
    }

    /// Rows and columns of the grid.
    pub(crate) fn dim(&self) -> (usize, usize) {
        self.present.dim()
    }
}

/// Row and column of the site that a cell of `step` x `step` of all `sites` takes.
fn site_of((row, col): (usize, usize), step: usize, sites: Extent) -> (usize, usize) {
    // Cells at the end may have fewer.
    let height = step.min(sites.rows - row * step);
    let width = step.min(sites.cols - col * step);
    let random = mixed(((row as u64) << 32) | col as u64);
    let within = |random: u64, most: usize| (random % most as u64) as usize;
    (row * step + within(random >> 32, height), col * step + within(random & 0xFFFF_FFFF, width))
}

/// The number `of` a cell as one that looks random (the finaliser of SplitMix64: G. L. Steele,
/// D. Lea and C. H. Flood, Fast splittable pseudorandom number generators, OOPSLA 2014).
fn mixed(of: u64) -> u64 {
    let mut z = of.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::levels::Strips;
    use crate::cluster::split::{CLEAR, Tree};
    use crate::sites::SiteGrid;

    /// Strength of the clearest cut through 600 x 600 sites with one component that `value` gives for a
    /// row and a column, and one that is noise.
    fn strength(value: impl Fn(usize, usize) -> f32) -> f64 {
        let shape = Extent::square(8 * 600);
        let sites = Sites::new(
            shape,
            SiteGrid::new(shape, Extent::square(0), 8),
            Extent::square(32),
            Extent::square(20),
        );
        let part = Part { columns: 0..2, weight: 1.0, alone: false };
        let mut field = Field::new(&sites, vec![part], sites.grid().len());
        assert_eq!((field.dim(), field.stride), ((120, 120), 40), "a cell of 5 x 5 sites");
        let mut state = 7_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        // Bands end within cells.
        for band in sites.bands(32) {
            let mut components = Array2::zeros((band.len(), 2));
            for (at, mut to) in components.outer_iter_mut().enumerate() {
                to[0] = value(band.rows.start + at / band.cols, at % band.cols) + 0.2 * noise();
                to[1] = noise();
            }
            field.add(&band, components.view());
        }
        Tree::new(&field, Strips::Doubted).next().map_or(0.0, |split| split.strength)
    }

    #[test]
    fn a_moire_of_sites_and_lattice_is_no_pattern() {
        // What changes with the place in the unit cell: every fifth row would meet it in nearly the
        // same place, three times there and back over the image.
        let in_cell = |row: usize| (row as f64 * (0.2 + 3.0 / 600.0)).fract() < 0.5;
        let moire = strength(|row, _| if in_cell(row) { 0.0 } else { 1.0 });
        let crystals = strength(|_, col| if col < 250 { 0.0 } else { 1.0 });
        assert!(moire < CLEAR && crystals > 2.0 * CLEAR, "{moire} and {crystals}");
    }

    #[test]
    fn each_cell_takes_one_of_its_own_sites() {
        let sites = Extent { rows: 23, cols: 31 };
        let mut places = [false; 25];
        for cell in ndarray::indices((5, 7)) {
            let (row, col) = site_of(cell, 5, sites);
            assert!(row < sites.rows && col < sites.cols, "{row} and {col}");
            assert_eq!((row / 5, col / 5), cell);
            places[row % 5 * 5 + col % 5] = true;
            assert_eq!(site_of(cell, 1, sites), cell, "all of them where they are few");
        }
        let taken = places.iter().filter(|taken| **taken).count();
        assert!(taken > 15, "{taken} of 25 places in a cell");
    }
}
