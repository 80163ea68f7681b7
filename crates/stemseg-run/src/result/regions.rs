//! `regions.csv`: a line for each region.

use std::path::Path;

use stemseg::{Error, Result};
use stemseg_regions::{Region, Regions, Shape};

/// Columns that each region has.
const OF_REGION: [&str; 12] = [
    "region",
    "label",
    "touches_border",
    "neighbours",
    "confidence",
    "area_px",
    "centroid_row_px",
    "centroid_col_px",
    "first_row_px",
    "first_col_px",
    "end_row_px",
    "end_col_px",
];
/// Columns of its shape, the first of which need a unit.
const OF_SHAPE: [&str; 5] = [
    "equivalent_diameter",
    "axis_major_length",
    "axis_minor_length",
    "feret_diameter_max",
    "feret_diameter_min",
];
const WITHOUT_UNIT: [&str; 2] = ["orientation_deg", "solidity"];

/// Writes the table to `path`, with lengths in nm too where they are known.
pub(crate) fn write(path: &Path, regions: &Regions, calibrated: bool) -> Result<()> {
    write_table(path, head(calibrated), regions.all().iter().map(line))
}

/// Writes a table with this head to `path`.
pub(super) fn write_table(
    path: &Path,
    head: Vec<String>,
    lines: impl Iterator<Item = Vec<String>>,
) -> Result<()> {
    let fail = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::io(path)(source),
        other => Error::io(path)(std::io::Error::other(format!("{other:?}"))),
    };
    let file = std::fs::File::create(path).map_err(Error::io(path))?;
    let mut table = csv::Writer::from_writer(std::io::BufWriter::new(file));
    for line in std::iter::once(head).chain(lines) {
        table.write_record(line).map_err(fail)?;
    }
    table.flush().map_err(Error::io(path))
}

fn head(calibrated: bool) -> Vec<String> {
    let with = |unit: &str| OF_SHAPE.map(|name| format!("{name}_{unit}"));
    let mut head: Vec<String> = OF_REGION.iter().map(|&name| name.to_owned()).collect();
    head.extend(with("px"));
    head.extend(WITHOUT_UNIT.map(str::to_owned));
    if calibrated {
        head.push("area_nm2".to_owned());
        head.extend(with("nm"));
    }
    head
}

fn line(region: &Region) -> Vec<String> {
    let neighbours: Vec<String> = region.neighbours.iter().map(u32::to_string).collect();
    let mut line = vec![
        region.region.to_string(),
        region.label.to_string(),
        if region.touches_border { "yes" } else { "no" }.to_owned(),
        neighbours.join(" "),
        region.confidence.map_or_else(String::new, digits),
        region.area_px.to_string(),
    ];
    line.extend(region.centroid_px.map(digits));
    line.extend(region.bbox_px.map(|place| place.to_string()));
    line.extend(lengths(&region.shape));
    // Where the sides of pixels differ, angles and hulls are those of the specimen.
    let physical = region.shape_nm.unwrap_or(region.shape);
    line.extend([digits(physical.orientation_deg), digits(physical.solidity)]);
    if let Some(shape) = region.shape_nm {
        line.push(digits(shape.area));
        line.extend(lengths(&shape));
    }
    line
}

/// The columns of [`OF_SHAPE`].
fn lengths(shape: &Shape) -> [String; 5] {
    [
        shape.equivalent_diameter,
        shape.axis_major_length,
        shape.axis_minor_length,
        shape.feret_diameter_max,
        shape.feret_diameter_min,
    ]
    .map(digits)
}

/// Six digits that count.
pub(super) fn digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let scale = 10_f64.powi(5 - value.abs().log10().floor() as i32);
    ((value * scale).round() / scale).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_count() {
        let shown = [0.0, 1.0, -12.345_678_9, 1_234_567.8, 0.000_123_456_78].map(digits);
        assert_eq!(shown, ["0", "1", "-12.3457", "1234570", "0.000123457"]);
    }

    #[test]
    fn lines_have_the_columns_of_the_head() {
        let labels = ndarray::array![[1_u16, 1, 2], [1, 1, 2]];
        for size in [None, Some(stemseg::image::micrograph::PixelSize { rows: 0.1, cols: 0.2 })] {
            let regions = Regions::new(&labels.view(), None, size);
            let calibrated = size.is_some();
            assert!(regions.all().iter().all(|own| line(own).len() == head(calibrated).len()));
        }
    }
}
