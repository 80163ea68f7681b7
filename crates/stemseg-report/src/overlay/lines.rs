//! Boundary lines: which pixels adjoin another label.

use std::ops::Range;

/// Marks the pixels of `rows[at]` that have another label within `half` px (1: only
/// those that touch one), so that a boundary becomes a line of twice that width.
/// `rows` are consecutive rows of labels; those around `at` count as neighbours.
/// Pixels without a label (0) are never marked.
pub(super) fn beside_another(rows: &[Vec<u16>], at: Range<usize>, half: usize) -> Vec<Vec<bool>> {
    let change: Vec<Vec<usize>> = rows.iter().map(|row| distance_to_change(row)).collect();
    // How far a disc of this radius reaches along the rows above and below.
    let reach = |up: usize| {
        let radius = half as f64 + 0.5;
        (radius * radius - (up * up) as f64).sqrt() as usize
    };
    at.map(|row| {
        let labels = &rows[row];
        let mut marked = vec![false; labels.len()];
        for other in row.saturating_sub(half)..rows.len().min(row + half + 1) {
            let reach = reach(row.abs_diff(other));
            let beside = rows[other].iter().zip(&change[other]);
            for ((marked, &label), (&beside, &change)) in marked.iter_mut().zip(labels).zip(beside)
            {
                *marked |= label != 0 && (beside != label || change <= reach);
            }
        }
        marked
    })
    .collect()
}

/// Distance of each pixel from the nearest in its row that has another label.
fn distance_to_change(row: &[u16]) -> Vec<usize> {
    let mut distance = vec![usize::MAX; row.len()];
    let mut first = 0;
    for run in row.chunk_by(|a, b| a == b) {
        let end = first + run.len();
        for (col, distance) in (first..end).zip(&mut distance[first..end]) {
            let left = if first > 0 { col + 1 - first } else { usize::MAX };
            let right = if end < row.len() { end - col } else { usize::MAX };
            *distance = left.min(right);
        }
        first = end;
    }
    distance
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By looking at every pixel within the disc.
    fn by_definition(rows: &[Vec<u16>], row: usize, col: usize, half: usize) -> bool {
        let label = rows[row][col];
        let radius = half as f64 + 0.5;
        let near =
            |r: usize, c: usize| (r.abs_diff(row) as f64).hypot(c.abs_diff(col) as f64) <= radius;
        let mut all = (0..rows.len()).flat_map(|r| (0..rows[r].len()).map(move |c| (r, c)));
        label != 0 && all.any(|(r, c)| near(r, c) && rows[r][c] != label)
    }

    #[test]
    fn marked_pixels_are_those_within_a_disc() {
        let rows: Vec<Vec<u16>> = (0..23)
            .map(|r: usize| {
                (0..31).map(|c: usize| ((r / 7) * 3 + (c + r / 3) / 8) as u16 % 4).collect()
            })
            .collect();
        for half in 1..5 {
            let marked = beside_another(&rows, 4..19, half);
            for (row, marked) in (4..19).zip(&marked) {
                for (col, &marked) in marked.iter().enumerate() {
                    let expected = by_definition(&rows, row, col, half);
                    assert_eq!(marked, expected, "{half}: row {row}, column {col}");
                }
            }
        }
    }

    #[test]
    fn one_label_has_no_boundary() {
        let marked = beside_another(&vec![vec![3; 9]; 5], 0..5, 2);
        assert!(marked.iter().flatten().all(|&marked| !marked));
    }
}
