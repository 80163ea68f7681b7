//! The command line from outside: what it writes and prints, and how it refuses.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cli/accuracy.rs"]
mod accuracy;
#[path = "cli/apply.rs"]
mod apply;
#[path = "cli/arguments.rs"]
mod arguments;
#[path = "cli/automatic.rs"]
mod automatic;
#[path = "cli/batch.rs"]
mod batch;
#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/contact_sheet.rs"]
mod contact_sheet;
#[path = "cli/descriptors.rs"]
mod descriptors;
#[path = "cli/devices.rs"]
mod devices;
#[path = "cli/disk.rs"]
mod disk;
#[path = "cli/dynamics.rs"]
mod dynamics;
#[path = "cli/formats.rs"]
mod formats;
#[path = "cli/generate.rs"]
mod generate;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/hostile.rs"]
mod hostile;
#[path = "cli/images.rs"]
mod images;
#[path = "cli/info.rs"]
mod info;
#[path = "cli/interrupt.rs"]
mod interrupt;
#[path = "cli/job.rs"]
mod job;
#[path = "cli/lengths.rs"]
mod lengths;
#[path = "cli/messages.rs"]
mod messages;
#[path = "cli/no_data.rs"]
mod no_data;
#[path = "cli/options.rs"]
mod options;
#[path = "cli/parquet_table.rs"]
mod parquet_table;
#[path = "cli/paths.rs"]
mod paths;
#[path = "cli/refine.rs"]
mod refine;
#[path = "cli/relabel.rs"]
mod relabel;
#[path = "cli/report.rs"]
mod report;
#[path = "cli/result.rs"]
mod result;
#[path = "cli/resume.rs"]
mod resume;
#[path = "cli/scan.rs"]
mod scan;
#[path = "cli/series.rs"]
mod series;
#[path = "cli/several.rs"]
mod several;
#[path = "cli/targets.rs"]
mod targets;
#[path = "cli/verify.rs"]
mod verify;
#[path = "cli/warnings.rs"]
mod warnings;
