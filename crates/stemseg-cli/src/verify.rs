//! `stemseg verify`: CPU and GPU side by side, stage by stage.

use std::path::PathBuf;

use stemseg::backend::gpu::adapter;
use stemseg::backend::{self, DeviceChoice, cpu::Cpu};
use stemseg::verify::{Report, verify};
use stemseg_run::{Chosen, read};

use super::args::{InputArgs, TalkArgs};
use super::out_of_memory::AtWork;
use super::parse::{self, Clusters};
use super::progress::Bar;
use super::settings::{Preset, SettingsArgs};
use super::{Failure, print, print_words};

const AFTER_HELP: &str = "\
What segment does by default up to the labels is done on the CPU and on the adapter, and compared stage by
stage: descriptors (a stage for each family), moments, components, factors, features, choice of k; then for
each k the assignment of sites, the sums of clusters, scores, labels of pixels and confidence. The bound is
what rounding can explain (eps = 6e-8, how many terms a sum has, how large they are compared with it); labels
may differ only where two patterns tie. A difference beyond a bound exits with 1. The worst is what comes
closest to its own bound.

Examples:
  stemseg verify grain.npy
  stemseg verify grain.npy -k 2 --descriptor translation+harmonic
  stemseg verify grain.npy --device llvmpipe -k 2,3 --json";

/// Check a GPU: run every stage on it and on the CPU, and compare.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The image, in any format that segment reads.
    #[arg(value_name = "IMAGE")]
    file: PathBuf,

    #[command(flatten)]
    input: InputArgs,

    /// Number of patterns, several (2,3,4), or auto: what the image shows.
    #[arg(short = 'k', long, value_name = "auto|K", value_delimiter = ',', default_value = "auto", value_parser = parse::clusters, allow_negative_numbers = true, help_heading = None)]
    clusters: Vec<Clusters>,

    /// Adapter to check: auto, gpu (a real one), or any part of its name.
    ///
    /// auto takes the best there is, and a software adapter if there is no GPU.
    #[arg(long, default_value = "auto", value_name = "DEVICE", help_heading = None)]
    device: DeviceChoice,

    #[command(flatten)]
    settings: SettingsArgs,

    #[command(flatten)]
    pub(super) talk: TalkArgs,
}

/// What is verified where nothing is said: what `segment` does then.
const PRESET: Preset = Preset::Auto;

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let bar = Bar::new(&args.talk);
    let settings = args.settings.settings(parse::numbers(&args.clusters)?, PRESET)?;
    settings.check()?;
    let _at_work = AtWork::new(&args.file);
    let read = read(&args.file, &args.input.input())?;
    let Chosen { params, remarks, .. } = settings.choose(&read.micrograph)?;
    // What cannot be is refused before anything is said of it.
    stemseg::Plan::new(params.clone(), &read.micrograph)?;
    let adapter = adapter::to_verify(&args.device)?;
    let checked = backend::gpu::Gpu::new(&adapter)?;
    bar.remarks(&read.remarks);
    bar.remarks(&remarks);
    let report = verify(&read.micrograph, params, &Cpu::new(), &checked, &bar)?;
    bar.finish();
    if args.talk.json {
        print(&format!("{:#}", serde_json::json!(report)))?;
    } else if !args.talk.quiet {
        print_words(&table(&report))?;
    }
    match report.passed {
        true => Ok(()),
        false => {
            let failed: Vec<&str> =
                report.stages.iter().filter(|s| !s.passed).map(|s| s.name).collect();
            Err(Failure::Run(anyhow::anyhow!(
                "{} differs from the CPU beyond rounding in: {}",
                report.checked.name,
                failed.join(", ")
            )))
        }
    }
}

fn table(report: &Report) -> String {
    let mut lines = vec![
        format!("{} checked against {}", report.checked.name, report.reference.name),
        String::new(),
        format!("{:<19} {:>10}  {:>9}  {:>9}  verdict", "stage", "values", "worst", "bound"),
    ];
    for stage in &report.stages {
        let verdict = if stage.passed { "agrees" } else { "DIFFERS" };
        lines.push(format!(
            "{:<19} {:>10}  {:>9.2e}  {:>9.2e}  {verdict}",
            stage.name, stage.values, stage.worst, stage.bound
        ));
        lines.push(format!(
            "{:20}worst at {}: {} and {}",
            "", stage.place, stage.pair[0], stage.pair[1]
        ));
        lines.push(format!("{:20}bound: {}", "", stage.reason));
    }
    lines.join("\n")
}
