//! How large a region is, and of which shape.

use std::f64::consts::PI;

use serde::Serialize;

use crate::hull::{area, convex_hull, feret};

/// Size and shape of a region, in px or nm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Shape {
    /// Area.
    pub area: f64,
    /// Diameter of the circle of this area.
    pub equivalent_diameter: f64,
    /// Axes of the ellipse with the same second moments.
    pub axis_major_length: f64,
    /// The shorter one.
    pub axis_minor_length: f64,
    /// Angle of the longer one, degrees, from the columns' direction (to the right) towards that
    /// of the rows turned up: -90 to 90, as a protractor on the image shows it.
    pub orientation_deg: f64,
    /// Largest distance of two of its points: the maximum Feret diameter.
    pub feret_diameter_max: f64,
    /// Smallest distance of two parallel lines between which it lies: the minimum Feret diameter.
    pub feret_diameter_min: f64,
    /// Share of its convex hull that it fills, 0 to 1. The hull is that of the pixels' corners;
    /// scikit-image counts pixels.
    pub solidity: f64,
}

impl Shape {
    /// Of runs of pixels, each a row, its first column and the one after its last, about `centroid`
    /// in px; pixels have this `height` and `width`.
    pub(crate) fn of(
        runs: &[(usize, usize, usize)],
        centroid: [f64; 2],
        [height, width]: [f64; 2],
    ) -> Self {
        let pixels: usize = runs.iter().map(|(_, start, end)| end - start).sum();
        let n = pixels as f64;
        let [mut rows, mut cols, mut both] = [0.0; 3];
        for &(row, start, end) in runs {
            let (count, off) = ((end - start) as f64, row as f64 - centroid[0]);
            // Columns about the centre: their sum, and that of their squares about their mean.
            let middle = (start + end - 1) as f64 / 2.0 - centroid[1];
            rows += count * off * off;
            both += count * off * middle;
            cols += count * (middle * middle + (count * count - 1.0) / 12.0);
        }
        let (rows, cols, both) =
            (rows / n * height * height, cols / n * width * width, both / n * height * width);
        let mean = (rows + cols) / 2.0;
        let spread = ((rows - cols) / 2.0).hypot(both);
        // Rows go down, angles up.
        let angle = 0.5 * (-2.0 * both).atan2(cols - rows);
        let area_of_all = n * height * width;
        let corners = runs.iter().flat_map(|&(row, start, end)| {
            let (top, left) = (row as f64 * height, start as f64 * width);
            let (bottom, right) = (top + height, end as f64 * width);
            [[top, left], [top, right], [bottom, left], [bottom, right]]
        });
        let hull = convex_hull(corners.collect());
        let [largest, smallest] = feret(&hull);
        Self {
            area: area_of_all,
            equivalent_diameter: 2.0 * (area_of_all / PI).sqrt(),
            axis_major_length: 4.0 * (mean + spread).max(0.0).sqrt(),
            axis_minor_length: 4.0 * (mean - spread).max(0.0).sqrt(),
            orientation_deg: angle.to_degrees(),
            feret_diameter_max: largest,
            feret_diameter_min: smallest,
            solidity: (area_of_all / area(&hull)).min(1.0),
        }
    }
}
