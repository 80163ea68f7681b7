//! `lattices.csv`: the unit cell of each region.

use std::path::Path;

use stemseg::Result;
use stemseg_crystals::{CellNumbers, Crystals, Lattice, Numbers, Without};
use stemseg_regions::{Region, Regions};

use super::regions::{digits, write_table};

const OF_REGION: [&str; 7] =
    ["region", "label", "status", "lattice_type", "columns", "plane_group", "plane_group_weight"];
/// Each with its standard error.
const MEASURED: [&str; 4] = ["a_px", "b_px", "gamma_deg", "orientation_deg"];
const IN_NM: [&str; 2] = ["a_nm", "b_nm"];
const OTHERS: [&str; 6] =
    ["a_row_px", "a_col_px", "b_row_px", "b_col_px", "fringe_spacing_px", "cells"];

/// Writes the table to `path`, with lengths in nm too where they are known.
pub(crate) fn write(
    path: &Path,
    regions: &Regions,
    crystals: &Crystals,
    calibrated: bool,
) -> Result<()> {
    let lines = regions.all().iter().zip(&crystals.regions);
    let lines = lines.map(|(region, found)| line(region, found, calibrated));
    write_table(path, head(calibrated), lines)
}

fn head(calibrated: bool) -> Vec<String> {
    let with_errors = |names: &[&str]| -> Vec<String> {
        names.iter().flat_map(|name| [(*name).to_owned(), format!("{name}_error")]).collect()
    };
    let mut head: Vec<String> = OF_REGION.map(str::to_owned).into();
    head.extend(with_errors(&MEASURED));
    head.extend(OTHERS.map(str::to_owned));
    if calibrated {
        head.extend(with_errors(&IN_NM));
    }
    head
}

/// What is not known stays empty.
fn line(
    region: &Region,
    found: &std::result::Result<Lattice, Without>,
    calibrated: bool,
) -> Vec<String> {
    let found = found.as_ref();
    let numbers = Numbers::new(found.map(Into::into).map_err(|e| *e));
    let cell = numbers.cell.as_ref();
    let likeliest = cell.and_then(|cell| cell.plane_groups.first());
    let number = |of: &dyn Fn(&CellNumbers) -> Option<f64>| {
        cell.and_then(of).map_or_else(String::new, digits)
    };
    let mut line = vec![
        region.region.to_string(),
        region.label.to_string(),
        numbers.status.to_owned(),
        cell.map_or_else(String::new, |cell| cell.lattice_type.to_owned()),
        cell.and_then(|cell| cell.columns).map_or_else(String::new, |n| n.to_string()),
        likeliest.map_or_else(String::new, |group| group.symbol.to_owned()),
        likeliest.map_or_else(String::new, |group| digits(group.weight)),
    ];
    line.extend([
        number(&|cell| Some(cell.a_px)),
        number(&|cell| Some(cell.a_px_error)),
        number(&|cell| Some(cell.b_px)),
        number(&|cell| Some(cell.b_px_error)),
        number(&|cell| Some(cell.gamma_deg)),
        number(&|cell| Some(cell.gamma_deg_error)),
        number(&|cell| Some(cell.orientation_deg)),
        number(&|cell| Some(cell.orientation_deg_error)),
    ]);
    for (vector, axis) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        line.push(number(&|cell| Some(cell.vectors_px[vector][axis])));
    }
    line.push(numbers.spacing_px.map_or_else(String::new, digits));
    line.push(found.map_or_else(|_| String::new(), |lattice| digits(lattice.cells)));
    if calibrated {
        line.extend([
            number(&|cell| cell.a_nm),
            number(&|cell| cell.a_nm_error),
            number(&|cell| cell.b_nm),
            number(&|cell| cell.b_nm_error),
        ]);
    }
    line
}

#[cfg(test)]
mod tests {
    use stemseg::image::micrograph::PixelSize;

    use super::*;

    #[test]
    fn lines_have_the_columns_of_the_head() {
        let image = ndarray::Array2::from_shape_fn((96, 96), |(r, c)| {
            let wave = |x: usize| (x as f32 * std::f32::consts::TAU / 8.0).cos();
            wave(r) + wave(c)
        });
        let labels = ndarray::Array2::from_shape_fn((96, 96), |(_, c)| 1 + u16::from(c > 90));
        for size in [None, Some(PixelSize { rows: 0.1, cols: 0.2 })] {
            let regions = Regions::new(&labels.view(), None, size);
            let crystals = Crystals::new(image.view(), &regions, size);
            let calibrated = size.is_some();
            let lines: Vec<_> = regions.all().iter().zip(&crystals.regions).collect();
            let lines: Vec<_> = lines.iter().map(|(r, f)| line(r, f, calibrated)).collect();
            assert!(lines.iter().all(|line| line.len() == head(calibrated).len()));
            assert_eq!((&*lines[0][2], &*lines[1][2]), ("found", "too-small"));
        }
    }
}
