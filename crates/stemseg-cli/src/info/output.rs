//! What `stemseg info` prints.

use std::path::Path;

use serde_json::{Value, json};
use stemseg::lattice::Lattice;
use stemseg_files::read::{Entry, Statistics};
use stemseg_report::visible::{self, visible};

use super::Found;

/// Entries that are shown, with their numbers.
fn shown(found: &Found) -> impl Iterator<Item = (usize, &Entry)> {
    let all = found.file.entries().iter().enumerate();
    all.filter(|(number, _)| found.only.is_none_or(|only| only == *number))
}

pub(super) fn json(found: &Found) -> String {
    let images: Vec<Value> = shown(found)
        .map(|(number, entry)| image(number, entry, found.statistics[number]))
        .collect();
    let mut value = json!({ "format": found.file.format(), "images": images });
    if let Some(lattices) = &found.lattices {
        value["lattices"] = json!(lattices);
    }
    format!("{value:#}")
}

fn image(number: usize, entry: &Entry, statistics: Option<Statistics>) -> Value {
    let mut value = json!({
        "index": number,
        "name": entry.name,
        "shape": entry.shape,
        "dtype": entry.dtype,
        "pixel_size": entry.calibration,
        "frames": entry.frames().or(entry.is_image().then_some(1)),
        "frame_interval_s": entry.frame_interval_s,
        "instrument": entry.instrument,
        "date": entry.date,
    });
    if let Some(reason) = not_read(entry) {
        value["not_read"] = json!(reason);
    }
    if let Some(Statistics { min, max, mean, non_finite }) = statistics {
        let integer = entry.dtype.contains("int") && !entry.colour;
        value["stats"] = json!({
            "min": number_of(min, integer),
            "max": number_of(max, integer),
            "mean": mean,
            "non_finite": non_finite,
        });
    }
    value
}

/// Integers without a decimal point.
fn number_of(value: Option<f64>, integer: bool) -> Value {
    match value {
        Some(value) if integer && value.abs() < 2_f64.powi(53) => json!(value as i64),
        value => json!(value),
    }
}

/// Why an entry is not read.
fn not_read(entry: &Entry) -> Option<String> {
    match &entry.refused {
        Some(reason) => Some(reason.clone()),
        None if entry.is_readable() => None,
        None => Some("is neither an image (two dimensions) nor a stack (three)".into()),
    }
}

pub(super) fn words(path: &Path, found: &Found) -> String {
    let count = found.file.entries().len();
    let images = if count == 1 { "image" } else { "images" };
    let format = found.file.format();
    let mut lines = vec![format!("{}: {format}, {count} {images}", visible::path(path))];
    let has_statistics = found.statistics.iter().any(Option::is_some);
    let mut rows = vec![header(has_statistics)];
    for (number, entry) in shown(found) {
        rows.push(row(number, entry, has_statistics.then_some(found.statistics[number])));
    }
    lines.extend(table(&rows));
    for (number, entry) in shown(found) {
        lines.extend(remarks(number, entry));
    }
    match found.lattices.as_deref() {
        None => {}
        Some([]) => lines.push("no lattice: nothing repeats".into()),
        Some(lattices) => lines.extend(lattices.iter().map(lattice)),
    }
    lines.join("\n")
}

fn header(has_statistics: bool) -> Vec<String> {
    let mut header = vec!["", "shape", "type", "pixel", "frames"];
    if has_statistics {
        header.extend(["min", "max", "mean"]);
    }
    header.push("name");
    header.into_iter().map(str::to_owned).collect()
}

/// A line of the table; `statistics` where it has such columns.
fn row(number: usize, entry: &Entry, statistics: Option<Option<Statistics>>) -> Vec<String> {
    let shape: Vec<String> = entry.shape.iter().map(usize::to_string).collect();
    let pixel = entry.calibration.map_or("-".into(), |c| {
        format!("{} x {} {}", digits(c.rows), digits(c.cols), c.unit.name())
    });
    let frames = match (entry.frames(), entry.frame_interval_s) {
        (None, _) => "-".into(),
        (Some(frames), None) => frames.to_string(),
        (Some(frames), Some(interval)) => format!("{frames}, {} s apart", digits(interval)),
    };
    let mut row = vec![number.to_string(), shape.join(" x "), entry.dtype.clone(), pixel, frames];
    if let Some(statistics) = statistics {
        let value = |value: fn(&Statistics) -> Option<f64>| {
            statistics.as_ref().and_then(value).map_or("-".into(), digits)
        };
        row.extend([value(|s| s.min), value(|s| s.max), value(|s| s.mean)]);
    }
    row.push(entry.name.clone());
    // A file says what its images are called, and numpy's name of their type.
    row.iter().map(|cell| visible(cell).into_owned()).collect()
}

/// Columns of equal width, two spaces apart.
fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// What the table has no place for.
fn remarks(number: usize, entry: &Entry) -> Vec<String> {
    let known: Vec<&str> =
        [&entry.instrument, &entry.date].into_iter().flatten().map(|text| text.trim()).collect();
    let line = |text: &str| format!("  {number}: {}", visible(text));
    let known = (!known.is_empty()).then(|| line(&known.join(", ")));
    let reason = not_read(entry).map(|reason| line(&reason));
    known.into_iter().chain(reason).collect()
}

/// About six digits.
fn digits(value: f64) -> String {
    let size = value.abs();
    match () {
        () if value.fract() == 0.0 && size < 1e15 => format!("{value}"),
        () if (1e-3..1e6).contains(&size) => {
            let places = (5 - size.log10().floor() as i32).max(0) as usize;
            let text = format!("{value:.places$}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        () => format!("{value:.4e}"),
    }
}

/// A lattice in words: vectors as rows and columns, lengths, angle; or fringes.
fn lattice(lattice: &Lattice) -> String {
    let [a, b] = lattice.vectors;
    let length = |v: [f64; 2]| v[0].hypot(v[1]);
    let angle = ((a[0] * b[0] + a[1] * b[1]) / (length(a) * length(b))).clamp(-1.0, 1.0).acos();
    let vector = |v: [f64; 2]| format!("({:+.2}, {:+.2})", v[0], v[1]);
    if lattice.is_fringes() {
        return format!(
            "fringes: {:.2} px apart, one direction alone; in {:.0} % of the windows, strength {:.2}",
            length(a),
            100.0 * lattice.share,
            lattice.strength
        );
    }
    format!(
        "lattice: {} and {} px (rows, columns), {:.2} and {:.2} px long, {:.1} deg apart; in {:.0} % of the windows, strength {:.2}, {:.1} pairs of reflections",
        vector(a),
        vector(b),
        length(a),
        length(b),
        angle.to_degrees(),
        100.0 * lattice.share,
        lattice.strength,
        lattice.reflections
    )
}
