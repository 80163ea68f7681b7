//! Options for runs over many images.

use std::path::PathBuf;

use crate::parse;

/// How many images are worked on, and which are left as they are.
#[derive(clap::Args)]
#[command(next_help_heading = "Many images")]
pub(super) struct BatchArgs {
    /// Also take the images in sub-folders; results keep the sub-folders.
    #[arg(long)]
    pub(super) recursive: bool,

    /// How many images are computed at the same time; they share --memory.
    ///
    /// While one image is computed, the next is read and the one before it is written in any case.
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse::jobs, allow_negative_numbers = true)]
    pub(super) jobs: usize,

    /// Skip images that have a result of the same content and parameters.
    ///
    /// Label type, overlay and files have to be the same, too. Additional files do not matter, nor do --device,
    /// --memory and --jobs. With --force, other results are replaced.
    #[arg(long)]
    pub(super) resume: bool,

    /// Table of all images, with areas, confidence and errors [default: summary.csv in the --out folder].
    ///
    /// One that ends in .parquet is Parquet, with the same columns, typed. A page with a small picture of each image, index.html, is always in the --out folder.
    #[arg(long, value_name = "FILE")]
    pub(super) table: Option<PathBuf>,
}
