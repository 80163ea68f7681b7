//! How long the boundaries between labels are.
//!
//! Labels of pixels end in stairs, whose length says nothing. What counts is how
//! often lines across the sites meet another label: by the Cauchy-Crofton formula
//! the length of a curve is half the integral of its crossings over all lines,
//!
//! `L = 1/2 sum_i dtheta_i N_i A / |d_i|`
//!
//! with `N_i` the pairs of sites one step `d_i` apart whose labels differ, `A` the
//! area of a site's cell, `A / |d_i|` the distance of neighbouring lines of that
//! direction, and `dtheta_i` the angle that stands for it.

use std::collections::BTreeMap;

use ndarray::ArrayView2;
use rayon::prelude::*;
use serde::Serialize;

use crate::image::micrograph::PixelSize;
use crate::image::sampling::Frame;
use crate::labels::label_map::{LabelMap, UNLABELLED};
use crate::sites::Sites;

/// Steps from site to site, rows and columns, by their angle. With these eight
/// straight lines of any angle come out right to 2 %.
const STEPS: [(usize, isize); 8] =
    [(0, 1), (1, 2), (1, 1), (2, 1), (1, 0), (2, -1), (1, -1), (1, -2)];

/// The boundary between two labels, as far as there are sites: what is extended to
/// the image's edge does not count, nor what lies under a mask.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Boundary {
    /// The labels, the smaller first.
    pub labels: [u16; 2],
    /// Length, px.
    pub length_px: f64,
    /// Length, nm, where the file is calibrated.
    pub length_nm: Option<f64>,
}

/// Pairs of sites across a boundary, for each of [`STEPS`].
type Crossings = [u64; STEPS.len()];

/// Boundaries of `map`, of `sites` in `frame`, the longest first.
pub fn boundaries(
    map: &LabelMap,
    sites: &Sites,
    frame: &Frame,
    pixel_size: Option<PixelSize>,
) -> Vec<Boundary> {
    // In pixels of the image.
    let stride = sites.grid().stride as f64 / frame.scale;
    let px = weights(stride, stride);
    let nm = pixel_size.map(|size| weights(stride * size.rows, stride * size.cols));
    let length = |weights: [f64; STEPS.len()], crossings: &Crossings| -> f64 {
        weights.iter().zip(crossings).map(|(w, &n)| w * n as f64).sum()
    };
    let mut all: Vec<Boundary> = crossings(map.sites.view())
        .into_iter()
        .map(|(labels, crossings)| Boundary {
            labels,
            length_px: length(px, &crossings),
            length_nm: nm.map(|nm| length(nm, &crossings)),
        })
        .collect();
    all.sort_by(|a, b| b.length_px.total_cmp(&a.length_px));
    all
}

fn crossings(sites: ArrayView2<'_, u16>) -> BTreeMap<[u16; 2], Crossings> {
    let (rows, cols) = sites.dim();
    let of_row = |mut found: BTreeMap<[u16; 2], Crossings>, row: usize| {
        for (step, &(down, right)) in STEPS.iter().enumerate() {
            if row + down >= rows {
                continue;
            }
            let (here, there) = (sites.row(row), sites.row(row + down));
            let skip = right.unsigned_abs();
            let (first, second) = if right < 0 { (skip, 0) } else { (0, skip) };
            let pairs = here.iter().skip(first).zip(there.iter().skip(second));
            for (&a, &b) in pairs.take(cols.saturating_sub(skip)) {
                if a != b && a != UNLABELLED && b != UNLABELLED {
                    found.entry([a.min(b), a.max(b)]).or_default()[step] += 1;
                }
            }
        }
        found
    };
    let merge = |mut a: BTreeMap<[u16; 2], Crossings>, b: BTreeMap<[u16; 2], Crossings>| {
        for (labels, more) in b {
            a.entry(labels).or_default().iter_mut().zip(more).for_each(|(a, b)| *a += b);
        }
        a
    };
    (0..rows).into_par_iter().fold(BTreeMap::new, of_row).reduce(BTreeMap::new, merge)
}

/// Length for each crossing, with sites `height` and `width` apart.
fn weights(height: f64, width: f64) -> [f64; STEPS.len()] {
    let vector = |(down, right): (usize, isize)| (down as f64 * height, right as f64 * width);
    let angle = STEPS.map(|step| {
        let (down, right) = vector(step);
        down.atan2(right)
    });
    let last = STEPS.len() - 1;
    std::array::from_fn(|i| {
        let before = if i == 0 { angle[last] - std::f64::consts::PI } else { angle[i - 1] };
        let after = if i == last { angle[0] + std::f64::consts::PI } else { angle[i + 1] };
        let (down, right) = vector(STEPS[i]);
        0.5 * (after - before) / 2.0 * height * width / down.hypot(right)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn length(sites: &Array2<u16>, height: f64, width: f64) -> f64 {
        let weights = weights(height, width);
        let crossings = crossings(sites.view());
        let of = |c: &Crossings| -> f64 { c.iter().zip(weights).map(|(&n, w)| w * n as f64).sum() };
        crossings.values().map(of).sum()
    }

    fn disc(radius: f64, height: f64, width: f64) -> Array2<u16> {
        Array2::from_shape_fn((200, 200), |(r, c)| {
            let (y, x) = ((r as f64 - 99.3) * height, (c as f64 - 99.6) * width);
            1 + u16::from(y.hypot(x) < radius)
        })
    }

    #[test]
    fn a_circle_has_its_circumference() {
        for (height, width) in [(1.0, 1.0), (5.0, 5.0), (0.02, 0.03), (2.0, 1.0)] {
            let radius = 60.0 * f64::min(height, width);
            let expected = std::f64::consts::TAU * radius;
            let found = length(&disc(radius, height, width), height, width);
            assert!((found / expected - 1.0).abs() < 0.015, "{found} for {expected}");
        }
    }

    #[test]
    fn straight_lines_of_any_angle_are_right_to_2_percent() {
        for degrees in (0..180).step_by(5) {
            // Within a disc, so that every line has the same length.
            let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
            let sites = Array2::from_shape_fn((401, 401), |(r, c)| {
                let (y, x) = (r as f64 - 200.0, c as f64 - 200.0);
                let inside = y.hypot(x) < 195.0;
                if inside { 1 + u16::from(y * cos - x * sin > 0.3) } else { UNLABELLED }
            });
            let found = length(&sites, 1.0, 1.0);
            assert!((found / 390.0 - 1.0).abs() < 0.02, "{degrees} deg: {found}");
        }
    }

    #[test]
    fn each_pair_of_labels_has_its_own_boundary() {
        // 1 | 2 above, 3 below: the boundary of 1 and 2 is half that of both with 3.
        let sites =
            Array2::from_shape_fn(
                (200, 100),
                |(r, c)| {
                    if r >= 100 { 3 } else { 1 + u16::from(c >= 50) }
                },
            );
        let found = crossings(sites.view());
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [[1, 2], [1, 3], [2, 3]]);
        assert_eq!(found[&[1, 2]][0], 100);
        assert_eq!(found[&[1, 3]][4], 50);
        assert_eq!(found[&[1, 3]][0], 0);
    }

    #[test]
    fn what_is_not_segmented_has_no_boundary() {
        let sites = Array2::from_shape_fn((20, 20), |(_, c)| u16::from(c >= 10));
        assert!(crossings(sites.view()).is_empty());
    }
}
