//! GeoJSON (RFC 7946), with the properties that QuPath and simplestyle know.

use std::path::Path;

use serde_json::{Value, json};
use stemseg::Result;

use super::{OutlinedRegion, Outlines, Ring, save};

/// Writes the regions as a feature collection of polygons, whose coordinates are x (columns) and
/// y (rows, downwards) in px.
///
/// # Errors
/// [`Error::Io`](stemseg::Error::Io) where the system refuses.
pub fn write_geojson(path: &Path, outlines: &Outlines<'_>) -> Result<()> {
    let (rows, cols) = outlines.shape;
    let features: Vec<Value> =
        outlines.regions.iter().map(|region| feature(region, outlines)).collect();
    let whole = json!({
        "type": "FeatureCollection",
        "features": features,
        "stemseg": {
            "image": outlines.name,
            "shape": [rows, cols],
            "coordinates": "columns and rows (downwards) of corners of pixels, px",
            "pixel_size_nm": outlines.pixel_size,
        },
    });
    save(path, (whole.to_string() + "\n").as_bytes())
}

fn feature(region: &OutlinedRegion, outlines: &Outlines<'_>) -> Value {
    let [r, g, b] = region.colour;
    let colour = format!("#{r:02x}{g:02x}{b:02x}");
    let nm2 = outlines.pixel_size.map(|size| size.rows * size.cols * region.area_px as f64);
    let rings: Vec<Value> = region.rings.iter().map(closed).collect();
    json!({
        "type": "Feature",
        "id": region.region,
        "geometry": { "type": "Polygon", "coordinates": rings },
        "properties": {
            "region": region.region,
            "label": region.label,
            "area_px": region.area_px,
            "area_nm2": nm2,
            "confidence": region.confidence,
            "stroke": colour,
            "fill": colour,
            "objectType": "annotation",
            "classification": { "name": region.pattern(), "color": region.colour },
        },
    })
}

/// Positions of a ring, the first again at its end. Clockwise on the image, whose rows go down, is
/// counter-clockwise in x and y, as outer rings have to be.
fn closed(ring: &Ring) -> Value {
    ring.iter().chain(ring.first()).map(|[row, col]| json!([col, row])).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;
    use super::*;

    #[test]
    fn polygons_have_their_holes_and_go_round_the_right_way() {
        let whole: Value = serde_json::from_slice(&written(write_geojson)).unwrap();
        assert_eq!(whole["type"], "FeatureCollection");
        let [ring, pixel] = [0, 1].map(|i| whole["features"][i].clone());
        assert_eq!(
            ring["geometry"]["coordinates"],
            json!([
                [[1, 0], [4, 0], [4, 3], [1, 3], [1, 0]],
                [[2, 1], [2, 2], [3, 2], [3, 1], [2, 1]]
            ])
        );
        let area = |ring: &Value| {
            let at = |point: &Value, axis: usize| point[axis].as_f64().unwrap();
            let points = ring.as_array().unwrap().windows(2);
            let cross = |pair: &[Value]| {
                at(&pair[0], 0) * at(&pair[1], 1) - at(&pair[1], 0) * at(&pair[0], 1)
            };
            points.map(cross).sum::<f64>() / 2.0
        };
        let rings = ring["geometry"]["coordinates"].as_array().unwrap();
        assert_eq!(rings.iter().map(area).collect::<Vec<_>>(), [9.0, -1.0]);
        assert_eq!(ring["properties"]["area_px"], 8);
        assert!((ring["properties"]["area_nm2"].as_f64().unwrap() - 8.0 * 2e-4).abs() < 1e-12);
        assert_eq!(ring["properties"]["classification"]["name"], "pattern 1");
        assert_eq!(pixel["properties"]["classification"]["name"], "a \"<b>\"");
        assert_eq!(pixel["properties"]["fill"], "#e69f02");
    }
}
