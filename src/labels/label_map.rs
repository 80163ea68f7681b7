//! From one label per site to one label per pixel.

mod interpolated;
#[cfg(test)]
mod tests;

use ndarray::{ArcArray2, Array2, Array3, ArrayView2};
use num_traits::Zero;
use serde::Serialize;

use crate::cluster::gap::Mixing;
use crate::image::rows::{self, Rows};
use crate::labels::regions::{self, Smoothing};
use crate::plan::{Border, Order, Plan};
use interpolated::{Interpolated, between};

/// Value of pixels that are not segmented, in the order [`Order::Size`].
pub const UNLABELLED: u16 = 0;

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
}

/// Which site each pixel takes its value from.
#[derive(Debug, Clone, PartialEq)]
struct Cells {
    /// Site row of each pixel row, site column of each pixel column.
    rows: Vec<Option<usize>>,
    cols: Vec<Option<usize>>,
    /// True where a pixel is absent, `[rows, cols]`.
    absent: Option<ArcArray2<bool>>,
}

/// A value of each site spread over the pixels like the labels; 0 where nothing
/// is segmented.
#[derive(Debug)]
pub struct Spread<'a> {
    cells: &'a Cells,
    filled: Array2<f32>,
    interpolated: Option<&'a Interpolated>,
}

/// What one label covers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
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
    /// `clusters - 1`, for the image that `plan` was made for; pixels under `absent` have
    /// no label.
    pub fn new(
        clusters_of_sites: &[u32],
        clusters: usize,
        plan: &Plan,
        absent: Option<ArcArray2<bool>>,
    ) -> Self {
        let cells = Cells::new(plan, absent);
        let mut sites = place(clusters_of_sites, plan);
        let mut filled = fill(&sites, |at| sites[at] != 0);
        let sizes = cells.areas(&filled, clusters);
        let label_of = label_order(&sizes, plan.params.order);
        relabel(&mut sites, &label_of);
        relabel(&mut filled, &label_of);
        let areas = areas(&label_of, &sizes, plan.frame.image.area());
        Self { sites, areas, label_of, filled, cells, interpolated: None }
    }

    /// Label map of the active sites' `scores` `[k, active sites]`, logarithms of
    /// likelihoods, which are made into regions by `smoothing` and interpolated between the
    /// sites. Pixels whose membership is below `least` get no label. What share of the
    /// membership in each pattern (row) is one in another (column) is asked of `mixing`, with
    /// the patterns of the active sites `[site rows, site cols]`.
    pub fn of_scores(
        scores: ArrayView2<'_, f32>,
        (smoothing, least): (Smoothing, f64),
        plan: &Plan,
        absent: Option<ArcArray2<bool>>,
        mixing: impl FnOnce(&Array2<Option<usize>>) -> Mixing,
    ) -> Self {
        let cells = Cells::new(plan, absent);
        let mut scores = on_grid(scores, plan);
        smoothing.apply(&mut scores);
        let (grid, scale) = (&plan.grid, plan.frame.scale / plan.grid.stride as f64);
        let along = |pixels, sites, margin: usize| {
            between(pixels, sites, scale, margin as f64 / grid.stride as f64)
        };
        let rows = along(plan.frame.image.rows, grid.count.rows, grid.margin.rows);
        let cols = along(plan.frame.image.cols, grid.count.cols, grid.margin.cols);
        let clusters = scores.dim().0;
        let patterns = regions::labels(scores.view());
        let active = patterns
            .indexed_iter()
            .map(|((r, c), &best)| plan.is_active(r * grid.count.cols + c).then_some(best));
        let active = Array2::from_shape_vec(patterns.dim(), active.collect())
            .expect("one value for each site");
        let interpolated = Interpolated::new(scores, (rows, cols), least, mixing(&active));
        let filled = patterns.mapv(|best| best as u16 + 1);
        let sites = active.mapv(|best| best.map_or(UNLABELLED, |best| best as u16 + 1));
        let (label_of, areas) = (Vec::new(), Vec::new());
        let interpolated = Some(interpolated);
        let mut map = Self { sites, areas, label_of, filled, cells, interpolated };
        map.number(clusters, plan);
        map
    }

    /// Numbers the clusters by the pixels that they have.
    fn number(&mut self, clusters: usize, plan: &Plan) {
        let zero = || vec![0_u64; clusters + 1];
        let count = |sizes: &mut Vec<u64>, line: &[u16]| {
            line.iter().for_each(|&label| sizes[usize::from(label)] += 1);
        };
        let add = |a: Vec<u64>, b: Vec<u64>| a.iter().zip(&b).map(|(a, b)| a + b).collect();
        let sizes = rows::fold(&*self, zero, count, add).split_off(1);
        self.label_of = label_order(&sizes, plan.params.order);
        relabel(&mut self.sites, &self.label_of);
        relabel(&mut self.filled, &self.label_of);
        let order = self.order();
        if let Some(interpolated) = &mut self.interpolated {
            interpolated.reorder(&order);
        }
        self.areas = areas(&self.label_of, &sizes, plan.frame.image.area());
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
            Some(interpolated.membership(&all, own))
        };
        Some(self.sites.indexed_iter().filter_map(of).collect())
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
        Spread { cells: &self.cells, filled, interpolated: None }
    }

    /// How sure each pixel is of its label: interpolated like that, else the
    /// `memberships` of sites `[active sites]`, spread.
    pub fn confidence(&self, memberships: &[f32]) -> Spread<'_> {
        Spread { interpolated: self.interpolated.as_ref(), ..self.spread(memberships) }
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
    }
}

impl Cells {
    fn new(plan: &Plan, absent: Option<ArcArray2<bool>>) -> Self {
        let grid = &plan.grid;
        let (scale, border) = (plan.frame.scale, plan.params.border);
        let along =
            |size, margin, count| nearest(size, (scale, margin, grid.stride), count, border);
        Self {
            rows: along(plan.frame.image.rows, grid.margin.rows, grid.count.rows),
            cols: along(plan.frame.image.cols, grid.margin.cols, grid.count.cols),
            absent,
        }
    }

    fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.cols.len())
    }

    /// Values of a pixel row from those of the sites, 0 where nothing is segmented.
    fn fill<T: Copy + Zero>(&self, sites: &Array2<T>, row: usize, to: &mut [T]) {
        let Some(i) = self.rows[row] else { return to.fill(T::zero()) };
        let values = sites.row(i);
        for (to, j) in to.iter_mut().zip(&self.cols) {
            *to = j.map_or(T::zero(), |j| values[j]);
        }
        self.blank_absent(row, to);
    }

    /// Sets what is not segmented to 0.
    fn blank<T: Copy + Zero>(&self, row: usize, to: &mut [T]) {
        if self.rows[row].is_none() {
            return to.fill(T::zero());
        }
        for (to, j) in to.iter_mut().zip(&self.cols) {
            *to = if j.is_none() { T::zero() } else { *to };
        }
        self.blank_absent(row, to);
    }

    fn blank_absent<T: Copy + Zero>(&self, row: usize, to: &mut [T]) {
        if let Some(absent) = &self.absent {
            for (to, &absent) in to.iter_mut().zip(absent.row(row)) {
                *to = if absent { T::zero() } else { *to };
            }
        }
    }

    /// Number of pixels that take their value from each site, `[site rows, site cols]`.
    fn pixels(&self, sites: (usize, usize)) -> Array2<u64> {
        let mut count = Array2::zeros(sites);
        for (r, i) in self.rows.iter().enumerate() {
            let Some(i) = i else { continue };
            let mut line = count.row_mut(*i);
            match &self.absent {
                None => self.cols.iter().flatten().for_each(|&j| line[j] += 1),
                Some(absent) => {
                    let counted = self.cols.iter().zip(absent.row(r)).filter(|(_, out)| !**out);
                    counted.filter_map(|(j, _)| *j).for_each(|j| line[j] += 1);
                }
            }
        }
        count
    }

    /// Pixels of each cluster, 1 to `clusters`.
    fn areas(&self, sites: &Array2<u16>, clusters: usize) -> Vec<u64> {
        let mut sizes = vec![0; clusters + 1];
        let pixels = self.pixels(sites.dim());
        sites.iter().zip(&pixels).for_each(|(&label, &n)| sizes[usize::from(label)] += n);
        sizes.split_off(1)
    }
}

/// Clusters counted from 1 on the site grid; 0 where the site is masked.
fn place(clusters_of_sites: &[u32], plan: &Plan) -> Array2<u16> {
    let mut active = clusters_of_sites.iter();
    let count = plan.grid.count;
    Array2::from_shape_fn((count.rows, count.cols), |(i, j)| {
        match plan.is_active(i * count.cols + j) {
            true => active.next().map_or(0, |&c| c as u16 + 1),
            false => 0,
        }
    })
}

/// Scores `[k, active sites]` on the site grid, `[k, site rows, site cols]`; masked sites
/// have those of the nearest that counts.
fn on_grid(scores: ArrayView2<'_, f32>, plan: &Plan) -> Array3<f32> {
    let count = plan.grid.count;
    let mut next = 0;
    let number = Array2::from_shape_fn((count.rows, count.cols), |(r, c)| {
        let active = plan.is_active(r * count.cols + c);
        next += usize::from(active);
        next.saturating_sub(1)
    });
    let number = fill(&number, |(r, c)| plan.is_active(r * count.cols + c));
    Array3::from_shape_fn((scores.nrows(), count.rows, count.cols), |(k, r, c)| {
        scores[(k, number[(r, c)])]
    })
}

/// Gives masked sites the value of the nearest that `counts` (in steps along the
/// axes), so that pixels beside a mask find one.
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

/// Nearest site along one axis for each pixel, half-way the lower; `None`
/// outside the cells of the sites under [`Border::Blank`].
fn nearest(
    size: usize,
    (scale, margin, stride): (f64, usize, usize),
    count: usize,
    border: Border,
) -> Vec<Option<usize>> {
    // A site's cell reaches from above half-way to the site before to half-way
    // to the one after.
    let cell = |x: usize| ((x as f64 * scale - margin as f64) / stride as f64 - 0.5).ceil() as i64;
    (0..size)
        .map(|x| match cell(x) {
            i if (0..count as i64).contains(&i) => Some(i as usize),
            _ if border == Border::Blank => None,
            i if i < 0 => Some(0),
            _ => Some(count - 1),
        })
        .collect()
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

/// The label of each cluster: equal sizes keep the clusters' order.
fn label_order(sizes: &[u64], order: Order) -> Vec<u16> {
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

fn relabel(map: &mut Array2<u16>, order: &[u16]) {
    map.mapv_inplace(|v| if v == 0 { UNLABELLED } else { order[usize::from(v) - 1] });
}
