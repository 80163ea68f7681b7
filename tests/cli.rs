//! The command line from outside: what it writes and prints, and how it refuses.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cli/arguments.rs"]
mod arguments;
#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/descriptors.rs"]
mod descriptors;
#[path = "cli/devices.rs"]
mod devices;
#[path = "cli/disk.rs"]
mod disk;
#[path = "cli/generate.rs"]
mod generate;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/images.rs"]
mod images;
#[path = "cli/interrupt.rs"]
mod interrupt;
#[path = "cli/job.rs"]
mod job;
#[path = "cli/messages.rs"]
mod messages;
#[path = "cli/options.rs"]
mod options;
#[path = "cli/paths.rs"]
mod paths;
#[path = "cli/place.rs"]
mod place;
#[path = "cli/report.rs"]
mod report;
#[path = "cli/result.rs"]
mod result;
#[path = "cli/several.rs"]
mod several;
#[path = "cli/targets.rs"]
mod targets;
#[path = "cli/verify.rs"]
mod verify;
