//! Options of runs over many images.

use std::path::PathBuf;

use crate::parse;

/// How many images are worked on, and which are left as they are.
#[derive(clap::Args)]
#[command(next_help_heading = "Many images")]
pub(super) struct BatchArgs {
    /// Also take the images in the folders within a folder; results keep the sub-folders.
    #[arg(long)]
    pub(super) recursive: bool,

    /// Images that are computed at a time; they share --memory. While one is computed, another is
    /// read and another written.
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse::jobs, allow_negative_numbers = true)]
    pub(super) jobs: usize,

    /// Keep the results that are there and were made from the same content with the same
    /// parameters, label types, overlay and files (further ones do not matter, nor do device,
    /// --memory and --jobs); --force replaces the others.
    #[arg(long)]
    pub(super) resume: bool,

    /// Table of all images with areas, confidence and errors [default: summary.csv in the --out folder].
    #[arg(long, value_name = "FILE")]
    pub(super) table: Option<PathBuf>,
}
