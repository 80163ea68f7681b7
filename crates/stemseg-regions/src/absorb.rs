//! Small regions that go to their neighbours.

use std::collections::{BTreeMap, BTreeSet};

use stemseg::labels::label_map::LabelRun;

use crate::{Region, Regions};

impl Regions {
    /// The label of each region, by number from 1 on, where those below `least` px have gone to
    /// neighbours: the smallest first, each to that with which it shares the most sides of pixels
    /// (of equals the largest, then the one with the lowest number). What it grows together
    /// with counts as one from then on. A region without neighbours stays.
    pub fn absorbed(&self, least: f64) -> Vec<u16> {
        let mut growing = Growing::new(&self.all, self.connected.sides());
        let mut small: BTreeSet<(u64, usize)> =
            growing.areas.iter().enumerate().map(|(i, &area)| (area, i)).collect();
        small.retain(|&(area, _)| (area as f64) < least);
        while let Some((_, i)) = small.pop_first() {
            let Some(label) = growing.most(i).map(|neighbour| growing.labels[neighbour]) else {
                continue;
            };
            growing.labels[i] = label;
            // All neighbours with this label become one with it.
            for neighbour in growing.around(i).into_keys() {
                if growing.labels[neighbour] == label {
                    small.remove(&(growing.areas[neighbour], neighbour));
                    growing.join(neighbour, i);
                }
            }
            let (area, root) = (growing.areas[growing.root(i)], growing.root(i));
            if (area as f64) < least {
                small.insert((area, root));
            }
        }
        (0..self.all.len()).map(|i| growing.labels[growing.root(i)]).collect()
    }

    /// The pixels whose label is another where regions have these `labels`, as
    /// [`absorbed`](Self::absorbed) gives them.
    pub fn changes(&self, labels: &[u16]) -> Vec<LabelRun> {
        let changed = self.connected.runs().filter_map(|(row, cols, number)| {
            let region = number.checked_sub(1)? as usize;
            let label = labels[region];
            (label != self.all[region].label).then_some(LabelRun { row, cols, label })
        });
        changed.collect()
    }
}

/// Regions that grow together.
struct Growing {
    /// What each has become part of; itself where it has not.
    parents: Vec<usize>,
    areas: Vec<u64>,
    labels: Vec<u16>,
    /// Sides of pixels that each shares with others, some of which have become parts since.
    sides: Vec<BTreeMap<usize, u64>>,
}

impl Growing {
    fn new(regions: &[Region], sides: &BTreeMap<(u32, u32), u64>) -> Self {
        let mut around = vec![BTreeMap::new(); regions.len()];
        for (&(a, b), &count) in sides {
            let (a, b) = (a as usize - 1, b as usize - 1);
            around[a].insert(b, count);
            around[b].insert(a, count);
        }
        Self {
            parents: (0..regions.len()).collect(),
            areas: regions.iter().map(|region| region.area_px).collect(),
            labels: regions.iter().map(|region| region.label).collect(),
            sides: around,
        }
    }

    fn root(&self, mut at: usize) -> usize {
        while self.parents[at] != at {
            at = self.parents[at];
        }
        at
    }

    /// The neighbours of a region that is no part, with the sides that it shares with each.
    fn around(&self, at: usize) -> BTreeMap<usize, u64> {
        let mut around = BTreeMap::new();
        for (&other, &count) in &self.sides[at] {
            let root = self.root(other);
            if root != at {
                *around.entry(root).or_insert(0) += count;
            }
        }
        around
    }

    /// The neighbour with which it shares the most sides.
    fn most(&self, at: usize) -> Option<usize> {
        let around = self.around(at).into_iter();
        let key =
            |&(other, count): &(usize, u64)| (count, self.areas[other], std::cmp::Reverse(other));
        around.max_by_key(key).map(|(other, _)| other)
    }

    /// Makes the smaller of two regions, of equals the second, a part of the other: its
    /// neighbours are fewer, for the most part.
    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return;
        }
        let (whole, part) =
            if self.areas[one] >= self.areas[other] { (one, other) } else { (other, one) };
        self.parents[part] = whole;
        self.areas[whole] += self.areas[part];
        for (neighbour, count) in std::mem::take(&mut self.sides[part]) {
            *self.sides[whole].entry(neighbour).or_insert(0) += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn after(labels: &Array2<u16>, least: f64) -> Array2<u16> {
        let regions = Regions::new(&labels.view(), None, None);
        let mut after = labels.clone();
        for LabelRun { row, cols, label } in regions.changes(&regions.absorbed(least)) {
            after.slice_mut(ndarray::s![row, cols]).fill(label);
        }
        after
    }

    #[test]
    fn a_small_region_goes_where_it_shares_most_sides() {
        let labels = array![[1, 1, 1, 2, 2], [1, 1, 3, 2, 2], [1, 1, 2, 2, 2], [1, 1, 2, 2, 2]];
        // Two sides with label 1, two with label 2, of which there is more.
        let expected = array![[1, 1, 1, 2, 2], [1, 1, 2, 2, 2], [1, 1, 2, 2, 2], [1, 1, 2, 2, 2]];
        assert_eq!(after(&labels, 2.0), expected);
        assert_eq!(after(&labels, 1.0), labels, "one pixel is not below one");
    }

    #[test]
    fn what_grows_together_counts_as_one() {
        // Each 3 is below 3 px; with the 4 between them they are 5 px, which stay.
        let labels = array![[1, 1, 1, 1, 1], [3, 3, 4, 3, 3], [1, 1, 1, 1, 1]];
        let kept = array![[1, 1, 1, 1, 1], [3, 3, 1, 3, 3], [1, 1, 1, 1, 1]];
        // The 4 shares two sides with each 1 and one with each 3.
        assert_eq!(after(&labels, 2.0), kept);
        // Then the two 1 are one region that all else lies in.
        assert_eq!(after(&labels, 3.0), Array2::from_elem((3, 5), 1));
    }

    #[test]
    fn nested_regions_go_from_the_smallest_on() {
        let labels = Array2::from_shape_fn((15, 15), |(r, c)| {
            1 + (r.abs_diff(7).max(c.abs_diff(7)) <= 3) as u16
                + (r.abs_diff(7).max(c.abs_diff(7)) <= 1) as u16
        });
        let two = after(&labels, 10.0);
        assert!(two.iter().all(|&label| label < 3));
        assert_eq!(two[(7, 7)], 2);
        assert!(after(&labels, 50.0).iter().all(|&label| label == 1));
        // Nothing is left to go to.
        assert!(after(&labels, 1e9).iter().all(|&label| label == 1));
    }

    #[test]
    fn what_has_no_label_is_neither_kept_nor_a_neighbour() {
        let labels = array![[1, 0, 2], [0, 0, 2], [2, 2, 2]];
        assert_eq!(after(&labels, 3.0), labels);
        assert_eq!(after(&Array2::zeros((3, 4)), 3.0), Array2::<u16>::zeros((3, 4)));
        assert_eq!(after(&Array2::zeros((0, 4)), 3.0).dim(), (0, 4));
    }

    #[test]
    fn no_region_below_the_least_is_left_where_it_has_neighbours() {
        let labels = Array2::from_shape_fn((60, 70), |(r, c)| {
            1 + ((r * 7919 + c * 104_729 + r * c) % 1009 % 3) as u16
        });
        for least in [5.0, 40.0, 400.0] {
            let regions = Regions::new(&after(&labels, least).view(), None, None);
            let small = regions.all().iter().filter(|region| (region.area_px as f64) < least);
            assert_eq!(small.count(), 0, "{least}");
        }
    }
}
