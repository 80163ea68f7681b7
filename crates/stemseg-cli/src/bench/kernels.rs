//! `stemseg bench --kernels`: how long each kernel of a graphics device takes.

use ndarray::Array2;
use stemseg::Error;
use stemseg::backend::gpu::{Gpu, adapter};
use stemseg::backend::{Backend, DeviceChoice};
use stemseg::plan::Params;
use stemseg_bench::kernels::{self, Report, Row};

use super::Args;
use super::table::short;
use crate::progress::Bar;
use crate::{Failure, print, print_words};

/// How often each image is segmented unless told otherwise.
const REPEATS: usize = 3;

/// Segments `images` on each device, and prints.
pub(super) fn run(
    images: &[Array2<f32>],
    params: &Params,
    args: &Args,
    bar: &Bar,
) -> Result<(), Failure> {
    let mut reports: Vec<Report> = Vec::new();
    for choice in &args.device {
        if *choice == DeviceChoice::Cpu {
            let reason = "kernels are those of a graphics device; name an adapter";
            return Err(Error::parameter("device", "cpu", reason).into());
        }
        let gpu = Gpu::timed(&adapter::choose(choice)?)?;
        if reports.iter().any(|there| there.device == *gpu.device()) {
            bar.note(&format!("{} is listed twice; it is timed once", gpu.device().name));
            continue;
        }
        let settings = (params, args.repeats.unwrap_or(REPEATS));
        reports.push(kernels::run(images, &gpu, settings, bar)?);
    }
    bar.finish();
    match (args.talk.json, args.talk.quiet) {
        (true, _) => print(&format!("{:#}", serde_json::json!({ "devices": reports }))),
        (false, true) => Ok(()),
        (false, false) => {
            let tables: Vec<String> = reports.iter().map(table).collect();
            print_words(&tables.join("\n\n"))
        }
    }
}

/// Head of the table, after the kernel's name.
const HEAD: [&str; 7] = ["runs", "ms", "of all", "GFLOP/s", "of peak", "GB/s", "of copy"];

/// The kernels of each image, with a line about the device above them.
fn table(report: &Report) -> String {
    let mut lines = vec![format!(
        "stemseg {} on {}: multiply-adds {:.0} GFLOP/s, copying {:.1} GB/s; {}",
        report.stemseg_version,
        report.device.name,
        report.peaks.gflops,
        report.peaks.copy_gigabytes_per_s,
        match report.repeats {
            1 => "one run".to_owned(),
            runs => format!("means of {runs} runs"),
        }
    )];
    for image in &report.images {
        let [rows, cols] = image.size;
        lines.push(String::new());
        lines.push(line(&format!("{rows} x {cols} px"), &HEAD.map(str::to_owned)));
        lines.extend(image.rows.iter().map(|row| line(row.kernel, &cells(row))));
        let (kernels, whole) = (short(image.kernels_ms), short(image.segment_ms));
        lines.push(format!("all kernels take {kernels} of {whole} ms that a segmentation takes"));
    }
    lines.join("\n")
}

fn cells(row: &Row) -> [String; 7] {
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    [
        short(row.dispatches),
        short(row.ms),
        percent(row.share),
        short(row.gflops),
        percent(row.share_of_peak),
        short(row.gigabytes_per_s),
        percent(row.share_of_copy),
    ]
}

fn line(first: &str, cells: &[String; 7]) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {cell:>9}")).collect();
    format!("{first:<16}{cells}").trim_end().to_owned()
}
