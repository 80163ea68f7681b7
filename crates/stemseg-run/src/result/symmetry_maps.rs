//! Maps of symmetry scores at the inner sites, not pooled.

use std::path::Path;

use ndarray::Array2;
use serde_json::{Value, json};
use stemseg::backend::Backend;
use stemseg::image::micrograph::{Micrograph, PixelSize};
use stemseg::maps::symmetry::{self, SymmetryMap};
use stemseg::{Error, Plan, Progress, Result};
use stemseg_files::write::write_map_tiff;

/// Families that have maps.
const FAMILIES: [&str; 3] = ["rotation", "reflection", "glide"];

/// Refuses to look for maps that none of `families` has.
pub(super) fn check(families: &[&str]) -> Result<()> {
    match families.iter().any(|family| FAMILIES.contains(family)) {
        true => Ok(()),
        false => Err(Error::parameter(
            "save",
            "maps",
            format!("maps are of {}; add such a family to the `descriptor`", FAMILIES.join(", ")),
        )),
    }
}

/// Writes the maps of all families of `plan` into `folder`, with `maps.json`, which
/// says what they are and where their pixels lie in the image.
pub(crate) fn write(
    folder: &Path,
    micrograph: &Micrograph,
    pixel_size: Option<PixelSize>,
    (plan, backend): (&Plan, &dyn Backend),
    progress: &dyn Progress,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let mut list = Vec::new();
    for family in &plan.params().families {
        let map = symmetry::of(micrograph, family, backend, plan.budget(), progress)?;
        if let Some(map) = map {
            list.push(of_family(folder, &map, pixel_size)?);
        }
    }
    let path = folder.join("maps.json");
    std::fs::write(&path, format!("{:#}\n", json!(list))).map_err(Error::io(&path))
}

fn of_family(folder: &Path, map: &SymmetryMap, pixel_size: Option<PixelSize>) -> Result<Value> {
    let SymmetryMap { family, grid, best, of, orders } = map;
    let stride = grid.stride as f64;
    let size =
        pixel_size.map(|size| PixelSize { rows: stride * size.rows, cols: stride * size.cols });
    let mut files = Vec::new();
    let mut write = |name: String, what: String, values: &Array2<f32>| {
        write_map_tiff(&folder.join(&name), &values.view(), size)?;
        files.push(json!({ "file": name, "what": what }));
        Ok::<(), Error>(())
    };
    write(format!("{family}_best.tif"), "the largest score of each inner site".into(), best)?;
    let (name, what) = match *family {
        "rotation" => ("order", "order of the axis that it is of"),
        _ => ("angle", "angle of its axis, degrees from the horizontal, clockwise"),
    };
    write(format!("{family}_{name}.tif"), what.into(), of)?;
    for (order, scores) in orders {
        let what = format!("scores of {order}-fold axes");
        write(format!("{family}_{order}-fold.tif"), what, scores)?;
    }
    Ok(json!({
        "family": family,
        "first_px": { "row": grid.row(0), "col": grid.col(0) },
        "stride_px": grid.stride,
        "shape": [grid.count.rows, grid.count.cols],
        "files": files,
    }))
}
