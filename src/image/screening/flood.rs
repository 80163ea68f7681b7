//! Connected regions, run by run along the rows.

use std::ops::Range;

use ndarray::Array2;

/// Pixels as runs: a row, and columns.
pub(super) type Region = Vec<(usize, Range<usize>)>;

/// Number of pixels of a region.
pub(super) fn size(region: &Region) -> usize {
    region.iter().map(|(_, cols)| cols.len()).sum()
}

/// The pixels of a region.
pub(super) fn pixels(region: &Region) -> impl Iterator<Item = (usize, usize)> {
    region.iter().flat_map(|(row, cols)| cols.clone().map(|col| (*row, col)))
}

/// The pixels that `belongs` takes and that are connected to `start` along rows and
/// columns, which are marked as `mark`; it stops once there are more than `most`.
/// `belongs` must refuse what is marked.
pub(super) fn flood(
    state: &mut Array2<u8>,
    mark: u8,
    start: (usize, usize),
    most: usize,
    mut belongs: impl FnMut(&Array2<u8>, (usize, usize)) -> bool,
) -> Region {
    let (rows, cols) = state.dim();
    let (mut stack, mut region, mut count) = (vec![start], Region::new(), 0);
    while let Some((row, col)) = stack.pop() {
        if !belongs(state, (row, col)) {
            continue;
        }
        let mut left = col;
        while left > 0 && belongs(state, (row, left - 1)) {
            left -= 1;
        }
        let mut right = col + 1;
        while right < cols && belongs(state, (row, right)) {
            right += 1;
        }
        (left..right).for_each(|col| state[(row, col)] = mark);
        count += right - left;
        region.push((row, left..right));
        if count > most {
            return region;
        }
        for next in [row.wrapping_sub(1), row + 1].into_iter().filter(|&next| next < rows) {
            let mut before = false;
            for col in left..right {
                let here = belongs(state, (next, col));
                if here && !before {
                    stack.push((next, col));
                }
                before = here;
            }
        }
    }
    region
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_connected_is_found_whatever_its_shape() {
        // A spiral, and a block next to it.
        let picture = [
            "#######..##",
            "......#..##",
            "#####.#....",
            "#...#.#....",
            "#.###.#....",
            "#.....#....",
            "#######....",
        ];
        let cell = |(r, c): (usize, usize)| picture[r].as_bytes()[c] == b'#';
        let mut state = Array2::zeros((7, 11));
        let found = flood(&mut state, 1, (4, 3), usize::MAX, |s, at| s[at] == 0 && cell(at));
        let all = (0..7).flat_map(|r| (0..11).map(move |c| (r, c)));
        let spiral = all.filter(|&(r, c)| c < 8 && cell((r, c))).count();
        assert_eq!(size(&found), spiral);
        assert!(pixels(&found).all(|at| state[at] == 1));
        assert_eq!(state.iter().filter(|&&s| s == 1).count(), spiral);
        assert_eq!((state[(0, 0)], state[(0, 9)], state[(3, 2)]), (1, 0, 0));
        let block = flood(&mut state, 1, (0, 9), 1, |s, at| s[at] == 0 && cell(at));
        assert_eq!(block, [(0, 9..11)], "no more than it takes to know");
    }
}
