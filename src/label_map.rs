//! From one label per site to one label per pixel.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::Serialize;

use crate::plan::{Border, Order, Plan};

/// Value of pixels that are not segmented, in the order [`Order::Size`].
pub const UNLABELLED: u16 = 0;

/// One label per pixel, with the sites' labels that it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelMap {
    /// Label of each pixel, `[rows, cols]`.
    pub pixels: Array2<u16>,
    /// Label of each site, `[site rows, site cols]`; 0 for sites under the mask.
    pub sites: Array2<u16>,
    /// Pixels per label, by label; without those that are not segmented.
    pub areas: Vec<Area>,
    /// Which label each cluster of the clustering got, by cluster.
    pub label_of: Vec<u16>,
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
    /// `clusters - 1`, for the image that `plan` was made for; `mask` as there.
    pub fn new(
        clusters_of_sites: &[u32],
        clusters: usize,
        plan: &Plan,
        mask: Option<ArrayView2<'_, bool>>,
    ) -> Self {
        let sites = place(clusters_of_sites, plan);
        let filled = fill(&sites, |at| sites[at] != 0);
        let mut pixels = upsample(&filled, plan, mask);
        let order = label_order(&count(&pixels, clusters), plan.params.order);
        relabel(&mut pixels, &order);
        let mut sites = sites;
        relabel(&mut sites, &order);
        let areas = areas(&pixels, clusters);
        Self { pixels, sites, areas, label_of: order }
    }

    /// The cluster of a site, nothing where it is masked.
    pub fn cluster_at(&self, site: (usize, usize)) -> Option<usize> {
        let label = self.sites[site];
        self.label_of.iter().position(|&l| l == label).filter(|_| label != UNLABELLED)
    }

    /// Spreads a value of each site `[active sites]` over the pixels like the
    /// labels, `[rows, cols]`; 0 where nothing is segmented.
    pub fn spread(&self, values: &[f32], plan: &Plan) -> Array2<f32> {
        let mut active = values.iter();
        let sites = self.sites.mapv(|label| match label {
            UNLABELLED => 0.0,
            _ => active.next().copied().unwrap_or_default(),
        });
        let mut pixels = upsample(&fill(&sites, |at| self.sites[at] != UNLABELLED), plan, None);
        pixels.zip_mut_with(&self.pixels, |value, &label| {
            if label == UNLABELLED {
                *value = 0.0;
            }
        });
        pixels
    }

    /// Largest label.
    pub fn largest(&self) -> u16 {
        self.areas.iter().map(|a| a.label).max().unwrap_or(UNLABELLED)
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
    margin: usize,
    stride: usize,
    count: usize,
    border: Border,
) -> Vec<Option<usize>> {
    // A site's cell reaches from above half-way to the site before to half-way
    // to the one after: ceil((x - margin) / stride - 1/2).
    let cell = |x: usize| {
        let from_margin = 2 * (x as i64 - margin as i64) - stride as i64;
        from_margin.div_euclid(2 * stride as i64)
            + i64::from(from_margin.rem_euclid(2 * stride as i64) != 0)
    };
    (0..size)
        .map(|x| match cell(x) {
            i if (0..count as i64).contains(&i) => Some(i as usize),
            _ if border == Border::Blank => None,
            i if i < 0 => Some(0),
            _ => Some(count - 1),
        })
        .collect()
}

fn upsample<T: Copy + num_traits::Zero + Send + Sync>(
    sites: &Array2<T>,
    plan: &Plan,
    mask: Option<ArrayView2<'_, bool>>,
) -> Array2<T> {
    let grid = &plan.grid;
    let along = |size, margin, count| nearest(size, margin, grid.stride, count, plan.params.border);
    let rows = along(plan.shape.rows, grid.margin.rows, grid.count.rows);
    let cols = along(plan.shape.cols, grid.margin.cols, grid.count.cols);
    let mut pixels = Array2::zeros((plan.shape.rows, plan.shape.cols));
    pixels.outer_iter_mut().into_par_iter().enumerate().for_each(|(r, mut line)| {
        let Some(i) = rows[r] else { return };
        let labels = sites.row(i);
        for (c, (pixel, j)) in line.iter_mut().zip(&cols).enumerate() {
            let masked = mask.is_some_and(|m| m[(r, c)]);
            if let (Some(j), false) = (j, masked) {
                *pixel = labels[*j];
            }
        }
    });
    pixels
}

/// Pixels of each label, 1 to `clusters`.
fn count(pixels: &Array2<u16>, clusters: usize) -> Vec<u64> {
    let mut counts = vec![0; clusters + 1];
    pixels.for_each(|&p| counts[usize::from(p)] += 1);
    counts.split_off(1)
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
    map.par_mapv_inplace(|v| if v == 0 { UNLABELLED } else { order[usize::from(v) - 1] });
}

fn areas(pixels: &Array2<u16>, clusters: usize) -> Vec<Area> {
    let area = |(i, &n): (usize, &u64)| Area {
        label: i as u16 + 1,
        pixels: n,
        fraction: n as f64 / pixels.len() as f64,
    };
    count(pixels, clusters).iter().enumerate().map(area).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::{FamilyParams, translation};
    use crate::plan::Params;
    use crate::sites::Extent;

    /// 20 x 30 px, sites at 3, 7, 11, 15 (rows) and 3, 7, ..., 23 (columns).
    fn plan(border: Border, order: Order, mask: Option<&Array2<bool>>) -> Plan {
        let translation = translation::Params {
            patch: Extent::square(2),
            window: Extent::square(1),
            ..Default::default()
        };
        let families = vec![FamilyParams::Translation(translation)];
        let params = Params { families, stride: 4, border, order, ..Default::default() };
        Plan::new(params, (20, 30), mask.map(|m| m.view())).unwrap()
    }

    #[test]
    fn pixels_half_way_belong_to_the_lower_site() {
        let rows = nearest(20, 3, 4, 4, Border::Nearest);
        let expected = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3];
        assert_eq!(rows, expected.map(Some));
        let odd = nearest(9, 1, 3, 3, Border::Nearest);
        assert_eq!(odd, [0, 0, 0, 1, 1, 1, 2, 2, 2].map(Some));
    }

    #[test]
    fn blank_leaves_what_lies_outside_the_cells() {
        let rows = nearest(20, 3, 4, 4, Border::Blank);
        let labelled: Vec<bool> = rows.iter().map(Option::is_some).collect();
        let expected: Vec<bool> = (0..20).map(|x| (2..=17).contains(&x)).collect();
        assert_eq!(labelled, expected);
    }

    #[test]
    fn the_largest_pattern_is_one_and_pystem_turns_the_order_round() {
        let plan_by_size = plan(Border::Nearest, Order::Size, None);
        let sites: Vec<u32> = (0..plan_by_size.grid.len()).map(|i| u32::from(i >= 6)).collect();
        let map = LabelMap::new(&sites, 2, &plan_by_size, None);
        assert_eq!((map.pixels[(0, 0)], map.pixels[(19, 29)]), (2, 1));
        assert!(map.areas[0].pixels > map.areas[1].pixels);
        assert_eq!(map.areas.iter().map(|a| a.pixels).sum::<u64>(), 600);
        let reverse = LabelMap::new(&sites, 2, &plan(Border::Nearest, Order::Pystem, None), None);
        assert_eq!((reverse.pixels[(0, 0)], reverse.pixels[(19, 29)]), (1, 2));
        assert!(reverse.areas[0].pixels < reverse.areas[1].pixels);
    }

    #[test]
    fn masked_pixels_have_no_label_and_their_neighbours_have_one() {
        let mask = Array2::from_shape_fn((20, 30), |(r, c)| r < 4 && c < 4);
        let plan = plan(Border::Nearest, Order::Size, Some(&mask));
        assert_eq!(plan.active_sites(), plan.grid.len() - 1);
        let map = LabelMap::new(&vec![0; plan.active_sites()], 1, &plan, Some(mask.view()));
        assert_eq!(map.sites[(0, 0)], UNLABELLED);
        assert!(map.pixels.indexed_iter().all(|(at, &l)| (l == UNLABELLED) == mask[at]));
    }
}
