//! Sides of pixels joined to lines.

use crate::Point;
use crate::outline::{Corner, Edge, following};
use crate::sides::Side;

/// Sides between two regions that follow on each other, with the first region to the right.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chain {
    /// Numbers of the regions.
    pub(crate) regions: [u32; 2],
    /// Where it crosses from pixel to pixel; row and column, px.
    pub(crate) points: Vec<Point>,
    /// Whether its last side leads to its first.
    pub(crate) closed: bool,
    /// The corners at its ends, each with the one next to it: the first side's, then the last's.
    pub(crate) ends: [[Corner; 2]; 2],
}

/// The chains of `sides`, which are sorted by regions and edges: by regions, open ones first, each
/// from the uppermost leftmost of its corners where it is closed.
pub(crate) fn chains(sides: &[Side]) -> Vec<Chain> {
    sides.chunk_by(|a, b| a.regions == b.regions).flat_map(of_pair).collect()
}

/// Those between two regions.
fn of_pair(sides: &[Side]) -> Vec<Chain> {
    let edges: Vec<Edge> = sides.iter().map(|side| side.edge).collect();
    let next: Vec<Option<usize>> = edges.iter().map(|&edge| following(&edges, edge)).collect();
    let mut led = vec![false; sides.len()];
    next.iter().flatten().for_each(|&next| led[next] = true);
    let open = (0..sides.len()).filter(|&at| !led[at]);
    let mut used = vec![false; sides.len()];
    let mut chains = Vec::new();
    for first in open.chain(0..sides.len()) {
        if used[first] {
            continue;
        }
        let (mut points, mut last) = (Vec::new(), first);
        let mut at = Some(first);
        while let Some(side) = at.filter(|&side| !used[side]) {
            used[side] = true;
            points.push(sides[side].at);
            last = side;
            at = next[side];
        }
        chains.push(Chain {
            regions: sides[first].regions,
            points,
            closed: at == Some(first),
            ends: [[edges[first].from, edges[first].to], [edges[last].to, edges[last].from]],
        });
    }
    chains
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::Regions;
    use crate::sides::sides;

    fn of(labels: &Array2<u16>) -> Vec<Chain> {
        chains(&sides(&Regions::new(&labels.view(), None, None).connected, None))
    }

    #[test]
    fn chains_hold_each_side_once_and_end_where_a_third_region_begins() {
        let found = of(&array![[1, 1, 2], [1, 1, 2], [3, 3, 3]]);
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|chain| !chain.closed));
        assert_eq!(found[0].points, [[0.0, 1.5], [1.0, 1.5]]);
        assert_eq!(found[0].ends, [[[0, 2], [1, 2]], [[2, 2], [1, 2]]]);
        assert_eq!(found.iter().map(|chain| chain.points.len()).sum::<usize>(), 5);
    }

    #[test]
    fn a_region_inside_another_is_followed_all_around() {
        let found = of(&array![[1, 1, 1], [1, 2, 1], [1, 1, 1]]);
        assert_eq!((found.len(), found[0].closed, found[0].points.len()), (1, true, 4));
    }

    #[test]
    fn lines_pass_by_pixels_that_touch_in_a_corner_alone() {
        // Two regions of label 2 that are no neighbours, in label 1.
        let found = of(&array![[1, 1, 1, 1], [1, 2, 1, 1], [1, 1, 2, 1], [1, 1, 1, 1]]);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|chain| chain.closed && chain.points.len() == 4));
        // One region that touches itself there, with a pixel of the other label in its hole.
        let labels = array![[1, 1, 1, 1], [1, 2, 2, 1], [1, 1, 2, 2], [1, 2, 1, 2], [1, 2, 2, 2]];
        let found = of(&labels);
        assert_eq!(found.iter().map(|chain| chain.points.len()).collect::<Vec<_>>(), [10, 4]);
        assert_eq!(found.iter().map(|chain| chain.closed).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn what_has_no_label_ends_chains() {
        let found = of(&array![[1, 2], [1, 0], [1, 2], [1, 2]]);
        assert_eq!(found.iter().map(|chain| chain.points.len()).collect::<Vec<_>>(), [2, 1]);
        assert!(of(&Array2::ones((4, 4))).is_empty() && of(&Array2::zeros((0, 3))).is_empty());
    }

    #[test]
    fn every_side_of_a_random_map_lies_on_one_chain() {
        let labels = Array2::from_shape_fn((40, 50), |(r, c)| {
            ((r * 7919 + c * 104_729 + r * c) % 1009 % 4) as u16
        });
        let regions = Regions::new(&labels.view(), None, None);
        let all = sides(&regions.connected, None);
        let mut passed: Vec<Point> = chains(&all).into_iter().flat_map(|c| c.points).collect();
        let mut expected: Vec<Point> = all.iter().map(|side| side.at).collect();
        let order = |a: &Point, b: &Point| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1]));
        passed.sort_by(order);
        expected.sort_by(order);
        assert_eq!(passed, expected);
    }
}
