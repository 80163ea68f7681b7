//! `boundaries.csv`: a line for each line along which two regions meet, and `triple_points.csv`: one
//! for each point at which these do.

use std::path::Path;

use stemseg::Result;
use stemseg_crystals::Crystals;
use stemseg_regions::junctions::{Sector, TriplePoint};
use stemseg_regions::lines::{BoundaryLine, BoundaryLines, Course, End};

use super::regions::{digits, write_table};

const OF_LINE: [&str; 16] = [
    "line",
    "label_1",
    "label_2",
    "region_1",
    "region_2",
    "closed",
    "begins",
    "ends",
    "normal_deg",
    "straightness",
    "plane_1_h",
    "plane_1_k",
    "plane_2_h",
    "plane_2_k",
    "smoothing_px",
    "form_px",
];
const COURSE: [&str; 4] = ["length_", "roughness_", "curvature_per_", "curvature_abs_per_"];

const OF_POINT: [&str; 4] = ["triple_point", "row_px", "col_px", "lines"];
const OF_SECTOR: [&str; 4] = ["region_", "label_", "angle_deg_", "angle_deg_error_"];
/// As many regions meet in the corner of a pixel.
const MOST_SECTORS: usize = 4;

/// Writes the table of lines to `path`, with lengths in nm too where they are known. Planes are those
/// of `crystals`.
pub(crate) fn write(
    path: &Path,
    lines: &BoundaryLines,
    crystals: Option<&Crystals>,
    calibrated: bool,
) -> Result<()> {
    let smoothing = lines.scales.smoothing_px;
    let of = |line: &BoundaryLine| row(line, crystals, smoothing);
    write_table(path, head(calibrated), lines.lines.iter().map(of))
}

fn head(calibrated: bool) -> Vec<String> {
    let mut head: Vec<String> = OF_LINE.map(str::to_owned).into();
    for unit in ["px"].into_iter().chain(calibrated.then_some("nm")) {
        head.extend(COURSE.map(|name| format!("{name}{unit}")));
    }
    head
}

/// What is not known stays empty.
fn row(line: &BoundaryLine, crystals: Option<&Crystals>, smoothing: f64) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or_else(String::new, digits);
    let planes = crystals.and_then(|crystals| crystals.planes_along(line));
    let end = |which: usize| match line.ends.map(|ends| ends[which]) {
        Some(End::TriplePoint(number)) => number.to_string(),
        Some(_) => "border".to_owned(),
        None => String::new(),
    };
    let mut row = vec![
        line.line.to_string(),
        line.labels[0].to_string(),
        line.labels[1].to_string(),
        line.regions[0].to_string(),
        line.regions[1].to_string(),
        if line.closed { "yes" } else { "no" }.to_owned(),
        end(0),
        end(1),
        number(line.normal_deg),
        number(line.straightness),
    ];
    for (side, index) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        row.push(number(planes.map(|planes| planes[side][index])));
    }
    row.extend([smoothing, line.form_px].map(digits));
    for Course { length, roughness, curvature, curvature_abs, .. } in
        [line.px].into_iter().chain(line.nm)
    {
        row.extend([Some(length), roughness, curvature, curvature_abs].map(number));
    }
    row
}

/// Writes the table of triple points to `path`.
pub(crate) fn write_triple_points(path: &Path, lines: &BoundaryLines) -> Result<()> {
    let mut head: Vec<String> = OF_POINT.map(str::to_owned).into();
    for number in 1..=MOST_SECTORS {
        head.extend(OF_SECTOR.map(|name| format!("{name}{number}")));
    }
    write_table(path, head, lines.triple_points.iter().map(point))
}

/// Regions go clockwise.
fn point(point: &TriplePoint) -> Vec<String> {
    let lines: Vec<String> = point.lines.iter().map(u32::to_string).collect();
    let [row, col] = point.at_px.map(digits);
    let mut cells = vec![point.triple_point.to_string(), row, col, lines.join(" ")];
    let number = |value: Option<f64>| value.map_or_else(String::new, digits);
    for sector in (0..MOST_SECTORS).map(|i| point.sectors.get(i)) {
        cells.extend(match sector {
            Some(Sector { region, label, angle_deg, angle_deg_error, .. }) => [
                region.to_string(),
                label.to_string(),
                number(*angle_deg),
                number(*angle_deg_error),
            ],
            None => Default::default(),
        });
    }
    cells
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use stemseg::image::micrograph::PixelSize;
    use stemseg_regions::Regions;
    use stemseg_regions::lines::Scales;

    use super::*;

    #[test]
    fn lines_have_the_columns_of_the_head_and_planes_where_crystals_are_known() {
        let wave = |x: f64| (x * std::f64::consts::TAU / 8.0).cos();
        let image = Array2::from_shape_fn((96, 160), |(r, c)| {
            let (r, c) = (r as f64, c as f64);
            let turned = if c < 80.0 { (r, c) } else { (0.8 * r - 0.6 * c, 0.6 * r + 0.8 * c) };
            (wave(turned.0) + wave(turned.1)) as f32
        });
        // One more label in a corner, too small for a lattice.
        let labels = Array2::from_shape_fn((96, 160), |(r, c)| match (r > 90, c < 80) {
            (true, _) => 3_u16,
            (_, left) => 1 + u16::from(!left),
        });
        for size in [None, Some(PixelSize { rows: 0.1, cols: 0.1 })] {
            let regions = Regions::new(&labels.view(), None, size);
            let lines = regions.boundary_lines(None, Scales::nearest(1.0), size);
            let crystals = Crystals::new(image.view(), &regions, size);
            let head = head(size.is_some());
            let at = |name: &str| head.iter().position(|own| own == name).unwrap();
            let rows: Vec<_> =
                lines.lines.iter().map(|line| row(line, Some(&crystals), 4.0)).collect();
            assert!(rows.iter().all(|row| row.len() == head.len()));
            assert_eq!(rows[0][at("ends")], "1", "{rows:?}");
            // Its normal lies along the columns of the first crystal, and 3 to 4 in the second.
            let plane = |side: usize| {
                let names = ["h", "k"].map(|index| at(&format!("plane_{side}_{index}")));
                let mut plane = names.map(|at| rows[0][at].parse::<f64>().unwrap().abs());
                plane.sort_by(f64::total_cmp);
                plane
            };
            assert!(plane(1)[0] < 0.01 && (plane(1)[1] - 1.0).abs() < 1e-6, "{rows:?}");
            assert!((plane(2)[0] - 0.75).abs() < 0.01, "{rows:?}");
            assert_eq!(rows[1][at("plane_1_h")], "");
            assert_eq!(row(&lines.lines[0], None, 4.0)[at("plane_1_h")], "");
            assert!(lines.triple_points.iter().all(|own| point(own).len() == 4 + 4 * 4));
        }
    }
}
