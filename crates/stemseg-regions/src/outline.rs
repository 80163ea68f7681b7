//! Outlines of regions along the corners of pixels.

use std::ops::Range;

use rayon::prelude::*;

use crate::Regions;

/// A corner of pixels, as row and column: pixel `[r, c]` reaches from corner `[r, c]` to
/// `[r + 1, c + 1]`.
pub type Corner = [u32; 2];

/// Where a region ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Its number.
    pub region: u32,
    /// Rings of corners at which they turn, each from its uppermost leftmost one on; the last
    /// leads back to the first. First the outer one, clockwise on the image, then those of holes,
    /// counter-clockwise.
    pub rings: Vec<Vec<Corner>>,
}

/// A piece of an outline, with the region to its right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) from: Corner,
    pub(crate) to: Corner,
}

impl Regions {
    /// The outlines of all regions, in the order of their numbers. No ring meets itself: where
    /// pixels of a region touch in a corner alone, one of its holes has a corner there.
    pub fn outlines(&self) -> Vec<Outline> {
        let mut edges: Vec<Vec<Edge>> = vec![Vec::new(); self.all().len()];
        let runs: Vec<(usize, Range<usize>, u32)> = self.connected.runs().collect();
        let lines: Vec<_> = runs.chunk_by(|a, b| a.0 == b.0).collect();
        let next_to = |line: Option<usize>| line.and_then(|line| lines.get(line)).copied();
        for (at, line) in lines.iter().enumerate() {
            let (above, below) = (next_to(at.checked_sub(1)), next_to(Some(at + 1)));
            for (row, cols, number) in line.iter().filter(|(_, _, number)| *number > 0) {
                let own = &mut edges[*number as usize - 1];
                let [top, bottom] = [*row as u32, *row as u32 + 1];
                let [left, right] = [cols.start as u32, cols.end as u32];
                own.push(Edge { from: [bottom, left], to: [top, left] });
                own.push(Edge { from: [top, right], to: [bottom, right] });
                let free = |line: Option<&[_]>| uncovered(cols, *number, line.unwrap_or(&[]));
                for Range { start, end } in free(above) {
                    own.push(Edge { from: [top, start as u32], to: [top, end as u32] });
                }
                for Range { start, end } in free(below) {
                    own.push(Edge { from: [bottom, end as u32], to: [bottom, start as u32] });
                }
            }
        }
        let outline = |(i, edges)| Outline { region: i as u32 + 1, rings: rings(edges) };
        edges.into_par_iter().enumerate().map(outline).collect()
    }
}

/// What of `cols` is not next to the runs of region `number` in a neighbouring row.
fn uncovered(
    cols: &Range<usize>,
    number: u32,
    line: &[(usize, Range<usize>, u32)],
) -> Vec<Range<usize>> {
    let mut free = Vec::new();
    let mut start = cols.start;
    let first = line.partition_point(|(_, other, _)| other.end <= cols.start);
    let met = line[first..].iter().take_while(|(_, other, _)| other.start < cols.end);
    for (_, other, _) in met.filter(|(_, _, other)| *other == number) {
        if other.start > start {
            free.push(start..other.start);
        }
        start = other.end;
    }
    if start < cols.end {
        free.push(start..cols.end);
    }
    free
}

/// The rings that the edges of a region make.
fn rings(mut edges: Vec<Edge>) -> Vec<Vec<Corner>> {
    edges.sort_unstable();
    let mut used = vec![false; edges.len()];
    let mut rings = Vec::new();
    for first in 0..edges.len() {
        if used[first] {
            continue;
        }
        let (mut ring, mut at) = (Vec::new(), first);
        loop {
            used[at] = true;
            let edge = edges[at];
            // The outline of a region ends nowhere.
            let next = following(&edges, edge).unwrap_or(first);
            if direction(edges[next]) != direction(edge) {
                ring.push(edge.to);
            }
            if next == first {
                break;
            }
            at = next;
        }
        // From the uppermost leftmost corner on.
        let start = ring.iter().enumerate().min_by_key(|(_, corner)| **corner).map(|(at, _)| at);
        ring.rotate_left(start.unwrap_or(0));
        rings.push(ring);
    }
    rings.sort_by_key(|ring| (twice_the_area(ring) < 0, ring.first().copied()));
    rings
}

/// The edge of sorted `edges` that goes on where `edge` ends, if one does; of two the one to the left. Pixels of a region that
/// touch in a corner are connected some other way around, which parts what lies on both sides of the
/// corner: so the ring that goes on to the left never comes back to it.
pub(crate) fn following(edges: &[Edge], edge: Edge) -> Option<usize> {
    let first = edges.partition_point(|other| other.from < edge.to);
    edges.get(first).filter(|other| other.from == edge.to)?;
    let [down, right] = direction(edge);
    let to_the_left = [-right, down];
    let of_two = edges.get(first + 1).is_some_and(|other| other.from == edge.to);
    Some(first + usize::from(of_two && direction(edges[first]) != to_the_left))
}

/// Where an edge leads, down and to the right: -1, 0 or 1.
fn direction(Edge { from, to }: Edge) -> [i64; 2] {
    [0, 1].map(|axis| (i64::from(to[axis]) - i64::from(from[axis])).signum())
}

/// Twice the area within a ring, below 0 where it is counter-clockwise on the image.
fn twice_the_area(ring: &[Corner]) -> i64 {
    let next = ring.iter().cycle().skip(1);
    let cross = |(a, b): (&Corner, &Corner)| {
        let [a, b] = [a, b].map(|corner| corner.map(i64::from));
        a[1] * b[0] - b[1] * a[0]
    };
    ring.iter().zip(next).map(cross).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn outlines(labels: &Array2<u16>) -> Vec<Outline> {
        Regions::new(&labels.view(), None, None).outlines()
    }

    #[test]
    fn a_region_with_a_hole_has_two_rings() {
        let labels = array![[1, 1, 1, 0], [1, 2, 1, 0], [1, 1, 1, 1]];
        let found = outlines(&labels);
        let outer = vec![[0, 0], [0, 3], [2, 3], [2, 4], [3, 4], [3, 0]];
        let hole = vec![[1, 1], [2, 1], [2, 2], [1, 2]];
        assert_eq!(found[0], Outline { region: 1, rings: vec![outer, hole] });
        let inside = vec![[1, 1], [1, 2], [2, 2], [2, 1]];
        assert_eq!(found[1], Outline { region: 2, rings: vec![inside] });
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn no_ring_meets_itself_in_a_corner() {
        let labels = array![[1, 1, 1], [1, 2, 1], [1, 1, 2], [2, 2, 2]];
        let found = outlines(&labels);
        assert_eq!(found.len(), 3);
        // The hole of label 1 is the pixel alone.
        assert_eq!(found[0].rings[1], [[1, 1], [2, 1], [2, 2], [1, 2]]);
        assert_eq!(found.iter().map(|outline| outline.rings.len()).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn rings_hold_the_pixels_of_their_regions_and_no_others() {
        let labels = Array2::from_shape_fn((40, 50), |(r, c)| {
            ((r * 7919 + c * 104_729 + r * c) % 1009 % 3) as u16
        });
        let regions = Regions::new(&labels.view(), None, None);
        let numbers = regions.numbers();
        let mut holes = 0;
        for (outline, region) in regions.outlines().iter().zip(regions.all()) {
            assert_eq!(outline.region, region.region);
            let areas: Vec<i64> = outline.rings.iter().map(|ring| twice_the_area(ring)).collect();
            assert_eq!(areas.iter().sum::<i64>(), 2 * region.area_px as i64);
            assert!(areas[0] > 0 && areas[1..].iter().all(|&area| area < 0), "{areas:?}");
            holes += areas.len() - 1;
            for ring in &outline.rings {
                let once: std::collections::BTreeSet<_> = ring.iter().collect();
                assert_eq!(once.len(), ring.len(), "a ring meets itself: {ring:?}");
            }
            // A ray to the left meets an odd number of upright edges.
            for ((r, c), &number) in numbers.indexed_iter() {
                let crossed = |ring: &Vec<Corner>| {
                    let next = ring.iter().cycle().skip(1);
                    let upright = ring.iter().zip(next).filter(|(a, b)| {
                        let rows = a[0].min(b[0])..a[0].max(b[0]);
                        a[1] == b[1] && a[1] as usize <= c && rows.contains(&(r as u32))
                    });
                    upright.count()
                };
                let inside = outline.rings.iter().map(crossed).sum::<usize>() % 2 == 1;
                assert_eq!(inside, number == region.region, "{r} {c}");
            }
        }
        assert!(holes > 10, "{holes}");
    }

    #[test]
    fn maps_without_labels_have_no_outlines() {
        assert!(outlines(&Array2::zeros((3, 4))).is_empty());
        assert!(outlines(&Array2::zeros((0, 0))).is_empty());
        assert_eq!(outlines(&Array2::ones((2, 3)))[0].rings, [[[0, 0], [0, 3], [2, 3], [2, 0]]]);
    }
}
