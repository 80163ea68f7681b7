//! `stemseg bench --accuracy`: how well images with true labels are segmented.

use std::path::Path;

use stemseg::Error;
use stemseg::backend::{self, Check};
use stemseg_bench::accuracy::{self, Report, Settings};
use stemseg_report::visible::visible;
use stemseg_simulate::metrics::Scores;

use super::Args;
use crate::progress::Bar;
use crate::{Failure, print, print_words};

/// Segments the images of `folder`, compares, and prints.
pub(super) fn run(folder: &Path, args: &Args, bar: &Bar) -> Result<(), Failure> {
    let samples = accuracy::samples(folder, &args.accuracy.only)?;
    let [device] = &args.device[..] else {
        let reason = "give one; only times of several devices are compared";
        return Err(Error::parameter("device", "several", reason).into());
    };
    let (backend, remarks) = backend::open(device, Check::On, &[])?;
    bar.remarks(&remarks);
    let settings = Settings {
        params: &|micrograph, clusters| args.params_to_judge(micrograph, clusters),
        metrics: args.accuracy.metrics(),
    };
    let report = accuracy::run(&samples, &*backend, &settings, bar)?;
    bar.finish();
    match (args.talk.json, args.talk.quiet) {
        (true, _) => print(&format!("{:#}", serde_json::json!(report))),
        (false, true) => Ok(()),
        (false, false) => print_words(&table(&report, &args.families()?)),
    }
}

/// Head of the table, after the image's name.
const HEAD: [&str; 8] = ["k", "chosen", "Rand", "IoU", "least IoU", "boundary", "px off", "ms"];

/// The table, with what it stands for above it.
fn table(report: &Report, families: &str) -> String {
    let longest =
        report.rows.iter().map(|row| visible(&row.name).chars().count()).max().unwrap_or(0);
    let name = longest.max("worst".len());
    let line = |first: &str, cells: [String; 8]| {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>9}")).collect();
        format!("{first:<name$} {}", cells.join("")).trim_end().to_owned()
    };
    let mut lines = vec![
        format!(
            "stemseg {} on {}: {}, {} channels",
            report.stemseg_version, report.device.name, families, report.rows[0].channels
        ),
        format!(
            "number of patterns, and the one chosen where none is given; adjusted Rand index, mean and least \
             intersection over union, boundary F1 within {} px, mean displacement of boundaries; {} px along \
             the sides do not count",
            report.metrics.tolerance, report.metrics.margin
        ),
        String::new(),
        line("", HEAD.map(str::to_owned)),
    ];
    for row in &report.rows {
        let ms = format!("{:.0}", row.segment_ms);
        let chosen = row.chosen.map_or("-".to_owned(), |chosen| chosen.to_string());
        let first = [row.clusters.to_string(), chosen];
        lines.push(line(&visible(&row.name), cells(first, &row.scores, ms)));
    }
    lines.push(String::new());
    for (name, scores) in [("mean", &report.mean), ("worst", &report.worst)] {
        lines.push(line(name, cells(Default::default(), scores, String::new())));
    }
    if let Some(share) = report.right_number {
        lines.push(format!("the right number is chosen in {:.0} % of the images", 100.0 * share));
    }
    let labelled = report.rows.iter().filter(|row| row.scores.labelled_without_data > Some(0.0));
    for row in labelled {
        lines.push(format!("{}: pixels without data have labels", visible(&row.name)));
    }
    lines.join("\n")
}

fn cells([clusters, chosen]: [String; 2], scores: &Scores, ms: String) -> [String; 8] {
    let displacement = scores.boundary_displacement.map_or("-".to_owned(), |d| format!("{d:.2}"));
    [
        clusters,
        chosen,
        format!("{:.4}", scores.adjusted_rand_index),
        format!("{:.4}", scores.mean_iou),
        format!("{:.4}", scores.ious.iter().copied().fold(f64::INFINITY, f64::min)),
        format!("{:.4}", scores.boundary_f1),
        displacement,
        ms,
    ]
}
