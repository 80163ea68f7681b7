//! Lines along which regions meet, as GeoJSON and SVG.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};
use stemseg::Result;
use stemseg::image::micrograph::PixelSize;

use super::save;
use super::svg::escaped;

/// The lines along which the regions of an image meet.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    /// Name of the image without its ending.
    pub name: &'a str,
    /// Rows and columns of the image, px.
    pub shape: (usize, usize),
    /// Size of a pixel, where it is known.
    pub pixel_size: Option<PixelSize>,
    /// The lines, in the order of their numbers.
    pub lines: Vec<Line>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its number, from 1.
    pub line: u32,
    /// Labels of its sides, the lower first.
    pub labels: [u16; 2],
    /// Their names, where they have any.
    pub names: [Option<String>; 2],
    /// Numbers of the regions on its sides.
    pub regions: [u32; 2],
    /// Whether its last point leads to its first.
    pub closed: bool,
    /// Row and column of its points, px; centres of pixels are at whole numbers.
    pub points: Vec<[f64; 2]>,
    /// Its length, px.
    pub length_px: f64,
    /// The same in nm, where the size of a pixel is known.
    pub length_nm: Option<f64>,
    /// Angle of its mean normal, counter-clockwise from the right, degrees.
    pub normal_deg: Option<f64>,
}

impl Line {
    /// Its points as columns and rows of a frame in which corners of pixels are at whole numbers, as
    /// outlines of regions have it, to a thousandth; a closed line ends where it begins.
    fn positions(&self) -> impl Iterator<Item = [f64; 2]> + '_ {
        let back = self.points.first().filter(|_| self.closed);
        let rounded = |x: f64| ((x + 0.5) * 1e3).round() / 1e3;
        self.points.iter().chain(back).map(move |[row, col]| [rounded(*col), rounded(*row)])
    }

    /// What meets along it.
    fn sides(&self) -> String {
        let [one, other] = [0, 1].map(|side| {
            self.names[side].clone().unwrap_or_else(|| format!("pattern {}", self.labels[side]))
        });
        format!("{one} - {other}")
    }
}

/// Writes the lines as a feature collection, whose coordinates are x (columns) and y (rows, downwards)
/// in px, with the properties that QuPath knows.
///
/// # Errors
/// [`Error::Io`](stemseg::Error::Io) where the system refuses.
pub fn write_lines_geojson(path: &Path, lines: &Lines<'_>) -> Result<()> {
    let (rows, cols) = lines.shape;
    let features: Vec<Value> = lines.lines.iter().map(feature).collect();
    let whole = json!({
        "type": "FeatureCollection",
        "features": features,
        "stemseg": {
            "image": lines.name,
            "shape": [rows, cols],
            "coordinates": "columns and rows (downwards), px; corners of pixels are at whole numbers",
            "pixel_size_nm": lines.pixel_size,
        },
    });
    save(path, (whole.to_string() + "\n").as_bytes())
}

fn feature(line: &Line) -> Value {
    let positions: Vec<[f64; 2]> = line.positions().collect();
    json!({
        "type": "Feature",
        "id": line.line,
        "geometry": { "type": "LineString", "coordinates": positions },
        "properties": {
            "line": line.line,
            "labels": line.labels,
            "regions": line.regions,
            "closed": line.closed,
            "length_px": line.length_px,
            "length_nm": line.length_nm,
            "normal_deg": line.normal_deg,
            "objectType": "annotation",
            "name": line.sides(),
        },
    })
}

/// Writes the lines as paths in px, those between two labels in a group of their own; they stay as
/// wide however large they are shown.
///
/// # Errors
/// [`Error::Io`](stemseg::Error::Io) where the system refuses.
pub fn write_lines_svg(path: &Path, lines: &Lines<'_>) -> Result<()> {
    let (rows, cols) = lines.shape;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {cols} {rows}\" \
         width=\"{cols}\" height=\"{rows}\" fill=\"none\" stroke=\"#000000\" stroke-width=\"1.5\" \
         stroke-linejoin=\"round\">\n<title>Boundaries of {}</title>\n",
        escaped(lines.name)
    );
    if let Some(size) = lines.pixel_size {
        let _ = writeln!(svg, "<desc>1 unit is {} nm by {} nm</desc>", size.cols, size.rows);
    }
    let mut sorted: Vec<&Line> = lines.lines.iter().collect();
    sorted.sort_by_key(|line| (line.labels, line.line));
    for pair in sorted.chunk_by(|a, b| a.labels == b.labels) {
        let [one, other] = pair[0].labels;
        let title = escaped(&pair[0].sides());
        let _ = writeln!(svg, "<g id=\"labels-{one}-{other}\">\n<title>{title}</title>");
        for line in pair {
            let _ = write!(
                svg,
                "<path id=\"line-{}\" vector-effect=\"non-scaling-stroke\" d=\"",
                line.line
            );
            for (i, [col, row]) in line.positions().enumerate() {
                let _ = write!(svg, "{}{col} {row}", if i == 0 { 'M' } else { 'L' });
            }
            svg.push_str(if line.closed { "Z\"/>\n" } else { "\"/>\n" });
        }
        svg.push_str("</g>\n");
    }
    save(path, (svg + "</svg>\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&Path, &Lines<'_>) -> Result<()>) -> String {
        let line = |line: u32, other: u16, closed: bool, points: Vec<[f64; 2]>| Line {
            line,
            labels: [1, other],
            names: [None, Some("a <b>".to_owned())],
            regions: [1, line + 1],
            closed,
            points,
            length_px: 2.5,
            length_nm: Some(0.25),
            normal_deg: None,
        };
        let lines = Lines {
            name: "image",
            shape: (4, 5),
            pixel_size: Some(PixelSize { rows: 0.02, cols: 0.01 }),
            lines: vec![
                line(1, 3, false, vec![[-0.5, 1.25], [1.0, 1.333_333]]),
                line(2, 2, true, vec![[1.0, 1.0], [2.0, 1.5], [1.0, 2.0]]),
            ],
        };
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        write(&path, &lines).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn positions_are_columns_and_rows_from_corners_and_closed_lines_come_back() {
        let whole: Value = serde_json::from_str(&written(write_lines_geojson)).unwrap();
        let of = |i: usize| whole["features"][i]["geometry"].clone();
        assert_eq!(of(0)["type"], "LineString");
        assert_eq!(of(0)["coordinates"], json!([[1.75, 0.0], [1.833, 1.5]]));
        let around = json!([[1.5, 1.5], [2.0, 2.5], [2.5, 1.5], [1.5, 1.5]]);
        assert_eq!(of(1)["coordinates"], around);
        assert_eq!(whole["features"][1]["properties"]["name"], "pattern 1 - a <b>");
        assert_eq!(whole["features"][1]["properties"]["length_nm"], 0.25);
    }

    #[test]
    fn paths_are_grouped_by_labels_and_text_is_escaped() {
        let svg = written(write_lines_svg);
        assert!(svg.contains("d=\"M1.75 0L1.833 1.5\""), "{svg}");
        assert!(svg.contains("d=\"M1.5 1.5L2 2.5L2.5 1.5L1.5 1.5Z\""), "{svg}");
        assert!(svg.find("labels-1-2") < svg.find("labels-1-3"), "{svg}");
        assert!(svg.contains("<title>pattern 1 - a &lt;b&gt;</title>"), "{svg}");
    }
}
