//! The report as a table.

use stemseg::backend::DeviceWork;
use stemseg_bench::timing::{Report, Row};

use super::earlier::Earlier;

/// Head of the table; the last column is there with an earlier run only.
const HEAD: [&str; 9] =
    ["device", "ms", "fastest", "+-", "Mpx/s", "Msites/s", "GFLOP/s", "of limit", "times faster"];

/// Characters of a device's name.
const NAME: usize = 18;

/// The table, with a line about the machine above it.
pub(super) fn table(report: &Report, earlier: Option<&Earlier>) -> String {
    let (machine, limits) = (&report.machine, &report.limits);
    let mut lines = vec![
        format!(
            "stemseg {} on {}, {} threads: multiply-adds {:.0} GFLOP/s, copying {:.1} GB/s",
            report.stemseg_version,
            machine.processor,
            machine.threads,
            limits.gflops,
            limits.copy_gigabytes_per_s
        ),
        format!("medians of {} rounds, fastest round, mean absolute deviation", report.repeats),
    ];
    let mut size = None;
    for row in &report.rows {
        if size != Some(row.size) {
            size = Some(row.size);
            lines.push(String::new());
            lines.push(line(&title(row), &HEAD[..8 + usize::from(earlier.is_some())]));
        }
        let cells = cells(row, earlier);
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        lines.push(line(row.stage.name(), &cells));
    }
    lines.extend(work_of_devices(report));
    lines.join("\n")
}

/// What graphics devices were asked to do in one run of each stage.
fn work_of_devices(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let counted = report.rows.iter().filter_map(|row| Some((row, row.device_work?)));
    for (row, work) in counted.filter(|(_, work)| work.submissions > 0) {
        if lines.is_empty() {
            let head = ["submissions", "dispatches", "buffers", "MB up", "MB down", "waits"];
            lines.push(String::new());
            lines.push(counts("of one run", &row_name(None), &head.map(String::from), "ms waited"));
        }
        let megabytes = |bytes: u64| short(bytes as f64 / 1e6);
        let DeviceWork { submissions, dispatches, buffers, bytes_up, bytes_down, waits, .. } = work;
        let cells = [
            submissions.to_string(),
            dispatches.to_string(),
            buffers.to_string(),
            megabytes(bytes_up),
            megabytes(bytes_down),
            waits.to_string(),
        ];
        lines.push(counts(row.stage.name(), &row_name(Some(row)), &cells, &short(work.waited_ms)));
    }
    lines
}

/// Size of the image and device.
fn row_name(row: Option<&Row>) -> String {
    row.map_or_else(
        || "device".into(),
        |row| {
            let name: String = row.device.name.chars().take(NAME).collect();
            format!("{}, {name}", title(row))
        },
    )
}

fn counts(first: &str, device: &str, cells: &[String; 6], last: &str) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {cell:>11}")).collect();
    format!("{first:<16} {device:<34}{cells} {last:>10}")
}

/// What the rows of one image have in common.
fn title(row: &Row) -> String {
    match row.size {
        Some([rows, cols]) => format!("{rows} x {cols} px"),
        None => "no image".into(),
    }
}

fn cells(row: &Row, earlier: Option<&Earlier>) -> Vec<String> {
    let some = |value: Option<f64>| value.map_or_else(String::new, short);
    let mut cells = vec![
        row.device.name.chars().take(NAME).collect(),
        short(row.median_ms),
        short(row.min_ms),
        short(row.deviation_ms),
        some(row.megapixels_per_s),
        short(row.megasites_per_s),
        some(row.gflops),
        limit(row),
    ];
    if let Some(earlier) = earlier {
        cells.push(some(earlier.ratio(row)));
    }
    cells
}

/// The larger of the two shares; of a film's frame, how many there are in a second.
fn limit(row: &Row) -> String {
    if let Some(frames) = row.frames_per_s {
        return format!("{} fps", short(frames));
    }
    let peak = row.share_of_peak.unwrap_or(0.0);
    let copy = row.share_of_copy.unwrap_or(0.0);
    match (peak > 0.0 || copy > 0.0, peak >= copy) {
        (false, _) => String::new(),
        (true, true) => format!("{:.0} % FMA", 100.0 * peak),
        (true, false) => format!("{:.0} % copy", 100.0 * copy),
    }
}

/// Three digits that count.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn line(first: &str, cells: &[&str]) -> String {
    let mut line = format!("{first:<16} {:<NAME$}", cells[0]);
    for (i, cell) in cells[1..].iter().enumerate() {
        let width = if i == 6 { 10 } else { 9 };
        line.push_str(&format!(" {cell:>width$}"));
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_three_digits() {
        let shown = [1234.5, 99.96, 12.34, 1.234, 0.1234, 0.0].map(short);
        assert_eq!(shown, ["1234", "100", "12.3", "1.23", "0.123", "0.000"]);
    }
}
