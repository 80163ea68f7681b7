//! From one label per site to one label per pixel.

mod cells;
mod edits;
mod frame_map;
mod interpolated;
#[cfg(test)]
mod tests;

use ndarray::{ArcArray2, Array2, Array3, ArrayView2};
use serde::Serialize;

use crate::cluster::gap::Mixing;
use crate::image::rows::{self, Rows};
use crate::image::sampling::Frame;
use crate::labels::regions::{self, Held, Smoothing};
use crate::plan::{Border, Order};
use crate::sites::Sites;
use cells::Cells;
use edits::Edits;
pub use edits::LabelRun;
pub use frame_map::FrameMap;
use interpolated::{Interpolated, Place, between};

/// Value of pixels that are not segmented, in the order [`Order::Size`].
pub const UNLABELLED: u16 = 0;

/// What labels are spread over: the sites that have them, and the pixels that get them.
#[derive(Debug, Clone, Copy)]
pub struct Canvas<'a> {
    /// The sites.
    pub sites: &'a Sites,
    /// How they lie on the image that was read.
    pub frame: &'a Frame,
    /// Labels outside the site grid.
    pub border: Border,
    /// Which label each cluster gets.
    pub numbering: &'a Numbering,
    /// True where a pixel of the image is absent and has no label, `[rows, cols]`.
    pub absent: Option<&'a ArcArray2<bool>>,
    /// Sites whose cluster is known.
    pub held: &'a [Held],
}

/// Which label each cluster gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Numbering {
    /// By the number of pixels that it has.
    Order(Order),
    /// This one, by cluster: a permutation of 1 to k.
    Given(Vec<u16>),
}

/// One label per pixel. Pixels are worked out from the sites' labels when they
/// are asked for ([`Rows`]): they are many more.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelMap {
    /// Label of each site, `[site rows, site cols]`; 0 for sites whose pixel is absent.
    pub sites: Array2<u16>,
    /// Pixels per label, by label; without those that are not segmented.
    pub areas: Vec<Area>,
    /// Which label each cluster of the clustering got, by cluster.
    pub label_of: Vec<u16>,
    /// The sites' labels where those under the mask have their neighbours'.
    filled: Array2<u16>,
    cells: Cells,
    /// What pixels take their labels from instead, where it is known.
    interpolated: Option<Interpolated>,
    /// Pixels whose label is another all the same.
    edits: Edits,
}

/// A value of each site spread over the pixels like the labels; 0 where nothing
/// is segmented.
#[derive(Debug)]
pub struct Spread<'a> {
    cells: &'a Cells,
    filled: Array2<f32>,
    interpolated: Option<&'a Interpolated>,
    /// Pixels whose membership in another label is wanted.
    edits: Option<&'a Edits>,
}

/// What one label covers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Area {
    /// The label.
    pub label: u16,
    /// Number of pixels.
    pub pixels: u64,
    /// Share of all pixels of the image.
    pub fraction: f64,
}

impl LabelMap {
    /// Label map of the active sites' clusters `[active sites]`, each 0 to
    /// `clusters - 1`, on `canvas`.
    pub fn new(clusters_of_sites: &[u32], clusters: usize, canvas: Canvas<'_>) -> Self {
        let cells = Cells::new(&canvas);
        let placed = canvas.sites.placed(clusters_of_sites);
        let mut sites = placed.mapv(|cluster| cluster.map_or(UNLABELLED, |&c| c as u16 + 1));
        let mut filled = fill(&sites, |at| sites[at] != 0);
        let sizes = cells.areas(&filled, clusters);
        let label_of = canvas.numbering.labels(&sizes);
        relabel(&mut sites, &label_of);
        relabel(&mut filled, &label_of);
        let areas = areas(&label_of, &sizes, canvas.frame.image.area());
        let edits = Edits::default();
        Self { sites, areas, label_of, filled, cells, interpolated: None, edits }
    }

    /// Label map of the active sites' `scores` `[k, active sites]`, logarithms of
    /// likelihoods, which are made into regions by `smoothing` and interpolated between the
    /// sites. Pixels whose membership is below `least` get no label. What share of the
    /// membership in each pattern (row) is one in another (column) is asked of `mixing`, with
    /// the patterns of the active sites `[site rows, site cols]`.
    pub fn of_scores(
        scores: ArrayView2<'_, f32>,
        (smoothing, least): (Smoothing, f64),
        canvas: Canvas<'_>,
        mixing: impl FnOnce(&Array2<Option<usize>>) -> Mixing,
    ) -> Self {
        let Canvas { sites, frame, .. } = canvas;
        let cells = Cells::new(&canvas);
        let mut scores = on_grid(scores, sites);
        smoothing.apply(&mut scores, canvas.held);
        let grid = sites.grid();
        let (rows, cols) = places(sites, frame);
        let clusters = scores.dim().0;
        let patterns = regions::labels(scores.view());
        let active = patterns
            .indexed_iter()
            .map(|((r, c), &best)| sites.is_active(r * grid.count.cols + c).then_some(best));
        let active = Array2::from_shape_vec(patterns.dim(), active.collect())
            .expect("one value for each site");
        let interpolated = Interpolated::new(scores, (rows, cols), least, mixing(&active));
        let filled = patterns.mapv(|best| best as u16 + 1);
        let sites = active.mapv(|best| best.map_or(UNLABELLED, |best| best as u16 + 1));
        let (label_of, areas) = (Vec::new(), Vec::new());
        let (interpolated, edits) = (Some(interpolated), Edits::default());
        let mut map = Self { sites, areas, label_of, filled, cells, interpolated, edits };
        map.number(clusters, canvas);
        map
    }

    /// Pixels of each of the labels from 1 to `labels`.
    fn sizes(&self, labels: usize) -> Vec<u64> {
        let zero = || vec![0_u64; labels + 1];
        let count = |sizes: &mut Vec<u64>, line: &[u16]| {
            line.iter().for_each(|&label| sizes[usize::from(label)] += 1);
        };
        let add = |a: Vec<u64>, b: Vec<u64>| a.iter().zip(&b).map(|(a, b)| a + b).collect();
        rows::fold(self, zero, count, add).split_off(1)
    }

    /// Numbers the clusters by the pixels that they have.
    fn number(&mut self, clusters: usize, canvas: Canvas<'_>) {
        let sizes = self.sizes(clusters);
        self.label_of = canvas.numbering.labels(&sizes);
        relabel(&mut self.sites, &self.label_of);
        relabel(&mut self.filled, &self.label_of);
        let order = self.order();
        if let Some(interpolated) = &mut self.interpolated {
            interpolated.reorder(&order);
        }
        self.areas = areas(&self.label_of, &sizes, canvas.frame.image.area());
    }

    /// The clusters in the order of their labels.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.label_of.len()).collect();
        order.sort_by_key(|&cluster| self.label_of[cluster]);
        order
    }

    /// Membership of each active site in the pattern of its label, 0 to 1, from its
    /// scores; nothing where there are none.
    pub fn memberships(&self) -> Option<Vec<f32>> {
        let interpolated = self.interpolated.as_ref()?;
        let scores = &interpolated.scores;
        let of = |((r, c), &label): ((usize, usize), &u16)| {
            let own = usize::from(label).checked_sub(1)?;
            let all = scores.slice(ndarray::s![.., r, c]).to_vec();
            Some(interpolated.membership_in_any(&all, own))
        };
        Some(self.sites.indexed_iter().filter_map(of).collect())
    }

    /// Membership of the pixels of a row in the pattern of each label from 1 on, `[k, cols]`: 0 to
    /// 1, and all of a pixel add up to 1; 0 for absent pixels. Nothing where labels are those of
    /// the nearest sites.
    pub fn memberships_of_row(&self, row: usize) -> Option<Array2<f32>> {
        let mut all = self.interpolated.as_ref()?.all_memberships(row);
        all.outer_iter_mut().for_each(|mut pattern| {
            self.cells.blank(row, pattern.as_slice_mut().expect("rows of a new array"));
        });
        Some(all)
    }

    /// The scores that labels are interpolated from, smoothed and confined, by label from 1
    /// on, `[k, site rows, site cols]`; nothing where there are none.
    pub(crate) fn scores(&self) -> Option<&Array3<f32>> {
        self.interpolated.as_ref().map(|interpolated| &interpolated.scores)
    }

    /// What `maps` `[k, site rows, site cols]` are at the pixels of a row, `[k, cols]`, between
    /// sites like the scores; nothing where there are none.
    pub(crate) fn between_sites(&self, maps: &Array3<f32>, row: usize) -> Option<Array2<f32>> {
        Some(self.interpolated.as_ref()?.between_sites(maps, row))
    }

    /// Label of each pixel, `[rows, cols]`.
    pub fn pixels(&self) -> Array2<u16> {
        rows::collect(self)
    }

    /// The cluster of a site, nothing where it is masked.
    pub fn cluster_at(&self, site: (usize, usize)) -> Option<usize> {
        let label = self.sites[site];
        self.label_of.iter().position(|&l| l == label).filter(|_| label != UNLABELLED)
    }

    /// Spreads a value of each site `[active sites]` over the pixels.
    pub fn spread(&self, values: &[f32]) -> Spread<'_> {
        let mut active = values.iter();
        let sites = self.sites.mapv(|label| match label {
            UNLABELLED => 0.0,
            _ => active.next().copied().unwrap_or_default(),
        });
        let filled = fill(&sites, |at| self.sites[at] != UNLABELLED);
        Spread { cells: &self.cells, filled, interpolated: None, edits: None }
    }

    /// How sure each pixel is of its label: interpolated like that, else the
    /// `memberships` of sites `[active sites]`, spread.
    pub fn confidence(&self, memberships: &[f32]) -> Spread<'_> {
        let (interpolated, edits) = (self.interpolated.as_ref(), Some(&self.edits));
        Spread { interpolated, edits, ..self.spread(memberships) }
    }

    /// Mean over the pixels of labels 1, 2 and on of a value of each site `[active
    /// sites]`; 0 where a label has no pixel.
    pub fn means(&self, values: &[f32]) -> Vec<f64> {
        let mut sums = vec![(0.0, 0_u64); usize::from(self.largest()) + 1];
        let mut labels = self.filled.iter();
        self.spread(values).by_site(|value, pixels| {
            let label = labels.next().copied().unwrap_or(UNLABELLED);
            let (sum, count) = &mut sums[usize::from(label)];
            *sum += f64::from(value) * pixels as f64;
            *count += pixels;
        });
        sums[1..].iter().map(|(sum, count)| sum / (*count).max(1) as f64).collect()
    }

    /// Largest label.
    pub fn largest(&self) -> u16 {
        self.areas.iter().map(|a| a.label).max().unwrap_or(UNLABELLED)
    }
}

impl Rows<u16> for LabelMap {
    fn shape(&self) -> (usize, usize) {
        self.cells.shape()
    }

    fn fill(&self, row: usize, to: &mut [u16]) {
        match &self.interpolated {
            Some(interpolated) => {
                interpolated.labels(row, to);
                self.cells.blank(row, to);
            }
            None => self.cells.fill(&self.filled, row, to),
        }
        self.edits.fill(row, to);
    }
}

impl Spread<'_> {
    /// Calls `use_value` with the value of each site and the number of pixels
    /// that have it.
    pub fn by_site(&self, mut use_value: impl FnMut(f32, u64)) {
        let pixels = self.cells.pixels(self.filled.dim());
        self.filled.iter().zip(&pixels).for_each(|(&value, &count)| use_value(value, count));
    }
}

impl Rows<f32> for Spread<'_> {
    fn shape(&self) -> (usize, usize) {
        self.cells.shape()
    }

    fn fill(&self, row: usize, to: &mut [f32]) {
        match self.interpolated {
            Some(interpolated) => {
                interpolated.memberships(row, to);
                self.cells.blank(row, to);
            }
            None => self.cells.fill(&self.filled, row, to),
        }
        for run in self.edits.map_or(&[][..], |edits| edits.of_row(row)) {
            match self.interpolated {
                Some(interpolated) => interpolated.membership_in(row, run, to),
                None => to[run.cols.clone()].fill(0.0),
            }
        }
    }
}

/// Scores `[k, active sites]` on the site grid, `[k, site rows, site cols]`; masked sites
/// have those of the nearest that counts.
pub(crate) fn on_grid(scores: ArrayView2<'_, f32>, sites: &Sites) -> Array3<f32> {
    let count = sites.grid().count;
    let numbers = sites.active_numbers();
    let number = numbers.mapv(Option::unwrap_or_default);
    let number = fill(&number, |at| numbers[at].is_some());
    Array3::from_shape_fn((scores.nrows(), count.rows, count.cols), |(k, r, c)| {
        scores[(k, number[(r, c)])]
    })
}

/// Where the pixel rows and columns of the image lie between `sites`.
fn places(sites: &Sites, frame: &Frame) -> (Vec<Place>, Vec<Place>) {
    let (grid, scale) = (sites.grid(), frame.scale / sites.grid().stride as f64);
    let along = |pixels, sites, margin: usize| {
        between(pixels, sites, scale, margin as f64 / grid.stride as f64)
    };
    (
        along(frame.image.rows, grid.count.rows, grid.margin.rows),
        along(frame.image.cols, grid.count.cols, grid.margin.cols),
    )
}

/// Gives masked sites the value of the nearest that `counts` (in steps along the
/// axes), so that pixels next to a mask find one.
fn fill<T: Copy>(sites: &Array2<T>, counts: impl Fn((usize, usize)) -> bool) -> Array2<T> {
    let mut filled = sites.clone();
    let (rows, cols) = sites.dim();
    let mut known = Array2::from_shape_fn((rows, cols), counts);
    let mut front: std::collections::VecDeque<(usize, usize)> =
        known.indexed_iter().filter(|(_, k)| **k).map(|(at, _)| at).collect();
    if front.len() == sites.len() {
        return filled;
    }
    while let Some((i, j)) = front.pop_front() {
        let around = [(i.wrapping_sub(1), j), (i, j.wrapping_sub(1)), (i, j + 1), (i + 1, j)];
        for at in around.into_iter().filter(|&(r, c)| r < rows && c < cols) {
            if !known[at] {
                known[at] = true;
                filled[at] = filled[(i, j)];
                front.push_back(at);
            }
        }
    }
    filled
}

/// What labels cover of `all` pixels, from the number of pixels of each cluster.
fn areas(label_of: &[u16], sizes: &[u64], all: usize) -> Vec<Area> {
    let area = |(&label, &pixels): (&u16, &u64)| {
        let fraction = pixels as f64 / all as f64;
        Area { label, pixels, fraction }
    };
    let mut areas: Vec<Area> = label_of.iter().zip(sizes).map(area).collect();
    areas.sort_by_key(|area| area.label);
    areas
}

impl Numbering {
    /// The label of each cluster, from the number of pixels of each; equal sizes keep the
    /// clusters' order.
    pub(crate) fn labels(&self, sizes: &[u64]) -> Vec<u16> {
        let order = match self {
            Self::Given(labels) => return labels.clone(),
            Self::Order(order) => *order,
        };
        let mut by_size: Vec<usize> = (0..sizes.len()).collect();
        by_size.sort_by_key(|&c| std::cmp::Reverse(sizes[c]));
        let mut labels = vec![0; sizes.len()];
        for (rank, cluster) in by_size.into_iter().enumerate() {
            labels[cluster] = match order {
                Order::Size => rank as u16 + 1,
                Order::Pystem => (sizes.len() - rank) as u16,
            };
        }
        labels
    }
}

fn relabel(map: &mut Array2<u16>, order: &[u16]) {
    map.mapv_inplace(|v| if v == 0 { UNLABELLED } else { order[usize::from(v) - 1] });
}
