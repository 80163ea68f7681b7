//! Sides of pixels at which regions of two labels meet, each with the place at sub-pixel where it is
//! crossed.

use std::ops::Range;

use rayon::prelude::*;
use stemseg::image::rows::Rows;

use crate::outline::Edge;
use crate::{Connected, Point};

/// Rows whose sides are made at once.
const BLOCK: usize = 64;

/// A run of pixels: its row, its columns and the number of its region.
type Run = (usize, Range<usize>, u32);

/// A side of pixels between two regions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Side {
    /// Numbers of the regions, the lower first: so are their labels.
    pub(crate) regions: [u32; 2],
    /// The side, with the first region to its right.
    pub(crate) edge: Edge,
    /// Where the memberships in both labels are equal on the way from one pixel's centre to the
    /// other's: row and column, px.
    pub(crate) at: Point,
}

/// A row of the confidence, made when somebody asks for it.
struct Line<'a> {
    confidence: Option<&'a dyn Rows<f32>>,
    row: usize,
    values: Vec<f32>,
}

impl Line<'_> {
    /// How sure the pixel in this column is of its label, where that is known.
    fn at(&mut self, col: usize) -> Option<f32> {
        let confidence = self.confidence?;
        if self.values.is_empty() {
            self.values.resize(confidence.shape().1, 0.0);
            confidence.fill(self.row, &mut self.values);
        }
        Some(self.values[col])
    }
}

/// All sides between regions, by the regions and then by the corners that they lead from. Rows of
/// `confidence` are asked for where there are sides, and never kept.
pub(crate) fn sides(connected: &Connected, confidence: Option<&dyn Rows<f32>>) -> Vec<Side> {
    let runs: Vec<Run> = connected.runs().collect();
    let lines: Vec<&[Run]> = runs.chunk_by(|a, b| a.0 == b.0).collect();
    let of_block = |first: usize| {
        let mut sides = Vec::new();
        let line = |row: usize| Line { confidence, row, values: Vec::new() };
        let mut own = line(first);
        for row in first..lines.len().min(first + BLOCK) {
            along(lines[row], &mut own, &mut sides);
            let mut next = line(row + 1);
            if let Some(below) = lines.get(row + 1) {
                across(lines[row], below, [&mut own, &mut next], &mut sides);
            }
            own = next;
        }
        sides
    };
    let blocks: Vec<usize> = (0..lines.len()).step_by(BLOCK).collect();
    let mut sides: Vec<Side> = blocks.into_par_iter().flat_map_iter(of_block).collect();
    sides.par_sort_unstable_by_key(|side| (side.regions, side.edge));
    sides
}

/// Whether a side between regions with these numbers is one between labels: regions of one label
/// share no side.
fn between(one: u32, other: u32) -> bool {
    one != 0 && other != 0 && one != other
}

/// Adds the upright sides between the runs of a row.
fn along(runs: &[Run], sure: &mut Line<'_>, sides: &mut Vec<Side>) {
    for pair in runs.windows(2) {
        let [(row, left, one), (_, right, other)] = pair else { continue };
        if !between(*one, *other) {
            continue;
        }
        let col = right.start;
        let way = crossing(sure.at(left.end - 1), sure.at(col));
        let (top, bottom) = ([*row as u32, col as u32], [*row as u32 + 1, col as u32]);
        let edge = if one < other { [top, bottom] } else { [bottom, top] };
        sides.push(Side {
            regions: [*one.min(other), *one.max(other)],
            edge: Edge { from: edge[0], to: edge[1] },
            at: [*row as f64, (col - 1) as f64 + way],
        });
    }
}

/// Adds the level sides between the runs of a row and those of the one below.
fn across(above: &[Run], below: &[Run], sure: [&mut Line<'_>; 2], sides: &mut Vec<Side>) {
    let [upper, lower] = sure;
    let (mut i, mut j) = (0, 0);
    while i < above.len() && j < below.len() {
        let ((row, cols, one), (_, others, other)) = (&above[i], &below[j]);
        if between(*one, *other) {
            for col in cols.start.max(others.start)..cols.end.min(others.end) {
                let way = crossing(upper.at(col), lower.at(col));
                let bottom = *row as u32 + 1;
                let (left, right) = ([bottom, col as u32], [bottom, col as u32 + 1]);
                let edge = if one < other { [right, left] } else { [left, right] };
                sides.push(Side {
                    regions: [*one.min(other), *one.max(other)],
                    edge: Edge { from: edge[0], to: edge[1] },
                    at: [*row as f64 + way, col as f64],
                });
            }
        }
        // The one that ends first meets nothing further.
        if cols.end <= others.end { i += 1 } else { j += 1 }
    }
}

/// How far on the way from one pixel's centre to the next, 0 to 1, the memberships in their labels
/// are equal, if these change steadily; half-way where that cannot be told.
///
/// Each pixel is this sure of its own label. Where it belongs to these two labels alone, as along
/// most of a boundary, its membership in the other is the rest, and the difference `2 p - 1`: so
/// nobody has to work out all memberships of all pixels, which would take longer than everything else
/// here. Near triple points a third label has a share, and what is said there is half-way or biased
/// towards it, by less than a pixel.
fn crossing(one: Option<f32>, other: Option<f32>) -> f64 {
    let Some((one, other)) = one.zip(other) else { return 0.5 };
    let [from, to] = [one, other].map(|sure| 2.0 * f64::from(sure) - 1.0);
    match from >= 0.0 && to >= 0.0 && from + to > 0.0 {
        true => from / (from + to),
        false => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::Regions;

    fn of(labels: &Array2<u16>, sure: &Array2<f32>) -> Vec<Side> {
        let regions = Regions::new(&labels.view(), None, None);
        sides(&regions.connected, Some(&sure.view()))
    }

    #[test]
    fn sides_are_crossed_where_memberships_are_equal() {
        let found = of(&array![[1, 2], [2, 2]], &array![[0.6, 0.9], [0.8, 1.0]]);
        let expected = [([0, 1], [0, 1], [1, 1], 0.2), ([0, 0], [1, 1], [1, 0], 0.25)];
        assert_eq!(found.len(), 2);
        for (side, (_, from, to, way)) in found.iter().zip(expected) {
            assert_eq!((side.edge.from, side.edge.to), (from, to));
            assert_eq!(side.regions, [1, 2]);
            assert!((side.at[0] + side.at[1] - way).abs() < 1e-6, "{side:?}");
        }
        // The other way round: the lower label stays to the right.
        let found = of(&array![[2, 1]], &array![[0.7, 1.0]]);
        assert_eq!((found[0].edge.from, found[0].edge.to), ([1, 1], [0, 1]));
        assert!((found[0].at[1] - 0.4 / 1.4).abs() < 1e-6);
    }

    #[test]
    fn where_equality_is_not_bracketed_sides_are_crossed_in_the_middle() {
        for sure in [array![[0.3, 0.9]], array![[0.9, 0.0]], array![[0.5, 0.5]]] {
            assert_eq!(of(&array![[1, 2]], &sure)[0].at, [0.0, 0.5]);
        }
        let regions = Regions::new(&array![[1, 2]].view(), None, None);
        assert_eq!(sides(&regions.connected, None)[0].at, [0.0, 0.5]);
    }

    #[test]
    fn what_has_no_label_has_no_sides_and_blocks_hold_together() {
        assert!(of(&array![[1, 0, 2]], &array![[1.0, 0.0, 1.0]]).is_empty());
        let labels = Array2::from_shape_fn((300, 5), |(r, c)| 1 + ((r / 64 + c) % 3) as u16);
        let found = of(&labels, &Array2::ones((300, 5)));
        // Upright ones in each row, and level ones at each 64th.
        assert_eq!(found.len(), 300 * 4 + 4 * 5);
        assert!(found.is_sorted_by_key(|side| (side.regions, side.edge)));
    }
}
