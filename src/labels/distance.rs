//! How far sites lie from others: what tells cores, which lie deep inside.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayViewMut1, Axis, s};
use rayon::prelude::*;

/// The rows and columns that the sites in `of` lie in; nothing where there are none.
pub(crate) fn bounds(of: &Array2<bool>) -> Option<(Range<usize>, Range<usize>)> {
    let any = |line: ArrayView1<'_, bool>| line.iter().any(|&there| there);
    let (first, last) = (of.outer_iter().position(any)?, of.outer_iter().rposition(any)?);
    let mut cols = of.ncols()..0;
    for row in of.slice(s![first..=last, ..]).outer_iter() {
        let (Some(left), Some(right)) =
            (row.iter().position(|&there| there), row.iter().rposition(|&there| there))
        else {
            continue;
        };
        cols = cols.start.min(left)..cols.end.max(right + 1);
    }
    Some((first..last + 1, cols))
}

/// How deep each site of `own` lies among these: its distance from the nearest that is none of
/// them, or lies beyond the border, in sites; 0 elsewhere.
pub(crate) fn depth(own: &Array2<bool>) -> Array2<f32> {
    let mut depth = Array2::zeros(own.dim());
    let Some((rows, cols)) = bounds(own) else { return depth };
    // What lies around is nearer than anything further out.
    let inside = s![1..=rows.len(), 1..=cols.len()];
    let mut others = Array2::from_elem((rows.len() + 2, cols.len() + 2), true);
    let part = s![rows, cols];
    others.slice_mut(inside).zip_mut_with(&own.slice(part), |out, own| *out = !own);
    if let Some(distance) = distance(&others) {
        depth.slice_mut(part).assign(&distance.slice(inside));
    }
    depth
}

/// Distance of each site from the nearest of those in `of`, in sites (Meijster, Roerdink and
/// Hesselink, A general algorithm for computing distance transforms in linear time, 2000);
/// nothing where there are none.
pub(crate) fn distance(of: &Array2<bool>) -> Option<Array2<f32>> {
    if !of.iter().any(|&there| there) {
        return None;
    }
    let (rows, cols) = of.dim();
    // Down and up the columns, whole sites.
    let far = (rows + cols) as i64;
    let mut down = of.mapv(|there| if there { 0 } else { far });
    let nearer = |mut to: ArrayViewMut1<'_, i64>, from: ArrayView1<'_, i64>| {
        to.zip_mut_with(&from, |to, &from| *to = (*to).min(from + 1));
    };
    for r in 1..rows {
        let (above, below) = down.view_mut().split_at(Axis(0), r);
        nearer(below.index_axis_move(Axis(0), 0), above.row(r - 1));
    }
    for r in (1..rows).rev() {
        let (above, below) = down.view_mut().split_at(Axis(0), r);
        nearer(above.index_axis_move(Axis(0), r - 1), below.row(0));
    }
    let mut distance = Array2::zeros((rows, cols));
    let lines = distance.outer_iter_mut().into_par_iter().zip(down.outer_iter());
    lines.for_each_init(Vec::new, |nearest, (mut to, down)| {
        envelope(down, nearest);
        // From the last column on, each to the first one that it is nearest to.
        for (c, to) in to.iter_mut().enumerate().rev() {
            let Some(&(column, from)) = nearest.last() else { break };
            *to = (squared(down, column, c) as f32).sqrt();
            if from == c {
                nearest.pop();
            }
        }
    });
    Some(distance)
}

/// Squared distance of column `c` from what is nearest in `column`, `down[column]` away there.
fn squared(down: ArrayView1<'_, i64>, column: usize, c: usize) -> i64 {
    down[column] * down[column] + (column.abs_diff(c) * column.abs_diff(c)) as i64
}

/// Which columns the columns of a row are nearest to, of what is `down` rows away in each: the
/// column, and the first of those that it is the nearest of, from the left to the right.
fn envelope(down: ArrayView1<'_, i64>, nearest: &mut Vec<(usize, usize)>) {
    nearest.clear();
    for column in 0..down.len() {
        while let Some(&(last, from)) = nearest.last() {
            if squared(down, last, from) <= squared(down, column, from) {
                break;
            }
            nearest.pop();
        }
        let Some(&(last, _)) = nearest.last() else {
            nearest.push((column, 0));
            continue;
        };
        // Up to where the two are equally far, rounded down, the last is the nearer.
        let level = |c: usize| down[c] * down[c] + (c * c) as i64;
        let equal = (level(column) - level(last)) / (2 * (column - last) as i64);
        let from = equal as usize + 1;
        if from < down.len() {
            nearest.push((column, from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_by_definition() {
        // Many, few, a single one in the corner, rows and columns alone.
        let of = [(61, 3), (311, 3), (1000, 292), (2, 0), (7, 1)];
        let shapes = [(23, 31), (31, 23), (1, 40), (40, 1), (25, 24)];
        for (shape, (modulus, rest)) in shapes.into_iter().flat_map(|s| of.map(|of| (s, of))) {
            let mut of = Array2::from_shape_fn(shape, |(r, c)| (7 * r + 5 * c) % modulus == rest);
            of[(shape.0 - 1, shape.1 - 1)] = true;
            let found = distance(&of).unwrap();
            for ((r, c), &d) in found.indexed_iter() {
                let all = of.indexed_iter().filter(|(_, there)| **there);
                let squares = all.map(|((i, j), _)| r.abs_diff(i).pow(2) + c.abs_diff(j).pow(2));
                let least = squares.min().unwrap();
                assert_eq!(d, (least as f32).sqrt(), "{shape:?} {modulus} {r} {c}");
            }
        }
        assert_eq!(distance(&Array2::from_elem((3, 4), false)), None);
    }

    #[test]
    fn depths_are_distances_from_all_that_is_none_of_them() {
        let whole = |own: &Array2<bool>| {
            let (rows, cols) = own.dim();
            let mut others = Array2::from_elem((rows + 2, cols + 2), true);
            others.slice_mut(s![1..=rows, 1..=cols]).assign(&own.mapv(|own| !own));
            distance(&others).unwrap().slice_move(s![1..=rows, 1..=cols])
        };
        let ring = |r: f64, c: f64| (3.0..9.0).contains(&(r - 20.0).hypot(c - 13.0));
        let shapes: [&dyn Fn(usize, usize) -> bool; 5] = [
            &|r, c| ring(r as f64, c as f64),
            &|r, c| r < 7 && c > 11,
            &|r, c| (r + c) % 17 > 3,
            &|_, _| true,
            &|r, c| (r, c) == (5, 6),
        ];
        for own in shapes {
            let own = Array2::from_shape_fn((37, 29), |(r, c)| own(r, c));
            assert_eq!(depth(&own), whole(&own));
        }
        assert_eq!(depth(&Array2::from_elem((4, 3), false)), Array2::<f32>::zeros((4, 3)));
        let own = Array2::from_shape_fn((9, 8), |at| [(3, 2), (5, 6)].contains(&at));
        assert_eq!(bounds(&own), Some((3..6, 2..7)));
    }
}
